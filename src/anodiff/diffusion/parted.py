r"""Items that consist of parts, `x` `(B, D)` cut into P pieces: one part alone, one given others, several together.

A part that is not there is marginalised, not filled. The Gaussian does so in closed form,

.. math:: p \mid R \sim \mathcal{N}\big(\mu_p + G (x_R - \mu_R), \; C_{pp} - G\, C_{Rp}\big), \qquad
          G = C_{pR} C_{RR}^{-1} .

The training rows do by their likeness: row i counts for part p as far as its other parts resemble those that are told,

.. math:: D_p(x_t \mid R) = \sum_i w_i r_{ip}, \qquad
          w = \mathrm{softmax}_i \Big( -\tfrac{1}{2 h^2} \|x_R - r_{iR}\|^2
          - \tfrac{1}{2 s^2} \|\tilde x_p - r_{ip}\|^2 \Big) .
"""

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Self, cast

import torch
from torch import Tensor, nn

from anodiff.diffusion.denoise import Denoiser, Posterior
from anodiff.diffusion.gaussian import Gaussian
from anodiff.diffusion.guide import Around
from anodiff.diffusion.noise import Schedule, expand
from anodiff.types import Batch, PerItem, Times

LEAST = 1e-2


class Parts(nn.Module):
    """A model of items of several parts. Think twice before adding anything here, every model of parts carries it.

    Args:
        widths: Cells of each part, P of them, D in all.
        schedule: The process.
    """

    def __init__(self, widths: Sequence[int], schedule: Schedule) -> None:
        super().__init__()
        self.widths = tuple(widths)
        self.schedule = schedule

    @abstractmethod
    def given(self, part: int, x: Batch, told: Sequence[int]) -> Denoiser:
        """The denoiser of one part `(B, d_p)` of these items, told what other parts of `x` `(B, D)` hold."""

    @abstractmethod
    def together(self, parts: Sequence[int]) -> Denoiser:
        """The denoiser of several parts as one item, `cells(parts)` of x; of one part alone where there is one."""

    @abstractmethod
    def fits(
        self, part: int, x: Batch, told: Sequence[int], others: Tensor, level: float, each: bool = False
    ) -> Tensor:
        """How well some `others` `(k, d_p)` would fit as a part of `x` `(B, D)`, given the rest, `(B, k)`.

        The gain in log-density, in nats up to what is the same for all of an item: log p(o | R) - log p(o). Where
        `each` item has one of its own `(B, d_p)`, it is `(B, 1)`.
        """

    def cells(self, parts: Sequence[int]) -> Tensor:
        """The places of these parts in x, one part behind the other."""
        starts = [sum(self.widths[:p]) for p in range(len(self.widths))]
        ranges = [torch.arange(starts[p], starts[p] + self.widths[p]) for p in parts]
        return torch.cat([torch.zeros(0, dtype=torch.int64), *ranges])


class GaussianParts(Parts):
    """All parts under one Gaussian.

    Args:
        gaussian: Of items of D cells.
        widths: Cells of each part.
    """

    def __init__(self, gaussian: Gaussian, widths: Sequence[int]) -> None:
        super().__init__(widths, gaussian.schedule)
        self.gaussian = gaussian

    @classmethod
    def fit(cls, x: Batch, present: Tensor, widths: Sequence[int], schedule: Schedule, apart: float = 0.5) -> Self:
        """Of items `x` `(n, D)` of which some parts are not `present` `(n, P)`.

        Two parts are related by the items that have both; what they share is shrunk by `apart`, since so many more
        numbers tell of it than of one part, and no direction has less than `LEAST` of the mean variance.
        """
        cells = present.repeat_interleave(torch.tensor(widths), 1).to(x.dtype)
        count = cells.sum(0).clamp(min=1)
        mean = (x * cells).sum(0).double() / count.double()
        away = ((x.double() - mean) * cells).double()
        both = cells.double().T @ cells.double()
        covariance = away.T @ away / both.clamp(min=1)
        owner = torch.arange(len(widths)).repeat_interleave(torch.tensor(widths))
        covariance = torch.where(owner[:, None] == owner, covariance, (1 - apart) * covariance)
        values, vectors = torch.linalg.eigh(covariance)
        values = values.clamp(min=LEAST * float(values.mean().clamp(min=1e-9)))
        return cls(Gaussian.spectral(mean, values, vectors, values.new_tensor(0.0), schedule), widths)

    def given(self, part: int, x: Batch, told: Sequence[int]) -> "Moved":
        own, rest = self.cells([part]), self.cells(told)
        covariance, mean = self._covariance(), self.gaussian.mean.double()
        across = covariance[rest][:, own]
        gain = torch.linalg.solve(covariance[rest][:, rest], across)
        left = covariance[own][:, own] - across.T @ gain
        offset = (x[:, rest].double() - mean[rest]) @ gain
        return Moved(Gaussian(mean[own], (left + left.T) / 2, self.schedule), offset)

    def together(self, parts: Sequence[int]) -> Gaussian:
        at = self.cells(parts)
        return Gaussian(self.gaussian.mean.double()[at], self._covariance()[at][:, at], self.schedule)

    def fits(
        self, part: int, x: Batch, told: Sequence[int], others: Tensor, level: float, each: bool = False
    ) -> Tensor:
        moved, usual = self.given(part, x, told), self.together([part])
        inside, offset = cast(Gaussian, moved.denoiser), moved.offset
        near, away = (_white(of, others.double(), level) for of in (inside, usual))
        centre = _white(inside, offset + inside.mean, level)
        apart = ((centre - near) ** 2).sum(1, keepdim=True) if each else squares(centre, near)
        own = (away**2).sum(1)
        return ((own[:, None] if each else own) - apart) / 2

    def _covariance(self) -> Tensor:
        of = self.gaussian
        values, vectors = of.values.double(), of.vectors.double()
        return (vectors * values) @ vectors.T


class RowParts(Parts):
    """The training rows themselves. Each part counts as much as any, whatever its width: distances are per cell.

    Args:
        rows: `(m, D)`.
        present: `(m, P)` bool, which parts each has.
        widths: Cells of each part.
        schedule: The process; its levels are per root of a part's cells.
        near: h, in the same unit, how alike others must be to count.
    """

    rows: Tensor
    present: Tensor

    def __init__(
        self, rows: Batch, present: Tensor, widths: Sequence[int], schedule: Schedule, near: float = 0.3
    ) -> None:
        super().__init__(widths, schedule)
        self.register_buffer("rows", rows)
        self.register_buffer("present", present)
        self.near = near

    def given(self, part: int, x: Batch, told: Sequence[int]) -> "Scaled":
        kept = self._having([part, *told])
        own, rest = self.cells([part]), self.cells(told)
        apart = squares(self._even(x, told)[:, rest], self._even(self.rows[kept], told)[:, rest])
        rows = self._even(self.rows[kept], [part])[:, own]
        scale = math.sqrt(self.widths[part])
        return Scaled(Likened(rows, -apart / (2 * self.near**2), self.schedule), scale)

    def together(self, parts: Sequence[int]) -> Denoiser:
        kept, at = self._having(parts), self.cells(parts)
        rows = self._even(self.rows[kept], parts)[:, at]
        scale = torch.cat([torch.full((self.widths[p],), math.sqrt(self.widths[p])) for p in parts])
        return Scaled(Likened(rows, torch.zeros(1, int(kept.sum())), self.schedule), scale)

    def fits(
        self, part: int, x: Batch, told: Sequence[int], others: Tensor, level: float, each: bool = False
    ) -> Tensor:
        scaled = self.given(part, x, told)
        likened = cast(Likened, scaled.denoiser)
        rows, prior = likened.rows, likened.prior
        apart = -squares(others.double() / scaled.scale, rows) / (2 * level**2)
        highest = apart.amax(1, keepdim=True)
        near = torch.exp(apart - highest)
        least = torch.finfo(near.dtype).tiny
        share, usual = prior.exp(), torch.log(near.mean(1).clamp(min=least))
        found = (share * near).sum(1, keepdim=True) if each else share @ near.T
        return torch.log(found.clamp(min=least)) - (usual[:, None] if each else usual)

    def _having(self, parts: Sequence[int]) -> Tensor:
        """Which rows `(m,)` have all of these parts; where none has, all, which hold the mean of what they lack."""
        kept = self.present[:, list(parts)].all(1)
        return kept if kept.any() else torch.ones_like(kept)

    def _even(self, x: Tensor, parts: Sequence[int]) -> Tensor:
        scaled = x.double().clone()
        for p in parts:
            at = self.cells([p])
            scaled[:, at] = scaled[:, at] / math.sqrt(self.widths[p])
        return scaled


def _white(gaussian: Gaussian, x: Tensor, level: float) -> Tensor:
    """Items `(n, d)` in the directions of a Gaussian, over its deviations at a level."""
    return (x - gaussian.mean) @ gaussian.vectors / (gaussian.values + level**2).sqrt()


class Likened(Denoiser):
    """The posterior when data is one of `rows`, some of which are likelier for this item than others.

    Args:
        rows: `(m, d)`.
        logits: `(B, m)`, or `(1, m)` where that is the same for all.
        schedule: The process.
    """

    def __init__(self, rows: Tensor, logits: Tensor, schedule: Schedule) -> None:
        super().__init__()
        self.rows = rows.double()
        self.prior = torch.log_softmax(logits.double(), 1)
        self.schedule = schedule

    def forward(self, x_t: Batch, t: Times, **_: Tensor) -> Posterior:
        share = torch.softmax(self._joint(x_t, t), 1)
        mean = share @ self.rows
        variance = (share @ self.rows**2 - mean**2).clamp(min=0)
        return Posterior(mean.to(x_t.dtype), variance.to(x_t.dtype))

    def log_density(self, x_t: Batch, t: Times) -> PerItem:
        """The log-density of `x_t` `(B, d)` at `t`, in nats, `(B,)`."""
        width = torch.log(self.schedule.sigma(t.double())) + math.log(2 * math.pi) / 2
        return (torch.logsumexp(self._joint(x_t, t), 1) - self.rows.shape[1] * width).to(x_t.dtype)

    def _joint(self, x_t: Tensor, t: Tensor) -> Tensor:
        level = self.schedule.level(t.double()).expand(len(x_t))[:, None]
        alpha = self.schedule.alpha(t.double()).expand(len(x_t))[:, None]
        return self.prior - squares(x_t.double() / alpha, self.rows) / (2 * level**2)


class Moved(Around):
    """A denoiser of data that lies elsewhere for each item, by an `offset` `(B, d)`."""

    def __init__(self, denoiser: Denoiser, offset: Tensor) -> None:
        super().__init__(denoiser)
        self.offset = offset

    def forward(self, x_t: Batch, t: Times, **condition: Tensor) -> Posterior:
        found = self.denoiser(self._back(x_t, t), t, **condition)
        return Posterior(found.mean.to(x_t) + self.offset.to(x_t), found.variance)

    def log_density(self, x_t: Batch, t: Times) -> PerItem:
        """The log-density of `x_t` `(B, d)` at `t`, in nats, `(B,)`."""
        found: Tensor = self.denoiser.log_density(self._back(x_t, t), t)  # type: ignore[operator]
        return found

    def _back(self, x_t: Tensor, t: Tensor) -> Tensor:
        return x_t - expand(self.schedule.alpha(t).expand(len(x_t)), x_t) * self.offset.to(x_t)


class Scaled(Around):
    """A denoiser that sees everything over a `scale`, one number or `(d,)`; its level is in the smaller unit."""

    def __init__(self, denoiser: Denoiser, scale: float | Tensor) -> None:
        super().__init__(denoiser)
        self.scale = scale

    def forward(self, x_t: Batch, t: Times, **condition: Tensor) -> Posterior:
        found = self.denoiser(x_t / self.scale, t, **condition)
        variance = None if found.variance is None else found.variance * self.scale**2
        return Posterior(found.mean * self.scale, variance)

    def log_density(self, x_t: Batch, t: Times) -> PerItem:
        """The log-density of `x_t` `(B, d)` at `t`, up to the scale's constant, `(B,)`."""
        found: Tensor = self.denoiser.log_density(x_t / self.scale, t)  # type: ignore[operator]
        return found


def squares(x: Tensor, rows: Tensor) -> Tensor:
    """Squared distances of `x` `(B, d)` to `rows` `(m, d)`, `(B, m)`; of nothing, 0."""
    centre = rows.mean(0) if len(rows) else rows.new_zeros(rows.shape[1])
    own, others = x - centre, rows - centre
    found = torch.addmm((others**2).sum(1), own, others.T, alpha=-2) + (own**2).sum(1, keepdim=True)
    return found.clamp(min=0)
