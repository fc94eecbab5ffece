r"""Quality of made pictures *inside* their regions: of whole pictures the background decides what a distance says.

.. math:: f_i = \phi\big( x_i |_{B_i} \big) \quad \text{or} \quad f_i = \sum_p w_{ip} \phi(x_i)_p \Big/ \sum_p w_{ip},

:math:`B_i` a square about the region, seen through a backbone :math:`\phi`, or w the share of each cell of its map that
the region covers. What comes out are features for `quality`; say of which backbone they are.
"""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.ndimage import map_coordinates

from anodiff.metrics.planes import as_mask
from anodiff.types import Misfit, Unreadable

MARGIN = 0.25
SIZE = 64


def crops(
    pictures: Sequence[np.ndarray], regions: Sequence[np.ndarray], size: int = SIZE, margin: float = MARGIN
) -> np.ndarray:
    """Square crops about regions, all of one size, `(n, size, size[, channels])` in float32.

    A crop holds the whole region, and `margin` of its longer side around it; it is moved into the picture where it
    would leave it, and cut where it is larger. Values are interpolated linearly.

    Args:
        pictures: `(H, W)` or `(H, W, channels)` each, of any sizes.
        regions: Masks `(H, W)`, none of them empty.
        size: Of the crops, in pixels.
        margin: On every side.

    Raises:
        Unreadable: a mask is empty, or of another size than its picture.
        Misfit: a size below 1, or a negative margin.
    """
    if size < 1 or margin < 0:
        raise Misfit(f"size is {size} and margin {margin}; give a size from 1 and a margin from 0.")
    if len(pictures) != len(regions):
        raise Unreadable(f"{len(pictures)} pictures and {len(regions)} masks; give one mask for each picture.")
    found = [
        _crop(np.asarray(x), as_mask(r, f"mask {i}"), size, margin, i)
        for i, (x, r) in enumerate(_two(pictures, regions))
    ]
    return np.stack(found) if found else np.zeros((0, size, size), dtype=np.float32)


def region_features(
    backbone: Callable[[np.ndarray], np.ndarray],
    pictures: Sequence[np.ndarray],
    regions: Sequence[np.ndarray],
    size: int = SIZE,
    margin: float = MARGIN,
    batch: int = 16,
) -> np.ndarray:
    """What a backbone sees in crops about regions, `(n, f)`, whatever follows the first axis laid out flat.

    Args:
        backbone: From crops `(b, size, size[, channels])` to features `(b, ...)`.
        pictures: As in `crops`.
        regions: As in `crops`.
        size: As in `crops`.
        margin: As in `crops`.
        batch: How many at once.

    Raises:
        Unreadable: as `crops`.
    """
    cut = crops(pictures, regions, size, margin)
    if not len(cut):
        raise Unreadable("there are no pictures to take features of; give at least one.")
    parts = [np.asarray(backbone(cut[i : i + batch])) for i in range(0, len(cut), batch)]
    return np.concatenate([part.reshape(len(part), -1) for part in parts])


def pooled_inside(maps: np.ndarray, regions: Sequence[np.ndarray]) -> np.ndarray:
    """The mean of feature maps `(n, h, w, f)` over regions `(H, W)`, each cell by the share that is covered, `(n, f)`.

    Raises:
        Unreadable: a mask is empty, or there is not one for each map.

    >>> maps = np.array([[[[1.0], [3.0]]]])
    >>> pooled_inside(maps, [np.array([[0, 1, 1, 1]])]).round(2).tolist()
    [[2.33]]
    """
    maps = np.asarray(maps, dtype=np.float64)
    if maps.ndim != 4 or len(maps) != len(regions):
        raise Unreadable(f"maps have shape {maps.shape} for {len(regions)} masks; give (n, h, w, f), and a mask each.")
    weights = np.stack(
        [covered(as_mask(r, f"mask {i}"), (maps.shape[1], maps.shape[2])) for i, r in enumerate(regions)]
    )
    total = weights.sum((1, 2))
    if not total.all():
        raise Unreadable(f"mask {int(np.flatnonzero(total == 0)[0])} is empty; leave out pictures without a region.")
    return np.asarray(np.einsum("nhwf,nhw->nf", maps, weights) / total[:, None])


def covered(mask: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """The share of each cell of a grid `(h, w)` that a mask `(H, W)` covers; cells need not hold whole pixels.

    >>> covered(np.array([[1, 1, 0]]), (1, 2)).tolist()
    [[1.0, 0.3333333333333333]]
    """
    share = np.asarray(mask, dtype=np.float64)
    for axis, cells in enumerate(grid):
        total = np.concatenate([np.zeros_like(share.take([0], axis)), share.cumsum(axis)], axis)
        at = np.linspace(0, share.shape[axis], cells + 1)
        low = np.minimum(at.astype(int), share.shape[axis] - 1)
        part = (at - low).reshape([-1 if a == axis else 1 for a in range(2)])
        upto = total.take(low, axis) * (1 - part) + total.take(low + 1, axis) * part
        share = np.diff(upto, axis=axis) * cells / share.shape[axis]
    return share


def _two(pictures: Sequence[np.ndarray], regions: Sequence[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    return list(zip(pictures, regions, strict=True))


def _crop(picture: np.ndarray, region: np.ndarray, size: int, margin: float, i: int) -> np.ndarray:
    if picture.shape[:2] != region.shape or picture.ndim not in (2, 3):
        raise Unreadable(f"picture {i} is {picture.shape} and its mask {region.shape}; give both of one size.")
    if not region.any():
        raise Unreadable(f"mask {i} is empty; leave out pictures without a region.")
    at = np.nonzero(region)
    sides = [int(each.max() - each.min()) + 1 for each in at]
    wanted = max(sides) * (1 + 2 * margin)
    axes = []
    for each, length in zip(at, region.shape, strict=True):
        middle = (int(each.min()) + int(each.max())) / 2
        side = min(wanted, length)
        low = min(max(middle - (side - 1) / 2, 0.0), length - side)
        axes.append(low + (np.arange(size) + 0.5) * side / size - 0.5)
    grid = np.meshgrid(*axes, indexing="ij")
    planes = picture.astype(np.float32).reshape(*region.shape, -1)
    cut = [map_coordinates(planes[..., c], grid, order=1, mode="nearest") for c in range(planes.shape[2])]
    return np.asarray(np.stack(cut, -1).reshape(size, size, *picture.shape[2:]))
