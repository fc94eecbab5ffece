r"""Imputation: hide a part, predict it from the rest,

.. math:: a(x) = \sum_i \frac{1}{|\{m : i \in H_m\}|} \sum_{m : i \in H_m} \big( x_i - \hat x_i(x_{\bar H_m}) \big)^2 ,

over patterns :math:`H_m` of hidden cells that cover every coordinate. What is far out but fits the rest is normal; what
breaks the rest is not.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from anodiff.diffusion.denoise import Denoiser
from anodiff.diffusion.gaussian import Gaussian
from anodiff.diffusion.grids import Grid, karras
from anodiff.diffusion.guide import Repainted, filled
from anodiff.diffusion.infilling import Given, Told
from anodiff.diffusion.noise import expand
from anodiff.diffusion.sample import DDIM
from anodiff.diffusion.sources import Common, White
from anodiff.scores.base import AnomalyScore, Evidence
from anodiff.scores.levels import ask, geometric, per_item, time_of
from anodiff.scores.patterns import Patterns, RandomMasks, covering
from anodiff.scores.walk import Samplers, cost_of_walk, stops, walked
from anodiff.types import Batch, Mask


class Fill(ABC):
    """A prediction of what is not known. Think twice before adding anything here."""

    @abstractmethod
    def __call__(self, denoiser: Denoiser, x: Batch, known: Mask, **condition: Tensor) -> Batch:
        """x `(B, *event)` with each cell that is not `known` predicted; what stood there is never read."""

    @property
    @abstractmethod
    def nfe(self) -> int:
        """Evaluations per item."""


class Iterated(Fill):
    r"""Noise-free, level by level downwards: :math:`x_H \leftarrow D(x; s)_H`, from 0.

    Where a level is repeated, the fixed point on a Gaussian is the conditional mean under :math:`C + s^2 I`, and the
    error shrinks by :math:`v / (v + s^2)` a step, v the conditional variance: low levels are slow.

    Args:
        levels: In the order in which they are asked, large to small.
    """

    def __init__(self, levels: Sequence[float] = geometric(0.1, 10.0, 8)[::-1]) -> None:
        self.levels = levels

    def __call__(self, denoiser: Denoiser, x: Batch, known: Mask, **condition: Tensor) -> Batch:
        """One evaluation per level."""
        guess = torch.where(known, x, 0)
        for level in self.levels:
            t = time_of(denoiser, level, x).expand(len(x))
            guess = filled(denoiser, guess, known, t, iterations=1, **condition)
        return guess

    @property
    def nfe(self) -> int:
        """One per level."""
        return len(self.levels)


class Sampled(Fill):
    """The mean of a few samples given what is known, `Repainted` (Lugmayr et al., 2022); noise is common to all items.

    Args:
        level: Where the walk starts, from noise.
        steps: Steps of the sampler.
        draws: Samples to average.
        seed: Of the noise.
        sampler: `(denoiser, times, source=, seed=) -> Sampler`.
        grid: Where the sampler stops.
    """

    def __init__(
        self,
        level: float = 10.0,
        steps: int = 8,
        draws: int = 2,
        seed: int = 0,
        sampler: Samplers = DDIM,
        grid: Grid = karras,
    ) -> None:
        self.level = level
        self.steps = steps
        self.draws = draws
        self.seed = seed
        self.sampler = sampler
        self.grid = grid

    def __call__(self, denoiser: Denoiser, x: Batch, known: Mask, **condition: Tensor) -> Batch:
        """One walk per draw."""
        source, generator = Common(White()), torch.Generator().manual_seed(self.seed)
        times, seen = stops(denoiser, self.grid, self.steps, self.level, x), torch.where(known, x, 0)
        total = torch.zeros_like(x)
        for seed in range(self.seed, self.seed + self.draws):
            pinned = Repainted(denoiser, seen, known, source, seed)
            start = denoiser.schedule.perturb(seen, times[0], source(x, generator))
            total += walked(self.sampler(pinned, times, source=source, seed=seed), start, **condition)
        return total / self.draws

    @property
    def nfe(self) -> int:
        """What a walk costs, per draw."""
        return self.draws * cost_of_walk(self.sampler, self.steps)


class Informed(Fill):
    """What a denoiser that takes `known` answers: from no noise, in one evaluation or a few down from the level.

    A Gaussian is told what is known by its closed form: in one evaluation at a high level that is the conditional mean.

    Args:
        level: Where hidden cells are asked for, from 0; high against their spread.
        steps: Evaluations, the first of them there.
    """

    def __init__(self, level: float = 10.0, steps: int = 1) -> None:
        self.level = level
        self.steps = steps

    def __call__(self, denoiser: Denoiser, x: Batch, known: Mask, **condition: Tensor) -> Batch:
        """One evaluation per step."""
        takes = Given(denoiser) if isinstance(denoiser, Gaussian) else denoiser
        seen = torch.where(known, x, 0)
        told = Told(takes, seen, known)
        if self.steps > 1:
            times = stops(denoiser, karras, self.steps - 1, self.level, x)
            return walked(DDIM(told, times), expand(denoiser.schedule.alpha(times[0]), x) * seen, **condition)
        return ask(told, seen, self.level, **condition).mean

    @property
    def nfe(self) -> int:
        """One per step."""
        return self.steps


class Imputation(AnomalyScore):
    """The squared error of hidden cells, given the rest; with `Last` cells hidden, a forecast's.

    Args:
        patterns: What is hidden together; every coordinate at least once; eight random quarters by default.
        fill: How the hidden is predicted; `Iterated()` by default.
    """

    def __init__(self, patterns: Patterns | None = None, fill: Fill | None = None) -> None:
        self.patterns = patterns or RandomMasks()
        self.fill = fill or Iterated()

    def __call__(self, denoiser: Denoiser, x: Batch, **condition: Tensor) -> Evidence:
        """The map is each coordinate's mean error and adds up to the total."""
        hidden, where = covering(self.patterns, x), torch.zeros_like(x)
        for pattern in hidden:
            guess = self.fill(denoiser, x, ~pattern.expand_as(x), **condition)
            where += torch.where(pattern, (x - guess) ** 2, 0)
        where /= hidden.sum(0).clamp(min=1)
        return Evidence(per_item(where), where)

    @property
    def nfe(self) -> int:
        """What one fill costs, per pattern."""
        return self.patterns.count * self.fill.nfe
