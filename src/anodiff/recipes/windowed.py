r"""Recipes of series: every part is fitted on windows, and judges windows that it has not seen.

Left out is what lies in the same block of time, and what overlaps with it: an empirical denoiser leaves out the windows
within one window's length of the one that it judges; the others are fitted on the blocks of the other folds, less one
window on either side. The final parts are fitted on everything.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from anodiff.diffusion.denoise import WEIGHTS, Denoiser, denoising_loss
from anodiff.diffusion.empirical import Empirical
from anodiff.diffusion.exact import Gaussian, GaussianMixture
from anodiff.diffusion.leading import Leading, leading_gaussian
from anodiff.diffusion.noise import Schedule
from anodiff.diffusion.spectral import Spectral, drawn, over, spectral
from anodiff.modalities.laid import Laid
from anodiff.modalities.windows import View
from anodiff.nets import NETS
from anodiff.nets.mlp import seeded
from anodiff.recipes.build import PREDICTIONS, question, schedule
from anodiff.recipes.instants import Ledger, judge
from anodiff.recipes.schema import EmpiricalSpec, GaussianSpec, MixtureSpec, NetworkSpec, Recipe, ViewSpec
from anodiff.scores.base import AnomalyScore
from anodiff.training import Step, batches, one_thread, train
from anodiff.types import Misfit

DenoiserSpec = EmpiricalSpec | GaussianSpec | MixtureSpec | NetworkSpec
Raw = list[dict[str, np.ndarray]]
FOLDS = 2
BLOCKS = 4
NO_PERIOD = 125
SHOWN = 20_000
"""Windows that a Gaussian or a network is shown at most."""


@dataclass(frozen=True)
class Doubts:
    """How suspicious each instant is, one array `(G,)` per strip; NaN is not at all."""

    suspicion: Sequence[np.ndarray]

    def spares(self, view: View, trim: float) -> list[np.ndarray]:
        """Which windows of each strip are not among the share `trim` of the most suspicious."""
        peaks = [_window_max(np.nan_to_num(s, nan=-np.inf), view) for s in self.suspicion]
        whole = np.concatenate([np.zeros(0), *peaks])
        limit = np.quantile(whole, 1 - trim, method="higher") if len(whole) else np.inf
        return [peak <= limit for peak in peaks]


@dataclass(frozen=True)
class Places:
    """The windows of a view in several strips, end to end.

    Attributes:
        view: How they are cut.
        strips: What they are cut from.
        judged: Which windows count, per strip.
    """

    view: View
    strips: Sequence[Laid]
    judged: list[np.ndarray] = field(default_factory=list)

    @classmethod
    def of(cls, view: View, strips: Sequence[Laid]) -> "Places":
        """All windows that may be judged."""
        return cls(view, strips, [laid.judged(view) for laid in strips])

    def count(self) -> int:
        """Windows that count."""
        return int(sum(j.sum() for j in self.judged))

    def only(self, masks: Sequence[np.ndarray]) -> "Places":
        """Those of them that are in the masks too."""
        return Places(self.view, self.strips, [j & m for j, m in zip(self.judged, masks, strict=True)])

    def drawn(self, most: int, seed: int) -> list[Tensor]:
        """At most so many starts, per strip, in order: one from each of as many equal shares of the windows."""
        return self.starts(jittered(self.count(), most, seed))

    def starts(self, ranks: Tensor) -> list[Tensor]:
        """Of the windows that count, those of these ranks `(m,)`: their starts, per strip."""
        found, before = [], 0
        for judged in self.judged:
            here = torch.from_numpy(np.flatnonzero(judged))
            own = ranks[(ranks >= before) & (ranks < before + len(here))] - before
            found.append(here[own])
            before += len(here)
        return found

    def windows(self, starts: Sequence[Tensor]) -> Tensor:
        """The windows that begin there `(m, width, points)`."""
        pairs = zip(self.strips, starts, strict=True)
        return torch.cat([self.view.taken(laid.x, s) for laid, s in pairs if len(s)])

    def folds(self, count: int) -> Iterator[tuple["Places", "Places"]]:
        """Pairs: to fit on, to judge. Blocks of time take turns; what overlaps a judged window is not fitted on."""
        length = max(2 * self.view.length, -(-sum(len(s) for s in self.strips) // (count * BLOCKS)))
        turn = []
        offset = 0
        for laid, judged in zip(self.strips, self.judged, strict=True):
            turn.append((offset + np.arange(len(judged)) + self.view.length // 2) // length % count)
            offset += len(laid)
        for k in range(count):
            out = self.only([t == k for t in turn])
            if not out.count():
                continue
            rest = self.only([~_widened(t == k, self.view.length - 1) for t in turn])
            yield rest if rest.count() > 1 else self.only([t != k for t in turn]) if count > 1 else self, out


def resolved(spec: ViewSpec, period: int, longest: int) -> View:
    """A view for data of this period (0: none) whose longest strip has so many instants."""
    length = spec.length if isinstance(spec.length, int) else periods(spec.length, period)
    if isinstance(spec.length, str):
        length = int(np.clip(length, spec.least, spec.most))
    length = max(1, min(length, longest // 4))
    return View(length, min(length, spec.points or length), spec.normalise)


def smoothing(given: int | str, period: int) -> int:
    """Instants to smooth over: a number, or so many periods, at most 300."""
    return max(1, given if isinstance(given, int) else min(300, periods(given, period)))


def periods(text: str, period: int) -> int:
    """So many periods as instants; without a period, of `NO_PERIOD`.

    >>> periods("2P", 24), periods("0.5P", 0)
    (48, 62)
    """
    return round(float(text[:-1] or 1) * (period or NO_PERIOD))


def grow_windowed(
    recipe: Recipe, places: Mapping[str, Places], entities: int, seed: int, doubts: Doubts | None = None
) -> Generator[Step, None, tuple[dict[str, Denoiser], dict[str, AnomalyScore]]]:
    """Fit every part on everything: yields steps, returns denoisers and scores by name."""
    process, panel = schedule(recipe), dict[str, Denoiser]()
    for name, spec in recipe.denoisers.items():
        own = places[str(spec.view)]
        panel[name] = yield from fitted(spec, own, _spared(spec, own, doubts), process, entities, seed)
    return panel, {name: question(asked) for name, asked in recipe.scores.items()}


def left_out_windowed(
    recipe: Recipe, places: Mapping[str, Places], entities: int, seed: int
) -> Generator[Step, None, tuple[list[dict[str, Ledger]], Doubts]]:
    """What every score says of every instant, as if its neighbourhood had been left out: a ledger per strip and score.

    Networks come last: they are not shown the windows that the others find most suspicious.
    """
    process = schedule(recipe)
    strips = next(iter(places.values())).strips
    ledgers: list[dict[str, Ledger]] = [{} for _ in strips]
    order = sorted(recipe.denoisers, key=lambda name: isinstance(recipe.denoisers[name], NetworkSpec))
    doubts: Doubts | None = None
    for name in order:
        spec = recipe.denoisers[name]
        own = places[str(spec.view)]
        if isinstance(spec, NetworkSpec) and doubts is None:
            doubts = doubted(ledgers)
        asked = {k: s for k, s in recipe.scores.items() if s.of == name}
        for k, s in asked.items():
            for laid, ledger in zip(strips, ledgers, strict=True):
                ledger[k] = Ledger(len(laid), own.view, s.read, s.root)
        rounds = [(own, own)] if isinstance(spec, EmpiricalSpec) else own.folds(FOLDS)
        for rest, out in rounds:
            denoiser = yield from fitted(spec, rest, _spared(spec, rest, doubts), process, entities, seed)
            ranks = _own_ranks(own, denoiser) if isinstance(spec, EmpiricalSpec) else [None] * len(strips)
            for laid, judged, ledger, itself in zip(strips, out.judged, ledgers, ranks, strict=True):
                for k, s in asked.items():
                    more = conditions(laid, len(judged), entities)
                    step = own.view.stride(len(laid))
                    judge(ledger[k], question(s), denoiser, laid, judged, itself=itself, condition=more, stride=step)
    return ledgers, doubts if doubts is not None else doubted(ledgers)


def doubted(ledgers: Sequence[Mapping[str, Ledger]]) -> Doubts:
    """The sum of what was said so far, each score in units of its spread over all instants."""
    totals = [np.zeros(len(next(iter(each.values())).total)) if each else np.zeros(0) for each in ledgers]
    for name in ledgers[0] if ledgers else ():
        said = [each[name].covered() for each in ledgers]
        spread = float(np.nanstd(np.concatenate(said))) if any(np.isfinite(s).any() for s in said) else 0.0
        for total, s in zip(totals, said, strict=True):
            total += np.nan_to_num(s / (spread or 1.0))
    return Doubts(totals)


def fitted(
    spec: DenoiserSpec, own: Places, shown: Places, process: Schedule, entities: int, seed: int
) -> Generator[Step, None, Denoiser]:
    """A denoiser of the windows that it is shown; yields the steps of its training."""
    if isinstance(spec, EmpiricalSpec):
        return reference(spec, shown, process, seed)
    starts = shown.drawn(SHOWN, seed)
    x = shown.windows(starts)
    if len(x) < 2:
        raise Misfit(f"{len(x)} windows of {own.view.length} instants are too few; give a longer series.")
    if isinstance(spec, MixtureSpec):
        return GaussianMixture.fit(x, process, spec.components, seed)
    gaussian = Gaussian.fit(x, process, ridge(*x.flatten(1).shape))
    if isinstance(spec, GaussianSpec):
        return gaussian
    made = network(spec, own.view, x.shape[1], entities, seed, process, gaussian)
    with one_thread():
        yield from taught(made, spec, x, _entity_of(shown, starts), entities, seed)
    return made


def taught(
    made: Denoiser, spec: NetworkSpec, x: Tensor, entity: Tensor, entities: int, seed: int
) -> Generator[Step, None, None]:
    """Train a network on windows `(n, width, points)` of entities `(n,)`."""
    generator = torch.Generator().manual_seed(seed)
    part, rows = (made.inner, made.coordinates(x)) if isinstance(made, Leading) else (made, x)
    loss = spectral(part, spec.between) if isinstance(part, Spectral) else conditional(part, spec)
    known = {"entity": entity} if entities and "entity" in spec.knows else {}
    places = torch.arange(len(rows))
    told = over(loss, rows, **known)
    yield from train(part, told, batches(places, spec.batch, spec.steps, generator), spec.steps, generator, spec.lr)


def conditional(denoiser: Denoiser, spec: NetworkSpec) -> Callable[..., Tensor]:
    """The loss of a denoiser that may be told conditions."""

    def loss(x: Tensor, generator: torch.Generator, **condition: Tensor) -> Tensor:
        t, noise = drawn(x, denoiser.schedule, spec.between, generator)
        return denoising_loss(denoiser, x, t, noise, WEIGHTS[spec.weight], **condition)

    return loss


def network(
    spec: NetworkSpec, view: View, width: int, entities: int, seed: int, process: Schedule, gaussian: Gaussian | None
) -> Denoiser:
    """An untrained network for windows of a view; a spectral one stands on a Gaussian.

    Raises:
        Misfit: only some directions are asked for of a network that is not a spectral perceptron.
    """
    if spec.directions is not None and (spec.predict, spec.net) != ("spectral", "mlp"):
        raise Misfit(f"directions are for spectral networks of kind mlp; this one is {spec.predict}, {spec.net}.")
    told = entities if "entity" in spec.knows else 0
    settings = {"width": spec.width, "depth": spec.depth, "entities": told, "silent": spec.predict == "spectral"}
    if gaussian is not None and spec.directions is not None:
        inner = leading_gaussian(gaussian, spec.directions)
        net = seeded(NETS["mlp"], seed, channels=1, length=len(inner.values), **settings)
        return Leading(Spectral(net, inner, spec.whitening), gaussian, spec.directions)
    net = seeded(NETS[spec.net], seed, channels=width, length=view.points, **settings)
    if spec.predict != "spectral":
        return PREDICTIONS[spec.predict](net, process)
    if gaussian is None:
        raise Misfit("a spectral network stands on a Gaussian; it was given none.")
    return Spectral(net, gaussian, spec.whitening)


def reference(spec: EmpiricalSpec, shown: Places, process: Schedule, seed: int) -> Empirical:
    """The windows themselves; those that overlap with the one that is judged are left out by their rank."""
    starts = shown.drawn(spec.references, seed)
    rows = shown.windows(starts)
    apart = max(1.0, shown.count() / max(1, len(rows)))
    exclude = int(np.ceil((shown.view.length - 1) / apart)) + (apart > 1)
    neighbours = min(spec.neighbours or len(rows), max(1, len(rows) - 1))
    exclude = max(0, min(exclude, (len(rows) - 1 - neighbours) // 2))
    run = min(len(rows), max(1, int(np.ceil(shown.view.length / apart)))) if spec.distinct else 0
    return Empirical(rows, process, neighbours=neighbours, exclude=exclude, apart=run)


def jittered(count: int, most: int, seed: int) -> Tensor:
    """Ranks among `count`, in order, at most so many: one drawn from each of as many equal shares."""
    if count <= most:
        return torch.arange(count)
    part = torch.rand(most, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return ((torch.arange(most) + part) * (count / most)).long().clamp(max=count - 1)


def ridge(n: int, d: int) -> float:
    """The share of its covariance that is replaced by its mean variance."""
    return max(0.01 * min(1.0, d / n), 1e-6)


def conditions(laid: Laid, windows: int, entities: int) -> dict[str, Tensor]:
    """What networks may know besides the window, of every window `(n,)`."""
    return {"entity": torch.full((windows,), laid.entity)} if entities else {}


def _entity_of(shown: Places, starts: Sequence[Tensor]) -> Tensor:
    pairs = zip(shown.strips, starts, strict=True)
    return torch.cat([torch.full((len(s),), laid.entity) for laid, s in pairs])


def _spared(spec: DenoiserSpec, places: Places, doubts: Doubts | None) -> Places:
    if doubts is None or isinstance(spec, MixtureSpec) or not spec.trim:
        return places
    return places.only(doubts.spares(places.view, spec.trim))


def _own_ranks(places: Places, denoiser: Denoiser) -> list[Tensor]:
    """Of every window of each strip, its place among the rows that an empirical denoiser keeps."""
    rows, count, before, found = len(denoiser.rows), places.count(), 0, []  # type: ignore[arg-type]
    for judged in places.judged:
        rank = before + np.maximum(np.cumsum(judged) - 1, 0)
        found.append(torch.from_numpy(np.minimum(rank * rows // max(count, 1), rows - 1)))
        before += int(judged.sum())
    return found


def _widened(mask: np.ndarray, by: int) -> np.ndarray:
    if not by or not len(mask):
        return mask
    return np.convolve(mask, np.ones(2 * by + 1), mode="full")[by : by + len(mask)] > 0.5


def _window_max(values: np.ndarray, view: View) -> np.ndarray:
    """The highest value in each window `(n,)`."""
    from scipy.ndimage import maximum_filter1d

    if not view.count(len(values)):
        return np.zeros(0)
    before = view.length // 2
    return np.asarray(maximum_filter1d(values, view.length, mode="nearest"))[before : before + view.count(len(values))]
