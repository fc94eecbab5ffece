"""The facts of a report of records of several kinds, before anyone decides how they look."""

import time
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from anodiff.data.records import Records
from anodiff.detect_multimodal import MultimodalDetector
from anodiff.explain.parts import reasons
from anodiff.report.calibration import curve, rates_for
from anodiff.report.citing import works
from anodiff.report.image_words import drift
from anodiff.report.several_shown import cells, expected
from anodiff.report.several_words import headline, limits, tell, trust
from anodiff.report.survey import counted, histogram_edges
from anodiff.types import JSON, Scores
from anodiff.version import __version__

WORST = 16
BESIDES = 4
"""Records without alarm that are shown after those in alarm."""
LISTED = 200
TOLD = 2
"""Pieces of evidence that a sentence tells of."""
LEAST = 0.01
"""Share of the evidence from which on a bar is drawn."""


@dataclass(frozen=True, eq=False)
class SeveralFindings:
    """Everything that a report of records of several kinds says.

    Attributes:
        headline: The answer in one sentence.
        model: What was learnt, from what, how.
        alarms: Rate, threshold, the statement behind them, the calibration curve.
        scores: Histograms of held-out normals and of the records, over common edges.
        data: Records, alarms, what is missing, what could not be read, seconds; None where no data were given.
        worst: The highest scoring records: what is said of them, and bars of what adds how much to the score.
        listed: All alarms by name, at most 200, the worst first.
        drift: Whether records without alarm score as held-out normals do; None where that is not known.
        trust: Checks, each good or not, in words.
        limits: What it cannot do.
        references: The works behind it.
        shown: What stands in the parts of the worst, and what was expected of one of them; pictures as arrays.
    """

    headline: str
    model: JSON
    alarms: JSON
    scores: JSON
    data: JSON | None
    worst: list[JSON]
    listed: list[JSON]
    drift: JSON | None
    trust: list[JSON]
    limits: list[str]
    references: list[JSON]
    shown: list[JSON] = field(default_factory=list)

    def to_dict(self) -> JSON:
        """As nested dicts and lists, without what stands in the parts."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.name != "shown"}


@dataclass(frozen=True, eq=False)
class _Judged:
    """Records that were judged: features, what was read, scores, and what each evidence adds to them."""

    x: Any
    found: Records
    scores: Scores
    parts: np.ndarray
    seconds: float


def several_findings(
    detector: MultimodalDetector, data: Any = None, model: str = "", name: str = "", worst: int = WORST
) -> SeveralFindings:
    """Gather the facts of a fitted detector and, if given, of records.

    Args:
        detector: Fitted.
        data: What `MultimodalDetector.fit` reads.
        model: Where it is saved, for the report to name.
        name: What to call the data; their path, if not given.
        worst: So many records are shown at most.

    Raises:
        Unreadable: there are no records in the data.
    """
    seen = None if data is None else _judged(detector, data)
    held_out, threshold = detector.held_out_, detector.threshold_
    edges = histogram_edges(held_out, threshold)
    alarms, described = _alarms(detector, None if seen is None else seen.scores), _learnt(detector, model)
    about = None if seen is None else _about(detector, seen, name or _named(data))
    moved = None if seen is None else drift(seen.scores, held_out, threshold)
    order = [] if seen is None else np.argsort(-seen.scores, kind="stable").tolist()
    raised = 0 if about is None else int(about["alarms"])
    shown = [] if seen is None else [_entry(detector, seen, i) for i in order[: min(worst, raised + BESIDES)]]
    return SeveralFindings(
        headline=headline(about, alarms, described),
        model=described,
        alarms=alarms,
        scores={
            "edges": edges.tolist(),
            "held_out": counted(held_out, edges).tolist(),
            "data": None if seen is None else counted(seen.scores, edges).tolist(),
        },
        data=about,
        worst=[entry for entry, _ in shown],
        listed=[] if seen is None else [_line(detector, seen, i) for i in order[: min(raised, LISTED)]],
        drift=moved,
        trust=trust(alarms, about, moved),
        limits=limits(alarms, described),
        references=works(detector.references()),
        shown=[each for _, each in shown],
    )


def _judged(detector: MultimodalDetector, data: Any) -> _Judged:
    began, blend = time.perf_counter(), detector.model_
    x, found = blend.look(data)
    scores, parts = blend.scores(x, found.present), blend.evidence(x, found.present)
    return _Judged(x, found, scores, parts, time.perf_counter() - began)


def _line(detector: MultimodalDetector, seen: _Judged, place: int) -> JSON:
    score = float(seen.scores[place])
    p_value = float(detector.p_of(np.array([score]))[0])
    alarm = bool(detector.decide(np.array([score]))[0])
    return {"name": seen.found.names[place], "score": score, "p_value": p_value, "alarm": alarm}


def _entry(detector: MultimodalDetector, seen: _Judged, place: int) -> tuple[JSON, JSON]:
    """A record for the report: what is said of it, and what is shown."""
    blend, parts = detector.model_, np.maximum(seen.parts[place], 0)
    (reason,) = reasons(blend, seen.x[[place]], seen.found.take([place]), detector.p_of, detector.threshold_, top=TOLD)
    shares = parts / parts.sum() if parts.sum() else parts
    bars = [
        {"name": name, "share": float(share)}
        for name, share in sorted(zip(detector.evidences_, shares, strict=True), key=lambda pair: -pair[1])
        if share >= LEAST
    ]
    first = next((each for each in reason.parts if each.part is not None), None)
    wanted = next((each for each in reason.parts if each.expected is not None), None)
    shown = {
        "cells": cells(seen.found, place),
        "about": None if first is None else first.part,
        "expected": None if wanted is None else expected(wanted, blend.modality.layout_[str(wanted.part)]["kind"]),
    }
    return {**reason.to_dict(), "said": tell(reason), "bars": bars}, shown


def _about(detector: MultimodalDetector, seen: _Judged, name: str) -> JSON:
    alarms = detector.decide(seen.scores)
    missing = 1 - seen.found.present.mean(0)
    return {
        "name": name,
        "records": len(seen.found),
        "alarms": int(alarms.sum()),
        "expected": detector.false_alarm_rate_ * len(seen.found),
        "parts": [
            {"name": part, "missing": float(share)} for part, share in zip(seen.found.columns, missing, strict=True)
        ],
        "unread": [{"name": each.name, "why": each.why} for each in seen.found.unread],
        "notes": list(seen.found.notes),
        "seconds": seen.seconds,
    }


def _alarms(detector: MultimodalDetector, scores: Scores | None) -> JSON:
    held_out, rate = detector.held_out_, detector.false_alarm_rate_
    rates = rates_for(held_out, rate)
    points = curve(held_out, rates, int(detector.seed))
    if scores is not None:
        above = [(scores > detector.conformal_.threshold(each)).mean() for each in rates]
        points = [{**point, "data": float(share)} for point, share in zip(points, above, strict=True)]
    return {
        "rate": rate,
        "threshold": detector.threshold_,
        "supported_rate": detector.conformal_.supported_rate,
        "held_out": len(held_out),
        "statement": detector.statement(),
        "curve": points,
    }


def _learnt(detector: MultimodalDetector, path: str) -> JSON:
    blend = detector.model_
    facts = blend.facts
    return {
        "path": path,
        "anodiff": __version__,
        "recipe": blend.recipe.name,
        "about": blend.recipe.about,
        "settings": blend.recipe.model_dump(mode="json"),
        "records_seen": facts["rows_seen"],
        "records": facts["rows_fitted"],
        "parts": len(blend.parts),
        "columns": [{**each, "missing": facts["missing"][each["name"]]} for each in facts["columns"]],
        "evidences": detector.evidences_,
        "unread": [{"name": name, "why": why} for name, why in facts["unread"]],
        "seconds": facts["seconds"],
        "contamination": detector.contamination_,
        "seed": int(detector.seed),
    }


def _named(data: Any) -> str:
    return str(data) if isinstance(data, str) or hasattr(data, "__fspath__") else "the records given"
