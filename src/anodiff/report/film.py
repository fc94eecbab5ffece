"""A clip as a film with what was found in it drawn upon it: heat, boxes with the numbers of events, the score.

What is said of a frame is known some frames after it was seen; meanwhile the clip is read a second time, which is cheap
beside judging it, so that no more than one picture at a time is in memory however long a clip is.
"""

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image as Pillow

from anodiff.data.film import film
from anodiff.data.reels import Clip, Frame
from anodiff.incident import place_of
from anodiff.report.boxes import boxed
from anodiff.report.film_strip import Strip
from anodiff.report.overlay import coloured, heated, strength
from anodiff.report.video_words import clock
from anodiff.types import Unreadable

if TYPE_CHECKING:
    from anodiff.detect_video import VideoDetector
    from anodiff.footage import Told

NARROWEST, WIDEST = 480, 1920
"""Pixels of the width at which frames are shown: small ones are enlarged by a whole number, large ones made smaller."""
RATE = 25.0
"""Frames a second of a film of a clip that does not say how fast it is."""


def draw_film(
    detector: "VideoDetector",
    clip: Clip,
    path: str | Path,
    *,
    causal: bool | None = None,
    overwrite: bool = False,
    said: "Iterable[Told] | None" = None,
) -> int:
    """Write a clip as an mp4 with what was found drawn upon it, in bounded memory, and return its frames.

    Heat lies where hardly any normal frame is as odd; frames in alarm have a box around what is oddest, with the number
    of the event. Below are the time, the score, and how the score went against the threshold.

    Args:
        detector: Fitted.
        clip: What to judge.
        path: Ending in .mp4.
        causal: Whether scores depend on what came before alone; by default as the modality says.
        overwrite: Whether a file that is there may be replaced.
        said: What is said of the frames, where something else passes through the clip already.

    Raises:
        FileExistsError: there is such a file.
        Misfit: the path ends otherwise, PyAV is missing, or the clip has no frames.
        Unreadable: the clip cannot be read.
    """
    mode = detector.whole_.modality.causal if causal is None else causal
    told = detector.told(clip, bool(mode)) if said is None else said
    pictures = drawn(detector, clip, told, bool(mode))
    with closing(pictures):
        return film(path, pictures, speed(detector, clip), overwrite=overwrite, began=clip.began)


def speed(detector: "VideoDetector", clip: Clip) -> float:
    """Frames a second of the film: one for each frame that is looked at."""
    rate = clip.rate or detector.whole_.modality.rate_ or RATE
    return rate / int(detector.whole_.modality.stride)


def drawn(
    detector: "VideoDetector", clip: Clip, said: "Iterable[Told]", causal: bool
) -> Generator[np.ndarray, None, None]:
    """The pictures of the film, `(H, W, 3)` uint8, one at a time."""
    stride = int(detector.whole_.modality.stride)
    painter, frames = Painter(detector, clip, causal), clip.frames(stride)
    for place, told in enumerate(said):
        yield painter.painted(told, frame_of(frames, told.index), place)


def frame_of(frames: Iterator[Frame], index: int) -> np.ndarray:
    """The pixels of the frame of that number, which is yet to come.

    Raises:
        Unreadable: it does not come.
    """
    for frame in frames:
        if frame.index == index:
            return frame.pixels
    raise Unreadable(f"frame {index} could be read once, and not again; has the clip changed meanwhile?")


class Painter:
    """Draws on frames what is said of them.

    Args:
        detector: Fitted.
        clip: Whose frames they are.
        causal: Whether what is said of them is.
    """

    def __init__(self, detector: "VideoDetector", clip: Clip, causal: bool) -> None:
        self.limit = detector.threshold(detector.rate(), causal)
        self.middle = float(np.median(np.concatenate(detector.alarm_(causal).stretches_)))
        self.canvas, self.clip = detector.canvas_(causal), clip
        self.stride = int(detector.whole_.modality.stride)
        self.lookout = detector.lookout(clip.name, self.limit, causal)
        self.events = 0
        self.strip: Strip | None = None
        self.size = (0, 0)

    def painted(self, told: "Told", pixels: np.ndarray, place: int) -> np.ndarray:
        """A frame with its heat, its box and the strip below; `place` counts the frames of the film."""
        strip = self.strip or self._begun(pixels)
        self.events += sum(not each.open for each in self.lookout.push(told))
        number = self.events + 1
        picture = self._heated(told, pixels)
        if told.score > self.limit:
            picture = boxed(picture, self._box(told), number, strip.letters)
        strip.push(place, told.score)
        going = f"event {number}" if self.lookout.running is not None else ""
        return np.concatenate([picture, strip.drawn(clock(told.time), told.score, going)])

    def _begun(self, pixels: np.ndarray) -> Strip:
        self.size = shown_size((pixels.shape[0], pixels.shape[1]))
        frames = None if self.clip.length is None else -(-self.clip.length // self.stride)
        letters = max(13, round(self.size[1] / 54))
        self.strip = Strip(self.size[1], letters, self.middle, self.limit, frames)
        return self.strip

    def _heated(self, told: "Told", pixels: np.ndarray) -> np.ndarray:
        picture = enlarged(coloured(pixels), self.size)
        heat = strength(np.asarray(self.canvas.pixels.p_value(told.map)))
        if not heat.any():
            return picture
        laid = Pillow.fromarray(heat).resize(self.size[::-1], Pillow.Resampling.BILINEAR)
        return heated(picture, np.clip(np.asarray(laid), 0, 1))

    def _box(self, told: "Told") -> tuple[int, int, int, int]:
        """Where it is now, in pixels of the film."""
        return place_of(told.map, self.canvas.extent, self.size)


def shown_size(size: tuple[int, int]) -> tuple[int, int]:
    """The size at which a frame `(H, W)` is shown, even in height and width.

    >>> shown_size((120, 180)), shown_size((1080, 1920)), shown_size((2160, 3840)), shown_size((600, 60))
    ((360, 540), (1080, 1920), (1080, 1920), (1920, 192))
    """
    height, width = size
    factor = min(-(-NARROWEST // width), WIDEST / max(size))
    return max(2, 2 * round(height * factor / 2)), max(2, 2 * round(width * factor / 2))


def enlarged(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture `(H, W, 3)` uint8 at another size."""
    if picture.shape[:2] == size:
        return picture
    return np.asarray(Pillow.fromarray(picture).resize(size[::-1], Pillow.Resampling.BICUBIC))
