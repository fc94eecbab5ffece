"""One column of records: values of one kind, some of which may be missing.

A cell that is not of its column's kind is missing and listed, with one sentence; a column of which no cell is of its
kind is refused. Pictures are opened when they are asked for: of a file only the header is looked at before.
"""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from PIL.Image import Image

from anodiff.data.albums import Album, Single, Unread, decoded_item
from anodiff.data.picture_files import size_of
from anodiff.data.record_kinds import Kind, is_missing, number_of, row_of
from anodiff.types import Unreadable

LONGEST = 20_000
"""Characters of a text that are kept: as many of its head as of its tail."""


@dataclass(frozen=True, eq=False)
class Column:
    """Values of one kind, one of each record.

    Attributes:
        kind: "image", "text", "numbers", "category" or "series".
        values: of n records. Image: a list of where each comes from; text and category: a list of str, "" where
            missing; numbers: `(n, width)` float64, NaN where missing; series: a list of `(T, width)` float64 arrays,
            `(0, width)` where missing.
        present: `(n,)` bool, which records have it.
        width: numbers in a row, channels of a series, else 1.
        names: of the records.
    """

    kind: Kind
    values: Any = field(repr=False)
    present: np.ndarray = field(repr=False)
    width: int = 1
    names: Sequence[str] = field(default=(), repr=False)

    def __len__(self) -> int:
        return len(self.present)

    def take(self, indices: Any) -> Self:
        """Some of its rows, by place (or by a mask), in the order given."""
        at = np.arange(len(self))[np.asarray(indices)]
        values = self.values[at] if isinstance(self.values, np.ndarray) else [self.values[i] for i in at]
        return replace(self, values=values, present=self.present[at], names=[self.names[i] for i in at])

    def picture(self, i: int) -> np.ndarray:
        """The picture of record i, uint8 `(H, W)` or `(H, W, 3)`.

        Raises:
            Unreadable: it is missing, or cannot be read.
        """
        try:
            pixels = decoded_item(self._item(i), None).pixels
        except Unreadable as refusal:
            raise Unreadable(f"{self.names[i]}: {refusal}") from None
        levels = np.rint(pixels * 255)
        return np.asarray(levels[..., 0] if levels.shape[2] == 1 else levels, np.uint8)

    def album(self) -> Album:
        """Its pictures for whatever reads albums; those that are missing or unread are `Unread` in their places."""
        return Album(list(self.names), [self._item(i) for i in range(len(self))], strict=False)

    def without(self, indices: Any) -> Self:
        """The same column, of which these rows are missing."""
        gone = np.zeros(len(self), bool)
        gone[indices] = True
        return replace(self, values=_blanked(self.values, gone, self.kind, self.width), present=self.present & ~gone)

    def _item(self, i: int) -> Single:
        item: Single | None = self.values[i]
        return Unread(self.names[i], "it is missing.") if item is None else item


@dataclass(frozen=True, eq=False)
class Cells:
    """What is to become a column: its name, its cells, the names of its rows, the folder that its pictures lie in."""

    name: str
    cells: Sequence[Any]
    rows: Sequence[str]
    root: Path | None = None
    width: int | None = None


def read_column(kind: Kind, cells: Cells) -> tuple[Column, list[Unread], list[str]]:
    """A column, the cells that are not of its kind, and notes.

    Args:
        kind: of the column.
        cells: what it is made of; `width` as it was at fit, None for as it is.

    Raises:
        Unreadable: no cell is of this kind.
    """
    unread: list[Unread] = []
    notes: list[str] = []
    read = _reader(kind, cells, notes)
    values: list[Any] = [None] * len(cells.cells)
    for i, cell in enumerate(cells.cells):
        if is_missing(cell):
            continue
        try:
            values[i] = read(cell)
        except Unreadable as refusal:
            unread.append(Unread(f"{cells.rows[i]}, {cells.name}", str(refusal)))
    width, unlike = _unlike(kind, values, cells)
    unread += unlike
    present = np.array([value is not None for value in values], bool)
    if unread and not present.any() and cells.width is None:
        raise Unreadable(f"column {cells.name} holds nothing of kind {kind}; {unread[0]}")
    return Column(kind, _blanked(values, ~present, kind, width), present, width, cells.rows), unread, notes


def absent(kind: Kind, rows: Sequence[str], width: int) -> Column:
    """A column that nobody gave."""
    present = np.zeros(len(rows), bool)
    return Column(kind, _blanked([None] * len(rows), ~present, kind, width), present, width, rows)


def trimmed(text: str) -> str:
    """A text of at most `LONGEST` characters, that Unicode can write: head and tail of what is longer."""
    half = LONGEST // 2
    kept = text if len(text) <= LONGEST else f"{text[:half]} ... {text[-half:]}"
    return kept.encode(errors="replace").decode()


def _unlike(kind: Kind, values: list[Any], cells: Cells) -> tuple[int, list[Unread]]:
    """The width of a column, and the rows that have another: they are taken out of `values`."""
    if kind not in ("numbers", "series"):
        return 1, []
    counts = Counter(value.shape[-1] for value in values if value is not None)
    width = cells.width or max(counts, key=lambda each: (counts[each], -each), default=1)
    what = "numbers" if kind == "numbers" else "channels"
    unread = []
    for i, value in enumerate(values):
        if value is not None and value.shape[-1] != width:
            values[i] = None
            why = f"it has {value.shape[-1]} {what}, where others have {width}; give every row as many."
            unread.append(Unread(f"{cells.rows[i]}, {cells.name}", why))
    return width, unread


def _blanked(values: Any, gone: np.ndarray, kind: Kind, width: int) -> Any:
    """Values, of which what is gone is what stands for nothing in this kind."""
    if kind == "numbers":
        rows = [np.full(width, np.nan) if lost else value for value, lost in zip(values, gone, strict=True)]
        return np.array(rows, dtype=np.float64).reshape(len(gone), width)
    nothing = {"image": None, "series": np.empty((0, width))}.get(kind, "")
    return [nothing if lost else value for value, lost in zip(values, gone, strict=True)]


def _reader(kind: Kind, cells: Cells, notes: list[str]) -> Callable[[Any], Any]:
    """What makes a value of a cell, or refuses it."""
    if kind == "image":
        return _images(None if cells.root is None else cells.root.resolve())
    if kind in ("numbers", "series"):
        return _number if kind == "numbers" else _series
    return (_texts if kind == "text" else _categories)(cells, notes)


def _texts(cells: Cells, notes: list[str]) -> Callable[[Any], str]:
    def read(cell: Any) -> str:
        if isinstance(cell, bytes):
            text = cell.decode(errors="replace")
            _once(notes, f"Column {cells.name} holds bytes that are not UTF-8; they are replaced.", "\ufffd" in text)
        else:
            text = str(cell)
        long = f"Column {cells.name} holds texts of more than {LONGEST:,} characters; head and tail are read."
        _once(notes, long, len(text) > LONGEST)
        return trimmed(text)

    return read


def _categories(cells: Cells, notes: list[str]) -> Callable[[Any], str]:
    text = _texts(cells, notes)
    return lambda cell: text(cell).strip()


def _number(cell: Any) -> np.ndarray:
    number = None if isinstance(cell, list | tuple) or np.ndim(cell) else number_of(cell)
    row = row_of(cell) if number is None else np.array([number])
    if row is None or row.ndim != 1 or np.isinf(row).any():
        raise Unreadable(f"{_shown(cell)} is no number; give finite numbers, None if missing.")
    return row


def _series(cell: Any) -> np.ndarray:
    row = row_of(cell)
    if row is None or np.isinf(row).any():
        raise Unreadable(f"{_shown(cell)} is no series; give finite numbers, (T,) or (T, channels).")
    return row[:, None] if row.ndim == 1 else row


def _images(root: Path | None) -> Callable[[Any], Any]:
    def read(cell: Any) -> Any:
        if isinstance(cell, Image):
            return cell
        if not isinstance(cell, str | bytes | os.PathLike):
            return _pixels(cell)
        path = inside(Path(os.fsdecode(cell)), root)
        size_of(path)
        return path

    return read


def inside(path: Path, root: Path | None) -> Path:
    """Where a path leads that is relative to a folder and may not leave it, links included; None is no folder.

    Raises:
        Unreadable: it leads out of the folder.
    """
    if root is None:
        return path
    try:
        found = (root / path).resolve()
    except (OSError, ValueError, RuntimeError):
        raise Unreadable(f"{_shown(str(path))} is no path; check it.") from None
    if not found.is_relative_to(root):
        raise Unreadable(f"{_shown(str(path))} leads out of the folder {root}; move it in, or give root=.")
    return found


def _pixels(cell: Any) -> np.ndarray:
    if not (hasattr(cell, "__array__") or row_of(cell) is not None):
        raise Unreadable(f"{_shown(cell)} is no picture; give a path, or pixels (H, W) or (H, W, 3).")
    array = np.asarray(cell)
    sure = array.dtype.kind in "bu" and array.ndim in (2, 3)
    decoded_item(array[:1, :1] if sure else array, None)
    return array


def _once(notes: list[str], note: str, when: bool) -> None:
    if when and note not in notes:
        notes.append(note)


def _shown(cell: Any) -> str:
    if isinstance(cell, np.ndarray):
        return f"an array of shape {cell.shape}"
    text = " ".join(repr(cell[:60] if isinstance(cell, str | bytes) else cell).split())
    return text if len(text) <= 70 else text[:67] + "..."
