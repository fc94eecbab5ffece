"""The detector: normal data in, calibrated alarm out. PyOD's names, sign and labels; no maths of its own.

It judges tables itself. Series have a detector of their own, `detect_series`, which it asks once series were fitted.
"""

import functools
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from anodiff.alarms import Conformal, Tail, benjamini_hochberg
from anodiff.alarms.drift import sketch_config
from anodiff.calibration import Calibration, Counted
from anodiff.data.readers import chunks, sample
from anodiff.data.summary import columns
from anodiff.diffusion.fill import fit_incomplete
from anodiff.explain import Explanation, explain
from anodiff.metrics.ranking import agreement
from anodiff.modalities import Modality
from anodiff.model import Model
from anodiff.prepare import alone_rows, check_rows, chosen_modality, is_series, known_anomalies, sketch
from anodiff.recipes.build import Silent, schedule
from anodiff.recipes.grow import Progress
from anodiff.recipes.hurry import hurried
from anodiff.recipes.learn import Given, learn
from anodiff.recipes.schema import Recipe, bibtex, recipe
from anodiff.scores.combine import Hybrid, Panel
from anodiff.settings import check_settings
from anodiff.types import JSON, Misfit, Scores, Unreadable

if TYPE_CHECKING:
    from anodiff.adapt import SklearnDetector
    from anodiff.detect_series import SeriesDetector
    from anodiff.happening import Happening
    from anodiff.live import Stream

ROWS = 16_384
Asked = TypeVar("Asked", bound=Callable[..., Any])


def by_kind(method: Asked) -> Asked:
    """Ask the detector of series instead, by the same name, once series were fitted."""

    @functools.wraps(method)
    def asked(self: "Detector", *args: Any, **kwargs: Any) -> Any:
        if "series_" not in self.__dict__:
            return method(self, *args, **kwargs)
        found = getattr(type(self.series_), method.__name__)
        if isinstance(found, property):
            return getattr(self._told(), method.__name__)
        return found(self._told(), *args, **kwargs)

    return cast(Asked, asked)


class Detector(BaseEstimator):
    """Detects what does not belong to the normal data that it was fitted on.

    Args:
        modality: What kind of data: "auto", a name, or a `Modality` with settings of its own.
        recipe: What is asked of which model: "auto", the name of a recipe, the path of a yaml file, a dict.
        changes: Changes to the recipe, `{"denoisers.learnt.steps": 200}`.
        contamination: The share of anomalies among the rows of `fit`, from 0 to 0.4, or "auto" where it is not known:
            suspicious rows are then not learnt from, and so many of them not counted as normal.
        false_alarm_rate: The share of normals that may raise an alarm; can be changed after `fit`. "auto" is 1 %, or
            with known anomalies the smallest from 0.5 to 5 % that finds as many of them as 5 % does.
        alarm: "conformal" counts held-out normals; "tail" continues beyond them by extreme value theory; "auto" counts,
            and continues only for a rate that the normals at hold cannot support, with a warning.
        budget: At most so many evaluations of a denoiser per row that is scored; can be changed after `fit`. None
            spends what the recipe asks for.
        max_seconds: About how long `fit` may take on this machine; less is then learnt from, in fewer steps. What was
            done stands in `model_.recipe`, which repeats it exactly where no contamination was feared.
        max_rows: At most so many rows, drawn by `seed`, are learnt from; the others are only scored.
        seed: Of every random choice.

    Attributes:
        decision_scores_: Scores `(n,)` of the rows that it was fitted on, each as if it had been left out.
        held_out_: Scores of the normals that alarms count: those, until `calibrate` gives others.
        threshold_: Scores above it raise an alarm.
        labels_: 1 where `decision_scores_` raise an alarm, else 0.
        false_alarm_rate_: The rate in force.
        contamination_: The share of anomalies among the rows of fit: as given, or estimated.
        n_features_in_: Number of columns.

    >>> normal = np.random.default_rng(0).normal(size=(200, 3))
    >>> detector = Detector("tabular", recipe="mahalanobis", false_alarm_rate=0.05).fit(normal)
    >>> detector.predict([[0.0, 0.0, 0.0], [9.0, 9.0, 9.0]])
    array([0, 1])
    """

    cache_: tuple[int | None, Model, Counted]
    series_: "SeriesDetector"

    def __init__(
        self,
        modality: str | Modality = "auto",
        recipe: str | Path | JSON | Recipe = "auto",
        *,
        changes: JSON | None = None,
        contamination: float | str = 0.0,
        false_alarm_rate: float | str = "auto",
        alarm: str = "auto",
        budget: int | None = None,
        max_seconds: float | None = None,
        max_rows: int = 100_000,
        seed: int = 0,
    ) -> None:
        self.modality = modality
        self.recipe = recipe
        self.changes = changes
        self.contamination = contamination
        self.false_alarm_rate = false_alarm_rate
        self.alarm = alarm
        self.budget = budget
        self.max_seconds = max_seconds
        self.max_rows = max_rows
        self.seed = seed

    def fit(self, X: Any, y: Any = None, *, examples: Any = None) -> Self:
        """Learn normal data `X`: an array, a frame, a path. `y` is ignored.

        Args:
            X: Normal items.
            y: Ignored.
            examples: A handful of known anomalies, not in X, of the same columns. They decide which scores are heard,
                what resembles them scores higher, and `false_alarm_rate="auto"` places the threshold by them.

        Raises:
            Unreadable: X is not a table of at least 5 rows in which something varies, or examples are none.
            Misfit: a setting is out of range.
        """
        for _ in self.fitting(X, examples=examples):
            pass
        return self

    def fitting(self, X: Any, *, examples: Any = None) -> Iterator[Progress]:
        """Fit, yielding progress; the detector is fitted when the last record has been taken, and unchanged before."""
        began = time.perf_counter()
        check_settings(self)
        if is_series(self.modality, X):
            yield from self._fitting_series(X, examples)
            return
        chosen = self._chosen()
        if chosen.views:
            raise Misfit(f"recipe {chosen.name!r} is for series; give modality='series', or choose one for tables.")
        table, seen = sample(X, self.max_rows, int(self.seed))
        modality = chosen_modality(self.modality).fit(table)
        encoded = modality.encode(table)
        check_rows(encoded.x, len(table.names))
        filler, x = fit_incomplete(encoded.x, encoded.known, schedule(chosen))
        alone = alone_rows(modality.encode_left_out(table), encoded, filler, x)
        model = Model(chosen, modality, filler, Panel({"none": Silent(schedule(chosen))}), Hybrid({}))
        known = None if examples is None else known_anomalies(model, examples)
        given, asked = Given(x, alone, known, cast(Any, self.contamination)), chosen
        try:
            if self.max_seconds is not None:
                chosen = hurried(chosen, given, int(self.seed), self.max_seconds - (time.perf_counter() - began))
            learnt = yield from learn(chosen, given, int(self.seed))
        except ArithmeticError as error:
            raise Misfit(f"recipe {chosen.name!r} cannot learn this table: {error}") from None
        facts = {
            "asked": asked.model_dump(mode="json"),
            "rows_seen": seen,
            "rows_fitted": len(x),
            "seconds": time.perf_counter() - began,
            "losses": learnt.losses,
            "columns": modality.describe(),
            "sketches": {name: sketch_config(sketch(values)) for name, values in columns(table).items()},
            "contamination": vars(learnt.contamination),
            "examples": 0 if known is None else len(known),
        }
        fresh = Model(learnt.recipe, modality, filler, learnt.panel, learnt.score, facts)
        self._finish(fresh, Calibration(learnt.totals, {}, learnt.known, learnt.contamination.value))

    @by_kind
    def calibrate(self, X: Any) -> Self:
        """Count normals `X` that were not learnt from, instead of the left-out rows of `fit`; nothing is learnt anew.

        For normals that are exchangeable with them, P(p <= a) <= a is then a theorem.

        Raises:
            Unreadable: X has no rows, or differs in its columns from what was fitted.
        """
        check_is_fitted(self, "model_")
        raw: dict[str, list[np.ndarray]] = {name: [] for name in self.whole_.score.members}
        for table in chunks(X, ROWS, like=getattr(self.whole_.modality, "arrow_schema", None)):
            with torch.inference_mode():
                for name, totals in self.whole_.raw(self.whole_.prepare(table).x).items():
                    raw[name].append(totals)
        held_out = {name: np.concatenate([np.zeros(0), *parts]) for name, parts in raw.items()}
        if not len(next(iter(held_out.values()))):
            raise Unreadable("X has no rows; give normals to calibrate with, better 100.")
        self._finish(self.whole_, replace(self.calibration_, held_out=held_out))
        return self

    @by_kind
    def decision_function(self, X: Any) -> Scores:
        """Scores `(n,)`, float64; higher is more anomalous. Files are streamed.

        Raises:
            Unreadable: X differs in its columns from what was fitted.
        """
        found = [scores for _, scores in self.score_chunks(X)]
        return np.concatenate(found) if found else np.zeros(0)

    def score_chunks(self, X: Any, rows: int = ROWS) -> Iterator[tuple[Any, Scores]]:
        """Pass through X in bounded memory: tables of at most `rows` rows and their scores."""
        check_is_fitted(self, "model_")
        if "series_" in self.__dict__:
            raise Misfit("series are not cut into chunks; call decision_function, or stream.")
        for table in chunks(X, rows, like=getattr(self.model_.modality, "arrow_schema", None)):
            with torch.inference_mode():
                yield table, self.model_.totals(self.model_.prepare(table).x)

    @by_kind
    def p_value(self, X: Any) -> Scores:
        """The share of held-out normals that score at least as high `(n,)`, conformal: P(p <= a | normal) is about a.

        After `calibrate` it is at most a, by theorem. After `fit` alone the normals are those that it learnt from,
        scored by parts that had not seen them, while X is scored by parts fitted on all: a calibration in the manner
        of the jackknife, which holds as far as the two agree. How far is measured in benchmarks/.
        """
        return self.p_of(self.decision_function(X))

    @by_kind
    def p_of(self, scores: Scores) -> Scores:
        """p-values of scores that `decision_function` gave."""
        check_is_fitted(self, "model_")
        return (self.tail_ if self.alarm == "tail" and self.tail_ else self.conformal_).p_value(scores)

    @by_kind
    def predict(self, X: Any, *, false_alarm_rate: float | None = None, fdr: float | None = None) -> np.ndarray:
        """1 where X raises an alarm, else 0, `(n,)`.

        Args:
            X: Items to judge.
            false_alarm_rate: Instead of the detector's own.
            fdr: Instead of a rate per normal item, control the share of false alarms among the alarms of this call
                (Benjamini and Hochberg).
        """
        return self.decide(self.decision_function(X), false_alarm_rate=false_alarm_rate, fdr=fdr)

    @by_kind
    def decide(self, scores: Scores, *, false_alarm_rate: float | None = None, fdr: float | None = None) -> np.ndarray:
        """`predict` for scores that `decision_function` gave."""
        if fdr is not None:
            if false_alarm_rate is not None:
                raise Misfit("give either false_alarm_rate or fdr, not both.")
            return benjamini_hochberg(self.p_of(scores), fdr).astype(int)
        rate = self.false_alarm_rate_ if false_alarm_rate is None else false_alarm_rate
        return (scores > self.threshold(rate)).astype(int)

    @by_kind
    def predict_proba(self, X: Any) -> np.ndarray:
        """`(n, 2)`: the p-value and one minus it, in PyOD's layout; neither is the probability of being abnormal."""
        p = self.p_value(X)
        return np.column_stack([p, 1 - p])

    def fit_predict(self, X: Any, y: Any = None) -> np.ndarray:
        """Labels of X itself, each row as if it had been left out: the unsupervised use."""
        return self.fit(X).labels_

    @by_kind
    def anomaly_map(self, X: Any) -> np.ndarray:
        """Evidence per cell, laid out like X `(n, columns)`; each row adds up to its score."""
        check_is_fitted(self, "model_")
        found = []
        for table in chunks(X, ROWS, like=getattr(self.model_.modality, "arrow_schema", None)):
            with torch.inference_mode():
                prepared = self.model_.prepare(table)
                found.append(self.model_.modality.locate(self.model_.maps(prepared.x), prepared.known))
        return np.concatenate(found)

    @by_kind
    def explain(self, X: Any, *, top: int = 3) -> Sequence[Explanation]:
        """Per row: the nearest normal row, each cell's part of the score, and a sentence about the `top` cells."""
        check_is_fitted(self, "model_")
        with torch.inference_mode():
            return explain(self.model_, X, self.p_of, self.threshold_, top=top)

    @by_kind
    def threshold(self, false_alarm_rate: float) -> float:
        """The score above which an alarm is raised, for a wanted rate; warns where the rate is beyond the normals."""
        check_is_fitted(self, "model_")
        if self.alarm == "tail" and self.tail_ is not None:
            return self.tail_.threshold(false_alarm_rate)
        if false_alarm_rate >= self.conformal_.supported_rate or self.alarm != "auto":
            return self.conformal_.threshold(false_alarm_rate)
        warnings.warn(self.statement(false_alarm_rate), UserWarning, stacklevel=2)
        if self.tail_ is not None:
            return self.tail_.threshold(false_alarm_rate)
        return self.conformal_.threshold(self.conformal_.supported_rate)

    @by_kind
    def statement(self, false_alarm_rate: float | None = None) -> str:
        """In a sentence, what stands behind alarms at this rate."""
        check_is_fitted(self, "model_")
        rate = self.false_alarm_rate_ if false_alarm_rate is None else false_alarm_rate
        counted = self.conformal_.statement(rate) + self._set_aside()
        if rate >= self.conformal_.supported_rate or self.alarm == "conformal":
            return counted
        if self.tail_ is not None:
            return f"{counted} {self.tail_.statement(rate)}"
        return f"{counted} Until then rows above every held-out normal raise an alarm."

    @property
    @by_kind
    def threshold_(self) -> float:
        """The threshold for `false_alarm_rate`."""
        return self.threshold(self.false_alarm_rate_)

    @property
    @by_kind
    def labels_(self) -> np.ndarray:
        """1 where the rows of `fit`, each as if left out, raise an alarm, else 0."""
        return (self.decision_scores_ > self.threshold_).astype(int)

    @by_kind
    def references(self) -> str:
        """The works behind the fitted detector, as BibTeX."""
        check_is_fitted(self, "model_")
        return bibtex(self.model_.recipe.cite)

    @by_kind
    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the model as a folder: weights.safetensors, config.json, card.md. Nothing is pickled.

        Raises:
            FileExistsError: there is something at `path` and `overwrite` is False.
        """
        from anodiff.saving import save

        check_is_fitted(self, "model_")
        return save(self, Path(path), overwrite=overwrite)

    def events(self, X: Any, **settings: Any) -> "list[Happening]":
        """Of series: what happened, runs of alarms with their times; see `detect_series.SeriesDetector.events`."""
        return self._told("events").events(X, **settings)

    def stream(self, **settings: Any) -> "Stream":
        """Of series: a live detector that takes instants as they come; see `live.Stream`."""
        return self._told("stream").stream(**settings)

    @property
    def period_(self) -> int:
        """Of series: the dominant period in instants; 0 where there is none."""
        return self._told("period_").period_

    @property
    def false_alarms_per_day_(self) -> float | None:
        """Of series: the rate in force as events per day; None without a clock."""
        return self._told("false_alarms_per_day_").false_alarms_per_day_

    def as_sklearn(self) -> "SklearnDetector":
        """The same detector with scikit-learn's sign and labels (-1 anomaly, +1 normal)."""
        from anodiff.adapt import SklearnDetector

        return SklearnDetector(**self.get_params(deep=False))

    @property
    @by_kind
    def model_(self) -> Model:
        """The fitted parts that the budget pays for."""
        return self._at_budget[0]

    @property
    @by_kind
    def decision_scores_(self) -> Scores:
        """Scores `(n,)` of the rows of fit, each as if it had been left out."""
        return self._at_budget[1].left_out

    @property
    @by_kind
    def held_out_(self) -> Scores:
        """Scores of the normals that alarms count."""
        return self._at_budget[1].held_out

    @property
    def conformal_(self) -> Conformal:
        """The alarm that counts."""
        return self._at_budget[1].conformal

    @property
    def tail_(self) -> Tail | None:
        """The alarm that continues beyond the held-out normals; None where they show no tail."""
        return self._at_budget[1].tail

    @property
    @by_kind
    def false_alarm_rate_(self) -> float:
        """The rate in force: the detector's own, or for "auto" what known anomalies ask for, else 1 %."""
        return self._at_budget[1].rate if self.false_alarm_rate == "auto" else float(self.false_alarm_rate)

    @property
    @by_kind
    def contamination_(self) -> float:
        """The share of anomalies among the rows of fit: as given, or estimated; its interval is in `model_.facts`."""
        return float(self.model_.facts["contamination"]["value"])

    @property
    def agreement_(self) -> dict[int, float]:
        """Per budget that buys something else, in evaluations per row, the rank correlation of its scores with all."""
        whole = self.calibration_.counted(self.whole_.within().score).left_out
        rungs = {model.score.nfe: model.score for model in self.whole_.rungs()}
        ranks = {nfe: self.calibration_.counted(score).left_out for nfe, score in rungs.items()}
        return {nfe: agreement(scores, whole) for nfe, scores in ranks.items()}

    def _fitting_series(self, X: Any, examples: Any) -> Iterator[Progress]:
        from anodiff.detect_series import SeriesDetector

        given = self.get_params(deep=False)
        inner = SeriesDetector(**{**given, "modality": "series" if given["modality"] == "auto" else given["modality"]})
        yield from inner.fitting(X, examples=examples)
        self._adopt(inner)

    def _adopt(self, inner: "SeriesDetector") -> None:
        for name in ("whole_", "calibration_", "cache_"):
            self.__dict__.pop(name, None)
        self.series_ = inner
        self.n_features_in_ = inner.n_features_in_

    def _told(self, what: str = "") -> "SeriesDetector":
        """The detector of series, with the settings that may be changed after fit."""
        if "series_" not in self.__dict__:
            check_is_fitted(self, "model_")
            raise Misfit(f"{what}() is for series, and a table was fitted; give Detector(modality='series').")
        for name in ("false_alarm_rate", "alarm", "budget"):
            setattr(self.series_, name, getattr(self, name))
        check_settings(self)
        return self.series_

    @property
    def _at_budget(self) -> tuple[Model, Counted]:
        if "series_" in self.__dict__:
            raise AttributeError("this is of tables, and series were fitted; see alarm_, events and stream.")
        if not hasattr(self, "whole_"):
            raise AttributeError("the detector is not fitted yet; call fit.")
        if self.cache_[0] != self.budget:
            check_settings(self)
        budget = None if self.budget is None else int(self.budget)
        if self.cache_[0] != budget:
            model = self.whole_.within(budget)
            self.cache_ = (budget, model, self.calibration_.counted(model.score))
        return self.cache_[1:]

    def _set_aside(self) -> str:
        if not self.contamination_ or self.calibration_.held_out:
            return ""
        count = len(self.decision_scores_) - len(self.held_out_)
        return f" {count:,} more rows of fit, the highest scores, are taken for anomalies and not counted."

    def _chosen(self) -> Recipe:
        if not isinstance(self.recipe, str) or self.recipe != "auto":
            return recipe(self.recipe, self.changes)
        return recipe("table-robust" if self.contamination else "table", self.changes)

    def _finish(self, whole: Model, calibration: Calibration) -> None:
        budget = None if self.budget is None else int(self.budget)
        model = whole.within(budget)
        counted = calibration.counted(model.score)
        self.__dict__.pop("series_", None)
        self.whole_ = whole
        self.calibration_ = calibration
        self.cache_ = (budget, model, counted)
        self.n_features_in_ = len(whole.modality.columns)
