"""What is ordered of pictures: the kind of each item, and where it is put, by a place, its kind, examples or masks."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from anodiff.anomalies.fewshot import Examples
from anodiff.anomalies.given_places import LearntPlace
from anodiff.anomalies.image_kinds import IMAGE_KINDS
from anodiff.anomalies.places import IMAGE_PLACES, image_place
from anodiff.made import NORMAL, Order, one_of_these
from anodiff.modalities.image import Image
from anodiff.types import Mask, Misfit
from anodiff.workshop.pictures.originals import Originals, drawn_masks, framed_masks

AUTO, EXAMPLES, USUAL, GIVEN, UNLIKELY = "auto", "examples", "blob", "given", "unlikely"


def kinds_ordered(order: Order, kinds: Sequence[str], known: Examples | None) -> tuple[list[str], list[int]]:
    """The kind of each item, and which example each is to resemble, -1 for none.

    Where there are examples, theirs are the kinds that "auto" takes in turns, else all are.

    Raises:
        Misfit: there is no such kind or example; the sentence names the choices.
    """
    if order.like is not None:
        if known is None or order.like >= len(known):
            count = 0 if known is None else len(known)
            raise Misfit(f"like is {order.like}; there are {count} examples to resemble, counted from 0.")
        return [known.kinds[order.like]] * order.n, [order.like] * order.n
    if order.kind == AUTO:
        general = kinds if known is None else known.names
        found = [general[i % len(general)] for i in range(order.n)]
    else:
        found = [one_of_these("kind", order.kind, [*kinds, AUTO, NORMAL], "images")] * order.n
    draw = np.random.default_rng(order.seed)
    groups = [known.of(kind) if known is not None else [] for kind in found]
    return found, [int(draw.choice(group)) if group else -1 for group in groups]


def regions_ordered(
    order: Order,
    kinds: Sequence[str],
    chosen: Sequence[int],
    before: Originals,
    image: Image,
    places: Sequence[str],
    examples: Examples | None,
) -> tuple[Mask, list[str], list[np.ndarray]]:
    """Regions in the frame `(n, S, S)`, the place of each, and on the pictures at their own size.

    Raises:
        Misfit: there is no such place, or a mask is not that of its picture.
        Unreadable: masks cannot be read.
    """
    where, side = order.where, int(image.size)
    if not isinstance(where, str) or (where not in (*places, AUTO) and Path(where).exists()):
        drawn = drawn_masks(where, before)
        return framed_masks(drawn, image.square), [GIVEN] * order.n, drawn
    where = one_of_these("where", where, [AUTO, *places], "images")
    region, names = placed(kinds, chosen, where, order.size, side, examples, order.seed)
    return region, names, before.regions(image, region)


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
