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
    weights = [p for p in module.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(weights, lr, weight_decay=1e-4, fused=True)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, lr, total_steps=max(steps, 2))
    mean = [p.detach().clone() for p in weights]
    module.train()
    for number, x in enumerate(data, start=1):
        value = loss(x, generator).mean()
        if not torch.isfinite(value):
            raise FloatingPointError(f"the training loss is {value.item()} at step {number}; lower the learning rate.")
        optimiser.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        rate.step()
        torch._foreach_lerp_(mean, [p.detach() for p in weights], 1 - min(averaging, number / (number + 9)))
        yield Step(number, steps, value.item())
    with torch.no_grad():
        for p, m in zip(weights, mean, strict=True):
            p.copy_(m)
    module.eval()
