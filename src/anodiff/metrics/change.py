r"""What changed visibly between two items, and does it agree with the region that was to change?

A cell of a picture, table or series changed visibly where it did by more than a tenth of what the changes amount to,

.. math:: |\Delta_i| > \tfrac{1}{10} \, \sum_j |\Delta_j|^3 \Big/ \sum_j \Delta_j^2 .

The mean is weighed by the squares, so that it is that of the few cells that changed, however many others were rounded,
and no single cell's. It looks at no region, and units do not matter.
"""

from collections.abc import Sequence

import numpy as np

from anodiff.metrics.overlap import iou
from anodiff.types import Unreadable

VISIBLE = 0.1


def visible(change: np.ndarray) -> np.ndarray:
    """Which cells changed visibly, of any shape.

    >>> visible(np.array([0.001, 0.001, 0.4, 0.5, 0.02])).tolist()
    [False, False, True, True, False]
    """
    size = np.abs(np.asarray(change, dtype=np.float64))
    most = size.max(initial=0.0)
    if not most > 0:
        return np.zeros(size.shape, dtype=bool)
    size = size / most
    return np.asarray(size > VISIBLE * (size**3).sum() / (size**2).sum())


def region_agreement(changes: Sequence[np.ndarray], regions: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """How far each region and what changed visibly agree.

    Args:
        changes: By how much each cell changed, one array of any shape per item.
        regions: Where it was to change, bool, shaped alike.

    Returns:
        Intersection over union `(n,)`, and the share of the visible change that lies in the region `(n,)`; 1 where
        nothing changed visibly.

    Raises:
        Unreadable: numbers or shapes differ, or a change is not finite.

    >>> iou, within = region_agreement([np.array([0.0, 1.0, 1.0])], [np.array([True, True, False])])
    >>> round(float(iou[0]), 3), float(within[0])
    (0.333, 0.5)
    """
    if len(changes) != len(regions):
        raise Unreadable(f"{len(changes)} changes and {len(regions)} regions; give one of each for every item.")
    found = [_agree(c, r, i) for i, (c, r) in enumerate(zip(changes, regions, strict=True))]
    overlap, within = np.array(found, dtype=np.float64).reshape(-1, 2).T
    return overlap, within


def _agree(change: np.ndarray, region: np.ndarray, i: int) -> tuple[float, float]:
    change, region = np.asarray(change, dtype=np.float64), np.asarray(region)
    if change.shape != region.shape:
        raise Unreadable(f"change {i} is {change.shape} and its region {region.shape}; give both in the item's layout.")
    if not np.isfinite(change).all():
        raise Unreadable(f"change {i} holds NaN or infinity; give 0 where a cell is as it was.")
    if not change.size:
        return 1.0, 1.0
    seen = visible(change)
    within = float((seen & (region != 0)).sum() / seen.sum()) if seen.any() else 1.0
    return iou(seen.reshape(1, -1), region.reshape(1, -1)), within
