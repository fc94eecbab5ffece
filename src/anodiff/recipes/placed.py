"""Where anomalies of pictures are put: regions in the frame, by the name of a place, the kind, or the examples."""

from collections.abc import Sequence

import torch
from torch import Tensor

from anodiff.anomalies.fewshot import Examples
from anodiff.anomalies.given_places import LearntPlace
from anodiff.anomalies.image_kinds import IMAGE_KINDS
from anodiff.anomalies.places import IMAGE_PLACES, image_place
from anodiff.types import Mask

AUTO, EXAMPLES, USUAL = "auto", "examples", "blob"


def placed(
    kinds: Sequence[str],
    chosen: Sequence[int],
    where: str,
    size: tuple[float, float] | None,
    side: int,
    examples: Examples | None,
    seed: int,
) -> tuple[Mask, list[str]]:
    """Regions `(n, S, S)` and the name of the place of each.

    Args:
        kinds: Of the items.
        chosen: Which example each is to resemble, -1 for none.
        where: A place by name, "examples", or "auto" for the kind's own.
        size: Least and most share of the picture; None for the place's own.
        side: S.
        examples: Known anomalies.
        seed: Of every draw.
    """
    generator = torch.Generator().manual_seed(seed)
    found, names = [], []
    for kind, like in zip(kinds, chosen, strict=True):
        name = place_of(kind, like) if where == AUTO else where
        if name == EXAMPLES and examples is not None:
            region = learnt_region(examples, like, size, side, generator)
        elif where == AUTO and size is None and like < 0 and kind in IMAGE_KINDS:
            region = IMAGE_KINDS[kind].place((1, side, side), generator)
        else:
            region = image_place(name, size)((1, side, side), generator)
        found.append(IMAGE_KINDS[kind].within(region, generator) if like < 0 and kind in IMAGE_KINDS else region)
        names.append(name)
    return torch.cat(found), names


def place_of(kind: str, like: int) -> str:
    """The name of the place where a kind lies when nothing else is asked for."""
    if like >= 0:
        return EXAMPLES
    if kind not in IMAGE_KINDS:
        return USUAL
    own = type(IMAGE_KINDS[kind].place)
    return next(name for name, place in IMAGE_PLACES.items() if own is place)


def learnt_region(
    examples: Examples, like: int, size: tuple[float, float] | None, side: int, generator: torch.Generator
) -> Tensor:
    """One region `(1, S, S)`, where anomalies like an example sit and of its shape; of any of them where it is -1."""
    alike = examples.of(examples.kinds[like]) if like >= 0 else list(range(len(examples)))
    shape = torch.tensor([alike.index(like)]) if like >= 0 else None
    return LearntPlace(examples.region[alike], size)((1, side, side), generator, like=shape)
