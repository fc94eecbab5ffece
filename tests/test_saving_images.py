"""A saved model of pictures gives the same scores, maps and regions; a damaged one is refused in a sentence."""

import hashlib
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

import anodiff
from anodiff.detect_images import ImageDetector
from anodiff.modalities.features import Features
from anodiff.modalities.image import Image
from anodiff.saving import digest
from anodiff.types import BadModel
from picture_toys import PLAIN, parts, spoilt

SIDE = 24
OTHERS: dict[str, dict[str, Any]] = {
    "gaussian": {"denoisers": {"usual": {"use": "gaussian", "view": "px"}}},
    "mixture": {"denoisers": {"usual": {"use": "mixture", "view": "px", "components": 2}}},
    "empirical": {
        "denoisers": {"usual": {"use": "empirical", "view": "px", "references": 200}},
        "scores": {"place": {"use": "residual", "of": "usual"}},
    },
    "given a context": {"denoisers": {"usual": {"use": "positional", "view": "px", "context": 1, "reach": 1}}},
    "network of cells": {
        "denoisers": {"usual": {"use": "network", "view": "px", "width": 8, "depth": 1, "steps": 5}},
        "scores": {"place": {"use": "residual", "of": "usual"}},
    },
    "network of planes": {
        "denoisers": {
            "usual": {
                "use": "network", "net": "unet2d", "view": "px", "width": 8, "depth": 1, "steps": 3, "batch": 2,
            },
        },
        "scores": {"place": {"use": "reconstruction", "of": "usual", "settings": {"levels": [0.3]}}},
    },
    "network of a score": {
        "denoisers": {},
        "scores": {
            "place": {
                "use": "inverse_gamma_time",
                "net": {"use": "network", "view": "px", "width": 8, "depth": 1, "steps": 5},
            },
        },
    },
}  # fmt: skip


def fitted(recipe: dict[str, Any] | str = PLAIN, count: int = 20, **settings: Any) -> ImageDetector:
    return ImageDetector(Image(SIDE), recipe, false_alarm_rate=0.1, **settings).fit(parts(count, 0))


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    detector = ImageDetector(Image(32), false_alarm_rate=0.1).fit(parts(12, 0))
    return detector.save(tmp_path_factory.mktemp("saved") / "model")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    recipe = {**PLAIN, **OTHERS["given a context"]}
    return fitted(recipe).save(tmp_path / "model")


class TestSurvives:
    def test_all_that_is_said(self, tmp_path: Path) -> None:
        detector = ImageDetector(Image(32), false_alarm_rate=0.05, seed=4, contamination=0.05).fit(parts(24, 0))
        loaded = anodiff.load(detector.calibrate(parts(30, 5)).save(tmp_path / "model")).inner_
        X = spoilt(7)
        for name in ("decision_function", "p_value", "predict", "anomaly_map", "p_map", "names"):
            assert np.array_equal(getattr(loaded, name)(X), getattr(detector, name)(X)), name
        for name in ("decision_scores_", "labels_", "held_out_", "threshold_", "contamination_", "names_", "unread_"):
            assert np.array_equal(getattr(loaded, name), getattr(detector, name)), name
        boxes, others = ([[r.box for r in each] for each in d.regions(X)] for d in (loaded, detector))
        assert boxes == others
        assert loaded.statement() == detector.statement()
        assert loaded.references() == detector.references()
        assert loaded.seed == 4
        assert [s.sentence for s in loaded.explain(X)] == [s.sentence for s in detector.explain(X)]
        picture = next(iter(anodiff.detect_images.album(X).pictures(32)))
        assert np.array_equal(loaded.whole_.nearest_normal(picture), detector.whole_.nearest_normal(picture))

    @pytest.mark.parametrize("kind", OTHERS)
    def test_every_part(self, kind: str, tmp_path: Path) -> None:
        detector = fitted({**PLAIN, **OTHERS[kind]}, count=12)
        loaded = anodiff.load(detector.save(tmp_path / "model"))
        X = spoilt(1)
        np.testing.assert_allclose(loaded.decision_function(X), detector.decision_function(X), rtol=1e-9)
        np.testing.assert_allclose(loaded.decision_scores_, detector.decision_scores_, rtol=1e-9)

    def test_fitted_again_it_starts_from_what_was_asked(self, saved: Path) -> None:
        loaded = anodiff.load(saved)
        before = loaded.decision_scores_
        assert loaded.recipe == "auto"
        again = loaded.fit(parts(12, 0))
        np.testing.assert_allclose(again.decision_scores_, before, rtol=1e-9)

    def test_features_of_a_choice_of_layers(self, tmp_path: Path) -> None:
        detector = ImageDetector(Features(Image(32), layers=["s4"]), false_alarm_rate=0.2).fit(parts(8, 0))
        loaded = anodiff.load(detector.save(tmp_path / "model")).inner_
        assert loaded.modality.layers == ("s4",) or list(loaded.modality.layers) == ["s4"]
        assert np.array_equal(loaded.decision_function(spoilt(1)), detector.decision_function(spoilt(1)))

    def test_saved_again_it_is_the_same(self, saved: Path, tmp_path: Path) -> None:
        again = anodiff.load(saved).save(tmp_path / "again")
        assert (again / "weights.safetensors").read_bytes() == (saved / "weights.safetensors").read_bytes()

    def test_files_and_their_sizes(self, saved: Path) -> None:
        assert sorted(p.name for p in saved.iterdir()) == ["card.md", "config.json", "weights.safetensors"]
        model = anodiff.load(saved).inner_.whole_
        floats = sum(value.numel() for each in model.panel.values() for value in each.state_dict().values())
        size = (saved / "weights.safetensors").stat().st_size
        assert 4 * floats < size < 4 * floats + 2_000_000
        assert (saved / "config.json").stat().st_size < 50_000
        card = (saved / "card.md").read_text()
        assert "learnt from 12 of 12 pictures" in card
        assert "- backbone: embedded" in card

    def test_nothing_is_overwritten_unasked(self, saved: Path) -> None:
        with pytest.raises(FileExistsError, match="give overwrite=True"):
            anodiff.load(saved).save(saved)


def change(folder: Path, **entries: Any) -> None:
    """Tamper with config.json and mend its checksum, as a careful adversary would."""
    config = json.loads((folder / "config.json").read_text())
    config.update(entries)
    config.pop("sha256")
    (folder / "config.json").write_text(json.dumps({**config, "sha256": digest(config)}))


def replaced(**arrays: Callable[[np.ndarray], np.ndarray] | None) -> Callable[[Path], None]:
    """Tamper with arrays, by name with / for __ and . for _o_, and mend the checksums."""

    def tamper(folder: Path) -> None:
        path = folder / "weights.safetensors"
        held = load_tensors(path.read_bytes())
        for spelt, made in arrays.items():
            name = spelt.replace("__", "/").replace("_o_", ".")
            assert name in held, sorted(held)
            value = held.pop(name)
            if made is not None:
                held[name] = np.ascontiguousarray(made(value))
        data = save_tensors(held)
        path.write_bytes(data)
        change(folder, weights_sha256=hashlib.sha256(data).hexdigest())

    return tamper


def configured(**entries: Callable[[Any], Any]) -> Callable[[Path], None]:
    def tamper(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text())
        change(folder, **{name: made(config[name]) for name, made in entries.items()})

    return tamper


def truncated(folder: Path) -> None:
    path = folder / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def flipped(folder: Path) -> None:
    path = folder / "weights.safetensors"
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(bytes(data))


def claiming_a_trillion(folder: Path) -> None:
    header = json.dumps({"a/b": {"dtype": "F32", "shape": [10**6, 10**6], "data_offsets": [0, 4 * 10**12]}}).encode()
    (folder / "weights.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 64)


def without_weights(folder: Path) -> None:
    (folder / "weights.safetensors").unlink()


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "truncated": (truncated, "truncated or no safetensors file"),
    "flipped": (flipped, "changed after it was saved"),
    "a trillion": (claiming_a_trillion, "truncated or no safetensors file"),
    "no weights": (without_weights, "holds no weights.safetensors"),
    "older": (configured(format=lambda _: 1), "older than this anodiff"),
    "newer": (configured(format=lambda _: 99), "newer than this anodiff"),
    "another kind": (configured(modality=lambda _: "hologram"), "modality: one of"),
    "of a table": (configured(modality=lambda _: "tabular"), "fit and save the model anew"),
    "unknown entry": (configured(settings=lambda s: {**s, "code": "import os"}), "does not fit together"),
    "a setting": (configured(settings=lambda s: {**s, "alarm": "bell"}), "alarm is 'bell'"),
    "a recipe": (configured(recipe=lambda r: {**r, "pool": {"use": "exec"}}), "does not fit together"),
    "a scale of nothing": (configured(scales=lambda s: {k: {**v, "std": 0} for k, v in s.items()}), "std"),
    "no scales": (configured(scales=lambda _: {}), "its scales are of"),
    "other scales": (configured(scales=lambda s: {**s, "more": s["pool"]}), "its scales are of"),
    "fewer names": (configured(names=lambda n: n[:-1]), "its calibration is of"),
    "a huge square": (configured(encoding=lambda e: {**e, "image": {**e["image"], "size": 10**9}}), "size of pictures"),
    "another square": (configured(encoding=lambda e: {**e, "image": {**e["image"], "size": 48}}), "planes of other"),
    "no square": (configured(encoding=lambda e: {**e, "image": {}}), "damaged"),
    "other planes": (configured(encoding=lambda e: {**e, "shapes": {"px": [1, 9, 9]}}), "planes of other shapes"),
    "facts": (configured(facts=lambda f: {**f, "seconds": -1}), "seconds"),
    "doubt": (configured(facts=lambda f: {**f, "contamination": {"value": "much"}}), "contamination"),
    "no mean": (replaced(denoiser_o_usual__mean=None), "'mean'"),
    "no covariances": (replaced(denoiser_o_usual__packed=None), "'packed'"),
    "half the covariances": (replaced(denoiser_o_usual__packed=lambda v: v[::2]), "have parts of shape"),
    "a flat mean": (replaced(denoiser_o_usual__mean=lambda v: v.ravel()), "have parts of shape"),
    "no covariance": (replaced(denoiser_o_usual__packed=lambda v: v - 1e30), "covariances of places are none"),
    "flat slopes": (replaced(denoiser_o_usual__slopes=lambda v: v.ravel()), "the slopes of"),
    "no directions": (replaced(denoiser_o_usual__context_o_directions=None), "context.directions"),
    "another centre": (replaced(denoiser_o_usual__context_o_mean=lambda v: np.tile(v, 3)), "the slopes of"),
    "not numbers": (replaced(denoiser_o_usual__mean=lambda v: v * np.float32(np.nan)), "NaN or infinity"),
    "beyond numbers": (replaced(denoiser_o_usual__mean=lambda v: v + np.float32(3e38)), "scores are not numbers"),
    "no deviations": (replaced(encoding__px_o_std=lambda v: 0 * v), "means and deviations"),
    "many deviations": (replaced(encoding__px_o_std=lambda v: np.tile(v, 9)), "means and deviations"),
    "no calibration": (replaced(left_out__place=None), "calibration is of nothing"),
    "short calibration": (replaced(left_out__place=lambda v: v[1:]), "its calibration is of"),
    "flat calibration": (replaced(left_out__place=lambda v: v.reshape(len(v), -1)), "not maps of"),
    "whole calibration": (replaced(left_out__place=lambda v: v.astype(np.int32)), "not maps of"),
    "no pictures": (replaced(shown__pictures=None), "'pictures'"),
    "odd pictures": (replaced(shown__pictures=lambda v: v.astype(np.float32)), "the pictures that it shows"),
    "deep pictures": (replaced(shown__pictures=lambda v: v[..., None]), "the pictures that it shows"),
    "known": (replaced(known__scores=lambda _: np.zeros((2, 2))), "scores of known defects"),
}


class TestRefuses:
    @pytest.mark.parametrize("how", DAMAGES)
    def test_what_is_damaged_or_forged(self, how: str, folder: Path) -> None:
        tamper, said = DAMAGES[how]
        tamper(folder)
        with pytest.raises(BadModel) as refusal:
            anodiff.load(folder)
        assert said in str(refusal.value)
        assert "\n" not in str(refusal.value)
        assert "anew" in str(refusal.value) or "again" in str(refusal.value) or "upgrade" in str(refusal.value)

    def test_another_backbone(self, saved: Path, tmp_path: Path) -> None:
        config = json.loads((saved / "config.json").read_text())
        (tmp_path / "model").mkdir()
        for file in saved.iterdir():
            (tmp_path / "model" / file.name).write_bytes(file.read_bytes())
        changed = {**config["encoding"]["backbone"], "fingerprint": "0" * 64}
        change(tmp_path / "model", encoding={**config["encoding"], "backbone": changed})
        with pytest.raises(BadModel, match="weights"):
            anodiff.load(tmp_path / "model")
