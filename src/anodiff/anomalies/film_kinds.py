r"""Kinds of anomalies of video: something moves, or shows itself, as nothing does there. Each in two ways.

A thing that is followed is taken out and laid in again elsewhere, at another time or in another form,

.. math:: x'_t = (1 - m_{\tau}(\cdot - q))\, \bar x_t + m_{\tau}(\cdot - q)\, O_{\tau}(\cdot - q), \qquad
    q = p(\tau) - p(k) \text{ or as the kind says},

:math:`\bar x` the frame closed where the thing was. In a region R that does not follow a thing the film is run
otherwise, :math:`x'_t = x_{\tau(t)}` within R, faded in over three pixels. The amount a says how far; at a = 0 nothing
has changed. What is not touched is as it was, to the bit.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import ndimage

from anodiff.anomalies.film_scene import Stage, Walk, around, draw_on, faded, spread_out
from anodiff.anomalies.paste import membrane

Make = Callable[[float], tuple[np.ndarray, np.ndarray]]
"""From an amount to a clip `(T, H, W, C)` uint8, and where it was touched `(T, H, W)` bool."""

SEAM = 3.0
BEFORE = 1 / 4
"""Of a thing's walk, what is left as it was before something happens."""
GROWN = 1.0
"""By how much an inserted thing grows at most, once it is all there."""


@dataclass(frozen=True, eq=False)
class Spot:
    """Where something is to happen.

    Attributes:
        name: Of the kind of place.
        walk: The thing that is followed there; None where none is.
        region: `(T, H, W)` bool, what may be touched; None for whatever a thing covers.
    """

    name: str
    walk: Walk | None
    region: np.ndarray | None


class FilmKind(ABC):
    """A kind of anomaly of video. Think twice before adding anything here, every kind carries it.

    Attributes:
        name: What it is called.
        place: Where it lies by itself, by name: if things move, and where none does.
        moving: Whether a thing that stands still is of no use to it.
        foreign: Whether it brings a thing of its own.
    """

    name: str
    place: tuple[str, str] = ("object", "box")
    moving = False
    foreign = False

    @abstractmethod
    def most(self, stage: Stage, spot: Spot) -> float:
        """The largest amount."""

    @abstractmethod
    def make(self, stage: Stage, spot: Spot, thing: Walk | None, draw: np.random.Generator) -> Make:
        """What makes it, more or less of it; `thing` is one of another clip, for those that bring one."""


class Speed(FilmKind):
    """A thing moves at 1 + a times its pace; a region is played so."""

    name, moving = "speed", True

    def most(self, stage: Stage, spot: Spot) -> float:
        return 7.0

    def make(self, stage: Stage, spot: Spot, thing: Walk | None, draw: np.random.Generator) -> Make:
        if spot.walk is None:
            return replayed(stage, spot, lambda t, a: t[0] + (1 + a) * (t - t[0]))
        path, first = spot.walk.path, _first(spot.walk)

        def place(k: int, a: float) -> tuple[float, np.ndarray]:
            at = first + (1 + a) * (k - first)
            return at, along(path, at)

        return relaid(stage, spot, spot.walk, first, place)


class Direction(FilmKind):
    """A thing turns by the angle a, and goes on from there; a region runs backwards for the share a of its time."""

    name, moving = "direction", True

    def most(self, stage: Stage, spot: Spot) -> float:
        return float(np.pi) if spot.walk is not None else 1.0

    def make(self, stage: Stage, spot: Spot, thing: Walk | None, draw: np.random.Generator) -> Make:
        if spot.walk is None:
            return replayed(stage, spot, _backwards)
        path, first = spot.walk.path, _first(spot.walk)
        side = draw.choice((-1.0, 1.0))

        def place(k: int, a: float) -> tuple[float, np.ndarray]:
            c, s = np.cos(a), side * np.sin(a)
            return k, path[first] + np.array([[c, -s], [s, c]]) @ (path[k] - path[first])

        return relaid(stage, spot, spot.walk, first, place)


class Freeze(FilmKind):
    """A thing stands still for the share a of its time, in the middle of a step; a region shows one frame as long."""

    name, moving = "freeze", True

    def most(self, stage: Stage, spot: Spot) -> float:
        return 1.0

    def make(self, stage: Stage, spot: Spot, thing: Walk | None, draw: np.random.Generator) -> Make:
        if spot.walk is None:
            return replayed(stage, spot, lambda t, a: np.where(t - t[0] < a * len(t), t[0], t))
        path, first = spot.walk.path, _first(spot.walk)
        length = len(spot.walk) - first

        def place(k: int, a: float) -> tuple[float, np.ndarray]:
            at = first if k - first < a * length else k
            return at, path[at]

        return relaid(stage, spot, spot.walk, first, place)


class Jump(FilmKind):
    """A thing leaps by a pixels, along its way or across it; a region leaps by a frames and back."""

    name = "jump"

    def most(self, stage: Stage, spot: Spot) -> float:
        return 0.5 * min(stage.x.shape[1:3]) if spot.walk is not None else 0.5 * len(stage.x)

    def make(self, stage: Stage, spot: Spot, thing: Walk | None, draw: np.random.Generator) -> Make:
        if spot.walk is None:
            return replayed(stage, spot, lambda t, a: t + a)
        path, first = spot.walk.path, _first(spot.walk)
        angle = draw.uniform(0, 2 * np.pi)
        way = spot.walk.stride if np.linalg.norm(spot.walk.stride) > 0.1 else np.array([np.sin(angle), np.cos(angle)])
        ahead = draw.choice((-1.0, 1.0)) * way / np.linalg.norm(way)

        def place(k: int, a: float) -> tuple[float, np.ndarray]:
            return k, path[k] + a * ahead

        return relaid(stage, spot, spot.walk, first, place)


class Inserted(FilmKind):
    """A thing of another clip or time, which shows faintly up to a = 1, where it is all there, and then grows."""

    name, place, foreign = "inserted", ("empty", "empty"), True

    def most(self, stage: Stage, spot: Spot) -> float:
        return 1 + GROWN

    def make(self, stage: Stage, spot: Spot, thing: Walk | None, draw: np.random.Generator) -> Make:
        region = spot.region
        if thing is None or region is None:
            raise ValueError("something is inserted into a region, and it takes a thing.")
        frames = np.flatnonzero(region.any((1, 2)))
        middle = np.array([ndimage.center_of_mass(region[t]) for t in frames])
        own = thing.path[reflected(np.arange(len(frames)), len(thing))]
        given = spot.name == "given"
        way = middle if given else middle[0] + own - own[0]
        fit = _fitting(thing, region, frames) if given else 1.0
        allowed = region if given else None
        flip = bool(draw.integers(2))

        def made(a: float) -> tuple[np.ndarray, np.ndarray]:
            x, touched = stage.x.copy(), np.zeros(region.shape, dtype=bool)
            if a <= 0:
                return x, touched
            size = fit * (1 + max(0.0, a - 1))
            for i, t in enumerate(frames):
                k = int(reflected(np.array([i]), len(thing))[0])
                cut, mask = grown(thing.cuts[k], thing.masks[k], size, flip)
                frame = x[t].astype(np.float32)
                cut = _of_colours(cut, x.shape[3])
                there = draw_on(frame, cut, mask, way[i], min(a, 1.0))
                touched[t] = there if allowed is None else there & allowed[t]
                _put(x, t, frame, touched[t])
            return x, touched

        return made


class Removed(FilmKind):
    """A thing vanishes for a while, as far as a says; in a region, what does not move goes on as it does around it."""

    name = "removed"

    def most(self, stage: Stage, spot: Spot) -> float:
        return 1.0

    def make(self, stage: Stage, spot: Spot, thing: Walk | None, draw: np.random.Generator) -> Make:
        if spot.walk is not None:
            first = _first(spot.walk)
            frames = np.arange(spot.walk.start + first, spot.walk.end)
            holes = _allowed(spread_out(spot.walk, stage.x.shape[1:3])[first:], spot, frames)
            closed = [stage.erased(t, hole) for t, hole in zip(frames, holes, strict=True)]
        else:
            region = spot.region
            if region is None:
                raise ValueError("a region is needed where no thing is followed.")
            frames = np.flatnonzero(region.any((1, 2)))
            holes = region[frames]
            closed = [smoothed(stage.x[t], hole) for t, hole in zip(frames, holes, strict=True)]

        def made(a: float) -> tuple[np.ndarray, np.ndarray]:
            x, touched = stage.x.copy(), np.zeros(stage.x.shape[:3], dtype=bool)
            if a <= 0:
                return x, touched
            for t, hole, without in zip(frames, holes, closed, strict=True):
                touched[t] = hole
                frame = stage.x[t] + min(a, 1.0) * (without - stage.x[t])
                _put(x, t, frame, hole)
            return x, touched

        return made


FILM_KINDS: dict[str, FilmKind] = {
    kind.name: kind for kind in (Speed(), Direction(), Freeze(), Jump(), Inserted(), Removed())
}


def relaid(
    stage: Stage, spot: Spot, walk: Walk, first: int, place: Callable[[int, float], tuple[float, np.ndarray]]
) -> Make:
    """A thing is taken out from its frame `first` on, and laid in as `place` says: as in which frame, and where."""
    frames = np.arange(walk.start + first, walk.end)
    holes = _allowed(spread_out(walk, stage.x.shape[1:3])[first:], spot, frames)
    closed = [stage.erased(t, hole) for t, hole in zip(frames, holes, strict=True)]
    # Boxes stretch with every step; that is no way that a thing goes.
    sway = walk.centres - walk.path

    def made(a: float) -> tuple[np.ndarray, np.ndarray]:
        x, touched = stage.x.copy(), np.zeros(stage.x.shape[:3], dtype=bool)
        if a <= 0:
            return x, touched
        for i, t in enumerate(frames):
            at, centre = place(first + i, a)
            source = int(reflected(np.array([at]), len(walk))[0])
            frame = closed[i].copy()
            there = draw_on(frame, walk.cuts[source], walk.masks[source], centre + sway[source], 1.0)
            touched[t] = holes[i] | (there if spot.region is None else there & spot.region[t])
            _put(x, t, frame, touched[t])
        return x, touched

    return made


def replayed(stage: Stage, spot: Spot, times: Callable[[np.ndarray, float], np.ndarray]) -> Make:
    """A region shows other frames of its clip: at the instants t `(L,)` those of `times(t, a)`."""
    region = spot.region
    if region is None:
        raise ValueError("a region is needed where no thing is followed.")
    frames = np.flatnonzero(region.any((1, 2)))
    weights = {t: faded(region[t], SEAM)[..., None] for t in frames.tolist()}

    def made(a: float) -> tuple[np.ndarray, np.ndarray]:
        x, touched = stage.x.copy(), np.zeros(stage.x.shape[:3], dtype=bool)
        if a <= 0:
            return x, touched
        for t, source in zip(frames, reflected(times(frames, a), len(stage.x)), strict=True):
            if source != t:
                touched[t] = region[t]
                frame = stage.x[t] + weights[int(t)] * (stage.x[source].astype(np.float32) - stage.x[t])
                _put(x, t, frame, region[t])
        return x, touched

    return made


def along(path: np.ndarray, at: float) -> np.ndarray:
    """Where a path `(L, 2)` is at a time, and would be before and after it, straight on."""
    last = len(path) - 1
    inside = float(np.clip(at, 0, last))
    found = np.array([np.interp(inside, np.arange(last + 1), path[:, c]) for c in range(2)])
    some = path[-10:] if at > last else path[:10]
    return np.asarray(found + (at - inside) * (some[-1] - some[0]) / max(1, len(some) - 1))


def reflected(at: np.ndarray, length: int) -> np.ndarray:
    """Instants within 0 and `length`, forth and back.

    >>> reflected(np.array([-1, 0, 2.4, 3, 4, 6]), 4).tolist()
    [1, 0, 2, 3, 2, 0]
    """
    if length < 2:
        return np.zeros(len(at), dtype=int)
    turn = np.round(np.asarray(at, dtype=np.float64)).astype(int) % (2 * length - 2)
    return np.asarray(np.minimum(turn, 2 * length - 2 - turn))


def grown(cut: np.ndarray, mask: np.ndarray, size: float, flip: bool) -> tuple[np.ndarray, np.ndarray]:
    """A cut-out `(h, w, C)` and its mask `size` times as large, turned over or not."""
    if flip:
        cut, mask = cut[:, ::-1], mask[:, ::-1]
    if abs(size - 1) < 0.02:
        return cut, mask
    rows, columns = (np.minimum((np.arange(max(2, round(n * size))) / size).astype(int), n - 1) for n in mask.shape)
    large = cut[np.ix_(rows, columns)]
    return ndimage.uniform_filter(large, (2, 2, 1)) if size > 1.3 else large, mask[np.ix_(rows, columns)]


def as_tall(thing: Walk, tall: int) -> Walk:
    """A thing as large as it would be in frames of another height."""
    size = tall / thing.tall
    if abs(size - 1) < 0.1:
        return thing
    pairs = [grown(cut, mask, size, False) for cut, mask in zip(thing.cuts, thing.masks, strict=True)]
    corners = np.round(thing.boxes[:, :2] * size).astype(int)
    sides = np.array([mask.shape for _, mask in pairs])
    boxes = np.column_stack([corners, corners + sides])
    return Walk(thing.start, boxes, [mask for _, mask in pairs], [cut for cut, _ in pairs], tall)


def smoothed(frame: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """A frame `(H, W, C)` whose hole `(H, W)` goes on as it does around it, float32."""
    found = frame.astype(np.float32)
    rows, columns = around(hole, 6)
    if hole[rows, columns].all():
        return found
    here = torch.from_numpy(np.ascontiguousarray(found[rows, columns].transpose(2, 0, 1)))[None]
    filled = membrane(here, torch.from_numpy(~hole[rows, columns])[None, None], 32)
    found[rows, columns] = filled[0].numpy().transpose(1, 2, 0)
    return found


def _first(walk: Walk) -> int:
    return int(len(walk) * BEFORE)


def _backwards(t: np.ndarray, a: float) -> np.ndarray:
    many = min(len(t), max(2, round(a * len(t))))
    return np.concatenate([t[:many][::-1], t[many:]])


def _allowed(holes: np.ndarray, spot: Spot, frames: np.ndarray) -> np.ndarray:
    return holes if spot.region is None else holes & spot.region[frames]


def _put(x: np.ndarray, t: Any, frame: np.ndarray, where: np.ndarray) -> None:
    x[t][where] = np.clip(np.round(frame[where]), 0, 255).astype(np.uint8)


def _of_colours(cut: np.ndarray, channels: int) -> np.ndarray:
    """A cut-out with as many channels as the clip."""
    if cut.shape[2] == channels:
        return cut
    return np.repeat(cut, 3, 2) if channels == 3 else cut.mean(2, keepdims=True).astype(np.uint8)


def _fitting(thing: Walk, region: np.ndarray, frames: np.ndarray) -> float:
    """How many times as large a thing fills a region."""
    where = around(region[frames[0]], 0)
    sides = [where[0].stop - where[0].start, where[1].stop - where[1].start]
    return float(np.clip(min(s / n for s, n in zip(sides, thing.masks[0].shape, strict=True)), 0.1, 10))
