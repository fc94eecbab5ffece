r"""A denoiser of the few directions that matter, and a Gaussian of all others,

.. math:: D(x_t) = G(x_t) + V_r \big( D_r(V_r^\top (x_t - \alpha \mu)) - V_r^\top (G(x_t) - \mu) \big),

:math:`V_r` the eigenvectors of the r largest eigenvalues. What a network has to learn has r coordinates, whatever the
length of a window and the number of its channels; along the others data is taken for normal, with their own variance.
"""

import torch
from torch import Tensor

from anodiff.diffusion.denoise import Denoiser, Posterior
from anodiff.diffusion.gaussian import Gaussian
from anodiff.diffusion.noise import expand
from anodiff.types import Batch, Times


class Leading(Denoiser):
    """The posterior by `inner` along a Gaussian's leading directions, by the Gaussian along the others.

    Args:
        inner: A denoiser of coordinates `(B, r)`, those that `coordinates` gives.
        gaussian: Of the data `(B, *event)`.
    """

    def __init__(self, inner: Denoiser, gaussian: Gaussian, directions: int) -> None:
        super().__init__()
        self.inner = inner
        self.gaussian = gaussian
        self.directions = min(directions, len(gaussian.values))
        self.schedule = gaussian.schedule

    def forward(self, x_t: Batch, t: Times, **condition: Tensor) -> Posterior:
        own = torch.promote_types(x_t.dtype, self.gaussian.mean.dtype)
        alpha, vectors, mean = expand(self.schedule.alpha(t), x_t), self.vectors.to(own), self.gaussian.mean.to(own)
        known = self.gaussian(x_t, t).mean.flatten(1).to(own) - mean
        along = (x_t.flatten(1).to(own) - alpha.reshape(-1, 1).to(own) * mean) @ vectors
        moved = self.inner(along, t, **condition).mean - known @ vectors
        return Posterior((mean + known + moved @ vectors.T).to(x_t.dtype).reshape(x_t.shape))

    def coordinates(self, x: Batch) -> Tensor:
        """Data `(n, *event)` along the leading directions, `(n, r)`."""
        return (x.flatten(1) - self.gaussian.mean.to(x)) @ self.vectors.to(x)

    @property
    def vectors(self) -> Tensor:
        """The leading directions `(d, r)`."""
        return self.gaussian.vectors[:, len(self.gaussian.values) - self.directions :]


def leading_gaussian(gaussian: Gaussian, directions: int) -> Gaussian:
    """The Gaussian of the leading coordinates: centred, and diagonal."""
    values = gaussian.values[max(0, len(gaussian.values) - directions) :]
    eye = torch.eye(len(values), dtype=values.dtype)
    return Gaussian.spectral(torch.zeros_like(values), values, eye, gaussian.rest, gaussian.schedule)
