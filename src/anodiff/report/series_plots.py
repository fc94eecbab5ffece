"""Pictures of series: the whole from far, the worst events from near, the calibration, the levels over time."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from anodiff.explain.blame import FAR, out_of_band
from anodiff.report.plots import uri
from anodiff.report.series_axes import (
    ALARM,
    EVENT,
    EXPECTED,
    FAINT,
    INK,
    NAIVE,
    SOFT,
    levelled,
    named,
    numbered,
    place,
    plain,
    stacked,
    timed,
)
from anodiff.types import JSON

DENSE, DIM = 0.3, "#7d93a8"
"""Share of the height that columns fill from which on they are drawn in a softer colour, and that colour."""
NARROWEST = 0.004
"""Least width of a shaded event, as a share of the axis."""


def overview_plot(track: JSON, zone: str | None, units: JSON) -> str:
    """The score with its threshold and the events, and under it the most telling channels."""
    figure, axes = stacked([1.5, *[1.05] * len(track["channels"])])
    clock = track["clock"]
    first, last = place(track["span"], clock)
    axes[0].set_xlim(first, last if last > first else first + 1)
    for each in axes:
        _shaded(each, track, clock)
    _scored(axes[0], track, clock)
    for panel, channel in zip(axes[1:], track["channels"], strict=True):
        _filled(panel, channel, place(track["span"], clock), INK)
        named(panel, channel["name"], units.get(channel["name"], ""))
        if channel["levels"]:
            levelled(panel, channel["levels"])
    numbered(axes[0], [_middle(e, clock) for e in track["events"]], [e["number"] for e in track["events"]])
    timed(axes[-1], clock, zone)
    return uri(figure)


def zoom_plot(event: JSON, zone: str | None) -> str:
    """An event from near: what was read, what was expected, and where it is out of that."""
    blamed = [each for each in event["channels"] if each["channel"] in event["lines"]]
    figure, axes = stacked([1.75, *[1.3] * (len(blamed) - 1)], above=0.52)
    axis, scene = (place(event[name], event["clock"]) for name in ("axis", "scene"))
    begin, end = place(event["span"], event["clock"])
    least = NARROWEST * (axis[-1] - axis[0])
    for panel, each in zip(axes, blamed, strict=True):
        line, band = event["lines"][each["channel"]], event["expected"]["channels"][each["channel"]]
        panel.axvspan(begin - least, end + least, color=EVENT, alpha=0.18, lw=0)
        _expected(panel, scene, np.array(event["expected"]["hidden"]), band, line["levels"])
        read = np.array([math.nan if v is None else v for v in line["read"]], float)
        style, dot = "steps-mid" if line["levels"] else "default", "." if len(axis) < 150 else None
        panel.plot(axis, read, color=INK, lw=1.1, marker=dot, ms=3, drawstyle=style, label="read")
        named(panel, each["channel"], line["unit"])
        panel.set_title(f"{100 * each['share']:.0f} % of the evidence", loc="right", fontsize=8.5, color=SOFT, pad=2)
        if line["levels"]:
            levelled(panel, line["levels"])
    axes[0].set_xlim(axis[0], axis[-1] if axis[-1] > axis[0] else axis[0] + 1)
    _legend(axes[0])
    timed(axes[-1], event["clock"], zone)
    return uri(figure)


def calibration_plot(points: Sequence[JSON], wanted: float, of: str = "instants") -> str:
    """Wanted against found rates of events, both logarithmic, and what taking instants for independent would find."""
    figure = Figure(figsize=(4.6, 3.9), layout="constrained")
    axes = figure.add_subplot()
    plain(axes)
    rates = [p["wanted"] for p in points]
    floor = min(rates) / 3

    def at_least(name: str) -> list[float]:
        return [max(p[name], floor) for p in points]

    axes.fill_between(rates, at_least("low"), at_least("high"), color=FAINT, lw=0, label="chance (95 %)")
    axes.plot([floor, 2 * max(rates)], [floor, 2 * max(rates)], color=SOFT, lw=0.8)
    axes.plot(rates, at_least("found"), "o-", color=EXPECTED, ms=5, lw=1.4, label="events, as set here")
    axes.plot(rates, at_least("naive"), "s--", color=NAIVE, ms=4, lw=1.1, label=f"taking {of} for independent")
    axes.axvline(wanted, color=ALARM, lw=0.9, ls=":")
    axes.set_xscale("log")
    axes.set_yscale("log")
    for one in (axes.xaxis, axes.yaxis):
        ticks = [t for t in (0.01, 0.1, 1, 10, 100, 1000) if floor <= t <= 2 * max(rates)]
        one.set_ticks(ticks, [f"{t:g}" for t in ticks])
        one.set_ticks([], minor=True)
    axes.set_xlim(floor, 2 * max(rates))
    axes.set_ylim(floor * 0.9, 3 * max(rates))
    axes.set_xlabel(f"wanted, events per 10,000 normal {of}", fontsize=9)
    axes.set_ylabel("found on held-out stretches", fontsize=9)
    axes.legend(frameon=False, fontsize=8.5, loc="lower left", bbox_to_anchor=(0, 1.0), borderaxespad=0.1)
    return uri(figure)


def drift_plot(channels: Sequence[JSON], zone: str | None, units: JSON) -> str:
    """Levels over time of a few channels, and those that windows of fit had."""
    figure, axes = stacked([0.95] * len(channels), width=5.6, above=0.25)
    for panel, each in zip(axes, channels, strict=True):
        low, middle, high = each["usual"]
        panel.axhspan(low, high, color=EXPECTED, alpha=0.15, lw=0)
        panel.axhline(middle, color=EXPECTED, lw=0.9, ls="--")
        panel.plot(place(each["trace"]["place"], each["clock"]), each["trace"]["level"], color=INK, lw=1.3)
        panel.margins(x=0)
        named(panel, each["name"], units.get(each["name"], ""))
    timed(axes[-1], channels[0]["clock"], zone)
    return uri(figure)


def _scored(axes: Axes, track: JSON, clock: bool) -> None:
    """Scores in thresholds, logarithmic above: 1 is an alarm."""
    threshold = track["threshold"]
    if threshold <= 0 or not math.isfinite(threshold):
        _filled(axes, track["score"], place(track["span"], clock), INK)
        axes.set_ylabel("score", fontsize=9)
        return
    squeezed = {k: [_squeezed(v, threshold) for v in track["score"][k]] for k in ("low", "high")}
    _filled(axes, squeezed, place(track["span"], clock), INK)
    top = max([v for v in squeezed["high"] if v is not None], default=1.0)
    axes.axhline(1, color=ALARM, lw=1, ls="--")
    decades = np.unique(np.linspace(0, max(0, math.floor(top - 1)), 4).astype(int))[1:]
    ticks = [0.0, 1.0, *(1.0 + d for d in decades)]
    axes.set_yticks(ticks, ["0", "alarm", *(f"×{10**d:,}" if d < 5 else f"×1e{d}" for d in decades)])
    axes.get_yticklabels()[1].set_color(ALARM)
    axes.set_ylim(min(0.0, *(v for v in squeezed["low"] if v is not None)) - 0.05, max(1.25, top * 1.04))
    axes.set_ylabel("score", fontsize=9)


def _squeezed(value: float | None, threshold: float) -> float | None:
    if value is None:
        return None
    share = value / threshold
    return max(share, -0.2) if share <= 1 else 1 + math.log10(share)


def _filled(axes: Axes, envelope: JSON, span: np.ndarray, colour: str) -> None:
    """Lowest to highest per column; a line where they are one."""
    low, high = (np.array([math.nan if v is None else v for v in envelope[k]]) for k in ("low", "high"))
    edges = np.linspace(span[0], span[1] if span[1] > span[0] else span[0] + 1, len(low) + 1)
    x = (edges[1:] + edges[:-1]) / 2
    seen = np.isfinite(low)
    joined, room = _bridged(seen), np.nanmax(high) - np.nanmin(low) if seen.any() else 0.0
    dense = bool(seen.any()) and float(np.nanmedian(high - low)) > DENSE * room
    axes.fill_between(x, low, high, where=seen, color=DIM if dense else colour, lw=0.6, interpolate=False)
    if not dense:
        axes.plot(x[joined], ((low + high) / 2)[joined], color=colour, lw=0.6)


def _bridged(seen: np.ndarray) -> np.ndarray:
    """Which columns a line runs through: those with values; where few are empty between, these are passed over."""
    where = np.flatnonzero(seen)
    gaps = np.diff(where)
    usual = np.median(gaps) if len(gaps) else 1
    kept = seen.copy()
    for i in np.flatnonzero(gaps > 3 * usual):
        kept[where[i] + 1] = True
    return kept


def _shaded(axes: Axes, track: JSON, clock: bool) -> None:
    first, last = place(track["span"], clock)
    least = NARROWEST * (last - first) / 2
    for each in track["alarms"]:
        axes.axvspan(*place([each["from"], each["to"]], clock), color=FAINT, alpha=0.7, lw=0)
    for each in track["events"]:
        begin, end = place([each["from"], each["to"]], clock)
        middle, half = (begin + end) / 2, max((end - begin) / 2, least)
        axes.axvspan(middle - half, middle + half, color=EVENT, alpha=0.55, lw=0)


def _expected(axes: Axes, x: np.ndarray, hidden: np.ndarray, band: JSON, levels: Sequence[str]) -> None:
    if "likeliest" in band:
        place_of = {level: i for i, level in enumerate(levels)}
        y = np.array([place_of.get(name, math.nan) for name in band["likeliest"]])
        axes.plot(x[hidden], y[hidden], color=EXPECTED, lw=4, alpha=0.45, drawstyle="steps-mid", label="expected")
        return
    q = np.array([[math.nan if v is None else v for v in row] for row in band["expected"]])
    near = hidden.copy()
    near[:-1] |= hidden[1:]
    near[1:] |= hidden[:-1]
    axes.fill_between(x, q[0], q[4], where=near, color=EXPECTED, alpha=0.18, lw=0, label="expected, 9 times in 10")
    axes.fill_between(x, q[1], q[3], where=near, color=EXPECTED, alpha=0.28, lw=0, label="every second time")
    axes.plot(x[near], q[2][near], color=EXPECTED, lw=1.2, ls="--", label="median")
    read = np.array([math.nan if v is None else v for v in band["observed"]], float)
    with np.errstate(invalid="ignore"):
        out = hidden & (np.abs(out_of_band(read, q, 1e-12)) > FAR)
    axes.plot(x[out], read[out], "o", color=ALARM, ms=4.5, mew=0, zorder=4, label="far out of it")


def _legend(axes: Axes) -> None:
    handles: Any = axes.get_legend_handles_labels()
    order = sorted(range(len(handles[1])), key=lambda i: handles[1][i] != "read")
    axes.legend(
        [handles[0][i] for i in order], [handles[1][i] for i in order], frameon=False, fontsize=8.5, ncols=len(order),
        loc="lower left", bbox_to_anchor=(0, 1.1), borderaxespad=0.1, handlelength=1.6, columnspacing=1.4,
    )  # fmt: skip


def _middle(event: JSON, clock: bool) -> float:
    return float(place([event["from"], event["to"]], clock).mean())
