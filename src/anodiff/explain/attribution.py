r"""Whose score it is: each column's part, and each member's, of one sum,

.. math:: a(x) = \sum_{\text{columns } c} a_c(x) = \sum_{\text{members } m} a_m(x) .
"""

import numpy as np

from anodiff.modalities.base import Encoded
from anodiff.model import Model


def column_parts(model: Model, rows: Encoded) -> np.ndarray:
    """Each column's part of the score `(n, columns)` of prepared rows; rows add up to their score."""
    return model.modality.locate(model.maps(rows.x), rows.known)


def member_parts(model: Model, rows: Encoded) -> list[dict[str, float]]:
    """Each member's part of the score, by name, one dict per prepared row."""
    members = model.members(rows.x)
    return [{name: float(parts[i]) for name, parts in members.items()} for i in range(len(rows))]


def shares(parts: np.ndarray) -> np.ndarray:
    """Parts `(n, columns)` as shares of their row's sum; 0 where the sum is 0."""
    total = parts.sum(1, keepdims=True)
    return np.asarray(np.divide(parts, total, out=np.zeros_like(parts), where=total > 0))
