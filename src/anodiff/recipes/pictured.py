"""Recipes of pictures: every part is fitted on the planes of normal pictures, and judges pictures it has not seen.

A part that judges the cells of a plane each for itself is shown cells as rows; the others are shown whole planes. Left
out is a fold of the pictures, near-duplicates together; networks, which are slow, are trained twice for it.
"""

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from anodiff.data.crops import crops
from anodiff.data.stack import Stack
from anodiff.diffusion.denoise import WEIGHTS, Denoiser, Learnt
from anodiff.diffusion.empirical import Empirical
from anodiff.diffusion.exact import Gaussian, GaussianMixture
from anodiff.diffusion.noise import Schedule
from anodiff.diffusion.positional import Positional, Sums
from anodiff.nets.mlp import MLP, seeded
from anodiff.recipes.build import PREDICTIONS, Silent, question, schedule
from anodiff.recipes.continued import continued
from anodiff.recipes.pixelnets import guided, head, learning, marking, whole
from anodiff.recipes.schema import Recipe
from anodiff.recipes.specs import (
    OWN_AND_ASKED,
    DenoiserSpec,
    EmpiricalSpec,
    GaussianSpec,
    MixtureSpec,
    NetworkSpec,
    PositionalSpec,
    ScoreSpec,
)
from anodiff.scores.base import AnomalyScore
from anodiff.scores.distances import Mixed, with_scales
from anodiff.training import Step, denoising, one_thread, train
from anodiff.types import Misfit

FITTED = {"dynamic": "marks", "stitched": "threshold", "implicit": "scale"}
"""What scores find on normals, where a recipe does not give it."""
SAMPLE = 32
"""Pictures that they find it on."""
SLOW_FOLDS = 2
LEAST_EACH = 4
"""Pictures for each number of a context, at least."""
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


def asks(recipe: Recipe, name: str) -> int:
    """Evaluations for each question that a score puts to its denoiser."""
    asked = recipe.scores[name]
    return 1 if asked.of is None else guided(recipe.denoisers[asked.of], Silent(schedule(recipe))).cost


def judged(
    recipe: Recipe, name: str, member: AnomalyScore, denoiser: Denoiser, x: Tensor, **condition: Tensor
) -> Tensor:
    """What a score says of planes `(B, C, h, w)`: a map `(B, h, w)`."""
    asked, spec = recipe.scores[name], asked_of(recipe, name)
    denoiser = guided(recipe.denoisers.get(str(asked.of)), denoiser)
    with torch.inference_mode():
        if by_cell(spec):
            rows = x.movedim(1, -1).flatten(0, 2)
            told = torch.cat([_totals(member, denoiser, part) for part in torch.split(rows, CELLS)])
            found = told.view(len(x), *x.shape[2:])
        else:
            evidence = member(denoiser, x, **taken_by(recipe.denoisers.get(str(asked.of)), condition))
            found = evidence.map.sum(1)
    return found.clamp(min=0).sqrt() if asked.root else found


def taken_by(spec: object, condition: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Of what is known besides pictures, what a denoiser takes."""
    knows = spec.knows if isinstance(spec, NetworkSpec) else ()
    return {name: value for name, value in condition.items() if name in knows}


def _totals(member: AnomalyScore, denoiser: Denoiser, rows: Tensor) -> Tensor:
    own = getattr(member, "total", None)
    return cast(Tensor, member(denoiser, rows).total if own is None else own(rows))


@dataclass(frozen=True)
class Grown:
    """Parts fitted on everything, and what they say of pictures that they had not seen.

    Attributes:
        recipe: What was fitted, with the settings that scores found on normals.
        panel: Denoisers by name.
        members: Scores by name.
        left_out: By score, maps `(n, h, w)` or totals `(n,)` float32, of all pictures.
        losses: Of the steps of training.
    """

    recipe: Recipe
    panel: dict[str, Denoiser]
    members: dict[str, AnomalyScore]
    left_out: dict[str, np.ndarray]
    losses: list[float]


@dataclass(frozen=True)
class Seen:
    """Normal pictures to learn from.

    Attributes:
        stack: Their planes.
        fold: Of each `(n,)`.
        kept: Whether each may be learnt from `(n,)` bool.
        moved: Planes of copies of them, turned and shifted, as many of each, one after the other; None for none.
        labels: The class of each `(n,)`, 0 where it is not known.
        classes: How many there are.
    """

    stack: Stack
    fold: np.ndarray
    kept: np.ndarray
    labels: Tensor
    classes: int = 0
    moved: Stack | None = None

    def shown(self, plane: str, places: np.ndarray) -> Iterator[Tensor]:
        """One plane of some pictures and of their copies, a few at a time."""
        for _, x in self.stack.batches(plane, places):
            yield x
        if self.moved is not None:
            copies = len(self.moved) // len(self.stack)
            for _, x in self.moved.batches(plane, (places[:, None] * copies + np.arange(copies)).ravel()):
                yield x


def grow_pictured(recipe: Recipe, seen: Seen, seed: int) -> Generator[Step, None, Grown]:
    """Fit every part on the pictures that are kept, and leave folds out for the judgement of all.

    Raises:
        Misfit: a score is not a number on some pictures.
    """
    growth = Growth(recipe, seen, seed)
    for name, spec in recipe.denoisers.items():
        asking = [k for k, asked in recipe.scores.items() if asked.of == name and asked.net is None]
        marked = any(asked.of == name for asked in recipe.scores.values() if asked.net is not None)
        slow = isinstance(spec, NetworkSpec)
        whole = growth.sums(spec, np.flatnonzero(seen.kept)) if isinstance(spec, PositionalSpec) else None
        for turn, rest, out in growth.turns(slow):
            denoiser = yield from growth.denoiser(name, rest, growth.rest(spec, whole, out))
            if turn is None or marked:
                growth.made[name, turn] = denoiser
            for k in asking:
                growth.judge(k, growth.question(k, denoiser, rest, turn), denoiser, turn, out)
        if whole is not None:
            yield from continued(growth, name, asking, whole)
    for name, asked in recipe.scores.items():
        if asked.net is not None:
            for turn, rest, out in growth.turns(True):
                of = Silent(growth.process) if asked.of is None else growth.made[asked.of, turn]
                member = yield from growth.own(name, of, rest)
                growth.judge(name, member, of, turn, out)
    for name, said in growth.left_out.items():
        if not np.isfinite(said).all():
            raise Misfit(f"score {name} of recipe {recipe.name!r} is not a number on some pictures; choose another.")
    panel = {name: growth.made[name, None] for name in recipe.denoisers}
    members = {name: growth.members[name] for name in recipe.scores}
    return Grown(growth.found, panel, members, growth.left_out, growth.losses)


class Growth:
    """A fit under way: what was made for every turn, None for the last, which leaves nothing out."""

    def __init__(self, recipe: Recipe, seen: Seen, seed: int) -> None:
        self.recipe, self.seen, self.seed = recipe, seen, seed
        self.found = recipe
        self.process = schedule(recipe)
        self.made: dict[tuple[str, int | None], Denoiser] = {}
        self.members: dict[str, AnomalyScore] = {}
        self.left_out: dict[str, np.ndarray] = {}
        self.losses: list[float] = []

    def turns(self, slow: bool) -> Iterator[tuple[int | None, np.ndarray, np.ndarray]]:
        """Number, places to learn from and places left out; at the end None, all that are kept, and nothing."""
        fold = self.seen.fold % SLOW_FOLDS if slow else self.seen.fold
        for turn in np.unique(fold).tolist():
            rest = np.flatnonzero(self.seen.kept & (fold != turn))
            yield turn, rest if len(rest) > 1 else np.flatnonzero(self.seen.kept), np.flatnonzero(fold == turn)
        yield None, np.flatnonzero(self.seen.kept), np.zeros(0, np.int64)

    def sums(self, spec: DenoiserSpec, places: np.ndarray) -> Sums:
        """What positional Gaussians are fitted on."""
        plane = str(spec.view)
        sums = Sums(self.seen.stack.shapes[plane], whole=bool(getattr(spec, "context", 0)))
        for x in self.seen.shown(plane, places):
            sums.add(x)
        return sums

    def rest(self, spec: DenoiserSpec, whole: Sums | None, out: np.ndarray) -> Sums | None:
        """The sums of what is kept, less those of the pictures left out."""
        gone = out[self.seen.kept[out]]
        return whole if whole is None or not len(gone) else whole.without(self.sums(spec, gone))

    def denoiser(self, name: str, rest: np.ndarray, sums: Sums | None) -> Generator[Step, None, Denoiser]:
        """One denoiser, fitted on the pictures at `rest`."""
        spec = self.recipe.denoisers[name]
        if isinstance(spec, PositionalSpec):
            found = sums or self.sums(spec, rest)
            context = min(spec.context, max(1, int(self.seen.kept.sum()) // LEAST_EACH))
            whole = round(found.count / len(rest) * self.seen.kept.sum())
            return Positional.fit(found, self.process, spec.reach, spec.pooled, spec.shrinkage, context, whole)
        if isinstance(spec, EmpiricalSpec):
            rows = self.rows(spec, rest, spec.references)
            return Empirical(rows, self.process, neighbours=min(spec.neighbours or len(rows), max(1, len(rows) - 1)))
        if isinstance(spec, GaussianSpec):
            return Gaussian.fit(self.rows(spec, rest, ROWS), self.process)
        if isinstance(spec, MixtureSpec):
            rows = self.rows(spec, rest, ROWS).double()
            return GaussianMixture.fit(rows, self.process, spec.components, self.seed)
        made = network(spec, self.channels(spec), self.process, self.seed, self.seen.classes)
        loss = denoising(made, spec.between, WEIGHTS[spec.weight]) if by_cell(spec) else learning(spec, made)
        yield from self.trained(made, loss, spec, rest)
        return made

    def question(self, name: str, denoiser: Denoiser, rest: np.ndarray, turn: int | None) -> AnomalyScore:
        """A score, with what it finds on normals; what it found last is noted in the recipe."""
        asked = self.recipe.scores[name]
        made: Any = question(asked)
        learnt, mixed = FITTED.get(asked.use), unscaled(made)
        missing = learnt is not None and getattr(made, learnt) is None
        if not missing and not mixed:
            return cast(AnomalyScore, made)
        places = rest[np.linspace(0, len(rest) - 1, min(len(rest), SAMPLE)).astype(int)]
        x = self.seen.stack.plane(plane_of(self.recipe, name), places)
        spec, found = self.recipe.denoisers[str(asked.of)], dict(asked.settings)
        denoiser, told = guided(spec, denoiser), taken_by(spec, {"label": self.seen.labels[places]})
        with torch.inference_mode():
            if mixed:
                made = with_scales(made, denoiser, x, **told)
                found["distance"] = {**found["distance"], "scales": list(made.distance.scales)}
            if missing:
                made = made.fit(denoiser, x, **told)
                found[str(learnt)] = getattr(made, str(learnt))
        if turn is None:
            scores = {**self.found.scores, name: asked.model_copy(update={"settings": found})}
            self.found = self.found.model_copy(update={"scores": scores})
        return cast(AnomalyScore, made)

    def own(self, name: str, denoiser: Denoiser, rest: np.ndarray) -> Generator[Step, None, AnomalyScore]:
        """A score with a network of its own, trained."""
        asked = self.recipe.scores[name]
        spec = cast(NetworkSpec, asked.net)
        made = own_score(asked, self.channels(spec), self.process, self.seed)
        loss = marking(made, denoiser) if asked.use in OWN_AND_ASKED else cast(Any, made).loss
        yield from self.trained(cast(nn.Module, made), loss, spec, rest)
        return made

    def channels(self, spec: DenoiserSpec) -> int:
        """Of the plane that a part sees."""
        return self.seen.stack.shapes[str(spec.view)][0]

    def rows(self, spec: DenoiserSpec, places: np.ndarray, most: int) -> Tensor:
        """At most so many cells `(m, C)`, as many of each picture, drawn by the seed."""
        channels, height, width = self.seen.stack.shapes[str(spec.view)]
        each = max(1, min(height * width, most // max(1, len(places))))
        generator = torch.Generator().manual_seed(self.seed)
        found = [torch.zeros(0, channels)]
        for _, x in self.seen.stack.batches(str(spec.view), places):
            for item in x:
                taken = torch.randperm(height * width, generator=generator)[:each].sort().values
                found.append(item.flatten(1)[:, taken].T)
        return torch.cat(found)

    def trained(self, module: nn.Module, loss: Any, spec: NetworkSpec, places: np.ndarray) -> Iterator[Step]:
        """Train on cells, on crops of planes, or on whole planes whose labels are known."""
        generator = torch.Generator().manual_seed(self.seed)
        if by_cell(spec):
            rows = self.rows(spec, places, ROWS)
            data = (rows[torch.randint(len(rows), (spec.batch,), generator=generator)] for _ in range(spec.steps))
        elif "label" in spec.knows:
            data = (torch.randint(len(places), (spec.batch,), generator=generator) for _ in range(spec.steps))
            loss = self.labelled(loss, str(spec.view), places)
        else:
            data = (torch.from_numpy(batch) for batch in islice(self.crops(spec, places), spec.steps))
        with one_thread():
            for step in train(module, loss, data, spec.steps, generator, spec.lr):
                self.losses.append(step.loss)
                yield step

    def labelled(self, loss: Any, plane: str, places: np.ndarray) -> Any:
        """A loss as a function of places among those to learn from."""

        def at(chosen: Tensor, generator: torch.Generator) -> Tensor:
            taken = places[chosen.numpy()]
            x = self.seen.stack.plane(plane, taken)
            return cast(Tensor, loss(x, generator, label=self.seen.labels[taken]))

        return at

    def crops(self, spec: NetworkSpec, places: np.ndarray) -> Iterator[np.ndarray]:
        """Batches of crops, turned over too; of whole planes, as they are, where no crop is asked for."""
        plane = str(spec.view)
        crop, side = self.recipe.planes[plane].crop, self.seen.stack.shapes[plane][1]

        def stream() -> Iterator[np.ndarray]:
            for _, x in self.seen.stack.batches(plane, places):
                yield from x.numpy()

        return crops(stream, min(crop or side, side), spec.batch, self.seed, flips=crop is not None)

    def judge(self, name: str, member: AnomalyScore, denoiser: Denoiser, turn: int | None, out: np.ndarray) -> None:
        """Note what a score says of the pictures left out; after the last turn it is kept."""
        if turn is None:
            self.members[name] = member
        if len(out):
            said = self.said(name, member, denoiser, out)
            if name not in self.left_out:
                self.left_out[name] = np.full((len(self.seen.stack), *said.shape[1:]), np.nan, np.float32)
            self.left_out[name][out] = said

    def said(self, name: str, member: AnomalyScore, denoiser: Denoiser, places: np.ndarray) -> np.ndarray:
        """What a score says of some pictures, maps `(n, h, w)`."""
        parts = self.seen.stack.batches(plane_of(self.recipe, name), places)
        return np.concatenate(
            [judged(self.recipe, name, member, denoiser, x, label=self.seen.labels[at]).numpy() for at, x in parts]
        )


def unscaled(score: AnomalyScore) -> bool:
    """Whether a score compares by several distances whose scales are to be found."""
    distance = getattr(score, "distance", None)
    return isinstance(distance, Mixed) and distance.scales is None


def network(spec: NetworkSpec, channels: int, process: Schedule, seed: int, classes: int = 0) -> Learnt:
    """A denoiser with a network, of cells or of whole planes, untrained.

    Raises:
        Misfit: it is one of windows.
    """
    if spec.net == "unet2d":
        return whole(spec, channels, process, seed, classes if "label" in spec.knows else 0)
    if spec.net != "mlp" or spec.predict not in PREDICTIONS:
        raise Misfit(f"net {spec.net!r} predicting {spec.predict!r} is for series; pictures take mlp or unet2d.")
    net = seeded(MLP, seed, inputs=channels, outputs=channels, width=spec.width, depth=spec.depth)
    return PREDICTIONS[spec.predict](net, process)


def own_score(asked: ScoreSpec, channels: int, process: Schedule, seed: int) -> AnomalyScore:
    """A score with a network of its own, untrained."""
    spec = cast(NetworkSpec, asked.net)
    if asked.use in OWN_AND_ASKED:
        return head(asked, channels, seed)
    outputs = asked.settings.get("bins", 20) if asked.use == "categorical_time" else 1
    net = seeded(MLP, seed, inputs=channels, outputs=outputs, width=spec.width, depth=spec.depth, levelled=False)
    return question(asked, net=net, schedule=process)
