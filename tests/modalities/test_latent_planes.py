"""Pictures judged by the code of an autoencoder that the test makes."""

import numpy as np
import pytest
import torch

import anodiff
from anodiff import Detector
from anodiff.modalities.image import Image
from anodiff.recipes.schema import recipe
from anodiff.types import BadModel, Misfit

diffusers = pytest.importorskip("diffusers")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    torch.manual_seed(0)
    model = diffusers.AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(8, 8),
        norm_num_groups=4,
        latent_channels=4,
    )
    path = tmp_path_factory.mktemp("vae")
    model.save_pretrained(path)
    return path


def asked(path):
    return {
        "name": "latents",
        "about": "A Gaussian of each place of a code.",
        "schedule": {"use": "ve", "settings": {"sigma_max": 1000.0}},
        "planes": {"code": {"space": "latent", "vae": str(path)}},
        "denoisers": {"usual": {"use": "positional", "view": "code"}},
        "scores": {"place": {"use": "departure", "of": "usual", "root": True}},
    }


def pictures(count, seed):
    return np.clip(0.5 + 0.05 * np.random.default_rng(seed).normal(size=(count, 32, 32)), 0, 1)


def test_a_defect_is_found_in_the_code_and_the_model_comes_back(folder, tmp_path):
    detector = Detector(Image(size=32), asked(folder), false_alarm_rate=0.1).fit(pictures(40, 0))
    new = pictures(6, 1)
    new[3:, 8:20, 8:20] = 1.0
    scores = detector.decision_function(new)
    assert scores[3:].min() > scores[:3].max()
    detector.save(tmp_path / "model")
    assert np.array_equal(anodiff.load(tmp_path / "model").decision_function(new), scores)


def test_a_model_refuses_an_autoencoder_with_other_weights(folder, tmp_path):
    detector = Detector(Image(size=32), asked(folder), false_alarm_rate=0.1).fit(pictures(20, 0))
    detector.save(tmp_path / "model")
    other = diffusers.AutoencoderKL.from_pretrained(folder)
    with torch.no_grad():
        next(other.parameters()).add_(1.0)
    kept = {file: file.read_bytes() for file in folder.iterdir()}
    other.save_pretrained(folder)
    try:
        with pytest.raises(BadModel, match="other weights"):
            anodiff.load(tmp_path / "model")
    finally:
        for file, content in kept.items():
            file.write_bytes(content)


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(Misfit, match="needs a vae"):
        recipe({**asked(tmp_path), "planes": {"code": {"space": "latent"}}})
    with pytest.raises(Misfit, match="no autoencoder"):
        Detector(Image(size=32), asked(tmp_path / "nowhere")).fit(pictures(10, 0))
