"""Results are files in a folder: results.json holds all, records.parquet the records as one flat table.

They are written after every job, each file at once, so that whoever interrupts a run keeps what is done and goes on.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from anodiff.bench.settings import Settings
from anodiff.data.atomic import replacing
from anodiff.types import JSON, Unreadable

FORMAT = 1
FILE = "results.json"


@dataclass
class Results:
    """All that a run knows and found.

    Attributes:
        settings: what was asked for.
        sets: name, fingerprint and size of every set.
        machine: what it ran on.
        versions: of anodiff, Python and packages.
        command: that was typed.
        splits: a record of each cut: sizes, copies across train and test.
        records: of each method on each cut.
        finished: whether every job is done.
        summary: drawn from the records.
    """

    settings: Settings
    sets: dict[str, JSON]
    machine: JSON
    versions: JSON
    command: str
    splits: list[JSON] = field(default_factory=list)
    records: list[JSON] = field(default_factory=list)
    finished: bool = False
    summary: JSON = field(default_factory=dict)

    @property
    def done(self) -> set[tuple[str, int]]:
        """Set and seed of the jobs that are done."""
        return {(split["set"], split["seed"]) for split in self.splits}

    def add(self, splits: Sequence[JSON], records: Sequence[JSON]) -> None:
        """Take what a job found; the order of the records does not depend on the order of the jobs."""
        settings = self.settings
        levels = {level: i for i, level in enumerate(settings.levels)}
        methods = {name: i for i, name in enumerate(["anodiff", *settings.rivals])}
        self.splits = sorted([*self.splits, *splits], key=lambda r: (r["set"], r["seed"], levels[r["level"]]))
        self.records = sorted(
            [*self.records, *records],
            key=lambda r: (r["set"], r["seed"], levels[r["level"]], methods[r["method"]]),
        )

    def to_dict(self) -> JSON:
        """As plain values, in the order in which they are read."""
        plan = self.settings.plan()
        protocol = {"about": plan.about, "split": plan.split, "varies": plan.varies, "auto": plan.auto}
        return {
            "format": FORMAT,
            "command": self.command,
            "settings": self.settings.to_dict(),
            "protocol": protocol,
            "machine": self.machine,
            "versions": self.versions,
            "finished": self.finished,
            "sets": self.sets,
            "summary": self.summary,
            "splits": self.splits,
            "records": self.records,
        }


def write(results: Results, folder: Path) -> None:
    """results.json and records.parquet in `folder`, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(plain(results.to_dict()), indent=1, allow_nan=False)
    with replacing(folder / FILE, overwrite=True) as path:
        path.write_text(text + "\n", encoding="utf-8")
    with replacing(folder / "records.parquet", overwrite=True) as path:
        pq.write_table(flat(results), path)


def flat(results: Results) -> pa.Table:
    """One row per record, with what is known of its cut."""
    cuts = {(s["set"], s["seed"], s["level"]): s for s in results.splits}
    rows = [{**cuts.get((r["set"], r["seed"], r["level"]), {}), **r} for r in results.records]
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pa.table({name: [plain(row.get(name)) for row in rows] for name in names})


def read(path: Path) -> Results:
    """Results from a folder or its results.json.

    Raises:
        Unreadable: there are none, they are damaged, or of another format.
    """
    file = path / FILE if path.is_dir() else path
    if not file.is_file():
        raise Unreadable(f"there are no results at {path}; give a folder that anodiff bench wrote, or its {FILE}.")
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        if found["format"] != FORMAT:
            raise Unreadable(f"{file} is of format {found['format']}, not {FORMAT}; run the bench again.")
        keys = ("sets", "machine", "versions", "command", "splits", "records", "finished", "summary")
        results = Results(Settings.from_dict(found["settings"]), **{key: found[key] for key in keys})
        results.settings.plan()
        for record in (*results.records, *results.splits):
            record["set"], record["seed"], record["level"]
        results.add((), ())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        detail = " ".join(str(error).split())[:160].rstrip(".")
        raise Unreadable(f"{file} is damaged ({detail}); give --overwrite to run anew, or another folder.") from None
    return results


def plain(value: Any) -> Any:
    """json has neither infinity nor NaN: they become null.

    >>> plain({"a": (float("nan"), 1.5)})
    {'a': [None, 1.5]}
    """
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
