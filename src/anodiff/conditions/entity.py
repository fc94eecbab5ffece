"""Which of many machines, patients or sites an item is from: `entity` `(n,)`, from 1; 0 is one that fit did not see."""

from collections.abc import Iterable, Sequence
from typing import Self

import torch
from torch import Tensor

from anodiff.conditions.base import Condition


class Entity(Condition):
    """Names as numbers.

    Args:
        names: Of those that are told apart, each once.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names

    @classmethod
    def fit(cls, names: Iterable[str]) -> Self:
        """All names that occur, in the order of the alphabet."""
        return cls(sorted(set(names)))

    def encode(self, obj: Sequence[str]) -> dict[str, Tensor]:
        """From the name of each item.

        >>> Entity.fit(["pump", "fan", "pump"]).encode(["pump", "fan", "saw"])["entity"]
        tensor([2, 1, 0])
        """
        number = {name: place for place, name in enumerate(self.names, start=1)}
        return {"entity": torch.tensor([number.get(name, 0) for name in obj], dtype=torch.int64)}

    def null(self, batch: int) -> dict[str, Tensor]:
        return {"entity": torch.zeros(batch, dtype=torch.int64)}
