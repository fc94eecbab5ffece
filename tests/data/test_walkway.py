"""The walkway: the same seed is the same clip, everything planted is where its mask says, and only that differs."""

import tracemalloc

import numpy as np
import pytest

from anodiff.data.walkway import KINDS, Walk, walking, walkway
from anodiff.types import Misfit


@pytest.fixture(scope="module")
def walk() -> Walk:
    return walkway(400, KINDS, seed=3, noise=0.0)


def centres(walk: Walk) -> np.ndarray:
    """The columns where the one who is planted stands, in the frames where all of it is in sight."""
    shown = [np.flatnonzero(mask.any(0)) for mask in walk.masks[walk.labels > 0]]
    return np.array([at.mean() for at in shown if at.min() > 1 and at.max() < walk.masks.shape[2] - 2])


def test_everything_asked_for_is_planted_and_labelled(walk: Walk) -> None:
    assert [one.kind for one in walk.planted] == list(KINDS)
    assert walk.frames.shape == walk.masks.shape == (400, 48, 72)
    assert walk.frames.dtype == np.uint8
    assert np.array_equal(walk.labels, walk.masks.any((1, 2)))
    within = np.zeros(400, bool)
    for one in walk.planted:
        within[one.start : one.end] = True
    assert not walk.labels[~within].any()


def test_frames_differ_from_the_normal_clip_where_the_masks_are(walk: Walk) -> None:
    normal = walkway(400, seed=3, noise=0.0)
    assert not normal.labels.any()
    differs = walk.frames != normal.frames
    assert (differs[walk.masks]).mean() > 0.9
    inside = np.isin(np.arange(400), np.flatnonzero(walk.labels))
    assert differs[inside].mean() < 0.1


def test_each_kind_does_what_its_name_says() -> None:
    kinds = ("fast", "against", "frozen", "jump")
    steps = {kind: np.diff(centres(walkway(100, [kind], people=0, noise=0.0))) for kind in kinds}
    pace = abs(np.median(steps["against"]))
    assert abs(np.median(steps["fast"])) > 2.5 * pace
    assert abs(np.median(steps["frozen"])) < 0.05
    assert np.abs(steps["jump"]).max() > 3 * pace


def test_against_is_against_the_lane() -> None:
    """The one who leads the way back in the near lanes walks to the left, in the far lanes to the right."""
    for seed in range(6):
        walk = walkway(120, ["against"], seed=seed, people=0, noise=0.0)
        mask = walk.masks[walk.labels > 0]
        feet = np.flatnonzero(mask.any((0, 2))).max()
        near = feet > 48 * (0.42 + 0.55 * 0.5)
        assert np.sign(np.median(np.diff(centres(walk)))) == (-1 if near else 1)


def test_a_seed_is_a_clip_and_a_scene_a_background() -> None:
    first, again, other = walkway(8, seed=1), walkway(8, seed=1), walkway(8, seed=2)
    assert np.array_equal(first.frames, again.frames)
    assert not np.array_equal(first.frames, other.frames)
    bare = [walkway(1, people=0, noise=0.0, seed=s, scene=c).frames for s, c in ((0, 0), (9, 0), (0, 1))]
    assert np.array_equal(bare[0], bare[1])
    assert not np.array_equal(bare[0], bare[2])


def test_colour_and_size() -> None:
    assert walkway(2, size=(40, 50), colour=True).frames.shape == (2, 40, 50, 3)


def test_it_is_walked_without_being_held() -> None:
    tracemalloc.start()
    for _frame, _who in walking(100, size=(96, 144), people=1):
        pass
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 60 * 96 * 144 * 8


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"anomalies": ["drunk"]}, "no anomaly 'drunk' on the walkway; plant fast, against"),
        ({"frames": 0}, "0 frames of 48 x 72 pixels show nobody"),
        ({"size": (8, 99)}, "200 frames of 8 x 99 pixels show nobody"),
    ],
)
def test_refusals(settings: dict, message: str) -> None:
    with pytest.raises(Misfit, match=message):
        walkway(**settings)
