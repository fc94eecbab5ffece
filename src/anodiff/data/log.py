"""Time series from anywhere, as tracks: one series of one entity, in time order, one row per instant.

What is judged per instant goes back to the rows as they were given: `log.lay_out` of anything that each track has one
of per instant, where rows of one instant share its value.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa

from anodiff.data.channels import check_finite, matched, unified
from anodiff.data.clock import slots, step
from anodiff.data.pieces import pieces
from anodiff.data.tracks import Part, Track, part_of, told, tracks_of
from anodiff.types import Misfit, Refusal

__all__ = ["Log", "Track", "read_log", "slots", "step"]


@dataclass(frozen=True, eq=False)
class Layout:
    """How rows were given; attributes as those of `Log`."""

    instants: list[np.ndarray]
    shape: str
    keys: list[str]

    def of(self, per_track: Sequence[np.ndarray]) -> Any:
        """One array per track, `(T, ...)`, laid out as the rows were given: an array, or a list or dict of arrays."""
        joined = np.concatenate([np.asarray(values) for values in per_track]) if len(per_track) else np.empty(0)
        laid = [joined[rows] for rows in self.instants]
        if self.shape == "one":
            return laid[0]
        return laid if self.shape == "list" else dict(zip(self.keys, laid, strict=True))


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
        return self.layout.of(per_track)

    @property
    def layout(self) -> "Layout":
        """How rows were given, without the rows."""
        return Layout(self.instants, self.shape, self.keys)


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
    sources = [""] if shape == "one" else [f"{key or f'series {i + 1}'}: " for i, (key, _) in enumerate(given)]
    parts = []
    for (key, table), source in zip(given, sources, strict=True):
        with _saying(source):
            parts.append(part_of(table, key, shape, (time, entity), names or []))
    parts = _alike(parts, names, sources)
    tracks, place, instants = tracks_of(parts)
    said = dict.fromkeys(note for part in parts for note in part.clock.notes)
    return Log(
        tracks,
        place,
        instants,
        parts[0].table.names,
        shape,
        [key for key, _ in given if key is not None],
        [*notes, *said, *told(parts, guessed=time == "auto" and like is None)],
        _zone(parts),
    )


@contextmanager
def _saying(source: str) -> Iterator[None]:
    """Refusals that begin with the name of the series that they are about."""
    try:
        yield
    except Refusal as refusal:
        raise type(refusal)(f"{source}{refusal}") from None


def _alike(parts: Sequence[Part], names: Sequence[str] | None, sources: Sequence[str]) -> list[Part]:
    """The pieces with the same channels, those of fit or else of the first, of the same types, and finite."""
    tables = [part.table for part in parts]
    for i, (table, source) in enumerate(zip(tables, sources, strict=True)):
        check_finite(table, source)
        if i > 0 or names is not None:
            tables[i] = matched(table, tables[0].names if names is None else names, source, fit=names is not None)
    return [replace(part, table=table) for part, table in zip(parts, unified(tables), strict=True)]


def _zone(parts: Sequence[Part]) -> str | None:
    zones = {part.clock.zone for part in parts if part.clock.micro is not None}
    return zones.pop() if len(zones) == 1 else "UTC" if zones else None
