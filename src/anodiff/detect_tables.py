"""The detector of tables: normal rows in, calibrated alarms out. One score per row."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted

from anodiff.alarms import Conformal, Tail, benjamini_hochberg
from anodiff.alarms.drift import sketch_config
from anodiff.calibration import Calibration, Counted
from anodiff.data.readers import chunks, sample
from anodiff.data.summary import columns
from anodiff.data.table import Table
from anodiff.diffusion.fill import fit_incomplete
from anodiff.explain import Explanation, explain
from anodiff.lessons_tables import Lesson, taught
from anodiff.metrics.ranking import agreement
from anodiff.model import Model
from anodiff.prepare import alone_rows, check_abnormal, check_rows, chosen_modality, known_anomalies, sketch
from anodiff.recipes.build import Silent, schedule
from anodiff.recipes.grow import Progress
from anodiff.recipes.hurry import hurried
from anodiff.recipes.learn import Given, Learnt, learn
from anodiff.recipes.schema import Recipe, bibtex, recipe
from anodiff.scores.combine import Hybrid, Panel
from anodiff.settings import LEAST_ROWS, Settings, check_settings
from anodiff.types import JSON, Misfit, Scores, Unreadable

ROWS = 16_384


class TableDetector(Settings):
    """Detects rows that do not belong to the normal ones that it was fitted on; `Detector` says what is said of it.

    Attributes:
        whole_: The fitted parts, whatever the budget.
        calibration_: What alarms count, from which any budget's alarms follow.
        alone_: The rows of fit, encoded and filled as if each were left out; None in a model that was loaded.
        n_features_in_: Number of columns.
    """

    cache_: tuple[int | None, Model, Counted]
    alone_: torch.Tensor | None = None

    def fit(self, X: Any, y: Any = None, *, examples: Any = None) -> Self:
        """Learn normal rows `X`; `y` is ignored, `examples` are a handful of known anomalies.

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
        chosen = asked = self._chosen()
        table, seen = sample(X, self.max_rows, int(self.seed))
        bare, alone, x = laid_out(chosen, self.modality, table)
        known = None if examples is None else known_anomalies(bare, examples)
        check_abnormal(known, x)
        given = Given(x, alone, known, cast(Any, self.contamination))
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
            "columns": bare.modality.describe(),
            "sketches": {name: sketch_config(sketch(values)) for name, values in columns(table).items()},
            "examples": 0 if known is None else len(known),
        }
        self._finish(told(bare, learnt, facts), calibration_of(learnt))
        self.alone_ = alone

    def teach(self, examples: Any, regions: Any = None, *, normals: Any = None, weights: Any = None) -> Self:
        """A copy that has learnt known anomalies, all that it is to know of, without fitting anything anew.

        Its scores are weighed by what they see, and the likeness stands beside them, as by `fit(X, examples=)`. Those
        that weigh less than the others were made: they count for less, and for nothing where alarms are placed.

        Args:
            examples: Known anomalies, real or made, rows like those of fit.
            regions: Not of tables, whose rows are judged as a whole.
            normals: Normal rows that were not learnt from: scores are weighed and alarms counted by them. Needed where
                the rows of fit are no longer at hand, in a loaded model of more than 10,000; then `decision_scores_`
                are those of `normals`.
            weights: `(k,)`, how much each example counts beside the others; all alike by default.

        Raises:
            Unreadable: examples or normals have no rows, other columns, or examples are all among the normal rows.
            Misfit: weights are not one for each, 0 or more; or normals are needed and none were given.
        """
        check_is_fitted(self, "model_")
        if regions is not None:
            raise Misfit("regions are masks of pictures, and the data is judged as tabular; leave regions out.")
        known = known_anomalies(self.whole_, examples)
        others = None if normals is None else self.whole_.prepare(normals).x
        if others is not None and len(others) < LEAST_ROWS:
            raise Unreadable(
                f"normals has {len(others)} rows; give at least {LEAST_ROWS}, better 100, or leave it out."
            )
        for rows in (self.alone_, others):
            check_abnormal(known, rows)
        found = type(self)(**self.get_params(deep=False))
        found._finish(*taught(self.whole_, self.calibration_, Lesson(known, weights, self.alone_, others)))
        found.alone_ = self.alone_
        return found

    def calibrate(self, X: Any) -> Self:
        """Count normals `X` that were not learnt from, instead of the left-out rows of `fit`.

        Raises:
            Unreadable: X has no rows, or differs in its columns from what was fitted.
        """
        check_is_fitted(self, "model_")
        raw: dict[str, list[np.ndarray]] = {name: [] for name in self.whole_.score.members}
        for table in self._chunks(X):
            with torch.inference_mode():
                for name, totals in self.whole_.raw(self.whole_.prepare(table).x).items():
                    raw[name].append(totals)
        held_out = {name: np.concatenate([np.zeros(0), *parts]) for name, parts in raw.items()}
        if not len(next(iter(held_out.values()))):
            raise Unreadable("X has no rows; give normals to calibrate with, better 100.")
        self._finish(self.whole_, replace(self.calibration_, held_out=held_out))
        return self

    def decision_function(self, X: Any) -> Scores:
        """Scores `(n,)`, float64; higher is more anomalous. Files are streamed.

        Raises:
            Unreadable: X differs in its columns from what was fitted.
        """
        found = [scores for _, scores in self.score_chunks(X)]
        return np.concatenate(found) if found else np.zeros(0)

    def score_chunks(self, X: Any, rows: int = ROWS) -> Iterator[tuple[Table, Scores]]:
        """Pass through X in bounded memory: tables of at most `rows` rows and their scores."""
        check_is_fitted(self, "model_")
        for table in self._chunks(X, rows):
            with torch.inference_mode():
                yield table, self.model_.totals(self.model_.prepare(table).x)

    def p_value(self, X: Any) -> Scores:
        """The share of held-out normals that score at least as high `(n,)`."""
        return self.p_of(self.decision_function(X))

    def p_of(self, scores: Scores) -> Scores:
        """p-values of scores that `decision_function` gave."""
        check_is_fitted(self, "model_")
        return self._at_budget[1].p_value(scores, self.alarm)

    def predict(self, X: Any, *, false_alarm_rate: float | None = None, fdr: float | None = None) -> np.ndarray:
        """1 where X raises an alarm, else 0, `(n,)`; at a rate, or with the share of false ones controlled."""
        return self.decide(self.decision_function(X), false_alarm_rate=false_alarm_rate, fdr=fdr)

    def decide(self, scores: Scores, *, false_alarm_rate: float | None = None, fdr: float | None = None) -> np.ndarray:
        """`predict` for scores that `decision_function` gave."""
        if fdr is not None:
            if false_alarm_rate is not None:
                raise Misfit("give either false_alarm_rate or fdr, not both.")
            return benjamini_hochberg(self.p_of(scores), fdr).astype(int)
        rate = self.false_alarm_rate_ if false_alarm_rate is None else false_alarm_rate
        return (scores > self.threshold(rate)).astype(int)

    def predict_proba(self, X: Any) -> np.ndarray:
        """`(n, 2)`: the p-value and one minus it; neither is the probability of being abnormal."""
        p = self.p_value(X)
        return np.column_stack([p, 1 - p])

    def fit_predict(self, X: Any, y: Any = None) -> np.ndarray:
        """Labels of X itself, each row as if it had been left out."""
        return self.fit(X).labels_

    def anomaly_map(self, X: Any) -> np.ndarray:
        """Evidence per cell `(n, columns)`; each row adds up to its score."""
        check_is_fitted(self, "model_")
        found = []
        for table in self._chunks(X):
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
        return self._at_budget[1].threshold(false_alarm_rate, self.alarm)

    def statement(self, false_alarm_rate: float | None = None) -> str:
        """In a sentence, what stands behind alarms at this rate."""
        check_is_fitted(self, "model_")
        rate = self.false_alarm_rate_ if false_alarm_rate is None else false_alarm_rate
        return self._at_budget[1].statement(rate, self.alarm)

    def references(self) -> str:
        """The works behind the fitted detector, as BibTeX."""
        check_is_fitted(self, "model_")
        return bibtex(self.model_.recipe.cite)

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the model as a folder: weights.safetensors, config.json, card.md. Nothing is pickled."""
        from anodiff.saving import save

        check_is_fitted(self, "model_")
        return save(self, Path(path), overwrite=overwrite)

    @property
    def model_(self) -> Model:
        """The fitted parts that the budget pays for."""
        return self._at_budget[0]

    @property
    def decision_scores_(self) -> Scores:
        """Scores `(n,)` of the rows of fit, each as if it had been left out."""
        return self._at_budget[1].left_out

    @property
    def labels_(self) -> np.ndarray:
        """1 where the rows of `fit`, each as if left out, raise an alarm, else 0."""
        return (self.decision_scores_ > self.threshold_).astype(int)

    @property
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
    def threshold_(self) -> float:
        """The threshold for `false_alarm_rate`."""
        return self.threshold(self.false_alarm_rate_)

    @property
    def false_alarm_rate_(self) -> float:
        """The rate in force: the detector's own, or for "auto" what known anomalies ask for, else 1 %."""
        return self._at_budget[1].rate if self.false_alarm_rate == "auto" else float(self.false_alarm_rate)

    @property
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

    @property
    def _at_budget(self) -> tuple[Model, Counted]:
        if not hasattr(self, "whole_"):
            raise AttributeError("the detector is not fitted yet; call fit.")
        if self.cache_[0] != self.budget:
            check_settings(self)
            self._count(self.whole_, self.calibration_)
        return self.cache_[1:]

    def _chunks(self, X: Any, rows: int = ROWS) -> Iterator[Table]:
        return chunks(X, rows, like=getattr(self.whole_.modality, "arrow_schema", None))

    def _chosen(self) -> Recipe:
        if not isinstance(self.recipe, str) or self.recipe != "auto":
            chosen = recipe(self.recipe, self.changes)
        else:
            chosen = recipe("table-robust" if self.contamination else "table", self.changes)
        if chosen.kind != "tabular":
            kind = chosen.kind
            raise Misfit(f"recipe {chosen.name!r} is for {kind}; give modality={kind!r}, or choose one for tables.")
        return chosen

    def _finish(self, whole: Model, calibration: Calibration) -> None:
        self._count(whole, calibration)
        self.whole_ = whole
        self.calibration_ = calibration
        self.n_features_in_ = len(whole.modality.columns)

    def _count(self, whole: Model, calibration: Calibration) -> None:
        budget = None if self.budget is None else int(self.budget)
        model = whole.within(budget)
        self.cache_ = (budget, model, calibration.counted(model.score))


def laid_out(chosen: Recipe, given: Any, table: Table) -> tuple[Model, torch.Tensor, torch.Tensor]:
    """A model that has learnt to read the table and nothing else, its rows as if each were left out, and its rows.

    Raises:
        Unreadable: the rows are too few or all alike.
    """
    modality = chosen_modality(given).fit(table)
    encoded = modality.encode(table)
    check_rows(encoded.x, len(table.names))
    filler, x = fit_incomplete(encoded.x, encoded.known, schedule(chosen))
    alone = alone_rows(modality.encode_left_out(table), encoded, filler, x)
    bare = Model(chosen, modality, filler, Panel({"none": Silent(schedule(chosen))}), Hybrid({}))
    return bare, alone, x


def told(bare: Model, learnt: Learnt, facts: JSON) -> Model:
    """The model that has learnt, with what is known of how."""
    known = {**facts, "losses": learnt.losses, "contamination": vars(learnt.contamination)}
    return replace(bare, recipe=learnt.recipe, panel=learnt.panel, score=learnt.score, facts=known)


def calibration_of(learnt: Learnt) -> Calibration:
    """What alarms count of what was learnt."""
    return Calibration(learnt.totals, {}, learnt.known, learnt.contamination.value)
