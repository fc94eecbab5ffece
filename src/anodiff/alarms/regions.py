r"""Regions that hardly any normal picture shows. A picture's strength is the highest level that many pixels share,

.. math:: T(x) = \max\{t : \{x \ge t\} \text{ has a connected part of at least } m \text{ pixels}\},
    \qquad p(\text{region}) = \frac{1 + \#\{i : T(x_i) \ge T(x|_{\text{region}})\}}{n + 1},

its maximum if m = 1; with more, specks do not count. Regions are the parts above a threshold that is taken from the
strengths of held-out normal pictures, so that it holds for the picture as a whole, however many pixels it has: if the
held-out pictures and a normal one are exchangeable, :math:`P(\text{any region has } p \le a) \le a` for every a, and
the share of normal pictures that show any region is at most `false_alarm_rate`. A region's size is information, it
enters no test. Whether the picture itself is an alarm is another question, asked of another score.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy import ndimage

from anodiff.alarms.base import Alarm
from anodiff.alarms.conformal import Conformal
from anodiff.metrics.planes import as_map, parts
from anodiff.types import JSON, BadModel, Misfit


@dataclass(frozen=True, eq=False)
class Region:
    """A part of a picture that is abnormal as a whole.

    Attributes:
        box: Top, left, bottom and right in pixels; the last two are just outside.
        area: In pixels.
        centre: Row and column of the centre of mass in pixels, from the picture's corner (a pixel's middle is at 0.5).
        peak: The highest value of the map in it.
        p_value: How probably a normal picture shows any region as strong.
        mask: Where it lies `(H, W)`.
    """

    box: tuple[int, int, int, int]
    area: int
    centre: tuple[float, float]
    peak: float
    p_value: float
    mask: np.ndarray

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the picture in pixels."""
        return self.mask.shape[0], self.mask.shape[1]

    @property
    def share(self) -> float:
        """Area as a share of the picture's."""
        return self.area / self.mask.size

    @property
    def relative_box(self) -> tuple[float, float, float, float]:
        """Top, left, bottom and right as shares of the picture's height and width."""
        (top, left, bottom, right), (height, width) = self.box, self.size
        return top / height, left / width, bottom / height, right / width

    @property
    def relative_centre(self) -> tuple[float, float]:
        """The centre as shares of the picture's height and width."""
        return self.centre[0] / self.size[0], self.centre[1] / self.size[1]


class Regions:
    """Maps become regions with a p-value.

    Args:
        least: A region has at least so many pixels, or all of a picture that has fewer.

    >>> flat, spot = np.zeros((4, 6)), np.zeros((4, 6))
    >>> spot[1:3, 2:4] = 5
    >>> regions = Regions(least=2).fit([flat + 0.01 * i for i in range(19)])
    >>> [(each.box, each.p_value) for each in regions.find(spot, 0.05)]
    [((1, 2, 3, 4), 0.05)]
    """

    def __init__(self, least: int = 1) -> None:
        self.least = least

    def fit(self, maps: Iterable[np.ndarray], alarm: Alarm | None = None) -> Self:
        """Learn from `maps`, each `(H, W)`, of normal pictures that the model has not seen; read one at a time.

        Args:
            maps: Of any sizes, smoothed as those that will be judged.
            alarm: Is fitted to the pictures' strengths; by default conformal, which supports rates down to 1 / (n + 1).

        Raises:
            Misfit: `least` is no integer from 1.
            Unreadable: No map, or one that is not finite.
        """
        strengths = [strength(as_map(each, f"map {i}"), self.least) for i, each in enumerate(maps)]
        self.alarm_ = (Conformal() if alarm is None else alarm).fit(np.array(strengths))
        return self

    def threshold(self, false_alarm_rate: float) -> float:
        """The level above which at most this share of normal pictures has a region; +inf for too few pictures."""
        return self.alarm_.threshold(false_alarm_rate)

    def find(
        self, map: np.ndarray, false_alarm_rate: float, extent: float | None = None, depth: float = 0.0
    ) -> list[Region]:
        """The regions of a map `(H, W)`, the strongest first; none is an empty list.

        Args:
            map: Of any size.
            false_alarm_rate: At most this share of normal pictures shows any region.
            extent: The level that a region reaches down to, if that is lower than the threshold. It says how far a
                region extends and not whether there is one: a region must be as strong as without it.
            depth: A region ends where the map falls to this share of the region's own peak, if that is higher: a strong
                one would else flood what is merely near it.
        """
        plane, threshold = as_map(map).astype(np.float64), self.threshold(false_alarm_rate)
        labels, areas = parts(plane > (threshold if extent is None else min(extent, threshold)))
        boxes, found = ndimage.find_objects(labels), []
        for number in np.unique(labels[plane > threshold]):
            if areas[number - 1] < min(self.least, plane.size):
                continue
            box = boxes[number - 1]
            inside = labels[box] == number
            own = strength(plane[box], self.least, inside)
            if own > threshold:
                found.append((own, self._region(around_peak(plane, labels == number, depth), plane, own)))
        return [region for _, region in sorted(found, key=lambda each: (-each[0], -each[1].peak, each[1].box))]

    def statement(self, false_alarm_rate: float) -> str:
        """In a sentence, what stands behind regions at this rate.

        >>> Regions().fit([np.full((2, 2), i) for i in range(99)]).statement(0.01)
        'Of whole pictures: 99 held-out normals support false-alarm rates down to 1 %; 1 % is within it.'
        """
        return f"Of whole pictures: {self.alarm_.statement(false_alarm_rate)}"

    def config(self) -> JSON:
        """What was learnt that is not an array, as JSON."""
        return {"least": self.least, "alarm": self.alarm_.config()}

    def arrays(self) -> dict[str, np.ndarray]:
        """Those of the alarm: the strengths `(n,)` of the held-out pictures."""
        return self.alarm_.arrays()

    @classmethod
    def restore(cls, config: JSON, arrays: Mapping[str, np.ndarray], kind: type[Alarm] = Conformal) -> Self:
        """The inverse of `config` and `arrays` for an alarm of this kind; raises `BadModel` where they are damaged."""
        try:
            regions = cls(_count(config["least"]))
            regions.alarm_ = kind.restore(config["alarm"], arrays)
        except (KeyError, TypeError, ValueError) as error:
            raise BadModel(f"the saved regions are damaged ({error}); calibrate the detector again.") from error
        return regions

    def _region(self, mask: np.ndarray, plane: np.ndarray, own: float) -> Region:
        rows, columns = np.nonzero(mask)
        return Region(
            box=(int(rows.min()), int(columns.min()), int(rows.max()) + 1, int(columns.max()) + 1),
            area=len(rows),
            centre=(float(rows.mean()) + 0.5, float(columns.mean()) + 0.5),
            peak=float(plane[mask].max()),
            p_value=float(self.alarm_.p_value(np.array([own]))[0]),
            mask=mask,
        )


def around_peak(plane: np.ndarray, mask: np.ndarray, depth: float) -> np.ndarray:
    """The connected part of a mask `(H, W)` around its highest pixel where the map is above that share of it.

    >>> around_peak(np.array([[1.0, 9.0, 8.0, 1.0, 7.0]]), np.ones((1, 5), bool), 0.5).tolist()
    [[False, True, True, False, False]]
    """
    peak = float(plane[mask].max())
    if depth <= 0 or peak <= 0:
        return mask
    labels, _ = parts(mask & (plane >= depth * peak))
    place = np.unravel_index(int(np.where(mask, plane, -np.inf).argmax()), plane.shape)
    return np.asarray(labels == labels[place])


def strength(map: np.ndarray, least: int = 1, inside: np.ndarray | None = None) -> float:
    """The highest level of a map `(H, W)` at or above which `least` connected pixels lie, or all of a smaller map.

    Args:
        map: Finite numbers.
        least: From 1, which makes it the maximum.
        inside: Only these pixels `(H, W)` count; at least `least` of them are connected.

    >>> strength(np.array([[9.0, 0.0, 0.0], [0.0, 0.0, 4.0], [0.0, 0.0, 5.0]]), least=2)
    4.0
    """
    inside = np.ones(map.shape, dtype=bool) if inside is None else inside
    values = map[inside]
    least = min(_count(least), len(values))
    if least == 1:
        return float(values.max())
    candidates = np.unique(np.partition(values, -least)[: len(values) - least + 1])
    low, high = 0, len(candidates) - 1
    while low < high:
        middle = (low + high + 1) // 2
        shared = parts(inside & (map >= candidates[middle]))[1].max() >= least
        low, high = (middle, high) if shared else (low, middle - 1)
    return float(candidates[low])


def _count(least: int) -> int:
    if isinstance(least, bool) or not isinstance(least, (int, np.integer)) or least < 1:
        raise Misfit(f"least is {least!r}; give a number of pixels from 1.")
    return int(least)
