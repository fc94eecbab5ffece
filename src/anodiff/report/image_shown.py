"""A picture as a report shows it: with its regions outlined, closer, under heat, and beside a normal one."""

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image as Pillow

from anodiff.alarms.regions import Region
from anodiff.data.pictures import Album
from anodiff.detect_images import ImageDetector
from anodiff.explain.sights import LARGEST, Sight, looked_at, sight_of
from anodiff.report.overlay import coloured, heated, outlined, shrunk, strength, to_look_at
from anodiff.verdict import Verdict

SIDE = 360
"""The longer side in pixels at which a picture is shown."""
LINE = 2
"""Width of outlines in pixels: the page shows pictures at about half of their size."""
AROUND = 3.0
"""A closer look is so many times as high and as wide as the region."""
CLOSE = 0.5
"""It is worth while where it shows less than this share of the picture's height and width."""


@dataclass(frozen=True, eq=False)
class Shot:
    """Small pictures `(h, w[, 3])` uint8.

    Attributes:
        photo: What was judged, its regions outlined.
        heat: The same under heat where hardly any normal pixel is as odd.
        normal: How it should look.
        close: The strongest region and what is around it, nothing drawn upon it; None where it is large, or is none.
    """

    photo: np.ndarray
    heat: np.ndarray
    normal: np.ndarray | None
    close: np.ndarray | None


def shown(
    detector: ImageDetector, pictures: Album, place: int, verdict: Verdict, top: int
) -> tuple[Sight, Shot | None]:
    """What is said of a picture that was judged, and how it is shown; one at a time, in bounded memory."""
    picture = looked_at(pictures, place, verdict)
    sight = sight_of(detector, verdict, picture, top=top, largest=LARGEST)
    if picture is None:
        return sight, None
    pixels = to_look_at(picture.pixels)
    small = coloured(resized(pixels, fitted(pixels.shape[:2])))
    size = small.shape[:2]
    p_map = detector.p_map_of(replace(verdict, size=size))
    inside = np.logical_or.reduce(
        [resized_mask(region.mask, size) for region in sight.regions] or [np.zeros(size, bool)]
    )
    photo = outlined(small, inside, LINE) if sight.regions else small
    close = closer(pixels, sight.regions[0]) if sight.regions else None
    return sight, Shot(photo, heated(small, strength(p_map)), sight.normal, close)


def closer(pixels: np.ndarray, region: Region) -> np.ndarray | None:
    """The part of a picture `(H, W, C)` around a region of it; None where that is most of the picture."""
    spans = [
        span(low, high, length)
        for low, high, length in zip(region.relative_box[:2], region.relative_box[2:], pixels.shape[:2], strict=True)
    ]
    if any(stop - start > CLOSE * length for (start, stop), length in zip(spans, pixels.shape[:2], strict=True)):
        return None
    (top, bottom), (left, right) = spans
    part = pixels[top:bottom, left:right]
    return resized(part, fitted(part.shape[:2]))


def span(low: float, high: float, length: int) -> tuple[int, int]:
    """What is shown of an axis of so many pixels around a part of it, given in shares.

    >>> span(0.5, 0.52, 1000), span(0.0, 0.1, 100)
    ((480, 540), (0, 30))
    """
    wide = min(length, max(16, round(AROUND * (high - low) * length)))
    start = min(max(0, round((low + high) / 2 * length - wide / 2)), length - wide)
    return start, start + wide


def fitted(size: tuple[int, int]) -> tuple[int, int]:
    """A size of the same aspect whose longer side is the one that is shown; small ones are enlarged.

    >>> fitted((720, 360)), fitted((9, 6))
    ((360, 180), (360, 240))
    """
    height, width = (max(1, round(length * SIDE / max(size))) for length in size)
    return height, width


def resized(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Pixels `(H, W, C)` uint8 at another size (h, w)."""
    if pixels.shape[:2] == size:
        return pixels
    plane = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    small = np.asarray(Pillow.fromarray(plane).resize(size[::-1], Pillow.Resampling.LANCZOS))
    return small.reshape(*size, pixels.shape[2])


def resized_mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A mask `(H, W)` at another size (h, w): without holes where that is larger, never empty where it is smaller.

    >>> resized_mask(np.array([[True, False]]), (2, 4)).tolist()
    [[True, True, False, False], [True, True, False, False]]
    """
    rows, columns = (np.arange(to) * of // to for of, to in zip(mask.shape, size, strict=True))
    return np.asarray(shrunk(mask, size) | mask[np.ix_(rows, columns)])
