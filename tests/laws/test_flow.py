"""Laws of the probability-flow ODE: densities, round trips, and agreement with an ODE library."""

import math

import pytest
import torch
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal
from torchdiffeq import odeint

from anodiff.diffusion.exact import Gaussian, GaussianMixture
from anodiff.diffusion.flow import Exact, Flow, Hutchinson
from anodiff.diffusion.noise import SCHEDULES, VP

MEAN = torch.tensor([0.3, -1.0, 0.5], dtype=torch.float64)
COVARIANCE = torch.tensor([[1.0, 0.6, 0.1], [0.6, 0.5, 0.0], [0.1, 0.0, 2.0]], dtype=torch.float64)
WEIGHTS = torch.tensor([0.3, 0.7], dtype=torch.float64)
MEANS = torch.tensor([[-1.5, 0.0], [1.0, 0.8]], dtype=torch.float64)
COVARIANCES = torch.tensor([[[0.3, 0.1], [0.1, 0.4]], [[0.2, -0.05], [-0.05, 0.1]]], dtype=torch.float64)


@pytest.fixture
def one():
    return MultivariateNormal(MEAN, COVARIANCE)


@pytest.fixture
def two():
    return MixtureSameFamily(Categorical(WEIGHTS), MultivariateNormal(MEANS, COVARIANCES))


def draw(law, n: int):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return law.sample((n,))


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_log_prob_of_a_gaussian(name, dtype, one):
    x = draw(one, 32)
    flow = Flow(Gaussian(MEAN, COVARIANCE, SCHEDULES[name]()), mean=MEAN, variance=COVARIANCE.diagonal())
    answer = flow.log_prob(x.to(dtype))
    assert answer.dtype == dtype
    assert (answer - one.log_prob(x)).abs().max() / 3 < 0.02
    assert torch.allclose(flow.bits_per_dim(x), -flow.log_prob(x) / 3 / math.log(2))


@pytest.mark.parametrize("name", SCHEDULES)
def test_log_prob_of_a_mixture(name, two):
    x = draw(two, 32)
    denoiser = GaussianMixture(WEIGHTS, MEANS, COVARIANCES, SCHEDULES[name]())
    answer = Flow(denoiser, mean=two.mean, variance=two.variance).log_prob(x)
    assert (answer - two.log_prob(x)).abs().max() / 2 < 0.02


@pytest.mark.parametrize("name", SCHEDULES)
def test_decode_undoes_encode(name, two):
    """Within 0.01 at 48 steps and 0.001 at 96: of fourth order."""
    x = draw(two, 32)
    denoiser = GaussianMixture(WEIGHTS, MEANS, COVARIANCES, SCHEDULES[name]())
    errors = [(f.decode(f.encode(x)) - x).abs().max() for f in (Flow(denoiser, 48), Flow(denoiser, 96))]
    assert errors[0] < 1e-2
    assert errors[1] < 1e-3
    assert errors[1] < errors[0] / 8


def test_encoded_data_is_standard_normal(two):
    denoiser = GaussianMixture(WEIGHTS, MEANS, COVARIANCES, VP())
    z = Flow(denoiser, mean=two.mean, variance=two.variance).encode(draw(two, 5000))
    assert z.mean(0).abs().max() < 0.06
    assert (torch.cov(z.T) - torch.eye(2)).abs().max() < 0.08


def test_hutchinson_is_unbiased_and_common():
    square = torch.tensor([[1.0, 2.0, 0.0], [0.5, -1.0, 3.0], [1.0, 1.0, 0.5]])
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))

    def function(x):
        return torch.tanh(x @ square.T)

    value, exact = Exact()(function, x)
    torch.testing.assert_close(value, function(x))
    estimates = torch.stack([Hutchinson(16, seed)(function, x)[1] for seed in range(400)])
    error = estimates.std(0) / 20
    assert ((estimates.mean(0) - exact).abs() < 4 * error + 1e-6).all()
    assert torch.equal(Hutchinson(4)(function, x)[1][1:2], Hutchinson(4)(function, x[1:2])[1])


def test_hutchinson_of_a_white_gaussian_is_exact():
    denoiser = Gaussian(torch.zeros(5).double(), 2 * torch.eye(5).double(), VP())
    x = torch.randn(6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(Flow(denoiser, 8, divergence=Hutchinson(1)).log_prob(x), Flow(denoiser, 8).log_prob(x))


def test_agrees_with_an_ode_library(two):
    x = draw(two, 8)
    denoiser = GaussianMixture(WEIGHTS, MEANS, COVARIANCES, VP())
    flow = Flow(denoiser, 96)
    levels = flow.levels(x)

    def velocity(u, state):
        t = VP().time(torch.exp(u))
        value, trace = Exact()(lambda x: denoiser(VP().alpha(t) * x, t).mean, state[0])
        return state[0] - value, 2 - trace

    state = odeint(velocity, (x, torch.zeros(8, dtype=torch.float64)), levels[[0, -1]], rtol=1e-7, atol=1e-9)
    std = torch.sqrt(torch.exp(2 * levels[-1]) + 1)
    end = state[0][-1] / std
    log_prob = state[1][-1] + torch.distributions.Normal(0, std).log_prob(state[0][-1]).sum(1)
    torch.testing.assert_close(flow.encode(x), end, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(flow.log_prob(x), log_prob, rtol=1e-3, atol=1e-3)
