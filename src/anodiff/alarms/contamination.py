r"""How many of the rows of fit are anomalies? The share by which far scores outnumber what the middle promises,

.. math:: e = \max_t \Big( 1 - \frac{F(t)}{\Phi((t - m) / s)} \Big), \qquad
          \hat c = c_0 \, (e / e_0)^w ,

where the normal curve is matched to the logarithm of the middle scores (central matching: Efron, "Large-Scale
Simultaneous Hypothesis Testing: The Choice of a Null Hypothesis", 2004).

Scores alone say little: on 26 public tables the median of e was the same with 0, 5 and 10 % anomalies among the rows,
for the tails of normal data differ more from table to table than anomalies add. So the exponent w is small and the
estimate stays near :math:`c_0`, the share that one fears who asks; the interval says how far off it may be.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from anodiff.alarms.base import finite
from anodiff.types import Scores

FEARED, USUAL, TRUST, FACTOR = 0.06, 0.1, 0.3, 3.0
MOST = 0.4


@dataclass(frozen=True)
class Contamination:
    """A share of anomalies among rows, and about where it may lie."""

    value: float
    low: float
    high: float


def estimate(raw: Scores) -> Contamination:
    """From left-out scores `(n,)` of a score that a few anomalies hardly move.

    >>> normal = np.random.default_rng(0).lognormal(size=1000)
    >>> 0.02 < estimate(normal).value < 0.1
    True
    """
    raw = finite(raw, "left-out scores", at_least=2)
    evidence = max(excess(raw), 0.005) / USUAL if raw.min() >= 0 else 1.0  # the logarithm says nothing of the others
    value = FEARED * evidence**TRUST
    return Contamination(min(value, MOST), min(value / FACTOR, MOST), min(value * FACTOR, 0.5))


def excess(raw: Scores) -> float:
    """The e above, in [0, 1): 0 where the far scores are as the middle promises."""
    scores = finite(raw, "left-out scores", at_least=2)
    log = np.log(np.maximum(scores, max(np.quantile(scores, 0.001), 0) + 1e-12))
    at = np.array([0.1, 0.35, 0.75])
    quantile, normal = np.quantile(log, at), ndtri(at)
    spread = (quantile[2] - quantile[0]) / (normal[2] - normal[0])
    if spread <= 0:
        return 0.0
    far = np.quantile(log, np.linspace(0.6, 0.995, 60))
    counted = np.searchsorted(np.sort(log), far, side="right") / len(log)
    promised = ndtr((far - quantile[1]) / spread + normal[1])
    return float(max((1 - counted / promised).max(), 0))
