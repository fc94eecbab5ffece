"""The reference values were printed by `basic_metricor` of TSB-AD 1.5 (PyPI) in an environment of its own.

It never adjusts the first instant, nor sees the last one when an event ends there; our inputs avoid both.
"""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from anodiff.metrics import events
from anodiff.metrics.ranking import oracle_f1
from anodiff.types import Misfit, Unreadable

LABELS, PREDICTIONS = np.zeros((2, 80), dtype=int)
for start, end in ((10, 20), (30, 31), (50, 65)):
    LABELS[start:end] = 1
for start, end in ((0, 2), (12, 14), (17, 22), (40, 45), (60, 70), (72, 73)):
    PREDICTIONS[start:end] = 1
INDEX = np.arange(80)
SCORES = np.round(np.sin(INDEX * 0.7) + np.cos(INDEX**2 * 0.1), 9) + LABELS * 0.5


def test_is_tsb_ads() -> None:
    """`metric_PointF1`, `metric_EventF1PA` and `metric_PointF1PA`, given predictions."""
    assert events.pointwise(LABELS, PREDICTIONS).f1 == pytest.approx(0.39215686274509803, abs=1e-12)
    assert events.composite(LABELS, PREDICTIONS).f1 == pytest.approx(0.5, abs=1e-12)
    assert events.point_adjusted(LABELS, PREDICTIONS).oracle_adjusted == pytest.approx(0.7575757575757576, abs=1e-12)


def test_oracle_is_tsb_ads() -> None:
    """`metric_EventF1PA` on its grid; point adjustment we search over all thresholds, so that it is at least theirs."""
    assert events.oracle_composite_f1(LABELS, SCORES) == pytest.approx(0.8, abs=1e-12)
    assert events.oracle_point_adjusted(LABELS, SCORES).oracle_adjusted >= 0.9803921568627451 - 1e-12


def test_by_hand() -> None:
    labels, predictions = [1, 1, 0, 0, 1, 0, 1], [0, 1, 1, 0, 0, 0, 1]
    assert events.pointwise(labels, predictions) == (2 / 3, 2 / 4)
    assert events.eventwise(labels, predictions) == (1, 2 / 3)
    assert events.composite(labels, predictions) == (2 / 3, 2 / 3)
    assert events.eventwise(labels, [0, 0, 1, 0, 0, 0, 1]) == (1 / 2, 1 / 3)
    assert events.point_adjusted(labels, predictions).oracle_adjusted == pytest.approx(2 * 3 / (4 + 4))


def test_nothing_predicted() -> None:
    for measure in (events.pointwise, events.eventwise, events.composite):
        assert measure(LABELS, np.zeros(80)) == (0, 0)
        assert measure(LABELS, np.zeros(80)).f1 == 0
        assert measure(LABELS, LABELS) == (1, 1)


def best_by_hand(labels: np.ndarray, scores: np.ndarray) -> float:
    return max(events.point_adjusted(labels, scores >= t).oracle_adjusted for t in np.unique(scores))


@given(some.lists(some.tuples(some.booleans(), some.integers(0, 9)), min_size=2, max_size=30))
def test_oracle_adjusts_at_every_threshold(pairs: list[tuple[bool, int]]) -> None:
    labels, scores = np.array([(1, 3), (0, 4), *pairs]).T
    found = events.oracle_point_adjusted(labels, scores)
    assert found.oracle_adjusted == pytest.approx(best_by_hand(labels, scores))
    assert found.oracle_plain == oracle_f1(labels, scores) <= found.oracle_adjusted + 1e-12


def test_point_adjustment_is_never_said_alone() -> None:
    """A long event is found by any score: what the plain value and the random one are there to show."""
    labels = np.zeros(5000, dtype=int)
    labels[1000:1500] = 1
    found = events.oracle_point_adjusted(labels, np.random.default_rng(1).random(5000))
    assert found.oracle_random > 0.9 > 0.3 > found.oracle_plain
    assert found.oracle_adjusted > 0.9
    for said in (str(found), f"{found}", repr(found)):
        assert "oracle" in said
        assert "random" in said
    assert f"{found.oracle_plain:.3f}" in str(found)
    assert f"{found.oracle_random:.3f}" in str(found)
    with pytest.raises(TypeError):
        float(found)


def test_random_is_seeded() -> None:
    assert events.oracle_point_adjusted(LABELS, SCORES) == events.oracle_point_adjusted(LABELS, SCORES, seed=0)
    assert events.oracle_point_adjusted(LABELS, SCORES) != events.oracle_point_adjusted(LABELS, SCORES, seed=1)
    assert events.point_adjusted(LABELS, PREDICTIONS) == events.point_adjusted(LABELS, PREDICTIONS, seed=0)


def test_oracles_say_so() -> None:
    oracles = [getattr(events, name) for name in events.__all__ if name.startswith("oracle")]
    assert len(oracles) == 5
    assert all("oracle" in (each.__doc__ or "") or each is events.oracle_point_adjusted for each in oracles)


@pytest.mark.parametrize(("at", "hit"), [(399, False), (400, True), (609, True), (610, False)])
def test_ucr_hit(at: int, hit: bool) -> None:
    labels, scores = np.zeros((2, 1000))
    labels[500:510], scores[at] = 1, 1
    assert events.ucr_hit(labels, scores) is hit


def test_ucr_hit_of_ties_and_refusals() -> None:
    labels = np.zeros(1000)
    labels[500] = 1
    assert not events.ucr_hit(labels, np.zeros(1000))
    assert events.ucr_hit(labels, labels)
    labels[700] = 1
    with pytest.raises(Misfit, match="2 events"):
        events.ucr_hit(labels, labels)


@pytest.mark.parametrize(
    "measure", [events.pointwise, events.eventwise, events.composite, events.point_adjusted, events.affiliation]
)
def test_refuses_predictions(measure: Callable) -> None:
    with pytest.raises(Misfit, match="0 of 2"):
        measure([0, 0], [0, 1])
    with pytest.raises(Unreadable, match="one of each"):
        measure([0, 1], [0, 1, 0])
    with pytest.raises(Unreadable, match="predictions"):
        measure([0, 1], [0.5, 1])


@pytest.mark.parametrize("measure", [events.oracle_composite_f1, events.oracle_point_adjusted, events.ucr_hit])
def test_refuses_scores(measure: Callable) -> None:
    with pytest.raises(Misfit, match="needs both kinds"):
        measure([0, 0], [0, 1])
    with pytest.raises(Unreadable, match="NaN"):
        measure([0, 1], [0, np.nan])
