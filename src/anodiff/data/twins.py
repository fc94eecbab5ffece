"""Near-duplicates among pictures: what was left out of one must not be known from its twin."""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

ALIKE = 0.95
SIDE = 32
BLOCK = 512


def thumbnail(pixels: np.ndarray) -> np.ndarray:
    """A picture `(S, S)` as a small grey one `(32 * 32,)`, of mean 0 and length 1; zeros where nothing varies."""
    side = len(pixels)
    edges = np.linspace(0, side, min(SIDE, side) + 1).astype(int)[:-1]
    small = np.add.reduceat(np.add.reduceat(pixels.astype(np.float64), edges, 0), edges, 1)
    area = np.diff(np.append(edges, side))
    small /= area[:, None] * area[None, :]
    small = small.ravel() - small.mean()
    length = float(np.linalg.norm(small))
    found = small / length if length > 1e-9 * side else np.zeros_like(small)
    return np.asarray(found, dtype=np.float32)


def twins(thumbnails: np.ndarray, alike: float = ALIKE) -> np.ndarray:
    """Groups `(n,)` of pictures that a chain of near-duplicates connects.

    Args:
        thumbnails: `(n, k)`, as `thumbnail` makes them.
        alike: The correlation from which two are near-duplicates.

    >>> a = np.random.default_rng(0).random((64, 64))
    >>> twins(np.stack([thumbnail(p) for p in (a, a.T, a + 0.01)])).tolist()
    [0, 1, 0]
    """
    n = len(thumbnails)
    pairs = []
    for start in range(0, n, BLOCK):
        near = thumbnails[start : start + BLOCK] @ thumbnails.T >= alike
        rows, columns = np.nonzero(near)
        pairs.append(np.stack([rows + start, columns]))
    rows, columns = np.concatenate(pairs, 1) if pairs else np.zeros((2, 0), int)
    links = coo_array((np.ones(len(rows), bool), (rows, columns)), shape=(n, n))
    return np.asarray(connected_components(links, directed=False)[1])


def folds(groups: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """The fold `(n,)` of each picture: groups stay together, folds hold about as many; fewer where groups are few.

    A group that is larger than its share is cut: else one fold would be nearly everything.

    >>> folds(np.array([0, 0, 1, 2, 3, 3]), 2).tolist()
    [0, 0, 1, 0, 1, 1]
    """
    n, draw = len(groups), np.random.default_rng(seed)
    count = max(1, min(count, n))
    share = -(-n // count)
    pieces: list[np.ndarray] = []
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        pieces += [members[start : start + share] for start in range(0, len(members), share)]
    order = draw.permutation(len(pieces))
    order = order[np.argsort([-len(pieces[i]) for i in order], kind="stable")]
    found, sizes = np.zeros(n, np.int64), np.zeros(count, np.int64)
    for i in order:
        fold = int(sizes.argmin())
        found[pieces[i]] = fold
        sizes[fold] += len(pieces[i])
    return found
