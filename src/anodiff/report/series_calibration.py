r"""Does the promised rate of events hold? Held-out normal stretches are cut into pieces that take turns: those of four
turns set the threshold, and the events of the fifth are counted,

.. math:: \text{found}(r) = \frac{10^4}{n} \sum_{\text{turns}} N_\text{turn}\big(t_{-\text{turn}}(r)\big) .

Beside it the same with thresholds that take instants for independent and each alarm for an event of its own.
"""

from collections.abc import Sequence

import numpy as np
from scipy.stats import poisson

from anodiff.alarms.blocks import Blocks
from anodiff.alarms.events import spans
from anodiff.alarms.rates import PER
from anodiff.types import JSON, Refusal, Scores

RATES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
TURNS = 5
PIECES = 4
"""Pieces per turn."""
MOST = 200_000
"""Instants that are looked at."""


def measured(stretches: Sequence[Scores], hold_off: int, wanted: float) -> list[JSON]:
    """Per wanted rate in events per 10,000 instants: what is found, what naively, and in which limits chance keeps it.

    Rates of which less than one event is expected in all are left out, but for the wanted one.
    """
    pieces = _pieces(stretches)
    n = sum(map(len, pieces))
    rates = sorted({rate for rate in RATES if rate * n >= PER} | {wanted})
    counts = np.zeros((2, len(rates)))
    at_once = 1.0
    for turn in range(min(TURNS, len(pieces))):
        rest = [piece for i, piece in enumerate(pieces) if i % TURNS != turn]
        try:
            alarm = Blocks().fit(rest, hold_off)
        except Refusal:
            return []
        at_once = max(at_once, alarm.at_once_)
        for k, rate in enumerate(rates):
            for row, threshold in enumerate((alarm.threshold(rate), alarm.naive_threshold(rate))):
                counts[row, k] += sum(len(spans(piece, threshold, hold_off)[0]) for piece in pieces[turn::TURNS])
    return [_point(rate, float(counts[0, k]), float(counts[1, k]), n, at_once) for k, rate in enumerate(rates)]


def _pieces(stretches: Sequence[Scores]) -> list[Scores]:
    """Stretches in pieces of about equal length, in the order of time."""
    n = min(MOST, sum(map(len, stretches)))
    length, found, left = max(1, n // (TURNS * PIECES)), [], MOST
    for each in stretches:
        part, left = each[:left], left - min(left, len(each))
        if len(part):
            found += np.array_split(part, max(1, round(len(part) / length)))
    return found


def _point(rate: float, found: float, naive: float, n: int, at_once: float) -> JSON:
    """Events come `at_once` at a time, so chance is that of so many fewer, each worth so many."""
    expected = rate * n / PER / at_once
    low, high = (float(at_once * poisson.ppf(q, expected)) for q in (0.025, 0.975))
    return {
        "wanted": rate,
        "expected": rate * n / PER,
        "events": int(found),
        "found": found * PER / n,
        "naive": naive * PER / n,
        "low": low * PER / n,
        "high": high * PER / n,
    }
