r"""Do the series still look like those of fit? For each channel the level of windows, short alarms aside, held
against those of windows of fit,

.. math:: \text{moved} = \frac{|\{w : \bar x_w \notin [q_{0.005}, q_{0.995}]\}|}{|\{w\}|} ,

and likewise for the scores, block by block, those of the held-out stretches.
"""

from collections.abc import Sequence

import numpy as np
import torch

from anodiff.detect_series import SeriesDetector
from anodiff.explain.moments import Told
from anodiff.explain.normals import normals
from anodiff.modalities.laid import Laid
from anodiff.modalities.series import Strip
from anodiff.report.series_overview import axis_of
from anodiff.types import JSON

NOTABLE = 0.2
"""Share of the windows beyond which a channel has moved."""
LASTING = 10
"""An alarm of more windows than that is no event but may be a drift."""
FEWEST = 5
HIGH = 0.05
SHOWN = 3
POINTS = 60


def drift(detector: SeriesDetector, told: Told) -> JSON:
    """What moved: channels, largest share of moved windows first, and scores."""
    channels = levels(detector, told)
    return {
        "channels": channels,
        "moved": [each["name"] for each in channels if each["moved"] > NOTABLE],
        "scores": moved_scores(detector, told),
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


def moved_scores(detector: SeriesDetector, told: Told) -> JSON:
    """The share of blocks, but for short alarms, whose median score is that of the highest `HIGH` held-out instants.

    Not known where fewer than `FEWEST` blocks are judged.
    """
    alarm = detector.alarm_(told.causal)
    length = max(alarm.block_, detector.model_.longest + detector.model_.smooth)
    calm = [scores[~_loud(told, i, len(scores), length)] for i, scores in enumerate(told.scores)]
    now = np.array([np.median(part) for each in calm for part in _blocks(each, length)])
    limit = float(np.quantile(np.concatenate(alarm.stretches_), 1 - HIGH))
    known = len(now) >= FEWEST
    return {"known": known, "higher": float((now > limit).mean()) if known else 0.0}


def _blocks(scores: np.ndarray, length: int) -> list[np.ndarray]:
    return [scores[i : i + length] for i in range(0, len(scores) - length + 1, length)]


def _loud(told: Told, i: int, instants: int, length: int, at: np.ndarray | None = None) -> np.ndarray:
    """Which of so many instants of a track, or of its grid, are in an alarm of at most `LASTING` windows."""
    loud, at = np.zeros(instants, bool), np.arange(instants) if at is None else at
    for each in told.found:
        if each.track == i and each.event.length <= LASTING * length:
            loud[int(at[each.event.start]) : int(at[each.event.end]) + 1] = True
    return loud


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
    loud = torch.from_numpy(_loud(told, i, len(strip), length, strip.at))
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
