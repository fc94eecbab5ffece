r"""A recipe that is done in time: the same questions to models of fewer rows and fewer steps.

.. math:: T = \underbrace{a \, n r}_{\text{searches}} + \underbrace{b \, n}_{\text{left-out answers}}
              + \underbrace{c \, S}_{\text{training}}

with n rows, r references and S steps; a, b and c are measured on this machine before anything is learnt.
"""

import time
from collections.abc import Iterable
from itertools import islice

import torch

from anodiff.recipes.build import denoiser, schedule, score
from anodiff.recipes.grow import network_steps, planned_steps, raw_totals, train_part
from anodiff.recipes.learn import Given
from anodiff.recipes.schema import Recipe
from anodiff.recipes.specs import EmpiricalSpec, NetworkSpec

SAMPLE, WARM, TIMED = 512, 3, 12
SEARCHING, SAFETY = 0.4, 0.85
FEWEST_STEPS, FEWEST_REFERENCES = 30, 100


def hurried(recipe: Recipe, given: Given, seed: int, seconds: float) -> Recipe:
    """The recipe cut to what about `seconds` allow, counted from now; the recipe itself where they suffice."""
    began = time.perf_counter()
    searching = sum(_search(recipe, name, given, seed) for name in _of(recipe, EmpiricalSpec))
    answering, training = 0.0, 0.0
    for name in _of(recipe, NetworkSpec):
        answer, step = _network(recipe, name, given, seed)
        answering += answer
        training += step * planned_steps(_alone(recipe, name), len(given.x))
    left = SAFETY * (seconds - (time.perf_counter() - began))
    if searching + answering + training <= left:
        return recipe
    afforded = SEARCHING if answering + training else 1.0
    recipe = _fewer_references(recipe, min(1.0, max(left, 0.0) * afforded / max(searching, 1e-9)), len(given.x))
    rest = left - min(searching, max(left, 0.0) * afforded) - answering
    return _fewer_steps(recipe, rest / max(training, 1e-9), len(given.x))


def _fewer_references(recipe: Recipe, share: float, rows: int) -> Recipe:
    if share >= 1:
        return recipe

    def fewer(most: int) -> int:
        return min(most, max(FEWEST_REFERENCES, int(share * min(most, rows))))

    changed = {
        name: spec.model_copy(update={"references": fewer(spec.references)})
        for name, spec in recipe.denoisers.items()
        if isinstance(spec, EmpiricalSpec)
    }
    return recipe.model_copy(update={"denoisers": {**recipe.denoisers, **changed}})


def _fewer_steps(recipe: Recipe, share: float, rows: int) -> Recipe:
    """Shorter trainings; none at all where even few steps are too many and other scores remain."""
    if share >= 1:
        return recipe
    nets = {name: recipe.denoisers[name] for name in _of(recipe, NetworkSpec)}
    steps = {n: int(share * network_steps(spec, rows)) for n, spec in nets.items() if isinstance(spec, NetworkSpec)}
    others = [name for name, asked in recipe.scores.items() if asked.of not in nets]
    if any(recipe.scores[name].weight for name in others) and any(number < FEWEST_STEPS for number in steps.values()):
        return recipe.only(others)
    changed = {n: spec.model_copy(update={"steps": max(FEWEST_STEPS, steps[n])}) for n, spec in nets.items()}
    return recipe.model_copy(update={"denoisers": {**recipe.denoisers, **changed}})


def _search(recipe: Recipe, name: str, given: Given, seed: int) -> float:
    """Seconds for all rows to be held against the references of a denoiser, once left out."""
    alone = _alone(recipe, name)
    judge = denoiser(recipe.denoisers[name], given.x, schedule(recipe), seed)
    return _answers(alone, judge, given, seed)


def _network(recipe: Recipe, name: str, given: Given, seed: int) -> tuple[float, float]:
    """Seconds for all rows to be judged once, and for a step of training."""
    judge = denoiser(recipe.denoisers[name], given.x, schedule(recipe), seed)
    steps = train_part(judge, recipe.denoisers[name], given.x, seed)
    for _ in islice(steps, WARM):
        pass
    began = time.perf_counter()
    taken = sum(1 for _ in islice(steps, TIMED))
    step = (time.perf_counter() - began) / max(taken, 1)
    return _answers(_alone(recipe, name), judge, given, seed), step


def _answers(recipe: Recipe, judge: torch.nn.Module, given: Given, seed: int) -> float:
    some = given.x[:SAMPLE]
    began = time.perf_counter()
    for asked in recipe.scores.values():
        raw_totals(score(asked, given.x.shape[1], schedule(recipe), seed), judge, some)  # type: ignore[arg-type]
    return (time.perf_counter() - began) * len(given.x) / len(some)


def _alone(recipe: Recipe, denoiser_name: str) -> Recipe:
    return recipe.only(name for name, asked in recipe.scores.items() if asked.of == denoiser_name)


def _of(recipe: Recipe, kind: type) -> Iterable[str]:
    return [name for name, spec in recipe.denoisers.items() if isinstance(spec, kind)]
