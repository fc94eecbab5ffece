"""`anodiff score` of video: per frame a score, a p-value, an alarm and the number of its event; and a film of it."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anodiff.cli.terminal import Terminal, counted, inert

if TYPE_CHECKING:
    import pyarrow as pa

    from anodiff.data.reels import Clip, Reel
    from anodiff.detect_video import VideoDetector
    from anodiff.footage import Told
    from anodiff.incident import Incident

PIECE = 1024
"""Frames whose rows are written at once."""
WORST = 3


@dataclass
class Found:
    """What there is to say when all clips have been judged."""

    frames: int = 0
    alarms: int = 0
    events: "list[Incident]" = field(default_factory=list)


def score_video(
    detector: "VideoDetector",
    data: str,
    output: str | None,
    causal: bool | None,
    film: Path | None,
    overwrite: bool,
    model: str,
    terminal: Terminal,
) -> None:
    """Judge clips frame by frame, in bounded memory, and write what was found."""
    from anodiff.cli.sinks import sink
    from anodiff.data.clips import reel
    from anodiff.detect_video import rated

    shown, found = rated(reel(data), detector.whole_.modality.rate), Found()
    refuse_other_film(film, shown, overwrite)
    past = bool(detector.whole_.modality.causal if causal is None else causal)
    with sink(output, overwrite) as write:
        rows = Rows(write)
        told = terminal.count(passed(detector, shown.clips, past, found, rows), lambda _: 1, "frames")
        if film is None:
            for _ in told:
                pass
        else:
            from anodiff.report.film import draw_film

            draw_film(detector, shown.clips[0], film, causal=past, overwrite=overwrite, said=told)
        rows.flush()
    for each in shown.unread:
        warnings.warn(f"{each.name} could not be read and was left out: {each.why}", UserWarning, stacklevel=2)
    facts = summary(detector, found, past, output, film)
    terminal.give(facts)
    terminal.show(*in_words(facts, model, data))


def refuse_other_film(film: Path | None, shown: "Reel", overwrite: bool) -> None:
    """Refuse a film that cannot be made, before any work is done."""
    if film is None:
        return
    from anodiff.data.atomic import check_free
    from anodiff.types import Misfit

    if film.suffix.lower() != ".mp4":
        raise Misfit(f"--film {film.name!r} is no film that can be written; give a name that ends in .mp4.")
    if len(shown.clips) != 1:
        raise Misfit(f"--film is of one clip, and there are {len(shown.clips)}; score them one by one.")
    path = shown.clips[0].path
    if path is not None and film.exists() and path.exists() and film.samefile(path):
        raise Misfit(f"--film {film} is the clip itself, which would be lost; give another name.")
    check_free(film, overwrite)


def passed(
    detector: "VideoDetector", clips: "Sequence[Clip]", causal: bool, found: Found, rows: "Rows"
) -> "Iterator[Told]":
    """What is said of each frame, in one pass; an alarm bears the number of its event, counted from 1."""
    limit = detector.threshold(detector.rate(), causal)
    for clip in clips:
        lookout = detector.lookout(clip.name, limit, causal)
        for told in detector.told(clip, causal):
            found.events += [each for each in lookout.push(told) if not each.open]
            found.frames, found.alarms = found.frames + 1, found.alarms + (told.score > limit)
            event = len(found.events) + 1 if told.score > limit else None
            rows.push(row_of(detector, clip.name, told, limit, causal, event))
            yield told
        found.events += lookout.flush()


def row_of(
    detector: "VideoDetector", clip: str, told: "Told", limit: float, causal: bool, event: int | None
) -> dict[str, Any]:
    """One frame."""
    seen = detector.seen(clip, told, limit, causal, maps=False)
    said = {"clip": clip, "frame": seen.index, "time": seen.time, "score": seen.score, "p_value": seen.p_value}
    return {**said, "alarm": int(seen.alarm), "event": event, **{f"part.{k}": v for k, v in seen.parts.items()}}


class Rows:
    """Writes rows, some at a time."""

    def __init__(self, write: "Callable[[pa.Table], None]") -> None:
        self.write = write
        self.rows: list[dict[str, Any]] = []

    def push(self, row: dict[str, Any]) -> None:
        """One more."""
        self.rows.append(row)
        if len(self.rows) >= PIECE:
            self.flush()

    def flush(self) -> None:
        """Write those that wait."""
        import pyarrow as pa

        types = {"clip": pa.string(), "frame": pa.int64(), "alarm": pa.int8(), "event": pa.int64()}
        if self.rows:
            schema = pa.schema([(name, types.get(name, pa.float64())) for name in self.rows[0]])
            self.write(pa.Table.from_pylist(self.rows, schema=schema))
        self.rows = []


def summary(
    detector: "VideoDetector", found: Found, causal: bool, output: str | None, film: Path | None
) -> dict[str, Any]:
    """What there is to say about the frames."""
    worst = sorted(enumerate(found.events, 1), key=lambda pair: -pair[1].score)[:WORST]
    return {
        "frames": found.frames,
        "alarms": found.alarms,
        "events": [{"number": i, **each.to_dict()} for i, each in enumerate(found.events, 1)],
        "worst": [number for number, _ in worst],
        "causal": causal,
        "rule": {
            "false_alarm_rate": detector.false_alarm_rate_,
            "false_alarms_per_hour": detector.false_alarms_per_hour_,
        },
        "threshold": detector.threshold(detector.rate(), causal),
        "calibration": detector.statement(causal=causal),
        "output": output,
        "film": None if film is None else str(film),
    }


def in_words(facts: dict[str, Any], model: str, data: str) -> list[str]:
    """The same for people, and what to type next."""
    from anodiff.report.judgement import about

    rate, frames, events = facts["rule"]["false_alarm_rate"], facts["frames"], facts["events"]
    lines = [
        f"[bold]{counted(len(events), 'event')}[/] in {counted(frames, 'frame')}; about {about(rate * frames)} would "
        f"be expected if every frame were normal ({rate:.3g} per frame)."
    ]
    lines += [event_in_words(events[number - 1]) for number in facts["worst"]]
    lines += [f"Written: {inert(facts['output'])}"] if facts["output"] not in (None, "-") else []
    lines += [f"Film: {inert(facts['film'])}"] if facts["film"] is not None else []
    return [*lines, f"Next:  anodiff explain {inert(model)} {inert(data)}"]


def event_in_words(event: dict[str, Any]) -> str:
    """One event in a line."""
    from anodiff.report.video_words import clock

    left, top, right, bottom = event["box"]
    going = ", not over" if event["open"] else ""
    return (
        f"Event {event['number']}: {inert(event['clip'])}, frames {event['start']:,} to {event['end'] - 1:,} "
        f"({clock(event['start_time'])} to {clock(event['end_time'])}{going}), columns {left} to {right - 1}, rows "
        f"{top} to {bottom - 1} (peak {event['score']:.4g}, p {event['p_value']:.2g})."
    )
