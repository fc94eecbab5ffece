"""A toy of a fixed camera: people cross a paved walkway, some of whom do what nobody else does.

Who walks where at frame t is a function of t and the seed alone, so that a clip may be as long as one likes. The far
lanes lead to the left, the near ones to the right; those who are nearer are taller, and in pixels faster.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from anodiff.types import Misfit

KINDS = ("fast", "against", "frozen", "intruder", "jump")
"""What may be planted: one who runs, who walks against the lane, who stands still, a cart, one who leaps to and fro."""
PACE = 0.09
"""Heights of a person that a person walks in a frame."""
HASTE = 3.5
"""How many times faster one who runs is."""
LEAP = 0.7
"""Heights by which one leaps to and fro, every third frame."""
LEAST = 16
SCENE, CROWD, LOOKS, NOISE = range(4)


class Planted(NamedTuple):
    """An anomaly of a `kind`, in sight from frame `start` to frame `end` - 1."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True, eq=False)
class Walk:
    """A clip of the walkway.

    Attributes:
        frames: `(T, H, W)` uint8, or `(T, H, W, 3)` in colour.
        labels: `(T,)` int64, 1 where something planted is in sight.
        masks: `(T, H, W)` bool, where it is.
        planted: what was planted, and when it is in sight.
    """

    frames: np.ndarray
    labels: np.ndarray
    masks: np.ndarray
    planted: list[Planted]


def walkway(
    frames: int = 200,
    anomalies: Sequence[str] = (),
    *,
    size: tuple[int, int] = (48, 72),
    people: int = 3,
    colour: bool = False,
    noise: float = 2.0,
    scene: int = 0,
    seed: int = 0,
) -> Walk:
    """A clip of people who cross a walkway.

    Args:
        frames: T, how many.
        anomalies: of `KINDS`, planted one after the other, each in its share of the clip.
        size: height and width in pixels.
        people: how many walk as they should, all the time.
        colour: whether frames are RGB.
        noise: standard deviation of the camera's noise, in grey levels of 255.
        scene: which camera; it settles the background alone.
        seed: of who walks where, and of the noise.

    Raises:
        Misfit: an anomaly of no known kind, or frames too small to see anybody.

    >>> clip = walkway(60, ["fast"])
    >>> clip.frames.shape, [one.kind for one in clip.planted]
    ((60, 48, 72), ['fast'])
    >>> bool((clip.masks.any((1, 2)) == clip.labels).all())
    True
    """
    shown = walking(frames, anomalies, size=size, people=people, colour=colour, noise=noise, scene=scene, seed=seed)
    pixels, who = (np.stack(each) for each in zip(*shown, strict=True))
    when = [np.flatnonzero((who == k + 1).any((1, 2))) for k in range(len(anomalies))]
    planted = [Planted(kind, int(at[0]), int(at[-1]) + 1) for kind, at in zip(anomalies, when, strict=True) if len(at)]
    masks = np.asarray(who > 0)
    return Walk(pixels, np.asarray(masks.any((1, 2)), np.int64), masks, planted)


def walking(
    frames: int,
    anomalies: Sequence[str] = (),
    *,
    size: tuple[int, int] = (48, 72),
    people: int = 3,
    colour: bool = False,
    noise: float = 2.0,
    scene: int = 0,
    seed: int = 0,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The frames of `walkway` one after the other, each with `(H, W)` uint8: k where the k-th planted is, from 1."""
    unknown = [kind for kind in anomalies if kind not in KINDS]
    if unknown:
        raise Misfit(f"there is no anomaly {unknown[0]!r} on the walkway; plant {', '.join(KINDS)}.")
    if frames < 1 or min(size) < LEAST:
        raise Misfit(
            f"{frames} frames of {size[0]} x {size[1]} pixels show nobody; give 1 or more, of 16 x 16 or more."
        )
    ground, share = _ground(size, scene), frames / max(len(anomalies), 1)
    actors = [_walker(size, i, seed) for i in range(people)]
    for k, kind in enumerate(anomalies):
        actors.append(_planted(kind, k, size, int((k + 0.25) * share), int((k + 0.85) * share), seed))
    actors.sort(key=lambda actor: actor.depth)
    for t in range(frames):
        yield _shot(ground, actors, t, colour, noise * _draw(NOISE, seed, t).normal(size=(*size, 1)))


@dataclass(frozen=True)
class _Actor:
    """One who acts: how near (0 far, 1 near), where at frame t (pixels), and when that is abnormal.

    `number` is 0 for those who are normal, k for the k-th planted.
    """

    depth: float
    at: Callable[[int], float]
    looks: tuple[int, ...]
    number: int = 0
    when: tuple[float, float] = (-np.inf, np.inf)
    cart: bool = False


def _draw(*key: int) -> np.random.Generator:
    return np.random.default_rng(key)


def _tall(depth: float, size: tuple[int, int]) -> float:
    """Pixels from the feet to the top of the head."""
    return size[0] * (0.22 + 0.14 * depth)


def _speed(depth: float, size: tuple[int, int]) -> float:
    """Pixels in a frame, in the direction of the lane."""
    return _tall(depth, size) * PACE * (1 if depth > 0.5 else -1)


def _walker(size: tuple[int, int], i: int, seed: int) -> _Actor:
    """One who crosses again and again, at a pace of their own."""
    draw = _draw(CROWD, seed, i)
    depth = (0.05 + 0.4 * draw.random()) + 0.5 * (i % 2)
    speed = _speed(depth, size) * draw.uniform(0.85, 1.15)
    return _Actor(depth, partial(_lap, size[1], _tall(depth, size), draw.random(), speed), (LOOKS, seed, i))


def _lap(width: int, tall: float, start: float, speed: float, t: int) -> float:
    """Round and round, out of sight for a height before and after the picture."""
    return (start * (width + 2 * tall) + speed * t) % (width + 2 * tall) - tall


def _planted(kind: str, k: int, size: tuple[int, int], start: int, end: int, seed: int) -> _Actor:
    draw = _draw(CROWD, seed, 1000 + k)
    depth = float(draw.choice([0.25, 0.75])) + draw.uniform(-0.15, 0.15)
    speed, looks = _speed(depth, size), (LOOKS, seed, 1000 + k)
    crossing = {"fast": HASTE * speed, "against": -speed, "intruder": 1.2 * speed}
    if kind in crossing:
        at = partial(_crossing, size[1], _tall(depth, size), start, crossing[kind])
        return _Actor(depth, at, looks, k + 1, cart=kind == "intruder")
    leap = LEAP * _tall(depth, size) if kind == "jump" else 0.0
    at = partial(_stopping, size[1] * draw.uniform(0.35, 0.65), start, end, speed, leap)
    return _Actor(depth, at, looks, k + 1, (start, end))


def _crossing(width: int, tall: float, start: int, speed: float, t: int) -> float:
    """Once from edge to edge, from frame `start` on."""
    edge = -tall / 2 if speed > 0 else width + tall / 2
    return edge + speed * (t - start)


def _stopping(stop: float, start: int, end: int, speed: float, leap: float, t: int) -> float:
    """There at frame `start`, until frame `end` standing, or leaping while walking on, and then on as before."""
    if leap:
        return stop + speed * (t - start) + leap * (start <= t < end and (t - start) // 3 % 2 == 0)
    return stop + speed * (min(t - start, 0) + max(t - end, 0))


def _ground(size: tuple[int, int], scene: int) -> np.ndarray:
    """What stands still, `(H, W, 3)` float: grass, and a paved way with joints that run towards the eye."""
    (height, width), draw = size, _draw(SCENE, scene)
    y, x = np.mgrid[:height, :width] / np.array([height, width]).reshape(2, 1, 1)
    rough = np.sum([_rough(size, cells, draw) / cells**0.5 for cells in (4, 12, 32)], 0)
    paved = (y > 0.3 + 0.04 * np.sin(5 * x + draw.uniform(0, 6)))[..., None]
    joints = np.minimum(np.abs(np.sin((x - 0.5) / (0.4 + y) * draw.uniform(14, 20))), np.abs(np.sin(9 / (0.2 + y))))
    stone = draw.uniform(140, 175) + draw.uniform(-8, 8, 3) - 22 * (joints < 0.15)[..., None]
    grass = np.array([75, 110, 60]) * draw.uniform(0.8, 1.2)
    return np.asarray(np.where(paved, stone, grass) + 40 * rough[..., None])


def _rough(size: tuple[int, int], cells: int, draw: np.random.Generator) -> np.ndarray:
    """Normal values on a grid of cells, straight lines between them, `(H, W)`."""
    grid = draw.normal(size=(cells + 1, cells + 1))
    (y, v), (x, u) = (np.divmod(np.linspace(0, cells, n, endpoint=False), 1) for n in size)
    low, left, v, u = y.astype(int), x.astype(int), v[:, None], u[None]
    upper = grid[low][:, left] * (1 - u) + grid[low][:, left + 1] * u
    lower = grid[low + 1][:, left] * (1 - u) + grid[low + 1][:, left + 1] * u
    return np.asarray(upper * (1 - v) + lower * v)


def _shot(
    ground: np.ndarray, actors: list[_Actor], t: int, colour: bool, noise: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    picture, who = ground.copy(), np.zeros(ground.shape[:2], np.uint8)
    for actor in actors:
        _paint(picture, who, actor, t)
    seen = picture + noise if colour else picture.mean(2) + noise[..., 0]
    return np.clip(seen.round(), 0, 255).astype(np.uint8), who


def _paint(picture: np.ndarray, who: np.ndarray, actor: _Actor, t: int) -> None:
    """One before what is painted already; drawn in the box that holds them, in units of their height."""
    size = who.shape[0], who.shape[1]
    tall, x, feet = _tall(actor.depth, size), actor.at(t), size[0] * (0.42 + 0.55 * actor.depth)
    left, right = (int(np.clip(x + side * tall, 0, size[1])) for side in (-0.8, 0.8))
    top, bottom = (int(np.clip(feet + up * tall, 0, size[0])) for up in (-1.1, 0.1))
    if left >= right or top >= bottom:
        return
    v, u = np.mgrid[top:bottom, left:right].astype(float)
    u, v = (u + 0.5 - x) / tall, (feet - v - 0.5) / tall
    draw = _draw(*actor.looks)
    coats, box = draw.uniform(10, 95, (2, 3)), (slice(top, bottom), slice(left, right))
    parts = _cart(u, v) if actor.cart else _person(u, v, x / tall)
    for part, coat in zip(parts, coats if not actor.cart else 255 - coats, strict=True):
        cover = np.clip(0.5 - part * tall, 0, 1)
        picture[box] += cover[..., None] * (coat - picture[box])
        who[box][cover > 0.5] = actor.number if actor.when[0] <= t < actor.when[1] else 0


def _person(u: np.ndarray, v: np.ndarray, walked: float) -> tuple[np.ndarray, np.ndarray]:
    """Distances, negative inside, from the legs and from what is above them."""
    swing = 0.16 * np.sin(2 * np.pi * walked / 0.8)
    legs = np.minimum(_limb(u, v, swing), _limb(u, v, -swing))
    trunk = (np.hypot(u / 0.15, (v - 0.6) / 0.25) - 1) * 0.15
    return legs, np.minimum(trunk, np.hypot(u, v - 0.91) - 0.09)


def _limb(u: np.ndarray, v: np.ndarray, foot: float) -> np.ndarray:
    """From the hip at (0, 0.45) to the foot."""
    along = np.clip((u * foot + (v - 0.45) * -0.45) / (foot**2 + 0.45**2), 0, 1)
    return np.asarray(np.hypot(u - along * foot, v - 0.45 + along * 0.45) - 0.055)


def _cart(u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances from its wheels and from its box."""
    wheels = np.minimum(np.hypot(u - 0.35, v - 0.13), np.hypot(u + 0.35, v - 0.13)) - 0.13
    return wheels, np.maximum(np.abs(u) - 0.6, np.abs(v - 0.45) - 0.25)
