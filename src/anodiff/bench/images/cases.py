"""Pictures of a public set, and what is asked of them: which are learnt, which are judged, where their defects are."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from anodiff.bench.images.settings import SIZE
from anodiff.data.image_sets import GOOD, PictureSet
from anodiff.data.pictures import Unread, album
from anodiff.types import JSON, Unreadable

Pictures = Sequence[Path] | Sequence[np.ndarray]


@dataclass(frozen=True)
class Truth:
    """What is known of n judged pictures.

    Attributes:
        labels: `(n,)`, 1 for anomalies.
        kinds: "good", or the defect's.
        masks: `(n, S, S)` bool, where the defects are.
        known: `(n,)`, False for anomalies of which nobody knows where; they are left out of what concerns pixels.
    """

    labels: np.ndarray
    kinds: list[str]
    masks: np.ndarray
    known: np.ndarray

    def part(self, at: np.ndarray) -> "Truth":
        """Of some of the pictures, by place."""
        return Truth(self.labels[at], [self.kinds[i] for i in at], self.masks[at], self.known[at])


@dataclass(frozen=True, eq=False)
class Case:
    """A set as a method is given it."""

    held: PictureSet

    @property
    def train(self) -> list[Path]:
        """What is learnt."""
        return self.held.train

    @property
    def test(self) -> list[Path]:
        """What is judged."""
        return self.held.test

    @cached_property
    def truth(self) -> Truth:
        """Masks are squashed like the pictures, the nearest pixel counts, and one that would vanish keeps a pixel."""
        masks = np.zeros((len(self.test), SIZE, SIZE), bool)
        known = np.ones(len(self.test), bool)
        for i, label in enumerate(self.held.labels):
            mask = self.held.mask(i) if label else None
            known[i] = not label or mask is not None
            if mask is not None:
                masks[i] = squashed(mask)
        return Truth(self.held.labels, self.held.kinds, masks, known)

    def few(self, count: int | None) -> "Case":
        """At most so many pictures to learn, and so many of each kind to judge, evenly spread; None is all."""
        if count is None:
            return self
        places = (np.flatnonzero([kind == each for each in self.held.kinds]) for kind in dict.fromkeys(self.held.kinds))
        at = np.sort(np.concatenate([spread(each, count) for each in places]))
        train = [self.train[i] for i in spread(np.arange(len(self.train)), count)]
        return Case(replace(part(self.held, at), train=train))

    def facts(self) -> JSON:
        """Fingerprint of the files, and how many there are of which kind."""
        digest = hashlib.sha256()
        for path in [*self.train, *self.test]:
            digest.update(path.name.encode() + path.read_bytes())
        kinds = {kind: self.held.kinds.count(kind) for kind in dict.fromkeys(self.held.kinds)}
        return {"sha256": digest.hexdigest()[:16], "train": len(self.train), "test": kinds}


@dataclass(frozen=True)
class Source:
    """A case that can be had."""

    name: str
    load: Callable[[], Case]


def part(held: PictureSet, at: np.ndarray) -> PictureSet:
    """A set of which only some pictures are judged, by place."""
    return replace(
        held,
        test=[held.test[i] for i in at],
        labels=held.labels[at],
        kinds=[held.kinds[i] for i in at],
        masks=[held.masks[i] for i in at],
        references=None if held.references is None else [held.references[i] for i in at],
    )


def spread(places: np.ndarray, count: int) -> np.ndarray:
    """At most so many of them, evenly.

    >>> spread(np.arange(10), 4).tolist()
    [0, 2, 5, 7]
    """
    return places if len(places) <= count else places[np.arange(count) * len(places) // count]


def squashed(mask: np.ndarray, side: int = SIZE) -> np.ndarray:
    """A mask `(H, W)` in a square, by the nearest pixel."""
    found = np.asarray(Image.fromarray(mask.astype(np.uint8)).resize((side, side), Image.Resampling.NEAREST), bool)
    if found.any() or not mask.any():
        return found
    rows, columns = np.nonzero(mask)
    found = found.copy()
    found[int(rows.mean() * side / mask.shape[0]), int(columns.mean() * side / mask.shape[1])] = True
    return found


def read(pictures: Pictures, side: int = SIZE) -> np.ndarray:
    """Pictures in a square `(n, S, S)` or `(n, S, S, 3)`, uint8.

    Raises:
        Unreadable: one cannot be read.
    """
    rows = []
    for picture in album(list(pictures)).pictures(side):
        if isinstance(picture, Unread):
            raise Unreadable(f"picture {picture}")
        rows.append((picture.pixels * 255).round().astype(np.uint8))
    wide = max(row.shape[2] for row in rows)
    found = np.stack([np.broadcast_to(row, (side, side, wide)) for row in rows])
    return found[..., 0] if wide == 1 else found


def normals(truth: Truth) -> np.ndarray:
    """Places of the normal pictures."""
    return np.flatnonzero([kind == GOOD for kind in truth.kinds])
