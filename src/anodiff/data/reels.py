"""Clips, and reels of them: frames that are decoded one after the other, as often as they are asked for.

A frame's index counts what the source holds, read or not: a frame that cannot be read leaves a gap, and with a stride
of k every k-th index is given. A clip that cannot be read at all is an `Unread` in its place.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Integral
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np

from anodiff.data.albums import Unread
from anodiff.types import Misfit, Unreadable

Layout: TypeAlias = Literal["one", "list", "dict"]
MOST_PIXELS = 2**26
"""Of the largest frame that is decoded."""
MOST_LISTED = 1000
"""Frames of a clip that are listed as unread."""
FASTEST = 100_000.0
"""Frames a second."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame.

    Attributes:
        index: its place in the source, from 0, before any stride.
        time: seconds since the first frame; the index, where nothing says how many frames make a second.
        pixels: `(H, W)` or `(H, W, 3)` uint8, RGB; frames of one clip may differ in size.
    """

    index: int
    time: float
    pixels: np.ndarray


@dataclass(frozen=True, eq=False)
class Shot:
    """A frame that has yet to be had: `pixels` makes it, or raises Unreadable."""

    index: int
    time: float
    pixels: Callable[[], np.ndarray]
    name: str = ""


class Source(Protocol):
    """Where the frames of a clip come from: every one of them, in their order, and sentences on what is odd."""

    def shots(self) -> Iterator[Shot | str]: ...


@dataclass(eq=False)
class Clip:
    """A clip, which is read anew each time its frames are asked for.

    Attributes:
        name: its path relative to the folder given (posix), its key in the dict given, or "0", "1", ... of a list.
        source: where its frames come from.
        path: the file or folder, where it is one.
        size: height and width of the first frame.
        rate: frames a second; None where nothing says so.
        camera: which camera took it, where that is known.
        began: when, in unix seconds, where that is known.
        notes: sentences on what is odd about it; filled while it is read.
        unread: frames that could not be read and are left out; filled while it is read.
        length: how many frames the source holds; None until it has been read to its end.
    """

    name: str
    source: Source = field(repr=False)
    path: Path | None = None
    size: tuple[int, int] | None = None
    rate: float | None = None
    camera: str | None = None
    began: float | None = None
    notes: list[str] = field(default_factory=list, repr=False)
    unread: list[Unread] = field(default_factory=list, repr=False)
    length: int | None = None

    def frames(self, stride: int = 1) -> Iterator[Frame]:
        """The frames whose index is a multiple of `stride`, one at a time; memory does not grow with their number.

        Raises:
            Misfit: the stride is no whole number above 0.
            Unreadable: the source is gone, or of another kind than when the reel was made.
        """
        if not isinstance(stride, Integral) or isinstance(stride, bool) or stride < 1:
            raise Misfit(f"the stride of frames is {stride!r}; give a whole number from 1.")
        return self._read(int(stride))

    def rated(self, rate: float | None) -> "Clip":
        """The same clip, at a rate that is given rather than found; None changes nothing."""
        if rate is None:
            return self
        source: Any = self.source
        return replace(self, rate=rate, source=replace(source, rate=rate), notes=[], unread=[])

    def tell(self, sentence: str) -> None:
        """Note something, once."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def _read(self, stride: int) -> Iterator[Frame]:
        self.length = yield from developed(self.name, self.source.shots(), stride, self.tell, self._miss)

    def _miss(self, unread: Unread) -> None:
        if unread.name in {known.name for known in self.unread}:
            return
        if len(self.unread) < MOST_LISTED:
            self.unread.append(unread)
        else:
            self.tell(f"more than {MOST_LISTED:,} of its frames cannot be read, of which the first are listed.")


def developed(
    name: str,
    shots: Iterable[Shot | str],
    stride: int,
    tell: Callable[[str], object],
    miss: Callable[[Unread], object],
) -> Generator[Frame, None, int]:
    """The frames of the clip called `name`, every `stride`-th; returns how many there are.

    Args:
        name: of the clip.
        shots: its frames, and notes on it.
        stride: from one index to the next.
        tell: is given each note.
        miss: is given each frame that cannot be read.
    """
    length, size, mixed = 0, None, False
    for shot in shots:
        if isinstance(shot, str):
            tell(shot)
            continue
        length = shot.index + 1
        if shot.index % stride:
            continue
        try:
            pixels = shot.pixels()
        except Unreadable as refusal:
            miss(Unread(f"{name}/{shot.name or shot.index}", str(refusal)))
            continue
        size = size or pixels.shape[:2]
        if size != pixels.shape[:2] and not mixed:
            mixed = True
            tell(f"the size of its frames changes, first at frame {shot.index}; each is given in its own.")
        yield Frame(shot.index, shot.time, pixels)
    return length


@dataclass(frozen=True, eq=False)
class Reel:
    """Clips, in the layout in which they were given.

    Attributes:
        given: every clip in its order, an `Unread` where one cannot be read.
        layout: "one" clip, a "list" of them, or a "dict" by their names, as of a folder of clips.
        notes: sentences on what was passed over.
    """

    given: Sequence[Clip | Unread]
    layout: Layout
    notes: tuple[str, ...] = ()

    @property
    def clips(self) -> list[Clip]:
        """Those that can be read."""
        return [clip for clip in self.given if isinstance(clip, Clip)]

    @property
    def unread(self) -> list[Unread]:
        """The clips that cannot be read and, as far as they have been read, the frames of the others that cannot."""
        alone = [clip for clip in self.given if isinstance(clip, Unread)]
        return alone + [frame for clip in self.clips for frame in clip.unread]

    def __len__(self) -> int:
        return len(self.clips)

    def lay_out(self, per_clip: Sequence[Any]) -> Any:
        """What belongs to each of `clips`, as they were given; None stands for an unread one of a list."""
        values = iter(per_clip)
        if self.layout == "one":
            return next(values)
        if self.layout == "dict":
            return dict(zip([clip.name for clip in self.clips], values, strict=True))
        return [next(values) if isinstance(clip, Clip) else None for clip in self.given]

    def taken_by(self, cameras: Mapping[str, str]) -> "Reel":
        """The same reel, its clips taken by cameras by name.

        Raises:
            Misfit: there is no clip of one of the names.
        """
        if not isinstance(cameras, Mapping):
            raise Misfit(f"cameras is {cameras!r}; give a dict of clip names to camera names.")
        odd = sorted(cameras.keys() - {clip.name for clip in self.given})
        if odd:
            names = ", ".join([clip.name for clip in self.given][:8])
            raise Misfit(f"cameras names {', '.join(odd[:8])}, of which there is no clip; clips are called {names}.")
        return replace(self, given=[_taken(clip, cameras) for clip in self.given])


def _taken(clip: Clip | Unread, cameras: Mapping[str, str]) -> Clip | Unread:
    if isinstance(clip, Unread):
        return clip
    return replace(clip, camera=cameras.get(clip.name, clip.camera))


def check_rate(rate: Any) -> float | None:
    """Frames a second, as a float.

    Raises:
        Misfit: it is none.
    """
    if rate is None:
        return None
    try:
        found = float(rate)
    except (TypeError, ValueError):
        found = np.nan
    if not 0 < found <= FASTEST:
        raise Misfit(f"rate is {rate!r}; give frames a second, a number above 0, such as 25.")
    return found
