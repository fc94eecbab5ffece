r"""The volume under the surface: areas under curves of anomalies whose borders are soft, averaged over how soft.

With slack w an instant at distance :math:`d \le w / 2` of an event is anomalous by :math:`\sqrt{1 - d / w}`, summed
over events up to 1. Let A be the number of alarms, S the softness among them, H the hits among all P anomalous
instants and E the share of soft events with an alarm, then

.. math:: \text{recall} = E \min\Big(\frac{H + S}{P + S / 2}, 1\Big), \quad \text{precision} = \frac{H + S}{A}

at 250 thresholds, and VUS is the mean of the area over :math:`w = 0 \dots \text{window}`. Paparrizos, Boniol, Palpanas,
Tsay, Elmore and Franklin, "Volume Under the Surface: A New Accuracy Evaluation Measure for Time-Series Anomaly
Detection", 2022; as computed for the leaderboard of Liu and Paparrizos, "The Elephant in the Room: Towards A Reliable
Time-Series Anomaly Detection Benchmark" (TSB-AD), 2024.
"""

import operator
from typing import NamedTuple

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal import argrelextrema

from anodiff.metrics.segments import scored, segments
from anodiff.types import Misfit, Scores, Unreadable

THRESHOLDS = 250


class Volume(NamedTuple):
    """VUS-ROC and VUS-PR; both are 1 at best."""

    roc: float
    pr: float


def vus(labels: np.ndarray, scores: Scores, window: int) -> Volume:
    """VUS-ROC and VUS-PR of `scores` `(n,)` for `labels` `(n,)` of 0 and 1; the benchmark's window is `period(series)`.

    Equal to TSB-AD's `RangeAUC_volume_opt` with 250 thresholds.

    Raises:
        Misfit: no instant is anomalous, or all are, or the window is no integer from 0.
        Unreadable: labels other than 0 and 1, scores that are not finite, or lengths that differ.

    >>> vus([0, 0, 1, 0], [0.0, 0.1, 0.9, 0.2], 0)
    Volume(roc=1.0, pr=1.0)
    """
    truth, found = scored(labels, scores)
    window = _window(window)
    rank = _rank(found)
    alarms = _up_to(rank)
    softness, existence = _soften(truth, rank, window)
    mass = _up_to(rank[truth]) + softness
    positives = truth.sum() + softness / 2
    recall = np.minimum(mass / positives, 1) * existence
    fall_out = (alarms - mass) / (len(truth) - positives)
    curve = np.pad(recall, ((0, 0), (1, 1)), constant_values=(0, 1))
    width = np.diff(np.pad(fall_out, ((0, 0), (1, 1)), constant_values=(0, 1)))
    roc = (width * (curve[:, 1:] + curve[:, :-1]) / 2).sum(1)
    pr = (np.diff(curve[:, :-1]) * mass / alarms).sum(1)
    return Volume(float(roc.mean()), float(pr.mean()))


def vus_roc(labels: np.ndarray, scores: Scores, window: int) -> float:
    """VUS-ROC alone, see `vus`."""
    return vus(labels, scores, window).roc


def vus_pr(labels: np.ndarray, scores: Scores, window: int) -> float:
    """VUS-PR alone, see `vus`."""
    return vus(labels, scores, window).pr


def period(series: np.ndarray) -> int:
    """Lag of the highest peak of the autocorrelation of `series` `(n,)`, or of channel 0 of `(n, channels)`.

    Of the first 20,000 instants; 125 where no peak stands at a lag from 6 to 303. Equal to TSB-AD's
    `find_length_rank(data[:, 0].reshape(-1, 1), rank=1)`, the window of its benchmark.

    Raises:
        Unreadable: a series that is empty, not finite, or of more than two axes.

    >>> period(np.sin(np.arange(1000) * 2 * np.pi / 50))
    50
    """
    found = np.asarray(series, dtype=np.float64)
    if found.ndim not in (1, 2) or not found.size or not np.isfinite(found).all():
        raise Unreadable(f"the series {found.shape} is empty or not finite; give numbers (n,) or (n, channels).")
    correlation = _autocorrelation((found if found.ndim == 1 else found[:, 0])[:20_000])[3:401]
    peaks = argrelextrema(correlation, np.greater)[0]
    if not len(peaks):
        return 125
    highest = int(peaks[np.argmax(correlation[peaks])])
    return highest + 3 if 3 <= highest <= 300 else 125


def _autocorrelation(series: np.ndarray) -> np.ndarray:
    """Of all lags `(n,)`, not corrected for the number of pairs; 0 for a constant."""
    centred = series - series.mean()
    size = next_fast_len(2 * len(series), real=True)
    covariance = irfft(np.abs(rfft(centred, size)) ** 2, size)[: len(series)]
    return covariance / covariance[0] if covariance[0] > 0 else np.zeros(len(series))


def _window(window: int) -> int:
    try:
        number = operator.index(window)
    except TypeError:
        number = -1
    if number < 0:
        raise Misfit(f"window is {window!r}; give an integer from 0, such as the period of the series.")
    return number


def _rank(scores: Scores) -> np.ndarray:
    """Which of the thresholds, from the highest, is the first that each score `(n,)` reaches."""
    chosen = np.linspace(0, len(scores) - 1, THRESHOLDS).astype(int)
    return np.searchsorted(np.sort(-scores)[chosen], -scores)


def _up_to(rank: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Weight of what alarms at each threshold `(thresholds,)`."""
    return np.cumsum(np.bincount(rank, weights, THRESHOLDS))


def _soften(truth: np.ndarray, rank: np.ndarray, window: int) -> tuple[np.ndarray, np.ndarray]:
    """Softness among the alarms, and the share of soft events with an alarm, both `(window + 1, thresholds)`.

    Instants beside an event stand in the order of their distance to it, those of one slack are a prefix.
    """
    events, reach = segments(truth), np.arange(1, window // 2 + 1)[:, None]
    beside = np.concatenate([events[:, 0] - reach, events[:, 1] - 1 + reach], axis=1)
    inside = (beside >= 0) & (beside < len(truth))
    beside = beside.clip(0, len(truth) - 1)
    inside &= ~truth[beside]
    soft, place = np.unique(beside[inside], return_inverse=True)
    counts, first = inside.sum(1), _first_alarm(events, rank, beside)
    softness, existence = np.zeros((2, window + 1, THRESHOLDS))
    for w in range(window + 1):
        half = w // 2
        if half:
            weights = np.repeat(np.sqrt(1 - reach[:half, 0] / w), counts[:half])
            labels = np.minimum(np.bincount(place[: len(weights)], weights, len(soft)), 1)
            softness[w] = _up_to(rank[soft], labels)
        existence[w] = _share(events, first[half], half)
    return softness, existence


def _first_alarm(events: np.ndarray, rank: np.ndarray, beside: np.ndarray) -> np.ndarray:
    """First threshold at which an event, or what lies within each distance of it, alarms: `(distances + 1, events)`."""
    own = np.minimum.reduceat(np.append(rank, THRESHOLDS), events.ravel())[::2]
    near = rank[beside].reshape(len(beside), 2, len(events)).min(1)
    return np.minimum.accumulate(np.concatenate([own[None], near]))


def _share(events: np.ndarray, first: np.ndarray, half: int) -> np.ndarray:
    """Share of events with an alarm at each threshold `(thresholds,)`; those whose soft borders meet are one."""
    apart = events[:-1, 1] - 1 + half < events[1:, 0] - half
    merged = np.minimum.reduceat(first, np.append(0, np.flatnonzero(apart) + 1))
    return _up_to(merged) / len(merged)
