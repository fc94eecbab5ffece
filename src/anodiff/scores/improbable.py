r"""Improbability: how unlikely x is to a denoiser that knows its own density, at one level,

.. math:: a(x) = -\log p_s(x), \qquad p_s = p * \mathcal{N}(0, s^2 I) ,

in nats; of densities that are known up to a constant, up to that.
"""

import torch

from anodiff.diffusion.denoise import Denoiser
from anodiff.scores.base import AnomalyScore, Evidence
from anodiff.scores.levels import time_of
from anodiff.types import Batch, Misfit


class Improbable(AnomalyScore):
    """The negative log-density; it may be negative. It does not say where: the map shares it out evenly.

    Args:
        level: s, below which nothing is told apart.
    """

    def __init__(self, level: float = 0.3) -> None:
        self.level = level

    def __call__(self, denoiser: Denoiser, x: Batch, **_: object) -> Evidence:
        """The map adds up to the total.

        Raises:
            Misfit: the denoiser knows no density.
        """
        density = getattr(denoiser, "log_density", None)
        if density is None:
            raise Misfit(f"improbable asks for a density, which {type(denoiser).__name__} has not; ask for its bound.")
        with torch.no_grad():
            total = -density(x, time_of(denoiser, self.level, x).expand(len(x)))
        return Evidence(total, (total / max(1, x[0].numel() if len(x) else 1))[:, None].expand(x.shape))

    @property
    def nfe(self) -> int:
        """One: a density counts as an evaluation."""
        return 1
