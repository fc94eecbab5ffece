"""The facts of a report, before anyone decides how they look."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from anodiff.alarms import watch
from anodiff.alarms.drift import restore_sketch
from anodiff.data.summary import columns
from anodiff.data.table import Table
from anodiff.detect import Detector
from anodiff.explain import Explanation
from anodiff.recipes.schema import Recipe
from anodiff.recipes.specs import OF_THE_PANEL
from anodiff.report.calibration import curve, rates_for
from anodiff.report.citing import works
from anodiff.report.judgement import headline, limits, trust
from anodiff.report.passes import pieces
from anodiff.report.reasons import reasons
from anodiff.report.survey import Survey, counted, histogram_edges, survey
from anodiff.types import JSON
from anodiff.version import __version__

WORST = 20
FEWEST = 3
CELLS = 6


@dataclass(frozen=True)
class Findings:
    """Everything that a report says.

    Attributes:
        headline: The answer in one sentence.
        model: What was learnt, from what, how, at what cost.
        columns: Per column its kind and what is normal in it.
        alarms: Rate, threshold, the statement behind them, the calibration curve.
        scores: Histograms of held-out normals and of the data, over common edges.
        data: Rows, alarms, seconds; None where no data were given.
        worst: The highest scoring rows with reasons.
        members: Each member's part of the score, on average over the worst rows.
        drift: Columns that differ from training.
        trust: Checks, each good or not, in words.
        limits: What it cannot do.
        references: The works behind it.
    """

    headline: str
    model: JSON
    columns: list[JSON]
    alarms: JSON
    scores: JSON
    data: JSON | None
    worst: list[JSON]
    members: list[JSON]
    drift: list[JSON]
    trust: list[JSON]
    limits: list[str]
    references: list[JSON]

    def to_dict(self) -> JSON:
        """As nested dicts and lists."""
        return asdict(self)


def findings(detector: Detector, data: Any = None, model: str = "", name: str = "") -> Findings:
    """Gather the facts of a fitted detector and, if given, of data, in one pass and bounded memory.

    Args:
        detector: Fitted.
        data: What `Detector.fit` reads: a frame, an array, a path, "-".
        model: Where it is saved, for the report to name.
        name: What to call the data; their path, if not given.
    """
    held_out = detector.held_out_
    rates = rates_for(held_out, detector.false_alarm_rate_)
    threshold = detector.threshold_
    edges = histogram_edges(held_out, threshold)
    found = None if data is None else _surveyed(detector, data, threshold, rates, edges)
    points = curve(held_out, rates, detector.seed)
    if found and found.rows:
        points = [{**p, "data": int(k) / found.rows} for p, k in zip(points, found.above, strict=True)]
    alarms = {
        "rate": detector.false_alarm_rate_,
        "threshold": threshold,
        "supported_rate": detector.conformal_.supported_rate,
        "held_out": len(held_out),
        "statement": detector.statement(),
        "curve": points,
    }
    about = _judged(found, name or data, detector.false_alarm_rate_)
    drift = [] if found is None or not found.rows else drifted(detector, found)
    explained = [] if found is None else _explained(detector, found)
    described = _learnt(detector, model)
    return Findings(
        headline(about, alarms, described),
        described,
        detector.model_.facts["columns"],
        alarms,
        {
            "edges": edges.tolist(),
            "held_out": counted(held_out, edges).tolist(),
            "data": None if found is None else found.histogram.tolist(),
        },
        about,
        [row(each) for each in explained],
        contributions(detector, explained),
        drift,
        trust(alarms, about, drift, described),
        limits(alarms, described),
        works(detector.references()),
    )


def drifted(detector: Detector, found: Survey) -> list[JSON]:
    """Columns that differ from training, and whether they still do without the rows in alarm."""
    training = {name: restore_sketch(config) for name, config in detector.model_.facts["sketches"].items()}

    def differing(table: Table) -> list[Any]:
        new = {name: values for name, values in columns(table).items() if name in training}
        return watch(training, new) if new and len(table) else []

    calm = {each.column for each in differing(found.sample.take(np.flatnonzero(~found.alarmed)))}
    everywhere = differing(found.sample)
    return [{**asdict(each), "without_alarms": each.column in calm} for each in everywhere]


def row(each: Explanation) -> JSON:
    """A worst row for the report: its leading cells only, so that wide tables stay readable."""
    known = each.to_dict()
    cells = known["cells"][:CELLS]
    return {
        **{name: known[name] for name in ("row", "score", "p_value", "alarm", "sentence", "members", "nearest_score")},
        "brief": brief(each),
        "cells": cells,
        "changed": len(known["changed"]),
        "hidden": len(set(known["changed"]) - {cell["column"] for cell in cells}),
    }


def brief(each: Explanation) -> str:
    """The leading reason alone, for who has ten seconds."""
    leading = next((cell.words for cell in each.cells if cell.words and each.sentence.startswith(cell.words)), "")
    more = len(each.changed) - 1
    if not leading or more < 1:
        return each.sentence
    return f"{leading}; {more} more column{'s' * (more > 1)} out of place."


def contributions(detector: Detector, explained: Sequence[Explanation]) -> list[JSON]:
    """Per member: what it asks of which model of normal, and its mean share of the score of the worst rows."""
    recipe = detector.model_.recipe
    totals = [max(sum(each.members.values()), 1e-12) for each in explained]
    return [
        {
            "name": name,
            "asks": asked.use,
            "of": asked_of(recipe, name),
            "share": float(np.mean([e.members[name] / t for e, t in zip(explained, totals, strict=True)]))
            if explained
            else None,
        }
        for name, asked in recipe.scores.items()
        if name in detector.model_.score.members
    ]


def asked_of(recipe: Recipe, name: str) -> str:
    """Which model a score asks, in words."""
    asked = recipe.scores[name]
    if asked.use in OF_THE_PANEL:
        return "the known anomalies"
    return "its own network" if asked.of is None else f"{asked.of}: {recipe.denoisers[asked.of].use}"


def _explained(detector: Detector, found: Survey) -> list[Explanation]:
    """The worst rows in alarm; where these are few, the worst three."""
    shown = min(max(found.alarms, FEWEST), len(found.worst.numbers))
    table = None if found.worst.table is None else found.worst.table.slice(0, shown)
    return reasons(detector, table, found.worst.numbers[:shown], 3)


def _surveyed(detector: Detector, data: Any, threshold: float, rates: list[float], edges: np.ndarray) -> Survey:
    thresholds = np.array([detector.conformal_.threshold(rate) for rate in rates])
    return survey(pieces(detector, data), threshold, thresholds, edges, WORST, detector.seed)


def _judged(found: Survey | None, data: Any, rate: float) -> JSON | None:
    if found is None:
        return None
    return {
        "name": str(data) if isinstance(data, str) or hasattr(data, "__fspath__") else "the table given",
        "rows": found.rows,
        "alarms": found.alarms,
        "expected": rate * found.rows,
        "seconds": found.seconds,
    }


def _learnt(detector: Detector, path: str) -> JSON:
    model = detector.model_
    return {
        "path": path,
        "anodiff": __version__,
        "recipe": model.recipe.name,
        "about": model.recipe.about,
        "settings": model.recipe.model_dump(mode="json"),
        "rows_seen": model.facts["rows_seen"],
        "rows_fitted": model.facts["rows_fitted"],
        "columns": len(model.facts["columns"]),
        "dropped": model.facts.get("dropped", []),
        "seconds": model.facts["seconds"],
        "evaluations": model.score.nfe,
        "contamination": model.facts["contamination"]["value"],
        "examples": model.facts["examples"],
        "seed": detector.seed,
    }
