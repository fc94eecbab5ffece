"""Places of anomalies in pictures by the names that users know: each draws a relief of its own, see `where`."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from anodiff.anomalies.where import Blobs, Boxes, Where, away, to_piece, uniform
from anodiff.diffusion.sources import gradient_noise
from anodiff.made import one_of_these
from anodiff.types import Misfit


class Blob(Where):
    """One roundish blob: the distance to its centre in units of a radius that changes with the direction.

    Args:
        share: Of the cells, least and most.
        aspect: The longest of its axes by the shortest, at most.
        rough: By how much the radius changes with the direction.
    """

    def __init__(self, share: tuple[float, float] = (0.005, 0.05), aspect: float = 2.0, rough: float = 0.25) -> None:
        super().__init__(share)
        self.aspect = aspect
        self.rough = rough

    def relief(self, shape: Sequence[int], generator: torch.Generator) -> Tensor:
        down, right = away(shape, _off_the_edge(shape[0], generator))
        root = (uniform(shape[0], (0.0, math.log(self.aspect)), generator) / 2).exp()[:, None, None]
        angle = uniform(shape[0], (0.0, math.pi), generator)[:, None, None]
        along = (angle.cos() * right + angle.sin() * down) / root
        across = (angle.cos() * down - angle.sin() * right) * root
        turned = torch.atan2(across, along)
        radius = torch.ones_like(turned)
        for wave in (2, 3, 5):
            height, phase = torch.randn(2, shape[0], 1, 1, generator=generator)
            radius = radius + self.rough / wave * height * torch.cos(wave * turned + 2 * math.pi * phase)
        return -torch.hypot(along, across) / radius.clamp(0.4, 2.5)


class Spot(Where):
    """A small disc."""

    def __init__(self, share: tuple[float, float] = (0.0005, 0.004)) -> None:
        super().__init__(share)

    def relief(self, shape: Sequence[int], generator: torch.Generator) -> Tensor:
        return -torch.hypot(*away(shape, _off_the_edge(shape[0], generator)))


class Stroke(Where):
    """What is nearest to a line that is bent a little, and never short.

    Args:
        share: Of the cells, least and most.
        length: Of the line, least and most, in sides of the picture.
        bend: How far its middle is off a straight line, standard deviation, as a part of its length.
        pieces: Straight pieces of the line.
    """

    def __init__(
        self,
        share: tuple[float, float] = (0.002, 0.01),
        length: tuple[float, float] = (0.15, 0.6),
        bend: float = 0.15,
        pieces: int = 10,
    ) -> None:
        super().__init__(share)
        self.length = length
        self.bend = bend
        self.pieces = pieces

    def relief(self, shape: Sequence[int], generator: torch.Generator) -> Tensor:
        middle = _off_the_edge(shape[0], generator)
        heading = uniform(shape[0], (0.0, math.pi), generator)
        along = torch.stack([heading.sin(), heading.cos()], 1) * uniform(shape[0], self.length, generator)[:, None]
        off = self.bend * torch.randn(shape[0], 1, generator=generator) * torch.stack([along[:, 1], -along[:, 0]], 1)
        points = [middle + s * along + (1 - 4 * s * s) * off for s in torch.linspace(-0.5, 0.5, self.pieces + 1)]
        pieces = [to_piece(shape, one, other) for one, other in pairwise(points)]
        return -torch.stack(pieces).amin(0)


class Cracks(Where):
    """What is nearest to a crooked line with branches, less near where it is frayed.

    Args:
        share: Of the cells, least and most.
        length: Of the line, at most, in sides of the picture.
        joints: Where the line turns.
        branches: That leave it at random joints, half as long.
        crooked: How far it turns at a joint, standard deviation in radians.
    """

    def __init__(
        self,
        share: tuple[float, float] = (0.002, 0.008),
        length: float = 0.7,
        joints: int = 10,
        branches: int = 2,
        crooked: float = 0.5,
    ) -> None:
        super().__init__(share)
        self.length = length
        self.joints = joints
        self.branches = branches
        self.crooked = crooked

    def relief(self, shape: Sequence[int], generator: torch.Generator) -> Tensor:
        start = 0.15 + 0.7 * torch.rand(shape[0], 2, generator=generator)
        heading = uniform(shape[0], (0.0, 2 * math.pi), generator)
        trunk, nearest = self._walk(shape, start, heading, self.length, self.joints, generator)
        for _ in range(self.branches):
            at = torch.randint(1, self.joints, (shape[0],), generator=generator)
            fork = heading + uniform(shape[0], (0.6, 1.3), generator) * signs(shape[0], generator)
            begin = trunk[torch.arange(shape[0]), at]
            _, branch = self._walk(shape, begin, fork, self.length / 2, self.joints // 2, generator)
            nearest = torch.minimum(nearest, 1.3 * branch + 0.5)
        frayed = gradient_noise(torch.zeros(*shape), 16.0, generator)
        return -nearest * (1 + 0.4 * frayed)

    def _walk(
        self,
        shape: Sequence[int],
        start: Tensor,
        heading: Tensor,
        length: float,
        joints: int,
        generator: torch.Generator,
    ) -> tuple[Tensor, Tensor]:
        """Joints `(B, joints + 1, 2)` and the distance of each cell to the line through them."""
        step = (length * uniform(shape[0], (0.4, 1.0), generator) / joints)[:, None]
        points, nearest = [start], torch.full(tuple(shape), torch.inf)
        for _ in range(joints):
            heading = heading + self.crooked * torch.randn(shape[0], generator=generator)
            points.append(points[-1] + step * torch.stack([heading.sin(), heading.cos()], 1))
            nearest = torch.minimum(nearest, to_piece(shape, points[-2], points[-1]))
        return torch.stack(points, 1), nearest


IMAGE_PLACES: dict[str, type[Where]] = {
    "box": Boxes,
    "blob": Blob,
    "stroke": Stroke,
    "perlin": Blobs,
    "spot": Spot,
    "crack": Cracks,
}
"""By the names that users know."""


def image_place(name: str, size: tuple[float, float] | None = None) -> Where:
    """A place by its name, of its own sizes or of these shares of the picture.

    Raises:
        Misfit: there is no such place, or the size is no share.
    """
    place = IMAGE_PLACES[one_of_these("where", name, list(IMAGE_PLACES), "images")]
    return place() if size is None else place(share=checked_share(size))


def checked_share(share: tuple[float, float]) -> tuple[float, float]:
    """Least and most share of the cells.

    Raises:
        Misfit: they are none.
    """
    least, most = share
    if not 0 < least <= most <= 1:
        raise Misfit(f"a share of cells lies in (0, 1], least before most; got {share}.")
    return float(least), float(most)


def _off_the_edge(count: int, generator: torch.Generator) -> Tensor:
    """Places `(B, 2)` in sides of the picture, a twentieth from its edge at least."""
    return 0.05 + 0.9 * torch.rand(count, 2, generator=generator)


def signs(count: int, generator: torch.Generator) -> Tensor:
    """`count` times 1 or -1, equally often."""
    return torch.randint(2, (count,), generator=generator) * 2.0 - 1.0
