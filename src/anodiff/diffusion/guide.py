r"""Denoisers around denoisers: guidance changes the posterior mean and nothing else,

.. math:: D'(x_t, t) = D(x_t, t) + \text{what one wants of } x ,

so that every sampler, flow and score runs on it unchanged.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from anodiff.diffusion.denoise import Denoiser, Posterior
from anodiff.diffusion.noise import expand
from anodiff.diffusion.sources import NoiseSource, White
from anodiff.types import Batch, Mask, PerItem, Times


class Around(Denoiser):
    """A denoiser that holds a denoiser; what it holds sets the schedule and the cost."""

    def __init__(self, denoiser: Denoiser) -> None:
        super().__init__()
        self.denoiser = denoiser
        self.schedule = denoiser.schedule

    @property
    def cost(self) -> int:
        return self.denoiser.cost


class ClassifierFree(Around):
    r""":math:`D' = D_c + w (D_c - D_\varnothing)`; weight 0 is no guidance.

    Ho and Salimans, "Classifier-Free Diffusion Guidance", 2022.

    Args:
        denoiser: Trained with conditions that were now and then replaced by `null`.
        null: What stands for "unknown" in each condition, `(1, ...)` or `(B, ...)`.
        weight: w.
    """

    def __init__(self, denoiser: Denoiser, null: Mapping[str, Tensor], weight: float = 1.0) -> None:
        super().__init__(denoiser)
        self.null = dict(null)
        self.weight = weight

    def forward(self, x_t: Batch, t: Times, **condition: Tensor) -> Posterior:
        nothing = {k: v.to(x_t.device).expand(len(x_t), *v.shape[1:]) for k, v in self.null.items()}
        mean = self.denoiser(x_t, t, **condition).mean
        return Posterior(mean + self.weight * (mean - self.denoiser(x_t, t, **(condition | nothing)).mean))

    @property
    def cost(self) -> int:
        return 2 * self.denoiser.cost


class Pinned(Around):
    """Wherever `known` `(B, *event)`, the posterior mean is what was `observed` `(B, *event)`.

    Nothing known is no pin; everything known leaves nothing to the denoiser.
    """

    def __init__(self, denoiser: Denoiser, observed: Batch, known: Mask) -> None:
        super().__init__(denoiser)
        self.observed = observed
        self.known = known

    def forward(self, x_t: Batch, t: Times, **condition: Tensor) -> Posterior:
        mean = self.denoiser(x_t, t, **condition).mean
        return Posterior(torch.where(self.known, self.observed.to(mean), mean))


class Repainted(Around):
    r"""`Pinned`, and before asking, what is known of :math:`x_t` is replaced by noised observations.

    Lugmayr et al., "RePaint: Inpainting using Denoising Diffusion Probabilistic Models", 2022; their jumps are
    `anodiff.diffusion.sample.Resampled`. The noise is drawn from the seed and the time: new at each level, the same in
    each run.

    Args:
        denoiser: What is asked.
        observed: `(B, *event)`; ignored where not known.
        known: `(B, *event)`.
        source: Where the noise comes from.
        seed: Of the noise.
    """

    def __init__(
        self, denoiser: Denoiser, observed: Batch, known: Mask, source: NoiseSource | None = None, seed: int = 0
    ) -> None:
        super().__init__(denoiser)
        self.observed = observed
        self.known = known
        self.source = source or White()
        self.seed = seed

    def forward(self, x_t: Batch, t: Times, **condition: Tensor) -> Posterior:
        place = int(t.double().flatten()[0] * 2**30)
        generator = torch.Generator().manual_seed(self.seed * (2**30 + 1) + place)
        observed = torch.where(self.known, self.observed, 0).to(x_t)
        noised = self.schedule.perturb(observed, t, self.source(x_t, generator))
        mean = self.denoiser(torch.where(self.known, noised, x_t), t, **condition).mean
        return Posterior(torch.where(self.known, observed, mean))


class Drawn(Around):
    r"""Towards an item y, most where noise is strongest: :math:`D' = D + w \, \sigma^2 (y - D)`, with
    :math:`\sigma^2 = s^2 / (1 + s^2)`.

    On a process that preserves variance this is :math:`\hat\varepsilon' = \hat\varepsilon - w \sigma (y_t - x_t)` with
    :math:`y_t = \alpha y + \sigma \hat\varepsilon` (Mousakhan, Brox and Tayyub, "Anomaly Detection with Conditioned
    Denoising Diffusion Models", 2023); weight 0 is no guidance.

    Args:
        denoiser: What is asked.
        item: y, `(B, *event)`.
        weight: w.
    """

    def __init__(self, denoiser: Denoiser, item: Batch, weight: float = 1.0) -> None:
        super().__init__(denoiser)
        self.item = item
        self.weight = weight

    def forward(self, x_t: Batch, t: Times, **condition: Tensor) -> Posterior:
        square = expand(self.schedule.level(t), x_t) ** 2
        mean = self.denoiser(x_t, t, **condition).mean
        return Posterior(mean + self.weight * square / (1 + square) * (self.item.to(mean) - mean))


class Tempered(Around):
    r"""Hotter than normal: told of less noise than there is, a denoiser leaves more of what is there,

    .. math:: D'(\tilde x, s) = D\big(\tilde x, s / \sqrt{\tau}\big) .

    For Gaussian data it is exactly the denoiser of :math:`p^{1 / \tau}`, and so guidance against the density, of weight
    :math:`1 - 1 / \tau`: the slope of the log-density is divided by the temperature. At 1 nothing changes.

    Args:
        denoiser: What is asked.
        temperature: :math:`\tau \ge 1`, `(B,)`.
    """

    def __init__(self, denoiser: Denoiser, temperature: PerItem) -> None:
        super().__init__(denoiser)
        self.temperature = temperature

    def forward(self, x_t: Batch, t: Times, **condition: Tensor) -> Posterior:
        schedule, t = self.schedule, t.expand(len(x_t))
        told = schedule.time(schedule.level(t) / self.temperature.to(t).sqrt())
        scale = schedule.alpha(told) / schedule.alpha(t)
        return self.denoiser(expand(scale, x_t) * x_t, told, **condition)  # type: ignore[no-any-return]


class Between(Around):
    r"""From what is normal towards something else, and beyond: :math:`D' = D_n + w (D_a - D_n)`.

    Weight 0 is the normal denoiser, 1 the other; with an other that is the same network under another condition it is
    classifier-free guidance (Ho and Salimans, 2022).

    Args:
        denoiser: The normal :math:`D_n`.
        other: :math:`D_a`, of the same schedule.
        weight: w, `(B,)`.
    """

    def __init__(self, denoiser: Denoiser, other: Denoiser, weight: PerItem) -> None:
        super().__init__(denoiser)
        self.other = other
        self.weight = weight

    def forward(self, x_t: Batch, t: Times, **condition: Tensor) -> Posterior:
        normal, other = self.denoiser(x_t, t, **condition).mean, self.other(x_t, t, **condition).mean
        return Posterior(normal + expand(self.weight, normal) * (other - normal))

    @property
    def cost(self) -> int:
        return self.denoiser.cost + self.other.cost


class Steered(Around):
    r"""Away from an energy of the clean item: :math:`D' = D - w \, s^2 \, \nabla_{\tilde x} E(D(x_t, t))`.

    Tweedie's formula for data of density :math:`p(x) e^{-w E(x)}` with E at the posterior mean for E at x; exact for
    Gaussian data and a linear energy (Chung et al., "Diffusion Posterior Sampling for General Noisy Inverse Problems",
    2023).

    Args:
        denoiser: What is asked, and differentiated.
        energy: From items `(B, *event)` to `(B,)`; low is wanted.
        weight: w.
    """

    def __init__(self, denoiser: Denoiser, energy: Callable[[Tensor], Tensor], weight: float = 1.0) -> None:
        super().__init__(denoiser)
        self.energy = energy
        self.weight = weight

    def forward(self, x_t: Batch, t: Times, **condition: Tensor) -> Posterior:
        alpha, s = (expand(v, x_t) for v in (self.schedule.alpha(t), self.schedule.level(t)))
        with torch.enable_grad():
            x = (x_t.detach() / alpha).requires_grad_()
            mean = self.denoiser(alpha * x, t, **condition).mean
            (slope,) = torch.autograd.grad(self.energy(mean).sum(), x)
        return Posterior(mean.detach() - self.weight * s**2 * slope)

    @property
    def cost(self) -> int:
        return 2 * self.denoiser.cost


@torch.no_grad()
def filled(denoiser: Denoiser, x: Batch, known: Mask, t: Times, iterations: int = 100, **condition: Tensor) -> Batch:
    r"""Fill unknown cells by going to a fixed point, :math:`x \leftarrow x` where known, else :math:`D(\alpha_t x, t)`.

    For a Gaussian the fixed point is the conditional mean given the known cells observed with noise of level s,
    :math:`\mu_u + C_{uk} (C_{kk} + s^2 I)^{-1} (x_k - \mu_k)`; the error falls by
    :math:`1 - s^2 / (\lambda_{\max} + s^2)` or faster each time, so low levels need many.

    Args:
        denoiser: What is asked, `iterations` times.
        x: `(B, *event)`; unknown cells start from what they hold, or 0 where that is not finite.
        known: `(B, *event)`, True = observed.
        t: `()` or `(B,)`.
        iterations: How often.
        condition: What the denoiser may know besides.
    """
    x = torch.where(known | torch.isfinite(x), x, 0)
    alpha = expand(denoiser.schedule.alpha(t), x)
    for _ in range(iterations):
        x = torch.where(known, x, denoiser(alpha * x, t, **condition).mean)
    return x
