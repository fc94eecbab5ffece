r"""Rivals on video: `fit(clips)`, then `maps(clip)`: a map of each frame `(h, w)`; its largest value is the score.

.. math:: a_t(u) = G * |x_t - x_{t-1}|(u), \qquad
          a_t(p) = \tfrac{1}{k} \textstyle\sum_{m \in N_k(p)} \|v_p(x_{t-1}, x_t) - m\|, \qquad
          a_t(p) = \sqrt{(f_p(x_t) - \mu_p)^\top \Sigma_p^{-1} (f_p(x_t) - \mu_p)} ,

the smoothed difference of frames, the nearest k of kept patches of optical flow, and PaDiM-style of each frame alone,
the features those of the embedded backbone. Flow is computed as anodiff's own is, on frames as large. Frames are read
in grey; the first of a clip has no motion and takes the second's map.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np
import torch
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from anodiff.bench.images.seen import frozen
from anodiff.bench.images.whiten import Whiten
from anodiff.data.clips import Clip
from anodiff.modalities.grids import on_one_grid

LAYERS = ("s8", "s16")
GRID = (20, 30)
CELL, SHORT = 8, 240
"""Sides of a patch of flow and, of frames as flow is computed, of the shorter side; pixels."""
LEARNT = 400
"""Frames that PaDiM-style learns, evenly spread."""
KEPT, NEIGHBOURS = 8000, 10
"""Patches of flow that are kept, drawn; a greedy choice would keep the errors of flow, and was worse."""


class Rival(ABC):
    """Think twice before adding anything here, every rival carries it."""

    @abstractmethod
    def fit(self, clips: Sequence[Clip]) -> Self:
        """Learn normal clips."""

    @abstractmethod
    def maps(self, clip: Clip) -> Iterator[np.ndarray]:
        """Of each frame a map `(h, w)` float32, in order; higher is more anomalous."""


class Difference(Rival):
    """The change of each place since the frame before, smoothed over `sigma` pixels; learns nothing."""

    def __init__(self, sigma: float = 3.0) -> None:
        self.sigma = sigma

    def fit(self, clips: Sequence[Clip]) -> Self:
        """Nothing is learnt."""
        return self

    def maps(self, clip: Clip) -> Iterator[np.ndarray]:
        """Smoothed differences."""
        changes = (after.astype(np.float32) - before for before, after in couples(clip))
        return first_twice(gaussian_filter(np.abs(change), self.sigma) for change in changes)


class NearestFlow(Rival):
    """Mean distance of each patch of optical flow to the nearest of some normal ones.

    Args:
        seed: Of the draw.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def fit(self, clips: Sequence[Clip]) -> Self:
        """Keep some patches."""
        rows = np.concatenate([flow.reshape(-1, flow.shape[-1]) for clip in clips for flow in flows(clip)])
        draw = np.random.default_rng(self.seed)
        kept = rows[draw.choice(len(rows), min(KEPT, len(rows)), replace=False)]
        self.near_ = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(kept))).fit(kept)
        return self

    def maps(self, clip: Clip) -> Iterator[np.ndarray]:
        """Distances."""
        return first_twice(self._map(flow) for flow in flows(clip))

    def _map(self, flow: np.ndarray) -> np.ndarray:
        apart, _ = self.near_.kneighbors(flow.reshape(-1, flow.shape[-1]))
        return np.asarray(apart.mean(1).reshape(flow.shape[:2]), np.float32)


class Padim(Rival):
    """Of each frame alone the distance of each place from its own mean, under its own covariance."""

    def fit(self, clips: Sequence[Clip]) -> Self:
        """Learn a Gaussian of each place."""
        total = sum(1 for clip in clips for _ in clip.frames())
        wanted = set(np.linspace(0, total - 1, min(LEARNT, total)).astype(int).tolist())
        frames = (grey(frame.pixels) for clip in clips for frame in clip.frames())
        taken = [features(pixels) for place, pixels in enumerate(frames) if place in wanted]
        self.white_ = Whiten(places=True).fit(torch.cat(taken))
        return self

    def maps(self, clip: Clip) -> Iterator[np.ndarray]:
        """Distances."""
        for frame in clip.frames():
            yield self.white_(features(grey(frame.pixels))).norm(dim=1)[0].numpy()


RIVALS: dict[str, type[Rival]] = {
    "frame difference": Difference,
    "nearest flow patches": NearestFlow,
    "PaDiM-style per frame": Padim,
}
"""By name. Those that draw take a seed."""


def smoothed(scores: np.ndarray, sigma: float) -> np.ndarray:
    """Scores of a clip `(T,)`, over time; as they are where sigma is 0."""
    return np.asarray(gaussian_filter1d(scores, sigma, mode="nearest") if sigma else scores)


def couples(clip: Clip) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Grey frames `(H, W)` with the one before."""
    before: np.ndarray | None = None
    for frame in clip.frames():
        now = grey(frame.pixels)
        if before is not None:
            yield before, now
        before = now


def flows(clip: Clip) -> Iterator[np.ndarray]:
    """Patches of dense optical flow `(h, w, 3)`: their mean shift in pixels to the right and down, and mean speed."""
    cv2 = opencv()
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    for before, after in couples(clip):
        large = [cv2.resize(each, None, fx=scale(each), fy=scale(each)) for each in (before, after)]
        moved = flow.calc(*large, None)
        speed = np.linalg.norm(moved, axis=-1, keepdims=True)
        yield pooled(np.concatenate([moved, speed], -1))


def scale(frame: np.ndarray) -> float:
    """How many times as large flow is computed."""
    return float(SHORT / min(frame.shape))


def pooled(planes: np.ndarray) -> np.ndarray:
    """Means of patches of `CELL` pixels, `(h, w, C)`; what is left over at the right and below belongs to none."""
    height, width = (size // CELL * CELL for size in planes.shape[:2])
    cut = planes[:height, :width].reshape(height // CELL, CELL, width // CELL, CELL, -1)
    return np.ascontiguousarray(cut.mean((1, 3), dtype=np.float32))


def features(pixels: np.ndarray) -> Tensor:
    """Features of a grey frame `(1, C, h, w)`, looked at twice as large."""
    x = torch.from_numpy(pixels.astype(np.float32) / 127.5 - 1)[None, None].expand(1, 3, -1, -1)
    with torch.inference_mode():
        large = torch.nn.functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        return on_one_grid(frozen(LAYERS)(large), GRID, 3)


def grey(pixels: np.ndarray) -> np.ndarray:
    """A frame `(H, W)` uint8."""
    if pixels.ndim == 2:
        return pixels
    return np.asarray((pixels @ np.array([0.299, 0.587, 0.114])).round().astype(np.uint8))


def first_twice(maps: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Of couples of frames a map for each frame."""
    first = next(maps, None)
    if first is not None:
        yield first
        yield first
    yield from maps


def opencv() -> Any:
    """OpenCV, with one thread."""
    import cv2

    cv2.setNumThreads(1)
    return cv2
