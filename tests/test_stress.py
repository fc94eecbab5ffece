"""The detectability curve of any detector, on a generator that is a toy."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from pyod.models.knn import KNN
from sklearn.ensemble import IsolationForest
from sklearn.mixture import GaussianMixture

import anodiff
from anodiff.made import Made
from anodiff.report.stress_plot import stress_figure, stress_plot
from anodiff.stress import StressCurve, scorer, stress
from anodiff.types import Misfit, Unreadable

RANDOM = np.random.default_rng(0)
NORMAL, HELD = RANDOM.normal(size=(300, 4)), RANDOM.normal(size=(200, 4))


class Toy:
    """Shifts a column, a stretch or a box by as many standard deviations as its kind says at strength 1."""

    kinds_ = ("far", "faint")

    def __init__(self, kind):
        self.kind_ = kind

    def sample(self, n, *, on, where, kind, strength, size, judged, seed):
        assert not judged
        random = np.random.default_rng(seed)
        by = strength * {"far": 8.0, "faint": 0.0}[kind] * (1 if size is None else 10 * size[1])
        source = np.arange(n) % len(on)
        if self.kind_ == "tabular":
            normal = np.asarray(on)[source]
            region = np.eye(normal.shape[1], dtype=bool)[random.integers(normal.shape[1], size=n)]
            data = normal + by * region
            data = pd.DataFrame(data, columns=on.columns) if hasattr(on, "columns") else data
        elif self.kind_ == "series":
            normal = [on[i] for i in source]
            region = [np.zeros(x.shape, dtype=bool) for x in normal]
            for mask in region:
                start = random.integers(5, len(mask) - 10)
                mask[start : start + 4, random.integers(mask.shape[1])] = True
            data = [x + by * r for x, r in zip(normal, region, strict=True)]
        else:
            normal = np.asarray(on)[source]
            region = np.zeros(normal.shape, dtype=bool)
            for mask in region:
                top, left = random.choice([0, 20], 2)
                mask[top : top + 8, left : left + 8] = True
            data = normal + by * region
        few = np.full(n, strength)
        return Made(data, region, normal, [kind] * n, [where] * n, few, few, few, source)


@pytest.fixture(scope="module")
def curve():
    return stress(IsolationForest(random_state=0).fit(NORMAL), Toy("tabular"), HELD, n=60, seed=3)


def farthest(x):
    return np.abs(np.asarray(x)).max(1)


def rising(cells):
    values = [cell.auroc.value for cell in cells]
    return values == sorted(values)


def test_far_rises_and_faint_is_missed(curve):
    lines = curve.lines()
    assert list(lines) == ["far", "faint"]
    assert rising(lines["far"])
    assert lines["far"][-1].auroc.value > 0.9
    assert all(abs(cell.auroc.value - 0.5) < 0.15 for cell in lines["faint"])
    assert all(cell.auroc.low <= cell.auroc.value <= cell.auroc.high for cell in curve.cells)
    assert curve.normals == 200
    said = curve.blind()
    assert any(line.startswith("faint: at 5 % false alarms less than half is found at any strength") for line in said)
    assert any(line.startswith("far: at 5 % false alarms less than half is found up to strength") for line in said)


def test_all_sorts_of_detectors_agree_on_which_way_is_up(curve):
    detectors = {
        "ours": anodiff.Detector("tabular", recipe="mahalanobis").fit(NORMAL[:80]),
        "pyod": KNN().fit(NORMAL),
        "density": GaussianMixture(1, random_state=0).fit(NORMAL),
    }
    for name, detector in detectors.items():
        found = stress(detector, Toy("tabular"), HELD, strengths=(1.0,), kinds=("far",), n=30)
        assert found.cells[0].auroc.value > 0.9, name
    up, down = (
        stress(farthest, Toy("tabular"), HELD, kinds="far", strengths=[1], higher_is_abnormal=side)
        for side in (True, False)
    )
    assert up.cells[0].auroc.value == pytest.approx(1 - down.cells[0].auroc.value)


def test_forest_by_hand(curve):
    forest = IsolationForest(random_state=0).fit(NORMAL)
    made = Toy("tabular").sample(60, on=HELD, where="auto", kind="far", strength=0.5, size=None, judged=False, seed=3)
    normal, abnormal = -forest.score_samples(HELD), -forest.score_samples(made.data)
    cell = curve.lines()["far"][2]
    assert cell.auroc.value == pytest.approx(
        (abnormal[:, None] > normal).mean() + (abnormal[:, None] == normal).mean() / 2
    )
    assert cell.recall.value == (abnormal > np.sort(normal)[200 - 10]).mean()


def test_columns_of_frames_are_named():
    frame = pd.DataFrame(HELD, columns=["flow", "heat", "load", "wear"])
    score = scorer(lambda x: np.abs(np.asarray(x)[:, :3]).max(1), True)
    found = stress(score, Toy("tabular"), frame, kinds=["far"], strengths=(0.8, 1.0), higher_is_abnormal=True)
    assert {spot.name for spot in found.spots} == {f"column {name}" for name in frame.columns}
    assert found.blind()[-1].startswith("column wear: at 5 % false alarms")
    assert len(found.blind()) == 1


def test_a_place_is_not_blamed_for_its_kind():
    class Apart(Toy):
        def sample(self, n, *, kind, **order):
            made = super().sample(n, kind=kind, **order)
            region = np.zeros_like(made.region)
            region[:, self.kinds_.index(kind)] = True
            return replace(
                made, data=made.normal + made.strength[:, None] * 8 * (kind == "far") * region, region=region
            )

    found = stress(farthest, Apart("tabular"), HELD, n=20, higher_is_abnormal=True)
    assert found.spots == []
    assert [line.split(":")[0] for line in found.blind()] == ["far", "faint"]


def test_series_by_channel():
    series = [RANDOM.normal(size=(60, 2)) for _ in range(12)]
    found = stress(lambda x: np.abs(x[:, 0]), Toy("series"), series, n=24, higher_is_abnormal=True)
    far = found.lines()["far"]
    assert rising(far)
    assert found.normals == 24 * 8
    spots = {spot.name: spot for spot in found.spots}
    assert spots["channel 0"].recall.value > spots["channel 1"].recall.high
    assert any(line.startswith("channel 1:") for line in found.blind())


def test_pictures_by_ninth_and_size():
    pictures = RANDOM.normal(size=(40, 28, 28))
    blurred = lambda x: np.abs(np.asarray(x)[:, :14].reshape(len(x), 7, 2, 14, 2).mean((2, 4))).max((1, 2))  # noqa: E731
    found = stress(
        blurred, Toy("image"), pictures, n=40, kinds=["far"], sizes=[0.01, (0.05, 0.1)], higher_is_abnormal=True
    )
    assert list(found.lines()) == ["far, 1 % of it", "far, 5 to 10 % of it"]
    spots = {spot.name: spot for spot in found.spots}
    assert set(spots) == {"upper left", "upper right", "lower left", "lower right"}
    assert any("lower" in line for line in found.blind())


def test_it_can_be_shown(curve):
    back = json.loads(json.dumps(curve.to_dict()))
    assert back["blind"] == curve.blind()
    assert len(back["cells"]) == 10
    rows = curve.table().splitlines()
    assert rows[0] == "|  | 0.1 | 0.25 | 0.5 | 0.75 | 1 |"
    assert rows[2].startswith("| far | 0.")
    assert stress_plot(curve).startswith("data:image/svg+xml;base64,")
    axes = stress_figure(curve, "recall").axes[0]
    assert sorted(line.get_ydata()[0] for line in axes.lines)[0] <= 0.05
    assert len(axes.lines) == 3
    with pytest.raises(Misfit, match="measure is 'f1'; choose one of auroc, recall"):
        stress_figure(curve, "f1")


def test_nothing_to_report():
    found = stress(
        lambda x: np.abs(x).max(1), Toy("tabular"), HELD, kinds=["far"], strengths=[1], higher_is_abnormal=True
    )
    assert found.blind() == [
        "At 5 % false alarms no kind is surely found less than half the time, by 100 items or more each."
    ]
    assert isinstance(found, StressCurve)


def test_refusals():
    toy = Toy("tabular")
    with pytest.raises(Misfit, match="the detector is not fitted"):
        stress(IsolationForest(), toy, HELD)
    with pytest.raises(Misfit, match="object gives no scores; give a detector with decision_function or score_samples"):
        stress(object(), toy, HELD)
    with pytest.raises(Misfit, match="give higher_is_abnormal=True or False"):
        stress(lambda x: x[:, 0], toy, HELD)
    with pytest.raises(Misfit, match="which 10 held-out normals do not support; give at least 19"):
        stress(lambda x: x[:, 0], toy, HELD[:10], higher_is_abnormal=True)
    with pytest.raises(Unreadable, match="scores of made items"):
        stress(lambda x: x[:, 0] if len(x) == 200 else x, toy, HELD, higher_is_abnormal=True)
    with pytest.raises(Misfit, match=r"generator is a str; give a fitted anodiff\.Generator"):
        stress(lambda x: x[:, 0], "painter", HELD, higher_is_abnormal=True)
    with pytest.raises(Misfit, match="strengths are empty"):
        stress(lambda x: x[:, 0], toy, HELD, strengths=(), higher_is_abnormal=True)


def test_a_kind_that_cannot_be_made_is_left_out_and_that_is_said():
    class Unable(Toy):
        def sample(self, n, *, kind, where, **order):
            if kind == "faint":
                raise Misfit("kind is 'faint', and no two channels of these series go together.")
            return super().sample(n, kind=kind, where=where, **order)

    found = stress(farthest, Unable("tabular"), HELD, strengths=[1], n=20, higher_is_abnormal=True)
    assert list(found.lines()) == ["far"]
    assert found.blind()[-1].startswith("faint: left out; kind is 'faint', and no two channels")
    assert found.to_dict()["left_out"] == found.left_out
    with pytest.raises(Misfit, match="no two channels"):
        stress(farthest, Unable("tabular"), HELD, kinds=["faint"], higher_is_abnormal=True)
    with pytest.raises(Misfit, match=r"kind is 'nil'.*choose one of far, faint"):
        stress(farthest, Unable("tabular"), HELD, kinds=["far", "nil"], higher_is_abnormal=True)
