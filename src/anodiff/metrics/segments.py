r"""Labels of instants, `(n,)` of 0 and 1, as the events that they mark, and the doors that check them.

An event is a maximal run of ones, written :math:`[s, e)`: it starts at s and ends before e. What alarms are worth is
said by a precision p and a recall r of instants or events, and in one number by

.. math:: F_1 = \frac{2 p r}{p + r} .
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np

from anodiff.types import Misfit, Scores, Unreadable


class PrecisionRecall(NamedTuple):
    """Both from 0 to 1; the precision of no alarm is 0."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Their harmonic mean, 0 where both are 0.

        >>> PrecisionRecall(0.5, 0.5).f1, PrecisionRecall(0.0, 0.0).f1
        (0.5, 0.0)
        """
        return 2 * self.precision * self.recall / ((self.precision + self.recall) or 1)


Measure: TypeAlias = Callable[[np.ndarray, np.ndarray], PrecisionRecall]


def segments(labels: np.ndarray) -> np.ndarray:
    """The runs of ones in `labels` `(n,)`, as starts and ends `(events, 2)`, the ends excluded.

    Raises:
        Unreadable: labels that are not one row of 0 and 1.

    >>> segments([1, 0, 1, 1]).tolist()
    [[0, 1], [2, 4]]
    """
    edges = np.diff(binary(labels).astype(np.int8), prepend=0, append=0)
    return np.stack([np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)], axis=1)


def binary(labels: np.ndarray, name: str = "labels") -> np.ndarray:
    """Labels `(n,)` of 0 and 1 as booleans.

    >>> binary([0, 2])
    Traceback (most recent call last):
    ...
    anodiff.types.Unreadable: labels (2,) hold other values than 0 and 1; give one 0 or 1 per instant.
    """
    found = np.asarray(labels)
    if found.ndim != 1 or not found.size or not np.isin(found, (0, 1)).all():
        raise Unreadable(f"{name} {found.shape} hold other values than 0 and 1; give one 0 or 1 per instant.")
    return found.astype(bool)


def scored(labels: np.ndarray, scores: Scores) -> tuple[np.ndarray, Scores]:
    """Labels `(n,)` as booleans, of both kinds, and finite scores `(n,)`.

    Raises:
        Misfit: no instant is anomalous, or all are: nothing can be ranked.
        Unreadable: labels other than 0 and 1, scores that are not finite, or lengths that differ.
    """
    truth, found = binary(labels), np.asarray(scores, dtype=np.float64)
    if truth.shape != found.shape:
        raise Unreadable(f"labels {truth.shape} and scores {found.shape}; give one label and one score per instant.")
    if not np.isfinite(found).all():
        raise Unreadable(
            f"{int((~np.isfinite(found)).sum())} of {len(found)} scores are NaN or infinite; give numbers."
        )
    if truth.all() or not truth.any():
        raise Misfit(f"{int(truth.sum())} of {len(truth)} instants are anomalous; a ranking needs both kinds.")
    return truth, found


def predicted(labels: np.ndarray, predictions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels and predictions, both `(n,)` of 0 and 1, as booleans.

    Raises:
        Misfit: no instant is anomalous: nothing can be found.
        Unreadable: values other than 0 and 1, or lengths that differ.
    """
    truth, found = binary(labels), binary(predictions, "predictions")
    if truth.shape != found.shape:
        raise Unreadable(f"labels {truth.shape} and predictions {found.shape}; give one of each per instant.")
    if not truth.any():
        raise Misfit(f"0 of {len(truth)} instants are anomalous; nothing can be found or missed.")
    return truth, found


def oracle_best_f1(measure: Measure, labels: np.ndarray, scores: Scores, thresholds: int = 100) -> float:
    """The best F1 of `score > threshold` by this measure, over thresholds evenly spaced between the extreme scores.

    It **looks at the labels**: print it only with the word oracle, never alone. TSB-AD takes 100 thresholds.

    Raises:
        Misfit: no instant is anomalous, or all are.
        Unreadable: labels other than 0 and 1, scores that are not finite, or lengths that differ.
    """
    truth, found = scored(labels, scores)
    return max(measure(truth, found > t).f1 for t in np.linspace(found.min(), found.max(), thresholds))
