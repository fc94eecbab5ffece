r"""How things move, cell by cell, from one frame to the next: w the optical flow, I the frame,

.. math:: h_k(p) = \underset{q \in p}{\mathrm{mean}} \; |w_q| \, \max\big(0, 1 - |4 \angle w_q / \pi - k|\big), \qquad
          \delta(p) = \underset{q \in p}{\mathrm{mean}} \; |I_t(q) - I_{t-1}(q)| ,

a histogram of eight directions weighed by speed, the change, and means of speed, its square and the flow itself.

Kroeger et al., "Fast Optical Flow using Dense Inverse Search", 2016, is the flow; Laptev et al., "Learning Realistic
Human Actions from Movies", 2008, the histogram.
"""

from functools import cache
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

from anodiff.types import Misfit

WAYS = 8
PLAIN = ("change", "changed", "speed", "square", "right", "down")
CHANNELS = (*PLAIN, *(f"way{k}" for k in range(WAYS)))
"""What can be noted of a cell; directions take as long as all else together."""
LENGTHS = {"speed": 1, "square": 2, "right": 1, "down": 1, **{f"way{k}": 1 for k in range(WAYS)}}
"""Channels that grow with the scale of what moves, and with which power of it."""
CLEAR = 4.0
"""Grey levels that make a change."""
SOFT = 3.0
"""Cells over which the scale of a place is smoothed."""
BELIEF = 0.05
"""The share of the frame's motion that a place needs to be believed."""


@cache
def opencv() -> Any:
    """OpenCV, on one thread: what it finds must not depend on how many there are.

    Raises:
        Misfit: it is not installed.
    """
    try:
        import cv2
    except ImportError:
        raise Misfit("motion is seen by OpenCV, which is not installed; pip install 'anodiff[video]'.") from None
    cv2.setNumThreads(1)
    return cv2


class Motion:
    """Frames that come one after the other, as what moved since the last.

    Args:
        cell: Side of a cell in pixels.
        grid: Rows and columns of cells.
        ways: Whether the histogram of directions is noted too.
    """

    def __init__(self, cell: int, grid: tuple[int, int], ways: bool = True) -> None:
        self.cell = cell
        self.grid = grid
        self.ways = ways
        cv2 = opencv()
        self._flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._last: np.ndarray | None = None

    def __call__(self, grey: np.ndarray) -> np.ndarray:
        """Channels of the next frame `(H, W)` uint8 on the grid, `(C, h, w)` float32; of the first, nothing moves."""
        last, self._last = self._last, grey
        if last is None:
            return np.zeros((len(CHANNELS if self.ways else PLAIN), *self.grid), np.float32)
        flow = self._flow.calc(last, grey, None) if (last != grey).any() else np.zeros((*grey.shape, 2), np.float32)
        return self.pooled(opencv().merge([*self._change(last, grey), *moved(flow, self.ways)]))

    def _change(self, last: np.ndarray, grey: np.ndarray) -> tuple[np.ndarray, ...]:
        cv2 = opencv()
        change = cv2.absdiff(*(cv2.GaussianBlur(each, (0, 0), 1) for each in (last, grey))).astype(np.float32)
        return change, (change > CLEAR).astype(np.float32)

    def pooled(self, pixels: np.ndarray) -> np.ndarray:
        """Means over windows of two cells around each cell, of pixels `(H, W, C)`; `(C, h, w)`."""
        cv2 = opencv()
        side = 2 * self.cell
        means = cv2.boxFilter(pixels, -1, (side, side), anchor=(self.cell, self.cell), borderType=cv2.BORDER_REPLICATE)
        rows, columns = (np.arange(count) * self.cell + self.cell // 2 for count in self.grid)
        return np.ascontiguousarray(means[rows][:, columns].transpose(2, 0, 1), dtype=np.float32)


def moved(flow: np.ndarray, by_way: bool = True) -> tuple[np.ndarray, ...]:
    """Channels of pixels of a flow `(H, W, 2)`: speed, its square, the flow, and speed by direction."""
    right, down = (np.ascontiguousarray(flow[..., k]) for k in range(2))
    speed = np.sqrt(right**2 + down**2)
    if not by_way:
        return speed, speed**2, right, down
    turn = np.arctan2(down, right) * np.float32(WAYS / (2 * np.pi)) % WAYS
    ways = (np.maximum(0, 1 - np.abs((turn - k + WAYS / 2) % WAYS - WAYS / 2)) * speed for k in range(WAYS))
    return speed, speed**2, right, down, *ways


def perspective(speed: np.ndarray, square: np.ndarray) -> np.ndarray:
    """How fast what moves usually is at each place, `(h, w)`, as a multiple of what it is on the whole.

    Args:
        speed: Sums over frames of the mean speed of cells, `(h, w)`.
        square: Of its square.

    >>> bool(np.allclose(perspective(np.ones((4, 4)), np.ones((4, 4))), 1))
    True
    """
    if speed.sum() <= 0 or square.sum() <= 0:
        return np.ones(speed.shape, np.float32)
    usual = square.sum() / speed.sum()
    far, near = (gaussian_filter(each.astype(np.float64), SOFT, mode="nearest") for each in (square, speed))
    doubt = BELIEF * speed.mean()
    return np.asarray(np.clip((far + doubt * usual) / (near + doubt) / usual, 1 / 3, 3), np.float32)
