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
from anodiff.modalities.windows import BATCH, View, overlaid, spread
from anodiff.scores.base import AnomalyScore


class Ledger:
    """Sums over the windows of one strip of G instants: what covers an instant, and what ends there."""

    def __init__(self, instants: int, view: View, read: str) -> None:
        self.view, self.read = view, read
        self.total, self.count = np.zeros(instants), np.zeros(instants)
        self.ends = np.full(instants, np.nan)

    def add(self, start: int, totals: np.ndarray, maps: np.ndarray | None, judged: np.ndarray) -> None:
        """Windows from `start` on: totals `(n,)`, maps by instant `(n, length)` where they are read, which count."""
        length, n = self.view.length, len(totals)
        where = slice(start, start + n + length - 1)
        last = totals if maps is None else maps[:, -1]
        place = start + length - 1 + np.flatnonzero(judged)
        self.ends[place] = last[judged]
        if maps is None:
            self.total[where] += np.convolve(np.where(judged, totals, 0.0), np.ones(length))
        else:
            kept = torch.from_numpy(np.where(judged[:, None], maps, 0.0))[:, None, :]
            self.total[where] += overlaid(kept)[:, 0].numpy()
        self.count[where] += np.convolve(judged.astype(np.float64), np.ones(length))

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
) -> None:
    """Put the judged windows of a strip into the ledger; `judged` and `itself` are of every window `(n,)`."""
    for start, stop in _runs(judged):
        windows = laid.windows(ledger.view, start, stop, causal)
        given = {name: value[start:stop] for name, value in (condition or {}).items()}
        if itself is not None:
            given["itself"] = itself[start:stop]
        with torch.no_grad():
            evidence = question(denoiser, windows.contiguous(), **given)
        maps = None
        if ledger.read == "map":
            maps = spread(evidence.map.detach().sum(1), ledger.view.edges()).double().numpy()
        ledger.add(start, evidence.total.detach().double().numpy(), maps, judged[start:stop])


def _runs(judged: np.ndarray) -> Iterator[tuple[int, int]]:
    """Ranges of at most `BATCH` windows that hold all that are judged, and little else."""
    for start in range(0, len(judged), BATCH):
        inside = np.flatnonzero(judged[start : start + BATCH])
        if len(inside):
            yield start + int(inside[0]), start + int(inside[-1]) + 1
