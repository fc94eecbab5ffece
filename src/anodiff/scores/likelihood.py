r"""Likelihood: how improbable is x under the model of normal data, in nats?

.. math:: -\log p(x) \le c + \int \frac{1}{s^2} \, \mathbb{E}_z \| x - D(\alpha x + \sigma z) \|^2 \, d\log s .

The right side is the continuous-time bound of Kingma, Salimans, Poole and Ho, "Variational Diffusion Models", 2021;
:math:`\|x - D\|^2 / s^2` is the error of the predicted noise.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from anodiff.diffusion.denoise import Denoiser
from anodiff.scores.base import AnomalyScore, Evidence
from anodiff.scores.levels import LEVELS, ask_noisy, common_noise, per_item, spacing
from anodiff.types import Batch


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
        where = torch.zeros_like(x)
        noises = common_noise(x, self.nfe, self.seed).reshape(-1, self.draws, *x.shape[1:])
        for level, width, noise in zip(self.levels, spacing(self.levels), noises, strict=True):
            for z in noise:
                mean = ask_noisy(denoiser, x, level, z.expand_as(x), **condition).mean
                where += width / self.draws * ((x - mean) / level) ** 2
        return Evidence(per_item(where), where)

    @property
    def nfe(self) -> int:
        """One per level and draw."""
        return len(self.levels) * self.draws
