"""Scores of one entity become alarms and events as they come, and the threshold follows where scores drift."""

from dataclasses import dataclass

import numpy as np

from anodiff.alarms.blocks import Blocks
from anodiff.alarms.events import Event, Watcher
from anodiff.alarms.follow import Drifted, Follower
from anodiff.happening import Happening
from anodiff.types import JSON, Misfit, Scores


@dataclass(frozen=True)
class Rule:
    """When a score is an alarm: at `rate` events per 10,000 instants, extrapolating nothing if `counted`."""

    rate: float
    hold_off: int
    counted: bool = False

    def threshold(self, blocks: Blocks) -> float:
        """The score to exceed; the highest that was counted where nothing can be said beyond it."""
        if self.counted and self.rate < blocks.supported_rate:
            return float(blocks.levels_[-1])
        found = blocks.threshold(self.rate)
        return found if np.isfinite(found) else float(blocks.levels_[-1])


@dataclass(frozen=True)
class Verdict:
    """What is said of one instant: p-value, alarm, the event that it opens or closes, and of drift in a sentence."""

    p_value: float
    alarm: bool
    event: Happening | None = None
    note: str | None = None


class Vigil:
    """Watches one entity's scores.

    Args:
        blocks: The calibration.
        rule: When a score is an alarm.
        track: Number of the series, for its events.
        entity: Whose it is.
        recalibrate: Whether to follow drift.
    """

    def __init__(self, blocks: Blocks, rule: Rule, track: int, entity: str | None, recalibrate: bool = True) -> None:
        self.blocks, self.rule, self.track, self.entity = blocks, rule, track, entity
        self._watcher = Watcher(rule.threshold(blocks), rule.hold_off, p_value=self._event_p_value)
        self._times: dict[str, int | None] = dict.fromkeys(("start", "end", "peak"))
        self._follower = follower(blocks, rule.rate) if recalibrate else None

    @property
    def threshold(self) -> float:
        """What the next score has to exceed."""
        return self._watcher.threshold

    @property
    def place(self) -> int:
        """How many scores it was given."""
        return self._watcher.place

    @property
    def follows(self) -> bool:
        """Whether drift is looked for."""
        return self._follower is not None

    def hear(self, scores: Scores, judged: np.ndarray, times: np.ndarray | None) -> list[Verdict]:
        """One verdict per score `(n,)`; those that were not `judged` tell nothing of drift."""
        told: list[tuple[bool, Happening | None, str | None]] = []
        p = np.zeros(0)
        stamps = [None] * len(scores) if times is None else times.tolist()
        for score, known, time in zip(scores.tolist(), judged.tolist(), stamps, strict=True):
            alarm, blocks = score > self.threshold, self.blocks
            event, drifted = self._step(score, time), self._follow(score, known)
            told.append((alarm, event, drifted.words if drifted else None))
            if drifted:
                p = np.append(p, blocks.p_value(scores[len(p) : len(told)]))
        p = np.append(p, self.blocks.p_value(scores[len(p) :]))
        return [Verdict(value, *each) for value, each in zip(p.tolist(), told, strict=True)]

    def value(self, score: float) -> Verdict:
        """What would be said of another reading of the last instant, which opens and closes nothing."""
        return Verdict(float(self.blocks.p_value(np.array([score]))[0]), score > self.threshold)

    def flush(self) -> Happening | None:
        """The event that still runs, if one does; afterwards none is running."""
        found = self._watcher.flush()
        return self._happening(found[0]) if found else None

    def state(self) -> JSON:
        """What it knows, as JSON."""
        running = self._watcher.running
        going = None if running is None else self._happening(running).to_dict()
        return {"instants": self.place, "threshold": self.threshold, "follows_drift": self.follows, "event": going}

    def _step(self, score: float, time: int | None) -> Happening | None:
        place = self.place
        found = self._watcher.step(score)
        running = self._watcher.running
        if running is not None and running.end == place:
            self._times |= {name: time for name in self._times if getattr(running, name) == place}
        return self._happening(found[0]) if found else None

    def _follow(self, score: float, judged: bool) -> Drifted | None:
        if self._follower is None:
            return None
        if not judged:
            self._follower.place += 1
            return None
        drifted = self._follower.step(score)
        if not drifted:
            return None
        self.blocks = self._follower.blocks
        self._watcher.threshold = self.rule.threshold(self.blocks)
        return drifted[-1]

    def _happening(self, event: Event) -> Happening:
        return Happening(self.track, self.entity, event, **self._times)

    def _event_p_value(self, peaks: Scores) -> Scores:
        return self.blocks.event_p_value(peaks)


def follower(blocks: Blocks, rate: float) -> Follower | None:
    """What looks for drift, where the calibration is long enough to know it from chance."""
    try:
        return Follower(blocks, rate)
    except Misfit:
        return None
