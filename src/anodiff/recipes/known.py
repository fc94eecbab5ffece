r"""A handful of known anomalies: which scores see them, and what is like them,

.. math:: w_m \propto e^{\beta A_m}, \quad
          A_m = \operatorname{mean}_i P\big(a_m(X) < a_m(e_i) \mid X \text{ normal}\big),

so a score that ranks the known anomalies e_i below many normals loses its voice. Beside the scores stands the likeness
to the known anomalies. Both constants were chosen on the 26 development tables.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from anodiff.diffusion.denoise import Denoiser
from anodiff.diffusion.empirical import Empirical
from anodiff.diffusion.transform import Transformed
from anodiff.recipes.build import score
from anodiff.recipes.grow import Totals, raw_totals
from anodiff.recipes.schema import Recipe
from anodiff.recipes.specs import EmpiricalSpec, ScoreSpec
from anodiff.scores.base import AnomalyScore
from anodiff.scores.combine import Panel
from anodiff.scores.likeness import Likeness
from anodiff.scores.reconstruction import Residual
from anodiff.scores.space import Inside

SHARPNESS = 20.0
PULL = 0.5
FLOOR = 0.01
"""The floor of the likeness, as a share of the median squared distance of normals."""
KNOWN, LIKENESS = "known", "likeness"


def strangers(recipe: Recipe) -> Recipe:
    """The recipe as it was before it met known anomalies."""
    return recipe.only(name for name, asked in recipe.scores.items() if asked.use != "likeness")


def seen(left_out: Totals, known: Totals) -> dict[str, float]:
    """Per score the mean share of normals `(n,)` that lie below a known anomaly `(k,)`, ties counted half."""
    found = {}
    for name, normal in left_out.items():
        order = np.sort(normal)
        below, upto = (np.searchsorted(order, known[name], side=side) for side in ("left", "right"))
        found[name] = float(np.mean(below + upto)) / (2 * len(order))
    return found


def weighed(recipe: Recipe, left_out: Totals, known: Totals) -> Recipe:
    """The recipe with its voters and its reserve weighed by what they see; the weights add up to 1."""
    asked = (*recipe.voters, *recipe.reserve)
    share = seen({name: left_out[name] for name in asked}, known)
    raw = {name: np.exp(SHARPNESS * (share[name] - max(share.values()))) for name in asked}
    weights = {name: float(value / sum(raw.values())) for name, value in raw.items()}
    scores = {k: s.model_copy(update={"weight": weights.get(k, s.weight)}) for k, s in recipe.scores.items()}
    return recipe.model_copy(update={"scores": scores})


@dataclass(frozen=True)
class Parts:
    """What becomes a model: recipe, denoisers, scores, and raw totals of the left-out rows and the known anomalies."""

    recipe: Recipe
    panel: Panel
    members: Mapping[str, AnomalyScore]
    left_out: Totals
    known: Totals


def acquainted(parts: Parts, rows: Tensor, alone: Tensor) -> Parts:
    """Add the likeness to the known anomalies `rows` `(k, d)`, each of which is judged without its own help.

    `alone` `(n, d)` are the rows of fit, to be held against the known anomalies. A recipe that names no distance to
    normal rows comes back as it is.
    """
    recipe, panel, far = parts.recipe, parts.panel, parts.recipe.likeness
    spec = recipe.denoisers.get(str(recipe.scores[far].of)) if far in recipe.scores else None
    if far is None or not isinstance(spec, EmpiricalSpec):
        return parts
    alike = EmpiricalSpec(
        use="empirical", neighbours=1, references=max(10, len(rows)), transform=spec.transform, trim=0
    )
    known = beside(panel[str(recipe.scores[far].of)], rows)
    floor = FLOOR * max(float(np.median(parts.left_out[far])), 1e-12)
    settings = {"normal": recipe.scores[far].of, "known": KNOWN, "floor": floor}
    asked = ScoreSpec(use="likeness", weight=PULL, settings=settings)
    richer = recipe.model_copy(
        update={"denoisers": {**recipe.denoisers, KNOWN: alike}, "scores": {**recipe.scores, LIKENESS: asked}}
    )
    ratio = Likeness(str(settings["normal"]), KNOWN, floor).of
    distance = Inside(Residual([20.0], power=0.0, spread=True))
    among = torch.arange(len(rows)) if len(rows) > 1 else None
    like = ratio(parts.left_out[far], raw_totals(distance, known, alone))
    each = ratio(parts.known[far], raw_totals(distance, known, rows, among))
    return Parts(
        richer,
        Panel({**{name: panel[name] for name in panel.denoisers}, KNOWN: known}),
        {**parts.members, LIKENESS: score(asked, rows.shape[1], panel.schedule, 0)},
        {**parts.left_out, LIKENESS: like},
        {**parts.known, LIKENESS: each if len(rows) > 1 else np.full(1, np.median(like))},
    )


def beside(normal: Denoiser, rows: Tensor) -> Denoiser:
    """Known anomalies `(k, d)` as a denoiser in the coordinates of another, of normal rows."""
    if isinstance(normal, Transformed):
        return Transformed(Empirical(normal.transform(rows), normal.schedule, neighbours=1), normal.transform)
    return Empirical(rows, normal.schedule, neighbours=1)
