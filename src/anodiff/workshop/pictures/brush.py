r"""Anomalies painted into pictures at a strength: cutouts are filled, laid back, and looked at until they are as odd as
they are to be,

.. math:: x'_a = \mathrm{laid}\big(x, \mathrm{fill}_a(\mathrm{cut}(x))\big), \qquad
          \max_{p \in R} a_p(x'_a) = s_0 + \lambda (s_1 - s_0)

(`anomalies.strength`). The look is at the whole picture: it is judged there too.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from anodiff.anomalies.cutouts import Cutout, cut, cut_region, cutout, laid
from anodiff.anomalies.fill import Drafted, Fill, Hotter, Likened, Sketch
from anodiff.anomalies.strength import seek
from anodiff.diffusion.denoise import Denoiser
from anodiff.diffusion.infilling import Told
from anodiff.types import Mask
from anodiff.workshop.pictures.coded import Code, Coded
from anodiff.workshop.pictures.painted import BETWEEN

LEVEL, STEPS, FEW = BETWEEN[1], 16, 8
DOUBLINGS, HALVINGS = 4, 3
"""Amounts that are tried: pictures cost more to make than rows."""
HOTTEST, FURTHEST, MOST_ALIKE = 16.0, 2.0, 2.0
"""The largest amounts: of heat, of the way to a sketch, and of the way to known anomalies."""
TOGETHER = 16
"""Pictures that are painted at once."""

Odd = Callable[[Tensor, Mask], Tensor]
"""How odd pictures `(B, C, S, S)` are in their regions `(B, S, S)`, `(B,)`."""
Way = tuple[Fill | Coded, float]
"""A fill and its largest amount."""
Ways = Callable[[list[int]], Way]
"""Of items, by their numbers."""


@dataclass
class Painted:
    """Pictures with something else in their regions.

    Attributes:
        x: `(n, C, S, S)`.
        amount: `(n,)`.
        score: How odd the regions are now, `(n,)`.
        target: How odd they were to be, `(n,)`.
        nfe: Evaluations of a denoiser in all, of one cutout each.
    """

    x: Tensor
    amount: Tensor
    score: Tensor
    target: Tensor
    nfe: int = 0

    @classmethod
    def blank(cls, x: Tensor) -> "Painted":
        """Pictures on which nothing was painted yet."""
        zero = torch.zeros(len(x), dtype=torch.float64)
        return cls(x.clone(), zero.clone(), zero.clone(), zero.clone())

    def put(self, at: list[int], part: "Painted") -> None:
        """Some of them, by their numbers."""
        self.x[at] = part.x
        self.amount[at], self.score[at], self.target[at] = part.amount, part.score, part.target
        self.nfe += part.nfe


def unlikely(painter: Denoiser, code: Code | None = None) -> Way:
    """What is normal for nothing in particular, only ever less likely; where there is a code, in it."""
    fill = Hotter(painter, LEVEL, STEPS, Told)
    return (fill if code is None else Coded(fill, code)), HOTTEST


def sketched(painter: Denoiser, sketch: Sketch, level: float) -> Way:
    """A sketch, drawn over by the painter."""
    return Drafted(painter, sketch, level, FEW, Told), FURTHEST


def likened(painter: Denoiser, known: Denoiser) -> Way:
    """What a painter of known anomalies puts there."""
    return Likened(painter, known, LEVEL, STEPS, Told, eta=1.0), MOST_ALIKE


def painted(
    x: Tensor, region: Mask, ways: Ways, odd: Odd, strength: Tensor, farthest: float, crop: int, seed: int
) -> Painted:
    """Pictures of which each has an anomaly of its strength in its region.

    Args:
        x: Normal pictures `(n, C, S, S)`.
        region: Where, `(n, S, S)`.
        ways: What is put there.
        odd: How odd that is.
        strength: `(n,)`; 0 is a draw of what is normal.
        farthest: How odd strength 1 is.
        crop: Pixels a side of what the painter learnt from.
        seed: Of all noise.
    """
    cutouts = [cutout(one, crop) for one in region]
    found = Painted.blank(x)
    for batch in alike(cutouts):
        here, mine = region[batch], [cutouts[i] for i in batch]
        found.put(batch, _batch(x[batch], here, mine, ways(batch), odd, strength[batch], farthest, seed + batch[0]))
    return found


def alike(cutouts: list[Cutout]) -> list[list[int]]:
    """Numbers of cutouts of one size, a few together."""
    sizes = sorted({(each.side, each.painted) for each in cutouts})
    groups = [[i for i, each in enumerate(cutouts) if (each.side, each.painted) == size] for size in sizes]
    return [group[k : k + TOGETHER] for group in groups for k in range(0, len(group), TOGETHER)]


def _batch(
    x: Tensor,
    region: Mask,
    cutouts: list[Cutout],
    way: Way,
    odd: Odd,
    strength: Tensor,
    farthest: float,
    seed: int,
) -> Painted:
    fill, most = way
    before = cut(x, cutouts)
    hidden = cut_region(region, cutouts)[:, None].expand(before.shape)
    spent = 0

    def make(amount: Tensor) -> Tensor:
        nonlocal spent
        spent += fill.nfe * len(x)
        after = fill(before, hidden, amount.float(), seed).clamp(-1, 1)
        return laid(x, region, cutouts, before, after)

    def score(made: Tensor) -> Tensor:
        return odd(made, region).double()

    if not bool((strength > 0).any()):
        made = make(strength)
        said = score(made)
        return Painted(made, strength.double(), said, said, spent)
    sought = seek(make, score, strength.double(), farthest, most, DOUBLINGS, HALVINGS)
    return Painted(sought.items, sought.amount, sought.score, sought.target, spent)
