r"""How well does a mask found cover the true one? Of the pixel sets A and B,

.. math:: \text{Dice} = \frac{2 |A \cap B|}{|A| + |B|}, \quad \text{IoU} = \frac{|A \cap B|}{|A \cup B|}, \quad
    H_q = \max\Big( \operatorname*{quantile}_{a \in A} d(a, B),\; \operatorname*{quantile}_{b \in B} d(b, A) \Big)

where d is the Euclidean distance to the nearest pixel of the other set. Two empty masks agree: Dice and IoU are 1, the
distance is 0. If only one is empty, Dice and IoU are 0 and the distance is infinite.
"""

import math

import numpy as np
from scipy.ndimage import distance_transform_edt

from anodiff.metrics.planes import as_mask
from anodiff.types import Misfit, Unreadable


def dice(found: np.ndarray, truth: np.ndarray) -> float:
    """Share of agreement of two masks `(H, W)`, from 0 to 1 (Dice, 1945).

    >>> dice(np.array([[1, 1, 0]]), np.array([[0, 1, 0]]))
    0.6666666666666666
    """
    a, b = _masks(found, truth)
    both = int(a.sum() + b.sum())
    return 2 * int((a & b).sum()) / both if both else 1.0


def iou(found: np.ndarray, truth: np.ndarray) -> float:
    """Intersection over union of two masks `(H, W)`, from 0 to 1 (Jaccard, 1901).

    >>> iou(np.array([[1, 1, 0]]), np.array([[0, 1, 0]]))
    0.5
    """
    a, b = _masks(found, truth)
    either = int((a | b).sum())
    return int((a & b).sum()) / either if either else 1.0


def hausdorff(found: np.ndarray, truth: np.ndarray, quantile: float = 1.0) -> float:
    """How far apart two masks `(H, W)` lie, in pixels: the worst pixel, or with `quantile=0.95` all but the worst.

    Of all pixels of the masks, not only of their borders; quantiles are interpolated linearly.

    Raises:
        Misfit: A quantile that is not from 0 to 1.
        Unreadable: Masks that hold other values than 0 and 1, or differ in shape.

    >>> hausdorff(np.array([[1, 0, 0, 0]]), np.array([[1, 0, 0, 1]]))
    3.0
    """
    if not 0 <= quantile <= 1:
        raise Misfit(f"quantile is {quantile}; give 1 for the worst pixel, or 0.95 as medical imaging does.")
    a, b = _masks(found, truth)
    if not a.any() or not b.any():
        return math.inf if a.any() or b.any() else 0.0
    there, back = (np.quantile(distance_transform_edt(~to)[of], quantile) for of, to in ((a, b), (b, a)))
    return float(max(there, back))


def _masks(found: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    a, b = as_mask(found, "the mask found"), as_mask(truth, "the true mask")
    if a.shape != b.shape:
        raise Unreadable(f"the mask found is {a.shape}, the true one {b.shape}; give both in the size of the picture.")
    return a, b
