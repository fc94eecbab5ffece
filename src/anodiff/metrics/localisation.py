r"""Which pictures, and where in them? All pixels of all pictures of a set are ranked together, once, and at threshold t

.. math:: \text{FPR}(t) = \frac{\#\{\text{normal} \ge t\}}{\#\text{normal}}, \quad
    \text{PRO}(t) = \frac{1}{R} \sum_{r=1}^{R} \frac{\#\{\text{region } r \ge t\}}{\#\text{region } r}, \quad
    \text{AUPRO} = \frac{1}{l} \int_0^l \text{PRO} \, d\,\text{FPR} .

Nothing is sampled: every distinct score is a threshold, pixels that tie enter together and are joined by a straight
line, which is also cut at l. Regions are the connected parts of each mask (8-connectivity). Bergmann, Fauser,
Sattlegger and Steger, "MVTec AD: A Comprehensive Real-World Dataset for Unsupervised Anomaly Detection", 2019; AUROC
over pixels is the same area with all anomalous pixels as one region and l = 1.

Between two anomalous scores PRO is flat, so the normal pixels need only be sorted, never ordered beside their labels.
A normal picture is a map with an empty mask. An anomalous picture whose mask is empty would count as normal: leave it
out of what concerns pixels.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from sklearn.metrics import auc

from anodiff.metrics import ranking
from anodiff.metrics.overlap import dice, hausdorff, iou
from anodiff.metrics.planes import pairs, parts
from anodiff.types import Misfit, Scores

__all__ = [
    "Levels",
    "OfPictures",
    "OfPixels",
    "aupro",
    "dice",
    "hausdorff",
    "iou",
    "levels",
    "of_pictures",
    "of_pixels",
    "oracle_dice",
    "pixel_ap",
    "pixel_auroc",
]

LIMIT = 0.3


class OfPictures(NamedTuple):
    """How well pictures are told apart; the last looked at the labels and is printed with the word oracle."""

    auroc: float
    ap: float
    oracle_f1: float


class OfPixels(NamedTuple):
    """How well pixels are told apart; the last looked at the masks and is printed with the word oracle."""

    auroc: float
    ap: float
    aupro: float
    oracle_dice: float


class Levels(NamedTuple):
    """What each of the m distinct scores of anomalous pixels, from the highest, finds as a threshold.

    `above` and `upto` `(m,)` count the normal pixels strictly above it and those at least as high, `hits` `(m,)` the
    anomalous ones, `overlap` `(m,)` is PRO; there are so many `normals`.
    """

    above: np.ndarray
    upto: np.ndarray
    hits: np.ndarray
    overlap: np.ndarray
    normals: int


def of_pictures(labels: np.ndarray, scores: Scores) -> OfPictures:
    """AUROC, average precision and best F1 of one score per picture `(n,)`, for `labels` `(n,)` of 0 and 1.

    >>> of_pictures([0, 1], [0.1, 0.9])
    OfPictures(auroc=1.0, ap=1.0, oracle_f1=1.0)
    """
    return OfPictures(*(f(labels, scores) for f in (ranking.auroc, ranking.average_precision, ranking.oracle_f1)))


def of_pixels(maps: Iterable[np.ndarray], masks: Iterable[np.ndarray], limit: float = LIMIT) -> OfPixels:
    """Everything that is said of pixels, from one ranking.

    Args:
        maps: Of one set of pictures, each `(H, W)` of its own size; higher is more anomalous.
        masks: Their true regions, each `(H, W)`; empty for normal pictures.
        limit: The false-positive rate up to which AUPRO integrates.

    Raises:
        Misfit: No pixel is anomalous or none is normal, or the limit is not within 0 and 1.
        Unreadable: Maps that are not finite, masks of other values than 0 and 1, shapes or numbers that differ.

    >>> of_pixels([np.array([[0.1, 0.9], [0.2, 0.8]])], [np.array([[0, 1], [0, 1]])])
    OfPixels(auroc=1.0, ap=1.0, aupro=1.0, oracle_dice=1.0)
    """
    found = levels(maps, masks)
    return OfPixels(_auroc(found), _ap(found), _aupro(found, limit), _oracle_dice(found))


def pixel_auroc(maps: Iterable[np.ndarray], masks: Iterable[np.ndarray]) -> float:
    """Area under the ROC curve over all pixels; arguments and refusals of `of_pixels`."""
    return _auroc(levels(maps, masks))


def pixel_ap(maps: Iterable[np.ndarray], masks: Iterable[np.ndarray]) -> float:
    """Average precision over all pixels, without interpolation; arguments and refusals of `of_pixels`."""
    return _ap(levels(maps, masks))


def aupro(maps: Iterable[np.ndarray], masks: Iterable[np.ndarray], limit: float = LIMIT) -> float:
    """Area under the per-region overlap, exact and from 0 to 1; arguments and refusals of `of_pixels`.

    A constant map has `limit / 2`: it lies on the diagonal.

    >>> aupro([np.zeros((2, 2))], [np.eye(2)])
    0.15
    """
    return _aupro(levels(maps, masks), limit)


def oracle_dice(maps: Iterable[np.ndarray], masks: Iterable[np.ndarray]) -> float:
    """The best Dice of all pixels of the set at one threshold; arguments and refusals of `of_pixels`.

    It **looks at the masks**: print it only with the word oracle, never alone.
    """
    return _oracle_dice(levels(maps, masks))


def levels(maps: Iterable[np.ndarray], masks: Iterable[np.ndarray]) -> Levels:
    """The ranking itself, for several measures of one set; arguments and refusals of `of_pixels`."""
    pictures = pairs(maps, masks)
    normals, (scores, shares) = _normal(pictures), _anomalous(pictures)
    if not len(normals) or not len(scores):
        raise Misfit(
            f"{len(scores):,} pixels of {len(pictures)} maps are anomalous, {len(normals):,} normal; "
            "localisation is measured on both."
        )
    order = np.argsort(scores)[::-1]
    scores = scores[order]
    last = np.append(np.flatnonzero(scores[1:] != scores[:-1]), len(scores) - 1)
    distinct, overlap = scores[last], np.cumsum(shares[order])[last]
    upto, above = (len(normals) - np.searchsorted(normals, distinct[::-1], side)[::-1] for side in ("left", "right"))
    return Levels(above, upto, last + 1, overlap / overlap[-1], len(normals))


def _normal(pictures: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Sorted scores of the normal pixels; filled in place, since they are by far the most."""
    sizes = [mask.size - int(mask.sum()) for _, mask in pictures]
    ends = np.cumsum(sizes, dtype=int)
    normals = np.empty(sum(sizes), np.result_type(np.float32, *{scores.dtype for scores, _ in pictures}))
    for (scores, mask), size, end in zip(pictures, sizes, ends, strict=True):
        normals[end - size : end] = scores[~mask]
    normals.sort()
    return normals


def _anomalous(pictures: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Scores of the anomalous pixels, and the share of its region that each one is."""
    scores, shares = [np.empty(0, np.float32)], [np.empty(0)]
    for each, mask in pictures:
        if mask.any():
            labels, areas = parts(mask)
            scores.append(each[mask])
            shares.append(1 / areas[labels[mask] - 1])
    return np.concatenate(scores), np.concatenate(shares)


def _area(found: Levels, height: np.ndarray, limit: float) -> float:
    """Under the line through all thresholds, from FPR 0 to the limit, over the limit."""
    fpr = np.concatenate([[0], np.stack([found.above, found.upto], 1).ravel() / found.normals, [1]])
    line = np.concatenate([[0, 0], np.repeat(height, 2)])
    last = int(np.searchsorted(fpr, limit))
    cut = line[last - 1] + (line[last] - line[last - 1]) * (limit - fpr[last - 1]) / (fpr[last] - fpr[last - 1])
    return float(auc(np.append(fpr[:last], limit), np.append(line[:last], cut)) / limit)


def _auroc(found: Levels) -> float:
    return _area(found, found.hits / found.hits[-1], 1.0)


def _ap(found: Levels) -> float:
    gained = np.diff(found.hits, prepend=0) / found.hits[-1]
    return float(gained @ (found.hits / (found.hits + found.upto)))


def _aupro(found: Levels, limit: float) -> float:
    if not 0 < limit <= 1:
        raise Misfit(f"limit is {limit}; give a false-positive rate up to 1, such as {LIMIT}.")
    return _area(found, found.overlap, limit)


def _oracle_dice(found: Levels) -> float:
    return float((2 * found.hits / (found.hits + found.upto + found.hits[-1])).max())
