r"""Do generators make what was ordered? At every strength, how well detectors that took no part in making find it,

.. math:: \mathrm{AUROC}(\lambda) = P\big(a(x'_\lambda) > a(x)\big) ,

x normal items that nobody learnt from; how far region and visible change agree; whether anything else changed; how many
items the judge let pass; and what it cost. Series are judged where the region is, made and normal ones in the same
places.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import NearestNeighbors

from anodiff.generate import Generator
from anodiff.made import Made
from anodiff.metrics.ranking import auroc
from anodiff.modalities.tabular import Tabular
from anodiff.rounds.items import part
from anodiff.types import JSON

STRENGTHS = (0.1, 0.25, 0.5, 0.75, 1.0)
WINDOW = 16
"""Instants of the windows by which others judge series."""


class Other(ABC):
    """Detectors that took no part in making. Think twice before adding anything here, every kind of data carries it."""

    @abstractmethod
    def scores(self, items: Any, region: Any) -> Mapping[str, np.ndarray]:
        """By detector, of each item `(n,)`; higher is more abnormal."""


def forest(x: np.ndarray, seed: int) -> IsolationForest:
    """An isolation forest of rows."""
    return IsolationForest(n_estimators=200, random_state=seed).fit(x)


class Rows(Other):
    """An isolation forest and the mean distance to five neighbours, on encoded rows, scaled."""

    def __init__(self, normals: Any, seed: int) -> None:
        self.modality = Tabular().fit(normals)
        x = self._seen(normals)
        self.forest, self.near = forest(x, seed), NearestNeighbors(n_neighbors=5).fit(x)

    def scores(self, items: Any, region: Any) -> Mapping[str, np.ndarray]:
        x = self._seen(items)
        return {"isolation forest": -self.forest.score_samples(x), "5-NN": self.near.kneighbors(x)[0].mean(1)}

    def _seen(self, items: Any) -> np.ndarray:
        return np.asarray(self.modality.encode(items).x, dtype=np.float64)


class Windows(Other):
    """The same on windows of standardised channels; an item is as odd as the oddest window that touches its region."""

    def __init__(self, normals: Sequence[np.ndarray], seed: int) -> None:
        rows = [np.nan_to_num(np.asarray(each, float).reshape(len(each), -1)) for each in normals]
        joined = np.concatenate(rows)
        self.mean, self.std = joined.mean(0), joined.std(0) + 1e-6 * (1 + np.abs(joined.mean(0)))
        x = np.concatenate([self._cut(each)[:: max(1, len(joined) // 4000)] for each in normals if len(each) > WINDOW])
        self.forest, self.near = forest(x, seed), NearestNeighbors(n_neighbors=5).fit(x)

    def scores(self, items: Any, region: Any) -> Mapping[str, np.ndarray]:
        found: dict[str, list[float]] = {"isolation forest": [], "5-NN": []}
        for item, where in zip(items, region, strict=True):
            touched = np.flatnonzero(np.asarray(where).reshape(len(where), -1).any(1))
            first, last = max(0, int(touched[0]) - WINDOW + 1), int(touched[-1]) + WINDOW
            x = self._cut(np.asarray(item, float)[first:last])
            found["isolation forest"].append(float((-self.forest.score_samples(x)).max()))
            found["5-NN"].append(float(self.near.kneighbors(x)[0].mean(1).max()))
        return {name: np.array(values) for name, values in found.items()}

    def _cut(self, series: np.ndarray) -> np.ndarray:
        x = (np.nan_to_num(np.asarray(series, float).reshape(len(series), -1)) - self.mean) / self.std
        cut = np.lib.stride_tricks.sliding_window_view(x, min(WINDOW, len(x)), 0)
        return cut.reshape(len(cut), -1)


class Pictures(Other):
    """PatchCore-style and PaDiM-style on the frozen backbone; an item is as odd as the oddest place of its map."""

    def __init__(self, normals: Any, seed: int) -> None:
        from anodiff.bench.images.rivals import PaDiM, PatchCore
        from anodiff.bench.images.seen import Eyes

        self.eyes = Eyes().fit(normals)
        seen = self.eyes(normals)
        self.rivals = {"PatchCore-style": PatchCore(2000, seed=seed).fit(seen), "PaDiM-style": PaDiM(0.1).fit(seen)}

    def scores(self, items: Any, region: Any) -> Mapping[str, np.ndarray]:
        seen = self.eyes(items)
        return {name: rival.maps_and_scores(seen)[1] for name, rival in self.rivals.items()}


OTHERS: dict[str, type[Other]] = {"tabular": Rows, "series": Windows, "image": Pictures}


@dataclass(frozen=True, eq=False)
class Parts:
    """Normal items in three parts: who makes learns the first, others learn the second, nobody the third.

    Besides them real anomalies, `bad`, and where they are abnormal.
    """

    make: Any
    others: Any
    held: Any
    bad: Any = None
    where: Any = None


@dataclass(frozen=True, eq=False)
class Fitted:
    """A generator that learnt a part of a set, and how long that took."""

    generator: Generator
    seconds: float

    @classmethod
    def of(cls, kind: str, parts: Parts, seed: int) -> "Fitted":
        """Learn what a set gives to learn."""
        began = time.perf_counter()
        generator = Generator(kind, seed=seed).fit(parts.make)
        return cls(generator, time.perf_counter() - began)


def orders(fitted: Fitted, parts: Parts, n: int, seed: int) -> Iterator[JSON]:
    """Records of one set: the fit, then each strength.

    Args:
        fitted: A generator.
        parts: Of the set.
        n: Items of each strength.
        seed: Of everything.
    """
    generator, kind = fitted.generator, fitted.generator.kind_
    yield {"what": "fit", "seconds": fitted.seconds, "kinds": generator.kinds_}
    other: Any = OTHERS[kind]
    judge: Other = other(parts.others, seed)
    for strength in STRENGTHS:
        began = time.perf_counter()
        made = generator.sample(n, on=parts.held, strength=strength, seed=seed)
        seconds = time.perf_counter() - began
        yield {"what": "strength", "strength": strength, "seconds": seconds, "n": n, **judged(made, judge, parts, kind)}


def judged(made: Made, judge: Other, parts: Parts, kind: str) -> JSON:
    """What others say of made items, all of them and by kind, and what was changed."""
    normal, held = made.normal, parts.held
    if kind == "tabular":
        normal = part(held, np.arange(len(held)))
    bad, good = judge.scores(made.data, made.region), judge.scores(normal, made.region)
    kinds, kept = np.array(made.kind), made.accepted
    return {
        "auroc": {name: beside(bad[name], good[name]) for name in bad},
        "auroc_accepted": {name: beside(bad[name][kept], good[name]) for name in bad if kept.any()},
        "auroc_by_kind": {
            each: {name: beside(bad[name][kinds == each], good[name]) for name in bad}
            for each in sorted(set(made.kind))
        },
        "accepted": float(made.accepted.mean()),
        "why": made.reasons(),
        "overlap": float(np.median([v.inside for v in made.verdicts])),
        "untouched": untouched(made),
    }


def beside(bad: np.ndarray, good: np.ndarray) -> float:
    """AUROC of abnormal scores against normal ones."""
    return auroc(np.repeat([1, 0], [len(bad), len(good)]), np.concatenate([bad, good]))


def untouched(made: Made) -> bool:
    """Whether every cell outside the regions is what it was, to the bit."""
    if isinstance(made.data, np.ndarray) and made.data.ndim == 2:
        return bool(np.array_equal(made.data[~made.region], made.normal[~made.region], equal_nan=True))
    if isinstance(made.data, list | np.ndarray):
        pairs = zip(made.data, made.normal, made.region, strict=True)
        return all(same_outside(np.asarray(a), np.asarray(b), np.asarray(r)) for a, b, r in pairs)
    columns = [np.asarray(made.data[name]) for name in made.data.columns], np.asarray(made.region)
    before = [np.asarray(made.normal[name]) for name in made.data.columns]
    return all(
        [str(v) for v in a[~columns[1][:, i]]] == [str(v) for v in b[~columns[1][:, i]]]
        for i, (a, b) in enumerate(zip(columns[0], before, strict=True))
    )


def same_outside(after: np.ndarray, before: np.ndarray, region: np.ndarray) -> bool:
    """The same of one array and its region, of as many axes or one fewer."""
    wide = region.reshape(region.shape + (1,) * (after.ndim - region.ndim)) if region.ndim < after.ndim else region
    outside = ~np.broadcast_to(wide.reshape(after.shape) if wide.size == after.size else wide, after.shape)
    return bool(np.array_equal(after[outside], before[outside], equal_nan=after.dtype.kind == "f"))
