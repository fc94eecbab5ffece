r"""Are events found? Labels and predictions `(n,)` are 1 for anomalous instants and for alarms.

Between counting instants and counting events lie several conventions, each of which rewards something else:

.. math:: F_1^{\text{composite}} = F_1(p_{\text{instants}}, r_{\text{events}}), \quad
    F_1^{\text{adjusted}} = F_1\big(\text{predictions} \cup \{\text{events touched}\}\big)

The second is granted by the labels, and a random score reaches near the top of it (Kim, Choi, Choi, Lee and Yoon,
"Towards a Rigorous Evaluation of Time-Series Anomaly Detection", 2022), so that it is never said alone. Ranges,
affiliation and the volume under the surface have files of their own, and are found here too.
"""

from dataclasses import dataclass

import numpy as np

from anodiff.metrics.affiliation import affiliation, oracle_affiliation_f1
from anodiff.metrics.ranges import oracle_range_f1, range_based
from anodiff.metrics.ranking import oracle_f1
from anodiff.metrics.segments import PrecisionRecall, oracle_best_f1, predicted, scored, segments
from anodiff.metrics.vus import period, vus, vus_pr, vus_roc
from anodiff.types import Misfit, Scores

__all__ = [
    "PointAdjusted",
    "PrecisionRecall",
    "affiliation",
    "composite",
    "eventwise",
    "oracle_affiliation_f1",
    "oracle_best_f1",
    "oracle_composite_f1",
    "oracle_point_adjusted",
    "oracle_range_f1",
    "period",
    "point_adjusted",
    "pointwise",
    "range_based",
    "segments",
    "ucr_hit",
    "vus",
    "vus_pr",
    "vus_roc",
]


@dataclass(frozen=True)
class PointAdjusted:
    """Point-adjusted F1, which looks at the labels, beside what it must be compared with.

    Attributes:
        oracle_adjusted: F1 after each event that is touched counts as found in full.
        oracle_plain: F1 of the same without adjustment.
        oracle_random: the adjusted F1 of alarms, or scores, placed at random.

    >>> print(PointAdjusted(0.97, 0.21, 0.95))
    oracle point-adjusted F1 0.970 (without adjustment 0.210; adjusted of a random score 0.950)
    """

    oracle_adjusted: float
    oracle_plain: float
    oracle_random: float

    def __str__(self) -> str:
        return (
            f"oracle point-adjusted F1 {self.oracle_adjusted:.3f} (without adjustment {self.oracle_plain:.3f}; "
            f"adjusted of a random score {self.oracle_random:.3f})"
        )


def pointwise(labels: np.ndarray, predictions: np.ndarray) -> PrecisionRecall:
    """Precision and recall of instants.

    Raises:
        Misfit: no instant is anomalous; as in all functions here that take predictions.
        Unreadable: values other than 0 and 1, or lengths that differ; likewise.

    >>> pointwise([1, 1, 0, 0], [1, 0, 0, 0])
    PrecisionRecall(precision=1.0, recall=0.5)
    """
    truth, found = predicted(labels, predictions)
    hits = int((truth & found).sum())
    return PrecisionRecall(hits / max(int(found.sum()), 1), hits / int(truth.sum()))


def eventwise(labels: np.ndarray, predictions: np.ndarray) -> PrecisionRecall:
    """Precision of runs of alarms, by the share that touch an event, and recall of events, by the share touched.

    One alarm that never ends scores 1 in both: hence there is no oracle of it, whose threshold would be the lowest.

    >>> eventwise([1, 1, 0, 1], [1, 0, 0, 0])
    PrecisionRecall(precision=1.0, recall=0.5)
    """
    truth, found = predicted(labels, predictions)
    return PrecisionRecall(_touched(found, truth), _touched(truth, found))


def composite(labels: np.ndarray, predictions: np.ndarray) -> PrecisionRecall:
    """Precision of instants and recall of events; its F1 is TSB-AD's Event-based-F1.

    Garg, Zhang, Samaran, Savitha and Foo, "An Evaluation of Anomaly Detection and Diagnosis in Multivariate Time
    Series", 2021.

    >>> composite([1, 1, 0, 1], [1, 0, 1, 0])
    PrecisionRecall(precision=0.5, recall=0.5)
    """
    return PrecisionRecall(pointwise(labels, predictions).precision, eventwise(labels, predictions).recall)


def point_adjusted(labels: np.ndarray, predictions: np.ndarray, seed: int = 0) -> PointAdjusted:
    """Point-adjusted F1 of predictions, beside their own and that of as many alarms at random.

    Xu et al., "Unsupervised Anomaly Detection via Variational Auto-Encoder for Seasonal KPIs in Web Applications",
    2018.
    """
    truth, found = predicted(labels, predictions)
    chance = np.random.default_rng(seed).permutation(found)
    return PointAdjusted(
        pointwise(truth, _spread(truth, found) > 0).f1,
        pointwise(truth, found).f1,
        pointwise(truth, _spread(truth, chance) > 0).f1,
    )


def oracle_point_adjusted(labels: np.ndarray, scores: Scores, seed: int = 0) -> PointAdjusted:
    """Point-adjusted F1 of `scores` `(n,)` at the best of all thresholds, beside plain F1 and a random score at theirs.

    Raises:
        Misfit: no instant is anomalous, or all are.
        Unreadable: labels other than 0 and 1, scores that are not finite, or lengths that differ.
    """
    truth, found = scored(labels, scores)
    chance = np.random.default_rng(seed).random(len(found))
    return PointAdjusted(
        oracle_f1(truth, _spread(truth, found)), oracle_f1(truth, found), oracle_f1(truth, _spread(truth, chance))
    )


def oracle_composite_f1(labels: np.ndarray, scores: Scores) -> float:
    """The best F1 of `composite` over 100 thresholds, see `oracle_best_f1`; print it only with the word oracle."""
    return oracle_best_f1(composite, labels, scores)


def ucr_hit(labels: np.ndarray, scores: Scores, slack: int = 100) -> bool:
    """Whether the highest score lies within `slack` instants of the only event; a tie farther away is a miss.

    Wu and Keogh, "Current Time Series Anomaly Detection Benchmarks are Flawed and are Creating the Illusion of
    Progress", 2021. Give the test part alone.

    Raises:
        Misfit: there is not exactly one event, or it covers everything, or the slack is negative.
        Unreadable: labels other than 0 and 1, scores that are not finite, or lengths that differ.

    >>> ucr_hit([0, 0, 0, 1], [0.0, 0.9, 0.1, 0.2], slack=1), ucr_hit([0, 0, 0, 1], [0.0, 0.9, 0.1, 0.2], slack=2)
    (False, True)
    """
    truth, found = scored(labels, scores)
    events = segments(truth)
    if len(events) != 1 or slack < 0:
        raise Misfit(f"{len(events)} events and slack {slack}; give a series with one event, and a slack from 0.")
    highest = np.flatnonzero(found == found.max())
    return bool(highest[0] >= events[0, 0] - slack and highest[-1] < events[0, 1] + slack)


def _touched(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Share of the runs of `ours` in which `theirs` is somewhere 1, 0 where there are none."""
    return float(np.mean(_highest(ours, theirs))) if ours.any() else 0.0


def _highest(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The highest score within each event `(events,)`."""
    return np.maximum.reduceat(np.append(scores, scores[-1]), segments(labels).ravel())[::2]


def _spread(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Scores as floats `(n,)`, within each event its highest."""
    spread = scores.astype(np.float64)
    spread[labels] = np.repeat(_highest(labels, scores), np.diff(segments(labels))[:, 0])
    return spread
