r"""A strip made ready to be cut: gaps bridged, and which windows may be judged.

Offline, a gap is bridged by a straight line between the readings beside it. Causally, only gaps that are over by the end
of a window are; in one that is still open the last reading stands,

.. math:: x_g = x_{\ell(g)}, \qquad \ell(g) = \max \{ h \le g : x_h \text{ known} \} .

A window is judged where at least half of it was observed; causally, its last instant too.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from anodiff.modalities.series import Strip
from anodiff.modalities.windows import View

ENOUGH = 0.5


@dataclass(frozen=True)
class Laid:
    """A strip without gaps.

    Attributes:
        x: `(G, width)` float32, finite.
        last: Place of the last reading at or before each instant `(G, width)`; None where all was observed.
        seen: Share of the coordinates that were observed `(G,)`.
        entity: As in the strip.
        times: As in the strip.
    """

    x: Tensor
    last: Tensor | None
    seen: np.ndarray
    entity: int = 0
    times: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.x)

    @classmethod
    def of(cls, strip: Strip) -> Self:
        """Bridge the gaps of a strip."""
        if bool(strip.known.all()):
            return cls(strip.x, None, np.ones(len(strip)), strip.entity, strip.times)
        known, x = strip.known.numpy(), strip.x.numpy().copy()
        place = np.arange(len(x))
        last = np.maximum.accumulate(np.where(known, place[:, None], -1), axis=0)
        for c in np.flatnonzero(~known.all(0)):
            there = known[:, c]
            x[:, c] = np.interp(place, place[there], x[there, c]) if there.any() else 0.0
        return cls(torch.from_numpy(x), torch.from_numpy(last), known.mean(1), strip.entity, strip.times)

    def judged(self, view: View, causal: bool = False) -> np.ndarray:
        """Which windows of a view may be judged `(n,)`."""
        if not view.count(len(self)):
            return np.zeros(0, bool)
        if self.last is None:
            return np.ones(view.count(len(self)), bool)
        share = np.convolve(self.seen, np.full(view.length, 1 / view.length), mode="valid")
        enough = share >= ENOUGH - 1e-9
        return enough & (self.seen[view.length - 1 :] > 0) if causal else enough

    def windows(self, view: View, start: int, stop: int, causal: bool = False) -> Tensor:
        """Windows `start` to `stop` - 1: `(n, width, points)`."""
        if not causal or self.last is None:
            return view.cut(self.x, start, stop)
        ends = slice(start + view.length - 1, stop + view.length - 1)
        if not bool((self.last[ends] < torch.arange(len(self))[ends, None]).any()):
            return view.cut(self.x, start, stop)
        place = torch.arange(start, stop)[:, None] + torch.arange(view.length)
        last = self.last[ends].clamp(min=0)
        held = torch.minimum(place[:, None, :], last[:, :, None])
        return view.told(self.x.T[torch.arange(self.x.shape[1])[:, None], held])
