"""Near-duplicates are found, and stay in one fold."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from anodiff.data.twins import SIDE, folds, thumbnail, twins


def scenes(count: int, side: int = 64, seed: int = 0) -> np.ndarray:
    """Smooth pictures that have nothing in common, of mean 100."""
    noise = np.random.default_rng(seed).normal(size=(count, side, side))
    return np.stack([100 + 300 * gaussian_filter(each, 4) for each in noise])


@pytest.mark.parametrize("side", [64, 100, 33, 32, 16, 1])
def test_a_thumbnail_is_of_mean_nothing_and_length_one(side: int) -> None:
    found = thumbnail(scenes(1, side)[0])
    assert found.shape == (min(SIDE, side) ** 2,)
    assert found.sum() == pytest.approx(0, abs=1e-4)
    assert np.linalg.norm(found) == pytest.approx(1 if side > 1 else 0, abs=1e-5)


def test_of_a_flat_picture_nothing_is_left() -> None:
    assert not thumbnail(np.full((64, 64), 200, np.uint8)).any()


def test_light_and_contrast_do_not_matter() -> None:
    picture = scenes(1)[0]
    assert thumbnail(picture) @ thumbnail(3 * picture + 20) == pytest.approx(1, abs=1e-5)


def test_noise_and_a_pixel_of_shift_make_twins() -> None:
    draw, own = np.random.default_rng(1), scenes(5)
    others = [own[0] + 1, own[2] + draw.normal(0, 3, (64, 64)), np.roll(own[3], 1, 0), np.zeros((64, 64))]
    groups = twins(np.stack([thumbnail(each) for each in [*own, *others]]))
    assert (groups[[0, 2, 3]] == groups[[5, 6, 7]]).all()
    assert len(set(groups.tolist())) == 6


def test_a_chain_is_one_group() -> None:
    angle = np.linspace(0, 1.2, 7)
    chain = np.stack([np.cos(angle), np.sin(angle)], 1)
    assert chain[0] @ chain[-1] < 0.5
    assert len(set(twins(chain))) == 1
    assert len(set(twins(chain, alike=0.999))) == 7


def test_more_than_a_block() -> None:
    many = np.random.default_rng(0).normal(size=(1100, 40))
    many /= np.linalg.norm(many, axis=1, keepdims=True)
    many[1050] = many[3]
    groups = twins(many)
    assert groups[1050] == groups[3]
    assert len(set(groups)) == 1099


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("n", "count"), [(5, 10), (60, 10), (300, 7), (11, 2)])
def test_groups_stay_together_and_folds_are_even(n: int, count: int, seed: int) -> None:
    groups = np.random.default_rng(seed).integers(0, max(2, n // 2), n)
    found = folds(groups, count, seed)
    assert np.array_equal(np.unique(found), np.arange(min(count, n)))
    share = -(-n // count)
    for group in np.unique(groups):
        places = np.flatnonzero(groups == group)
        if len(places) <= share:
            assert len(set(found[places])) == 1
    sizes = np.bincount(found)
    largest = min(share, int(np.bincount(groups).max()))
    assert sizes.max() - sizes.min() <= largest


def test_a_group_larger_than_its_share_is_cut() -> None:
    assert np.bincount(folds(np.zeros(20, int), 10)).tolist() == [2] * 10


def test_the_seed_says_which() -> None:
    groups = np.arange(40)
    assert np.array_equal(folds(groups, 10, 3), folds(groups, 10, 3))
    assert not np.array_equal(folds(groups, 10, 3), folds(groups, 10, 4))
