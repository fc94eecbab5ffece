"""A fitted detector of several kinds of data, as plain parts: records in, answers and scores out. No fitting.

A record is judged by the parts that it has, on the scale of normal records of which the same parts were shown.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anodiff.data.records import Records
from anodiff.modalities.multimodal import Multimodal
from anodiff.recipes.blended import VIEWS, Asked, Blended, Heard, Pattern
from anodiff.recipes.blended_fusion import Fused
from anodiff.recipes.blended_kept import Kept
from anodiff.recipes.blended_learn import joined
from anodiff.recipes.schema import Recipe
from anodiff.types import JSON, Scores

NEUTRAL = 0.0
"""The score of a record without any part: below that of every other."""
REST, ALL, AGAINST = "{} given the rest", "all together", "{} against {}"


@dataclass(frozen=True)
class Blend:
    """What scoring needs.

    Attributes:
        modality: Records to features.
        model: Features to answers.
        asked: The questions.
        fused: How answers become scores, by the parts that are there.
        kept: Some records of fit, to show what was expected.
        facts: What is known of the fit, JSON.
    """

    modality: Multimodal
    model: Blended
    asked: Sequence[Asked]
    fused: Mapping[Pattern, Fused]
    kept: Kept
    facts: JSON = field(default_factory=dict)

    @property
    def recipe(self) -> Recipe:
        """How it was built."""
        return self.model.recipe

    @property
    def parts(self) -> list[str]:
        """Names of the parts."""
        return self.modality.columns

    @cached_property
    def evidences(self) -> list[str]:
        """What the score is made of: parts, parts given the rest, all together; those that are ever heard."""
        heard = np.any([fused.weights > 0 for fused in self.fused.values()], axis=0)
        return list(dict.fromkeys(self.label(each) for each, weight in zip(self.asked, heard, strict=True) if weight))

    def label(self, asked: Asked) -> str:
        """What a question is called."""
        if asked.read == "together":
            return ALL
        name = self.parts[asked.part]
        if asked.read == VIEWS:
            return AGAINST.format(name, self.parts[asked.reference])
        return name if asked.read == "part" else REST.format(name)

    def look(self, X: Any) -> tuple[Tensor, Records]:
        """Features `(n, F)` of records, behind them what views say, and the records as they were read."""
        encoded, found = self.modality.look(X)
        views = self.model.views
        return (encoded.x if views is None else joined(encoded.x, views.judge(self.modality, found))), found

    def pattern_of(self, present: np.ndarray) -> Pattern:
        """The parts that a record with these `(P,)` is judged by: all, or the most of them that were calibrated."""
        there = tuple(np.flatnonzero(present).tolist())
        if there in self.fused or not there:
            return there
        fitting = [pattern for pattern in self.fused if set(pattern) <= set(there)]
        return max(fitting, key=lambda pattern: (len(pattern), [-p for p in pattern]))

    def patterns(self, present: np.ndarray) -> Iterator[tuple[Pattern, np.ndarray]]:
        """Patterns, and the places of the records `(n, P)` that are judged by each; () for those without parts."""
        found: dict[Pattern, list[int]] = {}
        for i, row in enumerate(present):
            found.setdefault(self.pattern_of(row), []).append(i)
        for pattern, places in found.items():
            yield pattern, np.array(places)

    def scores(self, x: Tensor, present: np.ndarray) -> Scores:
        """Scores `(n,)` of features `(n, F)` of records with parts `(n, P)`."""
        found = np.full(len(x), NEUTRAL)
        for pattern, places in self.patterns(present):
            if pattern:
                found[places] = self.fused[pattern].scores(self.model.said(x[places], self.asked, pattern))
        return found

    def evidence(self, x: Tensor, present: np.ndarray) -> np.ndarray:
        """What each of `evidences` adds to the scores `(n, evidences)`."""
        found = np.zeros((len(x), len(self.evidences)))
        for pattern, places in self.patterns(present):
            if pattern:
                fused = self.fused[pattern]
                said = self.model.said(x[places], self.asked, pattern)
                found[places] = self._gathered(np.nan_to_num(fused.parts(said)), np.add)
        return found

    def surprises(self, x: Tensor, present: np.ndarray) -> np.ndarray:
        """How surprising each of `evidences` is by itself, in nats `(n, evidences)`; NaN where it is not heard."""
        found = np.full((len(x), len(self.evidences)), np.nan)
        for pattern, places in self.patterns(present):
            if pattern:
                fused = self.fused[pattern]
                nats = fused.surprises(self.model.said(x[places], self.asked, pattern))
                weighed = self._gathered(np.nan_to_num(nats) * fused.weights, np.add)
                weight = self._gathered(np.where(np.isnan(nats), 0, fused.weights), np.add)
                with np.errstate(invalid="ignore", divide="ignore"):
                    found[places] = weighed / weight
        return found

    def _gathered(self, values: np.ndarray, how: np.ufunc) -> np.ndarray:
        """Of questions `(n, questions)` to evidences `(n, evidences)`."""
        found = np.zeros((len(values), len(self.evidences)))
        place = {name: k for k, name in enumerate(self.evidences)}
        for k, each in enumerate(self.asked):
            at = place.get(self.label(each))
            if at is not None:
                found[:, at] = how(found[:, at], values[:, k])
        return found


def fused_scores(fused: Mapping[Pattern, Fused], heard: Mapping[Pattern, Heard], own: Sequence[Pattern]) -> Scores:
    """Scores `(n,)` of records of which answers were heard, each with the parts of its own pattern."""
    found = np.full(len(own), NEUTRAL)
    for pattern, each in heard.items():
        scores = fused[pattern].scores(each.said)
        mine = np.array([own[place] == pattern for place in each.places], bool)
        found[each.places[mine]] = scores[mine]
    return found


def codes_of(model: Blended, x: Tensor, present: np.ndarray) -> Tensor:
    """Codes `(n, D)` of features."""
    return model.latents(x[:, : sum(map(len, model.latents.means))], torch.from_numpy(present))
