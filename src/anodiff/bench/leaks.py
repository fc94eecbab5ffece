"""What makes a number too good: test rows that training holds, and scores that look at the rest of the test."""

from collections.abc import Callable

import numpy as np
from sklearn.neighbors import NearestNeighbors

from anodiff.bench.cut import Cut
from anodiff.types import JSON, Scores

SAMPLE, NEAR, TOLERATED = 2_000, 1e-6, 0.01
"""Test rows looked at; how near a copy is, in spreads of a column; the share of copies that is not warned of."""
CLOSE, TOLERATED_CLOSE = 0.01, 0.05
"""A row is suspiciously close within this part of the usual distance; the share of such rows that is not warned of."""
ALONE = 64
"""Test rows that are scored again, without the others."""
Score = Callable[[np.ndarray], Scores]


def copies(cut: Cut, seed: int) -> JSON:
    """The share of the test's normals that have a copy among the training rows.

    `exact` ones are equal in every cell as the rivals see it; `near` ones, which include them, within 1e-6 spreads in
    every cell; `close` ones, which include both, within a hundredth of the usual (median) distance of a training row
    from its nearest other. Of many rows a seeded sample is looked at.
    """
    draw = np.random.default_rng(seed)
    normal = np.flatnonzero(cut.y == 0)
    if len(normal) > SAMPLE:
        normal = draw.choice(normal, SAMPLE, replace=False)
    rows = cut.flat_test[normal]
    finder = NearestNeighbors(n_neighbors=1).fit(cut.flat_train)
    distance, nearest = (found[:, 0] for found in finder.kneighbors(rows))
    gap = np.abs(rows - cut.flat_train[nearest]).max(1)
    exact, near = float((gap == 0).mean()), float((gap <= NEAR).mean())
    close = float(((distance < CLOSE * _usual(finder, cut.flat_train, draw)) | (gap <= NEAR)).mean())
    return {
        "copies_exact": exact,
        "copies_near": near,
        "copies_close": close,
        "copies_looked_at": len(normal),
        "leaky": near > TOLERATED or close > TOLERATED_CLOSE,
    }


def _usual(finder: NearestNeighbors, train: np.ndarray, draw: np.random.Generator) -> float:
    """The median distance of a training row from its nearest other that is not its copy; 0 where all are copies."""
    rows = train if len(train) <= SAMPLE else train[draw.choice(len(train), SAMPLE, replace=False)]
    distances = finder.kneighbors(rows, n_neighbors=min(3, len(train)))[0][:, 1:].ravel()
    apart = distances[distances > NEAR]
    return float(np.median(apart)) if len(apart) else 0.0


def depends_on_the_rest(whole: Scores, few: np.ndarray, alone: Scores) -> bool:
    """Whether rows `few` of the test, which scored `whole[few]` among all, score otherwise when they are `alone`.

    >>> depends_on_the_rest(np.array([1.0, 2.0, 3.0]), np.array([0, 2]), np.array([1.0, 3.0]))
    False
    """
    spread = float(np.std(whole)) or 1.0
    return bool(np.abs(whole[few] - alone).max() > 1e-3 * spread + 1e-6 * np.abs(whole[few]).max())


def some_rows(rows: int, seed: int) -> np.ndarray:
    """Numbers of the test rows that are scored again alone."""
    return np.sort(np.random.default_rng([seed, 3]).choice(rows, min(ALONE, max(1, rows // 2)), replace=False))
