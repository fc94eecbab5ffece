r"""Normal data as a Gaussian, or a few of them: the posterior in closed form.

In the scaled state :math:`\tilde x = x_t / \alpha_t` of level :math:`s`, data :math:`\mathcal{N}(\mu, C)` has

.. math:: D = \mu + C (C + s^2 I)^{-1} (\tilde x - \mu), \qquad
          \mathrm{Cov}[x \mid x_t] = s^2 C (C + s^2 I)^{-1}, \qquad
          \tilde x \sim \mathcal{N}(\mu, C + s^2 I),

and a mixture weighs its components by how likely each makes :math:`\tilde x`. Everything is diagonal in the
eigenvectors of C, which is how C is kept: :math:`C = V \Lambda V^\top + f (I - V V^\top)`.
"""

import math

import torch
from torch import Tensor, nn

from anodiff.diffusion.denoise import Denoiser, Posterior
from anodiff.diffusion.noise import Schedule
from anodiff.types import Batch, Misfit, PerItem, Times

CHUNK = 2**22


class Gaussian(Denoiser):
    """The posterior when data is `N(mean, covariance)`.

    It computes in its own precision or the caller's, whichever is finer, and answers in the caller's.
    `Gaussian.spectral(schedule=..., **gaussian.state_dict())` restores a saved one.

    Args:
        mean: `(d,)`; an item of any event shape with d cells is flattened.
        covariance: `(d, d)`, symmetric; eigenvalues below the rounding error of the largest are raised to it.
        schedule: The process.
    """

    mean: Tensor
    values: Tensor
    vectors: Tensor
    rest: Tensor

    def __init__(self, mean: Tensor, covariance: Tensor, schedule: Schedule) -> None:
        super().__init__()
        values, vectors = torch.linalg.eigh(covariance)
        self._keep(mean, values, vectors, values.new_zeros(()), schedule)

    def _keep(self, mean: Tensor, values: Tensor, vectors: Tensor, rest: Tensor, schedule: Schedule) -> None:
        finfo = torch.finfo(values.dtype)
        least = torch.cat([values, rest[None]]).max().clamp(min=finfo.tiny / finfo.eps) * finfo.eps
        self.register_buffer("mean", mean)
        self.register_buffer("values", values.clamp(min=least))
        self.register_buffer("vectors", vectors.contiguous())
        self.register_buffer("rest", rest.clamp(min=least))
        self.schedule = schedule
        self._kept: tuple[object, tuple[Tensor, Tensor, Tensor, Tensor]] | None = None

    @classmethod
    def spectral(cls, mean: Tensor, values: Tensor, vectors: Tensor, rest: Tensor, schedule: Schedule) -> "Gaussian":
        """From its spectrum: `values` `(r,)`, orthonormal `vectors` `(d, r)` and the variance `rest` elsewhere."""
        gaussian = cls.__new__(cls)
        Denoiser.__init__(gaussian)
        gaussian._keep(mean, values, vectors, rest, schedule)
        return gaussian

    @classmethod
    def fit(cls, x: Batch, schedule: Schedule, shrinkage: float | None = None, rank: int | None = None) -> "Gaussian":
        r"""The Gaussian of data `x` `(n, *event)`, its covariance shrunk to :math:`(1 - \rho) S + \rho \bar\lambda I`.

        Constant columns, duplicates and n < d are welcome. With n <= d only the n directions that the data spans are
        kept, the others share one variance.

        Args:
            x: Data `(n, *event)`.
            schedule: The process.
            shrinkage: :math:`\rho` in [0, 1]; by default Ledoit and Wolf's ("A well-conditioned estimator for
                large-dimensional covariance matrices", 2004), at least 1e-6.
            rank: Keep only that many directions; the others share their mean variance (Tipping and Bishop,
                "Probabilistic principal component analysis", 1999).

        Raises:
            Misfit: If there is no item.
        """
        rows = x.flatten(1)
        n, d = rows.shape
        if n == 0 or d == 0:
            raise Misfit(f"a Gaussian needs at least one item and one cell; it was given {n} items of {d} cells.")
        mean = rows.double().mean(0)
        away = rows - mean.to(rows)
        if d <= n:
            total = torch.zeros(d, d, dtype=torch.float64, device=x.device)
            for some in torch.split(away, max(1, CHUNK // d)):
                total += some.double().T @ some.double()
            values, vectors = torch.linalg.eigh(total / n)
        else:
            values, left = torch.linalg.eigh(away.double() @ away.double().T / n)
            values, left = values[1:], left[:, 1:]
            vectors = nn.functional.normalize(away.double().T @ left, dim=0)
            spanned = values > values.sum() * 1e-10
            values, vectors = values[spanned], torch.linalg.qr(vectors[:, spanned]).Q
        values = values.clamp(min=0)
        rho = max(ledoit_wolf(away, values), 1e-6) if shrinkage is None else shrinkage
        level = values.sum() / d if values.sum() > 0 else values.new_ones(())
        kept = len(values) if rank is None else min(rank, len(values))
        dropped = values[: len(values) - kept].sum() / max(d - kept, 1)
        values, vectors = values[len(values) - kept :], vectors[:, len(values) - kept :]
        shrunk, rest = ((1 - rho) * v + rho * level for v in (values, dropped))
        return cls.spectral(mean.to(x), shrunk.to(x), vectors.to(x), rest.to(x), schedule)

    def forward(self, x_t: Batch, t: Times, **_: Tensor) -> Posterior:
        mean, values, vectors, rest, away, _alpha, s = self._scaled(x_t, t)
        square = s**2
        gain, other = values / (values + square), rest / (rest + square)
        moved = other * away + (away @ vectors * (gain - other)) @ vectors.T
        variance = square * (other + (gain - other) @ vectors.T**2)
        return Posterior(
            (mean + moved).to(x_t.dtype).reshape(x_t.shape),
            variance.clamp(min=0).to(x_t.dtype).expand(away.shape).reshape(x_t.shape),
        )

    def log_density(self, x_t: Batch, t: Times) -> PerItem:
        """The log-density of `x_t` `(B, *event)` at `t`, in nats, `(B,)`."""
        _, values, vectors, rest, away, alpha, s = self._scaled(x_t, t)
        along, (d, rank) = away @ vectors, vectors.shape
        spread, other = values + s**2, (rest + s**2).squeeze(-1)
        total = (along**2 / spread + torch.log(spread)).sum(-1)
        if rank < d:
            total = total + ((away - along @ vectors.T) ** 2).sum(-1) / other + (d - rank) * torch.log(other)
        return (-(total + d * math.log(2 * math.pi)) / 2 - d * torch.log(alpha.squeeze(-1))).to(x_t.dtype)

    def _parts(self, own: torch.dtype) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Mean, values, vectors and rest in another precision, kept: a stream asks for one item at a time."""
        parts = self.mean, self.values, self.vectors, self.rest
        key = (own, *((part.data_ptr(), part._version, part.device) for part in parts))
        if self._kept is None or self._kept[0] != key:
            mean, values, vectors, rest = (part.to(own) for part in parts)
            self._kept = key, (mean, values, vectors, rest)
        return self._kept[1]

    def _scaled(self, x_t: Batch, t: Times) -> tuple[Tensor, ...]:
        own = torch.promote_types(x_t.dtype, self.mean.dtype)
        mean, values, vectors, rest = self._parts(own)
        t = t.to(own)[..., None]
        alpha = self.schedule.alpha(t)
        return mean, values, vectors, rest, x_t.flatten(1).to(own) / alpha - mean, alpha, self.schedule.level(t)


class GaussianMixture(Denoiser):
    r"""The posterior when data is :math:`\sum_k w_k \mathcal{N}(\mu_k, C_k)`.

    Args:
        weights: `(k,)`, positive; they are normalised.
        means: `(k, d)`.
        covariances: `(k, d, d)`.
        schedule: The process.
    """

    weights: Tensor

    def __init__(self, weights: Tensor, means: Tensor, covariances: Tensor, schedule: Schedule) -> None:
        super().__init__()
        self.register_buffer("weights", weights / weights.sum())
        self.parts = nn.ModuleList(Gaussian(m, c, schedule) for m, c in zip(means, covariances, strict=True))
        self.schedule = schedule

    @classmethod
    def fit(cls, x: Batch, schedule: Schedule, components: int = 4, seed: int = 0) -> "GaussianMixture":
        """The mixture of data `x` `(n, *event)` by expectation maximisation, full covariances."""
        from sklearn.mixture import GaussianMixture as Mixture

        rows = x.flatten(1).double()
        ridge = 1e-4 * float(rows.var(0, unbiased=False).mean()) + 1e-12
        found = Mixture(min(components, len(rows)), reg_covar=ridge, random_state=seed).fit(rows.cpu().numpy())
        weights, means, covariances = (
            torch.as_tensor(v).to(x) for v in (found.weights_, found.means_, found.covariances_)
        )
        return cls(weights, means, covariances, schedule)

    def forward(self, x_t: Batch, t: Times, **_: Tensor) -> Posterior:
        share = torch.softmax(self._joint(x_t, t), 0).reshape(len(self.parts), len(x_t), *[1] * (x_t.ndim - 1))
        answers = [part(x_t, t) for part in self.parts]
        means, variances = torch.stack([a.mean for a in answers]), torch.stack([a.variance for a in answers])
        mean = (share * means).sum(0)
        return Posterior(mean, (share * (variances + (means - mean) ** 2)).sum(0))

    def log_density(self, x_t: Batch, t: Times) -> PerItem:
        """The log-density of `x_t` `(B, *event)` at `t`, in nats, `(B,)`."""
        return torch.logsumexp(self._joint(x_t, t), 0)

    def _joint(self, x_t: Batch, t: Times) -> Tensor:
        each = torch.stack([part.log_density(x_t, t) for part in self.parts])  # type: ignore[operator]
        return torch.log(self.weights).to(each)[:, None] + each


def ledoit_wolf(away: Tensor, values: Tensor) -> float:
    r"""Ledoit and Wolf's shrinkage from centred rows `(n, d)` and the spectrum of their covariance S:

    .. math:: \rho = \min\Big(1, \frac{\frac1n \sum_i \|x_i\|^4 - \|S\|^2}{n \, \|S - \bar\lambda I\|^2}\Big) .
    """
    n, d = away.shape
    size = (values**2).sum()
    apart = size - values.sum() ** 2 / d
    spread = ((away**2).sum(1).double() ** 2).mean() - size
    return float((spread / (n * apart)).clamp(0, 1)) if apart > 1e-12 * size else 0.0
