r"""Where an anomaly lies: the highest cells of a random relief, as many as are wanted,

.. math:: m = \mathbb{1}\{h \ge h_{(k)}\}, \qquad k = \mathrm{round}(\text{share} \cdot \text{cells}) .

Kinds of places differ in the relief h only: gradient noise makes blobs, the distance to a box's centre boxes, the
distance to a curve strokes. So the share is what was asked for, whatever the shape, also at the edge of the picture.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from anodiff.diffusion.sources import gradient_noise
from anodiff.types import Mask, Misfit


class Where(ABC):
    """Places of anomalies. Think twice before adding anything here, every kind carries it.

    Args:
        share: Of the cells, least and most; drawn for each picture, uniformly in its logarithm.
    """

    def __init__(self, share: tuple[float, float] = (0.005, 0.1)) -> None:
        self.share = share

    @abstractmethod
    def relief(self, shape: Sequence[int], generator: torch.Generator) -> Tensor:
        """Heights `(B, H, W)`."""

    def __call__(self, shape: Sequence[int], generator: torch.Generator, inside: Mask | None = None) -> Mask:
        """True where anomalous, `(B, H, W)`, at least one cell of each picture.

        Args:
            shape: B, H and W.
            generator: On the CPU.
            inside: `(B, H, W)`, True where an anomaly may lie; the share is one of these cells.

        Raises:
            Misfit: a share is not in (0, 1].
        """
        least, most = self.share
        if not 0 < least <= most <= 1:
            raise Misfit(f"a share of cells lies in (0, 1], least before most; got {self.share}.")
        height = self.relief(shape, generator).flatten(1)
        if inside is not None:
            height = height.masked_fill(~inside.to(height.device).flatten(1), -torch.inf)
        cells = torch.isfinite(height).sum(1)
        wanted = uniform(shape[0], (math.log(least), math.log(most)), generator).exp() * cells
        last = (wanted.round().long().clamp(min=1) - 1)[:, None]
        level = height.sort(1, descending=True).values.gather(1, last)
        return ((height >= level) & torch.isfinite(height)).reshape(tuple(shape))


class Blobs(Where):
    """Gradient noise of one of several frequencies, waves across the picture.

    Zavrtanik, Kristan and Skocaj, "DRAEM: A Discriminatively Trained Reconstruction Embedding for Surface Anomaly
    Detection", 2021, take Perlin noise above a fixed height.
    """

    def __init__(
        self, share: tuple[float, float] = (0.01, 0.25), frequencies: Sequence[float] = (2.0, 4.0, 8.0)
    ) -> None:
        super().__init__(share)
        self.frequencies = frequencies

    def relief(self, shape: Sequence[int], generator: torch.Generator) -> Tensor:
        height = torch.zeros(*shape)
        kind = torch.randint(len(self.frequencies), (shape[0],), generator=generator)
        for place, frequency in enumerate(self.frequencies):
            height[kind == place] = gradient_noise(height[kind == place], frequency, generator)
        return height


class Boxes(Where):
    """Rectangles; one is exact up to one of its sides.

    Args:
        share: Of the cells, least and most.
        aspect: Width by height, least and most.
        turn: At most so many degrees, either way.
    """

    def __init__(
        self,
        share: tuple[float, float] = (0.01, 0.1),
        aspect: tuple[float, float] = (0.3, 3.3),
        turn: float = 0.0,
    ) -> None:
        super().__init__(share)
        self.aspect = aspect
        self.turn = turn

    def relief(self, shape: Sequence[int], generator: torch.Generator) -> Tensor:
        down, right = away(shape, torch.rand(shape[0], 2, generator=generator))
        least, most = self.aspect
        root = (uniform(shape[0], (math.log(least), math.log(most)), generator) / 2).exp()[:, None, None]
        angle = uniform(shape[0], (-math.radians(self.turn), math.radians(self.turn)), generator)[:, None, None]
        along = angle.cos() * right + angle.sin() * down
        across = angle.cos() * down - angle.sin() * right
        return -torch.maximum((along / root).abs(), (across * root).abs())


class Strokes(Where):
    """Scratches: what is nearest to a curve through three random points.

    Args:
        share: Of the cells, least and most.
        length: Of each of the curve's two legs, at most, as a part of the picture's side.
        pieces: Straight pieces of the curve.
    """

    def __init__(self, share: tuple[float, float] = (0.003, 0.03), length: float = 0.5, pieces: int = 12) -> None:
        super().__init__(share)
        self.length = length
        self.pieces = pieces

    def relief(self, shape: Sequence[int], generator: torch.Generator) -> Tensor:
        start = torch.rand(shape[0], 2, generator=generator)
        legs = self.length * (2 * torch.rand(2, shape[0], 2, generator=generator) - 1)
        bend, end = start + legs[0], start + legs[0] + legs[1]
        nearest = torch.full(tuple(shape), torch.inf)
        before = start
        for step in torch.linspace(0, 1, self.pieces + 1)[1:]:
            point = (1 - step) ** 2 * start + 2 * step * (1 - step) * bend + step**2 * end
            nearest = torch.minimum(nearest, to_piece(shape, before, point))
            before = point
        return -nearest


PLACES: dict[str, type[Where]] = {"blobs": Blobs, "boxes": Boxes, "strokes": Strokes}


def uniform(count: int, between: tuple[float, float], generator: torch.Generator) -> Tensor:
    """`count` numbers, uniform in `between`."""
    low, high = between
    return low + (high - low) * torch.rand(count, generator=generator)


def away(shape: Sequence[int], place: Tensor) -> tuple[Tensor, Tensor]:
    """How far down and to the right of places `(B, 2)`, in sides of the picture, each cell lies, in cells."""
    _, height, width = shape
    down = torch.arange(height)[None, :, None] + 0.5 - place[:, 0, None, None] * height
    right = torch.arange(width)[None, None] + 0.5 - place[:, 1, None, None] * width
    return down, right


def to_piece(shape: Sequence[int], one: Tensor, other: Tensor) -> Tensor:
    """Distance `(B, H, W)` in cells to the straight piece between places `(B, 2)`, in sides of the picture."""
    down, right = away(shape, one)
    scale = torch.tensor(shape[1:])
    leg = ((other - one) * scale)[..., None, None]
    along = (down * leg[:, 0] + right * leg[:, 1]) / leg.square().sum(1).clamp(min=1e-9)
    along = along.clamp(0, 1)
    return torch.hypot(down - along * leg[:, 0], right - along * leg[:, 1])
