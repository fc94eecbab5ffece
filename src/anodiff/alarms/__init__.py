"""Scores become decisions: p-values, thresholds, false-discovery control, drift. Numpy only: no model, no table."""

from anodiff.alarms.base import Alarm
from anodiff.alarms.blocks import Blocks
from anodiff.alarms.conformal import Conformal, cross_conformal_p_value, fold_p_value, normals_for
from anodiff.alarms.contamination import Contamination, estimate
from anodiff.alarms.discovery import benjamini_hochberg, q_values
from anodiff.alarms.drift import Drift, sketch_counts, sketch_numbers, watch
from anodiff.alarms.events import Event, Watcher, events
from anodiff.alarms.follow import Drifted, Follower
from anodiff.alarms.pixels import PixelAlarm
from anodiff.alarms.rates import from_per_day, per_day
from anodiff.alarms.regions import Region, Regions
from anodiff.alarms.surprise import Surprise
from anodiff.alarms.tail import Tail

ALARMS: dict[str, type[Alarm]] = {"conformal": Conformal, "tail": Tail}

__all__ = [
    "ALARMS",
    "Alarm",
    "Blocks",
    "Conformal",
    "Contamination",
    "Drift",
    "Drifted",
    "Event",
    "Follower",
    "PixelAlarm",
    "Region",
    "Regions",
    "Surprise",
    "Tail",
    "Watcher",
    "benjamini_hochberg",
    "cross_conformal_p_value",
    "estimate",
    "events",
    "fold_p_value",
    "from_per_day",
    "normals_for",
    "per_day",
    "q_values",
    "sketch_counts",
    "sketch_numbers",
    "watch",
]
