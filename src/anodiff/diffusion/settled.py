r"""A Gaussian that is told which cells are known once for all levels: what has to be factorised is, once,

.. math:: x_H \mid x_K \sim \mathcal{N}\big(\mu_H + W (x_K - \mu_K), \; Q \Lambda Q^\top\big), \qquad
          D_H = m + Q \frac{\Lambda}{\Lambda + s^2} Q^\top (\tilde x_H - m) .

It answers as `infilling.Given` does, for rows whose masks stay the same during a walk and are its own.
"""

import torch
from torch import Tensor

from anodiff.diffusion.denoise import Posterior
from anodiff.diffusion.fill import RIDGE
from anodiff.diffusion.gaussian import Gaussian
from anodiff.diffusion.infilling import Base, Infilling
from anodiff.diffusion.noise import expand
from anodiff.types import Batch, Mask, Misfit, Times


class Settled(Base):
    """A `Given` for rows of which always the same is known.

    Args:
        gaussian: Of all cells `(d,)`.
        known: `(B, d)`; only batches of B rows are answered.
    """

    def __init__(self, gaussian: Gaussian, known: Mask) -> None:
        super().__init__()
        self.gaussian = gaussian
        self.schedule = gaussian.schedule
        self.known = known
        kinds, kind = torch.unique(known, dim=0, return_inverse=True)
        solved = [_solved(_covariance(gaussian), one) for one in kinds]
        self.weights, self.vectors, self.values = (
            torch.stack([each[i] for each in solved])[kind].float() for i in range(3)
        )

    @property
    def alone(self) -> tuple[Tensor, Tensor]:
        own = self.gaussian
        return own.mean, own.rest + (own.vectors**2) @ (own.values - own.rest)

    def forward(self, x_t: Batch, t: Times, known: Tensor | None = None, **_: Tensor) -> Posterior:
        if len(x_t) != len(self.known):
            raise Misfit(f"these masks are of {len(self.known)} rows; it was asked about {len(x_t)}.")
        scaled = (x_t / expand(self.schedule.alpha(t), x_t)).float()
        square = expand(self.schedule.level(t), scaled) ** 2
        away = torch.where(self.known, scaled - self.gaussian.mean.to(scaled), 0)
        prior = (self.weights @ away[:, :, None])[:, :, 0]
        rest = torch.where(self.known, 0, scaled - self.gaussian.mean.to(scaled) - prior)
        gain = self.values / (self.values + square)
        moved = prior + (self.vectors @ (gain * (rest[:, None] @ self.vectors)[:, 0])[:, :, None])[:, :, 0]
        variance = (self.vectors.square() @ (gain * square)[:, :, None])[:, :, 0]
        mean = torch.where(self.known, scaled, self.gaussian.mean.to(scaled) + moved)
        return Posterior(mean.to(x_t), variance.masked_fill(self.known, 0).clamp(min=0).to(x_t))


def settled(model: Infilling, known: Mask) -> Infilling:
    """The same model around a Gaussian that is told once what is `known` `(B, d)`; others are left as they are."""
    gaussian = getattr(model.base, "gaussian", None)
    return model if gaussian is None else Infilling(model.net, Settled(gaussian, known))


def _covariance(gaussian: Gaussian) -> Tensor:
    values, vectors, rest = (v.double() for v in (gaussian.values, gaussian.vectors, gaussian.rest))
    return (vectors * (values - rest)) @ vectors.T + rest * torch.eye(len(vectors)).to(vectors)


def _solved(covariance: Tensor, known: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """W, Q and the variances of one mask `(d,)`, laid out over all cells."""
    d, at, hidden = len(known), known.nonzero()[:, 0], (~known).nonzero()[:, 0]
    weights, vectors, values = covariance.new_zeros(d, d), covariance.new_zeros(d, d), covariance.new_ones(d)
    across = covariance[hidden][:, at]
    inner = covariance[at][:, at] + RIDGE * torch.eye(len(at)).to(covariance)
    w = torch.linalg.solve(inner, across.T).T
    spectrum = torch.linalg.eigh(covariance[hidden][:, hidden] - w @ across.T)
    weights[hidden[:, None], at] = w
    vectors[hidden[:, None], hidden] = spectrum.eigenvectors
    values[hidden] = spectrum.eigenvalues.clamp(min=1e-9)
    return weights, vectors, values
