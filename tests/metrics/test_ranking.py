import math

import numpy as np
import pytest
from scipy import stats

from anodiff.metrics import ranking
from anodiff.types import Misfit, Unreadable

LABELS = np.array([0, 0, 1, 0, 1, 1])
SCORES = np.array([0.1, 0.4, 0.4, 0.2, 0.9, 0.3])


def test_auroc_counts_pairs() -> None:
    normal, abnormal = SCORES[LABELS == 0][:, None], SCORES[LABELS == 1]
    pairs = (abnormal > normal) + 0.5 * (abnormal == normal)
    assert ranking.auroc(LABELS, SCORES) == pytest.approx(pairs.mean())
    assert ranking.auroc(LABELS, -SCORES) == pytest.approx(1 - pairs.mean())


def test_perfect_and_constant() -> None:
    assert ranking.average_precision(LABELS, LABELS.astype(float)) == 1
    assert ranking.oracle_f1(LABELS, LABELS.astype(float)) == 1
    assert ranking.precision_at_n(LABELS, LABELS.astype(float)) == 1
    flat = np.zeros(6)
    assert ranking.auroc(LABELS, flat) == 0.5
    assert ranking.average_precision(LABELS, flat) == 0.5
    assert ranking.precision_at_n(LABELS, flat) == pytest.approx(0.5)


def test_f1_is_at_most_the_oracle() -> None:
    best = max(ranking.f1(LABELS, SCORES, t) for t in [-1, *SCORES])
    assert ranking.oracle_f1(LABELS, SCORES) == pytest.approx(best)
    assert ranking.f1(LABELS, SCORES, 2.0) == 0
    assert "oracle" in (ranking.oracle_f1.__doc__ or "")


def test_precision_at_n_is_the_mean_over_orders_of_ties() -> None:
    random = np.random.default_rng(0)
    scores = np.array([1.0, 1, 1, 2, 0, 1])
    draws = [LABELS[np.lexsort((random.random(6), scores))][-3:].mean() for _ in range(4000)]
    assert ranking.precision_at_n(LABELS, scores) == pytest.approx(np.mean(draws), abs=0.02)
    with pytest.raises(Misfit, match="n is 9"):
        ranking.precision_at_n(LABELS, scores, 9)


@pytest.mark.parametrize(("k", "n"), [(0, 5), (5, 5), (3, 100), (50, 1000)])
def test_clopper_pearson_is_scipys(k: int, n: int) -> None:
    interval = ranking.proportion(k, n, 0.95)
    expected = stats.binomtest(k, n).proportion_ci(0.95, method="exact")
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))


def test_false_alarm_rate() -> None:
    interval = ranking.false_alarm_rate(np.arange(100.0), 94.5)
    assert interval.value == 0.05
    assert interval.low < 0.05 < interval.high
    assert ranking.false_alarm_rate(np.arange(9.0), math.inf).value == 0
    with pytest.raises(Unreadable, match="1 NaN"):
        ranking.false_alarm_rate(np.array([np.nan]), 0)


def test_acceptance_interval_accepts() -> None:
    accepted = ranking.acceptance_interval(0.05, 400, 0.99)
    shares = np.random.default_rng(0).binomial(400, 0.05, 20_000) / 400
    assert ((shares >= accepted.low) & (shares <= accepted.high)).mean() >= 0.99 - 0.002


def test_paired_interval_covers_and_decides() -> None:
    random, covered = np.random.default_rng(0), 0
    for i in range(100):
        truth = random.normal(0, 1, (26, 1)) + random.normal(0, 0.3, (26, 5))
        interval = ranking.paired_interval(truth + 0.5, np.zeros((26, 5)), draws=200, seed=i)
        covered += interval.low <= 0.5 <= interval.high
    assert covered >= 86
    theirs = random.normal(80, 9, (26, 5))
    assert ranking.paired_interval(theirs + 1, theirs).verdict == "wins"
    assert ranking.paired_interval(theirs - 1, theirs).verdict == "loses"
    assert ranking.paired_interval(theirs, theirs).verdict == "ties"
    assert ranking.paired_interval(theirs[:, 0] + 1, theirs[:, 0]).value == pytest.approx(1)


@pytest.mark.parametrize(
    ("labels", "scores", "said"),
    [
        ([1, 1], [1.0, 2], r"only \[1\]"),
        ([0, 2], [1.0, 2], r"only \[0, 2\]"),
        ([0, 1], [1.0, np.nan], "NaN"),
        ([0, 1], [1.0], "one score per item"),
        ([], [], r"only \[\]"),
        (["a", "b"], [1.0, 2], "labels hold only"),
    ],
)
def test_refuses(labels: list, scores: list, said: str) -> None:
    for metric in (ranking.auroc, ranking.average_precision, ranking.precision_at_n, ranking.oracle_f1):
        with pytest.raises(Unreadable, match=said):
            metric(labels, scores)


def test_refuses_settings() -> None:
    with pytest.raises(Misfit, match="no proportion"):
        ranking.proportion(3, 2)
    with pytest.raises(Misfit, match="confidence is 99"):
        ranking.proportion(1, 2, 99)
    with pytest.raises(Misfit, match="rate 2"):
        ranking.acceptance_interval(2, 10)
    with pytest.raises(Unreadable, match="at least 2 sets"):
        ranking.paired_interval([1.0], [2.0])
    with pytest.raises(Unreadable, match="one shape"):
        ranking.paired_interval([1.0, 2.0], [2.0])
