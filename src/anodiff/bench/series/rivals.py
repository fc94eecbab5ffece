r"""Rivals on windows: what each says of every instant, before smoothing.

A window's answer is read at all instants that it covers, :math:`a_t = \mathrm{mean}_{i : t \in w_i} a(w_i)`; several
answers are smoothed, then summed in units of their standard deviations over the series. They see the coordinates that
anodiff's reader makes: scaled channels without gaps.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest

from anodiff.bench.rivals import Variances
from anodiff.bench.series.nearest import nearest, windows
from anodiff.bench.series.timed import Absent
from anodiff.modalities.windows import smoothed
from anodiff.types import Scores

FIXED, SHORT = 100, 8
LEAST, MOST = 6, 300


@dataclass(frozen=True, eq=False)
class Given:
    """What rivals get.

    Attributes:
        x: `(n, width)`, to be judged.
        train: `(m, width)`, to be learnt; None is x itself.
        period: In instants.
        seed: Of what is drawn.
    """

    x: np.ndarray
    train: np.ndarray | None
    period: int
    seed: int

    @property
    def two_periods(self) -> int:
        """The length of windows that follow the period."""
        return self.fitting(int(np.clip(2 * self.period, LEAST, MOST)))

    @property
    def smooth(self) -> int:
        """One period."""
        return min(self.period, MOST)

    def fitting(self, length: int) -> int:
        """A length of windows of which there are enough."""
        return max(1, min(length, min(len(self.x), len(self.learnt)) // 4))

    @property
    def learnt(self) -> np.ndarray:
        """What is learnt `(m, width)`."""
        return self.x if self.train is None else self.train


Parts = list[np.ndarray]
Rival = Callable[[Given], Parts]
"""One or several answers per instant, each `(n,)`."""


def summed(parts: Parts, smooth: int) -> Scores:
    """One score per instant."""
    each = [smoothed(part, smooth) for part in parts]
    return np.asarray(sum(part / (part.std() or 1.0) for part in each))


def covered(totals: np.ndarray, length: int) -> np.ndarray:
    """The mean of window totals `(n,)` over the windows that cover each instant `(n + length - 1,)`."""
    ones = np.ones(length)
    return np.convolve(totals, ones) / np.convolve(np.ones(len(totals)), ones)


def near(*lengths: int | None, neighbours: int = 3) -> Rival:
    """Distance to the nearest windows of these lengths; None is two periods."""

    def judge(given: Given) -> Parts:
        sizes = [given.two_periods if length is None else given.fitting(length) for length in lengths]
        return [covered(nearest(given.x, given.train, size, neighbours, given.seed), size) for size in sizes]

    return judge


def sub_pca(given: Given) -> Parts:
    """Windows of one period by PyOD's rule of principal components, as in TSB-AD's Sub-PCA."""
    size = given.fitting(given.period)
    own, learnt = windows(given.x, size), windows(given.learnt, size)
    mean, spread = learnt.mean(0), learnt.std(0)
    spread[spread == 0] = 1
    model = PCA().fit((learnt - mean) / spread)
    z = (own - mean) / spread
    square = (z**2).sum(1, keepdims=True) + 1 - 2 * z @ model.components_.T
    share = np.maximum(model.explained_variance_ratio_, 1e-9)
    return [covered((np.sqrt(np.maximum(square, 0)) / share).sum(1), size)]


def pca(given: Given) -> Parts:
    """Instants: squared principal components, each divided by its variance."""
    model = Variances(given.seed)
    model.fit(given.learnt)
    return [model.score(given.x)]


def iforest(length: int) -> Rival:
    """An isolation forest on windows."""

    def judge(given: Given) -> Parts:
        size = given.fitting(length)
        forest = IsolationForest(random_state=given.seed).fit(windows(given.learnt, size))
        return [covered(-forest.score_samples(windows(given.x, size)), size)]

    return judge


def profile(length: int | None) -> Rival:
    """The matrix profile: distance between shapes, to the nearest one that does not overlap. Of one channel."""

    def judge(given: Given) -> Parts:
        stumpy = _stumpy()
        size = given.two_periods if length is None else given.fitting(length)
        x, learnt = (np.ascontiguousarray(each[:, 0], np.float64) for each in (given.x, given.learnt))
        if given.train is None:
            found = stumpy.stump(x, m=size)
        else:
            found = stumpy.stump(x, m=size, T_B=learnt, ignore_trivial=False)
        distance = found[:, 0].astype(np.float64)
        return [covered(np.where(np.isfinite(distance), distance, 0.0), size)]

    return judge


def _stumpy() -> Any:
    try:
        return importlib.import_module("stumpy")
    except ImportError as error:
        raise Absent(f"the matrix profile needs stumpy, which cannot be had ({error}); pip install stumpy.") from None


RIVALS: dict[str, Rival] = {
    "near100+2P": near(FIXED, None),
    "near100": near(FIXED),
    "near1-100+2P": near(FIXED, None, neighbours=1),
    "sub-pca": sub_pca,
    "iforest": iforest(FIXED),
    "profile": profile(None),
    "profile100": profile(FIXED),
    "near8": near(SHORT),
    "pca": pca,
    "iforest8": iforest(SHORT),
}
ABOUT = {
    "near100+2P": "mean distance to the 3 nearest windows, of 100 instants and of two periods, summed in sd",
    "near100": "mean distance to the 3 nearest windows of 100 instants",
    "near1-100+2P": "distance to the nearest window alone, of 100 instants and of two periods, summed in sd",
    "sub-pca": "principal components of windows of a period, by PyOD's rule",
    "iforest": "isolation forest on windows of 100 instants",
    "profile": "matrix profile (stumpy), shapes of two periods",
    "profile100": "matrix profile (stumpy), shapes of 100 instants",
    "near8": "mean distance to the 3 nearest windows of 8 instants",
    "pca": "squared principal components of instants, each divided by its variance",
    "iforest8": "isolation forest on windows of 8 instants",
}
ONCE = frozenset({"sub-pca", "pca", "profile", "profile100"})
"""Nothing in them is drawn, so they are judged with the first seed only."""
