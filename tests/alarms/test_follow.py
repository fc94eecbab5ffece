import json
import math
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

from anodiff.alarms import Blocks, Drifted, Follower
from anodiff.alarms.events import spans
from anodiff.alarms.evidence import Evidence
from anodiff.alarms.follow import block_length, surprise
from anodiff.alarms.recalibrate import change, moved, refitted
from anodiff.types import Misfit, Unreadable


def stream(seed: int, n: int, memory: float = 0.8) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_t(5, n + 500)
    return np.abs(lfilter([math.sqrt(1 - memory**2)], [1, -memory], noise)[500:])


def follower(seed: int, n: int = 10_000, rate: float = 10, **settings: int) -> Follower:
    return Follower(Blocks().fit([stream(1000 + seed, n)]), rate, **settings)


def declared(drifts: list[Drifted]) -> list[Drifted]:
    return [drift for drift in drifts if not drift.settled]


def test_stationary_scores_are_left_alone() -> None:
    # 600,000 instants: six at one in 100,000; a Poisson of that mean exceeds 12 once in a hundred
    false = sum(len(declared(follower(seed).push(stream(seed, 30_000)))) for seed in range(20))
    assert false <= 12


def test_levels_that_rise_by_half_are_found_soon() -> None:
    delays = []
    for seed in range(20):
        watched = follower(seed)
        if not declared(watched.push(stream(seed, 5000))):
            found = declared(watched.push(1.5 * stream(99 + seed, 8000)))
            delays.append(found[0].at - 5000 if found else math.inf)
    assert len(delays) >= 15
    assert np.quantile(delays, 0.9) < 2500


@pytest.mark.parametrize("factor", [0.5, 3, 30])
def test_threshold_follows_and_the_rate_is_kept_again(factor: float) -> None:
    kept, moves = [], []
    for seed in range(8):
        watched = follower(seed, patience=300)
        first, last = stream(seed, 4000), factor * stream(99 + seed, 60_000)
        found = watched.push(np.concatenate([first, last[:12_500]]))
        assert [drift.settled for drift in found][-2:] == [False, True]
        moves.append(abs(found[-2].since - 4000))
        kept.append(len(spans(last[20_000:], found[-1].threshold, 10)[0]) / 40)
    assert np.median(moves) < 150
    assert 1 / 1.5 < np.mean(kept) < 1.5


def test_anomalies_are_no_drift() -> None:
    false = 0
    for seed in range(10):
        scores, random = stream(seed, 20_000), np.random.default_rng(seed)
        for place in range(1000, 20_000, 2000):
            scores[place : place + random.integers(50, 400)] += 20
        false += len(declared(follower(seed).push(scores)))
    assert false <= 5  # as many as without: a Poisson of mean 2


def test_what_lasts_is_drift_even_if_all_of_it_is_alarms() -> None:
    watched = follower(0, patience=400)
    assert declared(watched.push(np.concatenate([stream(0, 2000), stream(1, 399) + 50]))) == []
    found = declared(watched.push(stream(2, 2000) + 50))
    assert abs(found[0].since - 2000) < 50
    assert found[0].at < 2000 + 2 * 400 + 600
    assert watched.threshold > 50


def test_anomalies_in_the_window_hardly_move_the_threshold() -> None:
    blocks = Blocks().fit([stream(0, 10_000)])
    recent = 2 * stream(1, 10_000)
    clean, nothing = refitted(blocks, recent, 10)
    recent[3000:3300] += 100
    recent[7000] = 1e6
    again, left_out = refitted(blocks, recent, 10)
    assert nothing <= 1
    assert left_out == nothing + 2
    assert abs(again.threshold(10) / clean.threshold(10) - 1) < 0.1
    recent[::25] = 1e6
    with pytest.raises(Misfit, match="of 10,000 recent instants are events of no normal kind"):
        refitted(Blocks().fit(blocks.stretches_, hold_off=30), recent, 10)
    with pytest.raises(Misfit, match="nothing will be an alarm"):
        refitted(blocks, np.round(stream(1, 900) / 2), 1)


def test_says_so_in_a_sentence() -> None:
    watched = follower(0)
    first, *_, last = watched.push(np.concatenate([stream(0, 3000), 3 * stream(1, 12_000)]))
    assert first.words.startswith(f"scores moved up about instant {first.since:,}: their median was ")
    assert f"to {first.threshold:.4g}" in first.words
    assert last.words.endswith(f"becomes {last.threshold:.4g}.")
    assert watched.threshold == last.threshold
    assert first.now > 2 * first.before
    assert json.loads(json.dumps(asdict(first), allow_nan=False))["settled"] is False


@settings(max_examples=5, deadline=None)
@given(cuts=st.lists(st.integers(0, 9000), max_size=6))
def test_it_does_not_matter_how_the_stream_is_cut(cuts: list[int]) -> None:
    scores = np.concatenate([stream(0, 3000), 2 * stream(1, 6000)])
    whole, pieces = follower(0, 2000), follower(0, 2000)
    expected = whole.push(scores)
    assert [drift for part in np.split(scores, sorted(cuts)) for drift in pieces.push(part)] == expected
    assert pieces.threshold == whole.threshold
    assert any(drift.settled for drift in expected)


def test_constant_scores_of_a_dead_sensor() -> None:
    watched = follower(0, 2000)
    found = watched.push(np.concatenate([stream(0, 2000), np.full(5000, 0.25)]))
    assert found[0].now == 0.25
    assert any("stays" in drift.words and "all" in drift.words for drift in found if drift.settled)
    assert math.isfinite(watched.threshold)


def test_memory_is_bounded() -> None:
    watched = follower(0, 1000)
    watched.push(stream(0, 20_000))
    assert len(watched._recent) == watched.window == 1250
    assert len(watched._block) <= watched.length


def test_evidence_waits_as_long_as_it_says() -> None:
    waits, limit = [], 100
    for seed in range(60):
        random = np.random.default_rng(seed)
        evidence, place = Evidence(random.normal(size=30), limit), 0
        while not evidence.push(random.normal(), place) and place < 20 * limit:
            place += 1
        waits.append(place)
    assert np.mean(waits) > limit


def test_bets_win_nothing_on_average() -> None:
    for size, weight in ((5, 1.0), (40, 1.0), (40, 0.4)):
        gains = []
        for between in np.arange(size + 1) - 0.5:
            evidence = Evidence(np.arange(size), 1e9, weight)
            evidence.push(between, 0)
            gains.append(evidence._gains.copy())
        assert np.allclose(np.mean(gains, 0), 1) if weight == 1 else (np.mean(gains, 0) < 1).all()
    tied = Evidence(np.zeros(50), 100)
    assert not any(tied.push(0.0, place) for place in range(500))


def test_what_is_over_is_forgotten() -> None:
    random = np.random.default_rng(0)
    evidence = Evidence(random.normal(size=200), 1000)
    assert [evidence.push(9.0 + place, place) for place in range(8)][-1]
    assert evidence.rising
    after = [evidence.push(random.normal(), place) for place in range(8, 60)]
    assert not any(after[3:])
    assert [evidence.push(-9.0 - place, place) for place in range(60, 70)][-1]
    assert not evidence.rising
    assert 55 <= evidence.since <= 60


def test_moving_undoes_stretch_and_shift() -> None:
    blocks, scores = Blocks().fit([stream(0, 5000)]), stream(0, 5000)
    again = moved(blocks, 7 + 3 * scores)
    assert again.threshold(10) == pytest.approx(7 + 3 * blocks.threshold(10))
    assert moved(blocks, np.full(9, 2.0)).threshold(10) == pytest.approx(
        blocks.threshold(10) + 2 - np.quantile(scores, np.linspace(0.1, 0.9, 9)).mean()
    )
    assert moved(blocks, np.full(9, 1e300)) is blocks
    assert moved(blocks, np.linspace(0, 1e308, 99)) is blocks


def test_change_is_where_it_is() -> None:
    values = np.random.default_rng(0).normal(size=400)
    values[250:] += 2
    assert abs(change(values, 0.0) - 250) < 6
    assert abs(change(-values, 0.0) - 250) < 6
    assert change(np.array([5.0]), 0.0) == 0


def test_blocks_grow_with_the_memory() -> None:
    fast, slow = (Blocks().fit([stream(0, 20_000, memory)]) for memory in (0.1, 0.99))
    lengths = [block_length(surprise(each, each.stretches_[0]), each.block_) for each in (fast, slow)]
    assert lengths[0] == 100
    assert 150 < lengths[1] <= 1000


def test_refuses() -> None:
    with pytest.raises(Misfit, match="too few to know drift from chance; hold out at least 200"):
        Follower(Blocks().fit([stream(0, 150)]), 100)
    blocks = Blocks().fit([stream(0, 400)])
    for wrong in ({"rate": 0}, {"rate": 5, "every": 0}, {"rate": 5, "patience": 0}, {"rate": 5, "window": 0}):
        with pytest.raises(Misfit, match="give"):
            Follower(blocks, **wrong)
    watched = Follower(blocks, 50)
    for bad in (math.nan, [0.0, math.inf], "a", [[1.0]]):
        with pytest.raises(Unreadable, match="give"):
            watched.push(bad)
    assert watched.place == 0
    assert watched.push([]) == []
