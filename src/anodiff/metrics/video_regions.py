r"""Are abnormal regions of video found, and at how many false ones? With the regions that a map has above a level t,

.. math:: \text{RBDR}(t) = \frac{\#\{\text{true regions found}\}}{\#\{\text{true regions}\}}, \quad
    \text{TBDR}(t) = \frac{\#\{\text{tracks found}\}}{\#\{\text{tracks}\}}, \quad
    \text{FPR}(t) = \frac{\#\{\text{false regions}\}}{\#\{\text{frames}\}},

a true region of a frame is found where a region above t covers it with an intersection over union of :math:`\beta` or
more, a track where at least the share :math:`\alpha` of its regions is found, and a region above t is false where it
covers no true one so. RBDC and TBDC are the areas under these rates over FPR from 0 to 1, both parameters 0.1.
Ramachandra and Jones, "Street Scene: A new dataset and evaluation protocol for video anomaly detection", 2020;
Ramachandra, Jones and Vatsavai, "A Survey of Single-Scene Video Anomaly Detection", 2022.

Theirs are boxes, and so are the regions here unless `boxes` is False: then they are sets of pixels, which is harder. As
the level falls regions grow together, and a region that was found may be lost again; the rates here are those of the
best level so far, so that a lower level never costs anything. From the lowest level to FPR 1 the curve is flat.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from anodiff.metrics.planes import NEIGHBOURS, as_map
from anodiff.metrics.tally import Tally
from anodiff.types import Misfit, Unreadable

ALPHA = BETA = 0.1
SHARES = np.geomspace(1e-6, 0.5, 48)
"""Of all pixels, how many are above the levels that are tried."""


class OfRegions(NamedTuple):
    """How well abnormal regions and tracks are found, from 0 to 1; `levels` thresholds were tried."""

    rbdc: float
    tbdc: float
    regions: int
    tracks: int
    frames: int
    levels: int


def of_regions(
    maps: Sequence[np.ndarray],
    tracks: Sequence[np.ndarray],
    *,
    alpha: float = ALPHA,
    beta: float = BETA,
    boxes: bool = True,
    levels: np.ndarray | None = None,
) -> OfRegions:
    """Areas under the rates of regions and of tracks found.

    Args:
        maps: Of each clip `(T, H, W)`, higher is more abnormal, one scale for all clips. Walked through twice.
        tracks: Of each clip, whole numbers `(T, H, W)`: 0 where normal, else the number of the track, from 1 in each
            clip; of plain masks, `tracks_of` says it.
        alpha: Least share of a track's regions.
        beta: Least intersection over union.
        boxes: Whether regions are compared by their bounding boxes.
        levels: Thresholds; by default 48, above which from a millionth to half of all pixels are.

    Raises:
        Unreadable: shapes or numbers differ, or a map is not finite.
        Misfit: no region is abnormal, or a parameter is out of range.
    """
    if levels is None:
        tally = Tally()
        for each in maps:
            tally.add(each, np.zeros(np.shape(each), dtype=bool))
        levels = tally.levels(SHARES)
    found = Rates(levels, alpha, beta, boxes)
    if len(maps) != len(tracks):
        raise Unreadable(f"{len(maps)} maps and {len(tracks)} tracks; give both of each clip.")
    for one, truth in zip(maps, tracks, strict=True):
        found.add(one, truth)
    return found.areas()


def tracks_of(mask: np.ndarray) -> np.ndarray:
    """Tracks of a clip's masks `(T, H, W)`: what touches in a frame or from one to the next has one number, from 1.

    Objects that meet become one track, and one that was hidden for a frame becomes two: where tracks are known, give
    those.

    >>> tracks_of(np.array([[[1, 0, 0]], [[0, 1, 0]], [[0, 0, 0]], [[0, 1, 0]]])).max(axis=(1, 2)).tolist()
    [1, 1, 0, 2]
    """
    labels, _ = ndimage.label(np.asarray(mask).astype(bool), np.ones((3, 3, 3), dtype=int))
    return np.asarray(labels)


class Rates:
    """Counts at each level, frame by frame, in memory that does not grow with the video.

    Args:
        levels: Thresholds; a pixel is in a region where its score is at least as high.
        alpha: Least share of a track's regions.
        beta: Least intersection over union.
        boxes: Whether regions are compared by their bounding boxes.
    """

    def __init__(self, levels: np.ndarray, alpha: float = ALPHA, beta: float = BETA, boxes: bool = True) -> None:
        if not (0 < alpha <= 1 and 0 < beta <= 1):
            raise Misfit(f"alpha is {alpha} and beta {beta}; give shares above 0 up to 1, such as 0.1.")
        self.levels = np.sort(np.atleast_1d(np.asarray(levels, dtype=np.float64)))[::-1]
        self.alpha, self.beta, self.boxes = alpha, beta, boxes
        self.false = np.zeros(len(self.levels), dtype=np.int64)
        self.hits: list[np.ndarray] = []
        self.lengths: list[int] = []
        self.frames = 0

    def add(self, maps: np.ndarray, tracks: np.ndarray) -> None:
        """Count a clip, maps and tracks `(T, H, W)`."""
        scores, truth = np.asarray(maps), np.asarray(tracks)
        if scores.shape != truth.shape or scores.ndim != 3:
            raise Unreadable(
                f"the maps of a clip are {scores.shape} and its tracks {truth.shape}; give (T, H, W) both."
            )
        hits: dict[int, np.ndarray] = {}
        lengths: dict[int, int] = {}
        for t in range(len(scores)):
            plane, numbers = as_map(scores[t], f"map {t}"), [int(k) for k in np.unique(truth[t]) if k > 0]
            regions = [_region(truth[t] == k, self.boxes) for k in numbers]
            for k in numbers:
                lengths[k] = lengths.get(k, 0) + 1
                hits.setdefault(k, np.zeros(len(self.levels), dtype=np.int64))
            for i, level in enumerate(self.levels):
                overlaps = self._overlaps(plane >= level, regions)
                self.false[i] += int((overlaps.max(1, initial=0) < self.beta).sum())
                for k, best in zip(numbers, overlaps.max(0, initial=0), strict=True):
                    hits[k][i] += int(best >= self.beta)
        self.frames += len(scores)
        self.hits.extend(hits[k] for k in sorted(hits))
        self.lengths.extend(lengths[k] for k in sorted(hits))

    def curve(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """False regions per frame, and the shares of regions and of tracks that are found, at each level `(levels,)`.

        Raises:
            Misfit: no region was abnormal.
        """
        if not self.lengths:
            raise Misfit(f"none of {self.frames} frames holds an abnormal region; detection is measured on some.")
        hits, lengths = np.stack(self.hits), np.array(self.lengths)[:, None]
        regions = hits.sum(0) / lengths.sum()
        tracks = (hits >= np.maximum(self.alpha * lengths, 1e-9)).mean(0)
        return self.false / self.frames, regions, tracks

    def areas(self) -> OfRegions:
        """The areas under the curves."""
        false, regions, tracks = self.curve()
        return OfRegions(
            area_to_one(false, regions),
            area_to_one(false, tracks),
            int(sum(self.lengths)),
            len(self.lengths),
            self.frames,
            len(self.levels),
        )

    def _overlaps(self, above: np.ndarray, truth: list[np.ndarray]) -> np.ndarray:
        """Intersection over union of each region above a level with each true one, `(found, true)`."""
        labels, count = ndimage.label(above, NEIGHBOURS)
        if not count or not truth:
            return np.zeros((count, len(truth)))
        if self.boxes:
            found = np.array([_ends(where) for where in ndimage.find_objects(labels)])
            return _of_boxes(found, np.stack(truth))
        areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
        shared = np.stack([np.bincount(labels[one], minlength=count + 1)[1:] for one in truth], 1)
        return np.asarray(shared / (areas[:, None] + np.array([one.sum() for one in truth]) - shared))


def area_to_one(false: Iterable[float], rate: Iterable[float]) -> float:
    """Under a rate over the false regions per frame from 0 to 1, both by falling level; straight lines between.

    >>> area_to_one([0.0, 0.5, 2.0], [0.5, 0.5, 1.0])
    0.5416666666666666
    """
    x = np.concatenate([[0.0], np.maximum.accumulate(np.asarray(false, dtype=np.float64))])
    y = np.concatenate([[0.0], np.maximum.accumulate(np.asarray(rate, dtype=np.float64))])
    if x[-1] < 1:
        x, y = np.append(x, 1.0), np.append(y, y[-1])
    inside = x <= 1
    # at 1 itself the line is cut, unless a level lies there
    x, y = np.append(x[inside], 1.0), np.append(y[inside], _at_one(x, y))
    return float(((y[1:] + y[:-1]) / 2 * np.diff(x)).sum())


def _at_one(x: np.ndarray, y: np.ndarray) -> float:
    last = int(np.flatnonzero(x <= 1)[-1])
    if last + 1 == len(x) or x[last] == 1:
        return float(y[last])
    return float(y[last] + (y[last + 1] - y[last]) * (1 - x[last]) / (x[last + 1] - x[last]))


def _region(mask: np.ndarray, boxes: bool) -> np.ndarray:
    """A true region as it is compared: its box `(4,)`, or itself."""
    return np.array(_ends(ndimage.find_objects(mask.astype(int))[0])) if boxes else mask


def _ends(where: Sequence[slice]) -> list[int]:
    rows, columns = where
    return [rows.start, columns.start, rows.stop, columns.stop]


def _of_boxes(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    low = np.maximum(found[:, None, :2], truth[None, :, :2])
    high = np.minimum(found[:, None, 2:], truth[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(2)
    areas = [(each[:, 2:] - each[:, :2]).prod(1) for each in (found, truth)]
    return np.asarray(shared / (areas[0][:, None] + areas[1][None] - shared))
