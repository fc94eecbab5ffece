r"""A picture against its reference: the reference moved onto it, and what then differs,

.. math:: \theta = \arg\min_{\theta, g, o} \sum_u \rho\big(x(u) - g\, r(\theta u) - o\big), \qquad
          d_p = f_p(x) - f_q(r \circ \theta), \quad q = \arg\min_{|q - p| \le k} \|f_p(x) - f_q(r \circ \theta)\| .

:math:`\theta` is an affine map of the plane, g and o forgive another exposure, and :math:`\rho`, of Geman and McClure,
lets no defect pull; found by Gauss and Newton's steps from coarse to fine (Lucas and Kanade, "An Iterative Image
Registration Technique with an Application to Stereo Vision", 1981). What remains of misalignment the slack of k cells
forgives. What the reference does not show of the picture differs by nothing.
"""

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, avg_pool2d, grid_sample, pad

COARSE = (8, 4, 2)
"""Grids, in pixels; finer ones found nothing more."""
STEPS = 6
ROBUST = 0.2
"""A difference of grey, of -1..1, from which on a pixel hardly counts."""
STILL = 0.02
"""Pixels of movement at which steps end."""
RIDGE = 1e-4
"""Per pixel, on exposure."""
LEAST = 0.5
"""Of the picture, that a reference moved onto it still shows; with less it is left where it is."""


def moved_onto(x: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
    """The reference moved onto a picture and lit like it, and which pixels it shows; the others are the picture's own.

    Reaches some 5 % of the side and 3 degrees; beyond, and where nothing is gained, the reference stays where it is.

    Args:
        x: One picture `(1, C, S, S)`, grey or colour, in -1..1.
        reference: Of the same shape.

    Returns:
        `(1, C, S, S)`, and `(1, 1, S, S)` bool.
    """
    grey, other = x.mean(1, keepdim=True), reference.mean(1, keepdim=True)
    theta = torch.eye(2, 3)
    for factor in COARSE:
        theta = _refined(_smooth(avg_pool2d(grey, factor)), _smooth(avg_pool2d(other, factor)), theta)
    if not _better(grey, other, theta):
        return reference, torch.ones_like(grey, dtype=torch.bool)
    shown = _shown(theta, grey)
    moved = _at(reference, theta)
    gain, offset = _light(grey[shown], moved.mean(1, keepdim=True)[shown])
    return torch.where(shown, (gain * moved + offset).clamp(-1, 1), x), shown


def departures(own: Tensor, other: Tensor, slack: int = 0) -> Tensor:
    """Maps `(B, C, h, w)` less those of the reference, cell by cell the nearest of it within `slack` cells.

    >>> own = torch.eye(4)[None, None]
    >>> departures(own, own.roll(1, 3), 1)[..., :, 1:].abs().sum()
    tensor(0.)
    """
    if not slack:
        return own - other
    rows, columns = own.shape[2:]
    around = pad(other, (slack,) * 4, mode="replicate")
    found = own - other
    least = found.square().sum(1, keepdim=True)
    for i in range(2 * slack + 1):
        for j in range(2 * slack + 1):
            each = own - around[..., i : i + rows, j : j + columns]
            far = each.square().sum(1, keepdim=True)
            found, least = torch.where(far < least, each, found), torch.minimum(far, least)
    return found


def _refined(x: Tensor, reference: Tensor, theta: Tensor) -> Tensor:
    """Gauss and Newton's steps on one grid; x and the reference `(1, 1, s, s)`."""
    side = x.shape[-1]
    along = (torch.arange(side) + 0.5) * 2 / side - 1
    y, u = torch.meshgrid(along, along, indexing="ij")
    across = pad((reference[..., 2:] - reference[..., :-2]) * side / 4, (1, 1, 0, 0))
    down = pad((reference[..., 2:, :] - reference[..., :-2, :]) * side / 4, (0, 0, 1, 1))
    stacked = torch.cat([reference, across, down], 1)
    for _ in range(STEPS):
        inside = _shown(theta, x)[0, 0]
        value, dx, dy = _at(stacked, theta)[0]
        slopes = torch.stack([dx * u, dx * y, dx, dy * u, dy * y, dy, value, torch.ones_like(value)], -1)[inside]
        left = (x[0, 0] - value)[inside]
        weighted = slopes * _weights(left)[:, None]
        normal = weighted.T @ slopes
        normal.diagonal().add_(1e-3 + 1e-6 * normal.diagonal().mean())
        step = torch.linalg.solve(normal, weighted.T @ left)[:6].view(2, 3)
        theta = theta + step
        if float(step.abs().max()) * side / 2 < STILL:
            break
    return theta


def _light(x: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
    """g and o of aligned greys `(n,)`."""
    known, light = torch.stack([reference, torch.ones_like(reference)], -1), torch.tensor([1.0, 0.0])
    for _ in range(STEPS):
        weighted = known * _weights(x - known @ light)[:, None]
        # Where the reference hardly varies its gain cannot be told from its offset, and stays 1.
        normal = weighted.T @ known + RIDGE * len(x) * torch.eye(2)
        light = light + torch.linalg.solve(normal, weighted.T @ (x - known @ light))
    return light[0], light[1]


def _weights(left: Tensor) -> Tensor:
    """What each remaining difference counts."""
    return 1 / (1 + (left / ROBUST) ** 2) ** 2


def _smooth(x: Tensor) -> Tensor:
    """Three means over 3 x 3 pixels: about a Gaussian of 1.4."""
    for _ in range(3):
        x = avg_pool2d(x, 3, 1, 1, count_include_pad=False)
    return x


def _better(x: Tensor, reference: Tensor, theta: Tensor) -> bool:
    shown = _shown(theta, x)
    if not bool(theta.isfinite().all()) or float(shown.float().mean()) < LEAST:
        return False
    before, after = ((x - each)[shown].abs().mean() for each in (reference, _at(reference, theta)))
    return bool(after < before)


def _at(maps: Tensor, theta: Tensor) -> Tensor:
    grid = affine_grid(theta[None], [1, 1, *maps.shape[2:]], align_corners=False)
    return grid_sample(maps, grid, padding_mode="border", align_corners=False)


def _shown(theta: Tensor, like: Tensor) -> Tensor:
    """Which pixels `(1, 1, S, S)` the map leads to pixels of the reference."""
    grid = affine_grid(theta[None], [1, 1, *like.shape[2:]], align_corners=False)
    return (grid.abs().amax(-1) <= 1 - 1 / like.shape[-1])[:, None]
