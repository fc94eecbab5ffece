r"""Kinds of anomalies of tables, each a guidance or a sketch that the model of rows makes real inside a region R,

.. math:: u'_R \sim p_a(u_R \mid u_K) , \qquad K \text{ all other cells.}

`Cell` makes the density hotter; `Dependency` goes from what is normal given the rest to what each column is by itself,
which is standard normal in normal scores, and beyond; the others are sketches: common values drawn apart
(`Combination`), one centre for several rows (`Fraud`), what is beyond the ends of a column (`Range`), the cells of an
example (`Like`).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from anodiff.anomalies.fill import Drafted, Fill, Hotter, Likened
from anodiff.diffusion.denoise import Denoiser
from anodiff.diffusion.infilling import Cellwise, Told

HIGH = 8.0
"""A level at which what was in a region is forgotten, in standard deviations of a column."""
DRAWS = 5
"""Combinations of common values among which one is chosen, and values of each cell."""
BEYOND = 0.06
"""How far beyond the end of a column a number begins to be out of its range, in standard deviations."""
INSIDE = 2
"""Turns after which a number need not be out of its range to be far out."""
MANY = 21
"""A column of fewer different numbers is one of choices, which only the kinds about numbers leave."""
HOT = 0.5
"""How hot the centre of a cluster is drawn."""
CLUSTER = 8
"""Rows that are alike, of a cluster."""


@dataclass(frozen=True, eq=False)
class Scene:
    """What kinds are made of.

    Attributes:
        denoiser: Of normal rows `(B, d)` in normal scores, given what is `known` `(B, d)`.
        low: Coordinates of the least values `(d,)`.
        high: Of the largest.
        common: Draws n rows of values that are common, each by itself, `(n, d)`.
        nearest: Of several rows that could be each row, `(m, B, d)`, the one that is about as abnormal as it is to be.
    """

    denoiser: Callable[[Tensor], Denoiser]
    low: Tensor
    high: Tensor
    common: Callable[[int, np.random.Generator], Tensor]
    nearest: Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Draw:
    """What is drawn for some rows.

    Attributes:
        rng: Of what each row has of its own.
        cluster: To which cluster each belongs `(B,)`.
        seed: Of what rows of a cluster share.
        turn: How often these rows were drawn before.
    """

    rng: np.random.Generator
    cluster: np.ndarray
    seed: int
    turn: int = 0


class Gathered(Fill):
    """Rows around a centre: on the way to it up to a = 1, then all at a times the centre, noised and walked back.

    Args:
        denoiser: Of normal rows.
        centre: Of each row `(B, d)`.
    """

    def __init__(self, denoiser: Denoiser, centre: Tensor) -> None:
        super().__init__(denoiser, level=0.3, steps=6, pin=Told)
        self.centre = centre

    def start(self, x: Tensor, region: Tensor, amount: Tensor, generator: torch.Generator) -> Tensor:
        a = amount[:, None].to(x)
        return torch.where(a < 1, x + a * (self.centre - x), a * self.centre)


class TableKind(ABC):
    """A kind of anomaly. Think twice before adding anything here, every kind carries it.

    Attributes:
        place: Where it lies unless something else is said.
        cells: How many cells it takes there, least and most.
        most: The largest amount.
        doublings: How often amounts are doubled to come there.
        alone: Whether a row needs cells that stay as they are.
        beyond: How many different numbers a column needs, for numbers beyond them to come out; None for never.
        shared: How many rows share a region, and what else is drawn for all of them.
    """

    place: ClassVar[str]
    cells: ClassVar[tuple[int, int]] = (1, 1)
    most: ClassVar[float]
    doublings: ClassVar[int] = 3
    alone: ClassVar[bool] = False
    beyond: ClassVar[int | None] = None
    shared: ClassVar[int] = 1

    @abstractmethod
    def fill(self, scene: Scene, x: Tensor, region: Tensor, draw: Draw) -> Fill:
        """What fills regions of rows `x` `(B, d)`."""

    def begun(self, scene: Scene, x: Tensor, region: Tensor, draw: Draw) -> Tensor:
        """Rows that amounts count from, `(B, d)`; the given ones unless a kind says otherwise."""
        return x

    def settled(self, scene: Scene, made: Tensor, begun: Tensor, region: Tensor) -> Tensor:
        """What was made, kept to what the kind is."""
        return made


class Cell(TableKind):
    """Cells that are unlikely given the others."""

    place = "cell"
    most = 255.0
    doublings = 7
    alone = True
    beyond = MANY

    def fill(self, scene: Scene, x: Tensor, region: Tensor, draw: Draw) -> Fill:
        return Hotter(scene.denoiser(~region), HIGH, steps=8, pin=Told)


class Dependency(TableKind):
    """Columns that are normal by themselves, and do not go with each other or the rest any more."""

    place = "columns"
    cells = (2, 3)
    most = 2.0

    def fill(self, scene: Scene, x: Tensor, region: Tensor, draw: Draw) -> Fill:
        d = x.shape[1]
        normal = scene.denoiser(~region)
        apart = Cellwise(torch.zeros(d), torch.ones(d), normal.schedule)
        return Likened(normal, apart, HIGH, steps=8, pin=Told)


class Combination(TableKind):
    """Values that are common, each by itself, and rare together: of several draws those that are about rare enough."""

    place = "columns"
    cells = (2, 3)
    most = 1.0

    def fill(self, scene: Scene, x: Tensor, region: Tensor, draw: Draw) -> Fill:
        drawn = scene.nearest(torch.stack([scene.common(len(x), draw.rng) for _ in range(DRAWS)]).where(region, x))
        number = region.cumsum(1).masked_fill(~region, 0)
        for cell in range(1, int(number.max()) + 1):
            others = torch.stack([scene.common(len(x), draw.rng) for _ in range(DRAWS)])
            drawn = scene.nearest(torch.cat([drawn[None], others.where(number == cell, drawn)]))
        return Drafted(scene.denoiser(~region), lambda *_: drawn, level=0.1, steps=4, pin=Told)


class Fraud(TableKind):
    """Several rows that are alike in what is odd about them: one centre, drawn hot, and others around it."""

    place = "columns"
    cells = (3, 8)
    most = 4.0
    beyond = MANY
    shared = CLUSTER

    def fill(self, scene: Scene, x: Tensor, region: Tensor, draw: Draw) -> Fill:
        groups, group = np.unique(draw.cluster, return_inverse=True)
        free = torch.ones(1, x.shape[1], dtype=torch.bool)
        hot = Hotter(scene.denoiser(~free), HIGH, steps=8, pin=Told)
        rows = [hot(x[:1], free, torch.full((1,), HOT), draw.seed + int(each)) for each in groups]
        centre = torch.cat(rows)[torch.from_numpy(group)]
        return Gathered(scene.denoiser(~region), centre)


class Range(TableKind):
    """Numbers that lie beyond all that were observed; far out among them, where just beyond is too far already."""

    place = "cell"
    most = 16.0
    beyond = 3

    def begun(self, scene: Scene, x: Tensor, region: Tensor, draw: Draw) -> Tensor:
        """Just beyond the nearer end or, one time in four, the other; after some turns from where they are."""
        if draw.turn >= INSIDE:
            return x
        nearer = (scene.high - x).abs() < (scene.low - x).abs()
        over = nearer ^ torch.from_numpy(draw.rng.uniform(size=x.shape) < 0.25)
        return torch.where(region, torch.where(over, scene.high + BEYOND, scene.low - BEYOND), x)

    def fill(self, scene: Scene, x: Tensor, region: Tensor, draw: Draw) -> Fill:
        return Drafted(scene.denoiser(~region), lambda x, *_: x + x.sign(), level=0.1, steps=4, pin=Told)

    def settled(self, scene: Scene, made: Tensor, begun: Tensor, region: Tensor) -> Tensor:
        out = torch.where(begun > scene.high, made.maximum(scene.high + BEYOND), made)
        out = torch.where(begun < scene.low, out.minimum(scene.low - BEYOND), out)
        return torch.where(region, out, made)


class Like(TableKind):
    """The cells of an example on another row, made to fit.

    Args:
        cells: Of the example of each row `(B, d)`, in normal scores.
    """

    place = "examples"
    most = 2.0
    beyond = 3

    def __init__(self, of: Tensor) -> None:
        self.of = of

    def fill(self, scene: Scene, x: Tensor, region: Tensor, draw: Draw) -> Fill:
        return Drafted(scene.denoiser(~region), lambda *_: self.of, level=0.3, steps=6, pin=Told)


KINDS: dict[str, TableKind] = {
    "cell": Cell(),
    "dependency": Dependency(),
    "fraud": Fraud(),
    "range": Range(),
    "combination": Combination(),
}
