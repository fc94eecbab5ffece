"""The judge of a generator of tables: a detector that is shown some normal rows, and not the others."""

from typing import Any

import numpy as np

from anodiff.data.table import Table
from anodiff.types import JSON, Misfit

SHOWN, LEAST = 3_000, 30
"""Rows that the judge learns from at most, and half of what has to be left for it to be shown less than all."""
JUDGED_AT = {"levels": [20.0], "power": 0.0, "spread": True}
NEAR = {"use": "empirical", "neighbours": 5}
JUDGE: JSON = {
    "name": "near-rows",
    "about": "How near normal rows are: as they stand, by ranks, and with far cells squashed.",
    "cite": ["livernoche2024dte", "vovk2015cross"],
    "schedule": {"use": "ve", "settings": {"sigma_min": 0.01, "sigma_max": 50}},
    "denoisers": {
        "ranked": {**NEAR, "transform": {"use": "normal_scores"}},
        "near": NEAR,
        "squashed": {**NEAR, "transform": {"use": "squashed", "scale": 0.5}},
    },
    "scores": {
        "ranked": {"use": "residual", "of": "ranked", "settings": JUDGED_AT},
        "near": {"use": "residual", "of": "near", "settings": JUDGED_AT},
        "squashed": {"use": "residual", "of": "squashed", "weight": 0.5, "settings": JUDGED_AT},
    },
}
"""The detector of tables without its network: cheap enough to be asked at every step."""


def parted(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows that the judge is shown and rows that it is not, of n; where they are few, all are both."""
    order = np.random.default_rng([seed, 11]).permutation(n)
    shown = min(SHOWN, round(n * 2 / 3))
    if n - shown < 2 * LEAST:
        return np.arange(n), np.arange(n)
    return np.sort(order[:shown]), np.sort(order[shown:])


def for_tables(detector: Any, rows: Table) -> Any:
    """A detector of tables that can judge these rows.

    Raises:
        Misfit: it cannot.
    """
    if not hasattr(detector, "decision_scores_") or getattr(detector, "kind_", "tabular") != "tabular":
        raise Misfit(f"detector is a {type(detector).__name__} not fitted on tables; fit a Detector on X first.")
    try:
        detector.decision_function(rows)
    except ValueError as error:
        raise Misfit(f"detector cannot judge these rows: {error}") from None
    return detector
