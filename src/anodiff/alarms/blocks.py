r"""How often does normal data raise an alarm? Scores of instants follow each other, so count events, not instants,

.. math:: \text{rate}(t) = 10^4 \, \frac{\bar N(t) + f}{n + 1}, \qquad
          p(\text{peak}) = \frac{1 + \#\{b : \max_b \ge \text{peak}\}}{B + 1} ,

where N counts the events above t (`alarms.events`) in n held-out normal instants, f is how many of them come at once
(1 where they come singly), and the maxima are those of B blocks that are too long to remember each other. The first is
conformal risk control of the share of instants that start an event (Angelopoulos et al., "Conformal risk control",
2024), with f in place of 1 because neighbours are not exchangeable; the second is a conformal p-value of a block.

Rates below :math:`10^4 f / (n + 1)` cannot be counted. There a generalised Pareto tail through the peaks of events
extrapolates (Davison and Smith, "Models for exceedances over high thresholds", 1990; runs declustering), as in `Tail`,
and `statement` says so. All of it holds as far as other normal stretches are like the held-out ones: hold out stretches
from all over the time that is known, not its last part.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np

from anodiff.alarms.base import finite
from anodiff.alarms.conformal import Conformal
from anodiff.alarms.events import check_instants, spans
from anodiff.alarms.levels import FEWEST_BLOCKS, by_block, clustering, decorrelation, envelope
from anodiff.alarms.rates import PER, check_events
from anodiff.alarms.tail import FEWEST_NORMALS, Tail
from anodiff.types import JSON, BadModel, Misfit, Scores, Unreadable


class Blocks:
    """Alarms in time: thresholds by events per 10,000 instants, p-values of instants and of events.

    >>> alarm = Blocks().fit([np.random.default_rng(0).exponential(size=20_000)])
    >>> 6 < alarm.threshold(rate=10) < 8
    True
    """

    def fit(self, scores: Sequence[Scores], hold_off: int = 10) -> Self:
        """Learn from the scores of held-out normal stretches, each `(n_k,)` in the order of time.

        Args:
            scores: Of normals that the model has not seen; 10,000 instants in all support a rate of 1.
            hold_off: So many quiet instants in a row end an event.

        Raises:
            Unreadable: Scores are no finite numbers, or fewer than two in all.
            Misfit: All scores are equal.
        """
        self.stretches_, self.hold_off_ = check_stretches(scores), check_instants(hold_off)
        self.instants_ = sum(map(len, self.stretches_))
        longest = max(map(len, self.stretches_))
        self.block_ = min(longest, max(self.hold_off_, decorrelation(self.stretches_)))
        self.each_ = Conformal().fit(np.concatenate(self.stretches_))
        maxima = by_block(self.stretches_, self.block_, np.maximum)
        self.maxima_ = _tail(maxima) or Conformal().fit(maxima)
        self._fit_levels(min(longest, max(self.block_, self.instants_ // FEWEST_BLOCKS)))
        return self

    def _fit_levels(self, period: int) -> None:
        self.levels_, counts = envelope(self.stretches_, self.hold_off_)
        start = float(self.levels_[_enough(counts)])
        self.at_once_ = clustering(self.stretches_, start, self.hold_off_, period)
        self.rates_ = PER * (counts + self.at_once_) / (self.instants_ + 1)
        self.peaks_ = np.concatenate([each[spans(each, start, self.hold_off_)[2]] for each in self.stretches_])
        self.tail_ = _tail(self.peaks_, len(self.peaks_) - 1)
        self.lasting_ = max(1.0, float((self.each_.scores_ > start).sum() / max(1, len(self.peaks_))))
        self.per_peak_ = 0.0
        if self.tail_ is not None:
            at_start = self.rates_[np.searchsorted(self.levels_, self.tail_.start_, side="right") - 1]
            self.per_peak_ = float(at_start / self.tail_.share_)

    @property
    def supported_rate(self) -> float:
        """The fewest events per 10,000 instants that counting alone can promise."""
        return float(self.rates_[-1])

    def threshold(self, rate: float) -> float:
        """The score above which normal stretches raise at most `rate` events per 10,000 instants.

        Below the supported rate it is extrapolated, or +inf where too few events stand out for that. It is never so
        low that events merge again, however many are allowed.
        """
        if check_events(rate) >= self.supported_rate:
            return float(self.levels_[np.searchsorted(-self.rates_, -rate)])
        if self.tail_ is None:
            return math.inf
        return max(float(self.levels_[-1]), self.tail_.threshold(rate / self.per_peak_))

    def naive_threshold(self, rate: float) -> float:
        """For comparison: as if instants were independent, and so each alarm an event of its own."""
        return self.each_.threshold(check_events(rate) / PER)

    def rate(self, scores: Scores) -> Scores:
        """The inverse `(m,)` of `threshold`: the fewest events per 10,000 for which `scores` `(m,)` are alarms."""
        scores = finite(scores)
        place = np.searchsorted(self.levels_, scores) - 1
        return self._beyond(scores, np.where(place < 0, PER, self.rates_[place]), self.per_peak_)

    def p_value(self, scores: Scores) -> Scores:
        """How probably a normal instant scores as high, `(m,)`; modelled above all held-out scores.

        Conformal, but with the instants that come at once in place of 1.
        """
        scores, at_once = finite(scores), self.lasting_ * self.at_once_
        as_high = self.instants_ - np.searchsorted(self.each_.scores_, scores)
        return self._beyond(
            scores, (at_once + as_high) / (at_once + self.instants_), self.lasting_ * self.per_peak_ / PER
        )

    def event_p_value(self, peaks: Scores, length: int | None = None) -> Scores:
        """How probably a normal stretch of `length` instants, by default one block, peaks as high, `(m,)`.

        Conformal over block maxima, times the blocks in `length` (the union bound); a tail extends it, as in `Tail`.
        """
        blocks = 1 if length is None else math.ceil(check_instants(length, "length") / self.block_)
        return np.asarray(np.minimum(1.0, blocks * self.maxima_.p_value(peaks)))

    def statement(self, rate: float) -> str:
        """In a sentence, what stands behind alarms at this rate.

        >>> scores = np.random.default_rng(0).exponential(size=20_000)
        >>> Blocks().fit([scores]).statement(10)
        '20,000 held-out normal instants support 0.5 events per 10,000 instants or more; 10 is within it.'
        >>> Blocks().fit([scores[:200]]).statement(0.1)  # doctest: +ELLIPSIS
        '200 held-out normal instants support 49.8 events per 10,000 instants or more; for 0.1 hold out at least ...'
        """
        at_once = f", {self.at_once_:.2g} at a time," if self.at_once_ >= 1.05 else ""
        stated = (
            f"{self.instants_:,} held-out normal instants support {self.supported_rate:.3g} events{at_once} "
            f"per {PER:,} instants or more"
        )
        if check_events(rate) >= self.supported_rate:
            return f"{stated}; {rate:.3g} is within it."
        if self.tail_ is None:
            needed = math.ceil(PER * self.at_once_ / rate)
            return f"{stated}; for {rate:.3g} hold out at least {needed:,}, or nothing will be an alarm."
        with np.errstate(over="ignore"):
            low, high = (max(float(self.levels_[-1]), end) for end in self.tail_.interval(rate / self.per_peak_))
        return (
            f"{stated}; {rate:.3g} is a model's extrapolation: a tail of shape {self.tail_.shape_:.2f} through the "
            f"{len(self.peaks_):,} highest events puts the threshold at {self.threshold(rate):.4g} "
            f"(95 % interval {low:.4g} to {high:.4g})."
        )

    def config(self) -> JSON:
        """What was learnt that is not an array, as JSON."""
        return {"hold_off": self.hold_off_}

    def arrays(self) -> dict[str, np.ndarray]:
        """The held-out scores `(n,)` in the order of time, and the `lengths` of their stretches."""
        return {"scores": np.concatenate(self.stretches_), "lengths": np.array([len(each) for each in self.stretches_])}

    @classmethod
    def restore(cls, config: JSON, arrays: Mapping[str, np.ndarray]) -> Self:
        """The inverse of `config` and `arrays`; raises `BadModel` where they are damaged."""
        try:
            scores, lengths = arrays["scores"], arrays["lengths"]
            if lengths.sum() != len(scores):
                raise Unreadable(f"its stretches have {lengths.sum()} instants and {len(scores)} scores")
            return cls().fit(np.split(scores, np.cumsum(lengths)[:-1]), config["hold_off"])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise BadModel(f"the saved alarm in time is damaged ({error}); calibrate the detector again.") from error

    def _beyond(self, scores: Scores, counted: Scores, per_peak: float) -> Scores:
        if self.tail_ is None:
            return counted
        modelled = per_peak * self.tail_.p_value(scores)
        return np.asarray(np.where(scores > self.levels_[-1], np.minimum(counted, modelled), counted))


def check_stretches(scores: Sequence[Scores]) -> list[Scores]:
    """Finite scores of every stretch that has any, or a refusal.

    >>> check_stretches([np.ones(500), np.ones(20)])
    Traceback (most recent call last):
    ...
    anodiff.types.Misfit: all 520 held-out scores are 1, so others cannot be judged; hold out stretches that vary.
    """
    if isinstance(scores, np.ndarray) and scores.ndim == 1 and scores.dtype != object:
        raise Unreadable(f"scores are one array of {len(scores)} numbers; give a list of stretches, such as [scores].")
    stretches = [finite(each, f"scores of held-out stretch {i}") for i, each in enumerate(scores)]
    stretches = [each for each in stretches if len(each)]
    n = sum(map(len, stretches))
    if n < 2:
        raise Unreadable(f"held-out normal stretches have {n} instants; give at least 2, better {PER:,}.")
    if all((each == stretches[0][0]).all() for each in stretches):
        raise Misfit(
            f"all {n} held-out scores are {stretches[0][0]:.4g}, so others cannot be judged; "
            "hold out stretches that vary."
        )
    return stretches


def _enough(counts: np.ndarray) -> int:
    """The highest level with the events that a tail needs, the two-thirds power of the most, or the first."""
    wanted = max(FEWEST_NORMALS + 1, math.ceil(counts[0] ** (2 / 3)))
    return max(0, int(np.searchsorted(-counts, -wanted, side="right")) - 1)


def _tail(scores: Scores, exceedances: int | None = None) -> Tail | None:
    try:
        return Tail(exceedances).fit(scores)
    except Misfit:
        return None
