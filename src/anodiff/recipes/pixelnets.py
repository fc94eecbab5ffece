"""Networks of whole planes: a U-Net that denoises, one that undoes synthetic anomalies, a head that marks them."""

from collections.abc import Callable, Mapping
from typing import cast

import torch
from torch import Tensor

from anodiff.anomalies.paste import Blend
from anodiff.diffusion.cold import Restored, restoring, spoiled
from anodiff.diffusion.denoise import WEIGHTS, Denoiser, Learnt, Preconditioned, denoising_loss
from anodiff.diffusion.guide import ClassifierFree
from anodiff.diffusion.masked import forgetting
from anodiff.diffusion.noise import Schedule
from anodiff.diffusion.sources import NOISES
from anodiff.nets.mlp import seeded
from anodiff.nets.segmenter import Segmenter
from anodiff.nets.unet2d import UNet2d
from anodiff.recipes.build import PREDICTIONS, question
from anodiff.recipes.specs import NetworkSpec, ScoreSpec
from anodiff.scores.base import AnomalyScore
from anodiff.scores.segmented import Segmented, segmenting
from anodiff.training import levels
from anodiff.types import Misfit

Loss = Callable[..., Tensor]
NULL: Mapping[str, Tensor] = {"label": torch.zeros(1, dtype=torch.int64)}
"""Of a class that is not known."""
SPOILT = 0.5
"""The share of pictures that a head is shown spoilt."""


def whole(spec: NetworkSpec, channels: int, process: Schedule, seed: int, classes: int = 0) -> Learnt:
    """A denoiser of planes `(B, C, h, w)`, untrained.

    Raises:
        Misfit: it is one of series.
    """
    net = seeded(UNet2d, seed, channels=channels, width=spec.width, depth=spec.depth, labels=classes)
    if spec.predict == "restored":
        return Restored(net)
    if spec.predict not in PREDICTIONS:
        raise Misfit(
            f"a unet2d that predicts {spec.predict!r} is for series; pictures take edm, noise, data, velocity."
        )
    if spec.predict == "edm":
        return Preconditioned(net, process, VARIANCE)
    return PREDICTIONS[spec.predict](net, process)


VARIANCE = 0.25
"""Of pixels from -1 to 1, about; a preconditioning need not be exact."""


def learning(spec: NetworkSpec, denoiser: Learnt) -> Loss:
    """What a denoiser of planes is trained by, `loss(x, generator, **condition)`."""
    loss: Loss = restoring(denoiser, spoiled(Blend()))
    if spec.predict != "restored":
        loss = noisy(spec, denoiser)
    return forgetting(loss, NULL) if "label" in spec.knows else loss


def noisy(spec: NetworkSpec, denoiser: Denoiser) -> Loss:
    """The denoising loss, with the recipe's noise."""
    source = NOISES[spec.noise]()

    def loss(x: Tensor, generator: torch.Generator, **condition: Tensor) -> Tensor:
        t = denoiser.schedule.time(levels(spec.between, len(x), generator))
        return denoising_loss(denoiser, x, t, source(x, generator), WEIGHTS[spec.weight], **condition)

    return loss


def guided(spec: object, denoiser: Denoiser) -> Denoiser:
    """The denoiser as it is asked: guided towards the class of a picture, if the recipe says so."""
    if isinstance(spec, NetworkSpec) and spec.guidance and "label" in spec.knows:
        return ClassifierFree(denoiser, NULL, spec.guidance)
    return denoiser


def head(asked: ScoreSpec, channels: int, seed: int) -> Segmented:
    """A score with a head that marks anomalies, untrained."""
    spec = cast(NetworkSpec, asked.net)
    return cast(Segmented, question(asked, net=seeded(Segmenter, seed, channels=2 * channels, width=spec.width)))


def marking(score: AnomalyScore, denoiser: Denoiser) -> Loss:
    """What a head is trained by: synthetic anomalies on every other picture."""
    spoil = Blend()

    def half(x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        bad, mask = spoil(x, generator)
        spared = (torch.rand(len(x), generator=generator) >= SPOILT)[:, None, None, None]
        return torch.where(spared, x, bad), mask & ~spared

    return segmenting(cast(Segmented, score), denoiser, half)
