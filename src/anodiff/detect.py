"""The detector: normal data in, calibrated alarm out. PyOD's names, sign and labels; no maths of its own."""

import time
import warnings
from collections.abc import Generator, Iterator, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

import numpy as np
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from anodiff.alarms import Conformal, Surprise, Tail, benjamini_hochberg, sketch_counts, sketch_numbers
from anodiff.alarms.drift import Sketch, sketch_config
from anodiff.data.readers import chunks, sample
from anodiff.data.summary import columns
from anodiff.diffusion.fill import conditional_mean, fit_incomplete
from anodiff.diffusion.gaussian import Gaussian
from anodiff.explain import Explanation, explain
from anodiff.modalities import MODALITIES, Encoded, Modality
from anodiff.model import Model
from anodiff.recipes.build import schedule
from anodiff.recipes.grow import Progress, grow, left_out, planned_steps
from anodiff.recipes.schema import Recipe, bibtex, recipe
from anodiff.training import Step
from anodiff.types import JSON, Misfit, Scores, Unreadable

if TYPE_CHECKING:
    from anodiff.adapt import SklearnDetector

T = TypeVar("T")
ROWS = 16_384
LEAST_ROWS = 5
ALARMS = ("auto", "conformal", "tail")


class Detector(BaseEstimator):
    """Detects what does not belong to the normal data that it was fitted on.

    Args:
        modality: What kind of data: "auto", a name, or a `Modality` with settings of its own.
        recipe: What is asked of which model: "auto", the name of a recipe, the path of a yaml file, a dict.
        changes: Changes to the recipe, `{"denoisers.learnt.steps": 200}`.
        false_alarm_rate: The share of normals that may raise an alarm; can be changed after `fit`.
        alarm: "conformal" counts held-out normals; "tail" continues beyond them by extreme value theory; "auto" counts,
            and continues only for a rate that the normals at hold cannot support, with a warning.
        max_rows: At most so many rows, drawn by `seed`, are learnt from; the others are only scored.
        seed: Of every random choice.

    Attributes:
        decision_scores_: Scores `(n,)` of the rows that it was fitted on, each as if it had been left out.
        held_out_: Scores of the normals that alarms count: those, until `calibrate` gives others.
        threshold_: Scores above it raise an alarm.
        labels_: 1 where `decision_scores_` raise an alarm, else 0.
        n_features_in_: Number of columns.

    >>> normal = np.random.default_rng(0).normal(size=(200, 3))
    >>> detector = Detector("tabular", recipe="mahalanobis", false_alarm_rate=0.05).fit(normal)
    >>> detector.predict([[0.0, 0.0, 0.0], [9.0, 9.0, 9.0]])
    array([0, 1])
    """

    def __init__(
        self,
        modality: str | Modality = "auto",
        recipe: str | Path | JSON | Recipe = "auto",
        *,
        changes: JSON | None = None,
        false_alarm_rate: float = 0.01,
        alarm: str = "auto",
        max_rows: int = 100_000,
        seed: int = 0,
    ) -> None:
        self.modality = modality
        self.recipe = recipe
        self.changes = changes
        self.false_alarm_rate = false_alarm_rate
        self.alarm = alarm
        self.max_rows = max_rows
        self.seed = seed

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn normal data `X`: an array, a frame, a path. `y` is ignored.

        Raises:
            Unreadable: X is not a table of at least 5 rows in which something varies.
            Misfit: a setting is out of range.
        """
        for _ in self.fitting(X):
            pass
        return self

    def fitting(self, X: Any) -> Iterator[Progress]:
        """Fit, yielding progress; the detector is fitted when the last record has been taken, and unchanged before."""
        began = time.perf_counter()
        self._check_settings()
        chosen = recipe("table" if self.recipe == "auto" else self.recipe, self.changes)
        seed = int(self.seed)
        table, seen = sample(X, self.max_rows, seed)
        modality = _modality(self.modality).fit(table)
        encoded = modality.encode(table)
        _check_rows(encoded.x, len(table.names))
        filler, x = fit_incomplete(encoded.x, encoded.known, schedule(chosen))
        alone = _alone(modality.encode_left_out(table), encoded, filler, x)
        tally = Tally(planned_steps(chosen, len(x)))
        try:
            totals = yield from tally.told(left_out(chosen, x, seed, alone), "calibrating")
            panel, score = yield from tally.told(grow(chosen, x, seed), "learning")
        except ArithmeticError as error:
            raise Misfit(f"recipe {chosen.name!r} cannot learn this table: {error}") from None
        facts = {
            "rows_seen": seen,
            "rows_fitted": len(x),
            "seconds": time.perf_counter() - began,
            "losses": tally.losses,
            "columns": modality.describe(),
            "sketches": {name: sketch_config(_sketch(values)) for name, values in columns(table).items()},
        }
        model = Model(chosen, modality, filler, panel, score.fit(totals, Surprise), facts)
        self._finish(model, model.score.combined(totals))

    def calibrate(self, X: Any) -> Self:
        """Count normals `X` that were not learnt from, instead of the left-out rows of `fit`; nothing is learnt anew.

        For normals that are exchangeable with them, P(p <= a) <= a is then a theorem.

        Raises:
            Unreadable: X has no rows, or differs in its columns from what was fitted.
        """
        self._calibrated(self.decision_function(X))
        return self

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
        for table in chunks(X, rows, like=getattr(self.model_.modality, "arrow_schema", None)):
            with torch.inference_mode():
                yield table, self.model_.totals(self.model_.prepare(table).x)

    def p_value(self, X: Any) -> Scores:
        """The share of held-out normals that score at least as high `(n,)`, conformal: P(p <= a | normal) is about a.

        After `calibrate` it is at most a, by theorem. After `fit` alone the normals are those that it learnt from,
        scored by parts that had not seen them, while X is scored by parts fitted on all: a calibration in the manner
        of the jackknife, which holds as far as the two agree. How far is measured in benchmarks/.
        """
        return self.p_of(self.decision_function(X))

    def p_of(self, scores: Scores) -> Scores:
        """p-values of scores that `decision_function` gave."""
        check_is_fitted(self, "model_")
        return (self.tail_ if self.alarm == "tail" and self.tail_ else self.conformal_).p_value(scores)

    def predict(self, X: Any, *, false_alarm_rate: float | None = None, fdr: float | None = None) -> np.ndarray:
        """1 where X raises an alarm, else 0, `(n,)`.

        Args:
            X: Items to judge.
            false_alarm_rate: Instead of the detector's own.
            fdr: Instead of a rate per normal item, control the share of false alarms among the alarms of this call
                (Benjamini and Hochberg).
        """
        return self.decide(self.decision_function(X), false_alarm_rate=false_alarm_rate, fdr=fdr)

    def decide(self, scores: Scores, *, false_alarm_rate: float | None = None, fdr: float | None = None) -> np.ndarray:
        """`predict` for scores that `decision_function` gave."""
        if fdr is not None:
            if false_alarm_rate is not None:
                raise Misfit("give either false_alarm_rate or fdr, not both.")
            return benjamini_hochberg(self.p_of(scores), fdr).astype(int)
        rate = self.false_alarm_rate if false_alarm_rate is None else false_alarm_rate
        return (scores > self.threshold(rate)).astype(int)

    def predict_proba(self, X: Any) -> np.ndarray:
        """`(n, 2)`: the p-value and one minus it, in PyOD's layout; neither is the probability of being abnormal."""
        p = self.p_value(X)
        return np.column_stack([p, 1 - p])

    def fit_predict(self, X: Any, y: Any = None) -> np.ndarray:
        """Labels of X itself, each row as if it had been left out: the unsupervised use."""
        return self.fit(X).labels_

    def anomaly_map(self, X: Any) -> np.ndarray:
        """Evidence per cell, laid out like X `(n, columns)`; each row adds up to its score."""
        check_is_fitted(self, "model_")
        found = []
        for table in chunks(X, ROWS, like=getattr(self.model_.modality, "arrow_schema", None)):
            with torch.inference_mode():
                prepared = self.model_.prepare(table)
                found.append(self.model_.modality.locate(self.model_.maps(prepared.x), prepared.known))
        return np.concatenate(found)

    def explain(self, X: Any, *, top: int = 3) -> Sequence[Explanation]:
        """Per row: the nearest normal row, each cell's part of the score, and a sentence about the `top` cells."""
        check_is_fitted(self, "model_")
        with torch.inference_mode():
            return explain(self.model_, X, self.p_of, self.threshold_, top=top)

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

    def statement(self, false_alarm_rate: float | None = None) -> str:
        """In a sentence, what stands behind alarms at this rate."""
        check_is_fitted(self, "model_")
        rate = self.false_alarm_rate if false_alarm_rate is None else false_alarm_rate
        counted = self.conformal_.statement(rate)
        if rate >= self.conformal_.supported_rate or self.alarm == "conformal":
            return counted
        if self.tail_ is not None:
            return f"{counted} {self.tail_.statement(rate)}"
        return f"{counted} Until then rows above every held-out normal raise an alarm."

    @property
    def threshold_(self) -> float:
        """The threshold for `false_alarm_rate`."""
        return self.threshold(self.false_alarm_rate)

    @property
    def labels_(self) -> np.ndarray:
        """1 where the rows of `fit`, each as if left out, raise an alarm, else 0."""
        return (self.decision_scores_ > self.threshold_).astype(int)

    def references(self) -> str:
        """The works behind the fitted detector, as BibTeX."""
        check_is_fitted(self, "model_")
        return bibtex(self.model_.recipe.cite)

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the model as a folder: weights.safetensors, config.json, card.md. Nothing is pickled.

        Raises:
            FileExistsError: there is something at `path` and `overwrite` is False.
        """
        from anodiff.saving import save

        check_is_fitted(self, "model_")
        return save(self, Path(path), overwrite=overwrite)

    def as_sklearn(self) -> "SklearnDetector":
        """The same detector with scikit-learn's sign and labels (-1 anomaly, +1 normal)."""
        from anodiff.adapt import SklearnDetector

        return SklearnDetector(**self.get_params(deep=False))

    def _check_settings(self) -> None:
        if not isinstance(self.false_alarm_rate, Real) or not 0 < self.false_alarm_rate < 1:
            raise Misfit(f"false_alarm_rate is {self.false_alarm_rate}; choose a share between 0 and 1, such as 0.01.")
        if self.alarm not in ALARMS:
            raise Misfit(f"alarm is {self.alarm!r}; choose one of {', '.join(ALARMS)}.")
        if not isinstance(self.max_rows, Integral) or self.max_rows < LEAST_ROWS:
            raise Misfit(
                f"max_rows is {self.max_rows}; give a whole number of at least {LEAST_ROWS} rows to learn from."
            )
        if not isinstance(self.seed, Integral) or not 0 <= self.seed < 2**63:
            raise Misfit(f"seed is {self.seed!r}; give a whole number from 0 to 2**63 - 1.")

    def _finish(self, model: Model, left_out: Scores) -> None:
        self.model_ = model
        self.n_features_in_ = len(model.modality.columns)
        self.decision_scores_ = np.asarray(left_out, dtype=np.float64)
        self._calibrated(self.decision_scores_)

    def _calibrated(self, held_out: Scores) -> None:
        self.held_out_ = held_out
        self.conformal_ = Conformal().fit(held_out)
        self.tail_ = _tail(held_out)


class Tally:
    """Counts the training steps of several stages; `losses` are those of the last."""

    def __init__(self, of: int) -> None:
        self.done = 0
        self.of = of
        self.losses: list[float] = []

    def told(self, work: Generator[Step, None, T], stage: str) -> Generator[Progress, None, T]:
        """Yield progress for each step of `work`; return what it returns."""
        self.losses = []
        yield Progress(self.done, self.of, stage)
        while True:
            try:
                step = next(work)
            except StopIteration as end:
                result: T = end.value
                return result
            self.done += 1
            self.losses.append(step.loss)
            yield Progress(self.done, self.of, stage)


def _tail(held_out: Scores) -> Tail | None:
    """The tail of held-out scores; None where they are too few or too tied to show one."""
    try:
        return Tail().fit(held_out)
    except Misfit:
        return None


def _sketch(values: np.ndarray | dict[str, int]) -> Sketch:
    return sketch_counts(values) if isinstance(values, dict) else sketch_numbers(values)


def _modality(given: str | Modality) -> Modality:
    if isinstance(given, Modality):
        return cast(Modality, clone(given, safe=False))
    name = "tabular" if given == "auto" else given
    if name not in MODALITIES:
        raise Misfit(f"modality is {given!r}; choose one of auto, {', '.join(MODALITIES)}.")
    return MODALITIES[name]()


def _alone(left: Encoded, encoded: Encoded, filler: Gaussian, x: torch.Tensor) -> torch.Tensor:
    """The filled rows `x`, those that encode differently when left out filled anew."""
    differs = (left.x != encoded.x).any(1)
    if not differs.any():
        return x
    alone = x.clone()
    alone[differs] = conditional_mean(filler, left.x[differs].double(), left.known[differs]).to(x.dtype)
    return alone


def _check_rows(x: torch.Tensor, columns: int) -> None:
    if len(x) < LEAST_ROWS:
        raise Unreadable(f"{len(x)} rows are too few to learn what is normal; give at least {LEAST_ROWS}, better 100.")
    if not (x != x[:1]).any():
        raise Unreadable(f"all {columns} columns are constant over all {len(x)} rows; there is nothing to learn from.")
