"""Series of a contact sheet: before in grey, made in colour, regions shaded, a real one beside them."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from anodiff.data.made_files import spans_of
from anodiff.report.contact import Shown
from anodiff.report.series_axes import ALARM, EVENT, EXPECTED, INK, SOFT

CHANNELS = 3
"""At most so many are drawn of an item: those that changed first."""
SHORTEST, AROUND = 160, 1.5
"""Instants that are shown at least, and regions' lengths on either side of them."""
WIDE, NARROW, TALL, ABOVE, DPI = 5.2, 4.0, 0.55, 0.75, 90
"""In inches: an item's width, alone and with a real one, a channel's height, and what is left above it for words."""
WAS = "#8c979f"


def series_sheet(rows: Sequence[Shown], names: Sequence[str] | None = None) -> bytes:
    """The items as a png, one or two beside each other."""
    panels = 2 if any(row.real is not None for row in rows) else 1
    across = 1 if len(rows) == 1 else 2
    channels = max(len(_drawn(np.asarray(row.region))) for row in rows)
    down = -(-len(rows) // across)
    wide, tall = across * panels * (WIDE if panels == 1 else NARROW), down * (channels * TALL + ABOVE)
    figure = Figure(figsize=(wide, tall), dpi=DPI)
    axes = figure.subplots(down, across * panels, squeeze=False).ravel()
    # A layout that is solved takes longer than all of the drawing.
    figure.subplots_adjust(
        left=0.95 / wide, right=1 - 0.1 / wide, bottom=0.3 / tall, top=1 - 0.42 / tall,
        wspace=0.34, hspace=ABOVE / (channels * TALL),
    )  # fmt: skip
    for each in axes:
        each.set_axis_off()
    for i, row in enumerate(rows):
        own = axes[i * panels]
        _draw(own, _values(row.made), np.asarray(row.region), names, row.normal)
        own.set_title(row.title, fontsize=9, loc="left", color=INK, pad=14)
        own.text(
            0, 1.02, row.verdict, fontsize=8, color=INK if row.accepted else ALARM, transform=own.transAxes, va="bottom"
        )
        if row.real is not None:
            beside, (series, region) = axes[i * panels + 1], row.real
            values = _values(series)
            spans = np.zeros(values.shape, bool) if region is None else np.asarray(region, bool)
            spans = np.broadcast_to(spans[:, None] if spans.ndim == 1 else spans, values.shape)
            _draw(beside, values, spans, names, None)
            beside.set_title("real", fontsize=9, loc="left", color=SOFT)
    file = io.BytesIO()
    FigureCanvasAgg(figure).print_png(file)  # type: ignore[no-untyped-call]
    return file.getvalue()


def _draw(axes: Axes, made: np.ndarray, region: np.ndarray, names: Sequence[str] | None, normal: Any) -> None:
    axes.set_axis_on()
    axes.spines[["top", "right", "left"]].set_visible(False)
    begin, end = _window(region)
    instants = np.arange(begin, end)
    before = made if normal is None else _values(normal)
    for level, channel in enumerate(reversed(_drawn(region))):
        inside = region[begin:end, channel]
        old, new = before[begin:end, channel], made[begin:end, channel]
        low, span = _scale(np.concatenate([old, new]))
        if normal is not None:
            axes.plot(instants, level + (old - low) / span, color=WAS, lw=1.0)
        new = level + (new - low) / span
        axes.plot(instants, new, color=EXPECTED, lw=0.8)
        # A point alone has no line.
        axes.plot(instants, np.where(inside, new, np.nan), color=ALARM, lw=1.2, marker=".", ms=2.5)
        for start, stop in spans_of(inside):
            axes.axvspan(
                begin + start - 0.5, begin + stop - 0.5, (level + 0.02) / _top(region), (level + 0.98) / _top(region),
                color=EVENT, alpha=0.25, lw=0,
            )  # fmt: skip
    axes.set_ylim(0, _top(region))
    ticks = [names[c] if names is not None else str(c) for c in reversed(_drawn(region))]
    axes.set_yticks(np.arange(len(ticks)) + 0.45, [tick[:14] for tick in ticks], fontsize=7)
    axes.tick_params(labelsize=7, length=2, colors=SOFT)
    axes.set_xlim(begin - 1, end)


def _values(series: Any) -> np.ndarray:
    values = np.asarray(series, dtype=np.float64)
    return values[:, None] if values.ndim == 1 else values


def _drawn(region: np.ndarray) -> list[int]:
    """Channels that changed, else the first."""
    changed = np.flatnonzero(region.any(0))
    return [int(c) for c in (changed if len(changed) else np.arange(region.shape[1]))[:CHANNELS]]


def _window(region: np.ndarray) -> tuple[int, int]:
    """First and last instants that are drawn: the region and what is around it, all of a series without."""
    inside = np.flatnonzero(region.any(1))
    if not len(inside):
        return 0, len(region)
    first, last = int(inside[0]), int(inside[-1]) + 1
    spare = int(max(AROUND * (last - first), (SHORTEST - (last - first)) / 2))
    return max(0, first - spare), min(len(region), last + spare)


def _scale(values: np.ndarray) -> tuple[float, float]:
    """What is drawn lowest, and what is drawn one channel higher."""
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    span = (high - low) or 1.0
    return low - 0.08 * span, 1.16 * span


def _top(region: np.ndarray) -> int:
    return len(_drawn(region))
