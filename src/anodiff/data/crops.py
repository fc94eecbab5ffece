r"""Crops of pictures without end: what a network of pixels is trained on when pictures are large and memory is not.

A pool of pictures is kept, and each batch is cut from it at random,

.. math:: \text{crop} = \text{flip}\big( x_i[:, \, a : a + S, \; b : b + S] \big), \quad i, a, b \text{ uniform},

while some of the pool make way for the next pictures of the stream. A set smaller than the pool is read once.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import numpy as np

from anodiff.types import Misfit

Pictures = Callable[[], Iterable[np.ndarray]]


def crops(
    pictures: Pictures,
    size: int,
    batch: int = 32,
    seed: int = 0,
    held: int = 256,
    renewed: int = 4,
    flips: bool = True,
) -> Iterator[np.ndarray]:
    """Batches `(batch, C, size, size)` float32, without end; the same ones for the same seed and stream.

    Args:
        pictures: Called for each pass over the stream: pictures `(C, h, w)` of one number of channels, any sizes. One
            that is smaller than a crop is mirrored at its edges.
        size: Of a crop, pixels a side.
        batch: Crops at a time.
        seed: Of places and flips.
        held: Pictures in memory at once, at most.
        renewed: Pictures of a pool that does not hold all of them which make way after each batch.
        flips: Whether crops are mirrored, left to right and upside down, each in half of the cases.

    Raises:
        Misfit: There is no picture, or a size, batch or pool below 1.
    """
    if min(size, batch, held) < 1:
        raise Misfit(f"crops of {size} px in batches of {batch} from {held} pictures cannot be cut; ask for 1 or more.")
    draw = np.random.default_rng(seed)
    stream = iter(pictures())
    pool = [roomy(x, size) for x in islice(stream, held)]
    if not pool:
        raise Misfit("there is no picture to cut crops from; give at least one.")
    ahead = _endless(stream, pictures) if len(pool) == held else None
    while True:
        yield np.stack([cropped(pool[i], size, draw, flips) for i in draw.integers(len(pool), size=batch)])
        for x in islice(ahead, renewed) if ahead is not None else ():
            pool[draw.integers(held)] = roomy(x, size)


def cropped(x: np.ndarray, size: int, draw: np.random.Generator, flips: bool = True) -> np.ndarray:
    """A crop `(C, size, size)` of a picture `(C, h, w)` at a random place."""
    top, left = (int(draw.integers(side - size + 1)) for side in x.shape[1:])
    crop = x[:, top : top + size, left : left + size]
    down, across = (int(v) for v in 1 - 2 * (draw.random(2) < 0.5 * flips))
    return np.ascontiguousarray(crop[:, ::down, ::across])


def roomy(x: np.ndarray, size: int) -> np.ndarray:
    """A picture `(C, h, w)` as float32, mirrored at its edges until a crop fits in."""
    short = [max(0, size - side) for side in x.shape[1:]]
    picture = np.asarray(x, dtype=np.float32)
    return np.pad(picture, [(0, 0), *((v // 2, v - v // 2) for v in short)], "symmetric") if any(short) else picture


def _endless(stream: Iterator[np.ndarray], again: Pictures) -> Iterator[np.ndarray]:
    while True:
        yield from stream
        stream = iter(again())
        first = next(stream, None)
        if first is None:
            return
        yield first
