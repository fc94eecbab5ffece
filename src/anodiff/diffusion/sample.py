r"""Samplers: from :math:`x_t` to :math:`x_s`, s < t, asking only for the posterior mean D.

In the scaled state :math:`\tilde x = x_t / \alpha_t` every schedule is the same process. With l the level at t, m that
at s and :math:`\hat\varepsilon = (\tilde x - D) / l`, the probability-flow ODE is
:math:`\mathrm{d} \tilde x / \mathrm{d} l = \hat\varepsilon`, and

.. math:: q(\tilde x_s \mid \tilde x_t, D) = \mathcal{N} \big( D + \tfrac{m^2}{l^2} (\tilde x_t - D), \;
          m^2 (1 - \tfrac{m^2}{l^2}) I \big) .

A step to m = 0 returns D, whatever the sampler.
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor

from anodiff.diffusion.denoise import Denoiser
from anodiff.diffusion.noise import expand
from anodiff.diffusion.sources import NoiseSource, White
from anodiff.types import Batch, Times


class Sampler(ABC):
    """A way down. Think twice before adding anything here, every sampler carries it.

    Args:
        denoiser: What is asked.
        times: Decreasing, `(steps + 1,)`; see `anodiff.diffusion.grids`.
        source: Where the noise of a stochastic sampler comes from.
        seed: Every run draws from a new generator of this seed: called twice, a sampler answers the same.
    """

    def __init__(self, denoiser: Denoiser, times: Times, source: NoiseSource | None = None, seed: int = 0) -> None:
        self.denoiser = denoiser
        self.times = times
        self.source = source or White()
        self.seed = seed

    @abstractmethod
    def step(
        self, x_t: Batch, t: Times, s: Times, generator: torch.Generator | None = None, /, **condition: Tensor
    ) -> Batch:
        """The state at s given that at t, `(B, *event)`; the times are `()` or `(B,)`."""

    @torch.no_grad()
    def run(self, x: Batch, **condition: Tensor) -> Iterator[Batch]:
        """Every state on the way, the first being `x`, the state at the first time."""
        generator = self.generator()
        yield x
        for t, s in pairwise(self.times.to(x.device)):
            x = self.step(x, t, s, generator, **condition)
            yield x

    def __call__(self, x: Batch, **condition: Tensor) -> Batch:
        """The last state of a run."""
        (last,) = deque(self.run(x, **condition), maxlen=1)
        return last

    @property
    def nfe(self) -> int:
        """Network evaluations of a run, per item."""
        return (len(self.times) - 1) * self.denoiser.cost

    def generator(self) -> torch.Generator:
        """A new generator of the seed, on the CPU, so that every machine draws the same."""
        return torch.Generator().manual_seed(self.seed)

    def noise(self, x: Batch, generator: torch.Generator | None) -> Batch:
        """Standard noise shaped like `x`, from `generator` or a new one."""
        return self.source(x, generator or self.generator())

    def ask(self, x_t: Batch, t: Times, s: Times, condition: dict[str, Tensor]) -> tuple[Tensor, ...]:
        """The scaled state, the posterior mean, the levels at t and at s, and the signal at s."""
        schedule = self.denoiser.schedule
        level, lower, alpha, after = (
            expand(v, x_t) for v in (schedule.level(t), schedule.level(s), schedule.alpha(t), schedule.alpha(s))
        )
        return x_t / alpha, self.denoiser(x_t, t, **condition).mean, level, lower, after


class DDPM(Sampler):
    """Ancestral sampling: a draw from q(x_s | x_t, D) (Ho et al., 2020)."""

    def step(
        self, x_t: Batch, t: Times, s: Times, generator: torch.Generator | None = None, /, **condition: Tensor
    ) -> Batch:
        x, mean, level, lower, alpha = self.ask(x_t, t, s, condition)
        ratio = (lower / level) ** 2
        return alpha * (mean + ratio * (x - mean) + lower * torch.sqrt(1 - ratio) * self.noise(x, generator))


class DDIM(Sampler):
    r"""Denoising diffusion implicit models (Song et al., 2021): with :math:`c = \eta m \sqrt{1 - m^2 / l^2}`,

    .. math:: \tilde x_s = D + \sqrt{m^2 - c^2} \, \hat\varepsilon + c z .

    With eta=0 it is Euler's step on the probability-flow ODE, also upwards from t > 0; with eta=1 it is `DDPM`.
    """

    def __init__(
        self,
        denoiser: Denoiser,
        times: Times,
        eta: float = 0.0,
        source: NoiseSource | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(denoiser, times, source, seed)
        self.eta = eta

    def step(
        self, x_t: Batch, t: Times, s: Times, generator: torch.Generator | None = None, /, **condition: Tensor
    ) -> Batch:
        x, mean, level, lower, alpha = self.ask(x_t, t, s, condition)
        c = self.eta * lower * torch.sqrt((1 - (lower / level) ** 2).clamp(min=0))
        fresh = c * self.noise(x, generator) if self.eta else 0
        return alpha * (mean + torch.sqrt(lower**2 - c**2) * (x - mean) / level + fresh)


class Heun(Sampler):
    r"""Heun's method on the ODE, of order 2 (Karras et al., 2022)."""

    def step(self, x_t: Batch, t: Times, s: Times, _: torch.Generator | None = None, /, **condition: Tensor) -> Batch:
        x, mean, level, lower, alpha = self.ask(x_t, t, s, condition)
        slope = (x - mean) / level
        guess = x + (lower - level) * slope
        if not lower.any():
            return alpha * mean
        again: Tensor = (guess - self.denoiser(alpha * guess, s, **condition).mean) / lower
        return alpha * (x + (lower - level) * (slope + again) / 2)

    @property
    def nfe(self) -> int:
        return (2 * (len(self.times) - 1) - int(self.denoiser.schedule.level(self.times[-1]) == 0)) * self.denoiser.cost


class DPMSolver(Sampler):
    r"""DPM-Solver++(2M), of order 2 (Lu et al., 2022). In :math:`-\log l`, a step of length h after one of h',

    .. math:: \tilde x_s = e^{-h} \tilde x_t + (1 - e^{-h}) \big( D_t + \tfrac{h}{2 h'} (D_t - D_{t'}) \big) .

    A single `step`, the first of a run and one to level 0 know no D before: there it is `DDIM`.
    """

    def step(self, x_t: Batch, t: Times, s: Times, _: torch.Generator | None = None, /, **condition: Tensor) -> Batch:
        x, mean, level, lower, alpha = self.ask(x_t, t, s, condition)
        return alpha * (mean + (lower / level) * (x - mean))

    @torch.no_grad()
    def run(self, x: Batch, **condition: Tensor) -> Iterator[Batch]:
        yield x
        before, past = None, None
        for t, s in pairwise(self.times.to(x.device)):
            scaled, mean, level, lower, alpha = self.ask(x, t, s, condition)
            ahead = mean
            if before is not None and past is not None and lower.any():
                ahead = mean + torch.log(level / lower) / (2 * torch.log(past / level)) * (mean - before)
            x = alpha * (ahead + (lower / level) * (scaled - ahead))
            before, past = mean, level
            yield x


class Resampled(Sampler):
    """RePaint's jumps (Lugmayr et al., 2022) around any sampler: each step is taken `times_each` times.

    After all but the last, fresh noise leads back up from s to t, so that what is filled in and what is known agree.
    """

    def __init__(self, sampler: Sampler, times_each: int = 10) -> None:
        super().__init__(sampler.denoiser, sampler.times, sampler.source, sampler.seed)
        self.sampler = sampler
        self.times_each = times_each

    def step(
        self, x_t: Batch, t: Times, s: Times, generator: torch.Generator | None = None, /, **condition: Tensor
    ) -> Batch:
        schedule, generator = self.denoiser.schedule, generator or self.generator()
        level, lower = schedule.level(t), schedule.level(s)
        x_s = self.sampler.step(x_t, t, s, generator, **condition)
        for _ in range(self.times_each - 1):
            up = x_s / expand(schedule.alpha(s), x_t)
            up = up + expand(torch.sqrt(level**2 - lower**2), x_t) * self.noise(x_t, generator)
            x_s = self.sampler.step(expand(schedule.alpha(t), x_t) * up, t, s, generator, **condition)
        return x_s

    @property
    def nfe(self) -> int:
        return self.times_each * self.sampler.nfe


SAMPLERS: dict[str, type[Sampler]] = {"ddpm": DDPM, "ddim": DDIM, "heun": Heun, "dpm": DPMSolver}
