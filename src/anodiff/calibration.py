"""What alarms count: scores of held-out normals, at whatever budget they are asked for."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from anodiff.alarms import Conformal, Tail
from anodiff.scores.combine import Hybrid
from anodiff.types import Misfit, Scores

Totals = Mapping[str, Scores]
COMMON, MOST, LEAST = 0.01, 0.05, 0.005


@dataclass(frozen=True)
class Counted:
    """Scores at one budget, and the alarms that they make.

    Attributes:
        left_out: Of the rows of fit `(n,)`, each as if it had been left out.
        held_out: Of the normals that alarms count `(m,)`.
        known: Of the known anomalies `(k,)`, each without its own help.
        conformal: Counts the held-out normals.
        tail: Continues beyond them; None where they are too few or too tied.
        aside: So many rows of fit, the highest scores, are taken for anomalies and not counted.
    """

    left_out: Scores
    held_out: Scores
    known: Scores
    conformal: Conformal
    tail: Tail | None
    aside: int = 0

    @property
    def rate(self) -> float:
        """The false-alarm rate that known anomalies ask for, 1 % where there are none.

        The smallest from 0.5 to 5 % that finds as many of them as 5 % does.
        """
        p = self.conformal.p_value(self.known) if len(self.known) else np.ones(1)
        found = p[p <= MOST]
        return float(max(LEAST, found.max())) if len(found) else COMMON

    def p_value(self, scores: Scores, alarm: str) -> Scores:
        """p-values of scores `(n,)`; only the alarm "tail" goes below what was counted."""
        return (self.tail if alarm == "tail" and self.tail else self.conformal).p_value(scores)

    def threshold(self, false_alarm_rate: float, alarm: str) -> float:
        """The score above which an alarm is raised; "auto" continues beyond the normals with a warning."""
        if alarm == "tail" and self.tail is not None:
            return self.tail.threshold(false_alarm_rate)
        if false_alarm_rate >= self.conformal.supported_rate or alarm != "auto":
            return self.conformal.threshold(false_alarm_rate)
        warnings.warn(self.statement(false_alarm_rate, alarm), UserWarning, stacklevel=2)
        if self.tail is not None:
            return self.tail.threshold(false_alarm_rate)
        return self.conformal.threshold(self.conformal.supported_rate)

    def statement(self, false_alarm_rate: float, alarm: str) -> str:
        """In a sentence, what stands behind alarms at this rate."""
        counted = self.conformal.statement(false_alarm_rate) + self._set_aside()
        if false_alarm_rate >= self.conformal.supported_rate or alarm == "conformal":
            return counted
        if self.tail is not None:
            return f"{counted} {self.tail.statement(false_alarm_rate)}"
        return f"{counted} Until then rows above every held-out normal raise an alarm."

    def _set_aside(self) -> str:
        if not self.aside:
            return ""
        return f" {self.aside:,} more rows of fit, the highest scores, are taken for anomalies and not counted."


@dataclass(frozen=True)
class Calibration:
    """Raw totals by score, from which any budget's alarms follow.

    Attributes:
        left_out: Of the rows of fit.
        held_out: Of other normals; empty where the rows of fit are counted.
        known: Of known anomalies; empty where none are known.
        set_aside: The share of the rows of fit, those of the highest scores, that are not counted as normal.
    """

    left_out: Totals
    held_out: Totals = field(default_factory=dict)
    known: Totals = field(default_factory=dict)
    set_aside: float = 0.0

    def counted(self, score: Hybrid) -> Counted:
        """The alarms of a score whose members are among those counted here."""
        left_out = np.asarray(_combined(score, self.left_out), dtype=np.float64)
        normals = left_out
        if self.held_out:
            normals = _combined(score, self.held_out)
        elif self.set_aside:
            normals = np.sort(left_out)[: max(2, len(left_out) - round(self.set_aside * len(left_out)))]
        known = _combined(score, self.known) if self.known else np.zeros(0)
        aside = 0 if self.held_out else len(left_out) - len(normals)
        return Counted(left_out, normals, known, Conformal().fit(normals), tail_of(normals), aside)


def _combined(score: Hybrid, totals: Totals) -> Scores:
    return score.combined({name: totals[name] for name in score.members})


def tail_of(held_out: Scores) -> Tail | None:
    """The tail of held-out scores; None where they are too few or too tied to show one."""
    try:
        return Tail().fit(held_out)
    except Misfit:
        return None
