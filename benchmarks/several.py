"""What several kinds of data are worth together: `python benchmarks/several.py photos` or `boards`.

It needs SDLS or the pairs of DeepPCB where ANODIFF_DATA says. What is done is kept, and a run that was stopped goes on.
"""

import argparse
import json
import shlex
import sys
from pathlib import Path

from anodiff.bench.generation.results import Results, resumed, write
from anodiff.bench.several import boards as of_boards
from anodiff.bench.several import photos as of_photos
from anodiff.bench.several.judge import over_seeds
from anodiff.data.public_records import boards, sdls
from anodiff.types import Refusal

RESULTS = Path(__file__).parent / "results"
WHAT = {"photos": (of_photos, sdls), "boards": (of_boards, boards)}


def parser():
    found = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    found.add_argument("what", choices=list(WHAT))
    found.add_argument("--seeds", type=int, default=3, help="0 to so many less one [3]")
    found.add_argument("-o", "--output", type=Path, help="json file [benchmarks/results/several_....json]")
    found.add_argument("--overwrite", action="store_true", help="begin anew")
    found.add_argument("--show", action="store_true", help="print what is recorded, and run nothing")
    return found


def main(typed):
    asked = parser().parse_args(typed)
    bench, load = WHAT[asked.what]
    path = asked.output or RESULTS / f"several_{asked.what}.json"
    if not asked.show:
        held = load()
        command = shlex.join(["python", "benchmarks/several.py", *typed])
        fresh = Results(asked.what, {"what": asked.what}, command, {asked.what: bench.sizes(held)})
        results = resumed(fresh, path, asked.overwrite)
        for seed in range(asked.seeds):
            if (seed, 0, asked.what) not in results.done:
                found = bench.run(held, seed, lambda text, seed=seed: print(seed, text, file=sys.stderr, flush=True))
                results.records.append({"seed": seed, "count": 0, "arm": asked.what, **found})
                runs = [{k: v for k, v in each.items() if isinstance(v, dict)} for each in results.records]
                write(results, path, over_seeds(runs))
    print(bench.page(json.loads(path.read_text(encoding="utf-8"))["summary"]))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Refusal as refusal:
        sys.exit(f"anodiff: {refusal}")
