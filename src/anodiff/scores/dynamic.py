r"""Dynamic noise: how far x is taken back depends on how far it seems to be from normal,

.. math:: a(x) = d\big(x, \hat x_{k(x)}\big), \qquad
          k(x) = \#\big\{ m : q\big( d(x, D(\alpha x; s_0)) \big) > c_m \big\},

from a first estimate q, a high quantile over the cells of a one-step residual, held against marks :math:`c_m` from
held-out normals. Slight anomalies are met at low levels, where details survive, large ones at high levels, where they
do not. The walk starts from the scaled x, without noise.

Tebbe and Tayyub, "Dynamic Addition of Noise in a Diffusion Model for Anomaly Detection", 2024, whose walk is guided.
"""

from collections.abc import Sequence
from copy import copy

import numpy as np
import torch
from torch import Tensor

from anodiff.diffusion.denoise import Denoiser
from anodiff.diffusion.grids import Grid, karras
from anodiff.diffusion.sample import DDIM
from anodiff.scores.base import AnomalyScore, Evidence
from anodiff.scores.guided import Guided
from anodiff.scores.levels import ask, geometric, per_item
from anodiff.scores.planes import quantile_of_each
from anodiff.scores.reconstruction import Distance, squared
from anodiff.scores.walk import Samplers, cost_of_walk
from anodiff.types import Batch, Index, Misfit, PerItem


class Dynamic(AnomalyScore):
    """A guided reconstruction from a start level of each item's own; items of one level walk together.

    Args:
        levels: Start levels, increasing, each above 0.02.
        marks: One fewer than levels, increasing: an estimate above the k-th takes the level after the k-th. `fit` finds
            them.
        weight: Of the guidance; 0 for none.
        first: The level of the first estimate.
        share: The quantile of the first residual's cells that is the estimate.
        steps: Steps of the sampler.
        distance: Per coordinate, `(B, *event), (B, *event) -> (B, *event)`.
        sampler: `(denoiser, times, source=, seed=) -> Sampler`.
        grid: Where the sampler stops.
    """

    def __init__(
        self,
        levels: Sequence[float] = geometric(0.3, 2.4, 4),
        marks: Sequence[float] | None = None,
        weight: float = 0.0,
        first: float = 0.5,
        share: float = 0.99,
        steps: int = 4,
        distance: Distance = squared,
        sampler: Samplers = DDIM,
        grid: Grid = karras,
    ) -> None:
        self.levels = levels
        self.marks = marks
        self.weight = weight
        self.first = first
        self.share = share
        self.steps = steps
        self.distance = distance
        self.sampler = sampler
        self.grid = grid

    def fit(self, denoiser: Denoiser, x: Batch, **condition: Tensor) -> "Dynamic":
        """The same with marks from held-out normals `(n, *event)`: each level is the start of as many of them."""
        found = self.estimate(denoiser, x, **condition).double().cpu().numpy()
        twin = copy(self)
        twin.marks = np.quantile(found, np.arange(1, len(self.levels)) / len(self.levels)).tolist()
        return twin

    def estimate(self, denoiser: Denoiser, x: Batch, **condition: Tensor) -> PerItem:
        """How far from normal each item seems to be, by one evaluation."""
        residual = self.distance(x, ask(denoiser, x, self.first, **condition).mean)
        return quantile_of_each(residual, self.share).flatten()

    def chosen(self, denoiser: Denoiser, x: Batch, **condition: Tensor) -> Index:
        """The place of each item's start level, `(B,)`.

        Raises:
            Misfit: there are no marks, or as many as levels.
        """
        if self.marks is None:
            raise Misfit("this Dynamic has no marks yet; call fit(denoiser, x) on held-out normals.")
        if len(self.marks) != len(self.levels) - 1:
            raise Misfit(f"{len(self.levels)} levels take {len(self.levels) - 1} marks; got {len(self.marks)}.")
        marks = torch.as_tensor(self.marks, dtype=x.dtype, device=x.device)
        return torch.bucketize(self.estimate(denoiser, x, **condition), marks)

    def __call__(self, denoiser: Denoiser, x: Batch, **condition: Tensor) -> Evidence:
        """The map is the distance of each coordinate and adds up to the total."""
        chosen, where = self.chosen(denoiser, x, **condition), torch.zeros_like(x)
        for k, level in enumerate(self.levels):
            rows = (chosen == k).nonzero().flatten()
            if len(rows):
                theirs = {name: value[rows] for name, value in condition.items()}
                where[rows] = self._from(level)(denoiser, x[rows], **theirs).map
        return Evidence(per_item(where), where)

    def _from(self, level: float) -> Guided:
        return Guided(
            self.weight,
            (level,),
            self.steps,
            noisy=False,
            distance=self.distance,
            sampler=self.sampler,
            grid=self.grid,
        )

    @property
    def nfe(self) -> int:
        """What a walk costs, and one for the estimate."""
        return 1 + cost_of_walk(self.sampler, self.steps)
