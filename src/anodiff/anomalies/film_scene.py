r"""A clip taken apart: a plate, what moves in front of it, and who it is from frame to frame.

.. math:: x_t = (1 - m_t)\, B + m_t\, O_t, \qquad
    m_t = \big[\, g * \textstyle\max_c |x_t - B| > \max(\tau, 4 s) \,\big],

B the median over the clip, s its usual deviation (1.48 times the median absolute one), g a small blur. The connected
parts of m are things; a thing is followed by the greatest overlap with one of the next frame. What is taken out of a
frame is closed with the plate, shifted by a smooth membrane so that it meets the frame at the rim.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self, TypeAlias

import numpy as np
import torch
from scipy import ndimage

from anodiff.anomalies.paste import membrane

LEAST_CONTRAST, DEVIATIONS, BLUR = 12.0, 4.0, 1.0
PLATE_FRAMES = 31
ALIKE = 4.0
"""Grey levels by which plates of one camera differ, in the median over pixels."""
SMALLEST, LARGEST = 1 / 3000, 1 / 4
"""Shares of a frame that a thing covers."""
SHORTEST = 8
"""Frames that a thing is followed for, at least."""
Place: TypeAlias = tuple[slice, ...]
RATIO = 0.55
"""Least overlap of a thing with itself a frame later."""
SOFT = 2.0
"""Pixels over which a cut-out fades at its rim."""


@dataclass(frozen=True, eq=False)
class Walk:
    """A thing that moves, frame by frame.

    Attributes:
        start: Its first frame.
        boxes: Top, left, bottom, right in each frame `(L, 4)`, the last two just outside.
        masks: Its pixels in its box, `(h, w)` bool each.
        cuts: What it looks like there, `(h, w, C)` uint8 each.
        tall: The height of the frames that it was seen in.
    """

    start: int
    boxes: np.ndarray
    masks: list[np.ndarray]
    cuts: list[np.ndarray]
    tall: int

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def end(self) -> int:
        """The first frame after it."""
        return self.start + len(self)

    @property
    def centres(self) -> np.ndarray:
        """The middles of its boxes `(L, 2)`, row and column."""
        return np.asarray((self.boxes[:, :2] + self.boxes[:, 2:]) / 2)

    @property
    def path(self) -> np.ndarray:
        """The same, smoothed over five frames."""
        return np.asarray(ndimage.uniform_filter1d(self.centres, min(5, len(self)), axis=0, mode="nearest"))

    @property
    def stride(self) -> np.ndarray:
        """How far it comes in a frame on average, row and column `(2,)`."""
        path = self.path
        return np.asarray((path[-1] - path[0]) / max(1, len(path) - 1))

    def cut(self, first: int, last: int) -> Self:
        """Its frames from `first` up to `last`, counted from its own first one."""
        return replace(
            self,
            start=self.start + first,
            boxes=self.boxes[first:last],
            masks=self.masks[first:last],
            cuts=self.cuts[first:last],
        )


@dataclass(frozen=True, eq=False)
class Stage:
    """A clip taken apart.

    Attributes:
        x: `(T, H, W, C)` uint8.
        plate: `(H, W, C)` float32.
        walks: What moves in it.
    """

    x: np.ndarray
    plate: np.ndarray
    walks: list[Walk]

    @classmethod
    def of(cls, x: np.ndarray, plate: np.ndarray | None = None) -> Self:
        """Take a clip `(T, H, W, C)` apart; a `plate` of the same camera is taken where it looks the same."""
        behind = Stage.plate_for(x, plate)
        return cls(x, behind, walks_of(x, behind))

    @staticmethod
    def plate_for(x: np.ndarray, plate: np.ndarray | None) -> np.ndarray:
        """A plate of the same camera where a clip `(T, H, W, C)` looks like it, else its own."""
        own = plate_of(x)
        alike = plate is not None and plate.shape == own.shape
        return plate if plate is not None and alike and float(np.median(np.abs(own - plate))) < ALIKE else own

    def erased(self, t: Any, mask: np.ndarray) -> np.ndarray:
        """The frame with the plate under a mask `(H, W)`, meeting it at the rim, `(H, W, C)` float32."""
        frame: np.ndarray = self.x[t].astype(np.float32)
        if not mask.any():
            return frame
        rows, columns = around(mask, 6)
        here, under, hole = frame[rows, columns], self.plate[rows, columns], mask[rows, columns]
        off = torch.from_numpy(np.ascontiguousarray((here - under).transpose(2, 0, 1)))[None]
        # Of another thing beside it the plate knows nothing.
        rim = ~hole & (np.abs(here - under).max(-1) < LEAST_CONTRAST)
        known = torch.from_numpy(rim)[None, None]
        shift = membrane(off, known)[0].numpy().transpose(1, 2, 0) if rim.any() else 0.0
        frame[rows, columns] = np.where(hole[..., None], under + shift, here)
        return frame


def plate_of(x: np.ndarray) -> np.ndarray:
    """What a clip `(T, H, W, C)` looks like behind what moves: the median of 31 of its frames, float32."""
    some = np.unique(np.linspace(0, len(x) - 1, min(PLATE_FRAMES, len(x))).astype(int))
    return np.asarray(np.median(x[some], axis=0), dtype=np.float32)


def foreground(x: np.ndarray, plate: np.ndarray) -> np.ndarray:
    """Where frames `(T, H, W, C)` differ from the plate, `(T, H, W)` bool."""
    contrast = LEAST_CONTRAST
    some = x[:: max(1, len(x) // 8)]
    usual = 1.4826 * float(np.median(np.abs(some - plate).max(-1)))
    contrast = max(contrast, DEVIATIONS * usual)
    found = np.empty(x.shape[:3], dtype=bool)
    for t, frame in enumerate(x):
        off = ndimage.gaussian_filter(np.abs(frame - plate).max(-1), BLUR)
        found[t] = ndimage.binary_closing(off > contrast, iterations=2)
    return found


def walks_of(x: np.ndarray, plate: np.ndarray) -> list[Walk]:
    """What moves in front of the plate for eight frames or more, the longest first."""
    masks = foreground(x, plate)
    open_: list[tuple[int, list[np.ndarray], list[Place]]] = []
    done: list[Walk] = []
    area = masks.shape[1] * masks.shape[2]
    for t, mask in enumerate(masks):
        labels, _ = ndimage.label(mask)
        things = [
            (where, labels[where] == k + 1)
            for k, where in enumerate(ndimage.find_objects(labels))
            if SMALLEST * area <= (labels[where] == k + 1).sum() <= LARGEST * area
        ]
        taken: set[int] = set()
        still = []
        for start, shapes, places in open_:
            best, shared = _follow(places[-1], shapes[-1], things, taken)
            if best is None or shared < RATIO:
                done.append(_walk(x, start, shapes, places))
                continue
            taken.add(best)
            places.append(things[best][0])
            shapes.append(things[best][1])
            still.append((start, shapes, places))
        fresh: list[tuple[int, list[np.ndarray], list[Place]]] = [
            (t, [shape], [where]) for k, (where, shape) in enumerate(things) if k not in taken
        ]
        open_ = still + fresh
    done += [_walk(x, *each) for each in open_]
    return sorted((walk for walk in done if len(walk) >= SHORTEST), key=len, reverse=True)


def spread_out(walk: Walk, size: tuple[int, int], more: int = 2) -> np.ndarray:
    """Its pixels in the frames that it is in, widened by so many pixels, `(L, H, W)` bool."""
    found = np.zeros((len(walk), *size), dtype=bool)
    for k, (box, mask) in enumerate(zip(walk.boxes, walk.masks, strict=True)):
        found[k, box[0] : box[2], box[1] : box[3]] = mask
        if more:
            rows, columns = around(found[k], more + 1)
            found[k, rows, columns] = ndimage.binary_dilation(found[k, rows, columns], iterations=more)
    return found


def draw_on(frame: np.ndarray, cut: np.ndarray, mask: np.ndarray, at: Sequence[float], opacity: float) -> np.ndarray:
    """Lay a cut-out `(h, w, C)` with its middle at `at` on a frame `(H, W, C)` float32; where it did, `(H, W)` bool."""
    height, width = mask.shape
    top, left = round(at[0] - height / 2), round(at[1] - width / 2)
    rows = slice(max(0, top), min(frame.shape[0], top + height))
    columns = slice(max(0, left), min(frame.shape[1], left + width))
    touched = np.zeros(frame.shape[:2], dtype=bool)
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return touched
    own = (slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left))
    weight = (opacity * faded(mask)[own])[..., None]
    frame[rows, columns] += weight * (cut[own].astype(np.float32) - frame[rows, columns])
    touched[rows, columns] = weight[..., 0] > 0
    return touched


def faded(mask: np.ndarray, soft: float = SOFT) -> np.ndarray:
    """From 0 outside of a mask `(h, w)` up to 1 two pixels inside of it."""
    inside = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    return np.asarray(np.clip(inside / soft, 0, 1), dtype=np.float32)


def around(mask: np.ndarray, more: int) -> Place:
    """The box of a mask `(H, W)`, so many pixels wider on each side; all where it is empty."""
    found = []
    for axis in (1, 0):
        at = np.flatnonzero(mask.any(axis))
        size = mask.shape[1 - axis]
        found.append(slice(max(0, at[0] - more), min(size, at[-1] + 1 + more)) if len(at) else slice(0, size))
    return found[0], found[1]


def _follow(
    place: Place, shape: np.ndarray, things: list[tuple[Place, np.ndarray]], taken: set[int]
) -> tuple[int | None, float]:
    """Which thing overlaps most, and its share of their union."""
    best, most = None, 0.0
    for k, (where, other) in enumerate(things):
        if k in taken:
            continue
        rows, columns = (slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(place, where, strict=True))
        if rows.start >= rows.stop or columns.start >= columns.stop:
            continue
        one = shape[_in(rows, place[0]), _in(columns, place[1])]
        two = other[_in(rows, where[0]), _in(columns, where[1])]
        shared = int((one & two).sum())
        share = shared / (int(shape.sum()) + int(other.sum()) - shared)
        if share > most:
            best, most = k, share
    return best, most


def _in(inner: slice, outer: slice) -> slice:
    return slice(inner.start - outer.start, inner.stop - outer.start)


def _walk(x: np.ndarray, start: int, shapes: list[np.ndarray], places: list[Place]) -> Walk:
    boxes = np.array([[r.start, c.start, r.stop, c.stop] for r, c in places])
    cuts = [x[start + k][where].copy() for k, where in enumerate(places)] if len(places) >= SHORTEST else []
    return Walk(start, boxes, shapes, cuts, x.shape[1])
