"""Guidance: no weight, no guidance; what is known stays; Gaussians are guided in closed form."""

import pytest
import torch
from torch import nn

from anodiff.diffusion.denoise import DataPredicting
from anodiff.diffusion.exact import Empirical, Gaussian
from anodiff.diffusion.grids import log_snr
from anodiff.diffusion.guide import ClassifierFree, Drawn, Pinned, Repainted, Steered, filled
from anodiff.diffusion.noise import EDM, VP
from anodiff.diffusion.sample import DDPM, Resampled

MEAN = torch.tensor([0.5, -1.0, 0.0], dtype=torch.float64)
COVARIANCE = torch.tensor([[1.0, 0.6, 0.2], [0.6, 0.8, 0.0], [0.2, 0.0, 0.5]], dtype=torch.float64)
T = torch.tensor(0.3, dtype=torch.float64)
KNOWN = torch.tensor([True, False, False])


def draws(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def gaussian():
    return Gaussian(MEAN, COVARIANCE, VP())


class Labelled(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones((), dtype=torch.float64))

    def forward(self, x, t, label):
        return self.scale * x + label


def test_classifier_free():
    conditional, x, label = DataPredicting(Labelled(), VP()), draws(4, 3), draws(4, 1, seed=1)
    null = {"label": torch.zeros(1, 1, dtype=torch.float64)}
    free = conditional(x, T, label=label).mean
    assert torch.equal(ClassifierFree(conditional, null, 0.0)(x, T, label=label).mean, free)
    torch.testing.assert_close(ClassifierFree(conditional, null, 2.0)(x, T, label=label).mean, x + 3 * label)
    assert ClassifierFree(conditional, null).cost == 2


@pytest.mark.parametrize("wrapper", [Pinned, Repainted])
def test_nothing_known_is_no_pin_and_everything_known_is_what_was_observed(wrapper, gaussian):
    x, observed, known = draws(4, 3), draws(4, 3, seed=1), torch.ones(4, 3, dtype=torch.bool)
    assert torch.equal(wrapper(gaussian, observed, ~known)(x, T).mean, gaussian(x, T).mean)
    assert torch.equal(wrapper(gaussian, observed, known)(x, T).mean, observed)
    missing = observed.masked_fill(~KNOWN, torch.nan)
    answer = wrapper(gaussian, missing, KNOWN.expand(4, 3))(x, T).mean
    assert torch.equal(answer[:, 0], observed[:, 0])
    assert torch.isfinite(answer).all()


def conditional(observed, noise=0.0):
    gain = COVARIANCE[1:, :1] / (COVARIANCE[0, 0] + noise)
    return MEAN[1:] + (observed[:, :1] - MEAN[0]) @ gain.T, COVARIANCE[1:, 1:] - gain @ COVARIANCE[:1, 1:]


@pytest.mark.parametrize("schedule", [VP(), EDM()])
def test_repainting_with_jumps_samples_the_conditional(schedule):
    n, times = 4000, log_snr(schedule, 40)
    observed = torch.full((n, 3), 1.5, dtype=torch.float64)
    repainted = Repainted(Gaussian(MEAN, COVARIANCE, schedule), observed, KNOWN.expand(n, 3))
    start = schedule.sigma(times[0]) * draws(n, 3)
    out = Resampled(DDPM(repainted, times, seed=1), 5)(start)
    mean, covariance = conditional(observed)
    assert (out[:, 0] - 1.5).abs().max() < 0.02
    assert (out[:, 1:].mean(0) - mean[0]).abs().max() < 0.1
    assert (torch.cov(out[:, 1:].T) - covariance).abs().max() < 0.15


def test_repainting_replays(gaussian):
    x, known = draws(4, 3), KNOWN.expand(4, 3)
    assert torch.equal(Repainted(gaussian, x, known)(x, T).mean, Repainted(gaussian, x, known)(x, T).mean)
    assert not torch.equal(Repainted(gaussian, x, known)(x, T).mean, Repainted(gaussian, x, known, seed=1)(x, T).mean)


@pytest.mark.parametrize("schedule", [VP(), EDM()])
def test_steering_a_gaussian_by_a_linear_energy_is_exact(schedule):
    slope, x = torch.tensor([1.0, -0.5, 2.0], dtype=torch.float64), draws(4, 3)
    steered = Steered(Gaussian(MEAN, COVARIANCE, schedule), lambda x: x @ slope.to(x), weight=0.7)
    tilted = Gaussian(MEAN - 0.7 * COVARIANCE @ slope, COVARIANCE, schedule)
    torch.testing.assert_close(steered(x, T).mean, tilted(x, T).mean)
    torch.testing.assert_close(steered(x.float(), T).mean, tilted(x.float(), T).mean)


def test_steering_of_weight_zero_is_none_and_works_on_rows(gaussian):
    for denoiser in (gaussian, Empirical(draws(30, 3), VP()), Empirical(draws(30, 3), VP(), 5)):
        x = draws(4, 3, seed=1)
        assert torch.equal(Steered(denoiser, lambda x: x.square().sum(1), 0.0)(x, T).mean, denoiser(x, T).mean)
        nearer = Steered(denoiser, lambda x: x.square().sum(1), 0.1)(x, T).mean
        assert nearer.norm() < denoiser(x, T).mean.norm()


def test_filling_a_gaussian_gives_the_conditional_mean(gaussian):
    x = draws(6, 3).masked_fill(~KNOWN, torch.nan)
    answer = filled(gaussian, x, KNOWN.expand(6, 3), T, iterations=400)
    assert torch.equal(answer[:, 0], x[:, 0])
    torch.testing.assert_close(answer[:, 1:], conditional(x, VP().level(T) ** 2)[0], rtol=1e-6, atol=1e-6)
    everything = torch.ones(6, 3, dtype=torch.bool)
    assert torch.equal(filled(gaussian, draws(6, 3), everything, T), draws(6, 3))


def test_drawn_is_the_guided_noise_of_a_process_that_preserves_variance(gaussian):
    x_t, item, weight = draws(4, 3), draws(4, 3, seed=1), 1.7
    alpha, sigma = VP().alpha(T), VP().sigma(T)
    noise = (x_t - alpha * gaussian(x_t, T).mean) / sigma
    guided = noise - weight * sigma * (alpha * item + sigma * noise - x_t)
    expected = (x_t - sigma * guided) / alpha
    torch.testing.assert_close(Drawn(gaussian, item, weight)(x_t, T).mean, expected)
    assert torch.equal(Drawn(gaussian, item, 0.0)(x_t, T).mean, gaussian(x_t, T).mean)
