"""From encoded rows to a model that judges: suspicion where it is called for, then left-out scores, then all parts.

1. Where anomalies may be among the rows, the recipe's guard judges each row as if it had been left out.
2. Every score judges every row as if it had been left out, by parts that were not shown the most suspicious rows.
3. All parts are fitted on everything that they may see.
4. Known anomalies weigh the scores and add their likeness.
"""

from collections.abc import Generator, Iterable
from dataclasses import dataclass, field, replace
from typing import Literal, TypeVar, cast

import numpy as np
from torch import Tensor

from anodiff.alarms import Surprise
from anodiff.alarms.contamination import Contamination, estimate
from anodiff.recipes.grow import Doubt, Progress, Totals, grow, left_out, planned_steps
from anodiff.recipes.known import Parts, acquainted, strangers, weighed
from anodiff.recipes.schema import Recipe
from anodiff.scores.combine import Hybrid, Panel
from anodiff.training import Step

T = TypeVar("T")


@dataclass(frozen=True)
class Given:
    """What a detector learns from: rows `x` `(n, d)`, the same encoded `alone` (each without itself), known ones."""

    x: Tensor
    alone: Tensor
    known: Tensor | None = None
    contamination: float | Literal["auto"] = 0.0


@dataclass(frozen=True)
class Learnt:
    """A recipe that was carried out.

    Attributes:
        recipe: As it was carried out.
        panel: Its denoisers.
        score: Its scores, on calibrated scales; stand-ins for a small budget among them.
        totals: Raw totals per score of each row, as if it had been left out.
        known: Raw totals per score of the known anomalies, each without its own help; empty where none are known.
        contamination: The share of anomalies that was told, estimated, or 0.
        losses: Of the last training.
    """

    recipe: Recipe
    panel: Panel
    score: Hybrid
    totals: Totals
    known: Totals
    contamination: Contamination
    losses: list[float] = field(default_factory=list)


class Tally:
    """Counts the training steps of several stages; `losses` are those of the last that trained."""

    def __init__(self, of: int) -> None:
        self.done = 0
        self.of = of
        self.losses: list[float] = []

    def told(self, work: Generator[Step, None, T], stage: str) -> Generator[Progress, None, T]:
        """Yield progress for each step of `work`; return what it returns."""
        losses: list[float] = []
        yield Progress(self.done, self.of, stage)
        while True:
            try:
                step = next(work)
            except StopIteration as end:
                self.losses = losses or self.losses
                result: T = end.value
                return result
            self.done += 1
            losses.append(step.loss)
            yield Progress(self.done, self.of, stage)


def learn(recipe: Recipe, given: Given, seed: int) -> Generator[Progress, None, Learnt]:
    """Carry out a recipe: yields progress, returns what was learnt."""
    recipe = strangers(recipe)
    asked = (*recipe.voters, *recipe.reserve)
    asked = (*asked, *(name for name in recipe.stand_ins if recipe.scores[name].stands_for in asked))
    final = recipe.only(asked)
    guarded = bool(recipe.guard) or given.contamination != 0
    guard = recipe.only(recipe.guard or recipe.voters)
    tally = Tally(planned_steps(final, len(given.x)) + guarded * planned_steps(guard, len(given.x)))
    doubt, share, done = None, Contamination(0.0, 0.0, 0.0), cast(Totals, {})
    if guarded:
        done = yield from tally.told(left_out(guard, given.x, seed, given.alone), "doubting")
        share = feared(given.contamination, next(iter(done.values())))
        doubt = Doubt(suspicion(done), share.value)
        done = {name: done[name] for name in unmoved(guard) if name in final.scores}
    rest = final.only(set(asked) - done.keys())
    if rest.scores:
        found = yield from tally.told(left_out(rest, given.x, seed, given.alone, doubt), "calibrating")
        done = {**done, **found}
    panel, score = yield from tally.told(grow(final, given.x, seed, doubt), "learning")
    parts = Parts(final, panel, score.members, {name: done[name] for name in final.scores}, {})
    if given.known is not None:
        parts = informed(parts, given.known, given.alone)
    trusted = slice(None) if doubt is None else least(doubt.suspicion, 1 - share.value)
    hybrid = Hybrid(parts.members, {name: spec.weight for name, spec in parts.recipe.scores.items()})
    hybrid.fit({name: raw[trusted] for name, raw in parts.left_out.items()}, Surprise)
    return Learnt(parts.recipe, parts.panel, hybrid, parts.left_out, parts.known, share, tally.losses)


def informed(
    parts: Parts, rows: Tensor, alone: Tensor, weights: np.ndarray | None = None, judged: Totals | None = None
) -> Parts:
    """What known anomalies `rows` `(k, d)` make of it, by their weights `(k,)`.

    `alone` `(n, d)` are the left-out rows; `judged` are totals of other normals by which the scores are weighed.
    """
    known = cast(Totals, dict(Hybrid(parts.members).member_totals(parts.panel, rows.double())))
    recipe = weighed(parts.recipe, parts.left_out if judged is None else judged, known, weights)
    return acquainted(replace(parts, recipe=recipe, known=known), rows, alone, weights)


def feared(told: float | Literal["auto"], raw: np.ndarray) -> Contamination:
    """The contamination that was told, or one estimated from raw left-out totals `(n,)` of a score of the guard."""
    return estimate(raw) if told == "auto" else Contamination(float(told), float(told), float(told))


def suspicion(totals: Totals) -> np.ndarray:
    """The summed surprise of the guard `(n,)`."""
    return np.asarray(sum(Surprise().fit(raw)(raw) for raw in totals.values()))


def unmoved(guard: Recipe) -> Iterable[str]:
    """Scores of a guard that would say the same again: their denoisers are shown everything, or trim by themselves."""
    for name, asked in guard.scores.items():
        spec = guard.denoisers.get(str(asked.of))
        trim = getattr(spec, "trim", None)
        if asked.net is None and (trim == 0 or (trim is not None and getattr(spec, "use", "") == "gaussian")):
            yield name


def least(values: np.ndarray, share: float) -> np.ndarray:
    """Places of the least `share` of values `(n,)`, at least two."""
    return np.argsort(values, kind="stable")[: max(2, round(share * len(values)))]
