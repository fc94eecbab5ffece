"""The reference values were printed by `prts` 1.0.0.3 (PyPI) in an environment of its own:

`ts_precision(L, P, alpha=0, cardinality=c, bias=b)` and `ts_recall(L, P, alpha=0.3, cardinality=c, bias=b)`.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from anodiff.metrics import ranges
from anodiff.metrics.ranges import oracle_range_f1, range_based
from anodiff.types import Misfit, Unreadable

LABELS, PREDICTIONS = np.zeros((2, 80), dtype=int)
for start, end in ((10, 20), (30, 31), (50, 65)):
    LABELS[start:end] = 1
for start, end in ((0, 2), (12, 14), (17, 22), (40, 45), (60, 70), (72, 73)):
    PREDICTIONS[start:end] = 1
INDEX = np.arange(80)
SCORES = np.round(np.sin(INDEX * 0.7) + np.cos(INDEX**2 * 0.1), 9) + LABELS * 0.5


@pytest.mark.parametrize(
    ("bias", "cardinality", "precision", "recall"),
    [
        (ranges.flat, ranges.one, 0.35000000000000003, 0.3944444444444444),
        (ranges.flat, ranges.reciprocal, 0.35000000000000003, 0.3361111111111111),
        (ranges.front, ranges.one, 0.4212121212121212, 0.3182575757575757),
        (ranges.front, ranges.reciprocal, 0.4212121212121212, 0.2737121212121212),
        (ranges.back, ranges.one, 0.27878787878787875, 0.47063131313131307),
        (ranges.back, ranges.reciprocal, 0.27878787878787875, 0.3985101010101009),
        (ranges.middle, ranges.one, 0.3611111111111111, 0.3557986111111111),
        (ranges.middle, ranges.reciprocal, 0.3611111111111111, 0.3052430555555556),
    ],
)
def test_is_prts(bias: ranges.Bias, cardinality: ranges.Cardinality, precision: float, recall: float) -> None:
    found = range_based(LABELS, PREDICTIONS, 0.3, bias, bias, cardinality)
    assert found == pytest.approx((precision, recall), abs=1e-12)


def test_is_tsb_ads() -> None:
    """Printed by `basic_metricor().metric_RF1` of TSB-AD 1.5, with `preds=P` and without."""
    assert range_based(LABELS, PREDICTIONS).f1 == pytest.approx(0.3165217391304348, abs=1e-12)
    assert oracle_range_f1(LABELS, SCORES) == pytest.approx(0.5292029686995805, abs=1e-12)


def test_by_hand() -> None:
    """Four instants, of which the first and the last are found: two pieces."""
    labels, predictions = [1, 1, 1, 1, 0], [1, 0, 0, 1, 0]
    assert range_based(labels, predictions, alpha=0) == (1, 0.25)
    assert range_based(labels, predictions, alpha=1) == (1, 1)
    assert range_based(labels, predictions, alpha=0, cardinality=ranges.one) == (1, 0.5)
    middle = range_based(labels, predictions, alpha=0, bias=ranges.middle, cardinality=ranges.one)
    assert middle.recall == pytest.approx(2 / 6)


@given(some.lists(some.tuples(some.booleans(), some.booleans()), min_size=2, max_size=40))
def test_reversed_in_time_the_front_is_the_back(pairs: list[tuple[bool, bool]]) -> None:
    labels, predictions = np.array([(True, False), *pairs]).T
    found = range_based(labels, predictions, 0.3, ranges.front)
    assert range_based(labels[::-1], predictions[::-1], 0.3, ranges.back) == pytest.approx(found)
    assert all(0 <= value <= 1 for value in (*found, found.f1))


def test_instants_that_stand_alone_are_instants() -> None:
    labels, predictions = np.zeros((2, 60), dtype=int)
    labels[::4], predictions[::6] = 1, 1
    assert range_based(labels, predictions) == pytest.approx((0.5, 1 / 3))
    assert range_based(labels, np.zeros(60)) == (0, 0)
    assert range_based(labels, labels) == (1, 1)


def test_refuses() -> None:
    with pytest.raises(Misfit, match="alpha is 2"):
        range_based([0, 1], [0, 1], alpha=2)
    with pytest.raises(Misfit, match="0 of 2"):
        range_based([0, 0], [0, 1])
    with pytest.raises(Unreadable, match="one of each"):
        range_based([0, 1], [1])
