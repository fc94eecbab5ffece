r"""Recipes of series: every part is fitted on windows, and judges windows that it has not seen.

Left out is what lies in the same block of time, and what overlaps with it: an empirical denoiser leaves out the windows
within one window's length of the one that it judges; the others are fitted on the blocks of the other folds, less one
window on either side. The final parts are fitted on everything.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import torch
from torch import Tensor

from anodiff.diffusion.denoise import Denoiser
from anodiff.diffusion.empirical import Empirical
from anodiff.diffusion.exact import Gaussian, GaussianMixture
from anodiff.diffusion.noise import Schedule
from anodiff.modalities.laid import Laid
from anodiff.modalities.windows import View
from anodiff.recipes.build import Silent, question, schedule
from anodiff.recipes.instants import Ledger, judge
from anodiff.recipes.knowing import Knowing
from anodiff.recipes.schema import Recipe
from anodiff.recipes.specs import (
    DenoiserSpec,
    EmpiricalSpec,
    GaussianSpec,
    MixtureSpec,
    NetworkSpec,
    PositionalSpec,
    ScoreSpec,
    ViewSpec,
)
from anodiff.recipes.windownets import network, own_score, own_taught, taught
from anodiff.scores.base import AnomalyScore
from anodiff.training import Step, one_thread
from anodiff.types import Misfit

Said = list[dict[str, np.ndarray]]
FOLDS = 2
BLOCKS = 4
NO_PERIOD = 125
TAKEN = 1000
LEAST_VARIANCE = 1e-8
BESIDE = 4
"""Where a network sees some directions, so many times as many are kept; the others share one variance."""
FOLLOWED = 1000
"""Instants of a trend at most, where it is given in periods."""
SHOWN, LEAST_SHOWN, NUMBERS = 20_000, 4_000, 2**23
"""Windows that a Gaussian or a network is shown at most; fewer long ones, to hold about so many numbers."""


@dataclass(frozen=True)
class Doubts:
    """How suspicious each instant is, one array `(G,)` per strip, NaN is not at all; and what share is feared."""

    suspicion: Sequence[np.ndarray]
    share: float = 0.0

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
        """All windows that may be judged, as the view sees the strips."""
        return cls(view, [laid.seen_by(view) for laid in strips], [laid.judged(view) for laid in strips])

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
        return torch.cat([self.view.taken(laid.x, s) for laid, own in pairs for s in torch.split(own, TAKEN) if len(s)])

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
    follow = spec.follow if isinstance(spec.follow, int) else min(FOLLOWED, periods(spec.follow, period))
    return View(length, min(length, spec.points or length), spec.normalise, min(follow, longest // 4))


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
    recipe: Recipe, places: Mapping[str, Places], knowing: Knowing, seed: int, doubts: Doubts | None = None
) -> Generator[Step, None, tuple[dict[str, Denoiser], dict[str, AnomalyScore]]]:
    """Fit every part on everything: yields steps, returns denoisers and scores by name."""
    process, panel, members = schedule(recipe), dict[str, Denoiser](), dict[str, AnomalyScore]()
    for name, spec in recipe.denoisers.items():
        own = places[str(spec.view)]
        panel[name] = yield from fitted(spec, own, _spared(spec, own, doubts), process, knowing, seed)
    for name, asked in recipe.scores.items():
        if asked.net is None:
            members[name] = question(asked)
        else:
            own = places[str(asked.net.view)]
            members[name] = yield from own_fitted(asked, asked.net, _spared(asked.net, own, doubts), process, seed)
    return panel, members


def left_out_windowed(
    recipe: Recipe, places: Mapping[str, Places], knowing: Knowing, seed: int, share: float = 0.0
) -> Generator[Step, None, tuple[dict[bool, Said], Doubts]]:
    """What every score says of every instant, as if its neighbourhood had been left out.

    Networks come last: they are not shown the `share` of windows that the others find most suspicious.

    Returns:
        Offline (False) and causally (True), per strip, by score `(G,)` float32; and the doubts.
    """
    process, lengths = schedule(recipe), [len(laid) for laid in next(iter(places.values())).strips]
    said: dict[bool, Said] = {causal: [{} for _ in lengths] for causal in (False, True)}
    order = sorted(recipe.denoisers, key=lambda name: isinstance(recipe.denoisers[name], NetworkSpec))
    doubts: Doubts | None = None
    for name in order:
        spec = recipe.denoisers[name]
        own = places[str(spec.view)]
        if isinstance(spec, NetworkSpec) and doubts is None:
            doubts = doubted(said[False], lengths, share)
        asked = {k: s for k, s in recipe.scores.items() if s.of == name}
        ledgers = [_pairs(asked, own.view, length) for length in lengths]
        rounds = [(own, own)] if isinstance(spec, EmpiricalSpec) else own.folds(FOLDS)
        for rest, out in rounds:
            denoiser = yield from fitted(spec, rest, _spared(spec, rest, doubts), process, knowing, seed)
            ranks = _own_ranks(own, denoiser) if isinstance(spec, EmpiricalSpec) else [None] * len(lengths)
            questions = {k: question(s) for k, s in asked.items()}
            _judge_all(ledgers, questions, denoiser, out, ranks, knowing)
        _note(said, ledgers)
    doubts = doubted(said[False], lengths, share) if doubts is None else doubts
    for k, s in recipe.scores.items():
        if s.net is not None:
            own = places[str(s.net.view)]
            ledgers = [_pairs({k: s}, own.view, length) for length in lengths]
            for rest, out in own.folds(FOLDS):
                made = yield from own_fitted(s, s.net, _spared(s.net, rest, doubts), process, seed)
                _judge_all(ledgers, {k: made}, Silent(process), out, [None] * len(lengths), knowing)
            _note(said, ledgers)
    return said, doubts


def _pairs(asked: Mapping[str, ScoreSpec], view: View, length: int) -> dict[str, tuple[Ledger, Ledger]]:
    """A ledger offline and a causal one, by score."""
    made = {k: (s.read, s.root) for k, s in asked.items()}
    return {k: (Ledger(length, view, *how), Ledger(length, view, *how)) for k, how in made.items()}


def _judge_all(
    ledgers: Sequence[Mapping[str, tuple[Ledger, Ledger]]],
    questions: Mapping[str, AnomalyScore],
    denoiser: Denoiser,
    out: Places,
    ranks: Sequence[Tensor | None],
    knowing: Knowing,
) -> None:
    """Put what every score says of the windows `out` into the ledgers, two per strip and score.

    Where no gap is bridged and no trend followed, a causal window is the same as an offline one.
    """
    for laid, judged, ledger, itself in zip(out.strips, out.judged, ledgers, ranks, strict=True):
        more, step = knowing.of(laid, out.view), out.view.stride(len(laid))
        for name, asking in questions.items():
            offline, causal = ledger[name]
            judge(offline, asking, denoiser, laid, judged, itself=itself, condition=more, stride=step)
            if laid.late(out.view):
                may = judged & laid.judged(out.view, causal=True)
                judge(causal, asking, denoiser, laid, may, True, itself=itself, condition=more, stride=step)
            else:
                causal.ends = offline.ends


def _note(said: dict[bool, Said], ledgers: Sequence[Mapping[str, tuple[Ledger, Ledger]]]) -> None:
    for i, ledger in enumerate(ledgers):
        said[False][i] |= {name: offline.covered().astype(np.float32) for name, (offline, _) in ledger.items()}
        said[True][i] |= {name: causal.ends.astype(np.float32) for name, (_, causal) in ledger.items()}


def doubted(said: Said, lengths: Sequence[int], share: float = 0.0) -> Doubts:
    """The sum of what was said so far, each score in units of its spread over all instants."""
    totals = [np.zeros(length) for length in lengths]
    for name in said[0] if said else ():
        whole = np.concatenate([each[name] for each in said])
        spread = float(np.nanstd(whole)) if np.isfinite(whole).any() else 0.0
        for total, each in zip(totals, said, strict=True):
            total += np.nan_to_num(each[name] / (spread or 1.0))
    return Doubts(totals, share)


def fitted(
    spec: DenoiserSpec, own: Places, shown: Places, process: Schedule, knowing: Knowing, seed: int
) -> Generator[Step, None, Denoiser]:
    """A denoiser of the windows that it is shown; yields the steps of its training."""
    if isinstance(spec, EmpiricalSpec):
        return reference(spec, shown, process, seed)
    starts, x = _shown(shown, seed)
    if isinstance(spec, MixtureSpec):
        return GaussianMixture.fit(x, process, spec.components, seed)
    rank = BESIDE * spec.directions if isinstance(spec, NetworkSpec) and spec.directions is not None else None
    gaussian = spread_out(Gaussian.fit(x, process, ridge(*x.flatten(1).shape), rank))
    if isinstance(spec, GaussianSpec):
        return gaussian
    assert isinstance(spec, NetworkSpec)
    made = network(spec, own.view, x.shape[1], knowing, seed, process, gaussian)
    pairs = zip(shown.strips, starts, strict=True)
    told = [{name: known[s] for name, known in knowing.of(laid, own.view).items()} for laid, s in pairs]
    ends = {name: torch.cat([each[name] for each in told]) for name in told[0]}
    with one_thread():
        yield from taught(made, spec, x, ends, knowing.null(), seed)
    return made


def own_fitted(
    asked: ScoreSpec, spec: NetworkSpec, shown: Places, process: Schedule, seed: int
) -> Generator[Step, None, AnomalyScore]:
    """A score with a network of its own, trained on the windows that it is shown; yields the steps."""
    _, x = _shown(shown, seed)
    made = own_score(asked, spec, shown.view, x.shape[1], process, seed)
    with one_thread():
        yield from own_taught(made, spec, x, seed)
    return cast(AnomalyScore, made)


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


def spread_out(gaussian: Gaussian) -> Gaussian:
    """The Gaussian with no less than `LEAST_VARIANCE` in any direction: a flat stretch is no certainty."""
    values, rest = (v.clamp(min=LEAST_VARIANCE) for v in (gaussian.values, gaussian.rest))
    vectors = gaussian.vectors
    if not len(values):
        values, vectors = rest[None], torch.eye(len(vectors), 1, dtype=vectors.dtype)
    return Gaussian.spectral(gaussian.mean, values, vectors, rest, gaussian.schedule)


def ridge(n: int, d: int) -> float:
    """The share of its covariance that is replaced by its mean variance."""
    return max(0.01 * min(1.0, d / n), 1e-6)


def _shown(shown: Places, seed: int) -> tuple[list[Tensor], Tensor]:
    """Starts per strip of the windows that a part is fitted on, and these `(n, width, points)`."""
    most = max(LEAST_SHOWN, NUMBERS // (shown.strips[0].x.shape[1] * shown.view.points))
    starts = shown.drawn(min(SHOWN, most), seed)
    x = shown.windows(starts)
    if len(x) < 2:
        raise Misfit(f"{len(x)} windows of {shown.view.length} instants are too few; give a longer series.")
    return starts, x


def _spared(spec: DenoiserSpec, places: Places, doubts: Doubts | None) -> Places:
    if doubts is None or isinstance(spec, MixtureSpec | PositionalSpec):
        return places
    trim = doubts.share if spec.trim is None else spec.trim
    return places.only(doubts.spares(places.view, trim)) if trim else places


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
