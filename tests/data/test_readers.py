import gzip
import io
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anodiff.data import chunks, read, sample
from anodiff.types import Misfit, Unreadable

FRAME = {"amount": [1.5, 2.0, None, 4.25], "city": ["Ulm", "Köln", None, "Ulm"], "count": [1, 2, 3, 4]}


def whole(tables) -> pa.Table:
    return pa.concat_tables([table.arrow for table in tables], promote_options="permissive")


@pytest.fixture
def sources(tmp_path: Path) -> dict:
    arrow = pa.table(FRAME)
    (tmp_path / "folder").mkdir()
    pq.write_table(arrow, tmp_path / "a.parquet")
    pq.write_table(arrow.slice(0, 3), tmp_path / "folder" / "1.parquet")
    pq.write_table(arrow.slice(3), tmp_path / "folder" / "2.parquet")
    csv = "amount,city,count\n1.5,Ulm,1\n2.0,Köln,2\n,,3\n4.25,Ulm,4\n"
    (tmp_path / "a.csv").write_text(csv)
    (tmp_path / "b.csv").write_text(csv.replace(",", ";").replace(".", ","), encoding="latin-1")
    (tmp_path / "c.tsv").write_text(csv.replace(",", "\t"), encoding="utf-16")
    (tmp_path / "d.csv").write_text(csv.replace(",", "|"), encoding="utf-8-sig")
    (tmp_path / "e.csv.gz").write_bytes(gzip.compress(csv.encode()))
    files = [tmp_path / n for n in ("a.parquet", "folder", "a.csv", "b.csv", "c.tsv", "d.csv", "e.csv.gz")]
    frames = [pd.DataFrame(FRAME), pl.DataFrame(FRAME), pl.LazyFrame(FRAME), arrow]
    return {**{f.name: f for f in files}, **{type(f).__module__ + type(f).__name__: f for f in frames}}


def test_all_sources_hold_the_same_table(sources: dict) -> None:
    for name, source in sources.items():
        assert read(source).arrow.to_pydict() == FRAME, name
        for rows in (1, 3, 100):
            tables = list(chunks(source, rows))
            assert whole(tables).to_pydict() == FRAME, name
            assert [len(table) for table in tables] == {1: [1] * 4, 3: [3, 1], 100: [4]}[rows], name
            assert [table.start for table in tables] == list(range(0, 4, rows)), name


def test_native_is_the_kind_that_was_read(sources: dict) -> None:
    frame = pd.DataFrame(FRAME, index=list("abcd"))
    pd.testing.assert_frame_equal(read(frame).native(), frame)
    assert list(next(iter(chunks(frame, 2))).native().index) == ["a", "b"]
    assert read(pl.LazyFrame(FRAME)).native().equals(pl.DataFrame(FRAME))
    for array in (np.eye(3, dtype="float32"), np.eye(3, dtype="int16"), np.eye(3) > 0, np.array([["a", "b"]])):
        back = read(array).native()
        assert back.dtype == array.dtype
        assert (back == array).all()


def test_streams_and_numpy_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    X = np.arange(12.0).reshape(4, 3)
    np.save(tmp_path / "a.npy", X)
    np.savez(tmp_path / "a.npz", X=X, y=np.zeros(4))
    np.savez(tmp_path / "b.npz", data=X, y=np.zeros(4))
    for name in ("a.npy", "a.npz", "b.npz"):
        assert (np.column_stack([c.to_numpy() for c in whole(chunks(tmp_path / name, 3)).columns]) == X).all(), name
    stream = io.BytesIO(b"a,b\n1,x\n2,y\n")
    assert read(stream).arrow.to_pydict() == {"a": [1, 2], "b": ["x", "y"]}
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a\n1\n")))
    assert read("-").arrow.to_pydict() == {"a": [1]}


def test_csv_types_are_decided_once(tmp_path: Path) -> None:
    path = tmp_path / "late.csv"
    rows = 200_000
    path.write_text(
        "a,b,c,t\n" + "".join(f"{i},{i},{i},2024-01-01\n" for i in range(rows)) + "1.5,abc,,2024-01-01 10:00:00\n"
    )
    types = [str(type) for type in read(path).arrow.schema.types]
    assert types == ["double", "string", "int64", "timestamp[us]"]
    assert {str(t.arrow.schema.types) for t in chunks(path, 50_000)} == {str(read(path).arrow.schema.types)}
    like = pa.schema([("a", pa.int64()), ("b", pa.int64()), ("c", pa.float64()), ("t", pa.date32())])
    with pytest.raises(Unreadable, match=f"column b holds the text 'abc' in row {rows + 1}, where numbers were"):
        list(chunks(path, 50_000, like=like))
    path.write_text("b,a\nabc,7\n")
    assert read(path, like=pa.schema([("a", pa.string()), ("b", pa.string())])).arrow.to_pydict() == {
        "b": ["abc"],
        "a": ["7"],
    }


def test_sample_is_uniform_deterministic_and_in_order(tmp_path: Path) -> None:
    frame = pd.DataFrame({"i": np.arange(150_000), "s": pd.Categorical(["u", "v", "w"] * 50_000)})
    frame.to_csv(tmp_path / "a.csv", index=False)
    kept, seen = sample(frame, 1000, seed=1)
    values = kept.arrow["i"].to_numpy()
    assert (len(kept), seen) == (1000, 150_000)
    assert (np.diff(values) > 0).all()
    assert (kept.index == values).all()
    assert abs(values.mean() / 150_000 - 0.5) < 5 * 0.29 / np.sqrt(1000)
    assert (sample(tmp_path / "a.csv", 1000, seed=1)[0].arrow["i"].to_numpy() == values).all()
    assert (sample(frame, 1000, seed=2)[0].arrow["i"].to_numpy() != values).any()
    every, seen = sample(frame[:10], 1000)
    assert (len(every), seen) == (10, 10)


def parquet(**columns) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def npz(**arrays) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


HOSTILE = {
    "empty.csv": (b"", "is empty"),
    "blank.csv": (b"\n\n  \n", "is empty"),
    "numbers.csv": (b"1.5,2.5\n3,4\n", "first line holds numbers"),
    "twice.csv": (b"a,b,a\n1,2,3\n", "two columns are named a"),
    "ragged.csv": (b"a,b\n1,2\n1,2,3\n", "Expected 2 columns, got 3"),
    "binary.csv": (bytes(range(256)) * 4, "binary bytes"),
    "junk.csv": (bytes(1 + i % 8 for i in range(999)), "binary bytes"),
    "png.csv": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "binary bytes"),
    "cut.csv.gz": (gzip.compress(b"a,b\n1,2\n" * 10_000)[:60], "damaged"),
    "wrong.csv.gz": (b"\x1f\x8bnot gzip", "damaged"),
    "odd.csv": (b"\xff\xfea\0,\0b\0\n", "utf-16"),
    "cut.parquet": (parquet(a=list(range(1000)))[:-20], "damaged"),
    "middle.parquet": (parquet(a=list(range(1000)))[:100] + parquet(a=list(range(1000)))[200:], "damaged"),
    "text.parquet": (b"a,b\n1,2\n", "damaged"),
    "empty.parquet": (b"", "damaged"),
    "cut.npy": (npy(np.eye(9))[:200], "damaged"),
    "huge.npy": (npy(np.eye(9)).replace(b"(9, 9), }", b"(99999999999, 9), }"), "damaged"),
    "flat.npy": (npy(np.arange(5.0)), "2-d and of numbers"),
    "pickle.npy": (npy(np.array([[{}]])), "damaged"),
    "cut.npz": (npz(X=np.eye(9))[:200], "damaged"),
    "two.npz": (npz(a=np.eye(9), b=np.eye(9)), "holds a, b, but no array X"),
    "book.xlsx": (b"PK\x03\x04", "save the table as csv or parquet"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_get_one_sentence(tmp_path: Path, name: str) -> None:
    content, expected = HOSTILE[name]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(Unreadable, match=expected) as refusal:
        read(path)
    assert "\n" not in str(refusal.value)
    assert name in str(refusal.value) or "two columns" in str(refusal.value)
    with pytest.raises(Unreadable):
        sample(path, 5)


def test_hostile_sources_get_one_sentence(tmp_path: Path) -> None:
    for source, expected in [
        (tmp_path / "none.csv", "there is no file"),
        (tmp_path, "holds no parquet file"),
        (np.zeros(3), r"use X.reshape\(-1, 1\)"),
        (pd.Series([1.0]), "1-d array of length 1"),
        (np.zeros((2, 2, 2)), "shape"),
        (np.zeros((2, 2), complex), "complex"),
        (np.zeros(2, dtype=[("a", float)]), "structured"),
        ([[1, 2], [3]], "differ in length"),
        (np.array([[1, "a"], ["b", 2]], dtype=object), "column x0 mixes values of type int, str"),
        (pd.DataFrame({"mixed": [1, "a"]}), "column mixed mixes values of type int, str"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "a"),
        (pa.table([[1], [2]], names=["a", "a"]), "a"),
        (pd.DataFrame({"s": pd.arrays.SparseArray([1, 0])}), "column s"),
        ("", "the path is empty"),
        (None, "cannot read a NoneType"),
        (io.StringIO("a\n1\n"), "binary mode"),
    ]:
        with pytest.raises(Unreadable, match=expected):
            read(source)
    with pytest.raises(Misfit, match="pieces of 0 rows"):
        next(chunks(np.eye(2), 0))


def test_a_header_without_rows_is_a_table_without_rows(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n")
    assert (len(read(tmp_path / "a.csv")), read(tmp_path / "a.csv").names) == (0, ["a", "b"])
    assert [len(table) for table in chunks(np.empty((0, 2)), 5)] == [0]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.text("ab;,\n \"'é€", max_size=5), st.integers(-5, 5) | st.none()), min_size=1, max_size=20)
)
def test_csv_round_trip(tmp_path_factory: pytest.TempPathFactory, rows: list) -> None:
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    frame = pl.DataFrame(rows, schema={"text": pl.String, "number": pl.Int64}, orient="row")
    frame.with_columns(pl.lit("end").alias("last")).write_csv(path, quote_style="non_numeric")
    table = read(path).arrow
    assert table["number"].to_pylist() == frame["number"].to_list()
    assert [value or "" for value in table["text"].to_pylist()] == frame["text"].to_list()


def test_numbers_of_any_byte_order_and_width(tmp_path: Path) -> None:
    array = np.arange(12.0).reshape(6, 2)
    for dtype in (">f8", ">i4", np.longdouble, np.float16):
        assert read(array.astype(dtype)).arrow.to_pydict() == read(array).arrow.to_pydict(), dtype
        np.save(tmp_path / "a.npy", array.astype(dtype))
        assert read(tmp_path / "a.npy").arrow.to_pydict() == read(array).arrow.to_pydict(), dtype


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (pd.DataFrame({"id": pd.Series([2**70, 1], dtype=object)}), "column id holds int that cannot be read"),
        (pd.DataFrame({"id": pd.Series(["\ud800", "b"], dtype=object)}), "column id holds str that cannot be read"),
        (pl.DataFrame({"id": pl.Series([1, 2], dtype=pl.Int128)}), "convert that column"),
        (pl.LazyFrame({"id": [1]}).select("nobody"), "nobody"),
        (torch.ones(2, 2, requires_grad=True), "detach"),
        ("a" * 5000, "check the path"),
    ],
)
def test_refuses_in_one_sentence(source: object, words: str) -> None:
    with pytest.raises(Unreadable, match=words) as refusal:
        read(source)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 400
