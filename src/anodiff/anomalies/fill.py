r"""What is put into a region: a walk of the model of normal data, pushed away from normal by an amount a,

.. math:: x' = \begin{cases} x & \text{outside the region, to the bit} \\
                             \text{where a walk from level } s \text{ ends} & \text{inside} \end{cases}

What is around the region is known to the denoiser at every level, so what is put in belongs to it. Fills differ in
where the walk starts and in what guides it. At a = 0 each is a draw of what is normal there, and the noise of a walk
depends on the seed alone: of the same seed, two amounts are two strengths of the same anomaly.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor

from anodiff.diffusion.denoise import Denoiser
from anodiff.diffusion.grids import log_snr
from anodiff.diffusion.guide import Between, Repainted, Tempered
from anodiff.diffusion.infilling import Told
from anodiff.diffusion.noise import expand
from anodiff.diffusion.sample import DDIM
from anodiff.diffusion.sources import NoiseSource, White
from anodiff.types import Batch, Mask, Misfit, PerItem

Pin = Callable[[Denoiser, Tensor, Tensor], Denoiser]
"""`(denoiser, observed, known) -> denoiser` that keeps to what is known: `Repainted`, or `Told` for networks that were
trained with holes."""

Sketch = Callable[[Tensor, Tensor, torch.Generator], Tensor]
"""`(x (B, *event), region (B, *event), generator) -> (B, *event)`: what the region is roughly to look like."""

LAST = 0.02
"""The level at which a walk ends with the posterior mean."""


class Fill(ABC):
    """What is put into a region. Think twice before adding anything here, every fill carries it.

    Args:
        denoiser: Of normal data.
        level: Where the walk starts; high above the data's spread, and what was in the region is forgotten.
        steps: Of the walk.
        pin: How the denoiser is told what is around the region.
        source: Of the noise.
        eta: 0 walks without noise, 1 draws fresh noise at each step.
    """

    def __init__(
        self,
        denoiser: Denoiser,
        level: float,
        steps: int = 20,
        pin: Pin = Repainted,
        source: NoiseSource | None = None,
        eta: float = 0.0,
    ) -> None:
        self.denoiser = denoiser
        self.level = level
        self.steps = steps
        self.pin = pin
        self.source = source or White()
        self.eta = eta

    def guided(self, amount: PerItem) -> Denoiser:
        """What guides the walk at these amounts `(B,)`; by default what is normal."""
        return self.denoiser

    @abstractmethod
    def start(self, x: Batch, region: Mask, amount: PerItem, generator: torch.Generator) -> Batch:
        """What the walk starts from, before it is noised, `(B, *event)`; read inside the region only."""

    @property
    def nfe(self) -> int:
        """Evaluations of a denoiser per item."""
        return (self.steps + 1) * self.guided(torch.zeros(1)).cost

    @torch.no_grad()
    def __call__(self, x: Batch, region: Mask, amount: PerItem, seed: int = 0, **condition: Tensor) -> Batch:
        """Items with something else in their regions.

        Args:
            x: What is there, `(B, *event)`.
            region: Where it is to change, `(B, *event)`.
            amount: How far from normal, `(B,)`, 0 or more.
            seed: Of all noise.
            condition: What the denoiser may know besides.

        Raises:
            Misfit: region and x differ in shape, or an amount is negative.
        """
        if region.shape != x.shape:
            raise Misfit(f"a region is shaped like its item, {tuple(x.shape)}; it was given {tuple(region.shape)}.")
        if bool((amount < 0).any()):
            raise Misfit(f"an amount is 0 or more; it was given {float(amount.min()):g}.")
        generator = torch.Generator().manual_seed(seed)
        schedule = self.denoiser.schedule
        begin, end = (float(schedule.time(torch.tensor(s, dtype=torch.float64))) for s in (self.level, LAST))
        times = log_snr(schedule, self.steps, begin, end)
        begun = torch.where(region, self.start(x, region, amount, generator), x)
        state = schedule.perturb(begun, times[0], self.source(x, generator))
        guided = self.pin(self.guided(amount), x, ~region)
        state = DDIM(guided, times, eta=self.eta, source=self.source, seed=seed)(state, **condition)
        ended = guided(state, times[-1].expand(len(x)), **condition).mean
        return torch.where(region, ended.to(x), x)


class Hotter(Fill):
    """A draw from the tempered density given the rest, at the temperature 1 + a: normal at 0, anything far off."""

    def guided(self, amount: PerItem) -> Denoiser:
        return Tempered(self.denoiser, 1 + amount)

    def start(self, x: Batch, region: Mask, amount: PerItem, generator: torch.Generator) -> Batch:
        return torch.zeros_like(x)


class Drafted(Fill):
    """A sketch, made real: drawn over what is normal, by a times the way to it, noised a little and walked back.

    Meng et al., "SDEdit: Guided Image Synthesis and Editing with Stochastic Differential Equations", 2022. High levels
    believe the model more, low ones the sketch.

    Args:
        denoiser: Of normal data.
        sketch: What the region is to look like at a = 1.
        level: Where the walk starts.
        steps: Of the walk.
        pin: How the denoiser is told what is around the region.
        source: Of the noise.
        eta: See `Fill`.
    """

    def __init__(
        self,
        denoiser: Denoiser,
        sketch: Sketch,
        level: float = 0.3,
        steps: int = 8,
        pin: Pin = Repainted,
        source: NoiseSource | None = None,
        eta: float = 0.0,
    ) -> None:
        super().__init__(denoiser, level, steps, pin, source, eta)
        self.sketch = sketch

    def start(self, x: Batch, region: Mask, amount: PerItem, generator: torch.Generator) -> Batch:
        return x + expand(amount, x) * (self.sketch(x, region, generator) - x)


class Likened(Fill):
    """What a denoiser of known anomalies would put there, in a measure: normal at a = 0, as known ones at 1.

    Args:
        denoiser: Of normal data.
        known: Of known anomalies, of the same schedule.
        level: Where the walk starts.
        steps: Of the walk.
        pin: How the denoisers are told what is around the region.
        source: Of the noise.
        eta: See `Fill`.
    """

    def __init__(
        self,
        denoiser: Denoiser,
        known: Denoiser,
        level: float,
        steps: int = 20,
        pin: Pin = Repainted,
        source: NoiseSource | None = None,
        eta: float = 0.0,
    ) -> None:
        super().__init__(denoiser, level, steps, pin, source, eta)
        self.known = known

    def guided(self, amount: PerItem) -> Denoiser:
        return Between(self.denoiser, self.known, amount)

    def start(self, x: Batch, region: Mask, amount: PerItem, generator: torch.Generator) -> Batch:
        return torch.zeros_like(x)


PINS: dict[str, Pin] = {"repainted": Repainted, "told": Told}
