r"""Affiliation: how near are alarms to events, and events to alarms, compared with an alarm placed at random?

Every event J owns the zone E of time that is nearer to it than to other events. Within it an alarm at distance
:math:`d > 0` from J counts as much as it is likely that a random instant of E lies farther, and an instant y of J at
distance d from the nearest alarm counts likewise:

.. math:: \text{precision} \ni 1 - \frac{|J| + d + \min(d, m_J)}{|E|}, \quad
    \text{recall} \ni 1 - \frac{d + \min(d, m_y)}{|E|}

where m is the distance to the nearer border of E; alarms within J count 1. Means are taken over alarms or over J, then
over zones. Huet, Navarro and Rossi, "Local Evaluation of Time Series Anomaly Detection Algorithms", 2022. Instants last
from i to i + 1; all bends of these functions fall on quarters, so that midpoints of quarters integrate them exactly.
"""

import numpy as np

from anodiff.metrics.segments import PrecisionRecall, oracle_best_f1, predicted, segments
from anodiff.types import Scores

PARTS = 4


def affiliation(labels: np.ndarray, predictions: np.ndarray) -> PrecisionRecall:
    """Affiliation precision and recall of `predictions` `(n,)` for `labels` `(n,)`, both of 0 and 1.

    Zones without an alarm do not enter precision, and have recall 0. Without any alarm precision is undefined in the
    paper, and 0 here.

    Raises:
        Misfit: no instant is anomalous.
        Unreadable: values other than 0 and 1, or lengths that differ.

    >>> affiliation([0, 1, 0, 0], [0, 1, 0, 0])
    PrecisionRecall(precision=1.0, recall=1.0)
    """
    truth, found = predicted(labels, predictions)
    if not found.any():
        return PrecisionRecall(0.0, 0.0)
    events = segments(truth)
    between = (events[:-1, 1] + events[1:, 0]) / 2
    zones = np.stack([np.append(0, between), np.append(between, len(truth))], axis=1)
    return PrecisionRecall(_precision(events, zones, found), _recall(truth, zones, segments(found)))


def oracle_affiliation_f1(labels: np.ndarray, scores: Scores) -> float:
    """The best F1 of `affiliation` over 100 thresholds, see `oracle_best_f1`; print it only with the word oracle."""
    return oracle_best_f1(affiliation, labels, scores)


def _quarters(chosen: np.ndarray) -> np.ndarray:
    """Midpoints of the parts of the chosen instants, `(parts,)`."""
    return (np.flatnonzero(chosen)[:, None] + (np.arange(PARTS) + 0.5) / PARTS).ravel()


def _precision(events: np.ndarray, zones: np.ndarray, found: np.ndarray) -> float:
    """Mean over zones `(events, 2)` that hold alarms of how near these are to the event."""
    x = _quarters(found)
    zone = np.searchsorted(zones[1:, 0], x)
    distance = np.maximum(np.maximum(events[:, 0][zone] - x, x - events[:, 1][zone]), 0)
    margin = np.minimum(events[:, 0] - zones[:, 0], zones[:, 1] - events[:, 1])[zone]
    length, extent = np.diff(events)[:, 0][zone], np.diff(zones)[:, 0][zone]
    farther = np.where(distance > 0, 1 - (length + distance + np.minimum(distance, margin)) / extent, 1)
    alarms = np.bincount(zone, minlength=len(zones))
    return float(np.mean(np.bincount(zone, farther, len(zones))[alarms > 0] / alarms[alarms > 0]))


def _recall(truth: np.ndarray, zones: np.ndarray, alarms: np.ndarray) -> float:
    """Mean over zones of how near the event is to the alarms `(runs, 2)` in its zone."""
    y = _quarters(truth)
    zone = np.searchsorted(zones[1:, 0], y)
    low, high = zones[zone].T
    ends, starts = np.append(-np.inf, alarms[:, 1]), np.append(alarms[:, 0], np.inf)
    after = np.searchsorted(starts, y)
    before = np.where(ends[after] > low, np.maximum(y - ends[after], 0), np.inf)
    distance = np.minimum(before, np.where(starts[after] < high, starts[after] - y, np.inf))
    farther = 1 - (distance + np.minimum(distance, np.minimum(y - low, high - y))) / (high - low)
    farther[np.isinf(distance)] = 0
    return float(np.mean(np.bincount(zone, farther) / np.bincount(zone)))
