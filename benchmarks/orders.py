"""Are anomalies what was ordered? `python benchmarks/orders.py tabular series image`, or sets by name.

Detectability by detectors that took no part, at every strength; what else changed; copies of examples; seconds. It
needs the public data where ANODIFF_DATA says. What is done is kept, and a run that was stopped goes on.
"""

import argparse
import json
import os
import shlex
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "2")

from anodiff.bench.generation.orders_run import PARTS, page, running
from anodiff.types import Refusal

RESULTS = Path(__file__).parent / "results"


def main(typed):
    found = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    found.add_argument("names", nargs="*", help="kinds of data (tabular, series, image) or sets [all]")
    found.add_argument("--seeds", type=int, default=1, help="0 to so many less one [1]")
    found.add_argument("--parts", default=",".join(PARTS), help=f"of {', '.join(PARTS)} [all]")
    found.add_argument("-o", "--output", type=Path, default=RESULTS / "orders.json", help="json file")
    found.add_argument("--overwrite", action="store_true", help="begin anew")
    found.add_argument("--show", action="store_true", help="print what is recorded, and run nothing")
    asked = found.parse_args(typed)
    if not asked.show:
        command = shlex.join(["python", "benchmarks/orders.py", *typed])
        parts = asked.parts.split(",")
        for done in running(asked.names, parts, asked.seeds, asked.output, command, asked.overwrite):
            print(done, file=sys.stderr, flush=True)
    print(page(json.loads(asked.output.read_text(encoding="utf-8"))["summary"]))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (Refusal, OSError) as refusal:
        sys.exit(f"orders.py: {refusal}")
