r"""Distances to nearest neighbours, in units that do not matter: each feature is divided by its spread over real items,

.. math:: d(x, y) = \Big\| \frac{x - y}{s} \Big\| \big/ \sqrt f , \qquad
    s_j = \max\big( \operatorname{std}_i r_{ij},\; \epsilon \max_i |r_{ij}| \big) .

The floor makes a feature that is constant over the real items count, and keeps its rounding from doing so.
"""

import numpy as np

from anodiff.types import Unreadable

ROUNDING = 1e-6
BLOCK = 1024


def as_features(given: np.ndarray, what: str, at_least: int = 1) -> np.ndarray:
    """Finite float64 `(n, f)`, or a refusal.

    >>> as_features(np.zeros(3), "made items")
    Traceback (most recent call last):
    ...
    anodiff.types.Unreadable: made items have shape (3,); give one row of features per item, shape (n, f).
    """
    try:
        rows = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise Unreadable(f"{what} are not numbers ({error}); give one row of features per item.") from error
    if rows.ndim != 2 or not rows.shape[1]:
        raise Unreadable(f"{what} have shape {rows.shape}; give one row of features per item, shape (n, f).")
    if len(rows) < at_least:
        raise Unreadable(f"{what} are {len(rows)}; give at least {at_least}.")
    bad = int((~np.isfinite(rows)).any(1).sum())
    if bad:
        raise Unreadable(f"{what} hold NaN or infinity in {bad} of {len(rows)} rows; give finite numbers.")
    return rows


def pair_of_features(
    one: np.ndarray, other: np.ndarray, names: tuple[str, str], at_least: tuple[int, int] = (1, 1)
) -> tuple[np.ndarray, np.ndarray]:
    """Two sets of items with the same features.

    Raises:
        Unreadable: one cannot be read, is too small, or their features differ in number.
    """
    a, b = (as_features(x, name, least) for x, name, least in zip((one, other), names, at_least, strict=True))
    if a.shape[1] != b.shape[1]:
        raise Unreadable(f"{names[0]} have {a.shape[1]} features, {names[1]} {b.shape[1]}; give the same of both.")
    return a, b


def spread(real: np.ndarray) -> np.ndarray:
    """What a feature is divided by, `(f,)`; 1 where all is zero."""
    size = np.maximum(real.std(0), ROUNDING * np.abs(real).max(0))
    return np.asarray(np.where(size > 0, size, 1.0) * np.sqrt(real.shape[1]))


def nearest(items: np.ndarray, others: np.ndarray, k: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Distances `(n, k)` to the k nearest of the others, and which they are; where there are fewer, to all."""
    return _nearest(items, others, min(k, len(others)), apart=False)


def nearest_each_other(items: np.ndarray, k: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Distances `(n, k)` to the k nearest of the same set, each item left out itself, and which they are."""
    return _nearest(items, items, min(k, len(items) - 1), apart=True)


def _nearest(items: np.ndarray, others: np.ndarray, k: int, apart: bool) -> tuple[np.ndarray, np.ndarray]:
    """Found by products of matrices, in blocks; then measured exactly, so that copies lie at 0."""
    index = np.empty((len(items), k), dtype=np.int64)
    squares = (others**2).sum(1)
    for start in range(0, len(items), BLOCK):
        rows = slice(start, start + BLOCK)
        far = squares - 2 * items[rows] @ others.T
        if apart:
            far[np.arange(len(far)), np.arange(start, start + len(far))] = np.inf
        index[rows] = np.argpartition(far, k - 1, axis=1)[:, :k]
    distance = np.stack([np.linalg.norm(items - others[column], axis=1) for column in index.T], 1)
    order = np.argsort(distance, axis=1, kind="stable")
    return np.take_along_axis(distance, order, 1), np.take_along_axis(index, order, 1)
