"""What is said of a frame of video, and what happened: events with their time and their place."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

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
