"""Series as items in the caller's own layout: one entity each, cut and rewritten without a cell being touched besides.

An item is what was given (an array, a frame) restricted to the rows of one track. Its instants stand in rows; of
several rows of one instant, the last one stands for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np

from anodiff.data.log import Log
from anodiff.data.readers import read


@dataclass(frozen=True, eq=False)
class Item:
    """One track, as it was given.

    Attributes:
        native: An array `(rows,)` or `(rows, C)`, or a frame; the track's rows only.
        at: The row of each instant, `(T,)`.
        names: The channels.
    """

    native: Any
    at: np.ndarray
    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.at)

    def cut(self, start: int, stop: int) -> "Item":
        """The instants from `start` to `stop` - 1, where rows stand in their order; else the whole."""
        rows = self.at[start:stop]
        if (start == 0 and stop >= len(self)) or not (np.diff(self.at) > 0).all():
            return self
        first, last = int(rows[0]), int(rows[-1]) + 1
        return Item(_rows(self.native, np.arange(first, last)), rows - first, self.names)

    def rewritten(self, values: Mapping[str, tuple[np.ndarray, Sequence[Any]]]) -> Any:
        """A copy of `native` with other values: by channel, the instants `(k,)` and what is there now."""
        if isinstance(self.native, np.ndarray):
            found = self.native.copy()
            for name, (instants, new) in values.items():
                at = self.at[instants]
                if found.ndim == 1:
                    found[at] = new
                else:
                    found[at, self._column(name)] = new
            return found
        frame: Any = nw.from_native(self.native, eager_only=True)
        made = [_scattered(frame[:, self._place(frame, name)], self.at[at], new) for name, (at, new) in values.items()]
        return frame.with_columns(*made).to_native() if made else frame.clone().to_native()

    def _place(self, frame: Any, name: str) -> int:
        """Where the channel stands in a frame; of a model without names, by position."""
        return list(frame.columns).index(name) if name in frame.columns else self._column(name)

    def _column(self, name: str) -> int:
        """Columns of arrays are called x0, x1, ... by position; where fit had names, they are in its order."""
        return int(name[1:]) if name[:1] == "x" and name[1:].isdigit() else list(self.names).index(name)

    def laid(self, region: np.ndarray) -> np.ndarray:
        """Bool of instants `(T, C)`, by rows `(rows, C)`."""
        found = np.zeros((_size(self.native), region.shape[1]), dtype=bool)
        found[self.at] = region
        return found

    def region(self, rows: np.ndarray) -> np.ndarray:
        """Bool of rows, by instants."""
        return np.asarray(rows[self.at])


def items_of(X: Any, log: Log) -> tuple[list[Item], list[tuple[int, np.ndarray, int]]]:
    """The tracks of a log as items; and of each, the piece of X that it is from, its rows there, and all its rows."""
    pieces = [_native(piece) for piece in _pieces(X, log)]
    items, start = list[Item](), 0
    origin = list[tuple[int, np.ndarray, int]]()
    begins = [(int(laid.min()) if len(laid) else 0, laid) for laid in log.instants]
    for track, place in zip(log.tracks, log.place, strict=True):
        number = next(i for i, (_, laid) in enumerate(begins) if len(laid) and start in laid)
        laid = log.instants[number]
        rows = np.flatnonzero((laid >= start) & (laid < start + len(track)))
        whole = len(rows) == len(laid)
        native = pieces[number] if whole else _rows(pieces[number], rows)
        items.append(Item(native, np.searchsorted(rows, place), log.names))
        origin.append((number, rows, len(laid)))
        start += len(track)
    return items, origin


def _pieces(X: Any, log: Log) -> list[Any]:
    if log.shape == "one":
        return [X]
    if isinstance(X, Mapping):
        return list(X.values())
    return list(X)


def _native(piece: Any) -> Any:
    if isinstance(piece, np.ndarray):
        return piece
    if hasattr(piece, "columns") or hasattr(piece, "column_names"):
        return piece
    if isinstance(piece, list | tuple) or hasattr(piece, "__array__"):
        return np.asarray(piece)
    return read(piece).arrow


def _rows(native: Any, rows: np.ndarray) -> Any:
    if isinstance(native, np.ndarray):
        return native[rows]
    return nw.from_native(native, eager_only=True)[rows.tolist()].to_native()


def _size(native: Any) -> int:
    return len(native) if isinstance(native, np.ndarray) else len(nw.from_native(native, eager_only=True))


def _scattered(column: Any, at: np.ndarray, values: Sequence[Any]) -> Any:
    order = np.argsort(at, kind="stable")
    fresh = [values[i] for i in order.tolist()]
    if column.dtype == nw.Float32:
        fresh = list(np.asarray(fresh, dtype=np.float32))
    return column.scatter(at[order].tolist(), fresh)
