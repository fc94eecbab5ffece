r"""Departure: how far x is from what is usual, measured by what a denoiser takes for noise,

.. math:: a(x) = \frac{1}{s^2} \big\langle x - D(x; S), \; x - D(x; s) \big\rangle , \qquad S \gg s .

At the far level S a denoiser knows nothing of x and answers with the mean; at the near level s it removes what it
takes for noise of that size. For a Gaussian the second is :math:`s^2 (C + s^2)^{-1} (x - \mu)`, and a the squared
Mahalanobis distance :math:`(x - \mu)^\top (C + s^2)^{-1} (x - \mu)`: what `Residual` sums up level by level, in two
evaluations, one of which costs nothing.
"""

from torch import Tensor

from anodiff.diffusion.denoise import Denoiser
from anodiff.scores.base import AnomalyScore, Evidence
from anodiff.scores.levels import ask, per_item
from anodiff.types import Batch, Misfit

FAR = 1e3


class Departure(AnomalyScore):
    """The squared Mahalanobis distance of a Gaussian, and what becomes of it for other denoisers.

    Args:
        level: s, below which nothing is told apart; clamped to what the denoiser's schedule reaches.
        far: S.
    """

    def __init__(self, level: float = 0.1, far: float = FAR) -> None:
        self.level = level
        self.far = far

    def __call__(self, denoiser: Denoiser, x: Batch, **condition: Tensor) -> Evidence:
        """The map is each coordinate's term and adds up to the total; single terms can be negative."""
        if not 0 < self.level < self.far:
            raise Misfit(f"departure goes from level {self.level} to {self.far}; give a positive one and a larger one.")
        usual = ask(denoiser, x, self.far, **condition).mean
        where = (x - usual) * (x - ask(denoiser, x, self.level, **condition).mean) / self.level**2
        return Evidence(per_item(where), where)

    @property
    def nfe(self) -> int:
        """One at each of the two levels."""
        return 2
