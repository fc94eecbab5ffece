r"""Features on their own scale: less their mean, over the root of their covariance, for all places or for each its own,

.. math:: z_p = L_p^{-1} \frac{x_p - \mu_p}{s}, \qquad
          L_p L_p^\top = (1 - \rho) C_p + \rho \, \mathrm{diag}(C_p) + \epsilon I,

:math:`C_p` the covariance of :math:`(x_p - \mu_p) / s`, s each channel's standard deviation over all places. Of one
place :math:`\|z_p\|` is PaDiM's distance (Defard, Setkov, Loesch and Audigier, "PaDiM: a Patch Distribution Modeling
Framework for Anomaly Detection and Localization", 2021, with :math:`\rho = 0, \epsilon = 0.01`).
"""

from typing import Self

import torch
from torch import Tensor

CHUNK = 64


class Whiten:
    """Maps `(n, C, h, w)` to maps of the same shape, white over the pictures of fit.

    Args:
        places: Whether every place has a mean and a covariance of its own.
        shrink: The share of the covariance's diagonal.
        ridge: Added to the diagonal.
    """

    def __init__(self, places: bool, shrink: float = 0.1, ridge: float = 0.01) -> None:
        self.places = places
        self.shrink = shrink
        self.ridge = ridge

    def fit(self, x: Tensor) -> Self:
        """Learn means and covariances."""
        spread = x.std((0, 2, 3), correction=0)
        self.spread_ = torch.where(spread > 0, spread, 1.0)
        rows = self._rows(x)
        self.mean_ = rows.mean(1, keepdim=True)
        self.root_ = torch.cat([self._root(rows[at] - self.mean_[at]) for at in _chunks(len(rows))])
        return self

    def __call__(self, x: Tensor) -> Tensor:
        """White maps."""
        n, channels, height, width = x.shape
        rows = self._rows(x)
        white = torch.cat([torch.bmm(rows[at] - self.mean_[at], self.root_[at]) for at in _chunks(len(rows))])
        if not self.places:
            return white.view(n, height, width, channels).permute(0, 3, 1, 2)
        return white.view(height, width, n, channels).permute(2, 3, 0, 1)

    def _rows(self, x: Tensor) -> Tensor:
        """`(places, n, C)`, or `(1, n h w, C)` where all places are one."""
        scaled = x / self.spread_[:, None, None]
        if not self.places:
            return scaled.permute(0, 2, 3, 1).reshape(1, -1, x.shape[1])
        return scaled.permute(2, 3, 0, 1).reshape(-1, len(x), x.shape[1])

    def _root(self, rows: Tensor) -> Tensor:
        """Of centred rows `(places, n, C)` what takes a row to a white one, `(places, C, C)`."""
        covariance = torch.bmm(rows.transpose(1, 2), rows) / rows.shape[1]
        diagonal = covariance.diagonal(dim1=1, dim2=2).clone()
        covariance *= 1 - self.shrink
        covariance.diagonal(dim1=1, dim2=2).add_(self.shrink * diagonal + self.ridge)
        factor = torch.linalg.cholesky(covariance)
        eye = torch.eye(rows.shape[2]).expand_as(factor)
        inverse: Tensor = torch.linalg.solve_triangular(factor, eye, upper=False)
        return inverse.transpose(1, 2).contiguous()


def _chunks(count: int) -> list[slice]:
    return [slice(start, start + CHUNK) for start in range(0, count, CHUNK)]
