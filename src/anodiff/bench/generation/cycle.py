"""The run over pictures, and what it comes to in words."""

from collections.abc import Iterator
from pathlib import Path

from anodiff.bench.generation.arms import CLASSICAL, GENERATED, HARDEST
from anodiff.bench.generation.images import ALONE, METRICS, NONE, Asked, Bench, act, named
from anodiff.bench.generation.results import Results, gain, means, resumed, write
from anodiff.bench.images.cases import Case
from anodiff.data.public_images import picture_set
from anodiff.types import JSON

RIVALS = (NONE, ALONE, "pasted copies", "cut-paste", "Perlin")
"""Of the issue: generated ones are to be better than the best of them."""


def running(asked: Asked, seeds: int, path: Path, command: str, overwrite: bool = False) -> Iterator[JSON]:
    """Do what is not done; yields records, and writes after each.

    Raises:
        FileExistsError: the file holds results of other settings or data.
    """
    asked.check()
    case = Case(picture_set("mtd", split=asked.split))
    results = resumed(Results("image", asked.to_dict(), command, {f"mtd {asked.split}": case.facts()}), path, overwrite)
    bench = None
    for seed in range(seeds):
        if missing(results, asked, seed):
            bench = Bench.of(case) if bench is None else bench
            for record in act(bench, seed, asked, results.done):
                results.records.append(record)
                write(results, path, summary(results.records))
                yield record


def missing(results: Results, asked: Asked, seed: int) -> bool:
    """Whether anything of a seed is to be done."""
    return any((seed, count, name) not in results.done for count in asked.counts for name in named(asked, count))


def summary(records: list[JSON]) -> JSON:
    """Means, and what made ones add to real ones alone and to the best of the rivals, by count."""
    found: JSON = {}
    for count, arms in means(records, METRICS).items():
        alone = NONE if not count else ALONE
        rivals = [name for name in RIVALS if name in arms]
        gains: JSON = {}
        for arm in arms:
            gains[arm] = {metric: {"over real ones": gain(records, count, arm, alone, metric)} for metric in METRICS}
            if arm in (GENERATED, HARDEST, *CLASSICAL) and arm not in RIVALS and rivals:
                for metric in METRICS:
                    best = max(rivals, key=lambda name: arms[name][metric])
                    gains[arm][metric]["best rival"] = best
                    gains[arm][metric]["over the best rival"] = gain(records, count, arm, best, metric)
        found[str(count)] = {"means": arms, "gains": gains}
    return found


def page(found: JSON) -> str:
    """The summary as tables of markdown, one for each count."""
    parts = []
    for count, told in found.items():
        rows = [["taught", *(name.replace("_", " ") for name in METRICS), "seeds"], ["---"] * (len(METRICS) + 2)]
        for arm, own in told["means"].items():
            cells = [f"{own[metric]:.3f}{_gained(told['gains'][arm][metric]['over real ones'])}" for metric in METRICS]
            rows.append([arm, *cells, str(int(own["seeds"]))])
        lines = "\n".join(f"| {' | '.join(row)} |" for row in rows)
        parts.append(f"{count} known defects of each kind\n\n{lines}")
    return "\n\n".join(parts)


def _gained(told: JSON | None) -> str:
    if told is None or told["low"] == told["high"]:
        return ""
    return f" ({told['gain']:+.3f}, {told['low']:+.3f} to {told['high']:+.3f})"
