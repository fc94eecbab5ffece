"""The detector of several kinds of data at once: records in, calibrated alarms out, and which part raised them."""

import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from anodiff.alarms import Conformal, Tail, benjamini_hochberg
from anodiff.blend import Blend, codes_of
from anodiff.calibration import Counted, tail_of
from anodiff.data.records import Records, Unread
from anodiff.modalities.multimodal import Multimodal
from anodiff.modalities.text import Text
from anodiff.recipes.blended import Grown, Heard, Pattern
from anodiff.recipes.blended_kept import Kept
from anodiff.recipes.blended_learn import fused_of, learn_blended, own_scores, use_of
from anodiff.recipes.grow import Progress
from anodiff.recipes.schema import Recipe, bibtex, recipe
from anodiff.settings import Settings, check_settings
from anodiff.types import Misfit, Scores, Unreadable

if TYPE_CHECKING:
    from anodiff.explain.parts import Reason

SHOWN = 3
"""Cells that could not be read and are named."""


@dataclass(frozen=True)
class Held:
    """A blend, and what it said of normal records that it had not seen.

    Attributes:
        whole: The blend.
        left_out: By pattern, of the records of fit.
        present: Which parts these have `(n, P)`.
        names: Of these records.
        kept: Which of them were learnt from `(n,)`.
        held_out: By pattern, of other normal records, where alarms count those; else empty.
        held_present: Which parts those have.
        unread: What of the records of fit could not be read.
    """

    whole: Blend
    left_out: dict[Pattern, Heard]
    present: np.ndarray
    names: Sequence[str]
    kept: np.ndarray
    held_out: dict[Pattern, Heard] = field(default_factory=dict)
    held_present: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), bool))
    unread: Sequence[Unread] = ()

    @cached_property
    def counted(self) -> Counted:
        """The alarm that counts normals."""
        left_out = own_scores(self.whole.fused, self.left_out, self.present)
        normals, aside = left_out[self.present.any(1)], 0
        if self.held_out:
            normals = own_scores(self.whole.fused, self.held_out, self.held_present)
        elif self.whole.facts["contamination"]["value"]:
            aside = min(round(self.whole.facts["contamination"]["value"] * len(normals)), len(normals) - 2)
            normals = np.sort(normals)[: len(normals) - aside]
        return Counted(left_out, normals, np.zeros(0), Conformal().fit(normals), tail_of(normals), aside)


class MultimodalDetector(Settings):
    """Detects records of several parts that do not belong to the normal ones that it was fitted on.

    A part may look odd by itself, or normal by itself and odd beside the rest. What `Detector` says of rows holds here
    of records. Every method takes a dict of arrays or lists, a frame, a list of dicts, the path of a .jsonl, .json,
    .csv or .parquet file, or `anodiff.data.records.Records`; `modality=Multimodal(kinds={...})` says what columns are.
    Any part may be missing, in fit and later, also a whole column; a record without any part has the p-value 1.

    Attributes:
        decision_scores_: Scores `(n,)` of the records of fit, each as if it, and those of the same picture, had been
            left out.
        names_: What these records are called.
        parts_: Names of the parts.
        evidences_: Names of what scores are made of: the parts, and the parts given the rest.
        unread_: What of the records of fit could not be read.
    """

    held_: Held
    whole_: Blend

    def fit(self, X: Any, y: Any = None, *, examples: Any = None, regions: Any = None) -> Self:
        """Learn normal records `X`; `y` is ignored.

        Raises:
            Unreadable: there are fewer than 5 records, or they are all the same.
            Misfit: a setting is out of range, or known anomalies are given, which this kind does not learn.
        """
        for _ in self.fitting(X, examples=examples, regions=regions):
            pass
        return self

    def fitting(self, X: Any, *, examples: Any = None, regions: Any = None) -> Iterator[Progress]:
        """Fit, yielding progress; the detector is fitted when the last record has been taken, and unchanged before."""
        began = time.perf_counter()
        check_settings(self)
        refuse(examples, regions)
        chosen, modality = self._chosen(), self._modality()
        modality._check()
        from anodiff.data.records import records

        given = records(X, modality.kinds, modality.root)
        learnt = yield from learn_blended(
            chosen,
            modality,
            given,
            seed=int(self.seed),
            most=int(self.max_rows),
            contaminated=cast(Any, self.contamination),
        )
        present, whole = learnt.records.present, learnt.grown.whole
        facts = {
            "asked": chosen.model_dump(mode="json"),
            "rows_seen": learnt.seen,
            "rows_fitted": int(learnt.kept.sum()),
            "unread": [[each.name, each.why] for each in learnt.records.unread],
            "seconds": time.perf_counter() - began,
            "losses": learnt.grown.losses,
            "columns": modality.describe(),
            "missing": {name: float(1 - there.mean()) for name, there in zip(modality.columns, present.T, strict=True)},
            "contamination": learnt.doubt,
            "examples": 0,
            "twins": learnt.twins,
        }
        kept = Kept.of(learnt.records, codes_of(whole, learnt.x, present), present)
        blend = Blend(modality, whole, learnt.grown.asked, learnt.fused, kept, facts)
        left_out = {pattern: learnt.grown.heard[pattern] for pattern in learnt.fused}
        self._finish(Held(blend, left_out, present, learnt.records.names, learnt.kept, unread=learnt.records.unread))
        for note in [*learnt.records.notes, *unread_in_words(learnt.records.unread)]:
            warnings.warn(note, UserWarning, stacklevel=2)

    def calibrate(self, X: Any) -> Self:
        """Count normal records `X` that were not learnt from, instead of the left-out ones of `fit`.

        Raises:
            Unreadable: there are fewer than two records with a part in X.
        """
        check_is_fitted(self, "whole_")
        x, found = self._looked(X)
        present, blend = found.present, self.whole_
        if present.any(1).sum() < 2:
            raise Unreadable("X has fewer than 2 records with a part; calibrate with normal ones, better 100.")
        heard = {}
        for pattern, fit in self.held_.left_out.items():
            places = np.flatnonzero(present[:, list(pattern)].all(1))
            said = blend.model.said(x[places], blend.asked, pattern)
            heard[pattern] = Heard(places, said, fit.told) if len(places) >= 2 else fit
        grown = Grown(blend.model, list(blend.asked), heard)
        fused = fused_of(blend.recipe, grown, use_of(blend.recipe, blend.modality))
        own = {pattern: each for pattern, each in heard.items() if each is not self.held_.left_out[pattern]}
        self._finish(replace(self.held_, whole=replace(blend, fused=fused), held_out=own, held_present=present))
        return self

    def decision_function(self, X: Any) -> Scores:
        """Scores `(n,)`, float64, nats; higher is more anomalous. A record without any part scores 0. NaN never.

        Raises:
            Unreadable: there are no records in X.
        """
        x, found = self._looked(X)
        return self.whole_.scores(x, found.present)

    def p_value(self, X: Any) -> Scores:
        """How probably a normal record with the same parts scores as high, `(n,)`."""
        return self.p_of(self.decision_function(X))

    def p_of(self, scores: Scores) -> Scores:
        """p-values of scores that `decision_function` gave."""
        return self._counted.p_value(scores, self.alarm)

    def predict(self, X: Any, *, false_alarm_rate: float | None = None, fdr: float | None = None) -> np.ndarray:
        """1 where a record raises an alarm, else 0, `(n,)`; at a rate, or with the share of false ones controlled."""
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
        """Labels of X itself, each record as if it had been left out."""
        return self.fit(X).labels_

    def part_scores(self, X: Any) -> dict[str, Scores]:
        """How surprising each of `evidences_` is by itself, in nats of tail probability, `(n,)` by name.

        NaN where the part is missing, or nothing is left to compare it with.
        """
        x, found = self._looked(X)
        nats = self.whole_.surprises(x, found.present)
        return dict(zip(self.evidences_, nats.T, strict=True))

    def anomaly_map(self, X: Any) -> np.ndarray:
        """What each of `evidences_` adds to the score, `(n, evidences)` float64; each row adds up to its score."""
        x, found = self._looked(X)
        return self.whole_.evidence(x, found.present)

    def explain(self, X: Any, *, top: int = 3) -> "list[Reason]":
        """Per record: which parts raised the score, what was expected of them given the others, and a sentence."""
        from anodiff.explain.parts import reasons

        x, found = self._looked(X)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            limit = self.threshold_
        return reasons(self.whole_, x, found, self.p_of, limit, top=top)

    def names(self, X: Any) -> list[str]:
        """What the records of X are called, in the order of their scores."""
        check_is_fitted(self, "whole_")
        return list(self.whole_.modality.read(X).names)

    def threshold(self, false_alarm_rate: float) -> float:
        """The score above which an alarm is raised, for a wanted rate; warns where the rate is beyond the normals."""
        return self._counted.threshold(false_alarm_rate, self.alarm)

    def statement(self, false_alarm_rate: float | None = None) -> str:
        """In a sentence, what stands behind alarms at this rate."""
        rate = self.false_alarm_rate_ if false_alarm_rate is None else false_alarm_rate
        return self._counted.statement(rate, self.alarm)

    def references(self) -> str:
        """The works behind the fitted detector, as BibTeX."""
        check_is_fitted(self, "whole_")
        return bibtex(self.whole_.recipe.cite)

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the model as a folder: weights.safetensors, config.json, card.md. Nothing is pickled.

        Raises:
            FileExistsError: there is something at `path` and `overwrite` is False.
        """
        from anodiff.saving_multimodal import save

        check_is_fitted(self, "whole_")
        return save(self, Path(path), overwrite=overwrite)

    @property
    def model_(self) -> Blend:
        """The fitted parts."""
        check_is_fitted(self, "whole_")
        return self.whole_

    @property
    def parts_(self) -> list[str]:
        """Names of the parts."""
        return self.model_.parts

    @property
    def evidences_(self) -> list[str]:
        """What scores are made of: parts, and parts given the rest."""
        return list(self.model_.evidences)

    @property
    def decision_scores_(self) -> Scores:
        """Scores `(n,)` of the records of fit, each as if it had been left out."""
        return self._counted.left_out

    @property
    def labels_(self) -> np.ndarray:
        """1 where the records of fit, each as if left out, raise an alarm, else 0."""
        return self.decide(self.decision_scores_)

    @property
    def held_out_(self) -> Scores:
        """Scores of the normals that alarms count."""
        return self._counted.held_out

    @property
    def conformal_(self) -> Conformal:
        """The alarm that counts."""
        return self._counted.conformal

    @property
    def tail_(self) -> Tail | None:
        """The alarm that continues beyond the held-out normals; None where they show no tail."""
        return self._counted.tail

    @property
    def threshold_(self) -> float:
        """The threshold for `false_alarm_rate`."""
        return self.threshold(self.false_alarm_rate_)

    @property
    def false_alarm_rate_(self) -> float:
        """The rate in force: the detector's own, 1 % for "auto"."""
        return self._counted.rate if self.false_alarm_rate == "auto" else float(self.false_alarm_rate)

    @property
    def contamination_(self) -> float:
        """The share of anomalies among the records of fit: as given, or estimated."""
        return float(self.model_.facts["contamination"]["value"])

    @property
    def names_(self) -> list[str]:
        """The records that it was fitted on, in the order of `decision_scores_`."""
        return list(self.held_.names)

    @property
    def unread_(self) -> list[Unread]:
        """What of the records of fit could not be read."""
        return list(self.held_.unread)

    @property
    def _counted(self) -> Counted:
        if not hasattr(self, "held_"):
            raise AttributeError("the detector is not fitted yet; call fit.")
        return self.held_.counted

    def _looked(self, X: Any) -> tuple[Tensor, Records]:
        """Features of X, and its records as they were read; says what could not be, and what has no parts."""
        check_is_fitted(self, "whole_")
        x, found = self.whole_.look(X)
        bare = int((~found.present.any(1)).sum())
        said = [f"{bare} of {len(found)} records have no part that can be read; p-value 1."] if bare else []
        for note in [*found.notes, *unread_in_words(found.unread), *said]:
            warnings.warn(note, UserWarning, stacklevel=3)
        return x, found

    def _modality(self) -> Multimodal:
        if isinstance(self.modality, Multimodal):
            return cast(Multimodal, clone(self.modality))
        if isinstance(self.modality, Text):
            return Multimodal(encoder=self.modality.encoder, templates=self.modality.templates)
        if self.modality not in ("multimodal", "text", "auto"):
            raise Misfit(f"modality is {self.modality!r}; give 'multimodal', or a Multimodal or Text with settings.")
        return Multimodal()

    def _chosen(self) -> Recipe:
        auto = isinstance(self.recipe, str) and self.recipe == "auto"
        chosen = recipe("multimodal" if auto else self.recipe, self.changes)
        if chosen.kind != "multimodal":
            kind = chosen.kind
            raise Misfit(f"recipe {chosen.name!r} is for {kind}; give modality={kind!r}, or choose one of a fusion.")
        return chosen

    def _finish(self, held: Held) -> None:
        self.held_, self.whole_ = held, held.whole
        self.n_features_in_ = len(held.whole.parts)


def refuse(examples: Any, regions: Any) -> None:
    """Known anomalies of several kinds at once are not learnt.

    Raises:
        Misfit: some were given.
    """
    if examples is not None or regions is not None:
        raise Misfit("a detector of several kinds of data learns no known anomalies; leave examples and regions out.")


def unread_in_words(unread: Sequence[Unread]) -> list[str]:
    """One sentence on what could not be read; none where all could."""
    if not unread:
        return []
    more = f", and {len(unread) - SHOWN} more" if len(unread) > SHOWN else ""
    told = "; ".join(str(each).rstrip(".") for each in unread[:SHOWN])
    return [f"{len(unread)} cell{'s' * (len(unread) > 1)} could not be read and count as missing: {told}{more}."]
