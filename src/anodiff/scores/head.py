r"""A light head on patches, from a handful of known defects: the log-odds that a patch is of a defect,

.. math:: f(z, e) = b + u^\top W (z - \mu) + 10 \, v^\top S (e - m), \qquad v \ge 0,

        \min_{b, u, v} \; \tfrac{1 - q}{2} \overline{\ell}_\text{normal} + \tfrac{q}{2} \overline{\ell}_\text{beside}
        + \tfrac12 \overline{\ell}_\text{defect} + \tfrac{\lambda}{2 n^2} \big( \|u\|^2 + \|v\|^2 \big) .

z are a patch's features and W whitens those of normal patches; e is what an unsupervised map says of the patch, S over
its deviation among normals. Of n known defects each weighs the same, unless weights are given; n is then their sum over
the largest. Defects and the others weigh the same too, so f is 0 where they are equally likely; of the others, patches
beside a defect in its own picture say where it ends.

The map costs next to nothing and features cost much, so with one defect f is little but the map; and f never falls
where the map rises. `anodiff.scores.fewshot` says which patches to show a head.
"""

from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from anodiff.types import JSON, Misfit

ROWS = 8192
LOUD = 10.0
"""How much less the map costs than features."""


class PatchHead(nn.Module):
    """Logistic regression on whitened features and on an unsupervised map, by Newton's method.

    Args:
        channels: C of the features.
        told: G, so many numbers of the map follow the features of a patch.
        penalty: The lambda. A quarter of it finds the kinds that were shown better and every other kind worse; on the
            magnetic tiles, with 20 to 25 defects, AP of pixels by 0.02 either way.
        beside: The q, where there are patches beside defects.
        shrinkage: Part of the normals' correlations that is replaced by the identity.
    """

    slope: Tensor
    bias: Tensor

    def __init__(
        self, channels: int, told: int = 0, penalty: float = 60.0, beside: float = 0.7, shrinkage: float = 0.05
    ) -> None:
        super().__init__()
        self.channels = channels
        self.told = told
        self.penalty = penalty
        self.beside = beside
        self.shrinkage = shrinkage
        self.register_buffer("slope", torch.zeros(channels + told))
        self.register_buffer("bias", torch.zeros(()))

    def config(self) -> JSON:
        """What `PatchHead(**config)` needs, for a state to be laid into."""
        return {name: getattr(self, name) for name in ("channels", "told", "penalty", "beside", "shrinkage")}

    def fit(
        self,
        normal: Tensor,
        defect: Tensor,
        of: Tensor | None = None,
        beside: Tensor | None = None,
        near: Tensor | None = None,
        weights: Tensor | None = None,
    ) -> Self:
        """Learn from patches, of each C features and then G numbers of the map.

        Args:
            normal: Of normal pictures, `(N, C + G)`.
            defect: Of known defects, `(M, C + G)`.
            of: Which known defect each patch is of, `(M,)`; one where not given.
            beside: Of the defects' pictures, which no defect touches, `(K, C + G)`.
            near: Which known defect each of these is beside, `(K,)`; read where there are weights.
            weights: Of the known defects `(k,)`, by the numbers that `of` and `near` give them; all alike by default.

        Raises:
            Misfit: there are fewer than two normal patches or no patch of a defect, or they have other channels.
        """
        beside = normal[:0] if beside is None else beside
        self._check(normal, defect, beside)
        mean, lift = self._lifting(normal)
        rows = (torch.cat([normal, beside, defect]).float() - mean) @ lift
        rows = torch.cat([rows, torch.ones(len(rows), 1)], 1)
        sign = torch.cat([-torch.ones(len(normal) + len(beside)), torch.ones(len(defect))])
        part = self.beside if len(beside) else 0.0
        per, examples = shares(len(defect), of, weights)
        ends = torch.ones(len(beside)) if weights is None or near is None else weights[near].float()
        others = [torch.full((len(normal),), (1 - part) / len(normal)), part * ends / ends.sum().clamp(min=1e-12)]
        weight = self._rising(rows, sign, torch.cat([*others, per]) / 2, self.penalty / examples**2)
        self.slope = (lift @ weight[:-1]).float()
        self.bias = (weight[-1] - mean @ self.slope).float()
        return self

    def odds(self, rows: Tensor) -> Tensor:
        """Log-odds of patches `(n, C + G)`, `(n,)`."""
        return rows.float() @ self.slope + self.bias

    def logit(self, x: Tensor) -> Tensor:
        """Log-odds of every patch of features and maps `(B, C + G, h, w)`, `(B, h, w)`."""
        return torch.einsum("bchw,c->bhw", x.float(), self.slope) + self.bias

    def _check(self, *given: Tensor) -> None:
        wide = self.channels + self.told
        if any(rows.ndim != 2 or rows.shape[1] != wide for rows in given):
            shapes = ", ".join(str(tuple(rows.shape)) for rows in given)
            raise Misfit(f"a head of {wide} channels takes patches (n, {wide}); got {shapes}.")
        if len(given[0]) < 2 or not len(given[1]):
            raise Misfit(f"a head needs normal and defect patches; got {len(given[0])} and {len(given[1])}.")

    def _lifting(self, normal: Tensor) -> tuple[Tensor, Tensor]:
        """The mean `(C + G,)` and a matrix that whitens the features and scales the map, `(C + G, C + G)`."""
        mean, whiten = whitening(normal[:, : self.channels], self.shrinkage)
        told = normal[:, self.channels :].double()
        deviation = (told - told.mean(0)).square().mean(0).sqrt().clamp(min=1e-9)
        lift = torch.zeros(normal.shape[1], normal.shape[1])
        lift[: self.channels, : self.channels] = whiten
        lift[self.channels :, self.channels :] = torch.diag(LOUD / deviation)
        return torch.cat([mean, told.mean(0).float()]), lift

    def _rising(self, rows: Tensor, sign: Tensor, share: Tensor, ridge: float) -> Tensor:
        """The best weights of which none of the map's is negative: those that would be are left out, and it is fit."""
        free = torch.ones(rows.shape[1], dtype=torch.bool)
        while True:
            weight = torch.zeros(rows.shape[1])
            weight[free] = newton(rows[:, free], sign, share, ridge)
            negative = torch.zeros_like(free)
            negative[self.channels : -1] = weight[self.channels : -1] < 0
            if not negative.any():
                return weight
            free &= ~negative


def newton(rows: Tensor, sign: Tensor, share: Tensor, ridge: float, steps: int = 30) -> Tensor:
    """Weights `(P,)` of a logistic regression, the last a constant that costs nothing, halving a step that climbs.

    Args:
        rows: `(n, P)`.
        sign: `(n,)`, 1 or -1.
        share: The weight of each row, `(n,)`.
        ridge: What the square of a weight costs.
        steps: At most.
    """
    cost_of = torch.full((rows.shape[1],), ridge, dtype=torch.float64)
    cost_of[-1] = 1e-6
    weight = torch.zeros(rows.shape[1], dtype=torch.float64)

    def cost(w: Tensor) -> Tensor:
        return (share * softplus(-sign * (rows @ w.float()))).double().sum() + (cost_of * w**2).sum() / 2

    now = cost(weight)
    for _ in range(steps):
        p = torch.sigmoid(-sign * (rows @ weight.float()))
        slope = cost_of * weight - (rows.T @ (share * sign * p)).double()
        step = torch.linalg.solve(curved(rows, share * p * (1 - p)) + torch.diag(cost_of), slope)
        stride = 1.0
        while stride > 1e-3 and cost(weight - stride * step) > now:
            stride /= 2
        weight = weight - stride * step
        before, now = now, cost(weight)
        if before - now < 1e-7:
            break
    return weight.float()


def whitening(normal: Tensor, shrinkage: float) -> tuple[Tensor, Tensor]:
    r"""The mean `(C,)` and a whitening matrix `(C, C)` of patches `(N, C)`, :math:`\mathrm{diag}(s)^{-1} R^{-1/2}`.

    The correlations R, not the covariances, are shrunk towards the identity: a channel of small scale keeps its say.
    """
    mean = normal.double().mean(0)
    away = normal.double() - mean
    deviation = away.square().mean(0).sqrt()
    deviation = torch.where(deviation > 1e-9 * deviation.max(), deviation, torch.inf)
    away = away / deviation
    values, vectors = torch.linalg.eigh(away.T @ away / len(away))
    values = (1 - shrinkage) * values.clamp(min=1e-9) + shrinkage
    return mean.float(), ((vectors * values.rsqrt() @ vectors.T) / deviation[:, None]).float()


def curved(rows: Tensor, weight: Tensor) -> Tensor:
    r""":math:`\Phi^\top \mathrm{diag}(w) \Phi` `(P, P)`, in double precision from pieces in single."""
    total = torch.zeros(rows.shape[1], rows.shape[1], dtype=torch.float64)
    for start in range(0, len(rows), ROWS):
        piece = rows[start : start + ROWS]
        total += ((piece * weight[start : start + ROWS, None]).T @ piece).double()
    return total


def shares(patches: int, of: Tensor | None, weights: Tensor | None = None) -> tuple[Tensor, float]:
    """Each patch's share of the defects' weight `(patches,)`, and how many examples that are.

    >>> shares(3, torch.tensor([0, 1, 1]), torch.tensor([1.0, 0.5]))
    (tensor([0.6667, 0.1667, 0.1667]), 1.5)
    """
    if of is None:
        return torch.full((patches,), 1 / patches), 1.0
    numbers, place, count = torch.unique(of, return_inverse=True, return_counts=True)
    own = torch.ones(len(numbers)) if weights is None else weights[numbers].float()
    return (own / (own.sum() * count))[place], float(own.sum() / own.max())
