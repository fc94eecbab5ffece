"""The run over series, and what it comes to: gains over the default, and shares of the distance to the best score."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from anodiff.bench.generation.results import Results, resumed, write
from anodiff.bench.generation.series import ALONE, ARMS, BEST, DEFAULT, MADE, MARGIN, REAL, REST, act, found
from anodiff.metrics.ranking import ragged_interval
from anodiff.recipes import known_spans as known
from anodiff.types import JSON

METRICS = ("auroc", "ap", "vus_pr")
TIE, DRAWS = 0.002, 4_000
"""Differences that are none; bootstrap samples."""


def running(
    counts: Sequence[int], seeds: int, path: Path, command: str, cache: Path | None = None, overwrite: bool = False
) -> Iterator[str]:
    """Do what is not done, series by series, writing after each; yields what was done.

    Raises:
        FileExistsError: the file holds results of other settings.
    """
    settings = {
        "counts": list(counts), "seeds": seeds, "made": MADE, "margin": MARGIN, "left": REST,
        "sharpness": known.SHARPNESS, "patience": known.PATIENCE,
    }  # fmt: skip
    results = resumed(Results("series", settings, command, {}), path, overwrite)
    done = {each["set"] for each in results.records}
    for source, itself in found():
        if source.name not in done:
            results.records += list(act(source, itself, counts, seeds, cache))
            write(results, path, summary(results.records))
            yield source.name


def summary(records: Sequence[JSON]) -> JSON:
    """By number of known events and arm: means, gains over the default and the share of the distance that is closed."""
    counts = sorted({each["count"] for each in records})
    halves = {"all": None, "one half": 0, "other half": 1}
    told = {name: {str(count): _of_count(records, count, half) for count in counts} for name, half in halves.items()}
    return {**told, "sharpness": {str(count): crossed(told, str(count)) for count in counts}}


def crossed(told: JSON, count: str) -> list[JSON]:
    """The sharpness that each half of the series would choose, and what it and the one in force gain on the other."""
    found = []
    for name, other in (("one half", "other half"), ("other half", "one half")):
        here, there = told[name][count], told[other][count]
        if here["sets"] and there["sets"]:
            arms = [arm for arm in here["arms"] if arm == REAL or arm.startswith(f"{REAL}, sharpness")]
            best = max(arms, key=lambda arm: here["arms"][arm]["auroc"])
            gains = {arm: there["arms"][arm]["over the default"]["auroc"]["gain"] for arm in (best, REAL)}
            found.append({"chosen on": name, "arm": best, "gains there": gains[best], "in force": gains[REAL]})
    return found


def _of_count(records: Sequence[JSON], count: int, half: int | None) -> JSON:
    names = sorted({each["set"] for each in records if each["count"] == count})
    names = [name for i, name in enumerate(names) if half is None or i % 2 == half]
    own = [each for each in records if each["count"] == count and each["set"] in names]
    if not own:
        return {"sets": 0}
    by = {(each["arm"], each["set"], each["seed"]): each for each in own}
    seeds = sorted({each["seed"] for each in own})

    def gains(arm: str, other: str, metric: str) -> list[np.ndarray]:
        return [np.array([by[arm, name, s][metric] - by[other, name, s][metric] for s in seeds]) for name in names]

    rows = {}
    for arm in (arm for arm in ARMS if all((arm, name, s) in by for name in names for s in seeds)):
        values = {m: float(np.mean([each[m] for each in own if each["arm"] == arm])) for m in METRICS}
        against = {m: _gap(gains(arm, DEFAULT, m)) for m in METRICS}
        rows[arm] = {**values, "closed": closed(gains(arm, DEFAULT, "auroc"), gains(BEST, DEFAULT, "auroc"))}
        rows[arm] |= {"over the default": against}
        if arm not in (DEFAULT, BEST, REAL, ALONE):
            rows[arm]["over the real alone"] = {m: _gap(gains(arm, REAL, m)) for m in METRICS}
    return {"sets": len(names), "names": names, "arms": rows}


def _gap(differences: list[np.ndarray]) -> JSON:
    mean = np.array([each.mean() for each in differences])
    found = {
        "gain": float(mean.mean()),
        "wins": int((mean >= TIE).sum()),
        "ties": int((abs(mean) < TIE).sum()),
        "losses": int((mean <= -TIE).sum()),
    }
    if len(mean) < 2:
        return found
    interval = ragged_interval(differences)
    return {**found, "low": interval.low, "high": interval.high}


def closed(gained: list[np.ndarray], distance: list[np.ndarray]) -> JSON | None:
    """The mean gain over the mean distance, with an interval over series; None where there is no distance."""
    gain, far = (np.array([each.mean() for each in values]) for values in (gained, distance))
    if far.mean() <= 0:
        return None
    drawn = np.random.default_rng(0).integers(len(gain), size=(DRAWS, len(gain)))
    below = far[drawn].mean(1)
    ratio = gain[drawn].mean(1)[below > 0] / below[below > 0]
    low, high = np.quantile(ratio, [0.025, 0.975])
    return {"share": float(gain.mean() / far.mean()), "low": float(low), "high": float(high)}


def page(told: JSON) -> str:
    """The summary in markdown."""
    lines = []
    for count, own in told["all"].items():
        if not own["sets"]:
            continue
        lines += [f"## {count} known events, {own['sets']} series", "", HEAD, RULE]
        lines += [_line(arm, row) for arm, row in own["arms"].items()]
        lines.append("")
    return "\n".join(lines)


HEAD = "| arm | AUROC | closed | AUC-PR | VUS-PR | AUROC over the default | won, tied, lost | AUC-PR over the default |"
RULE = "|---|---|---|---|---|---|---|---|"


def _line(arm: str, row: JSON) -> str:
    far, gap, ap = row["closed"], row["over the default"]["auroc"], row["over the default"]["ap"]
    share = "–" if far is None else f"{far['share']:.0%} ({far['low']:.0%} to {far['high']:.0%})"
    tally = f"{gap['wins']}, {gap['ties']}, {gap['losses']}"
    return (
        f"| {arm} | {row['auroc']:.4f} | {share} | {row['ap']:.4f} | {row['vus_pr']:.4f} | {_interval(gap)} | {tally} "
        f"| {_interval(ap)} |"
    )


def _interval(gap: JSON) -> str:
    between = f" ({gap['low']:+.4f} to {gap['high']:+.4f})" if "low" in gap else ""
    return f"{gap['gain']:+.4f}{between}"
