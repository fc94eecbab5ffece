"""The cycle on pictures: heads in seconds, arms at equal weight, records that a run goes on from."""

import json
import warnings

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from sklearn.metrics import roc_auc_score

from anodiff.bench.generation.arms import CLASSICAL, Given, fits
from anodiff.bench.generation.cycle import page, summary
from anodiff.bench.generation.images import ALONE, METRICS, Asked, left_out, measures, named
from anodiff.bench.generation.results import Results, gain, resumed, write
from anodiff.bench.generation.rooms import Room, looks
from anodiff.bench.images.cases import Truth
from anodiff.bench.images.judge import packed
from anodiff.data.twins import twins
from anodiff.detect_images import ImageDetector
from anodiff.modalities.image import Image
from anodiff.types import Misfit, Unreadable

FINE = {
    "name": "fine",
    "about": "A Gaussian for each place, on a grid of 16 x 16.",
    "planes": {"fine": {"space": "features", "layers": ["s4", "s8"], "stride": 4}},
    "denoisers": {"usual": {"use": "positional", "view": "fine", "pooled": 0.5}},
    "scores": {"place": {"use": "departure", "of": "usual", "root": True}},
}


def grain(count, seed):
    """Normal pictures `(n, 64, 64)` uint8: one texture everywhere."""
    draw = np.random.default_rng(seed)
    found = np.stack([gaussian_filter(draw.normal(size=(64, 64)), 1.5) for _ in range(count)])
    return np.clip(120 + 20 * found / found.std(), 0, 255).astype(np.uint8)


def smooth(count, seed):
    """The same with a square that is a little smoother, and where."""
    pictures, marks = grain(count, seed).astype(float), np.zeros((count, 64, 64), bool)
    draw = np.random.default_rng(seed)
    for picture, mark in zip(pictures, marks, strict=True):
        row, column = draw.integers(4, 46, 2)
        mark[row : row + 14, column : column + 14] = True
        picture[mark] = ((picture + gaussian_filter(picture, 3)) / 2)[mark]
    return np.clip(pictures, 0, 255).astype(np.uint8), marks


@pytest.fixture(scope="module")
def room():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        detector = ImageDetector(Image(64), FINE).fit(grain(30, 0))
    seen = detector.lessons(grain(30, 0), learnt=True)
    return Room(detector.whole_, left_out(detector.whole_, seen), twins(seen.thumbnails))


def auroc(maps, masks):
    large = torch.nn.functional.interpolate(maps[:, None], masks.shape[1:], mode="bilinear")[:, 0]
    return roc_auc_score(masks.ravel(), large.numpy().ravel())


def test_a_head_finds_more_and_the_same_shown_again_weighs_more(room):
    pictures, masks = smooth(3, 1)
    known, (test, marks) = looks(room.model, pictures), smooth(10, 7)
    seen = looks(room.model, test)

    def judged(weights, known=known, masks=masks):
        return room.judge(room.head(room.patches(known, masks, np.array(weights))), 0.0, seen)[0]

    alone = judged([1.0] * 3)
    assert auroc(alone, marks) > auroc(room.judge(None, 0.0, seen)[0], marks) + 0.05
    twice = known.beside(known), np.concatenate([masks, masks])
    assert (judged([1.0] * 3 + [0.0] * 3, *twice) - alone).abs().max() < 0.05
    assert (judged([1.0] * 6, *twice) - alone).abs().mean() > 0.01


def test_how_a_head_is_heard_is_said_by_examples_that_it_had_not_seen(room):
    pictures, masks = smooth(6, 1)
    known = looks(room.model, pictures)
    weight = room.weight(room.patches(known, masks, np.ones(6)), known)
    one = known.part(np.zeros(1, int))
    assert weight in (0.0, 0.5, 1.0, 2.0)
    assert room.weight(room.patches(one, masks[:1], np.ones(1)), one) == 0.0


def test_arms(room):
    pictures, masks = smooth(3, 1)
    given = Given(grain(8, 4), pictures, masks, ["smooth"] * 3, 0)
    for name, make in CLASSICAL.items():
        made, where = make(given, 5)
        assert made.shape == where.shape == (5, 64, 64), name
        assert where.any((1, 2)).all(), name
        np.testing.assert_array_equal(make(given, 5)[0], made, name)
    turned, where = CLASSICAL["turned"](given, 3)
    assert (np.sort(turned.reshape(3, -1)) == np.sort(pictures.reshape(3, -1))).all()
    assert (where.sum((1, 2)) == masks.sum((1, 2))).all()
    assert not fits("pasted copies", 0)
    assert fits("cut-paste", 0)
    assert named(Asked(), 5)[0] == ALONE


def test_measures_are_those_of_the_maps():
    marks = np.zeros((6, 256, 256), bool)
    marks[3:, 40:60, 40:60] = True
    truth = Truth(np.array([0] * 3 + [1] * 3), ["good"] * 3 + ["hole"] * 3, marks, np.ones(6, bool))
    maps = torch.from_numpy(marks[:, ::2, ::2].astype(np.float32))
    found = measures(maps, np.array([0.0, 0.1, 0.2, 0.9, 0.8, 0.7]), truth)
    assert found["image_auroc"] == 1.0
    assert found["pixel_auroc"] > 0.99
    assert set(found["draws"]) == set(METRICS)


def record(seed, arm, value, noise):
    draws = {name: packed(np.clip(value + noise, 0, 1)) for name in METRICS}
    return {"seed": seed, "count": 5, "arm": arm, "draws": draws, **dict.fromkeys(METRICS, value)}


def test_gains_are_of_the_same_pictures():
    noise = np.random.default_rng(0).normal(0, 0.1, 200)
    records = [
        record(seed, arm, value, noise) for seed in (0, 1) for arm, value in (("alone", 0.4), ("generated", 0.5))
    ]
    told = gain(records, 5, "generated", "alone", "aupro")
    assert told["gain"] == pytest.approx(0.1)
    assert 0.09 < told["low"] <= told["high"] < 0.11
    assert gain(records, 1, "generated", "alone", "aupro") is None
    found = summary(records)
    assert found["5"]["gains"]["generated"]["aupro"]["best rival"] == "alone"
    assert "| generated | 0.500 (+0.100" in page(found)


def test_a_run_goes_on_where_it_stopped(tmp_path):
    fresh = lambda made: Results("image", Asked(made=made).to_dict(), "cmd", {"tiles": {}})  # noqa: E731
    path, one = tmp_path / "r.json", fresh(60)
    one.records.append(record(0, "alone", 0.4, np.zeros(3)))
    write(one, path, {})
    assert resumed(fresh(60), path).done == {(0, 5, "alone")}
    with pytest.raises(FileExistsError, match="results of other settings"):
        resumed(fresh(30), path)
    assert resumed(fresh(30), path, overwrite=True).records == []
    path.write_text(json.dumps({"format": 1}))
    with pytest.raises(Unreadable, match="holds no results of generation"):
        resumed(fresh(60), path)


def test_settings_out_of_range_are_refused():
    for given, why in (
        ({"counts": (-1,)}, "--counts"),
        ({"made": 2}, "--made is 2"),
        ({"arms": ("magic",)}, "there is no arm 'magic'"),
    ):
        with pytest.raises(Misfit, match=why):
            Asked(**given).check()
