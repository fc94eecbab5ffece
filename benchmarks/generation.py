"""Whether made anomalies help to find real ones: `python benchmarks/generation.py images`, `tables` or `series`.

It needs the magnetic tiles, the tables or the series where ANODIFF_DATA says. What is done is kept, and a run that was
stopped goes on.
"""

import argparse
import json
import shlex
import sys
from pathlib import Path

from anodiff.bench.generation import series_run, tables_run
from anodiff.bench.generation.arms import ARMS
from anodiff.bench.generation.cycle import page, running
from anodiff.bench.generation.images import Asked
from anodiff.types import Refusal

RESULTS = Path(__file__).parent / "results"


def whole(text):
    """Whole numbers, commas between them."""
    return tuple(int(each) for each in text.split(","))


def parser():
    found = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    found.add_argument("what", choices=["images"])
    found.add_argument("--seeds", type=int, default=3, help="0 to so many less one [3]")
    found.add_argument("--counts", type=whole, default=(0, 1, 5, 10), help="known defects of each kind [0,1,5,10]")
    found.add_argument("--made", type=int, default=60, help="so many are made in each arm [60]")
    found.add_argument("--share", type=float, default=1.0, help="what they weigh together, over the real ones [1]")
    found.add_argument("--arms", help=f"of {'; '.join(ARMS)}; semicolons between them [all]")
    found.add_argument("-o", "--output", type=Path, help="json file [benchmarks/results/generation_images.json]")
    found.add_argument("--overwrite", action="store_true", help="begin anew")
    found.add_argument("--show", action="store_true", help="print what is recorded, and run nothing")
    return found


def main(typed):
    asked = parser().parse_args(typed)
    path = asked.output or RESULTS / "generation_images.json"
    if not asked.show:
        arms = ARMS if asked.arms is None else tuple(name.strip() for name in asked.arms.split(";"))
        settings = Asked(asked.counts, made=asked.made, share=asked.share, arms=arms)
        command = shlex.join(["python", "benchmarks/generation.py", *typed])
        for record in running(settings, asked.seeds, path, command, asked.overwrite):
            print(
                record["seed"],
                record["count"],
                record["arm"],
                round(record["pixel_ap"], 4),
                file=sys.stderr,
                flush=True,
            )
    print(page(json.loads(path.read_text(encoding="utf-8"))["summary"]))


def tables(typed):
    found = argparse.ArgumentParser(description="What chooses the members of the hybrid of tables.")
    found.add_argument("--seeds", type=int, default=3, help="0 to so many less one [3]")
    found.add_argument("--collection", default="adbench", help="adbench, mixed or fresh [adbench]")
    found.add_argument("--sets", help="only those of A,B [all]")
    found.add_argument("--parts", default="plain,generated", help="of plain (no generator), generated [both]")
    found.add_argument("--cache", type=Path, help="folder of fitted detectors, to fit each only once")
    found.add_argument("-o", "--output", type=Path, default=RESULTS / "generation_tables.json", help="json file")
    found.add_argument("--overwrite", action="store_true", help="begin anew")
    found.add_argument("--show", action="store_true", help="print what is recorded, and run nothing")
    asked = found.parse_args(typed)
    if not asked.show:
        chosen = tables_run.chosen(asked.collection, asked.sets)
        command = shlex.join(["python", "benchmarks/generation.py", "tables", *typed])
        for done in tables_run.running(
            chosen,
            asked.seeds,
            asked.parts.split(","),
            tables_run.Asked(),
            asked.output,
            command,
            asked.cache,
            asked.overwrite,
        ):
            print(done, file=sys.stderr, flush=True)
    print(tables_run.page(json.loads(asked.output.read_text(encoding="utf-8"))["summary"]))


def series(typed):
    found = argparse.ArgumentParser(description="What chooses the scores that a series is judged by.")
    found.add_argument("--seeds", type=int, default=3, help="draws of known events [3]")
    found.add_argument("--counts", type=whole, default=(3, 5, 10), help="known events [3,5,10]")
    found.add_argument("--cache", type=Path, help="folder of fitted detectors, to fit each only once")
    found.add_argument("-o", "--output", type=Path, default=RESULTS / "generation_series.json", help="json file")
    found.add_argument("--overwrite", action="store_true", help="begin anew")
    found.add_argument("--show", action="store_true", help="print what is recorded, and run nothing")
    asked = found.parse_args(typed)
    if not asked.show:
        command = shlex.join(["python", "benchmarks/generation.py", "series", *typed])
        for done in series_run.running(asked.counts, asked.seeds, asked.output, command, asked.cache, asked.overwrite):
            print(done, file=sys.stderr, flush=True)
    print(series_run.page(json.loads(asked.output.read_text(encoding="utf-8"))["summary"]))


OTHERS = {"tables": tables, "series": series}

if __name__ == "__main__":
    try:
        OTHERS[sys.argv[1]](sys.argv[2:]) if sys.argv[1:2] and sys.argv[1] in OTHERS else main(sys.argv[1:])
    except (Refusal, OSError) as refusal:
        sys.exit(f"generation.py: {refusal}")
