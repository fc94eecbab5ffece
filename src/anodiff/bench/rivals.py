"""Rivals: cheap detectors on the same rows. They see numbers, scaled, without gaps; higher scores are more abnormal.

Each is fitted on training rows alone, and tells scores of those rows too, from which its threshold comes.
"""

import importlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from sklearn.covariance import MinCovDet
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors
from sklearn.svm import OneClassSVM

from anodiff.types import Misfit, Scores

SVM_ROWS = 10_000


class Rival(Protocol):
    """What the bench asks of a method."""

    def fit(self, X: np.ndarray) -> Scores:
        """Learn rows `(n, d)`; returns scores of those rows `(m,)`, of which the threshold is a quantile."""

    def score(self, X: np.ndarray) -> Scores:
        """Scores `(n,)`, higher is more abnormal."""


@dataclass
class Neighbours:
    """Distances to the `k` nearest training rows, summed up by `of`; a training row is not its own neighbour."""

    k: int
    of: Callable[[np.ndarray], np.ndarray]

    def fit(self, X: np.ndarray) -> Scores:
        self.near = NearestNeighbors(n_neighbors=max(1, min(self.k, len(X) - 1))).fit(X)
        return self.of(self.near.kneighbors()[0])

    def score(self, X: np.ndarray) -> Scores:
        return self.of(self.near.kneighbors(X)[0])


@dataclass
class Variances:
    """Squared principal components, each divided by its variance."""

    seed: int

    def fit(self, X: np.ndarray) -> Scores:
        self.model = PCA(random_state=self.seed).fit(X)
        return self.score(X)

    def score(self, X: np.ndarray) -> Scores:
        squares = self.model.transform(X) ** 2 / np.maximum(self.model.explained_variance_, 1e-9)
        return np.asarray(squares.sum(1))


@dataclass
class Robust:
    """Mahalanobis distance under the minimum covariance determinant, of principal components that vary.

    At most a third as many components as rows are kept, without which the determinant is zero.
    """

    seed: int

    def fit(self, X: np.ndarray) -> Scores:
        self.axes = PCA(n_components=min(X.shape[1], max(1, len(X) // 3)), random_state=self.seed).fit(X)
        variances = self.axes.explained_variance_
        self.kept = np.flatnonzero(variances > 1e-8 * max(float(variances[0]), 1e-300))
        self.model = MinCovDet(random_state=self.seed).fit(self.axes.transform(X)[:, self.kept])
        return self.score(X)

    def score(self, X: np.ndarray) -> Scores:
        return np.asarray(self.model.mahalanobis(self.axes.transform(X)[:, self.kept]))


@dataclass
class Estimator:
    """An outlier estimator of scikit-learn, whose sign is turned; its threshold is from rows that it learnt."""

    model: Any
    rows: float = math.inf
    seed: int = 0

    def fit(self, X: np.ndarray) -> Scores:
        if len(X) > self.rows:
            X = X[np.random.RandomState(self.seed).permutation(len(X))[: int(self.rows)]]
        self.model.fit(X)
        left_out = getattr(self.model, "negative_outlier_factor_", None)
        return self.score(X) if left_out is None else -np.asarray(left_out)

    def score(self, X: np.ndarray) -> Scores:
        return -np.asarray(self.model.score_samples(X), dtype=np.float64).reshape(-1)


@dataclass
class Pyod:
    """A detector with PyOD's names and sign."""

    model: Any

    def fit(self, X: np.ndarray) -> Scores:
        self.model.fit(X)
        return np.asarray(self.model.decision_scores_, dtype=np.float64)

    def score(self, X: np.ndarray) -> Scores:
        return np.asarray(self.model.decision_function(X), dtype=np.float64)


def _ecod(_: int) -> Rival:
    try:
        return Pyod(importlib.import_module("pyod.models.ecod").ECOD())
    except ModuleNotFoundError:
        raise Misfit("ecod needs PyOD; pip install 'anodiff[bench]'.") from None


def _last(distances: np.ndarray) -> np.ndarray:
    return distances[:, -1]


def _mean_square(distances: np.ndarray) -> np.ndarray:
    return np.asarray((distances**2).mean(1))


RIVALS: dict[str, Callable[[int], Rival]] = {
    "knn": lambda _: Neighbours(5, _last),
    "knn50": lambda _: Neighbours(50, _last),
    "knn-mean": lambda _: Neighbours(5, _mean_square),
    "iforest": lambda seed: Estimator(IsolationForest(random_state=seed)),
    "lof": lambda _: Estimator(LocalOutlierFactor(novelty=True)),
    "pca": Variances,
    "ecod": _ecod,
    "mcd": Robust,
    "ocsvm": lambda seed: Estimator(OneClassSVM(), SVM_ROWS, seed),
}
ABOUT = {
    "knn": "distance to the 5th nearest training row",
    "knn50": "distance to the 50th nearest training row",
    "knn-mean": "mean squared distance to the 5 nearest training rows",
    "dte-np": "diffusion time, non-parametric (Livernoche and others, 2024), as the recipe dte-np",
    "iforest": "isolation forest",
    "lof": "local outlier factor, 20 neighbours",
    "pca": "principal components, each divided by its variance",
    "ecod": "empirical cumulative distributions, of PyOD",
    "mcd": "robust covariance (minimum covariance determinant) of the principal components that vary",
    "ocsvm": f"one-class SVM; of more than {SVM_ROWS:,} training rows it sees that many, drawn by seed",
}
