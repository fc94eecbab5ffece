r"""From what is said of parts to one score, for the records that have the parts of one pattern.

Every answer is first told as its surprise :math:`u_e`, nats of tail probability among normal records that the model had
not seen, with the same parts hidden. Then

.. math:: \text{auto:} \; \sum_e w_e u_e, \qquad \text{late:} \; \log \sum_e w_e e^{u_e}, \qquad
          \text{early:} \; u_\text{together}, \qquad \text{dynamic:} \; \sum_e w_e(u_e) \, u_e ,

w the word of a question, by the recipe and by how well it tells records left out from mixed ones. The late fusion is
the harmonic mean of p-values, which holds however they depend on each other (Wilson, "The harmonic mean p-value for
combining dependent tests", 2019). In the dynamic one a part weighs the more the farther it lies from all that it knows.
What comes of it is told as a surprise again, so that scores of records with other parts missing mean the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from anodiff.alarms.surprise import Surprise
from anodiff.recipes.blended import GIVEN, VIEWS, Asked, Heard, Pattern
from anodiff.recipes.schema import Recipe
from anodiff.types import Scores

USES = ("auto", "early", "late", "dynamic")
FAR = 3.0
"""Nats, one normal record in twenty, from which a part by itself is heard more by the dynamic fusion."""
LEAST = 1e-3
"""A weight below this share of the largest is none."""
CHANCE = 0.5
COARSE = 0.1
"""What pictures as a whole say of each other is worth less where views compare them place by place."""


@dataclass(frozen=True)
class Fused:
    """How answers on records with the parts of one pattern become scores.

    Attributes:
        pattern: The parts that are there.
        use: The fusion.
        scales: Of each question; None where it does not fit or is not heard.
        weights: Of each question `(questions,)`, which add up to 1; 0 where it is not heard.
        alone: Which questions are of a part by itself `(questions,)`.
        total: The scale of what they come to.
    """

    pattern: Pattern
    use: str
    scales: Sequence[Surprise | None]
    weights: np.ndarray
    alone: np.ndarray
    total: Surprise

    def surprises(self, said: np.ndarray) -> np.ndarray:
        """Answers `(n, questions)` in nats; NaN where a question is not heard."""
        found = np.full(said.shape, np.nan)
        for k, scale in enumerate(self.scales):
            if scale is not None:
                found[:, k] = scale(said[:, k])
        return found

    def scores(self, said: np.ndarray) -> Scores:
        """Scores `(n,)` of answers."""
        return np.asarray(self.total(self.combined(self.surprises(said))[0]))

    def parts(self, said: np.ndarray) -> np.ndarray:
        """What each question adds to the scores `(n, questions)`; rows add up to them."""
        found, shares = self.combined(self.surprises(said))
        return np.asarray(shares * self.total(found)[:, None])

    def combined(self, nats: np.ndarray) -> tuple[Scores, np.ndarray]:
        """What surprises `(n, questions)` come to `(n,)`, and the share of each in it `(n, questions)`."""
        there = np.where(np.isnan(nats), 0.0, nats)
        if self.use == "late":
            highest = there.max(1, keepdims=True)
            loud = self.weights * np.exp(there - highest)
            total = loud.sum(1)
            return np.log(total) + highest[:, 0], loud / total[:, None]
        weights = np.broadcast_to(self.weights, there.shape)
        if self.use == "dynamic":
            weights = weights * np.where(self.alone, 1 + np.maximum(there - FAR, 0), 1.0)
        weighed = weights * there
        total = weighed.sum(1)
        return total, weighed / total[:, None]


def fuse(recipe: Recipe, asked: Sequence[Asked], pattern: Pattern, heard: Heard, use: str) -> Fused:
    """How answers of one pattern become scores, from those on normal records that the model had not seen."""
    weights = weighed(recipe, asked, pattern, heard.told, use)
    scales = [Surprise().fit(heard.said[:, k]) if weight > 0 else None for k, weight in enumerate(weights)]
    blank = Fused(pattern, use, scales, weights, alone_of(asked), Surprise())
    return replace(blank, total=Surprise().fit(blank.combined(blank.surprises(heard.said))[0]))


def alone_of(asked: Sequence[Asked]) -> np.ndarray:
    """Which questions are of a part by itself `(questions,)`."""
    return np.array([each.read == "part" for each in asked])


def _weight(recipe: Recipe, asked: Asked) -> float:
    return 1.0 if asked.read == VIEWS else recipe.scores[asked.score].weight


def weighed(recipe: Recipe, asked: Sequence[Asked], pattern: Pattern, told: np.ndarray, use: str) -> np.ndarray:
    """The weight of each question `(questions,)`: the recipe's, and of those given the rest how well they tell."""
    found = np.array([_weight(recipe, each) if each.fits(pattern) else 0.0 for each in asked], np.float64)
    reads = np.array([each.read for each in asked])
    if use == "early" and (found[reads == "together"] > 0).any():
        found[reads != "together"] = 0
    else:
        found[reads == "together"] *= float(not (found[reads != "together"] > 0).any())
    given = np.isin(reads, GIVEN)
    if (reads == VIEWS).any() and found[reads == VIEWS].any() and len(pattern) == 2:
        found[given] *= COARSE
    if use != "early" and given.any():
        worth = np.clip(2 * (np.nan_to_num(told, nan=CHANCE) - CHANCE), 0, 1)
        found[given] *= worth[given]
    if not (found > 0).any():
        found = np.array([float(each.fits(pattern)) for each in asked])
    found[found < LEAST * found.max()] = 0
    return np.asarray(found / found.sum())
