r"""Noise levels, and x itself fed to the denoiser without noise,

.. math:: D(\alpha_t x, t), \quad s = \sigma_t / \alpha_t, \qquad
          \int f(s) \, d\log s \approx \sum_k f(s_k) \, \Delta_k .

A sum over levels is such an integral: :math:`\Delta_k` is the spacing of :math:`\log s_k`, so that a finer grid gives
the same score. A single level has :math:`\Delta = 1`.
"""

import itertools
import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from anodiff.diffusion.denoise import Denoiser, Posterior
from anodiff.diffusion.noise import expand
from anodiff.types import Batch, Misfit


def geometric(low: float, high: float, count: int) -> tuple[float, ...]:
    """Levels from `low` to `high`, evenly spaced in their logarithm.

    >>> geometric(1.0, 100.0, 3)
    (1.0, 10.0, 100.0)
    """
    return tuple(float(level) for level in np.geomspace(low, high, count))


LEVELS = geometric(0.05, 5.0, 10)


def spacing(levels: Sequence[float]) -> tuple[float, ...]:
    r""":math:`\Delta_k` of each level; 1 for a single one.

    Raises:
        Misfit: without a level, or where levels are not positive and increasing.

    >>> [round(width, 6) for width in spacing((1.0, 10.0, 100.0))] == [2.302585] * 3
    True
    """
    if not levels or levels[0] <= 0 or any(a >= b for a, b in itertools.pairwise(levels)):
        raise Misfit(f"levels must be positive and increasing; got {tuple(levels)}.")
    return tuple(np.gradient(np.log(levels)).tolist()) if len(levels) > 1 else (1.0,)


def time_of(denoiser: Denoiser, level: float, x: Batch) -> Tensor:
    """The denoiser's time `()` of a level, in the precision of x."""
    return denoiser.schedule.time(torch.as_tensor(level, dtype=x.dtype, device=x.device))


def ask(denoiser: Denoiser, x: Batch, level: float, /, **condition: Tensor) -> Posterior:
    """What the denoiser makes of x itself, `(B, *event)`, scaled to a level but without noise."""
    return ask_noisy(denoiser, x, level, torch.zeros_like(x), **condition)


def ask_noisy(denoiser: Denoiser, x: Batch, level: float, noise: Batch, /, **condition: Tensor) -> Posterior:
    """What the denoiser makes of x, `(B, *event)`, disturbed to a level by standard `noise` shaped like x."""
    t = time_of(denoiser, level, x)
    with torch.no_grad():
        posterior: Posterior = denoiser(denoiser.schedule.perturb(x, t, noise), t.expand(x.shape[0]), **condition)
    return posterior


def per_item(map: Batch) -> Tensor:
    """The sum of a map `(B, *event)` over each item, `(B,)`."""
    return map.flatten(1).sum(1)


def shared_out(total: Tensor, shares: Batch) -> Tensor:
    """A map `(B, *event)` that adds up to `total` `(B,)`, in proportion to `shares` >= 0; evenly where all are zero."""
    summed = expand(per_item(shares), shares)
    even = torch.full_like(shares, 1 / math.prod(shares.shape[1:]))
    return expand(total, shares) * torch.where(
        summed > 0, shares / summed.clamp(min=torch.finfo(shares.dtype).tiny), even
    )
