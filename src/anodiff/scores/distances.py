r"""Distances between pictures: where they differ in structure or in what a network sees, not in grey values alone,

.. math:: d(x, y) \in \mathbb{R}_{\ge 0}^{B \times C \times H \times W}, \qquad
          d = \tfrac12 (1 - \mathrm{SSIM}) \quad\text{or}\quad \sum_l \big( 1 - \cos(F_l(x), F_l(y)) \big) .

They keep the shape of x, so that any score of reconstructions takes them. Each item is for itself: a scale is fitted on
held-out normals, never taken from the batch.
"""

from collections.abc import Callable, Sequence
from copy import copy
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, interpolate

from anodiff.diffusion.denoise import Denoiser
from anodiff.scores.base import AnomalyScore
from anodiff.scores.planes import bell, blurred, weighed
from anodiff.scores.reconstruction import DISTANCES, Distance
from anodiff.types import Batch, Misfit

Maps = Callable[[Tensor], Sequence[Tensor]]
S = TypeVar("S", bound=AnomalyScore)

SPAN = 2.0


def ssim(x: Batch, y: Batch) -> Batch:
    r""":math:`\tfrac12 (1 - \mathrm{SSIM})` per pixel and channel, in [0, 1], under a Gaussian of 1.5 in 11 pixels,

    .. math:: \mathrm{SSIM} = \frac{(2 \mu_x \mu_y + c_1)(2 \sigma_{xy} + c_2)}
              {(\mu_x^2 + \mu_y^2 + c_1)(\sigma_x^2 + \sigma_y^2 + c_2)} .

    Grey values span 2, from -1 to 1. Wang, Bovik, Sheikh and Simoncelli, "Image Quality Assessment: From Error
    Visibility to Structural Similarity", 2004.
    """
    weights, c1, c2 = bell(1.5, 11, x), (0.01 * SPAN) ** 2, (0.03 * SPAN) ** 2
    mx, my, xx, yy, xy = (weighed(v, weights) for v in (x, y, x * x, y * y, x * y))
    spread = (xx - mx**2).clamp(min=0) + (yy - my**2).clamp(min=0) + c2
    alike = (2 * mx * my + c1) * (2 * (xy - mx * my) + c2) / ((mx**2 + my**2 + c1) * spread)
    return (1 - alike.clamp(-1, 1)) / 2


PICTURE_DISTANCES: dict[str, Distance] = DISTANCES | {"ssim": ssim}


class FeatureDistance:
    r"""What a frozen network sees: the mean over its maps of :math:`1 - \cos` per position, resized to the picture.

    It is laid evenly on the channels of the picture, so that its sum over them is that mean. As in Mousakhan, Brox and
    Tayyub, "Anomaly Detection with Conditioned Denoising Diffusion Models", 2023.

    Args:
        net: From pictures `(B, C, H, W)` to maps `(B, *, h, w)`; each item for itself, so in evaluation mode.
        blur: Of the result, in pixels.
    """

    def __init__(self, net: Maps, blur: float = 2.0) -> None:
        self.net = net
        self.blur = blur

    def __call__(self, x: Batch, y: Batch) -> Batch:
        """Per pixel, `(B, C, H, W)`, in [0, 2 / C]."""
        with torch.no_grad():
            pairs = list(zip(self.net(x), self.net(y), strict=True))
        apart = [1 - cosine_similarity(a, b, dim=1)[:, None].clamp(max=1) for a, b in pairs]
        resized = [interpolate(v, x.shape[-2:], mode="bilinear", align_corners=False) for v in apart]
        seen = blurred(torch.stack(resized).mean(0).to(x), self.blur)
        return (seen / x.shape[1]).expand_as(x).contiguous()


class Mixed:
    r"""A weighted sum of distances, each in units of its own: :math:`d = \sum_k w_k \, d_k / c_k`.

    Args:
        distances: What is added.
        weights: w; 1 each where not given.
        scales: c, where they are known; else `fit` finds them.
    """

    def __init__(
        self,
        distances: Sequence[Distance],
        weights: Sequence[float] | None = None,
        scales: Sequence[float] | None = None,
    ) -> None:
        self.distances = distances
        self.weights = weights
        self.scales = scales

    def fit(self, x: Batch, y: Batch, share: float = 0.99) -> "Mixed":
        """Take for each scale the value that a share of the cells of held-out normals does not exceed.

        Args:
            x: Held-out normals `(n, *event)`.
            y: What a reconstruction made of them.
            share: In (0, 1].

        Raises:
            Misfit: a distance is nothing at all on these pairs.
        """
        found = [float(np.quantile(distance(x, y).cpu().numpy(), share)) for distance in self.distances]
        if min(found) <= 0:
            raise Misfit(f"distance {found.index(min(found))} has no scale: it is 0 on the pairs given; give others.")
        return Mixed(self.distances, self.weights, found)

    def __call__(self, x: Batch, y: Batch) -> Batch:
        """Per coordinate, `(B, *event)`."""
        if self.scales is None:
            raise Misfit("this Mixed has no scales yet; call fit(x, y) on held-out normals and their reconstructions.")
        total = torch.zeros_like(x)
        weights = self.weights or [1.0] * len(self.distances)
        for distance, weight, scale in zip(self.distances, weights, self.scales, strict=True):
            total += weight / scale * distance(x, y)
        return total


def with_scales(score: S, denoiser: Denoiser, x: Batch, **condition: Tensor) -> S:
    """A score that compares by a `Mixed`, with its scales found on normals and on what the score makes of them.

    Args:
        score: Has a `distance`; where it has to be fitted, what it compares in that counts.
        denoiser: What is asked.
        x: Normals `(n, *event)`.
        condition: What the denoiser may know besides.
    """
    twin: Any = copy(score)
    compared = list[tuple[Tensor, Tensor]]()

    def noting(x: Tensor, y: Tensor) -> Tensor:
        compared.append((x, y))
        return (x - y).abs()

    mixed, twin.distance = twin.distance, noting
    (twin.fit if hasattr(twin, "fit") else twin)(denoiser, x, **condition)
    twin.distance = mixed.fit(*(torch.cat(side) for side in zip(*compared, strict=True)))
    return twin  # type: ignore[no-any-return]
