r"""Peaks over a threshold: beyond the sample, a generalised Pareto tail through the N highest held-out scores,

.. math:: p(s) = \frac{1 + N}{n + 1} \, \bar G(s - u), \qquad \bar G(z) \approx (1 + \xi z / \sigma)^{-1/\xi} ,

and the conformal p-value up to u. Siffer et al., "Anomaly detection in streams with extreme value theory", 2017;
Pickands, "Statistical inference using extreme order statistics", 1975. A **model extrapolates** here: what holds below
u by counting alone holds above u only if scores of normals have a regular tail. `interval` says how uncertain it is:
over draws of held-out normals the true rate is about the wanted one in the median, but on average 1.3 times it at 1/n,
3 times at 0.1/n and 10 times at 0.01/n (exponential, normal, Pareto; n from 30 to 10,000). To be sure, take the
upper end of the interval.

Where a fitted tail ends (:math:`\xi < 0`) the curve must not: what N scores cannot exclude stays possible. So
:math:`\bar G` is a blend of the Pareto, of an exponential of the mean excess with weight 1/(N + 1), and, far below any
rate that anyone can check, of a slow power of weight 1e-12, which keeps p positive and falling for every finite score.
"""

import math
from collections.abc import Mapping
from typing import Self

import numpy as np
from scipy.stats import chi2, genpareto

from anodiff.alarms.base import Alarm, check_rate, finite, percent
from anodiff.alarms.conformal import Conformal
from anodiff.types import JSON, BadModel, Misfit, Scores

FEWEST_NORMALS = 30
FEWEST_EXCEEDANCES = 10
FARTHEST = 1e-12


class Tail(Alarm):
    """Alarm by a fitted tail, for rates that the sample alone cannot support.

    Args:
        exceedances: How many of the highest held-out scores shape the tail; by default n^(2/3), at least 10.
    """

    def __init__(self, exceedances: int | None = None) -> None:
        self.exceedances = exceedances

    def fit(self, scores: Scores) -> Self:
        """Fit the tail of `scores` `(n,)` of held-out normals; raises `Misfit` where too few stand out."""
        self.conformal_ = Conformal().fit(scores)
        self.start_ = tail_start(self.conformal_.scores_, self.exceedances)
        excess = self._excess()
        self.scale_, self.shape_ = fit_generalised_pareto(excess)
        self.mean_ = float(excess.mean())
        self.share_ = (1 + len(excess)) / (len(self.conformal_.scores_) + 1)
        self.possible_ = 1 / (len(excess) + 1)
        return self

    def p_value(self, scores: Scores) -> Scores:
        """Conformal p-values `(m,)` up to `start_`, modelled ones above it; positive and falling everywhere."""
        scores = finite(scores)
        above = scores > self.start_
        return np.where(above, self.share_ * self._beyond(scores), self.conformal_.p_value(scores))

    def threshold(self, false_alarm_rate: float) -> float:
        """Exact to the last bit: by halving, down to two neighbouring floats."""
        if check_rate(false_alarm_rate) >= self.share_:
            return self.conformal_.threshold(false_alarm_rate)
        low, step = self.start_, self.mean_
        while self.p_value(np.array([low + step]))[0] > false_alarm_rate:
            low, step = low + step, 2 * step
            if not math.isfinite(low + step):
                return math.inf
        high = low + step
        while low < (middle := low + (high - low) / 2) < high:
            low, high = (middle, high) if self.p_value(np.array([middle]))[0] > false_alarm_rate else (low, middle)
        return low

    def interval(self, false_alarm_rate: float, confidence: float = 0.95) -> tuple[float, float]:
        """Where the threshold of a known tail could lie: its profile-likelihood interval.

        Coles, "An Introduction to Statistical Modeling of Extreme Values", 2001, section 4.3.3. Covers the uncertainty
        of shape and scale, given that the tail is Pareto; shapes below -1 are left out.
        """
        excess, ratio = self._excess(), self.share_ / check_rate(false_alarm_rate)
        if ratio <= 1:
            threshold = self.threshold(false_alarm_rate)
            return threshold, threshold
        spread, centre = 5 / math.sqrt(len(excess)), max(self.shape_, -0.9)
        shapes = np.linspace(max(-1, centre - spread * (1 + abs(centre))), centre + 2 * spread * (1 + abs(centre)), 81)
        # widest where few exceedances leave the scale open by a factor
        scales = self.mean_ * np.exp(np.linspace(-3, 3, 161) * (0.4 + spread)) * max(0.05, 1 - centre)
        fit = np.stack([_log_likelihood(excess, scales, shape) for shape in shapes])
        likely = fit >= fit.max() - chi2.ppf(check_rate(confidence, "confidence"), 1) / 2
        excess_at = np.asarray(genpareto.isf(1 / ratio, shapes[:, None], scale=scales))[likely]
        threshold = self.threshold(false_alarm_rate)
        return min(threshold, self.start_ + excess_at.min()), max(threshold, self.start_ + excess_at.max())

    def extrapolates(self, false_alarm_rate: float) -> bool:
        """Whether alarms at this rate rest on the model of the tail."""
        return check_rate(false_alarm_rate) < self.share_

    def statement(self, false_alarm_rate: float) -> str:
        """Says that a model extrapolates, and how uncertainly."""
        if not self.extrapolates(false_alarm_rate):
            return self.conformal_.statement(false_alarm_rate)
        low, high = self.interval(false_alarm_rate)
        return (
            f"{percent(false_alarm_rate)} is a model's extrapolation: a tail of shape {self.shape_:.2f} through the "
            f"{len(self._excess()):,} highest of {len(self.conformal_.scores_):,} held-out normals puts the threshold "
            f"at {self.threshold(false_alarm_rate):.4g} (95 % interval {low:.4g} to {high:.4g})."
        )

    def config(self) -> JSON:
        """What was learnt that is not an array, as JSON."""
        return {"exceedances": self.exceedances}

    def arrays(self) -> dict[str, np.ndarray]:
        """The sorted held-out scores `(n,)`: the tail is fitted again from them."""
        return self.conformal_.arrays()

    @classmethod
    def restore(cls, config: JSON, arrays: Mapping[str, np.ndarray]) -> Self:
        """The inverse of `config` and `arrays`; raises `BadModel` where they are damaged."""
        try:
            return cls(config["exceedances"]).fit(arrays["scores"])
        except (KeyError, TypeError, ValueError) as error:
            raise BadModel(f"the saved tail alarm is damaged ({error}); calibrate the detector again.") from error

    def _excess(self) -> Scores:
        scores = self.conformal_.scores_
        return scores[np.searchsorted(scores, self.start_, side="right") :] - self.start_

    def _beyond(self, scores: Scores) -> Scores:
        with np.errstate(over="ignore"):
            z = np.clip(scores - self.start_, 0, np.finfo(np.float64).max)
            means = np.minimum(z / self.mean_, np.finfo(np.float64).max)
        with np.errstate(divide="ignore", over="ignore"):
            pareto = np.exp(-np.log1p(np.maximum(self.shape_ * (z / self.scale_), -1)) / self.shape_)
        return np.asarray(
            (1 - self.possible_ - FARTHEST) * pareto + self.possible_ * np.exp(-means) + FARTHEST / np.sqrt(1 + means)
        )


def tail_start(scores: Scores, exceedances: int | None = None) -> float:
    """The u above which the tail is fitted: the highest of the sorted `scores` `(n,)` with enough strictly above it.

    >>> tail_start(np.ones(100))
    Traceback (most recent call last):
    ...
    anodiff.types.Misfit: 0 of 100 held-out scores stand out of their ties; a tail needs 10: use the conformal alarm.
    """
    n = len(scores)
    if n < FEWEST_NORMALS:
        raise Misfit(
            f"{n} held-out normals are too few for a tail; hold out {FEWEST_NORMALS}, or use the conformal alarm."
        )
    wanted = max(FEWEST_EXCEEDANCES, math.ceil(n ** (2 / 3))) if exceedances is None else exceedances
    if not FEWEST_EXCEEDANCES <= wanted < n:
        raise Misfit(f"exceedances is {wanted}; give a number from {FEWEST_EXCEEDANCES} to {n - 1}.")
    start = scores[max(0, np.searchsorted(scores, scores[n - wanted]) - 1)]
    above = n - int(np.searchsorted(scores, start, side="right"))
    if above < FEWEST_EXCEEDANCES:
        raise Misfit(
            f"{above} of {n} held-out scores stand out of their ties; "
            f"a tail needs {FEWEST_EXCEEDANCES}: use the conformal alarm."
        )
    return float(start)


def fit_generalised_pareto(excess: Scores) -> tuple[float, float]:
    r"""Scale and shape of sorted positive `excess` `(N,)`; positive shape is a heavy tail.

    Zhang and Stephens, "A new and efficient estimation method for the generalized Pareto distribution", 2009: the
    posterior mean over a grid of :math:`b = -\xi / \sigma`. Closed form; unlike moments it stands infinite means.
    """
    n, highest = len(excess), excess[-1]
    x, count = excess / highest, 30 + math.isqrt(n)
    grid = 1 + (1 - np.sqrt(count / (np.arange(1, count + 1) - 0.5))) / (3 * x[max(0, int(n / 4 + 0.5) - 1)])
    b = np.where(np.abs(grid) < 1e-9, 1e-9, grid)
    shapes = np.array([np.log1p(-each * x).mean() for each in b])
    fit = n * (np.log(-b / shapes) - shapes - 1)
    weights = np.exp(fit - fit.max())
    best = float(b @ weights / weights.sum())
    best = best if abs(best) >= 1e-9 else 1e-9
    shape = float(np.log1p(-best * x).mean())
    return -shape / best * float(highest), shape


def _log_likelihood(excess: Scores, scales: Scores, shape: float) -> Scores:
    z = excess / scales[:, None]
    if abs(shape) < 1e-6:
        return np.asarray(-len(excess) * np.log(scales) - z.sum(1))
    inside = np.maximum(1 + shape * z, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = -len(excess) * np.log(scales) - (1 + 1 / shape) * np.log(inside).sum(1)
    return np.asarray(np.where(inside.min(1) > 0, value, -np.inf))
