"""A fitted detector of tables is taught known anomalies: as if it had known them from the start."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from anodiff import Detector, load
from anodiff.detect_tables import TableDetector
from anodiff.recipes.known import LIKENESS, RESEMBLANCE, counted
from anodiff.types import Misfit, Unreadable
from toys import QUICK, broken, normals


@pytest.fixture(scope="module")
def plain() -> TableDetector:
    return TableDetector(changes=QUICK).fit(normals(200))


@pytest.fixture(scope="module")
def taught(plain: TableDetector) -> TableDetector:
    return plain.teach(broken()[:5])


def voices(detector: TableDetector) -> dict[str, float]:
    return {name: asked.weight for name, asked in detector.whole_.recipe.scores.items()}


def test_taught_later_is_known_from_the_start(plain: TableDetector, taught: TableDetector) -> None:
    known = TableDetector(changes=QUICK).fit(normals(200), examples=broken()[:5])
    X = np.r_[normals(50, 9), broken()[5:]]
    assert np.array_equal(taught.decision_function(X), known.decision_function(X))
    assert np.array_equal(taught.decision_scores_, known.decision_scores_)
    assert voices(taught) == voices(known)
    assert (taught.threshold_, taught.false_alarm_rate_) == (known.threshold_, known.false_alarm_rate_)
    assert taught.whole_.facts["examples"] == 5


def test_the_one_that_was_asked_stays_as_it_was(plain: TableDetector, taught: TableDetector) -> None:
    assert LIKENESS not in voices(plain)
    assert voices(plain)["gauss"] == 0
    assert plain.whole_.facts["examples"] == 0


def test_teaching_anew_forgets_what_was_taught_before(plain: TableDetector, taught: TableDetector) -> None:
    others, X = broken(6, seed=5), broken()[5:]
    assert np.array_equal(taught.teach(others).decision_function(X), plain.teach(others).decision_function(X))


def test_saved_and_loaded_it_says_the_same_and_learns_the_same(
    plain: TableDetector, taught: TableDetector, tmp_path
) -> None:
    X = np.r_[normals(50, 9), broken()]
    assert np.array_equal(load(taught.save(tmp_path / "taught")).decision_function(X), taught.decision_function(X))
    again = load(plain.save(tmp_path / "plain")).teach(broken()[:5])
    assert np.array_equal(again.decision_function(X), taught.decision_function(X))


def test_the_facade_teaches() -> None:
    found = Detector(changes=QUICK).fit(normals(60)).teach(broken()[:3])
    assert found.model_.facts["examples"] == 3


def test_other_normals_weigh_and_are_counted(plain: TableDetector) -> None:
    fresh = normals(150, 33)
    found = plain.teach(broken()[:5], normals=fresh)
    assert np.allclose(found.held_out_, found.decision_function(fresh))
    assert len(found.decision_scores_) == 200
    others = [plain.teach(broken()[:5], normals=normals(150, seed)) for seed in range(101, 107)]
    rates = [each.predict(normals(1000, 34), false_alarm_rate=0.05).mean() for each in others]
    assert 0.03 < np.mean(rates) < 0.07


def test_a_model_without_its_rows_asks_for_normals(tmp_path) -> None:
    few = {**QUICK, "denoisers.near.references": 50}
    model = TableDetector(changes=few).fit(normals(120))
    known = model.teach(broken()[:5])
    loaded = load(model.save(tmp_path / "model"))
    with pytest.raises(Misfit, match="does not hold its 120 rows of fit; give normals="):
        loaded.teach(broken()[:5])
    found = loaded.teach(broken()[:5], normals=normals(100, 35))
    assert len(found.decision_scores_) == 100
    truth, X = np.r_[np.zeros(100), np.ones(35)], np.r_[normals(100, 36), broken()[5:]]
    ours, theirs = (roc_auc_score(truth, each.decision_function(X)) for each in (found, known))
    assert ours == pytest.approx(theirs, abs=0.02)


def test_other_normals_that_were_counted_are_asked_for_again() -> None:
    model = TableDetector(changes=QUICK).fit(normals(60)).calibrate(normals(50, 40))
    with pytest.raises(Misfit, match="calibrated with normals that it does not hold"):
        model.teach(broken()[:2])


def test_what_weighs_less_is_heard_less_and_places_no_alarm(plain: TableDetector) -> None:
    real, made = broken()[:4], normals(30, 50) + 0.2
    alone = plain.teach(real)
    weights = np.r_[np.ones(4), np.full(30, 0.005)]
    both = plain.teach(np.r_[real, made], weights=weights)
    loud = plain.teach(np.r_[real, made], weights=np.r_[np.ones(4), np.full(30, 0.05)])
    assert voices(both)["learnt"] == pytest.approx(voices(alone)["learnt"], abs=0.2)
    assert 0 < voices(both)[RESEMBLANCE] < voices(loud)[RESEMBLANCE] < voices(loud)[LIKENESS]
    assert len(both.calibration_.known[LIKENESS]) == both.whole_.facts["examples"] == 4
    assert np.allclose(both.anomaly_map(real).sum(1), both.decision_function(real))


def test_no_weight_is_no_example(plain: TableDetector, taught: TableDetector) -> None:
    X = np.r_[normals(50, 9), broken()]
    found = plain.teach(np.r_[broken()[:5], normals(3, 60)], weights=[2] * 5 + [0] * 3)
    assert np.array_equal(found.decision_function(X), taught.decision_function(X))


def test_any_recipe_listens() -> None:
    for recipe in ("mahalanobis", "table-robust"):
        model = TableDetector(recipe=recipe, changes=QUICK if "robust" in recipe else None).fit(normals(60))
        known = model.teach(broken()[:3])
        assert np.isfinite(known.decision_function(broken())).all()
        assert known.whole_.facts["examples"] == 3


def test_what_may_hold_anomalies_is_taught_too() -> None:
    X = np.r_[normals(150), broken(10, 70)]
    known = TableDetector(changes=QUICK, contamination=0.06).fit(X).teach(broken()[:5])
    assert len(known.decision_scores_) == 160
    assert roc_auc_score(np.arange(160) >= 150, known.decision_scores_) > 0.8


@pytest.mark.parametrize("weights", [[1, 1], [1, -1, 1], [0, 0, 0], [1, np.nan, 1], [[1], [1], [1]]])
def test_odd_weights_are_refused(plain: TableDetector, weights: list[float]) -> None:
    with pytest.raises(Misfit, match="weights"):
        plain.teach(broken()[:3], weights=weights)


def test_weights_are_shares_of_the_largest() -> None:
    assert counted([2.0, 1.0], 2).tolist() == [1.0, 0.5]


def test_odd_examples_are_refused(plain: TableDetector) -> None:
    for examples, said in ((np.zeros((2, 3)), "examples: "), (np.zeros((0, 4)), "examples has no rows")):
        with pytest.raises(Unreadable, match=said):
            plain.teach(examples)
    with pytest.raises(Unreadable, match="normals has 2 rows"):
        plain.teach(broken()[:3], normals=normals(2))
    with pytest.raises(Misfit, match="leave regions out"):
        plain.teach(broken()[:3], np.ones((3, 4), bool))


def test_normal_rows_are_no_examples(plain: TableDetector) -> None:
    with pytest.raises(Unreadable, match="all 3 examples are among the normal rows"):
        plain.teach(normals(200)[:3])
    with pytest.warns(UserWarning, match="1 of 4 examples are among the normal rows"):
        plain.teach(np.r_[broken()[:3], normals(200)[:1]])
    with pytest.raises(Unreadable, match="all 2 examples"):
        TableDetector(changes=QUICK).fit(normals(60), examples=normals(60)[:2])
