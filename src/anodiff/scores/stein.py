r"""The slope of the log-density: normal data sits where it is flat, at every level.

.. math:: a(x) = \sum_k \sigma_k^p \, \Delta_k \, \| \nabla \log p_k(\alpha_k x) \|^2,
          \qquad \nabla \log p_k(x_k) = \frac{\alpha_k D(x_k) - x_k}{\sigma_k^2} .

Norms of multiscale scores as in Mahmood, Oliva and Styner, "Multiscale Score Matching for Out-of-Distribution
Detection", 2021, there with a density fitted on the vector of norms.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from anodiff.diffusion.denoise import Denoiser
from anodiff.scores.base import AnomalyScore, Evidence
from anodiff.scores.levels import LEVELS, ask, per_item, spacing, time_of
from anodiff.types import Batch


class SteinNorm(AnomalyScore):
    r"""The squared norm of :math:`\nabla \log p_t`, x itself fed without noise.

    With p = 2 it is `Residual` with its p = 2; a smaller p dwells on the small levels, so on narrow directions and on x
    far out.

    Args:
        levels: Noise per unit of signal, increasing.
        power: The p of the weight.
    """

    def __init__(self, levels: Sequence[float] = LEVELS, power: float = 1.0) -> None:
        self.levels = levels
        self.power = power

    def __call__(self, denoiser: Denoiser, x: Batch, **condition: Tensor) -> Evidence:
        """The map is each coordinate's term and adds up to the total."""
        where = torch.zeros_like(x)
        for level, width in zip(self.levels, spacing(self.levels), strict=True):
            t = time_of(denoiser, level, x)
            alpha, sigma = denoiser.schedule.alpha(t), denoiser.schedule.sigma(t)
            slope = alpha * (ask(denoiser, x, level, **condition).mean - x) / sigma**2
            where += sigma**self.power * width * slope**2
        return Evidence(per_item(where), where)

    @property
    def nfe(self) -> int:
        """One per level."""
        return len(self.levels)
