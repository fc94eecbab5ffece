r"""The band of what was expected: the instants of an event are hidden, and imagined from those around,

.. math:: q_p(t, c) = \text{quantile}_p \, x_{tc}, \qquad x \sim p(x_h \mid x_k, \text{normal}),

in the units of each channel. Of an event that leaves too little of a window to go by its beginning is hidden, or its
worst part, if that is elsewhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anodiff.data.log import Track
from anodiff.explain.imagined import imagined
from anodiff.explain.located import Core, cut
from anodiff.explain.normals import Normals, chosen
from anodiff.explain.placing import HIDDEN, placed
from anodiff.modalities.channels import Channels, matrix
from anodiff.modalities.laid import Laid
from anodiff.modalities.series import Strip, stretched

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, eq=False)
class Band:
    """One channel over a window of n instants.

    Attributes:
        observed: `(n,)`, NaN or None where nothing was.
        draws: What might have been expected, `(draws, n)`.
    """

    observed: np.ndarray
    draws: np.ndarray

    @property
    def numeric(self) -> bool:
        """Whether it is numbers; else categories."""
        return self.draws.dtype.kind == "f"

    def quantiles(self) -> np.ndarray:
        """At `QUANTILES`, `(5, n)`, of numbers."""
        return np.asarray(np.quantile(self.draws, QUANTILES, axis=0))

    def likeliest(self) -> list[tuple[Any, float]]:
        """Of categories: the likeliest at each instant, and how likely it is."""
        found = (np.unique(column.astype(str), return_counts=True) for column in self.draws.T)
        return [(names[counts.argmax()], float(counts.max() / counts.sum())) for names, counts in found]


@dataclass(frozen=True, eq=False)
class Scene:
    """An event with some of what was around.

    Attributes:
        places: Of the instants on the grid of the strip `(n,)`.
        hidden: Which of them were imagined, `(n,)`.
        bands: Of channels, by name.
        whole: Whether the whole core of the event was hidden; else a part.
    """

    places: np.ndarray
    hidden: np.ndarray
    bands: Mapping[str, Band]
    whole: bool


class Stage:
    """A strip on which events are shown.

    Args:
        known: What the detector knows of normal windows.
        channels: Of the strip.
        strip: What holds the events.
        track: The same as it was given.
    """

    def __init__(self, known: Sequence[Normals], channels: Channels, strip: Strip, track: Track) -> None:
        self.known, self.channels, self.strip, self.track = known, channels, strip, track

    def scene(self, core: Core, names: Sequence[str], busy: Sequence[Core] = (), seed: int = 0) -> Scene:
        """An event and the channels to tell of; what is `busy` with other events is not gone by."""
        normal, size = chosen(self.known, len(core)), len(self.strip)
        view = normal.view
        start, begin, end = placed(view, core, size)
        window, edges = slice(start, start + view.length), view.edges()
        part = self.strip if size >= view.length else stretched(self.strip, view.length)
        unknown = self._unknown(part, window, busy)
        unknown[begin:end] = True
        x, there = Laid.of(part).x[window].T, ~unknown[window].T
        seen = pooled(there.float(), edges) == 1
        draws = imagined(normal, pooled(x, edges), seen, overlapping(normal, self.strip, core), seed)
        if view.points < view.length:
            draws = unpooled(draws, x, there, edges, len(self.channels.numeric), seed)
        draws = torch.where(there, x, draws)[:, :, : size - start]
        places = np.arange(start, min(start + view.length, size))
        expected = decoded(self.channels, draws.numpy(), names, self.strip.entity)
        read = observed(self.track, self.strip, names, self.channels.numeric, places)
        bands = {name: Band(read[name], expected[name]) for name in names}
        return Scene(places, (places >= begin) & (places < end), bands, begin <= core.start and end > core.end)

    def _unknown(self, part: Strip, window: slice, busy: Sequence[Core]) -> Tensor:
        """What is not known of the strip `(G, width)`; other events count as known, if too little would be left."""
        unknown = ~part.known
        unknown[len(self.strip) :] = True
        free = unknown.clone()
        for core in busy:
            unknown[core.start : core.end + 1] = True
        return unknown if float(unknown[window].float().mean()) <= HIDDEN else free


def overlapping(normal: Normals, strip: Strip, core: Core) -> Tensor:
    """The windows of the strip that hold a part of the core: fit may have been given them too."""
    length = normal.view.length
    begin, end = max(0, core.start - length + 1), min(len(strip), core.end + length)
    if normal.rows is None or end - begin < length:
        return torch.zeros(0, normal.width, normal.view.points)
    laid = Laid.of(cut(strip, begin, end))
    count = normal.view.count(len(laid))
    step = max(1, count // 2000)
    return normal.view.taken(laid.x, torch.arange(0, count, step))


def pooled(x: Tensor, edges: np.ndarray) -> Tensor:
    """Means `(width, points)` over the shares of the instants `(width, length)`."""
    return torch.stack([x[:, a:b].mean(1) for a, b in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)], 1)


def unpooled(draws: Tensor, x: Tensor, there: Tensor, edges: np.ndarray, numeric: int, seed: int) -> Tensor:
    """Draws of means `(n, width, points)` as draws of instants `(n, width, length)`.

    Between means the way is straight, and numbers leave it as readings around do, `x` `(width, length)` where `there`.
    """
    middle, instants = (edges[:-1] + edges[1:] - 1) / 2, np.arange(edges[-1])
    between = torch.from_numpy(np.stack([np.interp(instants, middle, one) for one in np.eye(len(middle))])).to(x)
    straight, draw = draws @ between, np.random.default_rng(seed)
    left = x - pooled(x, edges) @ between
    for c in range(numeric):
        known = left[c][there[c]].numpy()
        if len(known):
            straight[:, c] += torch.from_numpy(draw.choice(known, straight[:, c].shape))
    return straight


def decoded(channels: Channels, draws: np.ndarray, names: Sequence[str], entity: int) -> dict[str, np.ndarray]:
    """Draws `(n, width, points)` in the units of channels, `(n, points)` each."""
    count, width, points = draws.shape
    rows = channels.decode(draws.transpose(0, 2, 1).reshape(-1, width).astype(np.float64), entity)
    return {name: rows[name].reshape(count, points) for name in names}


def observed(
    track: Track, strip: Strip, names: Sequence[str], numeric: Sequence[str], places: np.ndarray
) -> dict[str, np.ndarray]:
    """What the track holds at `places` on its grid, which follow each other, by channel."""
    first, last = (int(v) for v in np.searchsorted(strip.at, [places[0], places[-1] + 1]))
    table, at = track.table.slice(first, last - first), strip.at[first:last] - places[0]
    found = {}
    for name in names:
        if name in numeric:
            found[name] = np.full(len(places), np.nan)
            found[name][at] = matrix(table, [name])[:, 0]
        else:
            found[name] = np.full(len(places), None, object)
            found[name][at] = [None if value is None else str(value) for value in table.arrow[name].to_pylist()]
    return found
