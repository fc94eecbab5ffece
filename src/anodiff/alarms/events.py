r"""Which instants belong to one alarm? Instants above the threshold are one event while quiet ones between are few,

.. math:: i < j \text{ neighbours above } t \text{ are of one event} \iff j - i \le \text{hold-off} ,

so that an event is over once `hold_off` instants in a row were quiet, and nobody needs to look ahead: `Watcher` says
while they come what `events` says afterwards. With a hold-off of 1 an event is a run of instants above the threshold.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from anodiff.alarms.base import finite
from anodiff.types import Misfit, Scores


@dataclass(frozen=True)
class Event:
    """Instants that are one alarm; `dataclasses.asdict` makes it JSON.

    Attributes:
        start: Place of its first instant above the threshold, counted from 0.
        end: Place of its last one so far, inclusive.
        peak: Place of its highest score, the first if several tie.
        score: The score there.
        p_value: How rarely normal scores peak so high; None where nobody was asked.
        open: Whether it was still going on, for all that was known.
    """

    start: int
    end: int
    peak: int
    score: float
    p_value: float | None
    open: bool

    @property
    def length(self) -> int:
        """Instants from start to end, both counted."""
        return self.end - self.start + 1


def events(
    scores: Scores,
    threshold: float,
    hold_off: int = 1,
    min_length: int = 1,
    p_value: Callable[[Scores], Scores] | None = None,
) -> list[Event]:
    """The events of a whole series, in order; the last is open where the series ends before the hold-off does.

    Args:
        scores: One per instant, `(n,)`.
        threshold: What an instant has to exceed.
        hold_off: So many quiet instants in a row end an event.
        min_length: Events that span fewer instants are left out.
        p_value: Of the scores at the peaks, such as `Blocks.event_p_value`.

    >>> events(np.array([0, 5, 0, 6, 0, 0, 0, 7.0]), 4, hold_off=2)[0]
    Event(start=1, end=3, peak=3, score=6.0, p_value=None, open=False)
    """
    scores, threshold = finite(scores), check_threshold(threshold)
    starts, ends, peaks = spans(scores, threshold, check_instants(hold_off))
    long = ends - starts + 1 >= check_instants(min_length, "min_length")
    starts, ends, peaks = starts[long], ends[long], peaks[long]
    highest = scores[peaks]
    p = [None] * len(peaks) if p_value is None or not len(peaks) else np.asarray(p_value(highest)).tolist()
    going = len(scores) - 1 - ends < hold_off
    return [
        Event(*row)
        for row in zip(*(a.tolist() for a in (starts, ends, peaks, highest)), p, going.tolist(), strict=True)
    ]


def spans(scores: Scores, threshold: float, hold_off: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places of starts, ends (inclusive) and peaks of the events, each `(events,)`."""
    above = np.flatnonzero(scores > threshold)
    if not len(above):
        return above, above, above
    first = np.append(0, np.flatnonzero(np.diff(above) > hold_off) + 1)
    last = np.append(first[1:], len(above)) - 1
    highest = np.maximum.reduceat(scores[above], first)
    at_peak = np.flatnonzero(scores[above] == np.repeat(highest, last - first + 1))
    return above[first], above[last], above[at_peak[np.searchsorted(at_peak, first)]]


class Watcher:
    """The same events while scores come, in bounded memory: said when one opens, and again when it is over.

    What it says closed, and what `flush` adds, are the `events` of everything it was given, however that was cut.
    Between two instants `threshold` may be changed; an event that runs goes on.

    >>> watcher = Watcher(threshold=4, hold_off=2)
    >>> [(event.start, event.end, event.open) for event in watcher.push(np.array([0, 5, 0, 6, 0, 0]))]
    [(1, 1, True), (1, 3, False)]
    """

    def __init__(
        self,
        threshold: float,
        hold_off: int = 1,
        min_length: int = 1,
        p_value: Callable[[Scores], Scores] | None = None,
    ) -> None:
        self.threshold = check_threshold(threshold)
        self.hold_off = check_instants(hold_off)
        self.min_length = check_instants(min_length, "min_length")
        self.p_value = p_value
        self.place = 0
        self._running: Event | None = None

    @property
    def running(self) -> Event | None:
        """The event that has not ended yet, however short; its p-value is not asked for before it is said."""
        return self._running

    def push(self, scores: npt.ArrayLike) -> list[Event]:
        """What the next score, or the next scores `(m,)`, open and close, in order; a refusal leaves all as it was."""
        return [event for score in finite(np.atleast_1d(scores)).tolist() for event in self.step(score)]

    def step(self, score: float) -> list[Event]:
        """`push` of one score that is known to be finite."""
        place, event = self.place, self._running
        self.place = place + 1
        if score > self.threshold:
            self._running = _longer(event, place, score)
            opens = self._running.length >= self.min_length and (event is None or event.length < self.min_length)
            return [self._said(self._running)] if opens else []
        if event is None or place - event.end < self.hold_off:
            return []
        self._running = None
        return [self._said(replace(event, open=False))] if event.length >= self.min_length else []

    def flush(self) -> list[Event]:
        """The event that the end of the series cuts off, still open; afterwards none is running."""
        event, self._running = self._running, None
        return [self._said(event)] if event and event.length >= self.min_length else []

    def _said(self, event: Event) -> Event:
        p = None if self.p_value is None else float(self.p_value(np.array([event.score]))[0])
        return replace(event, p_value=p)


def check_instants(count: int, name: str = "hold_off") -> int:
    """Refuse what is not a whole number from 1.

    >>> check_instants(0)
    Traceback (most recent call last):
    ...
    anodiff.types.Misfit: hold_off is 0; give a whole number of instants from 1.
    """
    if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
        raise Misfit(f"{name} is {count!r}; give a whole number of instants from 1.")
    return int(count)


def check_threshold(threshold: float) -> float:
    """Refuse NaN, below which nothing would ever be an alarm; infinity is a threshold that nothing exceeds."""
    if np.isnan(threshold):
        raise Misfit("threshold is nan; give a number, such as that of Blocks.threshold.")
    return float(threshold)


def _longer(event: Event | None, place: int, score: float) -> Event:
    if event is None:
        return Event(place, place, place, score, None, True)
    return replace(event, end=place, peak=place, score=score) if score > event.score else replace(event, end=place)
