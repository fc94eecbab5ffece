r"""How many events would a threshold raise? Instant i starts one for every t between what came before it and itself,

.. math:: N(t) = \#\{ i : M_i \le t < s_i \}, \qquad M_i = \max(s_{i - \text{hold-off}}, \dots, s_{i-1}) ,

so one sort counts the events of all thresholds at once. N is not monotone (low thresholds merge everything), its
envelope :math:`\bar N(t) = \max_{u \ge t} N(u)` is. Both are sums over instants, from which come rates; how much
events cluster, which is what makes rates uncertain, is their variance over mean in blocks of time (Fano's factor).
"""

from collections.abc import Sequence

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.ndimage import maximum_filter1d
from scipy.stats import rankdata

from anodiff.types import Scores

CORRELATED = 0.1
FEWEST_BLOCKS = 20


def before(scores: Scores, hold_off: int) -> Scores:
    """The highest of the `hold_off` scores before each of `(n,)`, -inf before the first.

    >>> before(np.array([3.0, 1.0, 2.0, 0.0]), 2)
    array([-inf,   3.,   3.,   2.])
    """
    padded = np.concatenate([np.full(hold_off, -np.inf), scores[:-1]])
    return np.asarray(maximum_filter1d(padded, hold_off, origin=(hold_off - 1) // 2 - hold_off + 1))[: len(scores)]


def envelope(stretches: Sequence[Scores], hold_off: int) -> tuple[Scores, np.ndarray]:
    """Levels, rising, and how many events a threshold there or higher raises at most: one pair per step of the curve.

    The first level is the highest of those with the most events: below it thresholds only merge them.
    """
    quiet = np.concatenate([before(each, hold_off) for each in stretches])
    scores = np.concatenate(stretches)
    starts = quiet < scores
    levels = np.unique(scores)
    count = _above(scores[starts], levels) - _above(quiet[starts], levels)
    most = np.maximum.accumulate(count[::-1])[::-1]
    step = np.append(True, np.diff(most) < 0)
    step[0] = False
    top = int(np.flatnonzero(count == most[0])[-1])
    step[top] = True
    return levels[step], most[step]


def decorrelation(stretches: Sequence[Scores]) -> int:
    """Instants after which scores hardly remember: the last lag of correlated surprises, plus one.

    Surprise is minus the log of the share of scores as high, so high scores weigh most, and heavy tails do no harm.
    Correlated is above 0.1 or three standard errors. Looked for in the first twentieth of all instants, so that twenty
    blocks of that length exist; and at most half the longest stretch.
    """
    n = sum(map(len, stretches))
    longest = max(1, min(n // FEWEST_BLOCKS, max(map(len, stretches)) // 2))
    correlation = autocorrelation(surprises(stretches), longest)
    far = np.flatnonzero(correlation[1:] > max(CORRELATED, 3 / np.sqrt(n)))
    return min(longest, int(far[-1]) + 2) if len(far) else 1


def surprises(stretches: Sequence[Scores]) -> list[Scores]:
    """-log of the share of all scores that are as high, ties in the middle."""
    ranks = rankdata(-np.concatenate(stretches))
    return np.split(-np.log(ranks / len(ranks)), np.cumsum([len(each) for each in stretches])[:-1])


def autocorrelation(stretches: Sequence[Scores], longest: int) -> Scores:
    """At lags 0 to `longest`, within stretches, around their common mean; 0 where nothing varies."""
    first = stretches[0][0]  # so that equal values are exactly 0
    mean = first + (np.concatenate(stretches) - first).mean()
    total, pairs = np.zeros(longest + 1), np.zeros(longest + 1)
    for each in stretches:
        size, lags = next_fast_len(2 * len(each)), min(len(each), longest + 1)
        total[:lags] += irfft(np.abs(rfft(each - mean, size)) ** 2, size)[:lags]
        pairs[:lags] += len(each) - np.arange(lags)
    covariance = total / np.maximum(pairs, 1)
    return covariance / covariance[0] if covariance[0] > 0 else np.zeros(longest + 1)


def by_block(stretches: Sequence[np.ndarray], length: int, combine: np.ufunc) -> np.ndarray:
    """What `combine` makes of each block of at least `length` instants, less than twice that; none of shorter ones.

    >>> by_block([np.arange(7), np.ones(2)], 3, np.maximum)
    array([2, 6])
    """
    long = [(each, len(each) // length) for each in stretches if len(each) >= length]
    return np.concatenate([combine.reduceat(each, np.arange(k) * len(each) // k) for each, k in long])


def clustering(stretches: Sequence[Scores], threshold: float, hold_off: int, length: int) -> float:
    """Variance over mean of the events per block of `length` instants, at least 1: what events come in at once."""
    starts = [(before(each, hold_off) <= threshold) & (each > threshold) for each in stretches]
    counts = by_block([each.astype(np.intp) for each in starts], length, np.add)
    return max(1.0, float(counts.var(ddof=1) / counts.mean())) if len(counts) > 1 and counts.any() else 1.0


def _above(values: Scores, levels: Scores) -> np.ndarray:
    return np.asarray(len(values) - np.searchsorted(np.sort(values), levels, side="right"))
