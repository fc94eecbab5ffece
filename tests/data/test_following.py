import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anodiff.data.rows import LONGEST, Rows
from anodiff.data.tail import follow
from anodiff.types import Unreadable


def replay(path: Path, *acts: Callable[[], object], **settings) -> tuple[list[list[str]], list[str]]:
    """Rows and notes where each wait is an act upon the file."""
    todo, notes = list(acts), []

    def sleep(seconds: float) -> None:
        if todo:
            todo.pop(0)()

    rows = list(follow(path, notes.append, poll=1, idle=2 * len(acts) + 1, sleep=sleep, **settings))
    return rows, notes


def append(path: Path, text: str) -> Callable[[], object]:
    def act() -> None:
        with path.open("a") as file:
            file.write(text)

    return act


def test_a_row_comes_when_its_line_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("")
    grown = [append(path, bit) for bit in ("t,flow\n1,", "2.5", '6\n2,3\n3,"a', '\nb"\n4,5', "")]
    rows, notes = replay(path, *grown)
    assert rows == [["t", "flow"], ["1", "2.56"], ["2", "3"], ["3", "a\nb"]]
    assert notes == ["The last line has not ended ('4,5'); it is left out."]


def test_stop_and_idle_end_it(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("t\n1\n")
    waits: list[float] = []
    assert len(list(follow(path, poll=0.5, idle=2, sleep=waits.append))) == 2
    assert waits == [0.5] * 4
    waits.clear()
    assert len(list(follow(path, stop=lambda: len(waits) == 3, sleep=waits.append))) == 2
    assert list(follow(path, stop=lambda: True)) == []
    with pytest.raises(Unreadable, match=r"cannot follow .*none\.csv"):
        next(follow(tmp_path / "none.csv"))


def test_a_file_that_is_cut_back_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("t,flow\n1,2\n2,3\n3,")
    rows, notes = replay(path, lambda: path.write_text("t,flow\n4,5\n"), append(path, "5,6\n"))
    assert rows == [["t", "flow"], ["1", "2"], ["2", "3"], ["4", "5"], ["5", "6"]]
    assert notes[0] == "a.csv was cut back or replaced; it is read anew from its beginning."
    assert "'3,'" in notes[1]
    longer = "t,flow\n" + "".join(f"{i},0\n" for i in range(100, 140))
    rows, notes = replay(path, lambda: path.write_text(longer))
    assert (len(rows), len(notes)) == (1 + 2 + 40, 1)
    rows, notes = replay(path, lambda: path.write_text("139,1\n"))
    assert (rows[-1], len(notes)) == (["139", "1"], 1)


def test_a_file_that_is_rotated_is_read_to_its_end_first(tmp_path: Path) -> None:
    path, new = tmp_path / "a.csv", tmp_path / "new.csv"
    path.write_text("t,flow\n1,2\n")

    def rotate() -> None:
        append(path, "2,3\n")()
        os.replace(path, tmp_path / "a.csv.1")

    def back() -> None:
        new.write_text("flow,t\n4,3\n")
        os.replace(new, path)

    rows, notes = replay(path, rotate, lambda: None, back)
    assert rows == [["t", "flow"], ["1", "2"], ["2", "3"], ["3", "4"]]
    assert len(notes) == 1


def test_a_file_that_is_written_anew_with_the_same_rows_goes_on(tmp_path: Path) -> None:
    path, new = tmp_path / "a.csv", tmp_path / "new.csv"
    path.write_text("t,flow\n1,2\n")

    def rewrite() -> None:
        new.write_text("t,flow\n1,2\n2,3\n")
        os.replace(new, path)

    assert replay(path, rewrite) == ([["t", "flow"], ["1", "2"], ["2", "3"]], [])


def test_other_columns_are_refused_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("t,flow\n1,2\n")
    for header, words in (("t,flo", "missing flow; unexpected flo"), ("a,b", "unexpected a, b"), ("t", "missing flow")):
        path.write_text("t,flow\n1,2\n")
        with pytest.raises(Unreadable, match=words):
            replay(path, lambda header=header: path.write_text(header + "\n"))
    for content, words in (("1,2\n", "first line holds numbers"), ("a,a\n", "two columns are named a")):
        path.write_text(content)
        with pytest.raises(Unreadable, match=words):
            replay(path)
    path.write_text("a,b\n", encoding="utf-16")
    with pytest.raises(Unreadable, match="utf-16"):
        replay(path)


@pytest.mark.parametrize(
    ("bad", "note"),
    [
        (b"1,2,3\n", "Line 2 has 3 fields, where 2 columns are ('1,2,3'); it is left out."),
        (b"1\n", "has 1 field, where"),
        (b'1,"2"x\n', "cannot be told apart"),
        (b"1,\0\n", "binary bytes"),
        (b'1,"2\n', "opens a quote that never closes"),
        (b'"1,2\n', "opens a quote that never closes"),
        (b'1,"' + b"x" * 200_000 + b'"\n', "cannot be told apart"),
        (b"1\r2,3\n", "cannot be told apart"),
    ],
)
def test_a_line_that_is_no_row_is_left_out(bad: bytes, note: str) -> None:
    for size in (1, 7, 10**9):
        content, notes, found = b"t,flow\n" + bad + b"3,4\n5,6\n", [], []
        rows = Rows(notes.append)
        for start in range(0, len(content), max(size, len(content) // 1000)):
            found += rows.push(content[start : start + max(size, len(content) // 1000)])
        assert [*found, *rows.end(take=False)] == [["t", "flow"], ["3", "4"], ["5", "6"]]
        assert len(notes) == 1
        assert note in notes[0]
        assert len(notes[0]) < 200


def test_memory_is_bounded() -> None:
    notes: list[str] = []
    rows = Rows(notes.append)
    assert list(rows.push(b"t,flow\n")) == [["t", "flow"]]
    for _ in range(40):
        assert list(rows.push(b"x" * (LONGEST // 10))) == []
        assert len(rows.rest) <= LONGEST
    assert list(rows.push(b"x\n1,2\n")) == [["1", "2"]]
    assert ["longer than a megabyte" in note for note in notes] == [True]
    found = [row for i in range(500) for row in rows.push(b'"text,\n' if i == 0 else b"some words\n")]
    assert found == []
    assert len(rows.open) <= 101
    assert list(rows.push(b"3,4\n"))[-1:] in ([["3", "4"]], [])
    assert list(rows.push(b"5,6\n"))[-1] == ["5", "6"]


def test_streams_of_lines() -> None:
    notes: list[str] = []
    expected = [["t", "flow"], ["1", "2,5"], ["2", "3"]]
    lines = ["t;flow\n", "1;2,5\n", "2;3"]
    assert list(follow(lines, notes.append)) == expected
    assert notes == ["The last line has no line break; it is taken as it stands."]
    assert list(follow([line.strip() for line in lines])) == expected
    assert list(follow(io.StringIO("".join(lines)))) == expected
    assert list(follow(io.BytesIO("\ufeff".encode() + "".join(lines).encode()))) == expected
    assert list(follow(io.BytesIO("T [°C]\r\n1\r\n".encode("cp1252")))) == [["T [°C]"], ["1"]]
    assert list(follow(["1;2\n"], names=["t", "flow"])) == [["t", "flow"], ["1", "2"]]
    assert list(follow(["flow;t\n", "1;2\n"], names=["t", "flow"])) == [["t", "flow"], ["2", "1"]]


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.lists(st.text("ab, \"\n'1é", max_size=6), min_size=2, max_size=2), max_size=8),
    st.integers(1, 30),
)
def test_rows_are_the_same_however_they_are_cut(table: list[list[str]], size: int) -> None:
    import csv

    sink = io.StringIO()
    csv.writer(sink, quoting=csv.QUOTE_ALL).writerows([["t", "word"], *table])
    notes: list[str] = []
    content = sink.getvalue().encode()
    whole = list(Rows(notes.append, delimiter=",").push(content))
    rows = Rows(notes.append, delimiter=",")
    assert [row for i in range(0, len(content), size) for row in rows.push(content[i : i + size])] == whole
    if not notes:
        assert whole == [["t", "word"], *table]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.binary(max_size=20) | st.sampled_from([b"\n", b'"', b"1,2\n", b",", b"\r\n", b"\0"]), max_size=30))
def test_no_bytes_stop_it(bits: list[bytes]) -> None:
    rows = Rows(lambda _: None, names=["t", "flow"], delimiter=",")
    assert list(rows.push(b"0,0\n")) == [["0", "0"]]
    for bit in bits:
        assert all(len(row) == 2 for row in rows.push(bit))
    list(rows.end(take=False))
    list(rows.push(b"\n"))
    assert list(rows.push(b"3,4\n")) == [["3", "4"]]
