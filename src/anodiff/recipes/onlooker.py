r"""A quick judge of video: how unlike normal motion and looks is a cell, where it lies?

.. math:: a_{tc} = \min_j \| s \odot (\phi_{tc} - \phi_j) \| / \sqrt f, \qquad
    J v = -b, \quad r = \langle I_t^2 \rangle + v \cdot b,

for a cell c of 8 pixels, seen through a window of twice its side: J the mean of :math:`\nabla I \nabla I^\top` and b of
:math:`\nabla I\, I_t` in it, v the motion that explains them (Lucas and Kanade, "An iterative image registration
technique with an application to stereo vision", 1981) and r what no motion explains. :math:`\phi` holds these, how much
there is to see, how far it is from the plate, and the place. A region scores the highest of its cells, frame by frame,
on average over five frames at their worst.

No network, no library of optical flow: it says how far to go, and it is not who detects.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from anodiff.types import JSON

CELL, WINDOW = 8, 16
LONGEST = 192
"""Pixels of the longer side that are looked at; larger frames are made smaller."""
REFERENCES = 6000
PLACED = 1.0
"""What the place is divided by, in half frames."""
FRAMES = 5
STIFF = 4.0
"""Grey levels squared: gradients weaker than that explain no motion."""


@dataclass(frozen=True, eq=False)
class Onlooker:
    """The judge.

    Attributes:
        references: What normal cells are like, in its units, `(k, f)`.
        centre: Of the features `(f,)`.
        unit: What they are divided by `(f,)`.
    """

    references: np.ndarray
    centre: np.ndarray
    unit: np.ndarray

    @classmethod
    def fit(cls, features: np.ndarray, seed: int) -> Self:
        """Learn cells `(n, f)` of normal video: half of them from where most happens."""
        draw = np.random.default_rng([seed, 5])
        busy = np.argsort(-features[:, 0])[: max(1, len(features) // 5)]
        half = REFERENCES // 2
        at = np.concatenate([
            draw.permutation(len(features))[:half], busy[draw.permutation(len(busy))[:half]],
        ])  # fmt: skip
        moving = features[busy]
        centre = np.median(moving, axis=0)
        unit = np.maximum(1.4826 * np.median(np.abs(moving - centre), axis=0), 0.25 * moving.std(0))
        unit = np.where(unit > 0, unit, 1.0)
        # A motion counts as much whichever way it goes.
        unit[1:3] = unit[1:3].max()
        unit[-2:], centre[-2:] = PLACED, 0.0
        return cls(((features[np.unique(at)] - centre) / unit).astype(np.float32), centre, unit)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_tree", cKDTree(self.references))

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """How unlike normal cells `(..., f)` are, `(...)`."""
        given = ((features - self.centre) / self.unit).reshape(-1, features.shape[-1])
        far = self._tree.query(given.astype(np.float32), k=1)[0]  # type: ignore[attr-defined]
        return np.asarray(far / np.sqrt(features.shape[-1])).reshape(features.shape[:-1])

    def score(self, seen: "Sight", region: np.ndarray) -> float:
        """How odd a region `(T, H, W)` of what was seen is."""
        return worst(self.frame_scores(seen, region))

    def frame_scores(self, seen: "Sight", region: np.ndarray) -> np.ndarray:
        """The highest of the cells of a region, in the frames where it is, in their order."""
        cells = seen.cells(region)
        inside: np.ndarray = np.asarray(cells.any((1, 2)))
        if not inside.any():
            return np.zeros(0)
        said: np.ndarray = np.full(cells.shape, -np.inf)
        said[cells] = self(seen.features[cells])
        return np.asarray(said[inside].max((1, 2)))

    def config(self) -> JSON:
        """Nothing is small."""
        return {}

    def arrays(self) -> dict[str, np.ndarray]:
        """What was learnt."""
        return {"references": self.references, "centre": self.centre, "unit": self.unit}

    @classmethod
    def restore(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """The inverse of `arrays`."""
        return cls(*(np.array(arrays[name]) for name in ("references", "centre", "unit")))


@dataclass(frozen=True, eq=False)
class Sight:
    """A stretch of a clip as it is seen.

    Attributes:
        features: `(L, h, w, f)`, of its cells.
        frames: Which frames of the clip.
        corner: The first row and column of cells.
        step: Pixels of a frame that a cell is high and wide.
        grid: Rows and columns of cells of the whole frame.
    """

    features: np.ndarray
    frames: slice
    corner: tuple[int, int]
    step: int
    grid: tuple[int, int]

    def cells(self, region: np.ndarray) -> np.ndarray:
        """Which of the cells hold some of a region `(T, H, W)`, `(L, h, w)` bool."""
        here = region[self.frames]
        whole = np.zeros((len(here), *self.grid), dtype=bool)
        # What is left over at the far sides belongs to the last cells.
        place = [np.minimum(np.arange(n) // self.step, m - 1) for n, m in zip(here.shape[1:], self.grid, strict=True)]
        t, row, column = np.nonzero(here)
        whole[t, place[0][row], place[1][column]] = True
        height, width = self.features.shape[1:3]
        top, left = self.corner
        return np.asarray(whole[:, top : top + height, left : left + width])


def sight(x: np.ndarray, plate: np.ndarray, region: np.ndarray | None = None) -> Sight:
    """What is seen of a clip `(T, H, W, C)` uint8, or of as much of it as a region `(T, H, W)` asks for."""
    down = max(1, round(max(x.shape[1:3]) / LONGEST))
    step = CELL * down
    grid = (max(1, x.shape[1] // step), max(1, x.shape[2] // step))
    frames, rows, columns = slice(0, len(x)), slice(0, grid[0]), slice(0, grid[1])
    if region is not None and region.any():
        at = np.flatnonzero(region.any((1, 2)))
        frames = slice(int(at[0]), int(at[-1]) + 1)
        flat: np.ndarray = np.asarray(region[frames].any(0))
        rows, columns = (
            slice(min(int(k[0]) // step, n - 1), min(int(k[-1]) // step + 1, n))
            for k, n in ((np.flatnonzero(flat.any(1)), grid[0]), (np.flatnonzero(flat.any(0)), grid[1]))
        )
    # A cell is seen through a window twice its side, and a gradient needs a pixel more.
    margin = 2
    near = [slice(max(0, s.start - margin), min(n, s.stop + margin)) for s, n in ((rows, grid[0]), (columns, grid[1]))]
    before = 1 if frames.start > 0 else 0
    own = (slice(frames.start - before, frames.stop), *(slice(s.start * step, s.stop * step) for s in near))
    grey, still = shrunk(x[own], down), shrunk(plate[own[1:]][None], down)[0]
    found = _features(grey, still)[before:]
    inside = tuple(slice(s.start - n.start, s.stop - n.start) for s, n in zip((rows, columns), near, strict=True))
    found = found[:, inside[0], inside[1]]
    place = np.stack(np.meshgrid(
        (np.arange(rows.start, rows.stop) + 0.5) / grid[0] * 2 - 1,
        (np.arange(columns.start, columns.stop) + 0.5) / grid[1] * 2 - 1, indexing="ij",
    ), -1)  # fmt: skip
    laid = np.broadcast_to(place, (len(found), *place.shape))
    return Sight(np.concatenate([found, laid], -1).astype(np.float32), frames, (rows.start, columns.start), step, grid)


def shrunk(x: np.ndarray, down: int) -> np.ndarray:
    """Frames `(T, H, W, C)` in grey, so many times smaller, `(T, h, w)` float32."""
    height, width = (n // down * down for n in x.shape[1:3])
    grey: np.ndarray = x[:, :height, :width].mean(-1, dtype=np.float32)
    if down == 1:
        return grey
    return np.asarray(grey.reshape(len(x), height // down, down, width // down, down).mean((2, 4)))


def worst(frames: np.ndarray) -> float:
    """The highest average over five frames."""
    if not len(frames):
        return 0.0
    many = min(FRAMES, len(frames))
    total = np.concatenate([[0.0], np.cumsum(frames)])
    return float(((total[many:] - total[:-many]) / many).max())


def _features(grey: np.ndarray, plate: np.ndarray) -> np.ndarray:
    """Of frames `(T, h, w)`, cell by cell, `(T, h / 8, w / 8, f)`."""
    soft = ndimage.gaussian_filter(grey, (0, 1, 1))
    step = np.diff(soft, axis=0, prepend=soft[1:2] if len(soft) > 1 else soft[:1])
    if len(soft) > 1:
        step[0] = step[1]
    middle = soft - step / 2
    down, right = (
        np.gradient(middle, axis=axis) if middle.shape[axis] > 1 else np.zeros_like(middle) for axis in (1, 2)
    )
    off = np.abs(grey - plate)
    yy, xx, yx, yt, xt, tt, away, bright = (
        _pooled(each)
        for each in (down * down, right * right, down * right, down * step, right * step, step * step, off, grey)
    )
    a, b = yy + STIFF, xx + STIFF
    determinant = a * b - yx**2
    v, u = (yx * xt - b * yt) / determinant, (yx * yt - a * xt) / determinant
    left = np.maximum(tt + v * yt + u * xt, 0)
    return np.stack([np.sqrt(tt), v, u, np.sqrt(left), np.sqrt(yy), np.sqrt(xx), away, bright], -1)


def _pooled(values: np.ndarray) -> np.ndarray:
    """Means over windows about the cells' middles."""
    whole = ndimage.uniform_filter(values, (0, WINDOW, WINDOW), mode="nearest")
    return np.asarray(whole[:, CELL // 2 :: CELL, CELL // 2 :: CELL])
