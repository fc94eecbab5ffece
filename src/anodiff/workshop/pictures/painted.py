r"""A painter: a network of pixels that is told which of a crop are known, and guesses the others,

.. math:: \ell = \mathrm{mean}_{i \in H} \Big(\frac{1}{v} + \frac{1}{s^2}\Big) \big( x_i - D(\tilde x, s, K)_i \big)^2,
          \qquad \tilde x_K = x_K, \; \tilde x_H = x_H + s z_H ,

v the variance of pixels; the weight makes every level count the same for independent ones. What is hidden, H, are
blobs, boxes and strokes, and now and then all of the crop, so that a picture can be begun from nothing. Known pixels
reach the network without noise and at their own scale (`diffusion.infilling`).
"""

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import islice
from typing import Any, TypeVar, cast

import numpy as np
import torch
from torch import Tensor, nn

from anodiff.anomalies.fewshot import Examples, widened
from anodiff.anomalies.where import Blobs, Boxes, Strokes, Where
from anodiff.data.crops import crops
from anodiff.diffusion.infilling import Cellwise, Infilling
from anodiff.diffusion.masked import masked_loss
from anodiff.diffusion.noise import VE, Schedule
from anodiff.nets.lowrank import adapted
from anodiff.nets.mlp import seeded
from anodiff.nets.unet2d import UNet2d
from anodiff.recipes.grow import Progress
from anodiff.training import Loss, Step, levels, one_thread, train
from anodiff.types import Mask, Misfit

T = TypeVar("T")
BETWEEN = (0.02, 5.0)
"""Levels that a painter learns, from the grain of pixels to where a crop is all noise."""
HIDDEN: tuple[Where, ...] = (Blobs((0.02, 0.6)), Boxes((0.02, 0.6)), Strokes((0.01, 0.2)))
WHOLLY = 0.15
"""The share of crops that are hidden as a whole."""
LEAST = 1e-3
"""Least variance of pixels."""
FEWSHOT = ("adapt", "redraw")
TIMED = 6
"""Steps that are timed where time is short; the first is not counted."""


@dataclass(frozen=True)
class Studio:
    """How a painter is made.

    Attributes:
        crop: Pixels a side of what it learns from, a multiple of 16.
        width: Of the network's finest scale.
        depth: Times that the scale is halved.
        batch: Crops per step.
        steps: Of training.
        lr: The highest learning rate.
        lessons: Steps of training on known anomalies.
        rank: Of what is learnt from them.
        vae: An autoencoder for space="latent", a folder or a name, see `anodiff.nets.vae`.
        fewshot: What is made of them: "adapt" paints what is like them, "redraw" draws one of them and paints it over.

    Raises:
        Misfit: a crop is no multiple of 16, or another number is below 1.
    """

    crop: int = 64
    width: int = 48
    depth: int = 2
    batch: int = 24
    steps: int = 2500
    lr: float = 1e-3
    lessons: int = 600
    rank: int = 8
    fewshot: str = "adapt"
    vae: str | None = None

    def __post_init__(self) -> None:
        for name in ("crop", "width", "depth", "batch", "steps", "lessons", "rank"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise Misfit(f"{name} is {value!r}; give a whole number from 1.")
        if self.fewshot not in FEWSHOT:
            raise Misfit(f"fewshot is {self.fewshot!r}; choose one of {', '.join(FEWSHOT)}.")
        if self.crop % self.step:
            raise Misfit(f"crop is {self.crop} pixels; give a multiple of {self.step}, such as {4 * self.step}.")

    @property
    def step(self) -> int:
        """Pixels a side of what the network sees as one place at its coarsest scale."""
        return int(4 * 2**self.depth)


def process() -> Schedule:
    """The process of all painters."""
    return VE(BETWEEN[0] / 2, 2 * BETWEEN[1])


def painter(studio: Studio, channels: int, mean: float, variance: float, seed: int) -> Infilling:
    """A painter, untrained: it answers each pixel by itself."""
    net = seeded(UNet2d, seed, channels=channels, width=studio.width, depth=studio.depth, masked=True)
    alone = Cellwise(torch.tensor([mean]), torch.tensor([max(variance, LEAST)]), process())
    return Infilling(net, alone)


def hidden(shape: Sequence[int], generator: torch.Generator) -> Mask:
    """What is hidden of crops `(B, C, h, w)`: of each a place of one of several kinds, or all of it."""
    batch, _, height, width = shape
    kind = torch.randint(len(HIDDEN), (batch,), generator=generator)
    found = torch.ones(batch, height, width, dtype=torch.bool)
    for number, where in enumerate(HIDDEN):
        here = (kind == number).nonzero()[:, 0]
        if len(here):
            found[here] = where((len(here), height, width), generator)
    found |= (torch.rand(batch, generator=generator) < WHOLLY)[:, None, None]
    return found[:, None].expand(tuple(shape))


def painting(denoiser: Infilling, between: tuple[float, float] = BETWEEN) -> Loss:
    """What a painter is trained by, as a function of crops."""

    def loss(x: Tensor, generator: torch.Generator, **condition: Tensor) -> Tensor:
        return hidden_loss(denoiser, x, hidden(x.shape, generator), between, generator, **condition)

    return loss


def hidden_loss(
    denoiser: Infilling,
    x: Tensor,
    gone: Mask,
    between: tuple[float, float],
    generator: torch.Generator,
    counts: Mask | None = None,
    **condition: Tensor,
) -> Tensor:
    """The loss of crops `(B, C, h, w)` of which `gone` is hidden, over what `counts` of that: one number per crop."""
    t = denoiser.schedule.time(levels(between, len(x), generator))
    noise = torch.randn(x.shape, generator=generator)
    variance = float(denoiser.base.alone[1].mean())

    def weight(schedule: Schedule, t: Tensor) -> Tensor:
        return 1 / variance + schedule.level(t) ** -2

    counts = gone if counts is None else gone & counts
    return masked_loss(denoiser, x, t, noise, ~gone, counts, weight, **condition)


def learn(
    studio: Studio, pictures: Sequence[np.ndarray], seed: int, seconds: float | None = None
) -> Generator[Step, None, Infilling]:
    """Train a painter on pictures `(C, S, S)` in [-1, 1]: yields steps, returns the painter.

    Args:
        studio: How it is made.
        pictures: To cut crops from.
        seed: Of everything.
        seconds: About how long it may take.
    """
    sample = np.stack([p[:, ::4, ::4] for p in pictures[:: max(1, len(pictures) // 256)]])
    made = painter(studio, len(pictures[0]), float(sample.mean()), float(sample.var()), seed)
    with one_thread():
        steps = studio.steps if seconds is None else max(1, min(studio.steps, _within(seconds, studio, made, pictures)))
        yield from train(
            made, painting(made), _batches(studio, pictures, seed, steps), steps, _generator(seed), studio.lr
        )
    return made


def _batches(studio: Studio, pictures: Sequence[np.ndarray], seed: int, steps: int) -> Iterator[Tensor]:
    endless = crops(lambda: iter(pictures), studio.crop, studio.batch, seed, held=len(pictures))
    return map(torch.from_numpy, islice(endless, steps))


def _within(seconds: float, studio: Studio, made: Infilling, pictures: Sequence[np.ndarray]) -> int:
    """Steps that there is time for, by what a few cost; the painter stays as it was."""
    before = {name: value.clone() for name, value in made.state_dict().items()}
    took = []
    for _ in train(made, painting(made), _batches(studio, pictures, 0, TIMED), TIMED, _generator(0), studio.lr):
        took.append(time.perf_counter())
    made.load_state_dict(before)
    return int(seconds * (len(took) - 1) / max(took[-1] - took[0], 1e-9))


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def acquainted(normal: Infilling, kinds: int, rank: int, seed: int) -> Infilling:
    """A copy of a painter that can be told one of so many kinds; untrained it paints as before, whatever it is told."""
    made = adapted(normal, rank, seed)
    told = cast(UNet2d, made.net).told
    told.labels = nn.Embedding(kinds + 1, told.width)
    nn.init.zeros_(told.labels.weight)
    return made


def meet(studio: Studio, normal: Infilling, examples: Examples, seed: int) -> Generator[Step, None, Infilling]:
    """Train adapters and class tokens of a painter on known anomalies: yields steps, returns a painter of them.

    Only what is in their regions counts.
    """
    made = acquainted(normal, len(examples.names), studio.rank, seed)
    generator = _generator(seed)

    def loss(which: Tensor, generator: torch.Generator) -> Tensor:
        x, region, label = examples.crops(len(which), studio.crop, generator)
        gone = widened(region, generator)
        return hidden_loss(made, x, gone, BETWEEN, generator, region, label=label)

    batches = (torch.arange(studio.batch) for _ in range(studio.lessons))
    with one_thread():
        yield from train(made, loss, batches, studio.lessons, generator, studio.lr)
    return made


def studio_of(settings: Mapping[str, Any] | None) -> Studio:
    """How the painter is made, as the settings say.

    Raises:
        Misfit: there is no such setting, or it is out of range.
    """
    names = [each.name for each in fields(Studio)]
    for name in settings or {}:
        if name not in names:
            raise Misfit(f"there is no setting {name!r} of a generator of images; choose from {', '.join(names)}.")
    return Studio(**dict(settings or {}))


def steps(stage: str, training: Generator[Step, None, T]) -> Generator[Progress, None, T]:
    """Steps of training as progress."""
    while True:
        try:
            step = next(training)
        except StopIteration as done:
            return cast(T, done.value)
        yield Progress(step.number, step.of, stage)
