r"""Nearest windows, plainly: the mean distance of each window to the k nearest of a reference,

.. math:: a(w_i) = \frac{1}{k} \sum_{j \in N_k(i)} \|w_i - w_j\|, \qquad N_k(i) \subset \{j : |i - j| \ge L\}

where the reference is the series itself, less a zone of one window's length; of a training part nothing is left out.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

REFERENCES = 4000
ROWS = 512


def windows(x: np.ndarray, length: int) -> np.ndarray:
    """All windows of x `(n, width)`, each as one row `(n - length + 1, width * length)`, float64."""
    cut = sliding_window_view(x, length, axis=0)
    return np.asarray(cut.reshape(len(cut), -1), np.float64)


def nearest(
    x: np.ndarray, train: np.ndarray | None, length: int, k: int, seed: int, references: int = REFERENCES
) -> np.ndarray:
    """The mean distance of each window of x `(n, width)` to the k nearest of at most so many references.

    >>> x = np.sin(np.arange(200) * 2 * np.pi / 20)[:, None]
    >>> bool(nearest(x, None, 20, 1, 0).max() < 1e-6)
    True
    """
    own = windows(x, length)
    pool = own if train is None else windows(train, length)
    place = drawn(len(pool), references, seed)
    centre = pool[place].mean(0)
    rows = pool[place] - centre
    size, found = (rows**2).sum(1), np.empty(len(own))
    k = min(k, len(rows))
    for start in range(0, len(own), ROWS):
        part = own[start : start + ROWS] - centre
        square = size - 2 * part @ rows.T + (part**2).sum(1, keepdims=True)
        if train is None:
            apart = np.abs(np.arange(start, start + len(part))[:, None] - place)
            square[apart < length] = np.inf
        best = np.partition(square, k - 1, axis=1)[:, :k]
        found[start : start + ROWS] = _mean_distance(best)
    return found


def drawn(count: int, most: int, seed: int) -> np.ndarray:
    """At most so many of `count` places, in order; one of each of as many equal shares."""
    if count <= most:
        return np.arange(count)
    part = np.random.default_rng(seed).random(most)
    return ((np.arange(most) + part) * (count / most)).astype(int).clip(max=count - 1)


def _mean_distance(square: np.ndarray) -> np.ndarray:
    """Over neighbours that there are."""
    there = np.isfinite(square)
    distance = np.sqrt(np.maximum(np.where(there, square, 0.0), 0.0))
    return np.asarray(distance.sum(1) / np.maximum(there.sum(1), 1))
