"""Results of a run of pictures: one json file, written anew after every job, so that a run goes on where it stopped."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from anodiff.bench.images.settings import Settings
from anodiff.bench.results import plain
from anodiff.bench.series.timed import Record
from anodiff.data.atomic import replacing
from anodiff.types import JSON, Unreadable

FORMAT = 1
KIND = "images"
KEYS = ("command", "machine", "versions", "recipe", "finished", "summary", "sets", "records")


@dataclass
class Results:
    """All that a run knows and found.

    Attributes:
        settings: What was asked for.
        sets: By name: fingerprint and size.
        machine: What it ran on.
        versions: Of anodiff, Python and packages.
        command: That was typed.
        recipe: The recipe of anodiff that is judged, as JSON.
        records: Of each method on each set with each seed.
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
        """Set and seed of the jobs that are done."""
        return {(record["set"], record["seed"]) for record in self.records}

    def add(self, name: str, seed: int, records: Sequence[Record]) -> None:
        """Take what a job found."""
        self.records += [{"set": name, "seed": seed, **record.to_dict()} for record in records]

    def to_dict(self) -> JSON:
        """As plain values, in the order in which they are read."""
        head = {"format": FORMAT, "kind": KIND, "settings": self.settings.to_dict()}
        return head | {key: getattr(self, key) for key in KEYS}


def write(results: Results, path: Path) -> None:
    """The file at `path`, whose folder is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, overwrite=True) as fresh:
        fresh.write_text(json.dumps(plain(results.to_dict()), indent=1, allow_nan=False) + "\n", encoding="utf-8")


def recorded(folder: Path) -> list[Path]:
    """The runs of pictures in a folder, by name."""
    return sorted(folder.glob(f"{KIND}_*.json"))


def read(path: Path) -> Results:
    """The inverse.

    Raises:
        Unreadable: there are none, they are damaged, or of another kind.
    """
    if not path.is_file():
        raise Unreadable(f"there are no results at {path}; give the json file of a run of pictures.")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if (found.get("kind"), found.get("format")) != (KIND, FORMAT):
            raise Unreadable(f"{path} holds no results of pictures of format {FORMAT}; give another file.")
        return Results(Settings.from_dict(found["settings"]), **{key: found[key] for key in KEYS})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, Unreadable):
            raise
        detail = " ".join(str(error).split())[:160].rstrip(".")
        raise Unreadable(f"{path} is damaged ({detail}); give --overwrite to run anew, or another path.") from None
