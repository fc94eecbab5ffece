r"""Regions of series filled window by window, each told what is around it and what was filled before,

.. math:: x'_{H_k} = \text{walk}\big(x + a (s - x) \mid x_K, x'_{H_1}, \dots, x'_{H_{k-1}}\big) ,

:math:`H_k` what of the region the k-th window is the first to hold; windows follow each other by half.
"""

import torch
from torch import Tensor

from anodiff.anomalies.fill import Drafted
from anodiff.diffusion.conditional import Conditional, Loadings
from anodiff.diffusion.guide import Pinned
from anodiff.types import Batch, Mask, PerItem

STEPS = 4


class Filling:
    """Scenes whose regions are filled at any amount; what does not depend on the amount is done once.

    Args:
        loadings: Of normal windows `(width, length)`, in units of tau.
        tau: `(width,)`.
        x: `(B, width, S)`, in standard deviations.
        region: Likewise, bool.
        sketch: What regions are to look like.
        level: Where the walk starts, in tau.
        seed: Of the noise.
    """

    def __init__(
        self, loadings: Loadings, tau: Tensor, x: Batch, region: Mask, sketch: Batch, level: float, seed: int
    ) -> None:
        self.level, self.seed = level, seed
        self.tau, length = tau[:, None], len(loadings.mean) // len(tau)
        self.x, self.region, self.sketch = x / self.tau, region, sketch / self.tau
        self.parts = []
        for piece, hidden in tiles(region, length):
            at = hidden.flatten(1).any(1).nonzero()[:, 0]
            self.parts.append((piece, at, hidden[at], Conditional(loadings, hidden[at])))
        self.nfe = len(self.parts) * (STEPS + 1)

    def expected(self) -> Batch:
        """What is expected in the regions, in standard deviations, from left to right."""
        found, channels = self.x.clone(), torch.arange(self.x.shape[1])[:, None]
        for piece, at, hidden, structure in self.parts:
            now = found[at][:, :, piece]
            mean = structure.given(now).mean
            assert mean is not None
            found[at[:, None, None], channels, _places(piece)] = torch.where(hidden, mean.to(now), now)
        return found * self.tau

    def __call__(self, amount: PerItem) -> Batch:
        """At these amounts `(B,)`, in standard deviations; to the bit as they were outside of the region."""
        found = self.x.clone()
        channels = torch.arange(found.shape[1])[:, None]
        for number, (piece, at, hidden, structure) in enumerate(self.parts):
            now = found[at][:, :, piece]
            sketched = self.sketch[at][:, :, piece]
            fill = Drafted(
                structure.given(now),
                lambda *_, s=sketched: s,
                level=self.level,
                steps=STEPS,
                pin=Pinned,
            )
            filled = fill(now, hidden, amount[at], seed=self.seed + number)
            found[at[:, None, None], channels, _places(piece)] = filled
        return torch.where(self.region, found * self.tau, self.x * self.tau)


def tiles(region: Mask, length: int) -> list[tuple[slice, Mask]]:
    """Windows that follow each other by half, and what of the regions `(B, width, S)` each is the first to hold."""
    found, done, last = [], 0, region.shape[2] - length
    for start in [*range(0, last, max(1, length // 2)), last]:
        hidden = region[:, :, start : start + length].clone()
        hidden[:, :, : max(0, done - start)] = False
        done = start + length
        if hidden.any():
            found.append((slice(start, start + length), hidden))
    return found


def _places(piece: slice) -> Tensor:
    return torch.arange(piece.start, piece.stop)
