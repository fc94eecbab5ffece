"""One pass over clips for a report: the score over time, and the worst events as small pictures. Bounded memory.

Beside the pictures of the worst, memory holds the scores: 16 bytes for each frame that is looked at.
"""

import time
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heappush, heappushpop

import numpy as np
from PIL import Image as Pillow

from anodiff.data.reels import Clip
from anodiff.detect_video import VideoDetector
from anodiff.footage import Told
from anodiff.incident import Incident
from anodiff.report.boxes import boxed
from anodiff.report.film import enlarged, frame_of
from anodiff.report.image_shown import span
from anodiff.report.overlay import coloured, heated, strength

SIDE = 300
"""The longer side in pixels at which a frame is shown."""
LISTED = 200
"""Events that are listed."""
CLOSE = 0.5
"""A closer look is worth while where it shows less than this share of the height and of the width."""
LETTERS = 16


@dataclass(frozen=True, eq=False)
class Still:
    """An event as a report shows it, small pictures `(h, w, 3)` uint8.

    Attributes:
        frame: At the peak, with a box around what is odd.
        heat: The same under heat where hardly any normal frame is as odd.
        close: What is in the box and around it, nothing drawn upon it; None where that is most of the frame.
        expected: The most similar of the normal frames that were kept, with the same box; None where none was.
    """

    frame: np.ndarray
    heat: np.ndarray
    close: np.ndarray | None
    expected: np.ndarray | None


@dataclass(eq=False)
class Track:
    """How the score of a clip went.

    Attributes:
        name: Of the clip.
        times: Of frames that were looked at, in seconds since the clip began `(n,)`.
        scores: Of these `(n,)`.
        events: Numbers of its events, counted from 1 over all clips, with first and last time.
    """

    name: str
    times: array = field(default_factory=lambda: array("d"))
    scores: array = field(default_factory=lambda: array("d"))
    events: list[tuple[int, float, float]] = field(default_factory=list)


@dataclass(eq=False)
class VideoSurvey:
    """The pass, summed up.

    Attributes:
        tracks: The scores, clip by clip.
        alarms: Frames in alarm.
        events: How many there were.
        listed: The first of them, each with its number.
        worst: The worst, each with its number and how it is shown, the worst first.
        seconds: How long it took.
    """

    tracks: list[Track] = field(default_factory=list)
    alarms: int = 0
    events: int = 0
    listed: list[tuple[int, Incident]] = field(default_factory=list)
    worst: list[tuple[int, Incident, Still]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def frames(self) -> int:
        """That were looked at."""
        return sum(len(each.scores) for each in self.tracks)

    @property
    def scores(self) -> np.ndarray:
        """Of all of them."""
        return np.concatenate([np.zeros(0), *(np.frombuffer(each.scores) for each in self.tracks if each.scores)])


def video_survey(detector: VideoDetector, clips: Sequence[Clip], most: int) -> VideoSurvey:
    """Pass once through clips, keeping the `most` worst events."""
    began, found, kept = time.perf_counter(), VideoSurvey(), list[tuple[float, int, Incident, Still]]()
    causal = bool(detector.whole_.modality.causal)
    for clip in clips:
        track = Track(clip.name)
        found.tracks.append(track)
        for event, still in _events(detector, clip, causal, track, found):
            found.events += 1
            track.events.append((found.events, event.start_time, event.end_time))
            found.listed += [(found.events, event)] if len(found.listed) < LISTED else []
            (heappush if len(kept) < most else heappushpop)(kept, (event.score, -found.events, event, still))
    found.worst = [(-i, event, still) for _, i, event, still in sorted(kept, key=lambda each: (-each[0], -each[1]))]
    found.seconds = time.perf_counter() - began
    return found


def _events(
    detector: VideoDetector, clip: Clip, causal: bool, track: Track, found: VideoSurvey
) -> Iterator[tuple[Incident, Still]]:
    """Events of a clip as they close, with how they look; the frame of the highest score so far is remembered."""
    limit = detector.threshold(detector.rate(), causal)
    lookout, frames = detector.lookout(clip.name, limit, causal), clip.frames(int(detector.whole_.modality.stride))
    peak: tuple[Told, np.ndarray] | None = None
    for told in detector.told(clip, causal):
        pixels = frame_of(frames, told.index)
        track.times.append(told.time)
        track.scores.append(told.score)
        found.alarms += told.score > limit
        closed = [each for each in lookout.push(told) if not each.open]
        if closed and peak is not None:
            yield closed[0], still_of(detector, clip, causal, *peak, closed[0], found.events + 1)
        if lookout.running is not None and lookout.running.peak == told.index:
            peak = told, pixels
    for each in lookout.flush():
        if peak is not None:
            yield each, still_of(detector, clip, causal, *peak, each, found.events + 1)


def still_of(
    detector: VideoDetector, clip: Clip, causal: bool, told: Told, pixels: np.ndarray, event: Incident, number: int
) -> Still:
    """How an event is shown, by what was said of the frame at its peak."""
    size, whole = shown_size(told.size), coloured(pixels)
    small = enlarged(whole, size)
    box = scaled_box(event.box, told.size, size)
    heat = strength(np.asarray(detector.canvas_(causal).pixels.p_value(told.map)))
    laid = np.clip(np.asarray(Pillow.fromarray(heat).resize(size[::-1], Pillow.Resampling.BILINEAR)), 0, 1)
    video = detector.whole_.modality
    normal = detector.model_.expected(video.scaled(pixels), video.camera(clip))
    expected = None if normal is None else boxed(enlarged(coloured(normal), size), box)
    return Still(boxed(small, box, number, LETTERS), heated(small, laid), closer(whole, event.box), expected)


def shown_size(size: tuple[int, int]) -> tuple[int, int]:
    """The size of the same aspect whose longer side is the one that is shown.

    >>> shown_size((1080, 1920)), shown_size((120, 180))
    ((169, 300), (200, 300))
    """
    height, width = (max(8, round(length * SIDE / max(size))) for length in size)
    return height, width


def scaled_box(box: Sequence[int], size: tuple[int, int], to: tuple[int, int]) -> tuple[int, int, int, int]:
    """A box of a frame on the same frame at another size.

    >>> scaled_box((10, 20, 30, 40), (100, 100), (200, 400))
    (40, 40, 120, 80)
    """
    across, down = to[1] / size[1], to[0] / size[0]
    left, top, right, bottom = box
    return round(left * across), round(top * down), round(right * across), round(bottom * down)


def closer(picture: np.ndarray, box: Sequence[int]) -> np.ndarray | None:
    """The part of a picture `(H, W, 3)` around a box; None where that is most of it."""
    (height, width), (left, top, right, bottom) = picture.shape[:2], box
    rows, columns = span(top / height, bottom / height, height), span(left / width, right / width, width)
    if rows[1] - rows[0] > CLOSE * height and columns[1] - columns[0] > CLOSE * width:
        return None
    part = picture[slice(*rows), slice(*columns)]
    return enlarged(np.ascontiguousarray(part), shown_size((part.shape[0], part.shape[1])))
