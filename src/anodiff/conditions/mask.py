"""Which cells of a window are known: `known` `(n, C, L)`. They enter without noise, and are not to be guessed."""

import numpy as np
import torch
from torch import Tensor

from anodiff.conditions.base import Condition
from anodiff.types import Misfit


class Mask(Condition):
    """Which cells are known.

    Args:
        channels: C.
        length: L.
    """

    def __init__(self, channels: int, length: int) -> None:
        self.channels = channels
        self.length = length

    def encode(self, obj: np.ndarray | Tensor) -> dict[str, Tensor]:
        """From True where a cell is known: `(n, C, L)`, or `(n, 1, L)` for all channels alike.

        Raises:
            Misfit: it has another shape.

        >>> Mask(2, 2).encode(np.array([[[True, False]]]))["known"]
        tensor([[[ True, False],
                 [ True, False]]])
        """
        known = torch.as_tensor(obj, dtype=torch.bool)
        event = (self.channels, self.length)
        if known.ndim != 3 or known.shape[1] not in (1, event[0]) or known.shape[2] != event[1]:
            raise Misfit(f"a mask of {event[0]} channels and {event[1]} instants cannot be {tuple(known.shape)}.")
        return {"known": known.expand(-1, *event)}

    def null(self, batch: int) -> dict[str, Tensor]:
        return {"known": torch.zeros(batch, self.channels, self.length, dtype=torch.bool)}
