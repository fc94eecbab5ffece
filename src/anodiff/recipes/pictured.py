"""Recipes of pictures: every part is fitted on the planes of normal pictures, and judges pictures it has not seen.

A part that judges the cells of a plane each for itself is shown cells as rows; the others are shown whole planes. Left
out is a fold of the pictures, near-duplicates together; networks, which are slow, are trained twice for it.
"""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from anodiff.data.crops import crops
from anodiff.data.stack import Stack
from anodiff.diffusion.denoise import WEIGHTS, Denoiser
from anodiff.diffusion.empirical import Empirical
from anodiff.diffusion.exact import Gaussian, GaussianMixture
from anodiff.diffusion.noise import Schedule
from anodiff.diffusion.positional import Positional, Sums
from anodiff.nets.mlp import MLP, seeded
from anodiff.nets.unet2d import UNet2d
from anodiff.recipes.build import PREDICTIONS, Silent, question, schedule
from anodiff.recipes.schema import Recipe
from anodiff.recipes.specs import (
    DenoiserSpec,
    EmpiricalSpec,
    GaussianSpec,
    MixtureSpec,
    NetworkSpec,
    PositionalSpec,
    ScoreSpec,
)
from anodiff.scores.base import AnomalyScore
from anodiff.training import Step, denoising, one_thread, train
from anodiff.types import Misfit

FOLDS, SLOW_FOLDS = 3, 2
ROWS = 200_000
"""Cells that a Gaussian, a mixture or a network of cells is shown at most."""
CELLS = 16_384
"""Cells that are judged at once."""


def by_cell(spec: DenoiserSpec | None) -> bool:
    """Whether a part judges cells each for itself, as rows `(N, C)`."""
    if spec is None or isinstance(spec, PositionalSpec):
        return False
    return not (isinstance(spec, NetworkSpec) and spec.net == "unet2d")


def asked_of(recipe: Recipe, name: str) -> DenoiserSpec:
    """The part that a score asks: a denoiser, or a network of its own."""
    asked = recipe.scores[name]
    return asked.net or recipe.denoisers[str(asked.of)]


def plane_of(recipe: Recipe, name: str) -> str:
    """The plane that a score judges."""
    return str(asked_of(recipe, name).view)


def judged(member: AnomalyScore, denoiser: Denoiser, x: Tensor, cells: bool, picture: bool, root: bool) -> Tensor:
    """What a score says of planes `(B, C, h, w)`: a map `(B, h, w)`, or of the `picture` as a whole `(B,)`."""
    with torch.inference_mode():
        if cells:
            rows = x.movedim(1, -1).flatten(0, 2)
            told = torch.cat([_totals(member, denoiser, part) for part in torch.split(rows, CELLS)])
            found = told.view(len(x), *x.shape[2:])
            found = found.flatten(1).mean(1) if picture else found
        else:
            evidence = member(denoiser, x)
            found = evidence.total if picture else evidence.map.sum(1)
    return found.clamp(min=0).sqrt() if root else found


def _totals(member: AnomalyScore, denoiser: Denoiser, rows: Tensor) -> Tensor:
    own = getattr(member, "total", None)
    return cast(Tensor, member(denoiser, rows).total if own is None else own(rows))


@dataclass(frozen=True)
class Grown:
    """Parts fitted on everything, and what they say of pictures that they had not seen.

    Attributes:
        panel: Denoisers by name.
        members: Scores by name.
        left_out: By score, maps `(n, h, w)` or totals `(n,)` float32, of all pictures.
        losses: Of the steps of training.
    """

    panel: dict[str, Denoiser]
    members: dict[str, AnomalyScore]
    left_out: dict[str, np.ndarray]
    losses: list[float]


def grow_pictured(
    recipe: Recipe, stack: Stack, fold: np.ndarray, kept: np.ndarray, seed: int
) -> Generator[Step, None, Grown]:
    """Fit every part on the pictures at `kept`, and leave folds out for the judgement of all.

    Args:
        recipe: What to fit.
        stack: The planes of n pictures.
        fold: Of each picture `(n,)`.
        kept: Whether each may be learnt from `(n,)` bool.
        seed: Of whatever is drawn.
    """
    process, losses = schedule(recipe), list[float]()
    panel, members = dict[str, Denoiser](), dict[str, AnomalyScore]()
    left_out: dict[str, np.ndarray] = {}
    parts: list[tuple[str | None, str | None]] = [(name, None) for name in recipe.denoisers]
    parts += [(None, name) for name, asked in recipe.scores.items() if asked.net is not None]
    for of, own in parts:
        asking = [own] if own else [name for name, asked in recipe.scores.items() if asked.of == of]
        spec = asked_of(recipe, own) if own else recipe.denoisers[str(of)]
        plane = str(spec.view)
        slow = isinstance(spec, NetworkSpec)
        turns = fold % SLOW_FOLDS if slow else fold
        whole = None if of is None or slow else _summed(spec, stack, plane, np.flatnonzero(kept))
        for turn in [*np.unique(turns), None]:
            out = np.flatnonzero(turns == turn) if turn is not None else np.zeros(0, np.int64)
            rest = np.flatnonzero(kept & (turns != turn) if turn is not None else kept)
            if turn is not None and len(rest) < 2:
                continue
            maker = Maker(recipe, stack, plane, rest, process, seed)
            if own:
                member, denoiser = (yield from _noted(maker.own(recipe.scores[own]), losses)), Silent(process)
                made = {own: member}
            else:
                gone = out[kept[out]]
                sums = None if whole is None else whole.without(_of(stack, plane, gone)) if len(gone) else whole
                denoiser = yield from _noted(maker.denoiser(spec, sums), losses)
                made = {name: question(recipe.scores[name]) for name in asking}
            if turn is None:
                members |= made
                if of is not None:
                    panel[of] = denoiser
            for name in made:
                _leave_out(left_out, name, recipe.scores[name], made[name], denoiser, spec, stack, out)
    for name, said in left_out.items():
        if not np.isfinite(said).all():
            raise Misfit(f"score {name} of recipe {recipe.name!r} is not a number on some pictures; choose another.")
    return Grown(panel, {name: members[name] for name in recipe.scores}, left_out, losses)


@dataclass(frozen=True)
class Maker:
    """Fits parts on one plane of some pictures."""

    recipe: Recipe
    stack: Stack
    plane: str
    places: np.ndarray
    process: Schedule
    seed: int

    def denoiser(self, spec: DenoiserSpec, sums: Sums | None = None) -> Generator[Step, None, Denoiser]:
        """A denoiser of the plane."""
        if isinstance(spec, PositionalSpec):
            found = sums or _of(self.stack, self.plane, self.places)
            return Positional.fit(found, self.process, spec.reach, spec.pooled, spec.shrinkage)
        if isinstance(spec, EmpiricalSpec):
            rows = self.rows(spec.references)
            return Empirical(rows, self.process, neighbours=min(spec.neighbours or len(rows), max(1, len(rows) - 1)))
        if isinstance(spec, GaussianSpec):
            return Gaussian.fit(self.rows(ROWS), self.process)
        if isinstance(spec, MixtureSpec):
            return GaussianMixture.fit(self.rows(ROWS).double(), self.process, spec.components, self.seed)
        net = self.network(spec)
        made = PREDICTIONS[spec.predict](net, self.process)
        yield from self.trained(made, denoising(made, spec.between, WEIGHTS[spec.weight]), spec)
        return made

    def own(self, asked: ScoreSpec) -> Generator[Step, None, AnomalyScore]:
        """A score with a network of its own."""
        spec = cast(NetworkSpec, asked.net)
        made = own_score(asked, self.stack.shapes[self.plane][0], self.process, self.seed)
        yield from self.trained(cast(nn.Module, made), cast(Any, made).loss, spec)
        return made

    def network(self, spec: NetworkSpec) -> nn.Module:
        """The network of a denoiser, untrained."""
        return network(spec, self.stack.shapes[self.plane][0], self.seed)

    def rows(self, most: int) -> Tensor:
        """At most so many cells `(m, C)`, as many of each picture, drawn by the seed."""
        channels, height, width = self.stack.shapes[self.plane]
        each = max(1, min(height * width, most // max(1, len(self.places))))
        generator = torch.Generator().manual_seed(self.seed)
        found = []
        for _, x in self.stack.batches(self.plane, self.places):
            for item in x:
                taken = torch.randperm(height * width, generator=generator)[:each].sort().values
                found.append(item.flatten(1)[:, taken].T)
        return torch.cat(found) if found else torch.zeros(0, channels)

    def trained(self, module: nn.Module, loss: Any, spec: NetworkSpec) -> Iterator[Step]:
        """Train on cells, or on crops of whole planes."""
        generator = torch.Generator().manual_seed(self.seed)
        if by_cell(spec):
            rows = self.rows(ROWS)
            data = (rows[torch.randint(len(rows), (spec.batch,), generator=generator)] for _ in range(spec.steps))
        else:
            data = (torch.from_numpy(batch) for batch in islice(self.crops(spec), spec.steps))
        with one_thread():
            yield from train(module, loss, data, spec.steps, generator, spec.lr)

    def crops(self, spec: NetworkSpec) -> Iterator[np.ndarray]:
        """Batches of crops of the plane, turned over too; of whole planes, as they are, where no crop is asked for."""
        crop, side = self.recipe.planes[self.plane].crop, self.stack.shapes[self.plane][1]

        def stream() -> Iterator[np.ndarray]:
            for _, x in self.stack.batches(self.plane, self.places):
                yield from x.numpy()

        return crops(stream, crop or side, spec.batch, self.seed, flips=crop is not None)


def network(spec: NetworkSpec, channels: int, seed: int) -> nn.Module:
    """The network of a denoiser, of cells or of whole planes, untrained.

    Raises:
        Misfit: it is one of windows.
    """
    if spec.net == "unet2d":
        return seeded(UNet2d, seed, channels=channels, width=spec.width)
    if spec.net != "mlp" or spec.predict not in PREDICTIONS:
        raise Misfit(f"net {spec.net!r} predicting {spec.predict!r} is for series; pictures take mlp or unet2d.")
    return seeded(MLP, seed, inputs=channels, outputs=channels, width=spec.width, depth=spec.depth)


def own_score(asked: ScoreSpec, channels: int, process: Schedule, seed: int) -> AnomalyScore:
    """A score with a network of its own, untrained."""
    spec = cast(NetworkSpec, asked.net)
    outputs = asked.settings.get("bins", 20) if asked.use == "categorical_time" else 1
    net = seeded(MLP, seed, inputs=channels, outputs=outputs, width=spec.width, depth=spec.depth, levelled=False)
    return question(asked, net=net, schedule=process)


def _of(stack: Stack, plane: str, places: Sequence[int] | np.ndarray) -> Sums:
    sums = Sums(stack.shapes[plane])
    for _, x in stack.batches(plane, places):
        sums.add(x)
    return sums


def _summed(spec: DenoiserSpec, stack: Stack, plane: str, places: np.ndarray) -> Sums | None:
    return _of(stack, plane, places) if isinstance(spec, PositionalSpec) else None


def _noted(steps: Generator[Step, None, Any], losses: list[float]) -> Generator[Step, None, Any]:
    while True:
        try:
            step = next(steps)
        except StopIteration as done:
            return done.value
        losses.append(step.loss)
        yield step


def _leave_out(
    left_out: dict[str, np.ndarray],
    name: str,
    asked: ScoreSpec,
    member: AnomalyScore,
    denoiser: Denoiser,
    spec: DenoiserSpec,
    stack: Stack,
    out: np.ndarray,
) -> None:
    picture = asked.read == "picture"
    for places, x in stack.batches(str(spec.view), out):
        said = judged(member, denoiser, x, by_cell(spec), picture, asked.root).numpy()
        if name not in left_out:
            left_out[name] = np.full((len(stack), *said.shape[1:]), np.nan, np.float32)
        left_out[name][places] = said
