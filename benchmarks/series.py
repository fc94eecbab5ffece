"""Judge anodiff on series beside cheap rivals, and record it.

    python benchmarks/series.py univariate --seeds 3 -o benchmarks/results/series_univariate.json
    python benchmarks/series.py univariate --sets 2 --changes denoisers.learnt.steps=600 -o /tmp/try.json

The series are found by ANODIFF_DATA. A run that was cut off goes on with the same command. `--show` prints a recorded
run as markdown. One thread, unless OMP_NUM_THREADS says otherwise.
"""

import argparse
import os
import shlex
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from anodiff.bench.series.page import conclude, show
from anodiff.bench.series.protocols import PROTOCOLS, complete
from anodiff.bench.series.run import prepare, proceed
from anodiff.bench.series.settings import FITS, Settings
from anodiff.cli.options import pairs, scalar
from anodiff.types import Refusal

RESULTS = Path(__file__).parent / "results"


def parser():
    found = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("protocol", choices=PROTOCOLS)
    found.add_argument("--seeds", type=int, default=3, help="how many; 0, 1, ... [3]")
    found.add_argument("--sets", help="only the first N series, or those with one of A,B in their names")
    found.add_argument("--rivals", help="A,B instead of the protocol's own; none")
    found.add_argument("--recipe", default="auto", help="of anodiff [its default]")
    found.add_argument("--changes", action="append", metavar="A.B=C", help="change the recipe; may be repeated")
    found.add_argument("--fit", choices=FITS, default="usual", help="what is learnt [as the protocol says]")
    found.add_argument("--jobs", type=int, choices=(1, 2), default=1, help="processes [1]")
    found.add_argument("-o", "--output", type=Path, help="json file [benchmarks/results/series_PROTOCOL.json]")
    found.add_argument("--overwrite", action="store_true", help="begin anew")
    found.add_argument("--retry", action="store_true", help="do series again on which anything failed")
    found.add_argument("--show", action="store_true", help="print what is recorded, and run nothing")
    return found


def main(words):
    asked = parser().parse_args(words)
    path = asked.output or RESULTS / f"series_{asked.protocol}.json"
    if asked.show:
        print(show([path]))
        return
    changes = {name: scalar(text) for name, text in pairs(asked.changes, "--changes").items()}
    settings = Settings(asked.protocol, asked.seeds, asked.sets, (), asked.recipe, changes, asked.fit)
    command = shlex.join(["python", "benchmarks/series.py", *words])
    results, jobs = prepare(complete(settings, asked.rivals), path, command, asked.overwrite, asked.retry)
    for finished in proceed(results, jobs, path, asked.jobs):
        print(f"{finished.done} of {finished.of}  {finished.last}", file=sys.stderr, flush=True)
    print(conclude(results, path))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (Refusal, OSError) as refusal:
        sys.exit(f"series.py: {refusal}")
