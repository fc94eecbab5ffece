"""A gallery's map and score, by the formula of its module."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from anodiff.data.pictures import Picture, album
from anodiff.detect_images import ImageDetector
from anodiff.gallery import POOL, Gallery, Scale, classes_of, grey
from anodiff.modalities.image import Image
from anodiff.types import Misfit
from picture_toys import PLAIN, parts

SIDE = 32
TWO = {
    **PLAIN,
    "planes": {"px": {"space": "pixels"}, "coarse": {"space": "pixels", "size": 8}},
    "denoisers": {
        "usual": {"use": "positional", "view": "px"},
        "all": {"use": "gaussian", "view": "coarse"},
    },
    "scores": {
        "place": {"use": "departure", "of": "usual", "root": True, "weight": 2.0},
        "whole": {"use": "residual", "of": "all", "weight": 0.5, "read": "picture"},
        "fine": {"use": "departure", "of": "usual", "read": "map"},
    },
    "relative": 0.25,
}


@pytest.fixture(scope="module")
def gallery() -> Gallery:
    return ImageDetector(Image(SIDE), TWO, false_alarm_rate=0.1).fit(parts(20, 0)).whole_


@pytest.fixture(scope="module")
def pictures() -> list[Picture]:
    return [each for each in album(parts(3, 1)).pictures(SIDE) if isinstance(each, Picture)]


def test_scale_is_mean_and_deviation() -> None:
    values = np.random.default_rng(0).normal(3, 2, (50, 4, 4)).astype(np.float32)
    scale = Scale.of(values)
    found = scale(torch.from_numpy(values))
    assert float(found.mean()) == pytest.approx(0, abs=1e-5)
    assert float(found.std(correction=0)) == pytest.approx(1, abs=1e-5)
    assert Scale.of(np.full((5, 3), 7.0)) == Scale(7.0, 1.0)
    assert Scale.of(np.full(9, 1e7) + np.float32(0.1)).std == 1.0


def test_the_map_is_the_weighted_sum_of_calibrated_maps_blurred(gallery: Gallery, pictures: list[Picture]) -> None:
    said = gallery.raw(pictures)
    assert {name: tuple(map.shape) for name, map in said.items()} == {
        "place": (3, 32, 32),
        "whole": (3, 8, 8),
        "fine": (3, 32, 32),
    }
    assert gallery.modality.canvas == SIDE
    plain = sum(
        weight * (said[name].double().numpy() - gallery.scales[name].mean) / gallery.scales[name].std
        for name, weight in (("place", 2.0), ("fine", 1.0))
    )
    expected = gaussian_filter(plain, (0, 1, 1), mode="nearest", truncate=3)
    middle = np.sort(expected.reshape(3, -1), 1)[:, SIDE * SIDE // 2 - 1]
    np.testing.assert_allclose(gallery.canvas(said), expected - 0.25 * middle[:, None, None], atol=1e-3)


def test_the_score_is_of_the_highest_places_of_what_is_heard(gallery: Gallery, pictures: list[Picture]) -> None:
    said = gallery.raw(pictures)
    assert gallery.voices == ["place", "whole"]
    heard = gallery.heard(said)
    pooled = np.sort(heard.double().flatten(1).numpy(), 1)[:, -11:].mean(1)
    scale = gallery.scales[POOL]
    np.testing.assert_allclose(gallery.totals(said), (pooled - scale.mean) / scale.std, rtol=1e-5, atol=1e-5)
    usual = 2 * gallery.scales["place"].mean / gallery.scales["place"].std
    usual += 0.5 * gallery.scales["whole"].mean / gallery.scales["whole"].std
    np.testing.assert_allclose(gallery.from_nothing(gallery.totals(said)), pooled + usual, rtol=1e-5)


def test_for_the_score_alone_only_those_are_asked_that_are_heard(gallery: Gallery, pictures: list[Picture]) -> None:
    few = gallery.raw(pictures, shown=False)
    assert list(few) == ["place", "whole"]
    assert np.array_equal(gallery.totals(few), gallery.totals(gallery.raw(pictures)))


@pytest.mark.parametrize(("use", "expected"), [("max", 9.0), ("mean", 4.5), ("top", 8.5)])
def test_pools(gallery: Gallery, use: str, expected: float) -> None:
    recipe = gallery.recipe.model_copy(update={"pool": type(gallery.recipe.pool)(use=use, share=0.2)})
    found = replace(gallery, recipe=recipe).pooled(torch.arange(10.0).view(1, 2, 5))
    assert found.tolist() == [expected]


def test_a_budget_buys_members_in_their_order(gallery: Gallery) -> None:
    costs = gallery.costs
    assert gallery.nfe == sum(costs.values())
    assert gallery.within(None) is gallery
    assert list(gallery.within(costs["place"]).members) == ["place"]
    assert list(gallery.within(costs["place"] + 2).members) == ["place", "fine"]
    assert list(gallery.within(1000).members) == ["place", "whole", "fine"]
    with pytest.raises(Misfit, match="budget is 1; the cheapest score of this recipe takes 2 per picture"):
        gallery.within(1)


def test_members_of_the_map_alone_are_heard_where_there_are_no_others(gallery: Gallery) -> None:
    alone = replace(gallery, members={"fine": gallery.members["fine"]})
    assert alone.voices == ["fine"]


def test_the_nearest_normal_is_the_most_alike() -> None:
    ramps = np.stack([np.rot90(np.tile(np.arange(64, dtype=np.uint8) * 3, (64, 1)), k) for k in range(4)])
    train = np.concatenate([ramps, parts(4, 0)])
    gallery = ImageDetector(Image(SIDE), PLAIN, false_alarm_rate=0.2).fit(train).whole_
    assert gallery.shown.shape == (8, 96, 96)
    assert gallery.shown.dtype == np.uint8
    for k in range(4):
        (picture,) = album([ramps[k] // 2 + 20]).pictures(SIDE)
        assert isinstance(picture, Picture)
        found = gallery.nearest_normal(picture)
        assert found is not None
        assert np.array_equal(found, gallery.shown[k])
    assert replace(gallery, shown=gallery.shown[:0]).nearest_normal(picture) is None


def test_classes_are_the_outermost_folders() -> None:
    assert classes_of(["a/b/c.png", "d.png", "a/e.png"]) == ["a", "", "a"]


def test_grey_is_the_mean_of_colours() -> None:
    colours = np.random.default_rng(0).random((2, 4, 4, 3))
    assert np.array_equal(grey(colours), colours.mean(3))
    assert grey(colours[..., 0]).shape == (2, 4, 4)
