r"""What chooses the scores that a series is judged by: nothing, generated anomalies, a few real ones, or both?

Of a series some events are known, the others are judged; the known ones and `MARGIN` instants around them are cut out.
What known events teach is what `SeriesDetector.teach` learns of them (`recipes.known_spans`); what each score says of
every instant is worked out once per series. The default and the best single score of it, an oracle, span the distance

.. math:: \text{closed} = \frac{A - A_\text{default}}{A_\text{best} - A_\text{default}} .
"""

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anodiff.alarms.standout import Standout
from anodiff.anomalies.classic_spans import CLASSICS, Smote
from anodiff.bench.series.ours import fitted, learnt
from anodiff.bench.series.tasks import Source, Task, own_train, sources, whole
from anodiff.detect_series import SeriesDetector
from anodiff.generate import Generator
from anodiff.generate_series import SeriesGenerator, sources_of
from anodiff.lessons_series import Lesson, best, lessons, overlap, stranger
from anodiff.metrics.ranking import auroc, average_precision
from anodiff.metrics.segments import segments
from anodiff.metrics.vus import vus
from anodiff.modalities.laid import Laid
from anodiff.modalities.series import stretched
from anodiff.modalities.windows import View, smoothed
from anodiff.recipes import known_spans as known
from anodiff.recipes.instants import Ledger
from anodiff.recipes.known_spans import ALIKE, CHANNELS
from anodiff.scores.profiles import Profiles
from anodiff.timeline import Timeline
from anodiff.types import JSON, Scores
from anodiff.workshop.spans.exemplars import learnt as known_kinds

MARGIN = 50
CONTEXT = 132
"""Instants on either side of an event that are given with it: a long window and what is smoothed over."""
MADE = 10
MADE_OF = 5
"""Anomalies are made of this many known events; of more or fewer it would say little more, and take as long again."""
FEWEST, REST = 3, 2
"""Events that are known, and left to be judged, at least."""
DEFAULT, BEST, CALLED = "default", "best single score", "no examples, channels called in"
REAL, ALONE = "real", "real, weights alone"
GENERATED, CLASSICAL = "generated", "classical"
BOTH, KINDS, BOTH_KINDS = "real + generated", "generated of the real", "real + generated of the real"
SMOTE, GAUSSIAN = "real + SMOTE-like of the real", "real + Gaussian"
SHARPNESSES = (0.0, 5.0, 10.0, 40.0, 80.0)
"""Beside the one in force, of which half of the series chooses."""
ARMS = (
    *(DEFAULT, BEST, CALLED, REAL, ALONE, GENERATED, CLASSICAL),
    *(BOTH, KINDS, BOTH_KINDS, SMOTE, GAUSSIAN),
    *(f"{REAL}, sharpness {sharp:g}" for sharp in SHARPNESSES),
)


@dataclass(frozen=True, eq=False)
class Piece:
    """A known anomaly, and what is said of its instants.

    Attributes:
        said: By score, smoothed, at the instants that are abnormal.
        away: How far each channel of each window departs from normal `(n, width)`; None of one channel.
        marked: Which instants are abnormal `(G,)`.
        profile: What it disturbs; None of one channel.
    """

    said: dict[str, np.ndarray]
    away: Tensor | None
    marked: np.ndarray
    profile: Tensor | None


@dataclass(frozen=True, eq=False)
class Room:
    """A series with all that is worked out once.

    Attributes:
        task: The series.
        model: As it is without known anomalies.
        normal: Smoothed left-out scores of the instants of fit, by score.
        said: Smoothed scores of the instants of the series, by score.
        of: The score whose denoiser tells of channels; None of one channel.
        scale: Of departures.
        kept: Departures of the kept windows, each left out.
        away: Departures of the windows of the series.
        left_out: As the detector holds them.
    """

    task: Task
    model: Timeline
    normal: dict[str, np.ndarray]
    said: dict[str, np.ndarray]
    of: str | None
    scale: Profiles
    kept: Tensor
    away: Tensor
    left_out: Sequence[Mapping[str, np.ndarray]]

    @property
    def view(self) -> View:
        """Of the windows that tell of channels."""
        return self.model.view(str(self.of))


def found() -> list[tuple[Source, bool]]:
    """The development series with events enough, and whether each is fitted on itself."""
    named = [
        (source, collection == "univariate")
        for collection in ("multivariate", "univariate")
        for source in sources([collection])
    ]
    return [(source, itself) for source, itself in named if len(segments(source.load().y)) >= FEWEST + REST]


def room(source: Source, itself: bool, seed: int, cache: Path | None = None) -> Room:
    """Fit, and work out what every score says; a fitted model is kept in `cache`."""
    from anodiff.saving import load

    task = whole(source) if itself else own_train(source)
    place = None if cache is None else cache / f"{source.name}.model"
    if place is not None and place.exists():
        detector = load(place).inner_
    else:
        detector = fitted(learnt(task), seed)
        if place is not None:
            detector.save(place)
    return laid_out(task, detector, itself)


def laid_out(task: Task, detector: SeriesDetector, itself: bool) -> Room:
    """What every score of a fitted detector says of the series."""
    model, left_out = stranger(detector.whole_, detector.left_out_)
    strip = model.modality.strip(model.modality.read(task.X).tracks[0])
    normal = {
        name: smoothed(np.concatenate([each[name] for each in left_out[False]]), model.smooth) for name in model.members
    }
    of = known.base(model.recipe, model.views, model.modality.width)
    nothing = torch.zeros(0, model.modality.width, dtype=torch.float64)
    scale, kept, away = Profiles(), nothing, nothing
    with torch.inference_mode():
        said = normal if itself else model.smoothed(model.raw(strip))
        if of is not None:
            denoiser, view = known.empirical(model.asked(of)), model.view(of)
            apart = known.alone(denoiser, view, int(model.facts["rows_fitted"]))
            distance = known.distances(apart, model.modality.width)
            scale = known.departures(distance, model.recipe.scores[of])
            kept, away = scale.departure(distance), departures(model, of, scale, strip)
    return Room(task, model, normal, said, of, scale, kept, away, left_out[False])


def departures(model: Timeline, of: str, scale: Profiles, strip: Any) -> Tensor:
    """How far each channel of every window of a strip departs from normal `(n, width)`."""
    view = model.view(of)
    laid = Laid.of(stretched(strip, model.longest)).seen_by(view)
    count, step, parts = view.count(len(laid)), view.stride(len(laid)), []
    for start in range(0, count, known.HELD * step):
        windows = laid.windows(view, start, min(count, start + known.HELD * step), stride=step).double()
        parts.append(scale.departure(scale.residual(model.asked(of), windows).sum(2).sqrt()))
    return torch.cat(parts).repeat_interleave(step, 0)[:count]


def piece(room: Room, lesson: Lesson, said: Mapping[str, np.ndarray] | None = None) -> Piece:
    """What is said of a known anomaly, by the model or as given."""
    marked = lesson.instants()
    with torch.inference_mode():
        said = room.model.smoothed(room.model.raw(lesson.strip)) if said is None else said
        if room.of is None:
            return Piece({name: each[marked] for name, each in said.items()}, None, marked, None)
        away = departures(room.model, room.of, room.scale, lesson.strip)
    covered = overlap(marked, room.view, len(away))
    channels = np.ones(room.model.modality.width, bool)
    profile = known.profile(away, covered, channels)
    return Piece({name: each[marked] for name, each in said.items()}, away, marked, profile)


def real(room: Room, event: np.ndarray, itself: bool) -> tuple[Piece, np.ndarray, np.ndarray]:
    """An event of the series as a known anomaly, its piece and its region."""
    start, stop = max(0, int(event[0]) - CONTEXT), int(event[1]) + CONTEXT
    X, region = room.task.X[start:stop], np.zeros(min(stop, len(room.task.X)) - start, bool)
    region[int(event[0]) - start : int(event[1]) - start] = True
    (lesson,) = lessons(room.model.modality, [X], [region])
    said = {name: each[start:stop] for name, each in room.said.items()} if itself else None
    return piece(room, lesson, said), X, region


def taught(
    room: Room,
    pieces: Sequence[Piece],
    weights: np.ndarray,
    alone: bool = False,
    sharpness: Sequence[float] = (known.SHARPNESS,),
) -> list[Scores]:
    """The score of every instant of the series by what known anomalies teach, at each sharpness; weights `alone`?"""
    seen = {name: known.shares(normal, [p.said[name] for p in pieces]) for name, normal in room.normal.items()}
    said, normal = dict(room.said), dict(room.normal)
    power: int = room.model.recipe.power
    if room.of is not None and not alone:
        power = known.LOGARITHMS
        rows = [p.profile for p in pieces if p.profile is not None]
        for name, matched in called(rows, room.away.shape[1]).items():
            said[name], normal[name] = heard(room, matched(room.away)), left_out(room, matched(room.kept))
            seen[name] = seen_by(room, name, pieces, rows, normal[name])
    share = {name: float(np.average(each, weights=weights)) for name, each in seen.items()}
    chosen = [known.weights(share, float(weights.sum()), sharp) for sharp in sharpness]
    return [summed(said, normal, each, power) for each in chosen]


def called(rows: Sequence[Tensor], width: int) -> dict[str, Any]:
    """The two scores that known anomalies call in, of departures."""
    even = torch.full((width,), 1 / width, dtype=torch.float64)
    return {CHANNELS: lambda away: away @ even, ALIKE: lambda away: best(away, rows)}


def seen_by(room: Room, name: str, pieces: Sequence[Piece], rows: Sequence[Tensor], normal: np.ndarray) -> np.ndarray:
    """How much of what is normal one of them ranks below each known anomaly, which does not help itself."""
    values = []
    for i, each in enumerate(pieces):
        others = [row for j, row in enumerate(rows) if j != i] or rows
        assert each.away is not None
        matched = called(others, each.away.shape[1])[name](each.away)
        values.append(heard(room, matched, len(each.marked))[each.marked])
    return known.shares(normal, values)


def heard(room: Room, totals: Tensor, instants: int | None = None) -> np.ndarray:
    """What windows say, at instants, smoothed."""
    size = len(room.task.X) if instants is None else instants
    ledger = Ledger(len(totals) + room.view.length - 1, room.view, "window")
    ledger.add(0, totals.numpy(), None, np.ones(len(totals), bool))
    return smoothed(ledger.covered()[:size], room.model.smooth)


def left_out(room: Room, totals: Tensor) -> np.ndarray:
    """What kept windows say of the instants of fit, smoothed."""
    offline = [each[str(room.of)] for each in room.left_out]
    late = [np.where(np.arange(len(each)) < room.view.length - 1, np.nan, 1.0) for each in offline]
    parts = known.left_out(totals.numpy(), room.view, offline, late)
    return np.concatenate([smoothed(said, room.model.smooth) for said, _ in parts])


def summed(
    said: Mapping[str, np.ndarray], normal: Mapping[str, np.ndarray], weights: Mapping[str, float], power: int
) -> Scores:
    """The weighted sum of scores of instants, on the scale of normal ones."""
    total = np.zeros(len(next(iter(said.values()))))
    for name, weight in weights.items():
        scale = Standout(power).fit(normal[name][np.isfinite(normal[name])])
        total += weight * np.nan_to_num(scale(said[name]), nan=0.0)
    return total


def untaught(room: Room) -> tuple[Scores, dict[str, Scores], Scores]:
    """The default, each score alone, and all with the channels called in, where nothing is known."""
    names, power = list(room.normal), room.model.recipe.power
    default = summed(room.said, room.normal, dict.fromkeys(names, 1.0), power)
    each = {name: summed(room.said, room.normal, {name: 1.0}, 1) for name in names}
    if room.of is None:
        return default, each, default
    matched = called([], room.away.shape[1])[CHANNELS]
    said = {**room.said, CHANNELS: heard(room, matched(room.away))}
    normal = {**room.normal, CHANNELS: left_out(room, matched(room.kept))}
    return default, each, summed(said, normal, dict.fromkeys(said, 1.0), known.LOGARITHMS)


@dataclass(frozen=True)
class Makers:
    """What makes anomalies of one series: generated ones, and the classical rivals, on pieces of what was learnt."""

    room: Room
    generator: SeriesGenerator
    X: np.ndarray

    @classmethod
    def of(cls, room: Room, seed: int) -> "Makers":
        """Fit the generator on what the detector was fitted on."""
        X = learnt(room.task)
        return cls(room, Generator("series", seed=seed).fit(X).inner_, X)

    def generated(self, seed: int, examples: Sequence[np.ndarray] = (), regions: Sequence[np.ndarray] = ()) -> list:
        """Pieces by the general kinds in turns; or of the kind of the examples."""
        inner, kind = copy(self.generator), "auto"
        if len(examples):
            modality = inner.model_.modality
            found = sources_of(list(examples), modality.read(list(examples)), inner.model_)
            inner.examples_ = known_kinds(inner.model_, found, list(regions), None, [])
            kind = inner.known_[0]
        front = Generator("series", seed=seed).hold("series", inner)
        made = front.sample(MADE, kind=kind, judged=False, seed=seed)
        return self.pieces(made.data, [np.asarray(region).reshape(len(region), -1) for region in made.region])

    def classical(self, seed: int, kinds: Sequence[str], lengths: Sequence[int], smote: Any = None) -> list[Piece]:
        """Pieces by classical makers in turns, of these lengths; one that interpolates examples fills every channel."""
        draw = np.random.default_rng(seed)
        data, regions = [], []
        for i in range(MADE):
            length = int(lengths[i % len(lengths)])
            size = min(len(self.X), 2 * CONTEXT + length)
            start = int(draw.integers(0, len(self.X) - size + 1))
            x = np.nan_to_num(self.X[start : start + size])
            at = (size - length) // 2
            some = np.ones(x.shape[1], bool) if smote is not None else draw.random(x.shape[1]) < 0.25
            some[draw.integers(x.shape[1])] = True
            region = np.zeros(x.shape, bool)
            region[at : at + max(1, min(length, size - 2)), some] = True
            maker = smote or CLASSICS[kinds[i % len(kinds)]]
            data.append(maker(x, region, 1.0, draw))
            regions.append(region)
        return self.pieces(data, regions)

    def pieces(self, data: Sequence[np.ndarray], regions: Sequence[np.ndarray]) -> list[Piece]:
        """What is said of made series; those whose region is empty are left out."""
        told = [(x, region) for x, region in zip(data, regions, strict=True) if region.any()]
        given = lessons(self.room.model.modality, [x for x, _ in told], [region for _, region in told])
        return [piece(self.room, replace(lesson)) for lesson in given]


def act(source: Source, itself: bool, counts: Sequence[int], seeds: int, cache: Path | None) -> Iterator[JSON]:
    """Every arm on one series: a record for each draw of known events."""
    own = room(source, itself, 0, cache)
    events = segments(own.task.y)
    every = [real(own, event, itself) for event in events]
    default, each, called_in = untaught(own)
    makers = Makers.of(own, 0)
    blind = makers.generated(0), makers.classical(0, list(CLASSICS), [8, 16, 32, 64])
    for count in counts:
        for seed in range(seeds if len(events) >= count + REST else 0):
            drawn = np.random.default_rng(seed).permutation(len(events))[:count]
            judge = Judge.of(own.task, events[drawn])
            arms = {DEFAULT: default, CALLED: called_in}
            for name, pieces, weights in lessons_of([every[i] for i in drawn], blind, makers, seed):
                (arms[name],) = taught(own, pieces, weights, name == ALONE)
            pieces = [every[i][0] for i in drawn]
            sharper = taught(own, pieces, np.ones(count), sharpness=SHARPNESSES)
            arms |= {f"{REAL}, sharpness {sharp:g}": each for sharp, each in zip(SHARPNESSES, sharper, strict=True)}
            alone = {name: judge(scores) for name, scores in each.items()}
            highest = max(alone, key=lambda name: alone[name]["auroc"])
            numbers = {name: judge(scores) for name, scores in arms.items()}
            numbers[BEST] = max(alone[highest], numbers[DEFAULT], key=lambda each: each["auroc"])
            for arm, found in numbers.items():
                yield {
                    "set": source.name, "family": source.family, "count": count, "seed": seed, "arm": arm,
                    "events": len(events), "best": highest, **found,
                }  # fmt: skip


def lessons_of(
    drawn: Sequence[tuple[Piece, np.ndarray, np.ndarray]],
    blind: tuple[list[Piece], list[Piece]],
    makers: Makers,
    seed: int,
) -> Iterator[tuple[str, list[Piece], np.ndarray]]:
    """Arm by arm what is taught, and what each example counts; made ones count as much together as the real ones."""
    pieces, data, regions = [p for p, _, _ in drawn], [x for _, x, _ in drawn], [r for _, _, r in drawn]
    ones, k = np.ones(len(pieces)), len(pieces)
    lengths = [int(region.sum()) for region in regions]

    def beside(made: list[Piece]) -> tuple[list[Piece], np.ndarray]:
        return [*pieces, *made], np.concatenate([ones, np.full(len(made), k / len(made))])

    def by_themselves(made: list[Piece]) -> tuple[list[Piece], np.ndarray]:
        return made, np.full(len(made), k / len(made))

    yield REAL, pieces, ones
    yield ALONE, pieces, ones
    yield GENERATED, *by_themselves(blind[0])
    yield CLASSICAL, *by_themselves(blind[1])
    yield BOTH, *beside(blind[0])
    if k != MADE_OF:
        return
    of_them = makers.generated(seed, data, regions)
    inside = [x[region] for x, region in zip(data, regions, strict=True)]
    smote = makers.classical(seed, (), lengths, Smote([np.nan_to_num(x) for x in inside]))
    yield KINDS, *by_themselves(of_them)
    yield BOTH_KINDS, *beside(of_them)
    yield SMOTE, *beside(smote)
    yield GAUSSIAN, *beside(makers.classical(seed, ("gaussian",), lengths))


@dataclass(frozen=True, eq=False)
class Judge:
    """What is judged of a series, and how."""

    kept: np.ndarray
    y: np.ndarray
    window: int

    @classmethod
    def of(cls, task: Task, known_events: np.ndarray) -> "Judge":
        """All but the known events and what is around them; the margin of an event never takes from another one."""
        kept = np.ones(len(task.y), bool)
        for start, stop in known_events:
            around = slice(max(0, start - MARGIN), stop + MARGIN)
            kept[around] &= task.y[around] == 1
            kept[start:stop] = False
        return cls(kept, task.y[kept], task.window)

    def __call__(self, scores: Scores) -> JSON:
        """Numbers from 0 to 1."""
        own = scores[self.kept]
        return {
            "auroc": auroc(self.y, own),
            "ap": average_precision(self.y, own),
            "vus_pr": vus(self.y, own, self.window).pr,
        }
