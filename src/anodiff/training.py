r"""The training loop, as a generator of records.

.. math:: \theta \leftarrow \theta - \eta_k \nabla_\theta \, \mathrm{mean}_i \, w_i \, \ell(\theta, x_i),
          \qquad \bar\theta \leftarrow \bar\theta + (1 - \beta_k)(\theta - \bar\theta)

The caller decides what to watch: progress bars, early stopping and checkpoints live outside.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from anodiff.diffusion.denoise import Denoiser, Weight, denoising_loss, velocity_weight


@dataclass(frozen=True)
class Step:
    """One step of training: its number, counted from 1, the number planned and the loss of its batch."""

    number: int
    of: int
    loss: float


Loss = Callable[[Tensor, torch.Generator], Tensor]


def batches(x: Tensor, size: int, steps: int, generator: torch.Generator) -> Iterator[Tensor]:
    """`steps` batches of `size` rows drawn with replacement from `x` `(n, *event)`."""
    for _ in range(steps):
        yield x[torch.randint(len(x), (size,), generator=generator)]


def levels(schedule_range: tuple[float, float], count: int, generator: torch.Generator) -> Tensor:
    """`count` levels, uniform in their logarithm, one per stratum: less variance than independent draws."""
    low, high = (math.log(v) for v in schedule_range)
    place = (torch.arange(count) + torch.rand(count, generator=generator)) / count
    return torch.exp(low + (high - low) * place)


def denoising(denoiser: Denoiser, between: tuple[float, float], weight: Weight = velocity_weight) -> Loss:
    """The loss of a denoiser at levels log-uniform in `between`, as a function of a batch."""

    def loss(x: Tensor, generator: torch.Generator) -> Tensor:
        t = denoiser.schedule.time(levels(between, len(x), generator))
        noise = torch.randn(x.shape, generator=generator, dtype=x.dtype)
        return denoising_loss(denoiser, x, t, noise, weight)

    return loss


@contextmanager
def one_thread() -> Iterator[None]:
    """One torch thread, so that training does not depend on how many there are; the caller's number is put back.

    Tables train in small batches, which more threads would slow down rather than speed up.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Flat:
    r"""All weights of a module as one vector, so that a step of AdamW is a handful of operations:

    .. math:: m \leftarrow \beta m + (1 - \beta) g, \quad v \leftarrow \beta_2 v + (1 - \beta_2) g^2, \quad
              \theta \leftarrow (1 - \eta \lambda) \theta
              - \eta \, \frac{m}{1 - \beta^k} \Big/ \Big( \sqrt{\frac{v}{1 - \beta_2^k}} + \epsilon \Big).

    Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019. torch's own loads its compiler, for seconds.
    """

    def __init__(self, weights: list[nn.Parameter], decay: float = 1e-4, second: float = 0.999) -> None:
        self.parts = weights
        self.decay, self.second = decay, second
        self.weights = torch.cat([p.detach().flatten() for p in weights])
        self.slope, self.m, self.v = (torch.zeros_like(self.weights) for _ in range(3))
        self.number = 0
        start = 0
        for p in weights:
            p.data = self.weights[start : start + p.numel()].view_as(p)
            p.grad = self.slope[start : start + p.numel()].view_as(p)
            start += p.numel()

    def step(self, rate: float, first: float) -> None:
        """Along the slope, at a learning rate and a momentum."""
        self.number += 1
        self.m.lerp_(self.slope, 1 - first)
        self.v.mul_(self.second).addcmul_(self.slope, self.slope, value=1 - self.second)
        spread = (self.v / (1 - self.second**self.number)).sqrt_().add_(1e-8)
        self.weights.mul_(1 - rate * self.decay)
        self.weights.addcdiv_(self.m, spread, value=-rate / (1 - first**self.number))

    def release(self) -> None:
        """Give every weight memory of its own again."""
        for p in self.parts:
            p.data = p.detach().clone()
            p.grad = None


@dataclass(frozen=True)
class OneCycle:
    """Rate and momentum of a step: up over the first three tenths, then down to nothing, along cosines.

    Smith and Topin, "Super-Convergence", 2019.
    """

    steps: int
    most: float

    def __call__(self, number: int) -> tuple[float, float]:
        """Of the step `number`, counted from 0: learning rate, momentum."""
        top = max(0.3 * self.steps - 1, 1e-9)
        if number <= top:
            part = (1 - math.cos(math.pi * number / top)) / 2
            return self.most * (0.04 + 0.96 * part), 0.95 - 0.1 * part
        part = (1 + math.cos(math.pi * min((number - top) / (self.steps - 1 - top), 1))) / 2
        return self.most * (4e-6 + (1 - 4e-6) * part), 0.95 - 0.1 * part


def train(
    module: nn.Module,
    loss: Loss,
    data: Iterable[Tensor],
    steps: int,
    generator: torch.Generator,
    lr: float = 1e-3,
    averaging: float = 0.998,
) -> Iterator[Step]:
    """Adam with a one-cycle rate; when the last record has been taken, `module` holds the averaged weights.

    Raises:
        FloatingPointError: the loss is not finite.
    """
    flat = Flat([p for p in module.parameters() if p.requires_grad])
    mean = flat.weights.clone()
    rate = OneCycle(max(steps, 2), lr)
    module.train()
    for number, x in enumerate(data, start=1):
        value = loss(x, generator).mean()
        if not torch.isfinite(value):
            raise FloatingPointError(f"the training loss is {value.item()} at step {number}; lower the learning rate.")
        flat.slope.zero_()
        value.backward()  # type: ignore[no-untyped-call]
        flat.step(*rate(number - 1))
        mean.lerp_(flat.weights, 1 - min(averaging, number / (number + 9)))
        yield Step(number, steps, value.item())
    flat.weights.copy_(mean)
    flat.release()
    module.eval()
