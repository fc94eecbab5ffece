"""What one pass over pictures leaves in memory: scores, the worst with their maps, alarms by name. Bounded."""

import time
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, replace
from heapq import heappush, heappushpop

import numpy as np

from anodiff.types import JSON, Scores
from anodiff.verdict import Verdict

LISTED = 200
"""Alarms, and pictures that could not be read, that are named."""


class Highest:
    """The `most` highest scoring verdicts of what was added; of equals the earlier ones."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._heap: list[tuple[float, int, Verdict]] = []

    def add(self, place: int, verdict: Verdict) -> None:
        """Keep it if it is worse than the mildest that is kept."""
        if len(self._heap) < self.most:
            heappush(self._heap, (verdict.score, -place, verdict))
        elif self.most:
            heappushpop(self._heap, (verdict.score, -place, verdict))

    def found(self) -> list[tuple[int, Verdict]]:
        """Places in the album and verdicts, the worst first."""
        return [(-place, verdict) for _, place, verdict in sorted(self._heap, key=lambda each: (-each[0], -each[1]))]


@dataclass(frozen=True)
class ImageSurvey:
    """The pass, summed up.

    Attributes:
        scores: Of the pictures that could be read `(n,)`; 8 bytes each.
        alarms: How many raised an alarm.
        worst: The highest scoring, by their place in the album.
        listed: Alarms without maps, at most 200, the worst first.
        unread: Name and reason of those that could not be read, at most 200.
        unreadable: How many these are in all.
        seconds: How long it took.
    """

    scores: Scores
    alarms: int
    worst: list[tuple[int, Verdict]]
    listed: list[Verdict]
    unread: list[JSON]
    unreadable: int
    seconds: float


def image_survey(verdicts: Iterable[Verdict], most: int) -> ImageSurvey:
    """Pass once through verdicts with maps, keeping `most` of them whole."""
    began = time.perf_counter()
    scores, worst, listed, unread = array("d"), Highest(most), Highest(LISTED), list[JSON]()
    alarms = unreadable = 0
    for place, verdict in enumerate(verdicts):
        if verdict.unread is not None:
            unreadable += 1
            unread += [{"name": verdict.name, "why": verdict.unread}] if len(unread) < LISTED else []
            continue
        scores.append(verdict.score)
        alarms += verdict.alarm
        worst.add(place, verdict)
        if verdict.alarm:
            listed.add(place, replace(verdict, map=None))
    seconds = time.perf_counter() - began
    named = [verdict for _, verdict in listed.found()]
    return ImageSurvey(np.array(scores), alarms, worst.found(), named, unread, unreadable, seconds)
