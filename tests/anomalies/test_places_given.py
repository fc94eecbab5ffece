"""Places by the names of users, given masks, and places learnt from examples."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from anodiff.anomalies.given_places import Given, Inside, LearntPlace, masks_given
from anodiff.anomalies.places import IMAGE_PLACES, Blob, image_place
from anodiff.types import Misfit

SHAPE = (20, 48, 64)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def disc(at, radius=4, size=SHAPE[1:]):
    down, right = np.indices(size)
    return np.hypot(down - at[0], right - at[1]) <= radius


@pytest.mark.parametrize("name", IMAGE_PLACES)
def test_a_place_has_the_wanted_share_and_a_seed(name):
    place = image_place(name, (0.05, 0.05))
    mask = place(SHAPE, seeded())
    assert mask.shape == SHAPE
    assert mask.dtype == torch.bool
    wanted = round(0.05 * 48 * 64)
    cells = mask.flatten(1).sum(1)
    assert ((cells >= wanted) & (cells <= wanted + (64 if name == "box" else 8))).all(), cells
    assert torch.equal(mask, place(SHAPE, seeded()))
    assert not torch.equal(mask, place(SHAPE, seeded(1)))
    assert image_place(name)(SHAPE, seeded()).flatten(1).any(1).all()


def test_a_blob_is_one_and_roundish():
    mask = Blob((0.02, 0.1))((60, 64, 64), seeded())
    assert [ndimage.label(m)[1] for m in mask.numpy()] == [1] * 60
    filled = [m.sum() / (np.ptp(np.nonzero(m)[0]) + 1) / (np.ptp(np.nonzero(m)[1]) + 1) for m in mask.numpy()]
    assert np.median(filled) > 0.55


def test_a_place_that_there_is_not_is_refused_by_naming_those_that_are():
    with pytest.raises(Misfit, match=r"'star'.*box, blob, stroke, perlin, spot, crack"):
        image_place("star")
    with pytest.raises(Misfit, match="share of cells"):
        image_place("blob", (0.0, 0.1))


def test_given_masks_are_taken_in_turns():
    masks = np.stack([disc((10, 10)), disc((30, 40))])
    found = Given(masks)((5, 48, 64), seeded())
    assert np.array_equal(found.numpy(), masks[[0, 1, 0, 1, 0]])
    single = Given(masks[0].astype(np.uint8) * 255)((2, 48, 64), seeded())
    assert np.array_equal(single.numpy(), masks[[0, 0]])


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        (np.zeros((48, 64), bool), "mask 0 is empty"),
        (np.ones((48, 64), bool), "covers the whole picture of 48 x 64"),
        (disc((5, 5), 3, (30, 40)), "30 x 40 pixels, the pictures 48 x 64"),
        (disc((5, 5)) * 0.4, "float64 other than 0 and 1"),
        (np.full((48, 64), "x"), "give bool"),
        (np.zeros((1, 2, 48, 64), bool), r"give \(H, W\)"),
        (np.zeros((0, 48, 64), bool), "at least one"),
        (np.stack([disc((5, 5)), np.zeros((48, 64), bool)]), "mask 1 is empty"),
    ],
)
def test_what_is_no_mask_is_refused_in_a_sentence(mask, said):
    with pytest.raises(Misfit, match=said):
        masks_given(mask, (48, 64))


def centres(masks):
    return np.array([ndimage.center_of_mass(m) for m in masks.numpy()]) / SHAPE[1:]


def test_a_learnt_place_is_near_the_examples_where_there_are_many():
    corner = np.stack([disc((10 + i % 3, 12 + i // 3)) for i in range(9)])
    many = centres(LearntPlace(corner, anywhere=0.0)((200, 48, 64), seeded()))
    few = centres(LearntPlace(corner[:1])((200, 48, 64), seeded()))
    own = np.array([11, 13]) / SHAPE[1:]
    assert np.linalg.norm(many.mean(0) - own) < 0.1
    assert np.median(np.linalg.norm(few - own, axis=1)) > 2 * np.median(np.linalg.norm(many - own, axis=1))


def test_a_learnt_place_has_the_shape_and_size_of_an_example():
    long = np.zeros((1, 48, 64), bool)
    long[0, 20:23, 10:40] = True
    mask = LearntPlace(long, turn=0.0, scale=1.0)((30, 48, 64), seeded())
    off = abs(mask.flatten(1).sum(1) / 90.0 - 1)
    assert off.median() < 0.05
    assert off.max() < 0.5
    assert (mask.any(2).sum(1) <= 4).all()
    larger = LearntPlace(long, share=(0.1, 0.1))((30, 48, 64), seeded()).float().mean((1, 2))
    assert larger.median() > 0.08
    turned = LearntPlace(long, turn=90.0)((30, 48, 64), seeded())
    assert (turned.any(2).sum(1) > 12).any()
    assert not torch.equal(mask[0], mask[1])


def test_a_learnt_place_takes_the_example_that_is_asked_for_and_stays_inside():
    small, large = disc((24, 32), 2), disc((24, 32), 10)
    inside = torch.zeros(SHAPE, dtype=torch.bool)
    inside[:, :, 32:] = True
    place = LearntPlace(np.stack([small, large]))
    mask = place(SHAPE, seeded(), inside, torch.arange(20) % 2)
    cells = mask.flatten(1).sum(1)
    assert (cells > 0).all()
    assert not (mask & ~inside).any()
    assert cells[1::2].float().median() > 3 * cells[0::2].float().median()
    assert not place(SHAPE, seeded(), torch.zeros_like(inside)).any()


def test_most_of_what_is_inside_lies_on_the_object():
    inside = torch.zeros((60, 48, 64), dtype=torch.bool)
    inside[:, 12:36, 16:48] = True
    mask = Inside(Blob((0.05, 0.05)), most=0.8)((60, 48, 64), seeded(), inside)
    share = (mask & inside).flatten(1).sum(1) / mask.flatten(1).sum(1)
    assert (share >= 0.8).all()
    assert (mask.flatten(1).sum(1) > 0).all()
    assert torch.equal(Inside(Blob())((9, 48, 64), seeded(), None), Blob()((9, 48, 64), seeded()))
