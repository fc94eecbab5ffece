"""From the names in a recipe to parts: denoisers, scores, and those of a saved model laid back in place."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeVar, cast

import numpy as np
import torch
from torch import Tensor, nn

from anodiff.diffusion.denoise import (
    DataPredicting,
    Denoiser,
    Learnt,
    NoisePredicting,
    Preconditioned,
    VelocityPredicting,
)
from anodiff.diffusion.exact import Empirical, Gaussian, GaussianMixture
from anodiff.diffusion.fill import shrinkage
from anodiff.diffusion.flow import Exact, Hutchinson
from anodiff.diffusion.grids import GRIDS
from anodiff.diffusion.noise import SCHEDULES, Schedule
from anodiff.diffusion.robust import concentrated
from anodiff.diffusion.sample import SAMPLERS
from anodiff.diffusion.sources import NOISES
from anodiff.diffusion.transform import NormalScores, Squashed, Transform, Transformed, Whitening
from anodiff.nets.backbones import EMBEDDED, Backbone, backbone
from anodiff.nets.mlp import MLP, seeded
from anodiff.recipes.schema import Recipe
from anodiff.recipes.specs import (
    OF_THE_PANEL,
    DenoiserSpec,
    EmpiricalSpec,
    GaussianSpec,
    MixtureSpec,
    NetworkSpec,
    ScoreSpec,
    TransformSpec,
)
from anodiff.scores import SCORES
from anodiff.scores.base import AnomalyScore
from anodiff.scores.combine import On, Panel
from anodiff.scores.distances import PICTURE_DISTANCES, FeatureDistance, Mixed
from anodiff.scores.imputation import Informed, Iterated, Sampled
from anodiff.scores.patterns import Boxes, EachCoordinate, Gratings, Groups, Last, RandomMasks, Stretches
from anodiff.scores.space import Inside
from anodiff.scores.time import CategoricalTime
from anodiff.types import JSON, BadModel, Misfit

Group = Callable[[str], dict[str, np.ndarray]]
M = TypeVar("M", bound=nn.Module)

PREDICTIONS: dict[str, type[Learnt]] = {
    "edm": Preconditioned,
    "noise": NoisePredicting,
    "data": DataPredicting,
    "velocity": VelocityPredicting,
}


def seen(layers: Sequence[str] = ("s4", "s8"), blur: float = 2.0) -> FeatureDistance:
    """The distance of what the embedded backbone sees."""
    return FeatureDistance(_embedded(tuple(layers)), blur)


@cache
def _embedded(layers: tuple[str, ...]) -> Backbone:
    return backbone(EMBEDDED, layers)


NAMED: dict[str, dict[str, Any]] = {"sampler": SAMPLERS, "grid": GRIDS, "distance": PICTURE_DISTANCES}
MADE: dict[str, dict[str, Any]] = {
    "patterns": {
        "each": EachCoordinate,
        "groups": Groups,
        "random": RandomMasks,
        "gratings": Gratings,
        "stretches": Stretches,
        "boxes": Boxes,
        "last": Last,
    },
    "fill": {"iterated": Iterated, "sampled": Sampled, "told": Informed},
    "source": NOISES,
    "distance": {"features": seen, "mixed": Mixed},
    "divergence": {"exact": Exact, "hutchinson": Hutchinson},
}
SEVERAL = {"distances": "distance"}


def schedule(recipe: Recipe) -> Schedule:
    """The recipe's schedule.

    Raises:
        Misfit: its settings give no noise that grows with time.
    """
    made = cast(Schedule, _made(SCHEDULES[recipe.schedule.use], recipe.schedule.settings, "schedule"))
    try:
        levels = made.level(torch.linspace(0.01, 1, 16, dtype=torch.float64))
        rising = bool((levels.diff() > 0).all() and (levels > 0).all() and torch.isfinite(levels).all())
    except (ArithmeticError, ValueError, TypeError):
        rising = False
    if not rising:
        given = ", ".join(f"{k}={v}" for k, v in recipe.schedule.settings.items())
        raise Misfit(
            f"the schedule {recipe.schedule.use} with {given} has no noise that grows; leave the settings out."
        )
    return made


def denoiser(spec: DenoiserSpec, x: Tensor, process: Schedule, seed: int, of: int | None = None) -> Denoiser:
    """A denoiser of `x` `(n, d)`, a fold of `of` rows perhaps; a network comes untrained.

    A fold is shrunk as the whole is: else a constant column, which only shrinkage gives a spread, would judge
    left-out rows by another measure than new ones.
    """
    if isinstance(spec, GaussianSpec):
        share = shrinkage(of or len(x), x.shape[1])
        return concentrated(x, process, share, spec.trim) if spec.trim else Gaussian.fit(x, process, share)
    if isinstance(spec, MixtureSpec):
        return GaussianMixture.fit(x, process, spec.components, seed)
    if isinstance(spec, EmpiricalSpec):
        return empirical(spec, x[references(spec, len(x), seed)], x, process)
    assert isinstance(spec, NetworkSpec)
    net = seeded(MLP, seed, inputs=x.shape[1], outputs=x.shape[1], width=spec.width, depth=spec.depth)
    return PREDICTIONS[spec.predict](net, process)


def empirical(spec: EmpiricalSpec, rows: Tensor, x: Tensor, process: Schedule) -> Denoiser:
    """The training set as a denoiser: `rows` `(m, d)`, in the coordinates that the spec fits on `x` `(n, d)`."""
    if spec.transform is None:
        return Empirical(rows, process, neighbours=spec.neighbours)
    transform = _transform(spec.transform, x, process)
    return Transformed(Empirical(transform(rows), process, neighbours=spec.neighbours), transform)


def references(spec: EmpiricalSpec, rows: int, seed: int) -> Tensor:
    """Places of the rows that an empirical denoiser keeps, in order."""
    if rows <= spec.references:
        return torch.arange(rows)
    generator = torch.Generator().manual_seed(seed)
    return torch.randperm(rows, generator=generator)[: spec.references].sort().values


def score(spec: ScoreSpec, width: int, process: Schedule, seed: int) -> AnomalyScore:
    """A score of rows of `width` coordinates; one with a network of its own comes untrained.

    Raises:
        Misfit: the recipe gives it settings that it does not take, or names that do not exist.
    """
    maker = SCORES[spec.use]
    settings = {name: _resolved(name, value) for name, value in spec.settings.items()}
    if spec.net is None:
        made = cast(AnomalyScore, _made(maker, settings, spec.use))
        return made if spec.use in OF_THE_PANEL else Inside(made)
    outputs = spec.settings.get("bins", 20) if maker is CategoricalTime else 1
    net = seeded(MLP, seed, inputs=width, outputs=outputs, width=spec.net.width, depth=spec.net.depth, levelled=False)
    return cast(AnomalyScore, _made(maker, {**settings, "net": net, "schedule": process}, spec.use))


def question(spec: ScoreSpec, **parts: object) -> AnomalyScore:
    """A score of windows, whatever their shape; one with a network of its own is given that among its `parts`.

    Raises:
        Misfit: the recipe gives it settings that it does not take, or names that do not exist.
    """
    settings = {name: _resolved(name, value) for name, value in spec.settings.items()}
    return cast(AnomalyScore, _made(SCORES[spec.use], {**settings, **parts}, spec.use))


def revive(recipe: Recipe, group: Group, width: int) -> tuple[Panel, dict[str, AnomalyScore]]:
    """The panel and the members of a saved model; `group` gives the arrays of "denoiser.NAME" and "score.NAME"."""
    process = schedule(recipe)
    panel = {k: _revived(spec, group(f"denoiser.{k}"), process, width) for k, spec in recipe.denoisers.items()}
    members: dict[str, AnomalyScore] = {}
    for name, asked in recipe.scores.items():
        with torch.device("meta"):
            made = score(asked, width, process, 0)
        if isinstance(made, nn.Module):
            laid_in(made, group(f"score.{name}"))
        members[name] = made if asked.of is None else On(asked.of, made)
    return Panel(panel or {"none": Silent(process)}), members


def revive_gaussian(arrays: dict[str, np.ndarray], process: Schedule, width: int) -> Gaussian:
    """A saved Gaussian of `width` coordinates."""
    mean, values, vectors, rest = (torch.from_numpy(arrays[name]) for name in ("mean", "values", "vectors", "rest"))
    if mean.shape != (width,) or vectors.shape != (width, *values.shape) or values.ndim != 1 or rest.shape != ():
        shapes = ", ".join(str(tuple(part.shape)) for part in (mean, values, vectors, rest))
        raise BadModel(f"a Gaussian of {width} coordinates cannot have parts of shape {shapes}.")
    if not all(part.is_floating_point() for part in (mean, values, vectors, rest)):
        raise BadModel("the parts of a Gaussian are real numbers.")
    return Gaussian.spectral(mean, values, vectors, rest, process)


class Silent(Denoiser):
    """The denoiser of recipes whose scores ask none."""

    def __init__(self, process: Schedule) -> None:
        super().__init__()
        self.schedule = process

    def forward(self, x_t: Tensor, t: Tensor, **condition: Tensor) -> Any:
        raise Misfit("this score has a network of its own and no denoiser to ask.")


def _revived(spec: DenoiserSpec, arrays: dict[str, np.ndarray], process: Schedule, width: int) -> Denoiser:
    if isinstance(spec, GaussianSpec):
        return revive_gaussian(arrays, process, width)
    if isinstance(spec, MixtureSpec):
        count = len(arrays["weights"])
        weights, eye = torch.from_numpy(arrays["weights"]), torch.eye(width, dtype=torch.float64)
        mixture = GaussianMixture(weights, torch.zeros(count, width), eye.expand(count, width, width), process)
        return laid_in(mixture, arrays)
    if isinstance(spec, EmpiricalSpec):
        named = {key.rpartition(".")[2]: torch.from_numpy(value) for key, value in arrays.items()}
        rows = named.pop("rows")
        if rows.shape[1:] != (width,):
            raise BadModel(f"the kept rows have shape {tuple(rows.shape)}, where {width} coordinates were expected.")
        found = Empirical(rows, process, neighbours=spec.neighbours)
        return found if spec.transform is None else Transformed(found, _revived_transform(spec.transform, named, width))
    with torch.device("meta"):
        made = denoiser(spec, torch.empty(0, width), process, 0)
    return laid_in(made, arrays)


def _transform(spec: TransformSpec, x: Tensor, process: Schedule) -> Transform:
    if spec.use == "normal_scores":
        return NormalScores.fit(x, spec.knots)
    if spec.use == "squashed":
        return Squashed(spec.scale)
    return Whitening.of(Gaussian.fit(x, process, shrinkage(*x.shape)), spec.ridge)


def _revived_transform(spec: TransformSpec, named: dict[str, Tensor], width: int) -> Transform:
    if any(len(value) != width for value in named.values()):
        raise BadModel(f"the transform {spec.use} is not for {width} coordinates.")
    if spec.use == "squashed":
        return Squashed(spec.scale)
    maker = NormalScores if spec.use == "normal_scores" else Whitening
    return cast(Transform, _made(maker, dict(named), spec.use))


def laid_in(module: M, arrays: dict[str, np.ndarray]) -> M:
    """Weights into a module that was built without memory; refuses other names or shapes."""
    module.load_state_dict({key: torch.from_numpy(value) for key, value in arrays.items()}, strict=True, assign=True)
    return module.eval()


def _resolved(name: str, value: Any) -> Any:
    if name in SEVERAL and isinstance(value, list):
        return [_resolved(SEVERAL[name], each) for each in value]
    if name in NAMED and isinstance(value, str):
        return _found(NAMED[name], value, name)
    if name in MADE and isinstance(value, dict):
        settings: JSON = {key: _resolved(key, inner) for key, inner in value.items()}
        use = str(settings.pop("use", None))
        return _made(_found(MADE[name], use, name), settings, f"{name} {use}")
    return value


def _found(choices: dict[str, Any], name: str, what: str) -> Any:
    if name not in choices:
        raise Misfit(f"there is no {what} {name!r}; choose one of {', '.join(choices)}.")
    return choices[name]


def _made(maker: Any, settings: JSON, name: str) -> object:
    try:
        return maker(**settings)
    except TypeError as error:
        raise Misfit(
            f"{name} does not take these settings: {str(error).partition('__init__() ')[2] or error}."
        ) from None
