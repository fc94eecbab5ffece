r"""What would have been: draws of the hidden part h of a window, given the known part k,

.. math:: x_h^{(j)} = r_{jh} + \mathbb{E}[x_h \mid x_k] - \mathbb{E}[x_h \mid r_{jk}],

from normal windows :math:`r_j` whose known parts are most like x's, each moved by what a Gaussian makes of the rest of
the difference. With draws of that Gaussian for windows this is Matheron's rule, and exact for it (Journel and
Huijbregts, "Mining Geostatistics", 1978); so it is where no windows are kept. Where there is no Gaussian, windows that
are alike stand as they are; where there are no windows either, a network walks from noise, told what is known.
"""

import numpy as np
import torch
from torch import Tensor

from anodiff.diffusion.fill import conditional_mean
from anodiff.diffusion.gaussian import Gaussian
from anodiff.diffusion.grids import karras
from anodiff.diffusion.guide import Repainted
from anodiff.diffusion.infilling import Infilling, Told
from anodiff.diffusion.sample import DDPM
from anodiff.explain.normals import Normals
from anodiff.modalities.windows import FLOORS
from anodiff.scores.walk import stops, walked

DRAWS = 100
WALKS, STEPS, LEVEL = 40, 16, 10.0
BUDGET = 2e10
"""Multiplications that may be spent on moving windows of very many cells."""
WIDEN = 1.25
"""Draws are spread so much more: left as they are, nine tenths of them cover 8 in 10 readings of held-out normals."""
SAME = 1e-3
FARTHEST = 5.0
"""So many standard deviations out, if no window is known."""


def imagined(normal: Normals, x: Tensor, known: Tensor, stale: Tensor, seed: int = 0) -> Tensor:
    """Draws `(n, width, points)` of a window `x` `(width, points)`, not normalised, of which `known` is known.

    Args:
        normal: What normal windows are like.
        x: The window by points; what stands where it is not known is never read.
        known: Of the same shape.
        stale: Windows `(k, width, points)`, normalised, whose like among the normal ones are not asked: x's own.
        seed: Of the noise.
    """
    generator = torch.Generator().manual_seed(seed)
    offset, scale = _level(x, known, normal)
    seen = torch.where(known, _bounded((x - offset) / scale, normal), 0)
    rows = None if normal.rows is None else _fresh(normal.rows, stale)
    if rows is not None and len(rows):
        rows = rows if normal.raw else rows - _mean(rows, known)
        draws = analogues(normal, rows, seen, known)
    elif normal.noisy is not None and normal.gaussian is not None:
        draws = moved(normal.noisy, unconditional(normal.gaussian, x.shape, DRAWS, generator), seen, known)
    else:
        draws = walks(normal, seen, known, generator, seed)
    middle = draws.median(0).values
    spread = torch.where(normal.discrete[:, None], 1.0, WIDEN)
    return torch.where(known, x, (middle + spread * (draws - middle)) * scale + offset)


def analogues(normal: Normals, rows: Tensor, x: Tensor, known: Tensor) -> Tensor:
    """The rows `(m, width, points)` most like the known part of `x`, moved where a Gaussian is known."""
    far = (((rows - x) * known) ** 2).flatten(1).sum(1)
    count, gaussian = min(len(rows), DRAWS), normal.noisy if normal.raw else normal.fitted(rows)
    if gaussian is not None:
        count = min(count, max(20, int(BUDGET / (128 * normal.cells**2))))
    near = rows[far.topk(count, largest=False, sorted=True).indices]
    if gaussian is None:
        return near
    return torch.where(normal.discrete[:, None], near, moved(gaussian, near, x, known))


def moved(gaussian: Gaussian, draws: Tensor, x: Tensor, known: Tensor) -> Tensor:
    """Draws `(n, width, points)`, moved by what the difference of their known part from that of `x` makes expect."""
    rows = torch.cat([x[None], draws]).to(gaussian.mean.dtype)
    means = conditional_mean(gaussian, rows, known.expand(rows.shape), iterations=32)
    return (means[:1] + rows[1:] - means[1:]).to(x.dtype)


def unconditional(gaussian: Gaussian, shape: torch.Size, count: int, generator: torch.Generator) -> Tensor:
    """Draws `(count, *shape)` of a Gaussian."""
    white = torch.randn(count, shape.numel(), generator=generator, dtype=gaussian.mean.dtype)
    values, vectors, rest = gaussian.values, gaussian.vectors, gaussian.rest
    rows = white * rest.sqrt() + (white @ vectors * (values.sqrt() - rest.sqrt())) @ vectors.T
    return (rows + gaussian.mean).reshape(count, *shape)


def walks(normal: Normals, x: Tensor, known: Tensor, generator: torch.Generator, seed: int) -> Tensor:
    """Draws `(WALKS, width, points)` by ancestral sampling, the known part being told or painted in at every step."""
    seen, there = (v.expand(WALKS, *v.shape).contiguous() for v in (x, known))
    held = Told if isinstance(normal.denoiser, Infilling) else Repainted
    times = stops(normal.denoiser, karras, STEPS, LEVEL, seen)
    noise = torch.randn(seen.shape, generator=generator, dtype=seen.dtype)
    start = normal.denoiser.schedule.perturb(seen, times[0], noise)
    return walked(DDPM(held(normal.denoiser, seen, there), times, seed=seed), start)


def _bounded(x: Tensor, normal: Normals) -> Tensor:
    """What is around, no farther out than normal windows are: beyond them nobody knows what follows from it."""
    if normal.rows is None:
        return x.clamp(-FARTHEST, FARTHEST)
    low, high = normal.rows.amin((0, 2))[:, None], normal.rows.amax((0, 2))[:, None]
    room = (high - low) / 10
    return torch.minimum(torch.maximum(x, low - room), high + room)


def _level(x: Tensor, known: Tensor, normal: Normals) -> tuple[Tensor, Tensor]:
    """What a view takes away from a window and divides it by, `(width, 1)` each, judged by the known part."""
    zero, one = x.new_zeros(len(x), 1), x.new_ones(len(x), 1)
    if normal.raw:
        return zero, one
    mean = _mean(x, known)
    if normal.view.normalise == "centre":
        return mean, one
    square = _mean((x - mean) ** 2, known)
    return mean, torch.sqrt(square + FLOORS[normal.view.normalise] ** 2)


def _mean(x: Tensor, known: Tensor) -> Tensor:
    """The mean over the known points of each channel `(..., width, 1)`; 0 where none is."""
    return (x * known).sum(-1, keepdim=True) / known.sum(-1, keepdim=True).clamp(min=1)


def _fresh(rows: Tensor, stale: Tensor) -> Tensor:
    """The rows that are not among the stale ones: found by their shadow on one direction, then compared in full."""
    if not len(stale):
        return rows
    direction = torch.from_numpy(np.random.default_rng(0).normal(size=rows[0].numel())).to(rows)
    shadow, other = rows.flatten(1) @ direction, stale.flatten(1).to(rows) @ direction
    order = other.sort()
    below = torch.searchsorted(order.values, shadow - SAME * direction.norm())
    above = torch.searchsorted(order.values, shadow + SAME * direction.norm())
    keep = torch.ones(len(rows), dtype=torch.bool)
    for i in torch.nonzero(above > below).flatten().tolist():
        like = stale[order.indices[below[i] : above[i]]].to(rows)
        keep[i] = not bool(((like - rows[i]).abs().flatten(1).amax(1) < SAME).any())
    return rows[keep]
