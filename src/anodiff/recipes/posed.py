r"""From walks to parts: what scores say of persons whom they have not seen, then all parts, then scales.

Left out are persons, a fold of them at a time; of a single one, blocks of time and what overlaps with them. Parts that
are given the past are of what follows it: the Gaussian in closed form, the network by training on

.. math:: \big\| x_F - D(x_{F,t}, t \mid x_P) \big\|^2 .
"""

import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from anodiff.alarms.standout import Standout
from anodiff.diffusion.denoise import WEIGHTS, Denoiser, Preconditioned, denoising_loss
from anodiff.diffusion.empirical import Empirical
from anodiff.diffusion.exact import Gaussian, GaussianMixture
from anodiff.diffusion.fill import shrinkage
from anodiff.diffusion.following import Following
from anodiff.diffusion.noise import Schedule
from anodiff.diffusion.spectral import drawn
from anodiff.modalities.poses import Poses, Walk
from anodiff.modalities.windows import over
from anodiff.nets import NETS
from anodiff.nets.mlp import seeded
from anodiff.recipes.build import PREDICTIONS, question, schedule
from anodiff.recipes.chronicle import scaled
from anodiff.recipes.grow import Progress, networks
from anodiff.recipes.learn import Tally
from anodiff.recipes.posed_windows import Question, Sight, covered, folds, follows, sights, told
from anodiff.recipes.schema import Recipe
from anodiff.recipes.specs import DenoiserSpec, EmpiricalSpec, GaussianSpec, MixtureSpec, NetworkSpec
from anodiff.scores.base import AnomalyScore
from anodiff.training import Step, batches, one_thread, train
from anodiff.types import Misfit, Unreadable

Raw = dict[str, np.ndarray]
FOLDS = 3
SHOWN = 20_000
"""Windows that a part is shown at most."""
FORGOTTEN = 0.1
"""Share of the windows of which a network is not told the past."""
VEILED, LASTS, GONE, LEAST_ADDED = 8, 10, 0.2, 1e-3
"""Walks of which joints are hidden to see what that changes, for so many frames, such a share of them."""
TRIED, FEWEST_STEPS = 6, 10


@dataclass(frozen=True)
class Posed:
    """What was learnt of walks.

    Attributes:
        recipe: As it was carried out.
        panel: Denoisers by name.
        members: Scores by name.
        smooth: Frames to smooth over.
        scales: Offline and causal, by score.
        slack: By score, how much more it says of what was filled.
        left_out: Offline and causal, per walk, by score: raw scores of frames `(T,)` of persons who had been left out.
        losses: Of the last training.
    """

    recipe: Recipe
    panel: dict[str, Denoiser]
    members: dict[str, AnomalyScore]
    smooth: int
    scales: dict[bool, dict[str, Standout]]
    slack: dict[str, float]
    left_out: dict[bool, list[Raw]]
    losses: list[float]


def pose(
    recipe: Recipe,
    modality: Poses,
    walks: Sequence[Walk],
    seed: int,
    set_aside: float = 0.0,
    max_seconds: float | None = None,
) -> Generator[Progress, None, Posed]:
    """Carry out a recipe: yields progress, returns what was learnt.

    Args:
        recipe: Of poses.
        modality: Fitted.
        walks: Of its tracks.
        seed: Of all chance.
        set_aside: Share of the frames, those of the highest left-out scores, that parts and scales do not learn from.
        max_seconds: About how long it may take; networks take fewer steps then.

    Raises:
        Misfit: the recipe is of another kind of data, or a score has a network of its own.
        Unreadable: there are fewer than two windows of a kind.
    """
    check_recipe(recipe)
    with one_thread():
        return (yield from _pose(recipe, modality, walks, seed, set_aside, max_seconds))


def _pose(
    recipe: Recipe, modality: Poses, walks: Sequence[Walk], seed: int, set_aside: float, max_seconds: float | None
) -> Generator[Progress, None, Posed]:
    views = sights(recipe, modality)
    if max_seconds is not None:
        recipe = hastened(recipe, views, walks, max_seconds, seed)
    members = {name: question(asked) for name, asked in recipe.scores.items()}
    tally = Tally(sum(spec.steps for spec in networks(recipe)) * (FOLDS + 1))
    left_out, slack = yield from tally.told(unseen(recipe, modality, members, walks, seed), "calibrating")
    smooth = max(1, int(recipe.smooth))
    spared = trusted(left_out[False], set_aside)
    panel = yield from tally.told(grown(recipe, views, walks, spared, seed), "learning")
    scales = {
        causal: scaled(raw, over(smooth, causal), causal, set_aside, recipe.power) for causal, raw in left_out.items()
    }
    return Posed(recipe, panel, members, smooth, scales, slack, left_out, tally.losses)


def check_recipe(recipe: Recipe) -> None:
    """Refuse a recipe that is not of poses, or asks for what they have not.

    Raises:
        Misfit: it is, or does.
    """
    if recipe.kind != "poses":
        raise Misfit(f"the recipe {recipe.name!r} is for {recipe.kind} data; choose one of poses, mocodad.")
    own = [name for name, asked in recipe.scores.items() if asked.net is not None]
    if own:
        raise Misfit(f"score {own[0]} has a network of its own, and scores of poses ask a denoiser; choose another.")
    if isinstance(recipe.smooth, str):
        raise Misfit(f"the recipe smooths over {recipe.smooth}, and poses have no period; give smooth in frames.")


def unseen(
    recipe: Recipe,
    modality: Poses,
    members: Mapping[str, AnomalyScore],
    walks: Sequence[Walk],
    seed: int,
) -> Generator[Step, None, tuple[dict[bool, list[Raw]], dict[str, float]]]:
    """What every score says of every frame, as if the person, or the time around it, had been left out; its slack."""
    views, slack = sights(recipe, modality), dict[str, float]()
    longest = max(view.length for view in views.values())
    turns = folds(walks, min(FOLDS, max(2, len(walks))), 2 * longest)
    found = {causal: [{n: np.full(len(walk), np.nan) for n in members} for walk in walks] for causal in (False, True)}
    for k in sorted({int(v) for turn in turns for v in np.unique(turn)}):
        out = [turn == k for turn in turns]
        panel = yield from grown(recipe, views, walks, [~each for each in out], seed)
        for name, asked in recipe.scores.items():
            view = views[str(recipe.denoisers[str(asked.of)].view)]
            q = Question(members[name], panel[str(asked.of)], view, follows(recipe, str(asked.of)))
            if name not in slack:
                slack[name] = slackness(q, modality, [w for w, own in zip(walks, out, strict=True) if own.any()], seed)
            q = replace(q, slack=slack[name])
            for i, (walk, own) in enumerate(zip(walks, out, strict=True)):
                if not own.any():
                    continue
                judged = view.judged(walk) & own[view.length - 1 :]
                for causal, said in q.frames(walk, judged).items():
                    found[causal][i][name][own] = said[own]
    return found, slack


def slackness(q: Question, modality: Poses, walks: Sequence[Walk], seed: int) -> float:
    """How much more a score says of normal walks when joints are hidden, per variance of what is then filled."""
    more = [np.zeros(0)]
    for i, walk in enumerate(walks[:VEILED]):
        veiled = modality.encode(hidden(modality.seen(walk), seed + i))
        plain, less = (replace(q, slack=0.0).windows_said(w) for w in (walk, veiled))
        added = q.sight.unsure(veiled) - q.sight.unsure(walk)
        there = np.isfinite(plain) & np.isfinite(less) & (added > LEAST_ADDED)
        more.append((less[there] / np.maximum(plain[there], 1e-300) - 1) / added[there])
    joined = np.concatenate(more)
    return float(max(0.0, np.median(joined))) if len(joined) else 0.0


def hidden(track: np.ndarray, seed: int) -> np.ndarray:
    """A track `(T, J, D)` of which a fifth of the joints are not seen for some frames, then others."""
    draw, gone = np.random.default_rng(seed), np.zeros(track.shape[:2], bool)
    for start in range(0, len(track), LASTS):
        gone[start : start + LASTS] = draw.uniform(size=track.shape[1]) < GONE
    return np.where(gone[..., None], np.nan, track)


def trusted(raws: Sequence[Raw], share: float) -> list[np.ndarray]:
    """Frames `(T,)` of each walk that are not among so large a share of the highest left-out scores."""
    if not share:
        return [np.ones(len(next(iter(raw.values()))), bool) for raw in raws]
    whole = {name: np.concatenate([raw[name] for raw in raws]) for name in raws[0]}
    level = {name: np.sort(values[np.isfinite(values)]) for name, values in whole.items()}
    ranks = [
        np.nanmax([np.searchsorted(level[n], said) / max(1, len(level[n])) * _ones(said) for n, said in raw.items()], 0)
        for raw in raws
    ]
    limit = np.nanquantile(np.concatenate(ranks), 1 - share)
    return [~(rank > limit) for rank in ranks]


def _ones(said: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(said), 1.0, 0.0)


def grown(
    recipe: Recipe, views: Mapping[str, Sight], walks: Sequence[Walk], frames: Sequence[np.ndarray], seed: int
) -> Generator[Step, None, dict[str, Denoiser]]:
    """Fit every denoiser on the windows whose frames are all True in `frames`, one `(T,)` per walk."""
    process, panel = schedule(recipe), dict[str, Denoiser]()
    for name, spec in recipe.denoisers.items():
        view = views[str(spec.view)]
        past = view.past if follows(recipe, name) else 0
        x, known = shown(view, walks, frames, seed)
        panel[name] = yield from fitted(spec, x, known, past, process, seed)
    return panel


def shown(
    view: Sight, walks: Sequence[Walk], frames: Sequence[np.ndarray], seed: int, most: int = SHOWN
) -> tuple[Tensor, Tensor]:
    """Windows `(n, C, length)` that overlap with those frames alone, at most so many; and what of them is known.

    What was filled is drawn from what it may have been: shown as it is, it would seem surer than it is.

    Raises:
        Unreadable: there are fewer than two.
    """
    places = [
        np.flatnonzero(view.judged(walk) & view.all(~covered(~own, view.length - 1)))
        for walk, own in zip(walks, frames, strict=True)
    ]
    if sum(map(len, places)) < 2:
        places = [np.flatnonzero(view.judged(walk)) for walk in walks]
    total = sum(map(len, places))
    if total < 2:
        raise Unreadable(
            f"{total} stretches of {view.length} frames show a body throughout; give longer tracks, or more of them."
        )
    kept = np.sort(np.random.default_rng(seed).permutation(total)[:most])
    cuts = np.cumsum([0, *map(len, places)])
    x, known, generator = [], [], torch.Generator().manual_seed(seed)
    for walk, own, first, last in zip(walks, places, cuts, cuts[1:], strict=False):
        starts = torch.from_numpy(own[kept[(kept >= first) & (kept < last)] - first])
        if len(starts):
            windows, there = view.windows(walk)
            doubt = (walk.doubt * ~walk.known)[:, view.columns].unfold(0, view.length, 1)[starts]
            x.append(windows[starts] + doubt * torch.randn(doubt.shape, generator=generator))
            known.append(there[starts])
    return torch.cat(x), torch.cat(known)


def fitted(
    spec: DenoiserSpec, x: Tensor, known: Tensor, past: int, process: Schedule, seed: int
) -> Generator[Step, None, Denoiser]:
    """A denoiser of windows `(n, C, length)`, or of what follows so many poses of the `past`.

    Raises:
        Misfit: it is of another kind of data.
    """
    n, channels, length = x.shape
    cells = channels * length
    if isinstance(spec, GaussianSpec):
        share = shrinkage(n, cells)
        return Following.fit(x, past, process, share) if past else Gaussian.fit(x.double(), process, share)
    if isinstance(spec, EmpiricalSpec):
        kept = x[np.sort(np.random.default_rng(seed).permutation(n)[: spec.references])].double()
        return Empirical(kept, process, neighbours=min(spec.neighbours or len(kept), max(1, len(kept) - 1)))
    if isinstance(spec, MixtureSpec):
        return GaussianMixture.fit(x.double(), process, spec.components, seed)
    if not isinstance(spec, NetworkSpec):
        raise Misfit(f"a {spec.use} denoiser is of pictures; of poses choose gaussian, empirical, mixture or network.")
    made = network(spec, channels, length - past, past, process, seed)
    yield from _taught(made, spec, x, known, past, seed)
    return made


def network(spec: NetworkSpec, channels: int, length: int, past: int, process: Schedule, seed: int) -> Denoiser:
    """An untrained network for windows `(channels, length)` that is told so many poses of the past."""
    settings = {"channels": channels, "length": length, "width": spec.width, "depth": spec.depth, "past": past}
    net = seeded(NETS[spec.net], seed, **settings)
    return Preconditioned(net, process, 1.0) if spec.predict == "edm" else PREDICTIONS[spec.predict](net, process)


def _taught(
    made: Denoiser, spec: NetworkSpec, x: Tensor, known: Tensor, past: int, seed: int
) -> Generator[Step, None, None]:
    generator = torch.Generator().manual_seed(seed)

    def loss(places: Tensor, generator: torch.Generator) -> Tensor:
        future, condition = told(x[places], known[places], past)
        if past:
            lost = torch.rand(len(places), 1, 1, generator=generator) < FORGOTTEN
            condition = {"past": condition["past"].masked_fill(lost, torch.nan)}
        t, noise = drawn(future, made.schedule, spec.between, generator)
        given = condition if past else {}
        return denoising_loss(made, future, t, noise, WEIGHTS[spec.weight], known[places][:, :, past:], **given)

    places = batches(torch.arange(len(x)), spec.batch, spec.steps, generator)
    yield from train(made, loss, places, spec.steps, generator, spec.lr)


def hastened(recipe: Recipe, views: Mapping[str, Sight], walks: Sequence[Walk], seconds: float, seed: int) -> Recipe:
    """The recipe with as many training steps as about half of so many seconds are enough for."""
    began, planned = time.perf_counter(), 0.0
    every = [np.ones(len(walk), bool) for walk in walks]
    nets = {name: spec for name, spec in recipe.denoisers.items() if isinstance(spec, NetworkSpec)}
    for name, spec in nets.items():
        view = views[str(spec.view)]
        x, known = shown(view, walks, every, seed, 2000)
        few, past = spec.model_copy(update={"steps": TRIED}), view.past if follows(recipe, name) else 0
        times = [time.perf_counter() for _ in fitted(few, x, known, past, schedule(recipe), seed)]
        planned += (FOLDS + 1) * spec.steps * (times[-1] - times[0]) / max(1, len(times) - 1)
    left = max(0.0, seconds - (time.perf_counter() - began))
    share = min(1.0, left / 2 / planned) if planned else 1.0
    if share == 1:
        return recipe
    fewer = {k: s.model_copy(update={"steps": max(FEWEST_STEPS, round(share * s.steps))}) for k, s in nets.items()}
    return recipe.model_copy(update={"denoisers": {**recipe.denoisers, **fewer}})
