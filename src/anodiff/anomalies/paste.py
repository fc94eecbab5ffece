r"""Anomalies by pasting: what lies under a mask gives way to something else,

.. math:: x' = x + \beta m (e - x) .

Pastes differ in the content e: another picture's texture or noise (DRAEM), the picture's own content from elsewhere
(CutPaste), either without a seam (NSA). They cost no network: a generator has to beat them.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad

from anodiff.anomalies.where import Blobs, Boxes, Where, uniform
from anodiff.diffusion.sources import Octaves
from anodiff.types import Batch, Mask

Spoiler = Callable[[Tensor, torch.Generator], tuple[Tensor, Tensor]]
"""`(x (B, C, H, W), generator) -> (x_bad, mask (B, 1, H, W))`, True exactly where the two pictures differ."""

Texture = Callable[[Tensor, torch.Generator], Tensor]


class Pasting(ABC):
    """A `Spoiler` that pastes. Think twice before adding anything here, every paste carries it.

    Args:
        where: Places.
        opacity: The beta, least and most, drawn for each picture.
        foreground: `(B, C, H, W) -> (B, H, W)`, True where an anomaly may lie; everywhere by default.
    """

    def __init__(
        self, where: Where, opacity: tuple[float, float], foreground: Callable[[Tensor], Tensor] | None = None
    ) -> None:
        self.where = where
        self.opacity = opacity
        self.foreground = foreground

    @abstractmethod
    def content(self, x: Batch, mask: Mask, generator: torch.Generator) -> Batch:
        """What to put under the mask `(B, 1, H, W)` of x `(B, C, H, W)`, shaped like x; elsewhere it is not read."""

    def __call__(self, x: Batch, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Pictures `(B, C, H, W)` with an anomaly each, and `(B, 1, H, W)`, True exactly where they changed."""
        inside = None if self.foreground is None else self.foreground(x)
        mask = self.where((len(x), *x.shape[2:]), generator, inside)[:, None].to(x.device)
        beta = uniform(len(x), self.opacity, generator).to(x)[:, None, None, None]
        content = self.content(x, mask, generator).clamp(x.amin(), x.amax())
        bad = torch.where(mask, x.lerp(content, beta), x)
        return bad, (bad != x).any(1, keepdim=True)


class Blend(Pasting):
    """A texture shines through, of a kind drawn for each picture (Zavrtanik et al., "DRAEM", 2021).

    Args:
        where: Places; `Blobs()` by default.
        opacity: Least and most.
        textures: `(x, generator) -> (B, C, H, W)`; another picture of the batch and noise by default.
        foreground: Where an anomaly may lie.
    """

    def __init__(
        self,
        where: Where | None = None,
        opacity: tuple[float, float] = (0.2, 1.0),
        textures: Sequence[Texture] | None = None,
        foreground: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__(where or Blobs(), opacity, foreground)
        self.textures = textures or (another, waves)

    def content(self, x: Batch, mask: Mask, generator: torch.Generator) -> Batch:
        kind = torch.randint(len(self.textures), (len(x),), generator=generator)
        drawn = torch.stack([texture(x, generator) for texture in self.textures])
        return drawn[kind.to(x.device), torch.arange(len(x), device=x.device)]


class CutPaste(Pasting):
    """What lies elsewhere in the same picture, as large as the mask and moved whole, a little brighter or darker.

    Li, Sohn, Yoon and Pfister, "CutPaste: Self-Supervised Learning for Anomaly Detection and Localization", 2021; with
    long, thin boxes their scars.

    Args:
        where: Places; `Boxes()` by default.
        jitter: Standard deviation of the contrast and, in standard deviations of the picture, of the brightness.
        foreground: Where an anomaly may lie.
    """

    def __init__(
        self,
        where: Where | None = None,
        jitter: float = 0.1,
        foreground: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__(where or Boxes(), (1.0, 1.0), foreground)
        self.jitter = jitter

    def content(self, x: Batch, mask: Mask, generator: torch.Generator) -> Batch:
        moved = x
        for axis, other in ((2, 3), (3, 2)):
            moved = moved.gather(axis, _moved(mask.any(other, keepdim=True), axis, generator).expand_as(x))
        return jittered(moved, self.jitter, generator)


class Seamless(Pasting):
    """Another paste's content, shifted by a smooth membrane so that it meets the picture at the mask's edge.

    Perez, Gangnet and Blake, "Poisson Image Editing", 2003; Schlueter et al., "Natural Synthetic Anomalies for
    Self-Supervised Anomaly Detection and Localization", 2022.

    Args:
        paste: Whose places, opacity and content these are.
        sweeps: Of relaxation, after the membrane was laid from coarse to fine.
    """

    def __init__(self, paste: Pasting, sweeps: int = 16) -> None:
        super().__init__(paste.where, paste.opacity, paste.foreground)
        self.paste = paste
        self.sweeps = sweeps

    def content(self, x: Batch, mask: Mask, generator: torch.Generator) -> Batch:
        content = self.paste.content(x, mask, generator)
        return content + membrane(x - content, ~mask, self.sweeps)


def another(x: Batch, generator: torch.Generator) -> Batch:
    """Another picture of the batch `(B, C, H, W)`, turned over, rolled and of other contrast; of one, itself."""
    step = 1 if len(x) < 3 else int(torch.randint(1, len(x), (), generator=generator))
    y = x.roll(step, 0)
    down, right, over, flip = torch.rand(4, generator=generator).tolist()
    y = y.roll((int(down * x.shape[2]), int(right * x.shape[3])), (2, 3))
    return jittered(y.flip([axis for axis, v in ((2, over), (3, flip)) if v < 0.5]), 0.3, generator)


def waves(x: Batch, generator: torch.Generator) -> Batch:
    """Noise in octaves about each channel's mean, of twice the deviation of x `(B, C, H, W)`."""
    mean, deviation = _moments(x)
    return mean + 2 * deviation * Octaves(octaves=4)(x, generator)


def jittered(x: Batch, amount: float, generator: torch.Generator) -> Batch:
    """x `(B, C, H, W)` of other contrast and brightness, each drawn with the standard deviation `amount`."""
    drawn = amount * torch.randn(2, len(x), 1, 1, 1, generator=generator).to(x)
    mean, deviation = _moments(x)
    return mean + (1 + drawn[0]) * (x - mean) + drawn[1] * deviation


def sparing(spoil: Spoiler, share: float = 0.5) -> Spoiler:
    """The same, but for a share of the pictures, which stay as they are with an empty mask."""

    def now_and_then(x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        bad, mask = spoil(x, generator)
        spared = (torch.rand(len(x), 1, 1, 1, generator=generator) < share).to(x.device)
        return torch.where(spared, x, bad), mask & ~spared

    return now_and_then


def one_of(spoilers: Sequence[Spoiler]) -> Spoiler:
    """For each picture one of several, all equally often."""

    def either(x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        kind = torch.randint(len(spoilers), (len(x),), generator=generator).to(x.device)
        bad, mask = (torch.stack(v) for v in zip(*(spoil(x, generator) for spoil in spoilers), strict=True))
        row = torch.arange(len(x), device=x.device)
        return bad[kind, row], mask[kind, row]

    return either


def membrane(values: Batch, known: Mask, sweeps: int = 16) -> Batch:
    """`values` `(B, C, H, W)`, smoothly continued to where they are not `known` `(B, 1, H, W)`.

    Laid from coarse to fine, each scale by the mean of what is known, then relaxed towards the mean of four neighbours:
    that is Laplace's equation.
    """
    laid = torch.where(known, values, _laid(values * known, known.to(values)))
    for _ in range(sweeps):
        beside = pad(laid, (1, 1, 1, 1), "replicate")
        mean = (beside[..., 2:, 1:-1] + beside[..., :-2, 1:-1] + beside[..., 1:-1, 2:] + beside[..., 1:-1, :-2]) / 4
        laid = torch.where(known, values, mean)
    return laid


def _laid(weighted: Tensor, weight: Tensor) -> Tensor:
    here = weighted / weight.clamp(min=1e-6)
    height, width = weight.shape[2:]
    if bool((weight > 0).all()) or max(height, width) == 1:
        return here
    edge = (0, width % 2, 0, height % 2)
    coarse = _laid(avg_pool2d(pad(weighted, edge), 2), avg_pool2d(pad(weight, edge), 2))
    finer = interpolate(coarse, scale_factor=2.0, mode="bilinear", align_corners=False)[..., :height, :width]
    return torch.where(weight > 0, here, finer)


def _moved(rows: Tensor, axis: int, generator: torch.Generator) -> Tensor:
    """For each place on an axis the place that it is filled from: moved by one amount, so that `rows` stay inside."""
    length = rows.shape[axis]
    place = torch.arange(length, device=rows.device).reshape([-1 if a == axis else 1 for a in range(4)])
    first = torch.where(rows, place, length).amin((1, 2, 3), keepdim=True)
    last = torch.where(rows, place, -1).amax((1, 2, 3), keepdim=True)
    part = torch.rand(len(rows), 1, 1, 1, generator=generator).to(rows.device)
    shift = (part * (length - last + first)).long() - first
    return (place + shift).clamp(0, length - 1)


def _moments(x: Batch) -> tuple[Tensor, Tensor]:
    return x.mean((2, 3), keepdim=True), x.std((2, 3), keepdim=True)
