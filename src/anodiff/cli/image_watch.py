"""`anodiff watch` of images: one JSON document per picture, as they arrive in a folder."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from anodiff.cli.errors import INTERRUPTED
from anodiff.cli.image_maps import MapFolder
from anodiff.cli.terminal import counted, plain
from anodiff.types import Misfit, Unreadable

if TYPE_CHECKING:
    from anodiff.alarms.regions import Region
    from anodiff.detect_images import ImageDetector
    from anodiff.live.folder import FolderWatch
    from anodiff.verdict import Verdict

Tell = Callable[[str, str], object]
"""Is given of what kind a note is, and the note."""


def watch_images(
    detector: "ImageDetector",
    source: str,
    interval: float,
    idle: float | None,
    once: bool,
    new: bool,
    maps: MapFolder | None,
    tell: Tell,
    say: Callable[[str], object],
) -> None:
    """Judge pictures as they arrive, until told to stop."""
    from anodiff.live.folder import FolderWatch

    if source == "-":
        raise Misfit("watch needs the FOLDER that pictures arrive in; pictures are not read from stdin.")
    if maps is not None and Path(source).is_dir():
        maps.check(Path(source))
    watched = FolderWatch(
        detector,
        source,
        interval=interval,
        new=new,
        once=once,
        idle=idle,
        maps=True,
        tell=lambda text: tell("folder", text),
    )
    seen = Seen(detector, maps, tell)
    try:
        seen.all_of(watched)
    except KeyboardInterrupt:
        say(seen.in_words())
        raise typer.Exit(INTERRUPTED) from None
    except SystemExit:
        say(seen.in_words())
        raise
    say(seen.in_words())


class Seen:
    """Writes what is said of each picture, and counts."""

    def __init__(self, detector: "ImageDetector", maps: MapFolder | None, tell: Tell) -> None:
        self.detector, self.maps, self.tell = detector, maps, tell
        self.pictures = self.alarms = self.unread = 0

    def all_of(self, watched: "FolderWatch") -> None:
        """Take all verdicts."""
        for verdict in watched:
            self.take(verdict)

    def take(self, verdict: "Verdict") -> None:
        """Write one."""
        facts = verdict.to_dict()
        if verdict.unread is None:
            regions = self.detector.regions_of(verdict)
            facts["regions"] = [region_facts(each) for each in regions]
            if self.maps is not None:
                facts["map"] = self._drawn(self.maps, verdict, regions)
        self.unread += verdict.unread is not None
        self.pictures, self.alarms = self.pictures + (verdict.unread is None), self.alarms + verdict.alarm
        sys.stdout.write(json.dumps(plain(facts), allow_nan=False) + "\n")
        sys.stdout.flush()

    def in_words(self) -> str:
        """How much was seen."""
        unread = f"; {self.unread:,} could not be read" if self.unread else ""
        return f"{counted(self.pictures, 'picture')}, {counted(self.alarms, 'alarm')}{unread}."

    def _drawn(self, maps: MapFolder, verdict: "Verdict", regions: "list[Region]") -> str | None:
        """The path of its map; what goes wrong with a map is noted, and alarms go on."""
        try:
            return maps.write(self.detector, verdict, regions)
        except (Unreadable, OSError) as error:
            self.tell("map", f"There is no map of {verdict.name}: {error}")
            return None


def region_facts(region: "Region") -> dict[str, Any]:
    """A region as JSON: its box in pixels (top, left, bottom, right), its area, its p-value."""
    return {"box": [int(edge) for edge in region.box], "area": int(region.area), "p_value": float(region.p_value)}
