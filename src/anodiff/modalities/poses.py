r"""Poses of people: where the joints are about the middle of the body, and how the body moves, in sizes of the body,

.. math:: o_{t,j} = \frac{x_{t,j} - c_t}{s_t}, \qquad v_t = \frac{c_t - c_{t-1}}{s_t}, \qquad
          s_t = \operatorname{median}_{u \le t} \sqrt{\operatorname{mean}_j \|x_{u,j} - c_u\|^2} ,

c the mean of the joints, or of those that are named the centre. So persons near and far, tall and short are alike, and
speed and direction stay. Nothing of a frame depends on later ones. A joint that is not seen is not `known`; it stands
between where it was about the middle and where the joints that are seen lead to expect it, by how sure either is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import Tensor

from anodiff.data.people import People, read_people
from anodiff.types import JSON, BadModel, Misfit, Unreadable

SIZED = 15
"""Frames of which the size of a body is the median."""
RIDGE = 1e-3
"""Variance, in sizes of the body, that is added to every coordinate of a pose: what no joint says of another."""
ROUNDS = 3
"""How often the middle of a body is found anew from joints that are filled, and these from the middle."""
LEAST_SEEN = 0.34
"""Share of the joints without which a pose is not judged."""
FLOORS = {"joints": 0.03, "motion": 0.02}
"""Least spread of a coordinate, in sizes of the body."""
LEAST_FRAMES = 20


@dataclass(frozen=True, eq=False)
class Walk:
    """A track, encoded.

    Attributes:
        x: `(T, J * D + D)` float32: joints about the middle, then the motion of the body, in their standard deviations.
        known: What of it was seen, bool, likewise.
        doubt: Standard deviation of what was filled, float32, likewise; of the motion, for it depends on it.
        seen: Frames whose pose can be judged `(T,)`.
        centre: The middle of the body `(T, D)`, in the units of the track.
        size: The size of the body `(T,)`, likewise.
    """

    x: Tensor
    known: Tensor
    doubt: Tensor
    seen: np.ndarray
    centre: np.ndarray
    size: np.ndarray

    def __len__(self) -> int:
        return len(self.x)


class Poses(BaseEstimator):
    """Tracks of joints to tensors, and back. Only stores until it is fitted.

    Args:
        joints: Names of the joints, for sentences; their numbers by default.
        centre: Numbers of the joints whose mean is the middle of the body, such as the hips; all by default.
        confident: Where given, the last coordinate is a confidence, and joints below this one were not seen.
        rate: Frames per second, where it is known.
        per_hour: False alarms that one person may raise in an hour, instead of a `false_alarm_rate`; asks for a rate.
        causal: Whether a frame is judged by those before it alone, unless a method is told otherwise.
    """

    kind = "poses"

    def __init__(
        self,
        joints: Sequence[str] | None = None,
        *,
        centre: Sequence[int] | None = None,
        confident: float | None = None,
        rate: float | None = None,
        per_hour: float | None = None,
        causal: bool = False,
    ) -> None:
        self.joints = joints
        self.centre = centre
        self.confident = confident
        self.rate = rate
        self.per_hour = per_hour
        self.causal = causal

    def read(self, X: Any) -> People:
        """Tracks of the joints of fit.

        Raises:
            Unreadable: X is none, or its joints are others.
        """
        self._check_settings()
        people = read_people(X, self.confident)
        if hasattr(self, "ever_"):
            j, d = people.tracks[0].shape[1:]
            if (j, d) != self.shape_:
                raise Unreadable(
                    f"poses are of {j} joints in {d} dimensions, where fit had {self.shape_[0]} in {self.shape_[1]}; "
                    "give those of the same body."
                )
        return people

    def fit(self, people: People) -> Self:
        """Learn the mean pose and scales.

        Raises:
            Unreadable: fewer than 20 frames show a body, or nothing ever changes.
            Misfit: names or the centre are not of these joints.
        """
        shown = [track for track in people.tracks if len(track)]
        j, d = people.tracks[0].shape[1:]
        self.shape_ = (int(j), int(d))
        self._check_joints(j)
        whole = np.concatenate([np.zeros((0, j, d)), *shown])
        self.ever_ = ~np.isnan(whole[..., 0]).all(0)
        if np.isfinite(whole[..., 0]).any(1).sum() < LEAST_FRAMES:
            raise Unreadable(f"a body is seen in fewer than {LEAST_FRAMES} frames; give more, better 500 frames.")
        if self.ever_.sum() < 2:
            raise Unreadable("only one joint is ever seen; give poses of at least two.")
        self.average_ = _average(whole, self.ever_)
        self.spread_, self.drift_ = np.eye(j * d), np.full(j, 0.01)
        self.mean_, self.scale_ = np.zeros(self.width), np.ones(self.width)
        for _ in range(2):
            walks = [self._laid(track) for track in shown]
            x = np.concatenate([walk[0] for walk in walks])
            known = np.concatenate([walk[1] for walk in walks])
            self.mean_, spread = _moments(x, known)
            joints = self.mean_[: j * d].reshape(j, d)
            self.average_ = np.where(self.ever_[:, None], joints, 0.0)
            full = known[:, : j * d][:, np.repeat(self.ever_, d)].all(1)
            poses = x[full if full.sum() > 3 * j * d else known.any(1), : j * d]
            self.spread_ = np.cov(poses.T, bias=True) if len(poses) > 1 else np.eye(j * d)
            self.drift_ = _drift([walk[0][:, : j * d].reshape(-1, j, d) for walk in walks])
        if not (spread > 1e-9).any():
            raise Unreadable("every pose and every step is the same; there is nothing to learn from.")
        floors = np.repeat([FLOORS["joints"], FLOORS["motion"]], [j * d, d])
        self.scale_ = np.maximum(spread, floors)
        return self

    @property
    def width(self) -> int:
        """Coordinates of a frame."""
        j, d = self.shape_
        return j * d + d

    @property
    def columns(self) -> list[str]:
        """Names of the joints."""
        return [str(name) for name in self.joints] if self.joints else [f"joint {i}" for i in range(self.shape_[0])]

    def seen_by(self, sees: Sequence[str]) -> np.ndarray:
        """Which coordinates are those of the joints, of the motion, or both."""
        j, d = self.shape_
        parts = {"joints": np.arange(j * d), "motion": np.arange(j * d, j * d + d)}
        return np.concatenate([parts[name] for name in ("joints", "motion") if name in sees])

    def encode(self, track: np.ndarray) -> Walk:
        """A track `(T, J, D)` as a walk; its frames never depend on later ones."""
        x, known, doubt, seen, centre, size = self._laid(track)
        x = np.where(seen[:, None], (x - self.mean_) / self.scale_, 0.0)
        told = (torch.from_numpy(v.astype(np.float32)) for v in (x, doubt / self.scale_))
        return Walk(next(told), torch.from_numpy(known), next(told), seen, centre, size)

    def decode(self, x: np.ndarray, centre: np.ndarray, size: np.ndarray) -> np.ndarray:
        """Coordinates `(T, width)` as joints `(T, J, D)` about the `centre` `(T, D)` of bodies of `size` `(T,)`."""
        j, d = self.shape_
        offsets = (x * self.scale_ + self.mean_)[:, : j * d].reshape(-1, j, d)
        found = centre[:, None] + offsets * size[:, None, None]
        return np.asarray(np.where(self.ever_[:, None], found, np.nan))

    def seen(self, walk: Walk) -> np.ndarray:
        """The joints of a walk that were seen, as they were given `(T, J, D)`; NaN elsewhere."""
        there = walk.known[:, : -self.shape_[1]].numpy().reshape(-1, *self.shape_)
        return np.where(there, self.decode(walk.x.numpy(), walk.centre, walk.size), np.nan)

    def motion(self, x: np.ndarray) -> np.ndarray:
        """The motion of the body `(T, D)` in its sizes per frame, of coordinates `(T, width)`."""
        d = self.shape_[1]
        return np.asarray((x * self.scale_ + self.mean_)[:, -d:])

    def locate(self, map: np.ndarray) -> np.ndarray:
        """Evidence by coordinate `(T, width)` as evidence by joint `(T, J)`, motion shared by all; sums are kept."""
        j, d = self.shape_
        joints = map[:, : j * d].reshape(-1, j, d).sum(2)
        shares = self.ever_ / self.ever_.sum()
        return np.asarray(joints + map[:, j * d :].sum(1, keepdims=True) * shares)

    def describe(self) -> list[JSON]:
        """What was learnt of each joint."""
        j, d = self.shape_
        spread = self.scale_[: j * d].reshape(j, d)
        return [
            {"name": name, "seen": bool(ever), "spread": [round(float(v), 4) for v in own]}
            for name, ever, own in zip(self.columns, self.ever_, spread, strict=True)
        ]

    def config(self) -> JSON:
        """What is small."""
        return {
            "joints": None if self.joints is None else [str(name) for name in self.joints],
            "centre": None if self.centre is None else [int(i) for i in self.centre],
            "confident": self.confident,
            "rate": self.rate,
            "per_hour": self.per_hour,
            "causal": bool(self.causal),
            "shape": list(self.shape_),
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """What was learnt."""
        learnt = ("ever", "average", "spread", "drift", "mean", "scale")
        return {name: np.asarray(getattr(self, f"{name}_")) for name in learnt}

    @classmethod
    def restore(cls, config: JSON, arrays: Mapping[str, np.ndarray]) -> Self:
        """The inverse of `config` and `arrays`; raises `BadModel` where they are damaged."""
        given = dict(config)
        j, d = (int(v) for v in given.pop("shape"))
        made = cls(**given)
        made.shape_ = (j, d)
        made.ever_, made.average_ = arrays["ever"].astype(bool), arrays["average"]
        made.spread_, made.drift_ = arrays["spread"], arrays["drift"]
        made.mean_, made.scale_ = arrays["mean"], arrays["scale"]
        shapes = [v.shape for v in (made.ever_, made.average_, made.spread_, made.drift_, made.mean_, made.scale_)]
        wanted = [(j,), (j, d), (j * d, j * d), (j,), (j * d + d,), (j * d + d,)]
        if shapes != wanted or not (made.scale_ > 0).all() or not made.ever_.any():
            raise BadModel(f"its poses are of {j} joints in {d} dimensions, and its scales are not")
        made._check_settings()
        made._check_joints(j)
        return made

    def _laid(self, track: np.ndarray) -> tuple[np.ndarray, ...]:
        """Coordinates `(T, width)` in sizes of the body, what is known, the doubt, frames seen, centre and size."""
        (j, d), frames = self.shape_, len(track)
        there = np.isfinite(track[..., 0]) & self.ever_
        seen = there.sum(1) >= max(2, np.ceil(LEAST_SEEN * self.ever_.sum()))
        centre, size, offsets, doubt = self._followed(track, there, seen)
        before = np.concatenate([centre[:1], centre[:-1]])
        moved = seen & np.concatenate([[False], seen[:-1]])[:frames]
        motion = np.where(moved[:, None], (centre - before) / size[:, None], 0.0)
        x = np.concatenate([(offsets / size[:, None, None]).reshape(frames, j * d), motion], 1)
        known = np.repeat(there & seen[:, None], d, 1)
        middle = np.sqrt((doubt.reshape(frames, j, d) ** 2).sum(1)) / max(1, self.ever_.sum())
        moving = np.where(moved[:, None], np.hypot(middle, np.concatenate([middle[:1], middle[:-1]])), 0.0)
        doubt = np.concatenate([doubt, moving], 1)
        return x, np.concatenate([known, np.repeat(moved[:, None], d, 1)], 1), doubt, seen, centre, size

    def _followed(self, track: np.ndarray, there: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, ...]:
        """Centre `(T, D)`, size `(T,)`, joints about the centre `(T, J, D)` and their doubt `(T, J * D)`, by frame."""
        (j, d), ever, frames = self.shape_, self.ever_, len(track)
        middle = np.zeros(j, bool)
        middle[list(self.centre) if self.centre is not None else slice(None)] = True
        middle = middle & ever if (middle & ever).any() else ever
        centre, size, offsets = np.zeros((frames, d)), np.ones(frames), np.zeros((frames, j, d))
        doubt = np.zeros((frames, j * d))
        last, age, own, sizes = self.average_, np.full(j, np.inf), 1.0, list[float]()
        for t in range(frames):
            age += 1
            if not seen[t]:
                centre[t], size[t] = (centre[t - 1], own) if t else (0.0, 1.0)
                continue
            here, body = there[t], track[t]
            if not here[ever].all():
                own = own if sizes else _size(track[t, here], self.average_[here])
                body, doubt[t] = self._filled(track[t], here, last, age, own)
            age[here] = 0
            body = np.where(ever[:, None], body, 0.0)
            away = body - body[ever].mean(0)
            sizes.append(float(np.sqrt((away[ever] ** 2).sum(1).mean())))
            own = float(np.median(sizes[-SIZED:])) or 1.0
            centre[t] = body[middle].mean(0)
            offsets[t] = np.where(ever[:, None], body - centre[t], 0.0)
            size[t], last = own, offsets[t] / own
        return centre, size, offsets, doubt

    def _filled(
        self, frame: np.ndarray, here: np.ndarray, last: np.ndarray, age: np.ndarray, size: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """A frame `(J, D)` with the joints that are not `here`, and their standard deviation `(J * D,)`.

        Args:
            frame: Joints as given.
            here: Which are seen `(J,)`.
            last: Where joints were about the middle when they were last told, in sizes of the body.
            age: Frames since each was seen `(J,)`.
            size: Of the body.
        """
        d = self.shape_[1]
        gone, known = (np.repeat(which & self.ever_, d) for which in (~here, here))
        within = self.spread_[np.ix_(known, known)] + RIDGE * np.eye(known.sum())
        slope = np.linalg.solve(within, self.spread_[np.ix_(known, gone)]).T
        left = np.diag(self.spread_)[gone] - (slope * self.spread_[np.ix_(gone, known)]).sum(1) + RIDGE
        lost = np.repeat(np.minimum(age, 1e6) ** 2 * self.drift_ + RIDGE, d)[gone]
        stays = left / (left + lost)
        mean, body = self.average_.ravel(), np.where(here[:, None], frame, 0.0)
        guess = last.copy()
        for _ in range(ROUNDS):
            middle = (frame[here] - size * guess[here]).mean(0)
            about = ((frame - middle) / size).ravel()[known]
            expected = mean[gone] + slope @ (about - mean[known])
            flat = guess.ravel()
            flat[gone] = stays * last.ravel()[gone] + (1 - stays) * expected
            flat[known] = about
            guess = flat.reshape(body.shape)
        body.ravel()[gone] = (middle + size * guess).ravel()[gone]
        doubt = np.zeros(body.size)
        doubt[gone] = np.sqrt(stays * lost)
        return body, doubt

    def _check_settings(self) -> None:
        for name in ("rate", "per_hour"):
            value = getattr(self, name)
            if value is not None and not (_number(value) and 0 < value < np.inf):
                raise Misfit(f"{name} is {value!r}; give a number above 0, or None.")
        if self.per_hour is not None and self.rate is None:
            raise Misfit(f"per_hour is {self.per_hour}; give the frames per second too, as rate=.")
        if self.confident is not None and not _number(self.confident):
            raise Misfit(f"confident is {self.confident!r}; give the least confidence of a joint that counts, or None.")

    def _check_joints(self, count: int) -> None:
        if self.joints is not None and len(self.joints) != count:
            raise Misfit(f"joints names {len(self.joints)}, and poses have {count}; give one name for each.")
        for i in self.centre or ():
            if not isinstance(i, Integral) or not 0 <= i < count:
                raise Misfit(f"centre holds {i!r}; give numbers of joints from 0 to {count - 1}.")


def _number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _size(seen: np.ndarray, average: np.ndarray) -> float:
    """The size of a body of which some joints are seen `(k, D)`, from where these are on average."""
    of, wide = (float(((v - v.mean(0)) ** 2).sum()) for v in (seen, average))
    return float(np.sqrt(of / wide)) if wide > 1e-9 and of > 0 else 1.0


def _drift(poses: Sequence[np.ndarray]) -> np.ndarray:
    """The variance of a coordinate of each joint from frame to frame `(J,)`, of tracks `(T, J, D)` about the middle."""
    steps = np.concatenate([np.diff(each, axis=0) for each in poses])
    count = max(1, len(steps))
    return np.asarray((steps**2).sum(0).mean(1) / count)


def _average(whole: np.ndarray, ever: np.ndarray) -> np.ndarray:
    """The mean pose `(J, D)` in sizes of the body, from frames `(T, J, D)` of which some joints are missing."""
    full = np.isfinite(whole[:, ever, 0])
    whole = whole[full.mean(1) >= min(0.7, full.mean(1).max())]
    away = whole - np.nanmean(whole, 1, keepdims=True)
    size = np.sqrt(np.nanmean((away**2).sum(2), 1))
    away = away[size > 0] / size[size > 0, None, None]
    found = np.zeros(whole.shape[1:])
    if len(away):
        some = ~np.isnan(away[..., 0]).all(0)
        found[some] = np.nanmean(away[:, some], 0)
    return np.where(ever[:, None], found, 0.0)


def _moments(x: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each column `(n, width)` over what is known of it; 0 where nothing is."""
    count = np.maximum(known.sum(0), 1)
    mean = np.where(known, x, 0.0).sum(0) / count
    return mean, np.sqrt((np.where(known, x - mean, 0.0) ** 2).sum(0) / count)
