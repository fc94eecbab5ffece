"""What is said of a frame of video, and what happened: events with their time and their place."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from anodiff.alarms.blocks import Blocks
from anodiff.alarms.events import Event, Watcher
from anodiff.alarms.regions import around_peak
from anodiff.footage import Told
from anodiff.metrics.planes import parts
from anodiff.types import JSON

Box = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Seen:
    """One frame, judged.

    Attributes:
        clip: Which clip, by name.
        index: The frame's number in its source, from 0.
        time: Seconds since the clip began.
        score: Higher is more anomalous.
        p_value: How probably a frame of normal video scores as high.
        alarm: Whether it raises an alarm.
        size: Height and width of the frame in pixels.
        map: Evidence `(H, W)` float32 by pixel of the frame; None where it was not asked for.
        parts: What each part adds to the score before it is smoothed.
    """

    clip: str
    index: int
    time: float
    score: float
    p_value: float
    alarm: bool
    size: tuple[int, int]
    map: np.ndarray | None = None
    parts: Mapping[str, float] = field(default_factory=dict)

    def to_dict(self) -> JSON:
        """The same as JSON, without the map."""
        return {
            "clip": self.clip,
            "frame": self.index,
            "time": self.time,
            "score": self.score,
            "p_value": self.p_value,
            "alarm": self.alarm,
            "parts": dict(self.parts),
        }


@dataclass(frozen=True)
class Incident:
    """One event of a clip.

    Attributes:
        clip: Which clip, by name.
        start: Number of its first frame.
        end: Of the first frame after it.
        peak: Of the frame of its highest score.
        start_time: Of its first frame, in seconds since the clip began.
        end_time: Of its last frame.
        score: The highest.
        p_value: How probably so long a stretch of normal video peaks as high, or higher.
        box: Left, top, right and bottom of where it is, in pixels of the frame; the last two are just outside.
        parts: What each part adds to the score at the peak.
        open: Whether it still went on when nothing more was known.
    """

    clip: str
    start: int
    end: int
    peak: int
    start_time: float
    end_time: float
    score: float
    p_value: float
    box: Box
    parts: Mapping[str, float] = field(default_factory=dict)
    open: bool = False

    def to_dict(self) -> JSON:
        """As JSON; times in seconds."""
        return {
            "clip": self.clip,
            "start": self.start,
            "end": self.end,
            "peak": self.peak,
            "start_time": self.start_time,
            "end_time": self.end_time,
            "score": self.score,
            "p_value": self.p_value,
            "box": list(self.box),
            "parts": dict(self.parts),
            "open": self.open,
        }


DEPTH = 0.5
"""A place ends where the map falls to this share of its peak."""


class Lookout:
    """Makes events of what is said of the frames of one clip, while they come, in bounded memory.

    Args:
        clip: Its name.
        blocks: The alarm that counts normal events.
        threshold: What a score has to exceed.
        hold_off: So many quiet frames that were looked at end an event.
        extent: The level of a map that hardly any normal cell exceeds.
        stride: Frames of the source from one that is looked at to the next.
    """

    def __init__(
        self, clip: str, blocks: Blocks, threshold: float, hold_off: int, extent: float, stride: int = 1
    ) -> None:
        self.clip, self.extent, self.stride = clip, extent, stride
        self._watcher = Watcher(threshold, hold_off, p_value=blocks.event_p_value)
        self._running: Incident | None = None

    @property
    def running(self) -> Incident | None:
        """The event that goes on, so far; its p-value is 1 until it is asked for."""
        return self._running

    def push(self, told: Told) -> list[Incident]:
        """What the next frame opens and closes."""
        place, said = self._watcher.place, self._watcher.step(told.score)
        found = [self._closed(event) for event in said if not event.open]
        event = self._watcher.running
        if event is not None and event.end == place:
            self._extend(told, fresh=event.start == place, peak=event.peak == place)
        opened = [event for event in said if event.open]
        return found + [replace(self._now, p_value=float(each.p_value or 1.0)) for each in opened]

    def flush(self) -> list[Incident]:
        """The event that the end of the clip cuts off."""
        return [self._closed(event) for event in self._watcher.flush()]

    @property
    def _now(self) -> Incident:
        if self._running is None:
            raise RuntimeError("no event is running.")
        return self._running

    def _extend(self, told: Told, fresh: bool, peak: bool) -> None:
        if not (fresh or peak) and self._running is not None:
            self._running = replace(self._running, end=told.index + self.stride, end_time=told.time)
            return
        self._running = Incident(
            self.clip,
            start=told.index if fresh else self._now.start,
            end=told.index + self.stride,
            peak=told.index,
            start_time=told.time if fresh else self._now.start_time,
            end_time=told.time,
            score=told.score,
            p_value=1.0,
            box=place_of(told.map, self.extent, told.size),
            parts=dict(told.parts),
            open=True,
        )

    def _closed(self, event: Event) -> Incident:
        found = replace(self._now, p_value=float(event.p_value or 1.0), open=event.open)
        self._running = None
        return found


def place_of(map: np.ndarray, extent: float, size: tuple[int, int]) -> Box:
    """Left, top, right and bottom, in pixels of a frame of that size, of where a map of cells `(h, w)` is highest.

    It reaches to where the map falls to a level, or to half of its peak if that is higher.

    >>> place_of(np.array([[0.0, 0.0, 0.0, 0.0], [0.0, 9.0, 8.0, 0.0]]), 1.0, (20, 40))
    (10, 10, 30, 20)
    """
    plane = map.astype(np.float64)
    top = np.unravel_index(int(plane.argmax()), plane.shape)
    mask = plane > extent
    mask[top] = True
    rows, columns = np.nonzero(around_peak(plane, _connected(mask, top), DEPTH))
    (height, width), (h, w) = size, plane.shape
    left, right = int(columns.min() * width / w), int(np.ceil((columns.max() + 1) * width / w))
    return left, int(rows.min() * height / h), right, int(np.ceil((rows.max() + 1) * height / h))


def _connected(mask: np.ndarray, place: tuple[np.intp, ...]) -> np.ndarray:
    labels, _ = parts(mask)
    return np.asarray(labels == labels[place])
