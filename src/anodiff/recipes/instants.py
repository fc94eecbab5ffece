r"""What windows say, at instants.

A score judges windows; an instant is judged by all windows that cover it, or causally by the one that ends there:

.. math:: a_t = \frac{\sum_{i : t \in w_i} a(w_i)[t]}{\sum_{i : t \in w_i} e_{t - i}}, \qquad
          a^\text{causal}_t = a(w_{t-L+1})[t] .

:math:`a(w)[t]` is the window's total, and e is 1; or it is what its map says of t, and :math:`e_k` what maps say of the
k-th instant of a window in the mean, on a scale on which the mean of e is 1. Far from the ends of a strip the sum of e
is the number of windows. At its ends an instant is at some places in a window alone, where errors may be larger.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor

from anodiff.diffusion.denoise import Denoiser
from anodiff.modalities.laid import Laid
from anodiff.modalities.windows import View, overlaid, spread
from anodiff.scores.base import AnomalyScore

HELD = 2**19
"""Numbers."""


class Ledger:
    """Sums over the windows of one strip of G instants: what covers an instant, and what ends there."""

    def __init__(self, instants: int, view: View, read: str, root: bool = False) -> None:
        self.view, self.read, self.root = view, read, root
        self.total, self.begin = np.zeros(instants), np.zeros(instants)
        self.ends = np.full(instants, np.nan)
        self.profile = np.zeros(view.length)

    def add(self, start: int, totals: np.ndarray, maps: np.ndarray | None, judged: np.ndarray, stride: int = 1) -> None:
        """Windows from `start` on: totals `(n,)`, maps by instant `(n, length)` where they are read, which count.

        Between windows that lie `stride` apart, the last one stands at the ends.
        """
        length, n = self.view.length, (len(totals) - 1) * stride + 1
        where = slice(start, start + n + length - 1)
        last = totals if maps is None else maps[:, -1]
        for beside in range(stride):
            place = start + length - 1 + beside + stride * np.flatnonzero(judged)
            inside = place < len(self.ends)
            self.ends[place[inside]] = last[judged][inside]
        self.begin[start : start + n : stride] += judged
        if maps is None:
            laid = np.zeros(n)
            laid[::stride] = np.where(judged, totals, 0.0)
            self.total[where] += np.convolve(laid, np.ones(length))
        else:
            kept = np.where(judged[:, None], maps, 0.0)
            self.profile += kept.sum(0)
            self.total[where] += overlaid(torch.from_numpy(kept[:, None, :]), stride)[:, 0].numpy()

    def covered(self) -> np.ndarray:
        """The mean over the windows that cover each instant `(G,)`; NaN where none says anything of it."""
        mean = self.profile.mean()
        about = self.profile / mean if mean > 0 else np.ones(self.view.length)
        weight = np.convolve(self.begin, about)[: len(self.total)]
        return np.asarray(np.divide(self.total, weight, out=np.full(len(weight), np.nan), where=weight > 0))


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

    With a `stride`, only every so many-th window is asked, and the last.
    """
    for start, stop, step in _runs(judged, stride, batch(laid.x.shape[1] * ledger.view.points)):
        windows = laid.windows(ledger.view, start, stop, causal, step)
        given = {name: value[start:stop:step] for name, value in (condition or {}).items()}
        if itself is not None:
            given["itself"] = itself[start:stop:step]
        with torch.no_grad():
            evidence = question(denoiser, windows.double(), **given)
        maps = None
        if ledger.read == "map":
            maps = spread(evidence.map.detach().sum(1), ledger.view.edges()).double().numpy()
        totals = evidence.total.detach().double().numpy()
        totals = np.sqrt(np.maximum(totals, 0)) if ledger.root else totals
        ledger.add(start, totals, maps, judged[start:stop:step], step)


def batch(coordinates: int) -> int:
    """Windows of so many coordinates that are held at once."""
    return max(16, HELD // coordinates)


def _runs(judged: np.ndarray, stride: int, size: int) -> Iterator[tuple[int, int, int]]:
    """Ranges that begin at a multiple of the stride and hold all that are judged, `size` asked windows at most.

    The last window comes by itself where the stride passes it by: the newest instants are in no other.
    """
    for start in range(0, len(judged), size * stride):
        inside = np.flatnonzero(judged[start : start + size * stride : stride])
        if len(inside):
            yield start + int(inside[0]) * stride, start + int(inside[-1]) * stride + 1, stride
    last = len(judged) - 1
    if last >= 0 and last % stride and judged[last]:
        yield last, last + 1, 1
