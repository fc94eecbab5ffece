"""`--maps`: for each picture one of where it is odd, under its name, in a folder of their own.

A name leads nowhere but below that folder, whatever it says, and two pictures never share one. What is there already is
left alone, unless it may be overwritten; each file is whole or not there.
"""

import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, count
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from anodiff.data.atomic import replacing
from anodiff.types import Misfit

if TYPE_CHECKING:
    from anodiff.alarms.regions import Region
    from anodiff.detect_images import ImageDetector
    from anodiff.verdict import Verdict

LARGEST = 2048
"""The longer side of a picture that is drawn upon; larger ones are drawn smaller. Numbers are as large as they are."""
LONGEST = 180
"""Bytes of a name."""
FORBIDDEN = frozenset('<>:"|?*\\')


@dataclass(eq=False)
class MapFolder:
    """Where maps go.

    Attributes:
        folder: Is made when the first map is written.
        raw: Whether the numbers are written too, `Detector.anomaly_map` as tiff.
        overwrite: Whether to replace what is there.
    """

    folder: Path
    raw: bool = False
    overwrite: bool = False
    written: int = 0
    places: dict[str, PurePosixPath] = field(default_factory=dict)
    _taken: set[str] = field(default_factory=set)

    def check(self, data: Path) -> None:
        """Refuse a folder that no map can be written into, or that shares pictures with `data`, before any work."""
        own, judged = (Path(os.path.realpath(path)) for path in (self.folder, data))
        within = own == judged.parent if data.is_file() else own.is_relative_to(judged) or judged.is_relative_to(own)
        if within:
            raise Misfit(
                f"--maps {self.folder} would mix maps with the pictures of {data}; give a folder apart from it."
            )
        if self.folder.exists() and not self.folder.is_dir():
            raise FileExistsError(f"{self.folder} is no folder; give another one for --maps.")
        above = next(path for path in (self.folder.absolute(), *self.folder.absolute().parents) if path.exists())
        if not above.is_dir() or not os.access(above, os.W_OK):
            raise PermissionError(f"nothing can be written into {above}; give another folder for --maps.")

    def check_free(self, names: Sequence[str]) -> None:
        """Refuse names of which a map is there already, before any work is done."""
        for name in names:
            for path in self._paths(name):
                if path.exists() and not self.overwrite:
                    raise FileExistsError(f"{path} exists; give --overwrite, or another folder for --maps.")

    def write(self, detector: "ImageDetector", verdict: "Verdict", regions: "Sequence[Region]") -> str:
        """Draw a verdict with a map, and its regions; returns the path of the picture.

        Raises:
            Unreadable: the picture cannot be read any more.
            OSError: it cannot be written.
        """
        from PIL import Image

        drawn = picture_of(detector, verdict, regions)
        shown, *numbers = self._paths(verdict.name)
        self._make(shown.parent)
        with replacing(shown, self.overwrite) as path:
            Image.fromarray(drawn).save(path, "PNG", compress_level=4)
        for place in numbers:
            with replacing(place, self.overwrite) as path:
                Image.fromarray(detector.laid(verdict)).save(path, "TIFF", compression="tiff_adobe_deflate")
        self.written += 1
        return str(shown)

    def _make(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        if not Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(self.folder)):
            raise PermissionError(f"{folder} leads out of {self.folder} by a link; give another folder for --maps.")

    def _paths(self, name: str) -> list[Path]:
        shown = self.folder / self._place(name)
        return [shown, shown.with_suffix(".tiff")] if self.raw else [shown]

    def _place(self, name: str) -> PurePosixPath:
        """The name of the map, below the folder: another one for each picture, the same one each time."""
        if name not in self.places:
            plain = safe(name)
            tries = chain((str(plain.with_suffix("")), str(plain)), (f"{plain}.{i}" for i in count(2)))
            free = next(each for each in tries if each.lower() not in self._taken)
            self._taken.add(free.lower())
            self.places[name] = PurePosixPath(f"{free}.png")
        return self.places[name]


def map_folder(maps: Path | None, raw: bool, overwrite: bool) -> MapFolder | None:
    """What was asked for, if it was.

    Raises:
        Misfit: numbers are asked for and there is no folder for them.
    """
    if raw and maps is None:
        raise Misfit("--raw writes numbers beside the maps, and there are none; give --maps too.")
    return None if maps is None else MapFolder(maps, raw, overwrite)


def safe(name: str) -> PurePosixPath:
    r"""A relative path of names that every system takes, from whatever a picture is called.

    >>> str(safe("../a/./b\n.png")), str(safe("C:\\x.png")), str(safe(".."))
    ('a/b_.png', 'C__x.png', '_')
    """
    parts = [_plain(part) for part in name.split("/") if part.strip(". ")]
    return PurePosixPath(*(parts or ["_"]))


def _plain(part: str) -> str:
    plain = "".join("_" if c in FORBIDDEN or not c.isprintable() else c for c in part).lstrip(". ").rstrip(". ")
    encoded = plain.encode("utf-8", "replace")
    if len(encoded) <= LONGEST:
        return encoded.decode()
    return f"{encoded[: LONGEST - 10].decode('utf-8', 'ignore')}-{zlib.crc32(encoded):08x}"


def picture_of(detector: "ImageDetector", verdict: "Verdict", regions: "Sequence[Region]") -> Any:
    """The picture that was judged, with what was found drawn upon it: `(H, W, 3)` uint8."""
    from anodiff.data.frames import Frame
    from anodiff.data.picture_files import decoded
    from anodiff.report.overlay import overlay, shrunk, to_look_at

    assert verdict.path is not None
    frame = Frame(min(max(verdict.size), LARGEST), "pad")
    left, top, right, bottom = frame.place(verdict.size)
    pixels = decoded(verdict.path, frame).pixels[top:bottom, left:right]
    size = (pixels.shape[0], pixels.shape[1])
    p_map = detector.p_map_of(replace(verdict, size=size))
    return overlay(to_look_at(pixels), p_map, [shrunk(region.mask, size) for region in regions])
