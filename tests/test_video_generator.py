"""Video to order: what changes, what does not, how far, and what cannot be made."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anodiff import generate_video
from anodiff.anomalies.film_kinds import FILM_KINDS, along, reflected
from anodiff.anomalies.film_scene import Stage, walks_of
from anodiff.data.clips import reel
from anodiff.generate import Generator
from anodiff.generate_video import VideoGenerator
from anodiff.made import Made, Order
from anodiff.recipes.rushes import piece_of
from anodiff.recipes.staging import Staging
from anodiff.saving import load
from anodiff.types import Misfit, Unreadable

HEIGHT, WIDTH = 60, 90
RANDOM = np.random.default_rng(0)


def ground() -> np.ndarray:
    """What does not move: a field with a path."""
    draw = np.random.default_rng(99)
    plate = 150 + 20 * np.sin(np.arange(WIDTH) / 7) + draw.normal(0, 3, (HEIGHT, WIDTH))
    plate[25:55] -= 40
    return plate


def walked(frames: int, seed: int, colours: bool = False) -> np.ndarray:
    """Two or three dark walkers that cross a field, each at its own pace."""
    draw = np.random.default_rng(seed)
    clip = np.repeat(ground()[None], frames, 0) + draw.normal(0, 1.5, (frames, HEIGHT, WIDTH))
    for _ in range(int(draw.integers(2, 4))):
        row, begin = draw.uniform(28, 44), draw.uniform(-10, WIDTH)
        pace = draw.choice((-1, 1)) * draw.uniform(0.5, 0.9)
        for t in range(frames):
            left = round(begin + pace * t) % (WIDTH + 20) - 10
            leg = round(np.sin(t / 2 + begin))
            clip[t, int(row) : int(row) + 9, max(0, left) : max(0, left + 5)] = 40
            clip[t, int(row) + 9 : int(row) + 12, max(0, left + leg) : max(0, left + leg + 3)] = 50
    grey = np.clip(np.round(clip), 0, 255).astype(np.uint8)
    return np.stack([grey, grey // 2 + 40, grey // 3 + 60], -1) if colours else grey


def order(n: int, strength: float = 0.9, seed: int = 0, **given: Any) -> Order:
    return Order(n, strength=np.full(n, strength), seed=seed, **given)


def fitted(X: Any, **settings: Any) -> VideoGenerator:
    made = VideoGenerator(**settings)
    for _ in made.fitting(X):
        pass
    return made


@pytest.fixture(scope="module")
def generator() -> VideoGenerator:
    return fitted([walked(96, seed) for seed in range(10)])


@pytest.fixture(scope="module")
def on() -> list[np.ndarray]:
    return [walked(60, seed) for seed in range(100, 103)]


@pytest.fixture(scope="module")
def made(generator: VideoGenerator, on: list[np.ndarray]) -> Made:
    return generator.sample(order(12, on=on))


def test_things_that_move_are_followed() -> None:
    clip = walked(60, 5)[..., None]
    stage = Stage.of(clip)
    assert stage.walks
    for walk in stage.walks:
        assert len(walk.masks) == len(walk.cuts) == len(walk)
        assert walk.end <= 60
        height, width = walk.masks[3].shape
        top, left, bottom, right = walk.boxes[3]
        assert (bottom - top, right - left) == (height, width)
    assert abs(stage.walks[0].stride[1]) == pytest.approx(0.7, abs=0.25)
    assert not walks_of(np.repeat(clip[:1], 20, 0), clip[0].astype(np.float32))
    np.testing.assert_allclose(np.median(stage.plate[..., 0] - ground()), 0, atol=1)


def test_outside_the_region_everything_is_as_it_was(made: Made, on: list[np.ndarray]) -> None:
    for i, (data, region) in enumerate(zip(made.data, made.region, strict=True)):
        before = on[i % 3]
        assert data.shape == region.shape == before.shape
        assert data.dtype == np.uint8
        assert region.any()
        assert not region.all()
        assert np.array_equal(data[~region], before[~region])
        assert (data[region] != before[region]).any()
    assert made.source.tolist() == [i % 3 for i in range(12)]
    assert made.facts["offsets"] == [0] * 12


def test_kinds_come_in_turns_and_are_judged(made: Made, generator: VideoGenerator) -> None:
    assert made.kind == generator.kinds_ * 2
    assert generator.kinds_ == ["speed", "direction", "freeze", "jump", "inserted", "removed"]
    assert len(made.verdicts) == 12
    # who walks comes from either side here, so that to turn round is nothing odd
    far = [
        v.accepted for kind, v in zip(made.kind, made.verdicts, strict=True) if kind in ("speed", "jump", "inserted")
    ]
    assert np.mean(far) > 0.8
    assert min(verdict.inside for verdict in made.verdicts) > 0
    assert made.facts["two_sample"]["p_value"] > 0


def test_stronger_is_more_abnormal(generator: VideoGenerator, on: list[np.ndarray]) -> None:
    scores = {
        strength: generator.sample(order(6, strength, on=on, kind="inserted", judged=False)).score
        for strength in (0.1, 0.5, 1.0)
    }
    assert scores[0.1].mean() < scores[0.5].mean() < scores[1.0].mean()
    assert (scores[0.1] <= scores[1.0]).all()


def test_the_same_seed_makes_the_same(generator: VideoGenerator, made: Made, on: list[np.ndarray]) -> None:
    again = generator.sample(order(4, on=on))
    assert all(np.array_equal(a, b) for a, b in zip(made.data[:4], again.data, strict=True))
    other = generator.sample(order(4, seed=1, on=on, judged=False))
    assert not all(np.array_equal(a, b) for a, b in zip(made.data[:4], other.data, strict=True))


@pytest.mark.parametrize("kind", list(FILM_KINDS))
def test_a_given_region_is_kept_to(generator: VideoGenerator, on: list[np.ndarray], kind: str) -> None:
    where = np.zeros(on[0].shape, bool)
    where[20:40, 25:50, 20:70] = True
    found = generator.sample(order(1, on=on[0], kind=kind, where=where))
    assert found.where == ["given"]
    assert not (found.region[0] & ~where).any()
    assert np.array_equal(found.data[0][~where], on[0][~where])
    assert found.region[0].any()


def test_a_long_clip_is_cut_about_the_region(generator: VideoGenerator) -> None:
    long = walked(320, 7)
    where = np.zeros(long.shape, bool)
    where[250:262, 28:44, 10:60] = True
    found = generator.sample(order(1, on=long, kind="freeze", where=where))
    offset = found.facts["offsets"][0]
    assert len(found.data[0]) == 200
    assert offset + 200 >= 262
    cut = slice(offset, offset + 200)
    assert np.array_equal(found.normal[0], long[cut])
    assert np.array_equal(found.data[0][~where[cut]], long[cut][~where[cut]])


def test_colours_and_no_clips_of_ones_own() -> None:
    generator = fitted([walked(96, seed, colours=True) for seed in range(5)])
    found = generator.sample(order(2))
    assert found.data[0].shape[1:] == (HEIGHT, WIDTH, 3)
    assert found.region[0].shape == found.data[0].shape[:3]
    assert (found.source == -1).all()
    grey = generator.sample(order(2, on=walked(60, 50), kind="inserted"))
    assert grey.data[0].shape == (60, HEIGHT, WIDTH)


def test_a_restored_generator_makes_the_same(generator: VideoGenerator) -> None:
    again = VideoGenerator.restore(generator.config(), generator.arrays())
    one, other = (each.sample(order(6)) for each in (generator, again))
    assert all(np.array_equal(a, b) for a, b in zip(one.data, other.data, strict=True))
    assert [v.to_dict() for v in one.verdicts] == [v.to_dict() for v in other.verdicts]
    assert "Poisson" in generator.references()


def test_a_detector_may_be_the_judge(generator: VideoGenerator, on: list[np.ndarray]) -> None:
    again = VideoGenerator.restore(generator.config(), generator.arrays())
    again.detector = object()
    with pytest.raises(Misfit, match="give one that was fitted on video"):
        again.sample(order(1))
    staging = Staging(
        generator.onlooker_, generator.usual_, {}, generator.things_, 1.0, 0.01,
        lambda clips: [np.abs(x - on[0].astype(float)) if len(x) == 60 else 0.0 * x for x in clips],
        generator.kept_,
    )  # fmt: skip
    asked = order(6, on=on, kind="inserted")
    normals, made = staging.odd(
        [staging.staged(asked, i, FILM_KINDS["inserted"], piece_of(reel(on[0]).clips[0], 0, RANDOM), None)
         for i in range(2)]
    )  # fmt: skip
    assert len(normals) >= 60
    assert made.min() > 10 > normals.max() == 0


def test_large_frames_are_learnt_from_small_and_made_on_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate_video, "PIXELS", HEIGHT * WIDTH)
    large = [np.repeat(np.repeat(walked(96, seed), 2, 1), 2, 2) for seed in range(6)]
    generator = fitted(large)
    assert all(piece.x.shape[1:3] == (HEIGHT, WIDTH) for piece in generator.kept_)
    assert {walk.tall for walk in generator.things_} == {HEIGHT}
    found = generator.sample(order(1, on=large[0][:40], kind="inserted"))
    height = np.flatnonzero(found.region[0].any((0, 2)))
    assert found.data[0].shape == (40, 2 * HEIGHT, 2 * WIDTH)
    assert np.ptp(height) >= 18


def test_the_facade_keeps_what_it_makes(generator: VideoGenerator, tmp_path: Path) -> None:
    held = Generator("video").hold("video", generator)
    held.save(tmp_path / "generator")
    again = load(tmp_path / "generator")
    assert isinstance(again, Generator)
    assert again.kind_ == "video"
    one, other = (each.sample(2, kind="jump") for each in (held, again))
    assert all(np.array_equal(a, b) for a, b in zip(one.data, other.data, strict=True))
    assert len(held.sample(on=[walked(40, 1), walked(40, 2)], judged=False)) == 2
    with pytest.raises(Misfit, match="strength is 0"):
        held.sample(1, strength=0.0)


def test_where_nothing_moves_a_box_is_played_otherwise(generator: VideoGenerator) -> None:
    still = np.repeat(walked(2, 3)[:1], 40, 0)
    with pytest.raises(Misfit, match="nothing that could be followed moves in clip 0"):
        generator.sample(order(1, on=still, kind="speed", where="object"))
    found = generator.sample(order(1, on=still, kind="inserted"))
    assert found.region[0].any()
    assert generator.sample(order(1, on=walked(40, 3), kind="speed", where="box")).where == ["box"]


def test_what_cannot_be_made_is_refused(generator: VideoGenerator, on: list[np.ndarray]) -> None:
    refused: Iterator[tuple[dict[str, Any], str]] = iter(
        [
            ({"kind": "normal"}, "normal video is not made"),
            ({"kind": "scratch"}, "kind is 'scratch', which clips do not have; choose one of speed"),
            ({"where": "sky"}, "where is 'sky'"),
            ({"like": 0}, "knows no examples"),
            ({"where": np.ones((60, 3, 3))}, "give \\(T, H, W\\)"),
            ({"where": np.zeros((60, HEIGHT, WIDTH))}, "is empty"),
        ]
    )
    for given, match in refused:
        with pytest.raises(Misfit, match=match):
            generator.sample(order(1, on=on, **given) if "where" not in given else order(1, on=on[0], **given))
    with pytest.raises(Misfit, match="no clips to make them on"):
        generator.sample(order(1, where=np.ones((60, HEIGHT, WIDTH))))
    with pytest.raises(Misfit, match="learns from normal clips alone"):
        next(VideoGenerator().fitting(on, examples=on))
    with pytest.raises(Misfit, match="has none, leave them out"):
        next(VideoGenerator(settings={"steps": 3}).fitting(on))
    with pytest.raises((Misfit, Unreadable)):
        fitted(on[0][:20])


def test_times_are_reflected_and_paths_go_straight_on() -> None:
    assert reflected(np.array([-2, 5, 7, 8]), 5).tolist() == [2, 3, 1, 0]
    path = np.stack([np.zeros(6), np.arange(6.0)], 1)
    np.testing.assert_allclose(along(path, 2.5), [0, 2.5])
    np.testing.assert_allclose(along(path, 7.0), [0, 7.0])
    np.testing.assert_allclose(along(path, -1.0), [0, -1.0])
