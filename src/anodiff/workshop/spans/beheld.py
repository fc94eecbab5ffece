r"""A quick judge of windows, to make anomalies of a strength: how far a window is from normal ones, told twice,

.. math:: a_1(w)^2 = \tfrac1d \sum_k \frac{c_k^2}{\lambda_k} + \dots, \qquad a_2(w)^2 = \min_{j} \|w - w_j\|^2, \qquad
          a = \min_i \frac{\log a_i - m_i}{q_i - m_i} ,

by a Gaussian and by the nearest of some normal windows, both through leading directions V, c = V^T w. m is the median
of windows that were held out, q what they exceed as rarely as anomalies of strength 1 are to be: the smaller of both,
since what is odd by one measure alone need not be odd to another detector. The tail is taken for exponential in the
logarithm, q = u + e log(0.1 / p) beyond the ninth decile u: windows overlap, and a sample of them looks larger than it
is.
"""

from collections.abc import Mapping
from typing import Self

import numpy as np
import torch
from torch import Tensor

from anodiff.diffusion.gaussian import Gaussian
from anodiff.diffusion.noise import VE
from anodiff.types import Mask, Scores

DIRECTIONS = 64
SHOWN = 1_250_000
REFERENCES = 2000
NEAREST = 3
TINY = 1e-12
MOSTLY = 0.8
"""Windows count that hold so much of what the one holds that holds most of the region."""
UPPER, LEAST_REACH = 0.1, 0.1


class Beheld:
    """How odd windows are.

    Args:
        length: Instants of a window.
        mean: Of normal windows `(d,)`.
        vectors: Leading directions `(d, r)`.
        values: Variances along them `(r,)`.
        rest: Variance along any other.
        references: Normal windows along the directions `(n, r)`.
        scale: Median and reach of either measure on held-out windows, `(2, 2)`.
    """

    def __init__(
        self,
        length: int,
        mean: Tensor,
        vectors: Tensor,
        values: Tensor,
        rest: float,
        references: Tensor,
        scale: np.ndarray | None = None,
    ) -> None:
        self.length = length
        self.mean, self.vectors, self.values, self.rest = mean, vectors, values, rest
        self.references = references
        self.scale = np.array([[0.0, 1.0], [0.0, 1.0]]) if scale is None else scale

    @classmethod
    def fit(cls, windows: Tensor, draw: np.random.Generator) -> Self:
        """Of normal windows `(n, C, J)`."""
        windows = windows[torch.from_numpy(draw.permutation(len(windows))[: max(SHOWN // windows[0].numel(), 800)])]
        gaussian = Gaussian.fit(windows.float(), VE(), rank=DIRECTIONS)
        kept = torch.from_numpy(np.sort(draw.permutation(len(windows))[:REFERENCES]))
        vectors = gaussian.vectors.float()
        along = (windows[kept].flatten(1).float() - gaussian.mean.float()) @ vectors
        rest = max(float(gaussian.rest), 1e-3 * float(gaussian.values.mean()), TINY)
        values = gaussian.values.float().clamp(min=rest)
        return cls(windows.shape[2], gaussian.mean.float(), vectors, values, rest, along)

    def calibrated(self, scenes: Tensor, p_value: float) -> Self:
        """The same, at 0 for the median of held-out normal scenes `(n, C, S)`, at 1 for what is as rare as this."""
        every = torch.ones(scenes.shape, dtype=torch.bool)
        both = self.measured(scenes, every).numpy()
        middle = np.median(both, 1)
        high = np.quantile(both, 1 - UPPER, axis=1)
        beyond = np.array([(v[v > u] - u).mean() if (v > u).any() else 0.0 for v, u in zip(both, high, strict=True)])
        reach = high + beyond * max(0.0, np.log(UPPER / p_value)) - middle
        self.scale = np.stack([middle, np.maximum(reach, LEAST_REACH)], 1)
        return self

    def starts(self, instants: int) -> np.ndarray:
        """Where windows begin in a scene of so many instants."""
        last = instants - self.length
        return np.unique(np.append(np.arange(0, last + 1, max(1, self.length // 4)), last))

    def measured(self, scenes: Tensor, region: Mask) -> Tensor:
        """Logarithms of both measures of scenes `(B, C, S)`, the mean of the windows that hold most of the region."""
        starts = self.starts(scenes.shape[2])
        cells = torch.stack([scenes[:, :, s : s + self.length] for s in starts], 1).flatten(0, 1).flatten(1).float()
        holds = torch.stack([region[:, :, s : s + self.length].flatten(1).sum(1) for s in starts], 1).double()
        away = cells - self.mean
        along = away @ self.vectors
        left = (away.square().sum(1) - along.square().sum(1)).clamp(min=0)
        d = away.shape[1]
        first = ((along.square() / self.values).sum(1) + left / self.rest) / d
        near = torch.cdist(along, self.references).square().topk(min(NEAREST, len(self.references)), 1, largest=False)
        second = near.values.mean(1) + left
        both = torch.stack([first, second]).double().clamp(min=TINY).log().reshape(2, len(scenes), len(starts)) / 2
        weight = (holds >= MOSTLY * holds.amax(1, keepdim=True)).double()
        return (both * weight).sum(2) / weight.sum(1)

    def __call__(self, scenes: Tensor, region: Mask) -> Tensor:
        """How odd scenes `(B, C, S)` are about their regions, `(B,)`; normal ones are about 0."""
        scale = torch.from_numpy(self.scale)
        z = (self.measured(scenes, region) - scale[:, :1]) / scale[:, 1:]
        return z.amin(0)

    def scores(self, scenes: Tensor, region: Mask) -> Scores:
        """The same as an array."""
        return np.asarray(self(scenes, region).numpy(), dtype=np.float64)

    def arrays(self) -> dict[str, np.ndarray]:
        """What was learnt."""
        return {
            "mean": self.mean.numpy(),
            "vectors": self.vectors.numpy(),
            "values": self.values.numpy(),
            "rest": np.array(self.rest),
            "references": self.references.numpy(),
            "scale": self.scale,
            "length": np.array(self.length),
        }

    @classmethod
    def restore(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """The inverse of `arrays`."""
        mean, vectors, values, references = (
            torch.from_numpy(np.array(arrays[name])) for name in ("mean", "vectors", "values", "references")
        )
        return cls(int(arrays["length"]), mean, vectors, values, float(arrays["rest"]), references, arrays["scale"])
