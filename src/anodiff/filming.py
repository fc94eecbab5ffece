"""From normal clips to footage, and to what normal frames look like to it.

1. A pass through the clips settles size, cameras and what the backbone looks along.
2. A second one notes what is seen, of at most 8,000 frames from all over them.
3. Parts are fitted with a fold left out, and judge it; then on everything.
4. Scales and alarms count what was said of frames that were left out.
"""

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from anodiff.alarms import PixelAlarm
from anodiff.data.reels import Clip
from anodiff.data.stack import Stack
from anodiff.footage import Footage, Scale, Trace
from anodiff.modalities.motion import PLAIN
from anodiff.modalities.video import Glance, Video
from anodiff.recipes.filmed import Filmed, grow_filmed, needed
from anodiff.recipes.grow import Progress
from anodiff.recipes.rolls import FITTED, MOST, SHOWN, Roll, Survey, at_time, develop, evenly, survey
from anodiff.recipes.schema import Recipe
from anodiff.recipes.specs import NetworkSpec
from anodiff.types import Scores

Told = dict[str, Scores]
MODES = (False, True)
MAPS = 400
"""Normal maps that pixels are counted on."""
EXTENT = 0.002
"""The share of normal cells above the level down to which a place reaches."""
PASSES = 5.0
"""What a frame costs in fit, in times that it is seen."""
STEP = 0.01
"""Seconds of a step of training, about."""


@dataclass(frozen=True)
class Canvas:
    """What normal maps tell of single cells: an alarm, and the level that hardly any of them exceeds."""

    pixels: PixelAlarm
    extent: float


@dataclass(frozen=True)
class Wrapped:
    """Footage, and what normal frames that it had not seen look like to it.

    Attributes:
        whole: The footage.
        left_out: Offline and causal, per stretch of normal frames, by score, what maps come to `(T,)`.
        canvases: Offline and causal.
        clips: Of each stretch the number of its clip.
        indices: Of each stretch the numbers of its frames.
        lengths: Frames of each clip.
    """

    whole: Footage
    left_out: dict[bool, list[Told]]
    canvases: dict[bool, Canvas]
    clips: list[int]
    indices: list[np.ndarray]
    lengths: list[int]


def film(
    recipe: Recipe,
    video: Video,
    clips: Sequence[Clip],
    *,
    seed: int = 0,
    most: int = MOST,
    seconds: float | None = None,
) -> Generator[Progress, None, Wrapped]:
    """Learn normal clips; yields progress.

    Raises:
        Unreadable: they hold fewer than 20 frames.
        Misfit: the recipe does not fit to what is seen of them.
    """
    surveyed = yield from survey(video, clips)
    when = np.concatenate([at_time(clip) for clip in clips])
    video.begin(surveyed.size, surveyed.frames, when, ways(recipe))
    recipe = needed(recipe, video.shapes, bool(video.cycles_))
    if seconds is not None:
        recipe, most = hurried(recipe, video, surveyed, seconds, most)
    with Stack(video.shapes) as stack:
        roll = yield from develop(video, clips, surveyed, stack, most)
        for name, spec in recipe.cubes.items():
            at = evenly(len(roll), FITTED)
            video.hold(name, spec, list(roll.befores(spec, at, max(1, _span(recipe)))))
        grown = yield from grow_filmed(recipe, roll, seed)
    shown, cameras = kept_to_show(video, surveyed, clips)
    facts = {"losses": grown.losses, "rows_seen": sum(surveyed.counts), "rows_fitted": len(roll), "clips": len(clips)}
    whole = Footage(recipe, video, grown.panel, grown.members, {}, shown, cameras, facts)
    lengths = [clip.length or count for clip, count in zip(clips, surveyed.counts, strict=True)]
    return wrapped(whole, grown, roll, lengths)


def wrapped(whole: Footage, grown: Filmed, roll: Roll, lengths: list[int]) -> Wrapped:
    """Scales, and what normal frames come to, from the maps of frames that were left out."""
    starts = np.unique(roll.first)
    runs = [np.arange(a, b) for a, b in zip(starts, [*starts[1:], len(roll)], strict=True)]
    left_out = {mode: [pooled(whole, grown.left_out, run, mode) for run in runs] for mode in MODES}
    scales = {mode: scaled(left_out[mode]) for mode in MODES}
    whole = replace(whole, scales=scales)
    canvases = {mode: canvas(whole, grown.left_out, runs, mode) for mode in MODES}
    clips, indices = [int(roll.clip[run[0]]) for run in runs], [roll.index[run] for run in runs]
    return Wrapped(whole, left_out, canvases, clips, indices, lengths)


def pooled(whole: Footage, maps: Mapping[str, np.ndarray], run: np.ndarray, causal: bool) -> Told:
    """What the maps of each member come to, frame by frame of a stretch `(T,)`."""
    trace, found = Trace(whole, causal, scaled=False), []
    for place in run:
        found += trace.push(int(place), 0.0, (1, 1), {name: said[place] for name, said in maps.items()})
    found += trace.flush()
    return {name: np.array([told.pooled[name] for told in found], np.float64) for name in maps}


def scaled(left_out: Sequence[Told]) -> dict[str, Scale]:
    """The scale of each member."""
    return {name: Scale.of(np.concatenate([each[name] for each in left_out])) for name in left_out[0]}


def canvas(whole: Footage, maps: Mapping[str, np.ndarray], runs: Sequence[np.ndarray], causal: bool) -> Canvas:
    """What the summed maps of frames that were left out tell of single cells."""
    every = max(1, sum(map(len, runs)) // MAPS)
    kept = [map for i, map in enumerate(_summed(whole, maps, runs, causal)) if i % every == 0]
    level = float(np.quantile(np.stack(kept), 1 - EXTENT))
    return Canvas(PixelAlarm().fit(kept), level)


def ways(recipe: Recipe) -> bool:
    """Whether a cube is made of directions of motion, or given all of it."""
    cubes = recipe.cubes.values()
    asked = [cube.channels for cube in cubes if cube.sees == "motion"]
    return any("motion" in cube.given for cube in cubes) or any(each is None or {*each} - {*PLAIN} for each in asked)


def kept_to_show(video: Video, surveyed: Survey, clips: Sequence[Clip]) -> tuple[np.ndarray, list[int]]:
    """Some normal frames at the working size, and the numbers of the cameras that took them."""
    at = evenly(len(surveyed.frames), SHOWN)
    frames = [video.scaled(surveyed.frames[i]) for i in at]
    return np.stack(frames), [video.camera(clips[surveyed.of[i]]) for i in at]


def hurried(recipe: Recipe, video: Video, surveyed: Survey, seconds: float, most: int) -> tuple[Recipe, int]:
    """The recipe with fewer steps, and fewer frames, as the time allows; by how long it takes to see a few."""
    began, glance, some = time.perf_counter(), Glance(video), surveyed.frames[:6]
    for frame in some:
        glance(video.scaled(frame))
    each = (time.perf_counter() - began) / len(some)
    steps = max(20, int(0.3 * seconds / STEP / 3))
    denoisers = {
        name: spec.model_copy(update={"steps": min(spec.steps, steps)}) if isinstance(spec, NetworkSpec) else spec
        for name, spec in recipe.denoisers.items()
    }
    return recipe.model_copy(update={"denoisers": denoisers}), max(100, min(most, int(seconds / (PASSES * each))))


def _summed(
    whole: Footage, maps: Mapping[str, np.ndarray], runs: Sequence[np.ndarray], causal: bool
) -> Iterator[np.ndarray]:
    for run in runs:
        trace = Trace(whole, causal)
        for place in run:
            raw = {name: said[place] for name, said in maps.items()}
            yield from (told.map for told in trace.push(int(place), 0.0, (1, 1), raw))
        yield from (told.map for told in trace.flush())


def _span(recipe: Recipe) -> int:
    from anodiff.modalities.cubes import span

    return max(span(spec) for spec in recipe.cubes.values())
