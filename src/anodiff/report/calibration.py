"""Does the promised false-alarm rate hold? Held-out normals are split once more: nine tenths set the threshold, one
tenth is counted, ten times. Beside it, where there are data, the share of them that would raise an alarm.
"""

import numpy as np

from anodiff.alarms import Conformal
from anodiff.metrics.ranking import acceptance_interval
from anodiff.types import JSON, Scores

RATES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
FOLDS = 10


def rates_for(held_out: Scores, wanted: float) -> list[float]:
    """The rates that nine tenths of these normals can support, and the wanted one among them."""
    least = 1 / (1 + len(held_out) * (FOLDS - 1) // FOLDS)
    return [rate for rate in sorted({*RATES, wanted}) if rate >= least]


def curve(held_out: Scores, rates: list[float], seed: int) -> list[JSON]:
    """Per wanted rate: the measured one, and the interval in which 95 of 100 such measurements lie if it holds."""
    fold = np.random.default_rng(seed).permutation(len(held_out)) % FOLDS
    alarms = np.zeros(len(rates))
    for k in range(min(FOLDS, len(held_out))):
        alarm = Conformal().fit(held_out[fold != k])
        thresholds = np.array([alarm.threshold(rate) for rate in rates])
        alarms += (held_out[fold == k][:, None] > thresholds).sum(0)
    return [_point(rate, count / len(held_out), len(held_out)) for rate, count in zip(rates, alarms, strict=True)]


def _point(rate: float, measured: float, n: int) -> JSON:
    expected = acceptance_interval(rate, n, 0.95)
    return {"wanted": rate, "measured": float(measured), "low": expected.low, "high": expected.high}
