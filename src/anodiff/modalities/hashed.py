r"""Texts as hashed counts of their words and letters, which needs no network,

.. math:: v_b = \sum_{g \,:\, h(g) = b} \pm_g (1 + \log c_g) \log\tfrac{1 + n}{1 + n_g} + \ldots,

over the n-grams g of a text, c_g times in it and in n_g of the n texts of fit. Words (and pairs of them) weigh as much
as letters (three to five, within words); what fit never saw weighs most. Weinberger and others, "Feature hashing for
large scale multitask learning", 2009.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import HashingVectorizer

SPACE = 2**18
"""Buckets in which texts are counted."""
WIDTH = 512
"""Of the vectors; the last coordinate is for texts of which nothing can be counted."""
COUNTERS: tuple[dict[str, Any], ...] = (
    {"analyzer": "word", "token_pattern": r"(?u)\w+|[^\w\s]", "ngram_range": (1, 2)},
    {"analyzer": "char_wb", "ngram_range": (3, 5)},
)


class Hashed:
    """Vectors of texts, `(n, WIDTH)` float32 of unit length.

    >>> hashed = Hashed().fit(["the lid is on", "the lid is off"])
    >>> near, far = hashed(["the lid is on", "a cat sleeps"]) @ hashed(["the lid is on"])[0]
    >>> bool(near > 0.99 and far < 0.2)
    True
    """

    def fit(self, texts: Sequence[str]) -> Self:
        """Learn in how many of the texts each n-gram stands."""
        counts = Counter(texts)
        self.total_ = len(texts)
        self.seen_ = [_frequencies(matrix, list(counts.values())) for matrix in _counted(list(counts))]
        return self

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        vectors = np.zeros((len(texts), WIDTH))
        for salt, (matrix, seen) in enumerate(zip(_counted(texts), self.seen_, strict=True)):
            matrix.data = (1 + np.log(matrix.data)) * self._rarity(matrix.indices, *seen)
            vectors += _unit(_folded(matrix, salt))
        vectors[~vectors.any(1), -1] = 1.0
        return _unit(vectors).astype(np.float32)

    def arrays(self) -> dict[str, np.ndarray]:
        """What was learnt."""
        named = {
            f"{part}{i}": np.asarray(value, np.int64)
            for i, seen in enumerate(self.seen_)
            for part, value in zip(("buckets", "texts"), seen, strict=True)
        }
        return {**named, "total": np.array([self.total_])}

    @classmethod
    def restore(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """The fitted one of which these are the `arrays`."""
        hashed = cls()
        hashed.total_ = int(arrays["total"][0])
        hashed.seen_ = [(arrays[f"buckets{i}"], arrays[f"texts{i}"]) for i in range(len(COUNTERS))]
        for buckets, texts in hashed.seen_:
            if buckets.ndim != 1 or buckets.shape != texts.shape or (np.diff(buckets) <= 0).any():
                raise ValueError("n-grams and their counts do not match")
        return hashed

    def _rarity(self, buckets: np.ndarray, seen: np.ndarray, texts: np.ndarray) -> np.ndarray:
        """The idf of each bucket."""
        if not len(seen):
            return np.ones(len(buckets))
        place = np.minimum(np.searchsorted(seen, buckets), len(seen) - 1)
        count = np.where(seen[place] == buckets, texts[place], 0)
        return np.asarray(np.log((1 + self.total_) / (1 + count)) + 1)


def _counted(texts: Sequence[str]) -> list[sp.csr_matrix]:
    """Counts of words and of letters, `(n, SPACE)` each."""
    common = {"n_features": SPACE, "alternate_sign": False, "norm": None}
    return [HashingVectorizer(**common, **counter).transform(texts).astype(np.float64) for counter in COUNTERS]


def _frequencies(matrix: sp.csr_matrix, counts: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Buckets, and how many texts are in each, where each row stands for `counts` texts."""
    buckets, place = np.unique(matrix.indices, return_inverse=True)
    texts = np.bincount(place, np.repeat(counts, np.diff(matrix.indptr)), len(buckets))
    return buckets.astype(np.int64), np.rint(texts).astype(np.int64)


def _folded(matrix: sp.csr_matrix, salt: int) -> np.ndarray:
    """Buckets added up in few coordinates `(n, WIDTH)`, each with a sign of its own."""
    mixed = _mixed(matrix.indices.astype(np.uint64) + np.uint64(salt * SPACE))
    place = (mixed >> np.uint64(8)) % np.uint64(WIDTH - 1)
    sign = 1.0 - 2.0 * (mixed & np.uint64(1)).astype(np.float64)
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    cells = rows * WIDTH + place.astype(np.int64)
    return np.bincount(cells, sign * matrix.data, matrix.shape[0] * WIDTH).reshape(-1, WIDTH)


def _mixed(numbers: np.ndarray) -> np.ndarray:
    """Whole numbers without a pattern (Steele and others, "Fast splittable pseudorandom number generators", 2014)."""
    with np.errstate(over="ignore"):
        mixed = numbers + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(mixed ^ (mixed >> np.uint64(31)))


def _unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12))
