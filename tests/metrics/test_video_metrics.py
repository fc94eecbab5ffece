import math

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from anodiff.metrics import video, video_regions
from anodiff.metrics.tally import Tally, bins_of, floor_of
from anodiff.types import Misfit, Unreadable


def frames(*boxes: tuple[int, int, int, int] | None, size: tuple[int, int] = (10, 10)) -> np.ndarray:
    """A clip with a filled box (first row, first column, last row, last column; ends excluded) in each frame."""
    clip = np.zeros((len(boxes), *size), dtype=int)
    for frame, box in zip(clip, boxes, strict=True):
        if box is not None:
            frame[box[0] : box[2], box[1] : box[3]] = 1
    return clip


def test_micro_pools_all_frames_and_macro_takes_clips_alone() -> None:
    # each clip is ranked perfectly, but the second lies a unit higher: of 2 x 2 pairs across clips one is wrong
    labels, scores = [[0, 1], [0, 1]], [[0.0, 0.5], [1.0, 1.5]]
    found = video.of_frames(labels, scores)
    assert found.macro == 1.0
    assert (found.clips, found.left_out, found.frames) == (2, 0, 4)
    assert found.micro == 0.75
    assert found.ap == pytest.approx((1 + 2 / 3) / 2)
    assert video.micro_auroc(labels, scores) == 0.75


def test_clips_of_one_kind_are_left_out_and_counted() -> None:
    found = video.macro_auroc([[0, 1], [1, 1], [0, 0, 0]], [[1.0, 0.0], [0.0, 1.0], [5.0, 5.0, 5.0]])
    assert found == video.Macro(0.0, 1, 2)
    alone = video.macro_auroc([[0, 0], [1, 1]], [[0.0, 1.0], [0.0, 1.0]])
    assert math.isnan(alone.auroc)
    assert alone.left_out == 2


def test_scaling_within_clips_leaks() -> None:
    """Constant offsets between clips, no signal in them: scaled within clips the ranking looks perfect."""
    labels, scores = [[0, 1], [0, 1]], [[9.0, 9.1], [0.0, 0.1]]
    assert video.micro_auroc(labels, scores) == 0.75
    assert video.micro_auroc(labels, video.scaled_per_clip(scores)) == 1.0
    # and a normal clip gets an alarm as high as any
    assert max(video.scaled_per_clip([[0.0, 0.1], [5.0, 9.0]])[0]) == 1.0


def test_equal_error_rate_by_hand() -> None:
    assert video.equal_error_rate([0, 0, 1, 1], [0.0, 0.1, 0.8, 0.9]) == 0.0
    assert video.equal_error_rate([1, 1, 0, 0], [0.0, 0.1, 0.8, 0.9]) == 1.0
    # all tie: the straight line from (0, 0) to (1, 1) meets the other diagonal in the middle
    assert video.equal_error_rate([0, 0, 0, 1], [1.0, 1.0, 1.0, 1.0]) == 0.5
    # (FPR, TPR): (0, 1/2), (1/3, 1/2), (1/3, 1): FPR = 1 - TPR is met on the way up, at FPR 1/3
    assert video.equal_error_rate([1, 0, 1, 0, 0], [5.0, 4.0, 3.0, 2.0, 1.0]) == pytest.approx(1 / 3)


def test_bins_rise_with_the_numbers_and_hold_their_floor() -> None:
    values = np.sort(np.concatenate([np.random.default_rng(0).normal(size=500) * 10.0**k for k in (-20, 0, 20)]))
    bins = bins_of(values)
    assert (np.diff(bins) >= 0).all()
    floors = floor_of(bins).astype(np.float64)
    assert (floors <= values.astype(np.float32)).all()
    np.testing.assert_allclose(floors, values, rtol=1 / 1024)


def test_pixels_in_one_pass_agree_with_all_at_once() -> None:
    random = np.random.default_rng(1)
    masks = random.random((6, 12, 15)) < 0.1
    maps = (random.normal(size=masks.shape) + masks).astype(np.float32)
    found = video.pixel_auroc(iter(maps), iter(masks))
    exact = roc_auc_score(masks.ravel(), maps.ravel())
    assert abs(found.auroc - exact) <= found.error + 1e-12
    assert found.error < 2e-4
    assert found.ap == pytest.approx(average_precision_score(masks.ravel(), maps.ravel()), abs=2e-3)
    assert found.frames == 6
    # numbers of few values fall into bins of their own, so nothing is rounded; clips count like their frames
    coarse = np.round(maps)
    whole = video.pixel_auroc([coarse[:4], coarse[4:]], [masks[:4], masks[4:]])
    assert whole.auroc == pytest.approx(roc_auc_score(masks.ravel(), coarse.ravel()), abs=whole.error + 1e-12)
    assert whole.frames == 6


def test_levels_are_those_that_the_shares_lie_above() -> None:
    tally = Tally()
    tally.add(np.arange(1, 101.0), np.zeros(100, dtype=bool))
    assert tally.levels(np.array([0.01, 0.1, 1.0])).tolist() == [100.0, 91.0, 1.0]


def test_a_region_is_found_from_the_overlap_on() -> None:
    truth = frames((0, 0, 2, 2))
    # boxes of 4 and 36 pixels, of which 4 are shared: 4 / 36 is above 0.1, and below 0.2
    maps = frames((0, 0, 6, 6)).astype(float)
    for beta, rate in ((0.1, 1.0), (0.2, 0.0)):
        found = video_regions.Rates(np.array([1.0]), beta=beta)
        found.add(maps, truth)
        false, regions, tracks = found.curve()
        assert (regions[0], tracks[0], false[0]) == (rate, rate, 1 - rate)


def test_false_regions_are_counted_per_frame() -> None:
    truth = frames((0, 0, 3, 3), None, None, None)
    maps = frames((0, 0, 3, 3), (5, 5, 7, 7), None, None).astype(float)
    maps[1, 0, 0] = 1.0
    found = video_regions.Rates(np.array([1.0]))
    found.add(maps, truth)
    false, regions, _ = found.curve()
    assert false[0] == 2 / 4
    assert regions[0] == 1.0
    # straight from (0, 0) ... the level itself is at FPR 1/2, then flat: 1/2 * 1/2 + 1/2
    assert found.areas().rbdc == pytest.approx(0.75)


def test_a_track_is_found_by_a_tenth_of_its_regions() -> None:
    """A track of 10 frames and one of 20, each found in one frame: a tenth of the one, a twentieth of the other."""
    maps = [frames((0, 0, 3, 3), *[None] * 9).astype(float), frames((0, 0, 3, 3), *[None] * 19).astype(float)]
    truth = [frames(*[(0, 0, 3, 3)] * 10), frames(*[(0, 0, 3, 3)] * 20)]
    found = video_regions.of_regions(maps, truth)
    assert found.tbdc == 0.5
    assert found.rbdc == pytest.approx(2 / 30)
    assert (found.regions, found.tracks, found.frames) == (30, 2, 30)


def test_perfect_maps_have_areas_of_one_and_inverted_ones_of_zero() -> None:
    truth = frames((1, 1, 4, 4), (2, 2, 5, 5), None)
    assert video_regions.of_regions([truth.astype(float)], [truth])[:2] == (1.0, 1.0)
    found = video_regions.of_regions([truth.astype(float)], [truth], boxes=False)
    assert found[:2] == (1.0, 1.0)
    # what is above the level where nothing is wrong surrounds the true region: their boxes would agree, pixels do not
    inverted = video_regions.of_regions([1.0 - truth], [truth], boxes=False, levels=np.array([1.0]))
    assert inverted[:2] == (0.0, 0.0)


def test_boxes_of_regions_that_touch_at_corners_are_one() -> None:
    diagonal = np.eye(4)[None]
    truth = frames((0, 0, 4, 4), size=(4, 4))
    assert video_regions.of_regions([diagonal], [truth], levels=np.array([1.0])).rbdc == 1.0
    by_pixels = video_regions.of_regions([diagonal], [truth], levels=np.array([1.0]), boxes=False, beta=0.3)
    assert by_pixels.rbdc == 0.0


def test_tracks_of_masks_follow_what_touches() -> None:
    mask = np.zeros((3, 6, 6), dtype=bool)
    mask[0, 0, 0] = mask[1, 1, 1] = mask[2, 2, 2] = True
    mask[1:, 5, 0] = True
    tracks = video_regions.tracks_of(mask)
    assert tracks.max() == 2
    assert tracks[0, 0, 0] == tracks[2, 2, 2] != tracks[2, 5, 0]


def test_the_distance_of_clips_sees_motion_where_frames_on_average_are_alike() -> None:
    random = np.random.default_rng(2)

    def clip(step: int) -> np.ndarray:
        x = np.zeros((16, 8, 16))
        begin = int(random.integers(16))
        for t in range(16):
            x[t, :, (begin + step * t) % 16] = 1
        return x + random.normal(0, 0.01, x.shape)

    def backbone(some: np.ndarray) -> np.ndarray:
        return some[:, 0, ::4] + some[:, 0, 1::4]

    slow, again, fast = (video.clip_features(backbone, [clip(step) for _ in range(12)]) for step in (1, 1, 5))
    assert slow.shape == (12, 8)
    near = video.frechet_over_clips(slow, again, "two columns")
    far = video.frechet_over_clips(slow, fast, "two columns")
    assert far.value > 10 * near.value
    assert (far.backbone, far.real, far.made, far.features) == ("two columns", 12, 12, 8)
    assert video.frechet_over_clips(slow, slow, "two columns").value == pytest.approx(0.0, abs=1e-9)


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(Unreadable, match=r"clip 1 has labels \(1,\) and scores \(2,\)"):
        video.of_frames([[0, 1], [0]], [[0.0, 1.0], [0.0, 1.0]])
    with pytest.raises(Unreadable, match="labels hold only"):
        video.of_frames([[0, 0]], [[0.0, 1.0]])
    with pytest.raises(Unreadable, match="labels other than 0 and 1"):
        video.of_frames([[0, 2]], [[0.0, 1.0]])
    with pytest.raises(Unreadable, match="one mask for each map"):
        video.pixel_auroc([np.zeros((2, 2))], [])
    with pytest.raises(Unreadable, match="NaN"):
        video.pixel_auroc([np.array([[np.nan]])], [np.array([[1]])])
    with pytest.raises(Misfit, match="needs both"):
        video.pixel_auroc([np.zeros((2, 2))], [np.zeros((2, 2))])
    with pytest.raises(Misfit, match="none of 2 frames"):
        video_regions.of_regions([np.zeros((2, 3, 3))], [np.zeros((2, 3, 3), int)])
    with pytest.raises(Misfit, match="alpha"):
        video_regions.Rates(np.ones(1), alpha=0)
    with pytest.raises(Misfit, match="backbone is empty"):
        video.frechet_over_clips(np.zeros((2, 1)), np.zeros((2, 1)), "")
    with pytest.raises(Unreadable, match="T from 2"):
        video.clip_features(lambda x: x, [np.zeros((1, 4, 4))])
