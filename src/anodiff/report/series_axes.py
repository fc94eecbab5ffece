"""Axes of time, and the look of pictures of series: colours that all eyes tell apart (Okabe and Ito, 2008)."""

import datetime as dt
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

INK, SOFT, FAINT = "#1b2733", "#566573", "#d9e1e8"
EXPECTED, ALARM, EVENT, NAIVE = "#0072b2", "#d55e00", "#e69f00", "#cc79a7"
DAY = 86_400e6
LONGEST = 48
"""Letters of a name that are written."""
WIDTH, ASIDE, ABOVE, BELOW, GAP = 9.6, 0.95, 0.28, 0.5, 0.34
"""Of pictures, in inches: the width, and what is left for labels at the left, above, below and between panels."""


def stacked(heights: Sequence[float], width: float = WIDTH, above: float = ABOVE) -> tuple[Figure, list[Axes]]:
    """A figure of panels above each other that share their axis of time; heights, width and room above in inches."""
    tall = sum(heights) + GAP * (len(heights) - 1) + above + BELOW
    figure = Figure(figsize=(width, tall))
    found = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=list(heights))
    figure.subplots_adjust(
        left=ASIDE / width, right=1 - 0.28 / width, bottom=BELOW / tall, top=1 - above / tall,
        hspace=GAP * len(heights) / sum(heights),
    )  # fmt: skip
    axes: list[Axes] = list(found[:, 0])
    for each in axes:
        plain(each)
    return figure, axes


def plain(axes: Axes) -> None:
    """No frame beyond the two axes, soft ticks."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(SOFT)
    axes.tick_params(labelsize=9, colors=INK, length=3)
    axes.yaxis.set_major_locator(MaxNLocator(4))


def place(values: Sequence[float] | np.ndarray, clock: bool) -> np.ndarray:
    """Microseconds since 1970 as matplotlib's days; instants as they are."""
    return np.asarray(values, float) / (DAY if clock else 1.0)


def timed(axes: Axes, clock: bool, zone: str | None) -> None:
    """Write the axis of time so that it can be read: the date once, hours where they matter."""
    if not clock:
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.set_xlabel("instant", fontsize=9, color=SOFT)
        return
    found = zone_of(zone)
    locator = AutoDateLocator(tz=found, minticks=4, maxticks=9)  # type: ignore[no-untyped-call]
    formatter = ConciseDateFormatter(locator, tz=found)  # type: ignore[no-untyped-call]
    formatter.formats = ["%Y", "%b %Y", "%d %b", "%H:%M", "%H:%M", "%S.%f"]
    formatter.zero_formats = ["", "%Y", "%d %b", "%d %b", "%H:%M", "%H:%M"]
    formatter.offset_formats = ["", "%Y", "%Y", "%d %b %Y", "%d %b %Y", "%d %b %Y"]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(formatter)
    axes.xaxis.get_offset_text().set_fontsize(9)
    axes.xaxis.get_offset_text().set_color(SOFT)


def zone_of(zone: str | None) -> dt.tzinfo:
    """The time zone of a name, as arrow and Python read it; UTC for none."""
    import pyarrow as pa

    found = pa.scalar(0, pa.timestamp("us", zone or "UTC")).as_py().tzinfo
    return found if isinstance(found, dt.tzinfo) else dt.UTC


def named(axes: Axes, name: str, unit: str = "") -> None:
    """Above the axes, what they show, and in which unit."""
    text = name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
    axes.set_title(f"{text} [{unit}]" if unit else text, loc="left", fontsize=9, fontweight="bold", color=INK, pad=3)


def levelled(axes: Axes, levels: Sequence[str]) -> None:
    """Categories as ticks."""
    axes.set_yticks(range(len(levels)), [level if len(level) <= 12 else f"{level[:11]}…" for level in levels])
    axes.set_ylim(-0.5, len(levels) - 0.5)


def numbered(axes: Axes, at: Sequence[float], numbers: Sequence[int]) -> None:
    """Numbers of events above the axes; where two would touch, the one of the lesser event is left out."""
    low, high = axes.get_xlim()
    room, taken = 0.022 * (high - low), list[float]()
    for x, number in sorted(zip(at, numbers, strict=True), key=lambda pair: pair[1]):
        if all(abs(x - other) >= room for other in taken):
            taken.append(x)
            axes.annotate(
                str(number), (x, 1.0), xycoords=("data", "axes fraction"), xytext=(0, 9), textcoords="offset points",
                ha="center", va="center", fontsize=9, color="white", fontweight="bold", annotation_clip=False,
                bbox={"boxstyle": "circle,pad=0.22", "facecolor": ALARM, "edgecolor": "none"},
            )  # fmt: skip
