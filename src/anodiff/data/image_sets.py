"""A public set of pictures as it is split: normal ones to learn from, labelled ones to judge, where their defects are.

Nothing is read until it is asked for.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from anodiff.data.picture_files import SUFFIXES, marked, size_of
from anodiff.types import Unreadable

GOOD = "good"
T = TypeVar("T")


@dataclass(frozen=True)
class Truth:
    """Where the defects of a picture are; calling it reads that.

    Attributes:
        picture: the file.
        paths: masks, not black where there is a defect; several are joined.
        boxes: left, top, right, bottom in pixels, the last two exclusive.
    """

    picture: Path
    paths: tuple[Path, ...] = ()
    boxes: tuple[tuple[int, int, int, int], ...] = ()

    def __call__(self) -> np.ndarray:
        """`(H, W)` bool, of the size of the picture.

        Raises:
            Unreadable: a mask cannot be read, or is of another size.
        """
        whole = np.zeros(_said(self.picture, size_of), bool)
        for path in self.paths:
            mask = _said(path, marked)
            if mask.shape != whole.shape:
                raise Unreadable(f"mask {path} has {mask.shape} pixels, its picture {whole.shape}; copy the set again.")
            whole |= mask
        for left, top, right, bottom in self.boxes:
            whole[top:bottom, left:right] = True
        return whole


@dataclass(frozen=True, eq=False)
class PictureSet:
    """One category of a public set, or a set without categories.

    Attributes:
        name: of the set.
        category: of it, None where it has none.
        train: normal pictures to learn from.
        test: n pictures to judge.
        labels: `(n,)` int64, 1 for anomalies.
        kinds: "good", or the defect's, n of them.
        masks: n functions that read where the defects are, None for normal pictures and where nobody knows.
        validation: normal pictures that the set keeps for calibration, if any.
        references: n pictures that show how each of `test` should look, where the set has such.
    """

    name: str
    category: str | None
    train: list[Path]
    test: list[Path]
    labels: np.ndarray
    kinds: list[str]
    masks: list[Truth | None]
    validation: list[Path] = field(default_factory=list)
    references: list[Path] | None = None

    def __post_init__(self) -> None:
        said = self.name if self.category is None else f"{self.name}, {self.category}"
        if not self.train or not self.test:
            part = "train" if not self.train else "test"
            raise Unreadable(f"{said}: its {part} part holds no picture; copy the set again, whole.")

    def mask(self, i: int) -> np.ndarray | None:
        """Where the defects of test picture `i` are, `(H, W)` bool: nowhere if it is normal, None if nobody knows.

        An anomaly whose mask is empty counts as unknown; such pictures are to be left out of what is measured by pixel.
        """
        truth = self.masks[i]
        if truth is None:
            return None if self.labels[i] else np.zeros(_said(self.test[i], size_of), bool)
        found = truth()
        return found if found.any() or not self.labels[i] else None


Judged = tuple[Path, str, Truth | None]
"""A test picture, its kind, and its truth."""


def picture_set_of(
    name: str, category: str | None, train: list[Path], test: Sequence[Judged], validation: Sequence[Path] = ()
) -> PictureSet:
    """The set of these pictures."""
    labels = np.array([kind != GOOD for _, kind, _ in test], np.int64)
    pictures, kinds = [path for path, _, _ in test], [kind for _, kind, _ in test]
    return PictureSet(name, category, train, pictures, labels, kinds, [truth for *_, truth in test], list(validation))


def files(folder: Path) -> list[Path]:
    """The pictures in a folder, not below, by name; none where there is no such folder."""
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and p.name[0] != "." and p.is_file())


def folders(folder: Path) -> list[Path]:
    """The folders in a folder, by name; none where there is no such folder."""
    return sorted(p for p in folder.iterdir() if p.is_dir() and p.name[0] != ".") if folder.is_dir() else []


def _said(path: Path, reading: Callable[[Path], T]) -> T:
    try:
        return reading(path)
    except Unreadable as refusal:
        raise Unreadable(f"{path}: {refusal}") from None
