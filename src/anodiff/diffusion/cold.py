r"""Cold diffusion: any degradation C of strength t in place of noise, and a network that undoes it,

.. math:: x_t = C(x, t), \qquad D(x_t, t) \approx x, \qquad x_s = x_t - C(D, t) + C(D, s), \quad s < t .

C is the identity at t = 0. Where C adds t times the same vector whatever x is, a step is exact whatever D is.

Bansal et al., "Cold Diffusion: Inverting Arbitrary Image Transforms Without Noise", 2023.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn

from anodiff.diffusion.denoise import Denoiser, Learnt, Posterior
from anodiff.diffusion.noise import Schedule, expand
from anodiff.diffusion.sample import Sampler
from anodiff.types import Batch, Misfit, PerItem, Times


class Degradation(ABC):
    """What becomes of x at strength t. Think twice before adding anything here, every degradation carries it."""

    @abstractmethod
    def __call__(self, x: Batch, t: Times) -> Batch:
        """x `(B, *event)` degraded by strengths `t` in [0, 1], `(B,)` or `()`; as it is at 0."""


class Blur(Degradation):
    """A Gaussian blur of pictures `(B, C, H, W)`, linear in x; they are mirrored at their edges.

    Args:
        widest: Standard deviation at t = 1, in pixels; at t it is t times that.
    """

    def __init__(self, widest: float = 4.0) -> None:
        self.widest = widest

    def __call__(self, x: Batch, t: Times) -> Batch:
        deviation = self.widest * t.to(x).expand(len(x))
        down, right = (_blurring(length, deviation)[:, None] for length in x.shape[2:])
        return down @ x @ right


class Towards(Degradation):
    r"""Straight towards a given end: :math:`C(x, t) = x + t (e - x)`.

    With a spoiled copy of x as the end that is an anomaly of growing strength: Fucka, Zavrtanik and Skocaj,
    "TransFusion: A Transparency-Based Diffusion Model for Anomaly Detection", 2024; Naval Marimont et al., "DISYRE:
    Diffusion-Inspired Synthetic Restoration for Unsupervised Anomaly Detection", 2024. With x itself as the end it is
    how they restore x step by step.

    Args:
        end: `(B, *event)`.
    """

    def __init__(self, end: Batch) -> None:
        self.end = end

    def __call__(self, x: Batch, t: Times) -> Batch:
        return x + expand(t, x) * (self.end - x)


class Noiseless(Schedule):
    """The schedule of a cold process: no noise at any strength, hence no level to ask for."""

    def alpha(self, t: Times) -> Times:
        return torch.ones_like(t)

    def sigma(self, t: Times) -> Times:
        return torch.zeros_like(t)

    def time(self, level: Times) -> Times:
        raise Misfit(
            f"a cold process has no noise, so level {float(level.flatten()[0]):g} is at no strength; "
            "use a score of strengths, cold or cold_walk."
        )


class Restored(Learnt):
    """A network trained to undo a degradation: it returns what is missing, x less x_t, so silent it is the identity."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__(net, Noiseless())

    def forward(self, x_t: Batch, t: Times, **condition: Tensor) -> Posterior:
        """The clean x `(B, *event)` given x_t of strengths `t`, `(B,)` or `()`."""
        return Posterior(x_t + self.ask(x_t, t, condition))


class Cold(Sampler):
    """Bansal et al.'s second algorithm.

    Args:
        denoiser: What is asked.
        times: Decreasing strengths, `(steps + 1,)`.
        degradation: The C.
    """

    def __init__(self, denoiser: Denoiser, times: Times, degradation: Degradation) -> None:
        super().__init__(denoiser, times)
        self.degradation = degradation

    def step(self, x_t: Batch, t: Times, s: Times, _: torch.Generator | None = None, /, **condition: Tensor) -> Batch:
        return self.towards(x_t, t, s, **condition)[0]

    def towards(self, x_t: Batch, t: Times, s: Times, /, **condition: Tensor) -> tuple[Batch, Batch]:
        """The state at s given that at t, and the D that it was made with."""
        mean = self.denoiser(x_t, t, **condition).mean
        return x_t - self.degradation(mean, t) + self.degradation(mean, s), mean


Drawn = Callable[[Tensor, torch.Generator], Degradation]
"""A degradation for each item of a batch."""


def always(degradation: Degradation) -> Drawn:
    """The same for every batch."""
    return lambda x, generator: degradation  # noqa: ARG005


def spoiled(spoil: Callable[[Tensor, torch.Generator], tuple[Tensor, Tensor]]) -> Drawn:
    """Towards spoiled copies, `(x, generator) -> (x_bad, mask)`."""
    return lambda x, generator: Towards(spoil(x, generator)[0])


def restoring(denoiser: Denoiser, drawn: Drawn) -> Callable[..., PerItem]:
    """The absolute error of what a network restores at strengths uniform in [0, 1), as a function of a batch.

    It is the mean over an item plus that over what was degraded of it: a small anomaly is not outweighed by the rest,
    which the network need only copy.
    """

    def loss(x: Tensor, generator: torch.Generator, **condition: Tensor) -> Tensor:
        t = ((torch.arange(len(x)) + torch.rand(len(x), generator=generator)) / len(x)).to(x)
        x_t = drawn(x, generator)(x, t)
        posterior: Posterior = denoiser(x_t, t, **condition)
        error, degraded = (v.flatten(1) for v in ((x - posterior.mean).abs(), x_t != x))
        return error.mean(1) + (error * degraded).sum(1) / degraded.sum(1).clamp(min=1)

    return loss


def _blurring(length: int, deviation: Tensor) -> Tensor:
    """Matrices `(B, length, length)` that blur with given deviations `(B,)`: in cosines, each frequency shrinks."""
    place = torch.arange(length, dtype=deviation.dtype, device=deviation.device)
    cosines = torch.cos(math.pi / length * (place + 0.5) * place[:, None]) * math.sqrt(2 / length)
    cosines[0] /= math.sqrt(2)
    shrink = torch.exp(-0.5 * (math.pi / length * place * deviation[:, None]) ** 2)
    return cosines.T @ (shrink[:, :, None] * cosines)
