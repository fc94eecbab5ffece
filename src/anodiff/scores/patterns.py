r"""Which cells are hidden together: patterns :math:`H_1, \dots, H_n` with :math:`\bigcup_m H_m` the whole item.

A forecast alone hides less: what it is given is never hidden, and it says nothing of that.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from anodiff.types import Batch, Misfit


class Patterns(ABC):
    """Which cells are hidden together; `count` patterns. Think twice before adding anything here."""

    count: int
    whole: ClassVar[bool] = True

    @abstractmethod
    def __call__(self, event: torch.Size) -> Tensor:
        """True where hidden, `(count, *event)`."""


class EachCoordinate(Patterns):
    """One coordinate at a time, of `count` of them."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __call__(self, event: torch.Size) -> Tensor:
        """The identity, in the shape of the event."""
        if event.numel() != self.count:
            raise Misfit(f"EachCoordinate({self.count}) was given items of {event.numel()} coordinates.")
        return torch.eye(self.count, dtype=torch.bool).reshape(self.count, *event)


class Groups(Patterns):
    """Coordinates that belong together, as lists of places in the flattened item."""

    def __init__(self, groups: Sequence[Sequence[int]]) -> None:
        self.groups = groups
        self.count = len(groups)

    def __call__(self, event: torch.Size) -> Tensor:
        """One pattern per group."""
        hidden = torch.zeros(self.count, event.numel(), dtype=torch.bool)
        for row, group in zip(hidden, self.groups, strict=True):
            row[list(group)] = True
        return hidden.reshape(self.count, *event)


class RandomMasks(Patterns):
    """`count` random patterns that hide about `share` of the cells each: slices of permutations laid end to end.

    With an `axis`, -1 for time, all cells of a place on it are hidden together.
    """

    def __init__(self, share: float = 0.25, count: int = 8, seed: int = 0, axis: int | None = None) -> None:
        self.share = share
        self.count = count
        self.seed = seed
        self.axis = axis

    def __call__(self, event: torch.Size) -> Tensor:
        """The same patterns for every item."""
        cells = event.numel() if self.axis is None else event[self.axis]
        generator = torch.Generator().manual_seed(self.seed)
        size = max(1, min(cells - 1, round(self.share * cells)))
        laid = [torch.randperm(cells, generator=generator) for _ in range(self.count * size // cells + 1)]
        chosen = torch.cat(laid)[: self.count * size].reshape(self.count, size)
        hidden = torch.zeros(self.count, cells, dtype=torch.bool).scatter(1, chosen, True)
        return hidden.reshape(self.count, *event) if self.axis is None else across(hidden, event, self.axis)


class Gratings(Patterns):
    """Stripes of `width` along an axis of the item, every `count`-th hidden (Chen et al., "ImDiffusion", 2023)."""

    def __init__(self, width: int = 8, count: int = 2, axis: int = -1) -> None:
        self.width = width
        self.count = count
        self.axis = axis

    def __call__(self, event: torch.Size) -> Tensor:
        """One pattern per phase."""
        stripe = (torch.arange(event[self.axis]) // self.width) % self.count
        return across(stripe == torch.arange(self.count)[:, None], event, self.axis)


class Stretches(Patterns):
    """An axis of the item cut into `count` stretches of about one length, each hidden in turn."""

    def __init__(self, count: int = 4, axis: int = -1) -> None:
        self.count = count
        self.axis = axis

    def __call__(self, event: torch.Size) -> Tensor:
        """One pattern per stretch; of fewer places than stretches, some hide nothing."""
        stretch = torch.arange(event[self.axis]) * self.count // event[self.axis]
        return across(stretch == torch.arange(self.count)[:, None], event, self.axis)


class Boxes(Patterns):
    """Boxes of pixels, all channels alike: of a grid, every `apart`-th along height and width is hidden at once.

    Iqbal et al., "Unsupervised Anomaly Detection in Medical Images Using Masked Diffusion Model", 2023, hide one box at
    a time; of boxes that stand apart, each has its surroundings too. Boxes shrink where an axis would hold fewer than
    `apart`.

    Args:
        size: Pixels a side.
        apart: 2 hides a quarter of the picture at a time.
    """

    def __init__(self, size: int = 16, apart: int = 2) -> None:
        self.size = size
        self.apart = apart
        self.count = apart**2

    def __call__(self, event: torch.Size) -> Tensor:
        """One pattern per place in the grid.

        >>> Boxes(1)(torch.Size([1, 2, 4]))[0].int().tolist()
        [[[1, 0, 1, 0], [0, 0, 0, 0]]]
        """
        if len(event) < 2:
            raise Misfit(f"Boxes need a height and a width; the items have the shape {tuple(event)}.")
        rows, columns = (Gratings(self._side(event[axis]), self.apart, axis)(event) for axis in (-2, -1))
        return (rows[:, None] & columns[None]).flatten(0, 1)

    def _side(self, length: int) -> int:
        return max(1, min(self.size, length // self.apart))


class Last(Patterns):
    """The last `share` of the last axis, at least one place: what is to be forecast from all before."""

    whole = False

    def __init__(self, share: float = 0.25) -> None:
        self.share = share
        self.count = 1

    def __call__(self, event: torch.Size) -> Tensor:
        """One pattern.

        >>> Last(0.5)(torch.Size([1, 4])).int().tolist()
        [[[0, 0, 1, 1]]]
        """
        hidden = math.ceil(self.share * event[-1])
        return across(torch.arange(event[-1])[None] >= event[-1] - max(1, hidden), event, -1)


def across(hidden: Tensor, event: torch.Size, axis: int) -> Tensor:
    """Patterns of the places on an axis `(count, places)` as patterns of items, `(count, *event)`."""
    shape = [1] * len(event)
    shape[axis] = -1
    return hidden.reshape(len(hidden), *shape).expand(len(hidden), *event)


def covering(patterns: Patterns, x: Batch) -> Tensor:
    """The patterns for items like those of x, `(count, *event)`.

    Raises:
        Misfit: If a coordinate is never hidden by patterns that are to hide the whole item.
    """
    hidden = patterns(x.shape[1:]).to(x.device)
    missed = int((~hidden.any(0)).sum())
    if missed and patterns.whole:
        raise Misfit(
            f"{type(patterns).__name__} never hides {missed} of {hidden[0].numel()} coordinates; add patterns."
        )
    return hidden
