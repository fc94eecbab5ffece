"""Known anomalies of pictures as they are given, for a generator: their kinds, and where they are abnormal."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anodiff.anomalies.fewshot import Examples, suspicious
from anodiff.data.masks import in_frame, masks_of
from anodiff.data.pictures import album
from anodiff.made import NORMAL
from anodiff.modalities.image import Image
from anodiff.types import Misfit
from anodiff.workshop.pictures.glance import Glance
from anodiff.workshop.pictures.originals import Originals, originals

KNOWN = "known"
"""The kind of examples of which none is said."""
MOST = 100
"""Examples that are learnt from at most."""
SAME = 0.002
"""The mean difference, from -1 to 1, below which two pictures are the same."""


def known_pictures(
    examples: Any, regions: Any, kinds: Any, image: Image, glance: Glance, normal: Originals
) -> Examples:
    """Read known anomalies. Where no mask is given, or an empty one, the region is where a glance is most surprised.

    Args:
        examples: Whatever an album is made of; in a folder of folders these are the kinds.
        regions: Their masks, see `anodiff.data.masks.masks_of`.
        kinds: Of each; None for the folders' names.
        image: How pictures are read.
        glance: At them.
        normal: The pictures of fit.

    Raises:
        Unreadable: none of the examples can be read, or a mask cannot.
        Misfit: there are more or fewer masks or kinds than examples, a mask has another size than its picture or covers
            it, or an example is among the normal pictures.
    """
    given = album(examples)
    if len(given) > MOST:
        raise Misfit(f"{len(given)} examples are more than few; give at most {MOST}, 1 to 10 of each kind.")
    found = originals(given, image)
    at = [given.names.index(name) for name in found.names]
    named = kinds_of(given.names, kinds)
    refuse_normal(found, normal)
    paths = [item.as_posix() if isinstance(item, Path) else given.names[i] for i, item in enumerate(given.items)]
    sizes: list[tuple[int, int] | None] = [None] * len(given)
    for i, pixels in zip(at, found.pixels, strict=True):
        sizes[i] = (pixels.shape[0], pixels.shape[1])
    masks = masks_of(regions, paths, sizes)
    guessed = suspicious(glance(found.x), int(image.size))
    for k, i in enumerate(at):
        mask = masks[i]
        if mask is not None and mask.all():
            raise Misfit(f"the mask of example {found.names[k]} covers all of it; leave some of it normal.")
        if mask is not None and mask.any():
            guessed[k] = torch.from_numpy(in_frame(mask, image.square))
    return Examples(found.x, guessed, [named[i] for i in at])


def kinds_of(names: Sequence[str], kinds: Any) -> list[str]:
    """The kind of each example: as said, else the outermost folder that it lies in.

    Raises:
        Misfit: they are not one word for each.

    >>> kinds_of(["crack/1.png", "2.png"], None)
    ['crack', 'known']
    """
    if kinds is None:
        return [name.split("/", 1)[0] if "/" in name else KNOWN for name in names]
    said = [kinds] * len(names) if isinstance(kinds, str) else [str(kind) for kind in kinds]
    if len(said) != len(names):
        raise Misfit(f"there are {len(said)} kinds for {len(names)} examples; give one for each.")
    reserved = [kind for kind in said if kind in (NORMAL, "auto", "")]
    if reserved:
        raise Misfit(f"a kind of the examples is {reserved[0]!r}, which is taken; give it another name.")
    return said


def refuse_normal(found: Originals, normal: Originals) -> None:
    """Refuse examples that are among the normal pictures.

    Raises:
        Misfit: one is.
    """
    others = _thin(normal.x)
    for name, own in zip(found.names, _thin(found.x), strict=True):
        away = (others - own).abs().mean(1)
        if float(away.min()) <= SAME:
            raise Misfit(
                f"example {name} is among the normal pictures, as {normal.names[int(away.argmin())]}; take it out of X."
            )


def _thin(x: Tensor) -> Tensor:
    step = max(1, x.shape[2] // 32)
    return x[:, :, ::step, ::step].flatten(1)


def as_arrays(examples: Examples) -> dict[str, np.ndarray]:
    """To be saved: pictures in 8 bits, and regions."""
    levels = ((examples.x + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return {"x": levels.numpy(), "region": examples.region.to(torch.uint8).numpy()}


def from_arrays(x: np.ndarray, region: np.ndarray, kinds: Sequence[str]) -> Examples:
    """The inverse of `as_arrays`."""
    return Examples(torch.from_numpy(x).float() / 127.5 - 1, torch.from_numpy(region) > 0, list(kinds))
