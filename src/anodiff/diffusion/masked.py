r"""One network for imputation, forecast and detection: in training some cells are known,

.. math:: \ell = w(s) \, \mathrm{mean}_{i \in H} \big( x_i - D(\tilde x, s, K)_i \big)^2, \qquad
          \tilde x_K = x_K, \; \tilde x_H = x_H + s z_H ,

and enter without noise; only the hidden ones H are guessed. Which are known is drawn anew for each item: none
(detection), the beginning (forecast), stripes, blocks or cells here and there (imputation).

Tashiro et al., "CSDI: Conditional Score-based Diffusion Models for Probabilistic Time Series Imputation", 2021; Senane
et al., "Self-Supervised Learning of Time Series Representation via Diffusion Process and Imputation-Interpolation-
Forecasting Mask", 2024; gratings from Chen et al., "ImDiffusion", 2023.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from anodiff.diffusion.denoise import Denoiser, Weight, velocity_weight
from anodiff.diffusion.infilling import Infilling
from anodiff.diffusion.noise import Schedule
from anodiff.diffusion.spectral import Loss, drawn
from anodiff.types import Batch, Mask, PerItem, Times

Masks = Callable[[torch.Size, torch.Generator], Tensor]


def free_mask(shape: torch.Size, generator: torch.Generator) -> Mask:  # noqa: ARG001
    """Nothing is known, `(B, C, L)`: plain denoising."""
    return torch.zeros(shape, dtype=torch.bool)


def random_mask(shape: torch.Size, generator: torch.Generator) -> Mask:
    """Each cell is known with a chance that is uniform over items, `(B, C, L)`."""
    chance = torch.rand(shape[0], 1, 1, generator=generator)
    known: Tensor = torch.rand(shape, generator=generator) < chance
    return known


def block_mask(shape: torch.Size, generator: torch.Generator) -> Mask:
    """All is known but one stretch of time, at most half, in about half of the channels, `(B, C, L)`."""
    batch, channels, length = shape
    size, place = torch.rand(2, batch, 1, 1, generator=generator)
    size = (1 + size * (length // 2)).floor()
    start = (place * (length - size + 1)).floor()
    time = torch.arange(length)
    chosen = torch.rand(batch, channels, 1, generator=generator)
    spared = (chosen < 0.5) & (chosen > chosen.amin(1, keepdim=True))
    known: Tensor = (time < start) | (time >= start + size) | spared
    return known


def grating_mask(shape: torch.Size, generator: torch.Generator) -> Mask:
    """Stripes of time, of a width up to a quarter and of any phase, are known and hidden in turns, `(B, C, L)`."""
    batch, _, length = shape
    width, phase = torch.rand(2, batch, 1, 1, generator=generator)
    width = (1 + width * (length // 4)).floor()
    stripe: Tensor = (torch.arange(length) + (phase * 2 * width).floor()) // width
    return (stripe % 2 == 0).expand(shape)


def forecast_mask(shape: torch.Size, generator: torch.Generator) -> Mask:
    """A beginning of any length is known, the rest is not, `(B, C, L)`."""
    start = (torch.rand(shape[0], 1, 1, generator=generator) * shape[2]).floor()
    return (torch.arange(shape[2]) < start).expand(shape)


MASKS: dict[str, Masks] = {
    "free": free_mask,
    "random": random_mask,
    "block": block_mask,
    "grating": grating_mask,
    "forecast": forecast_mask,
}


def mixed(masks: Sequence[Masks], shape: torch.Size, generator: torch.Generator) -> Mask:
    """For each item one of several kinds of mask, all equally often, True where known, `(B, C, L)`."""
    kind = torch.randint(len(masks), (shape[0],), generator=generator)
    known: Tensor = torch.stack([mask(shape, generator) for mask in masks])[kind, torch.arange(shape[0])]
    return known


def masked_loss(
    denoiser: Denoiser,
    x: Batch,
    t: Times,
    noise: Batch,
    known: Mask,
    counts: Mask,
    weight: Weight = velocity_weight,
    **condition: Tensor,
) -> PerItem:
    """The weighted error of what `counts`, one number per item; `known` cells enter clean and are shown as `known`."""
    x_t = denoiser.schedule.perturb(x, t, noise.masked_fill(known, 0))
    error = (x - denoiser(x_t, t, known=known, **condition).mean).masked_fill(~counts, 0)
    mean = error.square().flatten(1).sum(1) / counts.flatten(1).sum(1).clamp(min=1)
    weighted: Tensor = weight(denoiser.schedule, t) * mean
    return weighted


ALL = tuple(MASKS.values())


def masked_denoising(
    denoiser: Denoiser,
    between: tuple[float, float],
    masks: Sequence[Masks] = ALL,
    weight: Weight = velocity_weight,
) -> Loss:
    """The loss of any denoiser that takes `known`, at levels log-uniform in `between`, as a function of a batch.

    The loss takes conditions and hands them on with the mask, but for `known` `(B, C, L)`: where that is False there is
    no datum, to show or to compare with, and what stands there is not read.
    """

    def loss(x: Tensor, t: Tensor, noise: Tensor, known: Tensor, counts: Tensor, **condition: Tensor) -> Tensor:
        return masked_loss(denoiser, x, t, noise, known, counts, weight, **condition)

    return _hiding(loss, denoiser.schedule, between, masks)


def infilling(denoiser: Infilling, between: tuple[float, float], masks: Sequence[Masks] = ALL) -> Loss:
    """The same for an `Infilling`, in the standard deviations of its base."""
    return _hiding(denoiser.loss, denoiser.schedule, between, masks)


def _hiding(
    loss: Loss, schedule: Schedule, between: tuple[float, float], masks: Sequence[Masks], share: int = 16
) -> Loss:
    """A loss that draws masks, levels and noise; `share` items share a mask and a level, which a `Given` is fast on."""

    def hiding(x: Tensor, generator: torch.Generator, known: Tensor | None = None, **condition: Tensor) -> Tensor:
        few, present = x[::share], torch.ones_like(x, dtype=torch.bool) if known is None else known
        t, _ = drawn(few, schedule, between, generator)
        shown = mixed(masks, few.shape, generator).to(x.device)
        t, shown = (v.repeat_interleave(share, 0)[: len(x)] for v in (t, shown))
        noise = torch.randn(x.shape, generator=generator, dtype=x.dtype).to(x.device)
        x = x.masked_fill(~present, 0)
        value: Tensor = loss(x, t, noise, known=shown & present, counts=~shown & present, **condition)
        return value

    return hiding


def forgetting(loss: Loss, null: Mapping[str, Tensor], share: float = 0.2) -> Loss:
    """The same loss where each condition is now and then replaced by `null` `(1, ...)`, each for itself.

    So a network learns to do without them: what `ClassifierFree` asks for, and an entity that fit did not see.
    """

    def forgetful(x: Tensor, generator: torch.Generator, **condition: Tensor) -> Tensor:
        for name in sorted(null.keys() & condition.keys()):
            told = condition[name]
            gone = torch.rand(len(x), *[1] * (told.ndim - 1), generator=generator).to(told.device) < share
            condition[name] = torch.where(gone, null[name].to(told.device), told)
        value: Tensor = loss(x, generator, **condition)
        return value

    return forgetful
