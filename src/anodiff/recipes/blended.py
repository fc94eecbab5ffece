r"""Recipes of several kinds of data at once: models of records of several parts, and what they say of records left out.

Three questions are put to a model: how unlikely is a part by itself, how much less likely is it given the rest,

.. math:: a_p = -\log p(x_p), \qquad g_p = \log p(x_p) - \log p(x_p \mid x_{-p}), \qquad a = -\log p(x_1, \dots, x_P) ,

and how unlikely are all together. A part that is missing is asked nothing and tells nothing. How much the word of
:math:`g_p` is worth is found without an anomaly: by how well it tells records left out from the same records with
another record's part p in the place of their own.
"""

import itertools
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import torch
from torch import Tensor

from anodiff.diffusion.parted import GaussianParts, Parts, RowParts
from anodiff.metrics.ranking import auroc
from anodiff.recipes.blended_latents import Latents
from anodiff.recipes.blended_views import Views
from anodiff.recipes.build import question, references, revive_gaussian, schedule
from anodiff.recipes.schema import Recipe
from anodiff.recipes.specs import EmpiricalSpec, FusionSpec, GaussianSpec
from anodiff.scores.base import AnomalyScore
from anodiff.training import Step
from anodiff.types import BadModel, Misfit

Pattern = tuple[int, ...]
"""The parts that are there, by place."""
BLOCK = 512
RIVALS = 1000
"""Records that others are compared with, at most."""
GIVEN = ("given", "rivals")
VIEWS = "views"
"""The question whether a picture is what its reference leads to expect."""
FEW_PARTS = 4
"""Up to so many parts every pattern of missing ones is calibrated."""
SAME = 1e-6


@dataclass(frozen=True)
class Asked:
    """One question: a score, read of a `part`, of it `given` the rest or by its `rivals`, or of all `together` (-1).

    Of two views of one thing, the part is the tested one.
    """

    score: str
    read: str
    part: int
    reference: int = -1

    def fits(self, pattern: Pattern) -> bool:
        """Whether it can be put to records with these parts."""
        if self.read == "part":
            return self.part in pattern
        if self.read == VIEWS:
            return self.part in pattern and self.reference in pattern
        return len(pattern) > 1 and (self.read == "together" or self.part in pattern)


def asked_of(recipe: Recipe, parts: int, view: tuple[int, int] | None = None) -> list[Asked]:
    """The questions of a recipe for so many parts; of a single one, it is asked for itself alone.

    Where two parts are views of one thing, reference and tested, that is the last question.
    """
    found = []
    for name, spec in recipe.scores.items():
        if spec.read == "together":
            found.append(Asked(name, "together", -1))
        else:
            found += [Asked(name, spec.read, p) for p in range(parts)]
    alone = [Asked(name, "part", 0) for name in recipe.scores]
    some = [each for each in found if parts > 1 or each.read == "part"]
    return (some or alone) + ([] if view is None else [Asked(VIEWS, VIEWS, view[1], view[0])])


def patterns_of(present: np.ndarray) -> list[Pattern]:
    """The patterns that are calibrated: all of few parts; else those of fit `(n, P)`, single parts, and all but one."""
    count = present.shape[1]
    if count <= FEW_PARTS:
        sizes = range(1, count + 1)
        return [pattern for size in sizes for pattern in itertools.combinations(range(count), size)]
    whole = tuple(range(count))
    met = {tuple(np.flatnonzero(row).tolist()) for row in np.unique(present, axis=0) if row.any()}
    single = {(p,) for p in whole}
    lacking = {tuple(q for q in whole if q != p) for p in whole}
    return sorted(met | single | lacking | {whole}, key=lambda pattern: (len(pattern), pattern))


@dataclass(frozen=True)
class Blended:
    """A fitted model of records: codes, and denoisers of their parts.

    Attributes:
        recipe: How it was built.
        latents: Features to codes.
        panel: Models of the parts, by name of the recipe's denoisers.
        others: Codes of some normal records `(m, D)`, whose parts are rivals.
        having: Which parts those have `(m, P)`.
        views: Of a picture given its reference, where there are such.
    """

    recipe: Recipe
    latents: Latents
    panel: Mapping[str, Parts]
    others: Tensor
    having: Tensor
    views: Views | None = None

    def said(self, x: Tensor, asked: Sequence[Asked], pattern: Pattern, swapped: Tensor | None = None) -> np.ndarray:
        """Answers `(n, questions)` float64 on features `(n, F)` that have all parts of a pattern; NaN where unfit.

        Behind the features stands what views say, where there are any.

        Where features are given that are `swapped`, each question is of its own part of those, given the rest of x.
        """
        present = torch.zeros(len(x), len(self.latents.means), dtype=torch.bool)
        present[:, list(pattern)] = True
        width = sum(map(len, self.latents.means))
        z = self.latents(x[:, :width], present)
        other = z if swapped is None else self.latents(swapped[:, :width], present)
        found = np.full((len(x), len(asked)), np.nan)
        for k, each in enumerate(asked):
            if each.read == VIEWS:
                found[:, k] = x[:, width] if each.fits(pattern) and swapped is None else np.nan
            elif each.fits(pattern) and (swapped is None or each.read in GIVEN):
                for start in range(0, len(x), BLOCK):
                    part = slice(start, start + BLOCK)
                    found[part, k] = self._answer(each, z[part], other[part], pattern)
        return found

    def _answer(self, each: Asked, z: Tensor, own: Tensor, pattern: Pattern) -> np.ndarray:
        spec = self.recipe.scores[each.score]
        model, score = self.panel[str(spec.of)], question(spec)
        with torch.no_grad():
            if each.read == "together":
                return _total(score, model.together(pattern), z[:, model.cells(pattern)])
            x = own[:, model.cells([each.part])]
            alone = _total(score, model.together([each.part]), x)
            if each.read == "part":
                return alone
            rest = [p for p in pattern if p != each.part]
            if each.read == "rivals":
                return self._rivals(each, z, x, rest, float(getattr(score, "level", 0.0)))
            return np.asarray(_total(score, model.given(each.part, z, rest), x) - alone)

    def _rivals(self, each: Asked, z: Tensor, x: Tensor, rest: Sequence[int], level: float) -> np.ndarray:
        """The share of other records' parts that would fit the rest better."""
        model = self.panel[str(self.recipe.scores[each.score].of)]
        others = self.others[self.having[:, each.part]][:, model.cells([each.part])]
        own = model.fits(each.part, z, rest, x, level, each=True)
        better = model.fits(each.part, z, rest, others, level) > own
        return np.asarray(better.double().mean(1).numpy(), np.float64)


def _total(score: AnomalyScore, denoiser: object, x: Tensor) -> np.ndarray:
    return np.asarray(score(denoiser, x.double()).total.numpy(), np.float64)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Seen:
    """Normal records to learn from.

    Attributes:
        x: Features `(n, F)`, behind them what views say of each, left out.
        present: Which parts each has `(n, P)`.
        widths: Features of each part.
        fold: Of each record `(n,)`.
        kept: Whether each may be learnt from `(n,)` bool.
        views: Of a picture given its reference, where there are such.
        view: The places of reference and tested among the parts.
    """

    x: Tensor
    present: np.ndarray
    widths: Sequence[int]
    fold: np.ndarray
    kept: np.ndarray
    views: Views | None = None
    view: tuple[int, int] | None = None


@dataclass(frozen=True)
class Heard:
    """What was said of records with the parts of one pattern, and of no others.

    Attributes:
        places: Of the records `(m,)` among all of fit that have these parts.
        said: Answers `(m, questions)`, each by a model that had not seen the record; NaN where a question does not fit.
        told: How well each question tells records from mixed ones `(questions,)`, as AUROC; NaN where it cannot.
    """

    places: np.ndarray
    said: np.ndarray
    told: np.ndarray


@dataclass(frozen=True)
class Grown:
    """A model fitted on everything, and what models of folds said of the records that they had not seen."""

    whole: Blended
    asked: list[Asked]
    heard: dict[Pattern, Heard]
    losses: list[float] = field(default_factory=list)


def grow_blended(recipe: Recipe, seen: Seen, seed: int) -> Generator[Step, None, Grown]:
    """Fit on the records that are kept, and on all but each fold, which is then judged.

    Raises:
        Misfit: a score is not a number on some records.
    """
    asked = asked_of(recipe, len(seen.widths), seen.view)
    folds = np.unique(seen.fold)
    turns = [
        (seen.kept & (seen.fold != fold), np.flatnonzero(seen.fold == fold)) if len(folds) > 1 else (seen.kept, folds)
        for fold in folds
    ]
    models = []
    whole = yield from fitted(recipe, seen, seen.kept, seed)
    for number, (rest, _) in enumerate(turns):
        yield Step(number, len(turns) + 1, 0.0)
        models.append((yield from fitted(recipe, seen, rest, seed, whole.latents.widths)))
    heard = {
        pattern: _heard(asked, pattern, seen, [(m, out) for m, (_, out) in zip(models, turns, strict=True)], seed)
        for pattern in patterns_of(seen.present)
    }
    for pattern, each in heard.items():
        fits = [k for k, question in enumerate(asked) if question.fits(pattern)]
        if not np.isfinite(each.said[:, fits]).all():
            raise Misfit(f"a score of recipe {recipe.name!r} is not a number on some records; choose another.")
    return Grown(whole, asked, heard)


def fitted(
    recipe: Recipe, seen: Seen, rows: np.ndarray, seed: int, counts: Sequence[int] | None = None
) -> Generator[Step, None, Blended]:
    """A model of some records `(n,)` bool, of codes of so many cells."""
    fusion = cast(FusionSpec, recipe.fusion)
    x, present = seen.x[rows, : sum(seen.widths)], torch.from_numpy(seen.present[rows])
    latents = Latents.fit(x, present, seen.widths, fusion.share, fusion.most, counts)
    z, process = latents(x, present), schedule(recipe)
    panel: dict[str, Parts] = {}
    for name, spec in recipe.denoisers.items():
        if isinstance(spec, EmpiricalSpec):
            kept = references(spec, len(z), seed)
            panel[name] = RowParts(z[kept], present[kept], latents.widths, process)
        elif isinstance(spec, GaussianSpec):
            panel[name] = GaussianParts.fit(z, present, latents.widths, process, fusion.apart)
        else:
            raise Misfit(f"denoiser {name} is no model of several parts; choose empirical or gaussian.")
    yield from ()
    some = torch.linspace(0, len(z) - 1, min(len(z), RIVALS)).long()
    return Blended(recipe, latents, panel, z[some], present[some], seen.views)


def revived(recipe: Recipe, name: str, arrays: Mapping[str, np.ndarray], widths: Sequence[int]) -> Parts:
    """A saved model of parts of so many cells."""
    spec, process, cells = recipe.denoisers[name], schedule(recipe), sum(widths)
    if isinstance(spec, EmpiricalSpec):
        rows, present = torch.from_numpy(arrays["rows"]), torch.from_numpy(arrays["present"])
        if rows.ndim != 2 or rows.shape[1] != cells or present.shape != (len(rows), len(widths)):
            raise BadModel(f"the rows of {name} have shape {tuple(rows.shape)}, where {cells} cells were expected.")
        return RowParts(rows, present.bool(), widths, process)
    inside = {key.removeprefix("gaussian."): value for key, value in arrays.items()}
    return GaussianParts(revive_gaussian(inside, process, cells), widths)


def _heard(
    asked: Sequence[Asked], pattern: Pattern, seen: Seen, models: Sequence[tuple[Blended, np.ndarray]], seed: int
) -> Heard:
    there = np.asarray(seen.present[:, list(pattern)].all(1))
    places, said, mixed = list[np.ndarray](), list[np.ndarray](), list[np.ndarray]()
    for model, out in models:
        own = out[there[out]]
        if len(own):
            places.append(own)
            said.append(model.said(seen.x[own], asked, pattern))
            mixed.append(_mixed(model, asked, pattern, seen, own, seed))
    empty = np.zeros((0, len(asked)))
    joined, others = np.concatenate([empty, *said]), np.concatenate([empty, *mixed])
    told = np.array([told_apart(a[np.isfinite(b)], b[np.isfinite(b)]) for a, b in zip(joined.T, others.T, strict=True)])
    return Heard(np.concatenate([np.zeros(0, np.int64), *places]), joined, told)


def _mixed(
    model: Blended, asked: Sequence[Asked], pattern: Pattern, seen: Seen, own: np.ndarray, seed: int
) -> np.ndarray:
    """Answers on the same records, each with another's part; NaN where the other's is the same."""
    draw = np.random.default_rng([seed, len(own)])
    other = own[(np.arange(len(own)) + draw.integers(1, max(2, len(own)))) % len(own)]
    found = model.said(seen.x[own], asked, pattern, seen.x[other])
    starts = np.cumsum([0, *seen.widths])
    for k, each in enumerate(asked):
        if each.read in GIVEN:
            at = slice(starts[each.part], starts[each.part + 1])
            same = (seen.x[own][:, at] - seen.x[other][:, at]).abs().amax(1) < SAME
            found[same.numpy(), k] = np.nan
    return found


def told_apart(normal: np.ndarray, mixed: np.ndarray) -> float:
    """AUROC of mixed records `(m,)` among normal ones `(m,)`; NaN where there are none."""
    if not len(normal) or not np.isfinite(normal).all():
        return float("nan")
    return auroc(np.repeat([0, 1], [len(normal), len(mixed)]), np.concatenate([normal, mixed]))


def steps(growing: Generator[Step, None, Grown]) -> Iterator[Step]:
    """The steps alone."""
    yield from growing
