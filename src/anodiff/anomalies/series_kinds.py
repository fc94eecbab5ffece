r"""Kinds of anomalies of series, as sketches: what the region is roughly to look like at the amount 1,

.. math:: s_c(t) = x_c(t) + \delta_c(t), \qquad x' = \text{walk}\big(x + a \, (s - x)\big) .

A sketch knows nothing of what is plausible; the walk of a model of normal data through a low level makes it so. Most
sketches may be drawn farther than they are (a > 1); a flat line cannot be more than flat.

Kinds are those of Lai et al., "Revisiting Time Series Outlier Detection: Definitions and Benchmarks", 2021, and of
faults of sensors.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from anodiff.anomalies.classic_spans import stretched
from anodiff.anomalies.spans import CHANNEL, CHANNELS, EXAMPLES, INSTANT, SPAN

SOFT, CRISP = 0.5, 0.1
"""Levels of the walk, in what a channel does by itself from one instant to the next."""
LARGEST = 128.0
SOME = 16
LEAST_MOVE = 0.1


@dataclass(frozen=True)
class Scene:
    """A stretch of a series that a region lies in, in standard deviations.

    Attributes:
        x: What is there, `(C, S)`.
        region: `(C, S)` bool.
        spread: Of each channel `(C,)`, above 0.
        period: In instants.
        bank: Normal windows `(n, C, L)`.
        draw: Of all chance.
    """

    x: np.ndarray
    region: np.ndarray
    spread: np.ndarray
    period: int
    bank: np.ndarray
    draw: np.random.Generator

    def stretch(self, c: int, instants: int) -> np.ndarray:
        """What channel c did at some other time, `(instants,)`, turned round where windows are shorter."""
        window = self.bank[int(self.draw.integers(len(self.bank))), c]
        turn = np.concatenate([window, window[::-1]])
        begin = int(self.draw.integers(max(1, len(window) - instants + 1)))
        return np.asarray(np.resize(turn, begin + instants)[begin:])


class SeriesKind(ABC):
    """A kind. Think twice before adding anything here, every kind carries it.

    Attributes:
        name: Of the kind.
        place: Where it lies by itself; of one channel, and of several.
        level: Where the walk starts.
        most: The largest amount.
    """

    name: str
    place: tuple[str, str] = (SPAN, CHANNELS)
    level: float = SOFT
    most: float = LARGEST

    def begin(self, scene: Scene) -> Any:
        """What is drawn once for all channels."""
        return float(scene.draw.choice((-1.0, 1.0)))

    @abstractmethod
    def channel(self, scene: Scene, c: int, at: np.ndarray, begun: Any) -> np.ndarray:
        """What channel c is to be at the instants `at` `(k,)`."""

    def __call__(self, scene: Scene) -> np.ndarray:
        """The sketch `(C, S)`, which differs from what is there in the region alone."""
        begun, found = self.begin(scene), scene.x.copy()
        for c in np.flatnonzero(scene.region.any(1)).tolist():
            at = np.flatnonzero(scene.region[c])
            found[c, at] = self.channel(scene, c, at, begun)
        return found


class Point(SeriesKind):
    """A value far off for an instant."""

    name, place, level = "point", (INSTANT, INSTANT), CRISP

    def channel(self, scene: Scene, c: int, at: np.ndarray, begun: Any) -> np.ndarray:
        return np.asarray(scene.x[c, at] + begun * scene.spread[c])


class Contextual(SeriesKind):
    """A level that is usual at other times and unusual here: that one of the tenth and the ninth decile farther off."""

    name, place, most = "contextual", (SPAN, CHANNEL), 1.0

    def channel(self, scene: Scene, c: int, at: np.ndarray, begun: Any) -> np.ndarray:
        here = scene.x[c, at].mean()
        low, high = np.quantile(scene.bank[:, c], (0.05, 0.95))
        return np.asarray(scene.x[c, at] - here + (low if here - low > high - here else high))


class Shift(SeriesKind):
    """Another level throughout."""

    name = "shift"

    def channel(self, scene: Scene, c: int, at: np.ndarray, begun: Any) -> np.ndarray:
        return np.asarray(scene.x[c, at] + begun * scene.spread[c])


class Trend(SeriesKind):
    """Away from what is usual, further with every instant."""

    name = "trend"

    def channel(self, scene: Scene, c: int, at: np.ndarray, begun: Any) -> np.ndarray:
        ramp = (at - at[0] + 1) / (at[-1] - at[0] + 1)
        return np.asarray(scene.x[c, at] + begun * 2 * scene.spread[c] * ramp)


class Season(SeriesKind):
    """The rhythm is larger, or comes at the wrong time."""

    name = "season"

    def begin(self, scene: Scene) -> Any:
        late = scene.draw.random() < 0.5
        return round(scene.period * scene.draw.uniform(0.3, 0.7)) if late else 0

    def channel(self, scene: Scene, c: int, at: np.ndarray, begun: Any) -> np.ndarray:
        if begun:
            moved = scene.x[c, turned(at + begun, scene.x.shape[1])]
            return moving(scene, c, moved, at)
        away = scene.x[c, at] - scene.x[c, at].mean()
        return moving(scene, c, scene.x[c, at] + away, at)


class Frequency(SeriesKind):
    """The same, faster or slower."""

    name = "frequency"

    def begin(self, scene: Scene) -> Any:
        return float(scene.draw.choice((0.4, 2.0, 3.0)))

    def channel(self, scene: Scene, c: int, at: np.ndarray, begun: Any) -> np.ndarray:
        place = turned(np.round(at[0] + begun * (at - at[0])).astype(int), scene.x.shape[1])
        return moving(scene, c, scene.x[c, place], at)


class Noise(SeriesKind):
    """A burst of noise."""

    name, level = "noise", CRISP

    def channel(self, scene: Scene, c: int, at: np.ndarray, begun: Any) -> np.ndarray:
        return np.asarray(scene.x[c, at] + scene.spread[c] * scene.draw.standard_normal(len(at)))


class Flat(SeriesKind):
    """It stays where it was."""

    name, level, most = "flat", CRISP / 2, 1.0

    def channel(self, scene: Scene, c: int, at: np.ndarray, begun: Any) -> np.ndarray:
        return np.full(len(at), scene.x[c, max(0, at[0] - 1)])


class Shape(SeriesKind):
    """Another shape about the same level: a square wave, a saw, a bump or a chirp."""

    name = "shape"

    def begin(self, scene: Scene) -> Any:
        return int(scene.draw.integers(4))

    def channel(self, scene: Scene, c: int, at: np.ndarray, begun: Any) -> np.ndarray:
        s = (at - at[0] + 0.5) / (at[-1] - at[0] + 1)
        shapes = (
            np.sign(np.sin(4 * np.pi * s)),
            2 * ((2 * s) % 1) - 1,
            2 * np.exp(-(((s - 0.5) / 0.15) ** 2)) - 0.5,
            np.sin(2 * np.pi * (s + 2 * s**2)),
        )
        size = max(float(scene.x[c, at].std()), 0.5 * scene.spread[c])
        return np.asarray(scene.x[c, at].mean() + 1.4 * size * shapes[begun])


class Break(SeriesKind):
    """A channel does what it does at other times, and not what the others do now: the least alike of some stretches."""

    name, place = "break", (CHANNEL, CHANNEL)

    def channel(self, scene: Scene, c: int, at: np.ndarray, begun: Any) -> np.ndarray:
        here = scene.x[c, at]
        others = [scene.stretch(c, len(at)) for _ in range(SOME)]
        return np.asarray(max(others, key=lambda other: float(((other - here) ** 2).sum())))


class Known(SeriesKind):
    """Like a known anomaly: what set it apart from its surroundings, drawn out to the region's length.

    Args:
        name: Of the kind.
        parts: What set each example apart, `(C, length_i)` each; 0 where it is not abnormal.
        like: The only one to follow; None for any.
    """

    place = (EXAMPLES, EXAMPLES)

    def __init__(self, name: str, parts: Sequence[np.ndarray], like: int | None = None) -> None:
        self.name = name
        self.parts = list(parts)
        self.like = like

    def begin(self, scene: Scene) -> Any:
        return self.parts[int(scene.draw.integers(len(self.parts))) if self.like is None else self.like]

    def channel(self, scene: Scene, c: int, at: np.ndarray, begun: Any) -> np.ndarray:
        part = np.asarray(begun)
        if not part[c].any():
            c_from = int(np.argmax(np.abs(part).sum(1)))
            return np.asarray(scene.x[c, at] + _drawn_out(part[c_from], at) * scene.spread[c] / scene.spread[c_from])
        return np.asarray(scene.x[c, at] + _drawn_out(part[c], at))


KINDS: dict[str, SeriesKind] = {
    kind.name: kind
    for kind in (
        Point(),
        Contextual(),
        Shift(),
        Trend(),
        Season(),
        Frequency(),
        Noise(),
        Flat(),
        Shape(),
        Break(),
    )
}


def moving(scene: Scene, c: int, wanted: np.ndarray, at: np.ndarray) -> np.ndarray:
    """What is wanted, if it differs from what is there; where nothing moves, what the channel does at another time."""
    if np.abs(wanted - scene.x[c, at]).max() > LEAST_MOVE * scene.spread[c]:
        return np.asarray(wanted)
    other = scene.stretch(c, len(at))
    return np.asarray(scene.x[c, at] + (other - other.mean()))


def turned(place: np.ndarray, instants: int) -> np.ndarray:
    """Places that lie beyond either end, turned round there.

    >>> turned(np.array([-1, 0, 4, 5]), 5).tolist()
    [1, 0, 4, 3]
    """
    if instants == 1:
        return np.zeros_like(place)
    there = np.abs(place) % (2 * instants - 2)
    return np.asarray(np.where(there < instants, there, 2 * instants - 2 - there))


def _drawn_out(part: np.ndarray, at: np.ndarray) -> np.ndarray:
    whole = stretched(part[:, None], int(at[-1] - at[0]) + 1)[:, 0]
    return np.asarray(whole[at - at[0]])
