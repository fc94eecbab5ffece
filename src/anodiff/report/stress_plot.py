"""The picture of what a detector finds: a line per kind of anomaly over strength, its interval, and chance."""

from typing import Literal

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from anodiff.report.plots import ALARM, CALM, INK, uri
from anodiff.stress import StressCurve
from anodiff.types import Misfit

MOST = 10
"""Lines in one picture; of more, those that are found worst are drawn in colour."""

WORDS = {"auroc": "AUROC against held-out normals", "recall": "share found"}


def stress_figure(curve: StressCurve, measure: Literal["auroc", "recall"] = "auroc") -> Figure:
    """The curves of one measure as a figure to be saved.

    Args:
        curve: What was found.
        measure: "auroc" or "recall".

    Raises:
        Misfit: another measure.
    """
    if measure not in WORDS:
        raise Misfit(f"measure is {measure!r}; choose one of {', '.join(WORDS)}.")
    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9, colors=INK)
    lines = curve.lines()
    level = {name: float(np.mean([getattr(cell, measure).value for cell in cells])) for name, cells in lines.items()}
    worst = sorted(lines, key=level.__getitem__)
    colours = dict(zip(worst[:MOST], colormaps["viridis"](np.linspace(0, 0.9, len(worst[:MOST]))), strict=True))
    for name in reversed(worst):
        cells = lines[name]
        x = [cell.strength for cell in cells]
        found = [getattr(cell, measure) for cell in cells]
        colour = colours.get(name, "0.75")
        if name in colours:
            axes.fill_between(x, [v.low for v in found], [v.high for v in found], color=colour, alpha=0.12, lw=0)
        axes.plot(
            x, [v.value for v in found], "o-", color=colour, ms=3.5, lw=1.3, label=name if name in colours else None
        )
    chance = 0.5 if measure == "auroc" else curve.false_alarm_rate
    axes.axhline(chance, color=ALARM, lw=1, ls="--")
    axes.annotate(" chance", (1, chance), xycoords=("axes fraction", "data"), color=ALARM, fontsize=8, va="center")
    axes.set_xlim(0, 1)
    lowest = min(getattr(cell, measure).low for cell in curve.cells)
    axes.set_ylim(min(0.4, lowest) if measure == "auroc" else 0, 1.02)
    axes.set_xlabel("strength")
    axes.set_ylabel(WORDS[measure] if measure == "auroc" else f"{WORDS[measure]} at {100 * chance:g} % false alarms")
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles[::-1], labels[::-1], frameon=False, fontsize=8, loc="outside right upper", title="found worst first"
    )
    more = f"; {len(lines) - MOST} more in grey" if len(lines) > MOST else ""
    axes.set_title(f"{curve.n} made each, bands are 95 % intervals{more}", fontsize=8, color=CALM, loc="left")
    return figure


def stress_plot(curve: StressCurve, measure: Literal["auroc", "recall"] = "auroc") -> str:
    """The same as an image that lives inside a page, a data URI."""
    return uri(stress_figure(curve, measure))
