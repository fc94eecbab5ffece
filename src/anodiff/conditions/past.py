"""What came before a window: its last instants, `past` `(n, C, length)`. A cell that is NaN is unknown."""

import numpy as np
import torch
from torch import Tensor

from anodiff.conditions.base import Condition
from anodiff.types import Misfit


class Past(Condition):
    """The instants just before each window, the latest last.

    Args:
        channels: C.
        length: Instants; of more the last are taken, what is missing of fewer is unknown.
    """

    def __init__(self, channels: int, length: int) -> None:
        self.channels = channels
        self.length = length

    def encode(self, obj: np.ndarray | Tensor) -> dict[str, Tensor]:
        """From what came before each window, in the coordinates of the windows, `(n, C, any)`.

        Raises:
            Misfit: it has other channels.

        >>> Past(1, 3).encode(np.array([[[1.0, 2.0]]]))["past"]
        tensor([[[nan, 1., 2.]]])
        """
        before = torch.as_tensor(obj, dtype=torch.float32)
        count = self.channels
        if before.ndim != 3 or before.shape[1] != count:
            raise Misfit(f"a past of {count} channels is (n, {count}, time), not {tuple(before.shape)}.")
        past = self.null(len(before))["past"]
        taken = min(self.length, before.shape[2])
        past[..., self.length - taken :] = before[..., before.shape[2] - taken :]
        return {"past": past}

    def null(self, batch: int) -> dict[str, Tensor]:
        return {"past": torch.full((batch, self.channels, self.length), torch.nan)}
