r"""What normal scores are after a drift: at first the old ones, moved to the new quantiles; later the new ones alone,

.. math:: s \mapsto a + r s, \qquad (a, r) = \arg\min \sum_{k=1}^{9}
          \big( q_{k/10}(\text{new}) - a - r\, q_{k/10}(\text{old}) \big)^2 .

Deciles are known from few instants, tails are not; the old scores lend theirs until there are enough new ones.
"""

import math

import numpy as np

from anodiff.alarms.blocks import Blocks
from anodiff.alarms.events import spans
from anodiff.alarms.rates import PER
from anodiff.types import Misfit, Refusal, Scores

DECILES = np.linspace(0.1, 0.9, 9)
HARDLY_EVER = 0.1


@np.errstate(over="ignore", invalid="ignore")
def moved(blocks: Blocks, recent: Scores) -> Blocks:
    """The calibration, stretched and shifted to the deciles of `recent`; only shifted where these do not vary."""
    old, new = (np.quantile(scores, DECILES) for scores in (blocks.each_.scores_, recent))
    apart = old - old.mean()
    spread = float(apart @ apart)
    stretch = float(apart @ new) / spread if spread > 0 else 1.0
    stretch = stretch if stretch > 0 else 1.0
    shift = float(new.mean() - stretch * old.mean())
    try:
        return Blocks().fit([shift + stretch * each for each in blocks.stretches_], blocks.hold_off_)
    except Refusal:  # so far away that all round to one number, or to infinity
        return blocks


def change(values: Scores, usual: float) -> int:
    """Where `values` `(n,)` leave their `usual` mean for that of their last half: the likeliest place, 0 to n - 1.

    >>> change(np.array([1.0, 1.1, 0.9, 2.0, 2.1, 1.9, 2.0]), usual=1.0)
    3
    """
    now = float(values[len(values) // 2 :].mean())
    sums = np.cumsum((values - (usual + now) / 2) * np.sign(now - usual))
    return int(np.argmin(np.append(0.0, sums[:-1])))


def refitted(blocks: Blocks, recent: Scores, rate: float) -> tuple[Blocks, int]:
    """A calibration on `recent` scores alone, and how many events were left out as anomalies.

    Left out are the alarms at `rate` whose peak the moved `blocks` would see less than a tenth of once in as many
    normal instants: leaving out every alarm would cut off the tail that the next threshold rests on.

    Raises:
        Misfit: Less than half is left, or what is left does not vary or supports no threshold.
    """
    blocks = moved(blocks, recent)
    threshold = blocks.threshold(rate)
    starts, ends, peaks = spans(recent, threshold, blocks.hold_off_)
    odd = blocks.rate(recent[peaks]) < HARDLY_EVER * PER / len(recent)
    normal = np.ones(len(recent), dtype=bool)
    for start, end in zip(starts[odd], ends[odd], strict=True):
        normal[start : end + 1] = False
    if 2 * normal.sum() < len(recent):
        raise Misfit(f"{len(recent) - normal.sum():,} of {len(recent):,} recent instants are events of no normal kind.")
    edges = np.flatnonzero(np.diff(normal.astype(np.int8))) + 1
    stretches = [each for each, kept in zip(np.split(recent, edges), np.split(normal, edges), strict=True) if kept[0]]
    again = Blocks().fit(stretches, blocks.hold_off_)
    if math.isinf(again.threshold(rate)) and math.isfinite(threshold):
        raise Misfit(again.statement(rate))
    return again, int(odd.sum())
