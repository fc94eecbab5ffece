r"""Reconstruction: what the denoiser would have made of x instead,

.. math:: a(x) = \sum_k w_k \, d\big(x, \hat x_k\big), \qquad w_k = s_k^{-p} \, \Delta_k .

`Residual` feeds x itself, without noise, and reads the posterior mean: one evaluation per level, no randomness, no
effect of the batch. `Reconstruction` disturbs x to a start level and lets a sampler walk back.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from anodiff.diffusion.denoise import Denoiser
from anodiff.scores.base import AnomalyScore, Evidence
from anodiff.scores.levels import LEVELS, ask, per_item, spacing
from anodiff.types import Batch


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

    def __init__(self, levels: Sequence[float] = LEVELS, power: float = 2, spread: bool = False) -> None:
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
