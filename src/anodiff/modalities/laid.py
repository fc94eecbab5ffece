r"""A strip made ready to be cut: gaps bridged, and which windows may be judged.

Offline, a gap is bridged by a straight line between the readings beside it. Causally, only gaps that are over by the
end of a window are; in one that is still open the last reading stands,

.. math:: x_g = x_{\ell(g)}, \qquad \ell(g) = \max \{ h \le g : x_h \text{ known} \} .

before the first reading 0 does. A window is judged where at least half of it was observed; causally, its last instant
too. A strip that goes on where another ended is told what was read last `Before` it.
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
class Before:
    """The last reading of each coordinate before a strip begins.

    Attributes:
        value: `(width,)` float32; 0 where there was none.
        ago: `(width,)`, so many instants before the first of the strip; 0 where there was none.
    """

    value: np.ndarray
    ago: np.ndarray

    @classmethod
    def nothing(cls, width: int) -> Self:
        """Before the first instant of all."""
        return cls(np.zeros(width, np.float32), np.zeros(width, int))

    def reading(self, c: int) -> tuple[np.ndarray, np.ndarray]:
        """Place in the strip, which is before its first, and value of a coordinate's last reading, `(0,)` or `(1,)`."""
        some = slice(c, c + int(self.ago[c] > 0))
        return -self.ago[some], self.value[some]

    def after(self, x: np.ndarray, known: np.ndarray) -> "Before":
        """What is before the strip that follows on these rows `(n, width)`."""
        n, read = len(x), known.any(0)
        back = np.argmax(known[::-1], axis=0) if n else np.zeros(len(self.ago), int)
        latest = x[n - 1 - back, np.arange(x.shape[1])] if n else self.value
        older = np.where(self.ago > 0, self.ago + n, 0)
        return Before(np.where(read, latest, self.value), np.where(read, back + 1, older))


@dataclass(frozen=True)
class Laid:
    """A strip without gaps.

    Attributes:
        x: `(G, width)` float32, finite.
        last: Place of the last reading at or before each instant `(G, width)`; None where all was observed.
        seen: Share of the coordinates that were observed `(G,)`.
        entity: As in the strip.
        times: As in the strip.
        before: What stands before the first reading `(width,)`; None is 0.
    """

    x: Tensor
    last: Tensor | None
    seen: np.ndarray
    entity: int = 0
    times: np.ndarray | None = None
    before: Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)

    @classmethod
    def of(cls, strip: Strip, before: Before | None = None) -> Self:
        """Bridge the gaps of a strip, the first one from what was `before` it."""
        if bool(strip.known.all()):
            return cls(strip.x, None, np.ones(len(strip)), strip.entity, strip.times)
        known, x = strip.known.numpy(), strip.x.numpy().copy()
        place = np.arange(len(x))
        last = np.maximum.accumulate(np.where(known, place[:, None], -1), axis=0)
        before = before or Before.nothing(x.shape[1])
        for c in np.flatnonzero(~known.all(0)).tolist():
            there = place[known[:, c]]
            at, read = (np.append(*pair) for pair in zip(before.reading(c), (there, x[there, c]), strict=True))
            x[:, c] = np.interp(place, at, read) if len(at) else 0.0
        seen, first = known.mean(1), torch.from_numpy(before.value)
        return cls(torch.from_numpy(x), torch.from_numpy(last), seen, strip.entity, strip.times, first)

    def judged(self, view: View, causal: bool = False) -> np.ndarray:
        """Which windows of a view may be judged `(n,)`."""
        if not view.count(len(self)):
            return np.zeros(0, bool)
        if self.last is None:
            return np.ones(view.count(len(self)), bool)
        share = np.convolve(self.seen, np.full(view.length, 1 / view.length), mode="valid")
        enough = share >= ENOUGH - 1e-9
        return enough & (self.seen[view.length - 1 :] > 0) if causal else enough

    def windows(self, view: View, start: int, stop: int, causal: bool = False, stride: int = 1) -> Tensor:
        """Every `stride`-th window from `start` to `stop` - 1: `(n, width, points)`; causal ones need a stride of 1."""
        if not causal or self.last is None:
            return view.cut(self.x, start, stop, stride)
        ends = slice(start + view.length - 1, stop + view.length - 1)
        if not bool((self.last[ends] < torch.arange(len(self))[ends, None]).any()):
            return view.cut(self.x, start, stop)
        place = torch.arange(start, stop)[:, None] + torch.arange(view.length)
        last = self.last[ends]
        held = torch.minimum(place[:, None, :], last.clamp(min=0)[:, :, None])
        cells = self.x.T[torch.arange(self.x.shape[1])[:, None], held]
        before = torch.zeros(self.x.shape[1]) if self.before is None else self.before
        return view.told(torch.where(last[:, :, None] < 0, before[:, None], cells))
