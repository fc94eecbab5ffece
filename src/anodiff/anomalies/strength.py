r"""How strong an anomaly is: its amount a is sought until its score lies where its strength :math:`\lambda` says,

.. math:: \mathrm{score}(x'_a) = s_0 + \lambda \, (s_1 - s_0),

:math:`s_0` the score of the item's own normal draw, a = 0, and :math:`s_1` the score of known anomalies, or the one
that normals reach with a given probability. So a strength means the same for a small region and a large one, and for
items that were odd before. The way from a = 0 need not be monotone: the first crossing counts.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from anodiff.alarms.tail import FEWEST_NORMALS, Tail
from anodiff.types import Misfit, PerItem, Scores

Make = Callable[[Tensor], Tensor]
"""From amounts `(B,)` to items `(B, *event)`: the same anomalies, more or less of them."""

Score = Callable[[Tensor], Tensor]
"""From items `(B, *event)` to `(B,)`; higher is more abnormal."""

DOUBLINGS, HALVINGS = 6, 5
FARTHEST = 1e-4
"""How rarely normals are as abnormal as an anomaly of strength 1, where nothing else is said."""


@dataclass(frozen=True)
class Sought:
    """Items at the strength that was asked for.

    Attributes:
        items: `(B, *event)`.
        amount: `(B,)`.
        score: Of the items `(B,)`.
        target: What the score was to be, `(B,)`.
        reached: Whether it came to that, `(B,)` bool; where not, no amount was enough.
    """

    items: Tensor
    amount: Tensor
    score: Tensor
    target: Tensor
    reached: Tensor


def seek(
    make: Make,
    score: Score,
    strength: PerItem,
    farthest: float,
    most: float,
    doublings: int = DOUBLINGS,
    halvings: int = HALVINGS,
) -> Sought:
    """Items of these strengths: amounts are doubled up to `most`, and the first that is enough is closed in on.

    Args:
        make: From amounts to items.
        score: From items to scores.
        strength: `(B,)`, from 0 to 1.
        farthest: The score at strength 1.
        most: The largest amount.
        doublings: Amounts that are tried before.
        halvings: Of the last interval.
    """
    amount = torch.zeros_like(strength)
    items = make(amount)
    begun = score(items)
    target = begun + strength * (farthest - begun).clamp(min=0)
    found, low, high = begun.clone(), amount.clone(), torch.full_like(amount, most)
    reached = begun >= target
    best = items
    for k in range(doublings + halvings + 1):
        trial = torch.full_like(amount, most * 2.0 ** (k - doublings)) if k <= doublings else (low + high) / 2
        open_ = ~reached if k <= doublings else reached & (found > target)
        if not bool(open_.any()):
            continue
        tried = make(torch.where(open_, trial, amount))
        said = torch.where(open_, score(tried), found)
        enough = open_ & (said >= target)
        taken = enough | (open_ & ~reached) if k <= doublings else enough
        low = torch.where(open_ & ~enough, trial, low)
        high = torch.where(enough, trial, high)
        reached = reached | enough
        amount, found = torch.where(taken, trial, amount), torch.where(taken, said, found)
        best = torch.where(taken.reshape(-1, *[1] * (best.ndim - 1)), tried, best)
    return Sought(best, amount, found, target, reached)


def farthest_of(normals: Scores, p_value: float = FARTHEST, known: Scores | None = None) -> float:
    """The score at strength 1: the median of known anomalies, or the one that normals reach that rarely.

    Args:
        normals: Scores of held-out normals `(n,)`; beyond 1/n their tail is continued.
        p_value: How rarely.
        known: Scores of known anomalies `(k,)`.

    Raises:
        Misfit: the p-value is not between 0 and 1, or the normals are too few.
    """
    if known is not None and len(known):
        return float(torch.as_tensor(known).double().median())
    if not 0 < p_value < 1:
        raise Misfit(f"the p-value of strength 1 lies between 0 and 1; got {p_value:g}. Choose one such as 0.0001.")
    if len(normals) < FEWEST_NORMALS:
        raise Misfit(f"{len(normals)} held-out normals do not say what is far; give at least {FEWEST_NORMALS}.")
    return float(Tail().fit(normals).threshold(p_value))
