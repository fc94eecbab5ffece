r"""Columns as coordinates: one small class per kind of column.

Every kind gives a column about the same weight, a total variance of 1 over the rows it was fitted on, so that two
ordinary rows lie as far apart in a category as in a number, and puts what was never seen at the distance `FAR`.

A share p (of a category, of missing cells) becomes :math:`(1[v] - p) / \sqrt{\max(p (1 - p), f)}` with the floor f:
rare is far out, but a single odd row in fit does not make a coordinate explode.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anodiff.data.table import Table
from anodiff.types import JSON, Misfit, Unreadable

FAR = 6.0
"""Coordinate of what fit never saw: a missing cell, a category; about six standard deviations."""
FLOOR = 0.05
"""Least variance by which a share is standardised: a departure of at most 4.5 standard deviations per coordinate."""


class Block(ABC):
    """Columns of one kind, encoded side by side. Think twice before adding anything here, every kind carries it.

    Attributes:
        names: the columns, in order.
        owner: `(width,)`, for each coordinate the position in `names` of the column it belongs to.
    """

    kind: ClassVar[str]
    names: list[str]
    owner: np.ndarray

    @classmethod
    @abstractmethod
    def fit(cls, names: list[str], table: Table) -> Self:
        """Learn from these columns of a table of n rows."""

    @abstractmethod
    def encode(self, table: Table) -> np.ndarray:
        """Coordinates `(n, width)`; those of a missing cell are NaN."""

    def encode_left_out(self, table: Table) -> np.ndarray:
        """The rows of `fit`, each as if fit had not seen it; as they stand where that makes no difference."""
        return self.encode(table)

    @abstractmethod
    def decode(self, x: np.ndarray, types: Sequence[pa.DataType]) -> list[pa.Array]:
        """Coordinates `(n, width)` to one array of n rows per column, of these types."""

    @abstractmethod
    def config(self) -> JSON:
        """What was learnt, as JSON."""

    @classmethod
    @abstractmethod
    def restore(cls, config: JSON) -> Self:
        """The fitted block."""

    @abstractmethod
    def describe(self) -> list[JSON]:
        """Facts for a report, one dict per column."""


class Boolean(Block):
    """True or false as one standardised share; numbers 0 and 1 and the words count as such."""

    kind = "boolean"

    def __init__(self, names: list[str], share: float) -> None:
        self.names, self.share, self.owner = names, share, np.zeros(1, int)

    @classmethod
    def fit(cls, names: list[str], table: Table) -> Self:
        return cls(names, float(pc.mean(_truths(table, names[0])).as_py()))

    def encode(self, table: Table) -> np.ndarray:
        values = _truths(table, self.names[0])
        return blanked(share_of(numpy(values.fill_null(False)), self.share)[:, None], values)

    def decode(self, x: np.ndarray, types: Sequence[pa.DataType]) -> list[pa.Array]:
        return [retyped(pa.array(x[:, 0] > share_of(np.array(0.5), self.share)), types[0])]

    def config(self) -> JSON:
        return {"names": self.names, "share": self.share}

    @classmethod
    def restore(cls, config: JSON) -> Self:
        if not 0 <= config["share"] <= 1:
            raise ValueError(f"a share of {config['share']}")
        return cls(list(config["names"]), float(config["share"]))

    def describe(self) -> list[JSON]:
        return [{"name": self.names[0], "kind": self.kind, "share_true": self.share}]


class Empty(Block):
    """A column without a single value in fit: nothing to expect, and a value that arrives is far from it."""

    kind = "empty"

    def __init__(self, names: list[str]) -> None:
        self.names, self.owner = names, np.zeros(1, int)

    @classmethod
    def fit(cls, names: list[str], table: Table) -> Self:
        if not nulls(table.arrow[names[0]]).all():
            raise Misfit(f"column {names[0]} has values, so it is not empty; drop it if it should not count.")
        return cls(names)

    def encode(self, table: Table) -> np.ndarray:
        return np.where(nulls(table.arrow[self.names[0]]), np.nan, FAR)[:, None]

    def decode(self, x: np.ndarray, types: Sequence[pa.DataType]) -> list[pa.Array]:
        return [pa.nulls(len(x), types[0])]

    def config(self) -> JSON:
        return {"names": self.names}

    @classmethod
    def restore(cls, config: JSON) -> Self:
        return cls(list(config["names"]))

    def describe(self) -> list[JSON]:
        return [{"name": self.names[0], "kind": self.kind}]


def share_of(hit: np.ndarray, share: np.ndarray | float) -> np.ndarray:
    """A hit (1) or not (0), standardised by the share of hits with its variance floored."""
    share = np.asarray(share, float)
    return np.asarray((hit - share) / np.sqrt(np.maximum(share * (1 - share), FLOOR)))


def numpy(column: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """Arrow to numpy, one array."""
    return np.asarray(
        column.to_numpy() if isinstance(column, pa.ChunkedArray) else column.to_numpy(zero_copy_only=False)
    )


def nulls(column: pa.ChunkedArray) -> np.ndarray:
    """Missing cells `(n,)`: null or not a number."""
    floating = pa.types.is_floating(column.type)
    return numpy(pc.is_null(column, nan_is_null=True) if floating else pc.is_null(column))


def blanked(x: np.ndarray, values: pa.ChunkedArray) -> np.ndarray:
    """Coordinates `(n, width)` with NaN where the value is missing."""
    return np.where(nulls(values)[:, None], np.nan, x)


def words(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """The values as text, the form in which categories are compared and kept."""
    try:
        return pc.cast(_without_nan(column), pa.string())
    except pa.ArrowException:
        raise Unreadable(
            f"column {name} holds {column.type}, which is not one value per cell; drop it or split it."
        ) from None


def retyped(values: pa.Array, type: pa.DataType) -> pa.Array:
    """Values as `type`, where text is the way between types that do not convert."""
    try:
        return values.cast(type)
    except pa.ArrowException:
        return values.cast(pa.string()).cast(type)


def is_text(type: pa.DataType) -> bool:
    """Whether cells hold words, plainly or as codes of a dictionary."""
    type = type.value_type if pa.types.is_dictionary(type) else type
    return bool(pa.types.is_string(type) or pa.types.is_large_string(type) or str(type) == "string_view")


def parsed(column: pa.ChunkedArray, type: pa.DataType, name: str, start: int, expected: str) -> pa.ChunkedArray:
    """The column as `type`, or a refusal that names the first cell that is not one."""
    try:
        return pc.cast(words(column, name) if is_text(column.type) else column, type)
    except pa.ArrowException:
        pass
    for row, value in enumerate(column):
        try:
            pc.cast(value, type)
        except pa.ArrowException:
            held = f"the text {value.as_py()!r}" if is_text(column.type) else _shown(value)
            raise Unreadable(f"column {name} holds {held} in row {start + row + 1}, where {expected} were.") from None
    raise Unreadable(f"column {name} holds {column.type}, where {expected} were; convert it.")


def _shown(value: pa.Scalar) -> str:
    try:
        return repr(value.as_py())
    except (OverflowError, ValueError):
        return f"a {value.type} that no calendar has"


def _truths(table: Table, name: str) -> pa.ChunkedArray:
    column = _without_nan(table.arrow[name])
    truths = parsed(column, pa.bool_(), name, table.start, "true and false")
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        return truths
    odd = numpy(pc.and_(truths, pc.not_equal(column, pa.scalar(1).cast(column.type))).fill_null(False))
    if odd.any():
        row = int(odd.argmax())
        held = repr(column[row].as_py())
        raise Unreadable(f"column {name} holds {held} in row {table.start + row + 1}, where true and false were.")
    return truths


def _without_nan(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.if_else(pc.is_nan(column), None, column) if pa.types.is_floating(column.type) else column
