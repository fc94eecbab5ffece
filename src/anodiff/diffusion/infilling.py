r"""Denoisers that are told which cells are known: those are at level 0 while all others are at level s,

.. math:: \tilde x_i = x_i + s_i z_i, \quad s_i = 0 \; (i \in K), \; s \; (i \in H), \qquad
          D = \mu + C (C + \mathrm{diag}(s_i^2))^{-1} (\tilde x - \mu)

for a Gaussian, whose posterior has the variance :math:`\mathrm{diag}(C - C (C + \mathrm{diag}(s_i^2))^{-1} C)`. A
network around such a closed form m answers in its standard deviations,

.. math:: D = m + \sqrt{\mathrm{Var}} \; F\big(c_\text{in} (\tilde x - \mu), \tfrac14 \log s, K\big), \qquad
          c_{\text{in}, i} = 1 \big/ \sqrt{v_i + s_i^2} ,

which for independent cells is EDM's preconditioning; known cells are answered as they are. `anodiff.diffusion.masked`
trains it.
"""

from abc import abstractmethod

import torch
from torch import Tensor, nn

from anodiff.diffusion.denoise import Denoiser, Learnt, Posterior
from anodiff.diffusion.fill import RIDGE
from anodiff.diffusion.gaussian import Gaussian
from anodiff.diffusion.guide import Around
from anodiff.diffusion.noise import Schedule, expand
from anodiff.types import Batch, Mask, PerItem, Times


class Base(Denoiser):
    """A closed form that takes the condition `known` `(B, *event)`; it says what a cell is by itself."""

    @property
    @abstractmethod
    def alone(self) -> tuple[Tensor, Tensor]:
        """Mean and variance of each cell, `(d,)`."""


class Cellwise(Base):
    """Each cell a Gaussian of its own: what is known says nothing of the rest. For items of very many cells.

    Args:
        mean: `(d,)`.
        variance: `(d,)`.
        schedule: The process.
    """

    mean: Tensor
    variance: Tensor

    def __init__(self, mean: Tensor, variance: Tensor, schedule: Schedule) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("variance", variance)
        self.schedule = schedule

    @property
    def alone(self) -> tuple[Tensor, Tensor]:
        return self.mean, self.variance

    def forward(self, x_t: Batch, t: Times, known: Tensor | None = None, **_: Tensor) -> Posterior:
        away, square = _cells(x_t, t, self.schedule, known)
        mean, v = self.mean.to(away), self.variance.to(away)
        gain = v / (v + square)
        return Posterior(*((part.reshape(x_t.shape)) for part in (mean + gain * (away - mean), gain * square)))


class Given(Base):
    """A Gaussian that is told what is known; where nothing is, it is that Gaussian.

    At high levels the mean of hidden cells is `fill.conditional_mean`, with the same ridge. Each pair of a mask and a
    level costs a factorisation of d x d, however many items share it: not for items of very many cells.
    """

    def __init__(self, gaussian: Gaussian) -> None:
        super().__init__()
        self.gaussian = gaussian
        self.schedule = gaussian.schedule

    @property
    def alone(self) -> tuple[Tensor, Tensor]:
        known = self.gaussian
        return known.mean, known.rest + (known.vectors**2) @ (known.values - known.rest)

    def forward(self, x_t: Batch, t: Times, known: Tensor | None = None, **_: Tensor) -> Posterior:
        if known is None or not known.any():
            exact: Posterior = self.gaussian(x_t, t)
            return exact
        own = torch.promote_types(x_t.dtype, self.gaussian.mean.dtype)
        x, square = _cells(x_t.to(own), t, self.schedule, known)
        mean, values, vectors, rest = (
            v.to(own) for v in (self.gaussian.mean, self.gaussian.values, self.gaussian.vectors, self.gaussian.rest)
        )
        covariance = (vectors * (values - rest)) @ vectors.T + rest * torch.eye(len(mean)).to(vectors)
        noise = torch.where(known.flatten(1), RIDGE, square).clamp(min=float(8 * torch.finfo(own).eps * values.max()))
        moved, variance = conditioned(covariance, noise, x - mean)
        answer = torch.where(known.flatten(1), x, mean + moved), variance.masked_fill(known.flatten(1), 0)
        return Posterior(*(part.to(x_t.dtype).reshape(x_t.shape) for part in answer))


class Infilling(Learnt):
    """A network around a `Base`; one whose answer is zero leaves the base.

    Known cells reach the network at their own scale whatever the level. State: `base.*` and `net.*`.

    Args:
        net: `net(x, c, known=..., **condition)`.
        base: Where it starts: `Given(gaussian)`, or `Cellwise` for items of very many cells.
    """

    def __init__(self, net: nn.Module, base: Base) -> None:
        super().__init__(net, base.schedule)
        self.base = base

    def forward(self, x_t: Batch, t: Times, known: Tensor | None = None, **condition: Tensor) -> Posterior:
        inside, mean, spread = self._asked(x_t, t, known, condition)
        return Posterior(mean + spread * inside)

    def loss(self, x: Batch, t: Times, noise: Batch, known: Mask, counts: Mask, **condition: Tensor) -> PerItem:
        """The squared error of what `counts`, in the base's posterior standard deviations, one mean per item.

        1 for the base, where it is right. Known cells enter clean.
        """
        x_t = self.schedule.perturb(x, t, noise.masked_fill(known, 0))
        inside, mean, spread = self._asked(x_t, t, known, condition)
        least = 1e-3 * self.base.alone[1].sqrt().to(x).reshape(x.shape[1:])
        error = (inside - (x - mean) / spread.clamp(min=least)).masked_fill(~counts, 0)
        return error.square().flatten(1).sum(1) / counts.flatten(1).sum(1).clamp(min=1)

    def _asked(
        self, x_t: Tensor, t: Tensor, known: Tensor | None, condition: dict[str, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """What the network answers, and the base's mean and standard deviation, shaped like x."""
        told = condition if known is None else {**condition, "known": known}
        scaled, square = _cells(x_t, t, self.schedule, known)
        mean, v = (part.to(scaled) for part in self.base.alone)
        shown = ((scaled - mean) / torch.sqrt(v + square)).reshape(x_t.shape)
        base = self.base(x_t, t, **told)
        inside = self.ask(shown, torch.log(self.schedule.level(t).clamp(min=1e-6)) / 4, told)
        return inside, base.mean, base.variance.sqrt()


class Told(Around):
    """A denoiser that takes `known`, told what was `observed` `(B, *event)` where `known` `(B, *event)`.

    Unlike in `Repainted`, known cells enter without noise, as in training.
    """

    def __init__(self, denoiser: Denoiser, observed: Batch, known: Mask) -> None:
        super().__init__(denoiser)
        self.observed = observed
        self.known = known

    def forward(self, x_t: Batch, t: Times, **condition: Tensor) -> Posterior:
        observed = torch.where(self.known, self.observed, 0).to(x_t)
        clean = expand(self.schedule.alpha(t), x_t) * observed
        mean = self.denoiser(torch.where(self.known, clean, x_t), t, known=self.known, **condition).mean
        return Posterior(torch.where(self.known, observed, mean))


def conditioned(covariance: Tensor, noise: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Posterior mean and variance `(B, d)` of centred Gaussian rows seen as `rows` with variances of `noise` `(B, d)`.

    Rows of the same noise share a factorisation.
    """
    kinds, kind = torch.unique(noise, dim=0, return_inverse=True)
    mean, variance = torch.zeros_like(rows), torch.zeros_like(rows)
    for number, one in enumerate(kinds):
        here = (kind == number).nonzero()[:, 0]
        factor = torch.linalg.cholesky(covariance + torch.diag(one))
        half = torch.linalg.solve_triangular(factor, covariance, upper=False)
        white = torch.linalg.solve_triangular(factor, rows[here].T, upper=False)
        mean = mean.index_copy(0, here, white.T @ half)
        variance[here] = (covariance.diagonal() - half.square().sum(0)).clamp(min=0)
    return mean, variance


def _cells(x_t: Tensor, t: Tensor, schedule: Schedule, known: Tensor | None) -> tuple[Tensor, Tensor]:
    """The scaled state and each cell's squared level, `(B, d)`."""
    scaled = (x_t / expand(schedule.alpha(t), x_t)).flatten(1)
    square = expand(schedule.level(t), scaled).expand(scaled.shape) ** 2
    return scaled, square if known is None else torch.where(known.flatten(1), 0, square)
