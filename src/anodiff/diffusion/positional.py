r"""A Gaussian for each place of a map: what is normal here need not be normal there,

.. math:: D(x_t)_p = \mu_p + C_p (C_p + s^2 I)^{-1} (x_p / \alpha - \mu_p) ,

p a place of `(h, w)`, :math:`x_p` its C features. Defard, Setkov, Loesch and Audigier, "PaDiM: a Patch Distribution
Modeling Framework for Anomaly Detection and Localization", 2021, is the squared distance that follows from it.

A place sees few pictures and has many features, so its covariance borrows: from the places within a reach, from all
places, and from its own diagonal,

.. math:: C_p = (1 - \rho) S_p + \rho \, \mathrm{diag}(S_p) + \epsilon \, \mathrm{diag}(\bar S), \qquad
          S_p = (1 - \pi) \bar S_p + \pi \bar S, \quad \bar S = \mathrm{mean}_q \, \bar S_q .

Pictures differ as a whole, by light, grain or make, which is no defect of any place. With a `Context` c the Gaussian of
a place is that given the rest of the picture: :math:`\mu_p + B_p c(x)` takes the place of :math:`\mu_p`, and
:math:`S_p` is what c leaves unexplained.
"""

from typing import Self, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from anodiff.diffusion.denoise import Denoiser, Posterior
from anodiff.diffusion.noise import Schedule
from anodiff.types import Batch, Misfit, Times

RIDGE, LEAST = 1e-2, 1e-4
"""The part of a variance that is added to it, and the least variance of a feature of variance 1."""
FARTHEST = 6.0
"""Standard deviations of a context."""
PRIOR = 3.0
"""Pictures of no slope that a slope is fitted with."""
FAR = 0.9e6
"""From this squared level on the posterior is the mean."""
CHUNK = 64
"""Places that are worked on at once."""


class Context(nn.Module):
    """What a picture is like as a whole: the leading directions of its mean features, of variance 1 over pictures.

    Args:
        mean: Of the mean features, `(C,)`.
        directions: `(C, k)`.
    """

    mean: Tensor
    directions: Tensor

    def __init__(self, mean: Tensor, directions: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("directions", directions)

    @classmethod
    def fit(cls, means: Tensor, count: int) -> "Context":
        """Of the mean features of pictures `(n, C)`: at most so many directions, and a quarter of the pictures."""
        rows = means.double()
        mean = rows.mean(0)
        away = rows - mean
        spread = away.std(0, correction=0).clamp(min=1e-6)
        _, values, vectors = torch.linalg.svd(away / spread, full_matrices=False)
        kept = min(count, max(1, len(rows) // 4), int((values > 1e-6 * values[0].clamp(min=1e-12)).sum()))
        scale = (values[:kept] / len(rows) ** 0.5).clamp(min=1e-12)
        return cls(mean.float(), (vectors[:kept].T / scale / spread[:, None]).float())

    def forward(self, x: Tensor) -> Tensor:
        """Of maps `(B, C, h, w)`, `(B, k)`; what no picture of fit came near to counts as the farthest that did."""
        found: Tensor = (x.flatten(2).mean(2) - self.mean) @ self.directions
        return found.clamp(-FARTHEST, FARTHEST)


class Sums:
    """Counts, sums and products of maps `(B, C, h, w)`, place by place; sums of parts add up.

    Args:
        shape: `(C, h, w)`.
        context: Whose coordinates count as further channels.
    """

    def __init__(self, shape: tuple[int, int, int], context: Context | None = None) -> None:
        channels, rows, columns = shape
        self.shape = shape
        self.context = context
        self.count = 0
        whole = channels + (0 if context is None else context.directions.shape[1])
        self.first = torch.zeros(rows * columns, whole)
        self.second = torch.zeros(rows * columns, whole, whole)

    def add(self, x: Tensor) -> Self:
        """Take in maps `(B, C, h, w)`, better centred: products are kept in single precision."""
        rows = x.flatten(2).permute(2, 0, 1).float()
        if self.context is not None:
            rows = torch.cat([rows, self.context(x.float()).expand(len(rows), -1, -1)], 2)
        self.count += len(x)
        self.first += rows.sum(1)
        self.second.baddbmm_(rows.transpose(1, 2), rows)
        return self

    def without(self, other: "Sums") -> "Sums":
        """What remains when maps are taken out again."""
        rest = Sums.__new__(Sums)
        rest.shape, rest.context, rest.count = self.shape, self.context, self.count - other.count
        rest.first, rest.second = self.first - other.first, self.second - other.second
        return rest


class Positional(Denoiser):
    """The posterior when each place of a map is normally distributed, for itself; all items of a call at one time.

    Args:
        mean: `(h, w, C)`.
        packed: The lower triangles of the covariances, `(h * w, C (C + 1) / 2)`.
        schedule: The process.
        context: What is known of a picture as a whole, k numbers.
        slopes: By how much they move the mean, `(h * w, k, C)`.
    """

    mean: Tensor
    packed: Tensor
    slopes: Tensor

    def __init__(
        self,
        mean: Tensor,
        packed: Tensor,
        schedule: Schedule,
        context: Context | None = None,
        slopes: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("packed", packed)
        self.context = context
        if context is not None and slopes is not None:
            self.register_buffer("slopes", slopes)
        self.schedule = schedule
        self._kept: tuple[object, Tensor] | None = None

    @classmethod
    def fit(
        cls, sums: Sums, schedule: Schedule, reach: int = 0, pooled: float = 0.0, shrinkage: float = 0.1
    ) -> "Positional":
        """The Gaussians of the maps in `sums`, given their context.

        Args:
            sums: Of at least two maps.
            schedule: The process.
            reach: Places whose row and column differ by at most so many count as the same place.
            pooled: The share of the covariance that all places have in common.
            shrinkage: The share of its diagonal.

        Raises:
            Misfit: there are fewer than two maps.
        """
        if sums.count < 2:
            raise Misfit(f"a Gaussian for each place needs at least two maps; it was given {sums.count}.")
        channels, rows, columns = sums.shape
        whole = sums.first.shape[1]
        mean = _around(sums.first / sums.count, sums.shape, reach)
        second = _around((sums.second / sums.count).flatten(1), sums.shape, reach).view(-1, whole, whole)
        second -= mean[:, :, None] * mean[:, None, :]
        slopes = None
        if sums.context is not None:
            mean, second, slopes = _given(mean, second, channels, sums.count)
        common = second.mean(0)
        second.mul_(1 - pooled).add_(common, alpha=pooled)
        diagonal = second.diagonal(dim1=1, dim2=2).clamp(min=0).clone()
        second.mul_(1 - shrinkage)
        floor = RIDGE * common.diagonal().clamp(min=LEAST)
        second.diagonal(dim1=1, dim2=2).copy_(diagonal + floor)
        lower = torch.tril_indices(channels, channels)
        packed = torch.empty(len(second), lower.shape[1])
        for start in range(0, len(second), CHUNK):
            packed[start : start + CHUNK] = second[start : start + CHUNK, lower[0], lower[1]]
        return cls(mean.view(rows, columns, channels), packed, schedule, sums.context, slopes)

    def forward(self, x_t: Batch, t: Times, **_: Tensor) -> Posterior:
        times = t.float().flatten()
        if len(times) > 1 and bool((times != times[0]).any()):
            raise Misfit("a Gaussian for each place is asked at one time for all items; ask for the others apart.")
        alpha, level = float(self.schedule.alpha(times[0])), float(self.schedule.level(times[0]))
        x = x_t.float() / alpha
        centre = self.mean.flatten(0, 1)[:, None, :]
        if self.context is not None:
            centre = centre + torch.matmul(self.context(x), self.slopes)
        away = x.flatten(2).permute(2, 0, 1) - centre
        if level**2 >= FAR:
            answer = torch.zeros_like(away)
        else:
            answer = away - level**2 * torch.bmm(away, self._inverse(level))
        mean = (centre + answer).permute(1, 2, 0)
        return Posterior(mean.reshape(x_t.shape).to(x_t.dtype))

    def _inverse(self, level: float) -> Tensor:
        """:math:`(C_p + s^2 I)^{-1}` of every place `(P, C, C)`, kept for the level that was asked for last."""
        key = (level, self.packed.data_ptr(), self.packed._version)
        if self._kept is None or self._kept[0] != key:
            channels = self.mean.shape[-1]
            lower = torch.tril_indices(channels, channels)
            inverse = torch.empty(len(self.packed), channels, channels)
            for start in range(0, len(self.packed), CHUNK):
                part = torch.zeros(len(self.packed[start : start + CHUNK]), channels, channels)
                part[:, lower[0], lower[1]] = self.packed[start : start + CHUNK].float()
                part.diagonal(dim1=1, dim2=2).add_(level**2)
                inverse[start : start + CHUNK] = torch.cholesky_inverse(cholesky(part))
            self._kept = key, inverse
        return self._kept[1]


def cholesky(lower: Tensor) -> Tensor:
    """Cholesky factors of covariances given by their lower triangles, lifted where rounding made them indefinite."""
    whole = lower + lower.tril(-1).transpose(1, 2)
    factor, bad = torch.linalg.cholesky_ex(whole)
    lift = RIDGE
    while bool(bad.any()):
        whole.diagonal(dim1=1, dim2=2).add_(lift * (bad > 0)[:, None])
        factor, bad = torch.linalg.cholesky_ex(whole)
        lift *= 10
    return cast(Tensor, factor)


def _given(mean: Tensor, second: Tensor, channels: int, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, covariance and slopes of the first channels of a joint Gaussian, given the others."""
    mine, others = slice(None, channels), slice(channels, None)
    prior = PRIOR / count * torch.eye(second.shape[1] - channels)
    within, across = second[:, others, others], second[:, others, mine]
    slopes = torch.linalg.solve(within + prior, across)
    explained = across.transpose(1, 2) @ slopes
    left = second[:, mine, mine] - explained - explained.transpose(1, 2) + slopes.transpose(1, 2) @ within @ slopes
    centre = mean[:, mine] - torch.einsum("pk,pkc->pc", mean[:, others], slopes)
    return centre, left, slopes


def _around(values: Tensor, shape: tuple[int, int, int], reach: int) -> Tensor:
    """Values of places `(P, k)`, each the mean over the places within reach."""
    if not reach:
        return values.clone()
    _, rows, columns = shape
    size = 2 * reach + 1
    found = torch.empty_like(values)
    for start in range(0, values.shape[1], 4096):
        part = values[:, start : start + 4096].T.reshape(1, -1, rows, columns)
        near = avg_pool2d(part, size, 1, reach, count_include_pad=False)
        found[:, start : start + 4096] = near.flatten(2)[0].T
    return found
