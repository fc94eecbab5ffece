r"""Maps on one grid, and what their channels are like over all places: means and standard deviations that merge,

.. math:: \mu' = \mu + \frac{m}{n + m} (\bar{x} - \mu), \qquad
          S' = S + S_x + \frac{n m}{n + m} (\bar{x} - \mu)^2 .

Chan, Golub and LeVeque, "Algorithms for Computing the Sample Variance", 1983.
"""

from collections.abc import Sequence

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


def _regridded(map: Tensor, grid: tuple[int, int]) -> Tensor:
    if map.shape[2] >= grid[0] and map.shape[3] >= grid[1]:
        return adaptive_avg_pool2d(map, grid)
    return interpolate(map, grid, mode="bilinear", align_corners=False)


def places(rows: int, columns: int) -> Tensor:
    """Row and column of each place, `(2, rows, columns)`, each of mean 0 and standard deviation 1."""
    sides = [torch.arange(count) - (count - 1) / 2 for count in (rows, columns)]
    scaled = [side / side.std(correction=0).clamp(min=1e-6) for side in sides]
    return torch.stack(torch.meshgrid(scaled, indexing="ij"))
