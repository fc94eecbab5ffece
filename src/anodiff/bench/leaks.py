"""What makes a number too good: test rows that training holds, and scores that look at the rest of the test."""

from collections.abc import Callable

import numpy as np
from sklearn.neighbors import NearestNeighbors

from anodiff.bench.cut import Cut
from anodiff.types import JSON, Scores

SAMPLE, NEAR, TOLERATED = 2_000, 1e-6, 0.01
"""Test rows looked at; how near a copy is, in spreads of a column; the share of copies that is not warned of."""
ALONE = 64
"""Test rows that are scored again, without the others."""
Score = Callable[[np.ndarray], Scores]


def copies(cut: Cut, seed: int) -> JSON:
    """The share of the test's normals that have a copy among the training rows.

    `exact` ones are equal in every cell as the rivals see it; `near` ones, which include them, within 1e-6 spreads in
    every cell. Of many test rows a seeded sample is looked at.
    """
    normal = np.flatnonzero(cut.y == 0)
    if len(normal) > SAMPLE:
        normal = np.random.default_rng(seed).choice(normal, SAMPLE, replace=False)
    rows = cut.flat_test[normal]
    finder = NearestNeighbors(n_neighbors=1).fit(cut.flat_train)
    nearest = cut.flat_train[finder.kneighbors(rows, return_distance=False)[:, 0]]
    gap = np.abs(rows - nearest).max(1)
    return {
        "copies_exact": float((gap == 0).mean()),
        "copies_near": float((gap <= NEAR).mean()),
        "copies_looked_at": len(normal),
        "leaky": bool((gap <= NEAR).mean() > TOLERATED),
    }


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
