r"""Of the alarms raised in a batch, the share that is false: Benjamini and Hochberg's rule

.. math:: k = \max \{ i : p_{(i)} \le \tfrac{i}{m} \, \text{fdr} \}, \qquad \text{alarm for the } k \text{ smallest.}

Benjamini and Hochberg, "Controlling the false discovery rate", 1995. Conformal p-values of one batch share their
held-out normals and so depend on each other, but positively (PRDS), and the rule holds: Bates et al., "Testing for
outliers with conformal p-values", 2023. It can only find something if some p is at most k fdr / m: for few anomalies
among m items it needs about m / fdr held-out normals, or the tail alarm.
"""

import numpy as np
from scipy.stats import false_discovery_control

from anodiff.alarms.base import check_rate
from anodiff.types import Scores, Unreadable


def q_values(p: Scores) -> Scores:
    """Adjusted p-values `(m,)`: the smallest `fdr` at which each of `p` `(m,)` is an alarm."""
    p = np.asarray(p, dtype=np.float64)
    if p.ndim != 1 or not np.all((p >= 0) & (p <= 1)):
        raise Unreadable(f"p-values of shape {p.shape} are not (m,) numbers from 0 to 1; give what p_value returned.")
    return np.asarray(false_discovery_control(p)) if len(p) else p


def benjamini_hochberg(p: Scores, fdr: float) -> np.ndarray:
    """Which of `p` `(m,)` are alarms, a mask `(m,)`, with at most `fdr` of the alarms false on average.

    >>> benjamini_hochberg([0.01, 0.9, 0.02, 0.5], fdr=0.05)
    array([ True, False,  True, False])
    """
    return q_values(p) <= check_rate(fdr, "fdr")
