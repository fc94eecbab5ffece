r"""Maps of pictures: what is done over their last two axes, height and width, each plane and each item for itself."""

import torch
from torch import Tensor
from torch.nn.functional import conv2d, max_pool2d, pad

from anodiff.diffusion.noise import expand
from anodiff.types import Batch, Misfit


def bell(sigma: float, window: int, like: Tensor) -> Tensor:
    """Gaussian weights `(window,)` that add up to 1."""
    away = torch.arange(window, dtype=like.dtype, device=like.device) - (window - 1) / 2
    weights = torch.exp(-(away**2) / (2 * sigma**2))
    return weights / weights.sum()


def weighed(x: Batch, weights: Tensor) -> Batch:
    """Means of each plane under weights `(window,)` along both axes; beyond the edge the last pixel is repeated."""
    planes, reach = x.reshape(-1, 1, *x.shape[-2:]), len(weights) // 2
    padded = pad(planes, (reach, reach, reach, reach), mode="replicate")
    return conv2d(conv2d(padded, weights.reshape(1, 1, -1, 1)), weights.reshape(1, 1, 1, -1)).reshape(x.shape)


def blurred(x: Batch, sigma: float) -> Batch:
    """Each plane under a Gaussian of so many pixels, cut at three of them; 0 leaves it as it is."""
    return weighed(x, bell(sigma, 2 * round(3 * sigma) + 1, x)) if sigma > 0 else x


def dilated(x: Batch, reach: int) -> Batch:
    """The largest value within so many pixels along either axis."""
    planes = x.reshape(-1, 1, *x.shape[-2:])
    return max_pool2d(planes, 2 * reach + 1, stride=1, padding=reach).reshape(x.shape)


def over_channels(x: Batch) -> Tensor:
    """The sum over channels of items `(B, C, H, W)`, kept as an axis: `(B, 1, H, W)`.

    Raises:
        Misfit: x holds no pictures.
    """
    if x.ndim != 4:
        raise Misfit(f"pictures are (n, channels, height, width); it was given the shape {tuple(x.shape)}.")
    return x.sum(1, keepdim=True)


def quantile_of_each(x: Batch, share: float) -> Tensor:
    """The value that a share of each item's cells does not exceed, `(B, 1, ..., 1)`."""
    cells = x.flatten(1)
    place = min(cells.shape[1], max(1, round(share * cells.shape[1])))
    return expand(cells.kthvalue(place, dim=1).values, x)
