"""What a head may be taught beside real defects: who makes it, and from what."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from anodiff.generate import Generator
from anodiff.made import Made
from anodiff.rounds.image_makers import IMAGE_MAKERS
from anodiff.rounds.makers import Ground
from anodiff.types import Misfit

Pairs = tuple[np.ndarray, np.ndarray]
"""Pictures `(n, S, S[, 3])` uint8 and masks `(n, S, S)`."""
WAYS = ((1, -1), (-1, 1), (-1, -1))
"""Steps along the rows and the columns of a picture that is turned over."""
STRENGTH = (0.4, 1.0)
WIDE = 2
"""Times as many are made as are taken, where the hardest are."""


@dataclass(frozen=True, eq=False)
class Given:
    """What makers are given.

    Attributes:
        normals: Pictures `(n, S, S[, 3])` uint8.
        known: Known defects, alike.
        masks: Theirs `(k, S, S)`.
        kinds: Theirs.
        seed: Of every draw.
    """

    normals: np.ndarray
    known: np.ndarray
    masks: np.ndarray
    kinds: list[str]
    seed: int


Make = Callable[[Given, int], Pairs]


def classical(name: str) -> Make:
    """A maker that needs no model."""

    def make(given: Given, n: int) -> Pairs:
        ground = Ground(given.normals, list(given.known), list(given.masks))
        items, masks = IMAGE_MAKERS[name].make(ground, n, given.seed)
        return np.stack(items), np.stack(masks)

    return make


def again(given: Given, n: int) -> Pairs:
    """The known defects as they are: nothing is new but their weight."""
    at = np.arange(n) % len(given.known)
    return given.known[at], given.masks[at]


def turned(given: Given, n: int) -> Pairs:
    """The known defects turned over, with all of their pictures."""
    draw = np.random.default_rng(given.seed)
    pairs = [(given.known[i % len(given.known)], given.masks[i % len(given.known)]) for i in range(n)]
    ways = [WAYS[way] for way in draw.integers(len(WAYS), size=n)]
    pictures, masks = (
        [pair[k][::down, ::right] for pair, (down, right) in zip(pairs, ways, strict=True)] for k in (0, 1)
    )
    return np.stack(pictures), np.stack(masks)


CLASSICAL: dict[str, Make] = {
    "again": again,
    "turned": turned,
    "pasted copies": classical("copies"),
    "cut-paste": classical("cutpaste"),
    "Perlin": classical("perlin"),
}
OF_KNOWN = ("again", "turned", "pasted copies")
"""Those that need known defects."""
GENERATED, HARDEST = "generated", "generated, hardest"
ARMS = (*CLASSICAL, GENERATED, HARDEST)


def fits(name: str, count: int) -> bool:
    """Whether an arm can do with so many known defects of each kind."""
    return count > 0 or name not in OF_KNOWN


def ordered(generator: Generator, given: Given, n: int) -> Made:
    """Anomalies that were made to order, on as many normal pictures, accepted or not."""
    draw = np.random.default_rng(given.seed)
    on = given.normals[draw.permutation(len(given.normals))[:n]]
    return generator.sample(n, on=list(on), strength=draw.uniform(*STRENGTH, n).tolist(), seed=given.seed)


def pairs(made: Made, n: int) -> Pairs:
    """The first so many that were accepted, in turns where they are fewer.

    Raises:
        Misfit: none was.
    """
    kept = made.kept
    if not len(kept):
        raise Misfit(f"none of what was made was accepted: {made.summary()}")
    at = np.arange(n) % len(kept)
    return np.stack([np.asarray(kept.data[i]) for i in at]), np.stack([np.asarray(kept.region[i]) for i in at])
