"""One table type for all that the library reads: columns in arrow, and a memory of what the table was.

A `Table` goes back to its kind (numpy in, numpy out) without the library importing any dataframe package: narwhals and
pyarrow find the one that the caller has.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import narwhals as nw
import numpy as np
import pyarrow as pa

from anodiff.types import Misfit, Unreadable

KINDS = ("numpy", "pandas", "polars", "pyarrow", "modin", "cudf")


@dataclass(frozen=True, eq=False)
class Table:
    """Columns, and where they came from.

    Attributes:
        arrow: the columns, n rows.
        kind: what the source was, one of `KINDS`; files and lazy frames without an eager kind are "pyarrow".
        dtype: of a numpy source, else None.
        index: the pandas index of the rows, else None.
        start: number of rows of the source before this table; error messages count rows from 1.
    """

    arrow: pa.Table
    kind: str = "pyarrow"
    dtype: str | None = None
    index: Any = None
    start: int = 0

    def __post_init__(self) -> None:
        check_names(self.names)

    def __len__(self) -> int:
        return int(self.arrow.num_rows)

    @property
    def names(self) -> list[str]:
        """Column names, in order."""
        return list(self.arrow.column_names)

    @property
    def named(self) -> bool:
        """Whether the columns have names of their own; those of an array are x0, x1, ... by position."""
        return self.names != [f"x{i}" for i in range(len(self.names))]

    def slice(self, start: int, rows: int) -> Self:
        """At most `rows` rows from `start` on, without a copy."""
        index = None if self.index is None else self.index[start : start + rows]
        return replace(self, arrow=self.arrow.slice(start, rows), index=index, start=self.start + start)

    def take(self, rows: np.ndarray) -> Self:
        """These rows, in this order."""
        index = None if self.index is None else self.index.take(rows)
        return replace(self, arrow=self.arrow.take(pa.array(rows)), index=index)

    def native(self) -> Any:
        """The table as the kind of thing it was read from."""
        return native(self.arrow, self.kind, self.dtype, self.index)


def native(arrow: pa.Table, kind: str, dtype: str | None = None, index: Any = None) -> Any:
    """Arrow columns as a table of `kind`; `dtype` is for numpy, `index` for pandas.

    >>> native(pa.table({"a": [1, 2], "b": [3, 4]}), "numpy")
    array([[1, 3],
           [2, 4]])
    """
    if kind == "pyarrow":
        return arrow
    if kind == "numpy":
        columns = [column.to_numpy(zero_copy_only=False) for column in arrow.columns]
        array = np.column_stack(columns) if _alike(columns) else np.column_stack([c.astype(object) for c in columns])
        return array if dtype is None or not _fits(array, dtype) else array.astype(dtype, copy=False)
    if kind not in KINDS:
        raise Misfit(f"cannot make a table of kind {kind!r}; choose one of {', '.join(KINDS)}.")
    frame = arrow.to_pandas() if kind == "pandas" else nw.from_arrow(arrow, backend=kind).to_native()  # type: ignore[arg-type]
    if index is not None and kind == "pandas":
        frame.index = index
    return frame


def check_names(names: Sequence[str]) -> None:
    """Refuse two columns of one name.

    >>> check_names(["flow", "temp", "flow"])
    Traceback (most recent call last):
    ...
    anodiff.types.Unreadable: two columns are named flow; rename one of them.
    """
    twice = [name or "''" for name, count in Counter(names).items() if count > 1]
    if twice:
        raise Unreadable(f"two columns are named {', '.join(twice)}; rename one of them.")


def _alike(columns: list[np.ndarray]) -> bool:
    return len({column.dtype.kind in "biuf" or column.dtype.str for column in columns}) == 1


def _fits(array: np.ndarray, dtype: str) -> bool:
    """Integers, booleans and fixed-width text cannot hold the missing values that decoding may bring."""
    wanted = np.dtype(dtype).kind
    if wanted in "US":
        return all(isinstance(value, str) for value in array.flat)
    if wanted not in "biu" or array.dtype.kind in "biu":
        return True
    return array.dtype.kind == "f" and bool(np.isfinite(array).all())
