r"""Kinds of defects in pictures, by the names that people have for them: where each lies, and a rough sketch of it,

.. math:: x \to x + p \, (y - x), \qquad \mathrm{rms}(y - x) \ge k \, s,

y what it looks like, p how far it reaches at a pixel of the region, s the deviation of what is around the region: so a
sketch is as clear on a rough surface as on a smooth one. No sketch is an anomaly yet. The model of normal pictures
draws it over, from the level of its kind.
"""

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, grid_sample, max_pool2d, pad

from anodiff.anomalies.fill import Sketch
from anodiff.anomalies.paste import membrane
from anodiff.anomalies.places import Blob, Cracks, Spot, Stroke
from anodiff.anomalies.where import Where, uniform
from anodiff.diffusion.sources import gradient_noise
from anodiff.types import Batch, Mask

CLEAR, CLEARER = (3.0, 6.0), (5.0, 10.0)
"""How many deviations of its surroundings a sketch differs from them, least and most; what is thin needs more."""
FAINTEST = 0.4
"""The least difference of a sketch, of the 2 from black to white: less is not seen."""
THIN = 0.2
"""A region that is so thin, its width by its length, is a line as it is."""
FEWEST = 12
"""Pixels of a line in a region; what is smaller is drawn as it is."""


@dataclass(frozen=True)
class ImageKind:
    """One kind of defect.

    Attributes:
        name: By which it is ordered.
        place: Where it lies when nothing else is asked for.
        level: Of the noise that its sketch is drawn over from, in units of pixels from -1 to 1.
        about: What it is, in a few words.
        draw: The sketch.
        line: Whether it is a line, which does not fill a region that is none.
    """

    name: str
    place: Where
    level: float
    about: str
    draw: Sketch = field(repr=False)
    line: bool = False

    def sketch(self, x: Batch, region: Mask, generator: torch.Generator) -> Batch:
        """What the region is roughly to look like; outside it x is returned.

        Args:
            x: Pictures `(B, C, h, w)` from -1 to 1.
            region: `(B, C, h, w)`.
            generator: On the CPU.
        """
        return torch.where(region, self.draw(x, region, generator).clamp(-1, 1).to(x), x)

    def within(self, region: Mask, generator: torch.Generator) -> Mask:
        """The part `(B, h, w)` of a region `(B, h, w)` that it takes: of a broad one a line takes a line."""
        return line_within(region, generator) if self.line else region


def scratch(x: Batch, region: Mask, generator: torch.Generator) -> Batch:
    """Brighter or darker, most at the core, and not everywhere as deep."""
    deep = 0.75 + 0.25 * _relief(x, 6.0, generator)
    return x + soft(region, 1) * deep * contrast(x, region, generator, CLEARER)


def spot(x: Batch, region: Mask, generator: torch.Generator) -> Batch:
    """Brighter or darker than all around."""
    centre, _ = surroundings(x, region)
    return x.lerp(centre + contrast(x, region, generator, CLEARER), soft(region, 1))


def crack(x: Batch, region: Mask, generator: torch.Generator) -> Batch:
    """Dark, with ragged edges; light where nothing could be darker."""
    centre, _ = surroundings(x, region)
    side = torch.where(centre.mean(1, keepdim=True) - FAINTEST >= -1, -1.0, 1.0)
    ragged = (0.85 + 0.3 * _relief(x, 24.0, generator)).clamp(0.4, 1.0)
    return x + side * soft(region, 1) * ragged * contrast(x, region, generator, CLEARER).abs()


def stain(x: Batch, region: Mask, generator: torch.Generator) -> Batch:
    """The same surface in another light: brightness and colour multiplied, the texture shows through."""
    centre, _ = surroundings(x, region)
    bright, lit = ((v + 1).clamp(min=FAINTEST) for v in (centre, x))
    wanted = bright + contrast(x, region, generator) * (1 + 0.5 * _tint(x, generator))
    factor = (wanted / bright).clamp(0.2, 4.0)
    cloudy = 1 + 0.3 * _relief(x, 4.0, generator)
    return x + soft(region, 2) * cloudy * (factor - 1) * lit


def missing(x: Batch, region: Mask, generator: torch.Generator) -> Batch:
    """What lies behind: the background, or what is around it continued; a shade of it where that would not be seen."""
    around = membrane(x, ~region.any(1, keepdim=True))
    rim = torch.cat([v.flatten(2) for v in (x[..., :2, :], x[..., -2:, :], x[..., :2], x[..., -2:])], 2)
    behind = rim.median(2).values[..., None, None].expand_as(x)
    either = torch.rand(len(x), 1, 1, 1, generator=generator).to(x.device) < 0.5
    filled = torch.where(either, around, behind)
    step = contrast(x, region, generator)
    return torch.where(_apart(filled, x, region) >= 0.5 * step.abs(), filled, filled + step)


def contamination(x: Batch, region: Mask, generator: torch.Generator) -> Batch:
    """A foreign body of a colour and a grain of its own."""
    centre, _ = surroundings(x, region)
    step = contrast(x, region, generator, CLEARER)
    colour = centre + step * (1 + _tint(x, generator))
    return colour + 0.3 * step.abs() * _relief(x, 12.0, generator)


def texture(x: Batch, region: Mask, generator: torch.Generator) -> Batch:
    """The surface's own texture in another way: blurred, coarser or turned, and stronger than it is."""
    low = _blurred(x, max(2, min(x.shape[2:]) // 16))
    coarse, turned = (_warped(x - low, scale, angle) for scale, angle in ((0.45, 0.3), (1.0, math.pi / 2)))
    made = torch.stack([torch.zeros_like(x), 3.0 * coarse, 3.0 * turned])
    kind = torch.randint(len(made), (len(x),), generator=generator).to(x.device)
    chosen = made[kind, torch.arange(len(x), device=x.device)]
    lacking = (0.75 * FAINTEST - _apart(low + chosen, x, region)).clamp(min=0)
    return low + chosen + 3 * lacking * _relief(x, 20.0, generator)


IMAGE_KINDS: dict[str, ImageKind] = {
    kind.name: kind
    for kind in (
        ImageKind("scratch", Stroke(), 0.12, "a bright or dark line with a soft core", scratch, True),
        ImageKind("spot", Spot(), 0.2, "a small bright or dark disc", spot),
        ImageKind("crack", Cracks(), 0.12, "a thin, dark, crooked line with branches", crack, True),
        ImageKind("stain", Blob((0.01, 0.08)), 0.3, "a soft blob of another brightness or colour", stain),
        ImageKind("missing", Blob((0.01, 0.06), rough=0.4), 0.3, "a part is gone: what is behind it shows", missing),
        ImageKind(
            "contamination", Blob((0.002, 0.02)), 0.3, "a foreign body of another colour and grain", contamination
        ),
        ImageKind("texture", Blob((0.02, 0.1)), 0.3, "the surface blurred, coarser or turned", texture),
    )
}
"""By the names that users order them by."""


def contrast(x: Batch, region: Mask, generator: torch.Generator, clear: tuple[float, float] = CLEAR) -> Tensor:
    """A difference `(B, 1, 1, 1)` from the surroundings that is seen, to the side that has room for it."""
    centre, spread = (v.mean(1, keepdim=True) for v in surroundings(x, region))
    size = (uniform(len(x), clear, generator).to(x)[:, None, None, None] * spread).clamp(FAINTEST, 1.4)
    side = torch.randint(2, (len(x), 1, 1, 1), generator=generator).to(x) * 2 - 1
    fits = (centre + side * size).abs() <= 1
    return size * torch.where(fits, side, -torch.sign(centre + 1e-6))


def surroundings(x: Batch, region: Mask) -> tuple[Tensor, Tensor]:
    """Mean and deviation `(B, C, 1, 1)` of what lies around the region, a sixteenth of the picture wide."""
    width = max(2, min(x.shape[2:]) // 16)
    inside = region.any(1, keepdim=True)
    ring = (max_pool2d(inside.to(x), 2 * width + 1, 1, width) > 0) & ~inside
    weight = torch.where(ring.any(3, keepdim=True).any(2, keepdim=True), ring, torch.ones_like(ring)).to(x)
    total = weight.sum((2, 3), keepdim=True)
    mean = (weight * x).sum((2, 3), keepdim=True) / total
    return mean, ((weight * (x - mean).square()).sum((2, 3), keepdim=True) / total).sqrt()


def soft(region: Mask, width: int) -> Tensor:
    """How far inside a region each of its pixels lies: about half at its edge, 1 from `width` pixels on, 0 outside."""
    inside = region.to(torch.float32)
    beside = pad(inside, [width] * 4, "replicate")
    near = avg_pool2d(beside, 2 * width + 1, 1)
    return inside * (near / near.amax((2, 3), keepdim=True).clamp(min=1e-6)).clamp(min=0.5)


def line_within(region: Mask, generator: torch.Generator) -> Mask:
    """A bent line along the longest axis of a region `(B, h, w)`; a region that is thin already, as it is.

    Args:
        region: `(B, h, w)`.
        generator: On the CPU.
    """
    count, height, width = region.shape
    weight = region.to(torch.float32).cpu()
    area = weight.sum((1, 2)).clamp(min=1)
    down, right = torch.arange(height).float()[None, :, None], torch.arange(width).float()[None, None]
    middle = [(weight * v).sum((1, 2), keepdim=True) / area[:, None, None] for v in (down, right)]
    off = (down - middle[0], right - middle[1])
    second = [(weight * off[a] * off[b]).sum((1, 2)) / area for a, b in ((0, 0), (0, 1), (1, 1))]
    angle = 0.5 * torch.atan2(2 * second[1], second[2] - second[0])
    half = 0.5 * (second[0] + second[2]), torch.hypot(0.5 * (second[2] - second[0]), second[1])
    length, breadth = (v.clamp(min=0.08).sqrt() for v in (half[0] + half[1], half[0] - half[1]))
    thick = 12**0.5 * breadth
    # A crooked line is as long as it is, but its area says how thin it is.
    thin = torch.minimum(thick, area / (12**0.5 * length)) <= THIN * 12**0.5 * length
    angle = angle + uniform(count, (-0.3, 0.3), generator)
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    along, across = cos * off[1] + sin * off[0], cos * off[0] - sin * off[1]
    bend, shift = torch.randn(2, count, 1, 1, generator=generator)
    unit = along / length[:, None, None]
    curve = breadth[:, None, None] * (0.3 * bend * (unit.square() - 1) + 0.2 * shift)
    line = (across - curve).abs() <= (0.05 * area.sqrt()).clamp(min=1.0)[:, None, None]
    kept = line.to(region.device) & region
    whole = thin.to(region.device) | (kept.flatten(1).sum(1) < FEWEST)
    return torch.where(whole[:, None, None], region, kept)


def _apart(one: Batch, other: Batch, region: Mask) -> Tensor:
    """Root of the mean square difference in the region, `(B, 1, 1, 1)`."""
    cells = region.sum((1, 2, 3), keepdim=True).clamp(min=1)
    return (((one - other).square() * region).sum((1, 2, 3), keepdim=True) / cells).sqrt()


def _relief(x: Batch, frequency: float, generator: torch.Generator) -> Tensor:
    """Gradient noise `(B, 1, h, w)`, mostly from -1 to 1."""
    noise = gradient_noise(torch.zeros(len(x), *x.shape[2:]), min(frequency, min(x.shape[2:]) / 2), generator)
    return (2 * noise[:, None]).to(x).clamp(-1.5, 1.5)


def _tint(x: Batch, generator: torch.Generator) -> Tensor:
    """How much more of each colour `(B, C, 1, 1)`; nothing in a grey picture."""
    drawn = uniform(len(x) * x.shape[1], (-1.0, 1.0), generator).reshape(len(x), x.shape[1], 1, 1).to(x)
    grey = (x == x[:, :1]).flatten(1).all(1)[:, None, None, None]
    return torch.where(grey, torch.zeros_like(drawn), drawn)


def _blurred(x: Batch, width: int) -> Batch:
    return avg_pool2d(pad(x, [width] * 4, "replicate"), 2 * width + 1, 1)


def _warped(x: Batch, scale: float, angle: float) -> Batch:
    """x scaled and turned about its middle, mirrored at its edges."""
    height, width = x.shape[2:]
    down, right = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    cos, sin = math.cos(angle), math.sin(angle)
    grid = scale * torch.stack([cos * right - sin * down, sin * right + cos * down], -1)
    return grid_sample(x, grid.to(x).expand(len(x), -1, -1, -1), padding_mode="reflection", align_corners=True)
