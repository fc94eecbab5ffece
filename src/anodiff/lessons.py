"""Known defects taught to a gallery that is fitted: its models stay, a head learns what they do not say.

A head needs normal pictures too, to tell defects apart from and to be calibrated on. They are looked at once and serve
as many lessons as are wanted.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch

from anodiff.conditions.label import Label
from anodiff.curate import Held, Raw, batched, blocks, knowing, lesson_of, pairs_of, scaled
from anodiff.data.pictures import Album, Picture, Unread
from anodiff.data.stack import Stack
from anodiff.data.twins import folds, thumbnail, twins
from anodiff.gallery import Gallery, classes_of, grey
from anodiff.recipes.defects import Defects, refuse_normal
from anodiff.recipes.pictured import Seen
from anodiff.recipes.taught import HEAD, Taught
from anodiff.settings import LEAST_ROWS
from anodiff.types import Misfit, Unreadable


@dataclass(frozen=True, eq=False)
class Lessons:
    """Normal pictures that a gallery has not learnt from, looked at.

    Attributes:
        stack: Their planes, standardised.
        said: What the members say of them, by name, maps `(n, h, w)`.
        names: What they are called.
        thumbnails: Of them `(n, d)`.
        unread: Those that could not be read.
    """

    stack: Stack
    said: Raw
    names: list[str]
    thumbnails: np.ndarray
    unread: list[Unread]

    def __len__(self) -> int:
        return len(self.names)

    def taught(self, held: Held, known: Defects, weights: Any = None, seed: int = 0) -> Held:
        """The same gallery with a head that knows these defects and no others, calibrated on these normal pictures.

        Args:
            held: Fitted.
            known: The defects.
            weights: Of them, `(k,)`.
            seed: Of the draw of normal patches and of folds.

        Raises:
            Misfit: weights are not one for each, 0 or more; or a defect is among the normal pictures.
        """
        own = weighed(weights, len(known))
        refuse_normal(known, self.stack, self.thumbnails, self.names)
        bare, groups = replace(held.whole, head=None), twins(self.thumbnails)
        fold, kept = folds(groups, bare.recipe.folds, seed), np.ones(len(self), bool)
        facts = {
            **bare.facts,
            "contamination": {"value": 0.0, "low": 0.0, "high": 0.0},
            "examples": len(known),
            "folds": len(np.unique(fold)),
            "twins": int(len(groups) - len(np.unique(groups))),
        }
        whole = scaled(replace(bare, facts=facts), self.said)
        labels = Label(whole.classes).encode(classes_of(self.names))["label"]
        blank = Held(whole, self.said, self.names, unread=held.unread)
        seen = Seen(self.stack, fold, kept, labels, len(whole.classes))
        return knowing(blank, seen, known, seed) if own is None else aided(blank, seen, known, own, seed)


def lessons(model: Gallery, album: Album, left_out: Raw | None = None) -> Lessons:
    """Look at normal pictures.

    Args:
        model: Fitted.
        album: Normal pictures.
        left_out: What the members said of them when they had not learnt from them; by default they are asked.

    Raises:
        Unreadable: fewer than five of them can be read.
    """
    bare, unread, names = replace(model, head=None), list[Unread](), list[str]()
    stack, small = Stack(bare.modality.shapes_), list[np.ndarray]()
    said: dict[str, list[torch.Tensor]] = {name: [] for name in bare.members}
    for read in readable(album, bare, unread):
        planes = bare.modality.encode(read)
        for k in range(len(read)):
            stack.add({name: plane[k] for name, plane in planes.items()})
        names += [each.name for each in read]
        small += thumbnails(bare, read)
        if left_out is None:
            labels = Label(bare.classes).encode(classes_of([each.name for each in read]))["label"]
            for name, maps in bare.said(planes, labels).items():
                said[name].append(maps)
    if len(names) < LEAST_ROWS:
        odd = f"; {unread[0]}" if unread else "."
        raise Unreadable(
            f"normals has {len(names)} pictures that can be read; give at least {LEAST_ROWS}, better 100{odd}"
        )
    told = {name: torch.cat(maps).numpy() for name, maps in said.items()} if left_out is None else left_out
    return Lessons(stack, {name: told[name] for name in bare.members}, names, np.stack(small), unread)


def aided(held: Held, seen: Seen, known: Defects, weights: np.ndarray, seed: int) -> Held:
    """`knowing` of weighed defects: what weighs less than 1 teaches where defects are and what they look like.

    How much the head is heard for the score and how well defects are found are for the others alone to say: what was
    made after one of them would tell of it when it is left out.
    """
    real = knowing(held, seen, known.part(np.flatnonzero(weights == 1)), seed)
    lesson = lesson_of(held, seen, known, seed, weights)
    joined, whole = {**held.left_out, HEAD: lesson.left_out}, replace(held.whole, head=lesson.whole)
    normal = pairs_of(whole.parts(each) for _, each in blocks(whole, joined))
    head = replace(lesson.whole.weighed(normal, pairs_of([])), weight=cast(Taught, real.whole.head).weight)
    return replace(real, whole=scaled(replace(whole, head=head), joined), left_out=joined)


def readable(album: Album, model: Gallery, unread: list[Unread]) -> Iterator[list[Picture]]:
    """The pictures that can be read, a few at a time; the others are added to `unread`."""
    for batch in batched(album.pictures(model.modality.square)):
        unread += [each for each in batch if isinstance(each, Unread)]
        if read := [each for each in batch if isinstance(each, Picture)]:
            yield read


def thumbnails(model: Gallery, pictures: list[Picture]) -> list[np.ndarray]:
    """Small grey ones of pictures, `(d,)` each."""
    image = model.modality.image_
    return [thumbnail(each) for each in grey(image.decode(image.encode(pictures).x))]


def weighed(weights: Any, count: int) -> np.ndarray | None:
    """Weights `(k,)` of defects over the largest; None where none were given.

    Raises:
        Misfit: they are not one for each, 0 or more, and some above.

    >>> weighed([1, 1, 0.5], 2)
    Traceback (most recent call last):
    ...
    anodiff.types.Misfit: there are 3 weights for 2 examples; give one for each, 1 for a real one, less for a made one.
    """
    if weights is None:
        return None
    own = np.asarray(weights, dtype=np.float64)
    if own.shape != (count,):
        given = f"{len(own)} weights" if own.ndim == 1 else f"weights of shape {own.shape}"
        raise Misfit(
            f"there are {given} for {count} examples; give one for each, 1 for a real one, less for a made one."
        )
    if not np.isfinite(own).all() or own.min() < 0 or own.max() <= 0:
        raise Misfit(f"weights lie from {own.min():g} to {own.max():g}; give numbers of 0 or more, and one above 0.")
    return np.asarray(own / own.max())
