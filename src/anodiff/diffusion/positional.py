r"""A Gaussian for each place of a map: what is normal here need not be normal there,

.. math:: D(x_t)_p = \mu_p + C_p (C_p + s^2 I)^{-1} (x_p / \alpha - \mu_p) ,

p a place of `(h, w)`, :math:`x_p` its C features. Defard, Setkov, Loesch and Audigier, "PaDiM: a Patch Distribution
Modeling Framework for Anomaly Detection and Localization", 2021, is the squared distance that follows from it.

A place sees few pictures and has many features, so its covariance borrows: from the places within a reach, from all
places, and from its own diagonal,

.. math:: C_p = (1 - \rho) S_p + \rho \, \mathrm{diag}(S_p) + \epsilon I, \qquad
          S_p = (1 - \pi) \bar S_p + \pi \, \mathrm{mean}_q \, \bar S_q .
"""

from typing import Self, cast

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from anodiff.diffusion.denoise import Denoiser, Posterior
from anodiff.diffusion.noise import Schedule
from anodiff.types import Batch, Misfit, Times

RIDGE = 1e-2
FAR = 0.9e6
"""From this squared level on the posterior is the mean."""
CHUNK = 64
"""Places that are worked on at once."""


class Sums:
    """Counts, sums and products of maps `(B, C, h, w)`, place by place; sums of parts add up.

    Args:
        shape: `(C, h, w)`.
    """

    def __init__(self, shape: tuple[int, int, int]) -> None:
        channels, rows, columns = shape
        self.shape = shape
        self.count = 0
        self.first = torch.zeros(rows * columns, channels)
        self.second = torch.zeros(rows * columns, channels, channels)

    def add(self, x: Tensor) -> Self:
        """Take in maps `(B, C, h, w)`, better centred: products are kept in single precision."""
        rows = x.flatten(2).permute(2, 0, 1).float()
        self.count += len(x)
        self.first += rows.sum(1)
        self.second.baddbmm_(rows.transpose(1, 2), rows)
        return self

    def without(self, other: "Sums") -> "Sums":
        """What remains when maps are taken out again."""
        rest = Sums.__new__(Sums)
        rest.shape, rest.count = self.shape, self.count - other.count
        rest.first, rest.second = self.first - other.first, self.second - other.second
        return rest


class Positional(Denoiser):
    """The posterior when each place of a map is normally distributed, for itself; all items of a call at one time.

    Args:
        mean: `(h, w, C)`.
        packed: The lower triangles of the covariances, `(h * w, C (C + 1) / 2)`.
        schedule: The process.
    """

    mean: Tensor
    packed: Tensor

    def __init__(self, mean: Tensor, packed: Tensor, schedule: Schedule) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("packed", packed)
        self.schedule = schedule
        self._kept: tuple[object, Tensor] | None = None

    @classmethod
    def fit(
        cls, sums: Sums, schedule: Schedule, reach: int = 0, pooled: float = 0.0, shrinkage: float = 0.1
    ) -> "Positional":
        """The Gaussians of the maps in `sums`.

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
        mean = _around(sums.first / sums.count, sums.shape, reach)
        second = _around((sums.second / sums.count).flatten(1), sums.shape, reach).view(-1, channels, channels)
        second -= mean[:, :, None] * mean[:, None, :]
        if pooled:
            common = second.mean(0)
            second.mul_(1 - pooled).add_(common, alpha=pooled)
        diagonal = second.diagonal(dim1=1, dim2=2).clamp(min=0).clone()
        second.mul_(1 - shrinkage)
        second.diagonal(dim1=1, dim2=2).copy_(diagonal + RIDGE)
        lower = torch.tril_indices(channels, channels)
        packed = torch.empty(len(second), lower.shape[1])
        for start in range(0, len(second), CHUNK):
            packed[start : start + CHUNK] = second[start : start + CHUNK, lower[0], lower[1]]
        return cls(mean.view(rows, columns, channels), packed, schedule)

    def forward(self, x_t: Batch, t: Times, **_: Tensor) -> Posterior:
        own = x_t.float()
        times = t.float().flatten()
        if len(times) > 1 and bool((times != times[0]).any()):
            raise Misfit("a Gaussian for each place is asked at one time for all items; ask for the others apart.")
        alpha, level = float(self.schedule.alpha(times[0])), float(self.schedule.level(times[0]))
        away = (own / alpha).flatten(2).permute(2, 0, 1) - self.mean.flatten(0, 1)[:, None, :]
        if level**2 >= FAR:
            answer = torch.zeros_like(away)
        else:
            answer = away - level**2 * torch.bmm(away, self._inverse(level))
        mean = (self.mean.flatten(0, 1)[:, None, :] + answer).permute(1, 2, 0)
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
