r"""The same process in other coordinates :math:`u = T(x)`,

.. math:: u_t = \alpha_t \, T(x) + \sigma_t z , \qquad D(x_t) = T^{-1}\big(D_u(\alpha_t T(x_t / \alpha_t))\big) .

`Whitening` makes the noise as coloured as the data is; `NormalScores` makes every column normal, whatever its scale or
tail. Both keep each coordinate of u next to its column, so that a map of evidence in u reads column by column.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from anodiff.diffusion.denoise import Denoiser, Posterior
from anodiff.diffusion.gaussian import Gaussian
from anodiff.diffusion.noise import expand
from anodiff.types import Batch, Times


class Transform(nn.Module, ABC):
    """An invertible map of coordinates. Think twice before adding anything here, every transform carries it."""

    @abstractmethod
    def forward(self, x: Batch) -> Batch:
        """From the data's coordinates to the process's, `(B, *event)`."""

    @abstractmethod
    def inverse(self, u: Batch) -> Batch:
        """And back."""


class Whitening(Transform):
    r"""The map :math:`x \mapsto \Sigma^{-1/2} (x - \mu)` with :math:`\Sigma = C + f I` of a `Gaussian`.

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
    def of(cls, gaussian: Gaussian, ridge: float) -> "Whitening":
        """Whiten by a Gaussian's covariance plus `ridge`, in variances: directions of less spread count as noise."""
        values, vectors, rest = gaussian.values + ridge, gaussian.vectors, gaussian.rest + ridge
        return cls(gaussian.mean, *(_power(values, vectors, rest, p) for p in (-0.5, 0.5)))

    def forward(self, x: Batch) -> Batch:
        return ((x.flatten(1) - self.mean.to(x)) @ self.root.to(x)).reshape(x.shape)

    def inverse(self, u: Batch) -> Batch:
        return (u.flatten(1) @ self.back.to(u) + self.mean.to(u)).reshape(u.shape)


class NormalScores(Transform):
    r"""Each coordinate to the normal quantile of its place among the fitted ones, :math:`u = \Phi^{-1}(F(x))`.

    F runs straight between knots, and ties take their middle rank (the van der Waerden scores of rank tests). What lies
    outside the fitted range, by however little, is `margin` beyond the score of its end.

    Args:
        values: The knots of each coordinate, ascending `(d, k)`.
        shares: F there, in (0, 1).
        margin: In standard deviations.
    """

    values: Tensor
    shares: Tensor

    def __init__(self, values: Tensor, shares: Tensor, margin: float = 1.5) -> None:
        super().__init__()
        self.register_buffer("values", values)
        self.register_buffer("shares", shares)
        self.margin = margin

    @classmethod
    def fit(cls, x: Batch, knots: int = 256) -> "NormalScores":
        """At most `knots` order statistics of each coordinate of `x` `(n, *event)`, evenly spaced in rank."""
        ordered = x.flatten(1).T.sort(1).values.contiguous()
        n = ordered.shape[1]
        places = torch.linspace(0, n - 1, min(knots, n), dtype=torch.float64).round().long()
        values = ordered[:, places].contiguous()
        below, upto = (torch.searchsorted(ordered, values, right=right) for right in (False, True))
        return cls(values, ((below + upto) / (2 * n)).to(x.dtype))

    def forward(self, x: Batch) -> Batch:
        rows, values = x.flatten(1).T.contiguous(), self.values.to(x)
        share, shares = _straight(rows, values, self.shares.to(x)), self.shares.to(x)
        low, high = torch.special.ndtri(shares[:, :1]), torch.special.ndtri(shares[:, -1:])
        u = torch.where(rows < values[:, :1], low - self.margin, torch.special.ndtri(share))
        return torch.where(rows > values[:, -1:], high + self.margin, u).T.reshape(x.shape)

    def inverse(self, u: Batch) -> Batch:
        """Back into the fitted range; what lies outside comes back as its end."""
        share = torch.special.ndtr(u.flatten(1).T.contiguous())
        return _straight(share, self.shares.to(u), self.values.to(u)).T.reshape(u.shape)


class Transformed(Denoiser):
    """A denoiser of transformed data, asked about data.

    Args:
        inside: The denoiser in the transform's coordinates.
        transform: The coordinates.
    """

    def __init__(self, inside: Denoiser, transform: Transform) -> None:
        super().__init__()
        self.inside = inside
        self.transform = transform
        self.schedule = inside.schedule

    def forward(self, x_t: Batch, t: Times, **condition: Tensor) -> Posterior:
        alpha = expand(self.schedule.alpha(t), x_t)
        asked = alpha * self.transform(x_t / alpha)
        return Posterior(self.transform.inverse(self.inside(asked, t, **condition).mean))


def _straight(at: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Piecewise linear `y(x)` `(d, k)` at `(d, B)`, constant beyond the ends."""
    right = torch.searchsorted(x, at).clamp(1, max(x.shape[1] - 1, 1)).clamp(max=x.shape[1] - 1)
    left = (right - 1).clamp(min=0)
    x0, x1, y0, y1 = x.gather(1, left), x.gather(1, right), y.gather(1, left), y.gather(1, right)
    part = torch.where(x1 > x0, (at - x0) / (x1 - x0).clamp(min=torch.finfo(x.dtype).tiny), 0)
    return y0 + part.clamp(0, 1) * (y1 - y0)


def _power(values: Tensor, vectors: Tensor, rest: Tensor, p: float) -> Tensor:
    other = rest**p
    return (vectors * (values**p - other)) @ vectors.T + other * torch.eye(len(vectors)).to(vectors)
