"""Networks of windows: built as a recipe says, and trained to denoise, to fill in, or to tell how noisy one is."""

from collections.abc import Callable, Generator, Mapping
from typing import cast

import torch
from torch import Tensor, nn

from anodiff.diffusion.denoise import WEIGHTS, Denoiser, Preconditioned, denoising_loss
from anodiff.diffusion.gaussian import Gaussian
from anodiff.diffusion.infilling import Cellwise, Given, Infilling
from anodiff.diffusion.leading import Leading, leading_gaussian
from anodiff.diffusion.masked import MASKS, forgetting, infilling, masked_denoising
from anodiff.diffusion.noise import Schedule
from anodiff.diffusion.spectral import Loss, Spectral, drawn, over, spectral
from anodiff.modalities.windows import View
from anodiff.nets import NETS
from anodiff.nets.mlp import MLP, seeded
from anodiff.recipes.build import PREDICTIONS, question
from anodiff.recipes.knowing import Knowing
from anodiff.recipes.specs import NetworkSpec, ScoreSpec
from anodiff.scores import SCORES
from anodiff.scores.time import CategoricalTime
from anodiff.training import Step, batches, train
from anodiff.types import Misfit

FORGOTTEN = 0.1
"""Share of the windows of which a network is not told what it may know: it has to answer of strangers too."""


def network(
    spec: NetworkSpec, view: View, width: int, knowing: Knowing, seed: int, process: Schedule, gaussian: Gaussian | None
) -> Denoiser:
    """An untrained network for windows of `width` channels; a spectral or infilling one stands on a Gaussian.

    Raises:
        Misfit: only some directions are asked for of a network that is not a spectral perceptron.
    """
    if spec.directions is not None and (spec.predict, spec.net) != ("spectral", "mlp"):
        raise Misfit(f"directions are for spectral networks of kind mlp; this one is {spec.predict}, {spec.net}.")
    quiet = spec.predict in ("spectral", "infilling")
    settings = {"width": spec.width, "depth": spec.depth, "silent": quiet, **knowing.told(spec.knows)}
    if gaussian is not None and spec.directions is not None:
        inner = leading_gaussian(gaussian, spec.directions)
        net = seeded(NETS["mlp"], seed, channels=1, length=len(inner.values), **settings)
        return Leading(Spectral(net, inner, spec.whitening), gaussian, spec.directions)
    masked = spec.predict == "infilling" or "mask" in spec.knows
    net = seeded(NETS[spec.net], seed, channels=width, length=view.points, masked=masked, **settings)
    if spec.predict == "infilling":
        return Infilling(net, _base(spec, width * view.points, process, gaussian))
    if spec.predict == "edm":
        return Preconditioned(net, process, 1.0 if gaussian is None else _variance(gaussian))
    if spec.predict != "spectral":
        return PREDICTIONS[spec.predict](net, process)
    if gaussian is None:
        raise Misfit("a spectral network stands on a Gaussian; it was given none.")
    return Spectral(net, gaussian, spec.whitening)


def taught(
    made: Denoiser, spec: NetworkSpec, x: Tensor, told: Mapping[str, Tensor], null: Mapping[str, Tensor], seed: int
) -> Generator[Step, None, None]:
    """Train a network on windows `(n, width, points)` of which this is `told` `(n, ...)`; `null` is what unknown is."""
    part, rows = (made.inner, made.coordinates(x)) if isinstance(made, Leading) else (made, x)
    known = {name: value for name, value in told.items() if name in spec.knows}
    loss = _loss(part, spec)
    if known:
        loss = forgetting(loss, {name: null[name] for name in known}, FORGOTTEN)
    yield from _trained(part, over(loss, rows, **known), len(rows), spec, seed)


def own_score(asked: ScoreSpec, spec: NetworkSpec, view: View, width: int, process: Schedule, seed: int) -> nn.Module:
    """A score of windows with an untrained perceptron of its own.

    Raises:
        Misfit: it is to be another network than a perceptron.
    """
    if spec.net != "mlp":
        raise Misfit(f"{asked.use} has a network of kind mlp; this one is {spec.net}.")
    outputs = asked.settings.get("bins", 20) if SCORES[asked.use] is CategoricalTime else 1
    sizes = {"inputs": width * view.points, "outputs": outputs, "width": spec.width, "depth": spec.depth}
    net = nn.Sequential(nn.Flatten(), seeded(MLP, seed, levelled=False, **sizes))
    return cast(nn.Module, question(asked, net=net, schedule=process))


def own_taught(made: nn.Module, spec: NetworkSpec, x: Tensor, seed: int) -> Generator[Step, None, None]:
    """Train the network of such a score on windows `(n, width, points)`."""
    loss = cast(Callable[[Tensor, torch.Generator], Tensor], made.loss)
    yield from _trained(made, over(loss, x), len(x), spec, seed)


def _trained(
    part: nn.Module, loss: Callable[[Tensor, torch.Generator], Tensor], rows: int, spec: NetworkSpec, seed: int
) -> Generator[Step, None, None]:
    generator = torch.Generator().manual_seed(seed)
    places = batches(torch.arange(rows), spec.batch, spec.steps, generator)
    yield from train(part, loss, places, spec.steps, generator, spec.lr)


def _loss(part: Denoiser, spec: NetworkSpec) -> Loss:
    masks = [MASKS[name] for name in spec.masks]
    if isinstance(part, Spectral):
        return spectral(part, spec.between)
    if isinstance(part, Infilling):
        return infilling(part, spec.between, masks)
    if "mask" in spec.knows:
        return masked_denoising(part, spec.between, masks, WEIGHTS[spec.weight])
    return _denoising(part, spec)


def _denoising(denoiser: Denoiser, spec: NetworkSpec) -> Loss:
    """The loss of a denoiser that may be told conditions."""

    def loss(x: Tensor, generator: torch.Generator, **condition: Tensor) -> Tensor:
        t, noise = drawn(x, denoiser.schedule, spec.between, generator)
        return denoising_loss(denoiser, x, t, noise, WEIGHTS[spec.weight], **condition)

    return loss


def _base(spec: NetworkSpec, cells: int, process: Schedule, gaussian: Gaussian | None) -> Given | Cellwise:
    if spec.base == "cellwise":
        blank = torch.zeros(cells, dtype=torch.float64)
        return Cellwise(*((blank, blank) if gaussian is None else Given(gaussian).alone), process)
    if gaussian is None:
        raise Misfit("an infilling network stands on a Gaussian; it was given none.")
    return Given(gaussian)


def _variance(gaussian: Gaussian) -> float:
    """The mean variance of a cell."""
    return float(Given(gaussian).alone[1].mean())
