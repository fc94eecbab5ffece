import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.metrics import roc_auc_score
from toys_for_bench import table

from anodiff.bench.named import check, names, rival
from anodiff.bench.rivals import ABOUT, RIVALS
from anodiff.types import Misfit

X, Y = table()
TRAIN, TEST, LABELS = X[Y == 0][:108], np.concatenate([X[Y == 0][108:], X[Y == 1]]), np.repeat([0, 1], [108, 24])
NAMED = [
    "pyod.models.hbos.HBOS",
    "sklearn.svm.OneClassSVM(nu=0.1)",
    "sklearn.neighbors.LocalOutlierFactor(n_neighbors=7)",
    "sklearn.mixture.GaussianMixture(n_components=2)",
]


@pytest.mark.parametrize("name", [*RIVALS, *NAMED])
def test_higher_is_more_abnormal_and_training_is_scored(name: str) -> None:
    found = rival(name, 0)
    trained = found.fit(TRAIN)
    assert np.isfinite(trained).all()
    scores = found.score(TEST)
    assert scores.shape == (132,)
    assert roc_auc_score(LABELS, scores) > (0.4 if name in ("ecod", "pyod.models.hbos.HBOS") else 0.6)
    far = found.score(np.full((1, 4), 50.0))
    assert far[0] >= np.median(scores)


def test_neighbours_are_what_they_say() -> None:
    near = np.sort(cdist(TEST, TRAIN), axis=1)[:, :50]
    for name, expected in {
        "knn": near[:, 4],
        "knn50": near[:, 49],
        "knn-mean": (near[:, :5] ** 2).mean(1),
    }.items():
        found = rival(name, 0)
        alone = found.fit(TRAIN)
        np.testing.assert_allclose(found.score(TEST), expected)
        others = np.sort(cdist(TRAIN, TRAIN) + np.diag(np.full(len(TRAIN), np.inf)), axis=1)
        if name == "knn":
            np.testing.assert_allclose(alone, others[:, 4])


def test_mcd_survives_wide_and_constant_data() -> None:
    draw = np.random.default_rng(0)
    wide = np.column_stack([draw.normal(size=(40, 60)), np.ones(40)])
    found = rival("mcd", 0)
    assert np.isfinite(found.fit(wide)).all()
    assert found.score(wide + 9).min() > np.median(found.score(wide))


def test_names_keep_the_commas_of_brackets() -> None:
    assert names("knn, a.B(x=1, y=(2, 3)),lof") == ["knn", "a.B(x=1, y=(2, 3))", "lof"]
    assert names("none") == []
    assert names("all") == list(ABOUT)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("knm", "no rival 'knm'"),
        ("nowhere.at.All", "no module nowhere.at"),
        ("sklearn.svm.OneClassSVN", "no class OneClassSVN"),
        ("sklearn.svm.SVC", "no outlier estimator"),
        ("sklearn.svm.OneClassSVM(nu=__import__('os'))", "cannot read"),
        ("sklearn.svm.OneClassSVM(0.1)", "cannot read"),
        ("sklearn.svm.OneClassSVM(nu=0.1", "cannot read"),
        ("sklearn.svm.OneClassSVM(no=0.1)", "unexpected keyword"),
        ("anodiff:nothing", "nothing"),
    ],
)
def test_a_rival_that_cannot_be_had_is_one_sentence(name: str, said: str) -> None:
    with pytest.raises(Misfit, match=said):
        check(name)


def test_seeds_and_settings_reach_the_rival() -> None:
    assert rival("sklearn.ensemble.IsolationForest(n_estimators=7)", 5).model.get_params()["random_state"] == 5
    assert rival("sklearn.ensemble.IsolationForest(random_state=1)", 5).model.get_params()["random_state"] == 1
