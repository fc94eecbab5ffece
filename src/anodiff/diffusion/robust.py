r"""A Gaussian of the half that agrees: the minimum covariance determinant,

.. math:: H_{j+1} = \{ i : \delta_i^2(\mu_{H_j}, C_{H_j}) \text{ among the smallest } h \},

each concentration step fits the rows that lie nearest to the last fit, and no step raises the determinant. Rousseeuw
and Van Driessen, "A Fast Algorithm for the Minimum Covariance Determinant Estimator", 1999, start from many draws; this
starts once, from distances to the columns' medians.
"""

import torch
from torch import Tensor

from anodiff.diffusion.gaussian import Gaussian
from anodiff.diffusion.noise import Schedule
from anodiff.types import Batch

ENOUGH = 5_000


def concentrated(x: Batch, schedule: Schedule, shrinkage: float, trim: float, rounds: int = 30) -> Gaussian:
    """The Gaussian of the `1 - trim` of `x` `(n, *event)` that concentrate; the steps look at 5,000 rows at most."""
    some = x[:: -(-len(x) // ENOUGH)].flatten(1).double()
    kept = _least(_crude(some), trim)
    for _ in range(rounds):
        before, kept = kept, _least(mahalanobis(Gaussian.fit(some[kept], schedule, shrinkage), some), trim)
        if torch.equal(before, kept):
            break
    rough = Gaussian.fit(some[kept], schedule, shrinkage)
    return Gaussian.fit(x[_least(mahalanobis(rough, x.flatten(1).double()), trim)], schedule, shrinkage)


def mahalanobis(gaussian: Gaussian, x: Batch) -> Tensor:
    """Squared Mahalanobis distances `(n,)` of `x` `(n, *event)`."""
    away = x.flatten(1) - gaussian.mean.to(x)
    inside = away @ gaussian.vectors.to(x)
    outside = ((away**2).sum(1) - (inside**2).sum(1)).clamp(min=0)
    return (inside**2 / gaussian.values.to(x)).sum(1) + outside / gaussian.rest.to(x)


def _crude(rows: Tensor) -> Tensor:
    """Mean squared distance to the medians, in median deviations (in standard ones where those are far smaller)."""
    away = rows - rows.median(0).values
    robust, plain = away.abs().median(0).values * 1.4826, rows.std(0)
    spread = torch.where(robust > plain / 10, robust, plain)
    return ((away / torch.where(spread > 0, spread, 1)) ** 2).clamp(max=1e6).mean(1)


def _least(distance: Tensor, trim: float) -> Tensor:
    """Places of the `1 - trim` least distances, in order; at least two."""
    count = max(2, round((1 - trim) * len(distance)))
    return distance.argsort(stable=True)[:count].sort().values
