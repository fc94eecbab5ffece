r"""Windows of walks, what a score says of each, and what that says of a frame,

.. math:: a_t = \operatorname{mean}_{i : t \in F_i} a(w_i), \qquad a^\text{causal}_t = a(w_{t-L+1}) ,

F the poses that a window is judged by: those after its past where that is given, else all. What is not known of a
window is no evidence; what is known stands for it. Offline, frames before the first that is judged say what that says.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from anodiff.diffusion.denoise import Denoiser
from anodiff.modalities.poses import Poses, Walk
from anodiff.modalities.windows import overlaid
from anodiff.recipes.instants import batch
from anodiff.recipes.schema import Recipe
from anodiff.recipes.specs import GaussianSpec, NetworkSpec
from anodiff.scores.base import AnomalyScore
from anodiff.scores.levels import shared_out

LEAST_KNOWN = 0.2
"""Share of a window from which on what is known of it stands for all of it."""


@dataclass(frozen=True)
class Sight:
    """How a walk is cut.

    Attributes:
        past: Poses that are given.
        future: Poses that are judged.
        columns: Which coordinates are seen.
    """

    past: int
    future: int
    columns: np.ndarray

    @property
    def length(self) -> int:
        """Poses of a window."""
        return self.past + self.future

    def windows(self, walk: Walk, start: int = 0, stop: int | None = None) -> tuple[Tensor, Tensor]:
        """Windows `(n, C, length)` from `start` to `stop` - 1, and what of them is known."""
        end = None if stop is None else stop - 1 + self.length
        return tuple(part[start:end, self.columns].unfold(0, self.length, 1) for part in (walk.x, walk.known))  # type: ignore[return-value]

    def count(self, frames: int) -> int:
        """Windows in so many frames."""
        return max(0, frames - self.length + 1)

    def judged(self, walk: Walk) -> np.ndarray:
        """Which windows show a body, and how it moves if that is seen, in all of their frames `(n,)`."""
        there = walk.seen & walk.known[:, self.columns].any(1).numpy()
        d = walk.centre.shape[1]
        if self.columns[-1] >= walk.x.shape[1] - d:
            there &= walk.known[:, -1].numpy()
        return self.all(there)

    def unsure(self, walk: Walk) -> np.ndarray:
        """The mean variance of what was filled in each window `(n,)`, in variances of the coordinates."""
        if not self.count(len(walk)):
            return np.zeros(0)
        by_frame = walk.doubt[:, self.columns].double().square().mean(1)
        return np.asarray(by_frame.unfold(0, self.length, 1).mean(1).numpy())

    def all(self, frames: np.ndarray) -> np.ndarray:
        """Which windows have only frames that are True in `frames` `(T,)`."""
        if not self.count(len(frames)):
            return np.zeros(0, bool)
        return np.asarray(np.lib.stride_tricks.sliding_window_view(frames, self.length).all(1))


def sights(recipe: Recipe, modality: Poses) -> dict[str, Sight]:
    """The views of a recipe, for poses of these joints."""
    return {name: Sight(s.past, s.future, modality.seen_by(s.sees)) for name, s in recipe.poses.items()}


def follows(recipe: Recipe, name: str) -> bool:
    """Whether the denoiser is of what follows given the past; others are of whole windows."""
    spec = recipe.denoisers[name]
    return isinstance(spec, GaussianSpec | NetworkSpec) and recipe.poses[str(spec.view)].past > 0


def told(x: Tensor, known: Tensor, past: int) -> tuple[Tensor, dict[str, Tensor]]:
    """The future of windows `(n, C, length)`, and the condition that is their past; what is not known of it is NaN."""
    before = x[:, :, :past].masked_fill(~known[:, :, :past], torch.nan)
    return x[:, :, past:], {"past": before}


@dataclass(frozen=True)
class Question:
    """A score, the denoiser that it asks, and the windows that this is of.

    What is said of a window in which joints were filled is divided by :math:`1 + k u`, u the mean variance of what was
    filled over the window and k the `slack`: so much more is said of normal windows with joints hidden.
    """

    member: AnomalyScore
    denoiser: Denoiser
    sight: Sight
    follows: bool
    slack: float = 0.0

    def said(self, x: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """Totals `(n,)` and maps `(n, C, length)` of windows; maps add up to totals."""
        condition, rows = dict[str, Tensor](), x.double()
        if self.follows:
            rows, condition = told(rows, known, self.sight.past)
        with torch.no_grad():
            evidence = self.member(self.denoiser, rows, **condition)
        ahead = x.shape[2] - rows.shape[2]
        counts = known[:, :, ahead:].double()
        share = counts.mean((1, 2), keepdim=True).clamp(min=LEAST_KNOWN)
        map = shared_out(evidence.total.double(), evidence.map.abs().double()) * counts / share
        return map.flatten(1).sum(1), pad(map, (ahead, 0))

    def frames(self, walk: Walk, judged: np.ndarray | None = None) -> dict[bool, np.ndarray]:
        """What it says of each frame `(T,)`, offline (False) and causally (True); NaN where it cannot judge."""
        totals = self.windows_said(walk, judged)
        first = self.sight.past if self.follows else 0
        return {causal: at_frames(totals, self.sight.length, first, len(walk), causal) for causal in (False, True)}

    def windows_said(self, walk: Walk, judged: np.ndarray | None = None) -> np.ndarray:
        """What it says of each window `(n,)`; NaN where that cannot be judged."""
        judged = self.sight.judged(walk) if judged is None else judged
        totals = np.full(len(judged), np.nan)
        for start, stop in runs(judged, self.size):
            total, _ = self.said(*self.sight.windows(walk, start, stop))
            totals[start:stop] = total.numpy()
        totals /= 1 + self.slack * self.sight.unsure(walk)
        totals[~judged] = np.nan
        return totals

    def maps(self, walk: Walk) -> np.ndarray:
        """Evidence by frame and coordinate `(T, width)`, of the windows that cover each frame."""
        judged, total = self.sight.judged(walk), np.zeros(walk.x.shape)
        for start, stop in runs(judged, self.size):
            _, map = self.said(*self.sight.windows(walk, start, stop))
            laid = overlaid(map * torch.from_numpy(judged[start:stop])[:, None, None])
            total[start : start + len(laid), self.sight.columns] += laid.numpy()
        return total

    @property
    def size(self) -> int:
        """Windows that are asked at once."""
        return batch(len(self.sight.columns) * self.sight.length)


def at_frames(totals: np.ndarray, length: int, first: int, frames: int, causal: bool) -> np.ndarray:
    """What windows `(n,)` say of frames `(T,)`; each is about its frames from `first` on, causally about its last.

    >>> at_frames(np.array([1.0, 3.0]), 2, 0, 3, False)
    array([1., 2., 3.])
    >>> at_frames(np.array([1.0, 3.0]), 2, 0, 3, True)
    array([nan,  1.,  3.])
    """
    found = np.full(frames, np.nan)
    if not len(totals):
        return found
    if causal:
        found[length - 1 :] = totals
        return found
    there, about = np.isfinite(totals), np.ones(length - first)
    summed, count = np.convolve(np.where(there, totals, 0), about), np.convolve(there, about)
    found[first:] = np.divide(summed, count, out=np.full(len(summed), np.nan), where=count > 0.5)
    if np.isfinite(found).any():
        start = int(np.isfinite(found).argmax())
        found[: min(start, length - 1)] = found[start]
    return found


def runs(judged: np.ndarray, size: int) -> Iterator[tuple[int, int]]:
    """Ranges of at most so many windows that hold all that are judged."""
    for start in range(0, len(judged), size):
        inside = np.flatnonzero(judged[start : start + size])
        if len(inside):
            yield start + int(inside[0]), start + int(inside[-1]) + 1


def folds(walks: Sequence[Walk], count: int, block: int) -> np.ndarray | list[np.ndarray]:
    """The fold of each frame, per walk: persons take turns, or blocks of at least so many frames of a single one."""
    if len(walks) > 1:
        order = np.argsort([-len(walk) for walk in walks], kind="stable")
        turn = np.empty(len(walks), int)
        turn[order] = np.arange(len(walks)) % count
        return [np.full(len(walk), k) for walk, k in zip(walks, turn, strict=True)]
    frames = len(walks[0])
    size = max(block, -(-frames // (2 * count)))
    return [np.arange(frames) // size % count]


def covered(frames: np.ndarray, before: int) -> np.ndarray:
    """Frames `(T,)` that are True, and so many before each."""
    if not len(frames):
        return frames
    reach = np.convolve(frames[::-1], np.ones(before + 1))[: len(frames)][::-1]
    return np.asarray(reach > 0.5)
