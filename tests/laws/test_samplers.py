"""Laws of the samplers: their order, their moments, and what they are equal to."""

import math
from itertools import pairwise

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler
from torch import Tensor

from anodiff.diffusion.exact import Gaussian
from anodiff.diffusion.grids import karras, log_snr, uniform
from anodiff.diffusion.noise import EDM, SCHEDULES, VP, Rectified, Schedule
from anodiff.diffusion.sample import DDIM, DDPM, SAMPLERS, DPMSolver, Heun, Resampled, Sampler

MEAN = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64)
MIX = torch.tensor([[1.0, 0.0, 0.0], [0.8, 0.5, 0.0], [-0.3, 0.2, 0.4]], dtype=torch.float64)
COVARIANCE = MIX @ MIX.T


def gaussian(schedule: Schedule) -> Gaussian:
    return Gaussian(MEAN, COVARIANCE, schedule)


def noisy(denoiser: Gaussian, t: Tensor, n: int) -> Tensor:
    """Exact draws of x_t."""
    draws = torch.randn(n, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    x = MEAN + draws[:, :3] @ MIX.T
    return denoiser.schedule.perturb(x, t, draws[:, 3:])


def carried(denoiser: Gaussian, x_t: Tensor, t: Tensor, s: Tensor) -> Tensor:
    """Where the probability-flow ODE of the Gaussian carries x_t, in closed form."""
    schedule, (values, vectors) = denoiser.schedule, torch.linalg.eigh(COVARIANCE)
    level, lower = schedule.level(t), schedule.level(s)
    shrink = vectors * torch.sqrt((values + lower**2) / (values + level**2)) @ vectors.T
    return schedule.alpha(s) * (MEAN + (x_t / schedule.alpha(t) - MEAN) @ shrink)


def order(sampler: type[Sampler], schedule: Schedule, grid=log_snr) -> float:
    denoiser, errors = gaussian(schedule), []
    for steps in (64, 128):
        times = grid(schedule, steps, 0.8, 0.2)
        start = noisy(denoiser, times[0], 16)
        end = carried(denoiser, start, times[0], times[-1])
        errors.append((sampler(denoiser, times)(start) - end).abs().max().item())
    return math.log2(errors[0] / errors[1])


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize(("sampler", "expected"), [(DDIM, 1), (Heun, 2), (DPMSolver, 2)])
def test_order(sampler, expected, name):
    assert abs(order(sampler, SCHEDULES[name]()) - expected) < 0.25


@pytest.mark.parametrize(("sampler", "expected"), [(DDIM, 1), (Heun, 2), (DPMSolver, 2)])
def test_order_on_other_grids(sampler, expected):
    assert abs(order(sampler, Rectified(), uniform) - expected) < 0.25
    assert abs(order(sampler, EDM(), karras) - expected) < 0.25


@pytest.mark.parametrize("make", [DDPM, lambda d, t: DDIM(d, t, eta=1.0), lambda d, t: DDIM(d, t, eta=0.5)])
@pytest.mark.parametrize("schedule", [VP(), EDM()])
def test_moments(make, schedule):
    denoiser = gaussian(schedule)
    times = log_snr(schedule, 400)
    out = make(denoiser, times)(noisy(denoiser, times[0], 20_000))
    assert (out.mean(0) - MEAN).abs().max() < 0.05
    assert (torch.cov(out.T) - COVARIANCE).abs().max() < 0.07


@pytest.mark.parametrize("name", SCHEDULES)
def test_ddim_of_eta_one_is_ddpm(name):
    denoiser = gaussian(SCHEDULES[name]())
    times = uniform(denoiser.schedule, 12)
    x = noisy(denoiser, times[0], 8)
    for ours, theirs in zip(DDIM(denoiser, times, eta=1.0).run(x), DDPM(denoiser, times).run(x), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", SAMPLERS)
def test_replays_yields_every_state_and_counts(name):
    asked = []

    class Counting(Gaussian):
        def forward(self, x_t, t, **condition):
            asked.append(t)
            return super().forward(x_t, t, **condition)

    denoiser = Counting(MEAN, COVARIANCE, VP())
    sampler = SAMPLERS[name](denoiser, uniform(VP(), 5))
    x = noisy(denoiser, torch.tensor(1.0), 4)
    states = list(sampler.run(x))
    assert len(asked) == sampler.nfe
    assert len(states) == 6
    assert states[0] is x
    assert torch.equal(states[-1], sampler(x))
    assert torch.equal(sampler(x.float()), sampler(x.float()))
    assert sampler(x.float()).dtype == torch.float32


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_last_step_returns_the_posterior_mean(name):
    denoiser = gaussian(VP())
    t, s = torch.tensor([0.4, 0.0], dtype=torch.float64)
    x = noisy(denoiser, t, 4)
    torch.testing.assert_close(SAMPLERS[name](denoiser, torch.stack([t, s]))(x), denoiser(x, t).mean)


def test_resampled_once_is_the_sampler_itself():
    denoiser, times = gaussian(VP()), uniform(VP(), 6)
    x = noisy(denoiser, times[0], 4)
    assert torch.equal(Resampled(DDPM(denoiser, times), 1)(x), DDPM(denoiser, times)(x))
    assert Resampled(DDPM(denoiser, times), 3).nfe == 18


class Discrete(Schedule):
    """The schedule of a diffusers scheduler: t = (k + 1) / N is its timestep k, t = 0 is data."""

    def __init__(self, cumulative: Tensor) -> None:
        self.kept = torch.cat([torch.ones(1, dtype=torch.float64), cumulative.double()])

    def alpha(self, t):
        return self.kept[(t * (len(self.kept) - 1)).round().long()].sqrt()

    def sigma(self, t):
        return (1 - self.kept[(t * (len(self.kept) - 1)).round().long()]).sqrt()

    def time(self, level):
        raise NotImplementedError


def beside(scheduler, steps: int):
    scheduler.set_timesteps(steps)
    denoiser = gaussian(Discrete(scheduler.alphas_cumprod))
    n = len(scheduler.alphas_cumprod)
    times = torch.cat([(scheduler.timesteps.double() + 1) / n, torch.zeros(1, dtype=torch.float64)])
    return denoiser, times, noisy(denoiser, times[0], 8)


def theirs(scheduler, denoiser: Gaussian, times: Tensor, x: Tensor, **settings) -> list[Tensor]:
    states = [x]
    for k, t in zip(scheduler.timesteps, times, strict=False):
        alpha, sigma = denoiser.schedule.alpha(t), denoiser.schedule.sigma(t)
        noise = (states[-1] - alpha * denoiser(states[-1], t).mean) / sigma
        states.append(scheduler.step(noise, k, states[-1], **settings).prev_sample)
    return states


def same(ours: list[Tensor], others: list[Tensor]) -> None:
    assert len(ours) == len(others)
    for a, b in zip(ours, others, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5, check_dtype=False)


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("steps", [10, 100])
def test_ddim_is_that_of_diffusers(eta, steps):
    scheduler = DDIMScheduler(100, beta_end=0.1, clip_sample=False)
    denoiser, times, x = beside(scheduler, steps)
    ours = list(DDIM(denoiser, times, eta=eta, seed=3).run(x))
    same(ours, theirs(scheduler, denoiser, times, x, eta=eta, generator=torch.Generator().manual_seed(3)))


@pytest.mark.parametrize("steps", [10, 100])
def test_ddpm_is_that_of_diffusers(steps):
    scheduler = DDPMScheduler(100, beta_end=0.1, clip_sample=False)
    denoiser, times, x = beside(scheduler, steps)
    ours = list(DDPM(denoiser, times, seed=3).run(x))
    same(ours, theirs(scheduler, denoiser, times, x, generator=torch.Generator().manual_seed(3)))


def test_dpm_solver_is_that_of_diffusers():
    scheduler = DPMSolverMultistepScheduler(
        1000, solver_order=2, algorithm_type="dpmsolver++", final_sigmas_type="zero"
    )
    denoiser, times, x = beside(scheduler, 20)
    same(list(DPMSolver(denoiser, times).run(x)), theirs(scheduler, denoiser, times, x))


def test_grids_decrease_from_start_to_end():
    for schedule in (s() for s in SCHEDULES.values()):
        for grid in (uniform, log_snr, karras):
            for start, end, steps in ((1.0, 0.0, 10), (0.7, 0.05, 3), (0.5, 0.0, 1)):
                times = grid(schedule, steps, start, end)
                assert times.shape == (steps + 1,)
                assert (times[0], times[-1]) == (start, end)
                assert all(a > b for a, b in pairwise(times))
