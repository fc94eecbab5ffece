"""anodiff on a series: its score of every instant, the same without smoothing, and of some of its members alone."""

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from anodiff.bench.series.rivals import Given
from anodiff.bench.series.tasks import Task
from anodiff.detect_series import SeriesDetector
from anodiff.modalities.laid import Laid
from anodiff.modalities.series import Series
from anodiff.types import JSON, Scores

NO_PERIOD = 125
"""Stands for the period where there is none, as in TSB-AD."""


def fitted(X: Any, seed: int, recipe: str = "auto", changes: JSON | None = None) -> SeriesDetector:
    """The detector that has learnt X."""
    return SeriesDetector(recipe=recipe, changes=changes or None, seed=seed).fit(X)


def learnt(task: Task) -> np.ndarray:
    """What is given to fit."""
    return task.X if task.train is None else task.train


@dataclass(frozen=True)
class Said:
    """What the members of a detector say of each instant of one series, before smoothing.

    Attributes:
        detector: Fitted.
        raw: By member, on the grid `(G,)`.
        at: Where the series lies on the grid `(n,)`.
    """

    detector: SeriesDetector
    raw: dict[str, np.ndarray]
    at: np.ndarray

    @classmethod
    def of(cls, detector: SeriesDetector, X: Any = None) -> "Said":
        """Of `X`; without it, of the instants of fit, each as if its neighbourhood had been left out."""
        if X is None:
            return cls(detector, detector.left_out_[False][0], detector.places_[0])
        modality = detector.whole_.modality
        strip = modality.strip(modality.read(X).tracks[0])
        return cls(detector, detector.whole_.raw(strip), strip.at)

    def score(self, only: Iterable[str] | None = None) -> Scores:
        """The score of each instant `(n,)`, by all members or some of them."""
        whole = self.detector.whole_
        names = whole.members if only is None else set(only)
        kept = replace(whole, members={name: member for name, member in whole.members.items() if name in names})
        return np.asarray(kept.combined(self.raw)[self.at])

    def score_unsmoothed(self) -> Scores:
        """The same without smoothing; members' scales are fitted anew to what they say unsmoothed."""
        whole = self.detector.whole_
        scales = {name: self._rescaled(name) for name in whole.scales[False]}
        plain = replace(whole, smooth=1, scales={**whole.scales, False: scales})
        return np.asarray(plain.combined(self.raw)[self.at])

    def _rescaled(self, name: str) -> Any:
        said = np.concatenate([each[name] for each in self.detector.left_out_[False]])
        said = np.sort(said[np.isfinite(said)])
        kept = said[: max(2, round((1 - self.detector.contamination_) * len(said)))]
        scale = copy(self.detector.whole_.scales[False][name])
        return scale.fit(kept if len(kept) > 1 else np.zeros(2))


def members_of(detector: SeriesDetector, *uses: str) -> list[str]:
    """The members that ask denoisers of these kinds: "gaussian", "mixture", "empirical", "network"."""
    recipe = detector.whole_.recipe
    asked = {name: recipe.denoisers.get(str(recipe.scores[name].of)) for name in detector.whole_.members}
    return [name for name, spec in asked.items() if spec is not None and spec.use in uses]


def shared(task: Task, seed: int) -> Given:
    """What rivals get of a task: the coordinates of anodiff's reader, fitted on what is learnt, and its period."""
    modality = Series().fit(learnt(task))
    x = _coordinates(modality, task.X)
    train = None if task.train is None else _coordinates(modality, task.train)
    return Given(x, train, modality.period_ or NO_PERIOD, seed)


def _coordinates(modality: Series, X: np.ndarray) -> np.ndarray:
    strip = modality.strip(modality.read(X).tracks[0])
    return np.asarray(Laid.of(strip).x.numpy()[strip.at], np.float64)
