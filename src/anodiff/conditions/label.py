"""Which of several products or classes an item is: `label` `(n,)`, from 1; 0 is one that fit did not see."""

from collections.abc import Iterable, Sequence
from typing import Self

import torch
from torch import Tensor

from anodiff.conditions.base import Condition


class Label(Condition):
    """Classes as numbers: one model for many products.

    Args:
        classes: Names of those that are told apart, each once.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = classes

    @classmethod
    def fit(cls, labels: Iterable[str]) -> Self:
        """All classes that occur, in the order of the alphabet."""
        return cls(sorted(set(labels)))

    def encode(self, obj: Sequence[str]) -> dict[str, Tensor]:
        """From the class of each item.

        >>> Label.fit(["nut", "bolt", "nut"]).encode(["nut", "bolt", "screw"])["label"]
        tensor([2, 1, 0])
        """
        number = {name: place for place, name in enumerate(self.classes, start=1)}
        return {"label": torch.tensor([number.get(name, 0) for name in obj], dtype=torch.int64)}

    def null(self, batch: int) -> dict[str, Tensor]:
        return {"label": torch.zeros(batch, dtype=torch.int64)}
