r"""What was not observed, expected: the conditional mean of a Gaussian,

.. math:: \mathbb{E}[x_u \mid x_k] = \mu_u - P_{uu}^{-1} P_{uk} (x_k - \mu_k), \qquad P = C^{-1},

for any pattern of unknown cells, by conjugate gradients on the masked precision: no matrix per pattern.
"""

import torch
from torch import Tensor

from anodiff.diffusion.gaussian import Gaussian
from anodiff.types import Batch, Mask

RIDGE = 1e-2


def conditional_mean(gaussian: Gaussian, x: Batch, known: Mask, iterations: int = 64) -> Batch:
    """`x` `(B, *event)` with each cell that is not `known` replaced by its expectation given those that are.

    A ridge of 0.01 (in variances) keeps nearly collinear columns from being trusted beyond their noise.
    """
    unknown = ~known.flatten(1)
    rows = torch.where(unknown, 0, x.flatten(1) - gaussian.mean.to(x))
    if not unknown.any():
        return x
    found = torch.zeros_like(rows)
    residual = torch.where(unknown, -_precision(gaussian, rows), 0)
    direction, size = residual.clone(), (residual**2).sum(1, keepdim=True)
    enough = 1e-20 * size.clamp(min=torch.finfo(x.dtype).tiny)
    for _ in range(min(iterations, rows.shape[1] + 8)):
        going = size > enough
        if not going.any():
            break
        image = torch.where(unknown, _precision(gaussian, direction), 0)
        step = torch.where(going, size / (direction * image).sum(1, keepdim=True).clamp(min=1e-300), 0)
        found += step * direction
        residual -= step * image
        fresh = (residual**2).sum(1, keepdim=True)
        direction = residual + torch.where(going, fresh / size.clamp(min=1e-300), 0) * direction
        size = fresh
    return (torch.where(unknown, found, rows) + gaussian.mean.to(x)).reshape(x.shape).where(~known, x)


def shrinkage(n: int, d: int) -> float:
    """How much of a covariance of n rows and d columns to replace by its mean variance.

    Ledoit and Wolf's share serves the covariance; a broken dependency shows in its inverse, where that much would hide
    it, so little is taken while there are rows enough.
    """
    return max(0.1 * min(1.0, d / n), 1e-6)


def fit_incomplete(x: Batch, known: Mask, schedule: object, rounds: int = 6) -> tuple[Gaussian, Batch]:
    """A Gaussian of `x` `(n, d)` of which not all is known, and x filled by it: fill, fit, again.

    Each fit is on draws around the conditional mean (stochastic expectation maximisation: Celeux and Diebolt, 1985):
    fitted on the means themselves, columns with gaps would have too little spread and too much correlation.
    """
    gaussian, filled = Gaussian.fit(x, schedule, shrinkage(*x.shape)), x  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(0)
    for left in range(0 if known.all() else rounds, 0, -1):
        filled = conditional_mean(gaussian, x.double(), known).to(x.dtype)
        if left > 1:
            drawn = filled + doubt(gaussian, known, generator).to(x.dtype)
            gaussian = Gaussian.fit(drawn, schedule, shrinkage(*x.shape))  # type: ignore[arg-type]
    return gaussian, filled


def doubt(gaussian: Gaussian, known: Mask, generator: torch.Generator) -> Tensor:
    """A draw of what is unknown `(n, d)` about its conditional mean: a row of the Gaussian less its own mean."""
    white = torch.randn(known.shape, generator=generator, dtype=torch.float64)
    values, vectors, rest = (v.to(white) for v in (gaussian.values + RIDGE, gaussian.vectors, gaussian.rest + RIDGE))
    rows = white * rest.sqrt() + (white @ vectors * (values.sqrt() - rest.sqrt())) @ vectors.T + gaussian.mean.to(white)
    return rows - conditional_mean(gaussian, rows, known)


def _precision(gaussian: Gaussian, rows: Tensor) -> Tensor:
    values, vectors, rest = (v.to(rows) for v in (gaussian.values + RIDGE, gaussian.vectors, gaussian.rest + RIDGE))
    return rows / rest + (rows @ vectors * (1 / values - 1 / rest)) @ vectors.T
