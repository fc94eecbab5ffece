import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anodiff.alarms import Conformal, cross_conformal_p_value, fold_p_value, normals_for
from anodiff.metrics.ranking import acceptance_interval
from anodiff.types import BadModel, Misfit, Unreadable

NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-3, 3).map(float)
RATES = st.floats(1e-6, 1 - 1e-6) | st.tuples(st.integers(1, 60), st.integers(1, 60)).map(lambda k: k[0] / sum(k))


@settings(max_examples=300, deadline=None)
@given(held_out=st.lists(NUMBERS, min_size=1, max_size=50), more=st.lists(NUMBERS, max_size=20), rate=RATES)
def test_threshold_says_what_the_p_value_says(held_out: list[float], more: list[float], rate: float) -> None:
    alarm = Conformal().fit(np.array(held_out))
    near = [float(np.nextafter(s, side)) for s in held_out for side in (-1e300, 1e300)]
    scores = np.array(held_out + more + near)
    np.testing.assert_array_equal(scores > alarm.threshold(rate), alarm.p_value(scores) <= rate)


@settings(max_examples=100, deadline=None)
@given(n=st.integers(1, 400), k=st.integers(1, 400))
def test_threshold_at_every_level_of_the_sample(n: int, k: int) -> None:
    alarm, rate = Conformal().fit(np.arange(n)), min(k, n) / (n + 1)
    assert (np.arange(n + 5) > alarm.threshold(rate)).sum() == min(k, n) + 4


def test_p_value_counts() -> None:
    p = Conformal().fit([1, 2, 2, 3]).p_value([0, 1, 2, 2.5, 3, 9])
    np.testing.assert_allclose(p, [1, 1, 4 / 5, 2 / 5, 2 / 5, 1 / 5])


@pytest.mark.parametrize("draw", ["normal", "cauchy", "ties", "constant"])
def test_normals_raise_at_most_their_rate(draw: str) -> None:
    random = np.random.default_rng(0)
    trials, n = 20_000, 99
    scores = {
        "normal": random.normal(size=(trials, n + 1)),
        "cauchy": random.standard_cauchy((trials, n + 1)),
        "ties": random.poisson(1.0, (trials, n + 1)).astype(float),
        "constant": np.ones((trials, n + 1)),
    }[draw]
    p = np.array([Conformal().fit(row[1:]).p_value(row[:1])[0] for row in scores])
    for rate in (0.01, 0.05, 0.1, 0.5):
        accepted = acceptance_interval(rate, trials, 0.999)
        share = (p <= rate).mean()
        assert share <= accepted.high, (draw, rate)
        assert share >= accepted.low or draw in ("ties", "constant"), (draw, rate)


def test_cross_conformal_holds_with_models_of_folds() -> None:
    random = np.random.default_rng(1)
    trials, folds, size = 4000, 5, 8
    pooled, twice = np.empty(trials), np.empty(trials)
    for i in range(trials):
        x, new = random.normal(size=(folds, size)), random.normal(size=1)
        means = np.array([np.delete(x, k, 0).mean() for k in range(folds)])
        held_out = [np.abs(x[k] - means[k]) for k in range(folds)]
        judged = np.abs(new[:, None] - means)
        pooled[i], twice[i] = (f(held_out, judged)[0] for f in (cross_conformal_p_value, fold_p_value))
    for rate in (0.05, 0.1, 0.2):
        assert (pooled <= rate).mean() <= acceptance_interval(rate, trials, 0.999).high * 1.05
        assert (twice <= rate).mean() <= acceptance_interval(rate, trials, 0.999).high


def test_cross_conformal_of_one_fold_is_conformal() -> None:
    held_out, new = np.array([3.0, 1.0, 2.0]), np.array([0.5, 2.0, 9.0])
    expected = Conformal().fit(held_out).p_value(new)
    np.testing.assert_allclose(cross_conformal_p_value([held_out], new[:, None]), expected)
    np.testing.assert_allclose(fold_p_value([held_out], new[:, None]), np.minimum(1, 2 * expected))
    with pytest.raises(Misfit, match="one column of scores per fold"):
        cross_conformal_p_value([held_out], new)


def test_too_few_normals_are_stated() -> None:
    alarm = Conformal().fit(np.arange(399.0))
    assert alarm.supported_rate == 1 / 400
    assert alarm.threshold(0.0024) == math.inf
    assert "at least 999" in alarm.statement(0.001)
    assert "within" in alarm.statement(0.01)


@given(rate=RATES)
def test_normals_for_is_the_fewest(rate: float) -> None:
    n = normals_for(rate)
    assert 1 / (n + 1) <= rate
    assert n == 1 or 1 / n > rate


@pytest.mark.parametrize("bad", [[], [math.nan], [math.inf, 1], [[1.0]], ["a"], [None, 1.0], 3.0])
def test_refuses_what_are_no_scores(bad: object) -> None:
    with pytest.raises(Unreadable, match="give"):
        Conformal().fit(bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("rate", [0, 1, -1, 5, math.nan])
def test_refuses_what_is_no_rate(rate: float) -> None:
    with pytest.raises(Misfit, match="false_alarm_rate"):
        Conformal().fit([1.0]).threshold(rate)


def test_saves() -> None:
    alarm, scores = Conformal().fit([3.0, 1.0, 2.0]), np.linspace(0, 4, 9)
    again = Conformal.restore(json.loads(json.dumps(alarm.config())), alarm.arrays())
    np.testing.assert_array_equal(again.p_value(scores), alarm.p_value(scores))
    with pytest.raises(BadModel, match="damaged"):
        Conformal.restore({}, {"scores": np.array([np.nan])})
    with pytest.raises(BadModel, match="damaged"):
        Conformal.restore({}, {})
