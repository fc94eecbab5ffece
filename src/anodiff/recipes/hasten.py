r"""Recipes of pictures where time is short: fewer folds, fewer pictures, fewer steps, in this order,

.. math:: T = \underbrace{(K + 3) \, f}_{\text{fits in closed form}} + \underbrace{n \, a}_{\text{left-out answers}}
              + \underbrace{3 \sum_\text{nets} s \, \text{steps}}_{\text{training}} ,

K folds, n pictures; the seconds f of a fit, a of an answer and s of a step are measured on this machine beforehand.
"""

import time
from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from anodiff.recipes.build import Silent
from anodiff.recipes.continued import PAIRS
from anodiff.recipes.pictured import SLOW_FOLDS, Growth, Seen
from anodiff.recipes.schema import Recipe
from anodiff.recipes.specs import NetworkSpec, PositionalSpec

TRIED, JUDGED = 4, 4
"""Steps and pictures that are measured."""
FEWEST_FOLDS, FEWEST_STEPS, FEWEST_PICTURES = 5, 10, 20
ANSWERS = 1 / 3
"""The share of the time that answers may take where there are networks to train."""
SAFETY = 0.85


@dataclass
class Costs:
    """Seconds: of all fits in closed form, of a picture's answers, and of a step of each network.

    Networks are called by their room and name, such as denoisers.learnt.
    """

    fits: float
    answer: float
    steps: dict[str, float]


def hastened(recipe: Recipe, seen: Seen, seed: int, seconds: float) -> tuple[Recipe, int]:
    """The recipe cut to what about `seconds` allow, counted from now, and how many of the pictures to learn from."""
    began, pictures = time.perf_counter(), len(seen.stack)
    costs = measured(recipe, seen, seed)
    left = max(0.0, SAFETY * (seconds - (time.perf_counter() - began)))
    share = ANSWERS if costs.steps else 1.0
    if costs.answer * pictures > share * left:
        pictures = min(pictures, max(FEWEST_PICTURES, int(share * left / costs.answer)))
    left -= costs.answer * pictures
    fixed = (1 + PAIRS) * costs.fits
    afforded = left * (0.5 if costs.steps else 1.0)
    if fixed + recipe.folds * costs.fits > afforded:
        folds = max(FEWEST_FOLDS, int((afforded - fixed) / max(costs.fits, 1e-9)))
        recipe = recipe.model_copy(update={"folds": min(recipe.folds, folds)})
    left -= fixed + recipe.folds * costs.fits
    planned = (SLOW_FOLDS + 1) * sum(cost * nets(recipe)[name].steps for name, cost in costs.steps.items())
    return (shortened(recipe, max(0.0, left / planned)) if planned > left else recipe), pictures


def measured(recipe: Recipe, seen: Seen, seed: int) -> Costs:
    """What fitting costs here: every part is made once, of networks a few steps."""
    short = shortened(recipe, 0.0, TRIED)
    growth = Growth(short, replace(seen, kept=seen.kept.copy()), seed)
    kept, few = np.flatnonzero(seen.kept), np.arange(min(JUDGED, len(seen.stack)))
    costs = Costs(0.0, 0.0, {})
    for name, spec in short.denoisers.items():
        began = time.perf_counter()
        whole = growth.sums(spec, kept[:JUDGED]) if isinstance(spec, PositionalSpec) else None
        per = (time.perf_counter() - began) / len(kept[:JUDGED])
        denoiser, made = _drawn(growth.denoiser(name, kept, whole))
        growth.made[name, None] = denoiser
        if isinstance(spec, NetworkSpec):
            costs.steps[f"denoisers.{name}"] = made
        elif whole is not None:
            costs.answer += 3 * per
        began = time.perf_counter()
        first = {k: growth.question(k, denoiser, few, None) for k in _asking(short, name)}
        for k, member in first.items():
            growth.said(k, member, denoiser, few[:1])
        if not isinstance(spec, NetworkSpec):
            costs.fits += made + time.perf_counter() - began
        for k, member in first.items():
            began = time.perf_counter()
            growth.said(k, member, denoiser, few)
            costs.answer += (time.perf_counter() - began) / len(few)
    for name, asked in short.scores.items():
        if asked.net is not None:
            of = Silent(growth.process) if asked.of is None else growth.made[asked.of, None]
            member, costs.steps[f"scores.{name}"] = _drawn(growth.own(name, of, kept))
            began = time.perf_counter()
            growth.said(name, member, of, few)
            costs.answer += (time.perf_counter() - began) / len(few)
    return costs


def _drawn(steps: Generator[Any, None, Any]) -> tuple[Any, float]:
    """What comes of some steps, and the seconds of one of them, the first apart; of all where there are none."""
    began, times = time.perf_counter(), list[float]()
    while True:
        try:
            next(steps)
            times.append(time.perf_counter())
        except StopIteration as done:
            whole = time.perf_counter() - began
            return done.value, (times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else whole


def _asking(recipe: Recipe, denoiser: str) -> list[str]:
    return [name for name, asked in recipe.scores.items() if asked.of == denoiser and asked.net is None]


def nets(recipe: Recipe) -> dict[str, NetworkSpec]:
    """What is trained: networks of denoisers and of scores, by room and name."""
    found = {f"denoisers.{name}": spec for name, spec in recipe.denoisers.items() if isinstance(spec, NetworkSpec)}
    return found | {f"scores.{name}": asked.net for name, asked in recipe.scores.items() if asked.net is not None}


def shortened(recipe: Recipe, share: float, least: int = FEWEST_STEPS) -> Recipe:
    """The recipe with this share of the steps of every network."""
    denoisers, scores = dict(recipe.denoisers), dict(recipe.scores)
    for place, spec in nets(recipe).items():
        room, _, name = place.partition(".")
        fewer = spec.model_copy(update={"steps": min(spec.steps, max(least, int(share * spec.steps)))})
        if room == "denoisers":
            denoisers[name] = fewer
        else:
            scores[name] = scores[name].model_copy(update={"net": fewer})
    return recipe.model_copy(update={"denoisers": denoisers, "scores": scores})
