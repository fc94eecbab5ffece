r"""A strip made ready to be cut: gaps bridged, and which windows may be judged.

Offline, a gap is bridged by a straight line between the readings beside it. Causally, only gaps that are over by the
end of a window are; in one that is still open the last reading stands,

.. math:: x_g = x_{\ell(g)}, \qquad \ell(g) = \max \{ h \le g : x_h \text{ known} \} .

before the first reading 0 does. A window is judged where at least half of it was observed; causally, its last instant
too. A strip that goes on where another ended is told what was read last `Before` it.

A trend is split off by taking away, of what stands at each instant, the median of the last K instants as they stood,

.. math:: u_g = x_g - \operatorname{median}\big( x_{\ell(g - K + 1)}, \dots, x_{\ell(g)} \big) :

no later reading moves it, a disturbance of less than K / 2 instants hardly does, and K / 2 instants after the level has
changed it is the new level. Before there are K instants the median of the first K stands; causally nothing is said.
"""

from dataclasses import dataclass, replace
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
        trend: What was split off `(G, width)`, x being what is left; None is nothing.
    """

    x: Tensor
    last: Tensor | None
    seen: np.ndarray
    entity: int = 0
    times: np.ndarray | None = None
    before: Tensor | None = None
    trend: Tensor | None = None

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

    def seen_by(self, view: View) -> "Laid":
        """What a view sees of it: itself, or what is left without the trend that it follows."""
        if not view.follow or not len(self):
            return self
        known = trend(self.standing().numpy(), view.follow)
        return replace(self, x=self.x - known, trend=known)

    def standing(self) -> Tensor:
        """What stands at each instant by the readings up to it `(G, width)`."""
        if self.last is None:
            return self.x
        before = torch.zeros(self.x.shape[1]) if self.before is None else self.before
        return torch.where(self.last < 0, before, self.x.gather(0, self.last.clamp(min=0)))

    def late(self, view: View) -> bool:
        """Whether causal windows differ from offline ones: gaps are bridged, or a trend is followed."""
        return self.last is not None or bool(view.follow)

    def judged(self, view: View, causal: bool = False) -> np.ndarray:
        """Which windows of a view may be judged `(n,)`."""
        if not view.count(len(self)):
            return np.zeros(0, bool)
        may = self._observed(view, causal)
        if causal:
            may[: max(0, view.follow - 1)] = False
        return may

    def _observed(self, view: View, causal: bool) -> np.ndarray:
        if self.last is None:
            return np.ones(view.count(len(self)), bool)
        share = np.convolve(self.seen, np.full(view.length, 1 / view.length), mode="valid")
        enough = share >= ENOUGH - 1e-9
        return enough & (self.seen[view.length - 1 :] > 0) if causal else enough

    def windows(self, view: View, start: int, stop: int, causal: bool = False, stride: int = 1) -> Tensor:
        """Every `stride`-th window from `start` to `stop` - 1: `(n, width, points)`."""
        if not causal or self.last is None:
            return view.cut(self.x, start, stop, stride)
        ends = slice(start + view.length - 1, stop + view.length - 1, stride)
        if not bool((self.last[ends] < torch.arange(len(self))[ends, None]).any()):
            return view.cut(self.x, start, stop, stride)
        place = torch.arange(start, stop, stride)[:, None] + torch.arange(view.length)
        last = self.last[ends]
        held = torch.minimum(place[:, None, :], last.clamp(min=0)[:, :, None])
        cells = self.x.T[torch.arange(self.x.shape[1])[:, None], held]
        before = torch.zeros(self.x.shape[1]) if self.before is None else self.before
        if self.trend is None:
            return view.told(torch.where(last[:, :, None] < 0, before[:, None], cells))
        known, channel = self.trend.T, torch.arange(self.x.shape[1])[:, None]
        stood = torch.where(last[:, :, None] < 0, before[:, None], cells + known[channel, held])
        return view.told(stood - known[channel, place[:, None, :]])


def trend(x: np.ndarray, instants: int) -> Tensor:
    """The median of the last so many instants `(G, width)` of x; of the first so many, where there are not yet as many.

    >>> trend(np.array([[0.0], [9.0], [1.0], [2.0], [7.0]]), 3)[:, 0].tolist()
    [1.0, 1.0, 1.0, 2.0, 2.0]
    """
    from scipy.ndimage import median_filter

    k = min(instants, len(x))
    found = np.stack([median_filter(c, k, origin=k - 1 - k // 2, mode="nearest") for c in x.T], 1)
    found[: k - 1] = found[k - 1]
    return torch.from_numpy(found).to(torch.float32)
