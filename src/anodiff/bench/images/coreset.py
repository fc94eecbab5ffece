r"""A coreset: rows each of which is the farthest from all that were taken before it,

.. math:: i_{k+1} = \arg\max_i \min_{j \le k} \|x_i - x_{i_j}\| ,

and the distance to the nearest of them. Roth et al., "Towards Total Recall in Industrial Anomaly Detection", 2022,
choose so on a random projection.

Distances to what was taken only shrink, so of the rows outside a pool of the farthest none comes before those in it
that still exceed the pool's least: many are taken at once, and the order is the greedy one exactly.
"""

import numpy as np
import torch
from torch import Tensor

POOL, BLOCK = 2048, 1024
DIRECTIONS = 128
"""Of the random projection, as published."""


def projected(x: Tensor, seed: int, directions: int = DIRECTIONS) -> Tensor:
    """Rows `(n, C)` on random directions `(n, directions)`; as they are where they have no more coordinates."""
    if x.shape[1] <= directions:
        return x
    onto = torch.randn(x.shape[1], directions, generator=torch.Generator().manual_seed(seed))
    return torch.mm(x, onto / directions**0.5)


def farthest(x: Tensor, count: int, seed: int, pool: int = POOL) -> Tensor:
    """Places of `count` rows of x `(n, d)`, greedily; the first is drawn.

    >>> farthest(torch.tensor([[0.0], [1.0], [9.0], [10.0]]), 3, 0).tolist()
    [3, 0, 1]
    """
    count = min(count, len(x))
    x = x - x.mean(0)
    size = x.square().sum(1)
    taken = [int(np.random.default_rng(seed).integers(len(x)))]
    near = _lowered(torch.full((len(x),), torch.inf), x, size, taken)
    while len(taken) < count:
        values, places = near.topk(min(pool, len(x)))
        new = places[_within(values, x[places], count - len(taken), whole=len(places) == len(x))]
        taken += new.tolist()
        near = _lowered(near, x, size, new.tolist())
    return torch.tensor(taken)


def nearest(x: Tensor, references: Tensor) -> Tensor:
    """Squared distance `(n,)` of each row of x `(n, C)` to the nearest reference `(m, C)`."""
    centre = references.mean(0)
    known, found = references - centre, torch.full((len(x),), torch.inf)
    size = known.square().sum(1)
    for start in range(0, len(x), BLOCK):
        rows = x[start : start + BLOCK] - centre
        best = found[start : start + BLOCK]
        for first in range(0, len(known), BLOCK):
            some = slice(first, first + BLOCK)
            apart = torch.addmm(size[some], rows, known[some].T, alpha=-2).amin(1)
            torch.minimum(best, apart, out=best)
        best += rows.square().sum(1)
    return found.clamp_(min=0)


def _within(values: Tensor, rows: Tensor, count: int, whole: bool) -> list[int]:
    """Greedy places in the pool, until a row outside might come first."""
    least = -1.0 if whole else float(values[-1])
    size = rows.square().sum(1)
    apart = (torch.addmm(size, rows, rows.T, alpha=-2) + size[:, None]).clamp_(min=0).numpy()
    near, found = values.numpy().copy(), list[int]()
    while len(found) < count:
        best = int(near.argmax())
        if found and near[best] < least:
            break
        found.append(best)
        np.minimum(near, apart[best], out=near)
        near[best] = -2.0
    return found


def _lowered(near: Tensor, x: Tensor, size: Tensor, new: list[int]) -> Tensor:
    """Squared distances to what was taken, once `new` is taken too."""
    rows = x[new]
    own = size[new]
    for start in range(0, len(x), BLOCK):
        some = slice(start, start + BLOCK)
        apart = torch.addmm(own, x[some], rows.T, alpha=-2).amin(1) + size[some]
        near[some] = torch.minimum(near[some], apart.clamp_(min=0))
    near[new] = -1.0
    return near
