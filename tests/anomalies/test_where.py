"""Places of anomalies: as large as wanted, inside, seeded."""

import pytest
import torch

from anodiff.anomalies import PLACES, SCARS, Blobs, Boxes
from anodiff.types import Misfit

SHAPE = (24, 40, 56)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def sides(mask):
    """Height and width of the box around what is True, per picture."""
    down, right = mask.any(2), mask.any(1)
    return [v.flip(1).int().argmax(1).neg() + v.shape[1] - v.int().argmax(1) for v in (down, right)]


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("share", [0.002, 0.05, 0.4])
def test_masks_have_the_wanted_share(name, share):
    mask = PLACES[name](share=(share, share))(SHAPE, seeded())
    assert mask.shape == SHAPE
    assert mask.dtype == torch.bool
    cells, wanted = mask.flatten(1).sum(1), max(1, round(share * 40 * 56))
    allowed = 56 if name == "boxes" else 2
    assert ((cells >= wanted) & (cells <= wanted + allowed)).all(), cells


@pytest.mark.parametrize("name", PLACES)
def test_masks_stay_inside(name):
    inside = torch.zeros(SHAPE, dtype=torch.bool)
    inside[:, 10:30, 5:25] = True
    mask = PLACES[name](share=(0.1, 0.1))(SHAPE, seeded(), inside)
    assert not (mask & ~inside).any()
    assert (mask.flatten(1).sum(1) >= 40).all()
    nowhere = PLACES[name]()(SHAPE, seeded(), torch.zeros(SHAPE, dtype=torch.bool))
    assert not nowhere.any()


@pytest.mark.parametrize("name", PLACES)
def test_a_seed_is_a_mask(name):
    one, same, other = (PLACES[name]()(SHAPE, seeded(seed)) for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert len({tuple(m.flatten().tolist()) for m in one}) == len(one)


def test_the_share_is_drawn_between_its_bounds():
    share = Blobs(share=(0.01, 0.2))((200, 32, 32), seeded()).flatten(1).float().mean(1)
    assert share.min() >= 0.009
    assert share.max() <= 0.201
    assert abs(share.log().mean() - torch.tensor([0.01, 0.2]).log().mean()) < 0.15


def test_boxes_are_boxes_and_scars_are_thin():
    mask = Boxes(share=(0.05, 0.05), aspect=(1.0, 1.0))(SHAPE, seeded())
    height, width = sides(mask)
    assert torch.equal(height * width, mask.flatten(1).sum(1))
    thin = SCARS((60, 64, 64), seeded())
    height, width = (v.float() for v in sides(thin))
    longest = torch.maximum(height, width)
    assert (longest > 2.5 * thin.flatten(1).sum(1).sqrt()).float().mean() > 0.5


@pytest.mark.parametrize("share", [(0.0, 0.1), (0.2, 0.1), (0.5, 1.5)])
def test_a_share_out_of_range_is_refused(share):
    with pytest.raises(Misfit, match="share of cells"):
        Blobs(share=share)(SHAPE, seeded())
