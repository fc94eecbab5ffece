r"""Noise shaped like the data: the process with coloured noise of covariance :math:`\Sigma`,

.. math:: x_t = \alpha_t x + \sigma_t \Sigma^{1/2} z ,

is the ordinary one in the whitened coordinates :math:`u = \Sigma^{-1/2} (x - \mu)`. The symmetric root keeps each
coordinate of u next to its column, so that a map of evidence in u can still be read column by column.
"""

from typing import Self

import torch
from torch import Tensor

from anodiff.diffusion.denoise import Denoiser, Posterior
from anodiff.diffusion.gaussian import Gaussian
from anodiff.diffusion.noise import expand
from anodiff.types import Batch, Times


class Whitening(torch.nn.Module):
    r"""The map :math:`x \mapsto \Sigma^{-1/2} (x - \mu)` and back, with :math:`\Sigma = C + f I` of a `Gaussian`.

    Args:
        mean: `(d,)`.
        root: :math:`\Sigma^{-1/2}`, symmetric `(d, d)`.
        back: :math:`\Sigma^{1/2}`.
    """

    mean: Tensor
    root: Tensor
    back: Tensor

    def __init__(self, mean: Tensor, root: Tensor, back: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("root", root)
        self.register_buffer("back", back)

    @classmethod
    def of(cls, gaussian: Gaussian, ridge: float) -> Self:
        """Whiten by a Gaussian's covariance plus `ridge`, in variances: directions of less spread count as noise."""
        values, vectors, rest = gaussian.values + ridge, gaussian.vectors, gaussian.rest + ridge
        return cls(gaussian.mean, *(_power(values, vectors, rest, p) for p in (-0.5, 0.5)))

    def forward(self, x: Batch) -> Batch:
        return ((x.flatten(1) - self.mean.to(x)) @ self.root.to(x)).reshape(x.shape)

    def inverse(self, u: Batch) -> Batch:
        """From whitened coordinates back to those of the data."""
        return (u.flatten(1) @ self.back.to(u) + self.mean.to(u)).reshape(u.shape)


class Coloured(Denoiser):
    """A denoiser of whitened data, asked about data: the posterior mean under coloured noise.

    Args:
        inside: The denoiser in whitened coordinates.
        whitening: The coordinates.
    """

    def __init__(self, inside: Denoiser, whitening: Whitening) -> None:
        super().__init__()
        self.inside = inside
        self.whitening = whitening
        self.schedule = inside.schedule

    def forward(self, x_t: Batch, t: Times, **condition: Tensor) -> Posterior:
        alpha = expand(self.schedule.alpha(t), x_t)
        whitened = alpha * self.whitening(x_t / alpha)
        return Posterior(self.whitening.inverse(self.inside(whitened, t, **condition).mean))


def _power(values: Tensor, vectors: Tensor, rest: Tensor, p: float) -> Tensor:
    other = rest**p
    return (vectors * (values**p - other)) @ vectors.T + other * torch.eye(len(vectors)).to(vectors)
