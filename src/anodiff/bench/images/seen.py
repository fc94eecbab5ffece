"""What rivals see of pictures: the frozen backbone's features on one grid, the same for all, and grey pixels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Self

import torch
from torch import Tensor

from anodiff.bench.images.cases import Pictures
from anodiff.bench.images.settings import SIZE
from anodiff.data.pictures import album
from anodiff.modalities.grids import on_one_grid
from anodiff.modalities.image import Image
from anodiff.nets.backbones import Backbone, backbone

PATCH = 3


@dataclass(frozen=True, eq=False)
class Seen:
    """n pictures.

    Attributes:
        x: `(n, C, S, S)` in -1..1.
        look: One of them `(1, C, S, S)` to its features.
    """

    x: Tensor
    look: Callable[[Tensor], Tensor]

    @cached_property
    def features(self) -> Tensor:
        """`(n, C, h, w)` float32, averaged over 3 x 3 places of each layer; the pictures pass one at a time."""
        return torch.cat([self.look(row[None]) for row in self.x])

    @cached_property
    def grey(self) -> Tensor:
        """`(n, S, S)` float32, 0..1."""
        return (self.x.mean(1) + 1) / 2


class Eyes:
    """Pictures become what rivals see.

    Args:
        layers: Of the embedded backbone.
        grid: Places along a side.
        size: Pixels of the square.
    """

    def __init__(self, layers: Sequence[str] = ("s8", "s16"), grid: int = 32, size: int = SIZE) -> None:
        self.layers = layers
        self.grid = grid
        self.size = size

    def fit(self, pictures: Pictures) -> Self:
        """Learn whether the pictures are grey."""
        self.image_ = Image(self.size).fit(album(list(pictures)))
        return self

    def __call__(self, pictures: Pictures) -> Seen:
        """All of them; the backbone looks when it is asked to."""
        return Seen(self.image_.encode(album(list(pictures))).x, self.look)

    def look(self, x: Tensor) -> Tensor:
        """Features of pictures `(n, C, S, S)`."""
        return on_one_grid(frozen(tuple(self.layers))(x), (self.grid, self.grid), PATCH)


@cache
def frozen(layers: tuple[str, ...]) -> Backbone:
    """The embedded backbone."""
    return backbone("embedded", layers)
