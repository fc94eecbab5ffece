"""Planes: a map `(H, W)` of numbers or a mask of 0 and 1, read with care, and the connected parts of a mask.

Pixels are neighbours if they share a side or a corner (8-connectivity). That is what the evaluation code published with
MVTec AD does (Bergmann, Batzner, Fauser, Sattlegger and Steger, "The MVTec Anomaly Detection Dataset: A Comprehensive
Real-World Dataset for Unsupervised Anomaly Detection", 2021).
"""

from collections.abc import Iterable

import numpy as np
from scipy import ndimage

from anodiff.types import Unreadable

NEIGHBOURS = np.ones((3, 3), dtype=int)


def as_map(given: np.ndarray, name: str = "the map") -> np.ndarray:
    """Finite numbers `(H, W)` in float32 or float64, whichever loses nothing, or a refusal.

    >>> as_map(np.array([[1.0, np.nan]]))
    Traceback (most recent call last):
    ...
    anodiff.types.Unreadable: the map (1, 2) holds NaN or infinity at 1 pixels; give finite numbers.
    """
    plane = np.asarray(given)
    if plane.ndim != 2 or not plane.size or plane.dtype.kind not in "fiub":
        raise Unreadable(f"{name} is {plane.dtype} of shape {plane.shape}; give numbers (height, width).")
    plane = plane.astype(np.float32 if plane.dtype in (np.float16, np.float32) else np.float64, copy=False)
    bad = plane.size - int(np.isfinite(plane).sum())
    if bad:
        raise Unreadable(f"{name} {plane.shape} holds NaN or infinity at {bad} pixels; give finite numbers.")
    return plane


def as_mask(given: np.ndarray, name: str = "the mask") -> np.ndarray:
    """Booleans `(H, W)`, or a refusal.

    >>> as_mask(np.array([[0, 255]]))
    Traceback (most recent call last):
    ...
    anodiff.types.Unreadable: the mask (1, 2) holds 255; give True or 1 where it is anomalous, False or 0 elsewhere.
    """
    plane = np.asarray(given)
    if plane.ndim != 2 or not plane.size:
        raise Unreadable(f"{name} has shape {plane.shape}; give True or False for each pixel (height, width).")
    if plane.dtype != bool:
        strange = plane[~np.isin(plane, (0, 1))]
        if strange.size:
            raise Unreadable(
                f"{name} {plane.shape} holds {strange[0]}; give True or 1 where it is anomalous, False or 0 elsewhere."
            )
    return plane.astype(bool, copy=False)


def pairs(maps: Iterable[np.ndarray], masks: Iterable[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Each map with its mask, or a refusal.

    >>> pairs([np.zeros((2, 3))], [np.zeros((3, 2))])
    Traceback (most recent call last):
    ...
    anodiff.types.Unreadable: map 0 is (2, 3) and its mask (3, 2); give both in the size of the picture.
    """
    scores = [as_map(each, f"map {i}") for i, each in enumerate(maps)]
    truths = [as_mask(each, f"mask {i}") for i, each in enumerate(masks)]
    if len(scores) != len(truths):
        raise Unreadable(f"{len(scores)} maps and {len(truths)} masks; give one mask per map.")
    for i, (score, truth) in enumerate(zip(scores, truths, strict=True)):
        if score.shape != truth.shape:
            raise Unreadable(
                f"map {i} is {score.shape} and its mask {truth.shape}; give both in the size of the picture."
            )
    return list(zip(scores, truths, strict=True))


def parts(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The connected parts of a mask `(H, W)`, numbered from 1 in `(H, W)` and 0 elsewhere, and their areas `(parts,)`.

    >>> parts(np.array([[1, 0, 0], [0, 1, 0], [0, 0, 0], [1, 0, 0]], dtype=bool))[1].tolist()
    [2, 1]
    """
    labels, _ = ndimage.label(mask, NEIGHBOURS)
    return labels, np.bincount(labels.ravel())[1:]
