"""Copies of known defects: pasted elsewhere, aligned in brightness, from one example on."""

import numpy as np
import pytest
import torch

from anodiff.anomalies.copies import Copies
from anodiff.anomalies.paste import sparing
from anodiff.types import Misfit


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def known(level=0.0):
    """One grey picture with a bright square of 6 x 6, 0.5 brighter than what is around it."""
    example, mask = torch.full((1, 3, 32, 32), level), torch.zeros(1, 32, 32, dtype=torch.bool)
    mask[:, 4:10, 20:26] = True
    example[:, :, 4:10, 20:26] += 0.5
    return example, mask


def surface(count=40, level=0.0):
    return level + 0.02 * torch.randn(count, 3, 48, 48, generator=seeded(5)).clamp(-3, 3)


def wide(x):
    """So that the range of the batch does not clip."""
    x[0, :, 0, 0], x[0, :, 0, 1] = -1.0, 1.0
    return x


def test_one_example_is_enough_and_the_mask_is_what_changed():
    x = surface()
    bad, mask = Copies(*known())(wide(x), seeded())
    assert mask.shape == (40, 1, 48, 48)
    assert torch.equal((bad != x).any(1, keepdim=True), mask)
    assert mask.flatten(1).any(1).all()
    share = mask.float().mean((1, 2, 3)) / (36 / 32**2)
    assert ((share > 0.5) & (share < 2)).all(), share


def test_a_seed_is_a_copy():
    x = wide(surface())
    one, same, other = (Copies(*known())(x, seeded(seed))[0] for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_the_place_and_the_turn_change():
    _, mask = Copies(*known())(wide(surface()), seeded())
    first = mask[:, 0].any(2).int().argmax(1)
    assert len(set(first.tolist())) > 10


@pytest.mark.parametrize("level", [-0.4, 0.3])
def test_brightness_is_that_of_the_surroundings(level):
    x = wide(surface(level=level))
    bad, mask = Copies(*known(), jitter=0.0)(x, seeded())
    step = ((bad - x) * mask).sum((1, 2, 3)) / mask.sum((1, 2, 3)) / 3
    assert (step - 0.5).abs().median() < 0.06, step


def test_a_seamless_copy_meets_the_picture_at_its_edge():
    x = wide(torch.zeros(30, 3, 48, 48))
    example, mask = known()
    ramp = torch.linspace(0, 0.4, 32).expand(1, 3, 32, 32)
    plain, seamless = (
        Copies(example * 0 + ramp, mask, jitter=0.0, turn=0.0, scale=1.0, seamless=s)(x, seeded())[0]
        for s in (False, True)
    )
    left, was = ((made - x).abs().flatten(1).sum(1) for made in (seamless, plain))
    assert (left / was).median() < 0.1, left / was
    bright, _ = Copies(example, mask, jitter=0.0, seamless=True)(x, seeded())
    assert 0.4 < (bright - x).flatten(1).amax(1).median() <= 0.55


def test_it_is_a_spoiler_like_any_other_and_stays_on_the_object():
    x = wide(surface())
    bad, mask = sparing(Copies(*known()), 0.5)(x, seeded())
    spared = ~mask.flatten(1).any(1)
    assert 5 < spared.sum() < 35
    assert torch.equal(bad[spared], x[spared])

    def left(x):
        inside = torch.zeros(len(x), *x.shape[2:], dtype=torch.bool)
        inside[:, :, :24] = True
        return inside

    _, mask = Copies(*known(), foreground=left)(x, seeded())
    assert not mask[..., 24:].any()


def test_examples_and_masks_that_do_not_belong_together_are_refused():
    example, mask = known()
    with pytest.raises(Misfit, match=r"\(k, C, h, w\)"):
        Copies(example, mask.repeat(2, 1, 1))(surface(), seeded())
    with pytest.raises(Misfit, match="1 channels, the pictures 3"):
        Copies(example[:, :1], mask)(surface(), seeded())
    with pytest.raises(Misfit, match="empty"):
        Copies(example, mask & False)(surface(), seeded())
    assert Copies(example, np.asarray(mask))(surface(3), seeded())[0].shape == (3, 3, 48, 48)
