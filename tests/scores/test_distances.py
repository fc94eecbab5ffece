"""Distances between pictures: what they say of equal, shifted and disturbed ones; each item for itself."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from anodiff.diffusion.gaussian import Gaussian
from anodiff.diffusion.noise import EDM
from anodiff.scores.distances import PICTURE_DISTANCES, FeatureDistance, Mixed, ssim, with_scales
from anodiff.scores.planes import blurred, dilated, quantile_of_each
from anodiff.scores.reconstruction import Reconstruction, absolute, squared
from anodiff.scores.stitched import Stitched
from anodiff.types import Misfit


def pictures(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(*shape, dtype=torch.float64, generator=generator) * 2 - 1


class Edges:
    """Two fixed maps: slopes at full and at half size."""

    def __call__(self, x: Tensor) -> list[Tensor]:
        slopes = torch.cat([x.diff(dim=2)[..., :-1], x.diff(dim=3)[..., :-1, :], x[..., 1:, 1:]], 1)
        return [slopes, avg_pool2d(slopes, 2)]


EVERY = PICTURE_DISTANCES | {
    "features": FeatureDistance(Edges()),
    "mixed": Mixed([squared, FeatureDistance(Edges(), blur=0.0)], weights=[1.0, 2.0], scales=[0.5, 0.1]),
}


@pytest.mark.parametrize("name", EVERY)
def test_every_distance(name):
    distance, x, y = EVERY[name], pictures(5, 3, 16, 13), pictures(5, 3, 16, 13, seed=1)
    found = distance(x, y)
    assert found.shape == x.shape
    assert found.dtype == x.dtype
    assert (found >= -1e-12).all()
    torch.testing.assert_close(distance(x, x), torch.zeros_like(x), rtol=0, atol=1e-9)
    torch.testing.assert_close(distance(y, x), found)
    torch.testing.assert_close(distance(x[2:3], y[2:3]), found[2:3])
    assert distance(x, y).sum() > distance(x, x + 0.1 * (y - x)).sum()


def test_ssim_is_its_formula():
    x, y = (pictures(1, 1, 11, 11, seed=s)[0, 0].numpy() for s in (0, 1))
    bell = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    w = np.outer(bell, bell) / bell.sum() ** 2
    mx, my = (w * x).sum(), (w * y).sum()
    vx, vy, cov = ((w * (a - p) * (b - q)).sum() for a, b, p, q in ((x, x, mx, mx), (y, y, my, my), (x, y, mx, my)))
    c1, c2 = 0.02**2, 0.06**2
    alike = (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    found = ssim(*(torch.from_numpy(v)[None, None] for v in (x, y)))[0, 0, 5, 5]
    assert found == pytest.approx((1 - alike) / 2)


def test_ssim_sees_structure_where_grey_values_hardly_differ():
    x = 0.05 * pictures(1, 1, 32, 32)
    brighter, scrambled = x + 0.2, 0.05 * pictures(1, 1, 32, 32, seed=1)
    assert squared(x, brighter).mean() > 5 * squared(x, scrambled).mean()
    assert ssim(x + 0.5, brighter + 0.5).mean() < 0.2 * ssim(x, scrambled).mean()
    assert ssim(x, -x).max() <= 1
    assert torch.isfinite(ssim(1e5 * x.float(), 1e5 * scrambled.float())).all()


def test_channels_of_a_feature_distance_add_up_to_the_mean_over_maps():
    x, y = pictures(2, 3, 16, 16), pictures(2, 3, 16, 16, seed=1)

    def one(v: Tensor) -> list[Tensor]:
        return [v]

    def two(v: Tensor) -> list[Tensor]:
        return [v, v]

    once, twice = (FeatureDistance(net, blur=0.0)(x, y) for net in (one, two))
    apart = 1 - nn.functional.cosine_similarity(x, y, dim=1)
    torch.testing.assert_close(once.sum(1), apart)
    torch.testing.assert_close(twice, once)
    assert torch.equal(once[:, 0], once[:, 2])
    smooth = FeatureDistance(one, blur=3.0)(x, y)
    assert smooth.std() < 0.3 * once.std()


def test_scales_come_from_held_out_pairs_and_nowhere_else():
    x, y = pictures(20, 1, 8, 8), pictures(20, 1, 8, 8, seed=1)
    both = Mixed([squared, absolute]).fit(x, y)
    assert both.scales == pytest.approx([np.quantile(d(x, y), 0.99) for d in (squared, absolute)])
    other = pictures(4, 1, 8, 8, seed=2)
    expected = sum(d(x[:4], other) / c for d, c in zip((squared, absolute), both.scales, strict=True))
    torch.testing.assert_close(both(x[:4], other), expected)
    stronger = torch.cat([other[:1], 100 * other[1:]])
    torch.testing.assert_close(both(x[:4], stronger)[0], expected[0])
    with pytest.raises(Misfit, match="no scales yet"):
        Mixed([squared])(x, y)
    with pytest.raises(Misfit, match="distance 1 has no scale"):
        Mixed([squared, lambda a, b: torch.zeros_like(a)]).fit(x, y)


@pytest.mark.parametrize("kind", [Reconstruction, Stitched])
def test_scales_are_of_what_a_score_compares(kind):
    gaussian, x = Gaussian(torch.zeros(64).double(), torch.eye(64).double(), EDM()), pictures(20, 1, 8, 8)
    score = kind(steps=2, distance=Mixed([absolute, lambda a, b: 3 * absolute(a, b)], weights=[1.0, 0.0]))
    found = with_scales(score, gaussian, x)
    assert score.distance.scales is None
    assert found.distance.scales[1] == pytest.approx(3 * found.distance.scales[0])
    alone = kind(steps=2, distance=absolute)(gaussian, x)
    if kind is Reconstruction:
        torch.testing.assert_close(found(gaussian, x).map * found.distance.scales[0], alone.map)


def test_planes():
    spot = torch.zeros(2, 1, 15, 15)
    spot[0, 0, 7, 7] = 1
    smooth, wide = blurred(spot, 1.0), dilated(spot, 2)
    assert smooth[0].sum() == pytest.approx(1)
    assert smooth[0, 0, 7, 7] == smooth.max()
    assert torch.equal(blurred(spot, 0.0), spot)
    torch.testing.assert_close(blurred(torch.full((1, 2, 4, 4), 3.0), 2.0), torch.full((1, 2, 4, 4), 3.0))
    assert wide[0].sum() == 25
    assert not wide[1].any()
    ramp = torch.arange(200.0).reshape(2, 1, 10, 10)
    assert quantile_of_each(ramp, 0.95).flatten().tolist() == [94, 194]
