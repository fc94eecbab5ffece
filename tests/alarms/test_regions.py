import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from anodiff.alarms import Conformal, Tail
from anodiff.alarms.regions import Region, Regions, strength
from anodiff.metrics.ranking import acceptance_interval
from anodiff.types import BadModel, Misfit, Unreadable

SIDES = st.tuples(st.integers(1, 6), st.integers(1, 6))
PLANES = SIDES.flatmap(
    lambda shape: arrays.arrays(np.float64, shape, elements=st.integers(-2, 2).map(float) | st.floats(-9, 9))
)


def noise(n: int, side: int = 12, seed: int = 0) -> list[np.ndarray]:
    """Smooth maps of pictures that differ in brightness, in roughness and in size."""
    random = np.random.default_rng(seed)
    sizes = random.integers(side - 4, side + 5, (n, 2))
    rough = random.uniform(0.3, 1.5, n)
    return [
        random.gamma(3) * ndimage.gaussian_filter(random.normal(size=size), each) + random.normal()
        for size, each in zip(sizes, rough, strict=True)
    ]


def spotted() -> np.ndarray:
    """Two spots of 4 x 6 and 1 x 1 pixels on a slope."""
    plane = np.linspace(0, 0.1, 20 * 30).reshape(20, 30)
    plane[2:6, 20:26] = 5
    plane[3, 21] = 7
    plane[15, 4] = 6
    return plane


@settings(max_examples=200)
@given(plane=PLANES, least=st.integers(1, 8))
def test_strength_is_its_definition(plane: np.ndarray, least: int) -> None:
    def shown(t: float) -> bool:
        labels, count = ndimage.label(plane >= t, np.ones((3, 3)))
        return any((labels == i + 1).sum() >= min(least, plane.size) for i in range(count))

    assert strength(plane, least) == max(t for t in plane.ravel() if shown(t))
    assert strength(plane, 1) == plane.max()


@settings(max_examples=100)
@given(maps=st.lists(PLANES, min_size=2, max_size=8), least=st.integers(1, 5), rate=st.floats(0.05, 0.95))
def test_at_most_this_share_of_pictures_shows_a_region(maps: list[np.ndarray], least: int, rate: float) -> None:
    """Exchangeable pictures take turns at being the new one: the mean over turns is the probability."""
    found = [Regions(least).fit(maps[:i] + maps[i + 1 :]).find(maps[i], rate) for i in range(len(maps))]
    assert np.mean([bool(regions) for regions in found]) <= rate
    for a in {region.p_value for regions in found for region in regions}:
        assert np.mean([any(region.p_value <= a for region in regions) for regions in found]) <= a + 1e-12


@pytest.mark.parametrize("least", [1, 4])
def test_false_alarms_of_new_pictures(least: int) -> None:
    trials, n, rate, shown = 300, 19, 0.1, 0
    for i in range(trials):
        *held_out, new = noise(n + 1, seed=1000 * least + i)
        shown += bool(Regions(least).fit(held_out).find(new, rate))
    accepted = acceptance_interval(rate, trials, 0.999)
    assert accepted.low <= shown / trials <= accepted.high


@settings(max_examples=100)
@given(plane=PLANES, least=st.integers(1, 5), rate=st.floats(0.05, 0.95), extent=st.floats(-9, 9))
def test_p_values_are_those_of_the_strongest_part(plane: np.ndarray, least: int, rate: float, extent: float) -> None:
    held_out = noise(30)
    regions = Regions(least).fit(held_out)
    alarm = Conformal().fit([strength(each, least) for each in held_out])
    strongest, threshold = strength(plane, least), regions.threshold(rate)
    for down_to in (None, extent):
        found = regions.find(plane, rate, down_to)
        assert bool(found) == (strongest > threshold)
        assert all(region.p_value <= rate for region in found)
        assert [region.p_value for region in found] == sorted(region.p_value for region in found)
        assert not found or found[0].p_value == alarm.p_value([strongest])[0]
        level = threshold if down_to is None else min(threshold, down_to)
        for region in found:
            check_region(region, plane, level, least)


def check_region(region: Region, plane: np.ndarray, level: float, least: int) -> None:
    assert region.area == region.mask.sum() >= min(least, plane.size)
    assert region.peak == plane[region.mask].max()
    assert (plane[region.mask] > level).all()
    rows, columns = np.nonzero(region.mask)
    assert region.box == (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1)
    assert region.centre == pytest.approx((rows.mean() + 0.5, columns.mean() + 0.5))
    around = ndimage.binary_dilation(region.mask, np.ones((3, 3))) & ~region.mask
    assert (plane[around] <= level).all()


def test_finds_spots_and_measures_them() -> None:
    flat = [np.full((8, 8), 0.01 * i) for i in range(99)]
    regions = Regions().fit(flat)
    large, speck = regions.find(spotted(), 0.01)
    assert (large.box, large.area, large.peak, large.p_value) == ((2, 20, 6, 26), 24, 7.0, 0.01)
    assert (speck.box, speck.area, speck.centre) == ((15, 4, 16, 5), 1, (15.5, 4.5))
    assert large.share == 24 / 600
    assert large.size == (20, 30)
    assert large.relative_box == (0.1, 20 / 30, 0.3, 26 / 30)
    assert large.relative_centre == pytest.approx((4 / 20, 23 / 30))
    assert [each.box for each in Regions(2).fit(flat).find(spotted(), 0.01)] == [large.box]


def test_extent_reaches_further_and_finds_no_more() -> None:
    plane = np.maximum(0, 10 - np.hypot(*(np.mgrid[:40, :40] - 20)))
    plane[0, 0] = 4
    regions = Regions().fit([np.full((2, 2), 0.05 * i) for i in range(99)])
    (narrow,), (wide,) = regions.find(plane, 0.05), regions.find(plane, 0.05, extent=2)
    assert wide.area > narrow.area
    assert (wide.mask & narrow.mask).sum() == narrow.area
    assert wide.p_value == narrow.p_value
    assert regions.find(plane, 0.05, extent=99)[0].area == narrow.area


def test_a_speck_above_the_threshold_is_no_region_by_its_surroundings() -> None:
    regions = Regions(2).fit([np.full((2, 2), float(i)) for i in range(9)])
    assert regions.threshold(0.1) == 8
    assert regions.find(np.array([[0, 8, 9, 7]]), 0.1, extent=1) == []
    assert regions.find(np.array([[0, 8.5, 9, 7]]), 0.1, extent=1)[0].box == (0, 1, 1, 4)


def test_fewer_false_alarms_mean_smaller_regions() -> None:
    regions, plane = Regions(3).fit(noise(200)), 3 * noise(1, 40, seed=7)[0]
    covered = []
    for rate in (0.01, 0.05, 0.2, 0.5):
        found = regions.find(plane, rate)
        covered.append(sum(region.area for region in found))
    assert covered == sorted(covered)
    assert covered[-1] > covered[0]


def test_nothing_stands_out() -> None:
    constant = [np.ones((4, 4))] * 20
    assert Regions().fit(constant).find(constant[0], 0.1) == []
    assert Regions().fit(constant).find(np.zeros((3, 5)), 0.9) == []
    (whole,) = Regions(5).fit(constant).find(np.full((2, 2), 1.5), 0.1)
    assert (whole.box, whole.area) == ((0, 0, 2, 2), 4)


def test_single_pixels() -> None:
    regions = Regions(9).fit([np.full((1, 1), i) for i in range(20)])
    (found,) = regions.find(np.full((1, 1), 30), 0.05)
    assert (found.box, found.area, found.centre, found.share) == ((0, 0, 1, 1), 1, (0.5, 0.5), 1)
    assert regions.find(np.full((1, 1), 19), 0.05) == []


def test_too_few_pictures_find_nothing_and_say_so() -> None:
    regions = Regions().fit(noise(20))
    assert regions.threshold(0.01) == math.inf
    assert regions.find(spotted() * 1e9, 0.01) == []
    assert "hold out at least 99" in regions.statement(0.01)


def test_a_tail_goes_beyond_them() -> None:
    held_out = noise(200)
    regions = Regions().fit(held_out, Tail())
    found = regions.find(spotted() * 1e6, 0.0005)
    assert found[0].p_value <= 0.0005 < 1 / 201
    again = Regions.restore(json.loads(json.dumps(regions.config())), regions.arrays(), Tail)
    assert [each.p_value for each in again.find(spotted() * 1e6, 0.0005)] == [each.p_value for each in found]


def test_single_precision_is_compared_in_double() -> None:
    plane = np.full((2, 2), 0.1, dtype=np.float32)
    regions = Regions().fit([np.full((2, 2), 0.1)] * 9)
    assert len(regions.find(plane, 0.1)) == (float(plane[0, 0]) > 0.1)


def test_saves() -> None:
    regions = Regions(4).fit(noise(30))
    again = Regions.restore(json.loads(json.dumps(regions.config())), regions.arrays())
    assert [each.box for each in again.find(spotted(), 0.3)] == [each.box for each in regions.find(spotted(), 0.3)]
    for damaged in (
        ({}, regions.arrays()),
        (regions.config(), {}),
        (regions.config() | {"least": 0}, regions.arrays()),
    ):
        with pytest.raises(BadModel, match="damaged"):
            Regions.restore(*damaged)


def test_refuses() -> None:
    with pytest.raises(Unreadable, match="give at least 1"):
        Regions().fit([])
    with pytest.raises(Unreadable, match=r"map 1 .* NaN"):
        Regions().fit([np.ones((2, 2)), np.full((2, 2), np.nan)])
    with pytest.raises(Unreadable, match="shape"):
        Regions().fit(noise(3)).find(np.ones(3), 0.1)
    for least in (0, -1, 2.5, True):
        with pytest.raises(Misfit, match="least is"):
            Regions(least).fit(noise(3))
    with pytest.raises(Misfit, match="false_alarm_rate"):
        Regions().fit(noise(3)).find(np.ones((2, 2)), 0)
