"""A saved model of several kinds of data gives the same scores and reasons; a damaged one is refused in a sentence."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anodiff
from anodiff.detect_multimodal import MultimodalDetector
from anodiff.saving import digest
from anodiff.types import BadModel
from record_toys import modality, records


@pytest.fixture(scope="module")
def fitted() -> MultimodalDetector:
    normal, _ = records(40)
    normal["step"] = [None if i % 7 == 0 else step for i, step in enumerate(normal["step"])]
    return MultimodalDetector(modality(), seed=2, false_alarm_rate=0.1).fit(normal)


@pytest.fixture(scope="module")
def saved(fitted: MultimodalDetector, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fitted.save(tmp_path_factory.mktemp("models") / "model")


def test_comes_back_the_same(fitted: MultimodalDetector, saved: Path) -> None:
    loaded = anodiff.load(saved)
    test, _ = records(12, seed=4)
    assert np.array_equal(loaded.decision_function(test), fitted.decision_function(test))
    assert np.array_equal(loaded.decision_scores_, fitted.decision_scores_)
    assert np.array_equal(loaded.anomaly_map(test), fitted.anomaly_map(test))
    assert loaded.threshold_ == fitted.threshold_
    assert [each.to_dict() for each in loaded.explain(test)] == [each.to_dict() for each in fitted.explain(test)]
    assert (loaded.names_, loaded.parts_, loaded.evidences_) == (fitted.names_, fitted.parts_, fitted.evidences_)


def test_calibrated_comes_back_the_same(saved: Path, tmp_path: Path) -> None:
    loaded = anodiff.load(saved).calibrate(records(30, seed=6)[0])
    again = anodiff.load(loaded.save(tmp_path / "again"))
    assert np.array_equal(again.held_out_, loaded.held_out_)
    assert again.threshold_ == loaded.threshold_


def test_the_card_names_parts(saved: Path) -> None:
    card = (saved / "card.md").read_text()
    assert "- step: text" in card
    assert "missing in 15 %" in card


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c["fused"][0].update(pattern=[7]), "pattern"),
        (lambda c: c["fused"][-1]["scales"].append(None), "pattern"),
        (lambda c: c["names"].pop(), "fit together"),
        (lambda c: c["encoding"]["widths"].append(3), "fit together"),
        (lambda c: c.update(views=["photo", "nowhere"]), "nowhere"),
        (lambda c: c["encoding"].update(fusion="middle"), "fusion is 'middle'"),
    ],
)
def test_damage_is_refused(saved: Path, tmp_path: Path, change: Callable[[Any], Any], said: str) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in saved.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    config = json.loads((copy / "config.json").read_text())
    change(config)
    config.pop("sha256")
    (copy / "config.json").write_text(json.dumps({**config, "sha256": digest(config)}))
    with pytest.raises(BadModel, match=said):
        anodiff.load(copy)
