"""The cycle: rounds are measured on what nobody learnt from, and it says so when nothing helps."""

import numpy as np
import pandas as pd
import pytest

from anodiff import Detector, Generator, Loop
from anodiff.rounds.image_makers import IMAGE_MAKERS
from anodiff.rounds.makers import Ground, makers
from anodiff.rounds.record import OURS, WITHOUT
from anodiff.rounds.series_makers import SERIES_MAKERS
from anodiff.types import Misfit

FAST = {"steps": 60, "width": 32}


def rows(n, seed=0):
    draw = np.random.default_rng(seed)
    first = draw.normal(size=n)
    return np.stack([first, first + 0.2 * draw.normal(size=n), draw.normal(size=n), draw.normal(size=n)], 1)


def broken(n, seed=0):
    """The first two columns are equal in normal rows; here they are opposite."""
    found = rows(n, seed)
    found[:, 1] = -found[:, 0] + 0.2 * np.random.default_rng(seed).normal(size=n)
    return found


@pytest.fixture(scope="module")
def generator():
    return Generator("tabular", settings=FAST).fit(rows(300, seed=9))


def test_rounds_on_real_held_out_anomalies(generator):
    test = np.concatenate([rows(150, seed=3), broken(40, seed=4)])
    labels = np.repeat([0, 1], [150, 40])
    loop = Loop(Detector("tabular", recipe="table", changes={"denoisers.learnt.steps": 30}), generator, rounds=2, n=15)
    seen = list(loop.running(rows(400), test=test, labels=labels))
    found = loop.rounds_
    assert 1 <= len(seen) <= 2
    assert seen[0].taken <= 15
    assert set(seen[0].gains) == {WITHOUT, "swap", "noise"}
    assert set(seen[0].values) == {OURS, WITHOUT, "swap", "noise"}
    for each in seen:
        assert 0 < each.accepted <= each.made
        for gain in each.gains.values():
            assert gain.low <= gain.value <= gain.high
    assert found.confidence == pytest.approx(0.975)
    assert found.helps == (found.best is not None)
    assert found.summary().startswith("Made anomalies")
    assert np.isfinite(found.detector.decision_function(test)).all()
    told = found.to_dict()
    assert told["about"] == "real anomalies"
    assert len(told["rounds"]) == len(seen)


def test_without_real_ones_kinds_are_held_out_and_that_is_said(generator, tmp_path):
    detector = Detector("tabular", recipe="table", changes={"denoisers.learnt.steps": 30})
    loop = Loop(detector, generator, rounds=1, n=10, rivals=["swap"])
    found = loop.run(rows(400))
    apart, learnt = found.facts["held_out_kinds"], found.facts["kinds"]
    assert apart
    assert not set(apart) & set(learnt)
    assert sorted(apart + learnt) == sorted(generator.kinds_)
    assert "held-out kinds" in found.about
    assert set(found.sample.kind) <= set(learnt)
    page = found.report(tmp_path / "rounds.html").read_text()
    assert "held-out kinds" in page
    assert "data:image/png" in page


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"rounds": 0}, "rounds is 0"),
        ({"n": 1.5}, "n is 1.5"),
        ({"confidence": 2.0}, "confidence is 2.0"),
        ({"rivals": ["smote"]}, "rival 'smote' is none of swap, noise; those that copy examples need examples="),
    ],
)
def test_settings_out_of_range_are_refused(settings, said, generator):
    loop = Loop(Detector("tabular", recipe="mahalanobis"), generator, **settings)
    with pytest.raises(Misfit) as caught:
        loop.run(rows(300), test=np.concatenate([rows(20), broken(20)]), labels=np.repeat([0, 1], 20))
    assert said in str(caught.value)


def test_a_detector_and_labels_are_needed(generator):
    with pytest.raises(Misfit, match=r"give an anodiff\.Detector"):
        Loop("table", generator).run(rows(100))
    with pytest.raises(Misfit, match=r"generator is a str; give an anodiff\.Generator"):
        Loop(Detector("tabular"), "painter").run(rows(100))
    with pytest.raises(Misfit, match="generator is of tabular data, and X is series"):
        Loop(Detector("series"), generator).run(rows(200))
    with pytest.raises(Misfit, match="regions and kinds are those of examples"):
        Loop(Detector("tabular"), generator).run(rows(100), regions=np.ones((2, 4), bool))
    with pytest.raises(Misfit, match="rivals is 5; give classical makers by name"):
        Loop(Detector("tabular"), generator, rivals=5).run(rows(100))
    with pytest.raises(Misfit, match="seed is -1"):
        Loop(Detector("tabular"), generator, seed=-1).run(rows(100))
    with pytest.raises(Misfit, match="test= and labels= go together"):
        Loop(Detector("tabular"), generator).run(rows(100), test=rows(10))


@pytest.mark.parametrize("name", makers("tabular"))
@pytest.mark.parametrize("framed", [False, True])
def test_rivals_make_rows_like_the_normal_ones(name, framed):
    normals, known = rows(60), broken(3)
    if framed:
        names = ["a", "b", "c"]
        normals = pd.DataFrame(normals[:, :3], columns=names).assign(kind=list("xyz") * 20)
        known = pd.DataFrame(known[:, :3], columns=names).assign(kind="x")
    made, region = makers("tabular")[name].make(Ground(normals, known), 7, 0)
    assert (len(made), region.shape) == (7, (7, 4))
    assert region.any()
    if framed:
        assert list(made.columns) == list(normals.columns)
        assert set(made["kind"].dropna()) <= set("xyz")
    again, _ = makers("tabular")[name].make(Ground(normals, known), 7, 0)
    assert pd.DataFrame(again).equals(pd.DataFrame(made))


@pytest.mark.parametrize("name", SERIES_MAKERS)
def test_rivals_make_series(name):
    draw = np.random.default_rng(0)
    normals = [draw.normal(size=(700, 2)), draw.normal(size=(400, 2))]
    known, where = [draw.normal(size=(50, 2)) + 9], [np.ones(50, bool)]
    made, regions = SERIES_MAKERS[name].make(Ground(normals, known, where), 6, 0)
    assert [len(each) for each in made] == [300] * 6
    for item, region in zip(made, regions, strict=True):
        assert region.shape == item.shape
        assert region.any()
        assert not region.all()


@pytest.mark.parametrize("name", IMAGE_MAKERS)
def test_rivals_make_pictures(name):
    draw = np.random.default_rng(0)
    normals = [draw.integers(80, 120, (40, 48), dtype=np.uint8) for _ in range(4)]
    mask = np.zeros((40, 48), bool)
    mask[10:20, 10:20] = True
    defect = normals[0].copy()
    defect[mask] = 250
    made, masks = IMAGE_MAKERS[name].make(Ground(normals, [defect], [mask]), 3, 0)
    for item, region in zip(made, masks, strict=True):
        assert (item.shape, item.dtype, region.shape) == ((40, 48), np.uint8, (40, 48))
        assert region.any()
        assert any(np.array_equal(item[~region], each[~region]) for each in normals)
