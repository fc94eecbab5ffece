"""The facts as tables of texts, which the terminal and the markdown page both print."""

from dataclasses import dataclass
from typing import Any

from anodiff.bench.sentences import NAMES, VARIED, bounds, level_name, level_value, points
from anodiff.bench.values import OURS
from anodiff.types import JSON


@dataclass(frozen=True)
class Sheet:
    """A table of texts; its first column is of words, the others of numbers."""

    title: str
    heads: list[str]
    rows: list[list[str]]
    note: str = ""


def methods(at: JSON, summary: JSON, varies: str | None) -> Sheet:
    """Every method at a level, best first, and what anodiff is ahead of it."""
    metrics = summary["metrics"]
    gaps = {found["rival"]: found for found in at["against"]}
    made = any(name.startswith("made") for name in metrics)
    rates = list(next((row["false_alarms"] for row in at["methods"] if row["false_alarms"]), {})) if made else []
    first = metrics[0] if metrics else ""
    rows = [
        [
            row["method"],
            *(number(row[name]) for name in metrics),
            *([] if made else [number(row["oracle_f1"])]),
            *(_percent(row["false_alarms"].get(rate)) for rate in rates),
            _ahead(gaps.get(row["method"], {}).get(first)),
            _won(gaps.get(row["method"], {}).get(first)),
            *costs(row),
        ]
        for row in at["methods"]
    ]
    heads = [
        "method",
        *(HEADS.get(name, NAMES[name]) for name in metrics),
        *([] if made else ["oracle F1"]),
        *(f"{100 * float(rate):g} %" for rate in rates),
        "anodiff ahead by",
        "won : lost",
        *COSTS,
    ]
    title = MADE_TITLE if made else level_name(varies, at["level"]) or "Methods"
    return Sheet(title, heads, rows, _note(summary))


HEADS = {"made_swapped_auroc": "made swapped", "made_pushed_auroc": "made pushed"}
MADE_TITLE = "AUROC on made anomalies, and % of held-out rows that raise an alarm, asked for 1, 5, 10 %"
COSTS = ["s", "s, in all", "MB"]


def costs(row: JSON) -> list[str]:
    """Seconds of a fit and a score, of all of them, and megabytes."""
    return [number(row["seconds_median"], 2), number(row["seconds_total"], 0), number(row["megabytes"], 0)]


def by_level(summary: JSON, varies: str, metric: str) -> Sheet:
    """A method's mean at every level, and what it gains or loses against the first on the sets that have both."""
    levels = summary["levels"]
    found = {at["level"]: {row["method"]: row for row in at["methods"]} for at in levels}
    lost = {(row["level"], row["method"]): row.get(metric) for row in summary["losses"]}
    rows = []
    for row in levels[0]["methods"] if levels else []:
        name = row["method"]
        cells = [
            _with_loss(found[at["level"]].get(name, {}).get(metric), lost.get((at["level"], name))) for at in levels
        ]
        rows.append([name, *cells, *costs(row)])
    heads = [level_value(varies, at["level"]) for at in levels]
    title = f"{NAMES[metric]} by {VARIED[varies][1]}; in brackets, against the first level"
    return Sheet(title, ["method", *heads, *COSTS], rows)


def losses(summary: JSON, varies: str) -> Sheet:
    """What each method gains or loses from the first level to the others."""
    metrics = summary["metrics"]
    rows = [
        [level_name(varies, row["level"]), row["method"], *(_signed(row.get(name)) for name in metrics)]
        for row in summary["losses"]
    ]
    return Sheet("Gained or lost against the first level", ["level", "method", *(NAMES[n] for n in metrics)], rows)


def anytime(summary: JSON) -> Sheet:
    """What anodiff reaches for how many network evaluations."""
    lost = {row["level"]: row for row in summary["losses"] if row["method"] == OURS}
    metric = summary["metrics"][0] if summary["metrics"] else ""
    rows = []
    for at in summary["levels"]:
        row = next(row for row in at["methods"] if row["method"] == OURS)
        gap = lost.get(at["level"], {}).get(metric)
        budget = "default" if at["level"] is None else str(at["level"])
        micro = None if row["seconds_per_row"] is None else 1e6 * row["seconds_per_row"]
        cells = [number(row["nfe"], 0), number(row.get(metric)), _signed(gap)]
        rows.append([budget, *cells, number(row["agreement"], 3), number(micro, 0)])
    heads = ["budget", "evaluations", NAMES.get(metric, ""), "against the default", "agreement", "microseconds per row"]
    return Sheet(
        "Anytime: accuracy over evaluations", heads, rows, "Agreement is Spearman's, with the default's scores."
    )


def false_alarms(at: JSON) -> Sheet:
    """Measured against wanted false alarms, by thresholds from training rows alone."""
    rates = list(next((row["false_alarms"] for row in at["methods"] if row["false_alarms"]), {}))
    rows = [
        [row["method"], *(_alarm(row["false_alarms"].get(rate)) for rate in rates)]
        for row in at["methods"]
        if row["false_alarms"]
    ]
    heads = ["method", *(f"{100 * float(rate):g} % wanted" for rate in rates)]
    note = (
        "Normals of the test that raise an alarm, pooled; in brackets, on how many cuts that is within chance (99 %). "
        "Every threshold comes from scores of training rows alone."
    )
    return Sheet("False alarms", heads, rows, note)


def against(at: JSON, metrics: list[str], varies: str | None) -> Sheet:
    """anodiff minus each rival, per metric: the difference, sets won and lost, and the worst loss with its set."""
    rows = [
        [
            found["rival"],
            *(cell for name in metrics for cell in (_ahead(found[name]), _won(found[name]), _worst(found[name]))),
            str(found[metrics[0]]["sets"] if found[metrics[0]] else 0),
        ]
        for found in at["against"]
    ]
    heads = [head for name in metrics for head in (f"{NAMES[name]} ahead by", "won : lost", "worst loss, on")]
    where = level_name(varies, at["level"])
    title = f"anodiff against each rival{', ' + where if where else ''}"
    return Sheet(title, ["rival", *heads, "sets of both"], rows)


def published(table: JSON) -> Sheet:
    """Published means, and anodiff's place among them."""
    rows = [[str(i), name, number(value, 2)] for i, (name, value) in enumerate(table["means"].items(), start=1)]
    note = f"{table['source']}, means over {table['sets']} sets. anodiff's number is of this run."
    return Sheet(
        f"{NAMES[table['metric']]}, as published, not re-run: anodiff is number {table['place']} of {len(rows)}",
        ["place", "method", NAMES[table["metric"]]],
        rows,
        note,
    )


def estimates(summary: JSON, varies: str | None) -> Sheet:
    """The contamination that anodiff tells, beside the truth."""
    rows = [
        [
            level_value(varies, row["level"]) if varies else "-",
            share(row["true_median"]),
            share(row["estimate_median"]),
            f"{row['within_factor_two']} of {row['of_sets']}" if row["of_sets"] else "-",
        ]
        for row in summary["contamination"]
    ]
    heads = ["level", "true (median)", "estimated (median)", "sets within x 2"]
    return Sheet("Share of anomalies among the training rows, as anodiff estimates it", heads, rows)


def number(value: Any, digits: int = 1) -> str:
    """A number, or a dash where there is none.

    >>> number(1234.56), number(None)
    ('1,234.6', '-')
    """
    return "-" if value is None else f"{value:,.{digits}f}"


def share(value: float | None) -> str:
    """A share as per cent."""
    return "-" if value is None else f"{100 * value:.1f} %"


def _with_loss(value: float | None, gap: JSON | None) -> str:
    return number(value) + (f" ({points(gap)})" if gap else "")


def _signed(gap: JSON | None) -> str:
    return "-" if not gap else points(gap) + bounds(gap)


def _ahead(gap: JSON | None) -> str:
    return "" if not gap else f"{points(gap)}{bounds(gap)} {gap['verdict'] if gap['low'] is not None else ''}".strip()


def _won(gap: JSON | None) -> str:
    return "" if not gap else f"{gap['wins']} : {gap['losses']}"


def _percent(found: JSON | None) -> str:
    return "-" if not found else number(100 * found["pooled"])


def _worst(gap: JSON | None) -> str:
    return "none" if not gap or gap["worst_set"] is None else f"{gap['worst']:.1f}, {gap['worst_set']}"


def _alarm(found: JSON | None) -> str:
    return "-" if not found else f"{100 * found['pooled']:.2f} % ({found['within']} of {found['of']})"


def _note(summary: JSON) -> str:
    said = f"Means over sets. In brackets a 95 % interval over {summary['over']}."
    if any(name.startswith("made") for name in summary["metrics"]):
        return f"{said} Anomalies are made from held-out rows: no number on them is about real ones."
    return f"{said} oracle F1 chose its threshold by the labels of the test."
