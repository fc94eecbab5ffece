"""Time series from anywhere, as tracks: one series of one entity, in time order, one row per instant.

What is judged per instant goes back to the rows as they were given: `log.lay_out` of anything that each track has one
of per instant, where rows of one instant share its value.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anodiff.data.channels import check_finite, matched, unified
from anodiff.data.clock import Clock, clock_of, slots, step
from anodiff.data.drop import without
from anodiff.data.pieces import pieces
from anodiff.data.table import Table
from anodiff.types import Misfit, Unreadable

__all__ = ["Log", "Track", "read_log", "slots", "step"]


@dataclass(frozen=True, eq=False)
class Track:
    """One series.

    Attributes:
        table: the channels only, T rows.
        times: `(T,)` int64 microseconds since 1970 in UTC, strictly increasing; None without a clock.
        entity: whose series it is, where that was told.
    """

    table: Table
    times: np.ndarray | None
    entity: str | None

    def __len__(self) -> int:
        return len(self.table)


@dataclass(frozen=True, eq=False)
class Log:
    """Series, and where their instants stand in what was given.

    Attributes:
        tracks: the series.
        place: per track `(T,)`, the row (of the piece that it came from, counted from 0) that stands for each instant.
        instants: per piece that was given `(rows,)`, the instant of each row, counted through all tracks in order.
        names: the channels.
        shape: what was given: "one" table, a "list" of them, or a "dict".
        keys: names of the pieces of a dict.
        notes: sentences for the user.
        zone: the time zone of the clock, None where it has none; `anodiff.data.instants.written` writes times in it.
    """

    tracks: list[Track]
    place: list[np.ndarray]
    instants: list[np.ndarray]
    names: list[str]
    shape: str
    keys: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    zone: str | None = None

    def lay_out(self, per_track: Sequence[np.ndarray]) -> Any:
        """One array per track, `(T, ...)`, laid out as the rows were given: an array, or a list or dict of arrays.

        >>> log = read_log(pa.table({"ts": [3, 1, 3], "flow": [1.0, 2.0, 3.0]}), time="ts")
        >>> log.lay_out([np.array([0.1, 0.3])])
        array([0.3, 0.1, 0.3])
        """
        if [len(values) for values in per_track] != [len(track) for track in self.tracks]:
            raise Misfit(f"there are {len(self.tracks)} tracks; give one value per instant for each of them.")
        joined = np.concatenate([np.asarray(values) for values in per_track]) if len(per_track) else np.empty(0)
        laid = [joined[rows] for rows in self.instants]
        if self.shape == "one":
            return laid[0]
        return laid if self.shape == "list" else dict(zip(self.keys, laid, strict=True))


def read_log(
    X: Any,
    time: str | int | None = "auto",
    entity: str | int | None = None,
    like: Sequence[str] | pa.Schema | None = None,
    partial: bool = False,
) -> Log:
    """Time series from `X`.

    Args:
        X: an array `(T,)` or `(T, C)`, a list of numbers, a frame or Series of pandas, polars or pyarrow, a path to
            csv, parquet, npy, npz (array X) or a text of numbers; a list of these, one series each; a dict of these by
            entity; or a folder of files, one for each entity.
        time: the column of times, None to count rows, or "auto": a pandas index of times, else the only column of
            timestamps (or of text that is such), else numbers under a name of time that count since 1970 or rise.
        entity: the column that tells series apart, each sorted by itself; pieces of a dict without it have their name.
        like: names of the channels at fit, or their arrow schema, by which csv is then read.
        partial: leave out a last line of a csv that is not finished, with a note.

    Returns:
        Tracks in order of first appearance. Rows are sorted by time; the last of several rows of one time stands for
        the instant; a note says so.

    Raises:
        Misfit: the column of times or entities is not there.
        Unreadable: a time is missing or none, a number infinite, channels differ, or there is nothing to read.

    >>> log = read_log([np.zeros((5, 2)), np.zeros((3, 2))])
    >>> [len(track) for track in log.tracks], log.names, log.shape
    ([5, 3], ['x0', 'x1'], 'list')
    """
    schema = like if isinstance(like, pa.Schema) else None
    names = None if like is None else list(like.names if isinstance(like, pa.Schema) else like)
    shape, given, notes = pieces(X, (time, entity), schema, partial)
    parts = [_parted(table, key, shape, (time, entity), names or []) for key, table in given]
    channels, sources = names, [f"{key}: " if key else f"series {i + 1}: " for i, (key, _) in enumerate(given)]
    tables = []
    for part, source in zip(parts, sources, strict=True):
        source = source if shape != "one" else ""
        tables.append(part.table if channels is None else matched(part.table, channels, source))
        channels = channels or part.table.names
        check_finite(part.table, source)
    tracks, place, instants = _tracks([replace(p, table=t) for p, t in zip(parts, unified(tables), strict=True)])
    zones = {part.clock.zone for part in parts if part.clock.micro is not None}
    return Log(
        tracks,
        place,
        instants,
        channels or [],
        shape,
        [key for key, _ in given if key is not None],
        [*notes, *dict.fromkeys(note for part in parts for note in part.clock.notes), *_told(parts, time == "auto")],
        zones.pop() if len(zones) == 1 else "UTC" if zones else None,
    )


@dataclass(frozen=True, eq=False)
class _Part:
    """One piece: channels, clock, and whose each row is, `codes` `(n,)` into `entities`."""

    table: Table
    clock: Clock
    codes: np.ndarray
    entities: list[str | None]


def _column(name: str | int | None, table: Table) -> str | None:
    """The name of a column; a whole number is the name that pandas gives by itself, or a position in an array."""
    if name is None or isinstance(name, str) or str(name) in table.names:
        return None if name is None else str(name)
    return f"x{name}"


def _parted(table: Table, key: str | None, shape: str, asked: tuple[str | int | None, ...], like: list[str]) -> _Part:
    time, entity = (_column(name, table) for name in asked)
    codes, entities = _entities(table, key, entity, shape)
    clock = clock_of(without(table, [entity] if entity else []), time, like, codes)
    aside = [name for name in table.names if name in clock.columns or name == entity]
    channels = without(table, aside)
    if not channels.names:
        raise Unreadable(f"there is no channel beside {' and '.join(aside) or 'the clock'}; give at least one.")
    return _Part(channels, clock, codes, entities)


def _entities(table: Table, key: str | None, entity: str | None, shape: str) -> tuple[np.ndarray, list[str | None]]:
    if entity is None or (shape == "dict" and entity not in table.names):
        return np.zeros(len(table), int), [key]
    if entity not in table.names:
        names = ", ".join(table.names[:10])
        raise Misfit(f"there is no column {entity} to tell series apart by; the table has {names}.")
    column = table.arrow[entity]
    gone = pc.is_null(column, nan_is_null=pa.types.is_floating(column.type))
    if (row := pc.index(gone, True).as_py()) >= 0:
        raise Unreadable(f"column {entity} names no entity in row {table.start + row + 1}; fill it.")
    coded = pc.dictionary_encode(_plain(column)).combine_chunks()
    coded = coded.chunk(0) if isinstance(coded, pa.ChunkedArray) else coded
    return np.asarray(coded.indices).astype(int), [str(value) for value in coded.dictionary.to_pylist()]


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Categories as their words, and fractions that are whole (integers beside a gap) as integers."""
    if pa.types.is_dictionary(column.type):
        return pc.cast(column, column.type.value_type)
    if pa.types.is_floating(column.type) and pc.all(pc.equal(column, pc.floor(column))).as_py():
        return pc.cast(column, pa.int64())
    return column


def _tracks(parts: Sequence[_Part]) -> tuple[list[Track], list[np.ndarray], list[np.ndarray]]:
    tracks: list[Track] = []
    place: list[np.ndarray] = []
    instants: list[np.ndarray] = []
    start = 0
    for part in parts:
        whose = np.argsort(part.codes, kind="stable")
        ends = np.cumsum(np.bincount(part.codes, minlength=len(part.entities)))
        laid = np.empty(len(part.table), int)
        for entity, rows in zip(part.entities, np.split(whose, ends)[:-1], strict=True):
            track, stands, where = _track(part, rows, entity)
            laid[rows] = start + where
            start += len(track)
            tracks.append(track)
            place.append(stands)
        instants.append(laid)
    return tracks, place, instants


def _track(part: _Part, rows: np.ndarray, entity: str | None) -> tuple[Track, np.ndarray, np.ndarray]:
    """The track of these rows, `(T,)` the rows that stand for its instants, and the instant of each of `rows`."""
    times = None if part.clock.micro is None else part.clock.micro[rows]
    stands, where = rows, np.arange(len(rows))
    if times is not None and not (np.diff(times) > 0).all():
        times, where = np.unique(times, return_inverse=True)
        stands = np.empty(len(times), int)
        stands[where] = rows
    same = np.array_equal(stands, np.arange(len(part.table)))
    return Track(part.table if same else part.table.take(stands), times, entity), stands, where


def _told(parts: Sequence[_Part], guessed: bool) -> list[str]:
    """What was done to rows out of order and to rows of one time.

    Raises:
        Unreadable: a clock that nobody named stands still in most rows, as where several entities share it.
    """
    late = again = rows = 0
    for part in parts:
        if part.clock.micro is not None:
            order = np.lexsort((part.clock.micro, part.codes))
            again += int((_gaps(part, order) == 0).sum())
            late += int((_gaps(part, np.argsort(part.codes, kind="stable")) < 0).sum())
            rows += len(order)
    if guessed and 2 * again > rows:
        name = next(" ".join(part.clock.columns) or "the index" for part in parts if part.clock.micro is not None)
        raise Unreadable(
            f"{again} of {rows} rows have the time of another in {name}; name the column that tells series apart with "
            "entity=, name the column of times with time=, or count rows with time=None."
        )
    fell = [f"Times fall back in {late} rows; rows were sorted by time."] if late else []
    shared = "rows have the time of another; the last reading stands for the instant, and the others get its score."
    return [*fell, *([f"{again} {shared}"] if again else [])]


def _gaps(part: _Part, order: np.ndarray) -> np.ndarray:
    """Microseconds from row to row of the same entity, in this order."""
    assert part.clock.micro is not None
    return np.asarray(np.diff(part.clock.micro[order])[np.diff(part.codes[order]) == 0])
