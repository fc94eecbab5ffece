"""What is said of one picture."""

from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Verdict:
    """One picture, judged; or one that could not be read, whose score is NaN.

    Attributes:
        name: As the album names it.
        path: The file, where it is one.
        size: Height and width of the original, upright.
        score: Higher is more anomalous.
        p_value: How probably a normal picture scores as high.
        alarm: Whether it raises an alarm.
        map: Evidence `(S, S)` float32 on the square that the picture was read in; `ImageDetector.laid` lays it back.
        unread: Why it could not be read.
    """

    name: str
    path: Path | None = None
    size: tuple[int, int] = (0, 0)
    score: float = nan
    p_value: float = nan
    alarm: bool = False
    map: np.ndarray | None = None
    unread: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON, without the map."""
        if self.unread is not None:
            return {"name": self.name, "unread": self.unread}
        return {"name": self.name, "score": self.score, "p_value": self.p_value, "alarm": self.alarm}
