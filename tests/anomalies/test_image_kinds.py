"""Kinds of defects: sketches inside their region, clear on every surface, seeded."""

import pytest
import torch

from anodiff.anomalies.image_kinds import IMAGE_KINDS, line_within, soft
from anodiff.anomalies.where import Boxes, Strokes

KINDS = [pytest.param(kind, id=name) for name, kind in IMAGE_KINDS.items()]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def surface(channels=3, count=8, deviation=0.05, size=64):
    smooth = torch.linspace(-0.3, 0.3, size)[None, None, None].expand(count, 1, size, -1)
    noise = deviation * torch.randn(count, channels, size, size, generator=seeded(9))
    return (smooth + noise).clamp(-1, 1).contiguous()


def drawn(kind, x, seed=0):
    generator = seeded(seed)
    mask = kind.within(kind.place((len(x), *x.shape[2:]), generator), generator)
    region = mask[:, None].expand_as(x)
    return kind.sketch(x, region, generator), region


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_sketch_stays_in_its_region_and_in_range(kind, channels):
    x = surface(channels)
    made, region = drawn(kind, x)
    assert made.shape == x.shape
    assert made.dtype == x.dtype
    assert torch.equal(made[~region], x[~region])
    assert torch.isfinite(made).all()
    assert made.abs().max() <= 1
    again, _ = drawn(kind, x)
    other, _ = drawn(kind, x, seed=1)
    assert torch.equal(made, again)
    assert not torch.equal(made, other)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("deviation", [0.0, 0.02, 0.15])
def test_a_sketch_is_seen_on_smooth_and_on_rough_surfaces(kind, deviation):
    x = surface(deviation=deviation)
    made, region = drawn(kind, x)
    rms = (((made - x).square() * region).flatten(1).sum(1) / region.flatten(1).sum(1)).sqrt()
    assert (rms > max(0.08, 0.7 * deviation)).all(), rms


def test_grey_pictures_stay_grey():
    x = surface(1).expand(-1, 3, -1, -1).contiguous()
    for kind in IMAGE_KINDS.values():
        made, _ = drawn(kind, x)
        assert torch.allclose(made, made[:, :1].expand_as(made), atol=1e-6), kind.name


def test_black_white_and_whole_pictures_are_sketched_too():
    for value in (-1.0, 1.0):
        x = torch.full((4, 3, 32, 32), value)
        for kind in IMAGE_KINDS.values():
            made, region = drawn(kind, x)
            assert torch.isfinite(made).all(), kind.name
            assert ((made - x).abs()[region] > 0.1).any(), kind.name
            assert torch.isfinite(kind.sketch(x, torch.ones_like(x, dtype=torch.bool), seeded())).all(), kind.name


def test_cracks_are_dark():
    x = surface()
    made, region = drawn(IMAGE_KINDS["crack"], x)
    assert ((made - x)[region] <= 0).all()


def test_a_line_takes_a_line_of_a_box_and_all_of_a_stroke():
    box = Boxes((0.1, 0.1), (0.8, 1.25))((30, 64, 64), seeded())
    line = line_within(box, seeded())
    assert not (line & ~box).any()
    part = line.flatten(1).sum(1) / box.flatten(1).sum(1)
    assert ((part > 0.02) & (part < 0.4)).all(), part
    stroke = Strokes((0.01, 0.01))((30, 64, 64), seeded())
    whole = line_within(stroke, seeded()).flatten(1).sum(1) / stroke.flatten(1).sum(1)
    assert (whole == 1).float().mean() > 0.6
    assert torch.equal(IMAGE_KINDS["stain"].within(box, seeded()), box)


def test_soft_regions_end_where_they_end():
    region = torch.zeros(1, 1, 16, 16, dtype=torch.bool)
    region[..., 4:12, 4:12] = True
    depth = soft(region, 2)
    assert (depth[~region] == 0).all()
    assert depth[region].min() >= 0.5
    assert depth[..., 8, 8] == 1
