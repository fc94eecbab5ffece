r"""What the steps of a walk buy: regions of normal items are filled anew at a = 0, in few steps and in many,

.. math:: F\big(\{x'_R\}, \{x_R\}\big),

the Frechet distance of what is in the regions to what was there: pixels' features of crops, rows, pieces of series.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anodiff.anomalies.fill import Hotter
from anodiff.anomalies.where import Boxes
from anodiff.bench.generation.orders import Fitted, Parts
from anodiff.diffusion.denoise import Denoiser
from anodiff.diffusion.infilling import Told
from anodiff.metrics.quality import frechet_distance
from anodiff.rounds.items import pictures
from anodiff.types import JSON

STEPS = (1, 2, 4, 8, 16, 32)
CROP, MOST = 64, 64

Ground = tuple[Denoiser, Tensor, Tensor, float, Callable[[Tensor], np.ndarray]]
"""A denoiser of normal items, items `(n, *event)`, regions, the level of a walk's start, and what items look like."""


def walks(fitted: Fitted, parts: Parts, n: int, seed: int) -> Iterator[JSON]:
    """A record for each number of steps; nothing for series, whose fills are draws of a Gaussian in closed form."""
    del n
    generator, kind = fitted.generator, fitted.generator.kind_
    if kind == "series":
        return
    grounds: dict[str, Callable[[Any, Parts, int], Ground]] = {"image": of_pictures, "tabular": of_rows}
    denoiser, x, region, level, look = grounds[kind](generator.inner_, parts, seed)
    real = look(x)
    half = len(x) // 2
    for steps in STEPS:
        began = time.perf_counter()
        made = Hotter(denoiser, level, steps, pin=Told)(x, region, torch.zeros(len(x)), seed)
        seconds = time.perf_counter() - began
        yield {
            "what": "walk",
            "steps": steps,
            "milliseconds": 1000 * seconds / len(x),
            "frechet": frechet_distance(real, look(made)),
            "frechet_of_halves": frechet_distance(real[:half], real[half:]),
        }


def of_rows(inner: Any, parts: Parts, seed: int) -> Ground:
    """Half of the columns of held-out rows, in normal scores."""
    from anodiff.data.readers import read

    shop = inner.workshop_
    x = shop.tensor(inner.ranked_.encode(read(parts.held)))
    region = torch.rand(x.shape, generator=torch.Generator().manual_seed(seed)) < 0.5
    return shop.model, x, region, 10.0, lambda rows: rows.double().numpy()


def of_pictures(inner: Any, parts: Parts, seed: int) -> Ground:
    """Boxes in crops of held-out pictures, and what the embedded backbone sees of the crops."""
    from anodiff.bench.images.seen import frozen

    image = inner.image_
    shown = image.encode(as_pictures(pictures(parts.held[:MOST])[0])).x
    draw = torch.Generator().manual_seed(seed)
    corner = torch.randint(shown.shape[2] - CROP, (len(shown), 2), generator=draw).tolist()
    x = torch.stack([one[:, a : a + CROP, b : b + CROP] for one, (a, b) in zip(shown, corner, strict=True)])
    region = Boxes((0.2, 0.3))((len(x), CROP, CROP), draw)[:, None].expand_as(x)
    seen = frozen(("s8", "s16"))

    def look(crops: Tensor) -> np.ndarray:
        wide = crops.expand(-1, 3, -1, -1) if crops.shape[1] == 1 else crops
        with torch.no_grad():
            return torch.cat([layer.mean((2, 3)) for layer in seen(wide.float())], 1).double().numpy()

    return inner.painter_, x, region, inner_level(), look


def inner_level() -> float:
    """Where painters begin."""
    from anodiff.workshop.pictures.brush import LEVEL

    return LEVEL


def as_pictures(arrays: list[np.ndarray]) -> list[Any]:
    """Arrays as pictures of an album."""
    from anodiff.data.pictures import album

    return list(album(arrays).pictures(256))
