"""Plots as images that live inside the page. No pyplot, no global state."""

import base64
import io
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from anodiff.types import JSON

INK, CALM, ALARM, FAINT = "#1b2733", "#5b7c99", "#c0392b", "#d9e1e8"


def score_plot(scores: JSON, threshold: float, of: str = "rows") -> str:
    """Shares of held-out normals and of the data per score; beyond the threshold bins widen."""
    held_out = np.array(scores["held_out"], dtype=float)
    data = None if scores["data"] is None else np.array(scores["data"], dtype=float)
    edges = np.array(scores["edges"])
    filled = np.flatnonzero(held_out + (0 if data is None else data))
    end = min(len(held_out), int(filled[-1]) + 2 if len(filled) else len(held_out))
    figure, axes = _figure(5.2, 3.2)
    if data is not None:
        _bars(axes, data[:end], [ALARM if edge >= threshold else CALM for edge in edges[:end]], f"{of} judged")
    axes.stairs(_shares(held_out)[:end], np.arange(end + 1), color=INK, lw=1.2, label="held-out normals")
    if edges[0] < threshold <= edges[end]:
        place = float(np.interp(threshold, edges[: end + 1], np.arange(end + 1)))
        axes.axvline(place, color=ALARM, lw=1, ls="--")
        axes.annotate(
            f" alarm above {threshold:.3g}", (place, 1), xycoords=("data", "axes fraction"), va="top", color=ALARM
        )
    ticks = np.unique(np.linspace(0, end, 7).astype(int))
    axes.set_xticks(ticks, [f"{edges[tick]:.3g}" for tick in ticks])
    axes.set_yscale("symlog", linthresh=0.01)
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.01, 0.1, 1], ["0", "1 %", "10 %", "100 %"])
    axes.set_xlabel("score")
    axes.set_ylabel(f"share of {of}")
    axes.legend(frameon=False, loc="upper right" if data is None else "upper center")
    return uri(figure)


def calibration_plot(points: Sequence[JSON], rate: float, of: str = "rows") -> str:
    """Wanted against measured rates, both logarithmic, with the band of chance."""
    figure, axes = _figure(5.2, 3.2)
    wanted = [point["wanted"] for point in points]
    floor = min(wanted, default=1e-3) / 2
    axes.fill_between(
        wanted,
        [max(p["low"], floor) for p in points],
        [max(p["high"], floor) for p in points],
        color=FAINT,
        label="chance (95 %)",
        lw=0,
    )
    axes.plot([floor, 1], [floor, 1], color=CALM, lw=0.8)
    axes.plot(
        wanted, [max(p["measured"], floor) for p in points], "o-", color=INK, ms=4, lw=1, label="held-out normals"
    )
    if any("data" in p for p in points):
        axes.plot(wanted, [max(p["data"], floor) for p in points], "s", color=ALARM, ms=4, label=f"{of} judged")
    axes.axvline(rate, color=ALARM, lw=0.8, ls="--")
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks([tick for tick in (0.001, 0.01, 0.1, 1) if tick >= floor])
        axis.set_major_formatter(lambda value, _: f"{100 * value:g} %")
    axes.set_xlim(floor, 1)
    axes.set_ylim(floor, 1.3)
    axes.set_xlabel("wanted false-alarm rate")
    axes.set_ylabel(f"{of} that raise an alarm")
    axes.legend(frameon=False, loc="lower right")
    return uri(figure)


def _bars(axes: Axes, counts: np.ndarray, colours: list[str], label: str) -> None:
    axes.bar(np.arange(len(counts)) + 0.5, _shares(counts), width=0.9, color=colours)
    axes.bar([0], [0], color=CALM, label=label)


def _shares(counts: np.ndarray) -> np.ndarray:
    return np.asarray(counts / max(counts.sum(), 1))


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9, colors=INK)
    return figure, axes


def uri(figure: Figure) -> str:
    """A figure as an address that a page can hold."""
    page = io.BytesIO()
    figure.savefig(page, format="svg", metadata={"Date": None}, transparent=True)
    return "data:image/svg+xml;base64," + base64.b64encode(page.getvalue()).decode()
