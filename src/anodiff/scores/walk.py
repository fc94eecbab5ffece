r"""Walks: from a state at a start level down to level 0.02, and the posterior mean there,

.. math:: \hat x = D\big(x_{t_n}, t_n\big), \qquad x_{t_{k+1}} = \mathrm{step}(x_{t_k}, t_k, t_{k+1}) .
"""

from collections.abc import Callable

import torch
from torch import Tensor

from anodiff.diffusion.denoise import Denoiser, Posterior
from anodiff.diffusion.grids import Grid
from anodiff.diffusion.noise import EDM
from anodiff.diffusion.sample import Sampler
from anodiff.diffusion.sources import White
from anodiff.scores.levels import time_of
from anodiff.types import Batch, Times

LAST = 0.02

Samplers = Callable[..., Sampler]


def stops(denoiser: Denoiser, grid: Grid, steps: int, level: float, x: Batch) -> Times:
    """Times `(steps + 1,)` from a level down to the last one."""
    start, end = (float(time_of(denoiser, s, x)) for s in (level, LAST))
    return grid(denoiser.schedule, steps, start, end).to(x.device)


def walked(sampler: Sampler, x_t: Batch, **condition: Tensor) -> Batch:
    """The posterior mean at the end of a walk from `x_t` `(B, *event)`."""
    with torch.no_grad():
        state, t = sampler(x_t, **condition), sampler.times[-1]
        posterior: Posterior = sampler.denoiser(state, t.expand(len(state)), **condition)
    return posterior.mean


def cost_of_walk(sampler: Samplers, steps: int) -> int:
    """Evaluations of `walked`, per item: the sampler's own count and the last."""
    times = torch.linspace(1, 0.5, steps + 1)
    return sampler(_Unasked(), times, source=White(), seed=0).nfe + 1


class _Unasked(Denoiser):
    """What a sampler holds while it is asked for its cost."""

    def __init__(self) -> None:
        super().__init__()
        self.schedule = EDM()

    def forward(self, x_t: Batch, t: Times, **condition: Tensor) -> Posterior:
        raise NotImplementedError
