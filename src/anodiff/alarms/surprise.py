r"""Surprise: a raw score on the scale that all scores share, nats of tail probability among held-out normals,

.. math:: \text{surprise}(s) \approx -\log P\big(a(X) \ge s \mid X \text{ normal}\big) .

Piecewise linear in :math:`y = \operatorname{asinh}((s - \text{median}) / \text{spread})`, linear in the score near the
median and logarithmic far out, so scores of many orders of magnitude fit one page. Above the highest knot it goes
on straight (a power tail: it never saturates), below the lowest it falls towards 0 as 1/(1 + distance) (never reached).
It is a scale for adding scores up, not a test: p-values of the sum come from an `Alarm`.
"""

import math
from collections.abc import Mapping
from typing import Self

import numpy as np

from anodiff.alarms.base import finite
from anodiff.types import JSON, BadModel, Scores

LARGEST = 8e307


class Surprise:
    """A strictly increasing, continuous map of raw scores to nats.

    A relative change e of a raw score changes the surprise by at most about `steepest` `(1 + |median| / spread) e`,
    relatively: knots that would rise faster, because held-out scores nearly tie there, are merged into their neighbour.

    Args:
        knots: At most so many, evenly spaced in surprise from near 0 to that of the third highest held-out score.
        steepest: The largest relative slope, d log surprise / d y.
    """

    def __init__(self, knots: int = 32, steepest: float = 20.0) -> None:
        self.knots = knots
        self.steepest = steepest

    def fit(self, raw: Scores) -> Self:
        """Learn from `raw` `(n,)`, scores of normals that the model has not seen; n from 2, better 100."""
        raw = np.clip(np.sort(finite(raw, "raw scores of held-out normals", at_least=2)), -LARGEST, LARGEST)
        self.median_, self.spread_ = median_and_spread(raw)
        values = np.unique(raw[ranks(len(raw), self.knots)])
        self.y_, self.surprise_ = merge_ties(self._axis(values), middle_surprise(raw, values), self.steepest)
        self.tail_ = tail_slope(self.y_, self.surprise_, self.steepest)
        return self

    def __call__(self, raw: Scores) -> Scores:
        """Surprise `(m,)` in nats, positive, of raw scores `(m,)`."""
        y, first, last = self._axis(np.clip(finite(raw, "raw scores"), -LARGEST, LARGEST)), self.y_[0], self.y_[-1]
        below = self.surprise_[0] / (1 + self.steepest / 4 * np.maximum(first - y, 0))
        above = self.surprise_[-1] + self.tail_ * (y - last)
        between = np.interp(y, self.y_, self.surprise_)
        return np.asarray(np.where(y < first, below, np.where(y > last, above, between)))

    def config(self) -> JSON:
        """What was learnt that is not an array, as JSON."""
        return {
            "knots": self.knots,
            "steepest": self.steepest,
            "median": self.median_,
            "spread": self.spread_,
            "tail": self.tail_,
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """The knots, `(k,)` each."""
        return {"y": self.y_, "surprise": self.surprise_}

    @classmethod
    def restore(cls, config: JSON, arrays: Mapping[str, np.ndarray]) -> Self:
        """The inverse of `config` and `arrays`; raises `BadModel` where they are damaged."""
        try:
            numbers = finite([config[name] for name in ("median", "spread", "tail", "steepest")], "its numbers")
            surprise = cls(int(config["knots"]), float(numbers[3]))
            surprise.median_, surprise.spread_, surprise.tail_ = map(float, numbers[:3])
            surprise.y_, surprise.surprise_ = (finite(arrays[name], name, at_least=1) for name in ("y", "surprise"))
        except (KeyError, TypeError, ValueError) as error:
            raise BadModel(f"the saved surprise is damaged ({error}); calibrate the detector again.") from error
        rising = all(np.all(np.diff(each) > 0) for each in (surprise.y_, surprise.surprise_))
        positive = min(surprise.spread_, surprise.tail_, surprise.steepest, surprise.surprise_[0]) > 0
        if not (rising and positive and len(surprise.y_) == len(surprise.surprise_)):
            raise BadModel("the saved surprise does not increase with the score; calibrate the detector again.")
        return surprise

    def _axis(self, raw: Scores) -> Scores:
        centred = raw - self.median_
        size = np.maximum(np.abs(centred), np.finfo(np.float64).tiny)
        with np.errstate(over="ignore"):
            far = np.log(size) + (math.log(2) - math.log(self.spread_))
            return np.where(far > 100, np.sign(centred) * far, np.arcsinh(centred / self.spread_))


def median_and_spread(raw: Scores) -> tuple[float, float]:
    """Median and median distance to it, among those that do not tie with it; never less than a thousandth of it.

    >>> median_and_spread(np.array([0.0, 0.0, 0.0, 1.0, 3.0]))
    (0.0, 2.0)
    """
    median = float(np.median(raw))
    apart = np.abs(raw - median)
    apart = apart[apart > 0]
    spread = float(np.median(apart)) if len(apart) else abs(median)
    return median, max(spread, 1e-3 * abs(median), 1e-300) if spread else 1.0


def ranks(n: int, knots: int) -> np.ndarray:
    """Places in the sorted sample, evenly spaced in log tail probability, the last at the third highest."""
    levels = np.linspace(0, math.log((n + 1) / min(3, n)), knots + 1)[1:]
    return np.clip(np.round(n - np.exp(-levels) * (n + 1)), 0, n - 1).astype(np.intp)


def middle_surprise(raw: Scores, values: Scores) -> Scores:
    """-log tail probability of `values` among the sorted `raw` `(n,)`, a tie counted half."""
    below, upto = (np.searchsorted(raw, values, side=side) for side in ("left", "right"))
    return -np.log((0.5 + len(raw) - (below + upto) / 2) / (len(raw) + 1))


def merge_ties(y: Scores, surprise: Scores, steepest: float) -> tuple[Scores, Scores]:
    """Keep a knot only if the way to it from the last kept one is not too steep."""
    kept = [0]
    for i in range(1, len(y)):
        start = kept[-1]
        if y[i] > y[start] and surprise[i] - surprise[start] <= steepest * surprise[start] * (y[i] - y[start]):
            kept.append(i)
    return y[kept], surprise[kept]


def tail_slope(y: Scores, surprise: Scores, steepest: float) -> float:
    """Nats per unit of y beyond the last knot: the chord over the upper half of the surprise."""
    start = int(np.searchsorted(surprise, surprise[-1] / 2))
    start = min(start, len(y) - 2) if len(y) > 1 else 0
    chord = (surprise[-1] - surprise[start]) / (y[-1] - y[start]) if len(y) > 1 else 1.0
    return float(np.clip(chord, 0.1, steepest * surprise[-1]))
