r"""Standard noise: z in :math:`x_t = \alpha_t x + \sigma_t z`, of mean 0 and variance 1.

White noise is what the theory asks for. Noise with long waves hides large shapes too, so that a partial
reconstruction may repair an anomaly that is larger than a few pixels (Wyatt et al., "AnoDDPM: Anomaly Detection with
Denoising Diffusion Probabilistic Models using Simplex Noise", 2022).
"""

import itertools
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from anodiff.types import Batch, Misfit


class NoiseSource(ABC):
    """Where noise comes from. Think twice before adding anything here, every source carries it."""

    @abstractmethod
    def __call__(self, like: Batch, generator: torch.Generator | None = None) -> Batch:
        """Standard noise of the shape, precision and device of `like` `(B, *event)`."""


class White(NoiseSource):
    """Independent normal numbers."""

    def __call__(self, like: Batch, generator: torch.Generator | None = None) -> Batch:
        return normal(like.shape, like, generator)


class Octaves(NoiseSource):
    r"""Gradient noise in octaves, :math:`z \propto \sum_k a^k g_k(2^k f u)`, over the last one or two event axes.

    Each :math:`g_k` interpolates random slopes at the corners of a lattice that lies at a random place (Perlin,
    "Improving Noise", 2002). Items, and channels before the last axes, are independent; each has mean 0 and variance 1.

    Args:
        octaves: How many are added.
        persistence: a, the amplitude of an octave relative to that before it.
        frequency: f, the waves of the first octave across each axis.
        axes: Over how many of the last event axes the noise is smooth, if the event has as many: 1 or 2.
    """

    def __init__(self, octaves: int = 6, persistence: float = 0.8, frequency: float = 2.0, axes: int = 2) -> None:
        self.octaves = octaves
        self.persistence = persistence
        self.frequency = frequency
        self.axes = axes

    def __call__(self, like: Batch, generator: torch.Generator | None = None) -> Batch:
        smooth = like.shape[1:][-self.axes :]
        if smooth.numel() < 2:
            raise Misfit(f"Octaves needs items of at least two cells; it was given the shape {tuple(like.shape)}.")
        fields = like.new_zeros((like.shape[: like.ndim - len(smooth)].numel(), *smooth))
        total = fields
        for k in range(self.octaves):
            total = total + self.persistence**k * gradient_noise(fields, self.frequency * 2**k, generator)
        across = tuple(range(1, fields.ndim))
        away = total - torch.mean(total, across, keepdim=True)
        return (away / away.square().mean(across, keepdim=True).sqrt()).reshape(like.shape)


class Common(NoiseSource):
    """One draw shared by all items of a batch, so that a score never depends on the batch that an item came in."""

    def __init__(self, source: NoiseSource) -> None:
        self.source = source

    def __call__(self, like: Batch, generator: torch.Generator | None = None) -> Batch:
        return self.source(like.new_zeros((1, *like.shape[1:])), generator).expand_as(like)


NOISES: dict[str, type[NoiseSource]] = {"white": White, "octaves": Octaves}


def normal(shape: tuple[int, ...], like: Tensor, generator: torch.Generator | None) -> Tensor:
    """Standard normal numbers drawn where the generator lives, moved to where `like` lives."""
    device = like.device if generator is None else generator.device
    return torch.randn(shape, dtype=like.dtype, device=device, generator=generator).to(like.device)


def gradient_noise(fields: Tensor, frequency: float, generator: torch.Generator | None) -> Tensor:
    """One octave shaped like `fields` `(n, *axes)`: slopes at lattice corners, blended with `6u^5 - 15u^4 + 10u^3`."""
    n, *lengths = fields.shape
    axes, cells = len(lengths), int(frequency) + 3
    slopes = normal((n, axes, cells**axes), fields, generator)
    shift = torch.sigmoid(2 * normal((n, axes), fields, generator))
    corner, inside = [], []
    for axis, length in enumerate(lengths):
        steps = torch.arange(length, dtype=fields.dtype, device=fields.device) * (frequency / length)
        place = (steps + shift[:, axis : axis + 1]).reshape(n, *(length if a == axis else 1 for a in range(axes)))
        corner.append(place.long())
        inside.append(place - place.floor())
    total = torch.zeros_like(fields)
    for far in itertools.product((0, 1), repeat=axes):
        index = torch.zeros_like(fields, dtype=torch.long)
        weight = torch.ones_like(fields)
        for axis, end in enumerate(far):
            index = index * cells + corner[axis] + end
            u = inside[axis] if end else 1 - inside[axis]
            weight = weight * u**3 * (u * (6 * u - 15) + 10)
        for axis, end in enumerate(far):
            slope = slopes[:, axis].gather(1, index.flatten(1)).reshape(fields.shape)
            total = total + weight * slope * (inside[axis] - end)
    return total
