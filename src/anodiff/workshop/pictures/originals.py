"""Pictures at their own size and in the frame of a model, and what was painted in the frame back on them.

Outside the region they stay as they were, to the last bit of a pixel.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anodiff.data.albums import Album, Picture, Unread
from anodiff.data.frames import Frame
from anodiff.data.masks import in_frame, masks_of
from anodiff.modalities.image import LUMA, Image
from anodiff.types import Mask, Misfit, Unreadable

WHITE = 255.0


@dataclass(frozen=True, eq=False)
class Originals:
    """Pictures.

    Attributes:
        names: What they are called.
        pixels: Each at its own size, uint8 `(H, W)` or `(H, W, 3)`, as many channels as the model has.
        x: The same in the frame, `(n, C, S, S)` in [-1, 1].
    """

    names: list[str]
    pixels: list[np.ndarray]
    x: Tensor

    def __len__(self) -> int:
        return len(self.names)

    def part(self, places: Sequence[int]) -> "Originals":
        """Some of them, by place."""
        at = [int(i) for i in places]
        return Originals([self.names[i] for i in at], [self.pixels[i] for i in at], self.x[at])

    def painted(self, image: Image, x: Tensor, region: list[np.ndarray]) -> list[np.ndarray]:
        """These pictures after they became `x` `(n, C, S, S)` in their regions, each `(H, W)` bool."""
        found = []
        for before, change, where in zip(self.pixels, (x - self.x).numpy(), region, strict=True):
            size = (before.shape[0], before.shape[1])
            moved = np.stack([image.square.back(plane, size) for plane in change], 2) * (WHITE / 2)
            whole = before.reshape(*size, -1) + moved
            new = np.rint(np.clip(whole, 0, WHITE)).astype(np.uint8).reshape(before.shape)
            found.append(np.where(where if before.ndim == 2 else where[..., None], new, before))
        return found

    def regions(self, image: Image, region: Mask) -> list[np.ndarray]:
        """Regions of the frame `(n, S, S)` on the pictures, each `(H, W)` bool; none becomes empty."""
        found = []
        for pixels, one in zip(self.pixels, region.numpy(), strict=True):
            back = image.square.back(one.astype(np.float32), (pixels.shape[0], pixels.shape[1]))
            found.append(back >= min(0.5, float(back.max())) if one.any() else np.zeros(back.shape, bool))
        return found


def originals(album: Album, image: Image, most: int | None = None) -> Originals:
    """The pictures of an album that can be read, the first `most` of them; warns of those that cannot.

    Raises:
        Unreadable: none can be read.
    """
    names, pixels, rows, unread = [], [], [], list[Unread]()
    for picture in album.pictures(None, 0, most):
        if isinstance(picture, Unread):
            unread.append(picture)
            continue
        names.append(picture.name)
        pixels.append(native(picture, int(image.channels_)))
        rows.append(image.encode([picture]).x)
    if not names:
        raise Unreadable(f"not one of the {len(album)} pictures can be read; give others.")
    if unread:
        told = str(unread[0]).rstrip(".")
        warnings.warn(f"{len(unread)} of {len(album)} pictures cannot be read and are left out: {told}.", stacklevel=2)
    return Originals(names, pixels, torch.cat(rows))


def native(picture: Picture, channels: int) -> np.ndarray:
    """A picture at its own size in 8 bits: `(H, W)` of one channel, `(H, W, 3)` of three."""
    values = picture.pixels
    if channels == 1 and values.shape[2] == 3:
        values = (values * LUMA).sum(2, keepdims=True)
    levels = np.rint(values * WHITE).astype(np.uint8)
    return levels[..., 0] if channels == 1 else np.broadcast_to(levels, (*levels.shape[:2], 3)).copy()


def drawn_masks(given: Any, found: Originals) -> list[np.ndarray]:
    """Masks that a user gave for pictures, each `(H, W)` bool at its picture's size.

    Raises:
        Misfit: there are more or fewer than pictures, or one is empty, covers all, or is of another size.
        Unreadable: one cannot be read.
    """
    array = np.asarray(given) if not isinstance(given, str | list | tuple) and hasattr(given, "__array__") else given
    if isinstance(array, np.ndarray) and array.ndim == 2:
        array = [array] * len(found)
    if isinstance(array, np.ndarray | list | tuple) and len(array) == 1:
        array = [array[0]] * len(found)
    masks = masks_of(array, found.names, [(p.shape[0], p.shape[1]) for p in found.pixels])
    for name, mask in zip(found.names, masks, strict=True):
        if mask is None or not mask.any():
            raise Misfit(f"the mask of picture {name} is empty; mark at least one pixel, or leave where= out.")
        if mask.all():
            raise Misfit(f"the mask of picture {name} covers all of it; leave some of it normal.")
    return [np.asarray(mask) for mask in masks]


def framed_masks(masks: Sequence[np.ndarray], frame: Frame) -> Mask:
    """Masks of pictures in the frame, `(n, S, S)` bool."""
    return torch.from_numpy(np.stack([in_frame(mask, frame) for mask in masks]))


def together(pictures: list[np.ndarray]) -> Any:
    """One array `(n, ...)` where all are of one size, else the list."""
    return np.stack(pictures) if len({each.shape for each in pictures}) == 1 else pictures
