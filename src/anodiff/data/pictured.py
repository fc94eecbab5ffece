"""Does it look like pictures? By the suffixes of files, or by the dimensions of arrays."""

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import PurePath
from typing import Any

from anodiff.data.albums import Album

PICTURES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp"}
LOOKED_AT = 50
"""Files of a folder, and items of a list."""
VISITED = 1000
"""Entries of a folder, whatever they are."""


def looks_pictured(source: Any) -> bool:
    """Whether it is pictures: an album, a file or folder of them, a list of such files or pairs, arrays of their shape.

    Of a folder a few files are looked at, in sub-folders too, those at the top first; most of them are pictures. An
    array has the axes n, height, width and perhaps channels; of a list each has height, width and perhaps channels,
    and those without channels hold bytes, as series may have two axes too.

    >>> looks_pictured("parts/001.PNG"), looks_pictured("log.csv")
    (True, False)
    """
    if isinstance(source, str | os.PathLike):
        found = files_within(os.fspath(source)) if os.path.isdir(source) else iter([os.fspath(source)])
        names = list(islice(found, LOOKED_AT))
        return 2 * sum(map(is_picture, names)) > len(names)
    if isinstance(source, Album):
        return True
    if isinstance(source, list | tuple):
        return bool(source) and all(_one(item) for item in source[:LOOKED_AT])
    return getattr(source, "ndim", 0) >= 3


def is_picture(name: Any) -> bool:
    """Whether a file is a picture by its name."""
    return PurePath(os.fsdecode(name)).suffix.lower() in PICTURES


def files_within(folder: str) -> Iterator[str]:
    """Files that are not hidden, those nearest to the top first; links to folders are not followed."""
    folders, left = [folder], VISITED
    while folders and left > 0:
        try:
            with os.scandir(folders.pop(0)) as entries:
                seen = list(islice(entries, left))
        except OSError:
            continue
        left -= len(seen)
        shown = sorted((entry for entry in seen if not entry.name.startswith(".")), key=lambda entry: entry.name)
        folders += [entry.path for entry in shown if entry.is_dir(follow_symlinks=False)]
        yield from (entry.path for entry in shown if os.path.isfile(entry.path))


def _one(item: Any) -> bool:
    if isinstance(item, str | os.PathLike):
        return is_picture(item)
    if isinstance(item, tuple):
        return len(item) == 2 and all(map(_one, item))
    return getattr(item, "ndim", 0) >= (2 if str(getattr(item, "dtype", "")).endswith("uint8") else 3)
