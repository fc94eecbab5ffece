r"""The same thing photographed again: pictures of one thing that differ as two photos do,

.. math:: x'(u) = J\big(c\, (x(R u + s) - \tfrac12) + \tfrac12 + b + \epsilon\big),

R a small rotation about the middle from a little closer, so that nothing is seen that the picture does not show, s a
shift, c and b contrast and brightness, :math:`\epsilon` noise, J the losses of
a jpeg. Where references were photographed only once, such copies stand in for normal pairs; a model learnt from them
knows these differences alone, and two real photos of a good part teach more.
"""

import io
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import numpy as np
from PIL import Image
from scipy.ndimage import affine_transform

from anodiff.data.albums import Album, Pair, Single, decoded_item
from anodiff.data.pictures import album
from anodiff.types import Unreadable


@dataclass(frozen=True)
class Move:
    """A rotation about the middle, in degrees, then a shift by (rows, columns) as shares of the shorter side.

    Where it is to stay `inside` the picture, it is a look from as much closer as that takes.
    """

    degrees: float
    shift: tuple[float, float]
    inside: bool = False

    def __call__(self, pixels: np.ndarray, order: Literal[0, 1] = 1) -> np.ndarray:
        """Pixels `(h, w)` or `(h, w, C)` moved; edges are repeated outside. Order 0, of masks, takes the nearest.

        >>> Move(0.0, (1 / 3, 0.0))(np.arange(9.0).reshape(3, 3)).tolist()
        [[0.0, 1.0, 2.0], [0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
        """
        if pixels.ndim == 3:
            return np.stack([self(pixels[..., c], order) for c in range(pixels.shape[2])], 2)
        cosine, sine = np.cos(np.deg2rad(self.degrees)), np.sin(np.deg2rad(self.degrees))
        rotation = np.array([[cosine, -sine], [sine, cosine]])
        middle, shift = (np.array(pixels.shape) - 1) / 2, np.array(self.shift) * min(pixels.shape)
        if self.inside:
            corner = np.abs(rotation) @ middle + np.abs(rotation @ shift)
            rotation /= max(1.0, float((corner / middle).max()))
        offset = middle - rotation @ (middle + shift)
        return np.asarray(affine_transform(pixels, rotation, offset, order=order, mode="nearest"))


@dataclass(frozen=True)
class Jitter:
    """How far photos of one thing differ.

    Attributes:
        shift: Least and most, either way, as shares of the shorter side: 2 to 4 pixels of 256.
        degrees: Of rotation, at most, either way.
        contrast: Likewise, about 1.
        brightness: Likewise, about 0.
        noise: Standard deviation.
        quality: Least and most of the jpeg; None for no jpeg.
    """

    shift: tuple[float, float] = (2 / 256, 4 / 256)
    degrees: float = 1.0
    contrast: float = 0.1
    brightness: float = 0.05
    noise: float = 0.02
    quality: tuple[int, int] | None = (75, 95)

    def move(self, draw: np.random.Generator) -> Move:
        """Where another photo looks."""
        rows, columns = draw.uniform(*self.shift, 2) * draw.choice([-1.0, 1.0], 2)
        return Move(float(draw.uniform(-self.degrees, self.degrees)), (float(rows), float(columns)), inside=True)

    def light(self, pixels: np.ndarray, draw: np.random.Generator) -> np.ndarray:
        """Pixels `(h, w, C)` in 0..1 under other light, and stored; float32 in 0..1."""
        contrast = 1 + draw.uniform(-self.contrast, self.contrast)
        lit = (pixels - 0.5) * contrast + 0.5 + draw.uniform(-self.brightness, self.brightness)
        lit = np.clip(lit + draw.normal(0, self.noise, pixels.shape), 0, 1).astype(np.float32)
        return lit if self.quality is None else stored(lit, int(draw.integers(*self.quality, endpoint=True)))

    def __call__(self, pixels: np.ndarray, seed: int, mask: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Another photo `(h, w, C)` of what pixels `(h, w, C)` in 0..1 show, and the mask `(h, w)` moved with it."""
        draw = np.random.default_rng(seed)
        move = self.move(draw)
        region = np.zeros(pixels.shape[:2], bool) if mask is None else move(mask.astype(np.uint8), order=0).astype(bool)
        return self.light(move(pixels), draw), region


def stored(pixels: np.ndarray, quality: int) -> np.ndarray:
    """Pixels `(h, w, 1|3)` in 0..1 as a jpeg gives them back."""
    bytes = np.rint(pixels * 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(bytes[..., 0] if bytes.shape[2] == 1 else bytes).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file), np.float32).reshape(pixels.shape) / np.float32(255)


@dataclass(frozen=True, eq=False)
class Again:
    """A picture photographed again, when it is asked for."""

    item: Single
    jitter: Jitter
    seed: int

    def __call__(self) -> np.ndarray:
        return self.jitter(decoded_item(self.item, None).pixels, self.seed)[0]


def again(source: Any, *, seed: int = 0, jitter: Jitter | None = None) -> Album:
    """Pictures photographed again, made when they are asked for.

    Args:
        source: Whatever `anodiff.data.pictures.album` reads, but no pairs.
        seed: Other seeds draw other photos.
        jitter: How far they differ.

    Raises:
        Unreadable: there is no picture in it, or they are pairs.
    """
    found = album(source)
    if found.paired:
        raise Unreadable("the pictures are pairs already; give the references alone.")
    seeds = np.random.default_rng(seed).integers(2**31, size=len(found))
    made = [Again(cast(Single, i), jitter or Jitter(), int(s)) for i, s in zip(found.items, seeds, strict=True)]
    return replace(found, items=made)


def jittered(source: Any, *, seed: int = 0, jitter: Jitter | None = None) -> Album:
    """Pairs of pictures with copies of themselves: either may be the reference, so that neither kind is the sharper.

    Args:
        source: References, whatever `anodiff.data.pictures.album` reads.
        seed: Other seeds draw other copies.
        jitter: How far they differ.

    Raises:
        Unreadable: there is no picture in it, or they are pairs already.

    >>> (pair,) = jittered([np.eye(64, dtype=np.uint8) * 255]).pictures()
    >>> pair.pixels.shape == pair.reference.pixels.shape, bool((pair.pixels == pair.reference.pixels).all())
    (True, False)
    """
    copies = again(source, seed=seed, jitter=jitter)
    other = np.random.default_rng((seed, 1)).random(len(copies)) < 0.5
    items = [
        Pair(copy, copy.item) if o else Pair(copy.item, copy) for copy, o in zip(_made(copies), other, strict=True)
    ]
    return replace(copies, items=items)


def _made(copies: Album) -> list[Again]:
    return [item for item in copies.items if isinstance(item, Again)]
