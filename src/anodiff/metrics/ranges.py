r"""Precision and recall of ranges: how much of each is covered, where, and in how many pieces.

.. math:: \text{recall} = \frac1{|R|} \sum_{R_i} \alpha\, [R_i \cap P \ne \emptyset]
    + (1 - \alpha)\, \gamma(n_i) \frac{\sum_{t \in R_i \cap P} \delta(t)}{\sum_{t \in R_i} \delta(t)}

for real ranges :math:`R_i` that :math:`n_i` predicted ranges touch; precision is the same with real and predicted
exchanged and :math:`\alpha = 0`. A positional bias :math:`\delta` says which instants of a range matter, a cardinality
factor :math:`\gamma` what it costs to find one range in pieces. Tatbul, Lee, Zdonik, Alam and Gottschlich, "Precision
and Recall for Time Series", 2018.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from anodiff.metrics.segments import PrecisionRecall, oracle_best_f1, predicted, segments
from anodiff.types import Misfit, Scores

Bias: TypeAlias = Callable[[np.ndarray, np.ndarray], np.ndarray]
Cardinality: TypeAlias = Callable[[np.ndarray], np.ndarray]


def flat(from_start: np.ndarray, _: np.ndarray) -> np.ndarray:
    """Every instant matters alike; places `(instants,)` count from 1 from the start, and to the end, of their range."""
    return np.ones(len(from_start))


def front(_: np.ndarray, to_end: np.ndarray) -> np.ndarray:
    """The earlier the better."""
    return to_end


def back(from_start: np.ndarray, _: np.ndarray) -> np.ndarray:
    """The later the better."""
    return from_start


def middle(from_start: np.ndarray, to_end: np.ndarray) -> np.ndarray:
    """The nearer to the middle the better."""
    return np.asarray(np.minimum(from_start, to_end))


def one(pieces: np.ndarray) -> np.ndarray:
    """Pieces `(ranges,)` cost nothing."""
    return np.ones(len(pieces))


def reciprocal(pieces: np.ndarray) -> np.ndarray:
    """A range found in n pieces is worth an n-th."""
    return np.asarray(1 / np.maximum(pieces, 1))


def range_based(
    labels: np.ndarray,
    predictions: np.ndarray,
    alpha: float = 0.2,
    bias: Bias = flat,
    precision_bias: Bias = flat,
    cardinality: Cardinality = reciprocal,
) -> PrecisionRecall:
    """Range-based precision and recall of `predictions` `(n,)` for `labels` `(n,)`, both of 0 and 1.

    The settings given by default are those of TSB-AD's R-based-F1.

    Args:
        labels: 1 for anomalous instants.
        predictions: 1 for alarms.
        alpha: what the mere existence of an alarm in a real range is worth, from 0 to 1.
        bias: which instants of a real range matter: `flat`, `front`, `back`, `middle` or a function of places.
        precision_bias: the same for predicted ranges.
        cardinality: what pieces cost: `one`, `reciprocal` or a function of their number.

    Raises:
        Misfit: no instant is anomalous, or alpha is not from 0 to 1.
        Unreadable: values other than 0 and 1, or lengths that differ.

    >>> range_based([1, 1, 0, 0], [0, 1, 1, 0], alpha=0.5)
    PrecisionRecall(precision=0.5, recall=0.75)
    """
    truth, found = predicted(labels, predictions)
    if not 0 <= alpha <= 1:
        raise Misfit(f"alpha is {alpha}; give a number from 0 to 1.")
    return PrecisionRecall(
        _reward(found, truth, 0, precision_bias, cardinality), _reward(truth, found, alpha, bias, cardinality)
    )


def oracle_range_f1(labels: np.ndarray, scores: Scores) -> float:
    """The best F1 of `range_based` over 100 thresholds, see `oracle_best_f1`; print it only with the word oracle."""
    return oracle_best_f1(range_based, labels, scores)


def _reward(ours: np.ndarray, theirs: np.ndarray, alpha: float, bias: Bias, cardinality: Cardinality) -> float:
    """Mean reward of the ranges of `ours` for being covered by those of `theirs`, 0 where there are none."""
    ranges, others = segments(ours), segments(theirs)
    if not len(ranges):
        return 0.0
    owner = np.repeat(np.arange(len(ranges)), ranges[:, 1] - ranges[:, 0])
    instants = np.flatnonzero(ours)
    weights = bias(instants - ranges[owner, 0] + 1, ranges[owner, 1] - instants)
    covered = np.bincount(owner, weights * theirs[instants]) / np.bincount(owner, weights)
    pieces = np.searchsorted(others[:, 0], ranges[:, 1]) - np.searchsorted(others[:, 1], ranges[:, 0], side="right")
    return float(np.mean(alpha * (pieces > 0) + (1 - alpha) * cardinality(pieces) * covered))
