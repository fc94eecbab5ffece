"""The facts of a report of series, before anyone decides how they look."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from anodiff.alarms.rates import PER
from anodiff.detect_series import SeriesDetector
from anodiff.explain.moment import Moment
from anodiff.explain.moment_words import lasting
from anodiff.explain.moments import Told, explained
from anodiff.report.citing import works
from anodiff.report.series_calibration import measured
from anodiff.report.series_drift import drift
from anodiff.report.series_overview import overview
from anodiff.report.series_shown import drawn, listed
from anodiff.report.series_words import headline, limits, trust
from anodiff.types import JSON
from anodiff.version import __version__

WORST = 6
CHANNELS = 3
LISTED = 200


@dataclass(frozen=True)
class SeriesFindings:
    """Everything that a report of series says.

    Attributes:
        headline: The answer in one sentence.
        model: What was learnt, from what, how.
        channels: Per channel its kind and what is normal.
        alarms: Rate, threshold, the statement behind them, the calibration curve.
        data: Instants, alarms, events, seconds; None where no data were given.
        worst: The worst events, explained, with what to draw.
        listed: All alarms, at most 200, in order of time.
        overview: Tracks from far.
        drift: What moved; None without data.
        trust: Checks, each good or not, in words.
        limits: What it cannot do.
        notes: What was done to the data to read them.
        references: The works behind it.
    """

    headline: str
    model: JSON
    channels: list[JSON]
    alarms: JSON
    data: JSON | None
    worst: list[JSON]
    listed: list[JSON]
    overview: list[JSON]
    drift: JSON | None
    trust: list[JSON]
    limits: list[str]
    notes: list[str]
    references: list[JSON]

    def to_dict(self) -> JSON:
        """As nested dicts and lists."""
        return asdict(self)


def series_findings(
    detector: SeriesDetector,
    data: Any = None,
    model: str = "",
    name: str = "",
    units: Mapping[str, str] | None = None,
) -> SeriesFindings:
    """Gather the facts of a fitted detector and, if given, of data.

    Args:
        detector: Fitted.
        data: What `SeriesDetector.fit` reads.
        model: Where it is saved, for the report to name.
        name: What to call the data; their path, if not given.
        units: Of the values, by channel.
    """
    described, alarms = _learnt(detector, model), _alarms(detector)
    numeric = detector.model_.modality.channels_.numeric
    if data is None:
        told, moments, about, moved = None, [], None, None
    else:
        began = time.perf_counter()
        told = judged(detector, data)
        seconds = time.perf_counter() - began
        moments = explained(detector, told, top=CHANNELS, most=WORST, units=units)
        about = _about(detector, told, moments, name or _named(data), seconds)
        moved = drift(detector, told)
    return SeriesFindings(
        headline(about, alarms, described),
        described,
        detector.model_.modality.describe(),
        alarms,
        about,
        [] if told is None else [drawn(told, each, numeric) for each in moments],
        [] if told is None else [listed(told, each) for each in told.found[:LISTED]],
        [] if told is None else overview(told, moments, numeric, alarms["threshold"]),
        moved,
        trust(alarms, about, moved),
        limits(alarms, described),
        [] if told is None else list(dict.fromkeys([*told.log.notes, *detector.model_.modality.notes_])),
        works(detector.references()),
    )


def judged(detector: SeriesDetector, data: Any) -> Told:
    """Data with their scores and events."""
    modality = detector.model_.modality
    log = modality.read(data)
    strips = [modality.strip(track) for track in log.tracks]
    with torch.inference_mode():
        scores = [detector.model_.totals(strip, bool(modality.causal)) for strip in strips]
    return Told(log, strips, scores, detector.happenings(log, scores), bool(modality.causal))


def _alarms(detector: SeriesDetector) -> JSON:
    alarm, rate = detector.alarm_(), detector.false_alarm_rate_
    return {
        "rate": rate,
        "per_day": detector.false_alarms_per_day_,
        "threshold": detector.threshold_,
        "supported": alarm.supported_rate,
        "held_out": alarm.instants_,
        "hold_off": detector.hold_off_,
        "statement": detector.statement(),
        "curve": measured(alarm.stretches_, detector.hold_off_, rate * PER),
    }


def _learnt(detector: SeriesDetector, path: str) -> JSON:
    line = detector.model_
    facts, modality = line.facts, line.modality
    return {
        "path": path,
        "anodiff": __version__,
        "recipe": line.recipe.name,
        "about": line.recipe.about,
        "settings": line.recipe.model_dump(mode="json"),
        "instants": facts["rows_fitted"],
        "tracks": facts["tracks"],
        "channels": len(modality.columns),
        "entities": len(modality.entities_),
        "step": modality.step_,
        "period": modality.period_,
        "smooth": line.smooth,
        "reach": line.longest + line.smooth // 2,
        "causal": bool(modality.causal),
        "seconds": facts["seconds"],
        "evaluations": line.nfe,
        "contamination": detector.contamination_,
        "seed": detector.seed,
        "members": [_member(detector, name) for name in line.members],
    }


def _member(detector: SeriesDetector, name: str) -> JSON:
    line, asked = detector.model_, detector.model_.recipe.scores[name]
    spec, view = line.recipe.denoisers[str(asked.of)], line.view(name)
    seen = {"none": "as they are", "centre": "less their mean", "unit": "by shape alone", "soft": "mostly by shape"}
    step = line.modality.step_
    return {
        "name": name,
        "asks": asked.use,
        "of": spec.use,
        "weight": asked.weight,
        "window": view.length,
        "points": view.points,
        "passed": None if step is None else lasting(view.length * step),
        "seen": seen[view.normalise],
    }


def _about(detector: SeriesDetector, told: Told, moments: Sequence[Moment], name: str, seconds: float) -> JSON:
    count = sum(map(len, told.log.tracks))
    step = detector.model_.modality.step_
    clocked = step is not None and all(track.times is not None for track in told.log.tracks)
    inside = sum(each.event.length for each in told.found)
    known = [strip.known.float().mean() for strip in told.strips if len(strip)]
    return {
        "name": name,
        "instants": count,
        "tracks": len(told.log.tracks),
        "passed": count * step if clocked and step is not None else None,
        "alarms": len(told.found),
        "events": len(moments) + max(0, len(told.found) - WORST),
        "expected": detector.false_alarm_rate_ * count,
        "share_in_alarm": inside / max(count, 1),
        "missing": float(1 - np.mean(known)) if known else 0.0,
        "seconds": seconds,
        "zone": told.log.zone,
    }


def _named(data: Any) -> str:
    return str(data) if isinstance(data, str) or hasattr(data, "__fspath__") else "the series given"
