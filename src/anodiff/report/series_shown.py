"""Events as a report shows them: with the lines to draw, and in a line."""

from collections.abc import Sequence

import numpy as np

from anodiff.explain.moment import Moment
from anodiff.explain.moment_words import clock
from anodiff.explain.moments import Told
from anodiff.happening import Happening
from anodiff.report.series_overview import axis_of, numbers_of
from anodiff.types import JSON

SHOWN = 0.03
"""Least share of the evidence for a channel to be drawn beside another."""
ASIDE = 0.6
"""So much of a scene is shown beside it on either side."""
DRAWN = 4000
"""Points of a line that are drawn at most."""


def drawn(told: Told, each: Moment, numeric: Sequence[str]) -> JSON:
    """An event with the lines to draw: what was read from somewhat before its scene to somewhat after."""
    track, known = told.log.tracks[each.happening.track], each.to_dict()
    axis, inside = axis_of(track), each.instants[each.instants >= 0]
    first, last = (int(inside[0]), int(inside[-1])) if len(inside) else (each.start, each.end)
    if each.end - each.start <= 2 * (last - first):
        first, last = min(first, each.start), max(last, each.end)
    aside = int(ASIDE * (last - first)) + 1
    shown = slice(max(0, first - aside), min(len(track), last + aside + 1), max(1, (last - first) // DRAWN))
    lines: dict[str, JSON] = {}
    for blame in each.blamed:
        if lines and blame.share < SHOWN:
            continue
        values, levels = numbers_of(track, blame.channel, numeric)
        read = [float(v) if np.isfinite(v) else None for v in values[shown]]
        lines[blame.channel] = {"read": read, "levels": levels, "unit": blame.unit}
    places = each.scene.places if each.times is None else each.times
    return {
        **known,
        "axis": axis[shown].tolist(),
        "scene": np.asarray(places, float).tolist(),
        "span": [float(axis[each.start]), float(axis[each.end])],
        "clock": track.times is not None,
        "lines": lines,
    }


def listed(told: Told, each: Happening) -> JSON:
    """An alarm with its times in words."""
    times = told.log.tracks[each.track].times
    ends = (each.event.start, each.event.end)
    step = None if times is None or len(times) < 2 else int(np.median(np.diff(times)))
    words = [f"{i:,}" if times is None else clock(int(times[i]), told.log.zone, step) for i in ends]
    return {**each.to_dict(), "length": each.event.length, "from": words[0], "to": words[1]}
