"""A head trained on anomalies made on purpose finds others."""

import pytest
import torch
from planted_pictures import found, spotted, trained, waves

from anodiff.anomalies import ANOMALIES
from anodiff.anomalies.paste import sparing
from anodiff.checks import check_cost, check_each_row_for_itself
from anodiff.diffusion.exact import Gaussian
from anodiff.diffusion.noise import EDM, VP
from anodiff.nets.mlp import seeded
from anodiff.nets.segmenter import Segmenter
from anodiff.scores.segmented import Segmented, segmentation_loss, segmenting, top_mean


def head(channels=1):
    return seeded(Segmenter, 0, channels=2 * channels, width=12, depth=2)


@pytest.fixture(scope="module")
def denoiser():
    return Gaussian.fit(waves(400, 0), EDM())


@pytest.fixture(scope="module")
def score(denoiser):
    made = Segmented(head(), top=0.03)
    return trained(made, segmenting(made, denoiser, sparing(ANOMALIES["blend"])), waves(400, 0), steps=120)


def test_planted_defects_are_found(score, denoiser):
    image, pixel = found(score, denoiser)
    assert image > 0.9
    assert pixel > 0.9


def test_laws(score, denoiser):
    x = waves(9, 5)
    evidence = score(denoiser, x)
    assert evidence.map.shape == x.shape
    assert evidence.total.shape == (9,)
    assert not evidence.total.requires_grad
    check_each_row_for_itself(score, denoiser, x)
    check_cost(score, denoiser, x)
    assert score(denoiser, 1e5 * x).total.isfinite().all()
    assert score(denoiser, x.double()).total.dtype == torch.float64


def test_the_total_is_the_mean_of_the_highest_pixels(score, denoiser):
    evidence = score(denoiser, waves(3, 5))
    torch.testing.assert_close(evidence.total, top_mean(evidence.map.sum(1), 0.03))


def test_without_a_guide_it_is_one_step_at_the_low_level(denoiser):
    x = spotted(4, 6)[0]
    noise = torch.randn(2, *x.shape, generator=torch.Generator().manual_seed(0))
    plain = Segmented(head(), weight=0.0).restored(denoiser, x, noise)
    t = denoiser.schedule.time(torch.tensor(0.35))
    torch.testing.assert_close(plain, denoiser(denoiser.schedule.perturb(x, t, noise[0]), t).mean)
    assert Segmented(head(), weight=0.0).nfe == 2


def test_the_guide_is_that_of_a_process_that_preserves_variance(denoiser):
    """In their notation: eps' = eps - w sigma (y_t - x_t), y_t being the guide disturbed by the same noise."""
    x = spotted(4, 6)[0]
    vp = Gaussian.fit(waves(400, 0), VP())
    noise = torch.randn(2, *x.shape, generator=torch.Generator().manual_seed(0))
    score = Segmented(head(), low=0.5, high=1.5, weight=0.7)
    low, high = (vp.schedule.time(torch.tensor(level)) for level in (0.5, 1.5))
    alpha, sigma = vp.schedule.alpha(low), vp.schedule.sigma(low)
    guide = vp(vp.schedule.perturb(x, high, noise[1]), high).mean
    x_t, y_t = (vp.schedule.perturb(v, low, noise[0]) for v in (x, guide))
    epsilon = (x_t - alpha * vp(x_t, low).mean) / sigma - 0.7 * sigma * (y_t - x_t)
    torch.testing.assert_close(score.restored(vp, x, noise), (x_t - sigma * epsilon) / alpha, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(score.restored(denoiser, x, noise), score.restored(vp, x, noise), rtol=1e-3, atol=1e-3)


def test_the_loss_falls_to_nothing_for_a_perfect_answer():
    mask = spotted(4, 6)[1][:, None]
    mask[0] = False
    perfect, wrong, blank = (segmentation_loss(20.0 * v, mask) for v in (2.0 * mask - 1, 1 - 2.0 * mask, 0.0 * mask))
    assert (perfect < 1e-3).all()
    assert (wrong > blank).all()
    torch.testing.assert_close(blank, 0.6931 * torch.tensor([1.0, 2.0, 2.0, 2.0]), rtol=1e-3, atol=0)
    assert perfect.shape == (4,)


@pytest.mark.parametrize("size", [(1, 1), (7, 30), (24, 24)])
def test_the_head_takes_any_size(size):
    x = torch.randn(2, 4, *size, generator=torch.Generator().manual_seed(0))
    assert seeded(Segmenter, 0, channels=4)(x).shape == (2, 1, *size)
