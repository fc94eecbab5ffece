"""The detector: normal data in, calibrated alarm out. PyOD's names, sign and labels; no maths of its own.

Each kind of data has a detector of its own: `detect_tables`, `detect_series`, `detect_images`, `detect_video`,
`detect_poses`, `detect_multimodal`. The kind is decided by the data when it is fitted, and that detector is asked from
then on.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
from sklearn.utils.validation import check_is_fitted

from anodiff.detect_tables import ROWS, TableDetector
from anodiff.prepare import Kind, kind_of
from anodiff.recipes.grow import Progress
from anodiff.settings import CHANGEABLE, Settings, check_settings
from anodiff.types import Misfit, Scores

if TYPE_CHECKING:
    from anodiff.adapt import SklearnDetector
    from anodiff.alarms import Region
    from anodiff.happening import Happening
    from anodiff.incident import Incident, Seen
    from anodiff.live import Stream
    from anodiff.verdict import Verdict

FITTED = {
    "tabular": "a table was fitted",
    "series": "series were fitted",
    "image": "images were fitted",
    "video": "video was fitted",
    "poses": "poses were fitted",
    "multimodal": "records of several kinds were fitted",
}
LACKING = {
    "teach": "teach() is for tables, series and images, and {fitted}; fit it anew with examples.",
    "events": "events() is for series, video and poses, and {fitted}; give Detector(modality='series').",
    "stream": "stream() is for series and video, and {fitted}; give Detector(modality='series').",
    "judge": "judge() is for images and video, and {fitted}; give Detector(modality='image').",
    "part_scores": "part_scores() is for several kinds at once, and {fitted}; give Detector(modality='multimodal').",
    "frame_scores": "frame_scores() is for poses, and {fitted}; give Detector(modality='poses').",
    "regions": "regions() is for images, and {fitted}; give Detector(modality='image').",
    "p_map": "p_map() is for images, and {fitted}; give Detector(modality='image').",
    "names": "names() is for images, and {fitted}; give Detector(modality='image').",
    "score_chunks": "score_chunks() cuts tables into chunks, and {fitted}; call decision_function.",
}
"""What is said where the fitted kind of data has no such method."""
INSTEAD = {
    "tabular": "give Detector(modality='series') for what is of series",
    "series": "see alarm_, events and stream",
    "image": "give Detector(modality='tabular') for what is of tables",
    "video": "see alarm_, events and stream",
    "poses": "see alarm_ and events",
    "multimodal": "see part_scores and explain",
}


class Detector(Settings):
    """Detects what does not belong to the normal data that it was fitted on.

    Of series every method says the same of instants, and takes `causal`: whether an instant is judged by those before
    it alone; see `detect_series.SeriesDetector`. `false_alarm_rate`, `alarm` and `budget` can be changed after `fit`.

    Args:
        modality: What kind of data: "auto", "tabular", "series", "image", "video", "poses", "multimodal", "text", or a
            `Modality` with settings of its own. "auto" decides by the data; poses are to be said.
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
        kind_: What was fitted: "tabular", "series", "image", "video", "poses" or "multimodal".
        inner_: The fitted detector of that kind. What it has learnt can be asked here by the same name.
        model_: The fitted parts that the budget pays for.
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

    kind_: Kind
    inner_: Any
    threshold_: float
    false_alarm_rate_: float
    contamination_: float
    n_features_in_: int

    def fit(self, X: Any, y: Any = None, *, examples: Any = None, regions: Any = None) -> Self:
        """Learn normal data `X`: an array, a frame, a path. `y` is ignored.

        Args:
            X: Normal items.
            y: Ignored.
            examples: A handful of known anomalies, not in X, of the same columns. They decide which scores are heard,
                what resembles them scores higher, and `false_alarm_rate="auto"` places the threshold by them.
            regions: Of series and images: where each example is abnormal, True there; of images masks.

        Raises:
            Unreadable: X is not a table of at least 5 rows in which something varies, or examples are none.
            Misfit: a setting is out of range, or the kind of data knows no regions.
        """
        for _ in self.fitting(X, examples=examples, regions=regions):
            pass
        return self

    def fitting(self, X: Any, *, examples: Any = None, regions: Any = None) -> Iterator[Progress]:
        """Fit, yielding progress; the detector is fitted when the last record has been taken, and unchanged before."""
        check_settings(self)
        kind = kind_of(self.modality, X)
        inner = DETECTORS[kind]()(**self.get_params(deep=False))
        if kind != "tabular":
            yield from inner.fitting(X, examples=examples, regions=regions)
        elif regions is not None:
            raise Misfit(f"regions are of series and pictures, and the data is judged as {kind}; leave regions out.")
        else:
            yield from inner.fitting(X, examples=examples)
        self.hold(kind, inner)

    def hold(self, kind: Kind, inner: Any) -> Self:
        """Ask `inner`, a fitted detector of that kind, from now on."""
        self.kind_, self.inner_ = kind, inner
        return self

    def calibrate(self, X: Any) -> Self:
        """Count normals `X` that were not learnt from, instead of the left-out rows of `fit`; nothing is learnt anew.

        For normals that are exchangeable with them, P(p <= a) <= a is then a theorem.

        Raises:
            Unreadable: X has no rows, or differs in its columns from what was fitted.
        """
        self._asked().calibrate(X)
        return self

    def teach(self, examples: Any, regions: Any = None, *, normals: Any = None, weights: Any = None) -> Self:
        """A copy that has learnt known anomalies; its models of what is normal stay as they are, and so does this one.

        Args:
            examples: Known anomalies, real or made, as `fit` takes them: all that the copy is to know of.
            regions: Where they are abnormal; of images their masks.
            normals: Normal items that were not learnt from, by which the copy tells them apart and is calibrated.
            weights: `(k,)`, how much each example counts beside the others; all alike by default.

        Raises:
            Unreadable: examples or normals are none of this kind.
            Misfit: weights are not one for each example, 0 or more; or normals are needed and none were given.
        """
        inner = self._asked("teach").teach(examples, regions, normals=normals, weights=weights)
        return type(self)(**self.get_params(deep=False)).hold(self.kind_, inner)

    def decision_function(self, X: Any, **settings: Any) -> Any:
        """Scores `(n,)`, float64; higher is more anomalous. Files are streamed.

        Args:
            X: Items to score.
            settings: Of series, `causal`; there is then a score per instant, laid out like X.

        Raises:
            Unreadable: X differs in its columns from what was fitted.
        """
        return self._asked().decision_function(X, **settings)

    def score_chunks(self, X: Any, rows: int = ROWS) -> Iterator[tuple[Any, Scores]]:
        """Pass through X in bounded memory: tables of at most `rows` rows and their scores."""
        yield from self._asked("score_chunks").score_chunks(X, rows)

    def p_value(self, X: Any, **settings: Any) -> Any:
        """The share of held-out normals that score at least as high `(n,)`, conformal: P(p <= a | normal) is about a.

        After `calibrate` it is at most a, by theorem. After `fit` alone the normals are those that it learnt from,
        scored by parts that had not seen them, while X is scored by parts fitted on all: a calibration in the manner
        of the jackknife, which holds as far as the two agree. How far is measured in benchmarks/.
        """
        return self._asked().p_value(X, **settings)

    def p_of(self, scores: Scores, **settings: Any) -> Scores:
        """p-values of scores that `decision_function` gave."""
        return np.asarray(self._asked().p_of(scores, **settings))

    def predict(
        self, X: Any, *, false_alarm_rate: float | None = None, fdr: float | None = None, **settings: Any
    ) -> Any:
        """1 where X raises an alarm, else 0, `(n,)`.

        Args:
            X: Items to judge.
            false_alarm_rate: Instead of the detector's own.
            fdr: Instead of a rate per normal item, control the share of false alarms among the alarms of this call
                (Benjamini and Hochberg). Not of series, whose instants depend on each other.
            settings: Of series, `causal`.
        """
        return self._asked().predict(X, false_alarm_rate=false_alarm_rate, fdr=fdr, **settings)

    def decide(
        self, scores: Scores, *, false_alarm_rate: float | None = None, fdr: float | None = None, **settings: Any
    ) -> np.ndarray:
        """`predict` for scores that `decision_function` gave."""
        found = self._asked().decide(scores, false_alarm_rate=false_alarm_rate, fdr=fdr, **settings)
        return np.asarray(found)

    def predict_proba(self, X: Any, **settings: Any) -> Any:
        """`(n, 2)`: the p-value and one minus it, in PyOD's layout; neither is the probability of being abnormal."""
        return self._asked().predict_proba(X, **settings)

    def fit_predict(self, X: Any, y: Any = None) -> Any:
        """Labels of X itself, each row as if it had been left out: the unsupervised use."""
        return self.fit(X).labels_

    def anomaly_map(self, X: Any) -> Any:
        """Evidence per cell, laid out like X `(n, columns)`; each row adds up to its score."""
        return self._asked().anomaly_map(X)

    def explain(self, X: Any, *, top: int = 3, **settings: Any) -> Sequence[Any]:
        """Per row: the nearest normal row, each cell's part of the score, and a sentence about the `top` cells.

        Of series per event, the worst first: which channels, since when, what was expected instead.
        """
        found: Sequence[Any] = self._asked().explain(X, top=top, **settings)
        return found

    def threshold(self, false_alarm_rate: float, **settings: Any) -> float:
        """The score above which an alarm is raised, for a wanted rate; warns where the rate is beyond the normals."""
        return float(self._asked().threshold(false_alarm_rate, **settings))

    def statement(self, false_alarm_rate: float | None = None, **settings: Any) -> str:
        """In a sentence, what stands behind alarms at this rate."""
        return str(self._asked().statement(false_alarm_rate, **settings))

    def references(self) -> str:
        """The works behind the fitted detector, as BibTeX."""
        return str(self._asked().references())

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the model as a folder: weights.safetensors, config.json, card.md. Nothing is pickled.

        Raises:
            FileExistsError: there is something at `path` and `overwrite` is False.
        """
        return Path(self._asked().save(path, overwrite=overwrite))

    def events(self, X: Any, **settings: Any) -> "list[Happening] | list[Incident]":
        """Of series, video and poses: what happened, runs of alarms with their times, in video their places too."""
        found: list[Happening] | list[Incident] = self._asked("events").events(X, **settings)
        return found

    def stream(self, **settings: Any) -> "Stream":
        """Of series: a live detector that takes instants as they come; see `live.Stream`."""
        found: Stream = self._asked("stream").stream(**settings)
        return found

    def judge(self, X: Any, *, maps: bool = True, **settings: Any) -> "Iterator[Verdict | Seen]":
        """Of images and video: a verdict for each picture or frame, in bounded memory.

        A picture that cannot be read is listed among them.
        """
        found: Iterator[Verdict | Seen] = self._asked("judge").judge(X, maps=maps, **settings)
        return found

    def regions(self, X: Any, *, false_alarm_rate: float | None = None) -> "list[list[Region]]":
        """Of images: where each is odd, the oddest first; see `detect_images.ImageDetector.regions`."""
        found: list[list[Region]] = self._asked("regions").regions(X, false_alarm_rate=false_alarm_rate)
        return found

    def p_map(self, X: Any) -> Any:
        """Of images: how much of normal pictures looks as odd as each pixel, laid out like `anomaly_map`."""
        return self._asked("p_map").p_map(X)

    def names(self, X: Any) -> list[str]:
        """Of images: what those that can be read are called, in the order of their scores."""
        found: list[str] = self._asked("names").names(X)
        return found

    def part_scores(self, X: Any) -> dict[str, Scores]:
        """Of several kinds at once: the score of each part, and of each given the rest, `(n,)`; NaN where missing."""
        found: dict[str, Scores] = self._asked("part_scores").part_scores(X)
        return found

    def frame_scores(self, X: Any, **settings: Any) -> Any:
        """Of poses: a score per frame, the highest of the persons in it."""
        return self._asked("frame_scores").frame_scores(X, **settings)

    def as_sklearn(self) -> "SklearnDetector":
        """The same detector with scikit-learn's sign and labels (-1 anomaly, +1 normal)."""
        from anodiff.adapt import SklearnDetector

        return SklearnDetector(**self.get_params(deep=False))

    def __getattr__(self, name: str) -> Any:
        """What the fitted detector has learnt: its attributes that end in `_`, by the same name."""
        if name.startswith("_") or not name.endswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        if "inner_" not in self.__dict__:
            raise AttributeError("the detector is not fitted yet; call fit.")
        try:
            return getattr(self._asked(), name)
        except AttributeError:
            if hasattr(type(self.inner_), name):
                raise
        raise AttributeError(f"there is no {name} here: {FITTED[self.kind_]}; {INSTEAD[self.kind_]}.")

    def __dir__(self) -> list[str]:
        learnt = dir(self.__dict__.get("inner_"))
        return sorted({*super().__dir__(), *(name for name in learnt if name.endswith("_") and name[0] != "_")})

    def _asked(self, method: str = "") -> Any:
        """The fitted detector, with the settings that may have changed since; it has `method`, or this is refused."""
        check_is_fitted(self, "inner_")
        if method and not hasattr(self.inner_, method):
            raise Misfit(LACKING[method].format(fitted=FITTED[self.kind_]))
        for name in CHANGEABLE:
            setattr(self.inner_, name, getattr(self, name))
        check_settings(self)
        return self.inner_


def _of_series() -> type:
    from anodiff.detect_series import SeriesDetector

    return SeriesDetector


def _of_images() -> type:
    from anodiff.detect_images import ImageDetector

    return cast(type, ImageDetector)


def _of_video() -> type:
    from anodiff.detect_video import VideoDetector

    return VideoDetector


def _of_poses() -> type:
    from anodiff.detect_poses import PoseDetector

    return PoseDetector


def _of_several() -> type:
    from anodiff.detect_multimodal import MultimodalDetector

    return MultimodalDetector


DETECTORS: dict[Kind, Callable[[], type]] = {
    "tabular": lambda: TableDetector,
    "series": _of_series,
    "image": _of_images,
    "video": _of_video,
    "poses": _of_poses,
    "multimodal": _of_several,
}
