"""Instants as they come, each with the score that the whole series would have given it, causally.

An instant is scored from a bounded memory of those before it (`trail`), and said to be an alarm by the threshold in
force (`vigil`), for each entity by itself (`line`). Times are those of the readings: nothing here looks at a clock.
"""

from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np

from anodiff.alarms.events import check_instants
from anodiff.alarms.rates import PER
from anodiff.data.log import Log, Track
from anodiff.data.reading import reading, stamp_of
from anodiff.happening import Happening
from anodiff.live.line import Line, Said
from anodiff.live.vigil import Rule, Vigil
from anodiff.types import JSON, Misfit

if TYPE_CHECKING:
    from anodiff.detect_series import SeriesDetector

REMEMBERED = 1000


class Stream:
    """A live detector: bounded time per instant, bounded memory per entity; for one thread.

    An instant earlier than the last one of its entity is not taken, with a note; of one at the same time the last
    reading stands, as offline. Without a time it is taken one step after the last. A refusal changes nothing.

    Args:
        detector: A fitted detector of series.
        false_alarm_rate: Events per normal instant, instead of the detector's own.
        recalibrate: Whether the threshold follows where scores drift, with a note.
        entities: How many may be followed.

    Attributes:
        events: The events that closed, the last 1,000.
        notes: What was noted, the last 1,000 sentences.
    """

    def __init__(
        self,
        detector: "SeriesDetector",
        *,
        false_alarm_rate: float | None = None,
        recalibrate: bool = True,
        entities: int = 1000,
    ) -> None:
        rate = detector.false_alarm_rate_ if false_alarm_rate is None else false_alarm_rate
        detector.threshold(rate, True)  # refuses what is no rate, and warns where it is extrapolated
        self.timeline, self.blocks = detector.model_, detector.alarm_(True)
        self.rule = Rule(rate * PER, detector.hold_off_, detector.alarm == "conformal")
        self.recalibrate, self.entities = recalibrate, check_instants(entities, "entities")
        self.events: deque[Happening] = deque(maxlen=REMEMBERED)
        self.notes: deque[str] = deque(maxlen=REMEMBERED)
        self._lines: dict[str | None, Line] = {}

    def push(self, values: Any, time: Any = None, entity: Any = None) -> Said:
        """Take one instant.

        Args:
            values: A number, one per channel in their order, or channels by name; None and NaN are missing.
            time: A datetime, ISO 8601, or a number as in the data of fit.
            entity: Whose it is.

        Raises:
            Unreadable: It has other channels than those of fit, or a value or the time cannot be read.
            Misfit: There are too many entities.
        """
        table = reading(values, self.timeline.modality.columns)
        times = None if time is None else np.array([stamp_of(time)])
        return self._take(Track(table, times, None if entity is None else str(entity)))[0]

    def extend(self, X: Any) -> Any:
        """Take many instants, whatever `decision_function` takes: scores in its layout, NaN where not taken."""
        log = self.timeline.modality.read(X)
        return log.lay_out([np.array([said.score for said in each]) for each in self.feed(log)])

    def feed(self, log: Log) -> list[list[Said]]:
        """Take a log: what is said of each instant, track by track."""
        if len({track.entity for track in log.tracks}) < len(log.tracks):
            raise Misfit(f"{len(log.tracks)} series share a name or have none; give them by entity, or one by one.")
        self.notes.extend(log.notes)
        return [self._take(track) for track in log.tracks]

    def flush(self) -> list[Happening]:
        """The events that still run, as they stand, when nothing more will come; afterwards none does."""
        return [event for line in self._lines.values() if (event := line.vigil.flush()) is not None]

    @property
    def state(self) -> JSON:
        """What it remembers, as JSON: by entity the last time, the threshold in force and the event that runs."""
        lines = {"" if entity is None else entity: line.state() for entity, line in self._lines.items()}
        return {"events_per_10000": self.rule.rate, "recalibrate": self.recalibrate, "entities": lines}

    def _take(self, track: Track) -> list[Said]:
        line = self._lines.get(track.entity) or self._fresh(track.entity)
        said = line.take(track)
        self._lines[track.entity] = line
        self.events.extend(each.event for each in said if each.event is not None and not each.event.event.open)
        self.notes.extend(note for each in said for note in each.notes)
        return said

    def _fresh(self, entity: str | None) -> Line:
        if len(self._lines) >= self.entities:
            raise Misfit(
                f"entity {entity} is one too many, where {self.entities:,} may be followed; "
                "name another column of entities, or give a higher number of entities."
            )
        vigil = Vigil(self.blocks, self.rule, len(self._lines), entity, self.recalibrate)
        return Line(self.timeline, vigil, self._first_notes(entity, vigil))

    def _first_notes(self, entity: str | None, vigil: Vigil) -> list[str]:
        known, shortest = self.timeline.modality.entities_, min(view.reach for view in self.timeline.views.values())
        notes = [f"The first {shortest - 1:,} instants are only looked at."] if shortest > 1 else []
        if known and entity not in known:
            named = "An entity that is not named" if entity is None else f"Entity {entity}, which fit had not,"
            notes.append(f"{named} is judged by what is normal for all of them together.")
        if self.recalibrate and not vigil.follows:
            notes.append("Drift is not looked for: the calibration has too few instants to know it from chance.")
        return notes
