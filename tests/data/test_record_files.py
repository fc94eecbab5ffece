"""Files of records: what is passed over is listed by its line; a file without a record is refused in one sentence."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from anodiff.data.records import records
from anodiff.types import Unreadable

ROWS: list[dict[str, Any]] = [
    {"photo": "pictures/a.png", "said": "the cup is on the bench", "force": 1.5, "pull": [0.1 * i for i in range(30)]},
    {"photo": "pictures/b.png", "said": "the cup is on the floor", "force": None},
    {"photo": None, "said": "", "force": 2.5, "pull": [0.2 * i for i in range(25)]},
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pictures").mkdir()
    for value, name in enumerate("ab"):
        Image.fromarray(np.full((4, 6), value, np.uint8)).save(tmp_path / "pictures" / f"{name}.png")
    return tmp_path


def lines(path: Path, *each: str | bytes) -> Path:
    path.write_bytes(b"\n".join(line.encode() if isinstance(line, str) else line for line in each) + b"\n")
    return path


@pytest.mark.parametrize("name", ["r.jsonl", "r.ndjson", "r.json-lines", "r.json", "r.parquet"])
def test_every_format_says_the_same(folder: Path, name: str) -> None:
    path = folder / name
    if name.endswith("parquet"):
        pq.write_table(pa.Table.from_pylist(ROWS), path)
    elif name == "r.json":
        path.write_text(json.dumps(ROWS))
    else:
        lines(path, *map(json.dumps, ROWS))
    found = records(path)
    assert [column.kind for column in found.columns.values()] == ["image", "text", "numbers", "series"]
    assert found.present.tolist() == [[True] * 4, [True, True, False, False], [False, False, True, True]]
    assert (found.columns["photo"].picture(1) == 1).all()
    assert not found.unread
    assert found.names == {"r.json": ["item 0", "item 1", "item 2"], "r.parquet": ["0", "1", "2"]}.get(
        name, ["line 1", "line 2", "line 3"]
    )


def test_csv(folder: Path) -> None:
    path = lines(
        folder / "r.csv", "photo,said,force", "pictures/a.png,the cup is on the bench,1.5", "pictures/b.png,,2"
    )
    found = records(str(path))
    assert [column.kind for column in found.columns.values()] == ["image", "text", "numbers"]
    assert found.present.tolist() == [[True] * 3, [True, False, True]]
    assert (found.columns["photo"].picture(0) == 0).all()


def test_lines_that_are_no_records_are_listed(folder: Path) -> None:
    path = lines(
        folder / "r.jsonl",
        b'\xef\xbb\xbf{"said": "a b c d", "n": 1}',
        '{"said": "broken',
        "",
        "[1, 2]",
        '{"said": "x", "said": "y"}',
        "[" * 100_000,
        '{"n": NaN, "said": "e f g h"}',
        '{"n": 1' + "0" * 5000 + "}",
        "7",
        b'{"said": "caf\xe9 au lait here", "n": 4}',
    )
    found = records(path)
    assert found.names == ["line 1", "line 7", "line 10"]
    assert found.columns["said"].values == ["a b c d", "e f g h", "caf\ufffd au lait here"]
    assert found.columns["n"].present.tolist() == [True, False, True]
    assert [unread.name for unread in found.unread] == [f"line {i}" for i in (2, 4, 5, 6, 8, 9)]
    assert "no json object" in found.unread[1].why
    assert "'said' twice" in found.unread[2].why
    assert any("line 10 holds bytes that are not UTF-8" in note for note in found.notes)


def test_pictures_may_not_leave_the_folder_of_the_file(folder: Path) -> None:
    inner = folder / "inner"
    inner.mkdir()
    path = lines(inner / "r.jsonl", '{"photo": "../pictures/a.png", "n": 1}', '{"photo": "/etc/a.png", "n": 2}')
    with pytest.raises(Unreadable, match="leads out of the folder"):
        records(path)
    layout = {"photo": {"kind": "image", "width": 1}, "n": {"kind": "numbers", "width": 1}}
    later = records(path, like=layout)
    assert later.present.tolist() == [[False, True], [False, True]]
    assert [unread.name for unread in later.unread] == ["line 1, photo", "line 2, photo"]
    lines(path, '{"photo": "pictures/a.png", "n": 1}')
    assert records(path, root=folder).present.all()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("e.jsonl", b"", "e.jsonl: holds no record; give one json object in each line"),
        ("e.jsonl", b"\n\n  \n", "e.jsonl: holds no record"),
        ("e.jsonl", b"oops\n[1]\n", "e.jsonl: holds no record; .*line 1: it is no json"),
        ("e.json", b"{}", "e.json: holds a dict; give a list of objects"),
        ("e.json", b"[", "e.json: is no json"),
        ("e.json", b"[]", "e.json: holds no record"),
        ("e.json", b'[{"a": 1, "a": 2}]', "e.json: is no json .*'a' twice"),
        ("e.csv", b"", "e.csv: is empty"),
        ("e.csv", b"a,b\n", "there are no records; give at least one"),
        ("e.csv", b"a,a\n1,2\n", "two columns are named a"),
        ("e.parquet", b"PAR1 not", "e.parquet: damaged"),
        ("e.jsonl", b"\x00\x01\xff\xfe" * 50, "e.jsonl: holds no record"),
    ],
)
def test_one_sentence_for_a_file_without_records(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(Unreadable, match=message):
        records(path)


def test_there_is_no_file(tmp_path: Path) -> None:
    for name in ("none.jsonl", "none.csv"):
        with pytest.raises(Unreadable, match="there is no file"):
            records(tmp_path / name)
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(Unreadable, match=r"folder\.jsonl is a folder"):
        records(tmp_path / "folder.jsonl")


def test_wide_nesting_and_one_line(tmp_path: Path) -> None:
    deep: dict[str, Any] = {"x": 1.5}
    for _ in range(20):
        deep = {"k": deep}
    found = records(lines(tmp_path / "d.jsonl", json.dumps({"deep": deep, "n": 2.5})))
    assert found.layout.keys() == {"n"}
    assert len(found) == 1
    assert any("holds objects" in note for note in found.notes)


@pytest.mark.data
def test_the_records_of_a_public_set(public_data: Path) -> None:
    path = public_data / "multimodal" / "sdls" / "records.jsonl"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    found = records(path, kinds={"caption": "ignore", "state_description": "ignore"})
    kinds = {name: column.kind for name, column in found.columns.items()}
    assert len(found) == 2788
    assert not found.unread
    assert {name for name, kind in kinds.items() if kind == "text"} == {"context", "check"}
    assert kinds["image"] == "image"
    assert {"label", "split", "anomaly_type"} <= {name for name, kind in found.kinds.items() if kind == "ignore"}
    assert found.columns["image"].picture(7).shape == (180, 240, 3)
