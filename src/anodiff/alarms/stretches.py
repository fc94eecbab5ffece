"""Normal stretches of instants that follow each other, as detectors of series, films and walks count them."""

from collections.abc import Sequence

import numpy as np

from anodiff.alarms.blocks import Blocks
from anodiff.alarms.rates import PER
from anodiff.types import Misfit, Scores, Unreadable

FAR = 30.0


def counted(stretches: Sequence[Scores], hold_off: int) -> Blocks:
    """The alarm that counts events of normal stretches; scores that all tie are told apart by a trifle.

    Raises:
        Unreadable: no instant could be judged.
    """
    stretches = [s for s in stretches if len(s)]
    whole = np.concatenate([np.zeros(0), *stretches])
    if len(whole) < 2:
        raise Unreadable(f"{len(whole)} instants could be judged; give longer stretches, or shorter windows.")
    if np.ptp(whole) <= 1e-12 * np.abs(whole).max():
        draw = np.random.default_rng(0)
        stretches = [s + 1e-9 * (1 + np.abs(whole).max()) * draw.random(len(s)) for s in stretches]
    return Blocks().fit(stretches, hold_off)


def no_fdr(fdr: float | None) -> None:
    """Refuse what counts items that do not follow each other."""
    if fdr is not None:
        raise Misfit("fdr counts independent rows, and instants follow each other; give false_alarm_rate.")


def per_ten_thousand(rate: float) -> float:
    """Events per 10,000 instants."""
    if not 0 < rate < 1:
        raise Misfit(f"false_alarm_rate is {rate}; give events per normal instant between 0 and 1, such as 0.0001.")
    return rate * PER


def far_out(scores: Scores, most: float) -> float:
    """The share of scores, `most` or less, that lie `FAR` times as far above the median as the upper quartile."""
    median, high = np.quantile(scores, [0.5, 0.75])
    return float(min(most, (scores > median + FAR * max(high - median, 1e-12)).mean()))


def without_highest(stretches: Sequence[Scores], share: float) -> list[Scores]:
    """Stretches of scores, cut where they are among the highest `share` of all."""
    if not share:
        return list(stretches)
    limit = np.quantile(np.concatenate(list(stretches)), 1 - share)
    kept: list[Scores] = []
    for scores in stretches:
        cuts = np.flatnonzero(np.diff((scores <= limit).astype(int))) + 1
        kept += [part for part in np.split(scores, cuts) if len(part) and part[0] <= limit]
    return kept
