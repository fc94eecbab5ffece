r"""Windows of a series, and the way back to instants,

.. math:: w_i = (x_i, \dots, x_{i+L-1}), \qquad
          a_t = \frac{1}{|\{i : t \in w_i\}|} \sum_{i : t \in w_i} a(w_i)
          \quad \text{or, causally,} \quad a_t = a(w_{t-L+1}) .

Windows are views of the series until a batch of them is asked for. A long window may be told by fewer points, each
the mean of its share of the instants.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool1d

Normalise = Literal["none", "centre", "unit"]
BATCH = 4096
FLAT = 0.1
"""Least spread by which a window is divided, in spreads of its channel."""


@dataclass(frozen=True)
class View:
    """How a series is cut.

    Attributes:
        length: Instants in a window.
        points: Means by which it is told, at most `length`.
        normalise: "centre" takes each channel's mean in the window away; "unit" divides by its spread too.
    """

    length: int
    points: int
    normalise: Normalise = "none"

    def count(self, instants: int) -> int:
        """Windows in so many instants."""
        return max(0, instants - self.length + 1)

    def edges(self) -> np.ndarray:
        """Where the points begin and end, `(points + 1,)`."""
        return np.round(np.linspace(0, self.length, self.points + 1)).astype(int)

    def cut(self, x: Tensor, start: int, stop: int) -> Tensor:
        """Windows `start` to `stop` - 1 of `x` `(G, width)`: `(n, width, points)`, a view where none is a mean."""
        part = x[start : stop - 1 + self.length]
        if self.points == self.length:
            return self.normalised(part.unfold(0, self.length, 1))
        edges, n = self.edges().tolist(), stop - start
        pooled = {w: avg_pool1d(part.T[None], w, 1)[0].T for w in set(np.diff(edges).tolist())}
        means = [pooled[b - a][a : a + n] for a, b in itertools.pairwise(edges)]
        return self.normalised(torch.stack(means, 2))

    def taken(self, x: Tensor, starts: Tensor) -> Tensor:
        """The windows that begin at `starts` `(n,)`: `(n, width, points)`."""
        return self.told(x[starts[:, None] + torch.arange(self.length)].transpose(1, 2))

    def told(self, windows: Tensor) -> Tensor:
        """Windows of all their instants `(n, width, length)` by points and normalised `(n, width, points)`."""
        if self.points == self.length:
            return self.normalised(windows)
        means = [windows[:, :, a:b].mean(2) for a, b in itertools.pairwise(self.edges().tolist())]
        return self.normalised(torch.stack(means, 2))

    def normalised(self, windows: Tensor) -> Tensor:
        """Windows `(n, width, points)`, centred and divided as the view says."""
        if self.normalise == "none":
            return windows
        away = windows - windows.mean(2, keepdim=True)
        if self.normalise == "centre":
            return away
        return away / (away**2).mean(2, keepdim=True).sqrt().clamp(min=FLAT)

    def batches(self, instants: int) -> Iterator[tuple[int, int]]:
        """Ranges of windows that are held at once."""
        for start in range(0, self.count(instants), BATCH):
            yield start, min(start + BATCH, self.count(instants))


def over_instants(totals: np.ndarray, length: int) -> np.ndarray:
    """The mean of window totals `(n,)` over the windows that cover each instant `(n + length - 1,)`; NaN is no window."""
    seen = np.isfinite(totals)
    value = _covered(np.where(seen, totals, 0.0), length)
    count = _covered(seen.astype(np.float64), length)
    return np.where(count > 0.5, value / np.maximum(count, 1), np.nan)


def at_ends(totals: np.ndarray, length: int) -> np.ndarray:
    """Each window's total at its last instant `(n + length - 1,)`; NaN before the first is over."""
    return np.concatenate([np.full(length - 1, np.nan), totals])


def spread(maps: Tensor, edges: np.ndarray) -> Tensor:
    """Evidence by point `(n, ..., points)` as evidence by instant of the window `(n, ..., length)`; sums are kept."""
    widths = torch.as_tensor(np.diff(edges))
    return (maps / widths.to(maps)).repeat_interleave(widths, -1)


def overlaid(maps: Tensor) -> Tensor:
    """The sum over windows of evidence by instant `(n, width, length)`, laid over each other: `(n + length - 1, width)`."""
    n, width, length = maps.shape
    total = maps.new_zeros(n + length - 1, width)
    for k in range(length):
        total[k : k + n] += maps[:, :, k]
    return total


def covering(n: int, length: int) -> np.ndarray:
    """How many of n windows cover each instant `(n + length - 1,)`."""
    return _covered(np.ones(n), length)


def smoothed(values: np.ndarray, width: int, causal: bool = False) -> np.ndarray:
    """The mean of `values` `(T,)` over `width` instants around each, or up to each; NaN are left out, and filled."""
    if width <= 1:
        return values
    seen = np.isfinite(values)
    ahead = 0 if causal else (width - 1) // 2
    total, count = (_window_sum(v, width, ahead) for v in (np.where(seen, values, 0.0), seen.astype(np.float64)))
    return np.where(count > 0.5, total / np.maximum(count, 1), np.nan)


def _window_sum(values: np.ndarray, width: int, ahead: int) -> np.ndarray:
    """Sums over at most `width` values, `ahead` of them later; nothing far away can round what is summed here."""
    return np.convolve(values, np.ones(width))[ahead : ahead + len(values)]


def _covered(values: np.ndarray, length: int) -> np.ndarray:
    return np.convolve(values, np.ones(length))
