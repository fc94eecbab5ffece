"""What held-out normal pictures are like, kept with a generator: how odd they are, and what they look like.

What was made is held against them.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_max_pool2d, max_pool2d

from anodiff.anomalies.where import Blobs
from anodiff.recipes.grow import Progress
from anodiff.types import Mask, Scores
from anodiff.workshop.pictures.glance import MIRRORS, Glance, within, worst

FEW = 150
"""Of fewer pictures, each is judged by a glance of the others; of more, a third is held out."""
TURNS = 3
NEAR = 2
"""Cells around a region that are not judged as its surroundings."""
HELD = 150
"""Pictures that are held out at most."""


@dataclass(frozen=True)
class Normals:
    """Held-out normal pictures, each seen mirrored too where they are few.

    Attributes:
        maps: How odd each place of them is, by a glance that had not seen them, `(m, h, w)`.
        whole: What they are like as a whole, `(m, f)`.
        looks: What a region of each looks like, `(m, g)`.
    """

    maps: Tensor
    whole: np.ndarray
    looks: np.ndarray

    @property
    def worst(self) -> Scores:
        """How odd each of them is at most, `(m,)`."""
        return worst(self.maps)

    def odd(self, regions: Mask) -> Scores:
        """How odd they are in regions `(n, S, S)`, which they take in turns; where all are empty, at most: `(m,)`."""
        if not bool(regions.any()):
            return self.worst
        taken = regions[torch.arange(len(self.maps)) % len(regions)]
        return np.asarray(within(self.maps, taken).double().numpy())

    def arrays(self) -> dict[str, np.ndarray]:
        """To be saved."""
        return {"maps": self.maps.numpy(), "whole": self.whole, "looks": self.looks}

    @classmethod
    def restore(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """What these are `arrays` of."""
        return cls(torch.from_numpy(np.float32(arrays["maps"])), arrays["whole"], arrays["looks"])


def glanced(pictures: Sequence[np.ndarray], seed: int) -> Generator[Progress, None, tuple[Glance, Normals]]:
    """Fit a glance on pictures `(C, S, S)`: yields progress, returns the glance and what normals are like."""
    order = np.random.default_rng(seed).permutation(len(pictures))
    few = len(pictures) < FEW
    parts = np.array_split(order, TURNS) if few else [order[: min(HELD, len(order) // TURNS)]]
    maps, held = [], np.concatenate(parts)
    for k, out in enumerate(parts):
        rest = np.setdiff1d(order, out)
        glance = Glance.fit([pictures[i] for i in rest])
        for i in out:
            maps.append(torch.cat([glance(shown) for shown in mirrored(pictures[i], few)]))
        yield Progress(k + 1, len(parts) + few, "look")
    if few:
        glance = Glance.fit(pictures)
    generator = torch.Generator().manual_seed(seed)
    wholes, looks = [], []
    for i in held:
        for shown in mirrored(pictures[i], few):
            seen = glance.features(shown)
            region = Blobs((0.005, 0.05))((1, *shown.shape[2:]), generator)
            wholes.append(whole_look(seen, torch.zeros_like(region))[0])
            looks.append(region_look(seen, region)[0])
    return glance, Normals(torch.cat(maps), np.stack(wholes), np.stack(looks))


def mirrored(picture: np.ndarray, few: bool) -> list[Tensor]:
    """A picture `(1, C, S, S)`, and where there are few, upside down and the other way round too."""
    x = torch.from_numpy(np.ascontiguousarray(picture))[None]
    return [x.flip(axes) if axes else x for axes in (MIRRORS if few else MIRRORS[:1])]


def whole_look(seen: Tensor, region: Mask) -> np.ndarray:
    """What pictures are like apart from their regions `(B, S, S)`: mean and spread of features, `(B, 2 d)`.

    Cells beside a region see it too, and are left out where others remain.
    """
    outside = (~_beside(_cells(region, seen))).float()[:, None]
    count = outside.sum((2, 3)).clamp(min=1)
    mean = (seen * outside).sum((2, 3)) / count
    square = (seen.square() * outside).sum((2, 3)) / count
    return np.asarray(torch.cat([mean, (square - mean.square()).clamp(min=0).sqrt()], 1).double().numpy())


def region_look(seen: Tensor, region: Mask) -> np.ndarray:
    """What regions `(B, S, S)` look like: the mean of their features, `(B, d)`; all of a picture where it is empty."""
    cells = _cells(region, seen)
    inside = (cells | ~cells.flatten(1).any(1)[:, None, None]).float()[:, None]
    found = (seen * inside).sum((2, 3)) / inside.sum((2, 3)).clamp(min=1)
    return np.asarray(found.double().numpy())


def _beside(cells: Tensor) -> Tensor:
    """Cells `(B, h, w)` and their neighbours, of items where at least half of all remains."""
    wide = max_pool2d(cells.float()[:, None], 2 * NEAR + 1, 1, NEAR)[:, 0] > 0
    room = wide.flatten(1).float().mean(1) <= 0.5
    return torch.where(room[:, None, None], wide, cells)


def _cells(region: Mask, seen: Tensor) -> Tensor:
    return adaptive_max_pool2d(region[:, None].float(), seen.shape[2:])[:, 0] > 0
