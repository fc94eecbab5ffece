"""Albums: pictures that are read when they are asked for, one at a time, each for itself.

A few are in memory, however many there are. In a folder a bad file is an `Unread` in its place and the rest goes on;
where the caller listed what is to be read, rows must stay aligned and the first bad one is refused.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Optional, TypeAlias

import numpy as np
from PIL.Image import Image

from anodiff.data.frames import Frame, Size, frame_of, framed
from anodiff.data.picture_files import Decoded, decoded, decoded_image
from anodiff.data.picture_modes import array_planes
from anodiff.types import Unreadable


@dataclass(frozen=True, eq=False)
class Picture:
    """One picture.

    Attributes:
        name: its path relative to the folder given (posix), or "0", "1", ... of arrays.
        pixels: `(h, w, 1)` or `(h, w, 3)` float32 in 0..1, in the frame that was asked for.
        size: height and width of the original, upright.
        path: the file, where it is one.
        notes: sentences on what was left out of it.
        reference: the picture that it is to agree with, in the same frame, where it is one of a pair.
    """

    name: str
    pixels: np.ndarray
    size: tuple[int, int]
    path: Path | None = None
    notes: tuple[str, ...] = ()
    reference: Optional["Picture"] = None


@dataclass(frozen=True)
class Unread:
    """One that could not be read: its `name`, and `why`, one sentence."""

    name: str
    why: str

    def __str__(self) -> str:
        return f"{self.name}: {self.why}"


Single: TypeAlias = Path | np.ndarray | Image | Unread | Callable[[], np.ndarray]
"""Where a picture comes from; a function makes it when it is asked for."""


@dataclass(frozen=True, eq=False)
class Pair:
    """Where a picture comes from, and the one that it is to agree with."""

    reference: Single
    tested: Single


Item: TypeAlias = Single | Pair


@dataclass(frozen=True, eq=False)
class Album:
    """Pictures that are read when they are asked for.

    Attributes:
        names: of its n pictures.
        items: where each comes from.
        strict: whether a bad picture is refused (True) or given as `Unread` (False).
        notes: sentences on what was passed over.
        kinds: the folder that each lies in, "good" or a defect, where the album was asked for as `labelled`.
    """

    names: list[str]
    items: Sequence[Item] = field(repr=False)
    strict: bool
    notes: tuple[str, ...] = ()
    kinds: list[str] | None = None

    def __len__(self) -> int:
        return len(self.names)

    @property
    def paired(self) -> bool:
        """Whether its pictures come with references."""
        return any(isinstance(item, Pair) for item in self.items)

    def pictures(self, size: Size = None, start: int = 0, stop: int | None = None) -> Iterator[Picture | Unread]:
        """Those from `start` to `stop` - 1, one at a time, in the order of `names`.

        Args:
            size: S for S x S pixels, a `Frame`, or None for pictures as they are.
            start: the first.
            stop: after the last; None for all.

        Raises:
            Unreadable: one cannot be read, in a `strict` album.
        """
        frame = frame_of(size)
        for i in range(*slice(start, stop).indices(len(self))):
            yield self._read(i, frame)

    def part(self, places: Iterable[int]) -> "Album":
        """The album of some of its pictures, by place, in the order given."""
        at = [int(i) for i in places]
        kinds = None if self.kinds is None else [self.kinds[i] for i in at]
        return Album([self.names[i] for i in at], [self.items[i] for i in at], self.strict, self.notes, kinds)

    def _read(self, i: int, frame: Frame | None) -> Picture | Unread:
        name, item = self.names[i], self.items[i]
        try:
            return _picture(name, item, frame)
        except Unreadable as refusal:
            unread = Unread(name, str(refusal))
            if self.strict:
                raise Unreadable(f"picture {unread}") from None
            return unread


def is_grey(pixels: np.ndarray) -> bool:
    """Whether pixels `(h, w, C)` have one channel, or three that never differ."""
    return pixels.shape[2] == 1 or bool((pixels == pixels[..., :1]).all())


def decoded_item(item: Single, frame: Frame | None) -> Decoded:
    """What an item shows.

    Raises:
        Unreadable: it cannot be had.
    """
    if isinstance(item, Unread):
        raise Unreadable(item.why)
    if isinstance(item, Path):
        return decoded(item, frame)
    if isinstance(item, Image):
        try:
            return decoded_image(item.copy(), frame)
        except (OSError, ValueError, SyntaxError) as error:
            raise Unreadable(f"it cannot be decoded ({error}); load it first.") from None
    array = item() if callable(item) else item
    size = (int(array.shape[0]), int(array.shape[1])) if array.ndim > 1 else (0, 0)
    return Decoded(framed(array_planes(array), size, frame), size)


def _picture(name: str, item: Item, frame: Frame | None) -> Picture:
    if isinstance(item, Pair):
        tested = _picture(name, item.tested, frame)
        try:
            return replace(tested, reference=_picture(name, item.reference, frame))
        except Unreadable as refusal:
            raise Unreadable(f"its reference: {refusal}") from None
    found = decoded_item(item, frame)
    return Picture(name, found.pixels, found.size, item if isinstance(item, Path) else None, found.notes)
