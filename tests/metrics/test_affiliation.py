"""The reference values were printed by the authors' code as shipped in TSB-AD 1.5 (PyPI), in an environment of its own:

`pr_from_events(convert_vector_to_events(P), convert_vector_to_events(L), (0, 80))`.
"""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from anodiff.metrics.affiliation import affiliation, oracle_affiliation_f1
from anodiff.types import Misfit, Unreadable

MANY = [(0, 2), (12, 14), (17, 22), (40, 45), (60, 70), (72, 73)]


def marked(n: int, events: list[tuple[int, int]]) -> np.ndarray:
    labels = np.zeros(n, dtype=int)
    for start, end in events:
        labels[start:end] = 1
    return labels


LABELS = marked(80, [(10, 20), (30, 31), (50, 65)])


@pytest.mark.parametrize(
    ("predictions", "precision", "recall"),
    [
        (MANY, 0.4223247584047911, 0.6168595798738714),
        ([(33, 34)], 0.6129032258064516, 0.22580645161290325),
        ([(79, 80)], 0.012658227848101333, 0.02394514767932492),
        ([(0, 80)], 0.5513949983223848, 1.0),
        ([(45, 50)], 0.49367088607594933, 0.20675105485232068),
        ([(19, 51)], 0.4802999102844991, 0.781732770745429),
    ],
)
def test_is_the_authors(predictions: list[tuple[int, int]], precision: float, recall: float) -> None:
    assert affiliation(LABELS, marked(80, predictions)) == pytest.approx((precision, recall), abs=1e-12)


def test_is_tsb_ads() -> None:
    """Printed by `basic_metricor().metric_Affiliation` of TSB-AD 1.5, with `preds=P` and without."""
    index = np.arange(80)
    scores = np.round(np.sin(index * 0.7) + np.cos(index**2 * 0.1), 9) + LABELS * 0.5
    assert affiliation(LABELS, marked(80, MANY)).f1 == pytest.approx(0.5013837554007766, abs=1e-12)
    assert oracle_affiliation_f1(LABELS, scores) == pytest.approx(0.7478304481117096, abs=1e-12)


def test_by_hand() -> None:
    """One event [4, 5) in ten instants, one alarm [6, 7): distances 1 to 2, with m = 4."""
    found = affiliation(marked(10, [(4, 5)]), marked(10, [(6, 7)]))
    assert found.precision == pytest.approx(1 - (1 + 1.5 + 1.5) / 10)
    assert found.recall == pytest.approx(1 - 2 * 1.5 / 10)


def test_a_random_alarm_is_worth_a_half() -> None:
    """By construction F is uniform, but for the instants of the event."""
    labels = marked(2001, [(1000, 1001)])
    alone = [affiliation(labels, marked(2001, [(i, i + 1)])).precision for i in range(0, 2001, 50)]
    assert np.mean(alone) == pytest.approx(0.5, abs=0.02)


@given(some.lists(some.tuples(some.booleans(), some.booleans()), min_size=2, max_size=40))
def test_reversed_in_time_is_the_same(pairs: list[tuple[bool, bool]]) -> None:
    labels, predictions = np.array([(True, False), *pairs]).T
    found = affiliation(labels, predictions)
    assert affiliation(labels[::-1], predictions[::-1]) == pytest.approx(found, abs=1e-12)
    assert affiliation(labels, labels) == (1, 1)
    assert all(-1e-12 <= value <= 1 + 1e-12 for value in (*found, found.f1))


def test_nothing_found_and_all_anomalous() -> None:
    assert affiliation(LABELS, np.zeros(80)) == (0, 0)
    assert affiliation(np.ones(4), [1, 0, 0, 0]).precision == 1


def test_is_fast() -> None:
    random = np.random.default_rng(0)
    labels, predictions = random.random((2, 100_000)) > 0.9
    start = time.perf_counter()
    affiliation(labels, predictions)
    assert time.perf_counter() - start < 2


def test_refuses() -> None:
    with pytest.raises(Misfit, match="0 of 2"):
        affiliation([0, 0], [0, 1])
    with pytest.raises(Unreadable, match="predictions"):
        affiliation([0, 1], [0, 3])
