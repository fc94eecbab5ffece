"""Clips from anywhere: video files, folders of frames, arrays become a `Reel`."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from anodiff.data.albums import Unread
from anodiff.data.clip_arrays import ArraySource, checked, mapped
from anodiff.data.clip_files import FileSource, header
from anodiff.data.clip_folders import VIDEOS, FolderSource, Found, picture, shelf, train_part
from anodiff.data.picture_files import SUFFIXES as FRAMES
from anodiff.data.picture_folders import spelt
from anodiff.data.pictured import files_within
from anodiff.data.reels import Clip, Frame, Layout, Reel, check_rate
from anodiff.types import Unreadable

__all__ = ["Clip", "Frame", "Reel", "Unread", "clip", "looks_filmed", "normal_reel", "reel"]
LOOKED_AT = 200
"""Entries of a folder."""


def reel(X: Any, *, rate: float | None = None, cameras: Mapping[str, str] | None = None) -> Reel:
    """The clips of a source.

    Args:
        X: an array `(T, H, W)` or `(T, H, W, 1|3)` of uint8, uint16, bool or floats in 0..1; the path of a video file
            or of such an array as .npy; a folder of frames (png, jpg, tiff, ...), sorted as people count; a folder of
            video files or of folders of frames, at any depth; a list or a dict of any of these; a `Clip`; a `Reel`.
        rate: frames a second, where the source does not say so, or is wrong.
        cameras: which camera took a clip, by the clip's name; one model may watch several.

    Returns:
        The reel. Of several clips those that cannot be read are listed; headers and first frames are read, no more.

    Raises:
        Unreadable: no clip can be read, and the message says why.
        Misfit: the rate is none, a camera is named for no clip, or PyAV is missing.

    >>> [clip.size for clip in reel([np.zeros((9, 40, 60), np.uint8), np.zeros((2, 20, 30, 3))]).clips]
    [(40, 60), (20, 30)]
    """
    found = _reel(X, check_rate(rate))
    if not found.clips:
        first = next(iter(found.unread), None)
        if found.layout == "one":
            raise Unreadable(f"clip {first}")
        raise Unreadable(
            f"none of {len(found.given)} clips can be read; {first}"
            if first
            else "there is no clip; give at least one."
        )
    return found if cameras is None else found.taken_by(cameras)


def normal_reel(X: Any, *, rate: float | None = None, cameras: Mapping[str, str] | None = None) -> Reel:
    """The clips to fit on: those of a folder's part train where it has one, with a note that they were taken."""
    if not isinstance(X, str | os.PathLike):
        return reel(X, rate=rate, cameras=cameras)
    given = Path(X)
    part = train_part(given)
    found = reel(part, rate=rate, cameras=cameras)
    if part == given:
        return found
    note = f"{given} has a folder {part.relative_to(given).as_posix()}: its clips were taken, the rest was left alone."
    return replace(found, notes=(note, *found.notes))


def clip(
    source: Any,
    *,
    name: str | None = None,
    rate: float | None = None,
    camera: str | None = None,
    began: float | None = None,
) -> Clip:
    """One clip, of which something is known besides.

    Args:
        source: an array, a video file or a folder of frames, as for `reel`.
        name: what to call it.
        rate: frames a second.
        camera: which camera took it.
        began: when, in unix seconds.

    Raises:
        Unreadable: it cannot be read, or is several clips.

    >>> clip(np.zeros((9, 40, 60), np.uint8), camera="north", rate=25).camera
    'north'
    """
    found = reel(source, rate=rate)
    if found.layout != "one":
        raise Unreadable(f"{source} holds {len(found.given)} clips; give one, or call reel.")
    (one,) = found.clips
    return replace(one, name=name or one.name, camera=camera or one.camera, began=one.began if began is None else began)


def looks_filmed(X: Any) -> bool:
    """Whether it is video beyond doubt: a file, or files, with the suffix of one, a folder of such, a clip, a reel.

    Arrays of four axes and folders of frames may as well be pictures; those who say so say "video" themselves.

    >>> looks_filmed("lobby.MP4"), looks_filmed(["a.mkv", "b.avi"]), looks_filmed("dance.gif")
    (True, True, False)
    """
    if isinstance(X, Clip | Reel):
        return True
    if isinstance(X, Mapping):
        return looks_filmed(list(X.values()))
    if isinstance(X, list | tuple):
        return bool(X) and all(isinstance(one, str | os.PathLike | Clip) and looks_filmed(one) for one in X)
    if not isinstance(X, str | os.PathLike):
        return False
    return _holds_videos(Path(X)) if os.path.isdir(X) else _is_video(X)


def _is_video(name: str | os.PathLike) -> bool:
    return PurePath(os.fsdecode(name)).suffix.lower() in VIDEOS


def _holds_videos(folder: Path) -> bool:
    """Whether there are files of videos in it, in its sub-folders too, and of nothing else."""
    names = [os.path.basename(path) for path in islice(files_within(os.fspath(folder)), LOOKED_AT)]
    return bool(names) and all(map(_is_video, names))


def _reel(X: Any, rate: float | None) -> Reel:
    if isinstance(X, Reel):
        return (
            X
            if rate is None
            else replace(X, given=[each.rated(rate) if isinstance(each, Clip) else each for each in X.given])
        )
    if isinstance(X, str | os.PathLike):
        return _at(Path(X), rate)
    if isinstance(X, Clip):
        return Reel([X.rated(rate)], "one")
    if isinstance(X, Mapping):
        return _several([str(key) for key in X], list(X.values()), "dict", rate)
    if isinstance(X, bytes) or not (isinstance(X, Iterable) or hasattr(X, "__array__")):
        raise Unreadable(f"cannot read clips from a {type(X).__name__}; give a path, arrays (T, H, W[, 3]), or clips.")
    if hasattr(X, "__array__") and str(getattr(X, "dtype", "")) != "object":
        return Reel([_tried("0", X, rate)], "one")
    given = list(X)
    return _several([_name(item, i) for i, item in enumerate(given)], given, "list", rate)


def _several(names: list[str], items: list[Any], layout: Layout, rate: float | None) -> Reel:
    if len(set(names)) < len(names) and layout == "dict":
        twice = next(name for name in names if names.count(name) > 1)
        raise Unreadable(f"two clips are called {twice}; give each a name of its own.")
    return Reel([_tried(name, item, rate) for name, item in zip(names, items, strict=True)], layout)


def _name(item: Any, place: int) -> str:
    if isinstance(item, Clip):
        return item.name
    return spelt(Path(item).as_posix()) if isinstance(item, str | os.PathLike) else str(place)


def _at(path: Path, rate: float | None) -> Reel:
    """The clips at a path."""
    if path == Path():
        raise Unreadable("the path is empty; give a video file or a folder of frames.")
    if not os.path.lexists(path):
        raise Unreadable(f"there is no file or folder {path}; check the path.")
    if not path.is_dir():
        return Reel([_tried(spelt(path.name), path, rate)], "one")
    try:
        held = shelf(path)
    except OSError as error:
        raise Unreadable(f"folder {path} cannot be listed ({error.strerror}); check its owner and mode.") from None
    if not held.found:
        raise Unreadable(
            f"folder {path} holds no clip; give a folder of frames ({', '.join(FRAMES)}) or of videos "
            f"({', '.join(VIDEOS)})."
        )
    notes = list(_passed_over(held.others))
    if "." not in held.found:
        return Reel([_tried(name, found, rate) for name, found in held.found.items()], "dict", tuple(notes))
    if (inner := len(held.found) - 1) > 0:
        notes.append(f"{inner} clip{'s' * (inner > 1)} in folders within it passed over, for it holds frames itself.")
    return Reel([_tried(spelt(path.name), held.found["."], rate)], "one", tuple(notes))


def _passed_over(others: Mapping[str, int]) -> Iterator[str]:
    if others:
        count, suffixes = sum(others.values()), ", ".join(sorted(others)[:8])
        yield f"{count} file{'s' * (count > 1)} of other kinds ({suffixes}) passed over."


def _tried(name: str, item: Found | Any, rate: float | None) -> Clip | Unread:
    """A clip whose first frame can be had, or why there is none."""
    if isinstance(item, Unread):
        return item
    try:
        return _clip(name, item, rate)
    except Unreadable as refusal:
        return Unread(name, str(refusal))


def _clip(name: str, item: Any, rate: float | None) -> Clip:
    if isinstance(item, Clip):
        return replace(item.rated(rate), name=name)
    if isinstance(item, list) and item and isinstance(item[0], Path):
        return Clip(name, FolderSource(item, rate), item[0].parent, _first(item).shape[:2], rate, length=len(item))
    if isinstance(item, str | os.PathLike):
        return _filed(name, Path(item), rate)
    if not hasattr(item, "__array__"):
        raise Unreadable(f"it is a {type(item).__name__}; give paths, arrays (T, H, W[, 3]), or clips.")
    array = checked(item)
    return Clip(name, ArraySource(array, rate), None, array.shape[1:3], rate, length=len(array))


def _filed(name: str, path: Path, rate: float | None) -> Clip:
    if path.is_dir():
        (one,) = _only(path, rate)
        return replace(one, name=name)
    if not os.path.lexists(path):
        raise Unreadable("there is no such file or folder; check the path.")
    if path.suffix.lower() in FRAMES:
        raise Unreadable("it is one picture; give the folder that holds the frames.")
    if path.suffix.lower() == ".npy":
        array = mapped(path)
        return Clip(name, ArraySource(array, rate), path, array.shape[1:3], rate, length=len(array))
    head = header(path)
    return Clip(name, FileSource(path, rate), path, head.size, rate or head.rate, began=head.began)


def _only(path: Path, rate: float | None) -> list[Clip]:
    """The one clip of a folder that was listed among others."""
    held = _at(path, rate)
    if held.layout != "one":
        raise Unreadable(f"it is a folder of {len(held.given)} clips; give that folder alone, or its clips.")
    if not held.clips:
        raise Unreadable(str(held.unread[0].why))
    return held.clips


def _first(paths: list[Path]) -> np.ndarray:
    """The first frame that can be read."""
    why = ""
    for path in paths:
        try:
            return picture(path)
        except Unreadable as refusal:
            why = why or f"{spelt(path.name)}: {refusal}"
    raise Unreadable(f"not one of its {len(paths)} frames can be read; {why}")
