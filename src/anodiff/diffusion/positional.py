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

from typing import Any, Self, cast

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
BELIEF = 0.2
"""Maps per feature that the common covariance counts for."""
PRIOR = 3.0
"""Pictures of no slope that a slope is fitted with."""
FAR = 0.9e6
"""From this squared level on the posterior is the mean."""
LIFTS = 12
"""Times that a covariance is lifted, each ten times as far."""
CHUNK = 64
"""Places that are worked on at once."""
MOST_BYTES = 4 * 2**30
"""Memory for sums."""


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
        self.register_buffer("mean", mean.contiguous())
        self.register_buffer("directions", directions.contiguous())

    @classmethod
    def fit(cls, sums: "Sums", count: int) -> "Context":
        """Of the pictures in `sums`: so many directions, or as many as they vary along."""
        mean = sums.means / sums.count
        spread = sums.spreads
        scale = spread.diagonal().clamp(min=0).sqrt().clamp(min=1e-6)
        values, vectors = torch.linalg.eigh(spread / scale / scale[:, None])
        values, vectors = values.flip(0), vectors.flip(1)
        kept = min(count, max(1, int((values > 1e-12 * values[0].clamp(min=1e-12)).sum())))
        directions = vectors[:, :kept] / values[:kept].clamp(min=1e-24).sqrt() / scale[:, None]
        return cls(mean.float(), directions.float())

    def forward(self, x: Tensor) -> Tensor:
        """Of maps `(B, C, h, w)`, `(B, k)`; what no picture of fit came near to counts as the farthest that did."""
        found: Tensor = (x.flatten(2).mean(2) - self.mean) @ self.directions
        return found.clamp(-FARTHEST, FARTHEST)


class Sums:
    """Counts, sums and products of maps `(B, C, h, w)`, place by place; sums of parts add up.

    Args:
        shape: `(C, h, w)`.
        whole: Whether products with the mean features of a map are summed too, which a context is made of.

    Raises:
        Misfit: they take more memory than there should be need for.
    """

    def __init__(self, shape: tuple[int, int, int], whole: bool = False) -> None:
        channels, rows, columns = shape
        places, parts = rows * columns, 2 if whole else 1
        if 4 * parts * places * channels**2 > MOST_BYTES:
            raise Misfit(
                f"Gaussians of {places:,} places of {channels:,} features take "
                f"{4 * parts * places * channels**2 / 1e9:.1f} GB; choose fewer layers, or a larger stride."
            )
        self.shape = shape
        self.whole = whole
        self.count = 0
        self.first = torch.zeros(places, channels)
        self.second = torch.zeros(places, channels, channels)
        self.means = torch.zeros(channels, dtype=torch.float64)
        self.within = torch.zeros(channels, channels, dtype=torch.float64)
        self.across = torch.zeros(places if whole else 0, channels, channels)

    def add(self, x: Tensor) -> Self:
        """Take in maps `(B, C, h, w)`, better centred: products are kept in single precision."""
        rows = x.flatten(2).permute(2, 0, 1).float().contiguous()
        self.count += len(x)
        self.first += rows.sum(1)
        self.second.baddbmm_(rows.transpose(1, 2), rows)
        if self.whole:
            means = x.flatten(2).double().mean(2)
            self.means += means.sum(0)
            self.within += means.T @ means
            self.across.baddbmm_(rows.transpose(1, 2), means.float().expand(len(rows), -1, -1))
        return self

    def without(self, other: "Sums") -> "Sums":
        """What remains when other maps are taken out again; they are gone, for their memory holds what remains."""
        rest = Sums.__new__(Sums)
        rest.shape, rest.whole, rest.count = self.shape, self.whole, self.count - other.count
        for name in ("first", "second", "means", "within", "across"):
            setattr(rest, name, torch.sub(getattr(self, name), getattr(other, name), out=getattr(other, name)))
        return rest

    @property
    def spreads(self) -> Tensor:
        """The covariance of mean features `(C, C)`, double."""
        mean = self.means / self.count
        return self.within / self.count - mean[:, None] * mean


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
        self.register_buffer("mean", mean.contiguous())
        self.register_buffer("packed", packed.contiguous())
        self.context = context
        if context is not None and slopes is not None:
            self.register_buffer("slopes", slopes.contiguous())
        self.schedule = schedule
        self._kept: dict[object, Tensor] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Without the inverses, which are found anew."""
        return {**self.__dict__, "_kept": {}}

    @classmethod
    def fit(
        cls,
        sums: Sums,
        schedule: Schedule,
        reach: int = 0,
        pooled: float = 0.0,
        shrinkage: float = 0.1,
        context: int = 0,
        of: int | None = None,
    ) -> "Positional":
        """The Gaussians of the maps in `sums`.

        Args:
            sums: Of at least two maps.
            schedule: The process.
            reach: Places whose row and column differ by at most so many count as the same place.
            pooled: The share of the covariance that all places have in common, at least; more where maps are few: it
                counts for a fifth as many of them as there are features.
            shrinkage: The share of its diagonal.
            of: How many maps there are in all, where these are a part of them: a part is shrunk as the whole is.
            context: By how many numbers they are given what a picture is like as a whole, of which `sums` must know.

        Raises:
            Misfit: there are fewer than two maps.
        """
        if sums.count < 2:
            raise Misfit(f"a Gaussian for each place needs at least two maps; it was given {sums.count}.")
        channels, rows, columns = sums.shape
        mean = _around(sums.first / sums.count, sums.shape, reach)
        second = _around((sums.second / sums.count).flatten(1), sums.shape, reach).view(-1, channels, channels)
        second.baddbmm_(mean[:, :, None], mean[:, None, :], alpha=-1)
        known = Context.fit(sums, context) if context else None
        slopes = None if known is None else _given(second, mean, known, sums, reach)
        common = second.mean(0)
        belief = BELIEF * channels
        share = max(pooled, belief / (belief + (of or sums.count))) if pooled else 0.0
        second.mul_(1 - share).add_(common, alpha=share)
        diagonal = second.diagonal(dim1=1, dim2=2).clamp(min=0).clone()
        second.mul_(1 - shrinkage)
        floor = RIDGE * common.diagonal().clamp(min=LEAST)
        second.diagonal(dim1=1, dim2=2).copy_(diagonal + floor)
        lower = torch.tril_indices(channels, channels)
        packed = torch.empty(len(second), lower.shape[1])
        for start in range(0, len(second), CHUNK):
            packed[start : start + CHUNK] = second[start : start + CHUNK, lower[0], lower[1]]
        return cls(mean.view(rows, columns, channels), packed, schedule, known, slopes)

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
        """:math:`(C_p + s^2 I)^{-1}` of every place `(P, C, C)`, kept for the two levels that were asked for last."""
        key = (level, self.packed.data_ptr(), self.packed._version)
        if key not in self._kept:
            channels = self.mean.shape[-1]
            lower = torch.tril_indices(channels, channels)
            inverse = torch.empty(len(self.packed), channels, channels)
            for start in range(0, len(self.packed), CHUNK):
                part = torch.zeros(len(self.packed[start : start + CHUNK]), channels, channels)
                part[:, lower[0], lower[1]] = self.packed[start : start + CHUNK].float()
                part.diagonal(dim1=1, dim2=2).add_(level**2)
                inverse[start : start + CHUNK] = torch.cholesky_inverse(cholesky(part))
            self._kept = dict([*self._kept.items()][-1:]) | {key: inverse}
        return self._kept[key]


def cholesky(lower: Tensor) -> Tensor:
    """Cholesky factors of covariances given by their lower triangles, lifted where rounding made them indefinite.

    Raises:
        Misfit: they are no covariances.
    """
    factor, bad = torch.linalg.cholesky_ex(lower)
    for power in range(LIFTS):
        if not bool(bad.any()):
            return cast(Tensor, factor)
        lift = RIDGE * 10**power * (bad > 0)
        factor, bad = torch.linalg.cholesky_ex(lower + torch.diag_embed(lift[:, None].expand(-1, lower.shape[1])))
    raise Misfit("the covariances of places are none; fit anew.")


def _given(second: Tensor, mean: Tensor, context: Context, sums: Sums, reach: int) -> Tensor:
    """Slopes `(P, k, C)` on a context; the covariances `(P, C, C)` become, in place, what it leaves unexplained.

    A context has mean 0 and variance 1 over the pictures, so the slopes are covariances with it, less by the prior.
    """
    prior = PRIOR / sums.count
    turned = (sums.across.flatten(0, 1) @ (context.directions / sums.count)).view(*second.shape[:2], -1)
    turned = _around(turned.flatten(1), sums.shape, reach).view_as(turned)
    turned.sub_(mean[:, :, None] * (context.mean @ context.directions))
    second.baddbmm_(turned, turned.transpose(1, 2), alpha=(prior / (1 + prior)) ** 2 - 1)
    return (turned / (1 + prior)).transpose(1, 2)


def _around(values: Tensor, shape: tuple[int, int, int], reach: int) -> Tensor:
    """Values of places `(P, k)`, each the mean over the places within reach."""
    if not reach:
        return values
    _, rows, columns = shape
    size = 2 * reach + 1
    found = torch.empty_like(values)
    for start in range(0, values.shape[1], 4096):
        part = values[:, start : start + 4096].T.reshape(1, -1, rows, columns)
        near = avg_pool2d(part, size, 1, reach, count_include_pad=False)
        found[:, start : start + 4096] = near.flatten(2)[0].T
    return found
