r"""The score of clips over time with its threshold and its events.

Scores are drawn as below a film: 0 is the middle of normal frames, 1 the threshold, at half the height; above it they
are squeezed, so that the highest stays within (`film_strip.squeezed`).
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from anodiff.report.film_strip import squeezed
from anodiff.report.plots import uri
from anodiff.report.series_axes import ALARM, EVENT, INK, SOFT, named, stacked
from anodiff.report.video_words import clock
from anodiff.types import JSON

BINS = 700
"""Columns of a curve; each shows the highest score of its time."""
TICKS = {0.0: "0", 1.0: "alarm", 2.0: "×2", 5.0: "×5"}
CALM = "#96a8b9"
NARROWEST, APART = 0.004, 0.025
"""Least width of a shaded event, and least distance of two numbers, as shares of the axis."""


def curve(times: Sequence[float], scores: Sequence[float]) -> JSON:
    """A clip's scores as at most `BINS` columns: where they begin and end, and the highest in each, or the last before.

    >>> curve([0.0, 1.0, 2.0], [1.0, 3.0, 2.0])
    {'span': [0.0, 3.0], 'score': [1.0, 3.0, 2.0]}
    """
    when, values = np.asarray(times, float), np.asarray(scores, float)
    if not len(when):
        return {"span": [0.0, 1.0], "score": []}
    step = float(np.median(np.diff(when))) if len(when) > 1 else 1.0
    first, last = float(when[0]), float(when[-1]) + (step if step > 0 else 1.0)
    bins = min(BINS, len(when))
    place = np.clip(((when - first) / (last - first) * bins).astype(int), 0, bins - 1)
    highest = np.full(bins, np.nan)
    np.fmax.at(highest, place, values)
    filled = np.maximum.accumulate(np.where(np.isfinite(highest), np.arange(bins), 0))
    highest = highest[filled]
    return {"span": [first, last], "score": highest.tolist()}


def curves_plot(tracks: Sequence[JSON], middle: float, threshold: float, clocked: bool) -> str:
    """Clips above each other, each over its own time."""
    figure, axes = stacked([1.0] * len(tracks), above=0.28)
    longest = max(track["span"][1] for track in tracks)
    for panel, track in zip(axes, tracks, strict=True):
        panel.set_xlim(0, longest)
        panel.set_ylim(0, 1)
        _shaded(panel, track, longest)
        _filled(panel, track, middle, threshold)
        panel.axhline(0.5, color=INK, lw=0.9, ls="--")
        panel.set_yticks([squeezed(v) for v in TICKS], list(TICKS.values()), fontsize=8)
        panel.get_yticklabels()[1].set_color(ALARM)
        if len(tracks) > 1:
            named(panel, track["name"])
        _numbered(panel, track["events"], longest)
    foot = axes[-1]
    foot.xaxis.set_major_locator(MaxNLocator(8))
    if clocked:
        foot.xaxis.set_major_formatter(FuncFormatter(lambda value, _: clock(value).removesuffix(".0")))
    foot.set_xlabel("since the clip began, min:s" if clocked else "frame", fontsize=9, color=SOFT)
    return uri(figure)


def _shaded(axes: Axes, track: JSON, longest: float) -> None:
    least = NARROWEST * longest / 2
    for each in track["events"]:
        middle, half = (each["from"] + each["to"]) / 2, max((each["to"] - each["from"]) / 2, least)
        axes.axvspan(middle - half, middle + half, color=EVENT, alpha=0.3, lw=0)


def _filled(axes: Axes, track: JSON, middle: float, threshold: float) -> None:
    values = np.array(track["score"], float)
    if not len(values):
        return
    above = threshold - middle
    shown = np.array([squeezed(max(0.0, (v - middle) / above)) if above > 0 else float(v > threshold) for v in values])
    begin, end = track["span"]
    edges = np.linspace(begin, end, len(values) + 1)
    axes.fill_between(edges, 0, np.append(shown, shown[-1]), step="post", color=CALM, lw=0)
    high = np.where(shown > 0.5, shown, np.nan)
    axes.fill_between(edges, 0, np.append(high, high[-1]), step="post", color=ALARM, lw=0)


def _numbered(axes: Axes, events: Sequence[JSON], longest: float) -> None:
    """Numbers of events, but for those that would hide others."""
    free = -1.0
    for each in events:
        at = (each["from"] + each["to"]) / 2
        if at >= free:
            free = at + APART * longest
            axes.annotate(
                str(each["number"]), (at, 0.86), ha="center", va="center", fontsize=9, color="white", fontweight="bold",
                bbox={"boxstyle": "round,pad=0.22", "facecolor": ALARM, "edgecolor": "white", "linewidth": 0.8},
            )  # fmt: skip
