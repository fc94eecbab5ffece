"""Where the window lies through which an event is looked at, and what of the event it hides."""

import numpy as np

from anodiff.explain.located import Core
from anodiff.modalities.windows import View

NEARLY = 0.5
"""Share of the most evidence at which the beginning of an event is told of, rather than its worst part."""
HIDDEN = 0.75
"""Share of a window that may be hidden."""


def placed(view: View, core: Core, instants: int) -> tuple[int, int, int]:
    """Where a window begins, and the first and the last (exclusive) instant that it hides.

    >>> placed(View(40, 40), Core(50, 59, np.ones(1)), 100), placed(View(40, 40), Core(50, 99, np.ones(1)), 100)
    ((35, 48, 62), (40, 50, 80))
    """
    most = max(1, int(HIDDEN * view.length))
    if len(core) < most:
        margin = min(max(1, len(core) // 4), (most - len(core)) // 2)
        begin, end = max(0, core.start - margin), min(instants, core.end + 1 + margin)
        return fitted((begin + end - view.length) // 2, view, instants), begin, end
    later = worst_part(core.course, most)
    begin = core.start + later
    room = view.length - most
    start = fitted(begin - (room // 2 if later else room), view, instants)
    return start, begin, min(begin + most, start + view.length, core.end + 1)


def fitted(start: int, view: View, instants: int) -> int:
    """The start nearest to `start` of a window within so many instants."""
    return int(np.clip(start, 0, max(0, instants - view.length)))


def worst_part(course: np.ndarray, length: int) -> int:
    """Where in a core so many instants with the most evidence begin: at 0, if nearly as much of it is there."""
    if len(course) <= length:
        return 0
    sums = np.convolve(course, np.ones(length), mode="valid")
    return 0 if sums[0] >= NEARLY * sums.max() else int(np.argmax(sums))
