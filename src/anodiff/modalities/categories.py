r"""Categories: nominal ones as shares, ordered ones as ranks.

Each of the (at most 32) frequent categories has a coordinate :math:`w (1[v=k] - p_k) / \sqrt{\max(p_k (1 - p_k), f)}`
with w such that the column has a total variance of 1: in a balanced column two categories are 1.4 to 2 apart, as two
ordinary numbers are, and a rare one is farther out. Beyond 32, the others share one coordinate for being rare, and
carry a light binary code, so that they can be told apart, and their log frequency.
"""

from collections.abc import Sequence
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anodiff.data.table import Table
from anodiff.modalities.columns import FAR, FLOOR, Block, blanked, nulls, numpy, retyped, share_of, words
from anodiff.modalities.numbers import Scale
from anodiff.types import JSON, Misfit

FREQUENT = 32
CODE = 0.5
"""Size of the binary code of a rare category, and weight of the log frequency."""


class Categorical(Block):
    """Categories without an order; `levels` from the most to the least frequent, with their `counts`."""

    kind = "categorical"

    def __init__(self, names: list[str], levels: Sequence[str], counts: Sequence[int]) -> None:
        self.names, self.levels = names, list(levels)
        self.counts = np.asarray(counts, float)
        self.total = self.counts.sum()
        self.frequent = len(levels) if len(levels) <= FREQUENT else FREQUENT
        rare = len(levels) - self.frequent
        self.bits = max(8, (rare - 1).bit_length()) if rare else 0
        shares = self.counts[: self.frequent] / self.total
        self.shares = np.append(shares, 1 - shares.sum()) if rare else shares
        variance = self.shares * (1 - self.shares)
        self.weight = 1 / np.sqrt(max(1.0, (variance / np.maximum(variance, FLOOR)).sum()))
        self.unseen = min(FAR, np.sqrt(self.total / max(1.0, (self.counts == 1).sum())))
        width = len(self.shares) + (self.bits + 1 if rare else 0) + 1
        self.owner = np.zeros(width, int)

    @classmethod
    def fit(cls, names: list[str], table: Table) -> Self:
        counted = pc.value_counts(words(table.arrow[names[0]], names[0]).drop_null().combine_chunks())
        pairs = zip(counted.field("counts").to_pylist(), counted.field("values").to_pylist(), strict=True)
        ordered = sorted(pairs, key=lambda pair: (-pair[0], pair[1]))
        return cls(names, [level for _, level in ordered], [count for count, _ in ordered])

    def encode(self, table: Table) -> np.ndarray:
        values = words(table.arrow[self.names[0]], self.names[0])
        return self._coordinates(values, positions(values, self.levels))

    def encode_left_out(self, table: Table) -> np.ndarray:
        values = words(table.arrow[self.names[0]], self.names[0])
        place = positions(values, self.levels)
        return self._coordinates(values, np.where((place >= 0) & (self.counts[place] == 1), -1, place))

    def _coordinates(self, values: pa.ChunkedArray, place: np.ndarray) -> np.ndarray:
        slot = np.where(place < 0, -1, np.minimum(place, self.frequent))
        hits = slot[:, None] == np.arange(len(self.shares))
        parts = [self.weight * share_of(hits, self.shares)]
        if self.bits:
            code = (((place - self.frequent)[:, None] >> np.arange(self.bits)) & 1) * 2.0 - 1
            parts += [
                np.where(slot[:, None] == self.frequent, CODE * code / np.sqrt(self.bits), 0.0),
                self._rarity(place),
            ]
        return blanked(np.hstack([*parts, np.where(place < 0, self.unseen, 0.0)[:, None]]), values)

    def decode(self, x: np.ndarray, types: Sequence[pa.DataType]) -> list[pa.Array]:
        width = len(self.shares)
        hits = x[:, :width] * np.sqrt(np.maximum(self.shares * (1 - self.shares), FLOOR)) / self.weight + self.shares
        place = np.argmax(hits, 1)
        if self.bits:
            code = (x[:, width : width + self.bits] > 0) @ (1 << np.arange(self.bits))
            rare = np.minimum(self.frequent + code, len(self.levels) - 1)
            place = np.where(place == self.frequent, rare, place)
        place = np.where(x[:, -1] > self.unseen / 2, -1, place)
        return [leveled(place, self.levels, types[0])]

    def _rarity(self, place: np.ndarray) -> np.ndarray:
        log = np.log(self.counts)
        mean = (self.counts * log).sum() / self.total
        spread = np.sqrt((self.counts * (log - mean) ** 2).sum() / self.total)
        value = np.where(place < 0, np.log(0.5), log[place])
        return np.asarray(CODE * (value - mean) / max(spread, 0.5))[:, None]

    def config(self) -> JSON:
        return {"names": self.names, "levels": self.levels, "counts": [int(count) for count in self.counts]}

    @classmethod
    def restore(cls, config: JSON) -> Self:
        if len(config["levels"]) != len(config["counts"]) or min(config["counts"]) < 1:
            raise ValueError("categories and their counts do not match")
        return cls(list(config["names"]), texts(config["levels"]), [int(count) for count in config["counts"]])

    def describe(self) -> list[JSON]:
        shares = (self.counts / self.total).tolist()
        top = dict(list(zip(self.levels, shares, strict=True))[:10])
        return [{"name": self.names[0], "kind": self.kind, "categories": len(self.levels), "top": top}]


class Ordinal(Block):
    """Ordered categories as standardised ranks, with one more coordinate for a category that fit did not list."""

    kind = "ordinal"

    def __init__(self, names: list[str], levels: Sequence[str], mean: float, scale: float) -> None:
        self.names, self.levels, self.owner = names, list(levels), np.zeros(2, int)
        self.scale = Scale(*(np.array([float(v)]) for v in (mean, scale, 0.0, 0.0))).checked()

    @classmethod
    def fit(cls, names: list[str], table: Table) -> Self:
        levels = levels_of(table.arrow[names[0]], names[0])
        place = positions(words(table.arrow[names[0]], names[0]), levels)
        scale = Scale.fit(np.where(place < 0, np.nan, place)[:, None])
        return cls(names, levels, float(scale.mean[0]), float(scale.scale[0]))

    def encode(self, table: Table) -> np.ndarray:
        values = words(table.arrow[self.names[0]], self.names[0])
        place = positions(values, self.levels)[:, None]
        rank = np.where(place < 0, 0.0, self.scale.forward(place.astype(float)))
        return blanked(np.hstack([rank, np.where(place < 0, FAR, 0.0)]), values)

    def decode(self, x: np.ndarray, types: Sequence[pa.DataType]) -> list[pa.Array]:
        rank = np.clip(np.rint(self.scale.back(x[:, :1])[:, 0]), 0, len(self.levels) - 1).astype(int)
        return [leveled(np.where(x[:, 1] > FAR / 2, -1, rank), self.levels, types[0])]

    def config(self) -> JSON:
        mean, scale = float(self.scale.mean[0]), float(self.scale.scale[0])
        return {"names": self.names, "levels": self.levels, "mean": mean, "scale": scale}

    @classmethod
    def restore(cls, config: JSON) -> Self:
        return cls(list(config["names"]), texts(config["levels"]), float(config["mean"]), float(config["scale"]))

    def describe(self) -> list[JSON]:
        return [{"name": self.names[0], "kind": self.kind, "categories": len(self.levels), "levels": self.levels[:50]}]


def positions(values: pa.ChunkedArray, levels: Sequence[str]) -> np.ndarray:
    """The place of each value among the levels `(n,)`, -1 where it is none of them."""
    return numpy(pc.index_in(values, value_set=pa.array(levels, pa.string())).fill_null(-1)).astype(np.int64)


def leveled(place: np.ndarray, levels: Sequence[str], type: pa.DataType) -> pa.Array:
    """Levels by their place, null where it is negative."""
    return retyped(pa.array(levels, pa.string()).take(pa.array(place, mask=place < 0)), type)


def ordered(column: pa.ChunkedArray, name: str, levels: Sequence[str]) -> pa.ChunkedArray:
    """The column as a dictionary in this order.

    Raises:
        Misfit: a value is not among the levels.
    """
    levels = [str(level) for level in levels]
    values = words(column, name)
    place = positions(values, levels)
    lost = (place < 0) & ~nulls(values)
    if lost.any():
        value = values[int(lost.argmax())].as_py()
        raise Misfit(f"column {name} holds {value!r}, which is not in its order {', '.join(levels)}; add it.")
    codes = pa.array(place.astype(np.int32), mask=place < 0)
    return pa.chunked_array([pa.DictionaryArray.from_arrays(codes, pa.array(levels, pa.string()), ordered=True)])


def coded(values: pa.Array, levels: Sequence[str], type: pa.DictionaryType) -> pa.DictionaryArray:
    """Values as codes of exactly these levels, used or not."""
    dictionary = retyped(pa.array(levels, pa.string()), type.value_type)
    codes = pc.index_in(values, value_set=dictionary, skip_nulls=True).cast(type.index_type)
    return pa.DictionaryArray.from_arrays(codes, dictionary, ordered=type.ordered)


def levels_of(column: pa.ChunkedArray, name: str) -> list[str]:
    """The levels from low to high: a dictionary's own order, else by value."""
    if pa.types.is_dictionary(column.type):
        levels = column.unify_dictionaries().chunk(0).dictionary
    else:
        levels = pc.unique(column.drop_null())
        levels = levels.take(pc.array_sort_indices(levels))
    return [str(level) for level in words(levels, name).to_pylist()]


def texts(levels: object) -> list[str]:
    """Saved levels, if they are a list of words."""
    if not isinstance(levels, list) or not all(isinstance(level, str) for level in levels):
        raise ValueError("categories that are not a list of words")
    return levels
