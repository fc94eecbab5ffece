import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

from anodiff.alarms import Blocks, Conformal, events, from_per_day, per_day
from anodiff.alarms.events import spans
from anodiff.alarms.levels import before, clustering, decorrelation, envelope
from anodiff.types import BadModel, Misfit, Unreadable

FRESH = 100_000
SCORES = st.lists(st.floats(-5, 5) | st.integers(-2, 3).map(float), min_size=1, max_size=40)


def follow_each_other(random: np.random.Generator, n: int, memory: float, draw: str = "normal") -> np.ndarray:
    noise = random.standard_t(3, n + 500) if draw == "heavy" else random.normal(size=n + 500)
    return lfilter([math.sqrt(1 - memory**2)], [1, -memory], noise)[500:]


def drawn(kind: str, random: np.random.Generator, n: int) -> np.ndarray:
    if kind == "seasonal":
        season = 1.5 + np.sin(2 * np.pi * (np.arange(n) + random.integers(200)) / 200)
        return np.abs(follow_each_other(random, n, 0.7)) * season
    if kind == "smoothed":
        return np.convolve(random.normal(size=n + 29) ** 2, np.ones(30) / 30, "valid")
    if kind == "slow":
        slow = np.exp(0.4 * follow_each_other(random, n, 0.998))
        return np.abs(follow_each_other(random, n, 0.8)) * slow
    if kind == "heavy":
        return np.abs(follow_each_other(random, n, 0.8, "heavy"))
    return random.exponential(size=n) if kind == "independent" else follow_each_other(random, n, 0.95)


def kept(kind: str, rate: float, seeds: int = 24) -> np.ndarray:
    """Events on fresh stretches over those stated, by the alarm and by the naive one, `(seeds, 2)`."""
    shares = []
    for seed in range(seeds):
        random = np.random.default_rng(seed)
        alarm = Blocks().fit([drawn(kind, random, 12_000), drawn(kind, random, 8_000)])
        fresh = drawn(kind, random, FRESH)
        found = [len(spans(fresh, t, 10)[0]) for t in (alarm.threshold(rate), alarm.naive_threshold(rate))]
        shares.append(np.array(found) * 1e4 / FRESH / rate)
    return np.array(shares)


@pytest.mark.parametrize("kind", ["independent", "following", "seasonal", "heavy", "smoothed"])
@pytest.mark.parametrize("rate", [5, 20])
def test_fresh_stretches_keep_the_rate(kind: str, rate: float) -> None:
    ours = kept(kind, rate)[:, 0]
    assert 1 / 1.25 < ours.mean() < 1.25
    assert np.mean(ours <= 1.5) >= 0.8


def test_slow_modulation_is_not_taken_for_many_events() -> None:
    ours = kept("slow", 5)[:, 0]
    assert ours.mean() < 1.25
    assert np.mean(ours <= 1.5) >= 0.8


@pytest.mark.parametrize("kind", ["following", "heavy", "smoothed"])
def test_naive_calibration_does_not_keep_it(kind: str) -> None:
    assert kept(kind, 10, 8)[:, 1].mean() < 1 / 1.5


@pytest.mark.parametrize("kind", ["independent", "following", "heavy"])
def test_extrapolated_rates_are_right_in_the_median(kind: str) -> None:
    found = []
    for seed in range(40):
        random = np.random.default_rng(seed)
        alarm = Blocks().fit([drawn(kind, random, 4000)])
        assert alarm.supported_rate > 1
        found.append(len(spans(drawn(kind, random, FRESH), alarm.threshold(1), 10)[0]) / 10)
    assert 0.2 <= np.median(found) <= 1.5


@settings(max_examples=200, deadline=None)
@given(stretches=st.lists(SCORES, min_size=1, max_size=3), hold_off=st.integers(1, 9))
def test_events_of_all_thresholds_are_counted_at_once(stretches: list[list[float]], hold_off: int) -> None:
    arrays = [np.array(each) for each in stretches]
    levels, most = envelope(arrays, hold_off)
    every = np.unique(np.concatenate(arrays))
    counted = np.array([sum(len(events(each, t, hold_off)) for each in arrays) for t in every])
    for i, t in enumerate(every):
        step = max(0, np.searchsorted(levels, t, side="right") - 1)
        assert most[step] == counted[i:].max()
    assert (np.diff(most) < 0).all()
    assert counted[np.searchsorted(every, levels[0])] == counted.max()


@settings(max_examples=100, deadline=None)
@given(scores=SCORES, hold_off=st.integers(1, 50))
def test_before_is_what_came_before(scores: list[float], hold_off: int) -> None:
    expected = [max(scores[max(0, i - hold_off) : i], default=-math.inf) for i in range(len(scores))]
    assert before(np.array(scores), hold_off).tolist() == expected


@settings(max_examples=100, deadline=None)
@given(
    scores=st.lists(st.floats(-5, 5) | st.integers(-2, 3).map(float), min_size=2, max_size=60),
    rate=st.floats(1, 9999),
    hold_off=st.integers(1, 9),
)
def test_threshold_says_what_the_rate_says(scores: list[float], rate: float, hold_off: int) -> None:
    if len(set(scores)) == 1:
        return
    alarm = Blocks().fit([np.array(scores)], hold_off)
    asked = np.array([float(np.nextafter(s, side)) for s in scores for side in (-9, 9)] + scores)
    if rate >= alarm.supported_rate:
        np.testing.assert_array_equal(asked > alarm.threshold(rate), alarm.rate(asked) <= rate)
        assert len(events(np.array(scores), alarm.threshold(rate), hold_off)) <= rate * (len(scores) + 1) / 1e4


def test_beyond_what_is_counted_the_same_is_modelled() -> None:
    alarm = Blocks().fit([np.random.default_rng(0).exponential(size=5000)])
    for rate in (1.5, 0.3, 1e-3):
        threshold = alarm.threshold(rate)
        assert (alarm.rate(threshold * np.array([1 - 1e-9, 1 + 1e-9])) <= rate).tolist() == [False, True]
    scores = np.linspace(0, 40, 2000)
    for curve in (alarm.rate(scores), alarm.p_value(scores), alarm.event_p_value(scores)):
        assert (np.diff(curve) <= 0).all()
        assert (curve > 0).all()
    rates = [alarm.threshold(rate) for rate in (0.01, 0.1, 1, 2, 3, 10, 100, 1000, 9000)]
    assert rates == sorted(rates, reverse=True)


def test_of_single_instants_it_is_conformal() -> None:
    # One event per instant, where each rises above a quiet one: counting events is counting instants.
    scores = np.zeros(400)
    scores[::2] = np.random.default_rng(0).permutation(200) + 1
    alarm = Blocks().fit([scores], hold_off=1)
    alarm.rates_ += 1e4 / 401 * (1 - alarm.at_once_)
    for rate in (1e4 / 401 * k for k in (1, 2, 10)):
        assert alarm.naive_threshold(rate + 1e-9) == Conformal().fit(scores).threshold((rate + 1e-9) / 1e4)
        assert alarm.threshold(rate + 1e-9) == alarm.naive_threshold(rate + 1e-9)


def test_p_values_of_instants_and_blocks_are_kept() -> None:
    below, peaks = [], []
    for seed in range(60):
        random = np.random.default_rng(seed)
        alarm = Blocks().fit([drawn("following", random, 8000)])
        fresh = drawn("following", random, 20_000)
        below.append((alarm.p_value(fresh) <= 0.01).mean())
        whole = fresh[: len(fresh) // alarm.block_ * alarm.block_].reshape(-1, alarm.block_)
        peaks.append((alarm.event_p_value(whole.max(1)) <= 0.05).mean())
    assert 0.008 < np.mean(below) < 0.0125
    assert 0.03 < np.mean(peaks) < 0.07
    assert alarm.event_p_value(np.array([2.5]), 10 * alarm.block_) == 10 * alarm.event_p_value(np.array([2.5]))
    assert alarm.event_p_value(np.array([-9.0]), 10**6) == 1


def test_blocks_are_as_long_as_the_memory() -> None:
    random = np.random.default_rng(0)
    assert decorrelation([random.standard_cauchy(5000)]) == 1
    assert 20 <= decorrelation([follow_each_other(random, 50_000, 0.95)]) <= 80
    assert decorrelation([drawn("seasonal", random, 20_000)]) > 800  # no lag is the last: a twentieth
    assert decorrelation([np.ones(50)]) == 1
    alarm = Blocks().fit([random.normal(size=7), random.normal(size=3)], hold_off=10)
    assert alarm.block_ == 7


def test_clusters_cost_support() -> None:
    random = np.random.default_rng(0)
    bursts = np.zeros(20_000)
    for place in random.integers(0, 19_000, 12):
        bursts[place : place + 200 : 20] = random.exponential(size=10) + 1
    assert clustering([bursts], 0.5, 10, 1000) > 4
    alarm = Blocks().fit([bursts + 0.01 * random.random(20_000)])
    assert alarm.supported_rate > 4 * 1e4 / 20_001
    assert "at a time" in alarm.statement(50)


def test_says_what_it_rests_on() -> None:
    random = np.random.default_rng(0)
    alarm = Blocks().fit([random.exponential(size=5000)])
    assert alarm.statement(20).endswith("20 is within it.")
    assert "a model's extrapolation: a tail of shape" in alarm.statement(0.1)
    few = Blocks().fit([random.exponential(size=100)])
    assert few.threshold(1) == math.inf
    assert "hold out at least 1" in few.statement(1)
    assert "nothing will be an alarm" in few.statement(1)
    ties = Blocks().fit([random.integers(0, 3, 500).astype(float)])
    assert ties.threshold(1) == math.inf
    assert ties.threshold(9000) < 2


@pytest.mark.parametrize(
    ("scores", "refusal", "said"),
    [
        ([], Unreadable, "0 instants; give at least 2"),
        ([[], []], Unreadable, "0 instants"),
        ([[1.0]], Unreadable, "1 instants; give at least 2"),
        ([[1.0, math.nan]], Unreadable, "stretch 0 hold NaN or infinity at 1 of 2"),
        ([[1.0], [math.inf]], Unreadable, "stretch 1 hold NaN"),
        ([["a"]], Unreadable, "stretch 0 are not numbers"),
        ([[[1.0, 2.0]]], Unreadable, "one number per item"),
        ([[2.0, 2.0], [2.0]], Misfit, "all 3 held-out scores are 2, so others cannot be judged"),
        (np.arange(9.0), Unreadable, "give a list of stretches"),
    ],
)
def test_refuses_what_cannot_be_learnt_from(scores: object, refusal: type[Exception], said: str) -> None:
    with pytest.raises(refusal, match=said):
        Blocks().fit(scores)  # type: ignore[arg-type]


def test_refuses_what_cannot_be_asked() -> None:
    alarm = Blocks().fit([np.arange(99.0)])
    for rate in (0, -1, 10_000, math.nan, math.inf):
        with pytest.raises(Misfit, match="rate is"):
            alarm.threshold(rate)
    with pytest.raises(Misfit, match="hold_off is 0"):
        Blocks().fit([np.arange(99.0)], hold_off=0)
    with pytest.raises(Misfit, match="length is 0"):
        alarm.event_p_value(np.ones(1), 0)
    with pytest.raises(Unreadable, match="NaN"):
        alarm.p_value(np.array([math.nan]))
    for seconds in (0, -1, math.nan, math.inf):
        with pytest.raises(Misfit, match="step_seconds"):
            per_day(1, seconds)
    assert from_per_day(per_day(7, 0.5), 0.5) == pytest.approx(7)


def test_saves() -> None:
    random = np.random.default_rng(0)
    alarm = Blocks().fit([random.normal(size=900), random.normal(size=400)], hold_off=3)
    again = Blocks.restore(json.loads(json.dumps(alarm.config())), alarm.arrays())
    scores = np.linspace(-2, 9, 50)
    for name in ("rate", "p_value", "event_p_value"):
        np.testing.assert_array_equal(getattr(again, name)(scores), getattr(alarm, name)(scores))
    assert again.statement(0.5) == alarm.statement(0.5)
    arrays = alarm.arrays()
    for config, damaged in (
        ({}, arrays),
        ({"hold_off": "3"}, arrays),
        ({"hold_off": 3}, {}),
        ({"hold_off": 3}, arrays | {"lengths": np.array([3])}),
        ({"hold_off": 3}, arrays | {"lengths": None}),
        ({"hold_off": 3}, arrays | {"scores": np.full(1300, np.nan)}),
    ):
        with pytest.raises(BadModel, match="damaged"):
            Blocks.restore(config, damaged)


def test_is_fast_enough_for_a_month_of_seconds() -> None:
    random = np.random.default_rng(0)
    alarm = Blocks().fit([random.exponential(size=1_000_000)], hold_off=60)
    assert 9 < alarm.threshold(1) < 9.5
