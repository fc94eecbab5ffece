"""Pictures, explained: where they are odd, what a normal picture like them looks like, and a sentence.

"How it should look" is the most similar of the small normal pictures that were kept from fit. It is a real picture, and
not the judged one with its defect repaired: it may differ in whatever normal pictures differ in. Of a pair it is the
reference.
"""

import heapq
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from anodiff.alarms.regions import Region
from anodiff.data.pictures import Album, Frame, Picture, album
from anodiff.explain.place import where
from anodiff.explain.sight_words import sized, told
from anodiff.types import JSON, Misfit
from anodiff.verdict import Verdict

if TYPE_CHECKING:
    from anodiff.detect_images import ImageDetector

LARGEST = 2048
"""The longer side in pixels at which a picture is looked at again, to find what looks like it."""
NAMED = 3
"""Pictures that could not be read and are named."""


@dataclass(frozen=True, eq=False)
class Sight:
    """What is to be said of a picture.

    Attributes:
        name: As the album names it.
        score: What `decision_function` gives.
        p_value: How probably a normal picture scores as high.
        alarm: Whether it raises one.
        size: Height and width of the original in pixels.
        sentence: All of it in a sentence.
        regions: Where it is odd, the strongest first, `top` at most.
        more: How many regions there are besides.
        normal: How it should look, uint8 `(h, w[, 3])`: the most similar of the small normal pictures that were kept,
            in the shape of this one. None where none were kept.
        map: Evidence by pixel `(H, W)`, as `anomaly_map` gives it.
    """

    name: str
    score: float
    p_value: float
    alarm: bool
    size: tuple[int, int]
    sentence: str
    regions: list[Region]
    more: int
    normal: np.ndarray | None
    map: np.ndarray

    def to_dict(self) -> JSON:
        """As JSON, without arrays; boxes (top, left, bottom, right) and areas in pixels of the original."""
        return {
            "name": self.name,
            "score": self.score,
            "p_value": self.p_value,
            "alarm": self.alarm,
            "size": list(self.size),
            "sentence": self.sentence,
            "regions": [self._region(each) for each in self.regions],
            "more": self.more,
        }

    def _region(self, each: Region) -> JSON:
        height, width = self.size
        return {
            "box": [round(e * s) for e, s in zip(each.relative_box, (height, width) * 2, strict=True)],
            "area": max(1, round(each.share * height * width)),
            "centre": [round(e * s, 1) for e, s in zip(each.relative_centre, self.size, strict=True)],
            "share": each.share,
            "peak": each.peak,
            "p_value": each.p_value,
            "words": sized(each),
        }


def sights(detector: "ImageDetector", X: Any, *, top: int = 3, worst: int | None = None) -> list[Sight]:
    """What is to be said of the pictures of `X`, in their order, or of the `worst` ones, the worst first.

    Args:
        detector: Fitted.
        X: Pictures. Those of a folder that cannot be read are left out, with one warning.
        top: So many regions are told of, per picture.
        worst: Tell of so many pictures only; of the others no more than a score is held in memory.

    Raises:
        Misfit: `top` or `worst` is below 1.
    """
    for name, count in {"top": top, "worst": worst}.items():
        if count is not None and count < 1:
            raise Misfit(f"{name} is {count}; give a number from 1.")
    pictures = album(X)
    found = readable(detector, pictures)
    if worst is not None:
        found = iter(heapq.nsmallest(worst, found, key=lambda each: (-each[1].score, each[0])))
    return [sight_of(detector, verdict, looked_at(pictures, place, verdict), top=top) for place, verdict in found]


def sight_of(
    detector: "ImageDetector", verdict: Verdict, picture: Picture | None, *, top: int = 3, largest: int | None = None
) -> Sight:
    """What is to be said of one picture that was judged.

    Args:
        detector: Fitted.
        verdict: What it said, with its map.
        picture: The same picture, of any size; without it nothing is found that looks like it.
        top: So many regions are told of.
        largest: The longer side in pixels at which map and regions are laid out, at most; by default that of the
            picture. A large picture then takes no more memory than a small one.

    Raises:
        Misfit: the picture could not be read, or the verdict carries no map.
    """
    if verdict.unread is not None:
        raise Misfit(f"{verdict.name} could not be read, so there is nothing to say of it; leave it out.")
    laid = replace(verdict, size=within(verdict.size, largest))
    map, regions = detector.laid(laid), detector.regions_of(laid)
    row, column = (int(i) for i in np.unravel_index(map.argmax(), map.shape))
    oddest = where((row, column, row + 1, column + 1), laid.size)
    told_of, more = regions[:top], max(0, len(regions) - top)
    return Sight(
        name=verdict.name,
        score=verdict.score,
        p_value=verdict.p_value,
        alarm=verdict.alarm,
        size=verdict.size,
        sentence=told(verdict.name, verdict.p_value, verdict.alarm, told_of, more, verdict.size, oddest),
        regions=told_of,
        more=more,
        normal=None if picture is None else normal_of(detector, picture, verdict.size),
        map=map,
    )


def normal_of(detector: "ImageDetector", picture: Picture, size: tuple[int, int]) -> np.ndarray | None:
    """How a picture of `size` should look, uint8 `(h, w[, 3])`, taken out of the square that pictures are read in."""
    model = detector.whole_
    square = model.nearest_normal(picture)
    if square is None:
        return None
    planes = square[..., None] if square.ndim == 2 else square
    shape = within(size, len(square))
    laid = [model.modality.laid(plane.astype(np.float32), shape, 255.0) for plane in np.moveaxis(planes, 2, 0)]
    found = np.clip(np.round(np.stack(laid, 2)), 0, 255).astype(np.uint8)
    return found[..., 0] if square.ndim == 2 else found


def readable(detector: "ImageDetector", pictures: Album) -> Iterator[tuple[int, Verdict]]:
    """The pictures that can be read, by place, with verdicts; the others are named in a warning at the end."""
    unread = list[str]()
    for place, verdict in enumerate(detector.judge(pictures)):
        if verdict.unread is None:
            yield place, verdict
        else:
            unread.append(f"{verdict.name}: {verdict.unread.rstrip('.')}")
    if unread:
        named = "; ".join(unread[:NAMED]) + (f", and {len(unread) - NAMED} more" if len(unread) > NAMED else "")
        warnings.warn(
            f"{len(unread)} picture{'s' * (len(unread) > 1)} could not be read and left out: {named}.", stacklevel=4
        )


def looked_at(pictures: Album, place: int, verdict: Verdict, largest: int = LARGEST) -> Picture | None:
    """A picture that was judged, its aspect kept, no larger than `largest`; None if it cannot be read any more."""
    frame = Frame(min(max(verdict.size), largest), "pad")
    (found,) = pictures.pictures(frame, place, place + 1)
    if not isinstance(found, Picture):
        return None
    whole = unpadded(found, frame)
    return whole if whole.reference is None else replace(whole, reference=unpadded(whole.reference, frame))


def unpadded(picture: Picture, frame: Frame) -> Picture:
    """A picture out of the frame that it was padded to."""
    left, top, right, bottom = frame.place(picture.size)
    return replace(picture, pixels=picture.pixels[top:bottom, left:right])


def within(size: tuple[int, int], largest: int | None) -> tuple[int, int]:
    """A size of the same aspect of which the longer side is at most `largest`.

    >>> within((300, 4000), 2000), within((30, 40), 2000)
    ((150, 2000), (30, 40))
    """
    if largest is None or max(size) <= largest:
        return size
    height, width = (max(1, round(length * largest / max(size))) for length in size)
    return height, width
