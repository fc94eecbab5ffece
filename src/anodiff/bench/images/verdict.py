"""From records to facts: means with the spread of the seeds, and anodiff minus each method with an interval.

The interval is of paired bootstrap samples: the same sampled test pictures for both, and seeds drawn anew for each
sample. A rival in which nothing is drawn has one seed, which stands beside all of ours. Of several sets, means are over
sets, and each has its own sample.
"""

from collections.abc import Sequence

import numpy as np

from anodiff.bench.images.detect import PLAIN, TURNED
from anodiff.bench.images.judge import unpacked
from anodiff.bench.images.protocols import METRICS, PAIRED, protocol
from anodiff.bench.images.results import Results
from anodiff.metrics.ranking import Interval, proportion
from anodiff.types import JSON

SIDES = (0.025, 0.975)


def verdict(results: Results) -> JSON:
    """All that there is to say about a run."""
    plan = protocol(results.settings.protocol)
    found: JSON = {
        "protocol": results.settings.protocol,
        "sets": list(results.sets),
        "seeds": len({record["seed"] for record in results.records}),
        "finished": results.finished,
        "failed": troubles(results, "failed"),
        "skipped": troubles(results, "skipped"),
    }
    ok = [record for record in results.records if record["status"] == "ok"]
    if plan.measured:
        return found | {"costs": costs(ok)}
    copies = [copy for copy in (PLAIN, TURNED) if any(copy in record for record in ok)]
    ours = plan.ours(results.settings.counts)
    return found | {"ours": ours, "copies": {copy: block(ok, copy, ours) for copy in copies}}


def block(records: Sequence[JSON], copy: str, ours: str) -> JSON:
    """Every method on a copy of the test pictures, best first, and ours beside each other one."""
    by_method: dict[str, list[JSON]] = {}
    for record in records:
        if copy in record:
            by_method.setdefault(record["method"], []).append(record)
    rows = [row(method, own, copy) for method, own in by_method.items()]
    rows.sort(key=lambda each: -each["image_auroc"])
    against = [
        {"rival": each["method"], **gaps(by_method[ours], by_method[each["method"]], copy)}
        for each in rows
        if ours in by_method and each["method"] != ours
    ]
    told = {method: false_alarms(own, copy) for method, own in by_method.items() if "alarms" in own[0][copy]}
    return {"methods": rows, "against": against, "alarms": told}


def row(method: str, records: Sequence[JSON], copy: str) -> JSON:
    """Means of a method, their spread over seeds, an interval over test pictures and seeds, and the same by kind."""
    found: JSON = {"method": method, "seeds": len({record["seed"] for record in records})}
    for metric in METRICS:
        found[metric] = mean([record[copy][metric] for record in records])
        found[f"{metric}_spread"] = spread(records, copy, metric)
    for metric in PAIRED:
        found[f"{metric}_interval"] = list(np.quantile(drawn(sampled(records, copy, metric)), SIDES))
    own = [record[copy]["own_auroc"] for record in records if "own_auroc" in record[copy]]
    seconds = {key: mean([r[key] for r in records if key in r]) for key in ("fit_seconds", "score_seconds")}
    return {**found, "own_auroc": mean(own), **seconds, "kinds": kinds(records, copy)}


def kinds(records: Sequence[JSON], copy: str) -> JSON:
    """Means by kind of defect."""
    names = dict.fromkeys(kind for record in records for kind in record[copy]["kinds"])
    found: JSON = {}
    for kind in names:
        own = [record[copy]["kinds"][kind] for record in records if kind in record[copy]["kinds"]]
        found[kind] = {key: mean([each[key] for each in own if each[key] is not None]) for key in own[0]}
    return found


def gaps(ours: Sequence[JSON], theirs: Sequence[JSON], copy: str) -> JSON:
    """Ours minus theirs on the sets that both have, by metric."""
    shared = {record["set"] for record in ours} & {record["set"] for record in theirs}
    one, other = ([record for record in each if record["set"] in shared] for each in (ours, theirs))
    found: JSON = {}
    for metric in PAIRED if shared else ():
        value = float(np.mean(_by_set(one, copy, metric)) - np.mean(_by_set(other, copy, metric)))
        draws = drawn(sampled(one, copy, metric), sampled(other, copy, metric))
        low, high = np.quantile(draws, SIDES)
        found[metric] = {"value": value, "low": low, "high": high, "verdict": Interval(value, low, high).verdict}
    return found


def sampled(records: Sequence[JSON], copy: str, metric: str) -> dict[str, np.ndarray]:
    """By set, bootstrap samples `(seeds, draws)`."""
    found: dict[str, list[np.ndarray]] = {}
    for record in sorted(records, key=lambda each: int(each["seed"])):
        found.setdefault(record["set"], []).append(unpacked(record[copy]["draws"][metric]))
    return {name: np.stack(each) for name, each in found.items()}


def drawn(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray] | None = None) -> np.ndarray:
    """Samples `(draws,)` of the mean over sets, or of the difference of two; seeds are drawn with replacement.

    Where both have the same number of seeds the same ones are drawn for both.
    """
    draw, parts = np.random.default_rng(0), []
    for name, own in ours.items():
        count, draws = own.shape
        at = draw.integers(count, size=(count, draws))
        part = np.take_along_axis(own, at, 0).mean(0)
        if theirs is not None:
            other = theirs[name]
            at = at if len(other) == count else draw.integers(len(other), size=(len(other), draws))
            part = part - np.take_along_axis(other, at, 0).mean(0)
        parts.append(part)
    return np.asarray(np.mean(parts, 0))


def false_alarms(records: Sequence[JSON], copy: str) -> JSON:
    """By stated rate: the share of test normals that raise an alarm, mean over seeds, with a binomial interval."""
    found: JSON = {}
    for rate in records[0][copy]["alarms"]:
        told = [record[copy]["alarms"][rate] for record in records]
        false, normals, hit, bad = (mean([each[key] for each in told]) or 0.0 for key in told[0])
        interval = proportion(round(false), round(normals), 0.95)
        found[rate] = {
            "share": false / normals,
            "low": interval.low,
            "high": interval.high,
            "normals": round(normals),
            "found": hit / bad,
        }
    return found


def costs(records: Sequence[JSON]) -> list[JSON]:
    """Per method, the median over seeds of each number."""
    found = []
    for method in dict.fromkeys(record["method"] for record in records):
        own = [record for record in records if record["method"] == method]
        keys = [key for key, value in own[0].items() if isinstance(value, int | float) and key != "seed"]
        found.append({"method": method, "runs": len(own), **{k: float(np.median([r[k] for r in own])) for k in keys}})
    return found


def troubles(results: Results, status: str) -> JSON:
    """By method: how often it failed or was skipped, and what it said first."""
    found: JSON = {}
    for record in results.records:
        if record["status"] == status:
            told = found.setdefault(record["method"], {"times": 0, "error": record["error"]})
            told["times"] += 1
    return found


def mean(values: Sequence[float | None]) -> float | None:
    """Of the numbers that there are."""
    there = [value for value in values if value is not None]
    return float(np.mean(there)) if there else None


def spread(records: Sequence[JSON], copy: str, metric: str) -> float | None:
    """The standard deviation over seeds of the mean over sets."""
    seeds = sorted({record["seed"] for record in records})
    each = [np.mean([record[copy][metric] for record in records if record["seed"] == seed]) for seed in seeds]
    return float(np.std(each, ddof=1)) if len(each) > 1 else None


def _by_set(records: Sequence[JSON], copy: str, metric: str) -> list[float]:
    names = dict.fromkeys(record["set"] for record in records)
    return [float(np.mean([r[copy][metric] for r in records if r["set"] == name])) for name in names]
