"""A fitted detector's insides, as plain parts: raw data in, evidence out. No fitting, no decisions."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anodiff.diffusion.fill import conditional_mean
from anodiff.diffusion.gaussian import Gaussian
from anodiff.modalities.base import Encoded, Modality
from anodiff.recipes.schema import Recipe
from anodiff.scores.combine import Hybrid, Panel
from anodiff.types import JSON, Misfit

BATCH = 2048


@dataclass(frozen=True)
class Model:
    """What scoring needs.

    Attributes:
        recipe: How it was built.
        modality: Raw data to tensor and back.
        filler: The Gaussian that stands in for what is missing.
        panel: The denoisers.
        score: The hybrid, its scales fitted on held-out normals.
        facts: What is known of the fit, for reports (rows, seconds, losses, ...), JSON.
    """

    recipe: Recipe
    modality: Modality
    filler: Gaussian
    panel: Panel
    score: Hybrid
    facts: JSON = field(default_factory=dict)

    def within(self, budget: int | None = None) -> "Model":
        """The model that spends at most `budget` evaluations per row: scores in their order while they fit, cheaper
        stand-ins for those that do not.

        Raises:
            Misfit: the budget buys no score at all.
        """
        cost = {name: member.nfe for name, member in self.score.members.items()}
        weights, left = dict[str, float](), float("inf") if budget is None else budget
        for name in self.recipe.voters:
            stand_ins = (n for n in self.recipe.stand_ins if self.recipe.scores[n].stands_for == name)
            taken = next((n for n in (name, *stand_ins) if cost[n] <= left), None)
            if taken is not None:
                weights[taken] = self.recipe.scores[name].weight
                left -= cost[taken]
        if not weights:
            raise Misfit(f"budget is {budget}; the cheapest score of this recipe takes {min(cost.values())} per row.")
        return replace(self, score=self.score.only(weights))

    def rungs(self) -> Iterator["Model"]:
        """The model at every budget that buys something else, the cheapest first, the whole last."""
        most = self.within().score.nfe
        spent = 0
        for budget in range(1, most + 1):
            try:
                model = self.within(budget)
            except Misfit:
                continue
            if model.score.nfe > spent:
                spent = model.score.nfe
                yield model

    def raw(self, x: Tensor) -> dict[str, np.ndarray]:
        """Raw totals `(n,)` of every member, by name."""
        found = [self.score.member_totals(self.panel, part) for part in _batches(x)]
        return {n: np.concatenate([np.zeros(0), *(np.asarray(r[n]) for r in found)]) for n in self.score.members}

    def prepare(self, X: Any) -> Encoded:
        """Raw data to `x` `(n, d)` float64 with its missing cells filled, and which cells are `known`."""
        encoded = self.modality.encode(X)
        return Encoded(self.fill(encoded.x.double(), encoded.known), encoded.known)

    def fill(self, x: Tensor, known: Tensor) -> Tensor:
        """Replace what is not known by what is expected given the rest."""
        incomplete = ~known.flatten(1).all(1)
        if not incomplete.any():
            return x
        filled = x.clone()
        filled[incomplete] = conditional_mean(self.filler, x[incomplete], known[incomplete])
        return filled

    def totals(self, x: Tensor) -> np.ndarray:
        """Scores `(n,)` of prepared rows `x` `(n, d)`."""
        found = [self.score.combined(self.score.member_totals(self.panel, part)) for part in _batches(x)]
        return np.concatenate(found) if found else np.zeros(0)

    def members(self, x: Tensor) -> dict[str, np.ndarray]:
        """Each member's calibrated part of the score, `(n,)` by name; they add up to `totals`."""
        return {name: self.score.combined({name: total}) for name, total in self.raw(x).items()}

    def maps(self, x: Tensor) -> Tensor:
        """Evidence per coordinate `(n, d)`; each row adds up to its total."""
        return torch.cat([x[:0], *(self.score(self.panel, part).map for part in _batches(x))])


def _batches(x: Tensor) -> Iterator[Tensor]:
    for start in range(0, len(x), BATCH):
        yield x[start : start + BATCH]
