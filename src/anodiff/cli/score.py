"""`anodiff score`: a score, a p-value and an alarm per row, streamed."""

import math
import warnings
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anodiff.cli.image_kind import Maps, Raw, refuse_but_of_images, refuse_of_images
from anodiff.cli.options import Data, Json, ModelPath, Overwrite, Quiet, Rule
from anodiff.cli.series_kind import Causal, PerDay, refuse, refuse_for_rows
from anodiff.cli.series_rate import with_settings
from anodiff.cli.terminal import Terminal, inert
from anodiff.cli.video_kind import Film, PerHour, refuse_but_of_video, refuse_of_video, refuse_poses

if TYPE_CHECKING:
    import pyarrow as pa

    from anodiff.detect import Detector
    from anodiff.report.passes import Piece, Worst

Out = Annotated[str | None, typer.Option("--output", "-o", help="A .csv or .parquet file, or - for csv on stdout.")]
Rate = Annotated[float | None, typer.Option(help="Share of normal rows that may raise an alarm; else as fitted.")]
Fdr = Annotated[
    float | None, typer.Option(help="Instead: share of false alarms among the alarms (Benjamini-Hochberg).")
]
Alarm = Annotated[Rule | None, typer.Option(help="Count held-out normals, or model their tail; else as fitted.")]
Budget = Annotated[int | None, typer.Option(help="At most so many evaluations per row; else as fitted.")]
Keep = Annotated[bool, typer.Option("--keep", help="Copy the columns of DATA to the output.")]
Map = Annotated[bool, typer.Option("--map", help="Add each column's part of the score.")]


def score(
    model: ModelPath,
    data: Data,
    output: Out = None,
    rate: Rate = None,
    fdr: Fdr = None,
    alarm: Alarm = None,
    budget: Budget = None,
    keep: Keep = False,
    map: Map = False,
    maps: Maps = None,
    raw: Raw = False,
    causal: Causal = False,
    per_day: PerDay = None,
    per_hour: PerHour = None,
    film: Film = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Score rows and raise alarms, in memory that does not grow with the rows (of tables). Rows count from 0.

    Of images DATA is a folder or a file: the output has a row per picture, with its strongest region. Of video it has a
    row per frame, with the number of its event; of several kinds at once a row per record, with what each part says.
    """
    terminal = Terminal(quiet, json, data_on_stdout=output == "-")
    check_asked(output, rate, fdr, json, overwrite)
    import numpy as np

    from anodiff.cli.alarms import by_fdr, by_rate
    from anodiff.cli.sinks import sink
    from anodiff.report.passes import Worst, pieces
    from anodiff.saving import load_detector

    detector = load_detector(model)
    asked = {"false_alarm_rate": rate, "alarm": alarm, "budget": budget}
    if detector.kind_ == "video":
        from anodiff.cli.video_rate import with_rate
        from anodiff.cli.video_score import score_video

        refuse_of_video("score", fdr=fdr, keep=keep, map=map, maps=maps, raw=raw, per_day=per_day)
        inner = with_rate(detector.inner_, per_hour, asked)
        score_video(inner, data, output, causal or None, film, overwrite, str(model), terminal)
        return
    refuse_but_of_video(detector.kind_, per_hour=per_hour, film=film)
    if detector.kind_ == "multimodal":
        from anodiff.cli.several_kind import refuse_of_several
        from anodiff.cli.several_score import score_several

        refuse_of_several("score", keep=keep, maps=maps, raw=raw, causal=causal, per_day=per_day)
        inner = with_asked(detector.inner_, asked)
        score_several(inner, data, output, fdr, map, overwrite, str(model), terminal)
        return
    refuse_poses(detector.kind_)
    if detector.kind_ == "image":
        from anodiff.cli.image_maps import map_folder
        from anodiff.cli.image_score import score_images

        refuse_of_images("score", keep=keep, map=map, causal=causal, per_day=per_day)
        drawn, inner = map_folder(maps, raw, overwrite), with_asked(detector.inner_, asked)
        score_images(inner, data, output, fdr, drawn, overwrite, str(model), terminal)
        return
    refuse_but_of_images(detector.kind_, maps=maps, raw=raw)
    if detector.kind_ == "series":
        from anodiff.cli.series_score import score_series

        refuse("score", fdr=fdr)
        inner = with_settings(detector.inner_, per_day, asked)
        score_series(inner, data, output, causal or None, keep, map, overwrite, str(model), terminal)
        return
    refuse_for_rows(causal=causal, per_day=per_day)
    with_asked(detector, asked)
    worst, counts = Worst(3), np.zeros(2, dtype=np.int64)
    found = noted(terminal.count(pieces(detector, data), lambda piece: len(piece.scores)), worst)
    tables = (columns_of(detector, piece, keep, map) for piece in found)
    decided = by_rate(tables, detector.threshold_) if fdr is None else by_fdr(tables, fdr)
    with sink(output, overwrite) as write:
        for table in decided:
            counts += table.num_rows, np.count_nonzero(table["alarm"])
            write(table)
    facts = summary(detector, counts, worst, fdr, output)
    if fdr is not None and detector.alarm != "tail":
        warn_if_hopeless(detector.conformal_.supported_rate, fdr, facts["rows"], facts["alarms"])
    terminal.give(facts)
    terminal.show(*in_words(facts, str(model), data))


def with_asked(detector: Any, asked: dict[str, Any]) -> Any:
    """The detector with the settings that were asked for."""
    from anodiff.settings import check_settings

    detector.set_params(**{name: value for name, value in asked.items() if value is not None})
    check_settings(detector)
    return detector


def check_asked(output: str | None, rate: float | None, fdr: float | None, json: bool, overwrite: bool) -> None:
    """Refuse what contradicts itself or cannot be written, before any work is done."""
    from anodiff.alarms.base import check_rate
    from anodiff.cli.sinks import check_output
    from anodiff.types import Misfit

    if rate is not None and fdr is not None:
        raise Misfit("give either --rate or --fdr, not both.")
    if json and output == "-":
        raise Misfit("--json and -o - would both write to stdout; give -o a file.")
    check_rate(0.5 if rate is None else rate, "--rate")
    check_rate(0.5 if fdr is None else fdr, "--fdr")
    check_output(output, overwrite)


def noted(pieces: Iterable["Piece"], worst: "Worst") -> Iterator["Piece"]:
    """Pass pieces through, remembering the worst rows."""
    for piece in pieces:
        worst.add(piece)
        yield piece


def columns_of(detector: "Detector", piece: "Piece", keep: bool, map: bool) -> "pa.Table":
    """What is written of some rows, but for the alarm."""
    import pyarrow as pa

    columns: dict[str, Any] = {"row": piece.rows, "score": piece.scores, "p_value": detector.p_of(piece.scores)}
    if map:
        names = detector.model_.modality.columns
        columns |= {f"map.{name}": part for name, part in zip(names, detector.anomaly_map(piece.seen).T, strict=True)}
    if keep:
        taken = {"row", "score", "p_value", "alarm"}
        given = zip(piece.whole.names, piece.whole.arrow.columns, strict=True)
        columns |= {f"data.{name}" if name in taken else name: column for name, column in given}
    return pa.table(columns)


def summary(detector: "Detector", counts: Any, worst: "Worst", fdr: float | None, output: str | None) -> dict[str, Any]:
    """What there is to say about the rows."""
    rows, alarms = (int(count) for count in counts)
    p_values = detector.p_of(worst.scores)
    return {
        "rows": rows,
        "alarms": alarms,
        "rule": {"false_alarm_rate": detector.false_alarm_rate_} if fdr is None else {"fdr": fdr},
        "threshold": detector.threshold_ if fdr is None else None,
        "calibration": detector.statement(),
        "worst": [
            {"row": int(row), "score": float(value), "p_value": float(p)}
            for row, value, p in zip(worst.numbers, worst.scores, p_values, strict=True)
        ],
        "output": output,
    }


def warn_if_hopeless(smallest: float, fdr: float, rows: int, alarms: int, what: str = "rows") -> None:
    """Say so where control by counting could not have found a few anomalies, however clear."""
    if not alarms and smallest * rows > fdr:
        needed = math.ceil(smallest * rows / fdr)
        warnings.warn(
            f"with p-values from {smallest:.2g} up, --fdr {fdr:g} needs {needed:,} of {rows:,} {what} at the "
            f"smallest one; fit on more normal {what}, or use --alarm tail or --rate",
            UserWarning,
            stacklevel=2,
        )


def in_words(facts: dict[str, Any], model: str, data: str) -> list[str]:
    """The same for people, and what to type next."""
    from anodiff.report.judgement import about

    rows, alarms, rule = facts["rows"], facts["alarms"], facts["rule"]
    if "fdr" in rule:
        meaning = f"at most {100 * rule['fdr']:g} % of these alarms are expected to be false"
    else:
        wanted = rule["false_alarm_rate"]
        meaning = f"about {about(wanted * rows)} would be expected if every row were normal ({100 * wanted:g} %)"
    worst = "; ".join(f"row {w['row']} (score {w['score']:.4g}, p {w['p_value']:.2g})" for w in facts["worst"])
    lines = [f"[bold]{alarms:,} alarms[/] in {rows:,} rows; {meaning}."]
    lines += [f"Worst: {worst}."] if worst else []
    lines += [f"Written: {inert(facts['output'])}"] if facts["output"] not in (None, "-") else []
    shown = "DATA" if data == "-" else data
    return [*lines, f"Next:  anodiff explain {inert(model)} {inert(shown)}"]
