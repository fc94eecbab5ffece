"""Results of a run of series: one json file, written anew after every job, so that a run goes on where it stopped."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from anodiff.bench.results import plain
from anodiff.bench.series.settings import Settings
from anodiff.bench.series.timed import Record
from anodiff.data.atomic import replacing
from anodiff.types import JSON, Unreadable

FORMAT = 1
KIND = "series"


@dataclass
class Results:
    """All that a run knows and found.

    Attributes:
        settings: What was asked for.
        sets: By name: fingerprint, size, family, and what the protocol tells of a series besides.
        machine: What it ran on.
        versions: Of anodiff, Python and packages.
        command: That was typed.
        recipe: The recipes of anodiff that are judged, by name, as JSON.
        records: Of each method on each series with each seed.
        finished: Whether every job is done.
        summary: Drawn from the records.
    """

    settings: Settings
    sets: dict[str, JSON]
    machine: JSON
    versions: JSON
    command: str
    recipe: JSON = field(default_factory=dict)
    records: list[JSON] = field(default_factory=list)
    finished: bool = False
    summary: JSON = field(default_factory=dict)

    @property
    def done(self) -> set[tuple[str, int]]:
        """Series and seed of the jobs that are done."""
        return {(record["set"], record["seed"]) for record in self.records}

    def add(self, name: str, seed: int, records: Sequence[Record]) -> None:
        """Take what a job found; the order of the records does not depend on the order of the jobs."""
        found = [{"set": name, "seed": seed, **record.to_dict()} for record in records]
        place = {each: i for i, each in enumerate(self.sets)}
        self.records = sorted([*self.records, *found], key=lambda r: (r["seed"], place[r["set"]]))

    def to_dict(self) -> JSON:
        """As plain values, in the order in which they are read."""
        return {
            "format": FORMAT,
            "kind": KIND,
            "command": self.command,
            "settings": self.settings.to_dict(),
            "machine": self.machine,
            "versions": self.versions,
            "recipe": self.recipe,
            "finished": self.finished,
            "summary": self.summary,
            "sets": self.sets,
            "records": self.records,
        }


def write(results: Results, path: Path) -> None:
    """The file at `path`, whose folder is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, overwrite=True) as fresh:
        fresh.write_text(json.dumps(plain(results.to_dict()), indent=1, allow_nan=False) + "\n", encoding="utf-8")


def recorded(folder: Path) -> list[Path]:
    """The runs of series in a folder, by name."""
    found = sorted(folder.glob("series_*.json"))
    return [path for path in found if f'"kind": "{KIND}"' in path.read_text(encoding="utf-8")[:200]]


def read(path: Path) -> Results:
    """The inverse.

    Raises:
        Unreadable: there are none, they are damaged, or of another kind.
    """
    if not path.is_file():
        raise Unreadable(f"there are no results at {path}; give the json file of a run of series.")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if (found.get("kind"), found.get("format")) != (KIND, FORMAT):
            raise Unreadable(f"{path} holds no results of series of format {FORMAT}; give another file.")
        keys = ("sets", "machine", "versions", "command", "recipe", "records", "finished", "summary")
        return Results(Settings.from_dict(found["settings"]), **{key: found[key] for key in keys})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        detail = " ".join(str(error).split())[:160].rstrip(".")
        raise Unreadable(f"{path} is damaged ({detail}); give --overwrite to run anew, or another path.") from None
