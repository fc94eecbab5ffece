r"""Likelihood: how improbable is x under the model of normal data, in nats?

.. math:: -\log p(x) \le c + \int \frac{1}{s^2} \, \mathbb{E}_z \| x - D(\alpha x + \sigma z) \|^2 \, d\log s .

`FlowLikelihood` integrates the left side along the probability-flow ODE. The right side, `DenoisingBound`, is the
continuous-time bound of Kingma, Salimans, Poole and Ho, "Variational Diffusion Models", 2021, with
:math:`\|x - D\|^2 / s^2` the error of the predicted noise.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from anodiff.diffusion.denoise import Denoiser
from anodiff.diffusion.flow import Divergence, Flow
from anodiff.diffusion.noise import expand
from anodiff.diffusion.sources import Common, White
from anodiff.scores.base import AnomalyScore, Evidence
from anodiff.scores.levels import LEVELS, ask_noisy, per_item, spacing
from anodiff.scores.reconstruction import Residual
from anodiff.types import Batch


class FlowLikelihood(AnomalyScore):
    """The negative log-likelihood by the probability-flow ODE, in nats; it may be negative.

    The flow says how improbable, not where. The map is that of `where`, in nats if it is a `Residual` of power 2, plus
    what is missing to the total spread evenly: on a Gaussian this is each coordinate's part of half the Mahalanobis
    distance, and the constant.

    Args:
        steps: Of the flow, each 4 evaluations with, by default, one backward pass per coordinate.
        least: The level at which an item counts as data.
        divergence: `Exact()` by default; `Hutchinson()` where items have many coordinates.
        mean: Of the data.
        variance: Of the data.
        where: The score whose map tells the coordinates apart.
    """

    def __init__(
        self,
        steps: int = 16,
        least: float = 0.02,
        divergence: Divergence | None = None,
        mean: float | Tensor = 0.0,
        variance: float | Tensor = 1.0,
        where: AnomalyScore | None = None,
    ) -> None:
        self.steps = steps
        self.least = least
        self.divergence = divergence
        self.mean = mean
        self.variance = variance
        self.where = where or Residual()

    def __call__(self, denoiser: Denoiser, x: Batch, **condition: Tensor) -> Evidence:
        """The map adds up to the total."""
        flow = Flow(denoiser, self.steps, self.least, self.divergence, self.mean, self.variance)
        with torch.inference_mode(False):
            total = -flow.log_prob(x.clone(), **condition).detach()
        where = self.where(denoiser, x, **condition)
        rest = (total - where.total) / math.prod(x.shape[1:])
        return Evidence(total, where.map + expand(rest, x))

    @property
    def nfe(self) -> int:
        """Four per step of the flow, and what the map costs."""
        return 4 * self.steps + self.where.nfe


class DenoisingBound(AnomalyScore):
    """The likelihood's bound by noise errors over levels, up to the constant; with draws that every item shares.

    Args:
        levels: Noise per unit of signal, increasing.
        draws: Noises per level.
        seed: Of the draws.
    """

    def __init__(self, levels: Sequence[float] = LEVELS, draws: int = 4, seed: int = 0) -> None:
        self.levels = levels
        self.draws = draws
        self.seed = seed

    def __call__(self, denoiser: Denoiser, x: Batch, **condition: Tensor) -> Evidence:
        """The map is each coordinate's term and adds up to the total."""
        where, source = torch.zeros_like(x), Common(White())
        generator = torch.Generator().manual_seed(self.seed)
        for level, width in zip(self.levels, spacing(self.levels), strict=True):
            for _ in range(self.draws):
                mean = ask_noisy(denoiser, x, level, source(x, generator), **condition).mean
                where += width / self.draws * ((x - mean) / level) ** 2
        return Evidence(per_item(where), where)

    @property
    def nfe(self) -> int:
        """One per level and draw."""
        return len(self.levels) * self.draws
