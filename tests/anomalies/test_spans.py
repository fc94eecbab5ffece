"""Places in series: as long as was asked, in cells that can change, never everything."""

import numpy as np
import pytest

from anodiff.anomalies.spans import PLACES, LikeExamples, given_region
from anodiff.types import Misfit


def drawn(name: str, usable: np.ndarray, lengths: tuple[int, int] = (5, 20), times: int = 100) -> list[np.ndarray]:
    draw = np.random.default_rng(0)
    return [PLACES[name](usable, lengths, draw) for _ in range(times)]


@pytest.mark.parametrize("name", list(PLACES))
def test_places_lie_where_something_can_change(name: str) -> None:
    usable = np.random.default_rng(1).random((50, 4)) < 0.8
    usable[:, 2] = False
    for region in drawn(name, usable):
        assert region.any()
        assert not region[~usable].any()


def test_lengths_are_those_that_were_asked_for() -> None:
    every = np.ones((100, 3), bool)
    assert {len(np.flatnonzero(r.any(1))) for r in drawn("span", every)} <= set(range(5, 21))
    assert {len(np.flatnonzero(r.any(1))) for r in drawn("instant", every)} == {1, 2}


def test_places_differ_in_their_channels() -> None:
    every = np.ones((100, 9), bool)
    assert {int(r.any(0).sum()) for r in drawn("span", every)} == {9}
    assert {int(r.any(0).sum()) for r in drawn("channel", every)} == {1}
    assert {int(r.any(0).sum()) for r in drawn("channels", every)} == {2, 3}


def test_a_region_is_never_all_of_a_series() -> None:
    assert all(not r.all() for r in drawn("span", np.ones((4, 1), bool), (40, 80)))


def test_examples_say_how_long_and_in_which_channels() -> None:
    known = np.zeros((60, 3), bool)
    known[20:40, 1] = True
    draw = np.random.default_rng(0)
    for _ in range(50):
        region = LikeExamples([known])(np.ones((200, 3), bool), (1, 2), draw)
        assert region.any(0).tolist() == [False, True, False]
        assert 15 <= region.sum() <= 25


def test_nothing_that_can_change_is_refused() -> None:
    with pytest.raises(Misfit, match="nothing that can change"):
        PLACES["span"](np.zeros((9, 2), bool), (1, 3), np.random.default_rng(0))


@pytest.mark.parametrize(
    ("region", "said"),
    [
        (np.zeros((9, 2), bool), "empty"),
        (np.ones((9, 2), bool), "covers all"),
        (np.ones(9, bool), "covers all"),
        (np.ones((8, 2), bool), r"\(8, 2\) and the series \(9, 2\)"),
        (np.full((9, 2), 0.5), "float64"),
        (np.full((9, 2), 3), "int64"),
    ],
)
def test_regions_that_are_none_are_refused(region: np.ndarray, said: str) -> None:
    with pytest.raises(Misfit, match=said):
        given_region(region, (9, 2), "series 0")


def test_a_region_of_instants_is_of_all_channels() -> None:
    found = given_region(np.arange(9) < 3, (9, 2), "series 0")
    assert found.sum() == 6
    assert given_region((np.arange(9) < 3).astype(int), (9, 2), "series 0").sum() == 6
