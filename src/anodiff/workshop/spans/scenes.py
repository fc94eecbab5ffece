"""Scenes: the stretches of a series that regions lie in, as batches for a model of windows, and back again."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from anodiff.data.items import Item
from anodiff.modalities.channels import Channels
from anodiff.modalities.laid import Laid
from anodiff.modalities.series import Strip, stretched
from anodiff.workshop.spans.spanned import Spanned


@dataclass(frozen=True, eq=False)
class Source:
    """A normal series that something is made on.

    Attributes:
        item: In the caller's layout.
        strip: On its grid.
        number: Of the series, among those that were given; -1 where it is a piece that was kept.
        offset: The first instant of the piece, in the series.
        given: Which table it is from, its rows there, and how many that has.
    """

    item: Item
    strip: Strip
    number: int
    offset: int = 0
    given: tuple[int, np.ndarray, int] = (0, np.zeros(0, int), 0)

    def __len__(self) -> int:
        return len(self.item)

    def cut(self, region: np.ndarray, most: int, room: int) -> tuple["Source", np.ndarray]:
        """A piece of at most so many instants about the region `(T, C)`, with `room` on both sides; and its region."""
        instants = np.flatnonzero(region.any(1))
        first, last = (int(instants[0]), int(instants[-1])) if len(instants) else (0, 0)
        size = max(most, last - first + 1 + 2 * room)
        if len(self) <= size:
            return self, region
        start = int(np.clip((first + last + 1 - size) // 2, 0, len(self) - size))
        piece = self.piece(start, size)
        return piece, region if piece is self else region[start : start + size]

    def piece(self, start: int, size: int) -> "Source":
        """So many instants from `start` on; itself, where its rows do not stand in their order."""
        size = min(size, len(self) - start)
        item = self.item.cut(start, start + size)
        if item is self.item:
            return self
        g0, g1 = int(self.strip.at[start]), int(self.strip.at[start + size - 1]) + 1
        times = None if self.strip.times is None else self.strip.times[g0:g1]
        strip = Strip(
            self.strip.x[g0:g1],
            self.strip.known[g0:g1],
            self.strip.at[start : start + size] - g0,
            self.strip.entity,
            times,
        )
        return Source(item, strip, self.number, start, self.given)

    def observed(self, channels: Channels) -> np.ndarray:
        """Which cells hold a reading, `(T, channels)`."""
        owner, known = channels.owner, self.strip.known.numpy()[self.strip.at]
        return np.stack([known[:, owner == c].any(1) for c in range(len(channels.names))], 1)


@dataclass(frozen=True, eq=False)
class Stretch:
    """Where a scene lies in a source's grid, and its region there.

    Attributes:
        x: `(width, S)`, in standard deviations, gaps bridged.
        region: Likewise, bool.
        start: Of the scene in the grid.
    """

    x: Tensor
    region: Tensor
    start: int

    @classmethod
    def of(cls, source: Source, region: np.ndarray, model: Spanned, whole: bool = False) -> "Stretch":
        """The scene about a region `(T, channels)`; of the `whole` series, if that is to be made anew."""
        length, owner = model.length, model.modality.channels_.owner
        strip = source.strip
        mask = np.zeros((len(strip), len(owner)), dtype=bool)
        mask[strip.at] = region[:, owner]
        held = np.maximum.accumulate(np.where(np.isin(np.arange(len(strip)), strip.at), np.arange(len(strip)), 0))
        gaps = held != np.arange(len(strip))
        mask[gaps] = mask[held[gaps]]
        instants = np.flatnonzero(mask.any(1))
        extent = int(np.ptp(instants)) + 1
        half = max(1, length // 2)
        wanted = len(strip) if whole else extent + half
        size = length + half * max(0, -(-(wanted - length) // half))
        laid = Laid.of(stretched(strip, size))
        start = 0 if whole else int(np.clip(instants[0] - (size - extent) // 2, 0, len(laid) - size))
        full = np.zeros((len(laid), len(owner)), dtype=bool)
        full[: len(mask)] = mask
        if whole:
            full[:] = mask.any(0) | full
        cells = slice(start, start + size)
        return cls(laid.x[cells].T.contiguous(), torch.from_numpy(full[cells].T.copy()), start)

    def window(self, length: int) -> int:
        """Where the window about the middle of the region begins in the scene."""
        instants = self.region.any(0).nonzero()[:, 0]
        middle = int(instants.float().mean()) if len(instants) else 0
        return int(np.clip(middle - length // 2, 0, self.x.shape[1] - length))


def batched(stretches: Sequence[Stretch]) -> tuple[Tensor, Tensor]:
    """Scenes of one size, as items and regions `(B, width, S)`."""
    return torch.stack([s.x for s in stretches]), torch.stack([s.region for s in stretches])


def written(
    source: Source, stretch: Stretch, made: Tensor, region: np.ndarray, model: Spanned
) -> tuple[object, np.ndarray]:
    """The source with what was made `(width, S)` in its region `(T, channels)`, and the region where channels moved."""
    channels, strip = model.modality.channels_, source.strip
    place = strip.at - stretch.start
    inside = (place >= 0) & (place < made.shape[1])
    values = channels.decode(made.T[np.clip(place, 0, made.shape[1] - 1)].double().numpy(), strip.entity)
    moved = ((made != stretch.x) & stretch.region).any(1).numpy()
    new_in = np.array([moved[channels.owner == c].any() for c in range(len(channels.names))])
    changed = region & inside[:, None] & source.observed(channels)
    changed = changed & new_in if new_in.any() else changed
    new = {}
    for c in np.flatnonzero(changed.any(0)).tolist():
        name, at = channels.names[c], np.flatnonzero(changed[:, c])
        coordinate = int(np.flatnonzero(channels.owner == c)[0])
        told = values[name][at]
        if coordinate in model.observed:
            told = model.nearest(coordinate, told)
        new[name] = (at, told.tolist())
    return source.item.rewritten(new), changed
