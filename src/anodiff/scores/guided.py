r"""Guided reconstruction: the walk back is drawn towards x, so that what is normal about it stays as it is,

.. math:: \hat\varepsilon' = \hat\varepsilon - w \sigma \big( y_t - x_t \big), \qquad
          y_t = \alpha_t x + \sigma_t \hat\varepsilon .

A start from high noise repairs large anomalies but loses the details; guidance gives those back, and with them, where w
is large, the anomaly. Mousakhan, Brox and Tayyub, "Anomaly Detection with Conditioned Denoising Diffusion Models",
2023.
"""

from collections.abc import Sequence

from torch import Tensor

from anodiff.diffusion.denoise import Denoiser
from anodiff.diffusion.grids import Grid, karras
from anodiff.diffusion.guide import Drawn
from anodiff.diffusion.sample import DDPM
from anodiff.diffusion.sources import NoiseSource
from anodiff.scores.base import AnomalyScore, Evidence
from anodiff.scores.reconstruction import Distance, Reconstruction, squared
from anodiff.scores.walk import Samplers, cost_of_walk
from anodiff.types import Batch


class Guided(AnomalyScore):
    """A `Reconstruction` on the denoiser drawn towards x; weight 0 is that reconstruction.

    Args:
        weight: w.
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
        weight: float = 1.0,
        levels: Sequence[float] = (1.0,),
        steps: int = 8,
        draws: int = 1,
        noisy: bool = True,
        seed: int = 0,
        distance: Distance = squared,
        source: NoiseSource | None = None,
        sampler: Samplers = DDPM,
        grid: Grid = karras,
    ) -> None:
        self.weight = weight
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
        free = Reconstruction(
            self.levels,
            self.steps,
            self.draws,
            self.noisy,
            self.seed,
            self.distance,
            self.source,
            self.sampler,
            self.grid,
        )
        return free(Drawn(denoiser, x, self.weight), x, **condition)

    @property
    def nfe(self) -> int:
        """What a walk costs, per start level and draw."""
        return len(self.levels) * self.draws * cost_of_walk(self.sampler, self.steps)
