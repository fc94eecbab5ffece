"""The facts of a report of video, before anyone decides how they look."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from anodiff.alarms.rates import PER
from anodiff.data.clips import Clip, reel
from anodiff.detect_video import VideoDetector, rated
from anodiff.explain.scenes import DEEDS
from anodiff.incident import Incident
from anodiff.recipes.pictured import plane_of
from anodiff.report.citing import works
from anodiff.report.findings import asked_of
from anodiff.report.image_findings import HEARD
from anodiff.report.image_words import drift
from anodiff.report.series_calibration import measured
from anodiff.report.video_plots import curve
from anodiff.report.video_survey import Still, Track, VideoSurvey, video_survey
from anodiff.report.video_words import headline, limits, told, trust
from anodiff.types import JSON
from anodiff.version import __version__

WORST = 24
TRACKS = 12
"""Clips whose scores are drawn: those with the worst events, and then the first."""
NORMALS = 8
"""Normal frames that are shown."""


@dataclass(frozen=True, eq=False)
class VideoFindings:
    """Everything that a report of video says.

    Attributes:
        headline: The answer in one sentence.
        model: What was learnt, from what, how, at what cost.
        alarms: Rate, threshold, the statement behind them, the calibration curve.
        data: Clips, frames, seconds of video, events; None where no data were given.
        worst: The worst events with their numbers and what is said of them, the worst first.
        listed: The first 200 events, in order.
        tracks: Per clip the score over time, and its events.
        drift: Whether frames without alarm score as held-out normals do; None where that is not known.
        trust: Checks, each good or not, in words.
        limits: What it cannot do.
        references: The works behind it.
        stills: How the worst are shown, as arrays.
        normals: Some normal frames, as arrays.
    """

    headline: str
    model: JSON
    alarms: JSON
    data: JSON | None
    worst: list[JSON]
    listed: list[JSON]
    tracks: list[JSON]
    drift: JSON | None
    trust: list[JSON]
    limits: list[str]
    references: list[JSON]
    stills: list[Still] = field(default_factory=list)
    normals: list[np.ndarray] = field(default_factory=list)

    def to_dict(self) -> JSON:
        """As nested dicts and lists, without the pictures."""
        bare = [each.name for each in fields(self) if each.name not in ("stills", "normals")]
        return {name: getattr(self, name) for name in bare}


def video_findings(
    detector: VideoDetector, data: Any = None, model: str = "", name: str = "", worst: int = WORST
) -> VideoFindings:
    """Gather the facts of a fitted detector and, if given, of clips, in one pass.

    Args:
        detector: Fitted.
        data: What `VideoDetector.judge` reads.
        model: Where it is saved, for the report to name.
        name: What to call the data; their path, if not given.
        worst: So many events are shown at most.

    Raises:
        Unreadable: no clip can be read.
    """
    described, alarms = _learnt(detector, model), _alarms(detector)
    shown = None if data is None else rated(reel(data), detector.whole_.modality.rate)
    found = None if shown is None else video_survey(detector, shown.clips, worst)
    about, moved, entries = None, None, list[JSON]()
    if shown is not None and found is not None:
        unread = [{"name": each.name, "why": each.why} for each in shown.unread]
        about = _judged(found, shown.clips, name or _named(data), alarms["rate"], unread)
        thin = found.scores[:: detector.hold_off_]
        moved = drift(
            thin, np.concatenate([each[:: detector.hold_off_] for each in detector.held_out_]), alarms["threshold"]
        )
        entries = [entry(detector, number, event, about["sizes"], about["clocked"]) for number, event, _ in found.worst]
    return VideoFindings(
        headline=headline(about, alarms, described),
        model=described,
        alarms=alarms,
        data=about,
        worst=entries,
        listed=[] if found is None else [{"number": number, **event.to_dict()} for number, event in found.listed],
        tracks=[] if found is None else [drawn(each) for each in chosen(found)],
        drift=moved,
        trust=trust(alarms, about, moved),
        limits=limits(alarms, described),
        references=works(detector.references()),
        stills=[] if found is None else [still for _, _, still in found.worst],
        normals=_some(detector.whole_.shown),
    )


def entry(detector: VideoDetector, number: int, event: Incident, sizes: JSON, clocked: bool) -> JSON:
    """An event for the report, with what is said of it."""
    recipe = detector.model_.recipe
    cubes = {name: recipe.cubes[plane_of(recipe, name)] for name in detector.model_.members}
    deeds = {name: DEEDS[cube.sees, bool(cube.given)] for name, cube in cubes.items()}
    size = sizes[event.clip]
    return {"number": number, **event.to_dict(), "said": told(event, (size[0], size[1]), deeds, clocked)}


def chosen(found: VideoSurvey) -> list[Track]:
    """The clips that are drawn, in their order."""
    first = dict.fromkeys([event.clip for _, event, _ in found.worst] + [each.name for each in found.tracks])
    kept = set(list(first)[:TRACKS])
    return [each for each in found.tracks if each.name in kept]


def drawn(track: Track) -> JSON:
    """A clip's score as it is drawn."""
    events = [{"number": number, "from": start, "to": end} for number, start, end in track.events]
    return {"name": track.name, "frames": len(track.scores), **curve(track.times, track.scores), "events": events}


def _alarms(detector: VideoDetector) -> JSON:
    alarm, rate = detector.alarm_(), detector.false_alarm_rate_
    return {
        "rate": rate,
        "per_hour": detector.false_alarms_per_hour_,
        "threshold": detector.threshold_,
        "middle": float(np.median(np.concatenate(alarm.stretches_))),
        "supported": alarm.supported_rate,
        "held_out": alarm.instants_,
        "hold_off": detector.hold_off_,
        "statement": detector.statement(),
        "curve": measured(alarm.stretches_, detector.hold_off_, rate * PER),
    }


def _judged(found: VideoSurvey, clips: Sequence[Clip], name: str, rate: float, unread: list[JSON]) -> JSON:
    clocked = any(clip.rate for clip in clips)
    lengths = [track.times[-1] - track.times[0] for track in found.tracks if track.times]
    return {
        "name": name,
        "clips": len(clips),
        "frames": found.frames,
        "clocked": clocked,
        "passed": sum(lengths) if clocked else None,
        "alarms": found.alarms,
        "events": found.events,
        "expected": rate * found.frames,
        "unread": unread,
        "notes": [f"{clip.name}: {note}" for clip in clips for note in clip.notes],
        "sizes": {clip.name: list(clip.size or (1, 1)) for clip in clips},
        "seconds": found.seconds,
    }


def _learnt(detector: VideoDetector, path: str) -> JSON:
    model = detector.model_
    facts, video = model.facts, model.modality
    return {
        "path": path,
        "anodiff": __version__,
        "recipe": model.recipe.name,
        "about": model.recipe.about,
        "settings": model.recipe.model_dump(mode="json"),
        "frames_seen": facts["rows_seen"],
        "frames": facts["rows_fitted"],
        "clips": facts["clips"],
        "unread": [{"name": name, "why": why} for name, why in facts["unread"]],
        "fps": video.rate_,
        "stride": int(video.stride),
        "size": int(video.size),
        "cell": int(video.cell),
        "causal": bool(video.causal),
        "cameras": list(video.cameras_),
        "seconds": facts["seconds"],
        "evaluations": model.nfe,
        "contamination": detector.contamination_,
        "seed": int(detector.seed),
        "members": [
            {
                "name": name,
                "asks": model.recipe.scores[name].use,
                "of": asked_of(model.recipe, name),
                "heard": HEARD[model.recipe.scores[name].read],
                "weight": model.recipe.scores[name].weight,
            }
            for name in model.members
        ],
    }


def _named(data: Any) -> str:
    return str(data) if isinstance(data, str) or hasattr(data, "__fspath__") else "the clips given"


def _some(frames: np.ndarray) -> list[np.ndarray]:
    """A few of those that are kept, from the first to the last."""
    return [frames[i] for i in np.unique(np.linspace(0, len(frames) - 1, NORMALS).astype(int)) if len(frames)]
