"""A saved model gives the same scores, and a damaged one a clear refusal."""

import hashlib
import json
import os
import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

import anodiff
from anodiff import Detector
from anodiff.recipes.schema import available
from anodiff.saving import digest
from anodiff.types import BadModel
from toys import QUICK, broken, normals


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Detector(changes=QUICK, false_alarm_rate=0.05).fit(normals(60)).save(tmp_path / "model")


def change(folder: Path, **entries: object) -> None:
    """Tamper with config.json and mend its checksum, as a careful adversary would."""
    config = json.loads((folder / "config.json").read_text())
    config.update(entries)
    config.pop("sha256")
    (folder / "config.json").write_text(json.dumps({**config, "sha256": digest(config)}))


def test_scores_survive(tmp_path: Path) -> None:
    detector = Detector(changes=QUICK, false_alarm_rate=0.05, seed=5).fit(normals(60)).calibrate(normals(80, 9))
    loaded = anodiff.load(detector.save(tmp_path / "model"))
    X = np.r_[normals(20, 3), broken(5)]
    assert np.array_equal(loaded.decision_function(X), detector.decision_function(X))
    assert np.array_equal(loaded.p_value(X), detector.p_value(X))
    assert np.array_equal(loaded.decision_scores_, detector.decision_scores_)
    assert loaded.threshold_ == detector.threshold_
    assert loaded.seed == 5
    assert loaded.references() == detector.references()
    assert loaded.explain(X[-1:])[0].sentence == detector.explain(X[-1:])[0].sentence


@pytest.mark.parametrize("name", available("tabular"))
def test_every_recipe_survives(name: str, tmp_path: Path) -> None:
    fewer = {"scores.time.net.steps": 20} if name in {"dte-c", "dte-ig"} else {"denoisers.learnt.steps": 20}
    changes = None if name in {"dte-np", "mahalanobis"} else fewer
    detector = Detector(recipe=name, changes=changes).fit(normals(40))
    X = broken(5)
    again = anodiff.load(detector.save(tmp_path / "model"))
    assert np.allclose(again.decision_function(X), detector.decision_function(X), rtol=1e-9)
    assert np.allclose(detector.anomaly_map(X).sum(1), detector.decision_function(X), rtol=1e-6)


def test_mixed_columns_survive(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "country": rng.choice(["NL", "DE", None], 80),
            "amount": rng.lognormal(size=80),
            "when": pd.date_range("2026-01-01", periods=80, freq="h"),
            "paid": rng.random(80) < 0.5,
        }
    )
    detector = Detector(recipe="mahalanobis").fit(frame)
    loaded = anodiff.load(detector.save(tmp_path / "model"))
    assert np.allclose(loaded.decision_function(frame), detector.decision_function(frame), rtol=1e-12)


def test_nothing_is_pickled_and_nothing_left_over(folder: Path) -> None:
    assert sorted(os.listdir(folder)) == ["card.md", "config.json", "weights.safetensors"]
    assert os.listdir(folder.parent) == ["model"]
    card = (folder / "card.md").read_text()
    assert "held-out normals" in card
    assert "@inproceedings" in card


def test_nothing_is_overwritten_unasked(folder: Path) -> None:
    before = (folder / "config.json").read_bytes()
    other = Detector(recipe="mahalanobis").fit(normals(40))
    with pytest.raises(FileExistsError, match="overwrite"):
        other.save(folder)
    assert (folder / "config.json").read_bytes() == before
    other.save(folder, overwrite=True)
    assert anodiff.load(folder).model_.recipe.name == "mahalanobis"


def test_a_folder_that_is_no_model_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.txt").write_text("years of work")
    with pytest.raises(FileExistsError, match="left alone"):
        Detector(recipe="mahalanobis").fit(normals(40)).save(tmp_path / "precious", overwrite=True)
    assert (tmp_path / "precious" / "thesis.txt").read_text() == "years of work"


def test_failed_save_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    detector = Detector(recipe="mahalanobis").fit(normals(40))
    monkeypatch.setattr("anodiff.saving.card", fail)
    with pytest.raises(KeyboardInterrupt):
        detector.save(tmp_path / "model")
    assert os.listdir(tmp_path) == []


def test_interrupted_exchange_keeps_the_old_model(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, replace, calls = (folder / "config.json").read_bytes(), os.replace, []

    def interrupted(source: Path, target: Path) -> None:
        calls.append(source)
        if len(calls) == 2:
            raise KeyboardInterrupt
        replace(source, target)

    other = Detector(recipe="mahalanobis").fit(normals(40))
    monkeypatch.setattr("anodiff.saving.os.replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        other.save(folder, overwrite=True)
    assert (folder / "config.json").read_bytes() == before
    assert os.listdir(folder.parent) == ["model"]


def truncate_weights(folder: Path) -> None:
    path = folder / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def flip_a_weight(folder: Path) -> None:
    path = folder / "weights.safetensors"
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(bytes(data))


def claim_a_trillion(folder: Path) -> None:
    header = json.dumps({"a/b": {"dtype": "F32", "shape": [10**6, 10**6], "data_offsets": [0, 4 * 10**12]}}).encode()
    (folder / "weights.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 64)


def claim_a_huge_header(folder: Path) -> None:
    (folder / "weights.safetensors").write_bytes(struct.pack("<Q", 2**62) + b"{}")


def newer(folder: Path) -> None:
    change(folder, format=99, anodiff="9.9")


def path_outside(folder: Path) -> None:
    change(folder, weights="../../etc/passwd")


def link_outside(folder: Path) -> None:
    outside = folder.parent / "elsewhere.safetensors"
    (folder / "weights.safetensors").rename(outside)
    (folder / "weights.safetensors").symlink_to(outside)


def not_json(folder: Path) -> None:
    (folder / "config.json").write_text("{" * 100_000)


def not_a_mapping(folder: Path) -> None:
    (folder / "config.json").write_text("[1, 2]")


def quietly_changed(folder: Path) -> None:
    path = folder / "config.json"
    path.write_text(path.read_text().replace('"false_alarm_rate": 0.05', '"false_alarm_rate": 0.5'))


def another_width(folder: Path) -> None:
    recipe = json.loads((folder / "config.json").read_text())["recipe"]
    recipe["denoisers"]["learnt"]["width"] = 4096
    change(folder, recipe=recipe)


def another_recipe(folder: Path) -> None:
    recipe = json.loads((folder / "config.json").read_text())["recipe"]
    recipe["scores"]["near"]["of"] = "nobody"
    change(folder, recipe=recipe)


def unknown_modality(folder: Path) -> None:
    change(folder, modality="smell")


def scales_gone(folder: Path) -> None:
    change(folder, scales={})


def rate_of_two(folder: Path) -> None:
    change(folder, settings={"false_alarm_rate": 2.0})


def weights_gone(folder: Path) -> None:
    (folder / "weights.safetensors").unlink()


def config_gone(folder: Path) -> None:
    (folder / "config.json").unlink()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (truncate_weights, "truncated"),
        (flip_a_weight, "changed after it was saved"),
        (claim_a_trillion, "safetensors"),
        (claim_a_huge_header, "safetensors"),
        (newer, "upgrade anodiff"),
        (path_outside, "etc/passwd"),
        (link_outside, "outside its folder"),
        (not_json, "JSON"),
        (not_a_mapping, "no mapping"),
        (quietly_changed, "changed after it was saved"),
        (another_width, "does not fit together"),
        (another_recipe, "nobody"),
        (unknown_modality, "smell"),
        (scales_gone, "does not fit together"),
        (rate_of_two, "false_alarm_rate"),
        (weights_gone, "weights.safetensors"),
        (config_gone, "no anodiff model"),
    ],
)
def test_refuses_damage(folder: Path, damage, words: str) -> None:
    damage(folder)
    with pytest.raises(BadModel, match=words) as refusal:
        anodiff.load(folder)
    assert "\n" not in str(refusal.value)


def test_refuses_what_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(BadModel, match="no anodiff model"):
        anodiff.load(tmp_path / "nothing")


def deep(folder: Path, place: str, value: object) -> None:
    """Change one entry of config.json, by its path."""
    config = json.loads((folder / "config.json").read_text())
    inner, *keys = config, *place.split(".")
    for key in keys[:-1]:
        inner = inner[int(key)] if isinstance(inner, list) else inner[key]
    inner[keys[-1]] = value
    change(folder, **config)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("facts", {}),
        ("facts.rows_fitted", "many"),
        ("facts.seconds", None),
        ("encoding.kinds", 7),
        ("encoding.dictionaries", None),
        ("encoding.dictionaries", {"x0": ["a"]}),
        ("encoding.dictionaries.size", [1, 2]),
        ("encoding.blocks.1.levels", [1, 2, 3]),
        ("encoding.blocks.1.counts", [1e400, 1, 1]),
        ("encoding.blocks.2.levels", {"low": 1}),
        ("scales.linear.steepest", float("nan")),
        ("scales.linear.knots", float("inf")),
        ("recipe.scores.linear.weight", float("inf")),
        ("recipe.cite", ["nobody"]),
    ],
)
def test_refuses_every_wrong_entry(tmp_path: Path, place: str, value: object) -> None:
    size = pd.Categorical(["low", "high"] * 30, ["low", "high"], ordered=True)
    frame = pd.DataFrame({"flow": normals(60)[:, 0], "city": ["Ulm", "Bonn", "Kiel"] * 20, "size": size})
    folder = Detector(recipe="mahalanobis").fit(frame).save(tmp_path / "model")
    deep(folder, place, value)
    with pytest.raises(BadModel) as refusal:
        anodiff.load(folder)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("filler/mean", lambda a: a * np.nan),
        ("filler/mean", lambda a: a[:, None]),
        ("filler/values", lambda a: a[:-1]),
        ("denoiser.linear/mean", lambda a: a[:, None]),
        ("denoiser.linear/vectors", lambda a: a > 0),
        ("encoding/shares", lambda a: a + 0.01),
        ("left_out/linear", lambda a: a * np.inf),
        ("left_out/linear", lambda a: a[:, None]),
        ("denoiser.linear/values", lambda a: a > 0),
    ],
)
def test_refuses_every_wrong_array(tmp_path: Path, name: str, wrong) -> None:
    folder = Detector(recipe="mahalanobis").fit(normals(60)).save(tmp_path / "model")
    arrays = load_tensors((folder / "weights.safetensors").read_bytes())
    weights = save_tensors({**arrays, name: np.array(wrong(arrays[name]), order="C")})
    (folder / "weights.safetensors").write_bytes(weights)
    change(folder, weights_sha256=hashlib.sha256(weights).hexdigest())
    with pytest.raises(BadModel) as refusal:
        anodiff.load(folder)
    assert "\n" not in str(refusal.value)


def test_refuses_a_network_of_another_precision(folder: Path) -> None:
    arrays = load_tensors((folder / "weights.safetensors").read_bytes())
    name = next(key for key in arrays if key.endswith("enter.weight"))
    weights = save_tensors({**arrays, name: arrays[name].astype(np.float16)})
    (folder / "weights.safetensors").write_bytes(weights)
    change(folder, weights_sha256=hashlib.sha256(weights).hexdigest())
    with pytest.raises(BadModel, match="does not fit together"):
        anodiff.load(folder)


def test_settings_of_numpy_survive(tmp_path: Path) -> None:
    detector = Detector(recipe="mahalanobis", seed=np.int64(3), false_alarm_rate=np.float32(0.05)).fit(normals(40))
    assert anodiff.load(detector.save(tmp_path / "model")).seed == 3
