"""Known anomalies taught to a table's model that is fitted: its parts stay; their weights and the likeness are new."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anodiff.alarms import Surprise
from anodiff.calibration import Calibration
from anodiff.model import Model
from anodiff.recipes.grow import Totals
from anodiff.recipes.known import Parts, counted, nearness, strangers
from anodiff.recipes.learn import informed, least
from anodiff.recipes.specs import EmpiricalSpec
from anodiff.scores.combine import Hybrid, Panel
from anodiff.types import Misfit


@dataclass(frozen=True, eq=False)
class Lesson:
    """What is to be learnt, and from what normal rows it is told apart.

    Attributes:
        known: Known anomalies `(k, d)`.
        weights: Of each, as given.
        rows: The rows of fit `(n, d)`, each encoded as if left out; None where they are not at hand.
        normals: Other normal rows `(m, d)`; None where none were given.
    """

    known: Tensor
    weights: Any = None
    rows: Tensor | None = None
    normals: Tensor | None = None


def taught(model: Model, calibration: Calibration, lesson: Lesson) -> tuple[Model, Calibration]:
    """The model that knows these anomalies and no others, and what alarms count of it.

    Raises:
        Misfit: weights are not one for each, 0 or more; or normals are needed and none were given.
    """
    weights = counted(lesson.weights, len(lesson.known))
    rows = held_rows(model, calibration) if lesson.rows is None else lesson.rows
    bare, totals = stranger(model), calibration.left_out
    check_normals(bare, calibration, lesson, rows)
    fresh = None if lesson.normals is None else raw(bare, lesson.normals)
    if rows is None and fresh is not None:
        rows, totals = lesson.normals, fresh
    left_out = {name: totals[name] for name in bare.score.members}
    parts = Parts(bare.recipe, bare.panel, bare.score.members, left_out, {})
    alone = lesson.known[:0] if rows is None else rows.to(torch.float32)
    kept = weights > 0
    found = informed(parts, lesson.known[torch.from_numpy(kept)], alone, weights[kept], fresh)
    trusted = least(bare.score.combined(left_out), 1 - calibration.set_aside)
    whole = replace(
        bare,
        recipe=found.recipe,
        panel=found.panel,
        score=scaled(bare.score, found, trusted),
        facts={**bare.facts, "examples": int(np.sum(weights == 1))},
    )
    held_out: Any = calibration.held_out if lesson.normals is None else raw(whole, lesson.normals)
    return whole, replace(calibration, left_out=found.left_out, held_out=held_out, known=found.known)


def stranger(model: Model) -> Model:
    """The model as it was before it met known anomalies, but for the weights of its scores."""
    recipe = strangers(model.recipe)
    names = [name for name in model.score.members if name in recipe.scores]
    fewer = model.score.only({name: recipe.scores[name].weight for name in names})
    kept = [name for name in model.panel.denoisers if name in recipe.denoisers] or list(model.panel.denoisers)
    return replace(model, recipe=recipe, panel=Panel({name: model.panel[name] for name in kept}), score=fewer)


def scaled(score: Hybrid, found: Parts, trusted: np.ndarray) -> Hybrid:
    """The scores of `found`, those of `score` on the scales that they have."""
    new = {name: member for name, member in found.members.items() if name not in score.members}
    fresh = Hybrid(new).fit({name: found.left_out[name][trusted] for name in new}, Surprise)
    hybrid = Hybrid(found.members, {name: asked.weight for name, asked in found.recipe.scores.items()})
    hybrid.scales_ = {**score.scales_, **fresh.scales_}
    return hybrid


def held_rows(model: Model, calibration: Calibration) -> Tensor | None:
    """The rows of fit `(n, d)`, where a denoiser of the model holds them all as they are."""
    count = len(next(iter(calibration.left_out.values())))
    for name, spec in strangers(model.recipe).denoisers.items():
        rows = getattr(model.panel[name], "rows", None)
        if isinstance(spec, EmpiricalSpec) and rows is not None and len(rows) == count:
            return torch.as_tensor(rows)
    return None


def check_normals(bare: Model, calibration: Calibration, lesson: Lesson, rows: Tensor | None) -> None:
    """Refuse to hold known anomalies against normal rows that are not at hand.

    Raises:
        Misfit: they are needed.
    """
    if lesson.normals is not None or nearness(bare.recipe) is None:
        return
    if rows is None:
        count = len(next(iter(calibration.left_out.values())))
        raise Misfit(f"the model does not hold its {count:,} rows of fit; give normals=, rows that it has not learnt.")
    if calibration.held_out:
        raise Misfit("the detector was calibrated with normals that it does not hold; give them again as normals=.")


def raw(model: Model, x: Tensor) -> Totals:
    """Raw totals `(n,)` of every member."""
    with torch.inference_mode():
        return model.raw(x.double())
