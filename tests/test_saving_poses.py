"""Saved detectors of poses: the same scores, alarms and words again; what is damaged is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anodiff
from anodiff.data.walkers import JOINTS, Walkers, walkers
from anodiff.modalities.poses import Poses
from anodiff.saving import digest
from anodiff.types import BadModel

SMALL = {"denoisers.learnt.steps": 20, "denoisers.learnt.width": 32}
MIXED: dict[str, Any] = {
    "name": "mixed",
    "about": "For tests: a mixture, and a network without a past.",
    "poses": {"body": {"future": 2, "sees": ["joints"]}},
    "denoisers": {
        "mixture": {"use": "mixture", "view": "body", "components": 2},
        "learnt": {"use": "network", "view": "body", "steps": 5, "width": 16, "between": [0.05, 5.0]},
    },
    "scores": {
        "mixture": {"use": "residual", "of": "mixture"},
        "learnt": {"use": "residual", "of": "learnt", "settings": {"levels": [0.5]}},
    },
}
RECIPES: list[Any] = ["auto", "mocodad", MIXED]


@pytest.fixture(scope="module")
def odd() -> Walkers:
    return walkers(2, 70, ["joint"], seed=5)


@pytest.fixture(scope="module", params=RECIPES, ids=["poses", "mocodad", "mixed"])
def fitted(request: pytest.FixtureRequest) -> anodiff.Detector:
    people, changes = walkers(5, 70, seed=0).tracks, {} if request.param is MIXED else SMALL
    modality = Poses(JOINTS, centre=[9, 12], rate=25, per_hour=90, causal=True)
    return anodiff.Detector(modality, request.param, changes=changes, alarm="conformal").fit(people)


@pytest.fixture(scope="module")
def folder(fitted: anodiff.Detector, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fitted.save(tmp_path_factory.mktemp("models") / "walk")


def rewritten(folder: Path, into: Path, **changes: Any) -> Path:
    """A copy whose config says something else, with a checksum that fits."""
    into.mkdir()
    for name in ("weights.safetensors", "card.md"):
        (into / name).write_bytes((folder / name).read_bytes())
    content = {**json.loads((folder / "config.json").read_text()), **changes}
    content["sha256"] = digest({key: value for key, value in content.items() if key != "sha256"})
    (into / "config.json").write_text(json.dumps(content))
    return into


def test_the_same_again(fitted: anodiff.Detector, folder: Path, odd: Walkers) -> None:
    again = anodiff.load(folder)
    assert again.kind_ == "poses"
    for causal in (None, False, True):
        first, second = (each.decision_function(odd.tracks, causal=causal) for each in (fitted, again))
        assert all(np.array_equal(first[name], second[name]) for name in first)
    assert again.threshold_ == fitted.threshold_
    assert again.false_alarm_rate_ == fitted.false_alarm_rate_ == pytest.approx(0.001)
    assert again.statement() == fitted.statement()
    assert again.references() == fitted.references()
    assert again.names_ == [f"person {i}" for i in range(1, 6)]
    for name, own in fitted.decision_scores_.items():
        assert np.array_equal(again.decision_scores_[name], own)
    assert [e.sentence for e in again.explain(odd.tracks)] == [e.sentence for e in fitted.explain(odd.tracks)]


def test_calibrated_elsewhere_and_saved_again(fitted: anodiff.Detector, folder: Path, tmp_path: Path) -> None:
    moved = anodiff.load(folder).calibrate(walkers(3, 80, seed=9).tracks)
    again = anodiff.load(moved.save(tmp_path / "moved"))
    assert again.threshold_ == moved.threshold_ != fitted.threshold_
    assert again.statement() == moved.statement() != fitted.statement()


def test_fitting_again_starts_from_the_same(folder: Path, fitted: anodiff.Detector, odd: Walkers) -> None:
    again = anodiff.load(folder).fit(walkers(5, 70, seed=0).tracks)
    first, second = (each.decision_function(odd.tracks["person 1"]) for each in (fitted, again))
    assert np.array_equal(first, second)


def test_the_card_and_nothing_pickled(folder: Path) -> None:
    said = (folder / "card.md").read_text(encoding="utf-8")
    assert "poses of 15 joints in 2 dimensions" in said
    assert "5 persons" in said
    assert sorted(path.name for path in folder.iterdir()) == ["card.md", "config.json", "weights.safetensors"]
    with pytest.raises(FileExistsError):
        anodiff.load(folder).save(folder)


def test_what_is_damaged_is_refused(folder: Path, tmp_path: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    shape = {**config["encoding"], "shape": [14, 2]}
    for i, (changes, said) in enumerate(
        (
            ({"encoding": shape}, "its scales are not"),
            ({"names": ["one"]}, "do not fit to its persons"),
            ({"scales": {**config["scales"], "causal": {}}}, "does not fit together"),
            ({"recipe": {**config["recipe"], "poses": {}}}, "does not fit together"),
            ({"layout": "heap"}, "layout"),
            ({"slack": {"expected": -1}}, "slack"),
            ({"smooth": 0}, "smooth"),
        )
    ):
        with pytest.raises(BadModel, match=said):
            anodiff.load(rewritten(folder, tmp_path / str(i), **changes))
    cut = tmp_path / "cut"
    rewritten(folder, cut)
    (cut / "weights.safetensors").write_bytes((folder / "weights.safetensors").read_bytes()[:-50])
    with pytest.raises(BadModel, match="truncated"):
        anodiff.load(cut)
