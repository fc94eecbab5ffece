"""Does it look like several kinds of data at once? By the name of the file, or by what its columns hold."""

import os
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import numpy as np

LOOKED_AT = 50
LINES = {".jsonl", ".ndjson", ".json-lines", ".jsonlines"}


def looks_mixed(source: Any) -> bool:
    """Whether it is records: json lines, a list of dicts, or a dict of which a column holds pictures or texts.

    Tables are 2-d arrays, frames and files of rows, whatever their columns hold; to judge one of these as records, say
    so: `Detector("multimodal")`. A list of texts is one of one kind.

    >>> looks_mixed("records.jsonl"), looks_mixed("rows.csv"), looks_mixed({"flow": [1.0, 2.0], "temp": [3.0, 4.0]})
    (True, False, False)
    >>> looks_mixed([{"photo": "1.jpg", "step": "close the lid"}]), looks_mixed(["the lid is on", "the lid is off"])
    (True, True)
    """
    if isinstance(source, str | os.PathLike):
        return PurePath(os.fspath(source)).suffix.lower() in LINES and not os.path.isdir(source)
    if isinstance(source, Mapping):
        return any(_pictures_or_texts(column) for column in source.values())
    if isinstance(source, list | tuple):
        few = source[:LOOKED_AT]
        return bool(few) and (all(isinstance(each, Mapping) for each in few) or _texts(few))
    return type(source).__name__ == "Records"


def _pictures_or_texts(column: Any) -> bool:
    if isinstance(column, list | tuple):
        few = [each for each in column[:LOOKED_AT] if each is not None]
        return bool(few) and (_words(few) or all(getattr(each, "ndim", 0) >= 3 for each in few))
    return isinstance(column, np.ndarray) and (column.ndim >= 4 or (column.ndim == 3 and column.dtype == np.uint8))


def _words(few: Any) -> bool:
    return all(isinstance(each, str | os.PathLike) for each in few)


def _texts(few: Any) -> bool:
    """Texts that are no names of files: they have no suffix, and most of them several words."""
    if not all(isinstance(each, str) for each in few):
        return False
    named = sum(len(PurePath(each).suffix) in (4, 5) and " " not in PurePath(each).suffix for each in few)
    return not named and 2 * sum(" " in each.strip() for each in few) > len(few)
