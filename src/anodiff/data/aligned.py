r"""Frames and sensors aligned by time: to each frame the readings of the window before it,

.. math:: s_k(t) = \text{reading nearest to } t - (K - 1 - k) \, \Delta \text{ among those not after } t,

k = 0, ..., K - 1, of every channel for itself. A reading farther off than the tolerance is missing. What comes after a
frame never changes it.
"""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from anodiff.data.clock import SECOND, step
from anodiff.data.instants import instants, is_recent, unit_of
from anodiff.data.readers import read
from anodiff.data.record_columns import Column
from anodiff.data.record_files import Raw
from anodiff.data.records import Records, raw_of, read_raw
from anodiff.types import JSON, Misfit, Unreadable

MOST = 4096
"""Readings of a window, at most."""


def aligned(
    frames: Any,
    sensors: Any,
    *,
    window: float,
    every: float | None = None,
    tolerance: float | None = None,
    on: str = "time",
    name: str = "sensors",
    kinds: Mapping[str, str] | None = None,
    root: str | os.PathLike | None = None,
    like: Mapping[str, JSON] | None = None,
) -> Records:
    """Records of frames, each with a short series of what the sensors read until then.

    Args:
        frames: what `anodiff.data.records.records` reads, with a column of times.
        sensors: a table (frame, dict of columns, path) with a column of times; its other columns are channels, numbers
            that may have gaps where channels have unequal rates.
        window: seconds before each frame that are seen.
        every: seconds between the readings of a series; by default the interval of the fastest channel. Give what it
            was at fit when other sensors are aligned later.
        tolerance: seconds that a reading may be off; by default `every`.
        on: the column of times, in both: times, ISO 8601, or numbers of seconds. Those of both have a zone, or neither.
        name: of the column of series.
        kinds: of columns of the frames, see `records`.
        root: of paths of pictures, see `records`.
        like: an earlier layout, see `records`.

    Returns:
        The records in the order of the frames, with a column `name` of series `(K, channels)`, K = window / every,
        where NaN is missing; a frame without any reading has none.

    Raises:
        Misfit: window, every or tolerance are out of range; there is no column of times.
        Unreadable: times are missing or cannot be compared, or a channel holds no numbers.

    >>> found = aligned({"step": ["pour", "stir"], "time": [1.0, 2.0]},
    ...                 {"force": [1.0, 2.0, 3.0], "time": [0.0, 1.0, 2.0]}, window=2)
    >>> found.columns["sensors"].values[1][:, 0]
    array([2., 3.])
    """
    raw, folder = raw_of(frames)
    if on not in raw.cells:
        raise Misfit(f"there is no column {on} to take the times of frames from; there are {_few(raw.cells)}.")
    times, spoken = _times(raw.cells[on], on, "frames")
    readings, heard = _readings(sensors, on)
    notes = _check_comparable(spoken, heard)
    pace = round(every * SECOND) if every is not None and math.isfinite(every) else readings.interval
    slack = pace if tolerance is None or not math.isfinite(tolerance) else round(tolerance * SECOND)
    count = _count(window, every, tolerance, pace)
    if name in raw.cells:
        raise Misfit(f"the frames have a column {name} already; give the series another name=.")
    rest = Raw({key: cells for key, cells in raw.cells.items() if key != on}, raw.rows, raw.unread, raw.notes)
    old = None if like is None else {key: told for key, told in like.items() if key != name}
    found = read_raw(rest, {key: kind for key, kind in (kinds or {}).items() if key != on}, root or folder, old)
    grid = times[:, None] - pace * np.arange(count - 1, -1, -1)
    series = np.stack([_nearest(*channel, grid, times, slack) for channel in readings.channels], 2)
    present = np.isfinite(series).any((1, 2))
    values = [each if there else each[:0] for each, there in zip(series, present, strict=True)]
    column = Column("series", values, present, series.shape[2], found.names)
    if not present.all():
        notes.append(f"{int((~present).sum())} of {len(present)} frames have no reading in the window before them.")
    return replace(
        found,
        columns={**found.columns, name: column},
        notes=[*found.notes, *notes],
        kinds={**found.kinds, name: "series"},
    )


@dataclass(frozen=True, eq=False)
class Readings:
    """Of each channel when it was read `(m,)`, rising, and what `(m,)`; and its interval, in microseconds."""

    channels: list[tuple[np.ndarray, np.ndarray]]
    interval: int


def _readings(sensors: Any, on: str) -> tuple[Readings, str]:
    table = read(pa.table(dict(sensors)) if isinstance(sensors, Mapping) else sensors)
    if on not in table.names:
        raise Misfit(f"there is no column {on} to take the times of readings from; there are {_few(table.names)}.")
    times, spoken = _times(table.arrow[on], on, "sensors")
    names = [name for name in table.names if name != on]
    if not names:
        raise Unreadable(f"the sensors have no channel beside {on}; give at least one.")
    order = np.argsort(times, kind="stable")
    channels = [_channel(table.arrow[name], name, times, order) for name in names]
    return Readings(channels, min((step(when) for when, _ in channels if len(when) > 1), default=SECOND)), spoken


def _channel(column: pa.ChunkedArray, name: str, times: np.ndarray, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """When a channel was read, and what; of several readings of one instant the last."""
    try:
        values = np.asarray(column.to_numpy(), dtype=np.float64)[order]
    except (TypeError, ValueError):
        raise Unreadable(f"channel {name} holds {column.type}, where numbers are read; leave it out.") from None
    there = np.isfinite(values)
    when, values = times[order][there], values[there]
    last = np.diff(when, append=np.iinfo(np.int64).max) > 0
    return when[last], values[last]


def _nearest(when: np.ndarray, values: np.ndarray, grid: np.ndarray, until: np.ndarray, slack: int) -> np.ndarray:
    """Of one channel the reading nearest to each instant of the `grid` `(n, K)`, none of them after `until` `(n,)`."""
    if not len(when):
        return np.full(grid.shape, np.nan)
    known = np.searchsorted(when, until, side="right")[:, None]
    after = np.searchsorted(when, grid, side="right")
    before, after = np.maximum(after - 1, 0), np.minimum(after, np.maximum(known - 1, 0))
    place = np.where(np.abs(when[after] - grid) < np.abs(when[before] - grid), after, before)
    near = (np.abs(when[place] - grid) <= slack) & (known > 0)
    return np.where(near, values[place], np.nan)


def _times(cells: Any, on: str, whose: str) -> tuple[np.ndarray, str]:
    """Microseconds `(n,)`, and how they were told: "zoned", "plain", "unix" or "counted"."""
    try:
        column = cells if isinstance(cells, pa.ChunkedArray) else pa.chunked_array([pa.array(list(cells))])
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        raise Unreadable(f"column {on} of the {whose} mixes times of several kinds; make them one kind.") from None
    try:
        micro, zone = instants(column, on)
    except Unreadable as refusal:
        raise Unreadable(f"of the {whose}, {refusal}") from None
    if unit_of(column) is not None:
        return micro, "unix" if is_recent(column) else "counted"
    return micro, "plain" if zone is None else "zoned"


def _check_comparable(frames: str, sensors: str) -> list[str]:
    both = {frames, sensors}
    told = {
        "zoned": "a time zone",
        "plain": "none, but dates",
        "unix": "numbers since 1970",
        "counted": "seconds since they began",
    }
    if len(both) > 1 and ("counted" in both or both == {"zoned", "plain"}):
        raise Unreadable(
            f"times cannot be compared: those of the frames have {told[frames]}, those of the sensors "
            f"{told[sensors]}; write both alike."
        )
    return ["Times without a zone are taken as UTC."] if both == {"unix", "plain"} else []


def _count(window: float, every: float | None, tolerance: float | None, pace: int) -> int:
    for setting, value in (("window", window), ("every", every), ("tolerance", tolerance)):
        least = 0.0 if setting == "tolerance" else 1 / SECOND
        if value is not None and not (math.isfinite(value) and value >= least):
            raise Misfit(f"{setting} is {value!r}; give seconds, {'0' if setting == 'tolerance' else 'above 0'}.")
    count = max(1, round(window * SECOND / pace))
    if count > MOST:
        raise Misfit(
            f"a window of {window} s holds {count:,} readings, one every {pace / SECOND} s; at most {MOST:,} are read, "
            "so give a shorter window= or a longer every=."
        )
    return count


def _few(names: Any) -> str:
    return ", ".join(list(names)[:10])
