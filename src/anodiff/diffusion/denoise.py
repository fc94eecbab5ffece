r"""What the clean x would be: a denoiser answers with the posterior mean

.. math:: D(x_t, t) = \mathbb{E}[x \mid x_t] .

What a network predicts (noise, data, velocity, or EDM's residual) is its denoiser's secret; samplers and scores read
`.mean`. Denoisers with a closed form also know the posterior's variance per coordinate.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from anodiff.diffusion.noise import Schedule, expand
from anodiff.types import Batch, Mask, PerItem, Times


@dataclass(frozen=True)
class Posterior:
    """Of the clean x given x_t: its mean `(B, *event)` and, where it is known, its variance per coordinate."""

    mean: Tensor
    variance: Tensor | None = None


class Denoiser(nn.Module, ABC):
    """The posterior of clean data. Think twice before adding anything here, every denoiser carries it."""

    schedule: Schedule

    @abstractmethod
    def forward(self, x_t: Batch, t: Times, **condition: Tensor) -> Posterior:
        """The posterior of x given `x_t` `(B, *event)` at times `t`, `(B,)` or `()`."""

    @property
    def cost(self) -> int:
        """Network evaluations per answer."""
        return 1


class Learnt(Denoiser):
    """A denoiser with a network inside; `net(x, t, **condition)` returns a tensor shaped like x."""

    def __init__(self, net: nn.Module, schedule: Schedule) -> None:
        super().__init__()
        self.net = net
        self.schedule = schedule

    def ask(self, x: Tensor, c: Tensor, condition: dict[str, Tensor]) -> Tensor:
        """The network's answer in its own precision, returned in the caller's."""
        own = next(self.parameters()).dtype
        answer: Tensor = self.net(x.to(own), c.to(own).expand(x.shape[0]), **condition)
        return answer.to(x.dtype)


class NoisePredicting(Learnt):
    r"""The network returns :math:`\hat\varepsilon = (x_t - \alpha_t D) / \sigma_t` (Ho et al., 2020)."""

    def forward(self, x_t: Batch, t: Times, **condition: Tensor) -> Posterior:
        alpha, sigma = (expand(v, x_t) for v in (self.schedule.alpha(t), self.schedule.sigma(t)))
        return Posterior((x_t - sigma * self.ask(x_t, t, condition)) / alpha)


class DataPredicting(Learnt):
    r"""The network returns :math:`D` itself."""

    def forward(self, x_t: Batch, t: Times, **condition: Tensor) -> Posterior:
        return Posterior(self.ask(x_t, t, condition))


class VelocityPredicting(Learnt):
    r"""The network returns :math:`v = (\alpha_t \varepsilon - \sigma_t x) / \sqrt{\alpha_t^2 + \sigma_t^2}`.

    Salimans and Ho, "Progressive Distillation for Fast Sampling of Diffusion Models", 2022, for any schedule.
    """

    def forward(self, x_t: Batch, t: Times, **condition: Tensor) -> Posterior:
        alpha, sigma = (expand(v, x_t) for v in (self.schedule.alpha(t), self.schedule.sigma(t)))
        norm = torch.sqrt(alpha**2 + sigma**2)
        return Posterior((alpha * x_t / norm - sigma * self.ask(x_t / norm, t, condition)) / norm)


class Preconditioned(Learnt):
    r"""EDM's preconditioning in the scaled state :math:`\tilde x = x_t / \alpha_t` of level :math:`s`:

    .. math:: D = c_\text{skip} \tilde x + c_\text{out} F(c_\text{in} \tilde x, \tfrac14 \log s),
              \quad c_\text{skip} = \frac{v}{v + s^2}, \; c_\text{out} = \frac{s \sqrt v}{\sqrt{v + s^2}},
              \; c_\text{in} = \frac{1}{\sqrt{v + s^2}} .

    Karras et al., 2022. `variance` v is that of the data: one number, or one per coordinate.
    At s = 0 it is the identity.
    """

    variance: Tensor

    def __init__(self, net: nn.Module, schedule: Schedule, variance: float | Tensor = 1.0) -> None:
        super().__init__(net, schedule)
        self.register_buffer("variance", torch.as_tensor(variance))

    def forward(self, x_t: Batch, t: Times, **condition: Tensor) -> Posterior:
        s, v = self.schedule.level(t), self.variance.to(x_t.dtype)
        scaled, square = x_t / expand(self.schedule.alpha(t), x_t), expand(s, x_t) ** 2
        inside = self.ask(scaled / torch.sqrt(v + square), torch.log(s.clamp(min=1e-6)) / 4, condition)
        return Posterior((v * scaled + torch.sqrt(square * v * (v + square)) * inside) / (v + square))


Weight = Callable[[Schedule, Times], Tensor]


def noise_weight(schedule: Schedule, t: Times) -> Tensor:
    r""":math:`w = 1 / s^2`: the error of the predicted noise, Ho et al.'s simple loss."""
    return schedule.level(t) ** -2


def data_weight(_: Schedule, t: Times) -> Tensor:
    r""":math:`w = 1`: the error of the predicted data."""
    return torch.ones_like(t)


def velocity_weight(schedule: Schedule, t: Times) -> Tensor:
    r""":math:`w = 1 + 1 / s^2`: the error of the predicted velocity; with unit data variance, EDM's weight."""
    return 1 + schedule.level(t) ** -2


def min_snr_weight(schedule: Schedule, t: Times) -> Tensor:
    r""":math:`w = \min(1 / s^2, 5)`.

    Hang et al., "Efficient Diffusion Training via Min-SNR Weighting Strategy", 2023.
    """
    return (schedule.level(t) ** -2).clamp(max=5)


WEIGHTS: dict[str, Weight] = {
    "noise": noise_weight,
    "data": data_weight,
    "velocity": velocity_weight,
    "min_snr": min_snr_weight,
}


def denoising_loss(
    denoiser: Denoiser,
    x: Batch,
    t: Times,
    noise: Batch,
    weight: Weight = velocity_weight,
    known: Mask | None = None,
    **condition: Tensor,
) -> PerItem:
    r"""Weighted error of the posterior mean, :math:`w(t) \, \mathrm{mean}\, (x - D(x_t, t))^2`, one number per item.

    With `known`, only observed cells count (Ouyang et al., "MissDiff", 2023).
    """
    error = (x - denoiser(denoiser.schedule.perturb(x, t, noise), t, **condition).mean) ** 2
    seen = torch.ones_like(error) if known is None else known.to(error.dtype)
    mean: Tensor = (error * seen).flatten(1).sum(1) / seen.flatten(1).sum(1).clamp(min=1)
    return weight(denoiser.schedule, t) * mean
