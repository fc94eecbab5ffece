r"""How good is a ranking, and how sure are we? Labels are 1 for anomalies, scores are higher for them; the first is

.. math:: \text{AUROC} = P(a(X_1) > a(X_0)) + \tfrac12 P(a(X_1) = a(X_0)) .

Numbers that looked at the test labels in order to choose something say `oracle` in their name and wherever they are
printed. Every rate comes with an interval, every comparison with one over data sets and seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta, binom, rankdata
from sklearn.metrics import average_precision_score, f1_score, precision_recall_curve, roc_auc_score

from anodiff.types import Misfit, Scores, Unreadable


@dataclass(frozen=True)
class Interval:
    """An estimate and the interval around it."""

    value: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """Of a difference, ours minus theirs.

        >>> Interval(0.5, 0.1, 0.9).verdict, Interval(0.5, -0.1, 1.1).verdict
        ('wins', 'ties')
        """
        return "wins" if self.low > 0 else "loses" if self.high < 0 else "ties"


def auroc(labels: np.ndarray, scores: Scores) -> float:
    """Area under the ROC curve of `scores` `(n,)` for `labels` `(n,)` of 0 and 1."""
    return float(roc_auc_score(*_pair(labels, scores)))


def average_precision(labels: np.ndarray, scores: Scores) -> float:
    """Mean precision over the anomalies, in the order of their scores (AUC-PR without interpolation)."""
    return float(average_precision_score(*_pair(labels, scores)))


def precision_at_n(labels: np.ndarray, scores: Scores, n: int | None = None) -> float:
    """Share of anomalies among the n highest, by default as many as there are; ties count by their expectation.

    >>> precision_at_n([0, 1, 0, 1], [1.0, 1.0, 0.0, 2.0])
    0.75
    """
    labels, scores = _pair(labels, scores)
    n = int(labels.sum()) if n is None else n
    if not 1 <= n <= len(labels):
        raise Misfit(f"n is {n} for {len(labels)} items; give a number from 1 to {len(labels)}.")
    last = np.sort(scores)[-n]
    above, tied = scores > last, scores == last
    return float(labels[above].sum() + labels[tied].mean() * (n - above.sum())) / n


def f1(labels: np.ndarray, scores: Scores, threshold: float) -> float:
    """Harmonic mean of precision and recall of `score > threshold`, which was chosen without these labels."""
    labels, scores = _pair(labels, scores)
    return float(f1_score(labels, scores > threshold, zero_division=0))


def oracle_f1(labels: np.ndarray, scores: Scores) -> float:
    """The best F1 over all thresholds. It **looks at the labels**: print it only with the word oracle, never alone."""
    precision, recall, _ = precision_recall_curve(*_pair(labels, scores))
    return float((2 * precision * recall / np.maximum(precision + recall, 1e-300)).max())


def agreement(scores: Scores, others: Scores) -> float:
    """Rank correlation of two scores `(n,)` of the same items, in [-1, 1] (Spearman, 1904); 0 where one is constant.

    >>> agreement([1.0, 2.0, 4.0], [1.0, 3.0, 9.0])
    1.0
    """
    ranks = [rankdata(each) for each in (scores, others)]
    if len(ranks[0]) != len(ranks[1]):
        raise Unreadable(f"{len(ranks[0])} and {len(ranks[1])} scores; give two scores of each item.")
    if any(np.ptp(rank) == 0 for rank in ranks):
        return 0.0
    return round(float(np.corrcoef(ranks)[0, 1]), 12)


def false_alarm_rate(scores_of_normals: Scores, threshold: float, confidence: float = 0.99) -> Interval:
    """Share of normals `(n,)` with `score > threshold`, and its Clopper-Pearson interval.

    Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial", 1934.
    """
    scores = np.asarray(scores_of_normals, dtype=np.float64)
    if not len(scores) or np.isnan(scores).any():
        raise Unreadable(
            f"{len(scores)} scores of normals, {int(np.isnan(scores).sum())} NaN; give at least one number."
        )
    return proportion(int((scores > threshold).sum()), len(scores), confidence)


def proportion(k: int, n: int, confidence: float = 0.99) -> Interval:
    """k of n, and its Clopper-Pearson interval.

    >>> interval = proportion(0, 299, 0.9)
    >>> interval.low, round(interval.high, 5)
    (0.0, 0.00997)
    """
    if not 0 <= k <= n or n < 1:
        raise Misfit(f"{k} of {n} is no proportion; give 0 <= k <= n with n at least 1.")
    side = (1 - _confidence(confidence)) / 2
    low = float(beta.ppf(side, k, n - k + 1)) if k else 0.0
    return Interval(k / n, low, float(beta.isf(side, k + 1, n - k)) if k < n else 1.0)


def acceptance_interval(rate: float, n: int, confidence: float = 0.99) -> Interval:
    """Where the share of alarms among n independent items lies, with this confidence, if the true rate is `rate`."""
    if not 0 <= rate <= 1 or n < 1:
        raise Misfit(f"rate {rate} with n {n}; give a rate from 0 to 1 and n at least 1.")
    low, high = binom.interval(_confidence(confidence), n, rate)
    return Interval(rate, float(low) / n, float(high) / n)


def paired_interval(
    ours: np.ndarray, theirs: np.ndarray, confidence: float = 0.95, draws: int = 10_000, seed: int = 0
) -> Interval:
    """Mean of ours minus theirs `(sets, seeds)`, with a bootstrap interval over data sets and, within them, seeds.

    Both are drawn with replacement, the sets first: few sets make a wide interval however many seeds there
    are (Davison and Hinkley, "Bootstrap Methods and their Application", 1997, section 3.8). `(sets,)` is one seed each.
    """
    difference = np.asarray(ours, dtype=np.float64) - np.asarray(theirs, dtype=np.float64)
    difference = difference[:, None] if difference.ndim == 1 else difference
    if np.shape(ours) != np.shape(theirs) or difference.ndim != 2 or not np.isfinite(difference).all():
        raise Unreadable(
            f"ours {np.shape(ours)} and theirs {np.shape(theirs)}; give finite numbers of one shape (sets, seeds)."
        )
    sets, seeds = difference.shape
    if sets < 2 or seeds < 1:
        raise Unreadable(f"{sets} data sets with {seeds} seeds carry no interval; give at least 2 sets and 1 seed.")
    random = np.random.default_rng(seed)
    means = np.empty(draws)
    for i in range(draws):
        of_set, of_seed = random.integers(sets, size=(sets, 1)), random.integers(seeds, size=(sets, seeds))
        means[i] = difference[of_set, of_seed].mean()
    side = (1 - _confidence(confidence)) / 2
    low, high = np.quantile(means, [side, 1 - side])
    return Interval(float(difference.mean()), float(low), float(high))


def ragged_interval(
    differences: Sequence[np.ndarray], confidence: float = 0.95, draws: int = 4_000, seed: int = 0
) -> Interval:
    """`paired_interval` where sets have seeds of different number: ours minus theirs, one array `(seeds,)` per set.

    The estimate is the mean over sets of the mean over their seeds. Of one set alone, seeds are drawn: the interval
    then says what other splits of that set would give, and nothing on other sets.

    >>> ragged_interval([np.array([1.0, 3.0]), np.array([2.0])]).value
    2.0
    """
    found = [np.atleast_1d(np.asarray(each, dtype=np.float64)) for each in differences]
    if len(found) == 1:
        found = [value[None] for value in found[0]]
    if len(found) < 2 or not all(len(each) and np.isfinite(each).all() for each in found):
        raise Unreadable(f"{len(found)} differences carry no interval; give finite ones of 2 sets, or of 2 seeds.")
    counts = np.array([len(each) for each in found])
    padded = np.stack([np.resize(each, counts.max()) for each in found])
    random = np.random.default_rng(seed)
    of_set = random.integers(len(found), size=(draws, len(found)))[..., None]
    of_seed = (random.random((draws, len(found), counts.max())) * counts[of_set]).astype(int)
    kept = np.arange(counts.max()) < counts[of_set]
    means = ((padded[of_set, of_seed] * kept).sum(2) / counts[of_set[..., 0]]).mean(1)
    side = (1 - _confidence(confidence)) / 2
    low, high = np.quantile(means, [side, 1 - side])
    return Interval(float(np.mean([each.mean() for each in found])), float(low), float(high))


def _confidence(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise Misfit(f"confidence is {confidence}; give a number between 0 and 1, such as 0.99.")
    return confidence


def _pair(labels: np.ndarray, scores: Scores) -> tuple[np.ndarray, Scores]:
    """Labels as 0 and 1 and finite scores of the same length, or a refusal.

    >>> auroc([0, 0], [1.0, 2.0])
    Traceback (most recent call last):
    ...
    anodiff.types.Unreadable: labels hold only [0]; a ranking needs normals (0) and anomalies (1).
    """
    labels, scores = np.atleast_1d(labels), np.asarray(scores, dtype=np.float64)
    if labels.shape != scores.shape or labels.ndim != 1:
        raise Unreadable(f"labels {labels.shape} and scores {scores.shape}; give one label and one score per item.")
    if not np.isfinite(scores).all():
        raise Unreadable(
            f"{int((~np.isfinite(scores)).sum())} of {len(scores)} scores are NaN or infinite; give numbers."
        )
    kinds = sorted({int(v) if v in (0, 1) else v for v in np.unique(labels).tolist()}, key=str)
    if kinds != [0, 1]:
        raise Unreadable(f"labels hold only {kinds}; a ranking needs normals (0) and anomalies (1).")
    return labels.astype(np.int64), scores
