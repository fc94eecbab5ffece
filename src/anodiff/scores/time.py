r"""Diffusion time: how far along the process does x seem to be?

.. math:: a(x) = \mathbb{E}[\log s \mid x] - \log s_\text{low}, \qquad
          p(\log s \mid x) \propto s^{-n} e^{-\delta^2 / 2 s^2} \;\Rightarrow\;
          s^2 \mid x \sim \mathrm{InvGamma}\big(\tfrac n2, \tfrac{\delta^2}{2}\big),

for levels drawn uniformly in their logarithm, :math:`\delta` the distance to the data and n the number of coordinates.
Livernoche, Jain, Hezaveh and Ravanbakhsh, "On Diffusion Modeling for Anomaly Detection", 2024, draw the time
uniformly and find :math:`\mathrm{InvGamma}(n/2 - 1, \delta^2 / 2)`, undefined for :math:`n \le 2`; this one holds for
every n.

`CategoricalTime` and `InverseGammaTime` train a net of their own, `net(x)`, and never ask the denoiser: a denoiser
that copies its input cannot fool them. Their maps share the total out by
:math:`|x_i \, \partial a / \partial x_i|`: one backward pass.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, softplus

from anodiff.diffusion.denoise import Denoiser
from anodiff.diffusion.noise import Schedule
from anodiff.scores.base import AnomalyScore, Evidence
from anodiff.scores.levels import ask, per_item, shared_out
from anodiff.types import Batch, PerItem


class CategoricalTime(AnomalyScore, nn.Module):
    """The expected log-level over bins (DTE-C); not the likeliest bin, which ties and saturates.

    Args:
        net: `(B, *event) -> (B, bins)`; sees no time.
        schedule: The process; one with alpha = 1 (VE, EDM) keeps distances, as the authors do.
        bins: Even in the logarithm of the level.
        low: The lowest level.
        high: The highest level.
    """

    def __init__(
        self, net: nn.Module, schedule: Schedule, bins: int = 20, low: float = 0.02, high: float = 10.0
    ) -> None:
        super().__init__()
        self.net = net
        self.schedule = schedule
        self.bins = bins
        self.low = low
        self.high = high

    def loss(self, x: Batch, generator: torch.Generator) -> PerItem:
        """Cross-entropy of the bin of the level that x `(B, *event)` was disturbed to, `(B,)`."""
        part, x_t = disturbed(x, self.schedule, self.low, self.high, generator)
        return cross_entropy(self.net(x_t), (part * self.bins).long(), reduction="none")

    def total(self, x: Batch) -> PerItem:
        """Expected log-level above the lowest, in nats."""
        share = torch.softmax(answer(self.net, x), 1)
        middle = torch.arange(self.bins, dtype=x.dtype, device=x.device) + 0.5
        return math.log(self.high / self.low) / self.bins * (share @ middle)

    def __call__(self, denoiser: Denoiser, x: Batch, **condition: Tensor) -> Evidence:
        """The map is made by one gradient and adds up to the total."""
        return by_gradient(self.total, x)

    @property
    def nfe(self) -> int:
        """One, of its own net, and one backward pass."""
        return 1


class InverseGammaTime(AnomalyScore, nn.Module):
    r"""The scale of the inverse gamma posterior (DTE-IG), as :math:`\tfrac12 (\log b^2 - \log s^2_\text{low})`.

    With shape n/2 and scale n b²/2, the negative log-likelihood of s² is, up to constants and the factor n/2,

    .. math:: b^2 / s^2 - \log(b^2 / s^2),

    least at :math:`1 / b^2 = \mathbb{E}[s^{-2} \mid x]`. The authors' released score returns b, of either sign; this is
    increasing in b².

    Args:
        net: `(B, *event) -> (B, 1)`; sees no time.
        schedule: The process; one with alpha = 1 keeps distances.
        low: The lowest level, of which b is at least.
        high: The highest level.
    """

    def __init__(self, net: nn.Module, schedule: Schedule, low: float = 0.02, high: float = 10.0) -> None:
        super().__init__()
        self.net = net
        self.schedule = schedule
        self.low = low
        self.high = high

    def loss(self, x: Batch, generator: torch.Generator) -> PerItem:
        """The negative log-likelihood of the level that x `(B, *event)` was disturbed to, `(B,)`."""
        part, x_t = disturbed(x, self.schedule, self.low, self.high, generator)
        ratio = softplus(self.net(x_t)[:, 0]) - 2 * math.log(self.high / self.low) * part.to(x_t.dtype)
        return torch.exp(ratio) - ratio

    def total(self, x: Batch) -> PerItem:
        """The logarithm of b above the lowest level, in nats."""
        return softplus(answer(self.net, x)[:, 0]) / 2

    def __call__(self, denoiser: Denoiser, x: Batch, **condition: Tensor) -> Evidence:
        """The map is made by one gradient and adds up to the total."""
        return by_gradient(self.total, x)

    @property
    def nfe(self) -> int:
        """One, of its own net, and one backward pass."""
        return 1


class NonParametricTime(AnomalyScore):
    r"""Without a net of its own (DTE-NP): :math:`\delta^2` is the denoiser's expected squared distance at one level.

    The expected log-level of InvGamma(n/2, (δ² + n s²_low)/2), less what it is at δ = 0, is

    .. math:: a(x) = \tfrac12 \log \Big( 1 + \frac{\delta^2}{n \, s_\text{low}^2} \Big),
              \qquad \delta^2 = \| x - D \|^2 + \textstyle\sum_i \mathrm{Var}_i .

    A grid of bins would saturate at its top bin, and tie; this is strictly increasing. For the empirical denoiser over
    K neighbours :math:`\delta^2` is the mean squared distance to the K nearest rows. Where a denoiser knows no
    variance, :math:`\delta^2` is the residual alone.

    Args:
        level: Where the denoiser is asked; large against the distances, so that all its neighbours count.
        low: The lowest level.
    """

    def __init__(self, level: float = 50.0, low: float = 0.02) -> None:
        self.level = level
        self.low = low

    def __call__(self, denoiser: Denoiser, x: Batch, **condition: Tensor) -> Evidence:
        """The map shares the total out by each coordinate's part of the squared distance."""
        posterior = ask(denoiser, x, self.level, **condition)
        square = (x - posterior.mean) ** 2 + (0 if posterior.variance is None else posterior.variance)
        floor = math.prod(x.shape[1:]) * self.low**2
        total = torch.log1p(per_item(square) / floor) / 2
        return Evidence(total, shared_out(total, square))

    @property
    def nfe(self) -> int:
        """One."""
        return 1


def disturbed(
    x: Batch, schedule: Schedule, low: float, high: float, generator: torch.Generator
) -> tuple[PerItem, Batch]:
    """Disturb x `(B, *event)`; return where in [0, 1) each log-level lies, stratified, and x_t."""
    part = (torch.arange(len(x)) + torch.rand(len(x), generator=generator, dtype=torch.float64)) / len(x)
    t = schedule.time(low * (high / low) ** part).to(x)
    return part.to(x.device), schedule.perturb(x, t, torch.randn(x.shape, generator=generator).to(x))


def answer(net: nn.Module, x: Batch) -> Tensor:
    """The net's answer in its own precision, returned in the caller's."""
    own = next(net.parameters()).dtype
    said: Tensor = net(x.to(own))
    return said.to(x.dtype)


def by_gradient(total_of: Callable[[Tensor], Tensor], x: Batch) -> Evidence:
    r"""The total and a map that shares it out by :math:`|x_i \, \partial a / \partial x_i|`."""
    with torch.inference_mode(False), torch.enable_grad():
        leaf = x.detach().clone().requires_grad_()
        total = total_of(leaf)
        (slope,) = torch.autograd.grad(total.sum(), leaf)
    return Evidence(total.detach(), shared_out(total.detach(), (x * slope).abs()))
