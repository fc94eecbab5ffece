"""The detector of pictures: a folder of good parts in, heat maps and calibrated alarms out."""

import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from anodiff.alarms import Conformal, Region, Tail, benjamini_hochberg
from anodiff.calibration import Counted
from anodiff.curate import Held, batched, curate
from anodiff.data.pictures import Album, Picture, Unread, album, normal_part
from anodiff.gallery import Gallery
from anodiff.lessons import Lessons, lessons
from anodiff.modalities.features import Features
from anodiff.modalities.image import Image
from anodiff.recipes.defects import defects
from anodiff.recipes.grow import Progress
from anodiff.recipes.schema import Recipe, bibtex, recipe
from anodiff.settings import Settings, check_settings
from anodiff.types import Misfit, Scores
from anodiff.verdict import Verdict

if TYPE_CHECKING:
    from anodiff.explain.sights import Sight

DEPTH = 0.5
"""A region ends where its map falls to this share of its peak."""


class ImageDetector(Settings):
    """Detects pictures that do not look like the normal ones that it was fitted on, and where.

    What `Detector` says of rows holds here of pictures. Every method that takes pictures takes a folder, a file, a list
    of paths, arrays `(n, H, W[, C])` or a list of them, Pillow's images or an `Album`. In a folder, files that cannot
    be read are left out, with one warning that names them; everywhere else they are refused.

    Fitted on pairs, a list of tuples (reference, tested) or what `anodiff.data.pairs.pairs` makes of folders, it judges
    whether each picture agrees with its own reference, and takes nothing but pairs from then on.

    `max_rows` bounds the pictures that are learnt from, which are 4,000 at most.

    Attributes:
        decision_scores_: Scores `(n,)` of the pictures of fit, each as if it and its near-duplicates had been left out.
        names_: What these pictures are called.
        unread_: Pictures of fit that could not be read.
    """

    cache_: tuple[int | None, Held]
    held_: Held
    whole_: Gallery

    def fit(self, X: Any, y: Any = None, *, examples: Any = None, regions: Any = None) -> Self:
        """Learn normal pictures `X`; of a folder laid out like MVTec AD's its train/good. `y` is ignored.

        Args:
            X: Normal pictures.
            y: Ignored.
            examples: A handful of pictures of known defects, not in X.
            regions: Their masks: a list with one bool array `(H, W)`, file or None for each, or a folder of mask files
                with the names of the examples, `_mask` behind them or not.

        Raises:
            Unreadable: there are fewer than 5 pictures, or they are all the same.
            Misfit: a setting is out of range.
        """
        for _ in self.fitting(X, examples=examples, regions=regions):
            pass
        return self

    def fitting(self, X: Any, *, examples: Any = None, regions: Any = None) -> Iterator[Progress]:
        """Fit, yielding progress; the detector is fitted when the last record has been taken, and unchanged before."""
        began = time.perf_counter()
        check_settings(self)
        pictures, notes = normal_album(X)
        chosen = self._chosen(pictures.paired)
        held = yield from curate(
            chosen,
            self._image(),
            pictures,
            seed=int(self.seed),
            most=int(self.max_rows),
            contaminated=cast(Any, self.contamination),
            max_seconds=None if self.max_seconds is None else float(self.max_seconds),
            examples=examples,
            regions=regions,
        )
        held.whole.facts["seconds"] = time.perf_counter() - began
        self._finish(held)
        for note in [*notes, *unread_in_words(held.unread), *held.notes]:
            warnings.warn(note, UserWarning, stacklevel=2)

    def calibrate(self, X: Any) -> Self:
        """Count normal pictures `X` that were not learnt from, instead of the left-out ones of `fit`.

        Raises:
            Unreadable: there are fewer than two pictures in X.
        """
        check_is_fitted(self, "whole_")
        held, unread = self.held_.calibrated(self._read(X))
        self._finish(held)
        for note in unread_in_words(unread):
            warnings.warn(note, UserWarning, stacklevel=2)
        return self

    def teach(self, examples: Any, regions: Any = None, *, normals: Any = None, weights: Any = None) -> Self:
        """A copy that has learnt pictures of known defects, and forgotten those that it knew; its models stay.

        Its alarms count `normals`, each by a head that had not seen it, and its `decision_scores_` are theirs.

        Args:
            examples: Pictures of all defects that it is to know, real or made.
            regions: Their masks, as `fit` takes them.
            normals: Normal pictures that were not learnt from, at least five, better 100; or what `lessons` made of
                them, where they are to serve several times.
            weights: `(k,)`, how much each example counts beside the others: 1 for real ones, less for what was made
                after them, which then does not judge how well they are found.

        Raises:
            Unreadable: too few normals or no example can be read.
            Misfit: no normals were given, an example is among them, or weights are not one for each.
        """
        check_is_fitted(self, "whole_")
        if normals is None:
            raise Misfit("teach() needs normal pictures that were not learnt from; give them as normals=, better 100.")
        seen = normals if isinstance(normals, Lessons) else self.lessons(normals)
        held = seen.taught(self.held_, defects(self.whole_.modality, examples, regions), weights, int(self.seed))
        taught = type(self)(**self.get_params(deep=False))
        taught._finish(held)
        for note in [*unread_in_words(seen.unread), *held.notes]:
            warnings.warn(note, UserWarning, stacklevel=2)
        return taught

    def lessons(self, normals: Any, *, learnt: bool = False) -> Lessons:
        """Look at normal pictures once, to teach by them several times.

        Args:
            normals: Normal pictures.
            learnt: Whether they are those of `fit`: what was said of each when it had been left out counts then.

        Raises:
            Unreadable: fewer than five of them can be read.
            Misfit: they are not those of fit, though it is said so.
        """
        check_is_fitted(self, "whole_")
        found = lessons(self.whole_, self._read(normals), self.held_.left_out if learnt else None)
        if learnt and found.names != self.names_:
            raise Misfit(
                f"the {len(found)} normals are not the {len(self.names_)} pictures of fit; leave out learnt=True."
            )
        return found

    def judge(self, X: Any, *, maps: bool = True) -> Iterator[Verdict]:
        """Pass through pictures in bounded memory: a verdict for each, in the order of their names.

        Args:
            X: Pictures.
            maps: Whether verdicts carry their maps.
        """
        check_is_fitted(self, "whole_")
        limit = self.threshold_
        for batch in batched(album(X).pictures(self.whole_.modality.square)):
            read = [picture for picture in batch if isinstance(picture, Picture)]
            found = iter(self._judged(read, limit, maps))
            yield from (Verdict(p.name, unread=p.why) if isinstance(p, Unread) else next(found) for p in batch)

    def names(self, X: Any) -> list[str]:
        """What the pictures of X that can be read are called, in the order of their scores."""
        check_is_fitted(self, "whole_")
        return [each.name for each in album(X).pictures(self.whole_.modality.square) if isinstance(each, Picture)]

    def decision_function(self, X: Any) -> Scores:
        """Scores `(n,)`, float64; higher is more anomalous. NaN never.

        Raises:
            Unreadable: there are no pictures in X, or in a list one cannot be read.
        """
        return np.array([verdict.score for verdict in self._read_of(X, maps=False)], dtype=np.float64)

    def p_value(self, X: Any) -> Scores:
        """How probably a normal picture scores as high, `(n,)`."""
        return self.p_of(self.decision_function(X))

    def p_of(self, scores: Scores) -> Scores:
        """p-values of scores that `decision_function` gave."""
        return self._counted.p_value(scores, self.alarm)

    def predict(self, X: Any, *, false_alarm_rate: float | None = None, fdr: float | None = None) -> np.ndarray:
        """1 where a picture raises an alarm, else 0, `(n,)`."""
        return self.decide(self.decision_function(X), false_alarm_rate=false_alarm_rate, fdr=fdr)

    def decide(self, scores: Scores, *, false_alarm_rate: float | None = None, fdr: float | None = None) -> np.ndarray:
        """`predict` for scores that `decision_function` gave."""
        if fdr is not None:
            if false_alarm_rate is not None:
                raise Misfit("give either false_alarm_rate or fdr, not both.")
            return benjamini_hochberg(self.p_of(scores), fdr).astype(int)
        return (scores > self.threshold(self._rate(false_alarm_rate))).astype(int)

    def predict_proba(self, X: Any) -> np.ndarray:
        """`(n, 2)`: the p-value and one minus it, in PyOD's layout; neither is the probability of being abnormal."""
        p = self.p_value(X)
        return np.column_stack([p, 1 - p])

    def fit_predict(self, X: Any, y: Any = None) -> np.ndarray:
        """Labels of X itself, each picture as if it had been left out: the unsupervised use."""
        return self.fit(X).labels_

    def anomaly_map(self, X: Any) -> Any:
        """Evidence by pixel: `(n, H, W)` float32 where all pictures have one size, else a list of `(H, W)`.

        In standard deviations of what normal pictures show; it does not add up to the score, which is of the worst
        places alone.
        """
        return stacked([self.laid(verdict) for verdict in self._read_of(X)])

    def p_map(self, X: Any) -> Any:
        """How much of normal pictures looks as odd as each pixel, laid out like `anomaly_map`."""
        return stacked([self.p_map_of(verdict) for verdict in self._read_of(X)])

    def regions(self, X: Any, *, false_alarm_rate: float | None = None) -> list[list[Region]]:
        """Per picture where it is odd, the oddest first: at most this share of normal pictures shows any region."""
        return [self.regions_of(verdict, false_alarm_rate) for verdict in self._read_of(X)]

    def laid(self, verdict: Verdict) -> np.ndarray:
        """The map of a verdict laid on its picture, `(H, W)` float32; what was not looked at is the lowest."""
        found = self._map(verdict)
        return self.whole_.modality.laid(found, verdict.size, float(found.min()))

    def p_map_of(self, verdict: Verdict) -> np.ndarray:
        """`p_map` of one verdict."""
        return self._at_budget.pixels.p_value(self.laid(verdict))

    def regions_of(self, verdict: Verdict, false_alarm_rate: float | None = None) -> list[Region]:
        """`regions` of one verdict."""
        held = self._at_budget
        rate = max(self._rate(false_alarm_rate), 1 / (len(self.held_out_) + 1))
        extent = min(held.extent, held.regions.threshold(rate))
        return held.regions.find(self.laid(verdict), rate, extent=extent, depth=DEPTH)

    def explain(self, X: Any, *, top: int = 3) -> "list[Sight]":
        """Per picture: where it is odd, what a normal one looks like, and a sentence about the `top` regions."""
        from anodiff.explain.sights import sights

        check_is_fitted(self, "whole_")
        return sights(self, X, top=top)

    def threshold(self, false_alarm_rate: float) -> float:
        """The score above which an alarm is raised, for a wanted rate; warns where the rate is beyond the normals."""
        return self._counted.threshold(false_alarm_rate, self.alarm)

    def statement(self, false_alarm_rate: float | None = None) -> str:
        """In a sentence, what stands behind alarms at this rate."""
        return self._counted.statement(self._rate(false_alarm_rate), self.alarm)

    def references(self) -> str:
        """The works behind the fitted detector, as BibTeX."""
        return bibtex(self.model_.recipe.cite)

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the model as a folder: weights.safetensors, config.json, card.md. Nothing is pickled.

        Raises:
            FileExistsError: there is something at `path` and `overwrite` is False.
        """
        from anodiff.saving_images import save

        check_is_fitted(self, "whole_")
        return save(self, Path(path), overwrite=overwrite)

    @property
    def model_(self) -> Gallery:
        """The fitted parts that the budget pays for."""
        return self._at_budget.whole

    @property
    def decision_scores_(self) -> Scores:
        """Scores `(n,)` of the pictures of fit, each as if it and its near-duplicates had been left out."""
        return self._counted.left_out

    @property
    def labels_(self) -> np.ndarray:
        """1 where the pictures of fit, each as if left out, raise an alarm, else 0."""
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
        """The rate in force: the detector's own, or for "auto" what known defects ask for, else 1 %."""
        return self._counted.rate if self.false_alarm_rate == "auto" else float(self.false_alarm_rate)

    @property
    def contamination_(self) -> float:
        """The share of anomalies among the pictures of fit: as given, or estimated."""
        return float(self.whole_.facts["contamination"]["value"])

    @property
    def names_(self) -> list[str]:
        """The pictures that it was fitted on, in the order of `decision_scores_`."""
        return list(self.held_.names)

    @property
    def unread_(self) -> list[Unread]:
        """Pictures of fit that could not be read."""
        return list(self.held_.unread)

    def _judged(self, pictures: Sequence[Picture], limit: float, maps: bool) -> Iterator[Verdict]:
        if not pictures:
            return
        model = self.model_
        said = model.raw(pictures, shown=maps)
        canvas = model.canvas(said).numpy() if maps else None
        scores = model.totals(said)
        p_values = self.p_of(scores)
        for k, picture in enumerate(pictures):
            map = None if canvas is None else canvas[k].copy()
            score, p = float(scores[k]), float(p_values[k])
            yield Verdict(picture.name, picture.path, picture.size, score, p, score > limit, map)

    def _read_of(self, X: Any, maps: bool = True) -> list[Verdict]:
        """Verdicts of the pictures that can be read; the others are named in a warning."""
        found = list(self.judge(X, maps=maps))
        for note in unread_in_words([Unread(v.name, v.unread) for v in found if v.unread is not None]):
            warnings.warn(note, UserWarning, stacklevel=4)
        return [verdict for verdict in found if verdict.unread is None]

    def _read(self, X: Any) -> Album:
        pictures, notes = normal_album(X)
        for note in notes:
            warnings.warn(note, UserWarning, stacklevel=3)
        return pictures

    def _map(self, verdict: Verdict) -> np.ndarray:
        if verdict.map is None:
            raise Misfit(f"the verdict on {verdict.name} carries no map; judge with maps=True.")
        return verdict.map

    def _image(self) -> Image | Features:
        if isinstance(self.modality, Image | Features):
            return cast(Image | Features, clone(self.modality))
        if self.modality not in ("image", "auto"):
            raise Misfit(f"modality is {self.modality!r}; give 'image', or an Image or Features with settings.")
        return Image()

    def _chosen(self, paired: bool) -> Recipe:
        auto = isinstance(self.recipe, str) and self.recipe == "auto"
        chosen = recipe(("image-pair" if paired else "image") if auto else self.recipe, self.changes)
        if chosen.kind != "image":
            kind = chosen.kind
            raise Misfit(f"recipe {chosen.name!r} is for {kind}; give modality={kind!r}, or choose one for images.")
        return chosen

    def _rate(self, given: float | None) -> float:
        return self.false_alarm_rate_ if given is None else given

    @property
    def _counted(self) -> Counted:
        return self._at_budget.counted

    @property
    def _at_budget(self) -> Held:
        if not hasattr(self, "whole_"):
            raise AttributeError("the detector is not fitted yet; call fit.")
        budget = None if self.budget is None else int(self.budget)
        if self.cache_[0] != budget:
            check_settings(self)
            self.cache_ = (budget, self.held_.within(budget))
        return self.cache_[1]

    def _finish(self, held: Held) -> None:
        budget = None if self.budget is None else int(self.budget)
        self.cache_ = (budget, held.within(budget))
        self.held_, self.whole_ = held, held.whole
        self.n_features_in_ = 1


def normal_album(X: Any) -> tuple[Album, list[str]]:
    """The normal pictures in what a user gives, and what is to be said of it."""
    notes = list[str]()
    if isinstance(X, str | Path):
        X, note = normal_part(X)
        notes += [] if note is None else [note]
    found = album(X)
    return found, notes + list(found.notes)


def unread_in_words(unread: Sequence[Unread]) -> list[str]:
    """One sentence on the pictures that could not be read; none where all could."""
    if not unread:
        return []
    more = f", and {len(unread) - 3} more" if len(unread) > 3 else ""
    told = "; ".join(str(each).rstrip(".") for each in unread[:3])
    return [f"{len(unread)} picture{'s' * (len(unread) > 1)} could not be read and left out: {told}{more}."]


def stacked(maps: list[np.ndarray]) -> Any:
    """Maps as one array where they have one size."""
    return np.stack(maps) if maps and len({each.shape for each in maps}) == 1 else maps
