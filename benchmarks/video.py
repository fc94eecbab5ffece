"""Whether abnormal frames of video are found: `python benchmarks/video.py ped2`, or `memory` for an hour of video.

It needs UCSD Ped2 where ANODIFF_DATA says. What is done is kept, and a run that was stopped goes on.
"""

import argparse
import json
import shlex
import sys
from pathlib import Path

from anodiff.bench.video.run import OURS, Asked, running, shown
from anodiff.data.public_video import video_set
from anodiff.types import Refusal

RESULTS = Path(__file__).parent / "results"


def parser():
    found = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    found.add_argument("what", choices=["ped2", "memory"])
    found.add_argument("--seeds", type=int, default=3, help="0 to so many less one [3]")
    found.add_argument("--methods", help=f"of {', '.join(Asked().methods)}; commas between them [all]")
    found.add_argument("--minutes", type=float, default=60.0, help="of memory: so long a video, at 10 frames/s [60]")
    found.add_argument("-o", "--output", type=Path, help="json file [benchmarks/results/video_....json]")
    found.add_argument("--overwrite", action="store_true", help="begin anew")
    found.add_argument("--show", action="store_true", help="print what is recorded, and run nothing")
    return found


def ped2(asked, typed):
    path = asked.output or RESULTS / "video_ped2.json"
    if not asked.show:
        methods = Asked().methods if asked.methods is None else tuple(each.strip() for each in asked.methods.split(","))
        command = shlex.join(["python", "benchmarks/video.py", *typed])
        for record in running(Asked(methods), asked.seeds, video_set("ped2"), path, command, asked.overwrite):
            print(record["seed"], record["arm"], round(record["micro"], 4), file=sys.stderr, flush=True)
    print(shown(path))


def memory(asked, typed):
    from anodiff.bench.video.memory import measured, page

    path = asked.output or RESULTS / "video_memory.json"
    if not asked.show:
        found = measured(asked.minutes, shlex.join(["python", "benchmarks/video.py", *typed]))
        path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(page(json.loads(path.read_text(encoding="utf-8"))["summary"]))


def main(typed):
    asked = parser().parse_args(typed)
    {"ped2": ped2, "memory": memory}[asked.what](asked, typed)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Refusal as refusal:
        sys.exit(f"{OURS}: {refusal}")
