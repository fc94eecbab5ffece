r"""P-values of pixels: how large a share of normal pictures scores as high, the judged picture among them,

.. math:: p(s) = \frac{F(s) + \sum_{i=1}^{n} F_i(s)}{n + 1}, \qquad
    F_i(s) = \frac{\#\{\text{pixels of picture } i \ge s\}}{\#\text{pixels of picture } i} .

Pixels of one picture depend on each other, so pictures count, not pixels: each of the n held-out ones weighs the same
and the judged one weighs as much as each of them. If all n + 1 are exchangeable, a pixel drawn at random from a normal
picture has :math:`P(p \le a) \le a`: **on average over normal pictures** at most a share a of the pixels has p at
most a. It does not say that few pictures have such pixels (that is what `Regions` says), nor that every place in the
picture has as few of them: calibrate maps by position before. A whole picture that lights up ends at p = 1 / (n + 1).
Conformal prediction with two layers: Lee, Barber and Willett, "Distribution-free inference with hierarchical data",
2023; Dunn, Wasserman and Ramdas, "Distribution-free prediction sets for two-layer hierarchical models", 2023.

Held-out pictures are kept as knots: scores whose tails differ by less than `step`, relatively, count as the highest of
them, first in each picture and then in all. That can only make p larger, and at most `(1 + step)` squared as large.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Self

import numpy as np

from anodiff.alarms.base import finite
from anodiff.metrics.planes import as_map
from anodiff.types import JSON, BadModel, Misfit, Scores, Unreadable


class PixelAlarm:
    """Maps become maps of p-values.

    Args:
        step: Relative width of the knots in tail probability; 0.01 keeps one to two thousand numbers in all.

    >>> alarm = PixelAlarm().fit([np.arange(10.0).reshape(2, 5)])
    >>> alarm.p_value(np.array([[0.0, 9.0], [20.0, 4.5]]))
    array([[1.   , 0.3  ],
           [0.125, 0.625]])
    """

    def __init__(self, step: float = 0.01) -> None:
        self.step = step

    def fit(self, maps: Iterable[np.ndarray]) -> Self:
        """Learn from `maps`, each `(H, W)`, of normal pictures that the model has not seen; read one at a time.

        Raises:
            Misfit: A step that is not between 0 and 1.
            Unreadable: No map, or one that is not finite.
        """
        if not 0 < self.step < 1:
            raise Misfit(f"step is {self.step}; give a number between 0 and 1, such as 0.01.")
        knots = [self._knots(as_map(each, f"map {i}")) for i, each in enumerate(maps)]
        if not knots:
            raise Unreadable("no map of a held-out normal picture was given; give at least one.")
        self.pictures_ = len(knots)
        scores, weights = (np.concatenate(each) for each in zip(*knots, strict=True))
        self.scores_, self.shares_ = _thinned(scores, weights, self.step)
        return self

    def p_value(self, map: np.ndarray) -> np.ndarray:
        """p-values `(H, W)` of a map `(H, W)` of any size; where the map is higher they are never larger.

        A score has the same p-value in two pictures only up to `1 / (n + 1)`, since each counts itself.
        """
        plane = as_map(map)
        ascending, scores = np.sort(plane, axis=None), plane.ravel()
        own = (plane.size - np.searchsorted(ascending, scores)) / plane.size
        theirs = np.append(self.shares_, 0.0)[np.searchsorted(self.scores_, scores)]
        return np.asarray(np.minimum(1.0, (own + theirs) / (self.pictures_ + 1))).reshape(plane.shape)

    def config(self) -> JSON:
        """What was learnt that is not an array, as JSON."""
        return {"step": self.step, "pictures": self.pictures_}

    def arrays(self) -> dict[str, np.ndarray]:
        """The knots `(k,)`, ascending, and how many pictures' worth of pixels scores as high `(k,)`."""
        return {"scores": self.scores_, "shares": self.shares_}

    @classmethod
    def restore(cls, config: JSON, arrays: Mapping[str, np.ndarray]) -> Self:
        """The inverse of `config` and `arrays`; raises `BadModel` where they are damaged."""
        try:
            alarm = cls(float(config["step"]))
            alarm.pictures_ = int(config["pictures"])
            alarm.scores_, alarm.shares_ = (finite(arrays[name], name, at_least=1) for name in ("scores", "shares"))
        except (KeyError, TypeError, ValueError) as error:
            raise BadModel(f"the saved pixel alarm is damaged ({error}); calibrate the detector again.") from error
        falling = np.all(np.diff(alarm.shares_) < 0) and np.all(np.diff(alarm.scores_) > 0)
        whole = math.isclose(alarm.shares_[0], alarm.pictures_, rel_tol=1e-6) and alarm.shares_[-1] > 0
        if not (falling and whole and len(alarm.scores_) == len(alarm.shares_)):
            raise BadModel("the saved pixel alarm does not fall with the score; calibrate the detector again.")
        return alarm

    def _knots(self, plane: np.ndarray) -> tuple[Scores, Scores]:
        scores, shares = _thinned(plane.ravel().astype(np.float64), np.full(plane.size, 1 / plane.size), self.step)
        return scores, shares - np.append(shares[1:], 0.0)


def _thinned(scores: Scores, weights: Scores, step: float) -> tuple[Scores, Scores]:
    """Knots, ascending, and the weight at or above the lowest score that counts as each.

    >>> _thinned(np.array([2.0, 1.0, 3.0, 2.0]), np.ones(4), 0.01)
    (array([1., 2., 3.]), array([4., 3., 1.]))
    >>> _thinned(np.array([2.0, 1.0, 3.0, 2.0]), np.ones(4), 1.5)
    (array([2., 3.]), array([4., 1.]))
    """
    order = np.argsort(scores)[::-1]
    scores, tail = scores[order], np.cumsum(weights[order])
    last = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
    scores, tail = scores[last], tail[last]
    level = np.floor(np.log(tail / tail[0]) / math.log1p(step))
    first = np.flatnonzero(np.diff(level, prepend=-1.0))
    ends = np.append(first[1:], len(scores)) - 1
    return scores[first][::-1], tail[ends][::-1]
