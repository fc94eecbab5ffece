"""One series per entity, in time order, one row per instant: how rows become tracks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anodiff.data.clock import Clock, clock_of
from anodiff.data.drop import without
from anodiff.data.instants import undone
from anodiff.data.table import Table
from anodiff.types import Misfit, Unreadable


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
class Part:
    """One piece of what was given: channels, clock, and whose each row is, `codes` `(n,)` into `entities`."""

    table: Table
    clock: Clock
    codes: np.ndarray
    entities: list[str | None]


def column_of(name: str | int | None, table: Table) -> str | None:
    """The name of a column; a whole number is the name that pandas gives by itself, or a position in an array."""
    if name is None or isinstance(name, str) or str(name) in table.names:
        return None if name is None else str(name)
    return f"x{name}"


def part_of(
    table: Table, key: str | None, shape: str, asked: tuple[str | int | None, ...], like: Sequence[str]
) -> Part:
    """The piece `key`, with the clock and the entities that are asked for; `like` names columns that are channels.

    Raises:
        Misfit: a column that is asked for is not there.
        Unreadable: it holds no times, or nobody's name, or there is nothing beside it.
    """
    time, entity = (column_of(name, table) for name in asked)
    codes, entities = _entities(table, key, entity, shape)
    clock = clock_of(without(table, [entity] if entity else []), time, like, codes)
    aside = [name for name in table.names if name in clock.columns or name == entity]
    channels = without(table, aside)
    if not channels.names:
        raise Unreadable(f"there is no channel beside {' and '.join(aside) or 'the clock'}; give at least one.")
    return Part(channels, clock, codes, entities)


def _entities(table: Table, key: str | None, entity: str | None, shape: str) -> tuple[np.ndarray, list[str | None]]:
    if entity is None or (shape == "dict" and entity not in table.names):
        return np.zeros(len(table), int), [key]
    if entity not in table.names:
        names = ", ".join(table.names[:10])
        raise Misfit(f"there is no column {entity} to tell series apart by; the table has {names}.")
    column = undone(table.arrow[entity])
    gone = pc.is_null(column, nan_is_null=pa.types.is_floating(column.type))
    if (row := pc.index(gone, True).as_py()) >= 0:
        raise Unreadable(f"column {entity} names no entity in row {table.start + row + 1}; fill it.")
    coded = pc.dictionary_encode(_plain(column)).combine_chunks()
    coded = coded.chunk(0) if isinstance(coded, pa.ChunkedArray) else coded
    return np.asarray(coded.indices).astype(int), [str(value) for value in coded.dictionary.to_pylist()]


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Fractions that are whole (integers beside a gap) as integers."""
    whole = pa.types.is_floating(column.type) and pc.all(pc.equal(column, pc.floor(column))).as_py()
    return pc.cast(column, pa.int64()) if whole else column


def tracks_of(parts: Sequence[Part]) -> tuple[list[Track], list[np.ndarray], list[np.ndarray]]:
    """All tracks, the rows that stand for their instants, and per piece the instant of each row."""
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


def _track(part: Part, rows: np.ndarray, entity: str | None) -> tuple[Track, np.ndarray, np.ndarray]:
    """The track of these rows, `(T,)` the rows that stand for its instants, and the instant of each of `rows`."""
    times = None if part.clock.micro is None else part.clock.micro[rows]
    stands, where = rows, np.arange(len(rows))
    if times is not None and not (np.diff(times) > 0).all():
        times, where = np.unique(times, return_inverse=True)
        stands = np.empty(len(times), int)
        stands[where] = rows
    same = np.array_equal(stands, np.arange(len(part.table)))
    return Track(part.table if same else part.table.take(stands), times, entity), stands, where


def told(parts: Sequence[Part], guessed: bool) -> list[str]:
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
    fell = [f"Times fall back in {_rows(late, '')}; rows were sorted by time."] if late else []
    shared = "the time of another; the last reading stands for the instant, and the others get its score."
    return [*fell, *([f"{_rows(again, ' has', ' have')} {shared}"] if again else [])]


def _rows(count: int, one: str, more: str = "") -> str:
    return f"{count} row{one}" if count == 1 else f"{count} rows{more}"


def _gaps(part: Part, order: np.ndarray) -> np.ndarray:
    """Microseconds from row to row of the same entity, in this order."""
    assert part.clock.micro is not None
    return np.asarray(np.diff(part.clock.micro[order])[np.diff(part.codes[order]) == 0])
