"""Records of a contact sheet: their parts beside each other, those that were changed framed, with what was there."""

import io
from collections.abc import Sequence
from textwrap import wrap
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from anodiff.report.contact import Shown
from anodiff.report.series_axes import ALARM, INK, SOFT

PARTS = 8
"""At most so many are drawn of a record."""
WIDE, TALL, DPI = 2.3, 1.9, 90
"""In inches: a part's width, a record's height."""
LINE, LINES = 26, 5
"""Letters of a line of text, and lines."""


def records_sheet(rows: Sequence[Shown]) -> bytes:
    """The records as a png, one below the other, a part in each column and before it what it was."""
    names = list(rows[0].made)[:PARTS]
    figure = Figure(figsize=(len(names) * WIDE, len(rows) * TALL + 0.2), dpi=DPI)
    axes = figure.subplots(len(rows), len(names), squeeze=False)
    figure.subplots_adjust(left=0.01, right=0.99, top=1 - 0.55 / (len(rows) * TALL + 0.2), bottom=0.01, hspace=0.35)
    for line, row in zip(axes, rows, strict=True):
        for each, name, changed in zip(line, names, np.asarray(row.region, bool), strict=False):
            _draw(each, name, row.made[name], None if row.normal is None or not changed else row.normal[name], changed)
        said, colour = f"{row.title}   {row.verdict}", INK if row.accepted else ALARM
        line[0].text(0, 1.22, said, fontsize=8, color=colour, transform=line[0].transAxes, va="bottom")
    file = io.BytesIO()
    FigureCanvasAgg(figure).print_png(file)  # type: ignore[no-untyped-call]
    return file.getvalue()


def _draw(axes: Axes, name: str, made: Any, before: Any, changed: bool) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color(ALARM if changed else SOFT)
        spine.set_linewidth(1.6 if changed else 0.4)
    axes.set_title(name[:LINE], fontsize=7, color=INK if changed else SOFT, pad=2)
    if isinstance(made, np.ndarray) and made.dtype == np.uint8 and made.ndim in (2, 3):
        _picture(axes, made, before)
    elif isinstance(made, np.ndarray) and made.ndim and len(made) > 1:
        if isinstance(before, np.ndarray):
            axes.plot(before, color=SOFT, lw=0.7)
        axes.plot(made, color=ALARM if changed else INK, lw=1.0)
    else:
        told = words(made) if before is None else f"{words(before)}\n\N{RIGHTWARDS ARROW} {words(made)}"
        axes.text(0.03, 0.5, told, fontsize=7, va="center", color=INK, transform=axes.transAxes)


def _picture(axes: Axes, made: np.ndarray, before: Any) -> None:
    """A picture; where it took the place of another one, that in its corner."""
    axes.imshow(made, cmap="gray", vmin=0, vmax=255)
    if isinstance(before, np.ndarray):
        inner = axes.inset_axes((0.0, 0.66, 0.34, 0.34))
        inner.imshow(before, cmap="gray", vmin=0, vmax=255)
        inner.set_xticks([])
        inner.set_yticks([])


def words(value: Any) -> str:
    """A text in a few lines, or a number.

    >>> words("a b"), words(None), words(2.0)
    ('a b', 'missing', '2')
    """
    if value is None:
        return "missing"
    if not isinstance(value, str):
        return ", ".join(f"{float(v):.4g}" for v in np.atleast_1d(value)[:6])
    lines = wrap(value[: 2 * LINE * LINES], LINE)
    return "\n".join(lines[:LINES]) + ("..." if len(lines) > LINES else "")
