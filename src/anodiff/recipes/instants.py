r"""What windows say, at instants.

A score judges windows; an instant is judged by all windows that cover it, or causally by the one that ends there:

.. math:: a_t = \frac{\sum_{i : t \in w_i} a(w_i)[t]}{|\{i : t \in w_i\}|}, \qquad a^\text{causal}_t = a(w_{t-L+1})[t] .

:math:`a(w)[t]` is the window's total, or what its map says of t.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor

from anodiff.diffusion.denoise import Denoiser
from anodiff.modalities.laid import Laid
from anodiff.modalities.windows import View, overlaid, spread
from anodiff.scores.base import AnomalyScore
from anodiff.scores.patterns import Patterns


HELD = 2**19
"""Numbers."""


class Ledger:
    """Sums over the windows of one strip of G instants: what covers an instant, and what ends there."""

    def __init__(self, instants: int, view: View, read: str, root: bool = False) -> None:
        self.view, self.read, self.root = view, read, root
        self.total, self.count = np.zeros(instants), np.zeros(instants)
        self.ends = np.full(instants, np.nan)

    def add(
        self,
        start: int,
        totals: np.ndarray,
        maps: np.ndarray | None,
        judged: np.ndarray,
        stride: int = 1,
        about: np.ndarray | None = None,
    ) -> None:
        """Windows from `start` on: totals `(n,)`, maps by instant `(n, length)` where they are read, which count.

        Between windows that lie `stride` apart, the last one stands at the ends. Maps may be `about` some of the
        instants of a window alone `(length,)`.
        """
        length, n = self.view.length, (len(totals) - 1) * stride + 1
        where = slice(start, start + n + length - 1)
        last, counted = totals if maps is None else maps[:, -1], np.zeros(n)
        for beside in range(stride):
            place = start + length - 1 + beside + stride * np.flatnonzero(judged)
            inside = place < len(self.ends)
            self.ends[place[inside]] = last[judged][inside]
        counted[::stride] = judged
        self.count[where] += np.convolve(counted, np.ones(length) if about is None else about)
        if maps is None:
            laid = np.zeros(n)
            laid[::stride] = np.where(judged, totals, 0.0)
            self.total[where] += np.convolve(laid, np.ones(length))
        else:
            kept = torch.from_numpy(np.where(judged[:, None], maps, 0.0))[:, None, :]
            self.total[where] += overlaid(kept, stride)[:, 0].numpy()

    def covered(self) -> np.ndarray:
        """The mean over the windows that cover each instant `(G,)`; NaN where none does."""
        return np.where(self.count > 0.5, self.total / np.maximum(self.count, 1), np.nan)


def judge(
    ledger: Ledger,
    question: AnomalyScore,
    denoiser: Denoiser,
    laid: Laid,
    judged: np.ndarray,
    causal: bool = False,
    itself: Tensor | None = None,
    condition: Mapping[str, Tensor] | None = None,
    stride: int = 1,
) -> None:
    """Put the judged windows of a strip into the ledger; `judged` and `itself` are of every window `(n,)`.

    With a `stride`, only every so many-th window is asked.
    """
    for start, stop in _runs(judged, stride, batch(laid.x.shape[1] * ledger.view.points)):
        windows = laid.windows(ledger.view, start, stop, causal, stride)
        given = {name: value[start:stop:stride] for name, value in (condition or {}).items()}
        if itself is not None:
            given["itself"] = itself[start:stop:stride]
        with torch.no_grad():
            evidence = question(denoiser, windows.double(), **given)
        maps, about = None, None
        if ledger.read == "map":
            about = spoken(question, windows.shape[1:], ledger.view)
            maps = spread(evidence.map.detach().sum(1), ledger.view.edges()).double().numpy()
        totals = evidence.total.detach().double().numpy()
        totals = np.sqrt(np.maximum(totals, 0)) if ledger.root else totals
        ledger.add(start, totals, maps, judged[start:stop:stride], stride, about)


def spoken(question: AnomalyScore, event: torch.Size, view: View) -> np.ndarray | None:
    """Which instants of a window `(length,)` a score speaks of: what a forecast is given, it says nothing of."""
    patterns = getattr(question, "patterns", None)
    if not isinstance(patterns, Patterns) or patterns.whole:
        return None
    points = patterns(event).any(0).any(0).double().numpy()
    return np.repeat(points, np.diff(view.edges()))


def batch(coordinates: int) -> int:
    """Windows of so many coordinates that are held at once."""
    return max(16, HELD // coordinates)


def _runs(judged: np.ndarray, stride: int, size: int) -> Iterator[tuple[int, int]]:
    """Ranges that begin at a multiple of the stride and hold all that are judged, `size` asked windows at most."""
    for start in range(0, len(judged), size * stride):
        inside = np.flatnonzero(judged[start : start + size * stride : stride])
        if len(inside):
            yield start + int(inside[0]) * stride, start + int(inside[-1]) * stride + 1
