r"""Reconstruction: what the denoiser would have made of x instead,

.. math:: a(x) = \sum_k w_k \, d\big(x, \hat x_k\big) .

`Residual` feeds x itself, without noise, and reads the posterior mean: one evaluation per level, no randomness, no
effect of the batch. `Reconstruction` disturbs x to a start level and lets a sampler walk back.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import huber_loss

from anodiff.diffusion.denoise import Denoiser
from anodiff.diffusion.grids import Grid, karras
from anodiff.diffusion.sample import DDIM
from anodiff.diffusion.sources import Common, NoiseSource, White
from anodiff.scores.base import AnomalyScore, Evidence
from anodiff.scores.levels import LEVELS, ask, per_item, spacing
from anodiff.scores.walk import Samplers, cost_of_walk, stops, walked
from anodiff.types import Batch

Distance = Callable[[Tensor, Tensor], Tensor]


def squared(x: Batch, y: Batch) -> Batch:
    r""":math:`(x - y)^2`, per coordinate."""
    return (x - y) ** 2


def absolute(x: Batch, y: Batch) -> Batch:
    r""":math:`|x - y|`, per coordinate."""
    return (x - y).abs()


def huber(x: Batch, y: Batch) -> Batch:
    """Half the square up to 1, linear beyond (Huber, "Robust Estimation of a Location Parameter", 1964)."""
    return huber_loss(x, y, reduction="none")


DISTANCES: dict[str, Distance] = {"squared": squared, "absolute": absolute, "huber": huber}


class Residual(AnomalyScore):
    r"""The noise-free residual over levels,

    .. math:: a(x) = \sum_k s_k^{-p} \Delta_k \, \| x - D(\alpha_k x; t_k) \|^2 .

    With p = 2 this is, for a Gaussian and levels from far below to far above its deviations, half the squared
    Mahalanobis distance: :math:`\int s^2 (\lambda + s^2)^{-2} d\log s = 1 / 2\lambda`. With `spread` the posterior
    variance is added where the denoiser knows it, and each term is :math:`E \| x - x_0 \|^2` over the posterior of
    :math:`x_0`: for the empirical denoiser over K neighbours at a large level, the mean squared distance to the K
    nearest rows (the statistic of DTE-NP: Livernoche et al., "On Diffusion Modeling for Anomaly Detection", 2024).

    Args:
        levels: Noise per unit of signal, increasing; clamped to what the denoiser's schedule reaches.
        power: The p of the weight; 2 weighs every level as the likelihood does, 0 weighs absolute distances.
        spread: Whether to add the posterior variance.
    """

    def __init__(self, levels: Sequence[float] = LEVELS, power: float = 2.0, spread: bool = False) -> None:
        self.levels = levels
        self.power = power
        self.spread = spread

    def __call__(self, denoiser: Denoiser, x: Batch, **condition: Tensor) -> Evidence:
        """The map is each coordinate's term and adds up to the total."""
        where = torch.zeros_like(x)
        for level, width in zip(self.levels, spacing(self.levels), strict=True):
            posterior = ask(denoiser, x, level, **condition)
            variance = posterior.variance if self.spread else None
            square = (x - posterior.mean) ** 2 + (0 if variance is None else variance)
            where += level**-self.power * width * square
        return Evidence(per_item(where), where)

    @property
    def nfe(self) -> int:
        """One per level."""
        return len(self.levels)


class Reconstruction(AnomalyScore):
    r"""The distance to what a sampler returns from :math:`x_t`, averaged over start levels and draws.

    Partial reconstruction as in Wyatt et al., "AnoDDPM", 2022; without noise (`noisy=False`) it starts from
    :math:`\alpha_t x`. The walk goes down to level 0.02 and ends with the posterior mean there. Noise is common to all
    items.

    Args:
        levels: Start levels, each above 0.02.
        steps: Steps of the sampler from each.
        draws: Noises per start level.
        noisy: Whether x is disturbed before the walk.
        seed: Of the noise, the sampler's too.
        distance: Per coordinate, `(B, *event), (B, *event) -> (B, *event)`.
        source: Of the noise; white by default.
        sampler: `(denoiser, times, source=, seed=) -> Sampler`.
        grid: Where the sampler stops.
    """

    def __init__(
        self,
        levels: Sequence[float] = (1.0,),
        steps: int = 4,
        draws: int = 2,
        noisy: bool = True,
        seed: int = 0,
        distance: Distance = squared,
        source: NoiseSource | None = None,
        sampler: Samplers = DDIM,
        grid: Grid = karras,
    ) -> None:
        self.levels = levels
        self.steps = steps
        self.draws = draws
        self.noisy = noisy
        self.seed = seed
        self.distance = distance
        self.source = source
        self.sampler = sampler
        self.grid = grid

    def __call__(self, denoiser: Denoiser, x: Batch, **condition: Tensor) -> Evidence:
        """The map is the mean distance of each coordinate and adds up to the total."""
        where, source = torch.zeros_like(x), Common(self.source or White())
        generator = torch.Generator().manual_seed(self.seed)
        for level in self.levels:
            times = stops(denoiser, self.grid, self.steps, level, x)
            for draw in range(self.draws):
                noise = source(x, generator) if self.noisy else torch.zeros_like(x)
                walk = self.sampler(denoiser, times, source=source, seed=self.seed + 1 + draw)
                guess = walked(walk, denoiser.schedule.perturb(x, times[0], noise), **condition)
                where += self.distance(x, guess) / (len(self.levels) * self.draws)
        return Evidence(per_item(where), where)

    @property
    def nfe(self) -> int:
        """What a walk costs, per start level and draw."""
        return len(self.levels) * self.draws * cost_of_walk(self.sampler, self.steps)
