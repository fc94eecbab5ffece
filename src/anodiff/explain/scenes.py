"""Events of video, explained: the frame at the peak, where it is odd, what a normal frame looks like, and a sentence.

"How it should look" is the most similar of the normal frames that were kept from fit, of the same camera. It is a real
frame, and not the judged one with its anomaly removed.
"""

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from anodiff.data.reels import Clip
from anodiff.explain.moment_words import chance
from anodiff.explain.place import where
from anodiff.incident import Incident
from anodiff.recipes.pictured import plane_of
from anodiff.types import JSON, Misfit

if TYPE_CHECKING:
    from anodiff.detect_video import VideoDetector
    from anodiff.footage import Footage

DEEDS = {
    ("motion", False): "how it moves",
    ("appearance", False): "how it looks",
    ("motion", True): "how it moves, given what came before",
    ("appearance", True): "how it looks, given what came before or how it moves",
}


@dataclass(frozen=True, eq=False)
class Scene:
    """What is to be said of an event.

    Attributes:
        incident: The event.
        frame: The frame of its peak, `(H, W)` or `(H, W, 3)` uint8.
        map: Evidence by pixel of that frame `(H, W)` float32.
        expected: The most similar normal frame, in the size in which frames are looked at; None where none was kept.
        parts: Of what is odd, the share of each part, from 0 to 1.
        sentence: All this in words.
    """

    incident: Incident
    frame: np.ndarray
    map: np.ndarray
    expected: np.ndarray | None
    parts: Mapping[str, float]
    sentence: str

    def to_dict(self) -> JSON:
        """As JSON, without pixels."""
        return {**self.incident.to_dict(), "shares": dict(self.parts), "sentence": self.sentence}


def scenes(detector: "VideoDetector", X: Any, *, top: int = 3, **settings: Any) -> list[Scene]:
    """The `top` worst events of clips, the worst first; `settings` as `VideoDetector.events` takes them.

    Raises:
        Misfit: top is no number from 1.
    """
    if isinstance(top, bool) or not isinstance(top, int) or top < 1:
        raise Misfit(f"top is {top!r}; give how many events are to be told of, from 1.")
    worst: list[tuple[float, int, Clip, Incident, np.ndarray]] = []
    for number, (clip, event, map) in enumerate(detector.watched(X, **settings)):
        entry = (event.score, -number, clip, event, map)
        if len(worst) < top:
            heapq.heappush(worst, entry)
        else:
            heapq.heappushpop(worst, entry)
    return [_scene(detector, clip, event, map) for _, _, clip, event, map in sorted(worst, key=lambda e: e[:2])[::-1]]


def _scene(detector: "VideoDetector", clip: Clip, event: Incident, map: np.ndarray) -> Scene:
    footage = detector.model_
    frame = next(_at(clip, event.peak, int(footage.modality.stride)))
    expected = footage.expected(footage.modality.scaled(frame), footage.modality.camera(clip))
    height, width = frame.shape[:2]
    return Scene(
        event,
        frame,
        detector.laid(map, (height, width)),
        expected,
        shares(event),
        told(event, footage, (height, width)),
    )


def _at(clip: Clip, index: int, stride: int) -> Iterator[np.ndarray]:
    for frame in clip.frames(stride):
        if frame.index == index:
            yield frame.pixels
            return


def shares(event: Incident) -> dict[str, float]:
    """Of what is odd at the peak of an event, the share of each part; none where nothing is above the usual."""
    odd = {name: max(part, 0.0) for name, part in event.parts.items()}
    total = sum(odd.values())
    return {name: each / total if total else 0.0 for name, each in odd.items()}


def told(event: Incident, footage: "Footage", size: tuple[int, int]) -> str:
    """When and where, what is odd, and how rare that is."""
    left, top, right, bottom = event.box
    sums = dict[str, float]()
    for name, share in shares(event).items():
        cube = footage.recipe.cubes[plane_of(footage.recipe, name)]
        deed = DEEDS[cube.sees, bool(cube.given)]
        sums[deed] = sums.get(deed, 0.0) + share
    odd = " and ".join(
        f"{deed} ({100 * sums[deed]:.0f} %)" for deed in sorted(sums, key=lambda d: -sums[d]) if sums[deed] > 0
    )
    goes = " and still goes on at the end" if event.open else ""
    reason = f"odd is {odd}" if odd else "it is odd for longer than normal video is"
    place = where((top, left, bottom, right), size)
    return (
        f"Clip {event.clip}, frames {event.start:,} to {event.end - 1:,}{goes}, at the {place}: {reason}; "
        f"how probably normal video peaks as high: p {chance(event.p_value)}."
    )
