"""Cost that people set: evaluations per row, seconds of fit."""

import numpy as np
import pytest

from anodiff import Detector, load
from anodiff.settings import check_settings
from anodiff.types import Misfit
from toys import QUICK, broken, normals


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector(changes=QUICK, false_alarm_rate=0.05).fit(normals(300))


def test_a_budget_is_kept_and_more_agrees_more(detector: Detector) -> None:
    agreement = detector.agreement_
    assert list(agreement) == sorted(agreement)
    assert list(agreement.values())[-1] == 1
    assert next(iter(agreement.values())) > 0.5
    for budget in (1, 2, 3, 5, 6, 11, 12, 100):
        detector.budget = budget
        assert detector.model_.score.nfe <= budget
        assert np.isfinite(detector.decision_function(broken())).all()
    detector.budget = None


def test_the_full_score_is_the_one_without_a_budget(detector: Detector) -> None:
    whole = detector.decision_function(broken())
    detector.budget = detector.model_.score.nfe
    assert np.array_equal(detector.decision_function(broken()), whole)
    detector.budget = None


def test_alarms_are_calibrated_at_every_budget(detector: Detector) -> None:
    fresh = normals(3000, 11)
    for budget in (1, 3, 6):
        detector.budget = budget
        assert 0.02 < detector.predict(fresh).mean() < 0.1
        assert np.array_equal(detector.labels_, (detector.decision_scores_ > detector.threshold_).astype(int))
        assert np.allclose(detector.anomaly_map(fresh[:3]).sum(1), detector.decision_function(fresh[:3]))
    detector.budget = None


def test_other_normals_are_counted_at_every_budget(detector: Detector) -> None:
    own = Detector(changes=QUICK, false_alarm_rate=0.05).fit(normals(100)).calibrate(normals(200, 4))
    for budget in (1, None):
        own.budget = budget
        assert len(own.held_out_) == 200


def test_a_budget_is_saved(detector: Detector, tmp_path) -> None:
    detector.budget = 2
    again = load(detector.save(tmp_path / "model"))
    assert again.budget == 2
    assert np.array_equal(again.decision_function(broken()), detector.decision_function(broken()))
    again.budget = detector.budget = None
    assert np.array_equal(again.decision_function(broken()), detector.decision_function(broken()))


@pytest.mark.parametrize("budget", [0, -1, 1.5, "many", True])
def test_wrong_budgets_are_refused(budget: object) -> None:
    with pytest.raises(Misfit, match="budget is"):
        Detector(budget=budget).fit(normals(50))


def test_a_budget_that_buys_nothing_is_refused(detector: Detector) -> None:
    poor = Detector(recipe="mahalanobis", budget=1)
    with pytest.raises(Misfit, match="cheapest score of this recipe takes 10"):
        poor.fit(normals(50))


def test_a_hurried_fit_learns_less_and_can_be_repeated() -> None:
    X = normals(400)
    hurried = Detector(max_seconds=0.5).fit(X)
    learnt = hurried.model_.recipe.denoisers.get("learnt")
    assert learnt is None or learnt.steps < 400
    again = Detector(recipe=hurried.whole_.recipe).fit(X)
    assert np.array_equal(again.decision_function(broken()), hurried.decision_function(broken()))


def test_time_enough_changes_nothing() -> None:
    X = normals(60)
    free, rich = (Detector(changes=QUICK, max_seconds=s).fit(X) for s in (None, 1000.0))
    assert np.array_equal(free.decision_function(X), rich.decision_function(X))


@pytest.mark.parametrize("seconds", [0, -1, "soon", float("nan")])
def test_wrong_seconds_are_refused(seconds: object) -> None:
    with pytest.raises(Misfit, match="max_seconds is"):
        check_settings(Detector(max_seconds=seconds))
