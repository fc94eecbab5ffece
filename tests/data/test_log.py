from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anodiff.data.log import Log, read_log, slots, step
from anodiff.types import Misfit, Unreadable

TIMES = pd.date_range("2024-01-01", periods=4, freq="1min")
FLOW = [1.0, 2.0, None, 4.0]
MINUTE = 60_000_000
START = 1_704_067_200_000_000


def frame(**more) -> pd.DataFrame:
    return pd.DataFrame({"ts": TIMES, "flow": FLOW, **more})


def times(log: Log) -> list[int]:
    found = log.tracks[0].times
    assert found is not None
    assert found.dtype == np.int64
    return ((found - START) // MINUTE).tolist()


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    frame().to_csv(tmp_path / "a.csv", index=False)
    frame().to_csv(tmp_path / "a.csv.gz", index=False)
    frame().set_index("ts").to_csv(tmp_path / "b.csv", sep=";", decimal=",")
    frame().to_parquet(tmp_path / "a.parquet")
    return sorted(tmp_path.iterdir())


def test_one_series_from_anywhere(files: list[Path]) -> None:
    series = pd.Series(FLOW, TIMES, name="flow")
    kinds = [frame(), frame().set_index("ts"), series, pl.DataFrame(frame()), pa.table(frame()), *files]
    for X in (
        *kinds,
        frame().assign(ts=frame().ts.astype(str)),
        frame().set_index(frame().ts.dt.to_period("min"))[["flow"]],
    ):
        log = read_log(X)
        assert (log.shape, log.names, log.notes, log.zone) == ("one", ["flow"], [], None)
        assert times(log) == [0, 1, 2, 3]
        assert log.tracks[0].table.arrow["flow"].to_pylist()[:2] == [1.0, 2.0]
        assert log.lay_out([np.arange(4)]).tolist() == [0, 1, 2, 3]
        assert log.place[0].tolist() == [0, 1, 2, 3]


def test_arrays_lists_and_numbers_have_no_clock(tmp_path: Path) -> None:
    X = np.arange(6.0)
    np.save(tmp_path / "a.npy", X)
    np.savez(tmp_path / "a.npz", X=X, y=X > 1)
    (tmp_path / "one_line.txt").write_text("  " + "   ".join(map(str, X)))
    (tmp_path / "lines.txt").write_text("\n".join(map(str, X)))
    for source in (X, X[:, None], X.tolist(), tuple(X), pd.Series(X), pl.Series(X), pa.array(X), *tmp_path.iterdir()):
        log = read_log(source)
        assert (log.shape, log.names, len(log.tracks), log.tracks[0].times) == ("one", ["x0"], 1, None)
        assert log.tracks[0].table.arrow["x0"].to_pylist() == X.tolist()
    assert read_log([[1, 2], [3, 4], [5, 6]]).names == ["x0", "x1"]
    (tmp_path / "two.txt").write_text("1,2\n3,4\n")
    assert read_log(tmp_path / "two.txt").names == ["x0", "x1"]


def test_lists_and_dicts_come_back_as_they_were() -> None:
    log = read_log([np.zeros((5, 2)), np.zeros((3, 2), int)])
    laid = log.lay_out([np.zeros((5, 3)), np.ones((3, 3))])
    assert [part.shape for part in laid] == [(5, 3), (3, 3)]
    assert {str(track.table.arrow.schema.types) for track in log.tracks} == {"[DataType(double), DataType(double)]"}
    log = read_log({"a": frame(), 2: frame()[::-1]})
    assert [track.entity for track in log.tracks] == ["a", "2"]
    assert log.lay_out([np.arange(4), np.arange(4)])["2"].tolist() == [3, 2, 1, 0]
    with pytest.raises(Misfit, match="2 tracks"):
        log.lay_out([np.arange(4)])


def test_a_folder_has_an_entity_in_each_file(tmp_path: Path) -> None:
    frame().to_csv(tmp_path / "m1.csv", index=False)
    frame().to_parquet(tmp_path / "m2.parquet")
    (tmp_path / "README.md").write_text("about")
    log = read_log(tmp_path)
    assert [track.entity for track in log.tracks] == ["m1", "m2"]
    assert sorted(log.lay_out([np.arange(4)] * 2)) == ["m1", "m2"]
    (tmp_path / "m1.parquet").write_bytes((tmp_path / "m2.parquet").read_bytes())
    with pytest.raises(Unreadable, match="m1 twice"):
        read_log(tmp_path)


def test_entities_are_sorted_each_by_itself() -> None:
    X = pa.table({"ts": [3, 1, 2, 1, 3, 3], "who": [7, 7, 2, 2, 7, 2], "flow": [1.0, 2, 3, 4, 5, 6]})
    log = read_log(X, time="ts", entity="who")
    assert [track.entity for track in log.tracks] == ["7", "2"]
    assert [track.table.arrow["flow"].to_pylist() for track in log.tracks] == [[2, 5], [4, 3, 6]]
    assert [rows.tolist() for rows in log.place] == [[1, 4], [3, 2, 5]]
    assert log.lay_out([np.array([0.1, 0.3]), np.array([1.1, 1.2, 1.3])]).tolist() == [0.3, 0.1, 1.2, 1.1, 0.3, 1.3]
    assert any("fall back in 2 rows" in note for note in log.notes)
    assert any("1 row has the time of another" in note for note in log.notes)
    for who in (["a", "b"] * 3, pd.Categorical(["a", "b"] * 3), [1.0, 2.0] * 3):
        log = read_log(pd.DataFrame({"who": who, "x": range(6)}), entity="who")
        assert [len(track) for track in log.tracks] == [3, 3]
        assert log.tracks[0].entity in ("a", "1")


@pytest.mark.parametrize(
    ("cells", "minutes", "zone"),
    [
        (["2024-01-01T01:00:00+01:00", "2024-01-01T00:01:00Z"], [0, 1], "UTC"),
        (["01.01.2024 00:00", "13.01.2024 00:00"], [0, 12 * 1440], None),
        (["2024-01-01 00:00:00,000", "2024-01-01 00:01:00,000"], [0, 1], None),
        (["2024-01-01 00:00:00.000000000 UTC", "2024-01-01 00:01:00.000000000 UTC"], [0, 1], "UTC"),
        (pd.Categorical(["2024-01-01 00:00", "2024-01-01 00:01"]), [0, 1], None),
        ([1704067200, 1704067260], [0, 1], None),
        ([1704067200.0, 1704067260.0], [0, 1], None),
        ([1704067200000, 1704067260000], [0, 1], None),
        ([1704067200000000000, 1704067260000000000], [0, 1], None),
        (pd.date_range("2024-01-01 01:00", periods=2, freq="1min", tz="Europe/Berlin"), [0, 1], "Europe/Berlin"),
    ],
)
def test_times_are_understood(tmp_path: Path, cells, minutes: list[int], zone: str | None) -> None:
    X = pd.DataFrame({"time": cells, "flow": [1.0, 2.0]})
    for how in ("auto", "time"):
        log = read_log(X, time=how)
        assert (times(log), log.zone, log.names) == (minutes, zone, ["flow"])
    X.to_csv(tmp_path / "a.csv", index=False)
    assert times(read_log(tmp_path / "a.csv")) == minutes


def test_numbers_that_rise_are_seconds_under_a_name_of_time() -> None:
    log = read_log(pd.DataFrame({"Time": [0.0, 0.5, 1.0], "x": [1, 2, 3]}))
    assert log.tracks[0].times.tolist() == [0, 500_000, 1_000_000]
    assert log.notes == ["The numbers in column Time are taken for seconds."]
    log = read_log(pd.DataFrame({"time": [0.0, 0.5, 0.1], "x": [1, 2, 3]}))
    assert (log.names, log.tracks[0].times) == (["time", "x"], None)
    assert "taken for a channel" in log.notes[0]
    assert read_log(pd.DataFrame({"time": [0.0, 0.5, 0.1], "x": [1, 2, 3]}), like=["x"]).names == ["x"]
    X = pd.DataFrame({"who": ["a", "a", "b", "b"], "ts": [5, 6, 1, 2], "x": 0.0})
    assert [track.times.tolist()[0] for track in read_log(X, entity="who").tracks] == [5_000_000, 1_000_000]


def test_text_that_is_times_only_at_first_is_no_clock_and_that_is_said() -> None:
    log = read_log(frame().assign(ts=list("abcd"), zeit=["2024-01-01", "2024-01-02", "soon", "later"]))
    assert log.names == ["ts", "flow", "zeit"]
    assert [note.split()[1] for note in log.notes] == ["ts", "zeit"]


def test_a_clock_that_stands_still_is_refused_unless_it_is_named() -> None:
    X = pd.DataFrame({"ts": [TIMES[0]] * 4 + [TIMES[1]], "flow": [*FLOW, 5.0]})
    for still, name in ((X, "ts"), (X.set_index("ts"), "ts"), (X.set_index("ts").rename_axis(None), "index")):
        with pytest.raises(Unreadable, match="time=None"):
            read_log(still)
        assert [len(track) for track in read_log(still, time=name).tracks] == [2]
        assert read_log(still, time=name).lay_out([np.arange(2)]).tolist() == [0, 0, 0, 0, 1]
        assert read_log(still, like=["flow"]).names == ["flow"]


def test_one_clock_among_several_times() -> None:
    assert read_log(frame(seen=TIMES)).names == ["flow", "seen"]
    two = frame(seen=TIMES).rename(columns={"ts": "sent"})
    assert read_log(two).tracks[0].times is None
    assert read_log(two).notes == ["Columns sent, seen hold times and none is taken for the clock; name it with time=."]
    assert read_log(two.assign(seen=[None, *TIMES[1:]])).names == ["flow", "seen"]
    assert read_log(two, time="seen").names == ["sent", "flow"]
    both = pd.DataFrame({"Date": ["10/03/2004", "13/03/2004"], "Time": ["18.00.00", "19.00.00"], "CO": [1.0, 2.0]})
    log = read_log(both)
    assert log.names == ["CO"]
    assert np.diff(log.tracks[0].times).tolist() == [(3 * 24 + 1) * 60 * MINUTE]


def test_a_csv_that_stops_mid_line(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    whole = 'ts,flow,word\n2024-01-01,1.5,a\n2024-01-02,2.5,"b\nc"\n'
    for rest in ("2024-01-03,3.", '2024-01-03,3.5,"d\ne', "2024", "2024-01-03,3.5\n"):
        path.write_text(whole + rest)
        log = read_log(path, partial=True)
        assert len(log.tracks[0]) == 2, rest
        assert log.notes == ["a.csv stops in the middle of a line; that line is left out."]
    path.write_text(whole)
    assert read_log(path, partial=True).notes == []
    path.write_text(whole + "2024-01-03,3.")
    with pytest.raises(Unreadable, match=r"a\.csv"):
        read_log(path)


def test_wherever_a_csv_stops_its_finished_rows_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    whole = 'ts,flow,word\n2024-01-01,1.5,a\n2024-01-02,2.5,"b\nc"\n2024-01-03,3.5,"d"\n'
    ends = [
        len(part)
        for part in ("ts,flow,word\n", whole[: whole.index("2024-01-02")], whole[: whole.index("2024-01-03")], whole)
    ]
    for stop in range(ends[0], len(whole) + 1):
        path.write_text(whole[:stop])
        log = read_log(path, partial=True)
        assert len(log.tracks[0]) == sum(end <= stop for end in ends[1:]), whole[:stop]
        assert bool(log.notes) == (stop not in ends)


HOSTILE = [
    (np.zeros((2, 2, 2)), {}, r"give a list of arrays"),
    ([], {}, "no series"),
    ({}, {}, "no series"),
    (np.array([[1.0, np.inf]]), {}, "channel x1 holds inf in row 1"),
    ([np.zeros(3), np.array([0, -np.inf])], {}, "series 2: channel x0 holds -inf in row 2"),
    ([np.zeros((3, 2)), np.zeros((3, 1))], {}, "series 2: the series has 1 channels, the first had 2"),
    (
        {"a": frame(), "b": frame().rename(columns={"flow": "flo"})},
        {},
        "b: columns differ .* missing flow; unexpected flo",
    ),
    (frame(), {"like": ["temp"]}, "missing temp; unexpected flow"),
    (frame(more=1.0), {"like": ["flow"]}, "unexpected more"),
    (frame()[["ts"]], {}, "no channel beside ts"),
    ({"a": frame(), "b": frame()}, {"time": "when"}, "a: there is no column when"),
    (frame(), {"time": "when"}, "no column when to take times from; the table has ts, flow"),
    (frame(), {"entity": "who"}, "no column who to tell series apart"),
    (frame(who=["a", None, "a", "b"]), {"entity": "who"}, "no entity in row 2"),
    (frame().assign(ts=[*TIMES[:2], None, TIMES[3]]), {}, "no time in row 3"),
    (frame().assign(ts=["2024-01-01", "2024-01-02", "soon", "later"]), {}, "'soon' in row 3, where times were"),
    (frame().assign(ts=["03/04/2024"] * 4), {}, "days first or months first"),
    (frame().assign(ts=[1e30, 2e30, 3e30, 4e30]), {"time": "ts"}, "no times"),
    (frame().assign(ts=[True] * 4), {"time": "ts"}, "holds bool"),
    (frame().assign(ts=TIMES[0]), {}, "3 of 4 rows have the time of another in ts; .*entity="),
    (["none.csv"], {}, "there is no file"),
    (None, {}, "cannot read a NoneType"),
    (object(), {}, "cannot read a object"),
    ([np.zeros(3), frame()[["flow"]].astype(str)], {}, "holds double and .*string in different series"),
]


@pytest.mark.parametrize("case", range(len(HOSTILE)))
def test_hostile_series_get_one_sentence(case: int) -> None:
    X, settings, expected = HOSTILE[case]
    with pytest.raises((Unreadable, Misfit), match=expected) as refusal:
        read_log(X, **settings)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 400


def test_columns_are_matched_with_those_of_fit() -> None:
    X = frame(temp=3.0)
    assert read_log(X[["temp", "ts", "flow"]], like=["flow", "temp"]).names == ["flow", "temp"]
    log = read_log(np.zeros((4, 2)), like=["flow", "temp"])
    assert log.tracks[0].table.names == ["flow", "temp"]
    assert read_log(X, like=pa.schema([("flow", pa.float64()), ("temp", pa.float64())])).names == ["flow", "temp"]


def test_empty_series_are_series() -> None:
    log = read_log(np.empty((0, 2)))
    assert (len(log.tracks[0]), log.lay_out([np.empty(0)]).shape) == (0, (0,))
    assert len(read_log(frame()[:0]).tracks[0]) == 0
    assert read_log(frame(who="a")[:0], entity="who").lay_out([]).shape == (0,)


def test_steps_and_slots() -> None:
    t = np.array([0, 10, 20, 31, 39, 50, 80, 84, 5000])
    assert step(t) == 10
    assert slots(t, 10, 7).tolist() == [1, 1, 1, 1, 1, 1, 3, 1, 7]
    assert [slots(t[:n], 10, 7).tolist() for n in (1, 7)] == [[1], [1, 1, 1, 1, 1, 1, 3]]
    assert (step(), step(np.array([5])), slots(np.array([], int), 10, 7).tolist()) == (1_000_000, 1_000_000, [])


def test_parquet_with_nanoseconds_and_zones(tmp_path: Path) -> None:
    zoned = pa.array(TIMES).cast(pa.timestamp("ns", "UTC")).cast(pa.timestamp("ns", "America/New_York"))
    pq.write_table(pa.table({"when": zoned, "x": [1, 2, 3, 4]}), tmp_path / "a.parquet")
    log = read_log(tmp_path / "a.parquet")
    assert (times(log), log.zone) == ([0, 1, 2, 3], "America/New_York")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.sampled_from("abc")), min_size=1, max_size=30))
def test_every_row_gets_what_its_instant_has(rows: list[tuple[int, str]]) -> None:
    X = pa.table({"ts": [t for t, _ in rows], "who": [who for _, who in rows], "row": range(len(rows))})
    log = read_log(X, time="ts", entity="who")
    assert all((np.diff(track.times) > 0).all() for track in log.tracks)
    assert log.lay_out([track.times for track in log.tracks]).tolist() == [t * 1_000_000 for t, _ in rows]
    assert log.lay_out([np.full(len(track), track.entity) for track in log.tracks]).tolist() == [w for _, w in rows]
    last = {row: i for i, row in enumerate(rows)}
    stands = [track.table.arrow["row"].to_numpy() for track in log.tracks]
    assert log.lay_out(stands).tolist() == [last[row] for row in rows]
    assert all((a == b).all() for a, b in zip(stands, log.place, strict=True))
