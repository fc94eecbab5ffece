"""Frames as they come, each with the score that the whole clip would have given it, causally.

A frame is looked at beside a few before it, which is all that is remembered; nothing here looks at a clock.
"""

from collections import deque
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from anodiff.data.reels import Frame
from anodiff.footage import Trace
from anodiff.incident import Incident, Seen
from anodiff.modalities.video import Eye
from anodiff.types import JSON, Misfit, Unreadable

if TYPE_CHECKING:
    from anodiff.detect_video import VideoDetector

REMEMBERED = 1000


class VideoStream:
    """A live detector of one camera: bounded time and memory per frame; for one thread. A refusal changes nothing.

    Args:
        detector: A fitted detector of video.
        false_alarm_rate: Events per normal frame, instead of the detector's own.
        per_hour: Events per hour, instead of that.
        camera: Which camera it is, where several were fitted.
        began: When it begins, in unix seconds, where the time of day counts.
        name: What to call it in events.
        maps: Whether what is said of frames carries maps.

    Attributes:
        events: The events that closed, the last 1,000.
        said: What the last frame opened and closed.
        notes: What was noted, the last 1,000 sentences.
    """

    def __init__(
        self,
        detector: "VideoDetector",
        *,
        false_alarm_rate: float | None = None,
        per_hour: float | None = None,
        camera: str | None = None,
        began: float | None = None,
        name: str = "stream",
        maps: bool = False,
    ) -> None:
        self.detector, self.name, self.maps = detector, name, maps
        self.footage = detector.model_
        self.limit = detector.threshold(detector.rate(false_alarm_rate, per_hour), True)
        self.events: deque[Incident] = deque(maxlen=REMEMBERED)
        self.notes: deque[str] = deque(maxlen=REMEMBERED)
        self.said: list[Incident] = []
        video = self.footage.modality
        number = video.cameras_.index(camera) + 1 if camera in video.cameras_ else 0
        self._eye, self._trace = Eye(video, number, began), Trace(self.footage, True)
        self._lookout = detector.lookout(name, self.limit, True)
        self._count = 0
        self._last: Seen | None = None
        if video.cameras_ and not number:
            said = "the camera is not named" if camera is None else f"camera {camera} was not there in fit"
            self.notes.append(f"{said}; it is judged by what is usual for all of them together.")

    def push(self, pixels: Any, time: float | None = None) -> Seen:
        """Take one frame; one that the stride skips is told of as the last was.

        Args:
            pixels: `(H, W)` or `(H, W, 3)`, uint8 or floats from 0 to 1.
            time: Seconds since the stream began; by the rate of fit, or the frame's number, where it is not given.

        Raises:
            Unreadable: it is no such frame.
        """
        frame = Frame(self._count, self._time(time), framed(pixels))
        if self._count % int(self.footage.modality.stride) and self._last is not None:
            self._count, self.said = self._count + 1, []
            return self._last
        with torch.inference_mode():
            look = self._eye.look(frame)
            (told,) = self._trace.push(look.index, look.time, look.size, self.footage.raw(look))
        self._count += 1
        self.said = self._lookout.push(told)
        self.events.extend(event for event in self.said if not event.open)
        self._last = self.detector.seen(self.name, told, self.limit, True, self.maps)
        return self._last

    def flush(self) -> list[Incident]:
        """The event that still runs, as it stands, when nothing more will come; afterwards none does."""
        return self._lookout.flush()

    @property
    def running(self) -> Incident | None:
        """The event that goes on, so far."""
        return self._lookout.running

    @property
    def state(self) -> JSON:
        """What it remembers, as JSON: how many frames came, the threshold and the event that runs."""
        running = self.running
        return {
            "frames": self._count,
            "threshold": self.limit,
            "event": None if running is None else running.to_dict(),
        }

    def _time(self, given: float | None) -> float:
        if given is None:
            return self._count / (self.footage.modality.rate_ or 1.0)
        if not isinstance(given, Real) or not np.isfinite(float(given)):
            raise Misfit(f"the time of a frame is {given!r}; give seconds since the stream began, or leave it out.")
        return float(given)


def framed(pixels: Any) -> np.ndarray:
    """A frame as uint8 `(H, W)` or `(H, W, 3)`.

    >>> framed(np.full((2, 2, 1), 0.5)).tolist()
    [[128, 128], [128, 128]]
    >>> framed(np.zeros((2, 2, 2)))
    Traceback (most recent call last):
    ...
    anodiff.types.Unreadable: a frame is (H, W) or (H, W, 3), and this one (2, 2, 2).
    """
    given = np.asarray(pixels)
    if given.ndim == 3 and given.shape[2] == 1:
        given = given[..., 0]
    if given.ndim not in (2, 3) or (given.ndim == 3 and given.shape[2] != 3) or 0 in given.shape:
        raise Unreadable(f"a frame is (H, W) or (H, W, 3), and this one {given.shape}.")
    if given.dtype == np.uint8:
        return given
    if given.dtype.kind != "f" or not np.isfinite(given).all() or given.min() < 0 or given.max() > 1:
        raise Unreadable(f"a frame of {given.dtype} is not read; give uint8, or floats from 0 to 1.")
    return np.asarray((given * 255 + 0.5).astype(np.uint8))
