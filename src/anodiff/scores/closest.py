r"""The closest of a few guesses: x is normal if any of what may follow is like it,

.. math:: a(x) = \min_k d\big(x, \hat x_k\big), \qquad \hat x_k \sim p(x \mid c) \text{ from pure noise} ,

c what the denoiser is told, such as the past. Flaborea et al., "Multimodal Motion Conditioned Diffusion Model for
Skeleton-based Video Anomaly Detection", 2023.
"""

import torch
from torch import Tensor

from anodiff.diffusion.denoise import Denoiser
from anodiff.diffusion.grids import Grid, karras
from anodiff.diffusion.sample import DDPM
from anodiff.diffusion.sources import Common, NoiseSource, White
from anodiff.scores.base import AnomalyScore, Evidence
from anodiff.scores.levels import per_item
from anodiff.scores.reconstruction import Distance, huber
from anodiff.scores.walk import Samplers, cost_of_walk, stops, walked
from anodiff.types import Batch


class Closest(AnomalyScore):
    """The least distance to samples that walk down from pure noise; noise is common to all items.

    Args:
        level: Where walks start, as far as the denoiser's schedule reaches.
        steps: Steps of the sampler.
        draws: Samples.
        seed: Of the noise, the sampler's too.
        distance: Per coordinate, `(B, *event), (B, *event) -> (B, *event)`.
        source: Of the noise; white by default.
        sampler: `(denoiser, times, source=, seed=) -> Sampler`.
        grid: Where the sampler stops.
    """

    def __init__(
        self,
        level: float = 50.0,
        steps: int = 5,
        draws: int = 5,
        seed: int = 0,
        distance: Distance = huber,
        source: NoiseSource | None = None,
        sampler: Samplers = DDPM,
        grid: Grid = karras,
    ) -> None:
        self.level = level
        self.steps = steps
        self.draws = draws
        self.seed = seed
        self.distance = distance
        self.source = source
        self.sampler = sampler
        self.grid = grid

    def __call__(self, denoiser: Denoiser, x: Batch, **condition: Tensor) -> Evidence:
        """The map is the distance of each coordinate to the closest sample and adds up to the total."""
        source = Common(self.source or White())
        generator = torch.Generator().manual_seed(self.seed)
        times = stops(denoiser, self.grid, self.steps, self.level, x)
        least, where = x.new_full((len(x),), torch.inf), torch.zeros_like(x)
        for draw in range(self.draws):
            walk = self.sampler(denoiser, times, source=source, seed=self.seed + 1 + draw)
            start = denoiser.schedule.perturb(torch.zeros_like(x), times[0], source(x, generator))
            apart = self.distance(x, walked(walk, start, **condition))
            nearer = per_item(apart) < least
            where = torch.where(nearer.reshape(-1, *[1] * (x.ndim - 1)), apart, where)
            least = torch.where(nearer, per_item(apart), least)
        return Evidence(least, where)

    @property
    def nfe(self) -> int:
        """What a walk costs, per draw."""
        return self.draws * cost_of_walk(self.sampler, self.steps)
