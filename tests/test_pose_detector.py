"""The detector of poses: planted anomalies are found, the future changes nothing, and bad input in one sentence."""

import warnings
from functools import cache
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import anodiff
from anodiff.data.walkers import JOINTS, Walkers, walkers
from anodiff.detect_poses import PoseDetector
from anodiff.modalities.poses import Poses
from anodiff.recipes.schema import available
from anodiff.types import Misfit, Refusal, Unreadable

SMALL = {"denoisers.learnt.steps": 20, "denoisers.learnt.width": 32}
PLANTED = {"speed": ("fast", "slow"), "direction": ("against", "backwards"), "order": ("sides", "limbs", "joint")}
SEEDS = (21, 22, 23)


@cache
def default(dimensions: int) -> PoseDetector:
    """Fitted on other people than those that are judged, with all settings as they come."""
    return PoseDetector().fit(walkers(8, 100, dimensions=dimensions, seed=0).tracks)


@pytest.fixture(scope="module")
def one() -> PoseDetector:
    return PoseDetector(Poses(JOINTS, rate=25), changes=SMALL, alarm="conformal").fit(walkers(6, 90, seed=0).tracks)


@pytest.fixture(scope="module")
def odd() -> Walkers:
    return walkers(4, 90, ["fast", "joint", "against"], seed=5)


def auroc(detector: PoseDetector, kind: str, dimensions: int, causal: bool) -> float:
    scores, labels = list[np.ndarray](), list[np.ndarray]()
    for seed in SEEDS:
        found = walkers(3, 90, [kind], dimensions=dimensions, seed=seed)
        said = detector.decision_function(found.tracks, causal=causal)
        scores += [said[name] for name in found.tracks]
        labels += [found.labels[name] for name in found.tracks]
    return float(roc_auc_score(np.concatenate(labels), np.concatenate(scores)))


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("kinds", PLANTED.values(), ids=PLANTED)
def test_planted_anomalies_are_found(kinds: tuple[str, ...], dimensions: int) -> None:
    for kind in kinds:
        assert auroc(default(dimensions), kind, dimensions, causal=False) >= 0.97, kind
        assert auroc(default(dimensions), kind, dimensions, causal=True) >= 0.93, kind


def test_of_two_ways_both_are_normal_and_walking_backwards_is_not() -> None:
    detector = PoseDetector(changes=SMALL).fit(walkers(8, 120, crowd="both", seed=0).tracks)
    found = walkers(4, 90, ["backwards"], crowd="both", seed=9)
    scores = detector.decision_function(found.tracks)
    assert roc_auc_score(found.labels["person 1"], scores["person 1"]) >= 0.9
    usual = [np.median(own) for name, own in scores.items() if name != "person 1"]
    assert max(usual) < np.median(scores["person 1"][30:60]) / 10


@pytest.mark.parametrize("name", available("poses"))
def test_every_recipe_finds_a_runner_and_a_swapped_joint(name: str) -> None:
    steps = {"denoisers.learnt.steps": 150} if name == "mocodad" else SMALL
    detector = PoseDetector(recipe=name, changes=steps).fit(walkers(6, 90, seed=0).tracks)
    for kind in ("fast", "joint"):
        assert auroc(detector, kind, 2, causal=False) >= 0.9, kind


class TestScores:
    def test_the_future_changes_nothing(self, one: PoseDetector, odd: Walkers) -> None:
        for name in ("person 1", "person 4"):
            track = odd.tracks[name]
            whole = one.decision_function(track, causal=True)
            for cut in (1, 2, 7, 40):
                other = np.concatenate([track[:cut], 50 + 3 * track[::-1]])
                for later in (track[:cut], other):
                    found = one.decision_function(later, causal=True)[:cut]
                    assert np.allclose(found, whole[:cut], rtol=1e-9, atol=1e-12), (name, cut)
        track = odd.tracks["person 1"]
        assert not np.allclose(one.decision_function(track[:35])[25:], one.decision_function(track)[25:35])

    def test_the_modality_may_ask_for_causal_scores(self, one: PoseDetector, odd: Walkers) -> None:
        track = odd.tracks["person 1"]
        detector = PoseDetector(Poses(causal=True), changes=SMALL).fit(walkers(6, 90, seed=0).tracks)
        assert np.array_equal(detector.decision_function(track), detector.decision_function(track, causal=True))
        assert not np.array_equal(detector.decision_function(track), detector.decision_function(track, causal=False))

    def test_a_person_does_not_depend_on_the_others_nor_on_layout(self, one: PoseDetector, odd: Walkers) -> None:
        together = one.decision_function(odd.tracks)
        listed = one.decision_function(list(odd.tracks.values())[::-1])[::-1]
        for i, (name, track) in enumerate(odd.tracks.items()):
            alone = one.decision_function(track)
            assert alone.shape == (90,)
            assert alone.dtype == np.float64
            assert np.allclose(alone, together[name], rtol=1e-9)
            assert np.allclose(alone, listed[i], rtol=1e-9)

    def test_same_seed_same_scores(self, one: PoseDetector, odd: Walkers) -> None:
        again = PoseDetector(Poses(JOINTS, rate=25), changes=SMALL).fit(walkers(6, 90, seed=0).tracks)
        first, second = (each.decision_function(odd.tracks) for each in (one, again))
        assert all(np.array_equal(first[name], second[name]) for name in first)

    def test_neither_place_nor_distance_matters(self, one: PoseDetector, odd: Walkers) -> None:
        track = odd.tracks["person 2"]
        plain = one.decision_function(track)
        assert np.allclose(one.decision_function(0.01 * track + 1000), plain, rtol=1e-4, atol=1e-6)

    def test_frames_of_the_scene_take_the_worst_person(self, one: PoseDetector, odd: Walkers) -> None:
        own = one.decision_function(odd.tracks)
        scene = one.frame_scores(odd.tracks, starts=odd.starts)
        assert len(scene) == len(odd.frame_labels())
        for t in range(len(scene)):
            there = [s[t - odd.starts[n]] for n, s in own.items() if odd.starts[n] <= t < odd.starts[n] + len(s)]
            assert scene[t] == (max(there) if there else 0)
        assert roc_auc_score(odd.frame_labels(), scene) >= 0.95
        with pytest.raises(Misfit, match="first frame of each of 4 tracks"):
            one.frame_scores(odd.tracks, starts=[1, 2])

    def test_maps_add_up_and_point(self, one: PoseDetector, odd: Walkers) -> None:
        scores, maps = one.decision_function(odd.tracks), one.anomaly_map(odd.tracks)
        for name, own in maps.items():
            assert own.shape == (90, 15)
            assert np.allclose(own.sum(1), scores[name], rtol=1e-6, atol=1e-6)
        worst = np.argsort(-maps["person 2"][30:60].sum(0))[:2]
        assert {JOINTS[j] for j in worst} == {"left knee", "left ankle"}

    @pytest.mark.filterwarnings("ignore::UserWarning")
    def test_joints_that_are_not_seen_are_no_anomaly(self) -> None:
        detector, drawn = default(2), np.random.default_rng(0)
        for seed in (31, 32, 33):
            whole = walkers(1, 90, missing=0, seed=seed).tracks["person 1"]
            never, gaps = whole.copy(), whole.copy()
            never[:, 4], gaps[50:60] = np.nan, np.nan
            gaps[drawn.uniform(size=gaps.shape[:2]) < 0.1] = np.nan
            usual = (detector.decision_function(whole) > detector.threshold_).mean()
            for track in (never, gaps):
                assert (detector.decision_function(track) > detector.threshold_).mean() <= usual + 0.05

    def test_left_out_scores_are_like_those_of_new_people(self, one: PoseDetector) -> None:
        fresh = one.decision_function(walkers(8, 90, seed=77).tracks)
        held = np.concatenate(one.held_out_)
        share = np.mean(np.concatenate(list(fresh.values())) > np.quantile(held, 0.9))
        assert 0.02 < share < 0.3


class TestAlarms:
    def test_events_and_what_is_said_of_them(self, one: PoseDetector, odd: Walkers) -> None:
        happened = one.events(odd.tracks)
        assert {h.entity for h in happened} == {"person 1", "person 2", "person 3"}
        for h in happened:
            assert h.event.start <= 59
            assert h.event.end >= 30
            assert 30 <= h.event.peak <= 75
        said = {one_.happening.entity: one_ for one_ in one.explain(odd.tracks)}
        runner, swapped, turned = (said[f"person {i}"] for i in (1, 2, 3))
        assert "faster than expected" in runner.sentence
        event = runner.happening.event
        assert f"frames {event.start} to {event.end} ({event.start / 25:.1f} s to" in runner.sentence
        assert runner.speed is not None
        assert runner.expected_speed is not None
        assert runner.speed > 1.4 * runner.expected_speed
        assert {deed.joint for deed in swapped.joints[:2]} == {"left knee", "left ankle"}
        assert "left knee" in swapped.sentence
        assert "the opposite way" in turned.sentence
        assert turned.turned is not None
        assert turned.turned > 135
        knee, ankle = JOINTS.index("left knee"), JOINTS.index("left ankle")
        assert np.linalg.norm(swapped.expected[ankle] - swapped.pose[knee]) < np.linalg.norm(
            swapped.expected[knee] - swapped.pose[knee]
        )
        assert set(runner.to_dict()) >= {"sentence", "pose", "expected", "joints", "entity", "p_value"}

    def test_rates_per_frame_and_per_hour(self, one: PoseDetector, odd: Walkers) -> None:
        track = odd.tracks["person 1"]
        assert one.false_alarm_rate_ == 1e-4
        assert one.false_alarms_per_hour_ == pytest.approx(9)
        labels = one.predict(track, per_hour=900)
        assert np.array_equal(labels, one.predict(track, false_alarm_rate=0.01))
        assert np.array_equal(labels, one.decide(one.decision_function(track), per_hour=900))
        assert labels[35:55].all()
        hourly = PoseDetector(Poses(rate=25, per_hour=450), changes=SMALL).fit(walkers(6, 90, seed=0).tracks)
        assert hourly.false_alarm_rate_ == pytest.approx(0.005)
        for settings, said in (
            ({"per_hour": 1, "false_alarm_rate": 0.01}, "give one of them"),
            ({"per_hour": -1}, "more than 0"),
            ({"per_hour": "many"}, "per_hour is 'many'"),
            ({"fdr": 0.1}, "fdr counts independent rows"),
            ({"false_alarm_rate": 2.0}, "between 0 and 1"),
        ):
            with pytest.raises(Misfit, match=said):
                one.predict(track, **settings)
        with pytest.raises(Misfit, match="how many frames a second"):
            default(2).predict(track, per_hour=1)

    def test_p_values_and_calibration(self, one: PoseDetector, odd: Walkers) -> None:
        p = one.p_value(odd.tracks)
        assert p["person 2"][45] < 0.02 < np.median(p["person 4"])
        assert np.allclose(one.predict_proba(odd.tracks["person 2"]).sum(1), 1)
        again = PoseDetector(changes=SMALL, alarm="conformal").fit(walkers(6, 90, seed=0).tracks)
        before = again.statement()
        again.calibrate(walkers(5, 100, seed=3).tracks)
        assert again.statement() != before
        assert again.statement().startswith("500 held-out")

    def test_people_that_hold_anomalies(self) -> None:
        found = walkers(8, 90, ["fast"], seed=2)
        detector = PoseDetector(changes=SMALL, contamination=0.05, alarm="conformal").fit(found.tracks)
        own = detector.decision_scores_
        assert roc_auc_score(found.labels["person 1"], own["person 1"]) > 0.9
        assert detector.labels_["person 1"][35:55].all()
        assert not np.concatenate([v for k, v in detector.labels_.items() if k != "person 1"]).any()
        assert sum(map(len, detector.held_out_)) <= 0.96 * 8 * 90

    def test_one_person_is_left_out_in_blocks_of_time(self) -> None:
        track = walkers(1, 300, seed=0).tracks["person 1"]
        detector = PoseDetector(changes=SMALL, alarm="conformal").fit(track)
        assert detector.decision_scores_.shape == (300,)
        fast = np.concatenate([track[:100], track[100:200:2], track[200:]])
        assert detector.predict(fast)[110:140].all()

    def test_budget_and_time(self, odd: Walkers) -> None:
        detector = PoseDetector(changes=SMALL, alarm="conformal", max_seconds=60).fit(walkers(6, 90, seed=0).tracks)
        whole = detector.decision_function(odd.tracks["person 1"])
        detector.budget = 12
        assert list(detector.model_.members) == ["expected", "learnt", "near"]
        assert not np.array_equal(detector.decision_function(odd.tracks["person 1"]), whole)
        detector.budget = 0
        with pytest.raises(Misfit, match="cheapest score"):
            detector.decision_function(odd.tracks["person 1"])


@pytest.mark.filterwarnings("ignore::UserWarning")
class TestHostile:
    def test_few_frames_and_nobody_seen(self, one: PoseDetector, odd: Walkers) -> None:
        track = odd.tracks["person 1"]
        for given in (track[:0], track[:1], track[:5], np.full_like(track, np.nan), np.zeros((40, 15, 2))):
            for causal in (False, True):
                scores = one.decision_function(given, causal=causal)
                assert scores.shape == (len(given),)
                assert np.isfinite(scores).all()
            assert one.anomaly_map(given).shape == (len(given), 15)
            assert one.frame_scores(given).shape == (len(given),)
        assert not one.decision_function(np.full_like(track, np.nan)).any()
        assert one.events([track[:1], np.full_like(track, np.nan)]) == []

    def test_one_who_stands_still_is_odd(self, one: PoseDetector) -> None:
        pose = walkers(1, 3, missing=0, seed=8).tracks["person 1"][:1]
        (event,) = one.explain(np.repeat(pose, 60, 0))
        assert "stands still" in event.sentence

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (lambda t: t[:, :10], "poses are of 10 joints in 2 dimensions, where fit had 15 in 2"),
            (lambda t: np.concatenate([t, t[..., :1]], 2), "15 joints in 3 dimensions"),
            (lambda t: np.where(np.arange(90)[:, None, None] == 4, np.inf, t), "infinite at frame 4, joint 0"),
            (lambda t: [], "there is no track"),
            (lambda t: t[0, 0], "has shape"),
            (lambda t: "people", "give a .npy"),
        ],
    )
    def test_what_cannot_be_judged_is_refused(self, one: PoseDetector, odd: Walkers, change: Any, said: str) -> None:
        with pytest.raises(Unreadable, match=said) as refused:
            one.decision_function(change(odd.tracks["person 1"]))
        assert "\n" not in str(refused.value)

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            (lambda t: t[:1], "fewer than 20 frames"),
            (lambda t: np.full_like(t, np.nan), "fewer than 20 frames"),
            (lambda t: np.repeat(np.nan_to_num(t[:1]), 60, 0), "every pose and every step is the same"),
            (lambda t: [t[i : i + 7] for i in range(0, 77, 7)], "give longer tracks"),
            (lambda t: t[:, :1], "only one joint"),
        ],
    )
    def test_what_cannot_be_learnt_from_is_refused(self, odd: Walkers, given: Any, said: str) -> None:
        with pytest.raises(Unreadable, match=said):
            PoseDetector(changes=SMALL).fit(given(odd.tracks["person 4"]))

    def test_a_joint_that_is_never_seen_is_told_of(self, odd: Walkers) -> None:
        blind = {name: np.where(np.arange(15)[:, None] == 4, np.nan, own) for name, own in odd.tracks.items()}
        with pytest.warns(UserWarning, match="never seen, and never judged: left wrist"):
            detector = PoseDetector(Poses(JOINTS), changes=SMALL).fit(blind)
        whole, less = detector.decision_function(odd.tracks["person 4"]), detector.decision_function(blind["person 4"])
        assert np.allclose(whole, less)
        assert not detector.anomaly_map(odd.tracks["person 1"])[:, 4].any()

    def test_uneven_tracks(self, odd: Walkers) -> None:
        own = list(odd.tracks.values())
        detector = PoseDetector(changes=SMALL).fit([own[3], own[0][:0], own[1][:1], np.full_like(own[2], np.nan)])
        assert [len(scores) for scores in detector.decision_scores_] == [90, 0, 1, 90]

    def test_settings_are_checked(self, odd: Walkers) -> None:
        for modality, said in (
            (Poses(["a"]), "joints names 1, and poses have 15"),
            (Poses(centre=[99]), "numbers of joints from 0 to 14"),
            (Poses(rate=0), "rate is 0"),
            (Poses(per_hour=1), "give the frames per second too"),
            ("series", "modality is 'series'"),
        ):
            with pytest.raises(Misfit, match=said):
                PoseDetector(modality).fit(odd.tracks)
        for settings, said in (
            ({"recipe": "series"}, "for series data"),
            ({"recipe": "mocodad", "changes": {"smooth": "2P"}}, "give smooth in frames"),
            ({"changes": {"denoisers.learnt.predict": "spectral"}}, "learnt is a network of windows"),
            ({"alarm": "loud"}, "alarm is 'loud'"),
        ):
            with pytest.raises(Misfit, match=said):
                PoseDetector(**settings).fit(odd.tracks)
        with pytest.raises(Misfit, match="leave examples and regions out"):
            PoseDetector().fit(odd.tracks, examples=[odd.tracks["person 1"]])

    def test_a_failed_fit_leaves_the_detector_as_it_was(self, odd: Walkers) -> None:
        detector = PoseDetector(changes=SMALL).fit(odd.tracks)
        before = detector.decision_function(odd.tracks["person 1"])
        with pytest.raises(Refusal):
            detector.fit(odd.tracks["person 1"][:3])
        assert np.array_equal(detector.decision_function(odd.tracks["person 1"]), before)


def test_the_facade_knows_poses(odd: Walkers) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        detector = anodiff.Detector("poses", changes=SMALL).fit(odd.tracks)
        assert detector.kind_ == "poses"
        assert set(detector.decision_function(odd.tracks)) == set(odd.tracks)
        assert detector.frame_scores(odd.tracks).shape == (90,)
    with pytest.raises(Misfit, match="poses were fitted"):
        detector.stream()
