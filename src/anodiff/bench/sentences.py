"""The verdict in sentences. Facts come from `verdict`; nothing is computed here."""

from typing import Any

from anodiff.bench.values import LABELLED, MADE, OURS
from anodiff.types import JSON

NAMES = {**LABELLED, **MADE}
VARIED = {
    "contamination": ("{} anomalies in training", "share of anomalies in training"),
    "rows": ("{} training rows", "training rows"),
    "missing": ("{} of the cells deleted", "share of cells deleted"),
    "examples": ("{} known anomalies", "known anomalies given to fit"),
    "budget": ("budget {}", "budget"),
}
SHARES = ("contamination", "missing")
SAID = {"wins": "wins against", "ties": "ties with", "loses": "loses against", "is not told from": "is not told from"}


def level_name(varies: str | None, level: Any) -> str:
    """A level in words.

    >>> level_name("contamination", 0.05), level_name("budget", None), level_name(None, None)
    ('5 % anomalies in training', 'budget default', '')
    """
    return "" if varies is None else VARIED[varies][0].format(level_value(varies, level))


def level_value(varies: str, level: Any) -> str:
    """A level as a number.

    >>> level_value("missing", 0.2), level_value("rows", 20)
    ('20 %', '20')
    """
    if level is None:
        return "default"
    return f"{100 * level:g} %" if varies in SHARES else f"{level:g}"


def headline(summary: JSON, varies: str | None) -> list[str]:
    """The verdict against the strongest rival at each level, and, where there is one level, against the others."""
    found = []
    if "made_swapped_auroc" in summary["metrics"] or "made_pushed_auroc" in summary["metrics"]:
        found.append(_held_out(summary["levels"][0]))
    levels = [at for at in summary["levels"] if at["against"] and summary["metrics"]]
    for at in levels:
        found += _of_level(summary, at, varies)
    return found or [_alone(summary, at, varies) for at in summary["levels"]]


def against(rival: str, found: JSON, metric: str, over: str) -> str:
    """A sentence on one rival.

    >>> gap = {"verdict": "wins", "value": 2.2, "low": 0.1, "high": 5.0}
    >>> against("knn", gap, "auroc", "26 sets x 5 seeds")
    'anodiff wins against knn by +2.2 AUROC (0.1 to 5.0) on 26 sets x 5 seeds'
    """
    by = "by" if found["verdict"] in ("wins", "loses") else "at"
    return f"{OURS} {SAID[found['verdict']]} {rival} {by} {points(found)} {NAMES[metric]}{bounds(found)} on {over}"


def points(found: JSON) -> str:
    """A difference with its sign."""
    return f"{found['value']:+.1f}"


def bounds(found: JSON) -> str:
    """The interval in brackets; nothing where there is none."""
    return "" if found["low"] is None else f" ({found['low']:.1f} to {found['high']:.1f})"


def strongest(at: JSON, metric: str) -> JSON | None:
    """The rival with the highest mean among those that anodiff can be compared with."""
    able = {found["rival"]: found for found in at["against"] if found.get(metric)}
    means = {row["method"]: row[metric] for row in at["methods"] if row["method"] in able and row[metric] is not None}
    return able[max(means, key=means.__getitem__)] if means else None


def _of_level(summary: JSON, at: JSON, varies: str | None) -> list[str]:
    metric = summary["metrics"][0]
    rival = strongest(at, metric)
    if rival is None:
        return [_alone(summary, at, varies)]
    where = level_name(varies, at["level"])
    gap = rival[metric]
    over = f"{_many(gap['sets'], 'set')} x {_many(summary['seeds'], 'seed')}"
    sentence = f"{where + ': ' if where else ''}{against(rival['rival'], gap, metric, over)}, the strongest rival."
    return [sentence, *_others(at, metric, rival["rival"])] if varies is None else [sentence]


def _others(at: JSON, metric: str, named: str) -> list[str]:
    """Against whom else it wins, ties and loses."""
    groups: dict[str, list[str]] = {}
    for found in at["against"]:
        if found["rival"] != named and found.get(metric):
            groups.setdefault(found[metric]["verdict"], []).append(found["rival"])
    parts = [f"{SAID[word]} {', '.join(groups[word])}" for word in SAID if word in groups]
    return [f"Of the others, it {'; '.join(parts)}."] if parts else []


def _held_out(at: JSON) -> str:
    ours = next(row for row in at["methods"] if row["method"] == OURS)
    told = [
        f"{100 * found['pooled']:.1f} % where {100 * float(rate):g} % was asked for"
        for rate, found in ours["false_alarms"].items()
    ]
    return f"On held-out rows {OURS} raises alarms on {', '.join(told)}." if told else f"{OURS} failed; see below."


def _alone(summary: JSON, at: JSON, varies: str | None) -> str:
    ours = next(row for row in at["methods"] if row["method"] == OURS)
    where = level_name(varies, at["level"])
    told = [f"{NAMES[name]} {ours[name]:.1f}" for name in summary["metrics"] if ours[name] is not None]
    return f"{where + ': ' if where else ''}{OURS} has {', '.join(told) or 'no result'}; no rival was judged beside it."


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
