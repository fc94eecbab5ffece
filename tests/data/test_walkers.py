"""Walkers: bodies of fixed bones, the speed that their steps ask for, and anomalies that are what they are called."""

import numpy as np
import pytest

from anodiff.data.people import check_starts, read_people
from anodiff.data.walkers import JOINTS, KINDS, LINKS, walkers
from anodiff.types import Misfit, Unreadable

STILL = {"noise": 0.0, "missing": 0.0}


def bones(track: np.ndarray) -> np.ndarray:
    return np.stack([np.linalg.norm(track[:, a] - track[:, b], axis=1) for a, b in LINKS], 1)


def speed(track: np.ndarray) -> np.ndarray:
    return np.linalg.norm(np.diff(track[:, JOINTS.index("pelvis"), :2], axis=0), axis=1)


def test_bones_keep_their_length_in_space() -> None:
    for track in walkers(3, 60, dimensions=3, **STILL).tracks.values():
        assert track.shape == (60, 15, 3)
        assert np.ptp(bones(track), 0).max() < 1e-9


def test_one_foot_stands_while_the_other_swings() -> None:
    track = walkers(1, 100, dimensions=3, **STILL).tracks["person 1"]
    ankles = track[:, [JOINTS.index("left ankle"), JOINTS.index("right ankle")]]
    moved = np.sort(np.abs(np.diff(ankles[..., 0], axis=0)), 1)
    standing, swinging = np.median(moved, 0) / np.median(speed(track))
    assert standing < 0.7
    assert swinging > 1.3


def test_people_walk_at_a_human_pace() -> None:
    found = walkers(6, 100, dimensions=3, **STILL)
    pace = [speed(track).mean() * found.rate for track in found.tracks.values()]
    assert 0.9 < min(pace) < max(pace) < 1.8


def test_planted_paces_and_ways() -> None:
    for kind, low, high in (("fast", 1.7, 3.5), ("slow", 0.1, 0.6), ("freeze", 0, 0.01), ("backwards", 0.9, 1.1)):
        found = walkers(1, 90, [kind], dimensions=3, **STILL)
        steps, odd = speed(found.tracks["person 1"]), found.labels["person 1"][1:] > 0
        assert low <= np.median(steps[odd]) / np.median(steps[~odd]) <= high, kind
    for kind in ("against", "backwards"):
        found = walkers(1, 90, [kind], **STILL)
        ahead = np.diff(found.tracks["person 1"][:, 8, 0])
        assert np.median(ahead[:29]) > 0 > np.median(ahead[40:59]), kind


def test_planted_orders_change_places_and_nothing_else() -> None:
    for kind, count in (("sides", 6), ("limbs", 4), ("joint", 2)):
        plain, odd = (walkers(1, 90, planted, **STILL).tracks["person 1"] for planted in ((), [kind]))
        differ = (plain != odd).any(2)
        assert differ[30:60].any(0).sum() == count, kind
        assert not differ[:30].any()
        assert not differ[60:].any()
        assert np.allclose(np.sort(plain[:, :, 1], 1), np.sort(odd[:, :, 1], 1))


def test_labels_starts_and_the_crowd() -> None:
    found = walkers(5, 60, ["fast", "joint"], crowd="both", seed=3)
    assert [p.kind for p in found.planted] == ["fast", "joint"]
    assert {name for name, own in found.labels.items() if own.any()} == {"person 1", "person 2"}
    whole = found.frame_labels()
    assert len(whole) == max(found.starts.values()) + 60
    for name, own in found.labels.items():
        assert (whole[found.starts[name] :][:60] >= own).all()
    ways = [np.sign(np.nanmean(np.diff(track[:, 8, 0]))) for track in found.tracks.values()]
    assert ways[2:] == [1, -1, 1]


def test_what_is_missing_and_what_is_drawn() -> None:
    one, same, other = (walkers(2, 200, missing=0.1, seed=seed).tracks["person 2"] for seed in (0, 0, 1))
    assert np.array_equal(one, same, equal_nan=True)
    assert not np.array_equal(one, other, equal_nan=True)
    gone = np.isnan(one)
    assert 0.08 < gone.mean() < 0.12
    assert (gone.all(2) == gone.any(2)).all()


def test_refusals() -> None:
    for settings, said in (
        ({"anomalies": ["flying"]}, "no walker can be 'flying'"),
        ({"anomalies": list(KINDS), "persons": 2}, "give more persons"),
        ({"dimensions": 4}, "choose 2 or 3"),
        ({"crowd": "left"}, "crowd is 'left'"),
        ({"frames": 2}, "2 frames"),
    ):
        with pytest.raises(Misfit, match=said):
            walkers(**settings)  # type: ignore[arg-type]


class TestReading:
    def test_layouts(self, tmp_path) -> None:  # type: ignore[no-untyped-def]
        track = np.zeros((7, 4, 2))
        np.save(tmp_path / "one.npy", track)
        np.savez(tmp_path / "two.npz", Ann=track, Bob=track[:3])
        for given, layout, lengths in (
            (track, "one", [7]),
            (track.tolist(), "one", [7]),
            ([track, track[:2].tolist()], "list", [7, 2]),
            (np.stack([track, track]), "list", [7, 7]),
            ({"Ann": track, 2: track[:0]}, "dict", [7, 0]),
            (tmp_path / "one.npy", "one", [7]),
            (str(tmp_path / "two.npz"), "dict", [7, 3]),
        ):
            people = read_people(given)
            assert (people.layout, [len(t) for t in people.tracks]) == (layout, lengths)

    def test_confidence_and_half_seen_joints(self) -> None:
        given = np.ones((2, 3, 3))
        given[0, 1, 2] = 0.1
        given[1, 2, 0] = np.nan
        (track,) = read_people(given, confident=0.5).tracks
        assert track.shape == (2, 3, 2)
        assert np.isnan(track).all(2).tolist() == [[False, True, False], [False, False, True]]

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ([], "there is no track"),
            ({}, "there is no track"),
            (np.zeros(5), r"has shape \(5,\)"),
            (np.zeros((5, 4)), r"has shape \(5, 4\)"),
            (np.zeros((5, 4, 5)), "4 joints of 5 coordinates"),
            (np.zeros((5, 0, 2)), "0 joints"),
            ([np.zeros((5, 4, 2)), np.zeros((5, 3, 2))], "track 1 has 3 joints in 2 dimensions, track 0 has 4 in 2"),
            ({"Ann": np.full((5, 4, 2), np.inf)}, "the track of 'Ann' is infinite at frame 0, joint 0"),
            ([[["a", "b"]]], "holds no numbers"),
            ("poses.txt", "give a .npy of one person"),
            ("nothing.npy", "cannot be read"),
            (None, "has shape"),
            ({1: np.zeros((5, 4, 2)), "1": np.zeros((5, 4, 2))}, "two persons are called '1'"),
        ],
    )
    def test_refusals(self, given: object, said: str) -> None:
        with pytest.raises(Unreadable, match=said) as refused:
            read_people(given)
        assert "\n" not in str(refused.value)

    def test_starts(self) -> None:
        people = read_people({"Ann": np.zeros((7, 4, 2)), "Bob": np.zeros((7, 4, 2))})
        assert check_starts({"Bob": 4, "Ann": 1}, people) == [1, 4]
        assert check_starts([3, 2], people) == [3, 2]
        assert check_starts(None, people) == [0, 0]
        for wrong in ([1], [1, -1], {"Ann": 1}, [0.5, 1], 3):
            with pytest.raises(Misfit, match="first frame of each of 2 tracks"):
                check_starts(wrong, people)
