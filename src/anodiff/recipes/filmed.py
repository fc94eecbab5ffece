"""Recipes of video: every part is fitted on the cells of normal frames, and judges frames that it has not seen.

Left out is a fold of the clips, or of one clip a quarter with a gap around it; networks, which are slow, are trained
twice for it. One pass through the frames gathers what parts are fitted on, a second one judges.
"""

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from anodiff.diffusion.denoise import WEIGHTS, Denoiser, Learnt, denoising_loss
from anodiff.diffusion.empirical import Empirical
from anodiff.diffusion.exact import Gaussian, GaussianMixture
from anodiff.diffusion.noise import Schedule
from anodiff.diffusion.positional import Positional, Sums
from anodiff.modalities.cubes import Cells
from anodiff.nets.mlp import seeded
from anodiff.nets.told import Told
from anodiff.recipes.build import PREDICTIONS, Silent, question, schedule
from anodiff.recipes.grow import Progress
from anodiff.recipes.pictured import asked_of, by_cell, own_score, plane_of
from anodiff.recipes.rolls import Roll
from anodiff.recipes.schema import Recipe
from anodiff.recipes.specs import (
    OWN_AND_ASKED,
    DenoiserSpec,
    EmpiricalSpec,
    GaussianSpec,
    MixtureSpec,
    NetworkSpec,
    PositionalSpec,
)
from anodiff.scores.base import AnomalyScore
from anodiff.training import denoising, levels, one_thread, train
from anodiff.types import Misfit

ROWS = 160_000
"""Cells of a cube that are kept to fit on, at most."""
SLOW_FOLDS = 2
CELLS = 4_096
"""Cells that are judged at once."""


@dataclass(frozen=True)
class Filmed:
    """Parts fitted on everything, and what they say of frames that they had not seen.

    Attributes:
        panel: Denoisers by name.
        members: Scores by name.
        left_out: By score, maps `(n, h, w)` float32 of all frames of the roll.
        losses: Of the steps of training.
    """

    panel: dict[str, Denoiser]
    members: dict[str, AnomalyScore]
    left_out: dict[str, np.ndarray]
    losses: list[float]


@dataclass
class Rows:
    """Cells of a cube that were drawn: `x` `(m, d)`, what is `given` with them `(m, k)`, and the `place` of each."""

    x: list[Tensor] = field(default_factory=list)
    given: list[Tensor] = field(default_factory=list)
    place: list[np.ndarray] = field(default_factory=list)

    def learnt(self, may: np.ndarray, most: int, seed: int) -> tuple[Tensor, Tensor | None]:
        """Those of frames that may be learnt from `(n,)` bool, at most so many, drawn by the seed."""
        kept = torch.from_numpy(may[np.concatenate(self.place)])
        x = torch.cat(self.x)[kept]
        given = torch.cat(self.given)[kept] if self.given else None
        if len(x) > most:
            generator = torch.Generator().manual_seed(seed)
            some = torch.randperm(len(x), generator=generator)[:most].sort().values
            return x[some], None if given is None else given[some]
        return x, given


def judged(recipe: Recipe, name: str, member: AnomalyScore, denoiser: Denoiser, cells: Cells) -> np.ndarray:
    """What a score says of the cells of a frame: a map `(h, w)` float32, 0 where nothing is looked at."""
    asked, seen = recipe.scores[name], cells.seen
    found = torch.zeros(seen.shape)
    if bool(seen.any()):
        with torch.inference_mode():
            if by_cell(asked_of(recipe, name)):
                rows = cells.x.movedim(0, -1)[seen]
                told = None if cells.given is None else cells.given.movedim(0, -1)[seen]
                found[seen] = torch.cat(list(_totals(member, denoiser, rows, told))).float()
            else:
                found = member(denoiser, cells.x[None]).map.sum(1)[0].float() * seen
    return np.asarray((found.clamp(min=0).sqrt() if asked.root else found).numpy())


def _totals(member: AnomalyScore, denoiser: Denoiser, rows: Tensor, told: Tensor | None) -> Iterator[Tensor]:
    own = getattr(member, "total", None)
    for start in range(0, len(rows), CELLS):
        part = rows[start : start + CELLS]
        known = {} if told is None else {"given": told[start : start + CELLS]}
        yield member(denoiser, part, **known).total if own is None else own(part)


def grow_filmed(recipe: Recipe, roll: Roll, seed: int, keep: int = ROWS) -> Generator[Progress, None, Filmed]:
    """Fit every part on the roll, and leave folds out for the judgement of all.

    Raises:
        Misfit: nothing can be learnt, or a score is not a number on some frames.
    """
    growth = Growing(recipe, roll, seed, keep)
    yield from growth.gather()
    turns: list[int | None] = [None, *np.unique(roll.fold).tolist()]
    for name, spec in recipe.denoisers.items():
        for turn in turns:
            if turn is None or not isinstance(spec, NetworkSpec) or turn < SLOW_FOLDS:
                yield from growth.denoiser(name, turn)
    for name, asked in recipe.scores.items():
        for turn in turns:
            if asked.net is None:
                growth.members[name, turn] = question(asked)
            elif turn is None or turn < SLOW_FOLDS:
                yield from growth.own(name, turn)
    yield from growth.judge()
    for name, said in growth.left_out.items():
        if not np.isfinite(said).all():
            raise Misfit(f"score {name} of recipe {recipe.name!r} is not a number on some frames; choose another.")
    panel = {name: growth.made[name, None] for name in recipe.denoisers}
    members = {name: growth.members[name, None] for name in recipe.scores}
    return Filmed(panel, members, growth.left_out, growth.losses)


class Growing:
    """A fit under way: what was made for every turn; None leaves nothing out."""

    def __init__(self, recipe: Recipe, roll: Roll, seed: int, keep: int) -> None:
        self.recipe, self.roll, self.seed, self.keep = recipe, roll, seed, keep
        self.process = schedule(recipe)
        self.rows = {name: Rows() for name in recipe.cubes}
        self.sums: dict[tuple[str, int | None], Sums] = {}
        self.made: dict[tuple[str, int | None], Denoiser] = {}
        self.members: dict[tuple[str, int | None], AnomalyScore] = {}
        self.left_out: dict[str, np.ndarray] = {}
        self.losses: list[float] = []
        self.turns: list[int | None] = [None, *np.unique(roll.fold).tolist()]
        self.may = {turn: roll.learnt(turn) for turn in self.turns}

    def gather(self) -> Iterator[Progress]:
        """Pass through the roll: draw cells that move, and sum up whole frames for Gaussians of places."""
        roll, generator = self.roll, torch.Generator().manual_seed(self.seed)
        each = max(1, self.keep // len(roll))
        whole = [(name, spec) for name, spec in self.recipe.denoisers.items() if isinstance(spec, PositionalSpec)]
        for place, cells in roll.cells():
            for name, of in cells.items():
                there = of.seen.flatten().nonzero()[:, 0]
                taken = there[torch.randperm(len(there), generator=generator)[:each]].sort().values
                kept = self.rows[name]
                kept.x.append(of.x.flatten(1)[:, taken].T)
                kept.place.append(np.full(len(taken), place))
                if of.given is not None:
                    kept.given.append(of.given.flatten(1)[:, taken].T)
            for name, spec in whole:
                x = cells[str(spec.view)].x
                for turn in self.turns:
                    if self.may[turn][place]:
                        shape = (x.shape[0], x.shape[1], x.shape[2])
                        self.sums.setdefault((name, turn), Sums(shape)).add(x[None])
            if place % 50 == 49:
                yield Progress(place + 1, len(roll), "gathering")

    def drawn(self, spec: DenoiserSpec, turn: int | None, most: int = ROWS) -> tuple[Tensor, Tensor | None]:
        """Cells to fit a part on.

        Raises:
            Misfit: there are fewer than two.
        """
        x, given = self.rows[str(spec.view)].learnt(self.may[turn], most, self.seed)
        if len(x) < 2 and turn is not None:
            x, given = self.rows[str(spec.view)].learnt(self.may[None], most, self.seed)
        if len(x) < 2:
            cube = self.recipe.cubes[str(spec.view)]
            raise Misfit(
                f"hardly anything moves in the video of fit: {len(x)} cells move by {cube.moving} pixels a frame; give "
                f"changes={{'cubes.{spec.view}.moving': 0}} to look at what stands still too."
            )
        return x, given

    def denoiser(self, name: str, turn: int | None) -> Iterator[Progress]:
        """One denoiser, fitted for one turn."""
        spec = self.recipe.denoisers[name]
        if isinstance(spec, PositionalSpec):
            found = self.sums[name, turn]
            self.made[name, turn] = Positional.fit(
                found, self.process, spec.reach, spec.pooled, spec.shrinkage, of=self.sums[name, None].count
            )
        elif isinstance(spec, EmpiricalSpec):
            rows, _ = self.drawn(spec, turn, spec.references)
            few = min(spec.neighbours or len(rows), max(1, len(rows) - 1))
            self.made[name, turn] = Empirical(rows, self.process, neighbours=few)
        elif isinstance(spec, GaussianSpec):
            self.made[name, turn] = Gaussian.fit(self.drawn(spec, turn)[0], self.process)
        elif isinstance(spec, MixtureSpec):
            rows = self.drawn(spec, turn, 20_000)[0].double()
            self.made[name, turn] = GaussianMixture.fit(rows, self.process, spec.components, self.seed)
        else:
            yield from self.network(name, spec, turn)

    def network(self, name: str, spec: NetworkSpec, turn: int | None) -> Iterator[Progress]:
        """A denoiser with a network, told what is given."""
        rows, given = self.drawn(spec, turn)
        made = network(spec, rows.shape[1], 0 if given is None else given.shape[1], self.process, self.seed)
        self.made[name, turn] = made
        joined = rows if given is None else torch.cat([rows, given], 1)
        width = rows.shape[1]

        def loss(x: Tensor, generator: torch.Generator) -> Tensor:
            return _told_loss(made, spec, x[:, :width], x[:, width:], generator)

        yield from self.trained(made, loss if given is not None else _plain_loss(made, spec), spec, joined)

    def own(self, name: str, turn: int | None) -> Iterator[Progress]:
        """A score with a network of its own, trained.

        Raises:
            Misfit: it is for pictures.
        """
        asked = self.recipe.scores[name]
        if asked.use in OWN_AND_ASKED:
            raise Misfit(f"score {name} marks what is wrong with pictures, which cells of video are not; leave it out.")
        spec = cast(NetworkSpec, asked.net)
        rows, _ = self.drawn(spec, turn)
        made = own_score(asked, rows.shape[1], self.process, self.seed)
        self.members[name, turn] = made
        yield from self.trained(cast(nn.Module, made), cast(Any, made).loss, spec, rows)

    def trained(self, module: nn.Module, loss: Any, spec: NetworkSpec, rows: Tensor) -> Iterator[Progress]:
        """Train on rows drawn with replacement."""
        generator = torch.Generator().manual_seed(self.seed)
        data = (rows[torch.randint(len(rows), (spec.batch,), generator=generator)] for _ in range(spec.steps))
        with one_thread():
            for step in train(module, loss, data, spec.steps, generator, spec.lr):
                self.losses.append(step.loss)
                if step.number % 20 == 0:
                    yield Progress(step.number, step.of, "training")

    def judge(self) -> Iterator[Progress]:
        """Every frame by parts that have not seen it."""
        roll, recipe = self.roll, self.recipe
        self.left_out = {name: np.zeros((len(roll), *roll.video.grid_), np.float32) for name in recipe.scores}
        for place, cells in roll.cells():
            fold = int(roll.fold[place])
            for name, asked in recipe.scores.items():
                member = self.members[name, fold % SLOW_FOLDS if asked.net is not None else fold]
                of = self.asked(asked.of, fold)
                self.left_out[name][place] = judged(recipe, name, member, of, cells[plane_of(recipe, name)])
            if place % 20 == 19:
                yield Progress(place + 1, len(roll), "judging")

    def asked(self, name: str | None, fold: int) -> Denoiser:
        """The denoiser that has not seen a fold."""
        if name is None:
            return Silent(self.process)
        slow = isinstance(self.recipe.denoisers[name], NetworkSpec)
        return self.made[name, fold % SLOW_FOLDS if slow else fold]


def network(spec: NetworkSpec, channels: int, given: int, process: Schedule, seed: int) -> Learnt:
    """A denoiser of cells with a network, untrained.

    Raises:
        Misfit: it is one of windows or of pictures.
    """
    if spec.net != "mlp" or spec.predict not in PREDICTIONS:
        raise Misfit(f"net {spec.net!r} predicting {spec.predict!r} is not of cells; cells of video take an mlp.")
    net = seeded(Told, seed, cells=channels, given=given, width=spec.width, depth=spec.depth)
    return PREDICTIONS[spec.predict](net, process)


def needed(recipe: Recipe, seen: Mapping[str, Any], cycles: bool) -> Recipe:
    """The recipe without what cannot be seen: cubes of motion or appearance where that is not looked at.

    Raises:
        Misfit: nothing is left of it.
    """
    kept = {
        name
        for name, cube in recipe.cubes.items()
        if cube.sees in seen and ("motion" not in cube.given or "motion" in seen)
    }
    names = [name for name in recipe.scores if plane_of(recipe, name) in kept]
    if not names or not any(recipe.scores[name].weight for name in names):
        raise Misfit(
            f"nothing is left of recipe {recipe.name!r}, whose cubes see {_sees(recipe)}, where video shows "
            f"{' and '.join(seen)} alone; choose another recipe, or leave motion and appearance on."
        )
    rest = recipe.only(names)
    cubes = {name: cube for name, cube in recipe.cubes.items() if name in {plane_of(rest, score) for score in names}}
    if not cycles:
        cubes = {
            k: c.model_copy(update={"given": tuple(g for g in c.given if g != "calendar")}) for k, c in cubes.items()
        }
    return rest.model_copy(update={"cubes": cubes})


def _sees(recipe: Recipe) -> str:
    return " and ".join(sorted({cube.sees for cube in recipe.cubes.values()}))


def _plain_loss(made: Learnt, spec: NetworkSpec) -> Any:
    return denoising(made, spec.between, WEIGHTS[spec.weight])


def _told_loss(made: Learnt, spec: NetworkSpec, x: Tensor, given: Tensor, generator: torch.Generator) -> Tensor:
    t = made.schedule.time(levels(spec.between, len(x), generator))
    noise = torch.randn(x.shape, generator=generator, dtype=x.dtype)
    return denoising_loss(made, x, t, noise, WEIGHTS[spec.weight], given=given)
