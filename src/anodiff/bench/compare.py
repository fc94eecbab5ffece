"""Two runs of the same settings: which numbers differ, and by how much. Seconds are compared as ratios."""

import numpy as np

from anodiff.bench.results import Results
from anodiff.types import JSON

ACCURACY = ("auroc", "ap", "precision_at_n", "oracle_f1", "made_swapped_auroc", "made_pushed_auroc")


def compare(old: Results, new: Results, tolerance: float = 0.1) -> JSON:
    """What differs between two runs.

    Args:
        old: the one that is compared with.
        new: the other.
        tolerance: accuracies that differ by no more, in points, are the same.

    Returns:
        Counts, the differences that exceed the tolerance (largest first), what only one of them has, and the median
        ratio of the seconds per method, new over old.
    """
    before, after = _by_key(old), _by_key(new)
    shared = [key for key in before if key in after]
    gaps = [gap for key in shared for gap in _gaps(key, before[key], after[key])]
    found = sorted((gap for gap in gaps if abs(gap["difference"]) > tolerance), key=lambda g: -abs(g["difference"]))
    changed = [name for name, facts in old.sets.items() if new.sets.get(name, facts) != facts]
    status = [_named(key) for key in shared if before[key]["status"] != after[key]["status"]]
    return {
        "tolerance": tolerance,
        "compared": len(shared),
        "differ": found,
        "largest": max((abs(gap["difference"]) for gap in gaps), default=0.0),
        "status_differs": status,
        "only_old": [_named(key) for key in before if key not in after],
        "only_new": [_named(key) for key in after if key not in before],
        "settings_differ": old.settings.differs(new.settings),
        "data_differ": changed,
        "versions_differ": _changes(old.versions, new.versions),
        "machine_differs": _changes(old.machine, new.machine),
        "seconds_ratio": _ratios(before, after, shared),
        "same": not (found or status or changed or set(before) ^ set(after)),
    }


def in_words(found: JSON, most: int = 12) -> list[str]:
    """The same in sentences, the largest differences first."""
    told = "The same" if found["same"] else "Not the same"
    lines = [
        f"{told}: of {found['compared']:,} records, {len(found['differ'])} numbers differ by more than "
        f"{found['tolerance']:g} points; the largest difference is {found['largest']:.3g}."
    ]
    lines += [
        f"  {_named((gap['set'], gap['seed'], gap['level'], gap['method']))}: "
        f"{gap['metric']} {gap['old']:.2f} -> {gap['new']:.2f} ({gap['difference']:+.2f})"
        for gap in found["differ"][:most]
    ]
    more = len(found["differ"]) - most
    lines += [f"  ... and {more} more"] if more > 0 else []
    for key, what in (
        ("status_differs", "failed in one only"),
        ("only_old", "only in OLD"),
        ("only_new", "only in NEW"),
    ):
        if found[key]:
            lines.append(f"{len(found[key])} records {what}, such as {found[key][0]}.")
    for key, what in (("settings_differ", "settings"), ("data_differ", "data")):
        if found[key]:
            lines.append(f"Different {what}: {', '.join(found[key])}.")
    changes = {**found["versions_differ"], **found["machine_differs"]}
    lines += [f"{name}: {old} -> {new}" for name, (old, new) in changes.items()]
    ratios = ", ".join(f"{name} x {ratio:.2f}" for name, ratio in found["seconds_ratio"].items())
    return [*lines, f"Seconds, new over old (median): {ratios}."] if ratios else lines


def _by_key(results: Results) -> dict[tuple[str, int, object, str], JSON]:
    return {(r["set"], r["seed"], r["level"], r["method"]): r for r in results.records}


def _gaps(key: tuple[str, int, object, str], old: JSON, new: JSON) -> list[JSON]:
    name, seed, level, method = key
    at = {"set": name, "seed": seed, "level": level, "method": method}
    return [
        {**at, "metric": metric, "old": old[metric], "new": new[metric], "difference": new[metric] - old[metric]}
        for metric in ACCURACY
        if old.get(metric) is not None and new.get(metric) is not None
    ]


def _ratios(before: dict, after: dict, shared: list) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for key in shared:
        if before[key].get("seconds") and after[key].get("seconds"):
            found.setdefault(key[3], []).append(after[key]["seconds"] / before[key]["seconds"])
    return {name: float(np.median(ratios)) for name, ratios in found.items()}


def _changes(old: JSON, new: JSON) -> dict[str, tuple[object, object]]:
    return {name: (old.get(name), new.get(name)) for name in {**old, **new} if old.get(name) != new.get(name)}


def _named(key: tuple[str, int, object, str]) -> str:
    name, seed, level, method = key
    return f"{name}, seed {seed}{'' if level is None else f', level {level}'}, {method}"
