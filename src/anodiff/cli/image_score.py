"""`anodiff score` of images: per picture a score, a p-value, an alarm, and its strongest region."""

import heapq
import sys
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from anodiff.cli.errors import INTERRUPTED
from anodiff.cli.image_maps import MapFolder
from anodiff.cli.terminal import Terminal, counted, inert
from anodiff.types import Unreadable

if TYPE_CHECKING:
    import pyarrow as pa

    from anodiff.alarms.regions import Region
    from anodiff.data.albums import Album
    from anodiff.detect_images import ImageDetector
    from anodiff.verdict import Verdict

PIECE = 64
"""Pictures whose rows are written at once."""
WORST = 3


@dataclass
class Found:
    """What there is to say when all pictures have been judged."""

    pictures: int = 0
    alarms: int = 0
    with_regions: int = 0
    unread: list[tuple[str, str]] = field(default_factory=list)
    worst: list[tuple[float, str, float]] = field(default_factory=list)

    def add(self, verdict: "Verdict", regions: "list[Region]") -> None:
        """Count one picture."""
        if verdict.unread is not None:
            self.unread.append((verdict.name, verdict.unread))
            return
        self.pictures, self.with_regions = self.pictures + 1, self.with_regions + bool(regions)
        self.worst = heapq.nlargest(WORST, [*self.worst, (verdict.score, verdict.name, verdict.p_value)])


def score_images(
    detector: "ImageDetector",
    data: str,
    output: str | None,
    fdr: float | None,
    maps: MapFolder | None,
    overwrite: bool,
    model: str,
    terminal: Terminal,
) -> None:
    """Judge pictures one after the other and write what was found, in the order of their names."""
    from anodiff.cli.score import warn_if_hopeless
    from anodiff.data.pictures import album

    pictures, found = album(data), Found()
    if maps is not None:
        maps.check(Path(data))
        maps.check_free(pictures.names)
    try:
        judge(detector, pictures, data, output, fdr, maps, overwrite, found, terminal)
    except KeyboardInterrupt:
        if maps is None or not maps.written:
            raise
        sys.stderr.write(f"anodiff: interrupted; {maps.written:,} maps were drawn, and no scores were written.\n")
        raise typer.Exit(INTERRUPTED) from None
    for note in in_a_sentence(found.unread):
        warnings.warn(note, UserWarning, stacklevel=2)
    facts = summary(detector, found, fdr, output, maps, pictures.notes)
    if fdr is not None and detector.alarm != "tail":
        warn_if_hopeless(detector.conformal_.supported_rate, fdr, found.pictures, found.alarms, "pictures")
    terminal.give(facts)
    terminal.show(*in_words(facts, model, data))


def judge(
    detector: "ImageDetector",
    pictures: "Album",
    data: str,
    output: str | None,
    fdr: float | None,
    maps: MapFolder | None,
    overwrite: bool,
    found: Found,
    terminal: Terminal,
) -> None:
    """Write the rows of all pictures; a file that nothing can be said of is not written."""
    import pyarrow.compute as pc

    from anodiff.cli.alarms import by_fdr, by_rate
    from anodiff.cli.sinks import sink

    verdicts = terminal.count(detector.judge(pictures), lambda _: 1, "pictures")
    tables = pieces(rows(detector, verdicts, maps, found))
    decided = by_rate(tables, detector.threshold_) if fdr is None else by_fdr(tables, fdr)
    with sink(output, overwrite) as write:
        for table in decided:
            place = table.schema.get_field_index("alarm")
            alarm = pc.if_else(pc.is_null(table["score"]), None, table["alarm"])
            found.alarms += pc.sum(alarm).as_py() or 0
            write(table.set_column(place, "alarm", alarm))
        if not found.pictures:
            name, why = found.unread[0]
            count = f"not one of the {len(found.unread):,} pictures" if len(found.unread) > 1 else "the picture"
            which = "could be read" if len(found.unread) > 1 else "could not be read"
            raise Unreadable(f"{count} in {data} {which}; {name}: {why}")


def rows(
    detector: "ImageDetector", verdicts: "Iterable[Verdict]", maps: MapFolder | None, found: Found
) -> Iterator[dict[str, Any]]:
    """What is written of each picture, but for the alarm; maps are drawn by the way."""
    for verdict in verdicts:
        regions = [] if verdict.unread is not None else detector.regions_of(verdict)
        if maps is not None and verdict.unread is None:
            try:
                maps.write(detector, verdict, regions)
            except Unreadable as refusal:
                warnings.warn(f"there is no map of {verdict.name}: {refusal}", UserWarning, stacklevel=2)
        found.add(verdict, regions)
        yield row_of(verdict, regions)


def row_of(verdict: "Verdict", regions: "list[Region]") -> dict[str, Any]:
    """One picture; what is not known of it is None."""
    if verdict.unread is not None:
        return {"name": verdict.name, "unread": verdict.unread}
    said = {"name": verdict.name, "score": verdict.score, "p_value": verdict.p_value, "regions": len(regions)}
    if not regions:
        return said
    top, left, bottom, right = regions[0].box
    box = {"top": top, "left": left, "bottom": bottom, "right": right}
    return {**said, **box, "region_p_value": regions[0].p_value}


def pieces(rows: Iterable[dict[str, Any]]) -> "Iterator[pa.Table]":
    """Rows as tables of a few each."""
    import pyarrow as pa

    names = [("name", pa.string()), ("score", pa.float64()), ("p_value", pa.float64()), ("regions", pa.int64())]
    names += [(name, pa.int64()) for name in ("top", "left", "bottom", "right")]
    schema = pa.schema([*names, ("region_p_value", pa.float64()), ("unread", pa.string())])
    left = iter(rows)
    while taken := list(islice(left, PIECE)):
        yield pa.Table.from_pylist(taken, schema=schema)


def in_a_sentence(unread: list[tuple[str, str]]) -> Iterator[str]:
    """One sentence on the pictures that could not be read, if there are any."""
    if unread:
        told = "; ".join(f"{name}: {why.rstrip('.')}" for name, why in unread[:3])
        more = f"; and {len(unread) - 3:,} more" if len(unread) > 3 else ""
        yield f"{counted(len(unread), 'picture')} could not be read, and all others were judged: {told}{more}."


def summary(
    detector: "ImageDetector",
    found: Found,
    fdr: float | None,
    output: str | None,
    maps: MapFolder | None,
    notes: Iterable[str],
) -> dict[str, Any]:
    """What there is to say about the pictures."""
    return {
        "pictures": found.pictures,
        "alarms": found.alarms,
        "with_regions": found.with_regions,
        "unread": [{"name": name, "why": why} for name, why in found.unread],
        "rule": {"false_alarm_rate": detector.false_alarm_rate_} if fdr is None else {"fdr": fdr},
        "threshold": detector.threshold_ if fdr is None else None,
        "calibration": detector.statement(),
        "worst": [{"name": name, "score": score, "p_value": p} for score, name, p in found.worst],
        "notes": list(notes),
        "output": output,
        "maps": None if maps is None else str(maps.folder),
        "maps_written": 0 if maps is None else maps.written,
    }


def in_words(facts: dict[str, Any], model: str, data: str) -> list[str]:
    """The same for people, and what to type next."""
    from anodiff.report.judgement import about

    pictures, alarms, rule = facts["pictures"], facts["alarms"], facts["rule"]
    if "fdr" in rule:
        meaning = f"at most {100 * rule['fdr']:g} % of these alarms are expected to be false"
    else:
        wanted = rule["false_alarm_rate"]
        meaning = f"about {about(wanted * pictures)} would be expected if every one were normal ({100 * wanted:g} %)"
    worst = "; ".join(f"{inert(w['name'])} (score {w['score']:.4g}, p {w['p_value']:.2g})" for w in facts["worst"])
    lines = [f"[bold]{counted(alarms, 'alarm')}[/] in {counted(pictures, 'picture')}; {meaning}.", f"Worst: {worst}."]
    lines += [inert(note[:1].upper() + note[1:]) for note in facts["notes"]]
    lines += [f"Written: {inert(facts['output'])}"] if facts["output"] not in (None, "-") else []
    lines += [f"Maps: {facts['maps_written']:,} in {inert(facts['maps'])}"] if facts["maps"] is not None else []
    return [*lines, f"Next:  anodiff explain {inert(model)} {inert(data)}"]
