"""Known anomalies taught to a timeline that is fitted: its models stay, scores are weighed, two more are called in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from anodiff.modalities.laid import Laid
from anodiff.modalities.series import Series, Strip, stretched
from anodiff.modalities.windows import View, over, smoothed
from anodiff.recipes import known_spans as known
from anodiff.recipes.build import question
from anodiff.recipes.chronicle import scaled
from anodiff.recipes.known_spans import ALIKE, CHANNELS
from anodiff.recipes.schema import recipe
from anodiff.scores.profiles import Profiles
from anodiff.timeline import Timeline
from anodiff.types import Misfit, Refusal, Unreadable

Raws = dict[bool, list[dict[str, np.ndarray]]]
HALF = 0.5
"""A region that is not told ends where the score has fallen to this part of its peak."""
SAME = 1e-6
"""Windows that lie nearer to a normal one are taken for it."""


@dataclass(frozen=True)
class Lesson:
    """A known anomaly in its piece of a series.

    Attributes:
        strip: The piece.
        region: Where it is abnormal, `(T, channels)` bool; None is not told.
    """

    strip: Strip
    region: np.ndarray | None = None

    def instants(self, score: np.ndarray | None = None) -> np.ndarray:
        """Where any channel is abnormal, on the grid `(G,)` bool; found by a score of the instants `(T,)`."""
        marked = np.zeros(len(self.strip), bool)
        told = self.region.any(1) if self.region is not None else summit(np.asarray(score))
        marked[self.strip.at[told]] = True
        return marked


def lessons(modality: Series, examples: Any, regions: Any = None) -> list[Lesson]:
    """Read known anomalies.

    Args:
        modality: Fitted.
        examples: A list of pieces of series, each with the channels of fit; or one piece.
        regions: For each piece `(T,)` or `(T, channels)`, True where abnormal; None where that is not told.

    Raises:
        Unreadable: an example is no such series, or its region marks nothing.
        Misfit: regions are not one for each example, or of another size.
    """
    parts = list(examples) if isinstance(examples, list | tuple) else [examples]
    if not parts:
        raise Unreadable("examples is empty; leave it out, or give known anomalies.")
    told = [None] * len(parts) if regions is None else listed(regions, len(parts))
    return [_lesson(modality, piece, region, i) for i, (piece, region) in enumerate(zip(parts, told, strict=True), 1)]


def listed(regions: Any, count: int) -> list[Any]:
    """A region for each of so many examples."""
    found = list(regions) if isinstance(regions, list | tuple) else [regions]
    if len(found) != count:
        raise Misfit(f"there are {len(found)} regions for {count} examples; give one for each, None where it is found.")
    return found


def weighed(weights: Any, count: int) -> np.ndarray:
    """How much each of so many examples counts.

    Raises:
        Misfit: they are not one for each, finite and 0 or more.
    """
    found = np.ones(count) if weights is None else np.asarray(weights, dtype=np.float64)
    if found.shape != (count,) or not np.isfinite(found).all() or (found < 0).any() or not found.any():
        raise Misfit(f"weights are {weights!r}; give one number of 0 or more for each of the {count} examples.")
    return found


def taught(whole: Timeline, left_out: Raws, given: Sequence[Lesson], weights: np.ndarray) -> tuple[Timeline, Raws]:
    """The timeline that knows these anomalies and no others, and its left-out scores of the instants of fit.

    Raises:
        Unreadable: all of them are among the normal windows.
    """
    model, left_out = stranger(whole, left_out)
    given, weights = [lesson for lesson, w in zip(given, weights, strict=True) if w], weights[weights > 0]
    with torch.inference_mode():
        marked = [lesson.instants(None if lesson.region is not None else _score(model, lesson)) for lesson in given]
        of = known.base(model.recipe, model.views, model.modality.width)
        if of is not None:
            model, left_out = acquainted(model, left_out, of, given, marked)
        said = [model.smoothed(model.raw(lesson.strip)) for lesson in given]
    seen = {name: _seen(model, left_out, name, said, marked) for name in model.members}
    if of is not None and len(given) > 1:
        seen[ALIKE] = _alone(model, left_out, given, marked)
    share = {name: float(np.average(each, weights=weights)) for name, each in seen.items()}
    chosen = known.weighing(model.recipe, known.weights(share, float(weights.sum())))
    told = {**model.facts, "examples": len(given)}
    return replace(model, recipe=chosen, facts=told), left_out


def stranger(whole: Timeline, left_out: Raws) -> tuple[Timeline, Raws]:
    """The timeline before it met known anomalies."""
    own = known.strangers(whole.recipe, recipe(whole.facts["asked"]))
    members = {name: member for name, member in whole.members.items() if name in own.scores}
    left_out = {c: [{name: each[name] for name in members} for each in raws] for c, raws in left_out.items()}
    return rescaled(replace(whole, recipe=own, members=members), left_out), left_out


def rescaled(model: Timeline, left_out: Raws) -> Timeline:
    """The timeline with the scales of its left-out scores."""
    share = float(model.facts["contamination"]["value"])
    scales = {
        causal: scaled(raws, over(model.smooth, causal), causal, share, model.recipe.power)
        for causal, raws in left_out.items()
    }
    return replace(model, scales=scales)


def acquainted(
    model: Timeline, left_out: Raws, of: str, given: Sequence[Lesson], marked: Sequence[np.ndarray]
) -> tuple[Timeline, Raws]:
    """Call in all channels alike, and the likeness to the known anomalies, both of what the score `of` asks."""
    asked, view = model.recipe.scores[of], model.view(of)
    denoiser = known.empirical(model.panel[str(asked.of)])
    apart = known.alone(denoiser, view, int(model.facts["rows_fitted"]))
    kept = known.distances(apart, model.modality.width)
    scale = known.departures(kept, asked)
    rows = profiles(model, of, scale, given, marked)
    even = torch.full((model.modality.width,), 1 / model.modality.width, dtype=torch.float64)
    added = {CHANNELS: known.asking(scale, [even], str(asked.of)), ALIKE: known.asking(scale, rows, str(asked.of))}
    members = {**model.members, **{name: question(spec) for name, spec in added.items()}}
    away = scale.departure(kept)
    fresh: Raws = {causal: [dict(each) for each in raws] for causal, raws in left_out.items()}
    before = [[each[of] for each in left_out[causal]] for causal in (False, True)]
    for name, matched in ((CHANNELS, away @ even), (ALIKE, best(away, rows))):
        for i, pair in enumerate(known.left_out(matched.numpy(), view, before[0], before[1])):
            for causal, said in zip((False, True), pair, strict=True):
                fresh[causal][i][name] = said
    richer = replace(model, recipe=known.richer(model.recipe, added), members=members)
    return rescaled(richer, fresh), fresh


def profiles(
    model: Timeline, of: str, scale: Profiles, given: Sequence[Lesson], marked: Sequence[np.ndarray]
) -> list[Tensor]:
    """What each known anomaly disturbs.

    Raises:
        Unreadable: all of them are among the normal windows.
    """
    found, copies, view = [], 0, model.view(of)
    owner, normal = model.modality.channels_.owner, known.empirical(model.asked(of))
    for lesson, instants in zip(given, marked, strict=True):
        windows = _windows(model, view, lesson)
        covered = overlap(instants, view, len(windows))
        inside = windows[torch.from_numpy(np.flatnonzero(covered == covered.max()))]
        copies += bool((normal.nearest(inside, 1)[0] < SAME).any())
        away = torch.cat([scale.residual(normal, part).sum(2).sqrt() for part in torch.split(windows, known.HELD)])
        told = None if lesson.region is None else np.asarray(lesson.region.any(0))
        channels = np.ones(len(owner), bool) if told is None else told[owner]
        found.append(known.profile(scale.departure(away), covered, channels))
    if copies == len(given):
        raise Unreadable(f"what the {copies} examples mark is among the normal windows too; take it out of X.")
    return found


def best(away: Tensor, rows: Sequence[Tensor]) -> Tensor:
    """The best match of departures `(n, channels)` with any of the profiles."""
    return (away @ torch.stack(list(rows)).T).max(1).values


def overlap(instants: np.ndarray, view: View, windows: int) -> np.ndarray:
    """How many of the marked instants are in each window `(n,)`."""
    padded = np.concatenate([instants, np.zeros(max(0, windows + view.length - 1 - len(instants)), bool)])
    total = np.concatenate([[0], np.cumsum(padded)])
    return np.asarray(total[view.length : view.length + windows] - total[:windows])


def summit(score: np.ndarray) -> np.ndarray:
    """The stretch around the highest score, down to half of it on either side `(T,)` bool.

    >>> summit(np.array([0.0, 3.0, 4.0, 1.0, 3.0])).astype(int).tolist()
    [0, 1, 1, 0, 0]
    """
    peak = int(np.argmax(score))
    low = np.flatnonzero(score < HALF * score[peak])
    start, stop = low[low < peak].max(initial=-1) + 1, low[low > peak].min(initial=len(score))
    found = np.zeros(len(score), bool)
    found[start:stop] = True
    return found


def _lesson(modality: Series, piece: Any, region: Any, number: int) -> Lesson:
    try:
        log = modality.read(piece)
    except Refusal as error:
        raise type(error)(f"example {number}: {error}") from None
    if len(log.tracks) != 1 or log.shape != "one" or not len(log.tracks[0]):
        raise Misfit(f"example {number} holds {len(log.tracks)} series; give one piece of one series for each anomaly.")
    strip = modality.strip(log.tracks[0])
    return Lesson(strip, None if region is None else _marked(region, log, len(modality.columns), number))


def _marked(given: Any, log: Any, channels: int, number: int) -> np.ndarray:
    """A region by instants and channels, laid out like the strip's instants."""
    region, rows = np.asarray(given), log.instants[0]
    if region.dtype != bool:
        if not np.isin(region, (0, 1)).all():
            raise Misfit(f"region {number} holds more than True and False; give True where the example is abnormal.")
        region = region.astype(bool)
    region = region[:, None] if region.ndim == 1 else region
    if region.ndim != 2 or len(region) != len(rows) or region.shape[1] not in (1, channels):
        raise Misfit(
            f"region {number} has shape {np.shape(given)}; its example has {len(rows)} instants of {channels} channels."
        )
    if not region.any():
        raise Unreadable(f"region {number} marks no instant; mark where it is abnormal, or give None to have it found.")
    found = np.zeros((len(log.tracks[0]), channels), bool)
    np.logical_or.at(found, rows, np.broadcast_to(region, (len(region), channels)))
    return found


def _score(model: Timeline, lesson: Lesson) -> np.ndarray:
    return model.totals(lesson.strip)


def _windows(model: Timeline, view: View, lesson: Lesson) -> Tensor:
    """Every window of a piece `(n, width, points)`."""
    laid = Laid.of(stretched(lesson.strip, model.longest)).seen_by(view)
    return laid.windows(view, 0, view.count(len(laid))).double()


def _seen(
    model: Timeline,
    left_out: Raws,
    name: str,
    said: Sequence[Mapping[str, np.ndarray]],
    marked: Sequence[np.ndarray],
) -> np.ndarray:
    """How much of what is normal a score ranks below each known anomaly `(k,)`."""
    normal = np.concatenate([smoothed(each[name], model.smooth) for each in left_out[False]])
    return known.shares(normal, [each[name][at] for each, at in zip(said, marked, strict=True)])


def _alone(model: Timeline, left_out: Raws, given: Sequence[Lesson], marked: Sequence[np.ndarray]) -> np.ndarray:
    """The same of the likeness, each anomaly held against the others alone."""
    whole = model.recipe.scores[ALIKE]
    rows, found = whole.settings["profiles"], []
    for i, lesson in enumerate(given):
        others = [row for j, row in enumerate(rows) if j != i] or rows
        member = question(whole.model_copy(update={"settings": {**whole.settings, "profiles": others}}))
        single = replace(model, members={ALIKE: member})
        said = single.smoothed(single.raw(lesson.strip))
        found.append(_seen(model, left_out, ALIKE, [cast(Any, said)], [marked[i]]))
    return np.concatenate(found)
