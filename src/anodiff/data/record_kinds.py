"""What kind a column of records is, by what stands in its cells.

In this order: pictures (arrays of pixels, paths with the suffix of one); numbers (also written out, also up to `FEW` in
every row); rows of numbers that are longer, or of different lengths, are a short series each; words are a category
where they are short and come again, and text otherwise. What is named like the answer, counts or names the rows, holds
times or objects is ignored, and the note says so.
"""

import datetime
import decimal
import math
import os
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from PIL.Image import Image

from anodiff.data.picture_files import SUFFIXES
from anodiff.data.picture_modes import CHANNELS

Kind: TypeAlias = Literal["image", "text", "numbers", "category", "series"]
KINDS: tuple[Kind, ...] = get_args(Kind)
CHOICES = (*KINDS, "ignore")
FEW = 16
"""Numbers in a row that are still several numbers; more are a series."""
WORDY = 4
"""Words from which on half of the cells make a column text."""
MOST = 0.9
"""Share of words that are paths of pictures, in a column of pictures."""
TOLD = 10
"""Rows from which on a column can be seen to count or to name them."""
ANSWERS = frozenset(
    {"label", "labels", "is_anomaly", "anomaly", "is_anomalous", "anomaly_type", "target", "y", "ground_truth", "split"}
)


def kind_of(name: str, cells: Sequence[Any]) -> tuple[str, str]:
    """A kind, one of `CHOICES`, and a sentence on how it was found where that may surprise, else "".

    >>> kind_of("photo", ["a.png", "b.png", None])
    ('image', '')
    >>> kind_of("step", ["pour", "pour", "stir", "stir"])
    ('category', '')
    """
    there = [cell for cell in cells if not is_missing(cell)]
    if not there:
        return "ignore", f"Column {name} holds nothing and is not read."
    kind, note = _kind_of(name, there)
    if name.lower() in ANSWERS and kind != "ignore":
        return _left_out(name, "is named like the answer", kind)
    return kind, note


def _kind_of(name: str, there: list[Any]) -> tuple[str, str]:
    forms = [form_of(cell) for cell in there]
    counts = Counter(forms)
    if set(counts) <= {"picture", "path", "word"} and set(counts) != {"word"}:
        return "image", ""
    both = set(counts) == {"word", "number"}
    form = "word" if both else counts.most_common(1)[0][0]
    if form in UNREAD:
        return _left_out(name, UNREAD[form], "text")
    kept = [cell for cell, its in zip(there, forms, strict=True) if both or its == form]
    kind, note = BY_FORM[form](name, kept) if form in BY_FORM else ("image", "")
    if len(counts) > 1 and kind != "ignore":
        note = f"Column {name} mixes {' and '.join(f'{each}s' for each in sorted(counts))}; it is taken for {kind}."
    return kind, note


def form_of(cell: Any) -> str:
    """What a cell is: "picture", "path", "word", "number", "row", "time" or "object"."""
    if isinstance(cell, str | bytes):
        return "object" if isinstance(cell, bytes) and b"\0" in cell else "word"
    if isinstance(cell, bool | int | float | np.number | np.bool_ | decimal.Decimal):
        return "number"
    if isinstance(cell, os.PathLike):
        return "path"
    if isinstance(cell, Image) or _shows(cell):
        return "picture"
    if isinstance(cell, datetime.date | datetime.time | np.datetime64 | datetime.timedelta):
        return "time"
    return "row" if row_of(cell) is not None else "object"


def row_of(cell: Any) -> np.ndarray | None:
    """A cell of numbers as `(T,)` or `(T, c)` float64, None where it is no such thing; None in it becomes NaN."""
    if not isinstance(cell, list | tuple | np.ndarray) and not hasattr(cell, "__array__"):
        return None
    try:
        row = np.asarray(cell, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return None
    return row if row.ndim in (1, 2) else None


def is_missing(cell: Any) -> bool:
    """Whether there is nothing: None, NaN, a blank text, an empty list."""
    if cell is None or type(cell).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(cell, str | bytes):
        return not cell.strip()
    if isinstance(cell, float | np.floating):
        return math.isnan(cell)
    if isinstance(cell, np.datetime64):
        return bool(np.isnat(cell))
    if isinstance(cell, np.ndarray):
        return cell.size == 0
    return isinstance(cell, list | tuple) and not cell


def number_of(cell: Any) -> float | None:
    """A cell as a finite number, None where it is none."""
    if isinstance(cell, bytes):
        cell = cell.decode(errors="replace")
    if isinstance(cell, str) and "_" in cell:
        return None
    try:
        value = float(cell)
    except (TypeError, ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def is_picture_name(word: Any) -> bool:
    """Whether a text, or a path, ends like the file of a picture."""
    return isinstance(word, str | os.PathLike) and os.fspath(word)[-8:].rstrip().lower().endswith(SUFFIXES)


def _shows(cell: Any) -> bool:
    """Whether an array holds pixels."""
    shape: tuple[int, ...] = getattr(cell, "shape", ())
    if len(shape) == 3:
        return shape[2] in CHANNELS
    return len(shape) == 2 and cell.dtype in (np.uint8, np.uint16, np.bool_)


def _left_out(name: str, why: str, kind: str = "numbers") -> tuple[str, str]:
    return "ignore", f"Column {name} {why} and is not read; kinds={{{name!r}: {kind!r}}} reads it."


def _words(name: str, words: list[Any]) -> tuple[str, str]:
    if np.mean([is_picture_name(word) for word in words]) >= MOST:
        return "image", ""
    texts = [word.decode(errors="replace") if isinstance(word, bytes) else str(word) for word in words]
    if all(number_of(text) is not None for text in texts):
        kind, note = _numbers(name, [number_of(text) for text in texts])
        return kind, note or f"Column {name} is text in which every cell is a number; it is taken for numbers."
    lengths = [len(text[:1000].split()) for text in texts]
    distinct = len(set(texts))
    if distinct == len(texts) >= TOLD and max(lengths) == 1:
        return _left_out(name, "names every row by another word", "text")
    repeats = distinct <= len(texts) / 2
    return ("category" if repeats and np.median(lengths) < WORDY else "text"), ""


def _numbers(name: str, numbers: list[Any]) -> tuple[str, str]:
    values = np.array([number_of(cell) for cell in numbers], dtype=np.float64)
    if len(values) >= TOLD and values[0] in (0, 1) and (np.diff(values) == 1).all():
        return _left_out(name, "counts the rows")
    return "numbers", ""


def _rows(name: str, rows: list[Any]) -> tuple[str, str]:
    shapes = {row.shape for row in map(row_of, rows) if row is not None}
    shape = next(iter(shapes))
    if len(shapes) > 1 or len(shape) == 2:
        return "series", ""
    if shape[0] <= FEW and not isinstance(rows[0], np.ndarray):
        return "numbers", ""
    other = f"kinds={{{name!r}: 'numbers'}} if they have no order"
    return "series", f"Column {name} holds {shape[0]} numbers in a row and is taken for a series; {other}."


BY_FORM: dict[str, Callable[[str, list[Any]], tuple[str, str]]] = {"word": _words, "number": _numbers, "row": _rows}
UNREAD = {"time": "holds times", "object": "holds objects"}
