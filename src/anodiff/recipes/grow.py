"""Fit the parts of a recipe, and score each row of normal data as if it had not been there.

Three ways to leave a row out, by what it costs: the empirical denoiser skips the row itself, exactly; a covariance or a
transform is fitted ten times, each without a tenth; a network is trained on two to four folds. Then all are fitted on
everything.

Where anomalies may be among the rows, denoisers are not shown the most suspicious ones: what was trimmed from a
denoiser is judged by it as new.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from anodiff.diffusion.denoise import WEIGHTS, Denoiser
from anodiff.recipes.build import (
    Silent,
    denoiser,
    empirical,
    references,
    schedule,
    score,
)
from anodiff.recipes.schema import Recipe
from anodiff.recipes.specs import DenoiserSpec, EmpiricalSpec, GaussianSpec, MixtureSpec, NetworkSpec
from anodiff.scores.base import AnomalyScore
from anodiff.scores.combine import Hybrid, On, Panel
from anodiff.scores.time import CategoricalTime, InverseGammaTime
from anodiff.training import Loss, Step, batches, denoising, one_thread, train

Totals = dict[str, np.ndarray]
FOLDS = 10
CHUNK = 2048


@dataclass(frozen=True)
class Progress:
    """How far a fit is: training steps done, of how many, and what is being done."""

    done: int
    of: int
    stage: str


def network_folds(rows: int) -> int:
    """Folds to train a network on: many where data is scarce."""
    return 4 if rows <= 500 else 3 if rows <= 2_000 else 2


def network_steps(spec: NetworkSpec, rows: int) -> int:
    """Training steps: fewer for small tables, which are soon learnt by heart."""
    return min(spec.steps, 200 + rows)


def networks(recipe: Recipe) -> list[NetworkSpec]:
    """The networks of a recipe."""
    nets = [spec for spec in recipe.denoisers.values() if isinstance(spec, NetworkSpec)]
    return nets + [asked.net for asked in recipe.scores.values() if asked.net is not None]


def planned_steps(recipe: Recipe, rows: int) -> int:
    """Training steps of `left_out` and `grow` together, give or take a fold's rounding."""
    folds = min(rows, network_folds(rows))
    sizes = [rows, *(rows - (rows - k + folds - 1) // folds for k in range(folds))]
    return sum(network_steps(net, size) for net in networks(recipe) for size in sizes)


@dataclass(frozen=True)
class Doubt:
    """How suspicious each row of fit is `(n,)`, and the share of anomalies that is feared among them."""

    suspicion: np.ndarray
    contamination: float

    def spares(self, spec: DenoiserSpec) -> Tensor:
        """Which rows the part is shown `(n,)`: all but the most suspicious."""
        given = getattr(spec, "trim", None)
        trim = self.contamination if given is None else given and max(given, self.contamination)
        rank = np.argsort(np.argsort(self.suspicion, kind="stable"))
        least = min(len(rank), 2 + (spec.neighbours or 1)) if isinstance(spec, EmpiricalSpec) else 2
        return torch.from_numpy(rank < max(least, round((1 - trim) * len(rank))))


def grow(
    recipe: Recipe, x: Tensor, seed: int, doubt: Doubt | None = None
) -> Generator[Step, None, tuple[Panel, Hybrid]]:
    """Fit every part on `x` `(n, d)`: yields steps, returns the panel and the hybrid, not yet scaled."""
    process = schedule(recipe)
    panel: dict[str, Denoiser] = {}
    for name, spec in recipe.denoisers.items():
        shown = x[_shown(spec, len(x), doubt)]
        panel[name] = denoiser(_own_trim(spec, doubt), shown, process, seed)
        yield from train_part(panel[name], spec, shown, seed)
    members: dict[str, AnomalyScore] = {}
    for name, asked in recipe.scores.items():
        made = score(asked, x.shape[1], process, seed)
        if asked.net is not None:
            yield from train_part(made, asked.net, x[_shown(asked.net, len(x), doubt)], seed)
        members[name] = made if asked.of is None else On(asked.of, made)
    weights = {name: asked.weight for name, asked in recipe.scores.items()}
    return Panel(panel or {"none": Silent(process)}), Hybrid(members, weights)


def left_out(
    recipe: Recipe, x: Tensor, seed: int, alone: Tensor | None = None, doubt: Doubt | None = None
) -> Generator[Step, None, Totals]:
    """Raw totals per score of each row of `x` `(n, d)`, as if it had not been there: yields steps, returns totals.

    `alone` `(n, d)` are the same rows, encoded as if the encoding had not seen them either; x itself by default.
    """
    alone = x if alone is None else alone
    process = schedule(recipe)
    totals = {name: np.zeros(len(x)) for name in recipe.scores}
    for name, spec in recipe.denoisers.items():
        asking = {k: score(s, x.shape[1], process, seed) for k, s in recipe.scores.items() if s.of == name}
        for rest, out in _folds(spec, len(x), seed, doubt):
            if isinstance(spec, EmpiricalSpec):
                shown = _shown(spec, len(x), doubt)
                kept = shown[references(spec, len(shown), seed)]
                judge, itself = empirical(spec, x[kept], x[rest], process), _places(kept, len(x))[out]
            else:
                judge, itself = denoiser(_own_trim(spec, doubt), x[rest], process, seed, len(x)), None
            yield from train_part(judge, spec, x[rest], seed)
            for k, question in asking.items():
                totals[k][out.numpy()] = raw_totals(question, judge, alone[out], itself)
    for name, asked in recipe.scores.items():
        if asked.net is not None:
            for rest, out in _folds(asked.net, len(x), seed, doubt):
                question = score(asked, x.shape[1], process, seed)
                yield from train_part(question, asked.net, x[rest], seed)
                totals[name][out.numpy()] = raw_totals(question, Silent(process), alone[out])
    return totals


def raw_totals(question: AnomalyScore, judge: Denoiser, x: Tensor, itself: Tensor | None = None) -> np.ndarray:
    """Totals `(n,)` of a score on `x` `(n, d)`, in double precision and small batches."""
    found = []
    for start in range(0, len(x), CHUNK):
        own = {} if itself is None else {"itself": itself[start : start + CHUNK]}
        found.append(question(judge, x[start : start + CHUNK].double(), **own).total.detach())
    return torch.cat(found).numpy()


def _folds(spec: DenoiserSpec, rows: int, seed: int, doubt: Doubt | None) -> Iterator[tuple[Tensor, Tensor]]:
    """Pairs of places: fitted on, left out. An empirical denoiser leaves single rows out by itself."""
    shown = torch.zeros(rows, dtype=torch.bool)
    shown[_shown(spec, rows, doubt)] = True
    everything = torch.arange(rows)
    if isinstance(spec, EmpiricalSpec) and (spec.transform is None or spec.transform.use == "squashed"):
        yield everything[shown], everything
        return
    count = min(rows, network_folds(rows) if isinstance(spec, NetworkSpec) else FOLDS)
    fold = torch.randperm(rows, generator=torch.Generator().manual_seed(seed)) % count
    for k in range(count):
        rest = everything[(fold != k) & shown]
        yield rest if len(rest) else everything[fold != k], everything[fold == k]


def _shown(spec: DenoiserSpec, rows: int, doubt: Doubt | None) -> Tensor:
    """Places of the rows that a part is shown, in order; Gaussians and mixtures are shown all."""
    if doubt is None or isinstance(spec, GaussianSpec | MixtureSpec):
        return torch.arange(rows)
    return doubt.spares(spec).nonzero()[:, 0]


def _own_trim(spec: DenoiserSpec, doubt: Doubt | None) -> DenoiserSpec:
    """A Gaussian trims by its own measure: what it is told to, or as much as is feared."""
    if not isinstance(spec, GaussianSpec) or spec.trim == 0 or doubt is None:
        return spec
    return spec.model_copy(update={"trim": max(spec.trim or 0.0, doubt.contamination)})


def _places(kept: Tensor, rows: int) -> Tensor:
    """Of each row, its place among the `kept` ones, or -1."""
    places = torch.full((rows,), -1)
    places[kept] = torch.arange(len(kept))
    return places


def train_part(part: Denoiser | AnomalyScore, spec: DenoiserSpec | None, x: Tensor, seed: int) -> Iterator[Step]:
    """Train a part that has a network; others are fitted already."""
    if not isinstance(spec, NetworkSpec) or not isinstance(part, nn.Module):
        return
    generator = torch.Generator().manual_seed(seed)
    steps = network_steps(spec, len(x))
    if isinstance(part, CategoricalTime | InverseGammaTime):
        loss: Loss = part.loss
    else:
        loss = denoising(part, spec.between, WEIGHTS[spec.weight])
    with one_thread():
        yield from train(part, loss, batches(x, spec.batch, steps, generator), steps, generator, spec.lr)
