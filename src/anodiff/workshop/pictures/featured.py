r"""Anomalies among features: in a region, a draw of what is normal at each place, hotter than normal,

.. math:: f'_p = \mu_p + \sqrt{1 + a} \; L_p z_p, \qquad L_p L_p^\top = C_p ,

which is where the walk of a `Hotter` fill ends when places are Gaussian, each for itself (`diffusion.positional`); z is
smooth over the places, as features are. There is no picture of them: they are for training what judges features. Liu et
al., "SimpleNet: A Simple Network for Image Anomaly Detection and Localization", 2023, add noise of one size to all.
"""

import time

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_max_pool2d

from anodiff.anomalies.strength import seek
from anodiff.diffusion.positional import Positional, cholesky
from anodiff.diffusion.sources import gradient_noise
from anodiff.made import NORMAL, Made, Order
from anodiff.types import Mask
from anodiff.workshop.pictures.brush import DOUBLINGS, HALVINGS, Painted
from anodiff.workshop.pictures.glance import Glance, within

HOTTEST = 64.0
"""The largest amount."""
WAVES = 8.0
"""Of z, across the grid at most."""
RIDGE = 1e-4


def made_of_features(
    glance: Glance,
    x: Tensor,
    region: Mask,
    order: Order,
    farthest: float,
    kinds: list[str],
    places: list[str],
    source: np.ndarray,
) -> Made:
    """An order, made on the features of pictures `(n, C, S, S)`: `(n, d, h, w)` float32, and regions `(n, h, w)`."""
    began, normal = time.perf_counter(), np.array([kind == NORMAL for kind in kinds])
    seen, strength = glance.features(x), np.where(normal, 0.0, order.strength)
    done, cells = featured(glance, seen, region, torch.from_numpy(strength), farthest, order.seed)
    found = done.x.numpy(), cells.numpy() & ~normal[:, None, None], seen.numpy(), kinds, places
    numbers = strength, done.amount.numpy(), done.score.numpy(), source
    return Made(*found, *numbers, facts={"seconds": time.perf_counter() - began})


def featured(
    glance: Glance, seen: Tensor, region: Mask, strength: Tensor, farthest: float, seed: int
) -> tuple[Painted, Mask]:
    """Features with something else in their regions, and these on their grid `(n, h, w)`.

    Args:
        glance: That saw them.
        seen: What it saw, standardised, `(n, d, h, w)`.
        region: Of the pictures, `(n, S, S)`.
        strength: `(n,)`; 0 is a draw of what is normal.
        farthest: How odd strength 1 is.
        seed: Of all noise.
    """
    cells = adaptive_max_pool2d(region[:, None].float(), seen.shape[2:])[:, 0] > 0
    generator = torch.Generator().manual_seed(seed)
    waves = min(WAVES, min(seen.shape[2:]) / 2)
    noise = gradient_noise(torch.zeros(len(seen) * seen.shape[1], *seen.shape[2:]), waves, generator)
    noise = noise.reshape(seen.shape)
    noise = noise / noise.square().mean((2, 3), keepdim=True).sqrt().clamp(min=1e-6)
    drawn, middle = coloured(glance.normal, noise, cells)

    def make(amount: Tensor) -> Tensor:
        hot = (1 + amount).sqrt().float()[:, None, None, None]
        return torch.where(cells[:, None], middle + hot * drawn, seen)

    def score(made: Tensor) -> Tensor:
        return within(glance.odd(made), cells).double()

    sought = seek(make, score, strength.double(), farthest, HOTTEST, DOUBLINGS + 2, HALVINGS)
    return Painted(sought.items, sought.amount, sought.score, sought.target, len(seen)), cells


def coloured(normal: Positional, noise: Tensor, cells: Mask) -> tuple[Tensor, Tensor]:
    """Noise `(n, d, h, w)` with the covariance of each place, in `cells` `(n, h, w)`, and the mean of the places."""
    middle = normal.mean.movedim(2, 0)[None]
    found = torch.zeros_like(noise)
    width = noise.shape[1]
    lower = torch.tril_indices(width, width)
    flat = cells.flatten(1)
    for place in flat.any(0).nonzero()[:, 0].tolist():
        here = torch.zeros(1, width, width)
        here[0, lower[0], lower[1]] = normal.packed[place].float()
        here.diagonal(dim1=1, dim2=2).add_(RIDGE)
        found.flatten(2)[:, :, place] = noise.flatten(2)[:, :, place] @ cholesky(here)[0].tril().T
    return found, middle.expand_as(noise)
