"""What anodiff is told by each protocol, and what is written down of it, whatever the detector makes of it."""

import numpy as np
import pytest
from toys_for_bench import save, settings

from anodiff.bench import contestants
from anodiff.bench.contestants import OURS, contestant
from anodiff.bench.crew import here
from anodiff.bench.work import Job, methods

TOLD: list[dict[str, object]] = []
FEW = {"denoisers.learnt.steps": 5}


class Listening:
    """A detector that remembers what it is told; its score is the distance from the mean, coarser with less budget."""

    contamination_ = 0.04

    def __init__(self, **told: object) -> None:
        self.told = told
        self.budget = told.get("budget")
        TOLD.append(told)

    def fit(self, X: np.ndarray, examples: np.ndarray | None = None) -> None:
        self.told["examples"] = None if examples is None else len(examples)
        self.told["rows"] = len(X)

    @property
    def nfe(self) -> int:
        return int(self.budget or 11)

    def decision_function(self, X: np.ndarray) -> np.ndarray:
        distance = np.sqrt((np.nan_to_num(X) ** 2).sum(1))
        return distance if self.budget is None else distance.round(1)

    def p_of(self, scores: np.ndarray) -> np.ndarray:
        return np.exp(-scores)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    TOLD.clear()
    monkeypatch.setattr(contestants, "Detector", Listening)
    return TOLD


def done(tmp_path, protocol: str, **changes: object) -> list[dict]:
    job = Job(save(tmp_path, "toy", rows=600, bad=120), 3, settings(protocol, rivals=(), **changes))
    return next(iter(here([job]))).records


def test_contaminated_tells_nothing_but_auto_and_writes_the_estimate(tmp_path, told) -> None:
    records = done(tmp_path, "contaminated", levels=(0.0, 0.1))
    assert [each["contamination"] for each in told] == ["auto", "auto"]
    assert [each["rows"] for each in told] == [240, 267]
    assert [r["contamination_estimate"] for r in records] == [0.04, 0.04]


def test_examples_are_given_to_fit(tmp_path, told) -> None:
    done(tmp_path, "examples")
    assert [each["examples"] for each in told] == [None, 1, 5, 10]
    assert "contamination" not in told[0]


def test_a_budget_is_given_spent_and_compared_with_the_full_score(tmp_path, told) -> None:
    records = done(tmp_path, "anytime", levels=(None, 2))
    assert len(told) == 1  # fitted once, then given other budgets
    assert [r["nfe"] for r in records] == [11, 2]
    assert "agreement" not in records[0]
    assert 0.99 < records[1]["agreement"] < 1


def test_recipes_and_changes_are_ours_alone(told) -> None:
    chosen = settings(rivals=("anodiff:dte-c",), changes={"a.b": 1}, recipe="auto", budget=3)
    contestant(OURS, chosen, 7, None).fit(_Cut())
    contestant("anodiff:dte-c", chosen, 7, None).fit(_Cut())
    assert {k: told[0][k] for k in ("recipe", "changes", "budget", "seed")} == {
        "recipe": "auto",
        "changes": {"a.b": 1},
        "budget": 3,
        "seed": 7,
    }
    assert (told[1]["recipe"], "changes" in told[1], "budget" in told[1]) == ("dte-c", False, False)


def test_rivals_are_judged_once_where_levels_are_ours() -> None:
    chosen = settings("anytime", levels=(None, 2))
    assert methods(chosen, None) == [OURS, "knn"]
    assert methods(chosen, 2) == [OURS]
    assert methods(settings("missing"), 0.3) == [OURS, "knn"]


class _Cut:
    train, examples = np.zeros((3, 2)), None


def test_every_budget_is_that_of_a_detector_fitted_with_it(tmp_path) -> None:
    chosen = settings("anytime", rivals=(), levels=(None, 1), recipe="auto", changes=FEW)
    once = next(iter(here([Job(save(tmp_path, "toy", rows=200, bad=40), 3, chosen)]))).records
    assert [r.get("nfe", r["error"]) for r in once] == [12, 1]
    alone = settings("shuffled", rivals=(), budget=1, recipe="auto", changes=FEW)
    cheap = next(iter(here([Job(save(tmp_path, "toy", rows=200, bad=40), 3, alone)]))).records
    assert once[1]["auroc"] == cheap[0]["auroc"]
