r"""A fitted detector of video, as plain parts: frames in, maps and scores out. No fitting, no decisions.

.. math:: A_m = G * a_m, \qquad a = H * \sum_m w_m \, \frac{\mathrm{pool}(A_m) - \mu_m}{\sigma_m},

:math:`a_m` a member's map of the cells of a frame, G a Gaussian over places and over a few frames, pool the mean of
the highest cells, :math:`\mu, \sigma` the median of normal frames that were not learnt from and how far the highest
twentieth of them lies above it, H a Gaussian over frames. Causally G and H are the halves of Gaussians that look back.
"""

import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Generic, TypeVar

import numpy as np
from scipy.ndimage import gaussian_filter

from anodiff.data.reels import Clip
from anodiff.diffusion.denoise import Denoiser
from anodiff.modalities.video import Look, Video
from anodiff.recipes.build import Silent, schedule
from anodiff.recipes.filmed import judged
from anodiff.recipes.pictured import plane_of
from anodiff.recipes.schema import Recipe
from anodiff.scores.base import AnomalyScore
from anodiff.types import JSON, Misfit, Scores

T = TypeVar("T", float, np.ndarray)
HIGH = 0.95
WIDE = 3.0
"""Standard deviations at which Gaussians over time are cut."""


@dataclass(frozen=True)
class Scale:
    """What normal frames come to: their median, and how far above it the highest twentieth begins."""

    middle: float
    spread: float

    @classmethod
    def of(cls, values: np.ndarray) -> "Scale":
        """Of values `(n,)`; where nothing lies above the median a spread is 1."""
        middle, high = (float(each) for each in np.quantile(values, [0.5, HIGH]))
        wide = max(high - middle, float(np.std(values)) / 10)
        return cls(middle, wide if wide > 1e-9 * (1 + abs(middle)) else 1.0)

    def __call__(self, value: Any) -> Any:
        """In spreads above the median."""
        return (value - self.middle) / self.spread


class Smooth(Generic[T]):
    """A Gaussian over what comes one after the other; at both ends over what is there.

    Args:
        sigma: In instants; 0 leaves all as it is.
        causal: Whether only the half that looks back is taken.
    """

    def __init__(self, sigma: float, causal: bool) -> None:
        reach = math.ceil(WIDE * sigma)
        self.ahead = 0 if causal else reach
        self.back = reach
        self.weights = [math.exp(-0.5 * (k / sigma) ** 2) if sigma else 1.0 for k in range(reach + 1)]
        self._kept: deque[T] = deque()
        self._centre = 0

    def push(self, value: T) -> list[T]:
        """The next one in; what is known of an earlier one, if anything is."""
        self._kept.append(value)
        return [self._next()] if len(self._kept) - self._centre > self.ahead else []

    def flush(self) -> list[T]:
        """What is left at the end."""
        return [self._next() for _ in range(len(self._kept) - self._centre)]

    def _next(self) -> T:
        at = self._centre
        low, high = max(0, at - self.back), min(len(self._kept) - 1, at + self.ahead)
        weights = [self.weights[abs(k - at)] for k in range(low, high + 1)]
        total: Any = 0.0
        for k, weight in zip(range(low, high + 1), weights, strict=True):
            total = total + weight * self._kept[k]
        if at >= self.back:
            self._kept.popleft()
        else:
            self._centre += 1
        found: T = total / sum(weights)
        return found


@dataclass(frozen=True)
class Told:
    """What is said of a frame.

    Attributes:
        index: The frame's number.
        time: Seconds since the clip began.
        size: Height and width.
        score: Higher is more anomalous.
        parts: Of the score before it is smoothed over frames.
        map: Evidence by cell `(h, w)`, calibrated and summed.
        pooled: What the map of each member comes to.
    """

    index: int
    time: float
    size: tuple[int, int]
    score: float
    parts: Mapping[str, float]
    map: np.ndarray
    pooled: Mapping[str, float]


@dataclass(frozen=True)
class Footage:
    """What scoring needs.

    Attributes:
        recipe: How it was built.
        modality: Frames to cells.
        panel: Denoisers by name.
        members: Scores by name.
        scales: Offline and causal, by score.
        shown: Normal frames `(k, H, W[, 3])` uint8, to show how it should look, and the `cameras` that took them.
        cameras: Numbers, one for each of them.
        facts: What is known of the fit, JSON.
    """

    recipe: Recipe
    modality: Video
    panel: Mapping[str, Denoiser]
    members: Mapping[str, AnomalyScore]
    scales: Mapping[bool, Mapping[str, Scale]] = field(default_factory=dict)
    shown: np.ndarray = field(default_factory=lambda: np.zeros((0, 8, 8), np.uint8))
    cameras: Sequence[int] = ()
    facts: JSON = field(default_factory=dict)

    @property
    def costs(self) -> dict[str, int]:
        """Evaluations of a denoiser per cell, of each member."""
        return {name: member.nfe for name, member in self.members.items()}

    @property
    def nfe(self) -> int:
        """Of all of them."""
        return sum(self.costs.values())

    def within(self, budget: int | None) -> "Footage":
        """The members, in their order, that so many evaluations per cell pay for.

        Raises:
            Misfit: the budget buys none.
        """
        if budget is None:
            return self
        kept, left = dict[str, AnomalyScore](), budget
        for name, member in self.members.items():
            if self.costs[name] <= left and self.recipe.scores[name].weight:
                kept[name], left = member, left - self.costs[name]
        if not kept:
            least = min(self.costs.values())
            raise Misfit(f"budget is {budget}; the cheapest score of this recipe takes {least} per cell.")
        return replace(self, members=kept)

    @cached_property
    def heard(self) -> list[str]:
        """The members that are heard for the score: those that are not for the map alone."""
        return [name for name in self.members if self.recipe.scores[name].read != "map"] or list(self.members)

    @cached_property
    def silent(self) -> Silent:
        """What scores are asked with that ask no denoiser."""
        return Silent(schedule(self.recipe))

    def raw(self, look: Look) -> dict[str, np.ndarray]:
        """What every member says of a frame: maps `(h, w)`."""
        found = {}
        for name, member in self.members.items():
            of = self.recipe.scores[name].of
            denoiser = self.silent if of is None else self.panel[of]
            found[name] = judged(self.recipe, name, member, denoiser, look.cells[plane_of(self.recipe, name)])
        return found

    def told(self, clip: Clip, causal: bool) -> Iterator[Told]:
        """Pass through a clip, in bounded memory: what is said of every frame that is looked at."""
        trace = Trace(self, causal)
        for look in self.modality.looks(clip):
            yield from trace.push(look.index, look.time, look.size, self.raw(look))
        yield from trace.flush()

    def blurred(self, map: np.ndarray) -> np.ndarray:
        """A map of cells under a Gaussian over places."""
        sigma = self.recipe.blur / self.modality.cell
        return np.asarray(gaussian_filter(map, sigma, mode="nearest") if sigma else map)

    def pooled(self, map: np.ndarray) -> float:
        """What a map comes to."""
        pool, cells = self.recipe.pool, map.ravel().astype(np.float64)
        if pool.use == "max":
            return float(cells.max())
        count = len(cells) if pool.use == "mean" else max(1, math.ceil(pool.share * len(cells)))
        return float(np.partition(cells, len(cells) - count)[len(cells) - count :].mean())

    def parts(self, pooled: Mapping[str, float], causal: bool) -> dict[str, float]:
        """What each member that is heard adds to the score of a frame."""
        scales = self.scales[causal]
        return {name: float(self.recipe.scores[name].weight * scales[name](pooled[name])) for name in self.heard}

    def summed(self, maps: Mapping[str, np.ndarray], causal: bool) -> np.ndarray:
        """The maps of members, in the units of their parts of the score, summed `(h, w)` float32."""
        scales = self.scales[causal]
        shown = [name for name in self.members if self.recipe.scores[name].read != "picture"] or list(self.members)
        total = sum(self.recipe.scores[name].weight * scales[name](maps[name]) for name in shown)
        return np.asarray(total, np.float32)

    def totals(self, pooled: Sequence[Mapping[str, float]] | Mapping[str, Scores], causal: bool) -> Scores:
        """Scores `(T,)` of the frames of one clip, from what the maps of members come to, `(T,)` by name."""
        if isinstance(pooled, Mapping):
            pooled = [dict(zip(pooled, row, strict=True)) for row in zip(*pooled.values(), strict=True)]
        sums = [sum(self.parts(each, causal).values()) for each in pooled]
        return np.array(list(smoothed(sums, float(self.recipe.smooth), causal)), np.float64)

    def expected(self, frame: np.ndarray, camera: int = 0) -> np.ndarray | None:
        """Of the normal frames that were kept, of the same camera if there are, the one most like this; or None."""
        if not len(self.shown):
            return None
        own = np.array(self.cameras) == camera
        shown = self.shown[own] if own.any() else self.shown
        apart = [float(np.abs(each.astype(np.float32) - frame).mean()) for each in shown]
        return np.asarray(shown[int(np.argmin(apart))])


class Trace:
    """Says of the frames of one clip, as their maps come, what is to be said once enough of those after are known.

    Args:
        footage: Fitted and, but for `pooled`, scaled.
        causal: Whether nothing after a frame is waited for.
        scaled: Whether scores are worked out; else what maps come to is all that is said.
    """

    def __init__(self, footage: Footage, causal: bool, scaled: bool = True) -> None:
        self.footage, self.causal, self.scaled = footage, causal, scaled
        self._maps = {name: Smooth[np.ndarray](footage.recipe.linger, causal) for name in footage.members}
        self._total = Smooth[float](float(footage.recipe.smooth), causal)
        self._frames: deque[tuple[int, float, tuple[int, int]]] = deque()
        self._waiting: deque[Told] = deque()

    def push(self, index: int, time: float, size: tuple[int, int], raw: Mapping[str, np.ndarray]) -> list[Told]:
        """The maps of the next frame."""
        self._frames.append((index, time, size))
        found = [each.push(self.footage.blurred(raw[name])) for name, each in self._maps.items()]
        return self._said(found)

    def flush(self) -> list[Told]:
        """What is left at the end of the clip."""
        found = self._said([each.flush() for each in self._maps.values()])
        return found + [self._scored(score) for score in self._total.flush()]

    def _said(self, found: list[list[np.ndarray]]) -> list[Told]:
        said = list[Told]()
        for maps in zip(*found, strict=True):
            told = self._told(dict(zip(self._maps, maps, strict=True)))
            self._waiting.append(told)
            said += [self._scored(score) for score in self._total.push(sum(told.parts.values()))]
        return said

    def _told(self, maps: dict[str, np.ndarray]) -> Told:
        frame, footage = self._frames.popleft(), self.footage
        pooled = {name: footage.pooled(map) for name, map in maps.items()}
        if not self.scaled:
            return Told(*frame, 0.0, {}, next(iter(maps.values())), pooled)
        return Told(*frame, 0.0, footage.parts(pooled, self.causal), footage.summed(maps, self.causal), pooled)

    def _scored(self, score: float) -> Told:
        return replace(self._waiting.popleft(), score=float(score))


def smoothed(values: Iterable[float], sigma: float, causal: bool) -> Iterator[float]:
    """Values under a Gaussian over instants, or its half that looks back.

    >>> [round(v, 3) for v in smoothed([0.0, 1.0, 0.0], 0.5, causal=True)]
    [0.0, 0.881, 0.119]
    """
    smooth = Smooth[float](sigma, causal)
    for value in values:
        yield from smooth.push(value)
    yield from smooth.flush()
