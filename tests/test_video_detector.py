"""The detector of video: both uses, no look-ahead, layouts, alarms by the clock, places, odd clips, bad input."""

import itertools
import sys
import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from anodiff import Detector
from anodiff.data.clips import clip
from anodiff.data.walkway import Walk
from anodiff.detect_video import VideoDetector
from anodiff.modalities.video import Video
from anodiff.recipes.schema import available, bibtex, recipe
from anodiff.types import Misfit, Unreadable
from video_toys import detector as detector_of
from video_toys import fitted, moving, normal, planted, small

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(scope="module")
def detector() -> VideoDetector:
    return fitted()


@pytest.fixture(scope="module")
def cart() -> Walk:
    return planted(["intruder"], seed=12)


class TestScores:
    def test_a_cart_is_found_in_time_and_in_place(self, detector: VideoDetector, cart: Walk) -> None:
        for causal in (False, True):
            scores = detector.decision_function(cart.frames, causal=causal)
            assert scores.shape == cart.labels.shape
            assert scores.dtype == np.float64
            assert roc_auc_score(cart.labels, scores) > 0.85
            assert cart.planted[0].start <= scores.argmax() <= cart.planted[0].end + 5
        maps = detector.anomaly_map(cart.frames)
        assert maps.shape == cart.frames.shape
        assert maps.dtype == np.float32
        worst = np.argmax(detector.decision_function(cart.frames) * cart.labels)
        assert maps[worst][cart.masks[worst]].mean() > maps[worst][~cart.masks[worst]].mean() + 1

    def test_the_same_seed_gives_the_same_model(self) -> None:
        clips, new = [normal(seed, 20) for seed in range(2)], normal(5, 8)
        first, again, other = (detector_of(seed=seed).fit(clips).decision_function(new) for seed in (0, 0, 1))
        assert np.array_equal(first, again)
        assert not np.array_equal(first, other)

    def test_causal_scores_see_no_future(self, detector: VideoDetector, cart: Walk) -> None:
        frames = cart.frames[20:50]
        whole = detector.decision_function(frames, causal=True)
        for cut in (1, 17):
            assert np.array_equal(detector.decision_function(frames[:cut], causal=True), whole[:cut])
            other = frames.copy()
            other[cut:] = np.random.default_rng(0).integers(0, 256, other[cut:].shape)
            changed = detector.decision_function(other, causal=True)
            assert np.array_equal(changed[:cut], whole[:cut])
            assert not np.array_equal(changed[cut:], whole[cut:])

    def test_offline_scores_look_a_little_ahead_and_no_further(self, detector: VideoDetector, cart: Walk) -> None:
        whole = detector.decision_function(cart.frames[:50])
        part = detector.decision_function(cart.frames[:35])
        assert np.array_equal(part[:23], whole[:23])
        assert not np.array_equal(part[25:35], whole[25:35])

    def test_a_clip_is_judged_for_itself(self, detector: VideoDetector, cart: Walk) -> None:
        frames = cart.frames[:20]
        alone = detector.decision_function(frames)
        among = detector.decision_function({"a": normal(7, 5), "b": frames})
        assert np.array_equal(among["b"], alone)
        assert list(among) == ["a", "b"]
        assert np.array_equal(detector.decision_function([frames])[0], alone)

    def test_judging_is_the_same_frame_by_frame(self, detector: VideoDetector, cart: Walk) -> None:
        frames = cart.frames[:20]
        seen = list(detector.judge(frames))
        assert np.array_equal([each.score for each in seen], detector.decision_function(frames))
        assert np.array_equal([each.p_value for each in seen], detector.p_value(frames))
        assert np.array_equal(np.stack([each.map for each in seen]), detector.anomaly_map(frames))
        assert [each.index for each in seen] == list(range(20))
        assert all(abs(sum(each.parts.values()) - each.score) < 1e-9 for each in seen)
        assert next(detector.judge(frames, maps=False)).map is None

    def test_a_stream_that_never_ends_is_judged_as_it_comes(self, detector: VideoDetector) -> None:
        class Endless:
            def __init__(self) -> None:
                self.given = 0

            def shots(self) -> Any:
                from anodiff.data.reels import Shot

                for i in itertools.count():
                    self.given = i
                    yield Shot(i, i / 10, lambda: np.zeros((48, 72), np.uint8))

        from anodiff.data.reels import Clip

        source = Endless()
        first = list(itertools.islice(detector.judge(Clip("endless", source, rate=10.0)), 20))
        assert len(first) == 20
        assert source.given < 50


class TestAlarms:
    def test_events_have_time_place_and_p_value(self, detector: VideoDetector, cart: Walk) -> None:
        (worst, *_) = sorted(detector.events(cart.frames, false_alarm_rate=0.05), key=lambda event: -event.score)
        (truth,) = cart.planted
        assert worst.start < truth.end
        assert worst.end > truth.start
        assert worst.start <= worst.peak < worst.end
        assert worst.end_time == pytest.approx((worst.end - 1) / 10)
        assert 0 < worst.p_value < 0.2
        left, top, right, bottom = worst.box
        assert 0 <= left < right <= 72
        assert 0 <= top < bottom <= 48
        inside = np.zeros((48, 72), bool)
        inside[top:bottom, left:right] = True
        assert (inside & cart.masks[worst.peak]).any()
        assert worst.to_dict()["box"] == list(worst.box)

    def test_events_are_runs_of_alarms(self, detector: VideoDetector, cart: Walk) -> None:
        alarms = detector.predict(cart.frames, false_alarm_rate=0.02)
        spans = np.zeros_like(alarms)
        for event in detector.events(cart.frames, false_alarm_rate=0.02):
            spans[event.start : event.end] = 1
            assert alarms[event.start] == alarms[event.end - 1] == 1
        assert (spans >= alarms).all()

    def test_rates_by_the_clock(self, detector: VideoDetector, cart: Walk) -> None:
        assert detector.frames_per_hour_ == 36_000
        assert detector.false_alarms_per_hour_ == pytest.approx(3.6)
        assert detector.rate(per_hour=360) == pytest.approx(0.01)
        assert "That is 360 an hour" in detector.statement(per_hour=360)
        by_clock = detector.predict(cart.frames, per_hour=360)
        assert np.array_equal(by_clock, detector.predict(cart.frames, false_alarm_rate=0.01))
        with pytest.raises(Misfit, match="not both"):
            detector.predict(cart.frames, per_hour=1, false_alarm_rate=0.1)

    def test_without_a_rate_there_is_no_clock(self) -> None:
        found = moving(rate=None)
        assert found.false_alarms_per_hour_ is None
        with pytest.raises(Misfit, match=r"Video\(rate=25\)"):
            found.predict(normal(5, 10), per_hour=1)

    def test_per_hour_is_a_setting_too(self) -> None:
        found = moving(per_hour=720.0)
        assert found.false_alarm_rate_ == pytest.approx(0.02)

    def test_few_false_alarms_on_normal_clips(self, detector: VideoDetector) -> None:
        fresh = [normal(seed) for seed in range(20, 24)]
        events = detector.events(fresh, false_alarm_rate=0.02)
        assert len(events) <= 8
        assert 0.2 < np.mean(np.concatenate(detector.p_value(fresh))) < 0.8

    def test_left_out_scores_are_laid_out_like_the_clips(self, detector: VideoDetector) -> None:
        assert [len(each) for each in detector.decision_scores_] == [36] * 4
        assert [len(each) for each in detector.labels_] == [36] * 4
        assert detector.names_ == ["0", "1", "2", "3"]

    def test_calibration_counts_other_normals(self, cart: Walk) -> None:
        found = moving()
        before = found.decision_function(cart.frames)
        found.calibrate([normal(seed, 25) for seed in (30, 31)])
        assert sum(map(len, found.held_out_)) == 50
        assert np.array_equal(found.decision_function(cart.frames), before)

    def test_contamination_is_set_aside(self) -> None:
        counts = [len(np.concatenate(moving(25, given={"contamination": c}).held_out_)) for c in (0.0, 0.1)]
        assert counts == [50, 45]


class TestClips:
    def test_one_clip_is_enough(self) -> None:
        found = detector_of().fit(normal(0, 60))
        assert found.decision_scores_.shape == (60,)
        assert np.isfinite(found.decision_scores_).all()

    def test_colour_and_floats_and_other_sizes(self, detector: VideoDetector) -> None:
        colour = detector_of(small()).fit([normal(seed, 20, colour=True) for seed in range(2)])
        grey = normal(4, 12)
        assert np.isfinite(colour.decision_function(grey)).all()
        assert np.array_equal(detector.decision_function(grey / 255.0), detector.decision_function(grey))
        large = np.kron(grey, np.ones((1, 2, 2), np.uint8))
        assert detector.anomaly_map(large).shape == large.shape

    @pytest.mark.parametrize("level", [0, 200])
    def test_what_never_changes_is_judged(self, detector: VideoDetector, level: int) -> None:
        still = np.full((25, 48, 72), level, np.uint8)
        for causal in (False, True):
            assert np.isfinite(detector.decision_function(still, causal=causal)).all()
        assert not detector.predict(still, false_alarm_rate=0.02).any()

    def test_a_video_of_one_frame(self, detector: VideoDetector) -> None:
        one = normal(3, 1)
        assert np.isfinite(detector.decision_function(one)).all()
        assert detector.anomaly_map(one).shape == (1, 48, 72)

    def test_video_that_never_changes_cannot_be_learnt_where_only_motion_is_looked_at(self) -> None:
        with pytest.raises(Misfit, match="hardly anything moves"):
            detector_of(small()).fit(np.zeros((40, 48, 72), np.uint8))

    def test_stride_skips_frames_and_takes_the_last_score(self) -> None:
        found = moving(75, stride=3)
        scores = found.decision_function(normal(5, 20))
        assert scores.shape == (20,)
        assert np.array_equal(scores[:18].reshape(6, 3), np.repeat(scores[:18:3, None], 3, 1))
        assert [seen.index for seen in found.judge(normal(5, 20))] == list(range(0, 20, 3))
        assert found.frames_per_hour_ == 12_000

    def test_motion_alone_and_appearance_alone(self, cart: Walk) -> None:
        seen = detector_of(small(motion=False)).fit([normal(seed, 20) for seed in range(2)])
        for found, members in ((moving(), ["pace"]), (seen, ["looks", "learnt"])):
            assert list(found.model_.members) == members
            assert np.isfinite(found.decision_function(cart.frames[:10])).all()

    def test_without_opencv_motion_is_refused_by_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from anodiff.modalities.motion import opencv

        opencv.cache_clear()
        monkeypatch.setitem(sys.modules, "cv2", None)
        with pytest.raises(Misfit, match=r"pip install 'anodiff\[video\]'"):
            detector_of().fit(normal(0, 30))
        detector_of(small(motion=False)).fit([normal(0, 30)])
        monkeypatch.undo()
        opencv.cache_clear()

    def test_long_video_is_learnt_in_stretches(self) -> None:
        found = moving(240, 1, {"max_rows": 80})
        facts = found.whole_.facts
        assert facts["rows_seen"] == 240
        assert facts["rows_fitted"] == 80
        assert [len(each) for each in found.held_.indices] == [20] * 4
        assert len(found.decision_scores_[0]) == 240


class TestConditions:
    def test_several_cameras_know_what_is_usual_for_each(self) -> None:
        clips = {f"{scene}{seed}": normal(seed, 20, scene=scene) for scene in (0, 1) for seed in range(2)}
        cameras = {name: "north" if name[0] == "0" else "south" for name in clips}
        found = detector_of(small(cameras=cameras, appearance=False)).fit(clips)
        assert found.whole_.modality.cameras_ == ["north", "south"]
        with pytest.warns(UserWarning, match="camera west was not there in fit"):
            found.decision_function(clip(normal(5, 10), camera="west", rate=10))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found.decision_function(clip(normal(5, 10), camera="north", rate=10))

    def test_the_time_of_day_is_known_where_clips_know_it(self) -> None:
        day = 86_400.0
        clips = [clip(normal(k, 30), began=k * day / 3, rate=10) for k in range(5)]
        found = detector_of(small(appearance=False), changes={"cubes.motion.given": ["calendar"]}).fit(clips)
        cube = found.whole_.modality.cubes_["motion"]
        assert found.whole_.modality.cycles_ == ["day"]
        assert cube.told == 2
        new = normal(9, 20)
        noon, unknown = (found.decision_function(clip(new, began=t, rate=10)) for t in (day / 2, None))
        assert not np.array_equal(noon, unknown)
        assert np.isfinite(unknown).all()

    def test_other_shapes_and_rates_are_said(self, detector: VideoDetector) -> None:
        with pytest.warns(UserWarning, match="of another shape than those of fit"):
            detector.decision_function(normal(5, 10)[:, :, :48])
        with pytest.warns(UserWarning, match="20 frames a second, 10 in fit"):
            detector.decision_function(clip(normal(5, 10), rate=20))


class TestRefusals:
    @pytest.mark.parametrize(
        ("X", "words"),
        [(np.zeros((19, 48, 72), np.uint8), "19 frames are too few"), ([], "no clip"), ("nowhere", "there is no")],
    )
    def test_too_little(self, X: Any, words: str) -> None:
        with pytest.raises(Unreadable, match=words):
            detector_of(small()).fit(X)

    @pytest.mark.parametrize(
        ("settings", "words"),
        [
            ({"size": 8}, "size is 8"),
            ({"size": 10**7}, "at most 4,096"),
            ({"stride": 0}, "stride is 0"),
            ({"rate": -1}, "rate is -1"),
            ({"cell": 90}, "cell is 90"),
            ({"per_hour": 0}, "per_hour is 0"),
            ({"perspective": 2}, "perspective is 2"),
            ({"motion": False, "appearance": False}, "both False"),
        ],
    )
    def test_settings_out_of_range(self, settings: dict[str, Any], words: str) -> None:
        with pytest.raises(Misfit, match=words):
            detector_of(small(**settings)).fit(normal(0, 30))

    def test_a_rate_that_is_no_number(self, detector: VideoDetector) -> None:
        with pytest.raises(Misfit, match="per_hour is 'many'"):
            detector.predict(normal(5, 3), per_hour="many")  # type: ignore[arg-type]

    def test_too_few_frames_for_a_rate_are_said_truly(self, detector: VideoDetector) -> None:
        with pytest.warns(UserWarning, match="only what exceeds them all is one"):
            threshold = detector.threshold(1e-9)
        assert np.isfinite(threshold)

    def test_what_is_not_for_video(self, detector: VideoDetector) -> None:
        with pytest.raises(Misfit, match="normal clips alone"):
            detector_of().fit(normal(0, 30), examples=[normal(0, 30)])
        with pytest.raises(Misfit, match="is for series"):
            VideoDetector(small(), "series").fit(normal(0, 30))
        with pytest.raises(Misfit, match="fdr"):
            detector.predict(normal(0, 5), fdr=0.1)
        with pytest.raises(Misfit, match="no channel 'colour'"):
            detector_of(small(), changes={"cubes.motion.channels": ["colour"]}).fit(normal(0, 30))


class TestRecipes:
    @pytest.mark.parametrize("name", available("video"))
    def test_each_recipe_finds_a_cart_and_cites_what_exists(self, name: str, cart: Walk) -> None:
        chosen = recipe(name)
        assert chosen.name == name
        assert chosen.kind == "video"
        assert bibtex(chosen.cite).count("author =") == len(chosen.cite) > 0
        quick = {f"denoisers.{part}.steps": 30 for part, spec in chosen.denoisers.items() if spec.use == "network"}
        found = VideoDetector(small(), name, changes=quick).fit([normal(seed, 20) for seed in range(3)])
        scores = found.decision_function(cart.frames[10:50])
        assert roc_auc_score(cart.labels[10:50], scores) > 0.6, name

    def test_all_denoisers_judge_cells(self, cart: Walk) -> None:
        residual = {"use": "residual", "root": True, "settings": {"levels": [0.3]}}
        own = {
            "name": "own",
            "about": "every denoiser that cells can be asked of",
            "cubes": {
                "all": {"sees": "motion", "frames": 2, "directions": 8},
                "looks": {"sees": "appearance", "centred": True, "directions": 8},
            },
            "denoisers": {
                "near": {"use": "empirical", "view": "all", "references": 500},
                "place": {"use": "positional", "view": "looks", "reach": 1, "pooled": 0.1},
                "some": {"use": "mixture", "view": "all", "components": 2},
                "learnt": {"use": "network", "view": "all", "steps": 20, "width": 16},
            },
            "scores": {name: {**residual, "of": name} for name in ("near", "place", "some", "learnt")}
            | {"time": {"use": "categorical_time", "net": {"use": "network", "view": "all", "steps": 20, "width": 16}}},
        }
        found = VideoDetector(small(), own).fit([normal(seed, 20) for seed in range(2)])
        scores = found.decision_function(cart.frames[:15])
        assert np.isfinite(scores).all()
        assert list(next(found.judge(cart.frames)).parts) == [*own["scores"]]

    def test_a_budget_buys_the_first_parts(self, detector: VideoDetector, cart: Walk) -> None:
        assert set(next(detector.judge(cart.frames)).parts) == {"pace", "looks", "learnt"}
        detector.budget = 2
        try:
            assert list(detector.model_.members) == ["pace"]
            assert set(next(detector.judge(cart.frames)).parts) == {"pace"}
            assert detector.alarm_().instants_ == 144
        finally:
            detector.budget = None

    def test_time_is_bounded_when_asked(self) -> None:
        found = moving(150, 1, {"max_seconds": 0.5})
        assert found.whole_.facts["rows_fitted"] <= 150
        assert np.isfinite(found.threshold(0.05))


class TestFacade:
    def test_detector_judges_video_by_name(self, cart: Walk) -> None:
        found = Detector(small(appearance=False)).fit([normal(seed, 20) for seed in range(2)])
        assert found.kind_ == "video"
        assert found.decision_function(cart.frames, causal=True).shape == (90,)
        assert next(found.judge(cart.frames)).clip == "0"
        assert "kroeger2016dis" in found.references()

    def test_settings_clone(self) -> None:
        from sklearn.base import clone

        assert clone(Video(stride=2)).stride == 2
