"""Pictures from anywhere: folders, files, arrays, Pillow's images become an `Album`."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL.Image import Image

from anodiff.data.albums import Album, Item, Pair, Picture, Single, Unread, is_grey
from anodiff.data.frames import Frame, Size
from anodiff.data.picture_files import SUFFIXES
from anodiff.data.picture_folders import listing, spelt
from anodiff.data.picture_modes import CHANNELS
from anodiff.types import Unreadable

__all__ = ["Album", "Frame", "Picture", "Size", "Unread", "album", "is_grey", "normal_part"]
GOOD = "good"


def album(source: Any, *, labelled: bool = False) -> Album:
    """The pictures of a source.

    Args:
        source: a folder, at any depth; one picture file, or several as a list; an array `(n, H, W)` or
            `(n, H, W, 1|3|4)` of uint8, uint16, bool or floats in 0..1; a list of arrays `(H, W)` or `(H, W, 1|3|4)`
            of any sizes; Pillow's images; an album. A list of tuples (reference, tested) is one of pairs; of folders
            `anodiff.data.pairs.pairs` makes them.
        labelled: whether the folder is one of folders, "good" and one for each kind of defect; they become `kinds`.

    Raises:
        Unreadable: there is no picture in it, and the message says what to give.

    >>> [picture.pixels.shape for picture in album(np.zeros((2, 6, 8), np.uint8)).pictures(4)]
    [(4, 4, 1), (4, 4, 1)]
    """
    if isinstance(source, Album):
        found = source
    elif isinstance(source, str | os.PathLike):
        found = _at(Path(source))
    elif isinstance(source, Image):
        found = Album(["0"], [source], strict=True)
    elif isinstance(source, Iterable) and not isinstance(source, bytes | dict | np.ndarray) and _is_list(source):
        found = _listed(list(source))
    else:
        found = _stacked(source)
    return _labelled(found) if labelled else found


def normal_part(path: str | os.PathLike) -> tuple[Path, str | None]:
    """The folder of normal pictures in a folder laid out like MVTec AD's, and a note that it was taken; else `path`."""
    given, part = Path(path), Path(path) / "train" / GOOD
    if not part.is_dir():
        return given, None
    return part, f"{given} has a folder train/{GOOD}: its pictures were taken, the rest was left alone."


def _at(path: Path) -> Album:
    if path == Path():
        raise Unreadable("the path is empty; give the path of a folder of pictures or of one picture.")
    if not os.path.lexists(path):
        raise Unreadable(f"there is no file or folder {path}; check the path.")
    if not path.is_dir():
        return Album([spelt(path.name)], [path], strict=True)
    try:
        listed = listing(path)
    except OSError as error:
        raise Unreadable(f"folder {path} cannot be listed ({error.strerror}); check its owner and mode.") from None
    items: list[Item] = [Unread(n, at) if isinstance(at, str) else at for n, at in listed.found.items()]
    if not any(isinstance(item, Path) for item in items):
        odd = f"; {items[0]}" if items else "."
        raise Unreadable(f"folder {path} holds no picture; files named {', '.join(SUFFIXES)} are read{odd}")
    return Album(list(listed.found), items, strict=False, notes=tuple(_passed_over(listed.others)))


def _passed_over(others: dict[str, int]) -> Iterator[str]:
    if others:
        count, suffixes = sum(others.values()), ", ".join(sorted(others)[:8])
        yield f"{count} file{'s' * (count > 1)} of other kinds ({suffixes}) passed over."


def _is_list(source: Any) -> bool:
    """Whether it is something to go through, rather than one array of another library."""
    return not hasattr(source, "__array__")


def _listed(given: list[Any]) -> Album:
    if not given:
        raise Unreadable("the list of pictures is empty; give at least one.")
    alone = [place for place, item in enumerate(given) if not isinstance(item, tuple)]
    if 0 < len(alone) < len(given):
        raise Unreadable(f"picture {alone[0]} of the list stands alone among pairs; give (reference, tested) for each.")
    return Album(
        [_name(item, i) for i, item in enumerate(given)], [_item(x, i) for i, x in enumerate(given)], strict=True
    )


def _name(item: Any, place: int) -> str:
    if isinstance(item, tuple):
        return _name(item[-1], place) if item else str(place)
    return spelt(Path(item).as_posix()) if isinstance(item, str | os.PathLike) else str(place)


def _item(item: Any, place: int) -> Item:
    if not isinstance(item, tuple):
        return _single(item, place)
    if len(item) != 2 or item[0] is None or item[1] is None:
        raise Unreadable(f"pair {place} of the list is not two pictures; give (reference, tested).")
    return Pair(_single(item[0], place), _single(item[1], place))


def _single(item: Any, place: int) -> Single:
    if isinstance(item, Image):
        return item
    if isinstance(item, str | os.PathLike):
        return Path(item)
    if isinstance(item, np.ndarray) or hasattr(item, "__array__"):
        return np.asarray(item)
    raise Unreadable(f"picture {place} of the list is a {type(item).__name__}; give paths, arrays or Pillow's images.")


def _stacked(source: Any) -> Album:
    if not hasattr(source, "__array__"):
        raise Unreadable(
            f"cannot read pictures from a {type(source).__name__}; give a folder, paths, arrays or Pillow's images."
        )
    array = np.asarray(source)
    if array.dtype == object and array.ndim == 1:
        return _listed(list(array))
    if array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[3] not in CHANNELS):
        raise Unreadable(
            f"an array of shape {array.shape} holds no pictures; give (n, H, W) or (n, H, W, 1|3|4), channels last."
        )
    if array.ndim == 3 and array.shape[2] in CHANNELS:
        raise Unreadable(
            f"an array of shape {array.shape} may be one picture or {len(array)}; give a list of one picture, "
            "or (n, H, W, 1) for several."
        )
    if not len(array):
        raise Unreadable(f"an array of shape {array.shape} holds no pictures; give at least one.")
    return Album([str(i) for i in range(len(array))], list(array), strict=True)


def _labelled(found: Album) -> Album:
    if found.strict:
        raise Unreadable(
            f"only the pictures of a folder have kinds; give a folder of folders, {GOOD} and one per defect."
        )
    flat = next((name for name, item in zip(found.names, found.items, strict=True) if _is_flat(name, item)), None)
    if flat is not None:
        raise Unreadable(
            f"{flat} lies in no folder of its kind; move it to {GOOD}, or to a folder named by its defect."
        )
    return replace(found, kinds=[name.split("/")[0] for name in found.names])


def _is_flat(name: str, item: Item) -> bool:
    return isinstance(item, Path) and "/" not in name
