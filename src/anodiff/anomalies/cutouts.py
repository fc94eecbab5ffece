r"""Cutouts: the part of a picture around a region, painted anew at the painter's own scale and laid back,

.. math:: x' = x + m \, U(y - R x) ,

R from the picture to the cutout, U back again, m the region with a soft rim: 0 outside. What is finer than the cutout
stays as it was.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, max_pool2d

from anodiff.types import Mask

MARGIN = 6
"""Pixels that are seen around a region, at least."""
LARGER = 2
"""Cutouts of so many crops a side are painted as they are; what is larger is painted smaller."""


@dataclass(frozen=True)
class Cutout:
    """A square of a picture.

    Attributes:
        top: Its first row.
        left: Its first column.
        side: Of the square, pixels of the picture.
        painted: Of what it becomes, pixels.
    """

    top: int
    left: int
    side: int
    painted: int

    def of(self, x: Tensor) -> Tensor:
        """The square of a picture `(C, H, W)`, at its own scale."""
        return x[:, self.top : self.top + self.side, self.left : self.left + self.side]


def cutout(region: Tensor, crop: int) -> Cutout:
    """The square around a region `(S, S)` bool: of one crop a side, of two, or all of the picture, made smaller."""
    side = region.shape[0]
    rows, columns = region.any(1).nonzero()[:, 0], region.any(0).nonzero()[:, 0]
    ends = [(int(v[0]), int(v[-1]) + 1) if len(v) else (0, side) for v in (rows, columns)]
    wanted = max(high - low for low, high in ends) + 2 * MARGIN
    length = next((k * crop for k in range(1, LARGER + 1) if wanted <= k * crop <= side), side)
    top, left = (min(max(0, (low + high - length) // 2), side - length) for low, high in ends)
    return Cutout(top, left, length, min(length, LARGER * crop))


def cut(x: Tensor, cutouts: Sequence[Cutout]) -> Tensor:
    """Of pictures `(B, C, S, S)` the squares `(B, C, p, p)`, all of one size."""
    parts = torch.stack([each.of(one) for each, one in zip(cutouts, x, strict=True)])
    painted = cutouts[0].painted
    return parts if parts.shape[2] == painted else interpolate(parts, (painted, painted), mode="area")


def cut_region(region: Mask, cutouts: Sequence[Cutout]) -> Mask:
    """The same of regions `(B, S, S)`: `(B, p, p)`, True where any of it is."""
    return cut(region[:, None].float(), cutouts)[:, 0] > 0


def laid(x: Tensor, region: Mask, cutouts: Sequence[Cutout], before: Tensor, after: Tensor) -> Tensor:
    """Pictures `(B, C, S, S)` in whose regions `(B, S, S)` cutouts changed from `before` to `after` `(B, C, p, p)`."""
    moved, side = after - before, cutouts[0].side
    if moved.shape[2] != side:
        moved = interpolate(moved, (side, side), mode="bilinear", align_corners=False)
    found = x.clone()
    for one, each, change, rim in zip(found, cutouts, moved, rimmed(region), strict=True):
        each.of(one).add_(each.of(rim[None]) * change)
    return found


def rimmed(region: Mask) -> Tensor:
    """Regions `(..., H, W)` as weights: 1 inside, less at the last pixel before the rim, 0 outside."""
    inside = region.reshape(-1, 1, *region.shape[-2:]).float()
    near = avg_pool2d(inside, 3, 1, 1, count_include_pad=False)
    most = max_pool2d(near, 3, 1, 1).clamp(min=1e-6)
    return (inside * near / most).reshape(region.shape)
