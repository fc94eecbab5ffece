"""`anodiff score` of records of several kinds: per record a score, a p-value, an alarm, and what each part says."""

import warnings
from typing import TYPE_CHECKING, Any

from anodiff.cli.terminal import Terminal, counted, inert

if TYPE_CHECKING:
    import pyarrow as pa

    from anodiff.data.records import Records
    from anodiff.detect_multimodal import MultimodalDetector
    from anodiff.types import Scores

WORST = 3


def score_several(
    detector: "MultimodalDetector",
    data: str,
    output: str | None,
    fdr: float | None,
    map: bool,
    overwrite: bool,
    model: str,
    terminal: Terminal,
) -> None:
    """Judge records and write what was found, in their order."""
    from anodiff.cli.score import warn_if_hopeless
    from anodiff.cli.sinks import sink
    from anodiff.detect_multimodal import unread_in_words

    x, found = detector.model_.look(data)
    for note in [*found.notes, *unread_in_words(found.unread)]:
        warnings.warn(note, UserWarning, stacklevel=2)
    scores = detector.model_.scores(x, found.present)
    alarms = detector.decide(scores, fdr=fdr)
    table = table_of(detector, found, scores, alarms, detector.model_.surprises(x, found.present))
    if map:
        parts = detector.model_.evidence(x, found.present)
        for name, column in zip(detector.evidences_, parts.T, strict=True):
            table = table.append_column(f"map.{name}", [column])
    with sink(output, overwrite) as write:
        write(table)
    facts = summary(detector, found, scores, alarms, fdr, output)
    if fdr is not None and detector.alarm != "tail":
        warn_if_hopeless(detector.conformal_.supported_rate, fdr, len(found), int(alarms.sum()), "records")
    terminal.give(facts)
    terminal.show(*in_words(facts, model, data))


def table_of(
    detector: "MultimodalDetector", found: "Records", scores: "Scores", alarms: Any, surprises: Any
) -> "pa.Table":
    """What is written; what a part says is empty where the part is missing."""
    import numpy as np
    import pyarrow as pa

    columns: dict[str, Any] = {
        "record": pa.array(found.names, pa.string()),
        "score": scores,
        "p_value": detector.p_of(scores),
        "alarm": alarms,
    }
    said = zip(detector.evidences_, surprises.T, strict=True)
    columns |= {f"part.{name}": pa.array(each, mask=np.isnan(each)) for name, each in said}
    return pa.table(columns)


def summary(
    detector: "MultimodalDetector",
    found: "Records",
    scores: "Scores",
    alarms: Any,
    fdr: float | None,
    output: str | None,
) -> dict[str, Any]:
    """What there is to say about the records."""
    import numpy as np

    worst = np.argsort(-scores, kind="stable")[:WORST]
    p_values = detector.p_of(scores[worst])
    return {
        "records": len(found),
        "alarms": int(alarms.sum()),
        "unread": [{"name": each.name, "why": each.why} for each in found.unread],
        "rule": {"false_alarm_rate": detector.false_alarm_rate_} if fdr is None else {"fdr": fdr},
        "threshold": detector.threshold_ if fdr is None else None,
        "calibration": detector.statement(),
        "worst": [
            {"record": found.names[i], "score": float(scores[i]), "p_value": float(p)}
            for i, p in zip(worst, p_values, strict=True)
        ],
        "output": output,
    }


def in_words(facts: dict[str, Any], model: str, data: str) -> list[str]:
    """The same for people, and what to type next."""
    from anodiff.report.judgement import about

    records, alarms, rule = facts["records"], facts["alarms"], facts["rule"]
    if "fdr" in rule:
        meaning = f"at most {100 * rule['fdr']:g} % of these alarms are expected to be false"
    else:
        wanted = rule["false_alarm_rate"]
        meaning = f"about {about(wanted * records)} would be expected if every one were normal ({100 * wanted:g} %)"
    worst = "; ".join(f"{inert(w['record'])} (score {w['score']:.4g}, p {w['p_value']:.2g})" for w in facts["worst"])
    lines = [f"[bold]{counted(alarms, 'alarm')}[/] in {counted(records, 'record')}; {meaning}.", f"Worst: {worst}."]
    lines += [f"Written: {inert(facts['output'])}"] if facts["output"] not in (None, "-") else []
    return [*lines, f"Next:  anodiff explain {inert(model)} {inert(data)}"]
