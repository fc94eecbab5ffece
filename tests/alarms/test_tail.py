import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from anodiff.alarms import Conformal, Tail
from anodiff.alarms.tail import fit_generalised_pareto
from anodiff.types import BadModel, Misfit, Unreadable

LAWS = {
    "exponential": stats.expon(),
    "normal": stats.norm(),
    "pareto": stats.pareto(2),
    "heavy": stats.pareto(1),
    "uniform": stats.uniform(),
    "lognormal": stats.lognorm(1),
    "chi-square": stats.chi2(20),
}


def ratios(law: str, rate: float, n: int, draws: int = 60) -> np.ndarray:
    """True tail probability at the threshold over the rate asked for, per draw of held-out normals."""
    random = np.random.default_rng(3)
    thresholds = [Tail().fit(LAWS[law].rvs(n, random_state=random)).threshold(rate) for _ in range(draws)]
    return np.asarray(LAWS[law].sf(thresholds)) / rate


@pytest.mark.parametrize("law", [law for law in LAWS if law != "uniform"])
@pytest.mark.parametrize("fraction", [1.0, 0.1])
def test_extrapolates_within_stated_factors(law: str, fraction: float) -> None:
    """At 1/n within a factor of 2 in the median, at a tenth of it within 3; far draws seldom beyond 10."""
    ratio = ratios(law, fraction / 1000, 1000)
    factor = 2 if fraction == 1 else 3
    assert 1 / factor < np.median(ratio) < factor, np.median(ratio)
    assert np.quantile(ratio, 0.9) < 10, np.quantile(ratio, 0.9)


def test_bounded_tail_is_never_overconfident() -> None:
    assert np.quantile(ratios("uniform", 1e-3, 1000), 0.9) < 4
    tail = Tail().fit(np.random.default_rng(0).uniform(size=1000))
    beyond = tail.p_value(np.array([1.001, 1.01, 1.1, 2, 10, 1e6, 1e300]))
    assert (beyond > 0).all()
    assert (np.diff(beyond) < 0).all()


@pytest.mark.parametrize("n", [30, 100, 400])
def test_on_average_normals_raise_about_their_rate(n: int) -> None:
    for law in ("exponential", "normal", "pareto"):
        assert ratios(law, 1 / (n + 1), n, 150).mean() < 2.0, law


SAMPLES = st.lists(st.floats(-1e6, 1e6) | st.integers(0, 40).map(float), min_size=30, max_size=80)


@settings(max_examples=150, deadline=None)
@given(held_out=SAMPLES, scores=st.lists(st.floats(-1e300, 1e300), min_size=2, max_size=20))
def test_falls_with_the_score(held_out: list[float], scores: list[float]) -> None:
    try:
        tail = Tail().fit(np.array(held_out))
    except Misfit:
        return
    scores = np.sort(np.array(scores + held_out))
    p = tail.p_value(scores)
    assert (np.diff(p) <= 0).all()
    assert (p > 0).all()
    assert (p <= 1).all()
    far = tail.start_ + tail.mean_ * np.array([1e-3, 0.1, 1, 3, 10, 100, 1e4, 1e8])
    far = np.unique(far)
    assert (np.diff(tail.p_value(far)) < 0).all()


@settings(max_examples=60, deadline=None)
@given(held_out=SAMPLES, rate=st.floats(1e-7, 0.5))
def test_threshold_says_what_the_p_value_says(held_out: list[float], rate: float) -> None:
    try:
        tail = Tail().fit(np.array(held_out))
    except Misfit:
        return
    threshold = tail.threshold(rate)
    if math.isfinite(threshold):
        assert tail.p_value([threshold])[0] > rate
        assert tail.p_value([np.nextafter(threshold, np.inf)])[0] <= rate


def test_is_conformal_below_its_start() -> None:
    scores = np.random.default_rng(0).exponential(size=500)
    tail, conformal = Tail().fit(scores), Conformal().fit(scores)
    low = np.linspace(-1, tail.start_, 200)
    np.testing.assert_array_equal(tail.p_value(low), conformal.p_value(low))
    assert tail.threshold(0.3) == conformal.threshold(0.3)
    within = tail.p_value(scores)
    assert np.abs(np.log(within / conformal.p_value(scores))).max() < 1.5


@pytest.mark.parametrize("law", ["exponential", "normal", "pareto"])
def test_interval_covers(law: str) -> None:
    random, rate = np.random.default_rng(0), 1e-3
    truth, covered = LAWS[law].isf(rate), 0
    for _ in range(100):
        low, high = Tail().fit(LAWS[law].rvs(500, random_state=random)).interval(rate)
        covered += low <= truth <= high
    assert covered >= 82, covered


@pytest.mark.parametrize("shape", [-0.4, 0.0, 0.3, 1.0, 2.0])
def test_fit_finds_scale_and_shape(shape: float) -> None:
    excess = np.sort(stats.genpareto.rvs(shape, scale=3, size=4000, random_state=np.random.default_rng(0)))
    scale, found = fit_generalised_pareto(excess)
    assert abs(found - shape) < 0.1
    assert abs(scale / 3 - 1) < 0.1


def test_says_that_it_is_a_model() -> None:
    tail = Tail().fit(np.random.default_rng(0).exponential(size=400))
    assert tail.extrapolates(1e-4)
    assert "model's extrapolation" in tail.statement(1e-4)
    assert "within" in tail.statement(0.3)
    low, high = tail.interval(1e-4)
    assert low < tail.threshold(1e-4) < high
    assert tail.interval(0.3) == (tail.threshold(0.3),) * 2


@pytest.mark.parametrize("scores", [np.arange(29.0), np.ones(100), np.repeat([0.0, 1.0], [95, 5])])
def test_refuses_too_few_exceedances(scores: np.ndarray) -> None:
    with pytest.raises(Misfit, match="conformal"):
        Tail().fit(scores)


def test_refuses_bad_settings_and_scores() -> None:
    with pytest.raises(Misfit, match="exceedances is 3"):
        Tail(3).fit(np.arange(100.0))
    with pytest.raises(Unreadable, match="NaN"):
        Tail().fit(np.full(100, np.nan))


def test_heavy_ties_take_what_stands_out() -> None:
    scores = np.concatenate([np.zeros(900), np.random.default_rng(0).exponential(size=60)])
    tail = Tail().fit(scores)
    assert tail.start_ == 0
    assert tail.p_value([0.0])[0] == 1
    assert tail.p_value([1e-9])[0] == pytest.approx(61 / 961, rel=1e-3)


def test_saves() -> None:
    tail = Tail(40).fit(np.random.default_rng(0).normal(size=200))
    again = Tail.restore(json.loads(json.dumps(tail.config())), tail.arrays())
    scores = np.linspace(-3, 9, 50)
    np.testing.assert_array_equal(again.p_value(scores), tail.p_value(scores))
    for config, arrays in (({}, tail.arrays()), (tail.config(), {}), ({"exceedances": "x"}, tail.arrays())):
        with pytest.raises(BadModel, match="damaged"):
            Tail.restore(config, arrays)
