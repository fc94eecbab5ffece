r"""Where a time stands in the day, the week and the year, UTC:

.. math:: c = (\sin \omega_k \tau, \cos \omega_k \tau), \qquad k \in \text{day, week, year.}

No phase of any cycle is (0, 0): that is an unknown time.
"""

from collections.abc import Sequence
from typing import Self

import numpy as np
import torch
from torch import Tensor

from anodiff.conditions.base import Condition
from anodiff.types import Misfit

CYCLES = {"day": 86_400_000_000, "week": 604_800_000_000, "year": 31_556_952_000_000}


class Calendar(Condition):
    """The phases of some cycles, `calendar` `(n, 2 * cycles)`.

    Args:
        cycles: Names out of `CYCLES`.
    """

    def __init__(self, cycles: Sequence[str]) -> None:
        self.cycles = cycles

    @classmethod
    def fit(cls, times: np.ndarray) -> Self:
        """The cycles that the times of fit, microseconds since 1970 `(n,)` int64, span; and in which they differ.

        >>> Calendar.fit(np.arange(0, 8 * 24) * 3_600_000_000).cycles
        ['day', 'week']
        >>> Calendar.fit(np.arange(0, 800) * 86_400_000_000).cycles
        ['week', 'year']
        """
        if len(times) == 0:
            return cls([])
        span = int(times.max()) - int(times.min())
        return cls([name for name, cycle in CYCLES.items() if span >= cycle and np.ptp(times % cycle) > 0])

    @property
    def width(self) -> int:
        """Coordinates of an encoded time."""
        return 2 * len(self.cycles)

    def encode(self, obj: np.ndarray) -> dict[str, Tensor]:
        """From microseconds since 1970, UTC, `(n,)` int64.

        Raises:
            Misfit: they are no whole numbers.
        """
        times = np.asarray(obj)
        if times.ndim != 1 or times.dtype.kind not in "iu":
            raise Misfit(f"a calendar takes (n,) whole microseconds, not {times.shape} of {times.dtype}.")
        turns = np.stack([np.zeros(len(times)), *(times % CYCLES[name] / CYCLES[name] for name in self.cycles)], 1)
        angle = 2 * np.pi * turns[:, 1:]
        return {"calendar": torch.from_numpy(np.concatenate([np.sin(angle), np.cos(angle)], 1).astype(np.float32))}

    def null(self, batch: int) -> dict[str, Tensor]:
        return {"calendar": torch.zeros(batch, self.width)}
