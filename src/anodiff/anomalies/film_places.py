"""Where something happens in a clip: with a thing that moves, where nothing ever moves, or in a box for a while."""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from anodiff.anomalies.film_kinds import FilmKind, Spot
from anodiff.anomalies.film_scene import Stage, Walk, spread_out
from anodiff.types import Misfit

OBJECT, EMPTY, BOX, GIVEN = "object", "empty", "box", "given"
FILM_PLACES = (OBJECT, EMPTY, BOX)
SHORTEST, LONGEST = 12, 48
"""Frames that something goes on for."""
SHARES = (0.01, 0.06)
"""Of a frame that a box covers."""
STILL = 4.0
"""Pixels: what comes no farther stands still."""
SMALL = 30
"""Pixels: what is smaller is not cut out."""


def spot_of(
    name: str, stage: Stage, kind: FilmKind, size: tuple[float, float] | None, thing: Walk | None,
    draw: np.random.Generator,
) -> Spot | None:  # fmt: skip
    """A place of that name, for that kind; None where the clip has none.

    Args:
        name: Of a place.
        stage: The clip.
        kind: Of anomaly.
        size: Least and most share of the clip that a region covers; of things that are followed they say for how long.
        thing: What is to be put there, for kinds that bring one.
        draw: Of every choice.
    """
    if name == OBJECT:
        walk = followed(stage, kind.moving, size, draw)
        if walk is None:
            return None
        if not kind.foreign:
            return Spot(OBJECT, walk, None)
        return Spot(OBJECT, None, laid(spread_out(walk, stage.x.shape[1:3], 0), walk.start, len(stage.x)))
    if name == EMPTY:
        return Spot(EMPTY, None, emptiest(stage, thing, size, draw))
    return Spot(BOX, None, boxed(stage, size, draw))


def given_spot(mask: np.ndarray, clip: tuple[int, ...], name: str) -> Spot:
    """A region as it was given.

    Raises:
        Misfit: it is not laid out like the clip, or is empty.
    """
    region = np.asarray(mask)
    if region.shape != clip[:3]:
        raise Misfit(f"the region of {name} has the shape {region.shape}; give (T, H, W), {clip[:3]}, True where.")
    if not region.astype(bool).any():
        raise Misfit(f"the region of {name} is empty; mark where something is to happen.")
    return Spot(GIVEN, None, region.astype(bool))


def followed(stage: Stage, moving: bool, size: tuple[float, float] | None, draw: np.random.Generator) -> Walk | None:
    """A thing to follow, for a while in which it is all in the picture; None where there is none."""
    height, width = stage.x.shape[1:3]
    found = []
    for walk in stage.walks:
        inside = ((walk.boxes[:, :2] > 0).all(1) & (walk.boxes[:, 2] < height) & (walk.boxes[:, 3] < width)) & (
            np.array([mask.sum() for mask in walk.masks]) >= SMALL
        )
        first, last = _longest(inside)
        whole = walk.cut(first, last)
        if len(whole) < SHORTEST:
            continue
        if moving and np.linalg.norm(whole.path[-1] - whole.path[0]) < STILL:
            continue
        found.append(whole)
    if not found:
        return None
    length = np.array([len(walk) for walk in found], dtype=float)
    walk = found[int(draw.choice(len(found), p=length / length.sum()))]
    many = int(draw.integers(SHORTEST, min(LONGEST, len(walk)) + 1))
    if size is not None:
        each = float(np.mean([mask.sum() for mask in walk.masks]))
        wanted = draw.uniform(*size) * stage.x[..., 0].size / each
        many = int(np.clip(round(wanted), min(SHORTEST, len(walk)), len(walk)))
    start = int(draw.integers(len(walk) - many + 1))
    return walk.cut(start, start + many)


def emptiest(
    stage: Stage, thing: Walk | None, size: tuple[float, float] | None, draw: np.random.Generator
) -> np.ndarray:
    """A box as large as a thing, for a while, where as little else is as anywhere, `(T, H, W)` bool."""
    frames, height, width = stage.x.shape[:3]
    sides = (height // 5, width // 8) if thing is None else thing.masks[0].shape
    if size is not None:
        sides = _sides(draw.uniform(*size) * frames / min(frames, LONGEST), (height, width), draw)
    sides = (min(sides[0], height), min(sides[1], width))
    first, last = while_of(frames, draw)
    seen = np.zeros((height, width))
    for walk in stage.walks:
        seen += spread_out(walk, (height, width), 0).sum(0)
    crowd = ndimage.uniform_filter(seen, sides, mode="nearest")
    middle = crowd[sides[0] // 2 : height - (sides[0] - 1) // 2, sides[1] // 2 : width - (sides[1] - 1) // 2]
    choices = np.argwhere(middle <= np.quantile(middle, 0.1))
    top, left = choices[int(draw.integers(len(choices)))]
    region = np.zeros((frames, height, width), dtype=bool)
    region[first:last, top : top + sides[0], left : left + sides[1]] = True
    return region


def boxed(stage: Stage, size: tuple[float, float] | None, draw: np.random.Generator) -> np.ndarray:
    """A box for a while, where something moves if anything does, `(T, H, W)` bool."""
    frames, height, width = stage.x.shape[:3]
    first, last = while_of(frames, draw)
    share = draw.uniform(*SHARES) if size is None else draw.uniform(*size) * frames / (last - first)
    sides = _sides(share, (height, width), draw)
    middle = np.array([draw.uniform(0, height), draw.uniform(0, width)])
    here = [walk for walk in stage.walks if walk.start < last and walk.end > first]
    if here:
        walk = here[int(draw.integers(len(here)))]
        middle = walk.path[int(np.clip((first + last) // 2 - walk.start, 0, len(walk) - 1))]
    top, left = (
        int(np.clip(round(m - s / 2), 0, n - s)) for m, s, n in zip(middle, sides, (height, width), strict=True)
    )
    region = np.zeros((frames, height, width), dtype=bool)
    region[first:last, top : top + sides[0], left : left + sides[1]] = True
    return region


def while_of(frames: int, draw: np.random.Generator) -> tuple[int, int]:
    """From which frame to which something goes on, leaving some before and after where there are enough."""
    most = max(2, min(LONGEST, frames * 2 // 3))
    many = int(draw.integers(min(SHORTEST, most), most + 1))
    first = int(draw.integers(frames - many + 1))
    return first, first + many


def laid(masks: np.ndarray, start: int, frames: int) -> np.ndarray:
    """Masks `(L, H, W)` from a frame on, in a clip of so many, `(T, H, W)` bool."""
    region = np.zeros((frames, *masks.shape[1:]), dtype=bool)
    region[start : start + len(masks)] = masks
    return region


def _sides(share: float, frame: Sequence[int], draw: np.random.Generator) -> tuple[int, int]:
    """Height and width of a box that covers a share of a frame."""
    area, lean = min(share, 0.9) * frame[0] * frame[1], np.exp(draw.uniform(-0.5, 0.5))
    height = int(np.clip(round(np.sqrt(area * lean)), 4, frame[0]))
    return height, int(np.clip(round(area / height), 4, frame[1]))


def _longest(inside: np.ndarray) -> tuple[int, int]:
    """The longest run of True."""
    edges = np.flatnonzero(np.diff(np.r_[False, inside, False].astype(int))).reshape(-1, 2)
    if not len(edges):
        return 0, 0
    first, last = edges[int(np.argmax(edges[:, 1] - edges[:, 0]))]
    return int(first), int(last)
