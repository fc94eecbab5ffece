"""A fitted detector of pictures is taught known defects by normal pictures that it has not learnt from."""

import warnings

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from sklearn.metrics import roc_auc_score

from anodiff import Detector, load
from anodiff.lessons import weighed
from anodiff.modalities.image import Image
from anodiff.types import Misfit, Unreadable

FINE = {
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


def smooth(count, seed):
    """The same with a square that is a little smoother, and where."""
    pictures, marks = grain(count, seed).astype(float), np.zeros((count, 64, 64), bool)
    draw = np.random.default_rng(seed)
    for picture, mark in zip(pictures, marks, strict=True):
        row, column = draw.integers(4, 46, 2)
        mark[row : row + 14, column : column + 14] = True
        picture[mark] = ((picture + gaussian_filter(picture, 3)) / 2)[mark]
    return np.clip(pictures, 0, 255).astype(np.uint8), marks


@pytest.fixture(scope="module", autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


@pytest.fixture(scope="module")
def fitted():
    return Detector(Image(64), FINE, alarm="conformal").fit(grain(40, 0))


@pytest.fixture(scope="module")
def seen(fitted):
    return fitted.inner_.lessons(grain(30, 20))


@pytest.fixture(scope="module")
def taught(fitted, seen):
    pictures, marks = smooth(3, 1)
    return fitted.teach(pictures, list(marks), normals=seen)


def where(detector):
    pictures, marks = smooth(12, 7)
    return roc_auc_score(marks.ravel(), np.ravel(detector.anomaly_map(pictures)))


def test_the_copy_finds_more_and_the_original_is_as_it_was(fitted, taught):
    before = fitted.decision_function(grain(4, 5))
    assert where(taught) > where(fitted) + 0.1
    assert fitted.inner_.whole_.head is None
    assert taught.inner_.whole_.facts["examples"] == 3
    assert fitted.inner_.whole_.facts["examples"] == 0
    np.testing.assert_array_equal(fitted.decision_function(grain(4, 5)), before)


def test_fresh_normals_raise_no_more_alarms_than_stated(taught):
    p = taught.p_value(grain(60, 9))
    assert len(taught.held_out_) == 30
    assert (p <= 0.1).mean() < 0.25
    assert 0.3 < p.mean() < 0.7


def test_pictures_serve_as_well_as_what_was_made_of_them_and_what_was_taught_before_is_forgotten(taught):
    pictures, marks = smooth(3, 1)
    again = taught.teach(pictures, list(marks), normals=grain(30, 20))
    np.testing.assert_array_equal(again.anomaly_map(grain(3, 5)), taught.anomaly_map(grain(3, 5)))
    np.testing.assert_array_equal(again.held_out_, taught.held_out_)


def test_weights(fitted, seen):
    pictures, marks = smooth(4, 1)
    test = smooth(4, 7)[0]

    def map_of(count, weights=None):
        found = fitted.teach(pictures[:count], list(marks[:count]), normals=seen, weights=weights)
        return found, found.anomaly_map(test)

    alone, alike = map_of(2)[1], map_of(4)[1]
    np.testing.assert_allclose(map_of(4, [2.0] * 4)[1], alike, atol=1e-5)
    half, between = map_of(4, [1.0] * 2 + [0.3] * 2)
    np.testing.assert_allclose(map_of(4, [1.0] * 2 + [0.0] * 2)[1], alone, atol=2e-3)
    assert np.abs(between - alone).mean() > 1e-3
    assert np.abs(between - alike).mean() > 1e-3
    assert len(half.inner_.held_.known) == 2


def test_made_ones_do_not_judge_how_well_real_ones_are_found(fitted, seen):
    """Copies of an example in the head that leaves it out would find it."""
    pictures, marks = smooth(4, 1)
    copies, again = np.concatenate([pictures, pictures[:, ::-1]]), [*marks, *marks[:, ::-1]]
    real = fitted.teach(pictures, list(marks), normals=seen)
    both = fitted.teach(copies, again, normals=seen, weights=[1.0] * 4 + [0.99] * 4)
    assert both.inner_.whole_.head.weight == real.inner_.whole_.head.weight
    np.testing.assert_array_equal(both.inner_.held_.known, real.inner_.held_.known)
    assert np.abs(both.anomaly_map(pictures) - real.anomaly_map(pictures)).mean() > 1e-3


def test_pictures_of_fit_count_as_left_out(fitted):
    pictures, marks = smooth(3, 1)
    own = fitted.inner_.lessons(grain(40, 0), learnt=True)
    taught = fitted.teach(pictures, list(marks), normals=own)
    whole = Detector(Image(64), FINE, alarm="conformal").fit(grain(40, 0), examples=pictures, regions=list(marks))
    test = smooth(4, 7)[0]
    np.testing.assert_allclose(taught.anomaly_map(test), whole.anomaly_map(test), atol=0.05)
    np.testing.assert_allclose(taught.p_value(test), whole.p_value(test), atol=0.05)
    with pytest.raises(Misfit, match="the 30 normals are not the 40 pictures of fit"):
        fitted.inner_.lessons(grain(30, 20), learnt=True)


def test_it_is_saved_like_any_other(taught, tmp_path):
    test = smooth(3, 7)[0]
    loaded = load(taught.save(tmp_path / "model"))
    np.testing.assert_array_equal(loaded.decision_function(test), taught.decision_function(test))
    np.testing.assert_array_equal(loaded.anomaly_map(test), taught.anomaly_map(test))
    np.testing.assert_array_equal(loaded.held_out_, taught.held_out_)


def test_refusals(fitted, seen):
    pictures, marks = smooth(2, 1)
    for given, why in (
        ({}, r"teach\(\) needs normal pictures that were not learnt from"),
        ({"normals": grain(3, 5)}, "normals has 3 pictures that can be read; give at least 5"),
        ({"normals": seen, "weights": [1.0]}, "there are 1 weights for 2 examples"),
        ({"normals": seen, "weights": [0.0, 0.0]}, "weights lie from 0 to 0"),
        ({"normals": seen, "weights": [1.0, np.nan]}, "give numbers of 0 or more"),
        ({"normals": np.concatenate([grain(8, 6), pictures[:1]])}, "example 0 is among the normal pictures"),
    ):
        with pytest.raises((Misfit, Unreadable), match=why):
            fitted.teach(pictures, list(marks), **given)


def test_weights_are_over_the_largest():
    assert weighed([2, 1], 2).tolist() == [1.0, 0.5]
    assert weighed(None, 2) is None
