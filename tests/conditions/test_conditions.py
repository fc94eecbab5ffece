"""Conditions: raw things become named tensors, and what is unknown has a name too."""

import numpy as np
import pytest
import torch

from anodiff.conditions import CONDITIONS, Calendar, Condition, Entity, Label, Mask, Past
from anodiff.types import Misfit

HOUR = 3_600_000_000


def every() -> dict[str, tuple[Condition, object]]:
    return {
        "past": (Past(2, 5), np.zeros((3, 2, 9))),
        "mask": (Mask(2, 5), np.zeros((3, 2, 5), bool)),
        "calendar": (Calendar(["day", "week"]), np.arange(3) * HOUR),
        "entity": (Entity(["a", "b"]), ["a", "c", "b"]),
        "label": (Label(["a", "b"]), ["a", "c", "b"]),
    }


@pytest.mark.parametrize("name", CONDITIONS)
def test_null_has_the_names_and_shapes_of_what_is_encoded(name):
    condition, raw = every()[name]
    assert type(condition) is CONDITIONS[name]
    encoded, null = condition.encode(raw), condition.null(3)
    assert encoded.keys() == null.keys()
    for key in encoded:
        assert encoded[key].shape == null[key].shape
        assert encoded[key].dtype == null[key].dtype
        assert condition.null(0)[key].shape == (0, *null[key].shape[1:])


def test_the_calendar_comes_round():
    calendar = Calendar(["day", "week", "year"])
    times = np.array([0, 24, 7 * 24]) * HOUR + 5 * HOUR
    found = calendar.encode(times)["calendar"]
    assert found.shape == (3, calendar.width)
    day, week = found[:, [0, 3]], found[:, [1, 4]]
    torch.testing.assert_close(day[0].expand(3, 2), day)
    torch.testing.assert_close(week[0], week[2])
    assert not torch.allclose(week[0], week[1])
    torch.testing.assert_close(day[0], torch.tensor([np.sin(10 * np.pi / 24), np.cos(10 * np.pi / 24)]).float())
    torch.testing.assert_close(found[:, :3] ** 2 + found[:, 3:] ** 2, torch.ones(3, 3))


def test_times_before_1970_and_far_off_keep_their_hour():
    calendar = Calendar(["day"])
    times = np.array([6, -18, 24 * 365 * 8000 + 6]) * HOUR
    torch.testing.assert_close(calendar.encode(times)["calendar"], torch.tensor([[1.0, 0.0]]).expand(3, 2))


def test_only_cycles_that_fit_spans_and_sees_vary():
    assert Calendar.fit(np.arange(20) * HOUR).cycles == []
    assert Calendar.fit(np.arange(30) * HOUR).cycles == ["day"]
    assert Calendar.fit(np.arange(10) * 7 * 24 * HOUR).cycles == []
    assert Calendar.fit(np.zeros(0, np.int64)).cycles == []
    assert Calendar([]).encode(np.arange(4))["calendar"].shape == (4, 0)


def test_refusals_say_what_was_given():
    with pytest.raises(Misfit, match="float64"):
        Calendar(["day"]).encode(np.zeros(3))
    with pytest.raises(Misfit, match=r"\(3, 1, 4\)"):
        Past(2, 4).encode(np.zeros((3, 1, 4)))
    with pytest.raises(Misfit, match=r"\(3, 2, 4\)"):
        Mask(2, 5).encode(np.zeros((3, 2, 4), bool))


def test_the_latest_of_the_past_is_taken():
    found = Past(1, 2).encode(np.arange(5.0).reshape(1, 1, 5))["past"]
    assert found.tolist() == [[[3.0, 4.0]]]
