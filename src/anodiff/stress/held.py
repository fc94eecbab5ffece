"""Made items held against normals: whole ones, or the stretches of a series that were changed."""

from collections.abc import Callable
from typing import Any

import numpy as np

from anodiff.explain.place import ROWS
from anodiff.made import Made
from anodiff.metrics.against import Against, wider
from anodiff.metrics.ranking import Interval, proportion
from anodiff.stress.curve import Spot
from anodiff.types import Misfit, Unreadable

Score = Callable[[Any], np.ndarray]
"""From items, or from one series, to one score each; higher is more abnormal."""

FEWEST = 8
"""Items at a place below which nothing is said of it."""
DRAWS = 2000
SHIFTS = 8
"""Normal stretches that each changed one is held against."""


class Items:
    """Made items against all held-out ones. `Spans` does the same of stretches of series."""

    def __init__(self, kind: str, score: Score, X: Any, rate: float, seed: int) -> None:
        self.kind = kind
        self.score, self.X, self.rate, self.seed = score, X, rate, seed
        self.against: Against | None = None
        self.normals = 0
        self.said: dict[tuple[int, int], list[tuple[float, bool]]] = {}
        self.where: dict[tuple[int, int], list[str]] = {}

    def held_against(self, made: Made, number: int) -> tuple[Interval, Interval]:
        """AUROC and share found of made items, the number-th of their kind, place and size."""
        against, scores = self._against(made, number), self._scores(made)
        for i, (standing, found) in enumerate(zip(*against.standing(scores), strict=True)):
            self.said.setdefault((number, i), []).append((float(standing), bool(found)))
            self.where.setdefault((number, i), spots_of(self.kind, made, i))
        return against.of(scores)

    def spots(self) -> list[Spot]:
        """By place in the item. Strengths of one anomaly count as one; the more places, the wider the intervals."""
        names = dict.fromkeys(name for each in self.where.values() for name in each)
        pairs = {name: self._here_and_elsewhere(name) for name in names}
        told = {name: pair for name, pair in pairs.items() if len(pair[0]) >= FEWEST}
        level = 0.05 / max(len(told), 1)
        return [self._spot(name, here, elsewhere, level) for name, (here, elsewhere) in told.items()]

    def _here_and_elsewhere(self, name: str) -> tuple[np.ndarray, float]:
        """Standing and share found of anomalies at a place `(n, 2)`, and the share found at others of their kinds."""
        here, shares = list[np.ndarray](), list[float]()
        for number in dict.fromkeys(key[0] for key in self.said):
            sides: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
            for key in (key for key in self.said if key[0] == number and self.where[key]):
                sides[name in self.where[key]].append(np.mean(self.said[key], axis=0))
            if sides[0] and sides[1]:
                here += sides[1]
                shares += [float(np.mean(sides[0], axis=0)[1])] * len(sides[1])
        return np.array(here).reshape(-1, 2), float(np.mean(shares)) if shares else 0.0

    def _spot(self, name: str, here: np.ndarray, elsewhere: float, level: float) -> Spot:
        area, recall = (_mean_interval(column, level, self.seed) for column in here.T)
        counted = proportion(round(here[:, 1].sum()), len(here), 1 - level)
        return Spot(name, len(here), area, wider(recall, counted), elsewhere)

    def _against(self, made: Made, number: int) -> Against:
        if self.against is None:
            self.against = Against(_each(self.score(self.X), "X"), self.rate, seed=self.seed)
            self.normals = len(self.against.normals)
        return self.against

    def _scores(self, made: Made) -> np.ndarray:
        return _each(self.score(made.data), "made items", len(made))


class Spans(Items):
    """The highest score where a series was changed, against stretches as long in the same series before it was.

    Stretches are drawn anew as if each were by itself; those of one series may overlap.
    """

    def __init__(self, kind: str, score: Score, X: Any, rate: float, seed: int) -> None:
        super().__init__(kind, score, X, rate, seed)
        self.number = -1

    def _against(self, made: Made, number: int) -> Against:
        if self.against is None or number != self.number:
            random = np.random.default_rng([self.seed, number])
            if made.normal is None:
                raise Misfit("series made from nothing cannot be held against what they were; order a kind of anomaly.")
            before = [self._instants(series) for series in made.normal]
            spans = [_shifted(_touched(region), random) for region in made.region]
            highest = [scores[span].max() for scores, shifts in zip(before, spans, strict=True) for span in shifts]
            self.against, self.number = Against(np.array(highest), self.rate, seed=self.seed), number
            self.normals = min(self.normals or len(highest), len(highest))
        return self.against

    def _scores(self, made: Made) -> np.ndarray:
        pairs = zip(made.data, made.region, strict=True)
        return np.array([self._instants(series)[_touched(region)].max() for series, region in pairs])

    def _instants(self, series: Any) -> np.ndarray:
        return _each(self.score(series), "a series", len(series))


def spots_of(kind: str, made: Made, i: int) -> list[str]:
    """Where the i-th made item was changed: the ninth of a picture, channels, columns; nothing where there is one."""
    region = np.asarray(made.region[i], dtype=bool)
    if not region.any():
        return []
    if kind == "image":
        (down, across), (height, width) = np.nonzero(region), region.shape
        row = 3 * int(down.min() + down.max() + 1) // (2 * height)
        return [ROWS[row][3 * int(across.min() + across.max() + 1) // (2 * width)]]
    item, what = (made.data, "column") if kind == "tabular" else (made.data[i], "channel")
    touched = np.atleast_1d(region if kind == "tabular" else region.reshape(len(region), -1).any(0))
    columns = list(getattr(item, "columns", ()))
    names = columns if len(columns) == len(touched) else range(len(touched))
    return [f"{what} {names[j]}" for j in np.flatnonzero(touched)] if len(touched) > 1 else []


def _each(said: np.ndarray, of: str, n: int | None = None) -> np.ndarray:
    said = said.reshape(-1) if said.ndim == 2 and said.shape[1] == 1 else said
    if said.ndim != 1 or (n is not None and len(said) != n) or not np.isfinite(said).all():
        wanted = "" if n is None else f", {n} in all"
        raise Unreadable(
            f"scores of {of} have shape {said.shape}; a detector gives one finite number for each{wanted}."
        )
    return said


def _touched(region: Any) -> np.ndarray:
    """The instants that were changed; of nothing, all."""
    cells = np.asarray(region, dtype=bool)
    marked = np.atleast_1d(cells.reshape(len(cells), -1).any(1))
    return np.flatnonzero(marked) if marked.any() else np.arange(len(marked))


def _shifted(region: Any, random: np.random.Generator) -> list[np.ndarray]:
    """The instants of stretches like the one that was changed, elsewhere in the series."""
    touched = _touched(region)
    room = len(np.asarray(region)) - int(touched[-1] - touched[0])
    return [touched - touched[0] + start for start in random.integers(room, size=SHIFTS)]


def _mean_interval(values: np.ndarray, level: float, seed: int) -> Interval:
    again = values[np.random.default_rng(seed).integers(len(values), size=(DRAWS, len(values)))].mean(1)
    low, high = (float(v) for v in np.quantile(again, (level / 2, 1 - level / 2)))
    return Interval(float(values.mean()), low, high)
