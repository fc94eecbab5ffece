r"""Maps on one grid, and what their channels are like over all places: means and standard deviations that merge,

.. math:: \mu' = \mu + \frac{m}{n + m} (\bar{x} - \mu), \qquad
          S' = S + S_x + \frac{n m}{n + m} (\bar{x} - \mu)^2 .

Chan, Golub and LeVeque, "Algorithms for Computing the Sample Variance", 1983.
"""

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, interpolate


class Moments:
    """Mean and standard deviation by channel of maps `(C, h, w)` that come one after the other, in double precision."""

    def __init__(self, channels: int) -> None:
        self.count = 0
        self.centre = torch.zeros(channels, dtype=torch.float64)
        self.squares = torch.zeros(channels, dtype=torch.float64)

    def add(self, map: Tensor) -> None:
        values = map.flatten(1).double()
        count, centre = values.shape[1], values.mean(1)
        whole = self.count + count
        apart = centre - self.centre
        self.squares += (values - centre[:, None]).square().sum(1) + apart.square() * self.count * count / whole
        self.centre += apart * count / whole
        self.count = whole

    @property
    def mean(self) -> Tensor:
        """`(C,)` float32."""
        return self.centre.float()

    @property
    def std(self) -> Tensor:
        """`(C,)` float32; 1 where a channel never varies."""
        std = (self.squares / max(1, self.count)).sqrt().float()
        return torch.where(std > 1e-6 * (1 + self.mean.abs()), std, 1.0)


def on_one_grid(maps: Sequence[Tensor], grid: tuple[int, int], patch: int = 1) -> Tensor:
    """Maps `(B, C_k, h_k, w_k)` averaged over patches, on the grid `(h, w)`, one behind the other `(B, sum C_k, h, w)`.

    A coarser grid takes the mean of what a place covers, a finer one lies between places linearly.
    """
    pooled = (avg_pool2d(each, patch, 1, patch // 2, count_include_pad=False) for each in maps)
    return torch.cat([_regridded(each, grid) for each in pooled], 1)


def spreads(maps: Sequence[Tensor], grid: tuple[int, int], side: int, pixels: Sequence[int]) -> Tensor:
    r"""How much maps vary nearby, :math:`\log \mathrm{Var}` within windows of so many pixels, on one grid.

    A layer whose window would be far larger than asked for, three of its cells at least, is left out.

    Args:
        maps: `(B, C_k, h_k, w_k)`.
        grid: `(h, w)`.
        side: Of the picture, in pixels.
        pixels: Of windows.

    Returns:
        `(B, sum C_k over windows and layers, h, w)`; None of them gives no channels.
    """
    found = [maps[0][:, :0, :1, :1].expand(-1, -1, *grid)]
    for wanted in pixels:
        for map in maps:
            window = cells_of(wanted, side / map.shape[2])
            if window:
                mean, square = (boxed(v, window) for v in (map, map**2))
                found.append(torch.log(_regridded((square - mean**2).clamp(min=0), grid) + LEAST))
    return torch.cat(found, 1)


def boxed(map: Tensor, window: int) -> Tensor:
    """The mean within a window around each place, row by row and then column by column."""
    across = avg_pool2d(map, (1, window), 1, (0, window // 2), count_include_pad=False)
    return avg_pool2d(across, (window, 1), 1, (window // 2, 0), count_include_pad=False)


def cells_of(pixels: int, stride: float) -> int:
    """The odd number of cells, at least 3, that covers so many pixels; 0 where that is more than half too many.

    >>> cells_of(32, 4.0), cells_of(32, 16.0), cells_of(32, 32.0)
    (9, 3, 0)
    """
    window = max(3, 2 * math.floor(pixels / stride / 2) + 1)
    return window if window * stride <= 1.5 * pixels else 0


def leading(rows: Iterable[Tensor], count: int) -> Tensor:
    """The directions along which places of maps vary most between pictures, each of variance 1: `(C, count)`.

    Args:
        rows: Maps `(B, C, h, w)`, a few at a time.
        count: Of directions.
    """
    first, second, pictures = torch.zeros(()), torch.zeros(()), 0
    for x in rows:
        cells = x.flatten(2)
        first = first + cells.sum(0)
        second = second + torch.einsum("bcp,bdp->cd", cells, cells)
        pictures += len(x)
    places = first.shape[1]
    within = (second / pictures - first @ first.T / pictures**2).double() / places
    spread = within.diagonal().clamp(min=1e-4).sqrt()
    values, vectors = torch.linalg.eigh(within / (spread[:, None] * spread))
    values, vectors = values[-count:].clamp(min=1e-4), vectors[:, -count:]
    found: Tensor = (vectors / values.sqrt() / spread[:, None]).float()
    return found


LEAST = 1e-3
"""The variance that counts as none."""


def _regridded(map: Tensor, grid: tuple[int, int]) -> Tensor:
    if map.shape[2] >= grid[0] and map.shape[3] >= grid[1]:
        return adaptive_avg_pool2d(map, grid)
    return interpolate(map, grid, mode="bilinear", align_corners=False)


def places(rows: int, columns: int) -> Tensor:
    """Row and column of each place, `(2, rows, columns)`, each of mean 0 and standard deviation 1."""
    sides = [torch.arange(count) - (count - 1) / 2 for count in (rows, columns)]
    scaled = [side / side.std(correction=0).clamp(min=1e-6) for side in sides]
    return torch.stack(torch.meshgrid(scaled, indexing="ij"))
