r"""A U-Net along time: from patches down to coarser scales and up again, adding what each scale saw,

.. math:: h_{k+1} = B(\mathrm{down}\, h_k), \qquad u_k = B(h_k + \mathrm{up}\, u_{k+1}) .

Ronneberger, Fischer and Brox, "U-Net: Convolutional Networks for Biomedical Image Segmentation", 2015.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from anodiff.nets.conditioned import Beside, Context, padded, patch_of, silenced


class Scale(nn.Module):
    """A residual block of two convolutions, scaled and shifted by the context; `(B, width, T)` in and out."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(1, width)
        self.tell = nn.Linear(width, 2 * width)
        self.first = nn.Conv1d(width, width, 3, padding=1)
        self.second = nn.Conv1d(width, width, 3, padding=1)

    def forward(self, h: Tensor, context: Tensor) -> Tensor:
        scale, shift = self.tell(context)[..., None].chunk(2, 1)
        return torch.add(h, self.second(silu(self.first(silu(self.norm(h) * (1 + scale) + shift)))))


class UNet1d(nn.Module):
    """A small U-Net on windows, `(B, C, L), (B,) -> (B, C, L)`, for any L: it pads inside and crops.

    Args:
        channels: C.
        length: L of most windows; sets the patch where none is given.
        width: Of every scale.
        depth: Times that the scale is halved.
        entities: How many are told apart (condition `entity` `(B,)`, 0 = unknown).
        calendar: Coordinates of the condition `calendar` `(B, calendar)`.
        masked: Whether to take the condition `known` `(B, C, L)`.
        past: Instants to take of the condition `past` `(B, C, any)`.
        levelled: Whether the level is shown.
        silent: Whether to answer zero until trained.
        patch: Instants to read at once.
    """

    def __init__(
        self,
        channels: int,
        length: int,
        width: int = 48,
        depth: int = 2,
        entities: int = 0,
        calendar: int = 0,
        masked: bool = False,
        past: int = 0,
        levelled: bool = True,
        silent: bool = True,
        patch: int | None = None,
    ) -> None:
        super().__init__()
        self.patch = patch or patch_of(length)
        self.step = self.patch * 2**depth
        self.context = Context(width, entities, calendar, levelled)
        self.beside = Beside(channels, masked, past)
        self.enter = nn.Conv1d(self.beside.rows, width, self.patch, self.patch)
        self.downs = nn.ModuleList(nn.Conv1d(width, width, 2, 2) for _ in range(depth))
        self.scales = nn.ModuleList(Scale(width) for _ in range(depth + 1))
        self.backs = nn.ModuleList(Scale(width) for _ in range(depth))
        self.leave = silenced(nn.Conv1d(width, channels * self.patch, 1), silent)

    def forward(self, x: Tensor, t: Tensor | None = None, **condition: Tensor) -> Tensor:
        rows, context = self.beside(x, condition), self.context(x, t, condition)
        h = self.enter(padded(rows, -(-rows.shape[2] // self.step) * self.step))
        seen = []
        for down, scale in zip(self.downs, self.scales, strict=False):
            h = scale(h, context)
            seen.append(h)
            h = down(h)
        h = self.scales[-1](h, context)
        for back, beside in zip(self.backs, reversed(seen), strict=True):
            h = back(beside + h.repeat_interleave(2, 2), context)
        left = self.leave(silu(h)).unflatten(1, (x.shape[1], self.patch)).transpose(2, 3).flatten(2)
        return torch.as_tensor(left[..., left.shape[2] - x.shape[2] :])
