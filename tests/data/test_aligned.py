"""Frames and sensors by time: against a plain search, causal, with gaps, and times that cannot be compared."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from anodiff.data.aligned import aligned
from anodiff.data.records import records
from anodiff.types import Misfit, Unreadable

RNG = np.random.default_rng(0)
START = datetime(2024, 5, 1, 12)
FAST, SLOW = np.sort(RNG.uniform(0, 60, 500)), np.sort(RNG.uniform(0, 60, 90))
FRAMES = np.sort(RNG.uniform(-1, 62, 40))


def frames(times: Any, on: str = "time") -> dict[str, Any]:
    return {on: list(times), "said": [f"the arm is at place {i % 4} now" for i in range(len(times))]}


def sensors() -> pd.DataFrame:
    """Two channels of unequal rates: where one has a reading, the other has none."""
    force = pd.DataFrame({"time": FAST, "force": np.sin(FAST)})
    heat = pd.DataFrame({"time": SLOW, "heat": SLOW * 2})
    return pd.concat([force, heat]).sample(frac=1, random_state=1)


def searched(times: np.ndarray, values: np.ndarray, instant: float, until: float, slack: float) -> float:
    """The reading nearest to an instant, by looking at all of them."""
    known = times <= until
    if not known.any():
        return np.nan
    off = np.abs(times[known] - instant)
    return float(values[known][off.argmin()]) if off.min() <= slack else np.nan


def test_it_is_what_a_plain_search_finds() -> None:
    found = aligned(frames(FRAMES), sensors(), window=3.0, every=0.5, tolerance=0.4)
    column = found.columns["sensors"]
    assert found.layout == {"said": {"kind": "text", "width": 1}, "sensors": {"kind": "series", "width": 2}}
    for i, t in enumerate(FRAMES):
        grid = t - 0.5 * np.arange(5, -1, -1)
        expected = np.array(
            [[searched(FAST, np.sin(FAST), g, t, 0.4), searched(SLOW, SLOW * 2, g, t, 0.4)] for g in grid]
        )
        assert column.present[i] == np.isfinite(expected).any()
        if column.present[i]:
            assert np.allclose(column.values[i], expected, equal_nan=True)
    assert not column.present[0]
    assert any("no reading in the window" in note for note in found.notes)


def test_what_comes_after_a_frame_changes_nothing() -> None:
    later = sensors()
    later.loc[later.time > 30.0, ["force", "heat"]] = 999.0
    first, second = (aligned(frames([30.0]), each, window=5, every=0.2) for each in (sensors(), later))
    cut = aligned(frames([30.0]), sensors().query("time <= 30"), window=5, every=0.2)
    values = first.columns["sensors"].values[0]
    assert np.array_equal(values, second.columns["sensors"].values[0], equal_nan=True)
    assert np.array_equal(values, cut.columns["sensors"].values[0], equal_nan=True)


def test_a_frame_does_not_depend_on_the_others() -> None:
    whole = aligned(frames(FRAMES), sensors(), window=3, every=0.5).columns["sensors"]
    for i in (5, 20):
        alone = aligned(frames(FRAMES[[i]]), sensors(), window=3, every=0.5).columns["sensors"]
        assert np.array_equal(alone.values[0], whole.values[i], equal_nan=True)


def test_the_interval_is_that_of_the_fastest_channel() -> None:
    table = {"time": np.arange(0, 10, 0.25), "a": np.arange(40.0), "b": np.where(np.arange(40) % 4, np.nan, 1.0)}
    found = aligned(frames([5.0, 6.0]), table, window=2).columns["sensors"]
    assert found.values[0].shape == (8, 2)
    assert found.values[0][:, 0].tolist() == [13.0, 14.0, 15.0, 16.0, 17.0, 18.0, 19.0, 20.0]
    assert found.values[0][-1, 1] == 1.0


def test_of_two_readings_of_one_instant_the_last_counts() -> None:
    found = aligned(frames([1.0]), {"time": [0.0, 1.0, 1.0], "a": [1.0, 2.0, 3.0]}, window=1, every=1)
    assert found.columns["sensors"].values[0].tolist() == [[3.0]]


def test_zones_are_compared_in_utc() -> None:
    east = timezone(timedelta(hours=9))
    stamps = [datetime(2024, 5, 1, 21, 0, i, tzinfo=east) for i in range(5)]
    table = {"time": [f"2024-05-01T12:00:0{i}Z" for i in range(5)], "a": np.arange(5.0)}
    found = aligned(frames(stamps), table, window=1, every=1)
    assert [each[0, 0] for each in found.columns["sensors"].values] == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_numbers_since_1970_and_dates_without_a_zone() -> None:
    unix = [datetime(2024, 5, 1, 12, 0, i, tzinfo=UTC).timestamp() for i in range(3)]
    table = {"time": [START + timedelta(seconds=i) for i in range(3)], "a": np.arange(3.0)}
    found = aligned(frames(unix), table, window=1, every=1)
    assert [each[0, 0] for each in found.columns["sensors"].values] == [0.0, 1.0, 2.0]
    assert "Times without a zone are taken as UTC." in found.notes


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([START], ["2024-05-01T12:00:00Z"]),
        ([1.0], [START]),
        ([1.0], [1714564800.0]),
    ],
)
def test_times_that_cannot_be_compared(first: list[Any], second: list[Any]) -> None:
    with pytest.raises(Unreadable, match=r"times cannot be compared: .*; write both alike\."):
        aligned(frames(first), {"time": second, "a": [1.0]}, window=1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"window": 0}, "window is 0; give seconds, above 0"),
        ({"window": float("nan")}, "window is nan"),
        ({"window": 1, "every": 0}, "every is 0"),
        ({"window": 1, "tolerance": -1}, "tolerance is -1; give seconds, 0"),
        ({"window": 1e9, "every": 0.001}, "at most 4,096 are read"),
        ({"window": 1, "on": "clock"}, "there is no column clock to take the times of frames from; there are time, s"),
        ({"window": 1, "name": "said"}, "have a column said already"),
    ],
)
def test_settings_out_of_range(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(Misfit, match=message):
        aligned(frames([1.0]), {"time": [0.0], "a": [1.0]}, **settings)


@pytest.mark.parametrize(
    ("given", "table", "message"),
    [
        ([1.0, None], {"time": [0.0], "a": [1.0]}, "of the frames, column time has no time in row 2"),
        ([1.0], {"time": [None, 1.0], "a": [1.0, 2.0]}, "of the sensors, column time has no time in row 1"),
        ([1.0], {"time": [0.0], "a": ["hot"]}, "channel a holds string, where numbers are read"),
        ([1.0], {"time": [0.0]}, "the sensors have no channel beside time"),
        (["soon"], {"time": [0.0], "a": [1.0]}, "of the frames, column time"),
    ],
)
def test_one_sentence_for_what_cannot_be_aligned(given: list[Any], table: dict[str, Any], message: str) -> None:
    with pytest.raises(Unreadable, match=message):
        aligned(frames(given), table, window=1)


def test_what_is_aligned_later_fits_the_layout_of_before(tmp_path: Path) -> None:
    table = tmp_path / "sensors.csv"
    sensors().to_csv(table, index=False)
    first = aligned(frames(FRAMES, "at"), sensors().rename(columns={"time": "at"}), on="at", window=3, every=0.5)
    later = aligned(frames(FRAMES[20:23]), table, window=3, every=0.5, like=first.layout)
    assert later.layout == first.layout
    assert records(later, like=first.layout).layout == first.layout
    again = first.columns["sensors"].take([20, 21, 22])
    for mine, theirs in zip(later.columns["sensors"].values, again.values, strict=True):
        assert np.allclose(mine, theirs, equal_nan=True)
