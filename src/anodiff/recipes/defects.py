"""Known defects as they are given: pictures and masks that become planes and places."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anodiff.data.masks import Marks, in_frame, masks_of
from anodiff.data.pictures import Picture, Unread, album
from anodiff.data.stack import Stack
from anodiff.data.twins import thumbnail
from anodiff.modalities.planes import Planes
from anodiff.types import Misfit, Unreadable

SAME = 0.01
"""Planes that differ by less, relative to what is in them, are of one picture; a stack keeps half precision."""


@dataclass(frozen=True)
class Defects:
    """Known defects.

    Attributes:
        names: Of k pictures.
        planes: By name, `(k, C, h, w)`.
        regions: Where each defect is, `(S, S)` bool in the frame of the pictures; None where nobody knows.
        thumbnails: Of the pictures, `(k, d)`.
        notes: Sentences on pictures and masks that say nothing.
    """

    names: list[str]
    planes: dict[str, Tensor]
    regions: list[Marks]
    thumbnails: np.ndarray
    notes: list[str]

    def __len__(self) -> int:
        return len(self.names)

    def part(self, at: np.ndarray) -> "Defects":
        """Some of them, by place."""
        planes = {name: plane[torch.from_numpy(at)] for name, plane in self.planes.items()}
        names, regions = ([each[k] for k in at] for each in (self.names, self.regions))
        return Defects(names, planes, regions, self.thumbnails[at], self.notes)


def defects(planes: Planes, examples: Any, regions: Any = None) -> Defects:
    """Read known defects. One that cannot be read is left out of a folder, a mask that marks nothing counts as unknown.

    Args:
        planes: What pictures become.
        examples: Whatever an album is made of.
        regions: Their masks, see `anodiff.data.masks.masks_of`.

    Raises:
        Unreadable: there are none, none can be read, or a mask cannot.
        Misfit: there are more or fewer masks than examples, or one has another size than its picture.
    """
    found = list(album(examples).pictures(planes.square))
    read = [each for each in found if isinstance(each, Picture)]
    unread = [each for each in found if isinstance(each, Unread)]
    if not read:
        raise Unreadable(f"not one of {len(found)} examples can be read; {unread[0]}")
    names = [each.name if isinstance(each, Unread) or each.path is None else each.path.as_posix() for each in found]
    masks = masks_of(regions, names, [each.size if isinstance(each, Picture) else None for each in found])
    masks = [mask for mask, each in zip(masks, found, strict=True) if isinstance(each, Picture)]
    marks = [None if mask is None or not mask.any() else in_frame(mask, planes.square) for mask in masks]
    marks = [mark if mark is not None and mark.any() else None for mark in marks]
    blank = [p.name for p, mask, mark in zip(read, masks, marks, strict=True) if mask is not None and mark is None]
    notes = []
    if unread:
        notes.append(f"{len(unread)} of {len(found)} examples cannot be read and are left out: {unread[0]}")
    if blank:
        more = f", nor do {len(blank) - 1} more" if len(blank) > 1 else ""
        notes.append(f"the mask of example {blank[0]} marks nothing that is seen{more}; where it is counts as unknown.")
    return Defects([each.name for each in read], planes.encode(read), marks, _thumbnails(planes, read), notes)


def refuse_normal(known: Defects, stack: Stack, thumbnails: np.ndarray, names: Sequence[str]) -> None:
    """Refuse known defects that are among the normal pictures.

    Args:
        known: Known defects.
        stack: The planes of n normal pictures.
        thumbnails: Of these, `(n, d)`.
        names: Of these.

    Raises:
        Misfit: a picture is in both.
    """
    like = min(stack.shapes, key=lambda name: int(np.prod(stack.shapes[name])))
    for name, own, small in zip(known.names, known.planes[like], known.thumbnails, strict=True):
        for place in np.argsort(-(thumbnails @ small), kind="stable")[:3]:
            away = (stack.plane(like, [int(place)])[0] - own).abs().max()
            if float(away) <= SAME * float(own.abs().max()):
                raise Misfit(f"example {name} is among the normal pictures, as {names[place]}; take it out of X.")


def _thumbnails(planes: Planes, pictures: Sequence[Picture]) -> np.ndarray:
    shown = planes.image_.decode(planes.image_.encode(pictures).x)
    return np.stack([thumbnail(each if each.ndim == 2 else each.mean(2)) for each in shown])
