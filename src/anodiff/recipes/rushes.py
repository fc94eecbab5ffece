"""Pieces of clips as arrays: what a generator of video learns from, and what it makes something on."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from anodiff.data.reels import Clip
from anodiff.types import Unreadable

PIXELS = 64_000_000
"""Numbers of a piece, at most: 8 s of video in full HD, minutes of a small one."""
LONGEST, LEAST = 200, 24
"""Frames of a piece at most, and those that it may have however large they are."""
FEWEST = 2


@dataclass(frozen=True, eq=False)
class Piece:
    """Some frames of a clip, one after the other.

    Attributes:
        x: `(T, H, W, C)` uint8.
        flat: Whether its frames have no axis of colours.
        name: Of the clip.
        number: Of the clip, among those that were given; -1 where it was kept.
        offset: The first frame in the clip.
        whole: How many frames the clip has, as far as it was read.
    """

    x: np.ndarray
    flat: bool
    name: str = ""
    number: int = -1
    offset: int = 0
    whole: int = 0

    def native(self, x: np.ndarray) -> np.ndarray:
        """Frames like its own `(T, H, W, C)`, as they were given."""
        return np.ascontiguousarray(x[..., 0] if self.flat else x)


def piece_of(clip: Clip, number: int, draw: np.random.Generator, about: tuple[int, int] | None = None) -> Piece:
    """A piece of a clip: about these frames, else from a place that is drawn.

    Raises:
        Unreadable: it has fewer than 2 frames of one size.
    """
    first = next(clip.frames(), None)
    if first is None:
        raise Unreadable(f"clip {clip.name} has no frame that can be read; leave it out.")
    many = frames_of(first.pixels)
    length = clip.length if clip.length is not None else sum(1 for _ in clip.frames())
    start = 0
    if length > many:
        start = int(draw.integers(length - many + 1))
        if about is not None:
            start = int(np.clip((about[0] + about[1] - many) // 2, 0, length - many))
    return taken(clip, number, start, many, length)


def pieces_of(clip: Clip, number: int, many: int, most: int) -> Iterator[Piece]:
    """Pieces of so many frames from the beginning of a clip, up to as many frames as one piece may have."""
    whole = taken(clip, number, 0, most, 0)
    many = min(many, len(whole.x))
    for start in range(0, len(whole.x) - many + 1, many):
        yield Piece(whole.x[start : start + many], whole.flat, clip.name, number, start, len(whole.x))


def taken(clip: Clip, number: int, start: int, many: int, length: int) -> Piece:
    """So many frames of a clip, from one on; those of the size of the first.

    Raises:
        Unreadable: they are fewer than 2.
    """
    found: list[np.ndarray] = []
    for frame in islice(clip.frames(), start, start + many):
        if found and frame.pixels.shape != found[0].shape:
            break
        found.append(frame.pixels)
    if len(found) < FEWEST:
        raise Unreadable(f"clip {clip.name} has {len(found)} frames that can be read; give at least {FEWEST}.")
    x = np.stack(found)
    flat = x.ndim == 3
    return Piece(x[..., None] if flat else x, flat, clip.name, number, start, max(length, len(x)))


def frames_of(pixels: np.ndarray) -> int:
    """How many frames like this one a piece has at most."""
    return int(np.clip(PIXELS // pixels.size, LEAST, LONGEST))


def smaller(piece: Piece, most: int) -> np.ndarray:
    """Its frames with so many pixels each at most, by whole factors, `(T, h, w, C)` uint8."""
    down = 1
    while piece.x.shape[1] * piece.x.shape[2] > most * down**2:
        down += 1
    if down == 1:
        return piece.x
    height, width = (n // down * down for n in piece.x.shape[1:3])
    cut = piece.x[:, :height, :width].reshape(len(piece.x), height // down, down, width // down, down, piece.x.shape[3])
    return np.asarray(np.round(cut.mean((2, 4))), dtype=np.uint8)


def as_pieces(kept: list[np.ndarray], flat: list[bool]) -> list[Piece]:
    """Pieces of frames that were kept."""
    return [Piece(x, each, whole=len(x)) for x, each in zip(kept, flat, strict=True)]


def arrays_of(things: list[Any]) -> dict[str, np.ndarray]:
    """Walks as arrays: boxes, and what is in them laid out flat."""
    found: dict[str, np.ndarray] = {}
    for k, walk in enumerate(things):
        found[f"{k}.boxes"] = walk.boxes
        found[f"{k}.masks"] = np.concatenate([mask.ravel() for mask in walk.masks])
        found[f"{k}.cuts"] = np.concatenate([cut.reshape(-1, cut.shape[2]) for cut in walk.cuts])
    return found
