r"""Windows of a series, and the way back to instants,

.. math:: w_i = (x_i, \dots, x_{i+L-1}), \qquad
          a_t = \frac{1}{|\{i : t \in w_i\}|} \sum_{i : t \in w_i} a(w_i)
          \quad \text{or, causally,} \quad a_t = a(w_{t-L+1}) .

Windows are views of the series until a batch of them is asked for. A long window may be told by fewer points, each
the mean of its share of the instants.
"""

import itertools
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool1d

Normalise = Literal["none", "centre", "unit", "soft"]
PROMPT = 5
DENSE = 8000
"""Windows up to which every one is judged."""
FLOORS = {"unit": 0.1, "soft": 1.0}
"""What is added in quadrature to the spread by which a window is divided, in spreads of its channel."""


@dataclass(frozen=True)
class View:
    """How a series is cut.

    Attributes:
        length: Instants in a window.
        points: Means by which it is told, at most `length`.
        normalise: "centre" takes each channel's mean in the window away; "unit" divides by its spread too, so that only
            the shape is left; "soft" by the root of its variance plus that of the channel: small ripples stay small.
    """

    length: int
    points: int
    normalise: Normalise = "none"
    follow: int = 0

    @property
    def reach(self) -> int:
        """Instants that a window depends on: its own, and those before that its trend is the median of."""
        return self.length + max(self.follow - 1, 0)

    def count(self, instants: int) -> int:
        """Windows in so many instants."""
        return max(0, instants - self.length + 1)

    def edges(self) -> np.ndarray:
        """Where the points begin and end, `(points + 1,)`."""
        return np.round(np.linspace(0, self.length, self.points + 1)).astype(int)

    def cut(self, x: Tensor, start: int, stop: int, stride: int = 1) -> Tensor:
        """Every `stride`-th window from `start` to `stop` - 1 of `x` `(G, width)`: `(n, width, points)`."""
        part = x[start : stop - 1 + self.length]
        if self.points == self.length:
            return self.normalised(part.unfold(0, self.length, stride))
        edges, n = self.edges().tolist(), stop - start
        pooled = {w: avg_pool1d(part.T[None], w, 1)[0].T for w in set(np.diff(edges).tolist())}
        means = [pooled[b - a][a : a + n : stride] for a, b in itertools.pairwise(edges)]
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
        return away / ((away**2).mean(2, keepdim=True) + FLOORS[self.normalise] ** 2).sqrt()

    def stride(self, instants: int) -> int:
        """Of so many instants, one window in how many is judged offline: neighbours say nearly the same."""
        return max(1, min(instants // DENSE, self.length // 8))


def spread(maps: Tensor, edges: np.ndarray) -> Tensor:
    """Evidence by point `(n, ..., points)` as evidence by instant of the window `(n, ..., length)`; sums are kept."""
    widths = torch.as_tensor(np.diff(edges))
    return (maps / widths.to(maps)).repeat_interleave(widths, -1)


def overlaid(maps: Tensor, stride: int = 1) -> Tensor:
    """The sum of evidence by instant of windows `(n, width, length)` that begin `stride` apart, laid over each other.

    Returns:
        `((n - 1) * stride + length, width)`.
    """
    n, width, length = maps.shape
    total = maps.new_zeros((n - 1) * stride + length, width)
    for k in range(length):
        total[k : k + (n - 1) * stride + 1 : stride] += maps[:, :, k]
    return total


def over(smooth: int, causal: bool) -> int:
    """Instants to smooth over: as asked offline, at most `PROMPT` causally, where smoothing makes an alarm late."""
    return max(1, min(smooth, PROMPT) if causal else smooth)


def smoothed(values: np.ndarray, width: int, causal: bool = False) -> np.ndarray:
    """The mean of `values` `(T,)` over `width` instants around each, or up to each; NaN are left out, and filled."""
    if width <= 1 or not len(values):
        return values
    seen = np.isfinite(values)
    ahead = 0 if causal else (width - 1) // 2
    total, count = (_window_sum(v, width, ahead) for v in (np.where(seen, values, 0.0), seen.astype(np.float64)))
    return np.where(count > 0.5, total / np.maximum(count, 1), np.nan)


def _window_sum(values: np.ndarray, width: int, ahead: int) -> np.ndarray:
    """Sums over at most `width` values, `ahead` of them later; nothing far away can round what is summed here."""
    return np.convolve(values, np.ones(width))[ahead : ahead + len(values)]
