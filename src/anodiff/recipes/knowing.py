"""What networks of windows may know besides the window: whose it is, and where in the calendar it ends."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from anodiff.conditions.calendar import Calendar
from anodiff.conditions.entity import Entity
from anodiff.modalities.laid import Laid
from anodiff.modalities.windows import View


@dataclass(frozen=True)
class Knowing:
    """What there is to know.

    Attributes:
        entities: How many machines are told apart.
        cycles: Of the calendar, those that the times of fit span.
    """

    entities: int = 0
    cycles: Sequence[str] = ()

    def of(self, laid: Laid, view: View) -> dict[str, Tensor]:
        """Of every window `(n, ...)` of a strip: `entity` and `calendar`, where there are any."""
        count, known = view.count(len(laid)), dict[str, Tensor]()
        if self.entities:
            known["entity"] = torch.full((count,), laid.entity)
        if self.cycles:
            calendar = Calendar(self.cycles)
            ends = None if laid.times is None else laid.times[len(laid.times) - count :]
            known |= calendar.null(count) if ends is None else calendar.encode(np.asarray(ends))
        return known

    def null(self) -> dict[str, Tensor]:
        """What stands for unknown, `(1, ...)`."""
        known = Entity(()).null(1) if self.entities else {}
        return {**known, **Calendar(self.cycles).null(1)} if self.cycles else known

    def told(self, knows: Sequence[str]) -> dict[str, int]:
        """How a network that `knows` some of it is built: `entities` and coordinates of the `calendar`."""
        calendar = Calendar(self.cycles).width if "calendar" in knows else 0
        return {"entities": self.entities if "entity" in knows else 0, "calendar": calendar}
