"""What happened: events of a log with their times, as people and machines read them."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from anodiff.alarms.events import Event, events
from anodiff.data.log import Log
from anodiff.types import JSON, Scores


@dataclass(frozen=True)
class Happening:
    """One event of one track.

    Attributes:
        track: Which series, counted from 0.
        entity: Whose it is, where that is known.
        event: Places in the track of its start, end and peak, its score and p-value.
        start: Time of its first instant, microseconds since 1970 UTC; None without a clock.
        end: Of its last.
        peak: Of its highest score.
    """

    track: int
    entity: str | None
    event: Event
    start: int | None = None
    end: int | None = None
    peak: int | None = None

    def to_dict(self) -> JSON:
        """As JSON; times in ISO 8601, UTC."""
        named = {"entity": self.entity} if self.entity is not None else {}
        times = {name: stamp(getattr(self, name)) for name in ("start", "end", "peak")}
        given: dict[str, Any] = asdict(self.event)
        places = {f"{name}_instant": given.pop(name) for name in ("start", "end", "peak")}
        return {"track": self.track, **named, **{k: v for k, v in times.items() if v is not None}, **places, **given}


def happenings(
    log: Log,
    scores: Sequence[Scores],
    threshold: float,
    hold_off: int,
    p_value: Callable[[Scores], Scores] | None = None,
) -> list[Happening]:
    """The events of a log, one array of scores `(T,)` per track."""
    found = []
    for i, (track, own) in enumerate(zip(log.tracks, scores, strict=True)):
        for event in events(own, threshold, hold_off, p_value=p_value):
            found.append(happening(event, i, track.entity, track.times))
    return found


def happening(event: Event, track: int, entity: str | None, times: np.ndarray | None) -> Happening:
    """An event with its times."""
    if times is None:
        return Happening(track, entity, event)
    return Happening(track, entity, event, *(int(times[place]) for place in (event.start, event.end, event.peak)))


def stamp(micro: int | None) -> str | None:
    """Microseconds since 1970 as ISO 8601 in UTC, no finer than needed.

    >>> stamp(1_700_000_000_000_000)
    '2023-11-14T22:13:20Z'
    """
    if micro is None:
        return None
    unit = "s" if micro % 1_000_000 == 0 else "us"
    return f"{np.datetime64(micro, 'us').astype(f'datetime64[{unit}]')}Z"
