r"""Implicit guidance: on the way back, x itself returns wherever the running map is low,

.. math:: \hat x_k = m_k D(x_{t_k}) + (1 - m_k) \, x, \qquad x_{t_{k+1}} = \alpha \hat x_k + \sigma z, \qquad
          m_k = \min\big(1, \bar d(x, D(x_{t_k})) / c \big),

with the same noise z at every level, so that only what seems abnormal is made anew. Bercea, Wiestler, Rueckert and
Schnabel, "Diffusion Models with Implicit Guidance for Medical Anomaly Detection", 2024.
"""

from copy import copy
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from anodiff.diffusion.denoise import Denoiser
from anodiff.diffusion.grids import karras
from anodiff.diffusion.sources import Common, NoiseSource, White
from anodiff.scores.base import AnomalyScore, Evidence
from anodiff.scores.levels import ask_noisy, per_item
from anodiff.scores.planes import blurred, dilated, over_channels, quantile_of_each
from anodiff.scores.reconstruction import Distance, squared
from anodiff.scores.walk import stops
from anodiff.types import Batch


class Implicit(AnomalyScore):
    """The distance of pictures `(B, C, H, W)` to what such a walk makes of them.

    Args:
        level: Where it starts, above 0.02.
        steps: How often x returns.
        draws: Noises.
        scale: c, from which on nothing of x returns; `fit` finds one. Without it, the value that all but a `share` of
            the picture's own pixels stay below.
        share: Of pixels that are thought abnormal.
        blur: Of the running map, in pixels.
        reach: Pixels by which what is high in the running map grows.
        distance: Per coordinate, `(B, *event), (B, *event) -> (B, *event)`.
        seed: Of the noise.
        source: Of the noise; white by default.
    """

    def __init__(
        self,
        level: float = 0.5,
        steps: int = 4,
        draws: int = 1,
        scale: float | None = None,
        share: float = 0.02,
        blur: float = 1.0,
        reach: int = 1,
        distance: Distance = squared,
        seed: int = 0,
        source: NoiseSource | None = None,
    ) -> None:
        self.level = level
        self.steps = steps
        self.draws = draws
        self.scale = scale
        self.share = share
        self.blur = blur
        self.reach = reach
        self.distance = distance
        self.seed = seed
        self.source = source

    def fit(self, denoiser: Denoiser, x: Batch, **condition: Tensor) -> "Implicit":
        """The same with the scale that all but a `share` of the pixels of held-out normals stay below at the start."""
        source, generator = Common(self.source or White()), torch.Generator().manual_seed(self.seed)
        guess = ask_noisy(denoiser, x, self.level, source(x, generator), **condition).mean
        twin = copy(self)
        twin.scale = float(np.quantile(self.running(x, guess).cpu().numpy(), 1 - self.share))
        return twin

    def running(self, x: Batch, guess: Batch) -> Tensor:
        """The map by which x returns, `(B, 1, H, W)`."""
        return dilated(blurred(over_channels(self.distance(x, guess)), self.blur), self.reach)

    def blended(self, x: Batch, guess: Batch) -> Batch:
        """The guess where it is far from x, and x elsewhere."""
        running = self.running(x, guess)
        scale = quantile_of_each(running, 1 - self.share) if self.scale is None else torch.as_tensor(self.scale)
        return x + (running / scale.to(x).clamp(min=1e-12)).clamp(max=1) * (guess - x)

    def walked(self, denoiser: Denoiser, x: Batch, noise: Batch, **condition: Tensor) -> Batch:
        """What is made of x `(B, C, H, W)` with standard `noise` shaped like it."""
        times = stops(denoiser, karras, self.steps, self.level, x)
        state = denoiser.schedule.perturb(x, times[0], noise)
        with torch.no_grad():
            for t, s in pairwise(times):
                guess = denoiser(state, t.expand(len(x)), **condition).mean
                state = denoiser.schedule.perturb(self.blended(x, guess), s, noise)
            last: Tensor = denoiser(state, times[-1].expand(len(x)), **condition).mean
        return last

    def __call__(self, denoiser: Denoiser, x: Batch, **condition: Tensor) -> Evidence:
        """The map is the mean distance of each coordinate and adds up to the total."""
        where, source = torch.zeros_like(x), Common(self.source or White())
        generator = torch.Generator().manual_seed(self.seed)
        for _ in range(self.draws):
            guess = self.walked(denoiser, x, source(x, generator), **condition)
            where += self.distance(x, guess) / self.draws
        return Evidence(per_item(where), where)

    @property
    def nfe(self) -> int:
        """One per step and one at the end, per draw."""
        return self.draws * (self.steps + 1)
