"""Sentences of a report of video: the headline, events, whether to trust it, limits."""

from collections.abc import Mapping

from anodiff.explain.moment_words import chance, lasting
from anodiff.explain.place import where
from anodiff.explain.scenes import shares
from anodiff.incident import Incident
from anodiff.report.image_words import counted
from anodiff.report.judgement import about, doubted
from anodiff.types import JSON

TOLD = 0.25
"""The share of the evidence from which on a second thing that is odd is told of."""
LOUD = 0.2
"""The share of frames in alarm from which on the alarms are doubted."""


def headline(data: JSON | None, alarms: JSON, model: JSON) -> str:
    """The answer in one sentence.

    >>> data = {"events": 2, "frames": 3600, "passed": 144.0, "expected": 0.36, "clips": 1, "unread": []}
    >>> headline(data, {}, {})
    '2 events in 2 min 24 s of video; about 0.4 would be expected if all were normal.'
    """
    if data is None:
        return (
            f"A detector that learnt {counted(model['frames'], 'frame')} of {counted(model['clips'], 'clip')}; "
            f"false alarms: {how_often(alarms)}."
        )
    found = "No event" if not data["events"] else counted(data["events"], "event")
    much = counted(data["frames"], "frame") if data["passed"] is None else f"{passing(data['passed'])} of video"
    many = f" ({counted(data['clips'], 'clip')})" if data["clips"] > 1 else ""
    unread = f"; {counted(len(data['unread']), 'clip or frame')} could not be read" if data["unread"] else ""
    return (
        f"{found} in {much}{many}; about {about(data['expected'])} would be expected if all were normal{unread}."
    ).replace("clip or frames", "clips or frames")


def told(event: Incident, size: tuple[int, int], deeds: Mapping[str, str], clocked: bool = True) -> str:
    """When and where an event is, and what is odd about it, for a page that names the clip.

    Args:
        event: The event.
        size: Height and width of the frame.
        deeds: By part of the score, what it says is odd.
        clocked: Whether times are seconds; else they are numbers of frames.

    >>> event = Incident("a.mp4", 10, 60, 30, 0.4, 2.36, 5.0, 0.004, (0, 60, 20, 100), {"pace": 4.0, "looks": 1.0})
    >>> told(event, (120, 180), {"pace": "how it moves", "looks": "how it looks"})
    '0:00.4 to 0:02.4, at the lower left: odd is how it moves (80 % of the evidence; p = 0.004).'
    """
    left, top, right, bottom = event.box
    when = between(event.start_time, event.end_time) if clocked else frames_of(event)
    sums = dict[str, float]()
    for name, share in shares(event).items():
        sums[deeds[name]] = sums.get(deeds[name], 0.0) + share
    first, *others = sorted(sums, key=lambda deed: -sums[deed]) or [""]
    found = "it is odd for longer than normal video is ("
    if sums.get(first):
        more = [f", then {deed} ({100 * sums[deed]:.0f} %)" for deed in others[:1] if sums[deed] >= TOLD]
        found = f"odd is {first} ({100 * sums[first]:.0f} % of the evidence{'' if more else '; '}"
        found += f"){more[0]} (" if more else ""
    return f"{when}, at the {where((top, left, bottom, right), size)}: {found}p {chance(event.p_value)})."


def frames_of(event: Incident) -> str:
    """The frames of an event."""
    return f"frames {event.start:,} to {event.end - 1:,}"


def between(start: float, end: float) -> str:
    """Two times since the clip began, or one where they are the same.

    >>> between(1.0, 2.5), between(1.0, 1.04)
    ('0:01.0 to 0:02.5', 'at 0:01.0')
    """
    return f"at {clock(start)}" if clock(start) == clock(end) else f"{clock(start)} to {clock(end)}"


def clock(seconds: float) -> str:
    """Minutes and seconds since the clip began.

    >>> clock(3.5), clock(59.97), clock(3675.25)
    ('0:03.5', '1:00.0', '1:01:15.2')
    """
    minutes, rest = divmod(round(seconds, 1), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"


def passing(seconds: float) -> str:
    """A time that passes.

    >>> passing(13.56), passing(144)
    ('14 s', '2 min 24 s')
    """
    return lasting(round(max(seconds, 1)) * 1_000_000)


def how_often(alarms: JSON) -> str:
    """The rate of false alarms, by the clock where it is known.

    >>> how_often({"rate": 1e-4, "per_hour": 9.0}), how_often({"rate": 1e-4, "per_hour": None})
    ('about 9 an hour', 'about one in 10,000 frames')
    >>> how_often({"rate": 1e-6, "per_hour": 0.25})
    'about one in 4 h'
    """
    hourly = alarms["per_hour"]
    if hourly is None:
        return f"about one in {counted(round(1 / alarms['rate']), 'frame')}"
    return f"about {hourly:.3g} an hour" if hourly >= 1 else f"about one in {lasting(round(60 / hourly) * 60_000_000)}"


def trust(alarms: JSON, data: JSON | None, moved: JSON | None) -> list[JSON]:
    """Checks of the promise behind an alarm, each good or not."""
    checks = [
        {"good": alarms["supported"] <= 1e4 * alarms["rate"], "text": alarms["statement"]},
        _counted(alarms),
        _same_source(moved),
        _quiet(data),
        _read(data),
    ]
    return [check for check in checks if check]


def limits(alarms: JSON, model: JSON) -> list[str]:
    """What it cannot do."""
    sampled = model["frames"] < model["frames_seen"]
    return [
        "An alarm says unusual, not harmful or forbidden; heat says where frames are unlike normal ones, not why.",
        f"The rate ({how_often(alarms)}) is that of false alarms while all is normal, not the share of alarms that are "
        "false: where events are rare, most alarms may be false.",
        f"Scores are smoothed over frames, so alarms may begin before an event and end after it; "
        f"{counted(alarms['hold_off'], 'quiet frame')} end one.",
        f"Frames are looked at with {model['size']} pixels along the longer side, in cells of {model['cell']}: what "
        "is smaller than a cell is hardly seen, and boxes and heat are no finer.",
        "“What is normal here” is the most similar of the normal frames that were kept. It is not this frame repaired.",
        "A p-value of an event is that of so high a peak in a stretch of normal video; it is no smaller than the "
        "held-out stretches allow.",
        "The promise holds for the camera, the place, the light and the sort of day that were learnt: what was rare or "
        "absent there is an event.",
        doubted(model["contamination"]).replace("training rows", "frames of the fit"),
        *(
            [f"{model['frames']:,} of {model['frames_seen']:,} frames, evenly from all over, were learnt from."]
            if sampled
            else []
        ),
    ]


def _counted(alarms: JSON) -> JSON | None:
    point = next((p for p in alarms["curve"] if abs(p["wanted"] - 1e4 * alarms["rate"]) < 1e-9), None)
    if point is None or point["expected"] < 1:
        return None
    return {
        "good": point["low"] <= point["found"] <= point["high"],
        "text": f"Counted on stretches held out of the threshold: {point['found']:.3g} events per 10,000 normal frames "
        f"for {point['wanted']:.3g} wanted; chance keeps it from {point['low']:.3g} to {point['high']:.3g}.",
    }


def _same_source(moved: JSON | None) -> JSON | None:
    if moved is None:
        return None
    share = f"{100 * moved['above']:.0f} % of the frames without alarm score above the middle of the held-out normals"
    if moved["moved"] == "higher":
        return {
            "good": False,
            "text": f"{share}, for 50 % expected: camera, light or the usual bustle may have changed. Expect more "
            "false alarms than promised; if that is the new normal, fit again.",
        }
    if moved["moved"] == "lower":
        return {
            "good": True,
            "text": f"{share}, for 50 % expected: alarms are rarer than promised. (Clips of the fit must not be "
            "judged: they look too normal.)",
        }
    return {"good": True, "text": "Frames without alarm score as held-out normals do."}


def _quiet(data: JSON | None) -> JSON | None:
    if data is None or data["alarms"] <= LOUD * data["frames"]:
        return None
    return {
        "good": False,
        "text": f"{100 * data['alarms'] / data['frames']:.0f} % of the frames are in alarm: check that it is the same "
        "camera, at the same place, as fast and as large as in the fit.",
    }


def _read(data: JSON | None) -> JSON | None:
    if data is None or not data["unread"]:
        return None
    told = "; ".join(f"{each['name']}: {each['why'].rstrip('.')}" for each in data["unread"][:3])
    more = ", ..." if len(data["unread"]) > 3 else ""
    return {"good": False, "text": f"Not everything could be read ({told}{more})."}
