r"""Counts of numbers in bounded memory, in one pass and without a range: a number's bin is the front of its own bits.

A float32, its sign bit turned over (and all bits of a negative one), sorts like an integer; its first 20 bits are the
bin. So bins are a 2,048th part of a power of two wide, whatever the unit, and a million counters hold any video.
Numbers of two bins are ranked exactly, those of one bin tie, and what that can amount to at most is known:

.. math:: |\text{AUROC} - \widehat{\text{AUROC}}| \le \frac{1}{2} \sum_b \frac{p_b\, q_b}{P Q}
"""

import numpy as np

from anodiff.types import Misfit, Unreadable

BITS = 20
BINS = 1 << BITS


def bins_of(values: np.ndarray) -> np.ndarray:
    """The bin of each number, rising with it, shaped like `values`.

    >>> bins = bins_of(np.array([-2.0, -1.0, -0.0, 0.0, 1e-30, 1.0, 1.001, 2.0]))
    >>> bool((np.diff(bins) >= 0).all()), bool(bins[2] == bins[3]), bool(bins[5] < bins[6])
    (True, True, True)
    """
    # -0.0 and 0.0 are one number
    bits = (np.asarray(values, dtype=np.float32) + np.float32(0)).view(np.uint32)
    turned = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))
    return np.asarray((turned >> (32 - BITS)).astype(np.int64))


def floor_of(bins: np.ndarray) -> np.ndarray:
    """The least number of each bin, float32; the inverse of `bins_of` up to its rounding down."""
    turned = np.asarray(bins).astype(np.uint32) << (32 - BITS)
    bits = np.where(turned >> 31, turned & np.uint32(0x7FFFFFFF), ~turned)
    return np.asarray(bits.view(np.float32))


class Tally:
    """Counts numbers of two kinds, normal and abnormal, as they come.

    Attributes:
        counts: `(2, bins)`: of the normal ones, and of the abnormal ones.
    """

    def __init__(self) -> None:
        self.counts = np.zeros((2, BINS), dtype=np.int64)

    def add(self, values: np.ndarray, abnormal: np.ndarray) -> None:
        """Count numbers of any shape; `abnormal` is shaped alike, True or 1 where they are.

        Raises:
            Unreadable: shapes differ, or a number is not finite.
        """
        given, label = np.asarray(values), np.asarray(abnormal).astype(bool)
        if given.shape != label.shape:
            raise Unreadable(
                f"the map is {given.shape} and its mask {label.shape}; give both in the size of the frame."
            )
        if not np.isfinite(given).all():
            raise Unreadable(f"a map {given.shape} holds NaN or infinity; give finite numbers.")
        bins = bins_of(given).ravel()
        for kind in (0, 1):
            some = bins[label.ravel() == kind]
            if len(some):
                self.counts[kind] += np.bincount(some, minlength=BINS)

    def auroc(self) -> float:
        """Area under the ROC curve, numbers of one bin tied.

        Raises:
            Misfit: all are of one kind.
        """
        normal, abnormal = self._both()
        below = np.cumsum(normal) - normal
        return float((abnormal * (below + normal / 2)).sum() / (abnormal.sum() * normal.sum()))

    def error(self) -> float:
        """By how much `auroc` may be off at most, for the ties."""
        normal, abnormal = self._both()
        return float((normal * abnormal).sum() / (2 * normal.sum() * abnormal.sum()))

    def average_precision(self) -> float:
        """Average precision, numbers of one bin tied."""
        normal, abnormal = self._both()
        hits, all_ = np.cumsum(abnormal[::-1]), np.cumsum((normal + abnormal)[::-1])
        return float((abnormal[::-1] * hits / np.maximum(all_, 1)).sum() / hits[-1])

    def levels(self, shares: np.ndarray) -> np.ndarray:
        """Distinct levels, falling, at least as high as which about these `shares` of all numbers are."""
        upto = np.cumsum(self.counts.sum(0)[::-1])
        if not upto[-1]:
            raise Misfit("nothing was counted; add the maps before asking for levels of theirs.")
        found = np.searchsorted(upto, np.maximum(np.asarray(shares) * upto[-1], 1))
        return np.asarray(np.unique(floor_of(BINS - 1 - found))[::-1], dtype=np.float64)

    def _both(self) -> tuple[np.ndarray, np.ndarray]:
        normal, abnormal = (each.astype(np.float64) for each in self.counts)
        if not normal.sum() or not abnormal.sum():
            raise Misfit(
                f"{int(abnormal.sum()):,} numbers are abnormal and {int(normal.sum()):,} normal; a ranking needs both."
            )
        return normal, abnormal
