"""From a recipe and normal data to a panel of denoisers, a hybrid score, and scores of rows that were left out.

Three ways to leave a row out, by what it costs: the empirical denoiser skips the row itself, exactly; a covariance is
fitted ten times, each without a tenth; a network is trained on two to five folds. Then all are fitted on everything.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from anodiff.diffusion.coloured import Coloured, Whitening
from anodiff.diffusion.denoise import (
    WEIGHTS,
    DataPredicting,
    Denoiser,
    Learnt,
    NoisePredicting,
    Preconditioned,
    VelocityPredicting,
)
from anodiff.diffusion.exact import Empirical, Gaussian
from anodiff.diffusion.noise import SCHEDULES, Schedule
from anodiff.nets.mlp import MLP, seeded
from anodiff.recipes.schema import EmpiricalSpec, GaussianSpec, NetworkSpec, Recipe, ScoreSpec
from anodiff.scores import SCORES
from anodiff.scores.base import AnomalyScore
from anodiff.scores.combine import Hybrid, On, Panel
from anodiff.scores.space import Whitened
from anodiff.scores.time import CategoricalTime
from anodiff.training import Step, batches, denoising, train
from anodiff.types import Misfit

PREDICTIONS: dict[str, type[Learnt]] = {
    "edm": Preconditioned,
    "noise": NoisePredicting,
    "data": DataPredicting,
    "velocity": VelocityPredicting,
}
SPECTRAL_FOLDS = 10
CHUNK = 2048
DenoiserSpec = EmpiricalSpec | GaussianSpec | NetworkSpec


@dataclass(frozen=True)
class Progress:
    """How far a fit is: training steps done, of how many, and what is being done."""

    done: int
    of: int
    stage: str


def network_folds(rows: int) -> int:
    """Folds to train a network on: many where data is scarce."""
    return 5 if rows <= 2_000 else 3 if rows <= 5_000 else 2


def network_steps(spec: NetworkSpec, rows: int) -> int:
    """Training steps: fewer for small tables, which are soon learnt by heart."""
    return min(spec.steps, 200 + rows)


def schedule(recipe: Recipe) -> Schedule:
    """The recipe's schedule."""
    return _made(SCHEDULES[recipe.schedule.use], recipe.schedule.settings, "schedule")


def skeleton(spec: DenoiserSpec, x: Tensor, process: Schedule, seed: int) -> Denoiser:
    """A denoiser of `x` `(n, d)`; a network comes untrained."""
    if isinstance(spec, GaussianSpec):
        return Gaussian.fit(x, process)
    if isinstance(spec, EmpiricalSpec):
        return _empirical(spec, x[references(spec, len(x), seed)], x, process)
    net = seeded(MLP, seed, inputs=x.shape[1], outputs=x.shape[1], width=spec.width, depth=spec.depth)
    return PREDICTIONS[spec.predict](net, process)


def _empirical(spec: EmpiricalSpec, rows: Tensor, x: Tensor, process: Schedule) -> Denoiser:
    if spec.whiten is None:
        return Empirical(rows, process, neighbours=spec.neighbours)
    whitening = Whitening.of(Gaussian.fit(x, process), spec.whiten)
    return Coloured(Empirical(whitening(rows), process, neighbours=spec.neighbours), whitening)


def references(spec: EmpiricalSpec, rows: int, seed: int) -> Tensor:
    """Places of the rows that an empirical denoiser keeps, in order."""
    if rows <= spec.references:
        return torch.arange(rows)
    generator = torch.Generator().manual_seed(seed)
    return torch.randperm(rows, generator=generator)[: spec.references].sort().values


def score_alone(spec: ScoreSpec, x: Tensor, process: Schedule, seed: int) -> AnomalyScore:
    """A score of its spec; one with a network of its own comes untrained, sized for `x` `(n, d)`."""
    if spec.net is None:
        return Whitened(_made(SCORES[spec.use], spec.settings, spec.use))
    maker = SCORES[spec.use]
    outputs = spec.settings.get("bins", 20) if maker is CategoricalTime else 1
    net = seeded(MLP, seed, inputs=x.shape[1], outputs=outputs, width=spec.net.width, depth=spec.net.depth, levelled=False)
    return _made(maker, {**spec.settings, "net": net, "schedule": process}, spec.use)


def grow(recipe: Recipe, x: Tensor, seed: int) -> Iterator[Step | tuple[Panel, Hybrid]]:
    """Fit every part on `x` `(n, d)`: yields the steps of training and, last, the panel and the hybrid."""
    process = schedule(recipe)
    panel: dict[str, Denoiser] = {}
    for name, spec in recipe.denoisers.items():
        panel[name] = skeleton(spec, x, process, seed)
        yield from _trained(panel[name], spec, x, seed)
    members: dict[str, AnomalyScore] = {}
    for name, asked in recipe.scores.items():
        score = score_alone(asked, x, process, seed)
        yield from _trained(score, asked.net, x, seed)
        members[name] = score if asked.of is None else On(asked.of, score)
    yield Panel(panel), Hybrid(members, {name: asked.weight for name, asked in recipe.scores.items()})


def left_out(recipe: Recipe, x: Tensor, seed: int) -> Iterator[Step | dict[str, np.ndarray]]:
    """Raw totals per score for each row of `x` as if it had not been there: yields steps and, last, the totals `(n,)`."""
    process = schedule(recipe)
    totals = {name: np.zeros(len(x)) for name in recipe.scores}
    for name, spec in recipe.denoisers.items():
        asking = {k: score_alone(s, x, process, seed) for k, s in recipe.scores.items() if s.of == name and s.net is None}
        for rest, out in _folds(spec, x, seed):
            denoiser, itself = skeleton(spec, x[rest], process, seed), None
            if isinstance(spec, EmpiricalSpec):
                kept = references(spec, len(x), seed)
                denoiser, itself = _empirical(spec, x[kept], x[rest], process), _places(kept, len(x))[out]
            yield from _trained(denoiser, spec, x[rest], seed)
            for k, score in asking.items():
                totals[k][out.numpy()] = raw_totals(score, denoiser, x[out], itself)
    for name, asked in recipe.scores.items():
        if asked.net is not None:
            for rest, out in _folds(asked.net, x, seed):
                score = score_alone(asked, x[rest], process, seed)
                yield from _trained(score, asked.net, x[rest], seed)
                totals[name][out.numpy()] = raw_totals(score, _Nothing(process), x[out])
    yield totals


def planned_steps(recipe: Recipe, rows: int) -> int:
    """Training steps of `left_out` and `grow` together."""
    nets = [s for s in recipe.denoisers.values() if isinstance(s, NetworkSpec)]
    nets += [s.net for s in recipe.scores.values() if s.net is not None]
    folds = network_folds(rows)
    inside = rows - rows // folds
    return sum(network_steps(n, rows) + folds * network_steps(n, inside) for n in nets)


def raw_totals(score: AnomalyScore, denoiser: Denoiser, x: Tensor, itself: Tensor | None = None) -> np.ndarray:
    """Totals `(n,)` of a score on `x` `(n, d)`, in double precision and small batches."""
    found = []
    for start in range(0, len(x), CHUNK):
        own = {} if itself is None else {"itself": itself[start : start + CHUNK]}
        found.append(score(denoiser, x[start : start + CHUNK].double(), **own).total.detach())
    return torch.cat(found).numpy()


Group = Callable[[str], dict[str, np.ndarray]]


def revive(recipe: Recipe, group: Group, width: int) -> tuple[Panel, dict[str, AnomalyScore]]:
    """The panel and the members of a saved model; `group` gives the arrays of "denoiser.NAME" and "score.NAME"."""
    process = schedule(recipe)
    panel = {k: _revived(spec, group(f"denoiser.{k}"), process, width) for k, spec in recipe.denoisers.items()}
    members: dict[str, AnomalyScore] = {}
    for name, asked in recipe.scores.items():
        with torch.device("meta"):
            score = score_alone(asked, torch.empty(0, width), process, 0)
        if isinstance(score, nn.Module):
            _laid_in(score, group(f"score.{name}"))
        members[name] = score if asked.of is None else On(asked.of, score)
    return Panel(panel), members


def revive_gaussian(arrays: dict[str, np.ndarray], process: Schedule) -> Gaussian:
    """A saved Gaussian."""
    return Gaussian.spectral(schedule=process, **{key: torch.from_numpy(value) for key, value in arrays.items()})


def _revived(spec: DenoiserSpec, arrays: dict[str, np.ndarray], process: Schedule, width: int) -> Denoiser:
    if isinstance(spec, GaussianSpec):
        return revive_gaussian(arrays, process)
    if isinstance(spec, EmpiricalSpec):
        named = {key.rpartition(".")[2]: torch.from_numpy(value) for key, value in arrays.items()}
        empirical = Empirical(named.pop("rows"), process, neighbours=spec.neighbours)
        return Coloured(empirical, Whitening(**named)) if named else empirical
    with torch.device("meta"):
        denoiser = skeleton(spec, torch.empty(0, width), process, 0)
    return _laid_in(denoiser, arrays)


def _laid_in(module: Any, arrays: dict[str, np.ndarray]) -> Any:
    """Weights into a module that was built without memory; refuses other names or shapes."""
    module.load_state_dict({key: torch.from_numpy(value) for key, value in arrays.items()}, strict=True, assign=True)
    return module.eval()


class _Nothing(Denoiser):
    """The denoiser of scores that ask none."""

    def __init__(self, process: Schedule) -> None:
        super().__init__()
        self.schedule = process

    def forward(self, x_t: Tensor, t: Tensor, **condition: Tensor) -> Any:
        raise Misfit("this score has a network of its own and no denoiser to ask.")


def _folds(spec: DenoiserSpec, x: Tensor, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Pairs of places: fitted on, left out. The plain empirical denoiser leaves single rows out by itself."""
    rows = len(x)
    everything = torch.arange(rows)
    if isinstance(spec, EmpiricalSpec) and spec.whiten is None:
        yield everything, everything
        return
    count = min(rows, network_folds(rows) if isinstance(spec, NetworkSpec) else SPECTRAL_FOLDS)
    fold = torch.randperm(rows, generator=torch.Generator().manual_seed(seed)) % count
    for k in range(count):
        yield everything[fold != k], everything[fold == k]


def _places(kept: Tensor, rows: int) -> Tensor:
    """Of each row, its place among the `kept` ones, or -1."""
    places = torch.full((rows,), -1)
    places[kept] = torch.arange(len(kept))
    return places


def _trained(module: Any, spec: DenoiserSpec | None, x: Tensor, seed: int) -> Iterator[Step]:
    if not isinstance(spec, NetworkSpec) or not isinstance(module, nn.Module):
        return
    generator = torch.Generator().manual_seed(seed)
    steps = network_steps(spec, len(x))
    loss = denoising(module, spec.between, WEIGHTS[spec.weight]) if isinstance(module, Denoiser) else module.loss
    yield from train(module, loss, batches(x, spec.batch, steps, generator), steps, generator, spec.lr)


def _made(maker: Any, settings: dict[str, Any], name: str) -> Any:
    try:
        return maker(**settings)
    except TypeError as error:
        raise Misfit(f"{name} does not take these settings: {error}.") from None
