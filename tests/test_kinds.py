"""Which kind of data it is, and the facade over one detector per kind."""

import copy
import os
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
from pydantic import BaseModel, ConfigDict
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

import anodiff
from anodiff import Detector
from anodiff.modalities import Tabular
from anodiff.modalities.series import Series
from anodiff.prepare import kind_of
from anodiff.recipes.grow import Progress
from anodiff.saving import sealed, write_folder
from anodiff.settings import Settings
from anodiff.types import BadModel, Misfit
from series_toys import SMALL
from toys import broken, normals


class Brightness(Settings):
    """A detector of images that judges by their mean; it stands in for the real one."""

    def fitting(self, X: Any, *, examples: Any = None, regions: Any = None) -> Iterator[Progress]:
        self.shown_ = (examples, regions)
        self.whole_ = float(np.mean(X))
        yield Progress(1, 1, "learning")

    def decision_function(self, X: Any) -> np.ndarray:
        return np.abs(np.asarray(X).reshape(len(X), -1).mean(1) - self.whole_)

    def threshold(self, false_alarm_rate: float) -> float:
        return 1 - false_alarm_rate

    @property
    def threshold_(self) -> float:
        return self.threshold(0.01 if self.false_alarm_rate == "auto" else float(self.false_alarm_rate))

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        content = {"modality": "image"}
        arrays = {"brightness/mean": np.array([self.whole_])}
        return write_folder(Path(path), overwrite, arrays, lambda weights: sealed(self, weights, content), "# a card")


class BrightnessConfig(BaseModel):
    model_config = ConfigDict(extra="forbid")

    format: int
    anodiff: str
    weights: str
    weights_sha256: str
    settings: dict[str, Any]
    modality: Literal["image"]
    sha256: str


def brightness(config: BrightnessConfig, group: Any) -> Brightness:
    detector = Brightness(**config.settings)
    detector.whole_ = float(group("brightness")["mean"][0])
    return detector


@pytest.fixture
def images(monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Pictures, with a stand-in for what judges them."""
    judging, saving = ModuleType("anodiff.detect_images"), ModuleType("anodiff.saving_images")
    judging.ImageDetector = Brightness  # type: ignore[attr-defined]
    saving.ImagesConfig, saving.restored = BrightnessConfig, brightness  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, judging.__name__, judging)
    monkeypatch.setitem(sys.modules, saving.__name__, saving)
    return np.random.default_rng(0).random((6, 8, 8, 3))


@pytest.fixture(scope="module")
def table() -> Detector:
    return Detector(recipe="mahalanobis", false_alarm_rate=0.05).fit(normals(100))


@pytest.fixture(scope="module")
def series() -> Detector:
    wave = np.sin(np.arange(600) * 2 * np.pi / 40) + 0.05 * np.random.default_rng(0).normal(size=600)
    return Detector("series", recipe=SMALL).fit(wave)


def folder(place: Path, *names: str) -> Path:
    for name in names:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(b"")
    return place


GOOD = [f"train/good/{k:03}.png" for k in range(20)]
BYTES, FLOATS = np.zeros((8, 8), np.uint8), np.zeros((8, 8))


class TestKind:
    @pytest.mark.parametrize(
        ("names", "kind"),
        [
            (["a.PNG", "b.jpeg"], "image"),
            (["deep/er/a.tif", "deep/b.webp"], "image"),
            (["license.txt", "readme.txt", *GOOD], "image"),
            ([".DS_Store", ".thumbs/a.csv", "a.bmp"], "image"),
            (["part-0.parquet", "part-1.parquet"], "tabular"),
            (["log.csv", "plots/a.png", "old.csv"], "tabular"),
            ([".hidden.png"], "tabular"),
            ([], "tabular"),
        ],
    )
    def test_of_a_folder(self, tmp_path: Path, names: list[str], kind: str) -> None:
        place = folder(tmp_path, *names)
        assert kind_of("auto", place) == kind_of("auto", str(place)) == kind
        assert kind_of("tabular", place) == "tabular"

    def test_links_that_lead_round_end(self, tmp_path: Path) -> None:
        place = folder(tmp_path, "a/b/part.png")
        (place / "a" / "b" / "again").symlink_to(place, target_is_directory=True)
        assert kind_of("auto", place) == "image"

    def test_few_entries_are_looked_at(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("anodiff.data.pictured.VISITED", 4)
        looked, scan = [], os.scandir
        monkeypatch.setattr("anodiff.data.pictured.os.scandir", lambda path: looked.append(path) or scan(path))
        assert kind_of("auto", folder(tmp_path, *(f"{k}/a.png" for k in range(9)))) == "tabular"
        assert len(looked) == 2  # once for videos, once for pictures

    @pytest.mark.parametrize(
        ("X", "kind"),
        [
            (np.zeros((5, 8, 8)), "image"),
            (np.zeros((5, 8, 8, 3)), "image"),
            (np.zeros((50, 3)), "tabular"),
            ("parts/01.JPG", "image"),
            (Path("nowhere.csv"), "tabular"),
            ("-", "tabular"),
            (["a.png", Path("b.tiff")], "image"),
            (["a.png", "b.csv"], "tabular"),
            ([BYTES, BYTES], "image"),
            ([np.zeros((8, 8, 3))], "image"),
            ([FLOATS, FLOATS], "tabular"),
            ([[1.0, 2.0], [3.0, 4.0]], "tabular"),
            ([], "tabular"),
            (None, "tabular"),
            (pd.DataFrame({"a": [1, 2]}, index=pd.date_range("2024", periods=2)), "series"),
        ],
    )
    def test_of_what_is_given(self, X: Any, kind: str) -> None:
        assert kind_of("auto", X) == kind

    def test_what_is_said_goes(self) -> None:
        class Pictures:
            kind = "image"

        assert kind_of("image", normals(5)) == kind_of(Pictures(), normals(5)) == "image"
        assert kind_of("series", [BYTES]) == kind_of(Series(), [BYTES]) == "series"
        assert kind_of(Tabular(), np.zeros((5, 8, 8))) == "tabular"


class TestImages:
    def test_are_judged_by_their_detector(self, images: np.ndarray) -> None:
        detector = Detector(seed=3).fit(images, examples=images[:1], regions=images[:1] > 0.5)
        assert (detector.kind_, detector.inner_.seed) == ("image", 3)
        assert detector.shown_[1].shape == (1, 8, 8, 3)
        assert np.array_equal(detector.decision_function(images), detector.inner_.decision_function(images))

    def test_obey_settings_that_change(self, images: np.ndarray) -> None:
        detector = Detector().fit(images)
        assert detector.threshold_ == 0.99
        assert detector.set_params(false_alarm_rate=0.25).threshold_ == 0.75
        with pytest.raises(Misfit, match="alarm is 'loud'"):
            detector.set_params(alarm="loud").decision_function(images)

    def test_have_no_events(self, images: np.ndarray) -> None:
        detector = Detector().fit(images)
        with pytest.raises(Misfit, match=r"stream\(\) is for series and video, and images were fitted"):
            detector.stream()
        with pytest.raises(AttributeError, match="no period_ here: images were fitted"):
            _ = detector.period_

    def test_survive(self, images: np.ndarray, tmp_path: Path) -> None:
        detector = Detector(false_alarm_rate=0.2).fit(images)
        loaded = anodiff.load(detector.save(tmp_path / "model"))
        assert (loaded.kind_, loaded.threshold_) == ("image", 0.8)
        assert np.array_equal(loaded.decision_function(images), detector.decision_function(images))

    def test_damage_is_refused(self, images: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = Detector().fit(images).save(tmp_path / "model")
        monkeypatch.setattr(sys.modules["anodiff.saving_images"], "restored", lambda config, group: group("none")["x"])
        with pytest.raises(BadModel, match="does not fit together"):
            anodiff.load(path)

    def test_are_refused_by_scikit_learn(self) -> None:
        with pytest.raises(Misfit, match="use Detector for images"):
            Detector("image").as_sklearn().fit(normals(20))


class TestFacade:
    def test_is_not_fitted_before_fit(self) -> None:
        detector = Detector()
        assert not hasattr(detector, "inner_")
        assert not hasattr(detector, "threshold_")
        with pytest.raises(NotFittedError):
            check_is_fitted(detector)
        for ask in (detector.statement, detector.references, detector.stream, detector.as_sklearn().fit):
            with pytest.raises((NotFittedError, TypeError)):
                ask()
        with pytest.raises(AttributeError, match="not fitted yet; call fit"):
            _ = detector.threshold_
        with pytest.raises(AttributeError, match="'Detector' object has no attribute 'colour'"):
            _ = detector.colour

    @pytest.mark.parametrize("twin", [copy.copy, copy.deepcopy, lambda d: pickle.loads(pickle.dumps(d))])
    def test_copies_judge_the_same(self, table: Detector, twin: Any) -> None:
        other = twin(table)
        assert np.array_equal(other.decision_function(broken()), table.decision_function(broken()))
        other.false_alarm_rate = 0.2
        assert other.threshold_ < table.threshold_
        assert not hasattr(clone(other), "inner_")

    def test_gives_what_was_learnt(self, table: Detector, series: Detector) -> None:
        check_is_fitted(table, "whole_")
        assert table.whole_ is table.inner_.whole_
        assert len(table.calibration_.left_out["linear"]) == len(table.conformal_.scores_) == 100
        assert series.period_ == series.whole_.modality.period_ == 40
        assert series.alarm_(True).supported_rate > 0
        assert {"agreement_", "conformal_", "predict", "kind_"} <= set(dir(table))
        assert "period_" in dir(series)
        assert "threshold_" not in dir(Detector())

    def test_says_why_there_is_none(self, table: Detector, series: Detector) -> None:
        with pytest.raises(AttributeError, match="no period_ here: a table was fitted; give Detector"):
            _ = table.period_
        with pytest.raises(AttributeError, match="conformal_ here: series were fitted; see alarm_"):
            _ = series.conformal_
        with pytest.raises(Misfit, match=r"events\(\) is for series, video and poses, and a table was fitted"):
            table.events(normals(5))
        with pytest.raises(Misfit, match="cuts tables into chunks, and series were fitted"):
            next(series.score_chunks(normals(5)))

    def test_an_error_inside_is_not_hidden(self, table: Detector, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(type(table.inner_), "agreement_", property(lambda self: self.nothing))
        with pytest.raises(AttributeError, match="nothing"):
            _ = table.agreement_

    def test_regions_are_not_of_tables(self) -> None:
        with pytest.raises(Misfit, match="regions are of series and pictures, and the data is judged as tabular"):
            Detector("tabular").fit(normals(50), regions=normals(50) > 0)

    def test_regions_of_series_are_those_of_examples(self) -> None:
        with pytest.raises(Misfit, match="regions are those of examples; give examples= too"):
            Detector("series").fit(normals(50), regions=[normals(50) > 0])

    def test_another_kind_may_follow(self, table: Detector, images: np.ndarray) -> None:
        other = copy.deepcopy(table).set_params(recipe="auto").fit(images)
        assert other.kind_ == "image"
        assert not hasattr(other, "conformal_")
