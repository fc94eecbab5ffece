r"""What is odd about a course of which no instant is: its level, its span, its steps, or its time, held against draws,

.. math:: u_f = \frac{f(x) - q_{0.5}(f)}{q_{0.95}(f) - q_{0.5}(f)} \quad \text{above the median of } f(x^{(j)}),
          \text{ likewise below it},

for f the mean, the range, the mean step from instant to instant; and the shift that brings x nearest to the median.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

ODD = 1.25
SHORTEST = 4
BETTER = 0.5
"""A course is late or early where a shift leaves less than this share of its squared distance to the median."""

FEATURES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mean": lambda x: np.asarray(x.mean(-1)),
    "span": lambda x: np.asarray(np.ptp(x, axis=-1)),
    "steps": lambda x: np.asarray(np.abs(np.diff(x, axis=-1)).mean(-1)),
}


@dataclass(frozen=True)
class Oddity:
    """A feature of a course: its value, and the 5 % and 95 % quantiles of what was expected."""

    feature: str
    value: float
    low: float
    high: float


def oddity(x: np.ndarray, draws: np.ndarray, least: float) -> Oddity | None:
    """The oddest feature of a course `(n,)` among `draws` `(k, n)`; None where none is odd."""
    if len(x) < SHORTEST:
        return None
    moved = shift(x, np.median(draws, axis=0))
    often = np.abs([shift(draw, np.median(draws, axis=0)) for draw in draws])
    if abs(moved) > max(1.0, float(np.quantile(often, 0.95))):
        return Oddity("shift", float(moved), 0.0, 0.0)
    found = [(abs(u), odd) for u, odd in (_judged(name, x, draws, least) for name in FEATURES)]
    worst, odd = max(found, key=lambda pair: pair[0])
    return odd if worst > ODD else None


def shift(x: np.ndarray, median: np.ndarray) -> int:
    """By how many instants, at most a quarter, a course `(n,)` is late (or early, < 0) beside the median; 0 if not.

    >>> wave = np.sin(np.arange(40) / 3)
    >>> shift(wave[:-5], wave[5:]), shift(wave, wave)
    (5, 0)
    """
    n, most = len(x), len(x) // 4
    away = {k: _distance(x, median, k, n) for k in range(-most, most + 1)}
    best = min(away, key=lambda k: (away[k], abs(k)))
    return best if away[best] < BETTER * away[0] else 0


def _distance(x: np.ndarray, median: np.ndarray, k: int, n: int) -> float:
    """The mean squared distance of x to the median k instants before."""
    return float(((x[max(0, k) : n + min(0, k)] - median[max(0, -k) : n - max(0, k)]) ** 2).mean())


def _judged(name: str, x: np.ndarray, draws: np.ndarray, least: float) -> tuple[float, Oddity]:
    value, usual = float(FEATURES[name](x)), FEATURES[name](draws)
    low, middle, high = np.quantile(usual, [0.05, 0.5, 0.95])
    room = max(high - middle if value >= middle else middle - low, least)
    return float((value - middle) / room), Oddity(name, value, float(low), float(high))
