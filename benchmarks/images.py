"""Judge anodiff on pictures beside rivals that see the same features, and record it.

    python benchmarks/images.py mtd --seeds 3 --rotated -o benchmarks/results/images_mtd.json
    python benchmarks/images.py mtd --seeds 1 --few 40 --rivals padim,mean -o /tmp/try.json

The pictures are found by ANODIFF_DATA. A run that was cut off goes on with the same command. `--show` prints a recorded
run as markdown. Two threads, unless OMP_NUM_THREADS says otherwise.
"""

import argparse
import os
import shlex
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "2")

from anodiff.bench.images.page import conclude, show
from anodiff.bench.images.protocols import PROTOCOLS, complete
from anodiff.bench.images.run import prepare, proceed
from anodiff.bench.images.settings import Settings
from anodiff.cli.options import pairs, scalar
from anodiff.types import Refusal

RESULTS = Path(__file__).parent / "results"


def words(text):
    return tuple(word.strip() for word in text.split(",") if word.strip())


def numbers(text):
    return tuple(int(word) for word in words(text))


def parser():
    found = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("protocol", choices=PROTOCOLS)
    found.add_argument("--seeds", type=int, default=3, help="how many; 0, 1, ... [3]")
    found.add_argument("--rotated", action="store_true", help="judge a rotated and shifted copy of the test too")
    found.add_argument("--rivals", help="A,B instead of the protocol's own; none")
    found.add_argument("--layers", type=words, default=("s8", "s16"), help="of the backbone, for rivals [s8,s16]")
    found.add_argument("--grid", type=int, default=32, help="places along a side, for rivals [32]")
    found.add_argument("--copies", type=int, default=0, help="of each picture, turned, that rivals learn too [0]")
    found.add_argument("--counts", type=numbers, default=(1, 5, 10), help="known defects of each kind [1,5,10]")
    found.add_argument("--few", type=int, help="at most so many pictures learnt, and of each kind judged")
    found.add_argument("--data", help="a folder laid out like MVTec AD's, for the protocol folder")
    found.add_argument("--recipe", default="auto", help="of anodiff [its default]")
    found.add_argument("--changes", action="append", metavar="A.B=C", help="change the recipe; may be repeated")
    found.add_argument("-o", "--output", type=Path, help="json file [benchmarks/results/images_PROTOCOL.json]")
    found.add_argument("--overwrite", action="store_true", help="begin anew")
    found.add_argument("--show", action="store_true", help="print what is recorded, and run nothing")
    return found


def main(typed):
    asked = parser().parse_args(typed)
    path = asked.output or RESULTS / f"images_{asked.protocol}.json"
    if asked.show:
        print(show([path]))
        return
    settings = Settings(
        asked.protocol,
        asked.seeds,
        rotated=asked.rotated,
        few=asked.few,
        layers=asked.layers,
        grid=asked.grid,
        copies=asked.copies,
        counts=asked.counts,
        recipe=asked.recipe,
        changes={name: scalar(text) for name, text in pairs(asked.changes, "--changes").items()},
        data=asked.data,
    )
    command = shlex.join(["python", "benchmarks/images.py", *typed])
    results, jobs = prepare(complete(settings, asked.rivals), path, command, asked.overwrite)
    for finished in proceed(results, jobs, path):
        print(f"{finished.done} of {finished.of}  {finished.last}", file=sys.stderr, flush=True)
    print(conclude(results, path))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (Refusal, OSError) as refusal:
        sys.exit(f"images.py: {refusal}")
