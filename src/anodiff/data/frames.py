r"""Frames: a picture of any shape in a square of side S, and what was found in the square back on the picture.

A frame takes the part `seen` of the picture to its `place` in the square, each axis by its own scale,

.. math:: v = v_0 + (u - u_0) \frac{v_1 - v_0}{u_1 - u_0},

"squash" the whole to the whole, "pad" the whole to a part of the same aspect (the rest repeats its edge), "crop" the
middle square to the whole. Resampling is bilinear over as many pixels as fall together; 8-bit pictures stay 8-bit, all
others are resampled in single precision.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, TypeAlias

import numpy as np
from PIL import Image

from anodiff.types import Misfit

FITS = ("squash", "pad", "crop")
LARGEST = 8192
Box: TypeAlias = tuple[int, int, int, int]
Planes: TypeAlias = Sequence[Image.Image]


@dataclass(frozen=True)
class Frame:
    """A square.

    Attributes:
        side: S, pixels.
        fit: "squash", "pad" or "crop".
    """

    side: int
    fit: str = "squash"

    def __post_init__(self) -> None:
        whole = isinstance(self.side, Integral) and not isinstance(self.side, bool)
        if not whole or not 1 <= self.side <= LARGEST:
            raise Misfit(f"the size of pictures is {self.side!r}; give a whole number of pixels from 1 to {LARGEST:,}.")
        if self.fit not in FITS:
            raise Misfit(f"pictures cannot be made square by {self.fit!r}; choose one of {', '.join(FITS)}.")

    def seen(self, size: tuple[int, int]) -> Box:
        """What is seen of a picture of `size` (height, width): left, top, right, bottom."""
        height, width = size
        if self.fit != "crop":
            return 0, 0, width, height
        short = min(size)
        left, top = (width - short) // 2, (height - short) // 2
        return left, top, left + short, top + short

    def place(self, size: tuple[int, int]) -> Box:
        """Where in the square it lies: left, top, right, bottom."""
        if self.fit != "pad":
            return 0, 0, self.side, self.side
        height, width = (max(1, round(self.side * length / max(size))) for length in size)
        left, top = (self.side - width) // 2, (self.side - height) // 2
        return left, top, left + width, top + height

    def shrinks(self, size: tuple[int, int]) -> float:
        """Pixels of a picture of `size` per pixel of the square, along the axis where they are fewest."""
        return (max(size) if self.fit == "pad" else min(size)) / self.side

    def filled(self, planes: Planes, size: tuple[int, int]) -> np.ndarray:
        """The square `(S, S, C)` float32 of a picture of `size` that has perhaps been decoded smaller."""
        now = planes[0].size
        scale = now[0] / size[1], now[1] / size[0]
        seen = tuple(edge * scale[i % 2] for i, edge in enumerate(self.seen(size)))
        left, top, right, bottom = self.place(size)
        shape = (right - left, bottom - top)
        small = [plane.resize(shape, Image.Resampling.BILINEAR, box=_within(seen, now)) for plane in planes]
        around = ((top, self.side - bottom), (left, self.side - right), (0, 0))
        return np.pad(values(small), around, mode="edge")

    def back(self, found: np.ndarray, size: tuple[int, int], outside: float = 0.0) -> np.ndarray:
        """A map `(a, b)` of the square, on whatever grid, as `(H, W)` float32 on a picture of `size` (H, W).

        What the frame does not see of the picture is `outside`.
        """
        plane = Image.fromarray(np.ascontiguousarray(found, np.float32))
        scale = plane.width / self.side, plane.height / self.side
        place = tuple(edge * scale[i % 2] for i, edge in enumerate(self.place(size)))
        left, top, right, bottom = self.seen(size)
        part = plane.resize((right - left, bottom - top), Image.Resampling.BILINEAR, box=_within(place, plane.size))
        whole = np.full(size, outside, np.float32)
        whole[top:bottom, left:right] = np.asarray(part)
        return whole


Size: TypeAlias = int | Frame | None
"""What a picture is wanted as: a square of S pixels, squashed; a frame; or None, as it is."""


def frame_of(size: Size) -> Frame | None:
    """The frame that a size asks for.

    Raises:
        Misfit: it is no size.
    """
    return size if isinstance(size, Frame) or size is None else Frame(size)


def framed(planes: Planes, size: tuple[int, int], frame: Frame | None) -> np.ndarray:
    """Planes in a frame `(S, S, C)`, or as they are `(h, w, C)`; float32 in 0..1."""
    found = values(planes) if frame is None else frame.filled(planes, size)
    return np.clip(found, 0, 1, out=found)


def planes_of(pixels: np.ndarray) -> list[Image.Image]:
    """Floats `(h, w, C)` in 0..1 as planes of single precision."""
    return [Image.fromarray(np.ascontiguousarray(pixels[..., c], np.float32)) for c in range(pixels.shape[2])]


def values(planes: Planes) -> np.ndarray:
    """Planes of 8 bits (grey, or one of three colours) or of floats as `(h, w, C)` float32."""
    arrays = [np.asarray(plane, np.float32) for plane in planes]
    laid = np.concatenate([array.reshape(*array.shape[:2], -1) for array in arrays], 2)
    return laid if planes[0].mode == "F" else laid / np.float32(255)


def _within(box: Any, size: tuple[int, int]) -> tuple[float, float, float, float]:
    left, top, right, bottom = box
    return max(left, 0.0), max(top, 0.0), min(right, size[0]), min(bottom, size[1])
