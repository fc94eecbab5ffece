r"""Less training of series where time is short: steps are scaled so that all trainings together fit in,

.. math:: \text{steps}' = \text{steps} \cdot \min\Big(1, \frac{\text{seconds left} / 2}
          {(\text{folds} + 1) \sum_\text{nets} \text{steps} \cdot \text{seconds per step}}\Big),

the seconds per step taken from a few of each network on this machine; the other half is for what is not trained.
"""

import time
from collections.abc import Mapping

from anodiff.recipes.build import schedule
from anodiff.recipes.knowing import Knowing
from anodiff.recipes.schema import Recipe
from anodiff.recipes.specs import NetworkSpec
from anodiff.recipes.windowed import FOLDS, Places, fitted

TRIED = 6
FEWEST_STEPS = 10


def paced(recipe: Recipe, places: Mapping[str, Places], knowing: Knowing, seconds: float, seed: int) -> Recipe:
    """The recipe with as many training steps as about half of so many seconds are enough for."""
    began, planned = time.perf_counter(), 0.0
    for spec in recipe.denoisers.values():
        if isinstance(spec, NetworkSpec):
            planned += (FOLDS + 1) * spec.steps * _per_step(recipe, spec, places[str(spec.view)], knowing, seed)
    left = seconds - (time.perf_counter() - began)
    share = min(1.0, max(left, 0.0) / 2 / planned) if planned else 1.0
    fewer = {
        name: spec.model_copy(update={"steps": max(FEWEST_STEPS, round(share * spec.steps))})
        for name, spec in recipe.denoisers.items()
        if isinstance(spec, NetworkSpec)
    }
    return recipe.model_copy(update={"denoisers": {**recipe.denoisers, **fewer}}) if share < 1 else recipe


def _per_step(recipe: Recipe, spec: NetworkSpec, own: Places, knowing: Knowing, seed: int) -> float:
    few = spec.model_copy(update={"steps": TRIED})
    times = [time.perf_counter() for _ in fitted(few, own, own, schedule(recipe), knowing, seed)]
    return (times[-1] - times[0]) / max(1, len(times) - 1)
