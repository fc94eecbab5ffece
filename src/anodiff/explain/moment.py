"""What an explained event holds: facts for whoever shows them, and a sentence for whoever is in a hurry."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from anodiff.data.instants import written as iso
from anodiff.explain.band import QUANTILES, Band, Scene
from anodiff.explain.blame import Deed
from anodiff.happening import Happening
from anodiff.types import JSON


@dataclass(frozen=True, eq=False)
class Blame:
    """A channel's part in an event.

    Attributes:
        channel: Its name.
        share: Of the evidence of the event.
        deed: What it did; its places are those of the scene.
        since: Instant of the track from which on it was not as expected; None where none stands out.
        until: The last such instant.
        unit: Of its values.
        words: What it did, in words.
    """

    channel: str
    share: float
    deed: Deed
    since: int | None
    until: int | None
    unit: str
    words: str


@dataclass(frozen=True, eq=False)
class Moment:
    """An event, explained; `start`, `end`, `since`, `until` count the instants of the track.

    Attributes:
        happening: The alarm. It begins earlier and ends later than what set it off, by windows and smoothing.
        start: First instant of the event itself.
        end: Last one.
        blamed: Channels, largest share of the evidence first.
        shares: Of the evidence, all channels.
        scene: What was observed, and what was expected.
        instants: Of the places of the scene; -1 where the track has none there.
        times: Of the same, microseconds since 1970 UTC; None without a clock.
        sentence: All of it in a sentence.
        notes: What limits it.
        zone: Time zone in which times are told.
    """

    happening: Happening
    start: int
    end: int
    blamed: list[Blame]
    shares: Mapping[str, float]
    scene: Scene
    instants: np.ndarray
    times: np.ndarray | None
    sentence: str
    notes: list[str] = field(default_factory=list)
    zone: str | None = None

    def to_dict(self) -> JSON:
        """As JSON; times in ISO 8601, in the zone in which they were given."""
        alarm = self.happening.to_dict()
        return {
            "sentence": self.sentence,
            "track": self.happening.track,
            "entity": self.happening.entity,
            "start": self.time(self.start),
            "end": self.time(self.end),
            "start_instant": self.start,
            "end_instant": self.end,
            "score": self.happening.event.score,
            "p_value": self.happening.event.p_value,
            "channels": [self._blame(each) for each in self.blamed],
            "shares": {name: float(share) for name, share in self.shares.items()},
            "expected": self._expected(),
            "alarm": alarm,
            "notes": list(self.notes),
        }

    def time(self, instant: int | None) -> str | None:
        """ISO time of an instant of the scene; None without a clock, or where the scene has no such instant."""
        where = np.flatnonzero(self.instants == instant) if instant is not None else np.zeros(0, int)
        return None if self.times is None or not len(where) else iso(int(self.times[where[0]]), self.zone)

    def _blame(self, each: Blame) -> JSON:
        told = {name: plain(value) for name, value in asdict(each.deed).items() if name not in ("since", "until", "at")}
        at = int(self.instants[each.deed.at])
        known = {"channel": each.channel, "share": float(each.share), "unit": each.unit or None, "words": each.words}
        places = {"since_instant": each.since, "until_instant": each.until, "at_instant": None if at < 0 else at}
        times = {"since": self.time(each.since), "until": self.time(each.until), "at": self.time(at)}
        return {**known, **told, **places, **times}

    def _expected(self) -> JSON:
        times = None if self.times is None else [iso(int(t), self.zone) for t in self.times]
        return {
            "quantiles": list(QUANTILES),
            "instants": [None if i < 0 else int(i) for i in self.instants],
            "times": times,
            "hidden": self.scene.hidden.tolist(),
            "channels": {name: _banded(band) for name, band in self.scene.bands.items()},
        }


def _banded(band: Band) -> JSON:
    observed = [plain(value) for value in band.observed.tolist()]
    if band.numeric:
        return {"observed": observed, "expected": [[plain(v) for v in row] for row in band.quantiles().tolist()]}
    names, share = zip(*band.likeliest(), strict=True)
    return {"observed": observed, "likeliest": list(names), "probability": list(share)}


def plain(value: Any) -> Any:
    """As JSON knows it; what is not finite is null."""
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value
