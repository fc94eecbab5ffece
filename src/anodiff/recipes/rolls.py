"""A roll: what was seen of normal video, frame by frame on disk, and which frames may be learnt from in which turn.

Of long video stretches are taken, evenly from all over it, so that neither time nor memory grows with it.
"""

from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from anodiff.data.reels import Clip
from anodiff.data.stack import Stack
from anodiff.modalities.cubes import Before, Cells
from anodiff.modalities.motion import CHANNELS, perspective
from anodiff.modalities.video import MICRO, Glance, Video
from anodiff.recipes.grow import Progress
from anodiff.recipes.specs import CubeSpec
from anodiff.types import Unreadable

FEWEST = 20
"""Frames that something can be learnt from."""
MOST = 8_000
"""Frames that are learnt from at most."""
STRETCH = 200
"""Frames that are taken in a row where not all are."""
SHOWN = 48
"""Frames that are kept to look at."""
FITTED = 200
"""Frames that cubes are fitted on."""
FOLDS = 4
GAP = 20
"""Frames beside what is left out of a clip that are not learnt from either."""


@dataclass
class Survey:
    """Normal video, passed through once: what there is.

    Attributes:
        counts: Frames of each clip that are looked at.
        sizes: Heights and widths, and how many frames have them.
        frames: Some of them, evenly from all.
        of: The clip that each of these is of.
    """

    counts: list[int] = field(default_factory=list)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    frames: list[np.ndarray] = field(default_factory=list)
    of: list[int] = field(default_factory=list)

    @property
    def size(self) -> tuple[int, int]:
        """The usual size."""
        return self.sizes.most_common(1)[0][0]


def survey(video: Video, clips: Sequence[Clip]) -> Generator[Progress, None, Survey]:
    """Pass through clips and keep some frames.

    Raises:
        Unreadable: there are too few frames.
    """
    found, every, number = Survey(), 1, 0
    for k, clip in enumerate(clips):
        count = 0
        for frame in clip.frames(video.stride):
            if number % every == 0:
                found.frames.append(frame.pixels)
                found.of.append(k)
                if len(found.frames) > 2 * SHOWN:
                    found.frames, found.of, every = found.frames[::2], found.of[::2], 2 * every
            found.sizes[frame.pixels.shape[0], frame.pixels.shape[1]] += 1
            number, count = number + 1, count + 1
        found.counts.append(count)
        yield Progress(k + 1, len(clips), "looking")
    if number < FEWEST:
        raise Unreadable(f"{number} frames are too few to learn what is normal; give at least {FEWEST}, better 1,000.")
    return found


@dataclass(frozen=True)
class Roll:
    """Frames that are learnt from, in the order of time, clip by clip.

    Attributes:
        video: Settled.
        stack: What was seen of each.
        clip: Of each frame the number of its clip `(n,)`.
        camera: Of its camera.
        first: The place of the first frame that was seen without a break before it.
        index: Its number in the clip.
        moments: Coordinates of the time of day `(n, k)`.
        fold: The turn in which it is left out.
    """

    video: Video
    stack: Stack
    clip: np.ndarray
    camera: np.ndarray
    first: np.ndarray
    index: np.ndarray
    moments: Tensor
    fold: np.ndarray

    def __len__(self) -> int:
        return len(self.clip)

    def learnt(self, turn: int | None) -> np.ndarray:
        """Which frames may be learnt from `(n,)` bool in a turn, None for all of them."""
        if turn is None:
            return np.ones(len(self), bool)
        out = np.flatnonzero(self.fold == turn)
        near = np.zeros(len(self), bool)
        for shift in range(-GAP, GAP + 1):
            place = np.clip(out + shift, 0, len(self) - 1)
            near[place[self.clip[place] == self.clip[out]]] = True
        return ~near if (~near).sum() >= 2 else self.fold != turn

    def befores(self, spec: CubeSpec, places: Sequence[int] | np.ndarray, reach: int) -> Iterator[Before]:
        """What one kind of cube is made of, at some places."""
        for place in places:
            yield self.before(spec, self.plains(int(place), reach), int(place))

    def before(self, spec: CubeSpec, plains: Sequence[dict[str, Tensor]], place: int) -> Before:
        """The same of what was seen up to a place."""
        return self.video.before(spec, plains, self.moments[place], int(self.camera[place]))

    def plains(self, place: int, reach: int) -> list[dict[str, Tensor]]:
        """What was seen of the last frames up to a place."""
        places = np.arange(max(int(self.first[place]), place - reach + 1), place + 1)
        planes = {name: self.stack.plane(name, places).numpy() for name in self.stack.shapes}
        camera = int(self.camera[place])
        return [self.video.plain({k: v[i] for k, v in planes.items()}, camera) for i in range(len(places))]

    def cells(self) -> Iterator[tuple[int, dict[str, Cells]]]:
        """Every place, with all cubes of its frame."""
        video, kept = self.video, list[dict[str, Tensor]]()
        for place in range(len(self)):
            fresh = place == self.first[place]
            kept = [*([] if fresh else kept[-video.reach :]), self.plains(place, 1)[0]]
            yield (
                place,
                {name: video.cubes_[name](self.before(spec, kept, place)) for name, spec in video.specs_.items()},
            )


def develop(
    video: Video, clips: Sequence[Clip], surveyed: Survey, stack: Stack, most: int
) -> Generator[Progress, None, Roll]:
    """See the frames that are learnt from, and settle what is usual for each camera."""
    total = sum(surveyed.counts)
    stretch = min(STRETCH, max(FEWEST, most // FOLDS))
    period = max(stretch, int(np.ceil(stretch * total / most)))
    names = sorted({name for name in map(video.named, clips) if name is not None})
    sums = np.zeros((1 + len(names), 2, *video.grid_))
    noted: list[tuple[int, int, int, int, float]] = []
    number = 0
    for k, clip in enumerate(clips):
        named = video.named(clip)
        camera = names.index(named) + 1 if named in names else 0
        glance, first = Glance(video), len(noted)
        for i, frame in enumerate(clip.frames(video.stride)):
            at = number % period
            number += 1
            if at >= stretch and at != period - 1:
                continue
            fresh = at == period - 1 and period > stretch
            if fresh:
                glance = Glance(video)
            planes = glance(video.scaled(frame.pixels))
            if fresh:
                continue
            if (at == 0 and period > stretch) or i == 0:
                first = len(noted)
            stack.add({name: torch.from_numpy(plane) for name, plane in planes.items()})
            noted.append((k, camera, first, frame.index, frame.time))
            if "motion" in planes:
                moved = planes["motion"][[CHANNELS.index("speed"), CHANNELS.index("square")]]
                for kept in {0, camera}:
                    sums[kept] += moved
            if len(noted) % 50 == 0:
                yield Progress(number, total, "seeing")
    owner, seat, starts, index = (np.array(column) for column in list(zip(*noted, strict=True))[:4])
    rates = [float(rate) for clip in clips if (rate := clip.rate or video.rate)]
    share = float(video.perspective)
    scales = np.stack([np.sqrt(1 - share + share * perspective(*each) ** 2) for each in sums])
    video.settle(names, scales, float(np.median(rates)) if rates else None)
    moments = torch.stack([video.moment(clips[k].began, time) for k, _, _, _, time in noted])
    return Roll(video, stack, owner, seat, starts, index, moments, folded(owner))


def folded(clip: np.ndarray) -> np.ndarray:
    """In which turn each frame `(n,)` is left out: whole clips, or parts of them where clips are few.

    >>> folded(np.array([0, 0, 1, 2, 3, 3]))
    array([0, 0, 2, 3, 1, 1])
    >>> folded(np.zeros(8, int))
    array([0, 0, 1, 1, 2, 2, 3, 3])
    """
    found = np.zeros(len(clip), np.int64)
    clips = np.unique(clip)
    if len(clips) >= FOLDS:
        sizes = np.zeros(FOLDS, np.int64)
        for one in sorted(clips, key=lambda k: -int((clip == k).sum())):
            turn = int(sizes.argmin())
            found[clip == one] = turn
            sizes[turn] += int((clip == one).sum())
        return found
    for one in clips:
        own = np.flatnonzero(clip == one)
        found[own] = np.arange(len(own)) * FOLDS // len(own)
    return found


def evenly(count: int, most: int) -> np.ndarray:
    """At most so many places of a count, evenly from all over it."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64))


def at_time(clip: Clip) -> np.ndarray:
    """When a clip was filmed, microseconds since 1970 `(0 or 1,)`."""
    return np.array([] if clip.began is None else [int(clip.began * MICRO)], np.int64)
