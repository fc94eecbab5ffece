r"""A light head on patch features, from a handful of known defects: the log-odds that a patch z is of a defect,

.. math:: f(z) = b + u^\top W (z - \mu) + \sum_j v_j e^{-\| W (z - \mu) - a_j \|^2 / 2 h^2}, \qquad
          \min_{b, u, v} \; \tfrac12 \overline{\ell}_\text{normal} + \tfrac12 \overline{\ell}_\text{defect}
          + \tfrac{\lambda}{2 n} \big( \|u\|^2 + \|v\|^2 \big),

with W whitening the normal patches, anchors :math:`a_j` among the defects' patches, and n known defects, each of the
same weight. Both classes weigh the same, so f is 0 where they are equally likely. The fewer the examples the stiffer
the head: with one, u points from the normal mean to the defect's, which is Fisher's discriminant.

A head knows only what it was shown: `anodiff.scores.fewshot` says which patches to show it, and how loudly to hear it.
"""

from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from anodiff.types import JSON, Misfit

ROWS = 8192


class PatchHead(nn.Module):
    """Logistic regression on whitened patches and on their likeness to known ones, by Newton's method.

    Args:
        channels: C of the features.
        anchors: At most so many patches of defects that likeness is measured to; 0 for a linear head.
        penalty: The lambda, for one example.
        shrinkage: Part of the normals' correlations that is replaced by the identity.
        most: At most so many normal patches are fitted on, drawn at random; all are searched for hard ones.
        hard: Part of the normal patches, those that a first fit takes most for defects, that get half of the normals'
            weight in a second; 0 for one fit.
    """

    mean: Tensor
    whiten: Tensor
    anchor: Tensor
    width: Tensor
    weight: Tensor

    def __init__(
        self,
        channels: int,
        anchors: int = 16,
        penalty: float = 1.0,
        shrinkage: float = 0.05,
        most: int = 50_000,
        hard: float = 0.02,
    ) -> None:
        super().__init__()
        self.channels = channels
        self.anchors = anchors
        self.penalty = penalty
        self.shrinkage = shrinkage
        self.most = most
        self.hard = hard
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("whiten", torch.eye(channels))
        self.register_buffer("anchor", torch.zeros(anchors, channels))
        self.register_buffer("width", torch.ones(()))
        self.register_buffer("weight", torch.zeros(channels + anchors + 1))

    def config(self) -> JSON:
        """What `PatchHead(**config)` needs, for a state to be laid into."""
        names = ("channels", "anchors", "penalty", "shrinkage", "most", "hard")
        return {name: getattr(self, name) for name in names}

    def fit(self, normal: Tensor, defect: Tensor, seed: int = 0, of: Tensor | None = None) -> Self:
        """Learn from patches of normal pictures `(N, C)` and of known defects `(M, C)`.

        Args:
            normal: Patches, as many as there are.
            defect: Patches, at least one.
            seed: Of the draw of normals and of the anchors.
            of: Which example each patch of a defect is from, `(M,)`; one example where not given.

        Raises:
            Misfit: there are fewer than two normal patches or no patch of a defect, or they have other channels.
        """
        self._check(normal, defect)
        generator = torch.Generator().manual_seed(seed)
        defect, few = defect.float(), normal[torch.randperm(len(normal), generator=generator)[: self.most]].float()
        self.mean, self.whiten = whitening(few, self.shrinkage)
        self._anchor(few, defect, generator)
        self.weight = torch.zeros_like(self.weight)
        return self._learn(normal, few, defect, of)

    def left_out(self, normal: Tensor, defect: Tensor, of: Tensor, seed: int = 0) -> Tensor:
        """Log-odds of each patch of a defect `(M, C)` by a head that was not shown its example, `(M,)`.

        Args:
            normal: As in `fit`.
            defect: As in `fit`.
            of: Which example each patch is from, `(M,)`; at least two examples.
            seed: As in `fit`.
        """
        if len(torch.unique(of)) < 2:
            raise Misfit("leaving one example out needs at least two; without, trust a head by its prior.")
        odds = torch.zeros(len(defect))
        for example in torch.unique(of):
            other = of != example
            apart = PatchHead(**self.config()).fit(normal, defect[other], seed, of[other])
            odds[~other] = apart.odds(defect[~other])
        return odds

    def odds(self, rows: Tensor) -> Tensor:
        """Log-odds of patches `(n, C)`, `(n,)`."""
        pieces = rows.split(ROWS)  # type: ignore[no-untyped-call]
        return torch.cat([self._lifted(piece.float()) @ self.weight for piece in pieces])

    def logit(self, x: Tensor) -> Tensor:
        """Log-odds of every patch of features `(B, C, h, w)`, `(B, h, w)`."""
        odds = self.odds(x.movedim(1, 3).flatten(0, 2))
        return odds.reshape(len(x), *x.shape[2:]).to(x.dtype)

    def _check(self, normal: Tensor, defect: Tensor) -> None:
        if normal.ndim != 2 or defect.ndim != 2 or {normal.shape[1], defect.shape[1]} != {self.channels}:
            shapes = f"{tuple(normal.shape)} and {tuple(defect.shape)}"
            raise Misfit(f"a head of {self.channels} channels takes patches (n, {self.channels}); got {shapes}.")
        if len(normal) < 2 or not len(defect):
            raise Misfit(f"a head needs normal and defect patches; got {len(normal)} and {len(defect)}.")

    def _anchor(self, normal: Tensor, defect: Tensor, generator: torch.Generator) -> None:
        """Anchors spread over the defects; their width is half the typical distance of a normal patch to them."""
        if not self.anchors:
            return
        rows = self._white(defect)
        self.anchor = rows[farthest(rows, self.anchors)]
        some = self._white(normal[torch.randperm(len(normal), generator=generator)[:1000]])
        self.width = torch.cdist(some, self.anchor).median().clamp(min=1e-6) / 2

    def _learn(self, normal: Tensor, few: Tensor, defect: Tensor, of: Tensor | None) -> Self:
        per, examples = shares(len(defect), of)
        rows = torch.cat([few, defect])
        sign = torch.cat([-torch.ones(len(few)), torch.ones(len(defect))])
        share = torch.cat([torch.full((len(few),), 0.5 / len(few)), 0.5 * per])
        self._newton(rows, sign, share, examples)
        count = round(self.hard * len(normal))
        if count:
            hardest = normal[self.odds(normal).topk(count).indices].float()
            rows = torch.cat([hardest, rows])
            sign = torch.cat([-torch.ones(count), sign])
            share = torch.cat([torch.full((count,), 0.25 / count), torch.where(sign[count:] < 0, share / 2, share)])
            self._newton(rows, sign, share, examples)
        return self

    def _newton(self, rows: Tensor, sign: Tensor, share: Tensor, examples: int, steps: int = 30) -> None:
        """Newton's method on the weights, halving a step that does not descend."""
        lifted = self._lifted(rows)
        ridge = torch.full((len(self.weight),), self.penalty / examples, dtype=torch.float64)
        ridge[-1] = 1e-6
        weight = self.weight.double()

        def cost(w: Tensor) -> Tensor:
            return (share * softplus(-sign * (lifted @ w.float()))).double().sum() + (ridge * w**2).sum() / 2

        now = cost(weight)
        for _ in range(steps):
            p = torch.sigmoid(-sign * (lifted @ weight.float()))
            slope = ridge * weight - (lifted.T @ (share * sign * p)).double()
            curvature = curved(lifted, share * p * (1 - p)) + torch.diag(ridge)
            step = torch.linalg.solve(curvature, slope)
            stride = 1.0
            while stride > 1e-3 and cost(weight - stride * step) > now:
                stride /= 2
            weight = weight - stride * step
            before, now = now, cost(weight)
            if before - now < 1e-7:
                break
        self.weight = weight.float()

    def _white(self, rows: Tensor) -> Tensor:
        return (rows - self.mean) @ self.whiten

    def _lifted(self, rows: Tensor) -> Tensor:
        """What the head is linear in, `(n, C + anchors + 1)`."""
        white = self._white(rows)
        near = torch.exp(-0.5 * (torch.cdist(white, self.anchor) / self.width) ** 2)
        return torch.cat([white, near, torch.ones_like(white[:, :1])], 1)


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


def curved(lifted: Tensor, weight: Tensor) -> Tensor:
    r""":math:`\Phi^\top \mathrm{diag}(w) \Phi` `(P, P)`, in double precision from pieces in single."""
    total = torch.zeros(lifted.shape[1], lifted.shape[1], dtype=torch.float64)
    for start in range(0, len(lifted), ROWS):
        piece = lifted[start : start + ROWS]
        total += ((piece * weight[start : start + ROWS, None]).T @ piece).double()
    return total


def farthest(rows: Tensor, count: int) -> Tensor:
    """Places of `count` of the rows `(n, d)`, each the farthest from those before it; repeated if there are fewer."""
    chosen = [int((rows - rows.mean(0)).square().sum(1).argmin())]
    distance = (rows - rows[chosen[0]]).square().sum(1)
    while len(chosen) < min(count, len(rows)):
        chosen.append(int(distance.argmax()))
        distance = torch.minimum(distance, (rows - rows[chosen[-1]]).square().sum(1))
    return torch.tensor(chosen)[torch.arange(count) % len(chosen)]


def shares(patches: int, of: Tensor | None) -> tuple[Tensor, int]:
    """Each patch's share of the defects' weight `(patches,)`, the same for each example, and how many examples."""
    if of is None:
        return torch.full((patches,), 1 / patches), 1
    _, place, count = torch.unique(of, return_inverse=True, return_counts=True)
    return (1 / (len(count) * count))[place], len(count)
