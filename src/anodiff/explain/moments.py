"""Events of series, explained: whose evidence it was, since when, and what was expected instead."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from anodiff.data.log import Log
from anodiff.explain.causes import Alarms, Cause, causes
from anodiff.explain.located import Core
from anodiff.explain.moment import Blame, Moment
from anodiff.explain.telling import Teller
from anodiff.happening import Happening
from anodiff.modalities.series import Strip
from anodiff.timeline import Timeline
from anodiff.types import Misfit, Scores

if TYPE_CHECKING:
    from anodiff.detect_series import SeriesDetector

__all__ = ["Blame", "Moment", "Told", "explained", "moments"]


def moments(
    detector: "SeriesDetector",
    X: Any,
    *,
    top: int = 3,
    false_alarm_rate: float | None = None,
    causal: bool | None = None,
    most: int | None = None,
    units: Mapping[str, str] | None = None,
) -> list[Moment]:
    """The events of `X`, worst first.

    Args:
        detector: Fitted.
        X: Series with the channels of fit.
        top: So many channels are told of, per event.
        false_alarm_rate: Events per normal instant; by default the detector's.
        causal: Whether alarms were raised without looking ahead; by default as the modality says.
        most: Explain only so many events.
        units: Of the values, by channel, such as `{"oil": "°C"}`.

    Raises:
        Unreadable: X differs in its channels from what was fitted.
        Misfit: a unit is given for a channel that does not exist.
    """
    check(detector.model_, units, top)
    modality = detector.model_.modality
    log = modality.read(X)
    causal = bool(modality.causal if causal is None else causal)
    strips = [modality.strip(track) for track in log.tracks]
    scores = [detector.model_.totals(strip, causal) for strip in strips]
    found = detector.happenings(log, scores, false_alarm_rate=false_alarm_rate, causal=causal)
    told = Told(log, strips, scores, found, causal, false_alarm_rate)
    return explained(detector, told, top=top, most=most, units=units)


@dataclass(frozen=True, eq=False)
class Told:
    """A log that was judged.

    Attributes:
        log: What was given.
        strips: Of its tracks.
        scores: Of their instants.
        found: The events.
        causal: Whether scores look at the past only.
        rate: Events per normal instant that were asked for; None is the detector's.
    """

    log: Log
    strips: Sequence[Strip]
    scores: Sequence[Scores]
    found: Sequence[Happening]
    causal: bool = False
    rate: float | None = None


def explained(
    detector: "SeriesDetector",
    told: Told,
    *,
    top: int = 3,
    most: int | None = None,
    units: Mapping[str, str] | None = None,
) -> list[Moment]:
    """`moments` of a log that was judged already."""
    check(detector.model_, units, top)
    worst = sorted(told.found, key=lambda each: -each.event.score)[:most]
    teller = Teller(detector.model_, told.log, told.strips, dict(units or {}), top)
    with torch.inference_mode():
        found = _caused(detector, told, worst)
        cores: dict[int, list[Core]] = {}
        for cause in found:
            cores.setdefault(cause.happening.track, []).append(cause.core)
        return [teller.moment(cause, cores[cause.happening.track]) for cause in found]


def _caused(detector: "SeriesDetector", told: Told, worst: Sequence[Happening]) -> list[Cause]:
    """What set off each of the alarms; worst first, and the worst takes its instants first."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        threshold = detector.threshold(detector.false_alarm_rate_ if told.rate is None else told.rate, told.causal)
    p_value = detector.alarm_(told.causal).event_p_value
    alarms = Alarms(threshold, detector.hold_off_, p_value, told.causal)
    found: list[Cause] = []
    for each in worst:
        taken = [cause.core for cause in found if cause.happening.track == each.track]
        strip, scores, times = told.strips[each.track], told.scores[each.track], told.log.tracks[each.track].times
        found += causes(detector.model_, strip, scores, each, alarms, taken, times)
    return sorted(found, key=lambda cause: -cause.happening.event.score)


def check(timeline: Timeline, units: Mapping[str, str] | None, top: int) -> None:
    """Refuse units of no channel, and no channels to tell of."""
    columns = timeline.modality.columns
    for name in units or {}:
        if name not in columns:
            raise Misfit(f"units name {name!r}, which is no channel; the channels are {', '.join(columns[:10])}.")
    if top < 1:
        raise Misfit(f"top is {top}; tell of at least one channel per event.")
