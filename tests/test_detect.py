"""The facade: scores, alarms, what is fitted, and refusals."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score

from anodiff import Detector
from anodiff.checks import check_detector
from anodiff.modalities import Tabular
from anodiff.types import Misfit, Unreadable
from toys import QUICK, broken, normals


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector(changes=QUICK, false_alarm_rate=0.05).fit(normals(300))


@pytest.fixture(scope="module")
def quick() -> Detector:
    return Detector(recipe="mahalanobis", false_alarm_rate=0.05).fit(normals(300))


def test_finds_what_no_single_column_shows(detector: Detector) -> None:
    scores = detector.decision_function(np.r_[normals(100, 5), broken()])
    assert roc_auc_score(np.r_[np.zeros(100), np.ones(40)], scores) > 0.97
    assert scores.dtype == np.float64


def test_attributes_are_those_of_pyod(detector: Detector) -> None:
    assert detector.decision_scores_.shape == (300,)
    assert np.array_equal(detector.labels_, (detector.decision_scores_ > detector.threshold_).astype(int))
    assert set(np.unique(detector.labels_)) <= {0, 1}
    assert detector.n_features_in_ == 4
    proba = detector.predict_proba(normals(10, 7))
    assert proba.shape == (10, 2)
    assert np.allclose(proba.sum(1), 1)


def test_scores_of_training_rows_are_left_out_ones(quick: Detector) -> None:
    """In-sample scores would be lower, and alarms on new normals then more than wanted."""
    assert quick.decision_scores_.mean() > quick.decision_function(normals(300)).mean()


def test_predict_is_threshold_is_p_value(detector: Detector) -> None:
    X = np.r_[normals(100, 8), broken()]
    scores, p = detector.decision_function(X), detector.p_value(X)
    for rate in (0.01, 0.05, 0.2):
        alarms = detector.predict(X, false_alarm_rate=rate)
        assert np.array_equal(alarms == 1, p <= rate)
        assert np.array_equal(alarms == 1, scores > detector.threshold(rate))


def test_normals_raise_alarms_at_the_wanted_rate(quick: Detector) -> None:
    share = quick.predict(normals(4000, 9), false_alarm_rate=0.1).mean()
    assert 0.05 < share < 0.17


def test_discoveries_are_controlled(quick: Detector) -> None:
    X = np.r_[normals(300, 10), broken(60)]
    found = quick.predict(X, fdr=0.1)
    assert found[300:].mean() > 0.9
    assert found[:300].sum() < 0.3 * found.sum()
    with pytest.raises(Misfit, match="either false_alarm_rate or fdr"):
        quick.predict(X, fdr=0.1, false_alarm_rate=0.1)


def test_rate_changes_without_refit(quick: Detector) -> None:
    loose, strict = quick.threshold(0.2), quick.threshold(0.01)
    assert loose < strict
    changed = clone(quick)
    assert not hasattr(changed, "model_")
    before = quick.threshold_
    quick.set_params(false_alarm_rate=0.2)
    assert quick.threshold_ == loose < before
    quick.set_params(false_alarm_rate=0.05)


def test_rate_beyond_the_sample_warns_and_extrapolates(quick: Detector) -> None:
    with pytest.warns(UserWarning, match="support"):
        threshold = quick.threshold(1e-4)
    assert np.isfinite(threshold)
    assert threshold > quick.decision_scores_.max() * 0.9
    strict = Detector(recipe="mahalanobis", alarm="conformal", false_alarm_rate=0.05).fit(normals(50))
    assert strict.threshold(0.001) == np.inf


def test_tail_alarm_goes_below_the_sample() -> None:
    tail = Detector(recipe="mahalanobis", alarm="tail").fit(normals(300))
    p = tail.p_value(broken(5))
    assert (p < 1 / 301).all()
    assert (p > 0).all()


def test_few_rows_still_give_an_alarm() -> None:
    few = Detector(recipe="mahalanobis").fit(normals(20))
    with pytest.warns(UserWarning, match="20 held-out normals"):
        assert few.predict(broken(5) * 5).all()


def test_map_adds_up_and_points(detector: Detector) -> None:
    X = broken(10)
    found = detector.anomaly_map(X)
    assert found.shape == X.shape
    assert np.allclose(found.sum(1), detector.decision_function(X), rtol=1e-6)
    assert (np.argsort(found, 1)[:, -2:] % 3 == 0).mean() > 0.8


@pytest.mark.parametrize("threads", [1, 2])
def test_replay(detector: Detector, threads: int) -> None:
    """Same item, same score, for any batch size, order and thread count."""
    X = np.r_[normals(150, 11), broken()]
    before = torch.get_num_threads()
    whole = detector.decision_function(X)
    torch.set_num_threads(threads)
    try:
        order = np.random.default_rng(0).permutation(len(X))
        shuffled = detector.decision_function(X[order])
        alone = np.concatenate([detector.decision_function(X[i : i + 1]) for i in range(0, len(X), 7)])
    finally:
        torch.set_num_threads(before)
    assert np.allclose(shuffled, whole[order], rtol=1e-5, atol=0)
    assert np.allclose(alone, whole[::7], rtol=1e-5, atol=0)


def test_same_seed_same_model() -> None:
    first, again = (Detector(changes=QUICK, seed=3).fit(normals(60)) for _ in range(2))
    other = Detector(changes=QUICK, seed=4).fit(normals(60))
    X = broken(5)
    assert np.array_equal(first.decision_function(X), again.decision_function(X))
    assert not np.array_equal(first.decision_function(X), other.decision_function(X))


def test_global_random_state_is_left_alone() -> None:
    torch.manual_seed(0)
    np.random.seed(0)
    before, numbers = torch.get_rng_state(), np.random.get_state()[1].copy()
    Detector(changes=QUICK).fit(normals(30))
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], numbers)


def test_missing_cells_are_filled_not_refused() -> None:
    X = normals(300)
    X[np.random.default_rng(0).random(X.shape) < 0.1] = np.nan
    fitted = Detector(recipe="mahalanobis", false_alarm_rate=0.05).fit(X)
    probe = np.array([[1.0, 0.0, 0.0, np.nan], [1.0, 0.0, 0.0, -1.0]])
    consistent, contradicting = fitted.decision_function(probe)
    assert np.isfinite([consistent, contradicting]).all()
    assert contradicting > 2 * consistent


@pytest.mark.parametrize("make", [pd.DataFrame, lambda X: pl.DataFrame(X, schema=["a", "b", "c", "d"])])
def test_frames_score_like_arrays(quick: Detector, make) -> None:
    frame = make(normals(300))
    fitted = Detector(recipe="mahalanobis", false_alarm_rate=0.05).fit(frame)
    assert np.allclose(fitted.decision_function(make(broken())), quick.decision_function(broken()))


def test_settings_of_the_modality_reach_the_model() -> None:
    frame = pd.DataFrame({"grade": np.tile([1, 2, 3], 20), "size": np.arange(60.0)})
    fitted = Detector(Tabular(kinds={"grade": "categorical"}), recipe="mahalanobis").fit(frame)
    kinds = {column["name"]: column["kind"] for column in fitted.model_.facts["columns"]}
    assert kinds["grade"] == "categorical"


def test_samples_rows_beyond_max_rows() -> None:
    fitted = Detector(recipe="mahalanobis", max_rows=50).fit(normals(300))
    assert len(fitted.decision_scores_) == 50
    assert fitted.model_.facts["rows_seen"] == 300


def test_progress_counts_every_step_once() -> None:
    records = list(Detector(changes=QUICK).fitting(normals(40)))
    assert records[-1].done == records[-1].of
    assert [r.stage for r in records] == sorted((r.stage for r in records), key=["calibrating", "learning"].index)


def test_interrupted_fit_leaves_the_detector_as_it_was() -> None:
    fitted = Detector(changes=QUICK).fit(normals(40))
    before = fitted.decision_function(broken(3))
    work = fitted.fitting(normals(40, 99) * 10)
    for _ in range(30):
        next(work)
    work.close()
    assert np.array_equal(fitted.decision_function(broken(3)), before)


def test_references_are_those_of_the_recipe(quick: Detector) -> None:
    assert "Ledoit" in quick.references()
    assert quick.references().count("@") == len(quick.model_.recipe.cite)


def test_heavy_duplicates_and_constant_columns() -> None:
    X = np.repeat(normals(6), 30, axis=0)
    X[:, 1] = 7
    fitted = Detector(changes=QUICK, false_alarm_rate=0.05).fit(X)
    assert np.isfinite(fitted.decision_scores_).all()
    assert fitted.predict(X + np.array([0, 5, 0, 0])).all()


def test_extremes_stay_finite(detector: Detector) -> None:
    huge = np.array([[1e308, 0, 0, 0], [0, -1e308, 0, 0], [1e30, 1e30, 1e30, 1e30]])
    scores = detector.decision_function(huge)
    assert np.isfinite(scores).all()
    assert detector.predict(huge).all()


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (np.zeros((50, 3)), "constant"),
        (normals(1), "row"),
        (normals(3), "3 rows"),
        (np.zeros((0, 3)), "row"),
        (np.zeros((50, 0)), "column"),
        (np.full((50, 2), np.inf), "inf"),
        (np.arange(5.0), "1-d"),
        ("nowhere.csv", "nowhere.csv"),
    ],
)
def test_refuses_what_cannot_be_learnt(X, words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        Detector(recipe="mahalanobis").fit(X)


@pytest.mark.parametrize(
    "settings",
    [
        {"false_alarm_rate": 0.0},
        {"false_alarm_rate": 1.5},
        {"alarm": "loud"},
        {"max_rows": 1},
        {"modality": "smell"},
        {"recipe": "tabel"},
        {"recipe": {"name": "x"}},
        {"changes": {"denoisers.learnt.colour": 1}},
        {"changes": {"nothing.here": 1}},
        {"changes": {"denoisers.learnt.width": 10**9}},
    ],
)
def test_refuses_settings_in_one_sentence(settings) -> None:
    with pytest.raises(Misfit) as refusal:
        Detector(**settings).fit(normals(30))
    assert "\n" not in str(refusal.value)


def test_asks_to_be_fitted_first() -> None:
    with pytest.raises(NotFittedError):
        Detector().decision_function(normals(5))


def test_no_rows_no_scores(detector: Detector) -> None:
    assert detector.decision_function(np.zeros((0, 4))).shape == (0,)
    assert detector.predict(np.zeros((0, 4))).shape == (0,)


def test_no_warnings_in_ordinary_use() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Detector(changes=QUICK, false_alarm_rate=0.05).fit(normals(120)).predict(broken())


def test_calibrate_counts_other_normals_without_learning() -> None:
    fitted = Detector(recipe="mahalanobis").fit(normals(60))
    before, p = fitted.decision_function(broken(3)), fitted.p_value(broken(3))
    assert fitted.calibrate(normals(999, 4)) is fitted
    assert np.array_equal(fitted.decision_function(broken(3)), before)
    assert len(fitted.decision_scores_) == 60
    assert (fitted.p_value(broken(3)) == 1 / 1000).all()
    assert (p == 1 / 61).all()
    with pytest.raises(Unreadable, match="columns"):
        fitted.calibrate(normals(20)[:, :3])
    with pytest.raises(Unreadable):
        fitted.calibrate(np.zeros((0, 4)))


@pytest.mark.parametrize("recipe", ["mahalanobis", "dte-np"])
def test_obeys_the_public_laws(recipe: str) -> None:
    check_detector(Detector(recipe=recipe, false_alarm_rate=0.1), normals(120), broken())


def test_the_public_laws_catch_a_detector_that_looks_at_the_batch() -> None:
    class Ranks(Detector):
        def decision_function(self, X):
            return super().decision_function(X).argsort().argsort().astype(float)

    with pytest.raises(AssertionError, match="Ranks"):
        check_detector(Ranks(recipe="mahalanobis", false_alarm_rate=0.1), normals(120), broken())


def test_no_rows_have_no_map(quick: Detector) -> None:
    assert quick.anomaly_map(normals(5)[:0]).shape == (0, quick.n_features_in_)


@pytest.mark.parametrize(
    "settings",
    [
        {"false_alarm_rate": "low"},
        {"false_alarm_rate": None},
        {"max_rows": 20.5},
        {"seed": -1},
        {"seed": None},
        {"seed": 2**70},
        {"changes": [1]},
        {"recipe": "table", "changes": {**QUICK, "denoisers.learnt.lr": 1e30}},
        {"changes": {3: 3}},
    ],
)
def test_refuses_settings_of_wrong_types(settings: dict) -> None:
    with pytest.raises(Misfit) as refusal:
        Detector(**{"recipe": "mahalanobis", **settings}).fit(normals(20))
    assert "\n" not in str(refusal.value)


def rare_categories(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame({"id": [f"u{i}" for i in rng.integers(0, 500, n)], "x": rng.normal(size=n)})


def rare_gaps(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 30))
    X[rng.random(X.shape) < 0.005] = np.nan
    return pd.DataFrame(X)


def rare_switches(n: int, seed: int) -> np.ndarray:
    return (np.random.default_rng(seed).random((n, 10)) < 0.3).astype(float)


@pytest.mark.parametrize("make", [rare_categories, rare_gaps, rare_switches])
@pytest.mark.parametrize("recipe", ["mahalanobis", "dte-np"])
def test_rates_hold_where_the_encoding_could_have_seen_the_row(make, recipe: str) -> None:
    """A category or gap of one training row is unseen when that row is left out, as new rows' are."""
    shares = []
    for seed in range(4):
        fitted = Detector(recipe=recipe, seed=seed).fit(make(200, seed))
        shares.append((fitted.p_value(make(500, 100 + seed)) <= 0.1).mean())
    assert np.mean(shares) < 0.16, shares


def test_copies_are_not_told_apart_by_rounding() -> None:
    X = np.random.default_rng(0).integers(0, 2, size=(300, 4)).astype(float)
    fitted = Detector(recipe="dte-np").fit(X)
    assert len(np.unique(fitted.decision_function(X))) == 1
    assert fitted.predict(X + 0.3, false_alarm_rate=0.05).all()
