r"""A network preconditioned on a Gaussian: it starts as the Gaussian, and learns only what is not.

In the scaled state :math:`\tilde x = x_t / \alpha_t` of level :math:`s`, with the Gaussian's mean :math:`\mu` and
covariance :math:`V \Lambda V^\top` and every coefficient a function of :math:`\Lambda`,

.. math:: D = \mu + V c_\text{skip} V^\top (\tilde x - \mu)
              + V c_\text{out} V^\top F\big(V c_\text{in} V^\top (\tilde x - \mu), \tfrac14 \log s\big), \qquad
          c_\text{skip} = \frac{\Lambda}{\Lambda + s^2}, \; c_\text{out} = \frac{s \sqrt\Lambda}{\sqrt{\Lambda + s^2}},
          \; c_\text{in} = \frac{1}{\sqrt{\bar\lambda^{1-p} \Lambda^p + s^2}} .

With p = 1 this is EDM's preconditioning (Karras et al., 2022) in each eigen-direction by its own variance. There the
many directions of hardly any variance are shown as large as the few that matter, and a short training finds nothing;
with a small p F sees the data much as it is. What F is asked for, with :math:`x = \mu + V a` and noise :math:`V z`, is
of unit variance in every direction and at every level:

.. math:: F^* = V \, \frac{s \Lambda^{-1/2} a - \Lambda^{1/2} z}{\sqrt{\Lambda + s^2}} .
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from anodiff.diffusion.denoise import Learnt, Posterior
from anodiff.diffusion.gaussian import Gaussian
from anodiff.diffusion.noise import Schedule, expand
from anodiff.types import Batch, PerItem, Times

# One number per item of a batch: loss(x, generator, **condition); training.train asks for one without conditions.
Loss = Callable[..., Tensor]


class Spectral(Learnt):
    """A network around a Gaussian. One whose answer is zero makes it the Gaussian.

    The network is given, and answers in, the data's coordinates `(B, *event)`: neighbours stay neighbours. Put it in
    `Along` where it should see eigen-coordinates. State: `gaussian.*` and `net.*`;
    `Spectral(net, Gaussian.spectral(schedule=..., **gaussian's state))` builds one into which a state can be laid.

    Args:
        net: `net(x, c, **condition)` with x `(B, *event)` of variance about 1 and c `(B,)`.
        gaussian: Of the data; its process is this one's.
        whitening: p, from 0, one factor for all directions, to 1, all directions shown with unit variance.
    """

    def __init__(self, net: nn.Module, gaussian: Gaussian, whitening: float = 0.25) -> None:
        super().__init__(net, gaussian.schedule)
        self.gaussian = gaussian
        self.whitening = whitening

    def forward(self, x_t: Batch, t: Times, **condition: Tensor) -> Posterior:
        away, s = self._away(x_t / expand(self.schedule.alpha(t), x_t)), self.schedule.level(t)
        square = expand(s, away) ** 2
        inside = self._asked(away, s, x_t, condition).flatten(1)
        moved = self._turned(away, lambda v: v / (v + square))
        moved = moved + self._turned(inside, lambda v: torch.sqrt(square * v / (v + square)))
        return Posterior((self.gaussian.mean.to(moved) + moved).to(x_t.dtype).reshape(x_t.shape))

    def loss(self, x: Batch, t: Times, noise: Batch, **condition: Tensor) -> PerItem:
        r"""The mean of :math:`(F - F^*)^2`, one number per item: the error in units of c_out; 1 for the Gaussian."""
        s = self.schedule.level(t)
        away, z = self._away(x), noise.flatten(1)
        level = expand(s, away)
        wanted = self._turned(away, lambda v: level / torch.sqrt(v * (v + level**2)))
        wanted = wanted - self._turned(z.to(wanted), lambda v: torch.sqrt(v / (v + level**2)))
        return (self._asked(away + level * z, s, x, condition).flatten(1) - wanted.to(x.dtype)).square().mean(1)

    def _asked(self, away: Tensor, s: Tensor, like: Tensor, condition: dict[str, Tensor]) -> Tensor:
        """What F answers, in the precision of `away` and the shape of `like`."""
        known, p, square = self.gaussian, self.whitening, expand(s, away) ** 2
        d, rank = known.vectors.shape
        mean = ((known.values.sum() + (d - rank) * known.rest) / d).to(away)
        shown = self._turned(away, lambda v: torch.rsqrt(mean ** (1 - p) * v**p + square))
        return self.ask(shown.reshape(like.shape), torch.log(s.clamp(min=1e-6)) / 4, condition)

    def _away(self, x: Tensor) -> Tensor:
        own = torch.promote_types(x.dtype, self.gaussian.mean.dtype)
        return x.flatten(1).to(own) - self.gaussian.mean.to(own)

    def _turned(self, rows: Tensor, gain: Callable[[Tensor], Tensor]) -> Tensor:
        r""":math:`V g(\Lambda) V^\top` applied to rows `(B, d)`."""
        values, vectors, rest = (v.to(rows) for v in (self.gaussian.values, self.gaussian.vectors, self.gaussian.rest))
        other = gain(rest)
        return other * rows + (rows @ vectors * (gain(values) - other)) @ vectors.T


class Along(nn.Module):
    r"""A network that sees an item by its coordinates along given directions, :math:`x \mapsto V F(V^\top x)`.

    With fewer directions than cells it is small, and leaves the other directions to the Gaussian.

    Args:
        net: `net(u, c, **condition)` with u `(B, r)`, returning `(B, r)`.
        vectors: Orthonormal, `(d, r)`; `gaussian.vectors`, or the last few, which have the largest values.
    """

    vectors: Tensor

    def __init__(self, net: nn.Module, vectors: Tensor) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("vectors", vectors.contiguous())

    def forward(self, x: Tensor, c: Tensor, **condition: Tensor) -> Tensor:
        vectors = self.vectors.to(x)
        answer: Tensor = self.net(x.flatten(1) @ vectors, c, **condition)
        return (answer @ vectors.T).reshape(x.shape)


def spectral(denoiser: Spectral, between: tuple[float, float]) -> Loss:
    """The loss of a `Spectral` at levels log-uniform in `between`, as a function of a batch."""

    def loss(x: Tensor, generator: torch.Generator, **condition: Tensor) -> Tensor:
        return denoiser.loss(x, *drawn(x, denoiser.schedule, between, generator), **condition)

    return loss


def drawn(
    x: Batch, schedule: Schedule, between: tuple[float, float], generator: torch.Generator
) -> tuple[PerItem, Batch]:
    """Times of levels log-uniform in `between`, one per stratum, and standard noise, for each item of x."""
    low, high = (math.log(v) for v in between)
    place = (torch.arange(len(x)) + torch.rand(len(x), generator=generator)) / len(x)
    noise = torch.randn(x.shape, generator=generator, dtype=x.dtype)
    return schedule.time(torch.exp(low + (high - low) * place)).to(x.device), noise.to(x.device)


def over(loss: Loss, x: Batch, **condition: Tensor) -> Callable[[Tensor, torch.Generator], Tensor]:
    """The same loss as a function of places in x `(n, *event)` and its conditions `(n, ...)`.

    >>> loss = over(lambda x, generator, **condition: x + condition["label"], torch.arange(4.0), label=torch.ones(4))
    >>> loss(torch.tensor([0, 2]), torch.Generator())
    tensor([1., 3.])
    """

    def at(places: Tensor, generator: torch.Generator) -> Tensor:
        return loss(x[places], generator, **{name: value[places] for name, value in condition.items()})

    return at
