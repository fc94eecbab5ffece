"""Training rows among which anomalies may be: doubted, estimated, set aside."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from anodiff import Detector
from anodiff.alarms.contamination import FACTOR, estimate, excess
from anodiff.diffusion.gaussian import Gaussian
from anodiff.diffusion.noise import SCHEDULES
from anodiff.diffusion.robust import concentrated, mahalanobis
from anodiff.recipes.grow import Doubt
from anodiff.recipes.specs import EmpiricalSpec
from anodiff.types import Misfit
from toys import QUICK, normals

SHORT = {name: value for name, value in QUICK.items() if name.startswith("denoisers.learnt")}


def clump(count: int, seed: int = 3) -> np.ndarray:
    """Anomalies that keep each other company, so that near neighbours vouch for them."""
    return np.random.default_rng(seed).normal(4, 0.05, size=(count, 4))


@pytest.fixture(scope="module")
def mixed() -> np.ndarray:
    return np.r_[normals(380), clump(20)]


@pytest.fixture(scope="module")
def doubting(mixed: np.ndarray) -> Detector:
    return Detector(contamination="auto", changes=SHORT).fit(mixed)


def test_a_clump_in_training_is_still_found(doubting: Detector, mixed: np.ndarray) -> None:
    test, truth = np.r_[normals(200, 5), clump(20, 4)], np.r_[np.zeros(200), np.ones(20)]
    believing = Detector(recipe="dte-np").fit(mixed)
    found, missed = (roc_auc_score(truth, d.decision_function(test)) for d in (doubting, believing))
    assert found > 0.99 > 0.9 > missed


def test_rows_set_aside_raise_the_alarm_and_are_not_counted(doubting: Detector, mixed: np.ndarray) -> None:
    aside = len(mixed) - len(doubting.held_out_)
    assert aside == round(doubting.contamination_ * len(mixed))
    assert doubting.decision_scores_.shape == (400,)
    assert doubting.labels_[-20:].all()
    assert f"{aside} more rows of fit" in doubting.statement()
    assert "more rows" not in Detector(recipe="mahalanobis").fit(mixed).statement()


def test_the_share_can_be_told(mixed: np.ndarray) -> None:
    told = Detector(recipe="mahalanobis", contamination=0.05).fit(mixed)
    plain = Detector(recipe="mahalanobis").fit(mixed)
    assert told.contamination_ == 0.05
    assert len(told.held_out_) == 380
    assert plain.contamination_ == 0
    truth = np.r_[np.zeros(200), np.ones(20)]
    test = np.r_[normals(200, 5), clump(20, 4)]
    told_auroc, plain_auroc = (roc_auc_score(truth, d.decision_function(test)) for d in (told, plain))
    assert told_auroc >= plain_auroc


@pytest.mark.parametrize("share", [-0.1, 0.6, "some", None, True, float("nan")])
def test_wrong_shares_are_refused(share: object) -> None:
    with pytest.raises(Misfit, match="contamination is"):
        Detector(contamination=share).fit(normals(50))


def test_the_estimate_is_a_share_with_an_interval() -> None:
    draw = np.random.default_rng(0)
    for raw in (draw.lognormal(size=500), np.r_[draw.lognormal(size=500), np.full(60, 1e4)], np.ones(50)):
        found = estimate(raw)
        assert 0 < found.low < found.value < found.high <= 0.5
        assert found.high <= FACTOR * found.value + 1e-12


def test_far_scores_beyond_what_the_middle_promises_are_an_excess() -> None:
    clean = np.random.default_rng(0).lognormal(size=5000)
    assert excess(clean) < 0.03
    assert 0.07 < excess(np.r_[clean[:4500], np.full(500, 1e4)]) < 0.13


def test_a_concentrated_gaussian_is_that_of_the_clean_rows() -> None:
    x = torch.randn(1000, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    dirty = torch.cat([x, torch.full((150, 3), 8.0, dtype=torch.float64)])
    process = SCHEDULES["ve"]()
    clean, moved = (Gaussian.fit(rows, process, 1e-6) for rows in (x, dirty))
    robust = concentrated(dirty, process, 1e-6, 0.25)
    assert robust.mean.abs().max() < 0.15 < 0.5 < moved.mean.abs().max()
    assert mahalanobis(robust, dirty[1000:]).min() > mahalanobis(moved, dirty[1000:]).max()
    wanted = ((x - x.mean(0)) @ torch.linalg.inv(torch.cov(x.T, correction=0)) * (x - x.mean(0))).sum(1)
    assert torch.allclose(mahalanobis(clean, x), wanted, rtol=1e-3)


def test_the_most_suspicious_rows_are_spared_from_parts() -> None:
    doubt = Doubt(np.arange(100.0), 0.06)
    for trim, shown in ((None, 94), (0.0, 100), (0.02, 94), (0.1, 90)):
        rows = doubt.spares(EmpiricalSpec(use="empirical", trim=trim))
        assert rows.sum() == shown
        assert rows[:shown].all()


def test_the_same_seed_doubts_the_same(mixed: np.ndarray, doubting: Detector) -> None:
    again = Detector(contamination="auto", changes=SHORT).fit(mixed)
    assert np.array_equal(again.decision_scores_, doubting.decision_scores_)
