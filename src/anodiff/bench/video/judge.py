r"""Scores and maps of clips as numbers, and the same numbers of bootstrap samples of the clips.

Frames of one clip resemble each other, so clips are drawn, not frames. Of a sample that draws clip c :math:`w_c` times,
the AUROC is :math:`\sum_{cd} w_c w_d A_{cd} / \sum_{cd} w_c w_d n_c m_d`, where :math:`A_{cd}` counts the pairs of an
abnormal frame of c and a normal one of d that stand in the right order: exact, and every sample a few sums.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from scipy.ndimage import zoom

from anodiff.metrics.video import of_frames, pixel_auroc
from anodiff.types import JSON

DRAWS = 1000


def of_scores(labels: Sequence[np.ndarray], scores: Sequence[np.ndarray]) -> JSON:
    """What is said of frames: micro and macro AUROC, AP, equal error rate."""
    return {name: float(value) for name, value in of_frames(labels, scores)._asdict().items()}


def of_maps(maps: Iterable[np.ndarray], masks: Sequence[np.ndarray]) -> JSON:
    """What is said of pixels, clip by clip: maps `(T, h, w)` are stretched to their masks `(T, H, W)`."""
    found = pixel_auroc((fitted(a, b.shape) for a, b in zip(maps, masks, strict=True)), masks)
    return {"pixel_auroc": found.auroc, "pixel_ap": found.ap}


def fitted(maps: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Maps `(T, h, w)` of another size, linearly."""
    if maps.shape == shape:
        return maps
    return np.asarray(zoom(maps, [new / old for new, old in zip(shape, maps.shape, strict=True)], order=1))


def draws(labels: Sequence[np.ndarray], scores: Sequence[np.ndarray], count: int = DRAWS) -> np.ndarray:
    """Micro AUROC `(count,)` of samples of the clips; the same clips for every method."""
    right, pairs = in_order(labels, scores)
    drawn = np.random.default_rng(0).integers(len(labels), size=(4 * count, len(labels)))
    weights = np.stack([np.bincount(each, minlength=len(labels)) for each in drawn]).astype(float)
    below = np.einsum("bc,cd,bd->b", weights, pairs, weights)
    kept = np.flatnonzero(below > 0)[:count]
    above = np.einsum("bc,cd,bd->b", weights[kept], right, weights[kept])
    return np.asarray(above / below[kept])


def in_order(labels: Sequence[np.ndarray], scores: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """`(clips, clips)`: pairs of an abnormal frame of one and a normal frame of another in the right order, and all."""
    right, pairs = (np.zeros((len(labels), len(labels))) for _ in range(2))
    normal = [np.sort(s[y == 0]) for y, s in zip(labels, scores, strict=True)]
    for i, (y, s) in enumerate(zip(labels, scores, strict=True)):
        odd = s[y == 1]
        for j, usual in enumerate(normal):
            low, high = np.searchsorted(usual, odd, "left"), np.searchsorted(usual, odd, "right")
            right[i, j], pairs[i, j] = float((low + high).sum()) / 2, len(odd) * len(usual)
    return right, pairs


def interval(values: np.ndarray) -> tuple[float, float]:
    """The middle 95 % of bootstrap samples."""
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
