r"""Copies of known defects, pasted where they were not: what a generator from few examples has to beat.

.. math:: x' = x + m_T \, \big( e_T + \overline{x}_{\partial m_T} - \overline{e}_{\partial m} - x \big) ,

e an example and m its mask, T a turn, a mirroring, a little scaling and a move, the bars the mean of what lies around.
Ghiasi et al., "Simple Copy-Paste is a Strong Data Augmentation Method for Instance Segmentation", 2021, do so with
objects.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from anodiff.anomalies.given_places import LearntPlace, some_masks
from anodiff.anomalies.image_kinds import surroundings
from anodiff.anomalies.paste import membrane
from anodiff.types import Batch, Misfit


class Copies:
    """A `Spoiler` that pastes known defects; each picture gets one.

    Args:
        examples: Pictures of them `(k, C, h, w)`, in the units of those that they are pasted on; one is enough.
        masks: Where they are, `(k, h, w)`.
        turn: At most so many degrees, either way.
        scale: Smaller or larger, at most by this factor.
        jitter: Standard deviation of their contrast, about the mean of what is around them.
        seamless: Whether they meet the picture at the mask's edge, as in `Seamless`.
        foreground: `(B, C, H, W) -> (B, H, W)`, True where an anomaly may lie; everywhere by default.
    """

    def __init__(
        self,
        examples: Tensor,
        masks: Tensor,
        turn: float = 20.0,
        scale: float = 1.25,
        jitter: float = 0.1,
        seamless: bool = False,
        foreground: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self.examples = examples
        self.masks = masks
        self.turn = turn
        self.scale = scale
        self.jitter = jitter
        self.seamless = seamless
        self.foreground = foreground

    def __call__(self, x: Batch, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Pictures `(B, C, H, W)` with a copy each, and `(B, 1, H, W)`, True exactly where they changed.

        Raises:
            Misfit: examples and masks do not belong together, or to such pictures.
        """
        masks = self._checked(x)
        inside = None if self.foreground is None else self.foreground(x)
        place = LearntPlace(masks, turn=self.turn, scale=self.scale)
        region, chosen, grid = place.moved((len(x), *x.shape[2:]), generator, inside)
        examples = self.examples.to(x)
        own, _ = surroundings(examples, masks[:, None].to(x.device).expand_as(examples))
        mask = region[:, None].to(x.device)
        around, _ = surroundings(x, mask.expand_as(x))
        gain = 1 + self.jitter * torch.randn(len(x), 1, 1, 1, generator=generator).to(x)
        moved = grid_sample(examples[chosen], grid.to(x), padding_mode="border", align_corners=False)
        content = around + gain * (moved - own[chosen])
        if self.seamless:
            content = content + membrane(x - content, ~mask)
        bad = torch.where(mask, content.clamp(x.amin(), x.amax()), x)
        return bad, (bad != x).any(1, keepdim=True)

    def _checked(self, x: Batch) -> Tensor:
        masks = torch.from_numpy(some_masks(self.masks))
        if (
            self.examples.ndim != 4
            or self.examples.shape[0] != len(masks)
            or self.examples.shape[2:] != masks.shape[1:]
        ):
            raise Misfit(
                f"the examples are {tuple(self.examples.shape)} and their masks {tuple(masks.shape)}; "
                "give (k, C, h, w) and (k, h, w)."
            )
        if self.examples.shape[1] != x.shape[1]:
            raise Misfit(f"the examples have {self.examples.shape[1]} channels, the pictures {x.shape[1]}; give alike.")
        return masks
