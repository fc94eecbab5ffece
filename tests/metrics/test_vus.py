"""The reference values were printed by TSB-AD 1.5 (PyPI) in an environment of its own, for the inputs below:

`generate_curve(labels, scores, window, "opt", 250)[-2:]` of `TSB_AD.evaluation.basic_metrics`, and
`find_length_rank(series.reshape(-1, 1), rank=1)` of `TSB_AD.utils.slidingWindows`.
"""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from anodiff.metrics.segments import segments
from anodiff.metrics.vus import period, vus, vus_pr, vus_roc
from anodiff.types import Misfit, Unreadable

INDEX = np.arange(2000)


def labelled(n: int, events: list[tuple[int, int]]) -> np.ndarray:
    labels = np.zeros(n, dtype=int)
    for start, end in events:
        labels[start:end] = 1
    return labels


def rising_and_falling(n: int, decimals: int) -> np.ndarray:
    return np.round(np.sin(np.arange(n) * 0.7) + np.cos(np.arange(n) ** 2 * 0.1), decimals)


@pytest.mark.parametrize(
    ("n", "events", "window", "decimals", "roc", "pr"),
    [
        (60, [(10, 15), (30, 31)], 8, 9, 0.7002047989270463, 0.2032806894799835),
        (60, [(0, 4), (7, 9), (12, 13), (57, 60)], 11, 9, 0.8269193422474443, 0.5234698596371428),
        (300, [(40, 60), (65, 70), (200, 230)], 25, 9, 0.5922445323441445, 0.26626132704675576),
        (300, [(40, 60), (65, 70), (200, 230)], 25, 0, 0.5762319107302436, 0.24992626823553768),
        (12, [(5, 6)], 40, 9, 0.8834397093777182, 0.7681499259082393),
        (60, [(10, 15)], 0, 9, 0.6836363636363636, 0.18122880731239863),
    ],
)
def test_is_tsb_ads(n: int, events: list[tuple[int, int]], window: int, decimals: int, roc: float, pr: float) -> None:
    labels, scores = labelled(n, events), rising_and_falling(n, decimals)
    assert vus(labels, scores, window) == pytest.approx((roc, pr), abs=1e-12)
    assert vus_roc(labels.astype(bool), scores, window) == pytest.approx(roc, abs=1e-12)
    assert vus_pr(labels.tolist(), scores.tolist(), window) == pytest.approx(pr, abs=1e-12)


def test_by_hand() -> None:
    """Four instants, one event, slack 2 softens both neighbours to the root of a half."""
    soft = 0.5**0.5
    mass, positives = (
        np.array([1, 1 + soft, 1 + 2 * soft, 1 + 2 * soft]),
        1 + np.array([0, soft, 2 * soft, 2 * soft]) / 2,
    )
    recall = np.minimum(mass / positives, 1)
    assert recall.tolist() == [1, 1, 1, 1]
    assert vus([0, 1, 0, 0], [2.0, 3.0, 1.0, 0.0], 2).pr == pytest.approx(1)
    late = vus([0, 1, 0, 0], [3.0, 2.0, 1.0, 0.0], 2).pr
    first, then = soft / (1 + soft / 2), (1 + soft) / (1 + soft / 2)
    assert late == pytest.approx((0.5 + 0.5 + first * soft + (min(then, 1) - first) * (1 + soft) / 2) / 3)


def test_perfect_and_constant() -> None:
    labels = labelled(200, [(50, 80)])
    assert vus(labels, labels, 0) == (1, 1)
    assert vus(labels, np.zeros(200), 0) == pytest.approx((0.5, 0.15))


@given(some.lists(some.tuples(some.booleans(), some.integers(-9, 9)), min_size=3, max_size=60), some.integers(0, 12))
def test_time_reversed_and_rescaled_is_the_same(pairs: list[tuple[bool, int]], window: int) -> None:
    labels, scores = np.array([a for a, _ in pairs], dtype=int), np.array([float(b) for _, b in pairs])
    labels[0], labels[-1] = 1, 0
    found = vus(labels, scores, window)
    assert vus(labels[::-1], scores[::-1], window) == pytest.approx(found, abs=1e-12)
    assert vus(labels, np.exp(scores / 5), window) == pytest.approx(found, abs=1e-12)
    assert 0 <= found.pr <= 1 + 1e-12


def test_is_fast() -> None:
    random = np.random.default_rng(0)
    labels = labelled(28_000, [(s, s + 20) for s in random.integers(0, 27_900, 50).tolist()])
    scores = random.normal(size=28_000) + labels
    took = []
    for _ in range(3):
        start = time.perf_counter()
        vus(labels, scores, 100)
        took.append(time.perf_counter() - start)
    assert min(took) < 0.5


@pytest.mark.parametrize(
    ("series", "expected"),
    [
        (np.sin(INDEX * 2 * np.pi / 24) + 2 * np.sin(INDEX * 2 * np.pi / 168), 168),
        (np.sin(INDEX * 2 * np.pi / 4), 125),
        (np.sin(INDEX * 2 * np.pi / 350), 125),
        (np.sin(np.arange(40)), 6),
        (INDEX * 1.0, 125),
        (np.ones(30), 125),
        (np.ones(1), 125),
    ],
)
def test_period_is_tsb_ads(series: np.ndarray, expected: int) -> None:
    assert period(series) == period(series[:, None]) == expected
    assert period(np.stack([series, np.arange(len(series)) % 7], axis=1)) == expected


def test_segments() -> None:
    assert segments(np.zeros(3)).shape == (0, 2)
    assert segments(np.ones(3, dtype=bool)).tolist() == [[0, 3]]
    assert segments(labelled(9, [(0, 1), (3, 5), (8, 9)])).tolist() == [[0, 1], [3, 5], [8, 9]]


@pytest.mark.parametrize(
    ("labels", "scores", "window", "refusal", "said"),
    [
        ([0, 0], [1.0, 2], 1, Misfit, "0 of 2 instants are anomalous"),
        ([1, 1], [1.0, 2], 1, Misfit, "2 of 2 instants are anomalous"),
        ([0, 1], [1.0, 2], -1, Misfit, "window is -1"),
        ([0, 1], [1.0, 2], 1.5, Misfit, "window is 1.5"),
        ([0, 1], [1.0, np.nan], 1, Unreadable, "1 of 2 scores are NaN"),
        ([0, 1], [1.0, np.inf], 1, Unreadable, "infinite"),
        ([0, 1], [1.0], 1, Unreadable, "one score per instant"),
        ([0, 2], [1.0, 2], 1, Unreadable, "other values"),
        ([0, np.nan], [1.0, 2], 1, Unreadable, "other values"),
        (["a", "b"], [1.0, 2], 1, Unreadable, "other values"),
        ([[0, 1]], [[1.0, 2]], 1, Unreadable, "other values"),
        ([], [], 1, Unreadable, "other values"),
    ],
)
def test_refuses(labels: list, scores: list, window: int, refusal: type[Exception], said: str) -> None:
    for metric in (vus, vus_pr, vus_roc):
        with pytest.raises(refusal, match=said):
            metric(labels, scores, window)


@pytest.mark.parametrize("series", [[], [1.0, np.nan], np.zeros((2, 2, 2))])
def test_period_refuses(series: list) -> None:
    with pytest.raises(Unreadable, match="empty or not finite"):
        period(series)
