r"""A U-Net on pictures that works on few positions with many channels: space goes into depth at the door,

.. math:: h_0 = \mathrm{unshuffle}_f(x), \qquad h_{k+1} = B(\mathrm{down}\, h_k), \qquad
          u_k = B(h_k + \mathrm{up}\, u_{k+1}) .

A convolution of one width costs :math:`f^2` times less there than on the picture itself: that is what makes training on
one core possible. Shi et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel
Convolutional Neural Network", 2016; Ronneberger, Fischer and Brox, "U-Net: Convolutional Networks for Biomedical Image
Segmentation", 2015.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad, pixel_shuffle, pixel_unshuffle, silu

from anodiff.nets.conditioned import silenced
from anodiff.nets.embed import Fourier


class Told(nn.Module):
    """One vector of the picture as a whole, `(B, width)`: its level, and its class from 1, 0 being none."""

    def __init__(self, width: int, labels: int = 0, levelled: bool = True) -> None:
        super().__init__()
        self.embed = Fourier() if levelled else None
        self.level = nn.Linear(self.embed.width, width) if self.embed is not None else None
        self.labels = nn.Embedding(labels + 1, width) if labels else None
        self.mix = nn.Linear(width, width)
        self.width = width

    def forward(self, x: Tensor, t: Tensor | None, label: Tensor | None) -> Tensor:
        h = x.new_zeros(len(x), self.width)
        if self.embed is not None and self.level is not None and t is not None:
            h = h + self.level(self.embed(t))
        if self.labels is not None:
            h = h + self.labels(torch.zeros(len(x), dtype=torch.long, device=x.device) if label is None else label)
        mixed: Tensor = silu(self.mix(silu(h)))
        return mixed


class Laid(nn.Module):
    """A picture `(B, C, H, W)` and what has a place in it, laid beside it: `(B, rows, H, W)`.

    A pixel of the extra picture that is NaN is unknown, as all of it is when it is absent; an absent mask is empty, and
    where nothing is said to be known, nothing is.
    """

    def __init__(self, channels: int, images: int, masks: int, masked: bool) -> None:
        super().__init__()
        self.images = images
        self.masks = masks
        self.masked = masked
        self.rows = channels * (1 + masked) + images + (images > 0) + masks

    def forward(self, x: Tensor, condition: dict[str, Tensor]) -> Tensor:
        rows, (batch, _, *size) = [x], x.shape
        if self.images:
            image = condition.get("image", torch.full_like(x[:, :1], torch.nan)).to(x).expand(-1, self.images, *size)
            there = torch.isfinite(image)
            rows += [image.masked_fill(~there, 0), there.all(1, keepdim=True).to(x)]
        if self.masks:
            rows.append(condition.get("mask", torch.zeros_like(x[:, :1])).to(x).expand(batch, self.masks, *size))
        if self.masked:
            rows.append(condition.get("known", torch.zeros_like(x)).to(x).expand_as(x))
        return torch.cat(rows, 1)


class Plane(nn.Module):
    """A residual block of two convolutions, scaled and shifted by the context; `(B, width, H, W)` in and out."""

    def __init__(self, width: int, context: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(math.gcd(width, 8), width)
        self.tell = nn.Linear(context, 2 * width)
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, h: Tensor, context: Tensor) -> Tensor:
        scale, shift = self.tell(context)[..., None, None].chunk(2, 1)
        return torch.add(h, self.second(silu(self.first(silu(self.norm(h) * (1 + scale) + shift)))))


class UNet2d(nn.Module):
    """A small U-Net on pictures, `(B, C, H, W), (B,) -> (B, C, H, W)`, of any size: it pads inside and cuts.

    What is absent of the conditions is unknown. Widths double at each scale; 64 px crops at the defaults are seen at
    16, 8 and 4 positions a side by 1.3 million weights.

    Args:
        channels: C.
        width: Of the finest scale.
        depth: Times that the scale is halved.
        factor: Pixels a side that go into depth at the door.
        images: Channels of the condition `image` `(B, images, H, W)`.
        masks: Channels of the condition `mask` `(B, masks, H, W)`, where something is to be.
        masked: Whether to take the condition `known` `(B, C, H, W)`.
        labels: How many classes are told apart (condition `label` `(B,)`, 0 = none).
        levelled: Whether the level is shown.
        silent: Whether to answer zero until trained.
    """

    def __init__(
        self,
        channels: int = 3,
        width: int = 48,
        depth: int = 2,
        factor: int = 4,
        images: int = 0,
        masks: int = 0,
        masked: bool = False,
        labels: int = 0,
        levelled: bool = True,
        silent: bool = True,
    ) -> None:
        super().__init__()
        widths = [width * 2**k for k in range(depth + 1)]
        self.factor = factor
        self.step = factor * 2**depth
        self.told = Told(2 * width, labels, levelled)
        self.laid = Laid(channels, images, masks, masked)
        self.enter = nn.Conv2d(self.laid.rows * factor**2, width, 3, padding=1)
        self.scales = nn.ModuleList(Plane(w, self.told.width) for w in widths)
        self.downs = nn.ModuleList(nn.Conv2d(w, 2 * w, 2, 2) for w in widths[:-1])
        self.ups = nn.ModuleList(nn.Conv2d(2 * w, w, 1) for w in widths[:-1])
        self.backs = nn.ModuleList(Plane(w, self.told.width) for w in widths[:-1])
        self.leave = silenced(nn.Conv2d(width, channels * factor**2, 3, padding=1), silent)

    def forward(self, x: Tensor, t: Tensor | None = None, **condition: Tensor) -> Tensor:
        context = self.told(x, t, condition.get("label"))
        h = self.enter(pixel_unshuffle(enlarged(self.laid(x, condition), self.step), self.factor))
        seen = []
        for scale, down in zip(self.scales, self.downs, strict=False):
            seen.append(scale(h, context))
            h = down(seen[-1])
        h = self.scales[-1](h, context)
        for up, back, beside in reversed(list(zip(self.ups, self.backs, seen, strict=True))):
            h = back(beside + interpolate(up(h), scale_factor=2.0), context)
        left = pixel_shuffle(self.leave(silu(h)), self.factor)
        return torch.as_tensor(left[..., : x.shape[2], : x.shape[3]])


def enlarged(rows: Tensor, step: int) -> Tensor:
    """Pictures `(B, R, H, W)` with their last pixels repeated below and on the right, up to multiples of `step`."""
    height, width = rows.shape[2:]
    return pad(rows, (0, -width % step, 0, -height % step), mode="replicate")
