"""Scores become decisions: p-values, thresholds, false-discovery control, drift. Numpy only: no model, no table."""

from anodiff.alarms.base import Alarm
from anodiff.alarms.conformal import Conformal, cross_conformal_p_value, fold_p_value, normals_for
from anodiff.alarms.contamination import Contamination, estimate
from anodiff.alarms.discovery import benjamini_hochberg, q_values
from anodiff.alarms.drift import Drift, sketch_counts, sketch_numbers, watch
from anodiff.alarms.surprise import Surprise
from anodiff.alarms.tail import Tail

ALARMS: dict[str, type[Alarm]] = {"conformal": Conformal, "tail": Tail}

__all__ = [
    "ALARMS",
    "Alarm",
    "Conformal",
    "Contamination",
    "Drift",
    "Surprise",
    "Tail",
    "benjamini_hochberg",
    "cross_conformal_p_value",
    "estimate",
    "fold_p_value",
    "normals_for",
    "q_values",
    "sketch_counts",
    "sketch_numbers",
    "watch",
]
