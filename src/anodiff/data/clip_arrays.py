"""Clips that are arrays `(T, H, W[, 3])`, in memory or mapped from a .npy file, checked before any frame is given."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from anodiff.data.picture_modes import SLACK
from anodiff.data.reels import MOST_PIXELS, Shot
from anodiff.types import Unreadable


@dataclass(frozen=True, eq=False)
class ArraySource:
    """The frames of an array that `checked` has passed."""

    array: np.ndarray = field(repr=False)
    rate: float | None = None

    def shots(self) -> Iterator[Shot | str]:
        for i, frame in enumerate(self.array):
            yield Shot(i, i / (self.rate or 1), partial(bytes_of, frame))


def mapped(path: Path) -> np.ndarray:
    """The array of a .npy file, of which nothing is read yet.

    Raises:
        Unreadable: it holds none.
    """
    try:
        return checked(np.load(path, mmap_mode="r", allow_pickle=False))
    except (OSError, ValueError, EOFError) as error:
        if isinstance(error, Unreadable):
            raise
        raise Unreadable(f"it holds no array that can be read ({error}); save it anew.") from None


def checked(given: Any) -> np.ndarray:
    """The clip, frames first; floats are looked through, for what is NaN would be a black frame.

    Raises:
        Unreadable: its shape, its type or its values are not those of a clip.

    >>> checked(np.zeros((5, 4)))
    Traceback (most recent call last):
    ...
    anodiff.types.Unreadable: an array of shape (5, 4) is no clip; give (T, H, W), (T, H, W, 1) or (T, H, W, 3).
    """
    array = np.asarray(given)
    if array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[3] not in (1, 3)):
        raise Unreadable(f"an array of shape {array.shape} is no clip; give (T, H, W), (T, H, W, 1) or (T, H, W, 3).")
    if array.ndim == 3 and array.shape[2] in (1, 3, 4):
        raise Unreadable(
            f"an array of shape {array.shape} may be one frame or {len(array)}; give (T, H, W, 1) or (T, H, W, 3)."
        )
    if not array.size:
        raise Unreadable(f"an array of shape {array.shape} holds no pixel; give at least one frame.")
    if array.shape[1] * array.shape[2] > MOST_PIXELS:
        raise Unreadable(f"its frames have {array.shape[1]:,} x {array.shape[2]:,} pixels; give smaller ones.")
    plain = array.dtype.kind == "b" or (array.dtype.kind == "u" and array.dtype.itemsize <= 2)
    if not plain and array.dtype.kind != "f":
        raise Unreadable(f"its pixels are {array.dtype}; give uint8, uint16, bool, or floats from 0 to 1.")
    if not plain:
        _check_range(array)
    return array


def bytes_of(frame: np.ndarray) -> np.ndarray:
    """One frame as uint8 `(H, W)` or `(H, W, 3)`: 16 bits reach 65,535, floats 1."""
    flat = frame[..., 0] if frame.ndim == 3 and frame.shape[2] == 1 else frame
    if flat.dtype == np.uint8:
        return np.array(flat)
    if flat.dtype == bool:
        return np.asarray(flat, np.uint8) * np.uint8(255)
    top = 65535.0 if flat.dtype.kind == "u" else 1.0
    return np.asarray(np.clip(np.rint(np.asarray(flat, np.float32) * np.float32(255 / top)), 0, 255), np.uint8)


def _check_range(array: np.ndarray) -> None:
    for i, frame in enumerate(array):
        low, high = float(frame.min()), float(frame.max())
        if not np.isfinite([low, high]).all():
            raise Unreadable(f"pixels of frame {i} are NaN or infinite; fill them, or leave the frame out.")
        if low < -SLACK or high > 1 + SLACK:
            raise Unreadable(
                f"pixels of frame {i} are floats from {low:g} to {high:g}; scale all frames alike into 0 to 1."
            )
