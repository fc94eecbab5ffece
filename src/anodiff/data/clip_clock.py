"""When the frames of a video are: seconds since the first one, from times that a file states, and may state wrongly."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

UNEVEN = 1.5
"""Ratio of the longest and the shortest time between frames from which a frame rate varies."""


@dataclass
class Clock:
    """The times of frames, counted from the first; they never stand still, nor go back.

    Attributes:
        given: frames a second that were asked for.
        stated: frames a second that the container states.
    """

    given: float | None
    stated: float | None
    first: float | None = None
    last: float | None = None
    shortest: float = np.inf
    longest: float = 0.0
    turned: bool = False

    @property
    def step(self) -> float:
        """Seconds from one frame to the next, where they are not stated."""
        return 1 / (self.given or self.stated or 1.0)

    @property
    def end(self) -> float:
        """Seconds at which the last frame ends."""
        return 0.0 if self.last is None else self.last + self.step

    def at(self, stated: float | None) -> float:
        """Seconds of the next frame, of which the container may state seconds since some time."""
        untimed = stated is None or self.given is not None or self.stated is None
        if self.first is None or self.last is None:
            self.first, self.last = stated or 0.0, 0.0
            return self.last
        now = self.end if untimed or stated is None else stated - self.first
        if now <= self.last:
            self.turned, self.first = True, self.first - (self.end - now)
            now = self.end
        self.shortest, self.longest = min(self.shortest, now - self.last), max(self.longest, now - self.last)
        self.last = now
        return now

    def notes(self) -> Iterator[str]:
        """What is odd about them."""
        if self.turned:
            yield "its times go back or stand still; from there on they are counted by its frame rate."
        if self.longest > UNEVEN * self.shortest:
            span = f"{1000 * self.shortest:.4g} to {1000 * self.longest:.4g} ms"
            yield f"its frame rate varies ({span} between frames); each frame has its own time."
