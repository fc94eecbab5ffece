r"""How much signal and noise: every process here is Gaussian,

.. math:: x_t = \alpha_t x + \sigma_t z, \qquad t \in [0, 1],

with t=0 data and t=1 noise. Two schedules differ only in :math:`(\alpha_t, \sigma_t)`; what decides is the level
:math:`s_t = \sigma_t / \alpha_t`, the noise per unit of signal, and :math:`\log \mathrm{SNR}_t = -2 \log s_t`.
"""

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from anodiff.types import Batch, Times


def expand(v: Tensor, like: Tensor) -> Tensor:
    """One number per item, shaped to multiply items: `(B,)` becomes `(B, 1, ..., 1)`."""
    return v.to(like.dtype).reshape(v.shape + (1,) * (like.ndim - v.ndim))


class Schedule(ABC):
    r"""The pair :math:`(\alpha_t, \sigma_t)`. Think twice before adding anything here, every process carries it."""

    @abstractmethod
    def alpha(self, t: Times) -> Times:
        """Signal that is left at t."""

    @abstractmethod
    def sigma(self, t: Times) -> Times:
        """Standard deviation of the noise at t."""

    @abstractmethod
    def time(self, level: Times) -> Times:
        r"""The t at which :math:`\sigma_t / \alpha_t` is `level`, clamped to [0, 1]."""

    def level(self, t: Times) -> Times:
        """Noise per unit of signal, increasing in t."""
        return self.sigma(t) / self.alpha(t)

    def log_snr(self, t: Times) -> Times:
        """Natural logarithm of the signal-to-noise ratio of powers, decreasing in t."""
        return -2 * torch.log(self.level(t))

    def perturb(self, x: Batch, t: Times, noise: Batch) -> Batch:
        """Draw :math:`x_t` given `x` `(B, *event)`, `t` `(B,)` or `()` and standard noise shaped like x."""
        return expand(self.alpha(t), x) * x + expand(self.sigma(t), x) * noise


class VP(Schedule):
    r"""Variance preserving, linear :math:`\beta_t`:

    .. math:: \log \alpha_t = -\tfrac14 t^2 (\beta_1 - \beta_0) - \tfrac12 t \beta_0 .

    The continuous form of Ho et al., "Denoising Diffusion Probabilistic Models", 2020, as in Song et al.,
    "Score-Based Generative Modeling through Stochastic Differential Equations", 2021.
    """

    def __init__(self, beta_min: float = 0.1, beta_max: float = 20.0) -> None:
        self.beta_min = beta_min
        self.beta_max = beta_max

    def alpha(self, t: Times) -> Times:
        return torch.exp(-self._half_integral(t))

    def sigma(self, t: Times) -> Times:
        return torch.sqrt(-torch.expm1(-2 * self._half_integral(t)))

    def time(self, level: Times) -> Times:
        slope, integral = self.beta_max - self.beta_min, torch.log1p(level**2)
        root = torch.sqrt(self.beta_min**2 + 2 * slope * integral)
        return (2 * integral / (root + self.beta_min)).clamp(0, 1)

    def _half_integral(self, t: Times) -> Times:
        return t**2 * (self.beta_max - self.beta_min) / 4 + t * self.beta_min / 2


class Cosine(Schedule):
    r"""Cosine schedule, :math:`\alpha_t = \cos(t \arccos \alpha_{\min})`, variance preserving.

    Nichol and Dhariwal, "Improved Denoising Diffusion Probabilistic Models", 2021.
    """

    def __init__(self, alpha_min: float = 1e-3) -> None:
        self.alpha_min = alpha_min

    def alpha(self, t: Times) -> Times:
        return torch.cos(math.acos(self.alpha_min) * t)

    def sigma(self, t: Times) -> Times:
        return torch.sin(math.acos(self.alpha_min) * t)

    def time(self, level: Times) -> Times:
        return (torch.atan(level) / math.acos(self.alpha_min)).clamp(0, 1)


class VE(Schedule):
    r"""Variance exploding, :math:`\alpha_t = 1`, :math:`\sigma_t` geometric (Song et al., 2021)."""

    def __init__(self, sigma_min: float = 0.01, sigma_max: float = 50.0) -> None:
        self.sigma_min = sigma_min
        self.sigma_max = sigma_max

    def alpha(self, t: Times) -> Times:
        return torch.ones_like(t)

    def sigma(self, t: Times) -> Times:
        return self.sigma_min * (self.sigma_max / self.sigma_min) ** t

    def time(self, level: Times) -> Times:
        return (torch.log(level / self.sigma_min) / math.log(self.sigma_max / self.sigma_min)).clamp(0, 1)


class EDM(Schedule):
    r"""Variance exploding, :math:`\sigma_t^{1/\rho}` linear in t.

    Karras et al., "Elucidating the Design Space of Diffusion-Based Generative Models", 2022.
    """

    def __init__(self, sigma_min: float = 0.002, sigma_max: float = 80.0, rho: float = 7.0) -> None:
        self.sigma_min = sigma_min
        self.sigma_max = sigma_max
        self.rho = rho

    def alpha(self, t: Times) -> Times:
        return torch.ones_like(t)

    def sigma(self, t: Times) -> Times:
        low, high = self.sigma_min ** (1 / self.rho), self.sigma_max ** (1 / self.rho)
        return torch.pow(low + t * (high - low), self.rho)

    def time(self, level: Times) -> Times:
        low, high = self.sigma_min ** (1 / self.rho), self.sigma_max ** (1 / self.rho)
        return torch.clamp((torch.pow(level, 1 / self.rho) - low) / (high - low), 0, 1)


class Rectified(Schedule):
    r"""Straight paths, :math:`x_t = (1 - t') x + t' z` with :math:`t' = (1 - \alpha_{\min}) t`.

    Liu et al., "Flow Straight and Fast: Learning to Generate and Transfer Data with Rectified Flow", 2023.
    `alpha_min` keeps the log-SNR finite at t=1.
    """

    def __init__(self, alpha_min: float = 1e-3) -> None:
        self.alpha_min = alpha_min

    def alpha(self, t: Times) -> Times:
        return 1 - (1 - self.alpha_min) * t

    def sigma(self, t: Times) -> Times:
        return (1 - self.alpha_min) * t

    def time(self, level: Times) -> Times:
        return (level / (1 + level) / (1 - self.alpha_min)).clamp(0, 1)


SCHEDULES: dict[str, type[Schedule]] = {"vp": VP, "cosine": Cosine, "ve": VE, "edm": EDM, "rectified": Rectified}
