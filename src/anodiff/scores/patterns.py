r"""Which cells are hidden together: patterns :math:`H_1, \dots, H_n` with :math:`\bigcup_m H_m` the whole item."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from anodiff.types import Batch, Misfit


class Patterns(ABC):
    """Which cells are hidden together; `count` patterns. Think twice before adding anything here."""

    count: int

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
    """`count` random patterns that hide about `share` of the cells each: slices of permutations laid end to end."""

    def __init__(self, share: float = 0.25, count: int = 8, seed: int = 0) -> None:
        self.share = share
        self.count = count
        self.seed = seed

    def __call__(self, event: torch.Size) -> Tensor:
        """The same patterns for every item."""
        cells, generator = event.numel(), torch.Generator().manual_seed(self.seed)
        size = max(1, min(cells - 1, round(self.share * cells)))
        laid = [torch.randperm(cells, generator=generator) for _ in range(self.count * size // cells + 1)]
        chosen = torch.cat(laid)[: self.count * size].reshape(self.count, size)
        return torch.zeros(self.count, cells, dtype=torch.bool).scatter(1, chosen, True).reshape(self.count, *event)


class Gratings(Patterns):
    """Stripes of `width` along an axis of the item, every `count`-th hidden (Chen et al., "ImDiffusion", 2023)."""

    def __init__(self, width: int = 8, count: int = 2, axis: int = -1) -> None:
        self.width = width
        self.count = count
        self.axis = axis

    def __call__(self, event: torch.Size) -> Tensor:
        """One pattern per phase."""
        stripe = (torch.arange(event[self.axis]) // self.width) % self.count
        hidden = stripe == torch.arange(self.count)[:, None]
        shape = [1] * len(event)
        shape[self.axis] = -1
        return hidden.reshape(self.count, *shape).expand(self.count, *event)


def covering(patterns: Patterns, x: Batch) -> Tensor:
    """The patterns for items like those of x, `(count, *event)`.

    Raises:
        Misfit: If a coordinate is never hidden.
    """
    hidden = patterns(x.shape[1:]).to(x.device)
    missed = int((~hidden.any(0)).sum())
    if missed:
        raise Misfit(
            f"{type(patterns).__name__} never hides {missed} of {hidden[0].numel()} coordinates; add patterns."
        )
    return hidden
