"""Sketches of kinds: they differ from what is there in the region alone, and in the way of their kind."""

import numpy as np
import pytest

from anodiff.anomalies.series_kinds import KINDS, Known, Scene


@pytest.fixture
def scene() -> Scene:
    draw = np.random.default_rng(0)
    t = np.arange(80)
    wave = np.stack([np.sin(t / 3), np.cos(t / 3)]) + 0.05 * draw.standard_normal((2, 80))
    bank = np.stack([np.stack([np.sin((t + p) / 3), np.cos((t + p) / 3)]) for p in range(20)])
    region = np.zeros((2, 80), bool)
    region[0, 30:50] = True
    return Scene(wave, region, np.array([0.7, 0.7]), 19, bank, np.random.default_rng(1))


@pytest.mark.parametrize("name", list(KINDS))
def test_a_sketch_stays_in_its_region(scene: Scene, name: str) -> None:
    found = KINDS[name](scene)
    assert np.array_equal(found[~scene.region], scene.x[~scene.region])
    assert np.abs(found - scene.x)[scene.region].max() > 0.1
    assert np.isfinite(found).all()


def test_shift_is_another_level(scene: Scene) -> None:
    assert np.allclose(np.abs((KINDS["shift"](scene) - scene.x)[0, 30:50]), 0.7)


def test_trend_goes_further_every_instant(scene: Scene) -> None:
    away = np.abs((KINDS["trend"](scene) - scene.x)[0, 30:50])
    assert (np.diff(away) > 0).all()
    assert away[0] < 0.1


def test_flat_is_flat_and_begins_where_it_was(scene: Scene) -> None:
    assert np.array_equal(KINDS["flat"](scene)[0, 30:50], np.full(20, scene.x[0, 29]))


def test_contextual_is_usual_elsewhere(scene: Scene) -> None:
    level = KINDS["contextual"](scene)[0, 30:50].mean()
    low, high = np.quantile(scene.bank[:, 0], (0.04, 0.96))
    assert low <= level <= high


def test_known_is_drawn_out_to_the_region(scene: Scene) -> None:
    part = np.zeros((2, 10))
    part[0] = np.linspace(1, 4, 10)
    moved = (Known("ramp", [part])(scene) - scene.x)[0, 30:50]
    assert np.allclose(moved, np.linspace(1, 4, 20))


def test_known_in_another_channel_is_rescaled_to_it(scene: Scene) -> None:
    part = np.zeros((2, 10))
    part[1] = 2.0
    moved = (Known("step", [part])(scene) - scene.x)[0, 30:50]
    assert np.allclose(moved, 2.0)
