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
HOT = 2.0
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
    """

    denoiser: Callable[[Tensor], Denoiser]
    low: Tensor
    high: Tensor
    common: Callable[[int, np.random.Generator], Tensor]


@dataclass(frozen=True, eq=False)
class Draw:
    """What is drawn for some rows.

    Attributes:
        rng: Of what each row has of its own.
        cluster: To which cluster each belongs `(B,)`.
        seed: Of what rows of a cluster share.
    """

    rng: np.random.Generator
    cluster: np.ndarray
    seed: int


class TableKind(ABC):
    """A kind of anomaly. Think twice before adding anything here, every kind carries it.

    Attributes:
        place: Where it lies unless something else is said.
        cells: How many cells it takes there, least and most.
        most: The largest amount.
        alone: Whether a row needs cells that stay as they are.
        beyond: Whether numbers that were not observed may come out.
        shared: How many rows share a region, and what else is drawn for all of them.
    """

    place: ClassVar[str]
    cells: ClassVar[tuple[int, int]] = (1, 1)
    most: ClassVar[float]
    alone: ClassVar[bool] = False
    beyond: ClassVar[bool] = False
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
    most = 63.0
    alone = True

    def fill(self, scene: Scene, x: Tensor, region: Tensor, draw: Draw) -> Fill:
        return Hotter(scene.denoiser(~region), HIGH, steps=10, pin=Told)


class Dependency(TableKind):
    """Columns that are normal by themselves, and do not go with each other or the rest any more."""

    place = "columns"
    cells = (2, 3)
    most = 2.0

    def fill(self, scene: Scene, x: Tensor, region: Tensor, draw: Draw) -> Fill:
        d = x.shape[1]
        normal = scene.denoiser(~region)
        apart = Cellwise(torch.zeros(d), torch.ones(d), normal.schedule)
        return Likened(normal, apart, HIGH, steps=10, pin=Told)


class Combination(TableKind):
    """Values that are common, each by itself, and rare together."""

    place = "cells"
    cells = (2, 3)
    most = 1.0

    def fill(self, scene: Scene, x: Tensor, region: Tensor, draw: Draw) -> Fill:
        drawn = scene.common(len(x), draw.rng)
        return Drafted(scene.denoiser(~region), lambda *_: drawn, level=0.1, steps=4, pin=Told)


class Fraud(TableKind):
    """Several rows that are alike in what is odd about them: one centre, drawn hot, and others around it."""

    place = "columns"
    cells = (3, 8)
    most = 2.0
    shared = CLUSTER

    def fill(self, scene: Scene, x: Tensor, region: Tensor, draw: Draw) -> Fill:
        groups, group = np.unique(draw.cluster, return_inverse=True)
        free = torch.ones(1, x.shape[1], dtype=torch.bool)
        hot = Hotter(scene.denoiser(~free), HIGH, steps=10, pin=Told)
        rows = [hot(x[:1], free, torch.full((1,), HOT), draw.seed + int(each)) for each in groups]
        centre = torch.cat(rows)[torch.from_numpy(group)]
        return Drafted(scene.denoiser(~region), lambda *_: centre, level=0.3, steps=6, pin=Told)


class Range(TableKind):
    """Numbers that lie beyond all that were observed."""

    place = "cell"
    most = 16.0
    beyond = True

    def begun(self, scene: Scene, x: Tensor, region: Tensor, draw: Draw) -> Tensor:
        """Just beyond the nearer end or, one time in four, the other."""
        nearer = (scene.high - x).abs() < (scene.low - x).abs()
        over = nearer ^ torch.from_numpy(draw.rng.uniform(size=x.shape) < 0.25)
        return torch.where(region, torch.where(over, scene.high + 0.06, scene.low - 0.06), x)

    def fill(self, scene: Scene, x: Tensor, region: Tensor, draw: Draw) -> Fill:
        return Drafted(scene.denoiser(~region), lambda x, *_: x + x.sign(), level=0.1, steps=4, pin=Told)

    def settled(self, scene: Scene, made: Tensor, begun: Tensor, region: Tensor) -> Tensor:
        out = torch.where(begun > 0, made.maximum(scene.high + 0.06), made.minimum(scene.low - 0.06))
        return torch.where(region, out, made)


class Like(TableKind):
    """The cells of an example on another row, made to fit.

    Args:
        cells: Of the example of each row `(B, d)`, in normal scores.
    """

    place = "examples"
    most = 2.0
    beyond = True

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
