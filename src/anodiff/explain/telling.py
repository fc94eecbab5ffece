"""One event after the other, put into words: when, and what each channel did."""

from collections.abc import Mapping, Sequence

import numpy as np

from anodiff.data.log import Log
from anodiff.explain.band import Scene, Stage
from anodiff.explain.blame import deed
from anodiff.explain.causes import Cause
from anodiff.explain.located import Core
from anodiff.explain.moment import Blame, Moment
from anodiff.explain.moment_words import clock, did, instants, lasting, later, sentence
from anodiff.explain.normals import normals
from anodiff.explain.placing import HIDDEN
from anodiff.happening import Happening
from anodiff.modalities.series import Strip
from anodiff.timeline import Timeline

NEGLIGIBLE = 0.05
"""Least share of the evidence for a channel to be named beside another."""
MOST = 0.5
"""Least share of the evidence that is within the times of an event."""
LEAST = 1e-3
"""Differences below so many standard deviations of a channel are none."""


class Teller:
    """Explains the events of a log.

    Args:
        timeline: What found them.
        log: What they are in.
        strips: Of its tracks.
        units: By channel.
        top: So many channels are told of.
    """

    def __init__(
        self, timeline: Timeline, log: Log, strips: Sequence[Strip], units: Mapping[str, str], top: int
    ) -> None:
        self.modality, self.log, self.strips, self.units, self.top = timeline.modality, log, strips, units, top
        self.known = normals(timeline)

    def moment(self, cause: Cause, cores: Sequence[Core]) -> Moment:
        """One event; `cores` are those of all events of its track."""
        happening, core, columns = cause.happening, cause.core, self.modality.columns
        strip = self.strips[happening.track]
        order = np.argsort(-core.parts, kind="stable")
        stage = Stage(self.known, self.modality.channels_, strip, self.log.tracks[happening.track])
        scene = stage.scene(core, [columns[c] for c in order[: self.top]], cores)
        at = _instants(strip.at, scene.places)
        blamed = [self._blame(name, core, scene, at, strip.entity) for name in scene.bands]
        first, last = _extent(core, strip.at, scene, blamed)
        told = [e for i, e in enumerate(blamed) if _worth_telling(e, first=i == 0)]
        more = int((core.parts[order[self.top :]] >= max(NEGLIGIBLE, core.parts.max() / 4)).sum())
        when, deeds = self._when(happening, first, last), self._deeds(told or blamed[:1], happening.track)
        return Moment(
            happening=happening,
            start=first,
            end=last,
            blamed=blamed,
            shares=dict(zip(columns, core.parts.tolist(), strict=True)),
            scene=scene,
            instants=at,
            times=None if strip.times is None else strip.times[scene.places],
            sentence=sentence(when, deeds, more, happening.event.p_value),
            notes=[*self._shared(cause), *self._capped(core, scene)],
            zone=self.log.zone,
        )

    def _blame(self, name: str, core: Core, scene: Scene, at: np.ndarray, entity: int) -> Blame:
        channels = self.modality.channels_
        least = LEAST * channels.scale[entity, channels.numeric.index(name)] if name in channels.numeric else 0.0
        near = (scene.places >= core.start - beside(core)) & (scene.places <= core.end + beside(core))
        found, unit = deed(scene.bands[name], scene.hidden & near, float(least)), self.units.get(name, "")
        since, until = (None if p is None or at[p] < 0 else int(at[p]) for p in (found.since, found.until))
        share = float(core.parts[self.modality.columns.index(name)])
        return Blame(name, share, found, since, until, unit, did(name, found, unit, self.modality.step_))

    def _when(self, happening: Happening, first: int, last: int) -> str:
        track = self.log.tracks[happening.track]
        whose = happening.entity or (f"series {happening.track + 1}" if len(self.log.tracks) > 1 else "")
        whose = f"{whose}, " if whose else ""
        going = happening.event.open and last >= len(track) - 1
        if track.times is None:
            told = f"instant {first:,}" if first == last else f"instants {first:,} to {last:,}"
            long = f" ({instants(last - first + 1)}{' so far' * going})" if first != last else ""
            return f"{whose}{told}{long}"
        start, end = int(track.times[first]), int(track.times[last])
        told = clock(start, self.log.zone, self.modality.step_)
        if first == last:
            return f"{whose}{told}"
        told = f"{told} to {clock(end, self.log.zone, self.modality.step_, like=start)}"
        return f"{whose}{told} ({lasting(end - start)}{' so far' * going})"

    def _deeds(self, named: Sequence[Blame], track: int) -> list[str]:
        """What the channels did, those that left their bands first, and how long after the first of them."""
        ordered = sorted(named, key=lambda each: each.since is None)
        first = ordered[0]
        return [first.words] + [f"{self._lag(first, each, track)}{each.words}" for each in ordered[1:]]

    def _lag(self, first: Blame, other: Blame, track: int) -> str:
        if first.since is None or other.since is None:
            return ""
        times = self.log.tracks[track].times
        if times is None:
            gap = other.since - first.since
            return later(gap, instants(abs(gap)))
        passed = int(times[other.since] - times[first.since])
        return later(passed, lasting(abs(passed)))

    def _shared(self, cause: Cause) -> list[str]:
        if cause.within is None:
            return []
        first, last = cause.within.event.start, cause.within.event.end
        return [f"it shares an alarm with a worse event: {self._when(cause.within, first, last)}."]

    def _capped(self, core: Core, scene: Scene) -> list[str]:
        if scene.whole:
            return []
        told = instants(int(scene.hidden.sum()))
        which = "first" if scene.places[scene.hidden][0] <= core.start else "worst"
        return [
            f"the event spans {instants(len(core))}, more than {HIDDEN:.0%} of a window; what was expected is told of "
            f"its {which} {told} only."
        ]


def _worth_telling(blame: Blame, first: bool) -> bool:
    """Whether a channel belongs into the sentence, of which it may be the first."""
    if first:
        return blame.deed.kind != "course"
    return blame.share >= NEGLIGIBLE and blame.deed.since is not None


def beside(core: Core) -> int:
    """So many instants beside a core a channel may begin or end to be odd."""
    return max(2, len(core) // 8)


def _instants(at: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Of places on the grid the instants of the track, which are `at` its places; -1 where it has none."""
    found = np.minimum(np.searchsorted(at, places), len(at) - 1)
    return np.where(at[found] == places, found, -1)


def _extent(core: Core, at: np.ndarray, scene: Scene, blamed: Sequence[Blame]) -> tuple[int, int]:
    """First and last instant of the event: where channels leave their bands, if most of the evidence is there."""
    begin = min(int(np.searchsorted(at, core.start)), len(at) - 1)
    end = max(begin, int(np.searchsorted(at, core.end, side="right")) - 1)
    told = [each for i, each in enumerate(blamed) if each.since is not None and (i == 0 or each.share >= NEGLIGIBLE)]
    if not told:
        return begin, end
    first = min(each.since for each in told if each.since is not None)
    last = max(first, *(each.until for each in told if each.until is not None))
    inside = core.course[max(0, int(at[first]) - core.start) : max(0, int(at[last]) - core.start + 1)]
    if scene.whole and inside.sum() >= MOST * core.course.sum():
        return first, last
    beginning = not scene.whole and int(scene.places[scene.hidden][0]) <= core.start
    return first if beginning else min(first, begin), max(last, end)
