r"""A Gaussian of wide items that was told once what is known: what is hidden is a Gaussian again, of its own axes,

.. math:: x = \mu + A z + \sqrt{f} e, \quad z \mid x_K \sim \mathcal{N}(m_z, M^{-1}), \quad
          M = I + \tfrac1f A_K^\top A_K, \qquad
          \mathrm{Cov}[x_H \mid x_K] = A_H M^{-1} A_H^\top + f I = U S U^\top + f I .

`anodiff.diffusion.infilling.Given` asks the same of a covariance and factorises it for every mask and level; here the
price is one factorisation of r x r for each mask, r the directions that are kept, whatever the level and the number of
cells. Known cells are answered as they are.
"""

from typing import Self

import torch
from torch import Tensor

from anodiff.diffusion.denoise import Denoiser, Posterior
from anodiff.diffusion.gaussian import Gaussian
from anodiff.diffusion.noise import Schedule
from anodiff.types import Batch, Mask, Times

LEAST = 1e-2
"""Least variance of what is not along the kept directions: nearly exact dependencies are not trusted beyond it."""
NOTHING = 1e-9


class Loadings:
    """A Gaussian as loadings of few factors.

    Args:
        gaussian: Of items of d cells.
        least: Least variance of a cell by itself.
    """

    def __init__(self, gaussian: Gaussian, least: float = LEAST) -> None:
        values, vectors = gaussian.values.double(), gaussian.vectors.double()
        self.rest = float(max(gaussian.rest.double(), torch.as_tensor(least).double()))
        kept = values > self.rest
        self.own = (values[kept] - self.rest).clamp(min=0)
        self.matrix = vectors[:, kept] * self.own.sqrt()
        self.mean = gaussian.mean.double()
        self.single = self.matrix.float()
        self.schedule: Schedule = gaussian.schedule


class Conditional(Denoiser):
    """The posterior of hidden cells, given the level and, without noise, the known ones; in the caller's precision.

    Args:
        loadings: Of the Gaussian.
        hidden: `(B, *event)`, True where not known; `(1, *event)` where that is the same for all.
    """

    def __init__(self, loadings: Loadings, hidden: Mask) -> None:
        super().__init__()
        self.schedule = loadings.schedule
        self.loadings = loadings
        self.hidden = hidden.flatten(1)
        inside = _gram(loadings.matrix, self.hidden)
        known = torch.diag(loadings.own) - inside
        eye = torch.eye(len(loadings.own), dtype=torch.float64)
        factor = torch.linalg.cholesky(eye + known / loadings.rest)
        root = torch.linalg.solve_triangular(factor.mT, eye.expand_as(factor), upper=True)
        values, turn = torch.linalg.eigh(root.mT @ inside @ root)
        self.covariance = root @ root.mT
        self.values = torch.where(values > NOTHING, values, 0.0)
        scale = torch.where(values > NOTHING, values.clamp(min=NOTHING).rsqrt(), 0.0)
        self.turn = root @ turn * scale[:, None, :]
        self.quick = False
        self.mean: Tensor | None = None
        self.observed: Tensor | None = None

    def given(self, observed: Batch) -> Self:
        """The same, told what the known cells `(B, *event)` hold; what it holds elsewhere is not read."""
        of = self.loadings
        away = (observed.flatten(1).double() - of.mean).masked_fill(self.hidden, 0)
        z = (self.covariance @ (away @ of.matrix / of.rest)[..., None])[..., 0]
        self.quick = observed.dtype == torch.float32
        self.mean = (of.mean + z @ of.matrix.T).reshape(observed.shape).to(observed.dtype)
        self.observed = observed
        return self

    def only(self, which: Tensor) -> Self:
        """The same for some of the items, by their numbers."""
        some = type(self).__new__(type(self))
        Denoiser.__init__(some)
        some.schedule, some.loadings, some.quick = self.schedule, self.loadings, self.quick
        for name in ("hidden", "covariance", "values", "turn"):
            setattr(some, name, getattr(self, name)[which])
        some.mean = None if self.mean is None else self.mean[which]
        some.observed = None if self.observed is None else self.observed[which]
        return some

    def forward(self, x_t: Batch, t: Times, **_: Tensor) -> Posterior:
        mean, observed = self._told()
        level = self.schedule.level(t.double()).expand(len(x_t))[:, None]
        alpha = self.schedule.alpha(t.double()).expand(len(x_t))[:, None].to(x_t)
        away = self._hidden(x_t.flatten(1) / alpha - mean.flatten(1))
        rest, square = self.loadings.rest, level**2
        other = rest / (rest + square)
        gain = (self.values + rest) / (self.values + rest + square) - other
        moved = other.to(away) * away + self._back(gain * self._along(away))
        answer = torch.where(self.hidden, (mean.flatten(1) + moved).to(x_t), observed.flatten(1).to(x_t))
        return Posterior(answer.reshape(x_t.shape))

    def _told(self) -> tuple[Tensor, Tensor]:
        if self.mean is None or self.observed is None:
            raise RuntimeError("the known cells were not given; call given first.")
        return self.mean, self.observed

    def _hidden(self, rows: Tensor) -> Tensor:
        return rows.masked_fill(~self.hidden, 0)

    def _along(self, away: Tensor) -> Tensor:
        factors = (away.float() @ self.loadings.single).double() if self.quick else away.double() @ self.loadings.matrix
        along: Tensor = (self.turn.mT @ factors[..., None])[..., 0]
        return along

    def _back(self, along: Tensor) -> Tensor:
        factors = (self.turn @ along[..., None])[..., 0]
        cells = factors.float() @ self.loadings.single.T if self.quick else factors @ self.loadings.matrix.T
        return self._hidden(cells)


def _gram(matrix: Tensor, hidden: Mask) -> Tensor:
    """The loadings of the hidden cells of each item times themselves `(B, r, r)`."""
    found = []
    for mask in hidden:
        own = matrix[mask]
        found.append(own.T @ own)
    return torch.stack(found)
