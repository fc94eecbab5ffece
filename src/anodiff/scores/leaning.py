r"""Leaning: how far x goes from normal data in the direction in which known anomalies lie,

.. math:: a(x) = (\mu_\text{known} - \mu)^\top (C + r I)^{-1} (u - \mu), \qquad u = \operatorname{asinh}(x / s),

the log-ratio, but for a constant, of a Gaussian of normal data and the same Gaussian moved onto the known anomalies
(Fisher, "The Use of Multiple Measurements in Taxonomic Problems", 1936). Coordinates are standardised; the ridge r is
what a handful of anomalies has to outweigh.
"""

import torch
from torch import Tensor, nn

from anodiff.diffusion.denoise import Denoiser
from anodiff.scores.base import AnomalyScore, Evidence
from anodiff.scores.levels import per_item
from anodiff.types import Batch

FARTHEST = 8.0
"""In standard deviations of normal data; beyond, a coordinate counts no more."""


class Leaning(nn.Module, AnomalyScore):
    """A linear score of rows of `width` coordinates; it asks no denoiser.

    Args:
        width: How many coordinates.
        scale: The s.
        ridge: The r, in variances of a coordinate.
    """

    mean: Tensor
    spread: Tensor
    direction: Tensor

    def __init__(self, width: int, scale: float = 0.5, ridge: float = 1.0) -> None:
        super().__init__()
        self.scale = scale
        self.ridge = ridge
        for name in ("mean", "spread", "direction"):
            self.register_buffer(name, torch.zeros(width, dtype=torch.float64))

    def fit(self, normal: Tensor, known: Tensor, weights: Tensor | None = None) -> "Leaning":
        """Learn from normal rows `(n, d)` and known anomalies `(k, d)` with weights `(k,)`."""
        u = torch.asinh(normal.double() / self.scale)
        self.mean, spread = u.mean(0), u.std(0, correction=0)
        self.spread = torch.where(spread > 0, spread, torch.ones_like(spread))
        z, away = self._standardised(normal), self._standardised(known)
        share = torch.full((len(away),), 1 / len(away)).to(away) if weights is None else weights / weights.sum()
        covariance = z.T @ z / len(z) + self.ridge * torch.eye(z.shape[1]).to(z)
        self.direction = torch.linalg.solve(covariance, share.to(away) @ away)
        return self

    def __call__(self, denoiser: Denoiser, x: Batch, **condition: Tensor) -> Evidence:
        """The map is each coordinate's term; terms can be negative."""
        where = self._standardised(x) * self.direction
        return Evidence(per_item(where).to(x), where.to(x))

    @property
    def nfe(self) -> int:
        """It counts as one, though it asks no denoiser."""
        return 1

    def _standardised(self, x: Batch) -> Batch:
        u = torch.asinh(x.double() / self.scale)
        return ((u - self.mean) / self.spread).clamp(-FARTHEST, FARTHEST)
