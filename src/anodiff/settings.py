"""The settings of a detector: refused in a sentence that names the setting, the value and what to give instead."""

from math import inf
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator

from anodiff.recipes.schema import Recipe
from anodiff.types import JSON, Misfit

if TYPE_CHECKING:
    from anodiff.modalities import Modality
    from anodiff.modalities.series import Series

LEAST_ROWS = 5
ALARMS = ("auto", "conformal", "tail")
MOST_CONTAMINATION = 0.4
CHANGEABLE = ("false_alarm_rate", "alarm", "budget")
"""Settings that may be changed after fit."""


class Settings(BaseEstimator):
    """What every detector is given, whatever it judges; `detect.Detector` says what each means. Only stores."""

    def __init__(
        self,
        modality: "str | Modality | Series" = "auto",
        recipe: str | Path | JSON | Recipe = "auto",
        *,
        changes: JSON | None = None,
        contamination: float | str = 0.0,
        false_alarm_rate: float | str = "auto",
        alarm: str = "auto",
        budget: int | None = None,
        max_seconds: float | None = None,
        max_rows: int = 100_000,
        seed: int = 0,
    ) -> None:
        self.modality = modality
        self.recipe = recipe
        self.changes = changes
        self.contamination = contamination
        self.false_alarm_rate = false_alarm_rate
        self.alarm = alarm
        self.budget = budget
        self.max_seconds = max_seconds
        self.max_rows = max_rows
        self.seed = seed

    def __dir__(self) -> list[str]:  # scikit-learn's works out every property
        return list(object.__dir__(self))


class GeneratorSettings(BaseEstimator):
    """What every generator is given, whatever it makes; `generate.Generator` says what each means. Only stores."""

    def __init__(
        self,
        modality: Any = "auto",
        *,
        reach: float | str = "auto",
        p_value: float = 0.01,
        space: str = "data",
        detector: Any = None,
        settings: dict[str, Any] | None = None,
        max_seconds: float | None = None,
        seed: int = 0,
    ) -> None:
        self.modality = modality
        self.reach = reach
        self.p_value = p_value
        self.space = space
        self.detector = detector
        self.settings = settings
        self.max_seconds = max_seconds
        self.seed = seed


def check_settings(given: Any) -> None:
    """Refuse settings out of range of whatever carries a detector's arguments as attributes.

    Raises:
        Misfit: the first that is.
    """
    rate, share = given.false_alarm_rate, given.contamination
    if rate != "auto" and not (_number(rate) and 0 < rate < 1):
        raise Misfit(f"false_alarm_rate is {rate}; choose a share between 0 and 1, such as 0.01, or 'auto'.")
    if share != "auto" and not (_number(share) and 0 <= float(share) <= MOST_CONTAMINATION):
        raise Misfit(f"contamination is {share!r}; give a share from 0 to {MOST_CONTAMINATION}, or 'auto'.")
    if given.alarm not in ALARMS:
        raise Misfit(f"alarm is {given.alarm!r}; choose one of {', '.join(ALARMS)}.")
    if given.budget is not None and not (_whole(given.budget) and given.budget >= 1):
        raise Misfit(f"budget is {given.budget!r}; give a whole number of evaluations per row, at least 1, or None.")
    if given.max_seconds is not None and not (_number(given.max_seconds) and 0 < given.max_seconds < inf):
        raise Misfit(f"max_seconds is {given.max_seconds!r}; give a number of seconds above 0, or None.")
    if not _whole(given.max_rows) or given.max_rows < LEAST_ROWS:
        raise Misfit(f"max_rows is {given.max_rows}; give a whole number of at least {LEAST_ROWS} rows to learn from.")
    if not _whole(given.seed) or not 0 <= given.seed < 2**63:
        raise Misfit(f"seed is {given.seed!r}; give a whole number from 0 to 2**63 - 1.")


def _number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)
