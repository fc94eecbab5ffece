import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from anodiff.alarms.pixels import PixelAlarm
from anodiff.types import BadModel, Misfit, Unreadable

SIDES = st.tuples(st.integers(1, 4), st.integers(1, 4))
TIED = st.integers(-2, 2).map(float) | st.floats(-1e6, 1e6)
MAPS = st.lists(SIDES.flatmap(lambda shape: arrays.arrays(np.float64, shape, elements=TIED)), min_size=2, max_size=6)


def exact(maps: list[np.ndarray], judged: np.ndarray) -> np.ndarray:
    """By the definition."""
    shares = [(each.ravel() >= judged[..., None]).mean(-1) for each in [*maps, judged]]
    return np.asarray(np.sum(shares, 0) / (len(maps) + 1))


def pictures(n: int, side: int = 64, seed: int = 0) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [random.gamma(1 + random.random(), size=(side, side + i % 3)) for i in range(n)]


@settings(max_examples=300)
@given(maps=MAPS)
def test_few_pixels_are_exact(maps: list[np.ndarray]) -> None:
    *held_out, judged = maps
    np.testing.assert_allclose(PixelAlarm().fit(held_out).p_value(judged), exact(held_out, judged), rtol=1e-9)


@settings(max_examples=200)
@given(maps=MAPS, step=st.sampled_from([0.01, 0.5]))
def test_on_average_at_most_this_share_of_a_normal_picture(maps: list[np.ndarray], step: float) -> None:
    """Exchangeable pictures take turns at being the new one: the mean over turns is the probability."""
    p = [PixelAlarm(step).fit(maps[:i] + maps[i + 1 :]).p_value(maps[i]) for i in range(len(maps))]
    for rate in np.unique(np.concatenate([each.ravel() for each in p])):
        assert np.mean([(each <= rate).mean() for each in p]) <= rate + 1e-9


def test_knots_never_make_it_smaller_and_hardly_larger() -> None:
    held_out, judged = pictures(12), pictures(1, seed=1)[0]
    for step in (0.01, 0.2):
        p = PixelAlarm(step).fit(held_out).p_value(judged)
        ratio = p / exact(held_out, judged)
        assert ratio.min() >= 1 - 1e-9
        assert ratio.max() <= (1 + step) ** 2 + 1e-9
    assert len(PixelAlarm().fit(held_out).scores_) < 2000


def test_highest_pixels_are_exact() -> None:
    held_out = pictures(12)
    highest = np.sort(np.concatenate([each.ravel() for each in held_out]))[-60:]
    judged = np.append(highest, highest + 1e-9)[None]
    np.testing.assert_allclose(PixelAlarm().fit(held_out).p_value(judged), exact(held_out, judged), rtol=1e-9)


def test_falls_as_the_map_rises() -> None:
    judged = pictures(1, seed=2)[0]
    p = PixelAlarm().fit(pictures(5)).p_value(judged).ravel()[np.argsort(judged, axis=None)]
    assert (np.diff(p) <= 0).all()
    assert p[-1] > 0


def test_a_picture_that_lights_up_counts_as_one() -> None:
    p = PixelAlarm().fit(pictures(9)).p_value(np.full((5, 7), 1e9))
    np.testing.assert_allclose(p, 1 / 10)


def test_a_spot_stands_out_of_it() -> None:
    judged = np.zeros((100, 100))
    judged[3, 4] = 1e9
    p = PixelAlarm().fit(pictures(9)).p_value(judged)
    assert p[3, 4] == pytest.approx(1e-4 / 10)
    assert p[0, 0] == 1


def test_large_pictures_count_no_more_than_small_ones() -> None:
    alarm = PixelAlarm().fit([np.ones((50, 50)), np.zeros((2, 2))])
    assert alarm.p_value(np.array([[0.5, -1.0]])) == pytest.approx(np.array([[1.5 / 3, 1]]))


def test_constant_and_single_pixels() -> None:
    alarm = PixelAlarm().fit([np.ones((1, 1))] * 3)
    assert alarm.p_value(np.ones((2, 2))).tolist() == [[1, 1], [1, 1]]
    assert alarm.p_value(np.full((1, 1), 2)).tolist() == [[0.25]]


def test_reads_one_map_at_a_time_in_any_precision() -> None:
    held_out = [each.astype(np.float32) for each in pictures(4)]
    streamed = PixelAlarm().fit(each for each in held_out)
    np.testing.assert_array_equal(streamed.scores_, PixelAlarm().fit([each.astype(float) for each in held_out]).scores_)


def test_saves() -> None:
    alarm, judged = PixelAlarm(0.05).fit(pictures(4)), pictures(1, seed=3)[0]
    config, kept = json.loads(json.dumps(alarm.config())), alarm.arrays()
    np.testing.assert_array_equal(PixelAlarm.restore(config, kept).p_value(judged), alarm.p_value(judged))
    for damaged in (
        ({}, kept),
        (config, {}),
        (config | {"pictures": 5}, kept),
        (config, kept | {"scores": kept["scores"][::-1]}),
        (config, kept | {"shares": kept["shares"][1:]}),
        (config, kept | {"shares": kept["shares"] * np.nan}),
    ):
        with pytest.raises(BadModel, match="saved pixel alarm"):
            PixelAlarm.restore(*damaged)


def test_refuses() -> None:
    with pytest.raises(Unreadable, match="no map"):
        PixelAlarm().fit([])
    with pytest.raises(Unreadable, match=r"map 1 .* NaN"):
        PixelAlarm().fit([np.ones((2, 2)), np.full((2, 2), np.nan)])
    with pytest.raises(Unreadable, match="shape"):
        PixelAlarm().fit(pictures(1)).p_value(np.ones(3))
    for step in (0, 1, -1):
        with pytest.raises(Misfit, match="step is"):
            PixelAlarm(step).fit(pictures(1))
