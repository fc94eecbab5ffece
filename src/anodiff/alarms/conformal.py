r"""Conformal p-values: count the n held-out normals that score at least as high,

.. math:: p(s) = \frac{1 + \#\{i : s_i \ge s\}}{n + 1} .

If the held-out normals and a new normal are exchangeable and the model saw none of them, :math:`P(p \le a) \le a` for
every a, whatever the model and the data, on average over the held-out draw (Vovk, Gammerman and Shafer, "Algorithmic
Learning in a Random World", 2005; Laxhammar and Falkman, "Conformal prediction for distribution-independent anomaly
detection", 2010). For one given draw the false-alarm rate itself varies, like Beta(k, n + 1 - k) with k = a(n + 1).

Where data is scarce every normal is scored by a model of a fold that had not seen it. Three uses, three guarantees:
`fold_p_value` is valid without a condition but loose; `cross_conformal_p_value` raises at most about 2a false alarms in
the worst case and about a in practice; `Conformal` fitted on the pooled scores, new items scored by one model refitted
on everything, has no worst-case guarantee at all (a jackknife) and holds as far as the refitted model scores like the
models of the folds.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np

from anodiff.alarms.base import Alarm, check_rate, finite, percent
from anodiff.types import JSON, BadModel, Misfit, Scores


class Conformal(Alarm):
    """Alarm by counting; never promises less than 1 in n + 1."""

    def fit(self, scores: Scores) -> Self:
        """Keep the sorted `scores` `(n,)` of held-out normals."""
        self.scores_ = np.sort(finite(scores, "scores of held-out normals", at_least=1))
        return self

    def p_value(self, scores: Scores) -> Scores:
        """Conformal p-values `(m,)` of `scores` `(m,)`; a tie counts as at least as high."""
        n = len(self.scores_)
        return (1 + n - np.searchsorted(self.scores_, finite(scores))) / (n + 1)

    def threshold(self, false_alarm_rate: float) -> float:
        """A held-out score; +inf where n is too small for the rate, so that nothing is an alarm."""
        n = len(self.scores_)
        levels = np.arange(1, n + 2) / (n + 1)
        allowed = np.searchsorted(levels, check_rate(false_alarm_rate), side="right")
        return float(self.scores_[n - allowed]) if allowed else math.inf

    @property
    def supported_rate(self) -> float:
        """The smallest false-alarm rate that n held-out normals can support, 1 / (n + 1)."""
        return 1 / (len(self.scores_) + 1)

    def statement(self, false_alarm_rate: float) -> str:
        """Says when there are too few normals for the rate.

        >>> Conformal().fit(np.arange(399.0)).statement(0.001)  # doctest: +ELLIPSIS
        '399 held-out normals support false-alarm rates down to 0.25 %; for 0.1 % hold out at least 999, or use ...'
        """
        stated = (
            f"{len(self.scores_):,} held-out normals support false-alarm rates down to {percent(self.supported_rate)}"
        )
        if self.supported_rate <= check_rate(false_alarm_rate):
            return f"{stated}; {percent(false_alarm_rate)} is within it."
        needed = f"for {percent(false_alarm_rate)} hold out at least {normals_for(false_alarm_rate):,}"
        return f"{stated}; {needed}, or use the tail alarm."

    def config(self) -> JSON:
        """What was learnt that is not an array, as JSON."""
        return {}

    def arrays(self) -> dict[str, np.ndarray]:
        """The sorted held-out scores `(n,)`."""
        return {"scores": self.scores_}

    @classmethod
    def restore(cls, config: JSON, arrays: Mapping[str, np.ndarray]) -> Self:  # noqa: ARG003
        """The inverse of `arrays`; raises `BadModel` where they are damaged."""
        try:
            return cls().fit(arrays["scores"])
        except (KeyError, ValueError) as error:
            raise BadModel(f"the saved conformal alarm is damaged ({error}); calibrate the detector again.") from error


def normals_for(false_alarm_rate: float) -> int:
    """The fewest held-out normals that support a rate.

    >>> normals_for(0.01), normals_for(0.001)
    (99, 999)
    """
    guess = max(1, math.floor(1 / check_rate(false_alarm_rate)) - 2)
    return next(n for n in range(guess, guess + 5) if 1 / (n + 1) <= false_alarm_rate)


def cross_conformal_p_value(held_out: Sequence[Scores], judged: np.ndarray) -> Scores:
    """Each held-out normal against the new item as seen by the one model that had seen neither.

    Vovk, "Cross-conformal predictors", 2015. P(p <= a) <= 2a + 2/(fold size) or so in the worst case: Barber et al.,
    "Predictive inference with the jackknife+", 2021, theorem 4; about a in practice.

    Args:
        held_out: K arrays `(n_k,)`, the scores of the normals of fold k by the model that was not shown fold k.
        judged: `(m, K)`, the scores of the new items by each of those models.

    Returns:
        p-values `(m,)`.
    """
    p, sizes = _by_fold(held_out, judged)
    at_least: Scores = ((sizes + 1) * p - 1).sum(1)
    return np.asarray((1 + at_least) / (1 + sizes.sum()))


def fold_p_value(held_out: Sequence[Scores], judged: np.ndarray) -> Scores:
    """Twice the mean of the p-values of the folds, valid however they depend on each other; shapes as above.

    Vovk and Wang, "Combining p-values via averaging", 2020.
    """
    p, _ = _by_fold(held_out, judged)
    return np.asarray(np.minimum(1, 2 * p.mean(1)))


def _by_fold(held_out: Sequence[Scores], judged: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    judged = np.asarray(judged)
    if judged.ndim != 2 or judged.shape[1] != len(held_out) or not len(held_out):
        raise Misfit(f"judged has shape {judged.shape} for {len(held_out)} folds; give one column of scores per fold.")
    p = [Conformal().fit(fold).p_value(column) for fold, column in zip(held_out, judged.T, strict=True)]
    return np.stack(p, 1), np.array([len(fold) for fold in held_out])
