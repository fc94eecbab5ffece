"""Reasons: the nearest normal row, each cell's part of the score, and words."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np

from anodiff.data.readers import read
from anodiff.explain.attribution import member_parts
from anodiff.explain.counterfactual import nearest_normal
from anodiff.explain.explanation import Cell, Explanation
from anodiff.explain.reasons import Reasons
from anodiff.explain.words import nothing
from anodiff.modalities.tabular import Tabular
from anodiff.model import Model

__all__ = ["Cell", "Explanation", "explain"]


def explain(
    model: Model, X: Any, p_of: Callable[[np.ndarray], np.ndarray], threshold: float, top: int = 3
) -> Sequence[Explanation]:
    """Why the rows of X score as they do.

    Args:
        model: What the detector has learnt.
        X: Rows `(n, columns)`, anything that `anodiff.data.readers.read` reads.
        p_of: p-values of scores.
        threshold: Rows that score higher raise an alarm; only for these the nearest normal row is searched.
        top: The sentence names at most so many cells.
    """
    modality = cast(Tabular, model.modality)
    table = read(X, like=modality.arrow_schema)
    rows = model.prepare(table)
    if not len(rows):
        return []
    scores = model.totals(rows.x)
    nearest = nearest_normal(model, rows, scores, threshold)
    reasons = Reasons(model, table.arrow, rows, nearest, threshold)
    members, p_values = member_parts(model, rows), p_of(scores)
    return [
        Explanation(
            row=i,
            score=float(scores[i]),
            p_value=float(p_values[i]),
            alarm=bool(scores[i] > threshold),
            cells=reasons.cells(i, top),
            nearest=reasons.nearest(i),
            nearest_score=float(nearest.scores[i]),
            changed=reasons.changed(i),
            members=members[i],
            sentence=reasons.told(i, top) if scores[i] > threshold else nothing(float(p_values[i])),
        )
        for i in range(len(rows))
    ]
