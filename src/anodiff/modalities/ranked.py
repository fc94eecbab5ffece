r"""Tables as normal scores: one coordinate for each column, whatever its kind,

.. math:: u = \Phi^{-1}\big(F(v^-) + w \, (F(v) - F(v^-))\big), \qquad v = F^{-1}(\Phi(u)) .

F is the distribution of the column in fit, so every coordinate is standard normal by itself and what a model has to
learn is how columns depend. Values that repeat take up an interval, of which w, from 0 to 1, is a place; whatever
lies in it comes back as that value: no sample falls off the grid of a column. Categories are put in the order in which
the other columns differ most between them (the first axis of a correspondence analysis: Greenacre, "Theory and
Applications of Correspondence Analysis", 1984). Beyond the ends of a column of numbers the map runs straight on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.special import ndtr, ndtri

from anodiff.data.table import Table
from anodiff.modalities.categories import positions
from anodiff.modalities.columns import nulls, numpy, parsed, words
from anodiff.modalities.numbers import numbers, typed
from anodiff.modalities.tabular import Tabular
from anodiff.types import JSON

GRID = 0.5
"""A column of numbers is taken for a grid where at least so many of its cells hold a value that others hold too."""
MARGIN = 0.05
"""How far beyond the end of a column, in standard deviations, what lies outside begins."""
COMMON = 0.05
"""The share of cells that a value needs at least to be common."""
DIGITS = 12


@dataclass(frozen=True, eq=False)
class Column:
    """One column of fit.

    Attributes:
        name: Its own.
        kind: As `Tabular` takes it.
        values: What was observed, once each, in order `(m,)`; arrow, of the type of fit.
        keys: Numbers in the same order; places where they are none.
        counts: How often each was observed `(m,)`.
        grid: Whether only observed values may come back.
        step: Numbers are multiples of it, counted from the first; 0 where they are not.
    """

    name: str
    kind: str
    values: pa.Array
    keys: np.ndarray
    counts: np.ndarray
    grid: bool
    step: float
    shares: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shares", np.cumsum(self.counts) / max(self.counts.sum(), 1))

    @property
    def usable(self) -> bool:
        """Whether it varies."""
        return len(self.keys) > 1

    @property
    def numeric(self) -> bool:
        """Whether a number may lie outside of what was observed."""
        return self.kind == "numeric" and len(self.keys) > 2

    @property
    def ends(self) -> tuple[float, float]:
        """Coordinates of the least and the largest value."""
        edge = 0.5 / max(self.counts.sum(), 1)
        return float(ndtri(edge)), float(ndtri(1 - edge))

    def encode(self, column: pa.ChunkedArray, start: int, place: np.ndarray | float) -> np.ndarray:
        """Coordinates `(n,)` of cells, at a `place` within the interval of their value; NaN where there is none."""
        keys = self._keys(column, start)
        low, high = self.ends
        here = np.where(np.isnan(keys), self.keys[0], keys)
        before = np.append(0.0, self.shares)
        under = before[np.searchsorted(self.keys, here, side="left")]
        upto = before[np.searchsorted(self.keys, here, side="right")]
        u = np.clip(ndtri(under + place * (upto - under)), low, high)
        if self.kind == "numeric":
            below, above = self._slopes
            u = np.where(here < self.keys[0], low - MARGIN - (self.keys[0] - here) / below, u)
            u = np.where(here > self.keys[-1], high + MARGIN + (here - self.keys[-1]) / above, u)
        return np.asarray(np.where(np.isnan(keys), np.nan, u))

    def decode(self, u: np.ndarray, type: pa.DataType, beyond: bool = False) -> pa.Array:
        """Cells of coordinates `(n,)`, of this type; of a grid only `beyond` lets what is outside be new."""
        place = np.minimum(np.searchsorted(self.shares, ndtr(u)), len(self.keys) - 1)
        low, high = self.ends
        outside = (u < low) | (u > high)
        if self.kind not in ("numeric", "datetime") or (self.grid and not (beyond and outside.any())):
            return self.values.take(pa.array(place)).cast(type, safe=False)
        middle = self.shares - self.counts / self.counts.sum() / 2
        keys = self.keys[place] if self.grid else np.interp(ndtr(u), middle, self.keys)
        below, above = self._slopes
        keys = np.where(u < low, self.keys[0] + np.minimum(u - low + MARGIN, 0) * below, keys)
        keys = np.where(u > high, self.keys[-1] + np.maximum(u - high - MARGIN, 0) * above, keys)
        return typed(self._stepped(keys, outside & beyond), type)

    def common(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Coordinates `(n,)` of values that are common by themselves."""
        share = self.counts / self.counts.sum()
        if not self.grid or share.max() < COMMON:
            return np.asarray(ndtri(rng.uniform(0.1, 0.9, n)))
        weight = np.where(share >= min(COMMON, share.max()), share, 0)
        place = rng.choice(len(share), n, p=weight / weight.sum())
        under = self.shares[place] - share[place]
        return np.asarray(ndtri(under + share[place] / 2))

    @property
    def _slopes(self) -> tuple[float, float]:
        """By how much a number changes per standard deviation below and above the ends."""
        middle = self.keys[int(np.searchsorted(self.shares, 0.5).clip(max=len(self.keys) - 1))]
        low, high = self.ends
        whole = (self.keys[-1] - self.keys[0]) / (high - low) or 1.0
        return (middle - self.keys[0]) / -low or whole, (self.keys[-1] - middle) / high or whole

    def _stepped(self, keys: np.ndarray, outside: np.ndarray) -> np.ndarray:
        """Numbers as fine as those of fit; those that are to lie outside do, by a step at least."""
        if not self.step:
            return keys
        low, high = self.keys[0], self.keys[-1]
        counted = np.rint((keys - low) / self.step)
        counted = np.where(outside & (keys <= low), np.minimum(counted, -1), counted)
        most = np.rint((high - low) / self.step)
        counted = np.where(outside & (keys >= high), np.maximum(counted, most + 1), counted)
        return np.asarray(np.round(low + counted * self.step, DIGITS))

    def _keys(self, column: pa.ChunkedArray, start: int) -> np.ndarray:
        if self.kind in ("numeric", "datetime", "boolean"):
            return as_numbers(column, self.kind, self.name, start)
        place = positions(words(column, self.name), words(self.values, self.name).to_pylist())
        return np.where(place < 0, np.nan, place)


class Ranked:
    """The columns of a table as normal scores.

    Args:
        columns: In the order of the table.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = list(columns)

    @classmethod
    def fit(cls, table: Table, modality: Tabular, orders: Mapping[str, Sequence[str]] | None = None) -> Self:
        """Learn the columns of a table that `modality` was fitted on; `orders` are those of its categories."""
        kinds = {name: block for block in modality.blocks_ for name in block.names}
        encoded = modality.encode(table).x.double().numpy() if orders is None else np.zeros((0, 0))
        made = []
        for i, name in enumerate(table.names):
            block, column = kinds[name], table.arrow[name]
            if block.kind in ("categorical", "ordinal"):
                levels = list(getattr(block, "levels", []))
                if block.kind == "categorical":
                    levels = (
                        list(orders[name]) if orders else ordered(column, name, levels, encoded, modality.owners != i)
                    )
                made.append(of_levels(column, name, block.kind, levels))
            else:
                made.append(of_numbers(column, name, block.kind))
        return cls(made)

    @property
    def usable(self) -> np.ndarray:
        """Which columns vary `(columns,)`."""
        return np.array([column.usable for column in self.columns], dtype=bool)

    @property
    def numeric(self) -> np.ndarray:
        """Which may hold a number that was not observed, `(columns,)`."""
        return np.array([column.numeric for column in self.columns], dtype=bool)

    @property
    def ends(self) -> np.ndarray:
        """Coordinates of the least and the largest value of each, `(2, columns)`."""
        return np.array([column.ends for column in self.columns]).T

    def encode(self, table: Table, rng: np.random.Generator | None = None) -> np.ndarray:
        """Coordinates `(n, columns)`, NaN where missing or constant in fit; `rng` draws places in intervals."""
        u = np.full((len(table), len(self.columns)), np.nan)
        for i, column in enumerate(self.columns):
            place = 0.5 if rng is None else rng.uniform(size=len(table))
            if column.usable:
                u[:, i] = column.encode(table.arrow[column.name], table.start, place)
        return u

    def common(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Coordinates `(n, columns)` of values that are common, each by itself."""
        return np.stack([c.common(n, rng) if c.usable else np.zeros(n) for c in self.columns], 1)

    def replaced(self, table: Table, u: np.ndarray, region: np.ndarray, beyond: int | None = None) -> Table:
        """The table with the cells of a region `(n, columns)` taken from coordinates; all others are the same cells.

        Columns of at least `beyond` different numbers may go beyond them.
        """
        arrow = table.arrow
        for i, column in enumerate(self.columns):
            rows = np.flatnonzero(region[:, i])
            if not len(rows):
                continue
            old = arrow.column(i).combine_chunks()
            fresh = column.decode(u[rows, i], old.type, beyond is not None and len(column.keys) >= beyond)
            at = np.arange(len(old))
            at[rows] = len(old) + np.arange(len(rows))
            both = (
                pa.chunked_array([old, fresh]).unify_dictionaries()
                if pa.types.is_dictionary(old.type)
                else (pa.chunked_array([old, fresh]))
            )
            arrow = arrow.set_column(i, arrow.schema.field(i), both.take(pa.array(at)).combine_chunks())
        return replace(table, arrow=arrow)

    def blanked(self, table: Table, gaps: np.ndarray) -> Table:
        """The table with some cells `(n, columns)` missing."""
        arrow = table.arrow
        for i in np.flatnonzero(gaps.any(0)):
            at = pa.array(np.arange(len(gaps)), mask=gaps[:, i])
            arrow = arrow.set_column(int(i), arrow.schema.field(int(i)), arrow.column(int(i)).take(at))
        return replace(table, arrow=arrow)

    def orders(self) -> JSON:
        """Of each column of categories their order."""
        return {c.name: words(c.values, c.name).to_pylist() for c in self.columns if c.kind == "categorical"}


def of_numbers(column: pa.ChunkedArray, name: str, kind: str) -> Column:
    """A column of numbers, times, or true and false."""
    keys = as_numbers(column, kind, name, 0) if kind != "empty" else np.zeros(0)
    there = np.flatnonzero(~np.isnan(keys))
    found, first, counts = np.unique(keys[there], return_index=True, return_counts=True)
    values = column.take(pa.array(there[first])).combine_chunks() if len(found) else pa.nulls(0, column.type)
    grid = kind == "boolean" or counts[counts > 1].sum() >= GRID * max(counts.sum(), 1)
    return Column(name, kind, values, found, counts, bool(grid), step_of(found, column.type))


def of_levels(column: pa.ChunkedArray, name: str, kind: str, levels: Sequence[str]) -> Column:
    """A column of categories in this order; those that nobody has are left out."""
    place = positions(words(column, name), levels)
    found, first, counts = np.unique(place[place >= 0], return_index=True, return_counts=True)
    values = column.take(pa.array(np.flatnonzero(place >= 0)[first])).combine_chunks()
    return Column(name, kind, values, np.arange(len(found), dtype=float), counts, True, 0.0)


def ordered(column: pa.ChunkedArray, name: str, levels: Sequence[str], x: np.ndarray, others: np.ndarray) -> list[str]:
    """Levels in the order in which the other coordinates of `x` `(n, D)` differ most between them."""
    place = positions(words(column, name), levels)
    share = np.array([(place == k).mean() for k in range(len(levels))])
    means = np.stack(
        [x[place == k][:, others].mean(0) if share[k] else np.zeros(others.sum()) for k in range(len(levels))]
    )
    axis = np.linalg.svd(np.sqrt(share)[:, None] * (means - share @ means), full_matrices=False)[0][:, 0]
    where = axis / np.sqrt(np.maximum(share, 1e-12))
    return [levels[k] for k in np.argsort(where if where[0] >= 0 else -where, kind="stable")]


def as_numbers(column: pa.ChunkedArray, kind: str, name: str, start: int) -> np.ndarray:
    """Cells as float64 `(n,)`, NaN where they are missing."""
    if kind == "numeric":
        return numbers(column, name, start)
    if kind == "boolean":
        cells = parsed(column, pa.bool_(), name, start, "true and false").cast(pa.float64())
    elif pa.types.is_timestamp(column.type):
        cells = column.cast(pa.int64()).cast(pa.float64(), safe=False)
    elif pa.types.is_date(column.type):
        cells = column.cast(pa.int32() if column.type.bit_width == 32 else pa.int64()).cast(pa.float64())
    else:
        cells = parsed(column, pa.timestamp("us"), name, start, "timestamps").cast(pa.int64()).cast(pa.float64())
    return np.where(nulls(column), np.nan, numpy(pc.fill_null(cells, 0.0)))


def step_of(keys: np.ndarray, type: pa.DataType) -> float:
    """What ascending numbers `(m,)` are multiples of, counted from the first; 0 where it is too fine to say.

    >>> step_of(np.array([1.5, 2.0, 2.25]), pa.float64())
    0.01
    """
    if len(keys) < 2:
        return 0.0
    if (pa.types.is_integer(type) or pa.types.is_temporal(type)) and np.abs(keys).max() < 2**53:
        return float(np.gcd.reduce(np.diff(keys).astype(np.int64)))
    for digits in range(DIGITS):
        if np.array_equal(np.round(keys, digits), keys):
            return float(10.0**-digits)
    return 0.0
