"""Reasons: the nearest normal row, each cell's part of the score, and words."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from anodiff.model import Model


@dataclass(frozen=True)
class Explanation:
    """Why a row scores as it does."""

    row: int
    score: float
    p_value: float


def explain(
    model: Model, X: Any, p_of: Callable[[np.ndarray], np.ndarray], threshold: float, top: int = 3
) -> Sequence[Explanation]:
    """To be written."""
    raise NotImplementedError
