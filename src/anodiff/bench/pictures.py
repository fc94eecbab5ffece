"""Two pictures: who is told apart from whom (after Demsar, 2006), and accuracy over evaluations. No global state."""

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from anodiff.bench.sentences import NAMES
from anodiff.bench.values import OURS
from anodiff.data.atomic import replacing
from anodiff.types import JSON

INK, CALM, ALARM, FAINT = "#1b2733", "#5b7c99", "#c0392b", "#d9e1e8"


def draw(summary: JSON, varies: str | None, folder: Path) -> list[str]:
    """Write the pictures that the facts allow; returns their names."""
    ranks = next((at["ranks"] for at in summary["levels"] if at["ranks"]), None)
    curve = curve_of(summary) if varies == "budget" else []
    made = {"ranks": rank_picture(ranks)} if ranks else {}
    made |= {"curve": curve_picture(curve, summary)} if len(curve) > 1 else {}
    names = [f"{name}.{kind}" for name in made for kind in ("png", "svg")]
    for name in names:
        with replacing(folder / name, overwrite=True) as path:
            date: dict[str, Any] = {"metadata": {"Date": None}} if name.endswith("svg") else {"dpi": 160}
            made[name.partition(".")[0]].savefig(path, facecolor="white", **date)
    return names


def rank_picture(found: JSON) -> Figure:
    """Average ranks on a line, best on the left; bars join methods that are not told apart."""
    ranks, groups = found["ranks"], found["groups"]
    names = list(ranks)
    rows = (len(names) + 1) // 2
    figure = Figure(figsize=(7.6, 1.5 + 0.27 * rows + 0.14 * len(groups)), layout="constrained")
    axes = figure.add_subplot()
    low, high = 1, max(len(names), 2)
    below = -0.55 - 0.32 * len(groups)
    _scale(axes, low, high, found)
    for i, group in enumerate(groups):
        ends = [ranks[group[0]], ranks[group[-1]]]
        axes.plot(ends, [-0.4 - 0.32 * i] * 2, color=CALM, lw=4, solid_capstyle="round")
    room = 0.06 * (high - low)
    for i, name in enumerate(names):
        left = i < rows
        depth = below - 0.62 * (i if left else len(names) - 1 - i) - 0.3
        _label(axes, name, ranks[name], depth, low - room if left else high + room, left)
    axes.set_ylim(below - 0.62 * rows - 0.1, 1.9)
    axes.set_xlim(low - 0.42 * (high - low), high + 0.42 * (high - low))
    axes.axis("off")
    axes.set_title(
        f"Average rank by {NAMES[found['metric']]} on {found['sets']} sets: 1 is best; "
        "a bar joins what is not told apart",
        fontsize=9,
        color=INK,
        loc="center",
    )
    return figure


def _scale(axes: Axes, low: int, high: int, found: JSON) -> None:
    axes.plot([low, high], [0, 0], color=INK, lw=1)
    for tick in range(low, high + 1):
        axes.plot([tick, tick], [0, 0.18], color=INK, lw=1)
        axes.annotate(str(tick), (tick, 0.26), ha="center", va="bottom", fontsize=8, color=INK)
    distance = min(found["critical_difference"], high - low)
    wide = found["critical_difference"] > high - low
    axes.plot([low, low + distance], [1.25, 1.25], color=INK, lw=1.2)
    for end in (low, low + distance):
        axes.plot([end, end], [1.15, 1.35], color=INK, lw=1.2)
    text = f"critical difference {found['critical_difference']:.2f}" + (" (wider than the line)" if wide else "")
    axes.annotate(text, (low + distance / 2, 1.42), ha="center", va="bottom", fontsize=8, color=INK)


def _label(axes: Axes, name: str, rank: float, depth: float, end: float, left: bool) -> None:
    colour, weight = (ALARM, "bold") if name == OURS else (INK, "normal")
    axes.plot([rank, rank, end], [0, depth, depth], color=colour, lw=1.6 if name == OURS else 0.8)
    short = name if len(name) < 28 else name.partition("(")[0].rpartition(".")[2]
    text = f"{short}  {rank:.2f} " if left else f" {rank:.2f}  {short}"
    axes.annotate(
        text, (end, depth), ha="right" if left else "left", va="center", fontsize=9, color=colour, weight=weight
    )


def curve_of(summary: JSON) -> list[JSON]:
    """Evaluations, accuracy and its difference from the default's at each budget, by evaluations."""
    metric = summary["metrics"][0] if summary["metrics"] else ""
    lost = {row["level"]: row.get(metric) for row in summary["losses"] if row["method"] == OURS}
    found = []
    for at in summary["levels"]:
        row = next(row for row in at["methods"] if row["method"] == OURS)
        if row.get(metric) is not None and row["nfe"] is not None:
            gap = lost.get(at["level"])
            found.append({"budget": at["level"], "nfe": row["nfe"], "value": row[metric], "gap": gap})
    return sorted(found, key=lambda point: point["nfe"])


def curve_picture(points: list[JSON], summary: JSON) -> Figure:
    """Accuracy over network evaluations per row, the default marked, rivals as lines across."""
    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axes = figure.add_subplot()
    nfe, value = ([point[key] for point in points] for key in ("nfe", "value"))
    axes.plot(nfe, value, "o-", color=ALARM, ms=5, lw=1.6, zorder=3)
    full = next((point for point in points if point["budget"] is None), None)
    if full:
        axes.plot(full["nfe"], full["value"], "o", color="white", mec=ALARM, mew=2, ms=10, zorder=4)
        axes.annotate(
            "default",
            (full["nfe"], full["value"]),
            (0, 10),
            textcoords="offset points",
            ha="center",
            color=ALARM,
            fontsize=9,
        )
    _rivals(axes, summary, min(value), max(value))
    axes.set_xscale("log")
    ticks = sorted(set(nfe))
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel("network evaluations per row (logarithmic)", color=INK, fontsize=9)
    axes.set_ylabel(f"mean {NAMES[summary['metrics'][0]]}", color=INK, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9, colors=INK)
    axes.margins(y=0.15)
    axes.set_title(f"anodiff, accuracy over evaluations, {summary['sets']} sets", fontsize=10, color=INK, loc="left")
    return figure


def _rivals(axes: Axes, summary: JSON, low: float, high: float) -> None:
    """The three best rivals, where they do not squeeze the curve; those that are level share a label."""
    metric = summary["metrics"][0]
    rows = [row for row in summary["levels"][0]["methods"] if row["method"] != OURS and row[metric] is not None]
    room = max(high - low, 1.0)
    near = [row for row in rows if low - 2 * room <= row[metric] <= high + 2 * room][:3]
    labels: list[tuple[float, str]] = []
    for row in sorted(near, key=lambda row: -row[metric]):
        axes.axhline(row[metric], color=FAINT, lw=1.2, zorder=1)
        if labels and labels[-1][0] - row[metric] < room / 10:
            labels[-1] = (labels[-1][0], f"{labels[-1][1]}, {row['method']}")
        else:
            labels.append((row[metric], row["method"]))
    across = axes.get_yaxis_transform()
    for value, text in labels:
        axes.text(1.0, value, text, transform=across, ha="right", va="bottom", fontsize=8, color=CALM)
