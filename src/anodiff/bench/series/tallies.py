"""From records to facts where events or seconds were counted: rates by family, costs by what was measured."""

import math

import numpy as np
from scipy.stats import chi2

from anodiff.bench.series import cost, rates
from anodiff.bench.series.results import Results
from anodiff.bench.series.verdict import troubles
from anodiff.types import JSON

FACTOR = 1.5
FEW = 5
"""Expected events below which a ratio says little."""


def tally(results: Results) -> JSON:
    """All that there is to say about a run that counts."""
    names = {record["set"] for record in results.records}
    told = {
        "protocol": results.settings.protocol,
        "sets": len(names),
        "seeds": len({record["seed"] for record in results.records}),
        "finished": results.finished,
        "failed": troubles(results, "failed"),
        "skipped": troubles(results, "skipped"),
    }
    return told | ({"rates": of_rates(results)} if results.settings.protocol == "rates" else {"costs": costs(results)})


def of_rates(results: Results) -> list[JSON]:
    """Per way to calibrate, family and stated rate: events found over events stated."""
    ok = [record for record in results.records if record["status"] == "ok"]
    families = list(dict.fromkeys(results.sets[record["set"]]["family"] for record in ok))
    found = []
    for method in rates.METHODS:
        own = [record for record in ok if record["method"] == method]
        for family in [*families, None]:
            kept = [r for r in own if family is None or results.sets[r["set"]]["family"] == family]
            found += [_ratio(method, family, kept, rate) for rate in rates.STATED] if kept else []
    return found


def _ratio(method: str, family: str | None, kept: list[JSON], rate: float) -> JSON:
    """With the exact interval of a Poisson count, as if events came singly; the mean over seeds counts as one run."""
    seeds = len({record["seed"] for record in kept})
    count = sum(record[f"events_{rate:g}"] for record in kept) / seeds
    stated = sum(record["instants_held"] for record in kept) / seeds * rate / rates.PER
    low = float(chi2.ppf(0.025, 2 * count) / 2) if count else 0.0
    high = float(chi2.ppf(0.975, 2 * count + 2) / 2)
    ratio = count / stated
    return {
        "method": method,
        "family": family,
        "rate": rate,
        "sets": len({record["set"] for record in kept}),
        "instants": int(sum(record["instants_held"] for record in kept) / seeds),
        "supported": sum(record["supported_rate"] <= rate for record in kept) / len(kept),
        "events": count,
        "stated": stated,
        "ratio": ratio,
        "low": low / stated,
        "high": high / stated,
        "verdict": _kept(ratio, low / stated, high / stated, stated),
    }


def _kept(ratio: float, low: float, high: float, stated: float) -> str:
    """In words, whether the ratio lies within the factor, and whether chance could say the contrary.

    >>> _kept(1.1, 0.8, 1.4, 40.0), _kept(0.5, 0.1, 1.4, 4.0)
    ('kept', 'too few events, within chance')
    """
    if 1 / FACTOR <= ratio <= FACTOR:
        return "kept" if stated >= FEW else "kept, of few"
    word = "too many events" if ratio > FACTOR else "too few events"
    return f"{word}, within chance" if low <= FACTOR and high >= 1 / FACTOR else word


def costs(results: Results) -> list[JSON]:
    """Per measurement, the median over seeds of each number."""
    found = []
    for name in cost.METHODS:
        for method in cost.METHODS[name]:
            own = [r for r in results.records if (r["set"], r["method"], r["status"]) == (name, method, "ok")]
            keys = dict.fromkeys(key for record in own for key, value in record.items() if _is_number(value))
            numbers = {key: float(np.median([r[key] for r in own])) for key in keys if key != "seed"}
            found.append({"set": name, "method": method, "runs": len(own), **numbers})
    return found


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
