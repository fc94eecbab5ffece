r"""Denoisers that need no training: the posterior of an assumed density, in closed form.

Each answers :math:`D = \mathbb{E}[x \mid x_t]` and the variance per coordinate, knows the density of :math:`x_t`, and
computes at level s from the scaled state only: `Gaussian`, `GaussianMixture`, `Empirical`.
"""

from anodiff.diffusion.denoise import Denoiser
from anodiff.diffusion.empirical import Empirical
from anodiff.diffusion.gaussian import Gaussian, GaussianMixture

__all__ = ["EXACT", "Empirical", "Gaussian", "GaussianMixture"]

EXACT: dict[str, type[Denoiser]] = {"gaussian": Gaussian, "mixture": GaussianMixture, "empirical": Empirical}
