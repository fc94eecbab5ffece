r"""A picture with what is odd in it drawn upon it: heat where hardly any normal pixel is as odd, a line around regions.

.. math:: c' = (1 - a)\, c + a\, h(s), \qquad a = A \min(1, 2 s), \qquad
          s = \mathrm{clip}\Big(\frac{\log f - \log p}{\log f - \log q}, 0, 1\Big),

c the picture, p the p-value of the pixel, f where heat begins and q where it is full. Where a picture is as normal
pictures are it shows through unchanged. Heat h goes from yellow over orange to a dark red, which differ in lightness
too, and the line is blue between black ones: colour-blind people tell all of them apart, on dark and on bright parts
(after Okabe and Ito, "Color Universal Design", 2008). Nothing is written.
"""

from collections.abc import Iterable, Sequence
from math import log

import numpy as np
from scipy import ndimage

from anodiff.alarms.regions import Region
from anodiff.types import Misfit

FAINT, FULL = 0.01, 1e-4
"""The p-values where heat begins, and where it is full."""
OPACITY = 0.7
"""A, of heat that is full."""
HEAT = np.array([[240, 228, 66], [230, 159, 0], [213, 94, 0], [128, 24, 8]], np.float32)
LEVELS = 256
"""Of heat."""
LINE, EDGE = np.array([86, 180, 233], np.uint8), np.array([0, 0, 0], np.uint8)
SHARE = 300
"""The line has a pixel for so many of the picture's shorter side, and one at least."""
DARK = 0.25
"""A picture that is nowhere brighter is shown brighter than it is, as those of 12 bits saved in 16 are."""


def overlay(
    picture: np.ndarray,
    p_map: np.ndarray,
    regions: Iterable[Region | np.ndarray] = (),
    faint: float = FAINT,
    full: float = FULL,
) -> np.ndarray:
    """The picture `(H, W, 3)` uint8 with heat and the outlines of regions.

    Args:
        picture: `(H, W)`, `(H, W, 1)` or `(H, W, 3)` uint8.
        p_map: p-values of its pixels `(H, W)`.
        regions: What to draw a line around, as regions or as masks `(H, W)`.
        faint: Above this p-value a pixel is left as it is.
        full: At this p-value heat is full.

    Raises:
        Misfit: their sizes differ, or `full` is not below `faint`.

    >>> grey, p_map = np.full((1, 2), 100, np.uint8), np.array([[0.5, 1e-5]])
    >>> overlay(grey, p_map).tolist()
    [[[100, 100, 100], [120, 47, 36]]]
    """
    masks = [each.mask if isinstance(each, Region) else np.asarray(each, bool) for each in regions]
    drawn = coloured(picture)
    for what, shape in [("map of p-values", p_map.shape), *(("region", mask.shape) for mask in masks)]:
        if shape != drawn.shape[:2]:
            raise Misfit(f"a {what} is {shape}, the picture {drawn.shape[:2]}; give both in pixels of the picture.")
    drawn = heated(drawn, strength(p_map, faint, full))
    return outlined(drawn, np.asarray(np.logical_or.reduce(masks))) if masks else drawn


def strength(p_map: np.ndarray, faint: float = FAINT, full: float = FULL) -> np.ndarray:
    """How much heat p-values are worth, 0 to 1, float32 of their shape.

    >>> strength(np.array([0.5, 0.01, 0.001, 1e-9])).tolist()
    [0.0, 0.0, 0.5, 1.0]
    """
    if not 0 < full < faint <= 1:
        raise Misfit(f"heat goes from p = {faint} to p = {full}; give two p-values, the second below the first.")
    worth = (log(faint) - np.log(np.maximum(p_map, full))) / (log(faint) - log(full))
    return np.asarray(np.clip(np.round(worth, 6), 0, 1), np.float32)


def heated(picture: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """A picture `(H, W, 3)` uint8 under heat of a strength `(H, W)` from 0 to 1."""
    levels = np.linspace(0, 1, LEVELS, dtype=np.float32)
    opacity = OPACITY * np.minimum(1, 2 * levels)[:, None]
    laid = opacity * np.stack([np.interp(levels, np.linspace(0, 1, len(HEAT)), channel) for channel in HEAT.T], 1)
    hot = strength > 0
    level = np.round(strength[hot] * (LEVELS - 1)).astype(np.intp)
    drawn = picture.copy()
    drawn[hot] = np.round((1 - opacity[level]) * picture[hot] + laid[level]).astype(np.uint8)
    return drawn


def outlined(picture: np.ndarray, inside: np.ndarray, width: int | None = None) -> np.ndarray:
    """A picture `(H, W, 3)` uint8 with a line around what is `inside` `(H, W)`, which stays free where it can.

    A region that reaches the border of the picture is open there.
    """
    width = max(1, round(min(inside.shape) / SHARE)) if width is None else width
    drawn, line = picture.copy(), grown(inside, width)
    drawn[grown(line, width) & ~inside] = EDGE
    drawn[line & ~inside] = LINE
    return drawn


def grown(mask: np.ndarray, by: int) -> np.ndarray:
    """A mask `(H, W)` bool and so many pixels around it, in all eight directions."""
    return np.asarray(ndimage.maximum_filter(mask.view(np.uint8), 2 * by + 1, mode="constant")).view(bool)


def coloured(picture: np.ndarray) -> np.ndarray:
    """A picture `(H, W[, 1|3])` uint8 as `(H, W, 3)`; shared where it is so already."""
    whole = picture[..., None] if picture.ndim == 2 else picture
    if whole.dtype != np.uint8 or whole.ndim != 3 or whole.shape[2] not in (1, 3):
        raise Misfit(f"the picture is {picture.dtype} of shape {picture.shape}; give uint8 (H, W), (H, W, 1 or 3).")
    return np.repeat(whole, 3, 2) if whole.shape[2] == 1 else whole


def to_look_at(pixels: np.ndarray) -> np.ndarray:
    """Pixels from 0 to 1 `(H, W, C)` as uint8; of a picture that is nowhere bright the brightest becomes white.

    >>> to_look_at(np.array([[[0.02], [0.04]]])).ravel().tolist(), to_look_at(np.array([[[0.5]]])).ravel().tolist()
    ([128, 255], [128])
    """
    brightest = float(pixels.max())
    scale = brightest if 0 < brightest < DARK else 1.0
    return np.asarray(np.clip(np.round(pixels * (255 / scale)), 0, 255).astype(np.uint8))


def shrunk(mask: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """A mask `(H, W)` on a smaller picture `size` (h, w); however small a region is, some of it remains."""
    if mask.shape == tuple(size):
        return mask
    small = np.zeros(tuple(size), bool)
    rows, columns = np.nonzero(mask)
    small[rows * size[0] // mask.shape[0], columns * size[1] // mask.shape[1]] = True
    return small
