r"""When does a score become an alarm? When a normal item would rarely score as high,

.. math:: \text{alarm}(x) \iff p(x) \le \text{rate}, \qquad p(x) \approx P\big(a(X) \ge a(x) \mid X \text{ normal}\big).

Alarms differ in how they know that tail: by counting held-out normals, or by a curve through the highest of them.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Self

import numpy as np
import numpy.typing as npt

from anodiff.types import JSON, Misfit, Scores, Unreadable


class Alarm(ABC):
    """Scores of held-out normals become p-values. Think twice before adding anything here, every alarm carries it."""

    @abstractmethod
    def fit(self, scores: Scores) -> Self:
        """Learn from `scores` `(n,)` of normals that the model of normal has not seen."""

    @abstractmethod
    def p_value(self, scores: Scores) -> Scores:
        """Tail probability `(m,)` of `scores` `(m,)`; small is anomalous; never increases with the score."""

    @abstractmethod
    def threshold(self, false_alarm_rate: float) -> float:
        """The t for which `score > t` says what `p_value(score) <= false_alarm_rate` says."""

    @abstractmethod
    def statement(self, false_alarm_rate: float) -> str:
        """In a sentence, what stands behind alarms at this rate."""

    @abstractmethod
    def config(self) -> JSON:
        """What was learnt that is not an array, as JSON."""

    @abstractmethod
    def arrays(self) -> dict[str, np.ndarray]:
        """What was learnt that is an array."""

    @classmethod
    @abstractmethod
    def restore(cls, config: JSON, arrays: Mapping[str, np.ndarray]) -> Self:
        """The inverse of `config` and `arrays`; raises `BadModel` where they are damaged."""


def finite(scores: npt.ArrayLike, what: str = "scores", at_least: int = 0) -> Scores:
    """The scores as float64 `(n,)`, or a refusal.

    >>> finite([1.0, float("nan")])
    Traceback (most recent call last):
    ...
    anodiff.types.Unreadable: scores hold NaN or infinity at 1 of 2 places, first at 1; give finite numbers.
    """
    try:
        values = np.asarray(scores, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise Unreadable(f"{what} are not numbers ({error}); give one finite number per item.") from error
    if values.ndim != 1:
        raise Unreadable(f"{what} have shape {values.shape}; give one number per item, shape (n,).")
    if len(values) < at_least:
        raise Unreadable(f"{what} are {len(values)} numbers; give at least {at_least}.")
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise Unreadable(
            f"{what} hold NaN or infinity at {len(bad)} of {len(values)} places, first at {bad[0]}; "
            "give finite numbers."
        )
    return values


def check_rate(rate: float, name: str = "false_alarm_rate") -> float:
    """Refuse what is not strictly between 0 and 1.

    >>> check_rate(5)
    Traceback (most recent call last):
    ...
    anodiff.types.Misfit: false_alarm_rate is 5; give a number between 0 and 1, such as 0.01 for one in a hundred.
    """
    if not 0 < rate < 1:
        raise Misfit(f"{name} is {rate}; give a number between 0 and 1, such as 0.01 for one in a hundred.")
    return float(rate)


def percent(rate: float) -> str:
    """A rate in words.

    >>> percent(0.0025), percent(1 / 401)
    ('0.25 %', '0.249 %')
    """
    return f"{100 * rate:.3g} %"
