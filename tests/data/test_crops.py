"""Crops: from everywhere, the same for the same seed, and never more pictures in memory than asked for."""

from itertools import islice

import numpy as np
import pytest

from anodiff.data.crops import crops
from anodiff.types import Misfit


def numbered(count: int, height: int = 12, width: int = 10) -> list[np.ndarray]:
    """Pictures whose pixels are all different: the picture, the row and the column."""
    rows, columns = np.mgrid[:height, :width]
    return [np.stack([np.full((height, width), i), rows, columns]).astype(np.float32) for i in range(count)]


def taken(steps: int, *args, **settings) -> np.ndarray:
    return np.stack(list(islice(crops(*args, **settings), steps)))


def test_crops_are_pieces_of_pictures_from_everywhere():
    found = taken(60, lambda: numbered(5), 4, batch=16, flips=False)
    assert found.shape == (60, 16, 3, 4, 4)
    assert found.dtype == np.float32
    assert (np.diff(found[:, :, 1], axis=2) == 1).all()
    assert (np.diff(found[:, :, 2], axis=3) == 1).all()
    assert set(found[:, :, 0].ravel()) == set(range(5))
    assert set(found[:, :, 1, 0, 0].ravel()) == set(range(9))
    assert set(found[:, :, 2, 0, 0].ravel()) == set(range(7))


def test_flips_mirror_half_of_them_each_way():
    found = taken(50, lambda: numbered(2), 4, batch=16)
    upside_down, mirrored = found[:, :, 1, 1, 0] < found[:, :, 1, 0, 0], found[:, :, 2, 0, 1] < found[:, :, 2, 0, 0]
    for way in (upside_down, mirrored, upside_down ^ mirrored):
        assert 0.4 < way.mean() < 0.6


def test_the_seed_decides():
    first, again, other = (taken(4, lambda: numbered(9), 5, held=3, seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_memory_is_bounded_and_every_picture_has_its_turn():
    alive = []

    def stream():
        for x in numbered(20):
            alive.append(float(x[0, 0, 0]))
            yield x

    found = taken(1, stream, 4, held=6)
    assert alive == list(range(6))
    assert set(found[:, :, 0].ravel()) <= set(range(6))
    alive.clear()
    seen = taken(120, stream, 4, batch=8, held=6, renewed=2)
    assert set(seen[:, :, 0].ravel()) == set(range(20))
    assert len(alive) == 6 + 2 * 119


def test_a_set_smaller_than_the_pool_is_read_once():
    passes = []
    taken(50, lambda: passes.append(1) or numbered(4), 4, held=5)
    assert len(passes) == 1


def test_a_stream_that_comes_once_is_enough():
    once = iter(numbered(6))
    assert taken(9, lambda: once, 4, batch=4, held=3, renewed=2).shape == (9, 4, 3, 4, 4)


def test_small_pictures_are_mirrored_at_their_edges():
    found = taken(3, lambda: numbered(2, 3, 20), 8, batch=4, flips=False)
    assert found.shape == (3, 4, 3, 8, 8)
    assert found[0, 0, 1, :, 0].tolist() == [1, 0, 0, 1, 2, 2, 1, 0]


def test_nothing_to_cut_is_said():
    with pytest.raises(Misfit, match="no picture to cut crops from"):
        next(crops(list, 4))
    with pytest.raises(Misfit, match="crops of 0 px"):
        next(crops(lambda: numbered(1), 0))
