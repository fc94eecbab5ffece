r"""A few known anomalies of pictures: crops of them to learn from, and what one looks like, to be drawn elsewhere.

Each crop shows an example again in another way, :math:`x' = c \, T x + b`, T a turn, a mirroring and a little scaling
about a place in its region, b and c another light; the region is turned with it and hidden. To draw an example in
another place its surroundings are taken from it and those of the place are added,

.. math:: y = \bar x + R \, (e - \bar e) ,

the bars what continues the surroundings smoothly into a region, R from the box around the example to that of the place.
What it looks like is learnt by the class (`nets.lowrank`), where it sits by `anomalies.given_places`: Hu et al.,
"AnomalyDiffusion: Few-Shot Anomaly Image Generation with Diffusion Model", 2024, embed both.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, interpolate, max_pool2d

from anodiff.anomalies.cutouts import cutout
from anodiff.anomalies.paste import membrane
from anodiff.anomalies.where import uniform
from anodiff.diffusion.denoise import Denoiser, Posterior
from anodiff.diffusion.guide import Around
from anodiff.types import Batch, Mask, Times

TURN, SCALE = 15.0, 1.2
"""Of a crop: at most so many degrees, and larger or smaller by at most this factor."""
LIGHT, CONTRAST = 0.15, 0.2
"""At most so much brighter or darker, of the 2 from black to white, and so much more or less of contrast."""
WIDER = 3
"""Pixels around a region that are hidden too, at most."""
AROUND = 0.35
"""How far the middle of a crop lies from a pixel of the region, at most, in sides of the crop."""


@dataclass(frozen=True)
class Examples:
    """Known anomalies.

    Attributes:
        x: Pictures `(k, C, S, S)` in [-1, 1].
        region: Where they are abnormal, `(k, S, S)`.
        kinds: What kind each is.
    """

    x: Tensor
    region: Mask
    kinds: list[str]

    def __len__(self) -> int:
        return len(self.kinds)

    @property
    def names(self) -> list[str]:
        """The kinds, in the order in which they first come."""
        return list(dict.fromkeys(self.kinds))

    @property
    def labels(self) -> Tensor:
        """The number of the kind of each `(k,)`, from 1."""
        return torch.tensor([1 + self.names.index(kind) for kind in self.kinds])

    def of(self, kind: str) -> list[int]:
        """The numbers of those of a kind."""
        return [i for i, each in enumerate(self.kinds) if each == kind]

    def crops(self, count: int, size: int, generator: torch.Generator) -> tuple[Tensor, Mask, Tensor]:
        """Crops to learn from, all kinds equally often: `(B, C, size, size)`, regions alike, labels `(B,)`.

        What is larger than a crop is shown at the scale at which it will be painted (`cutouts.cutout`).
        """
        taken = [self.of(self.names[i % len(self.names)]) for i in range(count)]
        draws = torch.rand(count, generator=generator).tolist()
        chosen = [group[int(draw * len(group))] for group, draw in zip(taken, draws, strict=True)]
        boxes = [cutout(self.region[i], size) for i in chosen]
        scale = torch.tensor([box.side / box.painted for box in boxes])
        scale = scale * uniform(count, (-math.log(SCALE), math.log(SCALE)), generator).exp()
        grid = self._grid(chosen, size, scale, generator)
        x = grid_sample(self.x[chosen], grid, mode="bilinear", padding_mode="reflection", align_corners=False)
        region = self.region[chosen][:, None].float()
        region = grid_sample(region, grid, mode="bilinear", padding_mode="zeros", align_corners=False) > 0.5
        light = uniform(count, (-LIGHT, LIGHT), generator)[:, None, None, None]
        contrast = 1 + uniform(count, (-CONTRAST, CONTRAST), generator)[:, None, None, None]
        middle = x.mean((2, 3), keepdim=True)
        return (middle + light + contrast * (x - middle)).clamp(-1, 1), region.expand(x.shape), self.labels[chosen]

    def _grid(self, chosen: Sequence[int], size: int, scale: Tensor, generator: torch.Generator) -> Tensor:
        """Where the pixels of crops lie in their pictures, from -1 to 1, `(B, size, size, 2)`."""
        count, side = len(chosen), self.x.shape[2]
        angle = uniform(count, (-math.radians(TURN), math.radians(TURN)), generator)
        flips = torch.randint(2, (2, count), generator=generator) * 2.0 - 1.0
        reach = AROUND * size * scale
        middle = torch.zeros(count, 2)
        for k, i in enumerate(chosen):
            cells = self.region[i].nonzero()
            middle[k] = cells[int(torch.randint(len(cells), (1,), generator=generator))].float() + 0.5
        middle = middle + reach[:, None] * uniform(2 * count, (-1.0, 1.0), generator).reshape(count, 2)
        half = (size * scale / 2).clamp(max=side / 2)[:, None]
        middle = torch.minimum(torch.maximum(middle, half), side - half)
        zoom = size * scale / side
        cos, sin = angle.cos() * zoom, angle.sin() * zoom
        right = torch.stack([cos * flips[0], -sin * flips[1], 2 * middle[:, 1] / side - 1], 1)
        down = torch.stack([sin * flips[0], cos * flips[1], 2 * middle[:, 0] / side - 1], 1)
        theta = torch.stack([right, down], 1)
        return affine_grid(theta, [count, 1, size, size], align_corners=False)


def widened(region: Mask, generator: torch.Generator) -> Mask:
    """Regions `(B, C, h, w)` with up to a few pixels around them, of each another number."""
    wider = torch.randint(WIDER + 1, (len(region),), generator=generator).tolist()
    return torch.stack([_dilated(one, reach) for one, reach in zip(region, wider, strict=True)])


class Labelled(Around):
    """A denoiser that is told the class of what is to be painted.

    Args:
        denoiser: What is asked, with a `label`.
        label: `(B,)`.
    """

    def __init__(self, denoiser: Denoiser, label: Tensor) -> None:
        super().__init__(denoiser)
        self.label = label

    def forward(self, x_t: Batch, t: Times, **condition: Tensor) -> Posterior:
        answer: Posterior = self.denoiser(x_t, t, label=self.label.to(x_t.device), **condition)
        return answer


class Redrawn:
    """A `Sketch`: examples, drawn in the regions of pictures, at the size of these and in their light.

    Args:
        examples: What is drawn.
        chosen: Which of them in each picture `(B,)`.
    """

    def __init__(self, examples: Examples, chosen: Sequence[int]) -> None:
        self.examples = examples
        self.chosen = chosen

    def __call__(self, x: Batch, region: Mask, generator: torch.Generator) -> Batch:
        """See `anomalies.fill.Sketch`; mirrored at random."""
        flips = torch.rand(len(x), 2, generator=generator) < 0.5
        base = membrane(x, ~region[:, :1])
        found = base.clone()
        for k, i in enumerate(self.chosen):
            added, mask = self._added(i)
            axes = [axis + 1 for axis in (0, 1) if bool(flips[k, axis])]
            added, mask = added.flip(axes), mask.flip(axes)
            top, bottom, left, right = box(region[k, 0])
            size = (bottom - top, right - left)
            share = interpolate(mask[None].float(), size, mode="bilinear", align_corners=False)[0]
            laid = interpolate(added[None], size, mode="bilinear", align_corners=False, antialias=True)[0]
            own = x[k, :, top:bottom, left:right]
            found[k, :, top:bottom, left:right] = torch.lerp(own, found[k, :, top:bottom, left:right] + laid, share)
        return torch.where(region, found.clamp(-1, 1), x)

    def _added(self, i: int) -> tuple[Tensor, Tensor]:
        """What example `i` adds to its surroundings `(C, h, w)`, and where `(1, h, w)`, of the box around it."""
        x, region = self.examples.x[i], self.examples.region[i]
        around = membrane(x[None], ~_dilated(region[None], 1)[None])[0]
        top, bottom, left, right = box(region)
        return (x - around)[:, top:bottom, left:right], region[None, top:bottom, left:right]


def box(region: Tensor) -> tuple[int, int, int, int]:
    """The box around a region `(h, w)`: top, bottom, left, right, the ends exclusive."""
    rows, columns = region.any(1).nonzero()[:, 0], region.any(0).nonzero()[:, 0]
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def suspicious(map: Tensor, side: int, share: float = 0.5) -> Mask:
    """Regions `(k, side, side)` where maps `(k, h, w)` come near to their highest place: examples without masks."""
    smooth = interpolate(map[:, None], (side, side), mode="bicubic", align_corners=False)[:, 0]
    low, high = smooth.flatten(1).median(1).values, smooth.flatten(1).amax(1)
    return smooth >= (low + share * (high - low))[:, None, None]


def _dilated(region: Tensor, reach: int) -> Tensor:
    """Regions `(C, h, w)` and so many pixels around them."""
    wide = max_pool2d(region.float()[None], 2 * reach + 1, 1, reach)[0]
    return wide > 0
