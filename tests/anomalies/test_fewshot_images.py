"""Known defects of pictures: crops show them and their regions alike, and one can be drawn in another place."""

import pytest
import torch
from torch import Tensor

from anodiff.anomalies.cutouts import cut, cut_region, cutout, laid, rimmed
from anodiff.anomalies.fewshot import Examples, Labelled, Redrawn, box, suspicious, widened
from anodiff.diffusion.denoise import Denoiser, Posterior
from anodiff.diffusion.noise import VE


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def examples() -> Examples:
    """A bright square, a bright bar and a bright corner on dark pictures."""
    region = torch.zeros(3, 64, 64, dtype=torch.bool)
    region[0, 20:28, 30:40] = True
    region[1, 10:50, 12:15] = True
    region[2, :9, :9] = True
    return Examples(torch.where(region, 0.8, -0.5)[:, None], region, ["square", "bar", "square"])


def test_kinds_are_numbered_as_they_come(examples: Examples) -> None:
    assert examples.names == ["square", "bar"]
    assert examples.labels.tolist() == [1, 2, 1]
    assert examples.of("square") == [0, 2]


def test_crops_turn_regions_with_what_is_in_them(examples: Examples) -> None:
    x, region, label = examples.crops(64, 32, seeded())
    assert x.shape == region.shape == (64, 1, 32, 32)
    assert (label == 1).sum() == (label == 2).sum() == 32
    bright = x > x.amin((1, 2, 3), keepdim=True) + 0.65
    shared = (bright & region).sum() / (bright | region).sum()
    assert shared > 0.9
    assert region.flatten(1).any(1).float().mean() > 0.9
    assert len(torch.unique(x.flatten(1).mean(1))) == 64


def test_wide_regions_are_shown_smaller() -> None:
    region = torch.zeros(1, 128, 128, dtype=torch.bool)
    region[0, 8:120, 8:120] = True
    _, shown, _ = Examples(torch.zeros(1, 1, 128, 128), region, ["wide"]).crops(16, 16, seeded())
    assert 0 < shown.float().mean() < 1


def test_widened_regions_hold_the_region(examples: Examples) -> None:
    region = examples.region[:, None].expand(3, 2, 64, 64)
    wide = widened(region, seeded(1))
    assert (wide | region).equal(wide)
    assert wide.sum() > region.sum()


def test_redrawn_lies_in_the_region_and_in_the_light_of_the_place(examples: Examples) -> None:
    x = torch.stack([torch.full((1, 64, 64), -0.6), torch.full((1, 64, 64), -0.9)])
    region = torch.zeros(2, 1, 64, 64, dtype=torch.bool)
    region[:, :, 40:52, 8:26] = True
    made = Redrawn(examples, [0, 0])(x, region, seeded())
    assert torch.equal(made[~region], x[~region])
    inside = made[:, 0, 44:48, 12:22].mean((1, 2)) - x[:, 0, 0, 0]
    assert torch.allclose(inside, torch.tensor(1.3), atol=0.15)


def test_suspicious_is_where_a_map_is_high() -> None:
    map = torch.zeros(1, 8, 8)
    map[0, 2, 5] = 1.0
    region = suspicious(map, 64)
    top, bottom, left, right = box(region[0])
    assert top >= 10
    assert bottom <= 30
    assert left >= 34
    assert right <= 54
    assert bool(region[0, 20, 44])


class Said(Denoiser):
    """Answers its label."""

    schedule = VE()

    def forward(self, x_t: Tensor, t: Tensor, **condition: Tensor) -> Posterior:
        return Posterior(torch.zeros_like(x_t) + condition["label"][:, None])


def test_labelled_tells_the_class() -> None:
    asked = Labelled(Said(), torch.tensor([3]))
    assert torch.equal(asked(torch.zeros(2, 4), torch.tensor(0.5)).mean, torch.full((2, 4), 3.0))


def test_cutouts_hold_their_regions_and_are_laid_back_inside_them() -> None:
    x = torch.randn(3, 1, 64, 64, generator=seeded())
    region = torch.zeros(3, 64, 64, dtype=torch.bool)
    region[0, 60:64, 0:3] = True
    region[1, 10:30, 20:24] = True
    region[2, 2:62, 30:33] = True
    boxes = [cutout(one, 16) for one in region]
    assert [(each.side, each.painted) for each in boxes] == [(16, 16), (32, 32), (64, 32)]
    for k, each in enumerate(boxes):
        inside = cut_region(region[[k]], [each])
        assert bool(inside.any())
        assert each.of(region[[k]]).sum() == region[k].sum()
        before = cut(x[[k]], [each])
        made = laid(x[[k]], region[[k]], [each], before, before + 1)
        assert torch.equal(made[0, 0][~region[k]], x[k, 0][~region[k]])
        assert torch.equal(laid(x[[k]], region[[k]], [each], before, before), x[[k]])
        assert (made - x[[k]])[0, 0][region[k]].mean() > 0.6


def test_rims_are_softer_than_what_is_inside() -> None:
    region = torch.zeros(1, 20, 20, dtype=torch.bool)
    region[0, 5:15, 5:15] = True
    region[0, 2, 2:12] = True
    weight = rimmed(region)
    assert bool((weight[~region] == 0).all())
    assert weight[0, 10, 10] == 1
    assert 0.3 < float(weight[0, 5, 10]) < 1
    assert float(weight[0, 2, 7]) > 0.5
