"""The detector of video: normal clips in, alarms with their time and place out. One score per frame."""

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
from PIL import Image as Pillow
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from anodiff.alarms.blocks import Blocks
from anodiff.alarms.rates import PER
from anodiff.alarms.stretches import counted, far_out, no_fdr, per_ten_thousand, without_highest
from anodiff.data.clips import normal_reel, reel
from anodiff.data.reels import Clip, Reel
from anodiff.filming import Canvas, Told, Wrapped, film
from anodiff.footage import Footage
from anodiff.footage import Told as Said
from anodiff.incident import Incident, Lookout, Seen
from anodiff.modalities.video import Video
from anodiff.recipes.grow import Progress
from anodiff.recipes.rolls import MOST
from anodiff.recipes.schema import bibtex, recipe
from anodiff.settings import MOST_CONTAMINATION, Settings, check_settings
from anodiff.types import Misfit, Refusal, Scores

if TYPE_CHECKING:
    from anodiff.explain.scenes import Scene
    from anodiff.live.footage_stream import VideoStream

COMMON = 1e-4
"""Events per normal frame where nothing else is asked: one in 10,000."""
HOUR = 3600.0
QUIET = 10
"""Quiet frames that end an event, at least."""


class VideoDetector(Settings):
    """Detects when video does not look or move as the normal clips did that it was fitted on, and where.

    What `Detector` says of rows holds here of frames. Every method that takes clips takes one array `(T, H, W[, 3])`, a
    path of a video file or a folder, a list or dict of these, or what `anodiff.data.clips.reel` makes of them, and
    answers in the same layout. `false_alarm_rate` counts events per normal frame that is looked at: an event is a run
    of alarms, and 1e-4, the default, one event in 10,000 frames; `per_hour`, there or in `Video`, counts them by the
    clock. `max_rows` bounds the frames that are learnt from, which are 8,000 at most, evenly from all over the clips.
    `contamination` is the share of the frames of fit, those of the highest left-out scores, that alarms do not count as
    normal; "auto" are those that lie thirty times as far above the median as the upper quartile.

    Attributes:
        decision_scores_: Scores of the frames of fit, each as if its clip had been left out, laid out like them.
        held_out_: Scores of the normal stretches that alarms count, one array each.
        names_: What the clips of fit are called.
        unread_: Clips of fit that could not be read.
    """

    def fit(self, X: Any, y: Any = None, *, examples: Any = None, regions: Any = None) -> Self:
        """Learn normal clips `X`; of a folder that holds a folder train, those in it. `y` is ignored.

        Args:
            X: Normal clips.
            y: Ignored.
            examples: Refused: video is not taught known anomalies.
            regions: Refused likewise.

        Raises:
            Unreadable: there are fewer than 20 frames.
            Misfit: a setting is out of range, or OpenCV is missing.
        """
        for _ in self.fitting(X, examples=examples, regions=regions):
            pass
        return self

    def fitting(self, X: Any, *, examples: Any = None, regions: Any = None) -> Iterator[Progress]:
        """Fit, yielding progress; the detector is fitted when the last record has been taken, and unchanged before."""
        began = time.perf_counter()
        check_settings(self)
        if examples is not None or regions is not None:
            raise Misfit("video learns from normal clips alone; leave examples and regions out.")
        video = fresh(self.modality)
        video.check()
        chosen = recipe(
            "video" if isinstance(self.recipe, str) and self.recipe == "auto" else self.recipe, self.changes
        )
        if chosen.kind != "video":
            raise Misfit(
                f"recipe {chosen.name!r} is for {chosen.kind}; give modality={chosen.kind!r}, or choose one for video."
            )
        shown = rated(normal_reel(X, cameras=video.cameras), video.rate)
        most = min(MOST, int(self.max_rows))
        left = None if self.max_seconds is None else self.max_seconds - (time.perf_counter() - began)
        made = yield from film(chosen, video, shown.clips, seed=int(self.seed), most=most, seconds=left)
        made.whole.facts.update(
            asked=chosen.model_dump(mode="json"),
            seconds=time.perf_counter() - began,
            columns=video.describe(),
            unread=[[each.name, each.why] for each in shown.unread],
        )
        share = 0.0 if self.contamination == "auto" else float(cast(Any, self.contamination))
        if self.contamination == "auto":
            totals = [made.whole.totals(each, False) for each in made.left_out[False]]
            share = far_out(np.concatenate(totals), MOST_CONTAMINATION)
        made.whole.facts["contamination"] = {"value": share, "low": share, "high": share}
        self._finish(made, made.left_out)
        self.layout_, self.names_, self.unread_ = shown.layout, [clip.name for clip in shown.clips], list(shown.unread)
        for note in notes_of(shown):
            warnings.warn(note, UserWarning, stacklevel=2)

    def calibrate(self, X: Any) -> Self:
        """Count the frames of normal clips `X` that were not learnt from, instead of the left-out ones of `fit`."""
        check_is_fitted(self, "held_")
        held: dict[bool, list[Told]] = {False: [], True: []}
        for clip in self._reel(X).clips:
            for causal in held:
                said = [told.pooled for told in self.whole_.told(clip, causal)]
                held[causal].append({name: np.array([each[name] for each in said]) for name in said[0]} if said else {})
        kept = {causal: [each for each in told if each] for causal, told in held.items()}
        self._finish(self.held_, kept)
        return self

    def decision_function(self, X: Any, *, causal: bool | None = None) -> Any:
        """Scores per frame, float64; higher is more anomalous. NaN never.

        Args:
            X: Clips.
            causal: Whether a frame's score may depend on that frame and earlier ones only; by default as the modality
                says.

        Returns:
            `(T,)` of one clip, otherwise a list or dict of these. A frame that is skipped takes the last score.

        Raises:
            Unreadable: a clip cannot be read.
        """
        return self._per_frame(X, causal, lambda scores: scores)

    def p_value(self, X: Any, *, causal: bool | None = None) -> Any:
        """How probably a normal frame scores as high, per frame."""
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
        """1 at frames that raise an alarm, else 0, laid out like X; `fdr` is for tables and refused."""
        no_fdr(fdr)
        limit = self.threshold(self.rate(false_alarm_rate, per_hour), causal)
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
        return (scores > self.threshold(self.rate(false_alarm_rate, per_hour), causal)).astype(int)

    def predict_proba(self, X: Any, *, causal: bool | None = None) -> Any:
        """Per frame the p-value and one minus it, in PyOD's layout; neither is the probability of being abnormal."""

        def both(scores: Scores) -> np.ndarray:
            p = self.p_of(scores, causal)
            return np.column_stack([p, 1 - p])

        return self._per_frame(X, causal, both)

    def fit_predict(self, X: Any, y: Any = None) -> Any:
        """Labels of the frames of X itself, each as if its clip had been left out: the unsupervised use."""
        return self.fit(X).labels_

    def anomaly_map(self, X: Any, *, causal: bool | None = None) -> Any:
        """Evidence by pixel, `(T, H, W)` float32 of one clip in the size of its first frame; laid out like X.

        Of long video `judge` gives one frame's after the other.
        """
        return self._maps(X, causal, lambda map: map)

    def p_map(self, X: Any, *, causal: bool | None = None) -> Any:
        """How much of normal frames looks as odd as each place, laid out like `anomaly_map`."""
        pixels = self.canvas_(causal).pixels
        return self._maps(X, causal, lambda map: np.asarray(pixels.p_value(map), np.float32))

    def judge(self, X: Any, *, maps: bool = True, causal: bool | None = None) -> Iterator[Seen]:
        """Pass through clips in bounded memory: what is said of each frame that is looked at, clip by clip.

        Args:
            X: Clips.
            maps: Whether frames carry their maps.
            causal: As in `decision_function`; else a frame is told of once a few after it were seen.
        """
        mode, limit = self._causal(causal), self.threshold(self.rate(), causal)
        for clip in self._reel(X).clips:
            for told in self.told(clip, mode):
                yield self.seen(clip.name, told, limit, mode, maps)

    def seen(self, clip: str, told: Said, limit: float, causal: bool, maps: bool = True) -> Seen:
        """What was said of a frame, with its p-value, its alarm and its map in pixels."""
        p = float(self.alarm_(causal).p_value(np.array([told.score]))[0])
        map = laid(told.map, told.size) if maps else None
        return Seen(clip, told.index, told.time, told.score, p, told.score > limit, told.size, map, dict(told.parts))

    def events(
        self,
        X: Any,
        *,
        false_alarm_rate: float | None = None,
        per_hour: float | None = None,
        causal: bool | None = None,
    ) -> list[Incident]:
        """What happened: runs of alarms with start, end, peak, p-value and place, in order of time, clip by clip."""
        watched = self.watched(X, false_alarm_rate=false_alarm_rate, per_hour=per_hour, causal=causal)
        return [event for _, event, _ in watched]

    def watched(
        self,
        X: Any,
        *,
        false_alarm_rate: float | None = None,
        per_hour: float | None = None,
        causal: bool | None = None,
    ) -> Iterator[tuple[Clip, Incident, np.ndarray]]:
        """The same one after the other, each with its clip and the map of cells `(h, w)` at its peak."""
        mode, limit = self._causal(causal), self.threshold(self.rate(false_alarm_rate, per_hour), causal)
        for clip in self._reel(X).clips:
            lookout = self.lookout(clip.name, limit, mode)
            peak = np.zeros((1, 1), np.float32)
            for told in self.told(clip, mode):
                for event in lookout.push(told):
                    if not event.open:
                        yield clip, event, peak
                if lookout.running is not None and lookout.running.peak == told.index:
                    peak = told.map
            for event in lookout.flush():
                yield clip, event, peak

    def lookout(self, clip: str, limit: float, causal: bool) -> Lookout:
        """What makes events of the frames of a clip."""
        stride, extent = int(self.whole_.modality.stride), self.canvas_(causal).extent
        return Lookout(clip, self.alarm_(causal), limit, self.hold_off_, extent, stride)

    def explain(self, X: Any, *, top: int = 3, **settings: Any) -> "list[Scene]":
        """Per event, the worst first: the frame at its peak, its map, what a normal frame looks like, and a sentence.

        Args:
            X: Clips.
            top: How many events are told of.
            settings: As `events` takes them.
        """
        from anodiff.explain.scenes import scenes

        check_is_fitted(self, "held_")
        found: list[Scene] = scenes(self, X, top=top, **settings)
        return found

    def laid(self, map: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """A map of cells laid on a frame of that size, `(H, W)` float32."""
        return laid(map, size)

    def stream(self, **settings: Any) -> "VideoStream":
        """A live detector: takes frames as they come, gives the causal score of each in bounded time and memory."""
        from anodiff.live.footage_stream import VideoStream

        check_is_fitted(self, "held_")
        return VideoStream(self, **settings)

    def threshold(self, false_alarm_rate: float, causal: bool | None = None) -> float:
        """The score above which an alarm is raised, for a wanted rate of events per normal frame."""
        alarm, rate = self.alarm_(causal), per_ten_thousand(false_alarm_rate)
        if rate < alarm.supported_rate and self.alarm != "tail":
            if self.alarm == "conformal":
                return float(alarm.levels_[-1])
            warnings.warn(in_frames(alarm.statement(rate)), UserWarning, stacklevel=2)
        found = alarm.threshold(rate)
        return found if np.isfinite(found) else float(alarm.levels_[-1])

    def rate(self, false_alarm_rate: float | None = None, per_hour: float | None = None) -> float:
        """Events per normal frame that is looked at: as given in either unit, else the detector's own.

        Raises:
            Misfit: both are given; or it is by the clock, and nothing says how many frames make a second.
        """
        if false_alarm_rate is not None and per_hour is not None:
            raise Misfit("give either false_alarm_rate or per_hour, not both.")
        if per_hour is None:
            return self.false_alarm_rate_ if false_alarm_rate is None else false_alarm_rate
        if not isinstance(per_hour, Real) or not 0 < float(per_hour) < np.inf:
            raise Misfit(f"per_hour is {per_hour!r}; give a number of false alarms per hour above 0, such as 1.")
        frames = self.frames_per_hour_
        if frames is None:
            raise Misfit(
                f"per_hour={per_hour:g} counts by the clock, and no clip of fit says how many frames make a second; "
                "give Video(rate=25), say, or false_alarm_rate."
            )
        return min(per_hour / frames, 0.5)

    def statement(
        self, false_alarm_rate: float | None = None, per_hour: float | None = None, causal: bool | None = None
    ) -> str:
        """In a sentence, what stands behind alarms at this rate; by the clock where the rate of frames is known."""
        rate = self.rate(false_alarm_rate, per_hour)
        said = in_frames(self.alarm_(causal).statement(per_ten_thousand(rate)))
        frames = self.frames_per_hour_
        if frames is None:
            return said
        least = self.alarm_(causal).supported_rate / PER * frames
        return f"{said} That is {rate * frames:.3g} an hour; {least:.3g} or more are supported."

    def alarm_(self, causal: bool | None = None) -> Blocks:
        """The alarm that counts events of normal stretches, offline or causal."""
        check_is_fitted(self, "held_")
        key = (self._causal(causal), self.budget)
        if key not in self.cache_:
            stretches = self.totals(self.counted_[key[0]], key[0])
            if self.counted_ is self.held_.left_out:
                stretches = without_highest(stretches, self.contamination_)
            self.cache_[key] = counted(stretches, self.hold_off_)
        return self.cache_[key]

    def canvas_(self, causal: bool | None = None) -> Canvas:
        """What normal maps tell of single cells, offline or causal."""
        check_is_fitted(self, "held_")
        return self.held_.canvases[self._causal(causal)]

    def totals(self, stretches: Sequence[Told], causal: bool) -> list[Scores]:
        """Scores of stretches, from what the maps of members come to."""
        model = self.model_
        return [model.totals({name: told[name] for name in model.members}, causal) for told in stretches]

    @property
    def whole_(self) -> Footage:
        """All fitted parts."""
        if not hasattr(self, "held_"):
            raise AttributeError("the detector is not fitted yet; call fit.")
        return self.held_.whole

    @property
    def model_(self) -> Footage:
        """The fitted parts that the budget pays for."""
        return self.whole_.within(None if self.budget is None else int(self.budget))

    @property
    def decision_scores_(self) -> Any:
        """Scores of the frames of fit, each as if its clip had been left out, laid out like them.

        A frame that was not learnt from, of long video, takes the score of the last one before it that was.
        """
        return self._laid(lambda scores: scores)

    @property
    def labels_(self) -> Any:
        """1 at frames of fit that raise an alarm, each as if its clip had been left out, else 0."""
        limit = self.threshold(self.rate())
        return self._laid(lambda scores: (scores > limit).astype(int))

    @property
    def held_out_(self) -> list[Scores]:
        """Scores of the normal stretches that alarms count."""
        return self.alarm_().stretches_

    @property
    def threshold_(self) -> float:
        """The threshold for the rate in force."""
        return self.threshold(self.false_alarm_rate_)

    @property
    def false_alarm_rate_(self) -> float:
        """Events per normal frame in force."""
        if self.false_alarm_rate != "auto":
            return float(self.false_alarm_rate)
        asked = self.whole_.modality.per_hour
        return COMMON if asked is None else self.rate(per_hour=asked)

    @property
    def frames_per_hour_(self) -> float | None:
        """Frames that are looked at in an hour; None where nothing says how many make a second."""
        video = self.whole_.modality
        return None if video.rate_ is None else HOUR * video.rate_ / int(video.stride)

    @property
    def false_alarms_per_hour_(self) -> float | None:
        """The rate in force, in events per hour; None where nothing says how many frames make a second."""
        return None if self.frames_per_hour_ is None else self.false_alarm_rate_ * self.frames_per_hour_

    @property
    def contamination_(self) -> float:
        """The share of the frames of fit that are not counted as normal."""
        return float(self.whole_.facts["contamination"]["value"])

    @property
    def hold_off_(self) -> int:
        """So many quiet frames end an event: as far as scores are smoothed, at least 10."""
        chosen = self.whole_.recipe
        return max(QUIET, round(2 * (chosen.linger + float(chosen.smooth))))

    def references(self) -> str:
        """The works behind the fitted detector, as BibTeX."""
        return bibtex(self.model_.recipe.cite)

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the model as a folder: weights.safetensors, config.json, card.md. Nothing is pickled."""
        from anodiff.saving_video import save

        check_is_fitted(self, "held_")
        return save(self, Path(path), overwrite=overwrite)

    def _finish(self, held: Wrapped, counting: dict[bool, list[Told]]) -> None:
        held.whole.within(None if self.budget is None else int(self.budget))
        before = dict(self.__dict__)
        self.held_, self.counted_ = held, counting
        self.cache_: dict[tuple[bool, int | None], Blocks] = {}
        self.n_features_in_ = 1
        try:
            self.alarm_(False)
            self.alarm_(True)
        except Refusal:
            self.__dict__ = before
            raise

    def _reel(self, X: Any) -> Reel:
        check_is_fitted(self, "held_")
        video = self.whole_.modality
        found = rated(reel(X), video.rate)
        for note in notes_of(found):
            warnings.warn(note, UserWarning, stacklevel=4)
        return found

    def told(self, clip: Clip, causal: bool) -> Iterator[Said]:
        """What is said of a clip; at its end, what was odd about it."""
        model, first = self.model_, True
        for told in model.told(clip, causal):
            if first:
                for note in model.modality.doubts(clip, told.size):
                    warnings.warn(note, UserWarning, stacklevel=5)
                first = False
            yield told
        for note in clip.notes:
            warnings.warn(f"clip {clip.name}: {note}", UserWarning, stacklevel=5)
        if clip.unread:
            said = f"clip {clip.name}: {len(clip.unread)} frames could not be read and take the last score"
            warnings.warn(f"{said}; {clip.unread[0]}", UserWarning, stacklevel=5)

    def _per_frame(self, X: Any, causal: bool | None, of: Callable[[Scores], np.ndarray]) -> Any:
        shown, mode = self._reel(X), self._causal(causal)
        found = []
        for clip in shown.clips:
            said = [(told.index, told.score) for told in self.told(clip, mode)]
            index, scores = (
                (np.array(column) for column in zip(*said, strict=True)) if said else (np.zeros(0), np.zeros(0))
            )
            found.append(of(held(np.asarray(scores, np.float64), index, clip.length or len(said))))
        return shown.lay_out(found)

    def _maps(self, X: Any, causal: bool | None, of: Callable[[np.ndarray], np.ndarray]) -> Any:
        shown, mode = self._reel(X), self._causal(causal)
        found = []
        for clip in shown.clips:
            index, maps, size = list[int](), list[np.ndarray](), (1, 1)
            for told in self.told(clip, mode):
                size = size if maps else told.size
                index.append(told.index)
                maps.append(laid(of(told.map), size))
            whole = np.stack(maps) if maps else np.zeros((0, *size), np.float32)
            found.append(held(whole, np.array(index), clip.length or len(maps)))
        return shown.lay_out(found)

    def _laid(self, of: Callable[[Scores], np.ndarray]) -> Any:
        mode, wrapped = self._causal(None), self.held_
        totals, found = self.totals(wrapped.left_out[mode], mode), []
        for clip, length in enumerate(wrapped.lengths):
            own = [k for k, number in enumerate(wrapped.clips) if number == clip]
            scores = np.concatenate([np.zeros(0), *(totals[k] for k in own)])
            index = np.concatenate([np.zeros(0), *(wrapped.indices[k] for k in own)])
            found.append(of(held(scores, index, length)))
        if self.layout_ == "one":
            return found[0]
        return found if self.layout_ == "list" else dict(zip(self.names_, found, strict=True))

    def _causal(self, given: bool | None) -> bool:
        told = self.modality if isinstance(self.modality, Video) else self.whole_.modality
        return bool(told.causal if given is None else given)


def fresh(given: object) -> Video:
    """A modality that is not fitted: by name, or like the one given."""
    if isinstance(given, Video):
        return cast(Video, clone(given))
    if given not in ("video", "auto"):
        raise Misfit(f"modality is {given!r}; give 'video', or a Video with settings of its own.")
    return Video()


def rated(found: Reel, rate: float | None) -> Reel:
    """A reel whose clips have a rate, this one where they do not say so themselves."""
    given = [each.rated(rate) if isinstance(each, Clip) and each.rate is None else each for each in found.given]
    return replace(found, given=given)


def in_frames(said: str) -> str:
    """What an alarm states of instants; the threshold of video is never above the highest held-out score."""
    return said.replace("instants", "frames").replace("nothing will be an alarm", "only what exceeds them all is one")


def held(values: np.ndarray, index: np.ndarray, length: int) -> np.ndarray:
    """Values `(n, ...)` of the frames at `index` for all of a clip `(length, ...)`: others take the last before them.

    >>> held(np.array([1.0, 2.0]), np.array([0, 2]), 5)
    array([1., 1., 2., 2., 2.])
    """
    if not len(values):
        return np.zeros((0, *values.shape[1:]), values.dtype)
    at = np.searchsorted(index, np.arange(max(length, int(index[-1]) + 1)), side="right") - 1
    return values[np.maximum(at, 0)]


def laid(map: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A map of cells `(h, w)` laid on a frame of that size `(H, W)` float32."""
    resized = Pillow.fromarray(np.asarray(map, np.float32)).resize((size[1], size[0]), Pillow.Resampling.BILINEAR)
    return np.array(resized, np.float32)


def notes_of(found: Reel) -> list[str]:
    """What is to be said of a reel: what was passed over, and clips that could not be read."""
    notes = list(found.notes)
    if found.unread:
        told = "; ".join(str(each).rstrip(".") for each in found.unread[:3])
        more = f", and {len(found.unread) - 3} more" if len(found.unread) > 3 else ""
        notes.append(f"{len(found.unread)} clips or frames could not be read and are left out: {told}{more}.")
    return notes
