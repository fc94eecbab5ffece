"""A handful of known anomalies: heard, resembled, placed by."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from anodiff import Detector, load
from anodiff.calibration import COMMON, LEAST, MOST
from anodiff.diffusion.noise import SCHEDULES
from anodiff.recipes.build import Silent
from anodiff.recipes.known import seen, strangers
from anodiff.scores.likeness import Likeness
from anodiff.types import Misfit, Unreadable
from toys import QUICK, broken, normals


@pytest.fixture(scope="module")
def informed() -> Detector:
    return Detector(changes=QUICK).fit(normals(300), examples=broken()[:5])


def near_misses(count: int, seed: int = 0) -> np.ndarray:
    """Anomalies of one kind, hardly outside of normal."""
    return np.random.default_rng(seed).normal([2.2, -1.5, 0.3, 1.0], 0.15, size=(count, 4))


def test_what_resembles_known_anomalies_scores_higher() -> None:
    normal, truth = normals(400, 6), np.r_[np.zeros(400), np.ones(60)]
    test = np.r_[normal, near_misses(60, 1)]
    plain, informed = (
        Detector(changes=QUICK).fit(normals(300), examples=known).decision_function(test)
        for known in (None, near_misses(5, 2))
    )
    assert roc_auc_score(truth, informed) > roc_auc_score(truth, plain) + 0.01


def test_weights_add_up_and_the_blind_lose_their_voice() -> None:
    normal = {"sees": np.arange(100.0), "blind": np.arange(100.0)}
    share = seen(normal, {"sees": np.array([200.0, 99.5]), "blind": np.array([-1.0, 49.5])})
    assert share == {"sees": 1.0, "blind": 0.25}


def test_ties_count_half() -> None:
    assert seen({"a": np.zeros(10)}, {"a": np.zeros(3)}) == {"a": 0.5}


def test_the_recipe_says_what_the_known_anomalies_made_of_it(informed: Detector) -> None:
    scores = informed.model_.recipe.scores
    voices = [asked.weight for name, asked in scores.items() if name not in ("likeness", "leaning")]
    assert sum(voices) == pytest.approx(1)
    assert scores["gauss"].weight > 0
    assert "likeness" not in strangers(informed.model_.recipe).scores
    assert informed.model_.facts["examples"] == 5


def test_maps_and_explanations_add_up(informed: Detector) -> None:
    rows = broken()[10:14]
    assert np.allclose(informed.anomaly_map(rows).sum(1), informed.decision_function(rows))
    assert informed.explain(rows[:1])[0].members["likeness"] > 0


def test_saved_and_loaded_it_says_the_same(informed: Detector, tmp_path) -> None:
    again = load(informed.save(tmp_path / "model"))
    X = np.r_[normals(50, 9), broken()]
    assert np.array_equal(again.decision_function(X), informed.decision_function(X))
    assert again.threshold_ == informed.threshold_
    assert again.false_alarm_rate_ == informed.false_alarm_rate_
    refitted = again.fit(normals(60))
    assert "likeness" not in refitted.model_.recipe.scores


def test_the_threshold_is_placed_by_them(informed: Detector) -> None:
    assert LEAST <= informed.false_alarm_rate_ <= MOST
    assert Detector(recipe="mahalanobis").fit(normals(100)).false_alarm_rate_ == COMMON
    hidden = Detector(changes=QUICK).fit(normals(300), examples=normals(5, 77))
    assert hidden.false_alarm_rate_ <= MOST
    assert (
        Detector(changes=QUICK, false_alarm_rate=0.2).fit(normals(60), examples=broken()[:2]).false_alarm_rate_ == 0.2
    )


def test_one_example_is_enough_and_any_recipe_listens() -> None:
    one = Detector(changes=QUICK).fit(normals(60), examples=broken()[:1])
    assert np.isfinite(one.decision_function(broken())).all()
    other = Detector(recipe="mahalanobis").fit(normals(60), examples=broken()[:2])
    assert other.model_.recipe.scores["linear"].weight == 1


def test_false_alarms_stay_at_the_rate(informed: Detector) -> None:
    fresh = normals(2000, 21)
    assert informed.predict(fresh, false_alarm_rate=0.05).mean() < 0.1


@pytest.mark.parametrize("examples", [np.zeros((0, 4)), np.zeros((2, 3))])
def test_wrong_examples_are_refused_and_nothing_is_lost(informed: Detector, examples: np.ndarray) -> None:
    before = informed.threshold_
    with pytest.raises(Unreadable):
        informed.fit(normals(60), examples=examples)
    assert informed.threshold_ == before


def test_likeness_is_the_difference_of_two_diffusion_times() -> None:
    like = Likeness("normal", "known", floor=1.0)
    assert np.allclose(like.of(np.array([8.0, 0.0]), np.array([0.0, 8.0])), [np.log(9) / 2, -np.log(9) / 2])
    with pytest.raises(Misfit, match="needs a Panel"):
        like(Silent(SCHEDULES["ve"]()), torch.zeros(1, 2))


def test_known_anomalies_stand_in_the_coordinates_of_normal_rows(tmp_path) -> None:
    """Ranks among five anomalies are no ranks among normals."""
    changes = {**QUICK, "likeness": "ranked"}
    ranked = Detector(changes=changes).fit(normals(200), examples=broken()[:5])
    normal, known = (ranked.whole_.panel[name].transform for name in ("ranked", "known"))
    assert torch.equal(normal.values, known.values)
    again = load(ranked.save(tmp_path / "model"))
    assert np.array_equal(again.decision_function(broken()), ranked.decision_function(broken()))
