"""What a stream says is what the whole series would have said, causally; and nothing that comes can break it."""

import json
import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from anodiff.detect_series import SeriesDetector
from anodiff.live import Said, Stream
from anodiff.modalities.series import Series
from anodiff.types import Misfit, Refusal, Unreadable
from series_toys import KNOWING, MINUTE, SMALL, START, log, waves

KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "missing": {"missing": 0.15},
    "gaps": {"skipped": 0.2},
    "words": {"state": True, "missing": 0.1},
    "machines": {"machines": ("a", "b", "c"), "skipped": 0.1, "missing": 0.1},
    "knowing": {"machines": ("a", "b"), "skipped": 0.05, "missing": 0.1},
}


def fitted(kind: str = "plain") -> SeriesDetector:
    given = {**KINDS[kind], "missing": 0.0, "skipped": 0.0}
    recipe = KNOWING if kind == "knowing" else SMALL
    return detector(given.get("machines", ()), recipe).fit(log(800 if kind == "machines" else 1500, 0, **given))


def detector(machines: tuple[str, ...] = (), recipe: dict[str, Any] = SMALL) -> SeriesDetector:
    return SeriesDetector(Series(entity="machine" if machines else None), recipe, false_alarm_rate=0.005)


@pytest.fixture(scope="module")
def plain() -> SeriesDetector:
    return fitted()


@pytest.fixture(scope="module")
def one() -> SeriesDetector:
    """One channel, without a clock."""
    return detector().fit(waves(1500, channels=1))


def close(got: np.ndarray, wanted: np.ndarray) -> bool:
    return bool((np.abs(got - wanted) <= 1e-5 * (1 + np.abs(wanted))).all())


def pushed(stream: Stream, table: pa.Table) -> list[Said]:
    rows = table.to_pylist()
    return [stream.push(row, row.pop("when"), row.pop("machine", None)) for row in rows]


class TestEqualToOffline:
    @pytest.mark.parametrize("kind", KINDS)
    def test_however_the_stream_is_cut(self, kind: str) -> None:
        known, new = fitted(kind), log(700, seed=1, **KINDS[kind])
        assert kind != "knowing" or known.model_.knowing.cycles
        wanted = known.decision_function(new, causal=True)
        assert np.abs(wanted).max() > 1
        for sizes in ((len(new),), (1, 200, 3, 90)):
            stream, got, at = known.stream(), [], 0
            while at < len(new):
                size = sizes[len(got) % len(sizes)]
                got.append(stream.extend(new.slice(at, size)))
                at += size
            assert close(np.concatenate(got), wanted), (kind, sizes)
        said = pushed(known.stream(), new.slice(0, 250))
        assert close(np.array([each.score for each in said]), wanted[:250])

    def test_of_an_array(self, one: SeriesDetector) -> None:
        new = waves(400, 1, 1)[:, 0]
        wanted = one.decision_function(new, causal=True)
        stream = one.stream()
        said = [stream.push(value) for value in new.tolist()]
        assert close(np.array([each.score for each in said]), wanted)
        assert np.allclose([each.p_value for each in said], one.p_value(new, causal=True), rtol=1e-3)
        assert [each.alarm for each in said] == (one.predict(new, causal=True) == 1).tolist()
        assert close(one.stream().extend(new), wanted)

    def test_events_are_those_of_the_whole_series(self, plain: SeriesDetector) -> None:
        new = log(1200, seed=2)
        flow = new["flow"].to_numpy().copy()
        flow[300:310] += 3
        flow[700:705] -= 3
        flow[1190:] += 3
        new = new.set_column(1, "flow", pa.array(flow))
        stream = plain.stream(false_alarm_rate=0.002, recalibrate=False)
        stream.extend(new)
        found = [*stream.events, *stream.flush()]
        assert found == plain.events(new, causal=True, false_alarm_rate=0.002)
        assert len(found) >= 3
        assert found[-1].event.open

    def test_a_gap_longer_than_any_window(self, plain: SeriesDetector) -> None:
        new = log(600, seed=3)
        times = new["when"].to_numpy() + np.where(np.arange(600) >= 300, 5000, 0) * MINUTE
        new = new.set_column(0, "when", pa.array(times))
        got = np.array([said.score for said in pushed(plain.stream(), new)])
        assert close(got, plain.decision_function(new, causal=True))

    def test_nothing_is_known_of_a_channel_before_its_first_reading(self, plain: SeriesDetector) -> None:
        new = log(300, seed=3)
        flow = new["flow"].to_numpy().copy()
        flow[:150] = np.nan
        silent = new.set_column(1, "flow", pa.array(flow, from_pandas=True))
        other = new.set_column(1, "flow", pa.array(flow + 50, from_pandas=True))
        before, after = (plain.decision_function(each, causal=True) for each in (silent, other))
        assert np.array_equal(before[:150], after[:150])
        assert not np.array_equal(before, after)

    def test_memory_is_bounded(self, plain: SeriesDetector) -> None:
        stream = plain.stream(recalibrate=False)
        stream.extend(log(400))
        trail = stream._lines[None].trail
        assert len(trail._kept) == plain.model_.longest
        assert len(trail._kept) + {len(values) for values in trail._raw.values()}.pop() - 1 == plain.model_.reach
        assert trail._kept.x.untyped_storage().nbytes() == trail._kept.x.nbytes


class TestWhatIsSaid:
    def test_alarm_and_event(self, one: SeriesDetector) -> None:
        stream = one.stream(false_alarm_rate=0.001)
        stream.extend(waves(300, 1, 1))
        said = [stream.push(5.0) for _ in range(5)]
        opened = next(each for each in said if each.event)
        assert opened.alarm
        assert opened.score > stream.state["entities"][""]["threshold"]
        assert opened.p_value < 0.02
        assert opened.event.event.open
        assert opened.event.event.start == opened.instant
        quiet = [stream.push(float(value)) for value in waves(424, 1, 1)[304:, 0]]
        closed = [each.event for each in quiet if each.event and not each.event.event.open]
        assert len(closed) == 1
        assert closed[0].event.start == opened.instant
        assert closed[0].event.end > opened.instant
        assert list(stream.events) == closed
        assert stream.flush() == []

    def test_as_json(self, plain: SeriesDetector) -> None:
        said = plain.stream().push({"flow": 1.0, "temp": None}, datetime(2024, 5, 1, tzinfo=UTC))
        facts = json.loads(json.dumps(said.to_dict(), allow_nan=False))
        assert facts["time"] == "2024-05-01T00:00:00Z"
        assert facts["instant"] == 0
        assert "47 instants" not in facts["notes"][0]
        assert facts["notes"] == ["The first 29 instants are only looked at."]

    def test_times_of_events(self, plain: SeriesDetector) -> None:
        stream = plain.stream(false_alarm_rate=0.002)
        new = log(400, seed=1)
        flow = new["flow"].to_numpy().copy()
        flow[200:206] += 4
        stream.extend(new.set_column(1, "flow", pa.array(flow)))
        event = next(each for each in stream.events if each.event.start <= 206 <= each.event.end)
        for name in ("start", "end", "peak"):
            expected = START + getattr(event.event, name) * MINUTE
            assert np.datetime64(getattr(event, name), "us") == expected

    def test_state_is_json(self, plain: SeriesDetector) -> None:
        stream = plain.stream()
        stream.push([0.0, 0.0], START)
        state = json.loads(json.dumps(stream.state))
        assert state["entities"][""]["instants"] == 1
        assert state["entities"][""]["time"] == "2024-01-01T00:00:00Z"


class TestDrift:
    def test_the_threshold_follows_and_the_user_is_told(self, one: SeriesDetector) -> None:
        calm, wild = waves(1500, 5, 1), waves(4000, 6, 1)
        wild += 0.25 * np.random.default_rng(0).normal(size=wild.shape)
        followed, stubborn = (one.stream(false_alarm_rate=0.002, recalibrate=each) for each in (True, False))
        for stream in (followed, stubborn):
            stream.extend(calm)
            before = stream.state["entities"][""]["threshold"]
            stream.extend(wild)
            after = stream.state["entities"][""]["threshold"]
            assert (after > before) == (stream is followed)
        assert any("scores moved up" in note for note in followed.notes)
        assert not any("moved" in note for note in stubborn.notes)

    def test_said_at_the_instant(self, one: SeriesDetector) -> None:
        stream = one.stream(false_alarm_rate=0.002)
        stream.extend(waves(3000, 5, 1))
        wild = waves(4000, 6, 1) + 0.3 * np.random.default_rng(0).normal(size=(4000, 1))
        said = stream.feed(one.whole_.modality.read(wild))[0]
        told = [i for i, each in enumerate(said) if any("scores moved" in note for note in each.notes)]
        assert told
        assert said[told[0] - 1].alarm
        assert not said[told[0] + 1].alarm

    def test_too_short_a_calibration_is_said(self) -> None:
        short = detector().fit(waves(220, channels=1))
        assert "Drift is not looked for" in " ".join(short.stream(false_alarm_rate=0.05).push(0.0).notes)
        assert "Drift" not in " ".join(short.stream(false_alarm_rate=0.05, recalibrate=False).push(0.0).notes)


class TestHostile:
    def test_too_early_is_not_taken(self, plain: SeriesDetector) -> None:
        stream, other = plain.stream(), plain.stream()
        new = log(200)
        for each in (stream, other):
            each.extend(new)
        late = stream.push([9.0, 9.0], START)
        assert math.isnan(late.score)
        assert not late.alarm
        assert late.instant == -1
        assert "is before the instant before it" in late.notes[0]
        json.dumps(late.to_dict(), allow_nan=False)
        after = START + 200 * MINUTE
        assert stream.push([0.5, 0.5], after) == other.push([0.5, 0.5], after)

    def test_early_rows_of_a_table_get_nan(self, plain: SeriesDetector) -> None:
        stream, new = plain.stream(), log(300)
        stream.extend(new.slice(0, 250))
        got = stream.extend(new.slice(240, 30))
        assert np.isnan(got[:9]).all()
        assert np.isfinite(got[9:]).all()

    def test_the_last_of_two_readings_stands(self, plain: SeriesDetector) -> None:
        new = log(200, missing=0.1, skipped=0.05)
        wrong = new.set_column(1, "flow", pa.array(np.full(len(new), 0.3)))
        at = 150
        stream = plain.stream()
        stream.extend(new.slice(0, at))
        first = stream.push({"flow": 0.3, "temp": 0.1}, new["when"][at].as_py())
        again = stream.extend(new.slice(at))
        assert close(again, plain.decision_function(new, causal=True)[at:])
        assert any("read before" in note for note in stream.notes)
        assert first.instant == at
        assert stream.state["entities"][""]["instants"] == len(new) == len(wrong)

    def test_a_clock_that_was_set_back(self, plain: SeriesDetector) -> None:
        stream, new = plain.stream(), log(400)
        stream.push([0.0, 0.0], START + 500_000 * MINUTE)
        said = pushed(stream, new)
        assert math.isnan(said[98].score)
        assert any("set back" in note for note in said[99].notes)
        wanted = plain.decision_function(new.slice(99), causal=True)
        assert close(np.array([each.score for each in said[99:]]), wanted)

    def test_without_times_each_is_one_step_later(self, plain: SeriesDetector) -> None:
        new = log(300, seed=1)
        timed, untimed = plain.stream(), plain.stream()
        timed.extend(new.slice(0, 150))
        untimed.extend(new.slice(0, 150))
        rows = new.slice(150).to_pylist()
        for row in rows:
            when = row.pop("when")
            assert timed.push(row, when) == untimed.push(row)

    @pytest.mark.parametrize(
        ("values", "time", "words"),
        [
            ({"flow": 1, "tmp": 2}, None, "unexpected tmp"),
            ([1.0], None, "1 values were given, fit had 2 channels"),
            (3.0, None, "1 values were given"),
            ([1.0, math.inf], None, "temp holds inf"),
            ([1.0, "much"], None, "'much'"),
            ([1.0, object()], None, "no reading"),
            ([1.0, [2.0]], None, "no reading"),
            ([1.0, {"a": 1}], None, "no reading"),
            (np.ones((2, 2)), None, "no reading"),
            ("12", None, "1 values were given"),
            (b"12", None, "1 values were given"),
            (None, None, "1 values were given"),
            ([1.0, 2.0], "yesterday", "yesterday"),
            ([1.0, 2.0], "nan", "nan"),
            ([1.0, 2.0], object(), "no time"),
        ],
    )
    def test_refusals_change_nothing(self, plain: SeriesDetector, values: Any, time: Any, words: str) -> None:
        stream, other = plain.stream(), plain.stream()
        stream.extend(log(100))
        other.extend(log(100))
        with pytest.raises(Refusal, match=words):
            stream.push(values, time)
        assert stream.state == other.state
        assert stream.push([0.1, 0.2]) == other.push([0.1, 0.2])

    def test_a_refused_first_instant_leaves_no_entity(self, plain: SeriesDetector) -> None:
        stream = plain.stream()
        with pytest.raises(Unreadable):
            stream.push([math.inf, 0.0], entity="a")
        assert stream.state["entities"] == {}

    def test_all_missing(self, plain: SeriesDetector) -> None:
        stream = plain.stream()
        assert stream.push([None, None]).score == 0
        stream.extend(log(200))
        said = [stream.push({}) for _ in range(300)]
        assert np.isfinite([each.score for each in said]).all()
        assert said[-1].score == 0

    def test_too_many_entities(self, plain: SeriesDetector) -> None:
        stream = plain.stream(entities=2)
        for name in ("a", "b", "a"):
            stream.push([0.0, 0.0], entity=name)
        with pytest.raises(Misfit, match="where 2 may be followed"):
            stream.push([0.0, 0.0], entity="c")

    def test_an_unknown_entity_is_said_once(self) -> None:
        known = fitted("machines")
        stream = known.stream()
        assert "Entity z" in " ".join(stream.push([0.0, 0.0], START, "z").notes)
        assert stream.push([0.0, 0.0], START + MINUTE, "z").notes == ()
        assert "not named" in " ".join(stream.push([0.0, 0.0], START).notes)

    def test_two_series_without_names(self, plain: SeriesDetector) -> None:
        with pytest.raises(Misfit, match="give them by entity"):
            plain.stream().extend([waves(50), waves(50)])

    def test_by_name(self, plain: SeriesDetector) -> None:
        new = {"a": log(120, seed=1), "b": log(120, seed=2)}
        got, wanted = plain.stream().extend(new), plain.decision_function(new, causal=True)
        assert all(close(got[name], wanted[name]) for name in new)

    @pytest.mark.parametrize("settings", [{"false_alarm_rate": 0}, {"entities": 0}, {"false_alarm_rate": 3}])
    def test_settings_out_of_range(self, plain: SeriesDetector, settings: dict[str, Any]) -> None:
        with pytest.raises(Misfit):
            plain.stream(**settings)

    def test_a_detector_that_is_not_fitted(self) -> None:
        with pytest.raises(ValueError, match="not fitted"):
            detector().stream()

    def test_numbers_of_any_kind(self, plain: SeriesDetector) -> None:
        said = [
            plain.stream().push(values)
            for values in ([1, 2], (1.0, 2.0), np.array([1, 2]), [np.float32(1), np.int64(2)], {"temp": 2, "flow": 1})
        ]
        assert all(each == said[0] for each in said)
