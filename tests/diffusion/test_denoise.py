"""Networks' answers become posterior means; the loss is least where it should be."""

import pytest
import torch
from torch import nn

from anodiff.diffusion.denoise import (
    WEIGHTS,
    DataPredicting,
    NoisePredicting,
    Preconditioned,
    VelocityPredicting,
    denoising_loss,
)
from anodiff.diffusion.exact import Gaussian
from anodiff.diffusion.noise import SCHEDULES, VP, Schedule, expand

MEAN = torch.tensor([0.5, -1.0], dtype=torch.float64)
COVARIANCE = torch.tensor([[1.0, 0.6], [0.6, 0.8]], dtype=torch.float64)


class Oracle(nn.Module):
    """What a perfect network of each kind would return, from the Gaussian's closed form."""

    def __init__(self, kind: type, schedule: Schedule) -> None:
        super().__init__()
        self.kind = kind
        self.exact = Gaussian(MEAN, COVARIANCE, schedule)
        self.precision = nn.Parameter(torch.zeros((), dtype=torch.float64))

    def forward(self, x, c):
        schedule = self.exact.schedule
        t = schedule.time(torch.exp(4 * c)) if self.kind is Preconditioned else c
        alpha, sigma, s = (expand(f(t), x) for f in (schedule.alpha, schedule.sigma, schedule.level))
        norm = torch.sqrt(alpha**2 + sigma**2)
        if self.kind is Preconditioned:
            x_t, v = alpha * torch.sqrt(1 + s**2) * x, 1.0
            mean = self.exact(x_t, t).mean
            return (mean * (v + s**2) - x_t / alpha) / (s * torch.sqrt(v + s**2))
        x_t = x * norm if self.kind is VelocityPredicting else x
        mean = self.exact(x_t, t).mean
        noise = (x_t - alpha * mean) / sigma
        return {DataPredicting: mean, NoisePredicting: noise}.get(self.kind, (alpha * noise - sigma * mean) / norm)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("kind", [NoisePredicting, DataPredicting, VelocityPredicting, Preconditioned])
def test_a_perfect_network_gives_the_posterior_mean(kind, name):
    schedule = SCHEDULES[name]()
    x_t = torch.randn(8, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    t = torch.linspace(0.05, 0.95, 8, dtype=torch.float64)
    learnt, exact = kind(Oracle(kind, schedule), schedule), Gaussian(MEAN, COVARIANCE, schedule)
    torch.testing.assert_close(learnt(x_t, t).mean, exact(x_t, t).mean, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(learnt(x_t, t[3]).mean, exact(x_t, t[3]).mean, rtol=1e-6, atol=1e-6)
    assert learnt(x_t.float(), t).mean.dtype == torch.float32


@pytest.mark.parametrize("weight", WEIGHTS)
def test_the_loss_is_least_at_the_true_posterior(weight):
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(2, 50_000, 2, dtype=torch.float64, generator=generator)
    x, t = MEAN + z[0] @ torch.linalg.cholesky(COVARIANCE).T, torch.rand(50_000, generator=generator).double() + 0.05

    def loss(mean, covariance):
        return denoising_loss(Gaussian(mean, covariance, VP()), x, t.clamp(max=1), z[1], WEIGHTS[weight]).mean()

    best = loss(MEAN, COVARIANCE)
    assert best < loss(MEAN + 0.1, COVARIANCE)
    assert best < loss(MEAN, 1.3 * COVARIANCE)
    assert best < loss(MEAN, COVARIANCE / 1.3)
    assert best < loss(MEAN, torch.diag(COVARIANCE.diagonal()))


def test_unknown_cells_do_not_count():
    denoiser, t = Gaussian(MEAN, COVARIANCE, VP()), torch.full((3,), 0.3, dtype=torch.float64)
    x, noise = torch.ones(3, 2).double(), torch.zeros(3, 2).double()
    known = torch.tensor([[True, False], [True, True], [False, False]])
    full = denoising_loss(denoiser, x, t, noise)
    some = denoising_loss(denoiser, x, t, noise, known=known)
    assert torch.equal(full[1], some[1])
    assert some[2] == 0
    assert torch.equal(denoising_loss(denoiser, x, t, noise, known=torch.ones_like(known)), full)


def test_preconditioned_is_the_identity_where_there_is_no_noise():
    x = torch.ones(3, 2, dtype=torch.float64)
    learnt = Preconditioned(Oracle(Preconditioned, VP()), VP(), torch.tensor([1.0, 2.0]))
    torch.testing.assert_close(learnt(x, torch.tensor(0.0)).mean, x)
