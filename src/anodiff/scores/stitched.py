r"""Mask, stitch and sample again: only what seems abnormal is made anew, from what is around it,

.. math:: m = [\, \bar d(x, \hat x) > c \,], \qquad
          \hat x' \sim p\big( \cdot \mid x \text{ outside of } m \big), \qquad
          a(x) = d(x, \hat x') \cdot \bar d(x, \hat x) .

The first reconstruction starts high and loses details everywhere; the second keeps all that the first map
:math:`\bar d` cleared, starts from the first inside of m, and agrees with its surroundings by going back and forth
(`Resampled`).
Bercea, Neumayr, Rueckert and Schnabel, "Mask, Stitch, and Re-Sample: Enhancing Robustness and Generalizability in
Anomaly Detection through Automatic Diffusion Models", 2023.
"""

from copy import copy

import numpy as np
import torch
from torch import Tensor

from anodiff.diffusion.denoise import Denoiser
from anodiff.diffusion.grids import karras
from anodiff.diffusion.guide import Repainted
from anodiff.diffusion.sample import DDIM, Resampled
from anodiff.diffusion.sources import Common, NoiseSource, White
from anodiff.scores.base import AnomalyScore, Evidence
from anodiff.scores.levels import per_item
from anodiff.scores.planes import blurred, dilated, over_channels, quantile_of_each
from anodiff.scores.reconstruction import Distance, absolute
from anodiff.scores.walk import Samplers, cost_of_walk, stops, walked
from anodiff.types import Batch, Mask


class Stitched(AnomalyScore):
    """Two reconstructions of pictures `(B, C, H, W)`, the second inside of what the first one marked.

    Args:
        level: Start level of the first.
        within: Start level of the second; both are above 0.02.
        steps: Steps of the sampler in each.
        times_each: How often each step of the second is taken.
        share: Part of each picture's pixels that is marked, where there is no threshold.
        threshold: c; `fit` finds one. A picture without a pixel above it scores 0.
        blur: Of the first map, in pixels.
        reach: Pixels by which marked regions grow.
        distance: Per coordinate, `(B, *event), (B, *event) -> (B, *event)`.
        seed: Of the noise, the sampler's too.
        source: Of the noise; white by default.
        sampler: `(denoiser, times, source=, seed=) -> Sampler`.
    """

    def __init__(
        self,
        level: float = 0.7,
        within: float = 0.3,
        steps: int = 4,
        times_each: int = 3,
        share: float = 0.05,
        threshold: float | None = None,
        blur: float = 1.0,
        reach: int = 1,
        distance: Distance = absolute,
        seed: int = 0,
        source: NoiseSource | None = None,
        sampler: Samplers = DDIM,
    ) -> None:
        self.level = level
        self.within = within
        self.steps = steps
        self.times_each = times_each
        self.share = share
        self.threshold = threshold
        self.blur = blur
        self.reach = reach
        self.distance = distance
        self.seed = seed
        self.source = source
        self.sampler = sampler

    def fit(self, denoiser: Denoiser, x: Batch, **condition: Tensor) -> "Stitched":
        """The same with the threshold that all but a `share` of the pixels of held-out normals stay below."""
        _, first = self.first(denoiser, x, **condition)
        twin = copy(self)
        twin.threshold = float(np.quantile(first.cpu().numpy(), 1 - self.share))
        return twin

    def first(self, denoiser: Denoiser, x: Batch, **condition: Tensor) -> tuple[Batch, Tensor]:
        """The first reconstruction, and its map `(B, 1, H, W)`."""
        generator, source = torch.Generator().manual_seed(self.seed), Common(self.source or White())
        times = stops(denoiser, karras, self.steps, self.level, x)
        walk = self.sampler(denoiser, times, source=source, seed=self.seed + 1)
        guess = walked(walk, denoiser.schedule.perturb(x, times[0], source(x, generator)), **condition)
        return guess, blurred(over_channels(self.distance(x, guess)), self.blur)

    def marked(self, first: Tensor) -> Mask:
        """What the first map `(B, 1, H, W)` marks."""
        bar = quantile_of_each(first, 1 - self.share) if self.threshold is None else self.threshold
        return dilated((first > bar).to(first), self.reach) > 0

    def again(self, denoiser: Denoiser, x: Batch, guess: Batch, marked: Mask, **condition: Tensor) -> Batch:
        """x with what is `marked` `(B, *event)` sampled again, from a `guess` of it."""
        generator, source = torch.Generator().manual_seed(self.seed + 2), Common(self.source or White())
        times = stops(denoiser, karras, self.steps, self.within, x)
        pinned = Repainted(denoiser, x, ~marked, source, self.seed + 3)
        walk = Resampled(self.sampler(pinned, times, source=source, seed=self.seed + 4), self.times_each)
        start = denoiser.schedule.perturb(torch.where(marked, guess, x), times[0], source(x, generator))
        return walked(walk, start, **condition)

    def __call__(self, denoiser: Denoiser, x: Batch, **condition: Tensor) -> Evidence:
        """The map is the product of both and adds up to the total; outside of what is marked it is 0."""
        guess, first = self.first(denoiser, x, **condition)
        again = self.again(denoiser, x, guess, self.marked(first).expand_as(x), **condition)
        where = self.distance(x, again) * first
        return Evidence(per_item(where), where)

    @property
    def nfe(self) -> int:
        """What both walks cost."""
        walk = cost_of_walk(self.sampler, self.steps)
        return walk + self.times_each * (walk - 1) + 1
