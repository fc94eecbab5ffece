"""The detector of series: a month of logs in, alarms as they happen out. One score per instant."""

import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
import torch
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from anodiff.alarms.blocks import Blocks
from anodiff.alarms.stretches import counted, far_out, no_fdr, per_ten_thousand, without_highest
from anodiff.data.log import Log
from anodiff.happening import Happening, happenings
from anodiff.lessons_series import lessons, taught, weighed
from anodiff.modalities.series import Series, Strip
from anodiff.recipes.chronicle import tell
from anodiff.recipes.grow import Progress
from anodiff.recipes.schema import bibtex, recipe
from anodiff.settings import MOST_CONTAMINATION, Settings, check_settings
from anodiff.timeline import Timeline
from anodiff.types import Misfit, Refusal, Scores

if TYPE_CHECKING:
    from anodiff.explain.moments import Moment
    from anodiff.live import Stream

COMMON = 1e-4
"""Events per normal instant where nothing else is asked: one in 10,000."""


class SeriesDetector(Settings):
    """Detects when a series does not behave as the normal ones did that it was fitted on.

    What `Detector` says of rows holds here of instants. `false_alarm_rate` counts events per normal instant: an event
    is a run of alarms, and 1e-4, the default, one event in 10,000 instants. Every method that takes series takes one
    `(T,)` or `(T, channels)`, a list or dict of them, a frame or a path, and answers in the same layout.

    `recipe="auto"` is "series" for one channel, "series-many" for several. `max_rows` changes nothing: parts are fitted
    on 20,000 windows at most. `contamination` is the share of the instants of fit, those of the highest left-out
    scores, that alarms do not count as normal and that parts without a trim of their own do not learn from; "auto" are
    those that lie thirty times as far above the median as the upper quartile, not counted, but learnt from.

    Attributes:
        decision_scores_: Scores of the instants of fit, each as if its neighbourhood had been left out.
        held_out_: Scores of the normal stretches that alarms count, one array each.
        period_: The dominant period in instants; 0 where there is none.
    """

    def fit(self, X: Any, y: Any = None, *, examples: Any = None, regions: Any = None) -> Self:
        """Learn normal series `X`, which may hold a few anomalies; `y` is ignored.

        Args:
            X: Normal series.
            y: Ignored.
            examples: A list of pieces of series, each around a known anomaly that X does not hold. They decide which
                scores are heard, and of several channels call in two more: all alike, and the likeness to the known.
            regions: For each piece `(T,)` or `(T, channels)`, True where abnormal; None where it is to be found.

        Raises:
            Unreadable: X is no series of at least 20 instants in which something varies, or examples are none.
            Misfit: a setting is out of range, or regions do not fit to the examples.
        """
        for _ in self.fitting(X, examples=examples, regions=regions):
            pass
        return self

    def fitting(self, X: Any, *, examples: Any = None, regions: Any = None) -> Iterator[Progress]:
        """Fit, yielding progress; the detector is fitted when the last record has been taken, and unchanged before."""
        began = time.perf_counter()
        check_settings(self)
        if examples is None and regions is not None:
            raise Misfit("regions are those of examples; give examples= too, or leave them out.")
        modality = fresh(self.modality)
        log = modality.fit_log(modality.read(X))
        given = None if examples is None else lessons(modality, examples, regions)
        auto = "series" if len(modality.columns) == 1 else "series-many"
        chosen = recipe(auto if isinstance(self.recipe, str) and self.recipe == "auto" else self.recipe, self.changes)
        strips = [modality.strip(track) for track in log.tracks]
        share = 0.0 if self.contamination == "auto" else float(cast(Any, self.contamination))
        left = None if self.max_seconds is None else self.max_seconds - (time.perf_counter() - began)
        told = yield from tell(chosen, modality, strips, int(self.seed), share, left)
        facts = {
            "asked": chosen.model_dump(mode="json"),
            "rows_seen": sum(map(len, log.tracks)),
            "rows_fitted": sum(map(len, log.tracks)),
            "tracks": len(strips),
            "seconds": time.perf_counter() - began,
            "losses": told.losses,
            "columns": modality.describe(),
            "views": {name: list(astuple(view)) for name, view in told.views.items()},
            "smooth": told.smooth,
            "examples": 0,
        }
        whole = Timeline(told.recipe, modality, told.views, told.panel, told.members, told.smooth, told.scales, facts)
        places = [strip.at for strip in strips]
        if self.contamination == "auto":
            share = far_out(np.concatenate([whole.combined(raw) for raw in told.left_out[False]]), MOST_CONTAMINATION)
        facts["contamination"] = {"value": share, "low": share, "high": share}
        left_out = told.left_out
        if given is not None:
            whole, left_out = taught(whole, left_out, given, weighed(None, len(given)))
        self._finish(whole, left_out, places)
        self.layout_ = log.layout
        for note in modality.notes_:
            warnings.warn(note, UserWarning, stacklevel=2)

    def teach(self, examples: Any, regions: Any = None, *, normals: Any = None, weights: Any = None) -> Self:
        """A copy that has learnt known anomalies and no others; its models of normal series stay as they are.

        Args:
            examples: As in `fit`.
            regions: As in `fit`.
            normals: Normal stretches that were not learnt from, for the copy to be calibrated with.
            weights: `(k,)`, how much each example counts: 1 for a real one, less for a made one.

        Raises:
            Unreadable: examples or normals are no such series.
            Misfit: regions or weights do not fit to the examples, or normals of `calibrate` have to be given again.
        """
        check_is_fitted(self, "whole_")
        given = lessons(self.whole_.modality, examples, regions)
        if self.held_[False] and normals is None:
            raise Misfit("alarms count normals that were given to calibrate and not kept; give them as normals= again.")
        whole, left_out = taught(self.whole_, self.left_out_, given, weighed(weights, len(given)))
        made = copy(self)
        made._finish(whole, left_out, self.places_)
        return made if normals is None else made.calibrate(normals)

    def calibrate(self, X: Any) -> Self:
        """Count normal stretches `X` that were not learnt from, instead of the left-out ones of `fit`."""
        check_is_fitted(self, "whole_")
        strips = [strip for strip in self._strips(X)[1] if len(strip)]
        held = {causal: [self.whole_.raw(strip, causal) for strip in strips] for causal in (False, True)}
        self._finish(self.whole_, self.left_out_, self.places_, held, [strip.at for strip in strips])
        return self

    def decision_function(self, X: Any, *, causal: bool | None = None) -> Any:
        """Scores per instant, float64; higher is more anomalous. NaN never.

        Args:
            X: Series with the channels of fit.
            causal: Whether an instant's score may depend on earlier instants only; by default as the modality says.

        Raises:
            Unreadable: X differs in its channels from what was fitted.
        """
        return self._per_instant(X, causal, lambda scores: scores)

    def p_value(self, X: Any, *, causal: bool | None = None) -> Any:
        """How probably a normal instant scores as high, per instant."""
        return self._per_instant(X, causal, lambda scores: self.p_of(scores, causal))

    def p_of(self, scores: Scores, causal: bool | None = None) -> Scores:
        """p-values of scores that `decision_function` gave."""
        return self.alarm_(causal).p_value(scores)

    def predict(
        self, X: Any, *, false_alarm_rate: float | None = None, causal: bool | None = None, fdr: float | None = None
    ) -> Any:
        """1 at instants that raise an alarm, else 0, laid out like X; `fdr` is for tables and refused."""
        no_fdr(fdr)
        limit = self.threshold(self._rate(false_alarm_rate), causal)
        return self._per_instant(X, causal, lambda scores: (scores > limit).astype(int))

    def decide(
        self,
        scores: Scores,
        *,
        false_alarm_rate: float | None = None,
        causal: bool | None = None,
        fdr: float | None = None,
    ) -> np.ndarray:
        """`predict` for scores `(T,)` that `decision_function` gave."""
        no_fdr(fdr)
        return (scores > self.threshold(self._rate(false_alarm_rate), causal)).astype(int)

    def predict_proba(self, X: Any, *, causal: bool | None = None) -> Any:
        """Per instant the p-value and one minus it, in PyOD's layout; neither is the probability of being abnormal."""

        def both(scores: Scores) -> np.ndarray:
            p = self.p_of(scores, causal)
            return np.column_stack([p, 1 - p])

        return self._per_instant(X, causal, both)

    def fit_predict(self, X: Any, y: Any = None) -> Any:
        """Labels of the instants of X itself, each as if its neighbourhood had been left out: the unsupervised use."""
        return self.fit(X).labels_

    def events(self, X: Any, *, false_alarm_rate: float | None = None, causal: bool | None = None) -> list[Happening]:
        """What happened: runs of alarms with start, end, peak and p-value, in order of time, track by track."""
        log, strips = self._strips(X)
        scores = [self.model_.totals(strip, self._causal(causal)) for strip in strips]
        return self.happenings(log, scores, false_alarm_rate=false_alarm_rate, causal=causal)

    def happenings(
        self,
        log: Log,
        scores: Sequence[Scores],
        *,
        false_alarm_rate: float | None = None,
        causal: bool | None = None,
    ) -> list[Happening]:
        """`events` for scores that are known, one array per track of the log."""
        limit = self.threshold(self._rate(false_alarm_rate), causal)
        return happenings(log, scores, limit, self.hold_off_, self.alarm_(causal).event_p_value)

    def anomaly_map(self, X: Any) -> Any:
        """Evidence per instant and channel, laid out like X with one column per channel; not causal, not smoothed."""
        log, strips = self._strips(X)
        return log.lay_out([self.model_.maps(strip) for strip in strips])

    def explain(
        self,
        X: Any,
        *,
        top: int = 3,
        false_alarm_rate: float | None = None,
        causal: bool | None = None,
        units: Mapping[str, str] | None = None,
    ) -> "list[Moment]":
        """Per event, the worst first: which `top` channels, since when, what was expected instead, and a sentence.

        Args:
            X: Series with the channels of fit.
            top: How many channels are told of.
            false_alarm_rate: Events per normal instant, instead of the detector's own.
            causal: As in `decision_function`.
            units: Of channels, by name, for the sentence: `{"flow": "l/s"}`.
        """
        from anodiff.explain.moments import moments

        return moments(self, X, top=top, false_alarm_rate=false_alarm_rate, causal=causal, units=units)

    def stream(self, **settings: Any) -> "Stream":
        """A live detector: takes instants as they come, gives the causal score of each in bounded time and memory."""
        from anodiff.live import Stream

        check_is_fitted(self, "whole_")
        return Stream(self, **settings)

    def threshold(self, false_alarm_rate: float, causal: bool | None = None) -> float:
        """The score above which an alarm is raised, for a wanted rate of events per normal instant."""
        alarm, rate = self.alarm_(causal), per_ten_thousand(false_alarm_rate)
        if rate < alarm.supported_rate and self.alarm != "tail":
            if self.alarm == "conformal":
                return float(alarm.levels_[-1])
            warnings.warn(alarm.statement(rate), UserWarning, stacklevel=2)
        found = alarm.threshold(rate)
        return found if np.isfinite(found) else float(alarm.levels_[-1])

    def statement(self, false_alarm_rate: float | None = None, causal: bool | None = None) -> str:
        """In a sentence, what stands behind alarms at this rate."""
        return self.alarm_(causal).statement(per_ten_thousand(self._rate(false_alarm_rate)))

    def alarm_(self, causal: bool | None = None) -> Blocks:
        """The alarm that counts events of normal stretches, offline or causal."""
        check_is_fitted(self, "whole_")
        return self._counted(self._causal(causal))

    @property
    def model_(self) -> Timeline:
        """The fitted parts that the budget pays for."""
        if not hasattr(self, "whole_"):
            raise AttributeError("the detector is not fitted yet; call fit.")
        return self.whole_.within(None if self.budget is None else int(self.budget))

    @property
    def decision_scores_(self) -> Any:
        """Scores of the instants of fit, each as if its neighbourhood had been left out, laid out like them."""
        return self._laid(self.left_out(self._causal(None)))

    @property
    def labels_(self) -> Any:
        """1 at instants of fit that raise an alarm, each as if its neighbourhood had been left out, else 0."""
        return self._laid([self.decide(scores) for scores in self.left_out(self._causal(None))])

    @property
    def held_out_(self) -> list[Scores]:
        """Scores of the normal stretches that alarms count."""
        return self.alarm_().stretches_

    @property
    def threshold_(self) -> float:
        """The threshold for `false_alarm_rate`."""
        return self.threshold(self.false_alarm_rate_)

    @property
    def false_alarm_rate_(self) -> float:
        """Events per normal instant in force."""
        return COMMON if self.false_alarm_rate == "auto" else float(self.false_alarm_rate)

    @property
    def false_alarms_per_day_(self) -> float | None:
        """The same in events per day; None without a clock."""
        step = self.whole_.modality.step_
        return None if step is None else self.false_alarm_rate_ * 86_400e6 / step

    @property
    def contamination_(self) -> float:
        """The share of the instants of fit that are not counted as normal."""
        return float(self.whole_.facts["contamination"]["value"])

    @property
    def period_(self) -> int:
        """The dominant period in instants; 0 where there is none."""
        return self.whole_.modality.period_

    @property
    def hold_off_(self) -> int:
        """So many quiet instants end an event: half the longest window, at least 5."""
        return max(5, self.whole_.longest // 2)

    def references(self) -> str:
        """The works behind the fitted detector, as BibTeX."""
        return bibtex(self.model_.recipe.cite)

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the model as a folder: weights.safetensors, config.json, card.md. Nothing is pickled."""
        from anodiff.saving_series import save

        check_is_fitted(self, "whole_")
        return save(self, Path(path), overwrite=overwrite)

    def left_out(self, causal: bool) -> list[Scores]:
        """Scores per track of the instants of fit `(T,)`, each as if its neighbourhood had been left out."""
        combined = [self.model_.combined(raw, causal) for raw in self.left_out_[causal]]
        return [scores[at] for scores, at in zip(combined, self.places_, strict=True)]

    def _laid(self, per_track: list[np.ndarray]) -> Any:
        return self.layout_.of(per_track)

    def _counted(self, causal: bool) -> Blocks:
        key = (causal, self.budget)
        if key not in self.cache_:
            if self.held_[False]:
                stretches = self._judged(self.held_[causal], self.held_places_, causal)
            else:
                judged = self._judged(self.left_out_[causal], self.places_, causal)
                stretches = without_highest(judged, self.contamination_)
            self.cache_[key] = counted(stretches, self.hold_off_)
        return self.cache_[key]

    def _judged(self, raws: list[dict[str, np.ndarray]], places: list[np.ndarray], causal: bool) -> list[Scores]:
        """Stretches of instants that were observed and could be judged."""
        found: list[Scores] = []
        for raw, at in zip(raws, places, strict=True):
            heard = self.model_.heard(raw, causal)[at]
            cuts = np.flatnonzero(np.diff(heard.astype(int))) + 1
            parts = zip(np.split(self.model_.combined(raw, causal)[at], cuts), np.split(heard, cuts), strict=True)
            found += [scores for scores, said in parts if len(said) and said[0]]
        return found

    def _finish(
        self,
        whole: Timeline,
        left_out: dict[bool, list[dict[str, np.ndarray]]],
        places: list[np.ndarray],
        held: dict[bool, list[dict[str, np.ndarray]]] | None = None,
        held_places: Sequence[np.ndarray] = (),
    ) -> None:
        whole.within(None if self.budget is None else int(self.budget))
        before = dict(self.__dict__)
        self.whole_, self.left_out_, self.places_ = whole, left_out, places
        self.held_ = held or {False: [], True: []}
        self.held_places_ = list(held_places)
        self.cache_: dict[tuple[bool, int | None], Blocks] = {}
        self.n_features_in_ = len(whole.modality.columns)
        try:
            self.alarm_(False)
            self.alarm_(True)
        except Refusal:
            self.__dict__ = before
            raise

    def _strips(self, X: Any) -> tuple[Log, list[Strip]]:
        check_is_fitted(self, "whole_")
        log = self.whole_.modality.read(X)
        for note in [*log.notes, *self.whole_.modality.doubts(log)]:
            warnings.warn(note, UserWarning, stacklevel=3)
        return log, [self.whole_.modality.strip(track) for track in log.tracks]

    def _per_instant(self, X: Any, causal: bool | None, of: Callable[[Scores], np.ndarray]) -> Any:
        log, strips = self._strips(X)
        with torch.inference_mode():
            return log.lay_out([of(self.model_.totals(strip, self._causal(causal))) for strip in strips])

    def _causal(self, given: bool | None) -> bool:
        told = self.modality if isinstance(self.modality, Series) else self.whole_.modality
        return bool(told.causal if given is None else given)

    def _rate(self, given: float | None) -> float:
        return self.false_alarm_rate_ if given is None else given


def fresh(given: object) -> Series:
    """A modality that is not fitted: by name, or like the one given."""
    if isinstance(given, Series):
        return cast(Series, clone(given))
    if given not in ("series", "auto"):
        raise Misfit(f"modality is {given!r}; give 'series', or a Series with settings of its own.")
    return Series()
