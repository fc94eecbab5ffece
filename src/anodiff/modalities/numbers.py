r"""Numeric columns, all of a table in one block: standardise, then keep what is extreme finite,

.. math:: u = \frac{v - \mu}{s}, \qquad x = u \;\text{ for } |u| \le c, \quad
    \operatorname{sign}(u)\, c\, (1 + \log(|u| / c)) \;\text{ beyond,}

with c = 10: a bijection with a continuous slope, under which even 1e308 stays finite in single precision. A column of
100 values or more whose standard deviation is over a hundred times its body's (the interquartile range over 1.349) is
taken as :math:`\operatorname{asinh}((v - \text{median}) / \text{body})` first, or its body would be squeezed to a
point.

Rounding: decoding gives v back to :math:`10^{-7} |v - \mu|` within ten standard deviations, to
:math:`5 \cdot 10^{-5} |v - \mu|` at the end of double precision, to 1e-5 of v where asinh is taken.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa

from anodiff.data.table import Table
from anodiff.modalities.columns import Block, nulls, numpy, parsed
from anodiff.types import JSON, Unreadable

KNEE = 10.0
HEAVY, ENOUGH = 100.0, 100
QUANTILES = (0.0, 0.05, 0.5, 0.95, 1.0)
LARGEST = np.finfo(np.float64).max


@dataclass(frozen=True)
class Scale:
    """The map v ↔ x of d columns; every attribute is `(d,)`. `body` is 0 where no asinh is taken."""

    mean: np.ndarray
    scale: np.ndarray
    median: np.ndarray
    body: np.ndarray

    @classmethod
    def fit(cls, values: np.ndarray, quartiles: np.ndarray | None = None) -> Self:
        """From values `(n, d)` with NaN for missing; asinh is considered only where `quartiles` `(3, d)` are given."""
        mean, scale = moments(values)
        median = body = np.zeros_like(mean)
        if quartiles is not None:
            with np.errstate(over="ignore", invalid="ignore"):
                width = (quartiles[2] - quartiles[0]) / 1.349
                heavy = (scale > HEAVY * width) & (scale < 1e9 * width) & ((~np.isnan(values)).sum(0) >= ENOUGH)
            body = np.where(heavy, width, 0.0)
            median = np.where(body > 0, quartiles[1], 0.0)
            mean_t, scale_t = moments(_compress(values, median, body))
            mean, scale = np.where(body > 0, mean_t, mean), np.where(body > 0, scale_t, scale)
        return cls(mean, scale, median, body)

    def forward(self, values: np.ndarray) -> np.ndarray:
        """Values `(n, d)` to coordinates; more than 1.8e308 scales from the mean counts as that."""
        if self.body.any():
            values = _compress(values, self.median, self.body)
        with np.errstate(over="ignore", invalid="ignore"):
            u = (values - self.mean) / self.scale
            if not np.isfinite(u).all():
                u = np.where(np.isinf(u), values / self.scale - self.mean / self.scale, u)
        return squash(np.clip(u, -LARGEST, LARGEST))

    def back(self, x: np.ndarray) -> np.ndarray:
        """Coordinates `(n, d)` to values."""
        with np.errstate(over="ignore", invalid="ignore"):
            values = np.clip(self.mean + unsquash(x) * self.scale, -LARGEST, LARGEST)
            if self.body.any():
                values = np.where(self.body > 0, self.median + self.body * np.sinh(values), values)
        return np.asarray(np.clip(values, -LARGEST, LARGEST))

    def checked(self) -> Self:
        """Itself, if it can be divided by."""
        if (
            not all(np.isfinite(a).all() for a in vars(self).values())
            or not (self.scale > 0).all()
            or (self.body < 0).any()
        ):
            raise ValueError("a scale that is not a positive number")
        return self


class Numbers(Block):
    """All numeric columns of a table: one coordinate each."""

    kind = "numeric"

    def __init__(self, names: list[str], scale: Scale, quantiles: np.ndarray) -> None:
        self.names, self.scale, self.quantiles = names, scale, quantiles
        self.owner = np.arange(len(names))

    @classmethod
    def fit(cls, names: list[str], table: Table) -> Self:
        values = _matrix(names, table)
        q = _quantiles(values, (*QUANTILES, 0.25, 0.75))
        return cls(names, Scale.fit(values, q[[5, 2, 6]]), q[:5])

    def encode(self, table: Table) -> np.ndarray:
        return self.scale.forward(_matrix(self.names, table))

    def decode(self, x: np.ndarray, types: Sequence[pa.DataType]) -> list[pa.Array]:
        return [typed(column, type) for column, type in zip(self.scale.back(x).T, types, strict=True)]

    def config(self) -> JSON:
        learnt = {**vars(self.scale), "quantiles": self.quantiles}
        return {"names": self.names, **{key: array.tolist() for key, array in learnt.items()}}

    @classmethod
    def restore(cls, config: JSON) -> Self:
        d = len(config["names"])
        scale = Scale(*(_finite(config[key], (d,)) for key in ("mean", "scale", "median", "body")))
        return cls(list(config["names"]), scale.checked(), _finite(config["quantiles"], (len(QUANTILES), d)))

    def describe(self) -> list[JSON]:
        keys = ("min", "q05", "median", "q95", "max")
        return [
            {
                "name": name,
                "kind": self.kind,
                **dict(zip(keys, map(float, q), strict=True)),
                "heavy_tailed": bool(body > 0),
            }
            for name, q, body in zip(self.names, self.quantiles.T, self.scale.body, strict=True)
        ]


def squash(u: np.ndarray) -> np.ndarray:
    """The identity up to ten, logarithmic beyond."""
    size = np.abs(u)
    return np.where(size <= KNEE, u, np.sign(u) * KNEE * (1 + np.log(np.maximum(size, KNEE) / KNEE)))


def unsquash(x: np.ndarray) -> np.ndarray:
    """The inverse of `squash`."""
    size = np.abs(x)
    return np.where(size <= KNEE, x, np.sign(x) * KNEE * np.exp(np.clip(size / KNEE - 1, 0, 707)))


def moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation `(d,)` of what is not NaN, without overflow.

    A column that does not vary is scaled by a hundredth of its value (by 1 where that is 0), so that any departure
    from it shows.
    """
    there = ~np.isnan(values)
    count = np.maximum(there.sum(0), 1)
    filled = np.where(there, values, 0.0)
    size = np.abs(filled).max(0, initial=0.0)
    size = np.where(size > 0, size, 1.0)
    filled /= size
    mean = filled.sum(0) / count
    spread = np.sqrt((np.where(there, filled - mean, 0.0) ** 2).sum(0) / count)
    constant = spread <= 1e-15 * np.abs(mean)
    scale = np.where(constant, np.where(mean != 0, np.abs(mean) / 100, 1.0 / size), spread)
    return mean * size, np.maximum(scale * size, np.finfo(np.float64).tiny)


def typed(values: np.ndarray, type: pa.DataType) -> pa.Array:
    """Floats `(n,)` as an array of `type`: rounded where it is whole, clipped to what it holds, 6 digits as text."""
    if pa.types.is_floating(type):
        dtype = type.to_pandas_dtype()
        limit = np.finfo(dtype).max
        return pa.array(np.clip(values, -limit, limit).astype(dtype))
    if pa.types.is_decimal(type):
        limit = 10.0 ** (type.precision - type.scale) * (1 - 1e-15)
        return pa.array(np.clip(values, -limit, limit)).cast(type, safe=False)
    if pa.types.is_boolean(type):
        return pa.array(values > 0.5)
    if not pa.types.is_integer(type) and not pa.types.is_temporal(type):
        return pa.array([f"{value:.6g}" for value in values]).cast(type)
    whole = np.dtype(type.to_pandas_dtype()) if pa.types.is_integer(type) else np.dtype(f"i{type.bit_width // 8}")
    info = np.iinfo(whole)
    low, high = float(info.min), np.nextafter(float(info.max), 0) if info.bits == 64 else float(info.max)
    integers = pa.array(np.rint(np.clip(values, low, high)).astype(whole))
    return integers if pa.types.is_integer(type) else integers.cast(type)


def numbers(column: pa.ChunkedArray, name: str, start: int) -> np.ndarray:
    """A column as float64 `(n,)`, NaN where missing."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_temporal(column.type):
        column = column.cast(pa.int32() if column.type.bit_width == 32 else pa.int64())
    if pa.types.is_integer(column.type) or pa.types.is_decimal(column.type):
        column = column.cast(pa.float64(), safe=False)
    if not pa.types.is_floating(column.type):
        column = parsed(column, pa.float64(), name, start, "numbers")
    return np.where(nulls(column), np.nan, numpy(column)) if column.null_count else numpy(column)


def _matrix(names: Sequence[str], table: Table) -> np.ndarray:
    values = np.empty((len(table), len(names)), order="F")
    for i, name in enumerate(names):
        values[:, i] = numbers(table.arrow[name], name, table.start)
    if np.isinf(values).any():
        row, i = (int(k) for k in np.argwhere(np.isinf(values))[0])
        raise Unreadable(
            f"column {names[i]} holds {values[row, i]} in row {table.start + row + 1}; numbers must be finite: "
            "correct it, drop the row, or leave the cell empty if it is missing."
        )
    return values


def _compress(values: np.ndarray, median: np.ndarray, body: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):
        z = (values - median) / np.where(body > 0, body, 1.0)
        return np.where(body > 0, np.arcsinh(np.clip(z, -LARGEST, LARGEST)), values)


def _quantiles(values: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """Of the values that are there, `(len(levels), d)`; observed values, not between them."""
    ordered, count = np.sort(values, axis=0), (~np.isnan(values)).sum(0)
    place = np.rint(np.outer(levels, np.maximum(count - 1, 0))).astype(int)
    return np.take_along_axis(ordered, place, axis=0)


def _finite(numbers: list, shape: tuple[int, ...]) -> np.ndarray:
    array = np.asarray(numbers, float)
    if array.shape != shape or not np.isfinite(array).all():
        raise ValueError(f"an array of shape {array.shape}, where {shape} finite numbers belong")
    return array
