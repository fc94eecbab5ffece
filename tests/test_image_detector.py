"""The detector of pictures, from end to end: what it promises, and what it refuses."""

import copy
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow
from scipy.stats import betabinom
from sklearn.base import clone

import anodiff
from anodiff import Detector
from anodiff.checks import check_detector
from anodiff.curate import batched
from anodiff.data.pictures import album
from anodiff.detect_images import ImageDetector
from anodiff.modalities.image import Image
from anodiff.types import Misfit, Refusal, Unreadable
from picture_toys import PLAIN

SIDE = 32
SPOT = slice(8, 13), slice(18, 23)
NET = {
    **PLAIN,
    "denoisers": {
        "usual": {"use": "positional", "view": "px"},
        "learnt": {
            "use": "network", "net": "unet2d", "view": "px", "width": 8, "depth": 1, "steps": 3000, "batch": 4,
        },
    },
    "scores": {**PLAIN["scores"], "left": {"use": "residual", "of": "learnt", "settings": {"levels": [0.2, 0.5]}}},
}  # fmt: skip


def parts(count: int, seed: int, height: int = SIDE, width: int = SIDE) -> np.ndarray:
    """Normal parts `(count, h, w)` uint8: stripes, each part a little brighter or darker, with noise."""
    y, x = np.mgrid[:height, :width] / height
    draw = np.random.default_rng(seed)
    light = draw.normal(0, 5, (count, 1, 1))
    return np.clip(120 + 40 * np.sin(12 * x + y) + light + draw.normal(0, 8, (count, height, width)), 0, 255).astype(
        "u1"
    )


def spoilt(count: int, seed: int) -> np.ndarray:
    """Parts with a bright spot."""
    found = parts(count, seed)
    found[(slice(None), *SPOT)] = 255
    return found


def fitted(X: Any = None, **settings: Any) -> ImageDetector:
    chosen = {"recipe": PLAIN, "false_alarm_rate": 0.05, **settings}
    return ImageDetector(Image(SIDE), **chosen).fit(parts(40, 0) if X is None else X)


@pytest.fixture(scope="module")
def plain() -> ImageDetector:
    return fitted()


@pytest.fixture(scope="module")
def usual() -> ImageDetector:
    """The default recipe, which sees features."""
    return ImageDetector(Image(64), false_alarm_rate=0.1).fit(parts(24, 0, 64, 64))


def write(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Pillow.fromarray(pixels).save(path)
    return path


class TestFinds:
    def test_a_planted_spot_and_where_it_is(self, plain: ImageDetector) -> None:
        bad = spoilt(4, 7)
        assert (plain.predict(bad) == 1).all()
        for map, p, regions in zip(plain.anomaly_map(bad), plain.p_map(bad), plain.regions(bad), strict=True):
            inside = np.zeros((SIDE, SIDE), bool)
            inside[SPOT] = True
            assert map[inside].min() > map[~inside].max() / 3
            assert SPOT[0].start <= regions[0].centre[0] <= SPOT[0].stop
            assert SPOT[1].start <= regions[0].centre[1] <= SPOT[1].stop
            assert p[inside].max() < np.median(p[~inside])

    def test_with_features_too(self, usual: ImageDetector) -> None:
        bad = parts(4, 9, 64, 64)
        bad[:, 20:40, 20:40] = np.indices((20, 20)).sum(0) // 3 % 2 * 200
        normal = usual.decision_function(parts(12, 10, 64, 64))
        assert usual.decision_function(bad).min() > normal.max()

    def test_the_front_door_says_the_same(self, plain: ImageDetector) -> None:
        front = Detector(Image(SIDE), PLAIN, false_alarm_rate=0.05).fit(parts(40, 0))
        X = np.concatenate([parts(3, 1), spoilt(3, 2)])
        assert front.kind_ == "image"
        for name in ("decision_function", "p_value", "predict", "predict_proba", "anomaly_map", "p_map"):
            assert np.array_equal(getattr(front, name)(X), getattr(plain, name)(X)), name
        assert front.threshold_ == plain.threshold_
        assert front.statement() == plain.statement()
        assert [v.score for v in front.judge(X)] == [v.score for v in plain.judge(X)]

    def test_laws_of_detectors(self) -> None:
        check_detector(Detector(Image(SIDE), PLAIN, false_alarm_rate=0.1), parts(80, 3), spoilt(6, 4))


class TestGuarantees:
    """Of exchangeable pictures, by the beta-binomial law of conformal alarms."""

    RUNS = 5

    @staticmethod
    def bounds(rate: float, held: int, asked: int, runs: int) -> tuple[float, float]:
        """Alarms, in all runs, that are hardly ever exceeded or fallen short of."""
        k = int(rate * (held + 1))
        draws = betabinom(asked, k, held + 1 - k).rvs((20_000, runs), random_state=0).sum(1)
        low, high = np.quantile(draws, [0.0005, 0.9995])
        return float(low), float(high)

    @pytest.mark.parametrize("rate", [0.05, 0.1])
    @pytest.mark.parametrize("what", ["pictures", "regions"])
    def test_false_alarms_are_as_many_as_is_said(
        self, found: dict[tuple[str, float], int], rate: float, what: str
    ) -> None:
        low, high = self.bounds(rate, 60, 150, self.RUNS)
        assert low <= found[what, rate] <= high

    @pytest.fixture(scope="class")
    @classmethod
    def found(cls) -> dict[tuple[str, float], int]:
        counted = dict.fromkeys(((what, rate) for what in ("pictures", "regions") for rate in (0.05, 0.1)), 0)
        for seed in range(cls.RUNS):
            detector, X = fitted(parts(60, 100 + seed)), parts(150, 200 + seed)
            scores, verdicts = detector.decision_function(X), list(detector.judge(X))
            for rate in (0.05, 0.1):
                counted["pictures", rate] += int(detector.decide(scores, false_alarm_rate=rate).sum())
                counted["regions", rate] += sum(bool(detector.regions_of(verdict, rate)) for verdict in verdicts)
        return counted

    def test_of_more_features_than_pictures_too(self) -> None:
        """Where left-out scores of smaller fits would be higher, and alarms too rare."""
        found, runs = 0, 3
        for seed in range(runs):
            detector = ImageDetector(Image(32), false_alarm_rate=0.1).fit(parts(50, 300 + seed))
            found += int(detector.predict(parts(80, 400 + seed)).sum())
        low, high = self.bounds(0.1, 50, 80, runs)
        assert low <= found <= high


class TestForItself:
    def test_a_batch_never_changes_a_score(self, plain: ImageDetector, usual: ImageDetector) -> None:
        for detector, side in ((plain, SIDE), (usual, 64)):
            X = parts(11, 5, side, side)
            whole = detector.decision_function(X)
            assert np.array_equal(detector.decision_function(X), whole)
            for other in (X[::-1], *(X[i : i + 1] for i in (0, 4))):
                expected = whole[::-1] if len(other) > 1 else whole[[int((other == X).all((1, 2)).argmax())]]
                np.testing.assert_allclose(detector.decision_function(other), expected, rtol=1e-4, atol=1e-4)

    def test_a_map_or_none_is_the_same_score(self, usual: ImageDetector) -> None:
        X = parts(3, 6, 64, 64)
        with_maps, without = list(usual.judge(X)), list(usual.judge(X, maps=False))
        assert [v.score for v in with_maps] == [v.score for v in without]
        assert all(v.map is None for v in without)
        assert all(v.map is not None and v.map.base is None for v in with_maps)
        with pytest.raises(Misfit, match="carries no map; judge with maps=True"):
            usual.laid(without[0])

    def test_fitted_again_the_same(self) -> None:
        one, other = (fitted(seed=3) for _ in range(2))
        assert np.array_equal(one.decision_scores_, other.decision_scores_)
        assert np.array_equal(one.decision_function(spoilt(2, 1)), other.decision_function(spoilt(2, 1)))

    def test_a_few_at_a_time(self) -> None:
        seen = [[p.name for p in batch] for batch in batched(album(parts(5, 0)).pictures(8), 2)]
        assert seen == [["0", "1"], ["2", "3"], ["4"]]


class TestSources:
    def test_arrays_lists_paths_and_pillow_are_one(self, plain: ImageDetector, tmp_path: Path) -> None:
        X = parts(4, 11)
        files = [write(tmp_path / "new" / f"{i}.png", pixels) for i, pixels in enumerate(X)]
        expected = plain.decision_function(X)
        colour = np.repeat(X[..., None], 3, 3)
        alpha = np.concatenate([colour, np.full_like(colour[..., :1], 255)], 3)
        same = [
            list(X),
            [Pillow.fromarray(x) for x in X],
            files,
            tmp_path / "new",
            str(tmp_path / "new"),
            colour,
            alpha,
        ]
        for source in [*same, X.astype(np.uint16) * 257, X[..., None], album(X)]:
            np.testing.assert_allclose(plain.decision_function(source), expected, rtol=1e-4, atol=1e-4)
        assert plain.decision_function(files[2])[0] == pytest.approx(expected[2])
        assert plain.names(tmp_path / "new") == ["0.png", "1.png", "2.png", "3.png"]

    @pytest.mark.parametrize("shape", [(16, 16), (300, 300), (40, 90), (31, 17)], ids=str)
    def test_any_size(self, plain: ImageDetector, shape: tuple[int, int]) -> None:
        X = parts(2, 12, *shape)
        assert plain.anomaly_map(X).shape == plain.p_map(X).shape == (2, *shape)
        assert np.isfinite(plain.decision_function(X)).all()

    def test_sizes_may_differ(self, plain: ImageDetector) -> None:
        X = [parts(1, 13)[0], parts(1, 13, 50, 20)[0], np.repeat(parts(1, 13, 9, 70)[0][..., None], 3, 2)]
        assert [map.shape for map in plain.anomaly_map(X)] == [(32, 32), (50, 20), (9, 70)]
        mixed = fitted([*parts(20, 1), *parts(20, 2, 40, 25)])
        assert len(mixed.names_) == 40

    @pytest.mark.parametrize("side", [16, 100])
    def test_features_of_small_and_odd_squares(self, side: int) -> None:
        detector = ImageDetector(Image(side), false_alarm_rate=0.2).fit(parts(8, 0))
        assert np.isfinite(detector.decision_function(spoilt(2, 1))).all()
        assert detector.anomaly_map(parts(2, 1)).shape == (2, SIDE, SIDE)

    def test_grey_judges_colour_and_colour_grey(self, plain: ImageDetector) -> None:
        X = parts(4, 14)
        colours = np.stack([X, X // 2, 255 - X], 3)
        assert np.isfinite(plain.decision_function(colours)).all()
        coloured = fitted(np.stack([parts(30, 0), parts(30, 1), 255 - parts(30, 2)], 3))
        assert coloured.whole_.modality.image_.channels_ == 3
        assert coloured.decision_function(X).min() > coloured.threshold_

    def test_a_root_like_that_of_public_sets(self, tmp_path: Path) -> None:
        for i, pixels in enumerate(parts(8, 0)):
            write(tmp_path / "train" / "good" / f"{i}.png", pixels)
        write(tmp_path / "test" / "bad" / "0.png", spoilt(1, 1)[0])
        with pytest.warns(UserWarning, match="train/good: its pictures were taken, the rest was left alone"):
            assert len(fitted(tmp_path).names_) == 8


class TestBadFiles:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        for i, pixels in enumerate(parts(12, 0)):
            write(tmp_path / "mixed" / f"{i:02}.png", pixels)
        (tmp_path / "mixed" / "03a.png").write_text("no picture")
        (tmp_path / "mixed" / "zz.png").write_bytes((tmp_path / "mixed" / "00.png").read_bytes()[:200])
        return tmp_path / "mixed"

    def test_of_fit_are_listed_and_the_rest_is_learnt(self, folder: Path) -> None:
        with pytest.warns(UserWarning, match=r"2 pictures could not be read and left out: 03a.png: .*; zz.png: "):
            detector = fitted(folder, false_alarm_rate=0.1)
        assert [each.name for each in detector.unread_] == ["03a.png", "zz.png"]
        assert len(detector.names_) == len(detector.decision_scores_) == len(detector.labels_) == 12
        assert "03a.png" not in detector.names_

    def test_of_scoring_are_named_and_the_rest_is_scored(self, plain: ImageDetector, folder: Path) -> None:
        with pytest.warns(UserWarning, match="2 pictures could not be read") as told:
            scores = plain.decision_function(folder)
        assert len(told) == 1
        verdicts = list(plain.judge(folder))
        assert [v.name for v in verdicts if v.unread] == ["03a.png", "zz.png"]
        assert [v.score for v in verdicts if not v.unread] == scores.tolist()
        assert all(np.isnan(v.score) and not v.alarm and v.map is None for v in verdicts if v.unread)
        assert plain.names(folder) == [v.name for v in verdicts if not v.unread]

    def test_of_calibration_are_named(self, folder: Path) -> None:
        detector = fitted()
        with pytest.warns(UserWarning, match="2 pictures could not be read and left out: 03a.png"):
            detector.calibrate(folder)
        assert len(detector.held_out_) == 12

    def test_in_a_list_are_refused(self, plain: ImageDetector, folder: Path) -> None:
        listed = sorted(folder.iterdir())
        for use in (fitted, plain.decision_function, plain.calibrate):
            with pytest.raises(Unreadable, match=r"^picture .*03a.png: "):
                use(listed)


class TestRefusals:
    @pytest.mark.parametrize(
        ("X", "said"),
        [
            (parts(1, 0), "1 picture is too few to learn what is normal; give at least 5, better 100"),
            (parts(2, 0), "2 pictures are too few"),
            (np.repeat(parts(1, 0), 9, 0), "all 9 pictures are the same; give different pictures of normal parts"),
            (np.zeros((9, 20, 20), np.uint8), "all 9 pictures are the same"),
            ([], "the list of pictures is empty"),
            (np.zeros((0, 8, 8)), "holds no pictures"),
            (7, "cannot read pictures from a int"),
            ("nowhere/at/all", "there is no file or folder nowhere/at/all"),
        ],
        ids=["one", "two", "identical", "black", "empty list", "empty array", "number", "nowhere"],
    )
    def test_too_little(self, X: Any, said: str) -> None:
        with pytest.raises(Unreadable, match=said) as refusal:
            fitted(X)
        assert "\n" not in str(refusal.value)
        assert str(refusal.value).endswith(".")

    def test_an_empty_folder(self, plain: ImageDetector, tmp_path: Path) -> None:
        for use in (fitted, plain.decision_function, plain.calibrate):
            with pytest.raises(Unreadable, match=r"holds no picture; files named \.png"):
                use(tmp_path)

    def test_too_few_that_can_be_read(self, plain: ImageDetector, tmp_path: Path) -> None:
        write(tmp_path / "0.png", parts(1, 0)[0])
        (tmp_path / "1.png").write_text("no picture")
        with pytest.raises(Unreadable, match=r"1 picture is too few .*; 1 could not be read, such as 1.png: "):
            fitted(tmp_path)
        with pytest.raises(Unreadable, match=r"X has fewer than 2 pictures that can be read; .*; 1.png: "):
            plain.calibrate(tmp_path)

    @pytest.mark.parametrize(
        ("settings", "said"),
        [
            ({"recipe": "table"}, "recipe 'table' is for tabular; give modality='tabular'"),
            ({"modality": "series"}, "modality is 'series'; give 'image'"),
            ({"budget": 0}, "budget is 0"),
            ({"budget": 1}, "budget is 1; the cheapest score of this recipe takes 2 per picture"),
            ({"max_seconds": -1}, "max_seconds is -1"),
            ({"contamination": 0.7}, "contamination is 0.7"),
            ({"max_rows": 3}, "max_rows is 3"),
            ({"changes": {"pool": {"share": 2}}}, r"recipe 'plain': pool\.share"),
            ({"changes": {"planes.px.space": "features", "planes.px.layers": ["s99"]}}, "asks for layers"),
        ],
        ids=lambda value: str(value)[:30],
    )
    def test_settings(self, settings: dict[str, Any], said: str) -> None:
        with pytest.raises(Misfit, match=said):
            ImageDetector(**{"modality": Image(16), "recipe": PLAIN, **settings}).fit(parts(8, 0))

    def test_what_cannot_be_asked_yet(self) -> None:
        detector = ImageDetector(Image(SIDE), PLAIN)
        for ask in ("decision_function", "calibrate", "names", "anomaly_map", "save", "explain"):
            with pytest.raises(Exception, match="not fitted"):
                getattr(detector, ask)("x.png")
        with pytest.raises(AttributeError, match="not fitted yet; call fit"):
            _ = detector.threshold_

    def test_both_rates(self, plain: ImageDetector) -> None:
        with pytest.raises(Misfit, match="either false_alarm_rate or fdr"):
            plain.predict(parts(2, 0), false_alarm_rate=0.1, fdr=0.1)

    def test_scikit_learn_takes_no_pictures(self) -> None:
        for detector in (Detector("image"), Detector()):
            with pytest.raises(Refusal, match="take rows that do not follow each other; use Detector for images"):
                detector.as_sklearn().fit(parts(8, 0))

    def test_nothing_is_changed_by_a_fit_that_fails(self) -> None:
        detector = fitted()
        before = detector.decision_scores_
        with pytest.raises(Unreadable):
            detector.fit(parts(2, 0))
        assert np.array_equal(detector.decision_scores_, before)


class TestSettings:
    def test_rates_alarms_and_budgets_change_after_fit(self, usual: ImageDetector) -> None:
        detector, X = copy.copy(usual), parts(6, 3, 64, 64)
        assert detector.threshold_ == detector.threshold(0.1)
        detector.false_alarm_rate = 0.3
        assert detector.threshold_ == detector.threshold(0.3) < usual.threshold_
        detector.alarm = "tail"
        assert detector.p_value(X).min() > 0
        assert detector.threshold(0.001) > detector.held_out_.max()
        whole = detector.decision_function(X)
        assert detector.model_.nfe == 4
        detector.budget = 2
        assert list(detector.model_.members) == ["odd"]
        assert detector.model_.nfe == 2
        np.testing.assert_allclose(detector.decision_function(X), whole, rtol=1e-4, atol=1e-4)
        detector.budget = None
        np.testing.assert_array_equal(detector.decision_function(X), whole)

    def test_a_rate_beyond_the_normals_is_told(self, plain: ImageDetector) -> None:
        detector = copy.copy(plain).set_params(false_alarm_rate=0.001)
        with pytest.warns(UserWarning, match="40 held-out normals support false-alarm rates down to 2.44 %"):
            detector.predict(parts(2, 1))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            detector.set_params(alarm="conformal").predict(parts(2, 1))

    def test_calibrated_by_others(self) -> None:
        detector, others = fitted(), parts(99, 50)
        left_out = detector.decision_scores_
        assert detector.calibrate(others) is detector
        np.testing.assert_allclose(detector.held_out_, detector.decision_function(others), rtol=1e-4, atol=1e-4)
        assert np.array_equal(detector.decision_scores_, left_out)
        p = detector.p_value(others)
        assert np.mean(p <= 0.1) <= 0.1
        assert "99 held-out normals" in detector.statement(0.01)
        assert detector.p_map(others[:1]).min() >= 1 / (99 * SIDE**2 + 100)

    def test_contamination_as_told_and_as_feared(self) -> None:
        X = np.concatenate([parts(45, 0), spoilt(5, 1)])
        told = fitted(X, contamination=0.1)
        assert (told.contamination_, told.whole_.facts["rows_fitted"], len(told.held_out_)) == (0.1, 45, 45)
        assert told.labels_[45:].all()
        assert told.labels_[:45].mean() <= 0.15
        assert told.decision_scores_[45:].min() > 5 * fitted(X).decision_scores_[45:].max()
        assert told.held_out_.std() == pytest.approx(1, abs=0.1)
        feared = fitted(X, contamination="auto")
        assert 0.02 < feared.contamination_ < 0.3
        assert feared.labels_[45:].all()

    def test_at_most_so_many_are_learnt_from(self) -> None:
        detector = fitted(max_rows=10)
        assert len(detector.names_) == len(detector.decision_scores_) == 10
        assert detector.whole_.facts["rows_seen"] == 40
        assert fitted(max_rows=10, seed=1).names_ != detector.names_

    def test_time_is_bounded_and_what_was_done_repeats_exactly(self) -> None:
        X = parts(30, 0)
        hurried = fitted(X, recipe=NET, max_seconds=2.0)
        facts, done = hurried.whole_.facts, hurried.model_.recipe
        assert facts["seconds"] < 20
        assert done.denoisers["learnt"].steps < 3000
        assert facts["asked"]["denoisers"]["learnt"]["steps"] == 3000
        assert 20 <= len(hurried.names_) <= 30
        again = fitted(X[[int(name) for name in hurried.names_]], recipe=done)
        np.testing.assert_allclose(again.decision_scores_, hurried.decision_scores_, rtol=1e-9)
        bad = spoilt(2, 2)
        np.testing.assert_allclose(again.decision_function(bad), hurried.decision_function(bad), rtol=1e-9)

    def test_time_enough_changes_nothing(self, plain: ImageDetector) -> None:
        patient = fitted(max_seconds=600)
        assert patient.model_.recipe == plain.model_.recipe
        assert sorted(patient.names_) == sorted(plain.names_)

    def test_cloned_copied_and_pickled(self, plain: ImageDetector) -> None:
        X = spoilt(2, 5)
        for twin in (copy.copy(plain), copy.deepcopy(plain), pickle.loads(pickle.dumps(plain))):
            assert np.array_equal(twin.decision_function(X), plain.decision_function(X))
            assert [r.box for r in twin.regions(X)[0]] == [r.box for r in plain.regions(X)[0]]
        fresh = clone(plain)
        assert not hasattr(fresh, "whole_")
        assert fresh.get_params()["recipe"] == PLAIN
        assert clone(Detector(Image(SIDE), PLAIN)).set_params(seed=4).get_params(deep=False)["seed"] == 4

    def test_unsupervised_use(self) -> None:
        X = np.concatenate([parts(40, 0), spoilt(2, 1)])
        assert fitted(contamination=0.05).fit_predict(X)[-2:].all()

    def test_progress_and_references(self) -> None:
        steps = list(ImageDetector(Image(SIDE), PLAIN).fitting(parts(8, 0)))
        assert [(each.done, each.of, each.stage) for each in steps] == [(k, 8, "look") for k in range(8)]
        assert "defard2021padim" in fitted(recipe="image", X=parts(6, 0)).references()

    def test_near_duplicates_are_left_out_together(self) -> None:
        one, other = parts(12, 0), parts(12, 1)
        detector = fitted(np.concatenate([one, one, other]))
        assert detector.whole_.facts["twins"] >= 12
        alone = fitted(np.concatenate([one, other]))
        assert np.median(detector.decision_scores_[:24]) > np.median(alone.decision_function(one)) - 3


def test_loads_by_the_front_door(plain: ImageDetector, tmp_path: Path) -> None:
    plain.save(tmp_path / "model")
    loaded = anodiff.load(tmp_path / "model")
    assert loaded.kind_ == "image"
    assert np.array_equal(loaded.decision_function(spoilt(2, 3)), plain.decision_function(spoilt(2, 3)))
