r"""Timestamps and dates: one standardised time, and where it stands in the day, the week and the year,

.. math:: x = \Big( \frac{\tau - \mu}{s},\; \tfrac12 (\sqrt2 \cos \omega_k \tau - \bar c_k),\;
    \tfrac12 (\sqrt2 \sin \omega_k \tau - \bar s_k) \Big), \qquad k \in \text{day, week, year.}

A cycle counts only where fit spans it (and the day only where times of day occur). Single precision alone would hold
a time to a millionth of the span; the day's angle brings that to some milliseconds, and the result is rounded to the
resolution that fit had (days, hours, minutes, seconds), so whole seconds come back exactly.
"""

from collections.abc import Sequence
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anodiff.data.table import Table
from anodiff.modalities.columns import Block, blanked, numpy, parsed, retyped
from anodiff.modalities.numbers import Scale
from anodiff.types import JSON, Unreadable

CYCLES = {"day": 86_400.0, "week": 604_800.0, "year": 31_556_952.0}
RESOLUTIONS = (86_400_000_000, 3_600_000_000, 60_000_000, 1_000_000, 1_000, 1)
WEIGHT = 0.5
MICRO = pa.timestamp("us")
YEAR_1, YEAR_10000 = -62_135_596_800_000_000, 253_402_300_800_000_000


class Datetime(Block):
    """One column of times, in seconds since 1970 (UTC); `first` and `last` and `resolution` are in microseconds."""

    kind = "datetime"

    def __init__(self, names: list[str], learnt: JSON) -> None:
        self.names, self.learnt = names, learnt
        self.scale = Scale(*(np.array([float(v)]) for v in (learnt["mean"], learnt["scale"], 0.0, 0.0))).checked()
        self.centre = np.asarray(learnt["centre"], float)
        self.owner = np.zeros(1 + 2 * len(learnt["cycles"]), int)

    @classmethod
    def fit(cls, names: list[str], table: Table) -> Self:
        micro = numpy(_micro(table, names[0]).drop_null())
        seconds, span = micro / 1e6, float(micro.max() - micro.min()) / 1e6
        resolution = next(r for r in RESOLUTIONS if not (micro % r).any())
        cycles = [name for name, period in CYCLES.items() if span >= period and resolution < period * 1e6]
        scale = Scale.fit(seconds[:, None])
        mean, spread = float(scale.mean[0]), float(scale.scale[0])
        if span == 0:
            spread = 1.0 if resolution < RESOLUTIONS[0] else CYCLES["day"]
        learnt = {"mean": mean, "scale": spread, "cycles": cycles, "resolution": resolution}
        centre = _angles(seconds, cycles).mean(0).tolist()
        return cls(names, {**learnt, "centre": centre, "first": int(micro.min()), "last": int(micro.max())})

    def encode(self, table: Table) -> np.ndarray:
        micro = _micro(table, self.names[0])
        seconds = numpy(micro.fill_null(0)) / 1e6
        cyclic = WEIGHT * (_angles(seconds, self.learnt["cycles"]) - self.centre)
        return blanked(np.hstack([self.scale.forward(seconds[:, None]), cyclic]), micro)

    def decode(self, x: np.ndarray, types: Sequence[pa.DataType]) -> list[pa.Array]:
        low, high = (-9.2e9, 9.2e9) if pa.types.is_timestamp(types[0]) and types[0].unit == "ns" else (-6e10, 2.5e11)
        seconds = np.clip(self.scale.back(x[:, :1])[:, 0], low, high)
        if "day" in self.learnt["cycles"]:
            cos, sin = (x[:, 1:3] / WEIGHT + self.centre[:2]).T
            period = CYCLES["day"]
            turn = (np.arctan2(sin, cos) / (2 * np.pi) * period - seconds + period / 2) % period - period / 2
            seconds = seconds + np.where(np.hypot(cos, sin) > 0.1, turn, 0.0)
        step = self.learnt["resolution"]
        micro = np.rint(seconds * (1e6 / step)).astype(np.int64) * step
        return [_stamped(pa.array(micro), types[0])]

    def config(self) -> JSON:
        return {"names": self.names, "learnt": self.learnt}

    @classmethod
    def restore(cls, config: JSON) -> Self:
        learnt = config["learnt"]
        if not set(learnt["cycles"]) <= CYCLES.keys() or len(learnt["centre"]) != 2 * len(learnt["cycles"]):
            raise ValueError("cycles of time and their centres do not match")
        return cls(list(config["names"]), learnt)

    def describe(self) -> list[JSON]:
        first, last = (str(np.datetime64(self.learnt[end], "us")) for end in ("first", "last"))
        return [
            {"name": self.names[0], "kind": self.kind, "first": first, "last": last, "cycles": self.learnt["cycles"]}
        ]


def _angles(seconds: np.ndarray, cycles: Sequence[str]) -> np.ndarray:
    turns = [2 * np.pi * (seconds % CYCLES[name]) / CYCLES[name] for name in cycles]
    columns = [np.sqrt(2) * f(turn) for turn in turns for f in (np.cos, np.sin)]
    return np.stack(columns, 1) if columns else np.empty((len(seconds), 0))


def _micro(table: Table, name: str) -> pa.ChunkedArray:
    """Microseconds since 1970, in UTC."""
    column = table.arrow[name]
    if pa.types.is_timestamp(column.type):
        _check_zone(name, column.type.tz)
        finer = column.type.unit == "ns"
        try:
            micro = column.cast(pa.timestamp("us", column.type.tz), safe=not finer).cast(pa.int64())
            within = pc.and_(pc.greater_equal(micro, YEAR_1), pc.less(micro, YEAR_10000))
        except pa.ArrowException:
            within = pa.scalar(False)
        if not pc.all(within).as_py() and len(column.drop_null()):
            raise Unreadable(f"column {name} holds times beyond the years 1 to 9999; correct them or leave them out.")
        return micro
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        raise Unreadable(f"column {name} holds {column.type}, where timestamps were; convert it to timestamps.")
    return parsed(column, MICRO, name, table.start, "timestamps").cast(pa.int64())


def _check_zone(name: str, zone: str | None) -> None:
    try:
        pa.scalar(0, pa.timestamp("us", zone)).as_py()
    except (pa.ArrowException, ValueError, KeyError):
        raise Unreadable(f"column {name} is in the time zone {zone!r}, which is unknown; convert it to UTC.") from None


def _stamped(micro: pa.Array, type: pa.DataType) -> pa.Array:
    if pa.types.is_timestamp(type):
        return micro.cast(pa.timestamp("us", type.tz)).cast(type, safe=False)
    if pa.types.is_date(type):
        return micro.cast(MICRO).cast(type, safe=False)
    return retyped(micro.cast(MICRO), type)
