"""What set an alarm off. Smoothing lets alarms run into each other: what one core cannot reach has another.

An instant's score can be high by evidence at most `reach` away: half the smoothing and the longest window, or, where
scores look at the past only, all of both, backwards.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from anodiff.alarms.events import Event, spans
from anodiff.explain.located import Core, Span, located
from anodiff.happening import Happening, happening
from anodiff.modalities.series import Strip
from anodiff.timeline import Timeline
from anodiff.types import Scores

MOST = 5
"""Causes that are looked for in one alarm."""


@dataclass(frozen=True, eq=False)
class Cause:
    """A core, and the part of an alarm that it explains; `within` is the alarm, if there was a worse cause in it."""

    happening: Happening
    core: Core
    within: Happening | None = None


@dataclass(frozen=True)
class Alarms:
    """What raised them: a threshold, instants that end an event, p-values of peaks, whether without looking ahead."""

    threshold: float
    hold_off: int
    p_value: Callable[[Scores], Scores]
    causal: bool = False


def causes(
    timeline: Timeline,
    strip: Strip,
    scores: Scores,
    alarm: Happening,
    alarms: Alarms,
    taken: Sequence[Core],
    times: np.ndarray | None,
) -> list[Cause]:
    """The causes of one alarm, worst first: at least one.

    Args:
        timeline: What scored.
        strip: What holds it.
        scores: Of the instants of the track.
        alarm: The alarm.
        alarms: How it was raised.
        taken: Cores that others were given.
        times: Of the instants of the track, where it has a clock.
    """
    found, left = list[Cause](), scores[alarm.event.start : alarm.event.end + 1].copy()
    event = alarm.event
    while len(found) < MOST:
        start, end, peak = (int(strip.at[place]) for place in (event.start, event.end, event.peak))
        span = Span(start, end, peak, alarms.causal)
        core = located(timeline, strip, span, [*taken, *(cause.core for cause in found)])
        told = alarm if not found else happening(event, alarm.track, alarm.entity, times)
        found.append(Cause(told, core, alarm if len(found) else None))
        left[_reached(timeline, core, strip.at[alarm.event.start : alarm.event.end + 1], alarms.causal)] = -np.inf
        rest = _worst(left, alarms)
        if rest is None:
            break
        event = replace(rest, start=rest.start + alarm.event.start, end=rest.end + alarm.event.start,
                        peak=rest.peak + alarm.event.start)  # fmt: skip
    return found


def _reached(timeline: Timeline, core: Core, at: np.ndarray, causal: bool) -> np.ndarray:
    """Which instants, at these places, a core may have raised."""
    around = timeline.longest + timeline.smooth // 2
    before, after = (0, timeline.reach) if causal else (around, around)
    return np.asarray((at >= core.start - before) & (at <= core.end + after))


def _worst(left: Scores, alarms: Alarms) -> Event | None:
    """The highest event in what is left of the scores of an alarm; places count from its start."""
    starts, ends, peaks = spans(left, alarms.threshold, alarms.hold_off)
    if not len(peaks):
        return None
    worst = int(np.argmax(left[peaks]))
    peak = int(peaks[worst])
    p = float(alarms.p_value(left[[peak]])[0])
    return Event(int(starts[worst]), int(ends[worst]), peak, float(left[peak]), p, open=False)
