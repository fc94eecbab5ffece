"""A square planted into small pictures of waves: each recipe of images finds it, and where it is.

Networks are half as wide here as a recipe says and take less than a tenth of its steps, faster ones, on 32 px; what
needs a backbone sees 64 px. A recipe is asked whether it works, not how well.
"""

from functools import cache

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from anodiff.data.albums import Album
from anodiff.detect_images import ImageDetector
from anodiff.modalities.image import Image
from anodiff.recipes.schema import Recipe, available, bibtex, recipe
from anodiff.saving import load
from anodiff.types import JSON

COUNT = 12
"""Pictures that are judged, of either kind."""
NAMES = [name for name in available("image") if not name.startswith("image")]
"""The defaults, of aligned parts and of pairs, are tested with their detectors."""
STEPS = {"learnt": 70, "restoring": 70, "marked": 80, "time": 250}
CHEAPER: dict[str, JSON] = {
    "likelihood-pixels": {"scores.flow.settings": {"steps": 3, "divergence": {"use": "hutchinson", "probes": 1}}},
}
ELSEWHERE = {"dte-patches": "features of 64 px lie on a grid of eight cells a side, and see far beyond their cell"}
"""Where the peak need not lie in the square, and why."""


def waves(count: int, seed: int, side: int = 32) -> np.ndarray:
    """Normal pictures `(count, side, side)` in 0..1: waves at any place, of any light, with grain."""
    draw, (rows, columns) = np.random.default_rng(seed), np.mgrid[:side, :side]
    phase, light = draw.uniform(0, 2 * np.pi, count)[:, None, None], draw.normal(0, 0.05, count)[:, None, None]
    pure = 0.5 + 0.2 * np.sin(np.pi * columns / 4 + phase) * np.cos(np.pi * rows / 8) + light
    return (pure + 0.02 * draw.normal(size=pure.shape)).clip(0, 1).astype(np.float32)


def planted(count: int, seed: int, side: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """The same, with a square of a quarter of the side that is lighter or darker by 0.35, and where `(count, h, w)`."""
    x, where = waves(count, seed, side), np.zeros((count, side, side), bool)
    for k, (top, left) in enumerate(np.random.default_rng(seed + 1).integers(2, side * 3 // 4 - 2, (count, 2))):
        where[k, top : top + side // 4, left : left + side // 4] = True
        x[k][where[k]] += 0.35 if k % 2 else -0.35
    return x.clip(0, 1), where


def side_of(name: str) -> int:
    """Pixels a side that a recipe is tried on."""
    return 32 if all(plane.space == "pixels" for plane in recipe(name).planes.values()) else 64


def hurried(name: str) -> Recipe:
    """The recipe with small networks, trained for a moment."""
    found = recipe(name)
    changes: JSON = {"blur": 1.0, **CHEAPER.get(name, {})}
    nets = {f"denoisers.{k}": spec for k, spec in found.denoisers.items() if spec.use == "network"}
    nets |= {f"scores.{k}.net": asked.net for k, asked in found.scores.items() if asked.net is not None}
    for path, spec in nets.items():
        whole = spec.net == "unet2d"
        changes |= {f"{path}.steps": STEPS[path.split(".")[1]]}
        changes |= {f"{path}.width": spec.width // 2, f"{path}.lr": 0.004} if whole else {}
    return recipe(name, changes)


@cache
def fitted(name: str) -> ImageDetector:
    """A detector fitted on normal pictures."""
    detector = ImageDetector(Image(side_of(name)), recipe=hurried(name), false_alarm_rate=0.05)
    return detector.fit(waves(40, 0, side_of(name)))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_it_finds_a_square_and_where_it_is(name: str) -> None:
    detector, side = fitted(name), side_of(name)
    bad, where = planted(COUNT, 9, side)
    scores = detector.decision_function(np.concatenate([waves(COUNT, 5, side), bad]))
    assert roc_auc_score(np.repeat([0, 1], COUNT), scores) >= 0.8
    maps = detector.anomaly_map(bad)
    assert roc_auc_score(where.ravel(), maps.ravel()) > 0.75
    if name not in ELSEWHERE:
        peaks = maps.reshape(COUNT, -1).argmax(1)
        assert np.take_along_axis(where.reshape(COUNT, -1), peaks[:, None], 1).mean() > 0.5


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_what_was_saved_says_the_same_and_a_batch_changes_nothing(name: str, tmp_path) -> None:
    detector, x = fitted(name), planted(5, 9, side_of(name))[0]
    scores = detector.decision_function(x)
    again = load(detector.save(tmp_path / "model"))
    assert np.allclose(again.decision_function(x), scores, rtol=1e-4, atol=1e-4)
    assert np.allclose(again.decision_function(x[4:]), scores[4:], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", available("image"))
def test_each_recipe_cites_what_exists(name: str) -> None:
    found = recipe(name)
    assert found.name == name
    assert bibtex(found.cite).count("author =") == len(found.cite) > 0


def in_folders(dark: np.ndarray, light: np.ndarray) -> Album:
    """Pictures in the folders of two products, the waves of one darker than those of the other."""
    names = [f"{folder}/{k:02d}" for folder, x in (("dark", dark), ("light", light)) for k in range(len(x))]
    return Album(names, [*(dark - 0.15), *(light + 0.15)], strict=True)


@pytest.mark.slow
@pytest.mark.parametrize("knows", [["label"], []])
def test_one_model_for_two_products_knows_which_is_which(knows: list[str]) -> None:
    """At a level of noise that leaves little of a picture, so that only its folder tells what it should be."""
    content = hurried("diad").model_dump(mode="json")
    changes = {"denoisers.learnt.knows": knows, "scores.repaired.settings.levels": [10.0]}
    detector = ImageDetector(Image(32), recipe=content, changes=changes, false_alarm_rate=0.05)
    detector.fit(in_folders(waves(20, 0), waves(20, 1)))
    own, other = waves(COUNT, 2), waves(COUNT, 3)
    swapped = in_folders(other + 0.3, own - 0.3)
    scores = np.concatenate([detector.decision_function(each) for each in (in_folders(own, other), swapped)])
    found = roc_auc_score(np.repeat([0, 1], 2 * COUNT), scores)
    assert found > 0.9 if knows else 0.4 < found < 0.6
    assert detector.model_.nfe == (14 if knows else 7)


@pytest.mark.slow
def test_scales_of_a_mixed_distance_are_found_and_noted() -> None:
    asked = fitted("ddad").model_.recipe.scores["guided"].settings
    assert len(asked["distance"]["scales"]) == 2
    assert min(asked["distance"]["scales"]) > 0
    assert "scales" not in recipe("ddad").scores["guided"].settings["distance"]
