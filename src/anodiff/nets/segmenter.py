r"""A small U-Net that answers one number per pixel, `(B, channels, H, W) -> (B, 1, H, W)`,

.. math:: h_0 = \mathrm{unshuffle}_f(x), \qquad h_{k+1} = B(\mathrm{down}\, h_k), \qquad
          u_k = B(h_k + \mathrm{up}\, u_{k+1}) .

It is told no level and no condition. Ronneberger, Fischer and Brox, "U-Net: Convolutional Networks for Biomedical Image
Segmentation", 2015.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad, pixel_shuffle, pixel_unshuffle, silu


class Segmenter(nn.Module):
    """Odds of each pixel, for pictures of any size: it pads inside and crops.

    Args:
        channels: Of what it is shown.
        width: Of every scale.
        depth: Times that the scale is halved.
        patch: Side of the squares that are read, and answered, at once.
    """

    def __init__(self, channels: int, width: int = 24, depth: int = 3, patch: int = 2) -> None:
        super().__init__()
        self.patch = patch
        self.step = patch * 2**depth
        self.enter = nn.Conv2d(channels * patch**2, width, 3, padding=1)
        self.downs = nn.ModuleList(nn.Conv2d(width, width, 2, 2) for _ in range(depth))
        self.scales = nn.ModuleList(Residual(width) for _ in range(depth + 1))
        self.backs = nn.ModuleList(Residual(width) for _ in range(depth))
        self.leave = nn.Conv2d(width, patch**2, 1)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        padded = pad(x, (0, -width % self.step, 0, -height % self.step), "replicate")
        h = self.enter(pixel_unshuffle(padded, self.patch))
        seen = []
        for down, scale in zip(self.downs, self.scales, strict=False):
            h = scale(h)
            seen.append(h)
            h = down(h)
        h = self.scales[-1](h)
        for back, beside in zip(self.backs, reversed(seen), strict=True):
            h = back(beside + interpolate(h, scale_factor=2.0, mode="nearest"))
        return pixel_shuffle(self.leave(silu(h)), self.patch)[..., :height, :width]


class Residual(nn.Module):
    """Two convolutions beside the identity, `(B, width, H, W)` in and out."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(1, width)
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, h: Tensor) -> Tensor:
        return torch.add(h, self.second(silu(self.first(silu(self.norm(h))))))
