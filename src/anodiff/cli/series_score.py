"""`anodiff score` of series: a score, a p-value, an alarm and the number of its event per row."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from anodiff.cli.terminal import Terminal, inert

if TYPE_CHECKING:
    import pyarrow as pa

    from anodiff.data.log import Log
    from anodiff.data.table import Table
    from anodiff.detect_series import SeriesDetector
    from anodiff.happening import Happening

PIECE = 65_536
"""Rows that are written at once."""


@dataclass(frozen=True)
class Judged:
    """A log and what was found in it."""

    log: "Log"
    scores: list[np.ndarray]
    events: "list[Happening]"
    causal: bool


def score_series(
    detector: "SeriesDetector",
    data: str,
    output: str | None,
    causal: bool | None,
    keep: bool,
    map: bool,
    overwrite: bool,
    model: str,
    terminal: Terminal,
) -> None:
    """Score series and write what was found, in the order of the rows."""
    from anodiff.cli.sinks import sink
    from anodiff.data.readers import read

    kept = read(data) if keep else None
    found = judged(detector, data if kept is None else kept, causal)
    with sink(output, overwrite) as write:
        for table in written(detector, found, kept, map):
            write(table)
    facts = summary(detector, found, output)
    terminal.give(facts)
    terminal.show(*in_words(facts, model, data))


def judged(detector: "SeriesDetector", X: Any, causal: bool | None) -> Judged:
    """Scores and events of a log."""
    import warnings

    modality = detector.model_.modality
    log, past = modality.read(X), bool(modality.causal if causal is None else causal)
    for note in log.notes:
        warnings.warn(note, UserWarning, stacklevel=2)
    scores = [detector.model_.totals(modality.strip(track), past) for track in log.tracks]
    return Judged(log, scores, detector.happenings(log, scores, causal=past), past)


def written(detector: "SeriesDetector", found: Judged, kept: "Table | None", map: bool) -> "Iterator[pa.Table]":
    """What is written, piece by piece; the rows of each file of a folder count from 0."""
    log, threshold = found.log, detector.threshold(detector.false_alarm_rate_, found.causal)
    laid: dict[str, list[np.ndarray]] = {
        "track": by_piece(log, [np.full(len(track), i) for i, track in enumerate(log.tracks)]),
        "score": by_piece(log, found.scores),
        "p_value": by_piece(log, [detector.p_of(scores, found.causal) for scores in found.scores]),
        "alarm": by_piece(log, [(scores > threshold).astype(np.int8) for scores in found.scores]),
        "event": by_piece(log, numbered(log, found.events)),
    }
    if any(track.times is not None for track in log.tracks):
        laid["time"] = by_piece(log, [np.zeros(len(t), int) if t.times is None else t.times for t in log.tracks])
    if map:
        strips = (detector.model_.modality.strip(track) for track in log.tracks)
        laid["map"] = by_piece(log, [detector.model_.maps(strip) for strip in strips])
    for k in range(len(log.instants)):
        for start in range(0, max(1, len(log.instants[k])), PIECE):
            part = slice(start, start + PIECE)
            columns = {name: values[k][part] for name, values in laid.items()}
            yield table_of(detector, log, columns, start, None if kept is None else kept.slice(start, PIECE))


def table_of(
    detector: "SeriesDetector", log: "Log", given: dict[str, np.ndarray], start: int, kept: "Table | None"
) -> "pa.Table":
    """Some rows as they are written."""
    import pyarrow as pa

    rows = len(given["score"])
    columns: dict[str, Any] = {"row": np.arange(start, start + rows)}
    if "time" in given:
        columns["time"] = clock(given["time"], log.zone)
    names = [track.entity for track in log.tracks]
    if any(name is not None for name in names):
        columns["entity"] = pa.array(names, pa.string()).take(pa.array(given["track"]))
    columns |= {name: given[name] for name in ("score", "p_value", "alarm")}
    columns["event"] = pa.array(given["event"], mask=given["event"] < 1)
    if "map" in given:
        columns |= {f"map.{n}": c for n, c in zip(detector.model_.modality.columns, given["map"].T, strict=True)}
    if kept is not None:
        taken = {"row", "time", "entity", "score", "p_value", "alarm", "event"}
        pairs = zip(kept.names, kept.arrow.columns, strict=True)
        columns |= {f"data.{name}" if name in taken else name: column for name, column in pairs}
    return pa.table(columns)


def by_piece(log: "Log", per_track: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Values of instants at the rows of each piece that was given."""
    laid = log.lay_out(per_track)
    if isinstance(laid, dict):
        return list(laid.values())
    return laid if isinstance(laid, list) else [laid]


def numbered(log: "Log", events: "Sequence[Happening]") -> list[np.ndarray]:
    """Per instant the number of its event, counted from 1; 0 is none."""
    found = [np.zeros(len(track), np.int64) for track in log.tracks]
    for number, each in enumerate(events, 1):
        found[each.track][each.event.start : each.event.end + 1] = number
    return found


def clock(times: np.ndarray, zone: str | None) -> Any:
    """Times as they are written: in their zone, no finer than needed."""
    import pyarrow as pa

    whole = bool((times % 1_000_000 == 0).all())
    return pa.array(times, pa.timestamp("us", zone)).cast(pa.timestamp("s" if whole else "us", zone))


def summary(detector: "SeriesDetector", found: Judged, output: str | None) -> dict[str, Any]:
    """What there is to say about the rows."""
    threshold = detector.threshold(detector.false_alarm_rate_, found.causal)
    worst = sorted(enumerate(found.events, 1), key=lambda pair: -pair[1].event.score)[:3]
    return {
        "rows": sum(map(len, found.log.instants)),
        "instants": sum(map(len, found.scores)),
        "alarms": int(sum((scores > threshold).sum() for scores in found.scores)),
        "events": [{"number": i, **each.to_dict()} for i, each in enumerate(found.events, 1)],
        "worst": [number for number, _ in worst],
        "causal": found.causal,
        "rule": {
            "false_alarm_rate": detector.false_alarm_rate_,
            "false_alarms_per_day": detector.false_alarms_per_day_,
        },
        "threshold": threshold,
        "calibration": detector.statement(causal=found.causal),
        "output": output,
    }


def in_words(facts: dict[str, Any], model: str, data: str) -> list[str]:
    """The same for people, and what to type next."""
    from anodiff.report.judgement import about

    rate, instants, events = facts["rule"]["false_alarm_rate"], facts["instants"], facts["events"]
    lines = [
        f"[bold]{len(events):,} events[/] in {instants:,} instants; about {about(rate * instants)} would be expected "
        f"if every instant were normal ({rate:.3g} per instant)."
    ]
    lines += [told(events[number - 1]) for number in facts["worst"]]
    lines += [f"Written: {inert(facts['output'])}"] if facts["output"] not in (None, "-") else []
    shown = "DATA" if data == "-" else data
    return [*lines, f"Next:  anodiff explain {inert(model)} {inert(shown)}"]


def told(event: dict[str, Any]) -> str:
    """One event in a line."""
    whose = f"{inert(event['entity'])}: " if "entity" in event else ""
    start, end = (event.get(name, f"instant {event[f'{name}_instant']}") for name in ("start", "end"))
    going = ", not over" if event["open"] else ""
    p = "" if event["p_value"] is None else f", p {event['p_value']:.2g}"
    return f"Event {event['number']}: {whose}{start} to {end}{going} (peak {event['score']:.4g}{p})."
