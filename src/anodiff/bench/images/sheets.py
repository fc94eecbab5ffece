"""The facts of a run of pictures as tables of texts."""

from typing import Any

from anodiff.bench.images.detect import PLAIN
from anodiff.bench.images.pcb import ABOUT as PAIRS
from anodiff.bench.images.rivals import ABOUT as RIVALS
from anodiff.bench.sheets import Sheet
from anodiff.types import JSON

NAMES = {
    "image_auroc": "image AUROC",
    "image_ap": "image AP",
    "pixel_auroc": "pixel AUROC",
    "pixel_ap": "pixel AP",
    "aupro": "AUPRO",
}
TITLES = {PLAIN: "Methods", "turned": "Methods, test pictures turned up to 15 degrees and shifted up to 12 pixels"}
FIRST = ("image_auroc", "pixel_auroc", "aupro")
MEASURED = {
    "fit_seconds": "fit, s",
    "single_milliseconds": "single picture, median ms",
    "single_milliseconds_95": "95 % ms",
    "folder_milliseconds": "in a row, ms each",
    "megabytes": "peak memory, MB",
    "imports_megabytes": "of which imports, MB",
    "image_auroc": "image AUROC",
}


def methods(block: JSON, copy: str, ours: str) -> Sheet:
    """Every method, best first, and what ours is ahead of it."""
    gaps = {each["rival"]: each for each in block["against"]}
    rows = [
        [
            row["method"],
            *(number(row[name]) for name in NAMES),
            number(row["own_auroc"]),
            number(row["image_auroc_spread"], 4),
            *(ahead(gaps.get(row["method"], {}).get(name)) for name in FIRST),
            number(row["fit_seconds"], 1),
            number(row["score_seconds"], 1),
        ]
        for row in block["methods"]
    ]
    heads = ["method", *NAMES.values(), "image AUROC as published", "spread of seeds"]
    heads += [f"{ours} ahead by: {NAMES[name]}" for name in FIRST] + ["fit s", "score s"]
    return Sheet(TITLES[copy], heads, rows, note(block) if copy == PLAIN else "")


def note(block: JSON) -> str:
    """What the columns mean, and what the rivals are."""
    about = RIVALS | PAIRS
    told = [f"{row['method']}: {about[row['method']]}" for row in block["methods"] if row["method"] in about]
    said = (
        "In brackets a 95 % interval: paired bootstrap over test pictures and seeds. Anomalies whose mask is empty are "
        "left out of what concerns pixels. Rivals' maps are blurred and pooled as anodiff's; as published is the "
        "rival's own score of the picture: of PatchCore and PaDiM the highest place, without re-weighting, of "
        "differences the mean. Seconds of "
        "rivals leave out reading and the backbone, which `cost` counts."
    )
    return " ".join([said, *([f"{'; '.join(told)}."] if told else [])])


def by_kind(block: JSON) -> Sheet:
    """Of each kind of defect beside all normal pictures: image AUROC, pixel AUROC, AUPRO."""
    names = list(dict.fromkeys(kind for row in block["methods"] for kind in row["kinds"]))
    rows = [[row["method"], *(_triple(row["kinds"].get(kind)) for kind in names)] for row in block["methods"]]
    title = "By kind: image AUROC / pixel AUROC / AUPRO"
    return Sheet(title, ["method", *names], rows if len(names) > 1 else [])


def alarms(block: JSON) -> Sheet:
    """False alarms on test normals at stated rates, and defects found."""
    rows = [
        [
            method,
            f"{100 * float(rate):g} %",
            f"{100 * each['share']:.1f} % ({100 * each['low']:.1f} to {100 * each['high']:.1f})",
            str(each["normals"]),
            f"{100 * each['found']:.1f} %",
        ]
        for method, told in block["alarms"].items()
        for rate, each in told.items()
    ]
    heads = ["method", "stated", "false alarms", "test normals", "anomalies found"]
    return Sheet("False alarms", heads, rows, "In brackets the 95 % binomial interval of the mean count over seeds.")


def costs(found: list[JSON]) -> Sheet:
    """Medians over runs of what was measured."""
    rows = [
        [row["method"], *(number(row.get(key), 3 if key == "image_auroc" else 1) for key in MEASURED), str(row["runs"])]
        for row in found
    ]
    return Sheet("Cost", ["method", *MEASURED.values(), "runs"], rows, _shares(found))


def number(value: Any, digits: int = 3) -> str:
    """A number, or a dash where there is none."""
    return "-" if value is None else f"{value:,.{digits}f}"


def ahead(gap: JSON | None) -> str:
    """A difference and its interval.

    >>> ahead({"value": 0.01, "low": -0.002, "high": 0.03, "verdict": "ties"})
    '+0.010 (-0.002 to 0.030)'
    """
    return "" if gap is None else f"{gap['value']:+.3f} ({gap['low']:.3f} to {gap['high']:.3f})"


def _triple(told: JSON | None) -> str:
    return "-" if told is None else " / ".join(number(told[name], 2) for name in FIRST)


def _shares(found: list[JSON]) -> str:
    """Our time per picture as a share of each rival's."""
    ours, others = found[:1], found[1:]
    told = [
        f"{each['method']} {ours[0]['folder_milliseconds'] / each['folder_milliseconds']:.2f}"
        for each in others
        if "folder_milliseconds" in ours[0] and "folder_milliseconds" in each
    ]
    return f"Time per picture, {ours[0]['method']} over: {', '.join(told)}." if told else ""
