r"""A series as it is seen from far: per column of the picture the lowest and the highest value,

.. math:: \ell_k = \min_{t \in I_k} x_t, \quad h_k = \max_{t \in I_k} x_t, \qquad
          I_1, \dots, I_K \text{ equal shares of the time,}

so that no spike is lost and a million instants draw as fast as a thousand.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from anodiff.data.log import Track
from anodiff.explain.moments import Moment, Told
from anodiff.modalities.channels import matrix
from anodiff.types import JSON

COLUMNS = 800
TRACKS, CHANNELS = 4, 4
LEVELS = 12
"""Categories that a picture tells apart."""


def overview(told: Told, moments: Sequence[Moment], numeric: Sequence[str], threshold: float) -> list[JSON]:
    """The tracks of the worst events, at most `TRACKS`, each with its score and its most telling channels."""
    order = list(dict.fromkeys([m.happening.track for m in moments] + list(range(len(told.log.tracks)))))[:TRACKS]
    return [_track(told, moments, i, numeric, threshold, CHANNELS if len(order) == 1 else 2) for i in order]


def envelope(place: np.ndarray, values: np.ndarray, span: tuple[float, float], columns: int = COLUMNS) -> JSON:
    """Lowest and highest of `values` `(T,)` per column of the `span`; None where there is none.

    >>> envelope(np.arange(4.0), np.array([1.0, 5.0, np.nan, 2.0]), (0, 4), 2)
    {'low': [1.0, 2.0], 'high': [5.0, 2.0]}
    """
    seen = np.isfinite(values)
    width = max(span[1] - span[0], 1e-12)
    column = np.clip(((place[seen] - span[0]) / width * columns).astype(int), 0, columns - 1)
    low, high = np.full(columns, np.inf), np.full(columns, -np.inf)
    np.minimum.at(low, column, values[seen])
    np.maximum.at(high, column, values[seen])
    return {name: [float(v) if np.isfinite(v) else None for v in side] for name, side in (("low", low), ("high", high))}


def telling(moments: Sequence[Moment], names: Sequence[str], most: int) -> list[str]:
    """The channels with the largest shares in the events; the first ones where there are no events."""
    total = dict.fromkeys(names, 0.0)
    for each in moments:
        for name, share in each.shares.items():
            total[name] += share
    return sorted(names, key=lambda name: -total[name])[:most]


def axis_of(track: Track) -> np.ndarray:
    """Where the instants of a track lie `(T,)`: microseconds since 1970 UTC, or counted."""
    return (np.arange(len(track)) if track.times is None else track.times).astype(np.float64)


def numbers_of(track: Track, name: str, numeric: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """A channel `(T,)` as numbers, and the categories they stand for."""
    if name in numeric:
        return matrix(track.table, [name])[:, 0], []
    coded = track.table.arrow[name].cast(pa.string()).dictionary_encode().combine_chunks()
    coded = coded.chunk(0) if isinstance(coded, pa.ChunkedArray) else coded
    levels = [str(level) for level in coded.dictionary.to_pylist()]
    codes = coded.indices.to_numpy(zero_copy_only=False).astype(np.float64)
    return np.where(codes < LEVELS, codes, np.nan), levels[:LEVELS]


def _track(told: Told, moments: Sequence[Moment], i: int, numeric: Sequence[str], threshold: float, most: int) -> JSON:
    track = told.log.tracks[i]
    own = [(k, m) for k, m in enumerate(moments, 1) if m.happening.track == i]
    place = axis_of(track)
    span = (float(place[0]), float(place[-1])) if len(place) else (0.0, 1.0)
    columns = min(COLUMNS, max(1, len(place)))
    channels = []
    for name in telling([m for _, m in own] or moments, told.log.names, most):
        values, levels = numbers_of(track, name, numeric)
        channels.append({"name": name, "levels": levels, **envelope(place, values, span, columns)})
    return {
        "track": i,
        "entity": track.entity,
        "clock": track.times is not None,
        "span": list(span),
        "threshold": threshold,
        "score": envelope(place, told.scores[i], span, columns),
        "channels": channels,
        "alarms": [_between(place, each.event.start, each.event.end) for each in told.found if each.track == i],
        "events": [{"number": k, **_between(place, m.start, m.end)} for k, m in own],
    }


def _between(place: np.ndarray, start: int, end: int) -> JSON:
    return {"from": float(place[start]), "to": float(place[end])}
