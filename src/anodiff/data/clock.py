r"""The clock of a table: which column holds the times, and the grid that the times lie on,

.. math:: s_i = \min\Big(m, \max\big(1, \big\lfloor (t_i - t_{i-1}) / \Delta + \tfrac12 \big\rfloor\big)\Big),

the steps from one instant to the next, of the interval Δ between most of them.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anodiff.data.instants import instants, is_recent, is_stamped, is_word, reads, undone, unit_of
from anodiff.data.table import Table
from anodiff.types import Misfit

TIME_NAMES = frozenset({"time", "timestamp", "date", "datetime", "ts"})
SECOND, DAY = 1_000_000, 86_400_000_000


@dataclass(frozen=True, eq=False)
class Clock:
    """When each row was.

    Attributes:
        micro: `(n,)` microseconds since 1970 in UTC, in the order of the rows; None where rows are only counted.
        zone: the time zone in which they were written, None where they had none.
        columns: what it was read from; none for the index of a frame.
        notes: sentences for the user.
    """

    micro: np.ndarray | None = None
    zone: str | None = None
    columns: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def clock_of(table: Table, time: str | None, channels: Collection[str] = (), entity: np.ndarray | None = None) -> Clock:
    """The clock of a table.

    Args:
        table: n rows.
        time: "auto", the name of a column (or of a pandas index), or None for no clock.
        channels: names that are channels, hence no clock unless `time` names them.
        entity: `(n,)`, whose each row is, where numbers need to rise only within an entity.

    Raises:
        Misfit: there is no column of that name.
        Unreadable: a time is missing or cannot be read, and which.

    >>> clock_of(Table(pa.table({"ts": ["2024-01-01", "2024-01-02"], "flow": [1, 2]})), "auto").columns
    ['ts']
    """
    if time is None:
        return Clock()
    index = str(getattr(table.index, "name", None) or "index")
    indexed = str(getattr(table.index, "dtype", "")).startswith("datetime64")
    if indexed and (time == "auto" or (time == index and time not in table.names)):
        return Clock(*instants(pa.chunked_array([pa.Array.from_pandas(table.index)]), index, table.start))
    if time != "auto":
        return _named(table, time)
    return _found(table, [name for name in table.names if name not in set(channels)], bool(channels), entity)


def _named(table: Table, time: str) -> Clock:
    if time not in table.names:
        names = ", ".join(table.names[:10])
        raise Misfit(f"there is no column {time} to take times from; the table has {names}.")
    column = table.arrow[time]
    if (hours := _hours(table, time)) is not None:
        found = instants(_joined(column, table.arrow[hours]), f"{time} with {hours}", table.start)
        return Clock(*found, [time, hours], [f"Times are columns {time} and {hours} together."])
    micro, zone = instants(column, time, table.start)
    counted = len(column) > 0 and unit_of(column) is not None and not is_recent(column)
    notes = [f"The numbers in column {time} are taken for seconds."] if counted else []
    return Clock(micro, zone, [time], notes)


def _found(table: Table, free: list[str], sure: bool, entity: np.ndarray | None) -> Clock:
    """The clock among the columns that are `free`; `sure` that numbers under a name of time are one."""
    stamped = [name for name in free if is_stamped(table.arrow[name].type)]
    stamped = stamped or [name for name in free if _says_times(table, name)]
    counted = [name for name in free if is_time_name(name) and (unit_of(table.arrow[name]) or not len(table))]
    rising = [name for name in counted if sure or not len(table) or _rises(table.arrow[name], entity)]
    best = _best(table, stamped or rising)
    return Clock(notes=_doubts(table, free, stamped)) if best is None else _named(table, best)


def _doubts(table: Table, free: list[str], stamped: list[str]) -> list[str]:
    """Why columns that may hold times are none the less no clock."""
    if stamped:
        return [f"Columns {', '.join(stamped)} hold times and none is taken for the clock; name it with time=."]
    doubtful = [name for name in free if is_time_name(name) or (_is_text(table, name) and _begins(table, name))]
    why = "since it holds neither times in full, nor numbers that count since 1970 or rise"
    return [f"Column {n} is taken for a channel, {why}; if it is the clock, name it with time=." for n in doubtful]


def is_time_name(name: str) -> bool:
    """Whether a column of this name may count the time."""
    return name.strip().lower() in TIME_NAMES


def _best(table: Table, names: list[str]) -> str | None:
    """The only one; of several the only one with a name of time, else the only one without a gap."""
    tests = (lambda _: True, is_time_name, lambda name: not table.arrow[name].null_count)
    chosen = ([name for name in names if test(name)] for test in tests)
    return next((found[0] for found in chosen if len(found) == 1), None)


def _is_text(table: Table, name: str) -> bool:
    return is_word(undone(table.arrow[name]).type)


def _begins(table: Table, name: str) -> bool:
    return reads(undone(table.arrow[name]).drop_null().slice(0, 1))


def _says_times(table: Table, name: str) -> bool:
    """Text that is times: all of it, or, under a name of time, what comes first."""
    if not _is_text(table, name) or not _begins(table, name):
        return False
    return is_time_name(name) or reads(undone(table.arrow[name]).drop_null())


def _hours(table: Table, time: str) -> str | None:
    """The column of times of day beside a column of dates, where there is one."""
    dates = table.arrow[time]
    if not (pa.types.is_date(dates.type) or is_word(dates.type)) or dates.null_count or not len(dates):
        return None
    others = [name for name in table.names if name != time and is_time_name(name) and is_word(table.arrow[name].type)]
    joined = [name for name in others if _completes(dates.slice(0, 1), table.arrow[name].slice(0, 1))]
    return joined[0] if len(joined) == 1 else None


def _completes(date: pa.ChunkedArray, hour: pa.ChunkedArray) -> bool:
    return not hour.null_count and not reads(hour) and reads(_joined(date, hour))


def _joined(dates: pa.ChunkedArray, hours: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(
        pc.cast(dates, pa.string()), pc.utf8_trim_whitespace(pc.cast(hours, pa.string())), " "
    )


def _rises(column: pa.ChunkedArray, entity: np.ndarray | None) -> bool:
    """Whether numbers are times since 1970, or rise from each row of an entity to its next."""
    if column.null_count:
        return False
    if is_recent(column):
        return True
    values = np.asarray(pc.cast(column, pa.float64(), safe=False).to_numpy())
    whose = np.zeros(len(values)) if entity is None else entity
    order = np.argsort(whose, kind="stable")
    return bool(((np.diff(values[order]) > 0) | (np.diff(whose[order]) != 0)).all())


def step(*times: np.ndarray) -> int:
    """The sampling interval in microseconds: the median of the positive differences; a second where there is none.

    >>> step(np.array([0, 10, 20, 30, 90]))
    10
    """
    gaps = np.concatenate([np.diff(t) for t in times]) if times else np.empty(0)
    gaps = gaps[gaps > 0]
    return max(1, round(float(np.median(gaps)))) if len(gaps) else SECOND


def slots(times: np.ndarray, step: int, most: int) -> np.ndarray:
    """How many steps after the one before each instant lies `(T,)`, from 1 to `most`; 1 for the first.

    Every entry looks at its own instant and the one before only, so it is known as soon as the instant is.

    >>> slots(np.array([0, 10, 19, 40, 900]), 10, 16)
    array([ 1,  1,  1,  2, 16])
    """
    gaps = np.diff(times, prepend=times[:1] - step) / step
    return np.asarray(np.clip(np.floor(gaps + 0.5), 1, most).astype(np.int64))
