r"""Channels of a log as coordinates about standard normal,

.. math:: x = (c - \mu_e) / s_e,

each machine e by its own mean and spread where there are several, pooled for one that fit never saw. The spread is

- the standard deviation, at least a hundredth of the range, of a channel that moves;
- the range times the root of their number for switches, channels of two values: all of them weigh as one channel;
- 0.3 of the median range of the channels that move for one that never did: any move of it counts.

Text channels become standardised shares, as in tables.
"""

from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
import pyarrow as pa

from anodiff.data.table import Table
from anodiff.modalities.categories import Categorical
from anodiff.modalities.numbers import numbers
from anodiff.modalities.tabular import kind_of
from anodiff.types import JSON, Unreadable

FLOOR = 1e-3
"""Least spread of a channel for one machine, as a share of its spread over all."""
OF_RANGE = 0.01
LARGEST = 1e140
STILL = 0.3
"""Spread of a channel that never moved, in median ranges of those that did."""


class Channels:
    """Numeric channels first, then the coordinates of categorical ones.

    Attributes:
        names: the channels, in the caller's order.
        numeric: those that are numbers.
        owner: `(width,)`, for each coordinate the place in `names` of its channel.
        mean: `(1 + entities, numeric)`; row 0 is pooled.
        scale: of the same shape, positive.
    """

    def __init__(
        self,
        names: Sequence[str],
        numeric: Sequence[str],
        mean: np.ndarray,
        scale: np.ndarray,
        missing: Sequence[float],
        blocks: Sequence[Categorical] = (),
    ) -> None:
        self.names, self.numeric, self.blocks = list(names), list(numeric), list(blocks)
        self.mean, self.scale, self.missing = mean, scale, list(missing)
        places = [self.names.index(name) for name in self.numeric]
        owned = [np.full(len(block.owner), self.names.index(block.names[0])) for block in self.blocks]
        self.owner = np.concatenate([np.array(places, int), *owned])

    @classmethod
    def fit(cls, tables: Sequence[Table], entity: Sequence[int], entities: int) -> Self:
        """Learn kinds and scales from one table per track; `entity` `(tracks,)` counts from 1, or is 0.

        Raises:
            Unreadable: nothing was ever observed.
        """
        fields = [field for table in tables for field in table.arrow.schema]
        kinds = {f.name: "numeric" if pa.types.is_null(f.type) else kind_of(f) for f in fields}
        arrow = pa.concat_tables([table.arrow for table in tables], promote_options="permissive").unify_dictionaries()
        whole = Table(arrow)
        texts = [name for name, kind in kinds.items() if kind in ("categorical", "ordinal") and _seen(arrow[name])]
        numeric = [name for name in kinds if name not in texts]
        values = matrix(whole, numeric)
        if not texts and not np.isfinite(values).any():
            raise Unreadable(f"nothing was observed in {len(whole):,} instants; give readings that are numbers.")
        pooled = _moments(values)
        rows = [pooled]
        own = np.concatenate([np.full(len(table), e) for table, e in zip(tables, entity, strict=True)])
        for e in range(1, entities + 1):
            mean, scale = _moments(values[own == e], pooled, switches(values))
            rows.append((mean, np.maximum(scale, FLOOR * pooled[1])))
        mean, scale = (np.stack([row[k] for row in rows]) for k in (0, 1))
        blocks = [Categorical.fit([name], whole) for name in texts]
        return cls(list(kinds), numeric, mean, scale, np.isnan(values).mean(0).tolist(), blocks)

    def encode(self, table: Table, entity: int = 0) -> np.ndarray:
        """Coordinates `(T, width)` float64 of one track; NaN where nothing was observed."""
        with np.errstate(over="ignore"):
            x = (matrix(table, self.numeric) - self.mean[entity]) / self.scale[entity]
        return np.hstack([x, *(block.encode(table) for block in self.blocks)])

    def decode(self, x: np.ndarray, entity: int = 0) -> dict[str, np.ndarray]:
        """Coordinates `(n, width)` as values by channel, in the caller's units."""
        count = len(self.numeric)
        back = x[:, :count] * self.scale[entity] + self.mean[entity]
        found = {name: back[:, i] for i, name in enumerate(self.numeric)}
        for block in self.blocks:
            own = x[:, count : count + len(block.owner)]
            found[block.names[0]] = np.array(block.decode(own, [pa.string()])[0].to_pylist(), object)
            count += len(block.owner)
        return {name: found[name] for name in self.names}

    def locate(self, map: np.ndarray) -> np.ndarray:
        """Evidence per coordinate `(..., width)` summed by channel `(..., channels)`."""
        return np.asarray(map @ (self.owner[:, None] == np.arange(len(self.names))))

    def describe(self) -> list[JSON]:
        """Facts by channel, in the caller's order."""
        facts = {
            name: {
                "name": name,
                "kind": "numeric",
                "type": "number",
                "mean": float(self.mean[0, i]),
                "sd": float(self.scale[0, i]),
                "missing": self.missing[i],
            }
            for i, name in enumerate(self.numeric)
        }
        for block in self.blocks:
            facts[block.names[0]] = {"type": "text", "missing": 0.0, **block.describe()[0]}
        return [facts[name] for name in self.names]

    def config(self) -> JSON:
        """What was learnt and is small."""
        blocks = [block.config() for block in self.blocks]
        return {"names": self.names, "numeric": self.numeric, "missing": self.missing, "blocks": blocks}

    def arrays(self) -> dict[str, np.ndarray]:
        """What was learnt and may be large."""
        return {"mean": self.mean, "scale": self.scale}

    @classmethod
    def restore(cls, config: JSON, arrays: Mapping[str, np.ndarray]) -> Self:
        """The inverse of `config` and `arrays`."""
        mean, scale = arrays["mean"], arrays["scale"]
        if mean.shape != scale.shape or mean.ndim != 2 or mean.shape[1] != len(config["numeric"]) or (scale <= 0).any():
            raise ValueError("the scales of the channels do not match their names")
        blocks = [Categorical.restore(each) for each in config["blocks"]]
        return cls(config["names"], config["numeric"], mean, scale, config["missing"], blocks)


def matrix(table: Table, names: Sequence[str]) -> np.ndarray:
    """Channels as float64 `(T, channels)`; NaN where missing.

    Raises:
        Unreadable: a value is infinite, or is no number.
    """
    values = np.empty((len(table), len(names)))
    for i, name in enumerate(names):
        column = table.arrow[name]
        if pa.types.is_null(column.type):
            values[:, i] = np.nan
            continue
        values[:, i] = numbers(
            column.cast(pa.int8()) if pa.types.is_boolean(column.type) else column, name, table.start
        )
        if np.isinf(values[:, i]).any():
            row = int(np.argmax(np.isinf(values[:, i])))
            raise Unreadable(
                f"channel {name} holds {values[row, i]} in row {table.start + row + 1}; "
                "correct it, or leave the cell empty if it is missing."
            )
    return values


def _seen(column: pa.ChunkedArray) -> bool:
    return int(column.null_count) < len(column)


def switches(values: np.ndarray) -> np.ndarray:
    """Which channels of `values` `(T, channels)` only ever have one of two values."""
    seen, low, high, _ = _extent(values)
    return (high > low) & np.where(seen, (values == low) | (values == high), True).all(0)


def _extent(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    seen = np.isfinite(values)
    low, high = np.where(seen, values, np.inf).min(0), np.where(seen, values, -np.inf).max(0)
    return seen, low, high, np.where(seen.any(0), high - low, 0.0)


def _moments(
    values: np.ndarray,
    pooled: tuple[np.ndarray, np.ndarray] | None = None,
    two: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and spread by channel of `values` `(T, channels)`.

    Of one machine, the pooled ones stand where it shows nothing, and the pooled spread for what is a switch of all.
    """
    values = np.clip(values, -LARGEST, LARGEST)
    seen, _, _, extent = _extent(values)
    count = seen.sum(0)
    mean = np.where(seen, values, 0).sum(0) / np.maximum(count, 1)
    sd = np.sqrt((np.where(seen, values - mean, 0) ** 2).sum(0) / np.maximum(count, 1))
    moves = (count > 0) & (extent > 1e-9 * np.maximum(np.abs(mean), 1e-300))
    spread = np.maximum(sd, OF_RANGE * extent)
    if pooled is not None and two is not None:
        return np.where(count > 0, mean, pooled[0]), np.where(moves & ~two, spread, pooled[1])
    two = switches(values)
    spread = np.where(two, extent * np.sqrt(max(1, two.sum())), spread)
    still = STILL * np.median(extent[moves]) if moves.any() else np.maximum(np.abs(mean), 1.0)
    return np.where(count > 0, mean, 0.0), np.where(moves, spread, still)
