"""What chooses the members: judged on one test, made ones weigh as much as real ones, and a run goes on."""

from pathlib import Path

import numpy as np
import pytest

from anodiff.bench.generation import tables
from anodiff.bench.generation.tables import BEST, DEFAULT, Asked, Cut, Fitted, act
from anodiff.bench.generation.tables_run import ALONE, apart, distance, page, running, sorted_out, summary, told
from anodiff.bench.sets import Source
from anodiff.types import Misfit

ASKED = Asked(counts=(1, 5), made=6, recipe="table", changes=(("denoisers.learnt.steps", 20),))
TOY = Source("breast_cancer")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fitted")


@pytest.fixture(scope="module")
def fitted(cache: Path) -> Fitted:
    return Fitted.of(Cut.of(TOY.load(), 0), ASKED, 0, cache / "breast_cancer.0.model")


def test_the_test_holds_none_of_the_known_and_counts_every_other_anomaly() -> None:
    data = TOY.load()
    cut = Cut.of(data, 0)
    assert len(cut.known) == 10
    assert cut.y.sum() == data.y.sum() - 10
    known = {row.tobytes() for row in cut.known}
    assert not any(row.tobytes() in known for row in cut.test)


def test_arms_are_what_the_detector_says(fitted: Fitted, cache: Path) -> None:
    cut = Cut.of(TOY.load(), 0)
    detector = tables.kept(cut, ASKED, 0, cache / "breast_cancer.0.model")
    assert np.allclose(fitted.voiced(None), detector.decision_function(cut.test))
    known = detector.teach(cut.known[:5])
    assert np.allclose(fitted.taught(fitted.known[:5]), known.decision_function(cut.test))


def test_records_of_a_table(cache: Path, fitted: Fitted) -> None:
    records = act(TOY.load(), 0, "plain", ASKED, cache)
    by = {(each["arm"], each["use"]): each for each in records}
    assert by[BEST, "weighed"]["auroc"] >= max(fitted.judged(s)["auroc"] for s in fitted.members().values())
    assert by[ALONE]["auroc"] > by[DEFAULT, "weighed"]["auroc"] - 1
    assert ("5 real + SMOTE-like of 5", "taught") in by
    assert {each["anomalies"] for each in records} == {212}


def test_a_run_goes_on_and_is_summed_up(tmp_path: Path, cache: Path, fitted: Fitted) -> None:
    path = tmp_path / "tables.json"
    first = list(running([TOY], 1, ["plain"], ASKED, path, "me", cache))
    assert first == ["plain breast_cancer 0"]
    assert not list(running([TOY], 1, ["plain"], ASKED, path, "me", cache))
    with pytest.raises(FileExistsError, match="other settings"):
        list(running([TOY], 1, ["plain"], Asked(), path, "me", cache))


def test_shares_and_intervals() -> None:
    def line(name: str, arm: str, use: str, value: float) -> dict[str, object]:
        return {"set": name, "seed": 0, "arm": arm, "use": use, "auroc": value, "ap": value, "anomalies": 200}

    records = []
    for name, gain in (("a", 1.0), ("b", 3.0)):
        records += [line(name, DEFAULT, "weighed", 80.0), line(name, BEST, "weighed", 84.0)]
        records += [line(name, *ALONE, 80.0 + gain)]
    numbers = sorted_out(records)
    found = distance(numbers, ALONE)
    assert found is not None
    assert (found["auroc"]["share"], found["auroc"]["gain"], found["auroc"]["won"]) == (0.5, 2.0, 2)
    ahead = apart(numbers, ALONE, (DEFAULT, "weighed"))
    assert ahead is not None
    assert ahead["names"] == ["a", "b"]
    assert apart(numbers, ("nobody", "taught"), ALONE) is None
    assert "50 %" in page(summary(records))
    assert told(np.array([0.05, -1.0, 2.0]))["tied"] == 1


def test_what_has_no_labels_is_refused() -> None:
    data = tables.DataSet("mine", np.zeros((50, 2)), None, "")
    with pytest.raises(Misfit, match="mine has no labels"):
        Cut.of(data, 0)
