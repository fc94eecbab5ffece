r"""The probability-flow ODE: data to noise and back, and the density of an item.

In the scaled state :math:`\tilde x = x_t / \alpha_t` and :math:`u = \log s`, s being the level, every schedule has

.. math:: \frac{\mathrm{d} \tilde x}{\mathrm{d} u} = \tilde x - D, \qquad
          \log p(x) = \log p_1(\tilde x_1) + \int_{u_0}^{u_1} \Big( d - \mathrm{tr} \frac{\partial D}{\partial \tilde x}
          \Big) \, \mathrm{d} u .

Song et al., "Score-Based Generative Modeling through Stochastic Differential Equations", 2021. The right-hand sides are
smooth in u, so a fourth-order method with few steps is accurate. A high density is not yet typical of the data.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

from anodiff.diffusion.denoise import Denoiser, Posterior
from anodiff.diffusion.noise import expand
from anodiff.types import Batch, PerItem


class Divergence(ABC):
    """A way to trace a Jacobian. Think twice before adding anything here, every way carries it."""

    @abstractmethod
    def __call__(self, function: Callable[[Tensor], Tensor], x: Batch) -> tuple[Batch, PerItem]:
        """The function at `x` `(B, *event)` and the trace of its Jacobian there `(B,)`; items must not mix."""


class Exact(Divergence):
    """Every diagonal entry: as many backward passes as cells."""

    def __call__(self, function: Callable[[Tensor], Tensor], x: Batch) -> tuple[Batch, PerItem]:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            value = function(x)
            each = [
                torch.autograd.grad(column.sum(), x, retain_graph=True)[0].flatten(1)[:, i]
                for i, column in enumerate(value.flatten(1).unbind(1))
            ]
        return value.detach(), torch.stack(each).sum(0)


class Hutchinson(Divergence):
    r"""Unbiased: the mean of :math:`v^\top J v` over random signs v (Hutchinson, 1990), common to all items and times.

    Args:
        probes: How many v; the variance falls with their number.
        seed: They are drawn anew from this seed at each call, hence always the same.
    """

    def __init__(self, probes: int = 8, seed: int = 0) -> None:
        self.probes = probes
        self.seed = seed

    def __call__(self, function: Callable[[Tensor], Tensor], x: Batch) -> tuple[Batch, PerItem]:
        generator = torch.Generator().manual_seed(self.seed)
        signs = torch.randint(0, 2, (self.probes, *x.shape[1:]), generator=generator).to(x) * 2 - 1
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            value = function(x)
            each = [
                (torch.autograd.grad((value * v).sum(), x, retain_graph=True)[0] * v).flatten(1).sum(1) for v in signs
            ]
        return value.detach(), torch.stack(each).mean(0)


class Flow:
    r"""The probability-flow ODE of a denoiser, by the classical Runge-Kutta method in u.

    The end of the flow is not quite :math:`\mathcal{N}(0, s_1^2 I)`: what is left of the data counts, by
    :math:`v / 2 s_1^2` nats per cell, so there the density is taken as :math:`\mathcal{N}(\mu, (s_1^2 + v) I)`; what
    remains is of order :math:`(v / s_1^2)^2` where `variance` is that of the data.

    Args:
        denoiser: What is asked, 4 times a step.
        steps: Steps between the least level and that at t=1.
        least: The level at which an item counts as data: densities are those of data blurred by that much. Nothing
            finer than it is seen; not below the schedule's own level at t=0.
        divergence: `Exact()`, or `Hutchinson()` where items have many cells.
        mean: Mean of the data, one number or one per cell `(*event)`.
        variance: Variance of the data, one number or one per cell `(*event)`.
    """

    def __init__(
        self,
        denoiser: Denoiser,
        steps: int = 32,
        least: float = 0.01,
        divergence: Divergence | None = None,
        mean: float | Tensor = 0.0,
        variance: float | Tensor = 1.0,
    ) -> None:
        self.denoiser = denoiser
        self.steps = steps
        self.least = least
        self.divergence = divergence or Exact()
        self.mean = mean
        self.variance = variance

    @torch.no_grad()
    def encode(self, x: Batch, **condition: Tensor) -> Batch:
        """The standard noise `(B, *event)` that flows to `x`; its inverse is `decode`."""
        return self._standard(self._flow(x, self.levels(x), self._velocity(condition))[0])[0]

    @torch.no_grad()
    def decode(self, z: Batch, **condition: Tensor) -> Batch:
        """The item that standard noise `z` `(B, *event)` flows to."""
        mean, std = self._end(z)
        return self._flow(mean + std * z, self.levels(z).flip(0), self._velocity(condition))[0]

    @torch.no_grad()
    def log_prob(self, x: Batch, **condition: Tensor) -> PerItem:
        """The log-density of `x` `(B, *event)`, in nats."""
        end, gained = self._flow(x, self.levels(x), self._velocity(condition, self.divergence))
        z, std = self._standard(end)
        each = -(z**2 + math.log(2 * math.pi)) / 2 - torch.log(std)
        return each.flatten(1).sum(1) + gained

    def bits_per_dim(self, x: Batch, **condition: Tensor) -> PerItem:
        """Negative log-density per cell, to base 2."""
        return -self.log_prob(x, **condition) / (x[0].numel() * math.log(2))

    def levels(self, x: Batch) -> Tensor:
        """The logarithms of the levels on the way up `(steps + 1,)`, in double precision."""
        low, high = self.denoiser.schedule.level(torch.tensor([0.0, 1.0], dtype=torch.float64, device=x.device))
        ends = torch.log(torch.stack([low.clamp(min=self.least), high]))
        share = torch.linspace(0, 1, self.steps + 1, dtype=torch.float64, device=x.device)
        return ends[0] + share * (ends[1] - ends[0])

    @property
    def nfe(self) -> int:
        """Network evaluations of `encode` or `decode`, per item."""
        return 4 * self.steps * self.denoiser.cost

    def _velocity(
        self, condition: dict[str, Tensor], divergence: Divergence | None = None
    ) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
        schedule = self.denoiser.schedule

        def velocity(x: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
            t = schedule.time(torch.exp(u))
            alpha = expand(schedule.alpha(t), x)

            def mean(x: Tensor) -> Tensor:
                answer: Posterior = self.denoiser(alpha * x, t, **condition)
                return answer.mean

            if divergence is None:
                return x - mean(x), x.new_zeros(len(x))
            clean, trace = divergence(mean, x)
            return x - clean, x[0].numel() - trace

        return velocity

    def _flow(
        self, x: Tensor, levels: Tensor, velocity: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
    ) -> tuple[Tensor, Tensor]:
        gained = x.new_zeros(len(x))
        for u, after in pairwise(levels):
            h = (after - u).to(x.dtype)
            k1, g1 = velocity(x, u)
            k2, g2 = velocity(x + h / 2 * k1, (u + after) / 2)
            k3, g3 = velocity(x + h / 2 * k2, (u + after) / 2)
            k4, g4 = velocity(x + h * k3, after)
            x = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
            gained = gained + h / 6 * (g1 + 2 * g2 + 2 * g3 + g4)
        return x, gained

    def _end(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, variance = (torch.as_tensor(v).to(x).expand_as(x) for v in (self.mean, self.variance))
        return mean, torch.sqrt(torch.exp(2 * self.levels(x)[-1]).to(x) + variance)

    def _standard(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, std = self._end(x)
        return (x - mean) / std, std
