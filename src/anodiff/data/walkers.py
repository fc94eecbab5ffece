r"""A toy of people who walk past a camera, as joints: an articulated body whose limbs swing with the phase of its gait,

.. math:: \theta_\text{thigh} = A \sin \varphi, \quad \theta_\text{arm} = -0.7 A \sin \varphi, \quad
          \dot\varphi = 2 \pi f, \qquad v = 4 \, l_\text{leg} \, f \sin A ,

in heights of the body; the other side is half a cycle later. Who walks faster takes longer steps, and more of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from anodiff.types import Misfit

JOINTS = (
    "head", "neck", "left shoulder", "left elbow", "left wrist", "right shoulder", "right elbow", "right wrist",
    "pelvis", "left hip", "left knee", "left ankle", "right hip", "right knee", "right ankle",
)  # fmt: skip
LINKS = (
    (0, 1), (1, 2), (2, 3), (3, 4), (1, 5), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (10, 11),
    (8, 12), (12, 13), (13, 14),
)  # fmt: skip
"""Which joints a bone is between."""
PACES = {"fast": 2.2, "slow": 0.35, "freeze": 0.0, "backwards": -1.0}
ORDERS = {
    "sides": ((9, 12), (10, 13), (11, 14)),
    "limbs": ((3, 10), (4, 11)),
    "joint": ((10, 11),),
}
KINDS = (*PACES, "against", *ORDERS)
"""What may be planted: another pace, a way against one's own, legs, limbs or two joints that changed places."""
THIGH = SHANK = 0.245
TRUNK, HEAD, UPPER, FORE = 0.29, 0.13, 0.17, 0.15
SHOULDER, HIP = 0.1, 0.05
SWING, CADENCE = 0.42, 0.95
YAW, TILT = 0.45, 0.15
"""How far a camera is turned from the side, and from the level, in radians."""
TURNING = 8
"""Frames that a turn takes."""


class Planted(NamedTuple):
    """An anomaly of a `kind` in the track of a `person`, from its frame `start` to its frame `end` - 1."""

    person: str
    kind: str
    start: int
    end: int


@dataclass(frozen=True, eq=False)
class Walkers:
    """People who walk.

    Attributes:
        tracks: by person, `(T, 15, 2)` in pixels, y downwards, or `(T, 15, 3)` in metres, z upwards; NaN is not seen.
        labels: by person `(T,)` int64, 1 where something is planted.
        starts: by person, the frame of the scene in which the track begins.
        planted: what, in whom, and when.
        rate: frames per second.
    """

    tracks: dict[str, np.ndarray]
    labels: dict[str, np.ndarray]
    starts: dict[str, int]
    planted: list[Planted]
    rate: float

    def frame_labels(self) -> np.ndarray:
        """1 in frames of the scene in which anybody does something planted."""
        found = np.zeros(max(self.starts[name] + len(own) for name, own in self.labels.items()), np.int64)
        for name, own in self.labels.items():
            part = slice(self.starts[name], self.starts[name] + len(own))
            found[part] = np.maximum(found[part], own)
        return found


def walkers(
    persons: int = 8,
    frames: int = 120,
    anomalies: Sequence[str] = (),
    *,
    dimensions: int = 2,
    crowd: str = "right",
    rate: float = 25.0,
    noise: float = 0.008,
    missing: float = 0.02,
    seed: int = 0,
) -> Walkers:
    """People who walk past, of different heights, paces and phases; the first ones do what is planted, one each.

    Args:
        persons: how many.
        frames: of each track; a planted anomaly takes the middle third.
        anomalies: of `KINDS`, one person each.
        dimensions: 2 as a camera sees it, or 3.
        crowd: all walk to the "right", or "both" ways.
        rate: frames per second.
        noise: of a joint, in heights.
        missing: share of joints that are not seen.
        seed: of everything that is drawn.

    Raises:
        Misfit: a kind is not known, there are more anomalies than persons, or a number is out of range.

    >>> walkers(3, 60, ["fast"]).planted
    [Planted(person='person 1', kind='fast', start=20, end=40)]
    """
    _check(persons, frames, anomalies, dimensions, crowd)
    draw = np.random.default_rng(seed)
    tracks, labels, starts, planted = {}, {}, {}, []
    for i in range(persons):
        name, own = f"person {i + 1}", np.zeros(frames, np.int64)
        kind = anomalies[i] if i < len(anomalies) else None
        if kind is not None:
            planted.append(Planted(name, kind, frames // 3, 2 * frames // 3))
            own[frames // 3 : 2 * frames // 3] = 1
        left = crowd == "both" and i % 2 == 1
        tracks[name] = _track(draw, own > 0, kind, left, dimensions, rate, noise, missing)
        labels[name], starts[name] = own, int(draw.integers(0, frames // 2 + 1)) if i else 0
    return Walkers(tracks, labels, starts, planted, rate)


def body(phase: np.ndarray, swing: np.ndarray) -> np.ndarray:
    """Joints `(T, 15, 3)` about the pelvis in heights: forwards, to the left, upwards.

    Args:
        phase: of the gait `(T,)`, radians.
        swing: of the thigh `(T,)`, radians.
    """
    found = np.zeros((len(phase), len(JOINTS), 3))
    lean = 0.1 * swing
    neck = _along(lean, TRUNK)
    found[:, 1], found[:, 0] = neck, neck + _along(lean, HEAD)
    for first, hip, side in ((2, 9, 1.0), (5, 12, -1.0)):
        own = phase + (side < 0) * np.pi
        thigh, bend = swing * np.sin(own), 0.1 + 2.0 * swing * np.maximum(0, np.cos(own)) ** 2
        arm, fold = -0.7 * swing * np.sin(own), 0.3 - 0.4 * swing * np.sin(own)
        across = np.array([0.0, side, 0.0])
        found[:, first] = neck + SHOULDER * across - _along(0 * arm, 0.03)
        found[:, first + 1] = found[:, first] - _along(-arm, UPPER)
        found[:, first + 2] = found[:, first + 1] - _along(-(arm + fold), FORE)
        found[:, hip] = HIP * across
        found[:, hip + 1] = found[:, hip] - _along(-thigh, THIGH)
        found[:, hip + 2] = found[:, hip + 1] - _along(-(thigh - bend), SHANK)
    return found


def _along(angle: np.ndarray, length: float) -> np.ndarray:
    """A bone upwards that leans forwards by an angle `(T,)`: `(T, 3)`."""
    return length * np.stack([np.sin(angle), 0 * angle, np.cos(angle)], 1)


def _track(
    draw: np.random.Generator,
    odd: np.ndarray,
    kind: str | None,
    left: bool,
    dimensions: int,
    rate: float,
    noise: float,
    missing: float,
) -> np.ndarray:
    frames = len(odd)
    height, usual = draw.uniform(1.5, 1.95), draw.normal(1, 0.08)
    start, course, depth = draw.uniform(0, 2 * np.pi), draw.normal(0, 0.06), draw.uniform(45, 85)
    drift = 0.04 * np.sin(np.arange(frames) * draw.uniform(0.02, 0.06) + draw.uniform(0, 6))
    pace = np.where(odd, PACES.get(str(kind), 1.0), 1.0)
    quick = usual * (1 + drift) * np.abs(pace)
    swing, cadence = SWING * np.sqrt(quick), CADENCE * np.sqrt(quick)
    swing = np.where(quick > 0, swing, SWING * np.sqrt(usual))
    phase = start + np.cumsum(2 * np.pi * cadence * np.sign(pace) / rate)
    step = 4 * (THIGH + SHANK) * cadence * np.sin(swing) * np.sign(pace) / rate
    turned = np.convolve(odd & (kind == "against"), np.ones(TURNING) / TURNING)[:frames]
    heading = course + np.pi * (left + turned)
    place = np.cumsum(step[:, None] * np.stack([np.cos(heading), np.sin(heading)], 1), 0)
    joints = body(phase, swing)
    x, y = joints[..., 0].copy(), joints[..., 1].copy()
    joints[..., 0] = np.cos(heading)[:, None] * x - np.sin(heading)[:, None] * y + place[:, None, 0]
    joints[..., 1] = np.sin(heading)[:, None] * x + np.cos(heading)[:, None] * y + place[:, None, 1]
    joints[..., 2] += 0.5 + 0.012 * np.cos(2 * phase)[:, None]
    for a, b in ORDERS.get(str(kind), ()):
        joints[odd, a], joints[odd, b] = joints[odd, b], joints[odd, a]
    scale, there = (depth * height, _pictured(joints)) if dimensions == 2 else (height, joints)
    found = scale * (there + noise * draw.normal(size=there.shape))
    return np.where(draw.uniform(size=(frames, len(JOINTS), 1)) < missing, np.nan, found)


def _pictured(joints: np.ndarray) -> np.ndarray:
    """Joints `(T, J, 3)` as a camera sees them that looks a little from ahead and from above `(T, J, 2)`."""
    across = np.cos(YAW) * joints[..., 0] - np.sin(YAW) * joints[..., 1]
    away = np.sin(YAW) * joints[..., 0] + np.cos(YAW) * joints[..., 1]
    up = np.cos(TILT) * joints[..., 2] + np.sin(TILT) * away
    return np.stack([across, 2 - up], 2)


def _check(persons: int, frames: int, anomalies: Sequence[str], dimensions: int, crowd: str) -> None:
    strange = [kind for kind in anomalies if kind not in KINDS]
    if strange:
        raise Misfit(f"no walker can be {strange[0]!r}; choose of {', '.join(KINDS)}.")
    if len(anomalies) > persons:
        raise Misfit(f"{len(anomalies)} anomalies need as many persons, and there are {persons}; give more persons.")
    if persons < 1 or frames < 3:
        raise Misfit(f"there are {persons} persons and {frames} frames; give at least 1 and 3.")
    if dimensions not in (2, 3):
        raise Misfit(f"dimensions is {dimensions!r}; choose 2 or 3.")
    if crowd not in ("right", "both"):
        raise Misfit(f"crowd is {crowd!r}; choose 'right' or 'both'.")
