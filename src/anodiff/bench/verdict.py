"""From records to facts: means, wins and losses with intervals, ranks, false alarms, losses from level to level."""

from typing import Any

import numpy as np

from anodiff.bench.judge import RATES
from anodiff.bench.protocols import Level
from anodiff.bench.published import beside
from anodiff.bench.results import Results
from anodiff.bench.values import OURS, Book, Values, differences, mean
from anodiff.bench.warn import warnings
from anodiff.metrics.ranking import Interval, acceptance_interval, ragged_interval
from anodiff.metrics.ranks import average_ranks
from anodiff.types import JSON

FEW = 0.8
"""A method that is there on a smaller share of the sets than this takes no part in the ranks."""


def verdict(results: Results) -> JSON:
    """All that there is to say about a run."""
    book = Book(results)
    levels = book.levels()
    return {
        "protocol": book.settings.protocol,
        "metrics": book.metrics,
        "sets": len({r["set"] for r in results.records}),
        "seeds": len({r["seed"] for r in results.records}),
        "finished": results.finished,
        "over": "sets and seeds" if len({r["set"] for r in results.records}) > 1 else "seeds of one set",
        "levels": [_at(book, level) for level in levels],
        "losses": _losses(book, levels),
        "contamination": _estimates(book, levels) if book.plan.auto else [],
        "published": beside(book),
        "warnings": warnings(book),
    }


def _at(book: Book, level: Level) -> JSON:
    rows = [_method(book, name, level) for name in book.methods]
    first = book.metrics[0] if book.metrics else None
    return {
        "level": level,
        "methods": sorted(rows, key=lambda row: -(row.get(first) or -1)) if first else rows,
        "against": [_against(book, name, level) for name in book.settings.rivals if book.records(name, level)],
        "ranks": _ranks(book, level, first) if first else None,
    }


def _method(book: Book, method: str, level: Level) -> JSON:
    """Means of a method, what it cost, and its false alarms."""
    records = book.records(method, level)
    found: JSON = {"method": method, "sets": len({r["set"] for r in records})}
    found |= {name: mean(book.values(method, level, name)) for name in (*book.metrics, "oracle_f1")}
    seconds = book.values(method, level, "seconds")
    each = [float(np.mean(list(of.values()))) for of in seconds.values()]
    grown = [r["megabytes"] for r in records if r["megabytes"] is not None]
    extra = {name: mean(book.values(method, level, name)) for name in ("nfe", "seconds_per_row", "agreement")}
    return {
        **found,
        "failed": sorted({r["set"] for r in book.records(method, level, "failed")}),
        "seconds_median": float(np.median(each)) if each else None,
        "seconds_longest": max(each, default=None),
        "seconds_total": float(sum(sum(of.values()) for of in seconds.values())),
        "megabytes": max(grown, default=None),
        **extra,
        "false_alarms": _false_alarms(book, method, level),
    }


def _false_alarms(book: Book, method: str, level: Level) -> JSON:
    """Share of unseen normals that raise an alarm, and on how many cuts it is within the rate's 99 % interval."""
    cuts = {(s["set"], s["seed"], s["level"]): s for s in book.results.splits}
    found: JSON = {}
    for rate in RATES:
        pairs = [
            (r[f"false_alarms_{rate:g}"], cuts[r["set"], r["seed"], r["level"]]["n_normal"])
            for r in book.records(method, level)
        ]
        if not pairs:
            continue
        bounds = [acceptance_interval(rate, of, 0.99) for _, of in pairs]
        within = sum(b.low <= k / of <= b.high for b, (k, of) in zip(bounds, pairs, strict=True))
        found[f"{rate:g}"] = {
            "pooled": sum(k for k, _ in pairs) / sum(of for _, of in pairs),
            "mean": float(np.mean([k / of for k, of in pairs])),
            "within": within,
            "of": len(pairs),
        }
    return found


def _against(book: Book, rival: str, level: Level) -> JSON:
    """Ours minus a rival's, per metric, over the sets and seeds that both have."""
    found: JSON = {"rival": rival}
    for name in book.metrics:
        gaps = differences(book.values(OURS, level, name), book.values(rival, level, name))
        found[name] = gap(gaps)
    return found


def gap(gaps: dict[str, np.ndarray]) -> JSON | None:
    """The mean difference with its interval, sets won and lost, and the worst loss; None without a shared set."""
    if not gaps:
        return None
    of_sets = {name: float(each.mean()) for name, each in gaps.items()}
    worst = min(of_sets, key=of_sets.__getitem__)
    return {
        **_interval(list(gaps.values())),
        "sets": len(gaps),
        "wins": sum(value > 0 for value in of_sets.values()),
        "losses": sum(value < 0 for value in of_sets.values()),
        "worst_set": worst if of_sets[worst] < 0 else None,
        "worst": min(of_sets[worst], 0.0),
    }


def _interval(differences: list[np.ndarray]) -> JSON:
    if len(differences) == 1 and len(differences[0]) == 1:
        return {"value": float(differences[0][0]), "low": None, "high": None, "verdict": "is not told from"}
    found: Interval = ragged_interval(differences)
    return {"value": found.value, "low": found.low, "high": found.high, "verdict": found.verdict}


def _ranks(book: Book, level: Level, metric: str) -> JSON | None:
    """Average ranks over the sets that all methods have; those with few of the sets are left out, by name."""
    tables = {name: book.values(name, level, metric) for name in book.methods}
    most = max(len(table) for table in tables.values())
    kept = {name: table for name, table in tables.items() if table and len(table) >= FEW * most}
    shared = sorted(set.intersection(*(set(table) for table in kept.values()))) if kept else []
    if len(kept) < 2 or len(shared) < 2:
        return None
    found = average_ranks({name: _means(table, shared) for name, table in kept.items()})
    return {
        "metric": metric,
        "ranks": found.ranks,
        "sets": found.sets,
        "friedman_p": found.p,
        "critical_difference": found.distance,
        "groups": found.groups,
        "left_out": [name for name in tables if name not in kept],
    }


def _means(table: Values, sets: list[str]) -> np.ndarray:
    return np.array([np.mean(list(table[name].values())) for name in sets])


def _losses(book: Book, levels: list[Level]) -> list[JSON]:
    """What each method gains or loses from the first level to each other, on the same sets and seeds."""
    found: list[JSON] = []
    for level in levels[1:]:
        for method in [OURS] if book.plan.rivals_once else book.methods:
            gaps = {
                name: gap(differences(book.values(method, level, name), book.values(method, levels[0], name)))
                for name in book.metrics
            }
            found.append({"level": level, "method": method, **gaps})
    return found


def _estimates(book: Book, levels: list[Level]) -> list[JSON]:
    """On how many sets anodiff's estimate of the contamination lies within a factor of two of the truth."""
    cuts = {(s["set"], s["seed"], s["level"]): s["contamination"] for s in book.results.splits if not s["skipped"]}
    found: list[JSON] = []
    for level in levels:
        ratios: dict[str, list[float]] = {}
        estimates: list[float] = []
        for r in book.records(OURS, level):
            true, told = cuts.get((r["set"], r["seed"], level)), r.get("contamination_estimate")
            if told is not None:
                estimates.append(told)
            if true and told is not None:
                ratios.setdefault(r["set"], []).append(told / true)
        within = sum(0.5 <= float(np.median(each)) <= 2 for each in ratios.values())
        reached = [c for (_, _, at), c in cuts.items() if at == level and c is not None]
        found.append(_estimate(level, reached, estimates, within, len(ratios)))
    return found


def _estimate(level: Level, reached: list[float], estimates: list[float], within: int, of: int) -> dict[str, Any]:
    return {
        "level": level,
        "true_median": float(np.median(reached)) if reached else None,
        "estimate_median": float(np.median(estimates)) if estimates else None,
        "within_factor_two": within,
        "of_sets": of,
    }
