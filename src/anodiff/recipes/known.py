r"""A handful of known anomalies: which scores see them, and what is like them,

.. math:: w_m \propto e^{\beta A_m}, \quad
          A_m = \operatorname{mean}_i P\big(a_m(X) < a_m(e_i) \mid X \text{ normal}\big),

so a score that ranks the known anomalies e_i below many normals loses its voice. Beside the scores stand the likeness
to the known anomalies and a leaning towards them. The constants were chosen on the development tables; a pull of 1
gains more there, and loses on fresh ones of more columns than rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from anodiff.diffusion.denoise import Denoiser
from anodiff.diffusion.empirical import Empirical
from anodiff.diffusion.transform import Transformed
from anodiff.recipes.build import Silent, score
from anodiff.recipes.grow import FOLDS, Totals, raw_totals
from anodiff.recipes.schema import Recipe
from anodiff.recipes.specs import OF_THE_PANEL, EmpiricalSpec, ScoreSpec
from anodiff.scores.base import AnomalyScore
from anodiff.scores.combine import Panel
from anodiff.scores.leaning import Leaning
from anodiff.scores.likeness import Likeness
from anodiff.scores.reconstruction import Residual
from anodiff.scores.space import Inside
from anodiff.types import Misfit

SHARPNESS = 20.0
PULL = 0.5
LEAN = 0.3
FLOOR = 0.01
"""The floor of the likeness, as a share of the median squared distance of normals."""
KNOWN, LIKENESS = "known", "likeness"
MADE, RESEMBLANCE = "made", "resemblance"
LEANING = "leaning"


def strangers(recipe: Recipe) -> Recipe:
    """The recipe as it was before it met known anomalies."""
    return recipe.only(name for name, asked in recipe.scores.items() if asked.use not in OF_THE_PANEL)


def counted(weights: Any, count: int) -> np.ndarray:
    """Weights `(k,)` of known anomalies over the largest; all 1 where none are given.

    Raises:
        Misfit: they are not one for each, 0 or more, and some above.

    >>> counted([2, -1], 2)
    Traceback (most recent call last):
    ...
    anodiff.types.Misfit: weights lie from -1 to 2; give numbers of 0 or more, and one above 0.
    """
    own = np.ones(count) if weights is None else np.asarray(weights, dtype=np.float64)
    if own.shape != (count,):
        given = f"{len(own)} weights" if own.ndim == 1 else f"weights of shape {own.shape}"
        raise Misfit(f"{given} for {count} examples; give one for each, 1 for a real one, less for a made one.")
    if not np.isfinite(own).all() or own.min() < 0 or own.max() <= 0:
        raise Misfit(f"weights lie from {own.min():g} to {own.max():g}; give numbers of 0 or more, and one above 0.")
    return np.asarray(own / own.max())


def seen(left_out: Totals, known: Totals, weights: np.ndarray | None = None) -> dict[str, float]:
    """Per score the mean share of normals `(n,)` that lie below a known anomaly `(k,)`, ties counted half.

    The mean is over the known anomalies, by their weights `(k,)`.
    """
    found = {}
    for name, normal in left_out.items():
        order = np.sort(normal)
        below, upto = (np.searchsorted(order, known[name], side=side) for side in ("left", "right"))
        found[name] = float(np.average(below + upto, weights=weights)) / (2 * len(order))
    return found


def weighed(recipe: Recipe, left_out: Totals, known: Totals, weights: np.ndarray | None = None) -> Recipe:
    """The recipe with its voters and its reserve weighed by what they see; the weights add up to 1."""
    asked = (*recipe.voters, *recipe.reserve)
    share = seen({name: left_out[name] for name in asked}, known, weights)
    raw = {name: np.exp(SHARPNESS * (share[name] - max(share.values()))) for name in asked}
    voices = {name: float(value / sum(raw.values())) for name, value in raw.items()}
    scores = {k: s.model_copy(update={"weight": voices.get(k, s.weight)}) for k, s in recipe.scores.items()}
    return recipe.model_copy(update={"scores": scores})


@dataclass(frozen=True)
class Parts:
    """What becomes a model: recipe, denoisers, scores, and raw totals of the left-out rows and the known anomalies."""

    recipe: Recipe
    panel: Panel
    members: Mapping[str, AnomalyScore]
    left_out: Totals
    known: Totals


def acquainted(parts: Parts, rows: Tensor, alone: Tensor, weights: np.ndarray | None = None) -> Parts:
    """Add the likeness to the known anomalies `rows` `(k, d)` and the leaning; each is judged without its own help.

    `alone` `(n, d)` are the rows of fit, to be held against the known anomalies. What weighs less than 1 was made: it
    stands in a likeness of its own, which takes as much of the pull as it weighs beside the others, and these alone are
    known. A recipe that names no distance to normal rows stays as it is.
    """
    weights = np.ones(len(rows)) if weights is None else weights
    real = weights == 1
    parts = replace(parts, known={name: raw[real] for name, raw in parts.known.items()})
    if nearness(parts.recipe) is None:
        return parts
    voice = min(1.0, float(weights[~real].sum() / weights[real].sum()))
    found = like(parts, rows[real], alone, (KNOWN, LIKENESS), PULL / (1 + voice), rows[real])
    if voice:
        found = like(found, rows[~real], alone, (MADE, RESEMBLANCE), PULL * voice / (1 + voice))
    return leaning(found, rows, alone, weights)


def nearness(recipe: Recipe) -> EmpiricalSpec | None:
    """The rows that the score of the recipe's `likeness` asks; None where there is no such score."""
    far = recipe.likeness
    spec = recipe.denoisers.get(str(recipe.scores[far].of)) if far in recipe.scores else None
    return spec if isinstance(spec, EmpiricalSpec) else None


def like(
    parts: Parts, rows: Tensor, alone: Tensor, names: tuple[str, str], pull: float, own: Tensor | None = None
) -> Parts:
    """Add a denoiser of anomalies `rows` `(k, d)` and the likeness to them, by `names`.

    Where they are the known ones themselves, `own`, each is judged without its own help; else known ones are said to
    be no more like them than the median normal row.
    """
    recipe, panel, far = parts.recipe, parts.panel, str(parts.recipe.likeness)
    spec, of = cast(EmpiricalSpec, nearness(recipe)), str(recipe.scores[far].of)
    alike = EmpiricalSpec(
        use="empirical", neighbours=1, references=max(10, len(rows)), transform=spec.transform, trim=0
    )
    known = beside(panel[of], rows)
    floor = FLOOR * max(float(np.median(parts.left_out[far])), 1e-12)
    asked = ScoreSpec(use="likeness", weight=pull, settings={"normal": of, "known": names[0], "floor": floor})
    richer = recipe.model_copy(
        update={"denoisers": {**recipe.denoisers, names[0]: alike}, "scores": {**recipe.scores, names[1]: asked}}
    )
    ratio = Likeness(of, names[0], floor).of
    distance = Inside(Residual([20.0], power=0.0, spread=True))
    normal = ratio(parts.left_out[far], raw_totals(distance, known, alone))
    each = np.full(len(parts.known[far]), np.median(normal))
    if own is not None and len(own) > 1:
        each = ratio(parts.known[far], raw_totals(distance, known, own, torch.arange(len(own))))
    return Parts(
        richer,
        Panel({**{name: panel[name] for name in panel.denoisers}, names[0]: known}),
        {**parts.members, names[1]: score(asked, rows.shape[1], panel.schedule, 0)},
        {**parts.left_out, names[1]: normal},
        {**parts.known, names[1]: each},
    )


def leaning(parts: Parts, rows: Tensor, alone: Tensor, weights: np.ndarray) -> Parts:
    """Add the direction of known anomalies `rows` `(k, d)`; each of weight 1 is judged without its own help.

    Normal rows are judged by directions that a tenth of them each had no part in.
    """
    asked = ScoreSpec(use="leaning", weight=LEAN, settings={"width": rows.shape[1]})
    nobody, shares, real = Silent(parts.panel.schedule), torch.from_numpy(weights), torch.from_numpy(weights == 1)

    def fitted(normal: Tensor, known: Tensor, own: Tensor) -> Leaning:
        return Leaning(rows.shape[1]).fit(normal, known, own)

    left_out, fold = np.zeros(len(alone)), torch.arange(len(alone)) % FOLDS
    for k in range(min(FOLDS, len(alone))):
        part = fitted(alone[fold != k], rows, shares)
        left_out[(fold == k).numpy()] = raw_totals(part, nobody, alone[fold == k])
    known, each = rows[real], np.full(int(real.sum()), np.median(left_out))
    if len(known) > 1:
        others = [known[torch.arange(len(known)) != i] for i in range(len(known))]
        parts_of = [fitted(alone, rest, torch.ones(len(rest), dtype=torch.float64)) for rest in others]
        each = np.array([raw_totals(p, nobody, one[None])[0] for p, one in zip(parts_of, known, strict=True)])
    return Parts(
        parts.recipe.model_copy(update={"scores": {**parts.recipe.scores, LEANING: asked}}),
        parts.panel,
        {**parts.members, LEANING: fitted(alone, rows, shares)},
        {**parts.left_out, LEANING: left_out},
        {**parts.known, LEANING: each},
    )


def beside(normal: Denoiser, rows: Tensor) -> Denoiser:
    """Known anomalies `(k, d)` as a denoiser in the coordinates of another, of normal rows."""
    if isinstance(normal, Transformed):
        return Transformed(Empirical(normal.transform(rows), normal.schedule, neighbours=1), normal.transform)
    return Empirical(rows, normal.schedule, neighbours=1)
