"""What rounds found: facts for whoever shows them, and a sentence for whoever is in a hurry."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from anodiff.metrics.ranking import Interval
from anodiff.types import JSON

OURS, WITHOUT = "generated", "without"
HELPS, WEAK, NOT, WORSE = "helps", "helps, no more than others do", "does not help", "makes it worse"

TRIFLE = 5e-4
"""A gain that rounds to nothing."""


@dataclass(frozen=True)
class Round:
    """One round: make where the detector is blind, judge, refit, measure.

    Attributes:
        number: From 1.
        made: How many were made.
        accepted: How many the judge let pass.
        taken: How many were learnt from, this round and those before.
        why: How often what was objected to.
        missed: By kind, the share of the accepted ones that raised no alarm before the round.
        values: By who was taught, by measure, on what was held out.
        gains: Average precision of ours minus that of each other, with its interval.
        seconds: It took.
    """

    number: int
    made: int
    accepted: int
    taken: int
    why: Mapping[str, int]
    missed: Mapping[str, float]
    values: Mapping[str, Mapping[str, float]]
    gains: Mapping[str, Interval]
    seconds: float

    @property
    def verdict(self) -> str:
        """What made anomalies did: helped, helped no more than a rival did, or did not help."""
        before = self.gains[WITHOUT]
        if not self.helped:
            return WORSE if before.high < -TRIFLE else NOT
        return HELPS if all(gain.low > 0 for gain in self.gains.values()) else WEAK

    @property
    def helped(self) -> bool:
        """Whether the gain over no made anomalies is surely above zero, and more than a trifle."""
        return self.gains[WITHOUT].low > TRIFLE

    def to_dict(self) -> JSON:
        """The same as JSON."""
        return {**asdict(self), "verdict": self.verdict}


@dataclass(frozen=True, eq=False)
class Rounds:
    """All rounds, and the detector that comes of them.

    Attributes:
        rounds: In their order.
        detector: What was taught in the best of rounds that helped; else the one that had not seen made anomalies.
        about: What was measured on.
        confidence: Of each interval; of all of them together as much as was asked for.
        facts: Of the run, JSON.
        sample: What was made in the last round, rejected ones among them.
    """

    rounds: list[Round]
    detector: Any
    about: str
    confidence: float
    facts: JSON = field(default_factory=dict)
    sample: Any = None

    @property
    def best(self) -> Round | None:
        """The round whose gain is surely the largest, among those that helped."""
        helped = [each for each in self.rounds if each.helped]
        return max(helped, key=lambda each: each.gains[WITHOUT].low, default=None)

    @property
    def helps(self) -> bool:
        """Whether made anomalies improved the detector on what was held out, the interval above zero."""
        return self.best is not None

    def summary(self) -> str:
        """In a sentence or two: whether it helps, by how much, on what, and against whom."""
        told = self.best or self.rounds[-1]
        gain = told.gains[WITHOUT]
        said = (
            f"Made anomalies {'help' if self.helps else 'do not help'}: average precision "
            f"{gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f}) on {self.about}, in round {told.number} of "
            f"{len(self.rounds)}, with {told.taken} of them."
        )
        others = [
            f"{name} {g.value:+.3f} ({g.low:+.3f} to {g.high:+.3f})"
            for name, g in told.gains.items()
            if name != WITHOUT
        ]
        return said + (f" Against {'; '.join(others)}." if others else "")

    def to_dict(self) -> JSON:
        """The same as JSON, without the detector."""
        return {
            "helps": self.helps,
            "summary": self.summary(),
            "about": self.about,
            "confidence": self.confidence,
            "rounds": [each.to_dict() for each in self.rounds],
            "facts": self.facts,
        }

    def report(self, path: str | Path) -> Path:
        """Write the rounds as one html page, with a contact sheet of what was made."""
        from anodiff.report.rounds_render import report_rounds

        Path(path).write_text(report_rounds(self), encoding="utf-8")
        return Path(path)
