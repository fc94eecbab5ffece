"""Known defects, given to the detector of pictures as a user would."""

import warnings

import numpy as np
import pytest
from PIL import Image as Pillow
from scipy.ndimage import gaussian_filter
from sklearn.metrics import roc_auc_score

from anodiff import load
from anodiff.detect_images import ImageDetector
from anodiff.modalities.image import Image
from anodiff.types import Misfit, Unreadable
from picture_toys import PLAIN

FEATURES = {
    "name": "fine",
    "about": "A Gaussian for each place, on a grid of 16 x 16.",
    "planes": {"fine": {"space": "features", "layers": ["s4", "s8"], "stride": 4}},
    "denoisers": {"usual": {"use": "positional", "view": "fine", "pooled": 0.5}},
    "scores": {"place": {"use": "departure", "of": "usual", "root": True}},
}


def grain(count, seed):
    """Normal pictures `(n, 64, 64)` uint8: one texture everywhere."""
    draw = np.random.default_rng(seed)
    found = np.stack([gaussian_filter(draw.normal(size=(64, 64)), 1.5) for _ in range(count)])
    return np.clip(120 + 20 * found / found.std(), 0, 255).astype(np.uint8)


def spoilt(count, seed, kind):
    """The same with a square that is a little smoother, or brighter, and where."""
    pictures, marks = grain(count, seed).astype(float), np.zeros((count, 64, 64), bool)
    draw = np.random.default_rng(seed)
    for picture, mark in zip(pictures, marks, strict=True):
        row, column = draw.integers(4, 46, 2)
        mark[row : row + 14, column : column + 14] = True
        other = (picture + gaussian_filter(picture, 3)) / 2 if kind == "smooth" else picture + 18
        picture[mark] = other[mark]
    return np.clip(pictures, 0, 255).astype(np.uint8), marks


def fitted(recipe=FEATURES, X=None, **given):
    detector = ImageDetector(Image(64), recipe, false_alarm_rate="auto", alarm="conformal")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return detector.fit(grain(40, 0) if X is None else X, **given)


def where(detector, kind):
    pictures, marks = spoilt(12, 7, kind)
    return roc_auc_score(marks.ravel(), detector.anomaly_map(pictures).ravel())


def which(detector, kind):
    scores = detector.decision_function(np.concatenate([grain(12, 5), spoilt(12, 7, kind)[0]]))
    return roc_auc_score(np.arange(24) >= 12, scores)


@pytest.fixture(scope="module")
def unaided():
    return fitted()


@pytest.fixture(scope="module")
def aided():
    pictures, marks = spoilt(3, 1, "smooth")
    return fitted(examples=pictures, regions=list(marks))


def test_three_examples_find_their_kind_where_it_is_and_the_others_as_before(unaided, aided):
    assert where(aided, "smooth") > where(unaided, "smooth") + 0.1
    assert which(aided, "smooth") > which(unaided, "smooth") - 0.01
    assert where(aided, "bright") > where(unaided, "bright") - 0.02
    assert which(aided, "bright") > which(unaided, "bright") - 0.05
    assert aided.whole_.facts["examples"] == 3
    assert unaided.whole_.facts["examples"] == 0
    assert unaided.whole_.head is None


def test_one_example_does_no_harm(unaided):
    pictures, marks = spoilt(1, 1, "smooth")
    one = fitted(examples=pictures, regions=list(marks))
    for kind in ("smooth", "bright"):
        assert where(one, kind) > where(unaided, kind) - 0.01
        assert which(one, kind) == which(unaided, kind)
    assert len(one.held_.known) == 1


def test_normals_raise_no_more_alarms(aided):
    p = aided.p_value(grain(60, 9))
    assert (p <= 0.1).mean() < 0.25
    assert 0.3 < p.mean() < 0.7


def test_known_defects_place_the_threshold_each_without_its_own_help(unaided):
    pictures, marks = spoilt(8, 1, "smooth")
    many = fitted(examples=pictures, regions=list(marks))
    assert many.whole_.head.weight > 0
    assert which(many, "smooth") > which(unaided, "smooth") + 0.1
    seen = many.decision_function(pictures)
    assert many.held_.known.shape == (8,)
    assert (many.held_.known < seen).mean() > 0.5
    assert many.held_.known.mean() < seen.mean() - 0.1
    assert 0.005 <= many.false_alarm_rate_ <= 0.05


def test_masks_are_optional(unaided):
    pictures, marks = spoilt(3, 1, "smooth")
    none = fitted(examples=pictures)
    assert where(none, "smooth") > where(unaided, "smooth") - 0.01
    some = fitted(examples=pictures, regions=[marks[0], None, marks[2]])
    assert where(some, "smooth") > where(unaided, "smooth") + 0.05


def test_it_is_the_same_again_and_after_saving(aided, tmp_path):
    pictures, marks = spoilt(3, 1, "smooth")
    tests = spoilt(4, 7, "smooth")[0]
    again = fitted(examples=pictures, regions=list(marks))
    np.testing.assert_array_equal(again.decision_function(tests), aided.decision_function(tests))
    loaded = load(aided.save(tmp_path / "model"))
    np.testing.assert_array_equal(loaded.decision_function(tests), aided.decision_function(tests))
    np.testing.assert_array_equal(loaded.anomaly_map(tests), aided.anomaly_map(tests))
    np.testing.assert_array_equal(loaded.inner_.held_.known, aided.held_.known)
    assert loaded.inner_.false_alarm_rate_ == aided.false_alarm_rate_


def test_folders_of_pictures_and_masks(tmp_path):
    pictures, marks = spoilt(3, 1, "bright")
    for k, (picture, mark) in enumerate(zip(pictures, marks, strict=True)):
        for folder, name, pixels in (("bad", f"{k}.png", picture), ("where", f"{k}_mask.png", mark * np.uint8(255))):
            (tmp_path / folder).mkdir(exist_ok=True)
            Pillow.fromarray(pixels).save(tmp_path / folder / name)
    arrays = fitted(PLAIN, examples=pictures, regions=list(marks))
    files = fitted(PLAIN, examples=tmp_path / "bad", regions=tmp_path / "where")
    np.testing.assert_array_equal(files.held_.known, arrays.held_.known)
    (tmp_path / "bad" / "0.png").write_text("no picture")
    fewer = fitted(PLAIN, examples=tmp_path / "bad", regions=[*marks])
    assert len(fewer.held_.known) == 2
    assert "1 of 3 examples cannot be read" in fewer.held_.notes[0]


def test_refusals(tmp_path):
    pictures, marks = spoilt(2, 1, "bright")
    X = grain(8, 0)
    for given, why in (
        ({"examples": []}, "the list of pictures is empty"),
        ({"examples": pictures, "regions": [marks[0]]}, "1 regions for 2 examples"),
        ({"examples": pictures, "regions": [marks[0], marks[1][:32]]}, "the mask of 1 is 32 x 64 pixels"),
        ({"examples": X[3:4]}, "example 0 is among the normal pictures, as 3; take it out of X"),
        ({"regions": list(marks)}, "regions say where known defects are; give their pictures as examples"),
    ):
        with pytest.raises((Misfit, Unreadable), match=why):
            fitted(PLAIN, X, **given)


def test_a_mask_that_marks_nothing_counts_as_unknown():
    pictures, marks = spoilt(2, 1, "bright")
    blank = fitted(PLAIN, examples=pictures, regions=[marks[0], np.zeros((64, 64), bool)])
    unknown = fitted(PLAIN, examples=pictures, regions=[marks[0], None])
    np.testing.assert_array_equal(blank.held_.known, unknown.held_.known)
    assert blank.held_.notes == ["the mask of example 1 marks nothing that is seen; where it is counts as unknown."]
    assert unknown.held_.notes == []
