"""The detector of poses: tracks of joints in, per person and frame a score out: who moves as nobody did before."""

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
import torch
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from anodiff.alarms.blocks import Blocks
from anodiff.alarms.events import events
from anodiff.alarms.stretches import counted, far_out, no_fdr, per_ten_thousand, without_highest
from anodiff.data.people import People, check_starts
from anodiff.gait import Gait
from anodiff.happening import Happening, happening
from anodiff.modalities.poses import Poses, Walk
from anodiff.recipes.grow import Progress
from anodiff.recipes.posed import pose
from anodiff.recipes.schema import bibtex, recipe
from anodiff.settings import MOST_CONTAMINATION, Settings, check_settings
from anodiff.types import Misfit, Refusal, Scores

if TYPE_CHECKING:
    from anodiff.explain.missteps import Misstep

COMMON = 1e-4
"""Events per frame of a normal person where nothing else is asked: one in 10,000."""
HOUR = 3600.0
Raws = list[dict[str, np.ndarray]]


class PoseDetector(Settings):
    """Detects when a person does not move, or is not put together, as the normal ones were that it was fitted on.

    What `Detector` says of rows holds here of the frames of a person. Every method takes one track `(T, joints, 2 or
    3)`, a list or a dict of tracks, and answers in the same layout, `(T,)` per track; NaN is a joint that was not seen.
    Persons may be few or many, near or far, and be seen in different frames; each is judged for itself, and
    `frame_scores` merges them. `false_alarm_rate` counts events per normal frame of a person: 1e-4, the default, is one
    event in 10,000 frames; `Poses(rate=25, per_hour=0.5)` says it in hours instead.

    `contamination` is the share of the frames of fit, those of the highest left-out scores, that are not learnt from
    and not counted as normal; "auto" are those that lie thirty times as far above the median as the upper quartile, not
    counted, but learnt from. `max_rows` changes nothing: parts are fitted on 20,000 windows at most.

    Attributes:
        decision_scores_: Scores of the frames of fit, each as if the person had been left out.
        held_out_: Scores of the normal stretches that alarms count, one array each.
    """

    def fit(self, X: Any, y: Any = None, *, examples: Any = None, regions: Any = None) -> Self:
        """Learn normal people `X`; `y` is ignored.

        Args:
            X: Normal tracks.
            y: Ignored.
            examples: Not taken: known anomalies cannot be taught to poses.
            regions: Not taken.

        Raises:
            Unreadable: X are no poses, or show a body in fewer than 20 frames, or nothing changes.
            Misfit: a setting is out of range, or examples are given.
        """
        for _ in self.fitting(X, examples=examples, regions=regions):
            pass
        return self

    def fitting(self, X: Any, *, examples: Any = None, regions: Any = None) -> Iterator[Progress]:
        """Fit, yielding progress; the detector is fitted when the last record has been taken, and unchanged before."""
        began = time.perf_counter()
        check_settings(self)
        if examples is not None or regions is not None:
            raise Misfit("known anomalies cannot be taught to poses; leave examples and regions out.")
        modality = fresh(self.modality)
        people = modality.read(X)
        modality.fit(people)
        chosen = recipe(
            "poses" if isinstance(self.recipe, str) and self.recipe == "auto" else self.recipe, self.changes
        )
        walks = [modality.encode(track) for track in people.tracks]
        share = 0.0 if self.contamination == "auto" else float(cast(Any, self.contamination))
        left = None if self.max_seconds is None else self.max_seconds - (time.perf_counter() - began)
        posed = yield from pose(chosen, modality, walks, int(self.seed), share, left)
        facts = {
            "asked": chosen.model_dump(mode="json"),
            "frames": sum(map(len, walks)),
            "tracks": len(walks),
            "seconds": time.perf_counter() - began,
            "losses": posed.losses,
            "columns": modality.describe(),
        }
        whole = Gait(posed.recipe, modality, posed.panel, posed.members, posed.smooth, posed.scales, posed.slack, facts)
        if self.contamination == "auto":
            joined = np.concatenate([whole.combined(raw) for raw in posed.left_out[False]])
            share = far_out(joined, MOST_CONTAMINATION)
        facts["contamination"] = share
        self._finish(whole, posed.left_out)
        self.layout_ = People([], people.names, people.layout)
        unseen = [name for name, ever in zip(modality.columns, modality.ever_, strict=True) if not ever]
        if unseen:
            warnings.warn(f"never seen, and never judged: {', '.join(unseen)}.", UserWarning, stacklevel=2)

    def calibrate(self, X: Any) -> Self:
        """Count normal tracks `X` that were not learnt from, instead of the left-out ones of `fit`."""
        raws = [self.whole_.raw(walk) for walk in self._walks(X)[1] if len(walk)]
        self._finish(self.whole_, self.left_out_, {causal: [raw[causal] for raw in raws] for causal in (False, True)})
        return self

    def decision_function(self, X: Any, *, causal: bool | None = None) -> Any:
        """Scores per frame and person, float64; higher is more anomalous. NaN never; 0 where no body can be judged.

        Args:
            X: Tracks of the joints of fit.
            causal: Whether a frame's score may depend on earlier frames only; by default as the modality says.

        Raises:
            Unreadable: X are no poses of these joints.
        """
        return self._per_frame(X, causal, lambda scores: scores)

    def frame_scores(self, X: Any, *, starts: Any = None, causal: bool | None = None) -> Scores:
        """The highest score of the persons in each frame of the scene, `(frames,)`; 0 where nobody is.

        Args:
            X: Tracks of the joints of fit.
            starts: The frame of the scene in which each track begins, in a list, or in a dict by person; 0 by default.
            causal: As in `decision_function`.

        Raises:
            Misfit: starts are not one for each track.
        """
        people, scores = self._scored(X, causal)
        first = check_starts(starts, people)
        found = np.full(max(s + len(own) for s, own in zip(first, scores, strict=True)), -np.inf)
        for start, own in zip(first, scores, strict=True):
            found[start : start + len(own)] = np.maximum(found[start : start + len(own)], own)
        return np.where(np.isfinite(found), found, 0.0)

    def p_value(self, X: Any, *, causal: bool | None = None) -> Any:
        """How probably a normal frame scores as high, per frame and person."""
        return self._per_frame(X, causal, lambda scores: self.p_of(scores, causal))

    def p_of(self, scores: Scores, causal: bool | None = None) -> Scores:
        """p-values of scores that `decision_function` gave."""
        return self.alarm_(causal).p_value(scores)

    def predict(
        self,
        X: Any,
        *,
        false_alarm_rate: float | None = None,
        per_hour: float | None = None,
        causal: bool | None = None,
        fdr: float | None = None,
    ) -> Any:
        """1 in frames that raise an alarm, else 0, laid out like X; `fdr` is for tables and refused.

        Args:
            X: Tracks of the joints of fit.
            false_alarm_rate: Events per normal frame of a person, instead of the detector's own.
            per_hour: Events per hour of a normal person instead; asks for `Poses(rate=)`.
            causal: As in `decision_function`.
            fdr: Refused.
        """
        no_fdr(fdr)
        limit = self.threshold(self._rate(false_alarm_rate, per_hour), causal)
        return self._per_frame(X, causal, lambda scores: (scores > limit).astype(int))

    def decide(
        self,
        scores: Scores,
        *,
        false_alarm_rate: float | None = None,
        per_hour: float | None = None,
        causal: bool | None = None,
        fdr: float | None = None,
    ) -> np.ndarray:
        """`predict` for scores `(T,)` that `decision_function` gave."""
        no_fdr(fdr)
        return (scores > self.threshold(self._rate(false_alarm_rate, per_hour), causal)).astype(int)

    def predict_proba(self, X: Any, *, causal: bool | None = None) -> Any:
        """Per frame the p-value and one minus it, in PyOD's layout; neither is the probability of being abnormal."""

        def both(scores: Scores) -> np.ndarray:
            p = self.p_of(scores, causal)
            return np.column_stack([p, 1 - p])

        return self._per_frame(X, causal, both)

    def fit_predict(self, X: Any, y: Any = None) -> Any:
        """Labels of the frames of X itself, each as if the person had been left out: the unsupervised use."""
        return self.fit(X).labels_

    def events(
        self,
        X: Any,
        *,
        false_alarm_rate: float | None = None,
        per_hour: float | None = None,
        causal: bool | None = None,
    ) -> list[Happening]:
        """What happened: runs of alarms with start, end, peak and p-value, person by person; `entity` is the person."""
        people, scores = self._scored(X, causal)
        return self.happenings(people, scores, self._rate(false_alarm_rate, per_hour), causal)

    def happenings(
        self, people: People, scores: Sequence[Scores], false_alarm_rate: float, causal: bool | None = None
    ) -> list[Happening]:
        """`events` for scores that are known, one array per track."""
        limit, p = self.threshold(false_alarm_rate, causal), self.alarm_(causal).event_p_value
        return [
            happening(event, i, name, None)
            for i, (name, own) in enumerate(zip(people.names, scores, strict=True))
            for event in events(own, limit, self.hold_off_, p_value=p)
        ]

    def anomaly_map(self, X: Any) -> Any:
        """Evidence per frame and joint `(T, joints)`, laid out like X; each frame adds up to its score, not causal.

        What is odd about the motion of the whole body is evidence of all joints alike.
        """
        people, walks = self._walks(X)
        return people.lay_out([self.model_.maps(walk) for walk in walks])

    def explain(
        self,
        X: Any,
        *,
        top: int = 3,
        false_alarm_rate: float | None = None,
        per_hour: float | None = None,
        causal: bool | None = None,
    ) -> "list[Misstep]":
        """Per event, the worst first: which `top` joints, how the body moved, what was expected, and a sentence.

        Args:
            X: Tracks of the joints of fit.
            top: How many joints are told of.
            false_alarm_rate: As in `predict`.
            per_hour: As in `predict`.
            causal: As in `decision_function`.
        """
        from anodiff.explain.missteps import missteps

        people, walks = self._walks(X)
        causal = self._causal(causal)
        scores = [self.model_.totals(walk, causal) for walk in walks]
        found = self.happenings(people, scores, self._rate(false_alarm_rate, per_hour), causal)
        return missteps(self.model_, people, walks, found, top)

    def threshold(self, false_alarm_rate: float, causal: bool | None = None) -> float:
        """The score above which an alarm is raised, for a wanted rate of events per normal frame of a person."""
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
    def model_(self) -> Gait:
        """The fitted parts that the budget pays for."""
        if not hasattr(self, "whole_"):
            raise AttributeError("the detector is not fitted yet; call fit.")
        return self.whole_.within(None if self.budget is None else int(self.budget))

    @property
    def decision_scores_(self) -> Any:
        """Scores of the frames of fit, each as if the person had been left out, laid out like them."""
        return self.layout_.lay_out(self.left_out(self._causal(None)))

    @property
    def labels_(self) -> Any:
        """1 in frames of fit that raise an alarm, each as if the person had been left out, else 0."""
        return self.layout_.lay_out([self.decide(scores) for scores in self.left_out(self._causal(None))])

    @property
    def held_out_(self) -> list[Scores]:
        """Scores of the normal stretches that alarms count."""
        return self.alarm_().stretches_

    @property
    def threshold_(self) -> float:
        """The threshold for `false_alarm_rate_`."""
        return self.threshold(self.false_alarm_rate_)

    @property
    def false_alarm_rate_(self) -> float:
        """Events per normal frame in force."""
        if self.false_alarm_rate != "auto":
            return float(self.false_alarm_rate)
        per_hour = self._told().per_hour
        return COMMON if per_hour is None else self._per_frame_of(per_hour)

    @property
    def false_alarms_per_hour_(self) -> float | None:
        """The same in events per hour of a person; None where the frames per second are not known."""
        rate = self._told().rate
        return None if rate is None else self.false_alarm_rate_ * HOUR * rate

    @property
    def contamination_(self) -> float:
        """The share of the frames of fit that are not counted as normal."""
        return float(self.whole_.facts["contamination"])

    @property
    def names_(self) -> list[str]:
        """What the persons of fit are called."""
        return list(self.layout_.names)

    @property
    def hold_off_(self) -> int:
        """So many quiet frames end an event: the longest window, at least 5."""
        return max(5, self.whole_.longest)

    def references(self) -> str:
        """The works behind the fitted detector, as BibTeX."""
        return bibtex(self.model_.recipe.cite)

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the model as a folder: weights.safetensors, config.json, card.md. Nothing is pickled."""
        from anodiff.saving_poses import save

        check_is_fitted(self, "whole_")
        return save(self, Path(path), overwrite=overwrite)

    def left_out(self, causal: bool) -> list[Scores]:
        """Scores per track of the frames of fit `(T,)`, each as if the person had been left out."""
        return [self.model_.combined(raw, causal) for raw in self.left_out_[causal]]

    def _finish(self, whole: Gait, left_out: dict[bool, Raws], held: dict[bool, Raws] | None = None) -> None:
        whole.within(None if self.budget is None else int(self.budget))
        before = dict(self.__dict__)
        self.whole_, self.left_out_ = whole, left_out
        self.held_ = held or {False: [], True: []}
        self.cache_: dict[tuple[bool, int | None], Blocks] = {}
        self.n_features_in_ = whole.modality.shape_[0]
        try:
            self.alarm_(False)
            self.alarm_(True)
        except Refusal:
            self.__dict__ = before
            raise

    def _counted(self, causal: bool) -> Blocks:
        key = (causal, self.budget)
        if key not in self.cache_:
            held = self.held_[causal]
            stretches = self._judged(held or self.left_out_[causal], causal)
            self.cache_[key] = counted(
                stretches if held else without_highest(stretches, self.contamination_), self.hold_off_
            )
        return self.cache_[key]

    def _judged(self, raws: Raws, causal: bool) -> list[Scores]:
        """Stretches of frames that could be judged."""
        found: list[Scores] = []
        for raw in raws:
            heard, scores = self.model_.heard(raw, causal), self.model_.combined(raw, causal)
            cuts = np.flatnonzero(np.diff(heard.astype(int))) + 1
            parts = zip(np.split(scores, cuts), np.split(heard, cuts), strict=True)
            found += [own for own, said in parts if len(said) and said[0]]
        return found

    def _walks(self, X: Any) -> tuple[People, list[Walk]]:
        check_is_fitted(self, "whole_")
        people = self.whole_.modality.read(X)
        return people, [self.whole_.modality.encode(track) for track in people.tracks]

    def _scored(self, X: Any, causal: bool | None) -> tuple[People, list[Scores]]:
        people, walks = self._walks(X)
        with torch.inference_mode():
            return people, [self.model_.totals(walk, self._causal(causal)) for walk in walks]

    def _per_frame(self, X: Any, causal: bool | None, of: Callable[[Scores], np.ndarray]) -> Any:
        people, scores = self._scored(X, causal)
        return people.lay_out([of(own) for own in scores])

    def _told(self) -> Poses:
        return self.modality if isinstance(self.modality, Poses) else self.whole_.modality

    def _causal(self, given: bool | None) -> bool:
        return bool(self._told().causal if given is None else given)

    def _rate(self, given: float | None, per_hour: float | None = None) -> float:
        if given is not None and per_hour is not None:
            raise Misfit("false_alarm_rate and per_hour are given; give one of them.")
        if per_hour is not None:
            return self._per_frame_of(per_hour)
        return self.false_alarm_rate_ if given is None else given

    def _per_frame_of(self, per_hour: float) -> float:
        rate = self._told().rate
        if rate is None:
            raise Misfit(f"per_hour is {per_hour}; say how many frames a second has: Detector(Poses(rate=25)).")
        if not isinstance(per_hour, Real) or not 0 < float(per_hour) < HOUR * rate:
            raise Misfit(f"per_hour is {per_hour!r}; give events per hour of a person, more than 0, such as 0.5.")
        return per_hour / (HOUR * rate)


def fresh(given: object) -> Poses:
    """A modality that is not fitted: by name, or like the one given."""
    if isinstance(given, Poses):
        return cast(Poses, clone(given))
    if given not in ("poses", "auto"):
        raise Misfit(f"modality is {given!r}; give 'poses', or a Poses with settings of its own.")
    return Poses()
