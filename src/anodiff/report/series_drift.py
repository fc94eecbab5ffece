r"""Do the series still look like those of fit? For each channel the level of windows, short alarms aside, held
against those of windows of fit,

.. math:: \text{moved} = \frac{|\{w : \bar x_w \notin [q_{0.005}, q_{0.995}]\}|}{|\{w\}|} ,

and for the scores the change-point test of `alarms.follow`.
"""

from collections.abc import Sequence

import numpy as np
import torch

from anodiff.alarms.follow import Follower
from anodiff.alarms.rates import PER
from anodiff.detect_series import SeriesDetector
from anodiff.explain.moments import Told
from anodiff.explain.normals import normals
from anodiff.modalities.laid import Laid
from anodiff.modalities.series import Strip
from anodiff.report.series_overview import axis_of
from anodiff.types import JSON, Misfit

NOTABLE = 0.2
"""Share of the windows beyond which a channel has moved."""
LASTING = 10
"""An alarm of more windows than that is no event but may be a drift."""
FEWEST = 5
SHOWN = 3
POINTS = 60
FOLLOWED = 100_000
"""Instants of scores that are followed."""


def drift(detector: SeriesDetector, told: Told) -> JSON:
    """What moved: channels, largest share of moved windows first, and what is said of the scores."""
    channels = levels(detector, told)
    return {
        "channels": channels,
        "moved": [each["name"] for each in channels if each["moved"] > NOTABLE],
        "scores": followed(detector, told),
    }


def levels(detector: SeriesDetector, told: Told) -> list[JSON]:
    """Per numeric channel the levels of windows over time, those of fit, and how many have moved."""
    modality = detector.model_.modality
    length, usual = _usual(detector)
    ranges = np.quantile(usual, [0.005, 0.5, 0.995], axis=0)
    found = [_levels(told, i, strip, length) for i, strip in enumerate(told.strips)]
    x, quiet = (np.concatenate([parts[k] for parts in found]) for k in (0, 2))
    own, place = told.strips[0].entity, found[0][1]
    points = min(POINTS, max(1, len(told.strips[0]) // max(1, modality.period_)))
    facts = []
    for c, name in enumerate(modality.channels_.numeric):
        calm = x[quiet, c]
        outside = (calm < ranges[0, c]) | (calm > ranges[2, c])
        scale, mean = (float(each[own, c]) for each in (modality.channels_.scale, modality.channels_.mean))
        facts.append(
            {
                "name": name,
                "moved": float(outside.mean()) if len(calm) >= FEWEST else 0.0,
                "usual": [float(v) for v in ranges[:, c] * scale + mean],
                "now": float(np.median(calm) * scale + mean) if len(calm) else None,
                "trace": _trace(place, found[0][0][:, c] * scale + mean, points),
                "clock": told.log.tracks[0].times is not None,
            }
        )
    return sorted(facts, key=lambda fact: -float(str(fact["moved"])))


def followed(detector: SeriesDetector, told: Told) -> JSON:
    """What the change-point test says of the scores of the longest track."""
    rate = (detector.false_alarm_rate_ if told.rate is None else told.rate) * PER
    longest = max(range(len(told.scores)), key=lambda i: len(told.scores[i]))
    scores = told.scores[longest][:FOLLOWED]
    try:
        follower = Follower(detector.alarm_(told.causal), rate)
    except Misfit as error:
        return {"known": False, "words": f"whether scores drift is not known: {error}", "since": None}
    said = follower.push(scores)
    if not said:
        return {"known": True, "words": "", "since": None}
    return {"known": True, "words": said[0].words, "since": int(said[0].since), "track": longest}


def _usual(detector: SeriesDetector) -> tuple[int, np.ndarray]:
    """Length of a window, and the levels `(m, width)` of windows of fit: of those kept as they were, else by scale."""
    modality = detector.model_.modality
    kept = [each for each in normals(detector.model_) if each.raw and each.rows is not None]
    if kept:
        longest = max(kept, key=lambda each: each.view.length)
        assert longest.rows is not None
        return longest.view.length, longest.rows.mean(2).double().numpy()
    spread = np.array([[-2.6], [0.0], [2.6]]) * np.ones(modality.width)
    return detector.model_.longest, spread


def _levels(told: Told, i: int, strip: Strip, length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means `(k, width)` of windows end to end, where they begin on the axis, and which are in no short alarm."""
    count = max(1, len(strip) // length)
    size = min(length, len(strip))
    x = Laid.of(strip).x[: count * size].reshape(count, size, -1).mean(1).double().numpy()
    loud = torch.zeros(len(strip), dtype=torch.bool)
    for each in told.found:
        if each.track == i and each.event.length <= LASTING * length:
            loud[int(strip.at[each.event.start]) : int(strip.at[each.event.end]) + 1] = True
    seen = strip.known.any(1)[: count * size].reshape(count, size).float().mean(1) > 0.5
    quiet = ~loud[: count * size].reshape(count, size).any(1) & seen
    first = np.searchsorted(strip.at, np.arange(count) * size)
    axis = axis_of(told.log.tracks[i])
    return x, axis[np.minimum(first, len(axis) - 1)], quiet.numpy()


def _trace(place: np.ndarray, values: np.ndarray, points: int) -> JSON:
    """At most so many means over time."""
    parts: Sequence[np.ndarray] = np.array_split(np.arange(len(place)), max(1, min(points, len(place))))
    return {
        "place": [float(place[part[0]]) for part in parts if len(part)],
        "level": [float(np.mean(values[part])) for part in parts if len(part)],
    }
