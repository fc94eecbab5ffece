"""Pieces of the series of fit that a generator keeps, to make anomalies on where it is given none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa
import torch

from anodiff.data.items import Item
from anodiff.modalities.series import Strip
from anodiff.types import JSON
from anodiff.workshop.spans.scenes import Source
from anodiff.workshop.spans.spanned import Spanned

MOST, WINDOWS, LEAST = 64, 4, 256
STORED = (np.float32, np.float64, np.int32, np.int64)
"""Types of arrays that are kept to the bit."""


@dataclass(frozen=True, eq=False)
class Keepsakes:
    """The pieces.

    Attributes:
        sources: At most 64.
        flat: Whether they are arrays `(T,)`.
    """

    sources: list[Source]
    flat: bool = False

    @classmethod
    def of(cls, items: Sequence[Item], strips: Sequence[Strip], model: Spanned, seed: int) -> Self:
        """Pieces of four windows or 256 instants, from each of as many equal shares of all instants."""
        size, draw = max(LEAST, WINDOWS * model.length), np.random.default_rng([seed, 1])
        ends = np.cumsum([len(item) for item in items])
        count = int(min(MOST, max(len(items), ends[-1] // size)))
        places = (np.arange(count) + draw.random(count)) / count * ends[-1]
        found = []
        for place in places.astype(int):
            i = int(np.searchsorted(ends, place, side="right"))
            source = Source(items[i], strips[i], -1)
            start = place - (ends[i] - len(items[i]))
            found.append(source.piece(int(np.clip(start, 0, max(0, len(source) - size))), size))
        native = items[0].native
        return cls(found, isinstance(native, np.ndarray) and native.ndim == 1)

    def config(self) -> JSON:
        """What is small."""
        return {"flat": self.flat, "entities": [s.strip.entity for s in self.sources]}

    def arrays(self) -> dict[str, np.ndarray]:
        """What may be large."""
        found = {
            f"{name}.{i}": value
            for i, s in enumerate(self.sources)
            for name, value in (("x", s.strip.x.numpy()), ("known", s.strip.known.numpy()), ("at", s.strip.at))
        }
        given = {f"given.{i}": s.item.native for i, s in enumerate(self.sources)}
        return found | {k: v for k, v in given.items() if isinstance(v, np.ndarray) and v.dtype in STORED}

    @classmethod
    def restore(cls, config: JSON, arrays: Mapping[str, np.ndarray], model: Spanned) -> Self:
        """The inverse of `config` and `arrays`: arrays as they were, named channels as arrow tables with no clock."""
        found = []
        for i, entity in enumerate(config["entities"]):
            x, known, at = (np.array(arrays[f"{name}.{i}"]) for name in ("x", "known", "at"))
            strip = Strip(torch.from_numpy(x), torch.from_numpy(known), at, int(entity))
            given = arrays.get(f"given.{i}")
            native = _native(model, strip, config["flat"]) if given is None else np.array(given)
            found.append(Source(Item(native, np.arange(len(at)), model.modality.columns), strip, -1))
        return cls(found, bool(config["flat"]))


def _native(model: Spanned, strip: Strip, flat: bool) -> Any:
    channels = model.modality.channels_
    values = channels.decode(strip.x[strip.at].double().numpy(), strip.entity)
    for i, name in enumerate(channels.numeric):
        values[name] = np.where(strip.known[strip.at, i].numpy(), values[name], np.nan)
    if channels.names != [f"x{i}" for i in range(len(channels.names))]:
        return pa.table(values)
    table = np.stack([values[name] for name in channels.names], 1)
    return table[:, 0] if flat else table
