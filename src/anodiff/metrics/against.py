r"""Scores of abnormal items against those of held-out normals: how well are they told apart, and how many are found,

.. math:: \text{AUROC} = P(A > N) + \tfrac12 P(A = N), \qquad
    \text{recall} = P(A > t), \quad t = \min \{ t : 1 + \#\{i : N_i > t\} \le (n + 1) \, \text{rate} \},

each with a bootstrap interval that draws both sides anew, and the threshold with the normals (Efron, "Bootstrap
Methods: Another Look at the Jackknife", 1979); of recall it is no narrower than Clopper and Pearson's. All is said in
ranks among the normals, so any increasing scale will do.
"""

import math

import numpy as np

from anodiff.metrics.ranking import Interval, proportion
from anodiff.types import Misfit, Scores, Unreadable

DRAWS = 500
SIDES = (0.025, 0.975)


class Against:
    """Held-out normals that others are held against.

    Args:
        normals: Their scores `(n,)`, higher is more abnormal.
        rate: The share of normals that may raise an alarm.
        draws: Of the bootstrap.
        seed: Of the draws.

    Raises:
        Unreadable: scores are none, or not finite.
        Misfit: so few normals do not support the rate.
    """

    def __init__(self, normals: Scores, rate: float = 0.05, draws: int = DRAWS, seed: int = 0) -> None:
        self.normals = np.sort(_finite(normals, "held-out normals"))
        self.rate, self.draws, self.seed = rate, draws, seed
        n = len(self.normals)
        self._allowed = math.floor((n + 1) * rate + 1e-9)
        if not 0 < rate < 1 or not self._allowed:
            needed = math.ceil(1 / rate - 1 - 1e-9) if 0 < rate < 1 else 0
            more = f"give at least {needed} of them, or a rate from {1 / (n + 1):.2g} on" if needed else "give a share"
            raise Misfit(f"false_alarm_rate is {rate:g}, which {n} held-out normals do not support; {more}.")
        again = np.random.default_rng(seed).integers(n, size=(draws, n))
        counts = np.apply_along_axis(np.bincount, 1, again, minlength=n)
        self._below = np.concatenate([np.zeros((draws, 1), dtype=np.int64), counts.cumsum(1)], 1)
        # the rank from which a score lies above the threshold, in each draw
        self._from = (self._below <= n - self._allowed).sum(1)

    @property
    def threshold(self) -> float:
        """Scores above it raise an alarm."""
        return float(self.normals[len(self.normals) - self._allowed])

    def of(self, scores: Scores) -> tuple[Interval, Interval]:
        """AUROC and recall of abnormal items by their scores `(m,)`, with 95 % intervals.

        Raises:
            Unreadable: scores are none, or not finite.
        """
        scores = _finite(scores, "made items")
        n, m = len(self.normals), len(scores)
        left, right = (np.searchsorted(self.normals, scores, side=side) for side in ("left", "right"))
        again = np.random.default_rng([self.seed, 1]).integers(m, size=(self.draws, m))
        row = np.arange(self.draws)[:, None]
        areas = (self._below[row, left[again]] + self._below[row, right[again]]).mean(1) / (2 * n)
        recalls = (left[again] >= self._from[:, None]).mean(1)
        area, recall = float((left + right).mean()) / (2 * n), float((scores > self.threshold).mean())
        few = proportion(round(recall * m), m, 0.95)
        return _interval(area, areas), wider(_interval(recall, recalls), few)

    def standing(self, scores: Scores) -> tuple[np.ndarray, np.ndarray]:
        """Of each score `(m,)`: the share of normals that it is above, ties by half; and whether it is found."""
        scores = _finite(scores, "made items")
        left, right = (np.searchsorted(self.normals, scores, side=side) for side in ("left", "right"))
        return (left + right) / (2 * len(self.normals)), scores > self.threshold


def auroc_interval(normal: Scores, abnormal: Scores, draws: int = DRAWS, seed: int = 0) -> Interval:
    """AUROC of scores `(m,)` of abnormal against `(n,)` of normal items, with its 95 % bootstrap interval.

    Raises:
        Unreadable: there are none, or they are not finite.

    >>> auroc_interval(np.array([0.0, 1.0]), np.array([0.5, 2.0])).value
    0.75
    """
    return Against(normal, rate=0.999, draws=draws, seed=seed).of(abnormal)[0]


def wider(one: Interval, other: Interval) -> Interval:
    """The first value, with both intervals: a bootstrap of all or none of a few has none of its own."""
    return Interval(one.value, min(one.low, other.low), max(one.high, other.high))


def _interval(value: float, drawn: np.ndarray) -> Interval:
    low, high = (float(v) for v in np.quantile(drawn, SIDES))
    return Interval(value, min(low, value), max(high, value))


def _finite(scores: Scores, of: str) -> np.ndarray:
    values = np.asarray(scores, dtype=np.float64)
    bad = int((~np.isfinite(values)).sum())
    if values.ndim != 1 or not len(values) or bad:
        raise Unreadable(f"scores of {of} have shape {values.shape}, {bad} not finite; give one number per item.")
    return values
