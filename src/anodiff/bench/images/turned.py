"""Pictures that are not aligned: each turned about its middle and shifted, by what its seed draws.

What lies beyond an edge repeats it, of the picture and of its mask alike. Angles are of the square that pictures are
squashed to.
"""

import numpy as np

from anodiff.bench.images.cases import Pictures, Truth
from anodiff.bench.images.settings import SIZE
from anodiff.data.jitter import Move
from anodiff.data.jitter import again as photographed
from anodiff.data.pictures import Unread
from anodiff.types import Unreadable

ANGLE, SHIFT = 15.0, 12.0
"""Degrees and pixels, at most, either way."""


def moves(count: int, seed: int) -> list[Move]:
    """How each of so many pictures is moved."""
    draw = np.random.default_rng(seed)
    degrees, shifts = draw.uniform(-ANGLE, ANGLE, count), draw.uniform(-SHIFT, SHIFT, (count, 2)) / SIZE
    return [Move(float(d), (float(rows), float(columns))) for d, (rows, columns) in zip(degrees, shifts, strict=True)]


def moved(pixels: np.ndarray, seed: int) -> np.ndarray:
    """Every picture `(n, S, S[, 3])` moved."""
    return np.stack([move(each) for move, each in zip(moves(len(pixels), seed), pixels, strict=True)])


def turned(pixels: np.ndarray, truth: Truth, seed: int) -> tuple[np.ndarray, Truth]:
    """Every picture `(n, S, S[, 3])` moved, and its mask with it; a mask that left the picture is unknown."""
    drawn, found = moves(len(pixels), seed), moved(pixels, seed)
    masks = truth.masks.copy()
    for i in np.flatnonzero(masks.any((1, 2))):
        masks[i] = drawn[i](masks[i].astype(np.uint8), 0).astype(bool)
    known = truth.known & ((truth.labels == 0) | masks.any((1, 2)))
    return found, Truth(truth.labels, truth.kinds, masks, known)


def again(references: Pictures, seed: int) -> list[np.ndarray]:
    """References photographed again, `(H, W)` or `(H, W, 3)` uint8: shifted, turned a little, under other light.

    Raises:
        Unreadable: one cannot be read.
    """
    found = []
    for pair in photographed(references, seed=seed).pictures():
        if isinstance(pair, Unread):
            raise Unreadable(f"picture {pair}")
        pixels = (pair.pixels * 255).round().astype(np.uint8)
        found.append(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    return found
