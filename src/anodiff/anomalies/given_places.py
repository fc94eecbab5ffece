r"""Places of anomalies that users give or that examples teach, called as a `Where` is.

What is given is a mask. What is learnt is the mask of an example, turned, mirrored, scaled and moved to a place c of

.. math:: c \sim \frac{k}{k + m}\, \frac1k \sum_i \mathcal{N}(c_i, h_k^2) + \frac{m}{k + m}\, \mathcal{U},
          \qquad h_k = h\, k^{-1/6},

the smoothed positions of k examples, and anywhere as long as they are few.
"""

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from anodiff.anomalies.places import checked_share, signs
from anodiff.anomalies.where import away, uniform
from anodiff.types import Mask, Misfit

FEW = 2.0
"""m: examples of an anywhere that is believed before any example was seen."""
WIDTH = 0.15
"""h: how far from the place of one example, in sides of the picture, others are expected."""


class Placing(Protocol):
    """What says where anomalies lie: a `Where`, or one of the classes here."""

    def __call__(self, shape: Sequence[int], generator: torch.Generator, inside: Mask | None = None) -> Mask:
        """True where anomalous `(B, H, W)`, of a shape B, H, W; `inside` is where it may lie."""


class Given:
    """Masks of the user's own, taken in turns.

    Args:
        masks: True, or above 0, where anomalous: `(H, W)` or `(n, H, W)`, bool or whole numbers.
    """

    def __init__(self, masks: Any) -> None:
        self.masks = masks

    def __call__(self, shape: Sequence[int], generator: torch.Generator, inside: Mask | None = None) -> Mask:
        """The masks `(B, H, W)`, wherever they lie: what is drawn by hand is meant.

        Raises:
            Misfit: they are no masks of such pictures.
        """
        masks = torch.from_numpy(masks_given(self.masks, (shape[1], shape[2])))
        return masks[torch.arange(shape[0]) % len(masks)]


class LearntPlace:
    """Where the anomalies of examples sit, and of what shape they are.

    Args:
        masks: Of the examples `(k, H, W)`; of another size than the pictures they are scaled.
        share: Of the cells, least and most; by default as large as the examples.
        turn: At most so many degrees, either way.
        scale: Smaller or larger than the example, at most by this factor.
        anywhere: How many examples an anywhere counts for.
    """

    def __init__(
        self,
        masks: Any,
        share: tuple[float, float] | None = None,
        turn: float = 20.0,
        scale: float = 1.25,
        anywhere: float = FEW,
    ) -> None:
        self.masks = masks
        self.share = share
        self.turn = turn
        self.scale = scale
        self.anywhere = anywhere

    def __call__(
        self,
        shape: Sequence[int],
        generator: torch.Generator,
        inside: Mask | None = None,
        like: Tensor | None = None,
    ) -> Mask:
        """True where anomalous `(B, H, W)`, at least one cell of each picture.

        Args:
            shape: B, H and W.
            generator: On the CPU.
            inside: `(B, H, W)`, True where an anomaly may lie.
            like: Which example's shape each takes `(B,)`; any by default.
        """
        return self.moved(shape, generator, inside, like)[0]

    def moved(
        self,
        shape: Sequence[int],
        generator: torch.Generator,
        inside: Mask | None = None,
        like: Tensor | None = None,
    ) -> tuple[Mask, Tensor, Tensor]:
        """The masks, which example each is of `(B,)`, and where in it each cell comes from, for `grid_sample`."""
        masks = torch.from_numpy(some_masks(self.masks)).float()
        count = shape[0]
        drawn = torch.randint(len(masks), (count,), generator=generator)
        chosen = drawn if like is None else like.cpu()
        middle, reach = _middle(masks)
        scale = self._scale(masks.mean((1, 2))[chosen], generator)
        angle = uniform(count, (-math.radians(self.turn), math.radians(self.turn)), generator)
        flips = torch.stack([signs(count, generator), signs(count, generator)], 1)
        place = self._place(middle, count, generator)
        room = (reach[chosen] * scale[:, None]).clamp(max=0.5)
        place = torch.minimum(torch.maximum(place, room), 1 - room)
        grid = _grid(shape, middle[chosen], place, scale, angle, flips)
        soft = grid_sample(masks[chosen][:, None], grid, align_corners=False)[:, 0]
        soft = soft - 1e-3 * torch.hypot(*away(shape, place)) / max(shape)
        if inside is not None:
            soft = soft.masked_fill(~inside.cpu(), -torch.inf)
        highest = soft.amax((1, 2), keepdim=True)
        return ((soft > 0.5) | (soft == highest)) & torch.isfinite(soft), chosen, grid

    def _scale(self, own: Tensor, generator: torch.Generator) -> Tensor:
        factor = math.log(self.scale)
        if self.share is None:
            return uniform(len(own), (-factor, factor), generator).exp()
        least, most = checked_share(self.share)
        return (uniform(len(own), (math.log(least), math.log(most)), generator).exp() / own).sqrt()

    def _place(self, middle: Tensor, count: int, generator: torch.Generator) -> Tensor:
        known = len(middle)
        near = middle[torch.randint(known, (count,), generator=generator)]
        near = near + WIDTH * known ** (-1 / 6) * torch.randn(count, 2, generator=generator)
        anywhere = torch.rand(count, 1, generator=generator) < self.anywhere / (self.anywhere + known)
        return torch.where(anywhere, torch.rand(count, 2, generator=generator), near.clamp(0, 1))


class Inside:
    """Another place, most of it on the object: drawn anew where it is not, at last cut out of the object.

    Args:
        place: What is drawn.
        most: The share of it that is to lie inside.
        tries: Before it is cut.
    """

    def __init__(self, place: Placing, most: float = 0.8, tries: int = 8) -> None:
        self.place = place
        self.most = most
        self.tries = tries

    def __call__(self, shape: Sequence[int], generator: torch.Generator, inside: Mask | None = None) -> Mask:
        """True where anomalous `(B, H, W)`; `inside` `(B, H, W)` is the object."""
        if inside is None:
            return self.place(shape, generator)
        mask = self.place(shape, generator, inside)
        good = torch.zeros(shape[0], dtype=torch.bool)
        for _ in range(self.tries):
            if bool(good.all()):
                break
            tried = self.place(shape, generator)
            on = (tried & inside).flatten(1).sum(1) >= self.most * tried.flatten(1).sum(1)
            mask = torch.where((on & ~good)[:, None, None], tried, mask)
            good = good | on
        return mask


def masks_given(given: Any, size: tuple[int, int]) -> np.ndarray:
    """Masks `(n, H, W)` bool that a user gave for pictures of a size.

    Raises:
        Misfit: they are none, are of another size, or one is empty or covers all.

    >>> masks_given(np.zeros((4, 4), bool), (4, 4))
    Traceback (most recent call last):
    ...
    anodiff.types.Misfit: mask 0 is empty; mark at least one pixel, or leave where= out.
    """
    masks = some_masks(given)
    found = (int(masks.shape[1]), int(masks.shape[2]))
    if found != tuple(size):
        raise Misfit(
            f"the masks are {found[0]} x {found[1]} pixels, the pictures {size[0]} x {size[1]}; "
            "draw them at the size of the pictures."
        )
    share = masks.mean((1, 2))
    if (share == 1).any():
        raise Misfit(
            f"mask {int(share.argmax())} covers the whole picture of {size[0]} x {size[1]} pixels; "
            "leave some of it normal, or take the picture as an example."
        )
    return masks


def some_masks(given: Any) -> np.ndarray:
    """Masks `(n, H, W)` bool, none of them empty.

    Raises:
        Misfit: they are no masks, there is none, or one is empty.
    """
    masks = np.asarray(given.cpu() if isinstance(given, Tensor) else given)
    if masks.dtype.kind not in "biuf":
        raise Misfit(f"the mask holds {masks.dtype}; give bool, True where anomalous, or whole numbers above 0 there.")
    if masks.dtype.kind == "f" and not np.isin(masks, (0, 1)).all():
        raise Misfit(f"the mask holds {masks.dtype} other than 0 and 1; say which are anomalous, as in mask > 0.5.")
    if masks.ndim not in (2, 3):
        raise Misfit(f"the mask has the shape {masks.shape}; give (H, W), or (n, H, W) for several.")
    masks = (masks.reshape(-1, *masks.shape[-2:])) > 0
    if not masks.size:
        raise Misfit(f"the masks have the shape {masks.shape}; give at least one, with at least one pixel.")
    empty = np.flatnonzero(~masks.any((1, 2)))
    if len(empty):
        raise Misfit(f"mask {empty[0]} is empty; mark at least one pixel, or leave where= out.")
    return np.asarray(masks)


def _middle(masks: Tensor) -> tuple[Tensor, Tensor]:
    """The middle of the box around each mask, and half its sides, in sides of the picture, `(k, 2)` each."""
    ends = []
    for axis in (1, 2):
        along = masks.amax(3 - axis)
        place = (torch.arange(along.shape[1]) + 0.5) / along.shape[1]
        ends.append((torch.where(along > 0, place, 1.0).amin(1), torch.where(along > 0, place, 0.0).amax(1)))
    low, high = (torch.stack(side, 1) for side in zip(*ends, strict=True))
    return (low + high) / 2, (high - low) / 2


def _grid(shape: Sequence[int], middle: Tensor, place: Tensor, scale: Tensor, angle: Tensor, flips: Tensor) -> Tensor:
    """For each cell of pictures, where in a mask it comes from that is turned and scaled about its middle.

    Angles are those of pixels, not of sides. What is left is for `grid_sample`, `(B, H, W, 2)`.
    """
    _, height, width = shape
    down, right = away(shape, place)
    cos, sin, grow = (v[:, None, None] for v in (angle.cos(), angle.sin(), scale))
    from_down = (cos * down - sin * right) / grow * flips[:, 0, None, None] / height
    from_right = (sin * down + cos * right) / grow * flips[:, 1, None, None] / width
    column, row = from_right + middle[:, 1, None, None], from_down + middle[:, 0, None, None]
    return 2 * torch.stack([column, row], -1) - 1
