"""The facts of a run of series as tables of texts."""

from typing import Any

from anodiff.bench.series.cost import ABOUT as MEASURED
from anodiff.bench.series.detect import OURS
from anodiff.bench.series.judge import RAW
from anodiff.bench.series.published import PREFIX
from anodiff.bench.series.rivals import ABOUT as RIVALS
from anodiff.bench.sheets import Sheet
from anodiff.types import JSON

PUBLISHED = 8
NAMES = {
    "vus_pr": "VUS-PR",
    "vus_pr" + RAW: "VUS-PR, not smoothed",
    "vus_roc": "VUS-ROC",
    "vus_roc" + RAW: "VUS-ROC, not smoothed",
    "hit": "found",
    "hit" + RAW: "found, not smoothed",
}


def methods(summary: JSON) -> Sheet:
    """Every method on all series, best first, and what anodiff is ahead of it."""
    every, metrics = summary["all"], summary["metrics"]
    gaps = {each["rival"]: each for each in every["against"]}
    bare = metrics[0] + RAW in metrics
    rows = []
    for row in shown(every["methods"]):
        gap = gaps.get(row["method"], {}).get(metrics[0])
        cross = gaps.get(row["method"], {}).get("cross")
        rows.append(
            [
                row["method"],
                *(number(row[name]) for name in metrics),
                number(row[f"{metrics[0]}_spread"], 4),
                ahead(gap),
                *([ahead(cross)] if bare else []),
                "" if gap is None else _won(gap),
                "" if gap is None else worst(gap),
                number(row["seconds_median"], 1),
            ]
        )
    heads = ["method", *(NAMES[name] for name in metrics), "spread of seeds", f"{OURS} ahead by"]
    heads += ["ahead of it not smoothed"] if bare else []
    return Sheet("Methods", [*heads, "won : tied : lost", "worst", "s, median"], rows, note(summary))


def shown(rows: list[JSON]) -> list[JSON]:
    """All that was run, and the best that is published."""
    known = [row for row in rows if row["method"].startswith(PREFIX)]
    return [row for row in rows if row not in known[PUBLISHED:]]


def note(summary: JSON) -> str:
    """What the columns mean, and what the rivals are."""
    told = [f"{row['method']}: {RIVALS[row['method']]}" for row in summary["all"]["methods"] if row["method"] in RIVALS]
    said = [
        "Means over series. In brackets a 95 % interval: paired bootstrap over series of means over seeds. Ties differ "
        "by less than 0.005. All that is run here is smoothed over as many instants as anodiff."
    ]
    if summary["published"]:
        source, count = summary["published"]["source"], summary["published"]["sets"]
        said.append(
            f"Published numbers ({source}; {count} of these series) were not run again and are not smoothed; the best "
            f"{PUBLISHED} are shown."
        )
    return " ".join([*said, *([f"{'; '.join(told)}."] if told else [])])


def groups(summary: JSON) -> Sheet:
    """The first number by group of series, of all that was run; and what anodiff is ahead of the next best."""
    first = summary["metrics"][0]
    run = [row["method"] for row in summary["all"]["methods"] if not row["method"].startswith(PREFIX)]
    rows = []
    for name, found in summary["groups"].items():
        held = {row["method"]: row for row in found["methods"]}
        known = [row for row in found["methods"] if row["method"].startswith(PREFIX)]
        best = f"{known[0][first]:.3f} ({known[0]['method'].partition(':')[2]})" if known else "-"
        rows.append([name, str(len(found["sets"])), *(number(held.get(m, {}).get(first)) for m in run), best])
    return Sheet(f"{NAMES[first]} by group", ["group", "series", *run, "best published"], rows)


def calibrations(found: list[JSON]) -> list[str]:
    """The ways to calibrate that were counted."""
    return list(dict.fromkeys(row["method"] for row in found))


def rates(found: list[JSON], method: str) -> Sheet:
    """Events found over events stated, by family and stated rate."""
    own = [row for row in found if row["method"] == method]
    stated = list(dict.fromkeys(row["rate"] for row in own))
    rows = []
    for family in dict.fromkeys(row["family"] for row in own):
        kept = {row["rate"]: row for row in own if row["family"] == family}
        first = kept[stated[0]]
        rows.append(
            [family or "all", str(first["sets"]), f"{first['instants']:,}", *(_ratio(kept[rate]) for rate in stated)]
        )
    heads = ["set", "series", "held-out instants", *(f"{rate:g} per 10,000" for rate in stated)]
    note = (
        "Events found, of so many stated: their ratio, with the interval of a Poisson count, and whether it lies "
        "within a factor of 1.5. Supported is the share of series whose calibration counted enough instants for the "
        "rate; of the others it is a model's extrapolation."
    )
    return Sheet(f"False alarms on held-out normal stretches: {method}", heads, rows, note)


def _ratio(row: JSON) -> str:
    return (
        f"{row['events']:.1f} of {row['stated']:.1f}: {row['ratio']:.2f} ({row['low']:.2f} to {row['high']:.2f}), "
        f"{row['verdict']}; supported {100 * row['supported']:.0f} %"
    )


def differences(summary: JSON) -> Sheet:
    """What is subtracted from what, on all series and on each group."""
    blocks = {"all": summary["all"], **summary["groups"]}
    rows = [
        [each["words"], name, str(each["gap"]["sets"]), ahead(each["gap"]), _won(each["gap"])]
        for name, found in blocks.items()
        for each in found["differences"]
        if each["gap"] is not None
    ]
    heads = ["what", "group", "series", NAMES[summary["metrics"][0]], "up : tied : down"]
    return Sheet("Differences", heads, sorted(rows, key=lambda row: row[0]))


def _won(gap: JSON) -> str:
    return f"{gap['wins']} : {gap['ties']} : {gap['losses']}"


def costs(found: list[JSON]) -> Sheet:
    """Medians of what was measured."""
    keys = ("seconds", "cpu_seconds", "megabytes", "cpu_milliseconds", "median_milliseconds", "p99_milliseconds")
    rows = [
        [row["set"], row["method"], *(number(row.get(key), 2) for key in keys), str(row["runs"])]
        for row in found
        if row["runs"]
    ]
    heads = ["what", "part", "s", "processor s", "MB", "processor ms", "median ms", "99 % ms", "runs"]
    return Sheet("Cost", heads, rows, " ".join(f"{name}: {told}." for name, told in MEASURED.items()))


def number(value: Any, digits: int = 3) -> str:
    """A number, or a dash where there is none."""
    return "-" if value is None else f"{value:,.{digits}f}"


def ahead(gap: JSON | None) -> str:
    """A difference and its interval."""
    return "" if gap is None else f"{gap['value']:+.3f}{bounds(gap)}"


def bounds(gap: JSON) -> str:
    """The interval in brackets; nothing where there is none."""
    return "" if gap["low"] is None else f" ({gap['low']:.3f} to {gap['high']:.3f})"


def worst(gap: JSON) -> str:
    """The series on which anodiff loses most."""
    return "none" if gap["worst_set"] is None else f"{gap['worst']:.3f}, {gap['worst_set']}"
