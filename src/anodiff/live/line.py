"""One entity of a stream: its instants in the order of time, and what is said of each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from anodiff.data.log import Track
from anodiff.happening import Happening, stamp
from anodiff.live.trail import Trail
from anodiff.live.vigil import Verdict, Vigil
from anodiff.timeline import Timeline
from anodiff.types import JSON

MOST = 8192
"""Instants of the grid that are scored at once."""
SET_BACK = 100
"""So many instants in a row that are too early: the clock was set back."""


@dataclass(frozen=True)
class Said:
    """What there is to say of one instant.

    Attributes:
        instant: Its place in the series of its entity, counted from 0; -1 where it was not taken.
        score: As `decision_function(X, causal=True)` would give; 0 while too little is known; NaN if not taken.
        p_value: How probably a normal instant scores as high.
        alarm: Whether the score exceeds the threshold in force.
        entity: Whose it is.
        time: Microseconds since 1970 UTC, where that is known.
        event: What it opens or closes.
        notes: Sentences for the user.
    """

    instant: int
    score: float
    p_value: float
    alarm: bool
    entity: str | None = None
    time: int | None = None
    event: Happening | None = None
    notes: tuple[str, ...] = ()

    def to_dict(self) -> JSON:
        """As JSON, without what is not there; times in ISO 8601, UTC."""
        event = None if self.event is None else self.event.to_dict()
        facts: JSON = {"instant": self.instant, "time": stamp(self.time), "entity": self.entity, "score": self.score}
        facts |= {"p_value": self.p_value, "alarm": self.alarm, "event": event, "notes": list(self.notes) or None}
        return {name: value for name, value in facts.items() if value is not None and value == value}


class Line:
    """Takes the instants of one entity; an earlier one than the last is not taken, the same one is read again.

    Args:
        timeline: What scores.
        vigil: What raises alarms.
        notes: Said of the first instant.
    """

    def __init__(self, timeline: Timeline, vigil: Vigil, notes: Sequence[str] = ()) -> None:
        self.timeline, self.vigil = timeline, vigil
        self.trail = Trail(timeline)
        self._notes, self._early = tuple(notes), 0

    def take(self, track: Track) -> list[Said]:
        """The next instants, in order; a refusal leaves all as it was."""
        track = self._timed(track)
        early, notes = self._too_early(track), self._notes
        if early and self._early + early >= SET_BACK:
            self.trail, early = Trail(self.timeline), 0
            notes = (*notes, "The clock was set back; what came before is forgotten.")
        said = [self._not_taken(track, i) for i in range(early)]
        for part in self._parts(sliced(track, early, len(track))):
            said += self._judged(part)
        self._early = self._early + early if early == len(track) else 0
        self._notes = ()
        return [replace(said[0], notes=(*notes, *said[0].notes)), *said[1:]] if notes and said else said

    def state(self) -> JSON:
        """What it remembers, as JSON."""
        return {"time": stamp(self.trail.time), **self.vigil.state()}

    def _timed(self, track: Track) -> Track:
        """The track with times; those that were not told are each one step after the one before, if that is known."""
        last, step = self.trail.time, self.timeline.modality.step_
        if track.times is not None or last is None or step is None:
            return track
        return replace(track, times=last + step * np.arange(1, len(track) + 1))

    def _too_early(self, track: Track) -> int:
        if track.times is None or self.trail.time is None:
            return 0
        return int((track.times < self.trail.time).sum())

    def _not_taken(self, track: Track, i: int) -> Said:
        time = None if track.times is None else int(track.times[i])
        note = f"{stamp(time)} is before the instant before it, {stamp(self.trail.time)}; it is not taken."
        return Said(-1, float("nan"), float("nan"), False, track.entity, time, notes=(note,))

    def _parts(self, track: Track) -> Iterator[Track]:
        """The track in parts that are scored at once: gaps in the clock take room too."""
        if not len(track):
            return
        grid = self.timeline.modality.grid(track.times, len(track), self.trail.time)
        if grid[-1] < MOST or len(track) == 1:
            yield track
            return
        middle = len(track) // 2
        yield from self._parts(sliced(track, 0, middle))
        yield from self._parts(sliced(track, middle, len(track)))

    def _judged(self, track: Track) -> list[Said]:
        again = track.times is not None and int(track.times[0]) == self.trail.time
        scores, judged = self.trail.scores(track, again)
        start, skip = self.vigil.place - int(again), int(again)
        heard = [self.vigil.value(float(scores[0]))] if again else []
        times = None if track.times is None else track.times[skip:]
        heard += self.vigil.hear(scores[skip:], judged[skip:], times)
        said = [self._said(track, i, start + i, float(scores[i]), verdict) for i, verdict in enumerate(heard)]
        if again:
            said[0] = replace(said[0], notes=("This instant was read before; the last reading stands.",))
        return said

    def _said(self, track: Track, i: int, place: int, score: float, verdict: Verdict) -> Said:
        time = None if track.times is None else int(track.times[i])
        notes = () if verdict.note is None else (verdict.note,)
        return Said(place, score, verdict.p_value, verdict.alarm, track.entity, time, verdict.event, notes)


def sliced(track: Track, start: int, stop: int) -> Track:
    """Instants `start` to `stop` - 1."""
    times = None if track.times is None else track.times[start:stop]
    return Track(track.table.slice(start, stop - start), times, track.entity)
