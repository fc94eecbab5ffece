"""From records to facts: means with the spread of the seeds, and anodiff minus each rival with an interval over series.

The interval is a bootstrap over series of paired differences, each the mean over seeds. A rival in which nothing is
drawn has one seed, which stands beside all of ours.
"""

from collections.abc import Callable, Sequence

import numpy as np

from anodiff.bench.series import published
from anodiff.bench.series.detect import OURS
from anodiff.bench.series.judge import RAW
from anodiff.bench.series.protocols import protocol
from anodiff.bench.series.results import Results
from anodiff.metrics.ranking import ragged_interval
from anodiff.types import JSON

TIE = 0.005
"""Series on which two methods differ by less are ties."""
Values = dict[str, list[float]]
"""A number by series, one for each seed."""


def verdict(results: Results) -> JSON:
    """All that there is to say about a run that compares methods."""
    plan = protocol(results.settings.protocol)
    names = sorted({record["set"] for record in results.records}, key=list(results.sets).index)
    groups = {name: kept for name, kept in grouped(results, names).items() if 0 < len(kept) < len(names)}
    table = published.table(plan.published)
    return {
        "protocol": results.settings.protocol,
        "metrics": list(plan.metrics),
        "sets": len(names),
        "seeds": len({record["seed"] for record in results.records}),
        "finished": results.finished,
        "all": block(results, names, plan.metrics, table),
        "groups": {name: block(results, kept, plan.metrics[:2], table) for name, kept in groups.items()},
        "published": None if not table else {"source": published.SOURCE, "sets": len([n for n in names if n in table])},
        "failed": troubles(results, "failed"),
        "skipped": troubles(results, "skipped"),
    }


def block(results: Results, names: Sequence[str], metrics: Sequence[str], table: dict[str, dict[str, float]]) -> JSON:
    """Every method on these series, and anodiff beside each other one, best first."""
    book = {metric: values(results, names, metric) for metric in metrics}
    first = metrics[0]
    for name in names:
        for method, number in table.get(name, {}).items():
            book[first].setdefault(method, {})[name] = [number]
    rows = [_row(results, method, book) for method in book[first]]
    rows.sort(key=lambda row: -row[first])
    rivals = [row["method"] for row in rows if row["method"] != OURS]
    return {
        "sets": list(names),
        "methods": rows,
        "against": [_against(book, rival) for rival in rivals] if OURS in book[first] else [],
        "differences": [
            {"words": words, "of": [one, other], "gap": gap(book[first].get(one, {}), book[first].get(other, {}))}
            for words, one, other in protocol(results.settings.protocol).differences
        ],
    }


def values(results: Results, names: Sequence[str], metric: str) -> dict[str, Values]:
    """A number of the records, by method, by series."""
    found: dict[str, Values] = {}
    for record in results.records:
        if record["set"] in names and record.get(metric) is not None:
            found.setdefault(record["method"], {}).setdefault(record["set"], []).append(float(record[metric]))
    return found


def troubles(results: Results, status: str) -> JSON:
    """By method: on which series it failed or was skipped, and what it said first."""
    found: JSON = {}
    for record in results.records:
        if record["status"] == status:
            told = found.setdefault(record["method"], {"sets": [], "error": record["error"]})
            told["sets"] = list(dict.fromkeys([*told["sets"], record["set"]]))
    return found


def gap(ours: Values, theirs: Values) -> JSON | None:
    """The mean difference with its interval, series won, tied and lost, and the worst; None without a shared one."""
    shared = [name for name in ours if name in theirs]
    if not shared:
        return None
    each = {name: float(np.mean(ours[name]) - np.mean(theirs[name])) for name in shared}
    worst = min(each, key=each.__getitem__)
    bounds: JSON = {"low": None, "high": None, "verdict": "is not told from"}
    if len(each) > 1:
        found = ragged_interval([np.array([value]) for value in each.values()])
        bounds = {"low": found.low, "high": found.high, "verdict": found.verdict}
    return {
        "value": float(np.mean(list(each.values()))),
        **bounds,
        "sets": len(each),
        "wins": sum(value >= TIE for value in each.values()),
        "ties": sum(abs(value) < TIE for value in each.values()),
        "losses": sum(value <= -TIE for value in each.values()),
        "worst_set": worst if each[worst] <= -TIE else None,
        "worst": min(each[worst], 0.0),
    }


def grouped(results: Results, names: Sequence[str]) -> dict[str, list[str]]:
    """Series by family, and by what else was told of them."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(results.sets[name]["family"], []).append(name)
    told = {name: results.sets[name].get("gaussianity") for name in names}
    known = {name: facts for name, facts in told.items() if facts and facts["gaussian"] is not None}
    if known:
        found["Gaussian"] = [name for name, facts in known.items() if facts["gaussian"]]
        found["not Gaussian"] = [name for name, facts in known.items() if not facts["gaussian"]]
        order = sorted(known, key=lambda name: -known[name]["distance"])
        found["the half that is least Gaussian"] = order[: max(1, len(order) // 2)]
    return found


def _row(results: Results, method: str, book: dict[str, dict[str, Values]]) -> JSON:
    """Means of a method, their spread over seeds, and what it cost."""
    found: JSON = {"method": method}
    for metric, table in book.items():
        held = table.get(method, {})
        found[metric] = _mean(held, np.mean)
        found[f"{metric}_spread"] = _spread(held)
    own = [record for record in results.records if record["method"] == method and record["status"] == "ok"]
    seconds = [sum(record.get(key) or 0.0 for key in ("fit_seconds", "score_seconds", "seconds")) for record in own]
    seconds = [each for each in seconds if each]
    sets = len(next(iter(book.values())).get(method, {}))
    return {**found, "sets": sets, "seconds_median": float(np.median(seconds)) if seconds else None}


def _against(book: dict[str, dict[str, Values]], rival: str) -> JSON:
    """Per metric; `cross` is the first of ours against the rival's without smoothing, where that exists."""
    first = next(iter(book))
    pairs = {metric: gap(table.get(OURS, {}), table.get(rival, {})) for metric, table in book.items()}
    bare = book.get(first + RAW, {}).get(rival, {})
    return {"rival": rival, **pairs, "cross": gap(book[first].get(OURS, {}), bare)}


def _mean(held: Values, of: Callable) -> float | None:
    return float(np.mean([of(each) for each in held.values()])) if held else None


def _spread(held: Values) -> float | None:
    """The standard deviation over seeds of the mean over series."""
    seeds = min(map(len, held.values()), default=0)
    if seeds < 2:
        return None
    return float(np.std([np.mean([each[seed] for each in held.values()]) for seed in range(seeds)], ddof=1))
