"""Frames as cells: motion is what moved, cubes see the past alone, what is usual is taken away."""

import numpy as np
import pytest
import torch

from anodiff.data.clips import clip, reel
from anodiff.footage import Smooth, smoothed
from anodiff.modalities.cubes import Before, Cube, span
from anodiff.modalities.motion import CHANNELS, LENGTHS, PLAIN, Motion, moved, perspective
from anodiff.modalities.video import Video
from anodiff.recipes.rolls import folded
from anodiff.recipes.specs import CubeSpec
from video_toys import moving, normal


def shifted(by: tuple[int, int], size: int = 96) -> tuple[np.ndarray, np.ndarray]:
    """A rough square, and the same moved by so many pixels to the right and down."""
    from scipy.ndimage import gaussian_filter

    rough = gaussian_filter(np.random.default_rng(0).normal(size=(size, size)), 2)
    first = np.uint8(255 * (rough - rough.min()) / np.ptp(rough))
    return first, np.roll(first, (by[1], by[0]), (0, 1))


class TestMotion:
    @pytest.mark.parametrize(("by", "way"), [((2, 0), 0), ((2, 2), 1), ((0, 2), 2), ((-2, 0), 4), ((0, -2), 6)])
    def test_flow_is_what_moved(self, by: tuple[int, int], way: int) -> None:
        motion = Motion(8, (12, 12))
        first, second = shifted(by)
        assert not motion(first).any()
        inner = motion(second)[:, 3:-3, 3:-3].mean((1, 2))
        told = dict(zip(CHANNELS, inner, strict=True))
        assert told["right"] == pytest.approx(by[0], abs=0.3)
        assert told["down"] == pytest.approx(by[1], abs=0.3)
        assert told["speed"] == pytest.approx(np.hypot(*by), abs=0.4)
        assert int(np.argmax(inner[len(PLAIN) :])) == way

    def test_the_histogram_shares_out_all_speed(self) -> None:
        flow = np.random.default_rng(0).normal(size=(6, 7, 2)).astype(np.float32)
        speed, square, _, _, *ways = moved(flow)
        assert np.allclose(sum(ways), speed, atol=1e-5)
        assert np.allclose(square, speed**2)

    def test_without_directions_the_rest_is_the_same(self) -> None:
        both = [Motion(8, (12, 12), ways) for ways in (True, False)]
        whole, part = ([motion(frame) for frame in shifted((2, 1))][1] for motion in both)
        assert np.array_equal(whole[: len(PLAIN)], part)

    def test_perspective_is_how_fast_things_are_at_a_place(self) -> None:
        fast = np.ones((12, 12))
        fast[6:] = 3.0
        found = perspective(fast, fast**2)
        assert found[0].mean() < 0.6
        assert found[-1].mean() > 1.05
        assert np.array_equal(perspective(np.zeros((3, 3)), np.zeros((3, 3))), np.ones((3, 3), np.float32))
        assert set(LENGTHS) <= set(CHANNELS)


def befores(count: int, channels: int = 3, seed: int = 0) -> list[Before]:
    """Frames each of which is half of the one before."""
    generator = torch.Generator().manual_seed(seed)
    planes, found = [torch.randn(channels, 4, 5, generator=generator)], []
    for _ in range(count):
        planes.append(0.9 * planes[-1] + 0.3 * torch.randn(channels, 4, 5, generator=generator))
        speed = planes[-1][0].abs()
        found.append(Before(planes[-4:], planes[-1][:1], speed, torch.zeros(0), 0))
    return found


class TestCubes:
    def test_what_is_given_is_taken_away(self) -> None:
        frames = befores(150)
        alone, given = (Cube.fit(CubeSpec(given=g, past=1), frames, 0) for g in ((), ("past",)))
        x = torch.cat([given(each).x.flatten(1) for each in frames], 1)
        past = torch.cat([each.planes[-2].flatten(1) for each in frames], 1)
        assert torch.corrcoef(torch.cat([x, past]))[:3, 3:].abs().max() < 0.05
        plain = torch.cat([alone(each).x.flatten(1) for each in frames], 1)
        assert torch.corrcoef(torch.cat([plain, past]))[:3, 3:].diagonal().min() > 0.7
        assert given.told == 6

    def test_directions_are_of_variance_one_and_apart(self) -> None:
        frames = befores(200)
        cube = Cube.fit(CubeSpec(frames=3, directions=4), frames, 0)
        x = torch.cat([cube(each).x.flatten(1) for each in frames], 1)
        assert cube.width == 4
        assert torch.allclose(torch.cov(x), torch.eye(4), atol=0.05)

    def test_what_is_usual_at_a_place_is_taken_away(self) -> None:
        place = torch.arange(20.0).view(1, 4, 5)
        frames = [
            Before(
                [place + torch.randn(1, 4, 5, generator=torch.Generator().manual_seed(k))],
                None,
                None,
                torch.zeros(0),
                0,
            )
            for k in range(300)
        ]
        cube = Cube.fit(CubeSpec(centred=True), frames, 0)
        mean = torch.stack([cube(each).x for each in frames]).mean(0)
        assert mean.abs().max() < 0.6 / float(1 / cube.basis[0, 0]) + 0.6

    def test_cells_that_stand_still_are_not_looked_at(self) -> None:
        (before,) = befores(1)
        cube = Cube.fit(CubeSpec(moving=0.5), [before], 0)
        assert before.speed is not None
        assert torch.equal(cube(before).seen, before.speed >= 0.5)

    def test_the_mean_of_frames(self) -> None:
        frames = befores(30)
        cube = Cube.fit(CubeSpec(frames=3, mean=True), frames, 0)
        scale = cube.basis.diagonal()
        expected = torch.stack(list(frames[9].planes[-3:])).mean(0) - cube.usual[0]
        assert torch.allclose(cube(frames[9]).x, expected * scale[:, None, None], atol=1e-5)

    @pytest.mark.parametrize(
        ("settings", "frames"), [({}, 1), ({"frames": 3, "every": 2}, 5), ({"given": ("past",)}, 4)]
    )
    def test_span(self, settings: dict, frames: int) -> None:
        assert span(CubeSpec(**settings)) == frames

    def test_restored_from_what_it_tells(self) -> None:
        spec, frames = CubeSpec(given=("past", "motion")), befores(20)
        cube = Cube.fit(spec, frames, 1)
        again = Cube.restore(spec, cube.config(), cube.arrays())
        assert torch.equal(again(frames[3]).x, cube(frames[3]).x)
        with pytest.raises(ValueError, match="fit together"):
            Cube.restore(spec, cube.config(), {**cube.arrays(), "mean": np.zeros(2)})


class TestVideo:
    def test_frames_are_scaled_to_whole_cells(self) -> None:
        video = Video(size=100, motion=False, appearance=False).begin((120, 180), [], np.zeros(0, np.int64))
        assert video.canvas == (64, 96)
        assert video.scaled(normal(0, 1)[0]).shape == (64, 96)
        assert video.scaled(normal(0, 1, colour=True)[0]).shape == (64, 96)

    @pytest.mark.filterwarnings("ignore::UserWarning")
    def test_an_eye_sees_the_past_alone(self) -> None:
        video = moving().whole_.modality
        frames = normal(5, 12)
        (one,), (other,) = (reel(each).clips for each in (frames[:7], frames))
        first, whole = ([look.cells["motion"].x for look in video.looks(each)] for each in (one, other))
        assert all(map(torch.equal, first, whole[:7]))

    @pytest.mark.filterwarnings("ignore::UserWarning")
    def test_restored_from_what_it_tells(self) -> None:
        video = moving().whole_.modality
        again = Video.restore(video.config(), video.arrays(), video.specs_)
        one = clip(normal(5, 6))
        for a, b in zip(video.looks(one), again.looks(one), strict=True):
            assert torch.equal(a.cells["motion"].x, b.cells["motion"].x)


class TestSmoothing:
    @pytest.mark.parametrize("sigma", [0.0, 0.7, 3.0])
    def test_is_the_gaussian_mean_of_what_is_there(self, sigma: float) -> None:
        values = np.random.default_rng(0).normal(size=40)
        at = np.arange(40)
        away = at[:, None] - at
        weights = np.exp(-0.5 * (away / max(sigma, 1e-9)) ** 2) * (np.abs(away) <= np.ceil(3 * sigma))
        for causal in (False, True):
            kept = weights * (away >= 0) if causal else weights
            expected = kept @ values / kept.sum(1)
            assert np.allclose(list(smoothed(values.tolist(), sigma, causal)), expected)

    def test_waits_for_as_few_as_it_needs(self) -> None:
        smooth = Smooth[float](2.0, causal=False)
        assert [len(smooth.push(1.0)) for _ in range(9)] == [0] * 6 + [1] * 3
        assert len(smooth.flush()) == 6
        assert [len(Smooth[float](2.0, causal=True).push(1.0)) for _ in range(3)] == [1] * 3


def test_folds_keep_clips_whole_where_there_are_enough() -> None:
    clips = np.repeat(np.arange(7), [5, 9, 3, 4, 8, 2, 6])
    fold = folded(clips)
    assert all(len(np.unique(fold[clips == k])) == 1 for k in range(7))
    assert sorted(np.bincount(fold)) == [9, 9, 9, 10]
