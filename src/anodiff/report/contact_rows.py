"""Rows of a contact sheet: a strip of cells for each, changed ones framed with their values before and after."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from anodiff.report.contact import Shown
from anodiff.report.series_axes import ALARM, INK, SOFT

COLUMNS = 12
"""At most so many are drawn: those that changed most often."""
LETTERS = 9
FARTHEST = 4.0
"""Deviations from the middle at which a cell's colour is full."""
LOW, HIGH = np.array([0.35, 0.61, 0.84]), np.array([0.93, 0.60, 0.35])
CELL, WORDS, ROW, DPI = 1.15, 4.2, 0.27, 90
"""In inches: a cell's width, what is left for words, a row's height."""


def rows_sheet(rows: Sequence[Shown], names: Sequence[str] | None = None) -> bytes:
    """The items as a png, and each real one below the first that it is like."""
    many = len(np.asarray(rows[0].region))
    called = list(names) if names is not None else [str(c) for c in range(many)]
    often = np.sum([np.asarray(row.region, bool) for row in rows], 0)
    columns = sorted(np.argsort(-often, kind="stable")[:COLUMNS].tolist())
    lines = _lines(rows)
    middles = [_middle([(made if before is None else before)[c] for made, before, *_ in lines]) for c in columns]
    figure = Figure(figsize=(len(columns) * CELL + WORDS, (len(lines) + 2) * ROW + 0.2), dpi=DPI)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    axes.set_xlim(0, len(columns) + WORDS / CELL)
    axes.set_ylim(len(lines) + 1, -1)
    for at, c in enumerate(columns):
        axes.text(at + 0.5, -0.3, called[c][:14], fontsize=8, ha="center", color=INK)
    if many > len(columns):
        axes.text(len(columns) + 0.1, -0.3, f"{many - len(columns)} other columns", fontsize=8, color=SOFT)
    for down, (made, normal, region, words, colour) in enumerate(lines):
        for at, (c, middle) in enumerate(zip(columns, middles, strict=True)):
            _cell(axes, at, down, made[c], None if normal is None else normal[c], bool(region[c]), middle)
        axes.text(len(columns) + 0.1, down + 0.5, words, fontsize=8, va="center", color=colour)
    file = io.BytesIO()
    FigureCanvasAgg(figure).print_png(file)  # type: ignore[no-untyped-call]
    return file.getvalue()


def _lines(rows: Sequence[Shown]) -> list[tuple[Any, Any, np.ndarray, str, str]]:
    """Made row, the row before, where it was changed, words and their colour; a real one once, below its first."""
    found: list[tuple[Any, Any, np.ndarray, str, str]] = []
    seen: set[int] = set()
    for row in rows:
        region = np.asarray(row.region, bool)
        words = f"{row.title}   {row.verdict}"
        found.append((row.made, row.normal, region, words, INK if row.accepted else ALARM))
        if row.real is None or id(row.real) in seen:
            continue
        seen.add(id(row.real))
        real, marked = row.real
        marked = np.zeros_like(region) if marked is None else np.asarray(marked, bool)
        found.append((np.asarray(real, dtype=object), None, marked, "a real one", SOFT))
    return found


def _cell(
    axes: Axes, at: int, down: int, made: Any, normal: Any, changed: bool, middle: tuple[float, float] | None
) -> None:
    axes.add_patch(Rectangle((at, down), 1, 1, fc=_colour(made, middle), ec="white", lw=0.6))
    if changed:
        axes.add_patch(Rectangle((at + 0.02, down + 0.06), 0.96, 0.88, fc="none", ec=INK, lw=1.2, zorder=3))
    said = _said(made) if not changed or normal is None else f"{_said(normal)} \N{RIGHTWARDS ARROW} {_said(made)}"
    axes.text(
        at + 0.5, down + 0.52, said, fontsize=7, ha="center", va="center", color=INK if changed else SOFT, zorder=4
    )


def _said(value: Any) -> str:
    number = _number(value)
    if number is None:
        text = "missing" if value is None else str(value)
        return text if len(text) <= LETTERS else text[: LETTERS - 1] + "\N{HORIZONTAL ELLIPSIS}"
    return "missing" if np.isnan(number) else f"{number:.3g}".replace("e+0", "e").replace("e-0", "e-")


def _number(value: Any) -> float | None:
    if isinstance(value, bool | np.bool_ | str) or value is None:
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _middle(values: Sequence[Any]) -> tuple[float, float] | None:
    """Median and spread of a column's numbers; None where it holds none."""
    numbers = np.array([v for v in map(_number, values) if v is not None and np.isfinite(v)])
    if not len(numbers):
        return None
    low, middle, high = np.quantile(numbers, [0.25, 0.5, 0.75])
    return float(middle), float((high - low) / 1.35 or numbers.std() or 1.0)


def _colour(value: Any, middle: tuple[float, float] | None) -> tuple[float, float, float]:
    """White in the middle of the column, blue below it, orange above."""
    number = _number(value)
    if number is None or middle is None or not np.isfinite(number):
        return (0.96, 0.96, 0.96)
    far = float(np.clip((number - middle[0]) / middle[1] / FARTHEST, -1, 1))
    red, green, blue = 1 - abs(far) * (1 - (HIGH if far > 0 else LOW))
    return float(red), float(green), float(blue)
