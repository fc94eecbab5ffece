"""The detector in scikit-learn's and PyOD's tools."""

import numpy as np
import pytest
from pyod.models.lscp import LSCP
from pyod.utils.data import evaluate_print
from pyod.utils.utility import standardizer
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from anodiff import Detector
from toys import broken, normals

TINY = {"denoisers.learnt.steps": 3, "denoisers.learnt.width": 8, "denoisers.learnt.depth": 1}


@pytest.mark.parametrize("settings", [{"changes": TINY}, {"recipe": "mahalanobis"}], ids=["table", "mahalanobis"])
@pytest.mark.filterwarnings("ignore")
def test_passes_check_estimator(settings) -> None:
    check_estimator(Detector(**settings).as_sklearn(), on_skip=None)


def test_sign_and_labels_are_scikit_learns() -> None:
    X, bad = normals(200), broken()
    native = Detector(recipe="mahalanobis", false_alarm_rate=0.05).fit(X)
    theirs = native.as_sklearn().fit(X)
    assert np.array_equal(theirs.predict(bad), 1 - 2 * native.predict(bad))
    assert np.allclose(theirs.score_samples(bad), -native.decision_function(bad))
    assert np.array_equal(theirs.decision_function(bad) < 0, native.predict(bad) == 1)


def test_rows_of_fit_score_as_if_left_out() -> None:
    X = np.r_[normals(100), broken(3)]
    fitted = Detector(recipe="dte-np", false_alarm_rate=0.05).as_sklearn().fit(X)
    assert np.allclose(fitted.score_samples(X), -fitted.detector_.decision_scores_)
    assert (fitted.fit_predict(X)[-3:] == -1).any()
    assert not np.allclose(fitted.score_samples(X), -fitted.detector_.decision_function(X))


def test_works_in_pipelines_and_searches() -> None:
    X, y = np.r_[normals(80), broken(20)], np.r_[np.ones(80), -np.ones(20)]
    pipe = make_pipeline(StandardScaler(), Detector(recipe="mahalanobis", false_alarm_rate=0.05).as_sklearn())
    assert pipe.fit(X[:80]).decision_function(X).shape == (100,)

    def auroc(model, X, y):
        from sklearn.metrics import roc_auc_score

        return roc_auc_score(y, model.decision_function(X))

    native, halves = Detector(recipe="mahalanobis", false_alarm_rate=0.05), StratifiedKFold(2, shuffle=True)
    assert cross_val_score(native.as_sklearn(), X, y, scoring=auroc, cv=halves).shape == (2,)
    search = GridSearchCV(native.as_sklearn(), {"false_alarm_rate": [0.05, 0.2]}, scoring=auroc, cv=halves).fit(X, y)
    assert search.best_estimator_.detector_.false_alarm_rate in {0.05, 0.2}


def test_parameters_round_trip() -> None:
    detector = Detector("tabular", "mahalanobis", false_alarm_rate=0.2, seed=7)
    assert clone(detector).get_params() == detector.get_params()
    assert detector.set_params(seed=8).seed == 8


def test_works_with_pyod(capsys: pytest.CaptureFixture[str]) -> None:
    X = np.r_[normals(100), broken(10)]
    y = np.r_[np.zeros(100), np.ones(10)]
    pair = [Detector(recipe=name, false_alarm_rate=0.1).fit(X) for name in ("mahalanobis", "dte-np")]
    evaluate_print("anodiff", y, pair[0].decision_scores_)
    assert "ROC" in capsys.readouterr().out
    assert standardizer(np.column_stack([d.decision_scores_ for d in pair])).shape == (110, 2)
    with pytest.warns(UserWarning, match="."):
        team = LSCP([Detector(recipe="mahalanobis"), Detector(recipe="dte-np")], local_region_size=20).fit(X)
    assert team.decision_function(X[:5]).shape == (5,)
