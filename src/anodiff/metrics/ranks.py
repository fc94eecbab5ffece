r"""Several methods on several data sets: average ranks, and how far apart they must be to mean something.

.. math:: \text{CD} = q_\alpha \sqrt{\frac{k (k + 1)}{6 N}}

for k methods on N sets; q is the studentized range for k means divided by the root of two (the Nemenyi test). Demsar,
"Statistical comparisons of classifiers over multiple data sets", 2006.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2, rankdata, studentized_range

from anodiff.types import Misfit, Unreadable


@dataclass(frozen=True)
class Ranks:
    """Average ranks, 1 is best.

    Attributes:
        ranks: of each method, best first.
        sets: on how many data sets.
        p: of the Friedman test, that all methods are alike; NaN for two methods or one set.
        distance: the critical difference: average ranks closer than that are not told apart.
    """

    ranks: dict[str, float]
    sets: int
    p: float
    distance: float

    @property
    def groups(self) -> list[tuple[str, ...]]:
        """The longest runs of methods that are not told apart, best first; none of a single method.

        >>> Ranks({"a": 1.0, "b": 1.5, "c": 3.0}, 10, 0.01, 1.0).groups
        [('a', 'b')]
        """
        names, places = list(self.ranks), np.array(list(self.ranks.values()))
        ends = [int(np.searchsorted(places, place + self.distance, side="right")) for place in places]
        starts = [i for i, end in enumerate(ends) if end - i > 1 and (i == 0 or end > ends[i - 1])]
        return [tuple(names[i : ends[i]]) for i in starts]


def critical_difference(methods: int, sets: int, alpha: float = 0.05) -> float:
    """Nemenyi's critical difference of average ranks.

    >>> round(critical_difference(4, 14), 2)
    1.25
    """
    if methods < 2 or sets < 1:
        raise Misfit(f"{methods} methods on {sets} sets have no critical difference; give at least 2 on 1.")
    q = float(studentized_range.isf(alpha, methods, np.inf)) / math.sqrt(2)
    return q * math.sqrt(methods * (methods + 1) / (6 * sets))


def average_ranks(values: Mapping[str, np.ndarray], alpha: float = 0.05) -> Ranks:
    """Ranks of methods by `values` `(sets,)`, higher is better; ties share their mean rank.

    Raises:
        Unreadable: fewer than two methods, or values that are not finite or of different lengths.
    """
    table = [np.asarray(each, dtype=np.float64) for each in values.values()]
    if len(table) < 2 or len({each.shape for each in table}) > 1 or not np.isfinite(table).all() or not table[0].size:
        raise Unreadable(f"{len(table)} methods cannot be ranked; give 2 or more with a finite value on every set.")
    ranks = rankdata(-np.stack(table), axis=0)
    order = np.argsort(ranks.mean(1), kind="stable")
    names = list(values)
    found = {names[i]: float(ranks[i].mean()) for i in order}
    return Ranks(found, ranks.shape[1], _friedman(ranks), critical_difference(len(ranks), ranks.shape[1], alpha))


def _friedman(ranks: np.ndarray) -> float:
    """The p-value that ranks `(methods, sets)` are alike, corrected for ties."""
    k, n = ranks.shape
    spread = ((ranks - (k + 1) / 2) ** 2).sum() / (n * (k - 1))
    if k < 3 or n < 2 or spread == 0:
        return math.nan
    statistic = n * ((ranks.mean(1) - (k + 1) / 2) ** 2).sum() / spread
    return float(chi2.sf(statistic, k - 1))
