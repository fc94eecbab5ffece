r"""Circuit boards and how they should look: each tested board against a photo of its template, taken again.

As the set comes, a normal board is its own template, and any difference at all would tell. So every template is
shifted 2 to 4 pixels, turned by up to a degree, and lit otherwise (`data.jitter`), for normal and defective boards
alike; so are the templates beside which normal boards are learnt. The rivals are differences,

.. math:: |x(u) - r(u)|, \qquad |x(u) - r(\theta u)|, \qquad
          \big\| L^{-1} \big(f_p(x) - f_p(r \circ \theta) - \mu\big) \big\|,

:math:`\theta` the same registration as anodiff's, :math:`\mu` and L of the normal pairs.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cache, partial
from typing import Self

import numpy as np
import torch
from torch import Tensor

from anodiff.bench.images.cases import Case, Pictures, read
from anodiff.bench.images.detect import PLAIN, RATES, contest
from anodiff.bench.images.finish import Finish
from anodiff.bench.images.judge import alarms, judged
from anodiff.bench.images.ours import OURS, fitted, said
from anodiff.bench.images.seen import Eyes, Seen
from anodiff.bench.images.settings import Settings
from anodiff.bench.images.turned import again
from anodiff.bench.images.whiten import Whiten
from anodiff.bench.series.timed import Record, attempt, timed
from anodiff.data.pairs import pairs
from anodiff.metrics.ranking import auroc
from anodiff.modalities.against import moved_onto
from anodiff.types import JSON, Scores, Unreadable

PAIRED = f"{OURS}, pairs"
Both = tuple[Seen, Seen]
"""Tested pictures, and their references."""


class Difference(ABC):
    """Think twice before adding anything here, every difference carries it."""

    aligned = True
    """Whether the reference is moved onto the picture first."""
    learns = False
    """Whether it has to be fitted."""

    def fit(self, both: Both) -> Self:
        """Learn from normal pairs."""
        return self

    @abstractmethod
    def maps(self, both: Both) -> np.ndarray:
        """Of each pair `(n, h, w)`."""


class Plain(Difference):
    """Of grey pixels, where they are."""

    aligned = False

    def maps(self, both: Both) -> np.ndarray:
        """Absolute differences."""
        return np.asarray((both[0].grey - both[1].grey).abs().numpy())


class Aligned(Plain):
    """Of grey pixels, once the reference is moved."""

    aligned = True


class OfFeatures(Difference):
    """Of features, once the reference is moved: the distance from usual differences."""

    learns = True

    def fit(self, both: Both) -> Self:
        """What usual differences are like, one covariance for all places."""
        self.whiten_ = Whiten(places=False).fit(both[0].features - both[1].features)
        return self

    def maps(self, both: Both) -> np.ndarray:
        """Mahalanobis distances."""
        return np.asarray(self.whiten_(both[0].features - both[1].features).square().sum(1).sqrt().numpy())


DIFFERENCES: dict[str, type[Difference]] = {
    "template difference": Plain,
    "template difference, aligned": Aligned,
    "feature difference, aligned": OfFeatures,
}
ABOUT = {
    PAIRED: "fitted on pairs of templates and their photos taken again",
    "template difference": "absolute difference of grey pixels",
    "template difference, aligned": "grey pixels, once the template is moved onto the board as anodiff moves it",
    "feature difference, aligned": "Mahalanobis distance of feature differences, one covariance for all places",
}


def act(case: Case, seed: int, settings: Settings) -> Iterator[Record]:
    """One-class methods that see no template; then those that do."""
    if case.held.references is None:
        raise Unreadable(f"{case.held.name} holds no references; choose a set of pairs.")
    yield from contest(case, seed, settings)
    shown, finishes = again(case.held.references, seed), list[Finish]()

    def ours() -> JSON:
        with timed() as fit:
            detector = fitted(pairs(again(case.train, seed + 1), case.train), seed, changes=settings.changes)
        finishes.append(Finish.of(detector.inner_.model_))
        with timed() as spent:
            told = said(detector, pairs(shown, case.test))
        numbers = judged(told.maps, told.scores, case.truth) | {"alarms": alarms(told.p_values, case.truth, RATES)}
        name = detector.inner_.model_.recipe.name
        return {"recipe": name, PLAIN: numbers, **fit.told("fit_"), **spent.told("score_")}

    yield attempt(PAIRED, ours)
    yield from differences(case, shown, seed, settings, finishes[0] if finishes else Finish())


def differences(case: Case, shown: list[np.ndarray], seed: int, settings: Settings, finish: Finish) -> Iterator[Record]:
    """A record of each, blurred and pooled as anodiff's."""

    @cache
    def learnt(aligned: bool) -> Both:
        return seen(case.train, again(case.train, seed + 1), settings, aligned)

    @cache
    def tested(aligned: bool) -> Both:
        return seen(case.test, shown, settings, aligned)

    def of(name: str) -> JSON:
        difference = DIFFERENCES[name]()
        with timed() as fit:
            difference = difference.fit(learnt(difference.aligned)) if difference.learns else difference
        with timed() as spent:
            maps = difference.maps(tested(difference.aligned))
        laid, scores = finish(maps)
        own: Scores = maps.reshape(len(maps), -1).mean(1, dtype=np.float64)
        numbers = judged(laid, scores, case.truth) | {"own_auroc": auroc(case.truth.labels, own)}
        return {PLAIN: numbers, **fit.told("fit_"), **spent.told("score_")}

    for name in DIFFERENCES:
        yield attempt(name, partial(of, name))


def seen(pictures: Pictures, references: Pictures, settings: Settings, aligned: bool) -> Both:
    """What is seen of pictures and of their references, moved onto them or not."""
    eyes = Eyes(settings.layers, settings.grid).fit(pictures)
    if not aligned:
        return eyes(pictures), eyes(references)
    own, other = (levels(read(each)) for each in (pictures, references))
    moved = np.stack([_pixels(moved_onto(x[None], r[None])[0]) for x, r in zip(own, other, strict=True)])
    return eyes(pictures), eyes(list(moved))


def levels(pixels: np.ndarray) -> Tensor:
    """Pixels `(n, S, S[, 3])` uint8 as `(n, C, S, S)` in -1..1."""
    x = torch.from_numpy(pixels).float() / 127.5 - 1
    return x[:, None] if x.ndim == 3 else x.permute(0, 3, 1, 2)


def _pixels(x: Tensor) -> np.ndarray:
    found = ((x[0] + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).numpy()
    return found[0] if len(found) == 1 else np.moveaxis(found, 0, 2)
