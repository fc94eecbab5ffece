"""Folders of clips: one whose pictures are frames is a clip, one of such folders or of video files is a reel.

Names are sorted as people count, so that frame10.png comes after frame9.png. Hidden files are passed over; links to
folders are not followed, so that loops end: one that leads elsewhere is listed as unread.
"""

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image

from anodiff.data.albums import Unread
from anodiff.data.picture_files import SUFFIXES as PICTURES
from anodiff.data.picture_files import TURNS, in_a_sentence, opened, orientation
from anodiff.data.picture_folders import spelt
from anodiff.data.picture_modes import image_planes
from anodiff.data.reels import MOST_PIXELS, Shot
from anodiff.types import Unreadable

VIDEOS = (".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".mjpeg", ".y4m")
"""Suffixes of video files."""
PARTS = ("train", "training", "training_videos")
"""How the folder of normal clips is called within public sets."""
LINK = "it is a link to a folder, which is not followed; give that folder itself."
Found: TypeAlias = Path | list[Path] | Unread
"""A video file, the frames of a folder in their order, or why there is no clip."""


@dataclass(frozen=True)
class Shelf:
    """The clips of a folder by their posix names relative to it ("." is the folder itself), and other files."""

    found: dict[str, Found] = field(default_factory=dict)
    others: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, eq=False)
class FolderSource:
    """Pictures that are the frames of a clip."""

    paths: list[Path] = field(repr=False)
    rate: float | None = None

    def shots(self) -> Iterator[Shot | str]:
        for i, path in enumerate(self.paths):
            yield Shot(i, i / (self.rate or 1), partial(picture, path), spelt(path.name))


def shelf(root: Path) -> Shelf:
    """The clips in a folder, at any depth; a folder that holds both is one of video files, and its pictures are others.

    Raises:
        OSError: the folder itself cannot be listed.
    """
    found: dict[str, Found] = {}
    others: Counter[str] = Counter()
    todo = [(root, "")]
    while todo:
        folder, prefix = todo.pop()
        try:
            entries = _visible(folder)
        except OSError as error:
            if not prefix:
                raise
            name, why = prefix.rstrip("/"), f"the folder cannot be listed ({error.strerror}); check its owner and mode."
            found[name] = Unread(name, why)
            continue
        pictures = [entry for entry in entries if _suffix(entry) in PICTURES and not leads_to_folder(entry)]
        videos = any(_suffix(entry) in VIDEOS and not leads_to_folder(entry) for entry in entries)
        if pictures and not videos:
            found[prefix.rstrip("/") or "."] = [Path(entry.path) for entry in pictures]
        for entry in entries:
            name = prefix + spelt(entry.name)
            if leads_to_folder(entry):
                if not entry.is_symlink():
                    todo.append((Path(entry.path), f"{name}/"))
                elif not _leads_back(root, Path(entry.path)):
                    found[name] = Unread(name, LINK)
            elif _suffix(entry) in VIDEOS:
                found[name] = Path(entry.path)
            elif videos or _suffix(entry) not in PICTURES:
                others[_suffix(entry) or "without suffix"] += 1
    return Shelf({name: found[name] for name in sorted(found, key=counted)}, others)


def train_part(root: Path) -> Path:
    """The folder of normal clips within a folder laid out like UCSD Ped2 or MVTec AD, else the folder itself."""
    try:
        part = next((path for path in sorted(root.iterdir()) if path.name.lower() in PARTS and path.is_dir()), None)
    except OSError:  # It is no folder, or cannot be listed; reading it will say so.
        return root
    if part is None:
        return root
    return part / "good" if (part / "good").is_dir() else part


def picture(path: Path) -> np.ndarray:
    """A frame that lies in a file: `(H, W)` or `(H, W, 3)` uint8; grey values of 16 bits, or floats, as 8 bits.

    Raises:
        Unreadable: it cannot be had, in a sentence that does not name the file.
    """
    with in_a_sentence(), opened(path) as image:
        if image.width * image.height > MOST_PIXELS:
            raise Unreadable(f"it promises {image.width:,} x {image.height:,} pixels; save it smaller.")
        image.load()
        turn = TURNS.get(orientation(image))
        (plane,) = image_planes(image)
        upright = plane if turn is None else plane.transpose(turn)
        return _bytes(upright)


def counted(name: str) -> tuple[tuple[str, int, str], ...]:
    """A key by which names are sorted as people count.

    >>> sorted(["b", "a10", "a9"], key=counted)
    ['a9', 'a10', 'b']
    """
    parts = re.split(r"([0-9]+)", name)
    return tuple((a, int(b or 0), b) for a, b in zip(parts[::2], [*parts[1::2], ""], strict=True))


def leads_to_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder, or a link to one."""
    try:
        return entry.is_dir()
    except OSError:  # A link that leads to itself; reading it will say so.
        return False


def _visible(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted((e for e in entries if not e.name.startswith(".")), key=lambda entry: counted(entry.name))


def _suffix(entry: os.DirEntry[str]) -> str:
    return Path(entry.name).suffix.lower()


def _leads_back(root: Path, path: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))


def _bytes(plane: Image.Image) -> np.ndarray:
    if plane.mode != "F":
        return np.array(plane)
    return np.asarray(np.rint(np.asarray(plane) * np.float32(255)), np.uint8)
