import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anodiff.alarms import Surprise
from anodiff.types import BadModel, Unreadable

RANDOM = np.random.default_rng(0)
SAMPLES = {
    "normal": RANDOM.normal(size=1000),
    "exponential": RANDOM.exponential(size=1000),
    "orders of magnitude": np.exp(5 * RANDOM.normal(size=1000)),
    "far from zero": 100 + RANDOM.normal(size=1000),
    "heavy": RANDOM.standard_cauchy(1000),
    "half ties": np.concatenate([np.zeros(500), RANDOM.exponential(size=500)]),
    "nearly all ties": np.concatenate([np.zeros(990), RANDOM.exponential(size=10)]),
    "integers": RANDOM.poisson(2, 1000).astype(float),
    "constant": np.full(50, 7.0),
    "zero": np.zeros(50),
    "ten": RANDOM.gamma(2, size=10),
    "an outlier": np.append(RANDOM.normal(size=200), 1e9),
    "tiny": 1e-200 * RANDOM.exponential(size=100),
    "huge": 1e300 * RANDOM.normal(size=100),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_strictly_increases_and_never_saturates(name: str) -> None:
    raw = SAMPLES[name]
    surprise = Surprise().fit(raw)
    inside = np.linspace(raw.min(), raw.max(), 500)
    step = surprise.spread_ * 10.0 ** np.arange(-3, 7)
    out = np.concatenate([raw.min() - step[::-1], inside, raw.max() + step, [1e305, 1e306, 1e307]])
    out = np.unique(out[np.isfinite(out) & (np.abs(out) < 8e307)])
    apart = np.append(True, np.diff(out) > 1e-9 * (surprise.spread_ + np.abs(out[1:])))
    assert (np.diff(surprise(out[apart])) > 0).all()
    assert (surprise(out) > 0).all()
    assert len(surprise.y_) <= 32


FLOATS = st.floats(-1e9, 1e9) | st.integers(0, 5).map(float)


@settings(max_examples=200, deadline=None)
@given(raw=st.lists(FLOATS, min_size=2, max_size=60), at=st.lists(st.floats(-1e12, 1e12), min_size=2, max_size=30))
def test_strictly_increases_whatever_it_was_fitted_on(raw: list[float], at: list[float]) -> None:
    surprise = Surprise().fit(raw)
    at = np.sort(np.array(at + raw))
    apart = np.diff(at) > 1e-7 * (surprise.spread_ + np.abs(at[1:]) + abs(surprise.median_))
    steps = np.diff(surprise(at))
    assert (steps[apart] > 0).all()
    assert (steps >= -1e-12).all()


@settings(max_examples=200, deadline=None)
@given(raw=st.lists(FLOATS, min_size=2, max_size=60), at=st.floats(-1e12, 1e12))
def test_is_continuous_with_a_bounded_slope(raw: list[float], at: float) -> None:
    surprise, change = Surprise().fit(raw), 1e-7
    for s in [at, *raw]:
        one, other = surprise([s, s + change * max(abs(s), surprise.spread_)])
        bound = surprise.steepest * (2 + abs(surprise.median_) / surprise.spread_) * change
        assert abs(other - one) <= bound * one * 1.01, s


def test_a_hair_more_is_a_hair_more_surprising() -> None:
    for name in ("exponential", "orders of magnitude", "half ties", "integers", "ten", "tiny"):
        raw = SAMPLES[name]
        surprise = Surprise().fit(raw)
        assert np.max(np.abs(surprise(raw * (1 + 1e-7)) / surprise(raw) - 1)) <= 1e-5, name


@pytest.mark.parametrize("name", ["normal", "exponential", "orders of magnitude", "far from zero", "heavy"])
def test_is_the_log_tail_probability(name: str) -> None:
    raw = np.sort(SAMPLES[name])
    expected = -np.log((np.arange(1000, 0, -1) - 0.5) / 1001)
    likely = slice(200, 997)
    assert np.abs(Surprise().fit(raw)(raw) - expected)[likely].max() < 0.25


def test_puts_scores_of_any_unit_on_one_scale() -> None:
    raw, at = SAMPLES["exponential"], np.linspace(-1, 50, 99)
    np.testing.assert_allclose(Surprise().fit(1e6 * raw)(1e6 * at), Surprise().fit(raw)(at), rtol=1e-9)
    np.testing.assert_allclose(Surprise().fit(raw + 5)(at + 5), Surprise().fit(raw)(at), rtol=1e-9)


def test_extremes_are_finite() -> None:
    for raw in SAMPLES.values():
        out = Surprise().fit(raw)([-1.7e308, -1e-320, 0.0, 1e-320, 1.7e308])
        assert np.isfinite(out).all()
        assert (out > 0).all()


@pytest.mark.parametrize("bad", [[], [1.0], [math.nan, 1], [math.inf, 1], ["a", "b"], [[1.0, 2.0]]])
def test_refuses_what_are_no_scores(bad: object) -> None:
    with pytest.raises(Unreadable):
        Surprise().fit(bad)  # type: ignore[arg-type]


def test_saves() -> None:
    surprise, at = Surprise().fit(SAMPLES["heavy"]), np.linspace(-50, 50, 99)
    config, arrays = json.loads(json.dumps(surprise.config())), surprise.arrays()
    np.testing.assert_array_equal(Surprise.restore(config, arrays)(at), surprise(at))
    for damaged in (
        ({}, arrays),
        (config, {}),
        (config | {"spread": 0}, arrays),
        (config | {"tail": math.nan}, arrays),
        (config, arrays | {"y": arrays["y"][::-1]}),
        (config, arrays | {"y": arrays["y"][1:]}),
    ):
        with pytest.raises(BadModel):
            Surprise.restore(*damaged)
