import datetime as dt
import json
import time
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anodiff.checks import check_modality
from anodiff.data import chunks, native, read
from anodiff.modalities import Tabular
from anodiff.types import BadModel, Misfit, Unreadable

KINDS = ("numpy", "pandas", "polars", "pyarrow")
CELLS = {
    "float": (pa.float64(), st.floats(-1e9, 1e9)),
    "single": (pa.float32(), st.floats(-1e6, 1e6, width=32)),
    "int": (pa.int64(), st.integers(-(10**6), 10**6)),
    "small": (pa.uint8(), st.integers(0, 255)),
    "bool": (pa.bool_(), st.booleans()),
    "text": (pa.string(), st.text("abcß ", max_size=3)),
    "day": (pa.date32(), st.dates(dt.date(1950, 1, 1), dt.date(2050, 1, 1))),
    "second": (
        pa.timestamp("us", "Europe/Berlin"),
        st.datetimes(dt.datetime(2000, 1, 1), dt.datetime(2030, 1, 1), timezones=st.just(dt.UTC)).map(
            lambda t: t.replace(microsecond=0)
        ),
    ),
    "money": (pa.decimal128(12, 2), st.decimals(-10_000, 10_000, places=2)),
}


@st.composite
def tables(draw: st.DrawFn, least: int = 2) -> pa.Table:
    names = draw(st.lists(st.sampled_from(list(CELLS)), min_size=1, max_size=6, unique=True))
    n = draw(st.integers(least, 12))
    gaps = draw(st.booleans())
    cells = {name: st.none() | CELLS[name][1] if gaps else CELLS[name][1] for name in names}
    columns = {name: draw(st.lists(cells[name], min_size=n, max_size=n)) for name in names}
    return pa.table({name: pa.array(values, CELLS[name][0]) for name, values in columns.items()})


def close(a: object, b: object, spread: float) -> bool:
    if isinstance(a, float | Decimal) and isinstance(b, float | Decimal):
        return abs(float(a) - float(b)) <= 2e-6 * (spread + abs(float(a)) * 1e-3) + 0.0051 * isinstance(a, Decimal)
    return a == b


def assert_close(given: pa.Table, back: pa.Table) -> None:
    assert back.column_names == given.column_names
    for name in given.column_names:
        a, b = given[name].to_pylist(), back[name].to_pylist()
        there = [float(v) for v in a if isinstance(v, float | int | Decimal)]
        spread = max(there) - min(there) if there else 0.0
        assert all(close(u, v, spread) for u, v in zip(a, b, strict=True)), (name, a, b)


quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@quick
@given(tables(), st.sampled_from(KINDS))
def test_decoding_gives_the_same_types_and_values(arrow: pa.Table, kind: str) -> None:
    source = native(arrow, kind)
    table = Tabular().fit(source)
    encoded = table.encode(source)
    back = table.decode(encoded.x, encoded.known)
    assert type(back) is type(source)
    if kind == "polars":
        assert back.schema == source.schema
    if kind == "pandas":
        assert list(back.dtypes) == list(source.dtypes)
    if kind == "numpy":
        assert back.dtype == source.dtype
    if kind == "pyarrow":
        assert back.schema == source.schema
    assert_close(read(source).arrow, read(back).arrow)


@quick
@given(tables(least=3))
def test_laws_of_encoding(arrow: pa.Table) -> None:
    table = Tabular().fit(arrow.slice(0, 2))
    encoded = table.encode(arrow)
    assert encoded.x.dtype == torch.float32
    assert encoded.x.isfinite().all()
    assert (encoded.x[~encoded.known] == 0).all()
    assert encoded.x.shape == (len(arrow), len(table.owners))
    for i in range(len(arrow)):
        assert torch.equal(table.encode(arrow.slice(i, 1)).x[0], encoded.x[i])
    evidence = torch.rand(encoded.x.shape, dtype=torch.float64)
    located = table.locate(evidence, encoded.known)
    assert located.shape == arrow.shape
    np.testing.assert_allclose(located.sum(1), evidence.sum(1), rtol=1e-12)
    np.testing.assert_allclose(table.locate(evidence).sum(1), evidence.sum(1), rtol=1e-12)
    twin = Tabular.restore(json.loads(json.dumps(table.config())), table.arrays())
    assert torch.equal(twin.encode(arrow).x, encoded.x)
    assert twin.decode(encoded.x, encoded.known).equals(table.decode(encoded.x, encoded.known))
    assert twin.describe() == table.describe()


def test_files_and_chunks_encode_as_the_whole(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"a": draw.normal(size=500), "b": draw.integers(0, 9, 500), "c": draw.choice(list("xyz"), 500)}
    )
    frame.loc[7, ["a", "c"]] = None
    table = Tabular().fit(frame)
    whole = table.encode(frame).x
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_parquet(tmp_path / "a.parquet", index=False)
    for source in (frame, tmp_path / "a.csv", tmp_path / "a.parquet", pl.from_pandas(frame)):
        parts = [table.encode(chunk).x for chunk in chunks(source, 77, like=table.arrow_schema)]
        assert torch.equal(torch.cat(parts), whole), source


def test_numbers_are_standardised_and_extremes_stay_finite() -> None:
    X = np.random.default_rng(0).normal([5, 1e6, 0], [1, 1e-3, 1e-9], (1000, 3))
    table = Tabular().fit(X)
    x = table.encode(X).x.numpy()[:, :3]
    np.testing.assert_allclose([x.mean(0), x.std(0)], [[0] * 3, [1] * 3], atol=1e-4)
    far = np.array([[v] * 3 for v in (1e308, -1e308, 1e30, 1e12, 100.0)])
    encoded = table.encode(far).x
    assert encoded.isfinite().all()
    assert (np.diff(encoded.numpy()[[1, 4, 3, 2, 0], 0]) > 0).all()
    np.testing.assert_allclose(table.decode(encoded)[:, 0], far[:, 0], rtol=5e-5)
    np.testing.assert_allclose(table.decode(encoded)[2:] - [5, 1e6, 0], far[2:] - [5, 1e6, 0], rtol=5e-5)


def test_columns_that_do_not_vary_show_any_departure() -> None:
    table = Tabular().fit(np.array([[0.0, 200.0, -1e-7]] * 5))
    x = table.encode(np.array([[0.0, 200.0, -1e-7], [1.0, 206.0, -2e-7]])).x.numpy()
    np.testing.assert_allclose(x[:, :3], [[0, 0, 0], [1, 3, -37.03]], rtol=0.2, atol=1e-6)
    assert abs(x[1, 2]) > 10


def test_asinh_only_where_the_body_would_vanish() -> None:
    draw = np.random.default_rng(0)
    X = np.stack([draw.normal(size=5000), np.exp(draw.normal(size=5000)), np.exp(3 * draw.normal(size=5000))], 1)
    table = Tabular().fit(X)
    assert [fact["heavy_tailed"] for fact in table.describe()] == [False, False, True]
    np.testing.assert_allclose(table.decode(table.encode(X).x), X, rtol=1e-4, atol=1e-6)
    inner = np.quantile(table.encode(X).x.numpy()[:, 2], [0.25, 0.75])
    assert inner[1] - inner[0] > 0.5


def test_categories_weigh_as_a_number_and_rare_ones_are_far() -> None:
    def apart(values: list[str], a: str, b: str) -> float:
        x = Tabular().fit(pl.DataFrame({"c": values})).encode(pl.DataFrame({"c": [a, b]})).x
        return float((x[0] - x[1]).norm())

    for k in (2, 5, 30):
        levels = [f"v{i}" for i in range(k)]
        assert 1.4 <= apart(levels * 10, "v0", "v1") <= 2.01, k
    rare = ["a"] * 500 + ["b"] * 495 + ["c"] * 5
    assert apart(rare, "a", "c") > 1.5 * apart(rare, "a", "b")
    assert apart(rare, "a", "never seen") > 5
    for values in (["a", "b"] * 20, ["a", "b", "c", "d"] * 20, rare):
        x = Tabular().fit(pl.DataFrame({"c": values})).encode(pl.DataFrame({"c": values})).x
        assert 0.2 < x.var(0, unbiased=False).sum() < 1.1


def test_high_cardinality_and_unseen_categories() -> None:
    draw = np.random.default_rng(0)
    names = np.array([f"shop {i}" for i in range(3000)])
    frame = pl.DataFrame({"shop": draw.choice(names, 20_000, p=(p := 1 / np.arange(1, 3001)) / p.sum())})
    table = Tabular().fit(frame)
    encoded = table.encode(frame)
    assert encoded.x.shape[1] < 60
    assert table.decode(encoded.x).equals(frame)
    new = table.encode(pl.DataFrame({"shop": ["elsewhere"]}))
    assert table.decode(new.x)["shop"].to_list() == [None]
    assert new.known.all()
    common, rare = (table.encode(pl.DataFrame({"shop": [name]})).x.norm() for name in ("shop 0", "shop 2000"))
    assert rare > common


def test_kinds_by_type_and_by_the_user() -> None:
    frame = pd.DataFrame(
        {
            "size": pd.Categorical(["S", "M", "L", "M"], categories=["S", "M", "L"], ordered=True),
            "city": pd.Categorical(["a", "b", "a", "b"], categories=["b", "a", "unused"]),
            "code": [3, 1, 2, 1],
            "grade": ["good", "bad", "fair", "bad"],
            "flag": pd.array([True, None, False, True], dtype="boolean"),
            "whole": pd.array([1, None, 3, 4], dtype="Int64"),
            "wait": pd.to_timedelta([1, 2, 3, 5], unit="s"),
            "text": ["1.5", "2.5", "3.5", "4.5"],
            "nothing": [None] * 4,
        },
        index=list("wxyz"),
    )
    kinds = {"grade": ["bad", "fair", "good"], "code": "categorical", "text": "numeric"}
    table = Tabular(kinds=kinds).fit(frame)
    found = {fact["name"]: fact["kind"] for fact in table.describe()}
    expected = ["ordinal", "categorical", "categorical", "ordinal", "boolean", "numeric", "numeric", "numeric", "empty"]
    assert found == dict(zip(frame.columns, expected, strict=True))
    encoded = table.encode(frame)
    pd.testing.assert_frame_equal(table.decode(encoded.x, encoded.known, index=frame.index), frame)
    grade = encoded.x[:, np.flatnonzero(table.owners == 3)[0]]
    assert grade[1] < grade[2] < grade[0]
    enum = pl.DataFrame({"e": ["a", "b"], "c": ["u", "v"]}, schema={"e": pl.Enum(["b", "a"]), "c": pl.Categorical})
    table = Tabular().fit(enum)
    assert [fact["kind"] for fact in table.describe()] == ["categorical", "categorical"]
    assert table.decode(table.encode(enum).x).schema == enum.schema


def test_missing_is_information_where_it_is_rare() -> None:
    fit = np.array([[float(i), float(i % 7)] for i in range(40)])
    fit[0, 1] = np.nan
    table = Tabular().fit(fit)
    encoded = table.encode(np.array([[1.0, np.nan], [np.nan, 1.0], [np.nan, np.nan]]))
    assert encoded.known.tolist() == [[True, False, True, True], [False] + [True] * 3, [False, False, True, True]]
    assert encoded.x[:, 2].tolist()[0] == encoded.x[:, 2].tolist()[2] > 4 > 0 > encoded.x[1, 2]
    assert encoded.x[:, 3].tolist() == [0, 6, 6]
    located = table.locate(torch.tensor([[0, 0, 0, 1.0]] * 3), encoded.known)
    assert located.tolist() == [[0.5, 0.5], [1, 0], [1, 0]]
    assert np.isnan(table.decode(encoded.x)).tolist() == [[False, True], [False, False], [False, True]]
    strict = Tabular(missing="refuse").fit(fit[1:])
    for refused in (lambda: strict.encode(fit), lambda: Tabular(missing="refuse").fit(fit)):
        with pytest.raises(Unreadable, match="column x1 is missing in row 1"):
            refused()


def test_common_gaps_tell_nothing() -> None:
    draw = np.random.default_rng(0)
    fit = np.where(draw.random((200, 3)) < 0.2, np.nan, draw.normal(size=(200, 3)))
    table = Tabular().fit(fit)
    whole, holed = table.encode(np.array([[0.5, 1.0, 2.0], [0.5, np.nan, 2.0]])).x
    assert table.owners.tolist() == [0, 1, 2, -1]
    assert torch.equal(holed[[0, 2, 3]], whole[[0, 2, 3]])
    encoded = table.encode(fit)
    np.testing.assert_array_equal(np.isnan(table.decode(encoded.x, encoded.known)), np.isnan(fit))
    assert not np.isnan(table.decode(encoded.x)).any()


def test_rare_values_tell() -> None:
    column = np.full((100, 1), np.nan)
    column[:2] = [[1.0], [2.0]]
    x = Tabular().fit(np.hstack([np.arange(100.0)[:, None], column])).encode(np.array([[3.0, 1.5], [3.0, np.nan]])).x
    assert x[0, 2] < -4 < 0 < x[1, 2]


def test_columns_are_matched_by_name_or_position() -> None:
    frame = pl.DataFrame({"flow": [1.0, 2.0, 3.0], "temp": [5, 6, 9]})
    table = Tabular().fit(frame)
    x = table.encode(frame).x
    assert torch.equal(table.encode(frame.select("temp", "flow")).x, x)
    assert torch.equal(table.encode(frame.to_numpy()).x, x)
    assert torch.equal(table.encode(frame.with_columns(pl.col("temp").cast(pl.Float32))).x, x)
    for wrong, message in [
        (frame.rename({"temp": "tmp"}), "missing temp; unexpected tmp"),
        (frame.with_columns(more=1), "unexpected more"),
        (np.zeros((2, 3)), "the table has 3 columns, fit had 2"),
        (
            frame.with_columns(flow=pl.Series(["1", "abc", None])),
            "column flow holds the text 'abc' in row 2, where numbers",
        ),
        (
            frame.with_columns(temp=pl.Series([dt.date(2020, 1, 1)] * 3)).with_columns(flow=pl.lit(np.inf)),
            r"temp holds date32\[day\], where int64 was|flow holds inf",
        ),
    ]:
        with pytest.raises(Unreadable, match=message):
            table.encode(wrong)
    later = list(chunks(np.array([[1.0, 2.0]] * 5 + [[np.inf, 2.0]]), 4))
    with pytest.raises(Unreadable, match="column flow holds inf in row 6"):
        table.encode(later[1])


def test_refusals_at_fit() -> None:
    for X, message in [
        (np.empty((0, 3)), "at least 2 rows"),
        (np.zeros((1, 3)), "at least 2 rows"),
        (np.empty((5, 0)), "0 columns"),
        (np.array([[1.0], [-np.inf]]), "column x0 holds -inf in row 2"),
        (pa.table({"a": [[1, 2], [3]]}), "column a holds list"),
    ]:
        with pytest.raises(Unreadable, match=message):
            Tabular().fit(X)
    for kinds, message in [
        ({"b": "numeric"}, "kinds names b"),
        ({"a": "colour"}, "'colour'"),
        ({"a": ["x"]}, "not in its order"),
    ]:
        with pytest.raises(Misfit, match=message):
            Tabular(kinds=kinds).fit(pa.table({"a": ["x", "y"]}))
    with pytest.raises(Misfit, match="call fit first"):
        Tabular().encode(np.eye(2))


def test_tampered_encodings_are_refused() -> None:
    table = Tabular().fit(pa.table({"a": [1.0, 2.0], "b": ["x", "y"]}))
    config, arrays = table.config(), table.arrays()
    blocks = config["blocks"]
    for bad in [
        {},
        {**config, "schema": "AAAA"},
        {**config, "blocks": blocks[:1]},
        {**config, "blocks": [{**blocks[0], "mean": [float("nan")]}, blocks[1]]},
        {**config, "blocks": [{**blocks[0], "scale": [0.0]}, blocks[1]]},
        {**config, "kind": "pickle"},
        {**config, "blocks": [{**blocks[0], "kind": "os.system"}, blocks[1]]},
        {**config, "blocks": [blocks[0], {**blocks[1], "counts": [1]}]},
    ]:
        with pytest.raises(BadModel, match="damaged"):
            Tabular.restore(bad, arrays)
    with pytest.raises(BadModel):
        Tabular.restore(config, {"shares": np.zeros(7)})


def test_times_know_their_hour_and_come_back() -> None:
    draw = np.random.default_rng(0)
    start = np.datetime64("2015-01-01T09:00:00")
    days = np.sort(draw.integers(0, 3000, 500))
    when = start + days.astype("m8[D]") + draw.integers(0, 3600, 500).astype("m8[s]")
    frame = pl.DataFrame({"when": when.astype("M8[us]")})
    table = Tabular().fit(frame)
    assert table.decode(table.encode(frame).x).equals(frame)
    noon, night = (pl.DataFrame({"when": [dt.datetime(2018, 5, 5, hour, 20)]}) for hour in (9, 3))
    assert table.encode(night).x.norm() > table.encode(noon).x.norm() + 0.2


def test_odd_frames() -> None:
    numbered = pd.DataFrame({0: [1.0, 2.0], 1: ["a", "b"]})
    table = Tabular().fit(numbered)
    pd.testing.assert_frame_equal(table.decode(table.encode(numbered).x), numbered)
    gone = pd.DataFrame({0: [None], 1: [None]})
    assert table.encode(gone).x[0].tolist()[-1] == pytest.approx(6 * 2**0.5)
    assert table.encode(numbered[:0]).x.shape == (0, len(table.owners))
    assert table.locate(torch.empty(0, len(table.owners))).shape == (0, 2)
    with pytest.raises(Unreadable, match="column t holds int64, where timestamps were"):
        Tabular(kinds={"t": "datetime"}).fit(pd.DataFrame({"t": [1, 2]}))
    words = np.array([["a", "x"], ["b", "y"], ["b", "x"]])
    table = Tabular().fit(words)
    unseen = table.encode(np.array([["a", "new"]]))
    assert table.decode(unseen.x).tolist() == [["a", None]]
    times = pd.DataFrame({"t": pd.to_datetime(["2020-01-01 10:00", "2020-03-01 11:30"]), "b": [True, False]})
    table = Tabular().fit(times)
    blank = table.encode(pd.DataFrame({"t": [pd.NaT], "b": [None]}))
    assert not blank.known[0, :-1].any()
    assert table.decode(blank.x, blank.known).isna().all(axis=None)
    assert torch.equal(table.encode(pd.DataFrame({"t": ["2020-01-01 10:00"], "b": [1]})).x, table.encode(times[:1]).x)


def test_public_law() -> None:
    draw = np.random.default_rng(0)
    frame = pd.DataFrame({"a": draw.normal(size=40), "b": draw.integers(0, 5, 40), "c": draw.choice(list("xyz"), 40)})
    frame.loc[3, "a"] = np.nan
    for X in (frame, pl.from_pandas(frame), frame[["a", "b"]].to_numpy()):
        check_modality(Tabular(), X)


def test_speed() -> None:
    for shape, limit in (((100_000, 20), 1.0), ((1000, 2000), 3.0)):
        X = np.random.default_rng(0).normal(size=shape)
        table = Tabular().fit(X)
        began = time.process_time()
        table.encode(X)
        assert time.process_time() - began < limit, shape


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_durations_count_in_the_unit_of_fit(unit: str) -> None:
    hours = pd.DataFrame({"wait": pd.to_timedelta(np.arange(20), unit="h").astype("timedelta64[ns]")})
    table = Tabular().fit(hours)
    assert torch.equal(table.encode(hours.astype(f"timedelta64[{unit}]")).x, table.encode(hours).x)


def test_times_where_numbers_were_are_refused() -> None:
    table = Tabular().fit(pd.DataFrame({"amount": np.arange(20.0)}))
    with pytest.raises(Unreadable, match=r"column amount holds timestamp\[.s\], where double was"):
        table.encode(pd.DataFrame({"amount": pd.date_range("2026", periods=3)}))


def test_categories_that_are_intervals_are_refused() -> None:
    with pytest.raises(Unreadable, match=r"column age holds .*interval"):
        Tabular().fit(pd.DataFrame({"age": pd.cut(np.arange(20.0), 4)}))


def test_times_beyond_all_calendars_are_refused() -> None:
    with pytest.raises(Unreadable, match="column when holds times"):
        Tabular().fit(pa.table({"when": pa.array([2**62, 3], pa.timestamp("s"))}))


def test_kinds_that_are_none() -> None:
    with pytest.raises(Misfit, match="kinds is"):
        Tabular(["a"]).fit(pd.DataFrame({"a": [1, 2]}))
    with pytest.raises(Misfit, match="no kind of column is called 3"):
        Tabular({"a": 3}).fit(pd.DataFrame({"a": [1, 2]}))


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (pa.array([0, 1, 10**15], pa.int64()).cast(pa.timestamp("ms")), "years 1 to 9999"),
        (pa.array([0, 1, 2], pa.int64()).cast(pa.timestamp("ms", tz="Mars/Base")), "Mars/Base"),
        (pa.array([0, 1, 2**31 - 1], pa.int32()).cast(pa.date32()), "row 3"),
    ],
)
def test_times_that_no_calendar_has_are_refused(column: pa.Array, words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        Tabular().fit(pa.table({"when": column}))
