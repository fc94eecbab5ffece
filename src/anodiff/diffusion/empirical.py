r"""Normal data as itself: the exact posterior over the training rows.

.. math:: D(x_t) = \sum_i w_i r_i, \qquad w = \mathrm{softmax}_i \Big(-\frac{\|\tilde x - r_i\|^2}{2 s^2}\Big) .

As :math:`s \to 0` it is the nearest neighbour. This is what a denoising network that fits its training set perfectly
would answer; with a row left out of its own posterior it is a detector.
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import pad

from anodiff.diffusion.denoise import Denoiser, Posterior
from anodiff.diffusion.noise import Schedule
from anodiff.types import Batch, Index, Misfit, PerItem, Times

GROUP = 16
SPARE = 6
FINE = 8
"""Up to so many coordinates rows lie too densely for a coarse search in single precision."""


class Empirical(Denoiser):
    """The posterior when data is one of `rows`.

    Condition `itself` `(B,)`: the place of each query among the rows, or -1; that row is left out of its own posterior.
    With `neighbours`, matrix products only propose rows; their distances are exact differences.

    Args:
        rows: `(n, *event)`; what the data may be.
        schedule: The process.
        neighbours: Only that many nearest rows are weighed; all of them by default.
        exclude: Leaves out the rows `itself - exclude` to `itself + exclude` (windows of a series overlap).
        chunk: Numbers held at once, per intermediate tensor.
        apart: The neighbours are the nearest rows of runs of so many, no two of runs that touch, so that they are
            different events of a series; a neighbour that is lacking is the last one again. 0 asks for nothing.
    """

    rows: Tensor

    def __init__(
        self,
        rows: Batch,
        schedule: Schedule,
        neighbours: int | None = None,
        exclude: int = 0,
        chunk: int = 2**22,
        apart: int = 0,
    ) -> None:
        super().__init__()
        self.register_buffer("rows", rows.flatten(1))
        self.schedule = schedule
        self.neighbours = neighbours
        self.exclude = exclude
        self.chunk = chunk
        self.apart = apart
        self._kept: tuple[object, tuple[Tensor, Tensor, Tensor, torch.dtype]] | None = None

    def forward(self, x_t: Batch, t: Times, itself: Index | None = None, **_: Tensor) -> Posterior:
        moments = self._few_moments if self.neighbours else self._all_moments
        answers = [moments(torch.softmax(logits, 1), place) for logits, _, place in self._weighed(x_t, t, itself)]
        mean, variance = (torch.cat(v).to(x_t.dtype).reshape(x_t.shape) for v in zip(*answers, strict=True))
        return Posterior(mean, variance)

    def log_density(self, x_t: Batch, t: Times, itself: Index | None = None) -> PerItem:
        """The log-density of `x_t` `(B, *event)` at `t`, in nats, `(B,)`; with `neighbours`, a bound from below."""
        (n, d), own = self.rows.shape, self._precision(x_t)
        total = torch.cat([torch.logsumexp(w, 1) + shift for w, shift, _ in self._weighed(x_t, t, itself)])
        width = torch.log(self.schedule.alpha(t.to(own)) * positive(self.schedule.level(t.to(own))))
        others = total.new_full((len(x_t),), n) if itself is None else (n - self._excluded(itself)).to(own)
        return (total - torch.log(others) - d * (width + math.log(2 * math.pi) / 2)).to(x_t.dtype)

    def nearest(self, x: Batch, k: int, itself: Index | None = None) -> tuple[Tensor, Tensor]:
        """The k rows nearest to `x` `(B, *event)`, nearest first: their distances and their places, each `(B, k)`."""
        self._check(k, itself)
        own = torch.promote_types(x.dtype, self.rows.dtype)
        found = list(self._search(x.flatten(1).to(own), k, itself))
        return torch.sqrt(torch.cat([v for v, _ in found])).to(x.dtype), torch.cat([place for _, place in found])

    def _weighed(self, x_t: Tensor, t: Tensor, itself: Tensor | None) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Per chunk: the logits less the greatest of them, that one, and the places of the rows that they weigh."""
        own = self._precision(x_t)
        alpha, s = (v.expand(len(x_t)) for v in (self.schedule.alpha(t.to(own)), self.schedule.level(t.to(own))))
        x, done = x_t.flatten(1).to(own) / alpha[:, None], 0
        k = min(self.neighbours or 1, len(self.rows) if itself is None else len(self.rows) - 2 * self.exclude - 1)
        self._check(max(k, 1), itself)
        for square, place in self._search(x, k, itself) if self.neighbours else self._scan(x, itself):
            least, width = square.amin(1), -2 * positive(s[done : done + len(square)]) ** 2
            yield (square - least[:, None]) / width[:, None], least / width, place
            done += len(square)

    def _scan(self, x: Tensor, itself: Tensor | None) -> Iterator[tuple[Tensor, Tensor]]:
        """Squared distances to all rows, by matrix products in double precision."""
        centre = self.rows.to(x).mean(0)
        rows, place = self.rows.to(x) - centre, torch.arange(len(self.rows), device=x.device)
        size = (rows**2).sum(1)
        for part, own in self._parts(x - centre, itself, len(rows)):
            square = torch.addmm(size, part, rows.T, alpha=-2) + (part**2).sum(1, keepdim=True)
            yield self._without(square.clamp(min=0), place, own), place

    def _search(self, x: Tensor, k: int, itself: Tensor | None) -> Iterator[tuple[Tensor, Tensor]]:
        """Exact squared distances to the k nearest rows, nearest first, and their places.

        The k nearest lie in the k groups of rows whose nearest member is nearest, so few rows need sorting.
        """
        if self.apart:
            yield from self._search_apart(x, k, itself)
            return
        n, wanted = len(self.rows), min(len(self.rows), k + SPARE + (0 if itself is None else 2 * self.exclude + 1))
        groups = -(-n // GROUP)
        centre, size, across, coarse = self._across(x.dtype, groups * GROUP)
        member = torch.arange(GROUP, device=x.device)[None, :, None] * groups
        for part, own in self._parts(x, itself, max(n, wanted * x.shape[1])):
            rough = torch.addmm(size, (part - centre).to(coarse), across, alpha=-2)
            if wanted < groups:
                best = rough.view(-1, GROUP, groups).amin(1).topk(wanted, largest=False, sorted=False).indices
                among = (member + best[:, None, :]).flatten(1)
                place = among.gather(1, rough.gather(1, among).topk(wanted, largest=False, sorted=False).indices)
            else:
                place = rough.topk(wanted, largest=False, sorted=False).indices
            place = place.sort(1).values
            square = ((self.rows[place].to(part) - part[:, None, :]) ** 2).sum(2)
            order = self._without(square, place, own).sort(stable=True, dim=1)
            yield order.values[:, :k], place.gather(1, order.indices[:, :k])

    def _search_apart(self, x: Tensor, k: int, itself: Tensor | None) -> Iterator[tuple[Tensor, Tensor]]:
        """The same for rows of different runs: the nearest of each run, then the nearest runs, one after the other."""
        n, runs = len(self.rows), -(-len(self.rows) // self.apart)
        centre, size, across, coarse = self._across(x.dtype, runs * self.apart)
        zone = torch.arange(-self.exclude, self.exclude + 1, device=x.device)
        for part, own in self._parts(x, itself, n):
            rough = torch.addmm(size, (part - centre).to(coarse), across, alpha=-2)
            if own is not None:
                near = torch.where(own >= 0, (own + zone).clamp(0, n - 1), n)
                rough = pad(rough, (0, 1)).scatter_(1, near.clamp(max=rough.shape[1]), math.inf)[:, :-1]
            best, at = rough.reshape(len(part), runs, self.apart).min(2)
            place = _one_by_one(best, at + self.apart * torch.arange(runs, device=x.device), k)
            square = ((self.rows[place].to(part) - part[:, None, :]) ** 2).sum(2)
            order = square.sort(stable=True, dim=1)
            yield order.values, place.gather(1, order.indices)

    def _across(self, dtype: torch.dtype, wide: int) -> tuple[Tensor, Tensor, Tensor, torch.dtype]:
        """What proposes rows: their mean, their squared sizes about it and their transpose, padded to `wide` rows.

        Kept, since a stream asks for one window at a time.
        """
        key = (dtype, wide, self.rows.data_ptr(), self.rows._version, self.rows.device)
        if self._kept is None or self._kept[0] != key:
            stored = self.rows.to(dtype)
            centre, lack = stored.mean(0), wide - len(stored)
            coarse = torch.float32 if stored.shape[1] > FINE else dtype
            size = pad(((stored - centre) ** 2).sum(1), (0, lack), value=math.inf).to(coarse)
            across = pad((stored - centre).T, (0, lack)).to(coarse).contiguous()
            self._kept = key, (centre, size, across, coarse)
        return self._kept[1]

    def _parts(self, x: Tensor, itself: Tensor | None, width: int) -> Iterator[tuple[Tensor, Tensor | None]]:
        size = max(1, self.chunk // max(width, 1))
        for start in range(0, max(len(x), 1), size):
            yield x[start : start + size], None if itself is None else itself[start : start + size, None]

    def _without(self, square: Tensor, place: Tensor, own: Tensor | None) -> Tensor:
        """Infinitely far: what lies within `exclude` places of the query itself."""
        if own is None:
            return square
        return square.masked_fill((own >= 0) & ((place - own).abs() <= self.exclude), math.inf)

    def _few_moments(self, weight: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
        rows, weight = self.rows[place].to(weight), weight[..., None]
        mean = (weight * rows).sum(1)
        return mean, (weight * (rows - mean[:, None]) ** 2).sum(1)

    def _all_moments(self, weight: Tensor, _: Tensor) -> tuple[Tensor, Tensor]:
        centre = self.rows.to(weight).mean(0)
        rows = self.rows.to(weight) - centre
        mean = weight @ rows
        return centre + mean, (weight @ rows**2 - mean**2).clamp(min=0)

    def _precision(self, x_t: Tensor) -> torch.dtype:
        return torch.promote_types(x_t.dtype, self.rows.dtype) if self.neighbours else torch.float64

    def _excluded(self, itself: Tensor) -> Tensor:
        last = (itself + self.exclude).clamp(max=len(self.rows) - 1)
        return torch.where(itself >= 0, last - (itself - self.exclude).clamp(min=0) + 1, 0)

    def _check(self, k: int, itself: Tensor | None) -> None:
        left = len(self.rows) - (int(self._excluded(itself).max()) if itself is not None and len(itself) else 0)
        if not 1 <= k <= left:
            raise Misfit(f"{k} neighbours were asked of {left} rows; give at least one row more than are left out.")


def _one_by_one(best: Tensor, place: Tensor, k: int) -> Tensor:
    """Places `(B, k)` of the k nearest of runs `(B, runs)`, no two touching; the last again where none is left."""
    chosen, beside = list[Tensor](), torch.arange(-1, 2, device=best.device)
    for _ in range(k):
        run = best.argmin(1, keepdim=True)
        found = place.gather(1, run)
        chosen.append(torch.where(best.gather(1, run) < math.inf, found, chosen[-1]) if chosen else found)
        best = best.scatter(1, (run + beside).clamp(0, best.shape[1] - 1), math.inf)
    return torch.cat(chosen, 1)


def positive(level: Tensor) -> Tensor:
    """The level, or 1e-12 where it is zero: there the posterior is its limit, the nearest row."""
    return level.clamp(min=1e-12)
