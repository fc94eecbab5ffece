import json
import math
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anodiff.alarms import Blocks, Event, Watcher, events
from anodiff.types import Misfit, Unreadable

SCORES = st.lists(st.integers(0, 5).map(float), max_size=60)


def by_hand(scores: list[float], threshold: float, hold_off: int, min_length: int) -> list[Event]:
    found: list[list[int]] = []
    for i in (i for i, score in enumerate(scores) if score > threshold):
        if found and i - found[-1][-1] <= hold_off:
            found[-1].append(i)
        else:
            found.append([i])
    made = []
    for at in found:
        peak = max(at, key=lambda i: (scores[i], -i))
        made.append(Event(at[0], at[-1], peak, scores[peak], None, len(scores) - 1 - at[-1] < hold_off))
    return [event for event in made if event.length >= min_length]


@settings(max_examples=300, deadline=None)
@given(
    scores=SCORES,
    threshold=st.integers(-1, 5),
    hold_off=st.integers(1, 5),
    min_length=st.integers(1, 4),
    cuts=st.lists(st.integers(0, 60), max_size=5),
)
def test_live_is_offline_however_it_is_cut(
    scores: list[float], threshold: int, hold_off: int, min_length: int, cuts: list[int]
) -> None:
    offline = events(np.array(scores), threshold, hold_off, min_length)
    assert offline == by_hand(scores, threshold, hold_off, min_length)
    watcher = Watcher(threshold, hold_off, min_length)
    said = [event for part in np.split(np.array(scores), sorted(cuts)) for event in watcher.push(part)]
    assert [event for event in said if not event.open] + watcher.flush() == offline
    opened = [event.start for event in said if event.open]
    assert opened == [event.start for event in offline]
    assert watcher.flush() == []


def test_says_when_it_opens_and_when_it_is_over() -> None:
    watcher, said = Watcher(1, hold_off=2), []
    for place, score in enumerate([0, 3, 0, 2, 4, 0, 0, 0, 2]):
        said += [(place, event.start, event.end, event.peak, event.open) for event in watcher.push(score)]
    assert said == [(1, 1, 1, 1, True), (6, 1, 4, 4, False), (8, 8, 8, 8, True)]
    assert watcher.running is not None
    assert watcher.flush() == [Event(8, 8, 8, 2.0, None, True)]
    assert watcher.running is None


def test_short_ones_are_never_said() -> None:
    watcher = Watcher(1, hold_off=1, min_length=3)
    assert watcher.push([2, 2, 0, 0]) == []
    assert [(e.start, e.end, e.open) for e in watcher.push([2, 3, 2, 2, 0])] == [(4, 6, True), (4, 7, False)]


def test_p_values_are_those_of_the_peaks() -> None:
    scores = np.random.default_rng(0).exponential(size=3000)
    alarm = Blocks().fit([scores])
    scores[100:110] = 30
    found = events(scores, alarm.threshold(20), 10, p_value=alarm.event_p_value)
    planted = next(event for event in found if event.start <= 100 <= event.end)
    assert planted.p_value == alarm.event_p_value(np.array([30.0]))[0] < 1e-4
    watcher = Watcher(alarm.threshold(20), 10, p_value=alarm.event_p_value)
    assert [event for event in watcher.push(scores) if not event.open] + watcher.flush() == found
    assert json.loads(json.dumps([asdict(event) for event in found], allow_nan=False))[0]["end"] == found[0].end


def test_threshold_may_move_while_an_event_runs() -> None:
    watcher = Watcher(1, hold_off=1)
    watcher.push([2, 5])
    watcher.threshold = 4
    assert [(e.start, e.end, e.open) for e in watcher.push([3, 5])] == [(0, 1, False), (3, 3, True)]


def test_nothing_and_everything() -> None:
    assert events(np.array([]), 0) == []
    assert events(np.ones(5), math.inf) == []
    assert events(np.ones(5), 1) == []
    assert events(np.ones(5), -math.inf) == [Event(0, 4, 0, 1.0, None, True)]
    assert Watcher(0).flush() == []
    assert Watcher(0).push([]) == []


def test_memory_is_bounded() -> None:
    watcher = Watcher(0)
    watcher.push(np.ones(10_000))
    assert sum(isinstance(value, list | np.ndarray) for value in vars(watcher).values()) == 0
    assert watcher.place == 10_000


def test_refuses_and_goes_on() -> None:
    watcher = Watcher(1)
    for bad in (math.nan, [0.0, math.inf], "a", [[1.0]], None):
        with pytest.raises(Unreadable, match="give"):
            watcher.push(bad)  # type: ignore[arg-type]
    assert watcher.place == 0
    with pytest.raises(Unreadable, match="NaN"):
        events(np.array([math.nan]), 0)
    for hold_off in (0, -1, 1.5, True):
        with pytest.raises(Misfit, match="hold_off is"):
            events(np.ones(3), 0, hold_off)  # type: ignore[arg-type]
        with pytest.raises(Misfit, match="hold_off is"):
            Watcher(0, hold_off)  # type: ignore[arg-type]
    with pytest.raises(Misfit, match="min_length is 0"):
        Watcher(0, 1, 0)
    with pytest.raises(Misfit, match="threshold is nan"):
        events(np.ones(3), math.nan)
