r"""How good is a detector on what was held out? Average precision and AUROC of units and, where there are any, of the
cells in them, pixels or instants, all of which are ranked together; and how much better is one than another,

.. math:: \Delta = \mathrm{AP}(a) - \mathrm{AP}(b), \qquad [\Delta_{lo}, \Delta_{hi}] \text{ over draws of units,}

with the same draw for both: a picture, a stretch of a series, a row is drawn whole, or not at all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from anodiff.detect import Detector
from anodiff.metrics.ranking import Interval
from anodiff.prepare import Kind
from anodiff.types import Misfit, Unreadable

GRID = 32
"""Cells along the side of a picture that pixels are averaged to."""
STRETCH = 100
"""Instants that are drawn together."""
WORK = 2e8
"""Cells that are looked at in all draws."""

Said = Mapping[str, list[np.ndarray]]
"""By level, "items" or "cells", what was said of each unit, arrays `(c,)`."""


@dataclass(frozen=True, eq=False)
class Yardstick:
    """Held-out items and what is true of them.

    Attributes:
        kind: Of the data.
        items: Items as a detector takes them.
        truth: By level, 0 and 1 for each unit, arrays `(c,)`.
        about: In words, what is measured on.
    """

    kind: Kind
    items: Any
    truth: Said
    about: str

    @property
    def main(self) -> str:
        """The level that decides: cells where their truth is known."""
        return "cells" if "cells" in self.truth else "items"

    def ask(self, detector: Detector) -> Said:
        """What a detector says of every unit."""
        if self.kind == "series":
            said = detector.decision_function(self.items)
            return {"cells": stretches([np.asarray(each, np.float64) for each in said])}
        if self.kind == "tabular":
            return {"items": list(np.asarray(detector.decision_function(self.items), np.float64)[:, None])}
        items, cells = list[np.ndarray](), list[np.ndarray]()
        for verdict in detector.judge(self.items, maps="cells" in self.truth):
            items.append(np.array([verdict.score]))
            if verdict.map is not None:
                cells.append(averaged(detector.inner_.laid(verdict)).ravel())
        return {"items": items, "cells": cells} if "cells" in self.truth else {"items": items}

    def values(self, said: Said) -> dict[str, float]:
        """Average precision and AUROC by level, such as "items AP"."""
        found = {}
        for level, truth in self.truth.items():
            ranking = Ranking.of(truth, said[level])
            weight = np.ones(len(truth))
            found[f"{level} AP"], found[f"{level} AUROC"] = ranking.precision(weight), ranking.area(weight)
        return found

    def gain(self, ours: Said, theirs: Said, confidence: float = 0.95, draws: int = 1000, seed: int = 0) -> Interval:
        """Average precision of `ours` minus that of `theirs` at the main level, with an interval over units."""
        truth = self.truth[self.main]
        pair = [Ranking.of(truth, said[self.main]) for said in (ours, theirs)]
        whole = np.ones(len(truth))
        cells = sum(map(len, truth))
        draw, n = np.random.default_rng(seed), len(truth)
        bad = np.array([each.any() for each in truth])
        found = []
        for _ in range(int(np.clip(WORK / (2 * cells), 100, draws))):
            weight = np.zeros(n)
            for group in (np.flatnonzero(bad), np.flatnonzero(~bad)):
                if len(group):
                    np.add.at(weight, group[draw.integers(len(group), size=len(group))], 1.0)
            found.append(pair[0].precision(weight) - pair[1].precision(weight))
        side = (1 - confidence) / 2
        low, high = np.quantile(found, [side, 1 - side])
        return Interval(pair[0].precision(whole) - pair[1].precision(whole), float(low), float(high))


@dataclass(frozen=True)
class Ranking:
    """Cells of all units in the order of their scores, sorted once for any number of draws of units.

    Attributes:
        unit: Of each cell, the highest first `(N,)`.
        bad: Whether it is abnormal.
        last: Whether the next one has another score.
    """

    unit: np.ndarray
    bad: np.ndarray
    last: np.ndarray

    @classmethod
    def of(cls, truth: Sequence[np.ndarray], said: Sequence[np.ndarray]) -> "Ranking":
        """Of what is true and what was said of each unit."""
        scores = np.concatenate(list(said))
        order = np.argsort(-scores, kind="stable")
        unit = np.repeat(np.arange(len(truth)), [len(each) for each in truth])[order]
        ordered = scores[order]
        return cls(unit, np.concatenate(list(truth))[order] > 0, np.append(ordered[1:] != ordered[:-1], True))

    def counts(self, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Abnormal and normal cells down to each score, units weighing `(n,)`."""
        each = weight[self.unit]
        return tuple(np.cumsum(each * part)[self.last] for part in (self.bad, ~self.bad))

    def precision(self, weight: np.ndarray) -> float:
        """Average precision; the same as scikit-learn's where all weights are 1."""
        bad, good = self.counts(weight)
        if not bad[-1]:
            return 0.0
        share = np.diff(bad, prepend=0.0) / bad[-1]
        return float((share * bad / np.maximum(bad + good, 1e-300)).sum())

    def area(self, weight: np.ndarray) -> float:
        """Area under the ROC curve, ties counted half."""
        bad, good = self.counts(weight)
        if not bad[-1] or not good[-1]:
            return 0.5
        middle = bad - np.diff(bad, prepend=0.0) / 2
        return float((np.diff(good, prepend=0.0) * middle).sum() / bad[-1] / good[-1])


def yardstick(kind: Kind, items: Any, labels: Any, masks: Any = None, about: str = "real anomalies") -> Yardstick:
    """What detectors are measured on.

    Args:
        kind: Of the data.
        items: Held-out items, abnormal ones and normal ones.
        labels: 1 for abnormal: `(n,)`, of series one array `(T,)` for each.
        masks: Of pictures `(H, W)` bool each, None for a normal one.
        about: In words, what they are.

    Raises:
        Misfit: labels do not fit the items.
        Unreadable: they are all alike.
    """
    count = len(items)
    if len(labels) != count:
        raise Misfit(f"there are {len(labels)} labels for {count} held-out items; give one for each.")
    if kind == "series":
        truth: dict[str, list[np.ndarray]] = {"cells": stretches([np.asarray(each) for each in labels])}
    else:
        truth = {"items": list(np.asarray(labels).astype(float).reshape(-1, 1))}
    if kind == "image" and masks is not None:
        sizes = [None if mask is None else np.asarray(mask) for mask in masks]
        blank = np.zeros(GRID**2)
        truth["cells"] = [blank if mask is None else covered(mask).ravel() for mask in sizes]
    for level, each in truth.items():
        told = np.concatenate(each) > 0
        if told.all() or not told.any():
            raise Unreadable(f"the held-out {level} are all alike; a measure needs abnormal and normal ones.")
    return Yardstick(kind, items, truth, about)


def stretches(values: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Series `(T,)` in stretches of about a hundred instants."""
    return [piece for each in values for piece in np.array_split(each, max(1, len(each) // STRETCH))]


def averaged(map_: np.ndarray) -> np.ndarray:
    """A map `(S, S)` averaged to at most `GRID` cells a side."""
    edges = [np.linspace(0, size, GRID + 1).astype(int)[:-1] for size in map_.shape]
    sums = np.add.reduceat(np.add.reduceat(map_.astype(np.float64), edges[0], 0), edges[1], 1)
    counts = np.outer(*(np.diff(np.append(edge, size)) for edge, size in zip(edges, map_.shape, strict=True)))
    return np.asarray(sums / counts)


def covered(mask: np.ndarray) -> np.ndarray:
    """A mask `(H, W)` as 0 and 1 on the grid: 1 where at least a quarter of a cell is covered, or most of any."""
    part = averaged(mask.astype(np.float64))
    return np.asarray((part >= min(0.25, part.max())) & (part > 0), dtype=float)
