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
        rate: frames a second; None where nothing says so, and a frame counts as a second.
        even: whether frames are timed by the rate, whatever times are stated.
    """

    rate: float | None
    even: bool = False
    count: int = 0
    last: float = 0.0
    zero: float | None = None
    shortest: float = np.inf
    longest: float = 0.0
    turned: bool = False

    @property
    def end(self) -> float:
        """Seconds at which the last frame ends."""
        return self.last + 1 / (self.rate or 1) if self.count else 0.0

    def at(self, stated: float | None) -> float:
        """Seconds of the next frame, of which a file may state seconds since some time."""
        if self.even:
            self.last = self.count / (self.rate or 1)
        elif self.count and stated is not None:
            self._count_on(stated)
        else:
            self.last = self.end
        if self.zero is None and stated is not None:
            self.zero = stated - self.last
        self.count += 1
        return self.last

    def notes(self) -> Iterator[str]:
        """What is odd about them."""
        if self.turned:
            yield "its times go back or stand still; from there on they are counted by its frame rate."
        if self.longest > UNEVEN * self.shortest:
            span = f"{1000 * self.shortest:.4g} to {1000 * self.longest:.4g} ms"
            yield f"its frame rate varies ({span} between frames); each frame has its own time."

    def _count_on(self, stated: float) -> None:
        now = self.end if self.zero is None else stated - self.zero
        if now <= self.last:
            self.turned, now = True, self.end
            self.zero = stated - now
        self.shortest, self.longest = min(self.shortest, now - self.last), max(self.longest, now - self.last)
        self.last = now
