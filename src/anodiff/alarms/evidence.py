r"""Do values that come one by one still look like the ones before? Bet on their ranks, and sum what the bets win,

.. math:: p_k = \frac{1 + \#\{j : v_j \ge v_k\}}{N_k + 1}, \qquad R_k = (1 + R_{k-1}) \, f(p_k)^w, \qquad
          f(p) = \operatorname{mean}_\varepsilon \frac{p^{\varepsilon - 1}}
          {\operatorname{mean}_j (j / (N_k + 1))^{\varepsilon - 1}} ,

where every :math:`v_k` joins the :math:`N_k` values that it was compared with. While values are exchangeable, ranks are
uniform and independent of the past, no bet gains on average, and :math:`E[T] \ge c` for the time T at which R first
reaches c, whatever the distribution: a Shiryaev-Roberts procedure on a conformal martingale (Vovk et al., "Retrain or
not retrain: conformal test martingales for change-point detection", 2021). Ties only make bets lose, and so does a
weight w below 1, for values that remember each other.
"""

from bisect import bisect_left, bisect_right, insort

import numpy as np

from anodiff.alarms.base import finite
from anodiff.types import Scores

EXPONENTS = np.array([0.1, 0.4, 0.7])
MOST_KEPT = 10_000


class Evidence:
    """Evidence that values moved up, and that they moved down, by a martingale each; what counts is their mean.

    R never grows beyond what it takes, so that what is over is soon forgotten, however telling it was.

    Args:
        before: Values before, `(N,)`; the ones that come join them until there are 10,000.
        limit: The c above: so many values come on average before a change is seen where there is none.
        weight: The w above, from 0 to 1.
    """

    def __init__(self, before: Scores, limit: float, weight: float = 1.0) -> None:
        self.limit = limit
        self.weight = weight
        self._before = sorted(finite(before, "values before", at_least=1).tolist())
        self._sums = (np.arange(1, len(self._before) + 2) ** (EXPONENTS[:, None] - 1)).sum(1)
        self._gains, self._runs, self._since = np.zeros(2), np.zeros(2), np.zeros(2, dtype=np.int64)

    def push(self, value: float, place: int) -> bool:
        """Whether, with one more value, which began at `place`, a change is seen."""
        n = len(self._before)
        ranks = np.array([n + 1 - bisect_left(self._before, value), 1 + bisect_right(self._before, value)])
        bets = ((n + 1) * (ranks[:, None] ** (EXPONENTS - 1) / self._sums).mean(1)) ** self.weight
        self._gains = np.minimum((1 + self._gains) * bets, 2 * self.limit)
        self._since = np.where(self._runs > 1, self._since, place)
        self._runs = np.minimum(np.maximum(self._runs, 1) * bets, 2 * self.limit)
        if n < MOST_KEPT:
            insort(self._before, value)
            self._sums += (n + 2) ** (EXPONENTS - 1)
        return bool(self._gains.mean() >= self.limit)

    @property
    def since(self) -> int:
        """Where the values began that the stronger evidence rests on."""
        return int(self._since[self._gains.argmax()])

    @property
    def rising(self) -> bool:
        """Whether the stronger evidence is that values moved up."""
        return bool(self._gains[0] > self._gains[1])
