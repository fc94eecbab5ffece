"""Results of a run: one json file, written anew after every record, so that a run goes on where it stopped."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from anodiff.bench.images.judge import unpacked
from anodiff.bench.machine import describe, versions
from anodiff.bench.results import plain
from anodiff.data.atomic import replacing
from anodiff.types import JSON, Unreadable

FORMAT = 1


@dataclass
class Results:
    """All that a run knows and found.

    Attributes:
        kind: Of data.
        settings: What was asked for.
        command: That was typed.
        sets: Fingerprints and sizes by name.
        records: Of each seed, count and arm.
        machine: What it ran on.
        versions: Of anodiff, Python and packages.
    """

    kind: str
    settings: JSON
    command: str
    sets: JSON
    records: list[JSON] = field(default_factory=list)
    machine: JSON = field(default_factory=describe)
    versions: JSON = field(default_factory=versions)

    @property
    def done(self) -> set[tuple[int, int, str]]:
        """Seed, count and arm of what is recorded."""
        return {(each["seed"], each["count"], each["arm"]) for each in self.records}

    def to_dict(self, summary: JSON) -> JSON:
        """As it is written."""
        return {"format": FORMAT, **vars(self), "summary": summary}


def resumed(fresh: Results, path: Path, overwrite: bool = False) -> Results:
    """What is there already, if it answers the same.

    Raises:
        FileExistsError: the file holds results of other settings or data.
        Unreadable: it is none of ours.
    """
    if overwrite or not path.exists():
        return fresh
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        same = {name: found[name] == plain(getattr(fresh, name)) for name in ("settings", "sets")}
        fresh.records, fresh.machine = list(found["records"]), found["machine"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise Unreadable(f"{path} holds no results of generation ({error}); give another -o.") from None
    if not all(same.values()):
        other = ", ".join(name for name, alike in same.items() if not alike)
        raise FileExistsError(f"{path} holds results of other {other}; give --overwrite or another -o.")
    return fresh


def write(results: Results, path: Path, summary: JSON) -> None:
    """Write the file, or leave the old one."""
    with replacing(path, overwrite=True) as part:
        part.write_text(json.dumps(plain(results.to_dict(summary)), indent=1) + "\n", encoding="utf-8")


def means(records: list[JSON], metrics: tuple[str, ...]) -> dict[int, dict[str, dict[str, float]]]:
    """By count, arm and metric the mean over seeds."""
    found: dict[int, dict[str, dict[str, float]]] = {}
    for count, arm in dict.fromkeys((each["count"], each["arm"]) for each in records):
        own = [each for each in records if (each["count"], each["arm"]) == (count, arm)]
        found.setdefault(count, {})[arm] = {
            **{name: float(np.mean([each[name] for each in own])) for name in metrics},
            "seeds": len(own),
        }
    return found


def gain(records: list[JSON], count: int, arm: str, other: str, metric: str) -> dict[str, float] | None:
    """How much higher one arm is than another, on average over the seeds that have both, and 95 % of bootstrap samples.

    Judged pictures are drawn anew, the same for both arms. Seeds are judged on nearly the same pictures, so the ends of
    their intervals are averaged, which errs to the wide side.
    """
    by = {(each["seed"], each["arm"]): each for each in records if each["count"] == count}
    seeds = [seed for seed, name in by if name == arm and (seed, other) in by]
    if not seeds:
        return None
    apart = [by[seed, arm][metric] - by[seed, other][metric] for seed in seeds]
    draws = [unpacked(by[seed, arm]["draws"][metric]) - unpacked(by[seed, other]["draws"][metric]) for seed in seeds]
    low, high = np.mean([np.quantile(each, [0.025, 0.975]) for each in draws], 0)
    return {"gain": float(np.mean(apart)), "low": float(low), "high": float(high), "seeds": len(seeds)}
