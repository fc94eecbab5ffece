"""What rivals see of pictures: the frozen backbone's features on one grid, the same for all, and grey pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import torch
from torch import Tensor

from anodiff.bench.images.cases import Pictures
from anodiff.bench.images.settings import SIZE
from anodiff.data.pictures import album
from anodiff.modalities.grids import on_one_grid
from anodiff.modalities.image import Image
from anodiff.nets.backbones import backbone

PATCH = 3


@dataclass(frozen=True, eq=False)
class Seen:
    """n pictures.

    Attributes:
        features: `(n, C, h, w)` float32, averaged over 3 x 3 places of each layer.
        grey: `(n, S, S)` float32, 0..1.
    """

    features: Tensor
    grey: Tensor

    def __len__(self) -> int:
        return len(self.grey)


class Eyes:
    """Pictures become what rivals see, one at a time.

    Args:
        layers: Of the embedded backbone.
        size: Pixels of the square.
    """

    def __init__(self, layers: Sequence[str] = ("s8", "s16"), size: int = SIZE) -> None:
        self.layers = layers
        self.size = size

    def fit(self, pictures: Pictures) -> Self:
        """Learn whether the pictures are grey."""
        self.image_ = Image(self.size).fit(album(list(pictures)))
        return self

    def __call__(self, pictures: Pictures) -> Seen:
        """All of them."""
        rows = [self._row(picture) for picture in album(list(pictures)).pictures(self.image_.square)]
        return Seen(torch.cat([row.features for row in rows]), torch.cat([row.grey for row in rows]))

    @cached_property
    def backbone(self) -> torch.nn.Module:
        """The embedded one."""
        return backbone("embedded", list(self.layers))

    def _row(self, picture: object) -> Seen:
        x = self.image_.encode([picture]).x
        maps = self.backbone(x)
        finest = max(each.shape[2] for each in maps), max(each.shape[3] for each in maps)
        return Seen(on_one_grid(maps, finest, PATCH), (x.mean(1) + 1) / 2)
