"""Models of video are folders: what is loaded scores alike, and what was damaged is refused in a sentence."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import anodiff
from anodiff.detect_video import VideoDetector
from anodiff.saving import digest
from anodiff.types import BadModel
from video_toys import fitted, moving, normal, planted

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[VideoDetector, Path]:
    detector = fitted()
    return detector, detector.save(tmp_path_factory.mktemp("video") / "model")


def test_what_is_loaded_says_the_same(saved: tuple[VideoDetector, Path]) -> None:
    detector, folder = saved
    found, new = anodiff.load(folder), planted().frames[15:45]
    assert found.kind_ == "video"
    for causal in (False, True):
        assert np.array_equal(
            found.decision_function(new, causal=causal), detector.decision_function(new, causal=causal)
        )
        assert np.array_equal(found.p_value(new, causal=causal), detector.p_value(new, causal=causal))
    assert np.array_equal(found.anomaly_map(new), detector.anomaly_map(new))
    assert np.array_equal(found.p_map(new), detector.p_map(new))
    assert [each.to_dict() for each in found.events(new)] == [each.to_dict() for each in detector.events(new)]
    assert found.statement() == detector.statement()
    assert all(map(np.array_equal, found.decision_scores_, detector.decision_scores_))
    assert np.array_equal(found.model_.shown, detector.model_.shown)
    assert found.false_alarms_per_hour_ == detector.false_alarms_per_hour_


def test_the_card_tells_what_it_is(saved: tuple[VideoDetector, Path]) -> None:
    said = (saved[1] / "card.md").read_text()
    assert "An anodiff detector of video" in said
    assert "96 x 64 pixels" in said
    assert "kroeger2016dis" in said


def test_what_was_calibrated_stays_so(tmp_path: Path) -> None:
    detector = moving().calibrate([normal(7, 30)])
    found = anodiff.load(detector.save(tmp_path / "model"))
    assert found.threshold(0.1) == detector.threshold(0.1)
    assert sum(map(len, found.held_out_)) == 30


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("clips",), [0, 9, 9, 9]),
        (("lengths",), [36]),
        (("encoding", "grid"), [3, 4]),
        (("encoding", "settings", "size"), -4),
        (("scales", "offline", "pace", "spread"), 0),
        (("facts", "seconds"), "long"),
    ],
)
def test_a_config_that_was_tampered_with(
    saved: tuple[VideoDetector, Path], tmp_path: Path, path: tuple[str, ...], value: object
) -> None:
    copied = _copied(saved[1], tmp_path)
    config = json.loads((copied / "config.json").read_text())
    inner = config
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    config["sha256"] = digest({key: kept for key, kept in config.items() if key != "sha256"})
    (copied / "config.json").write_text(json.dumps(config))
    with pytest.raises(BadModel):
        anodiff.load(copied)


@pytest.mark.parametrize("name", ["denoiser.learnt/net.inside.enter.weight", "encoding/cube.looks.basis", "indices/at"])
def test_arrays_that_were_cut(saved: tuple[VideoDetector, Path], tmp_path: Path, name: str) -> None:
    copied = _copied(saved[1], tmp_path)
    arrays = load_file(copied / "weights.safetensors")
    arrays[name] = arrays[name][:1].copy()
    save_file(arrays, copied / "weights.safetensors")
    config = json.loads((copied / "config.json").read_text())
    import hashlib

    config["weights_sha256"] = hashlib.sha256((copied / "weights.safetensors").read_bytes()).hexdigest()
    config["sha256"] = digest({key: kept for key, kept in config.items() if key != "sha256"})
    (copied / "config.json").write_text(json.dumps(config))
    with pytest.raises(BadModel):
        anodiff.load(copied)


def _copied(folder: Path, tmp_path: Path) -> Path:
    copied = tmp_path / "copied"
    copied.mkdir()
    for file in folder.iterdir():
        (copied / file.name).write_bytes(file.read_bytes())
    return copied
