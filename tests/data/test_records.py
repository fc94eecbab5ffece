"""Records: which kind a column is, what is missing, what is listed, and what a later source must agree with."""

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from PIL import Image

from anodiff.data.albums import Unread
from anodiff.data.record_columns import LONGEST, trimmed
from anodiff.data.record_kinds import kind_of
from anodiff.data.records import Records, records
from anodiff.types import Misfit, Unreadable

RNG = np.random.default_rng(0)
N = 12
SENTENCES = [f"the arm puts cup {i % 3} on the bench" for i in range(N)]
MIXED = {
    "photo": RNG.integers(0, 256, (N, 6, 8, 3), dtype=np.uint8),
    "grey": [RNG.integers(0, 256, (5 + i, 7), dtype=np.uint8) for i in range(N)],
    "said": SENTENCES,
    "place": ["bench", "shelf"] * (N // 2),
    "force": RNG.normal(size=N),
    "pose": RNG.normal(size=(N, 3)),
    "torque": RNG.normal(size=(N, 40)),
    "wheels": RNG.normal(size=(N, 20, 2)),
    "swing": [RNG.normal(size=10 + i) for i in range(N)],
}
KINDS = {
    "photo": "image",
    "grey": "image",
    "said": "text",
    "place": "category",
    "force": "numbers",
    "pose": "numbers",
    "torque": "series",
    "wheels": "series",
    "swing": "series",
}


@pytest.fixture(scope="module")
def mixed() -> Records:
    return records(MIXED)


def put(path: Path, value: int = 9) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((6, 8), value, np.uint8)).save(path)
    return path


def test_kinds_go_by_content(mixed: Records) -> None:
    assert {name: column.kind for name, column in mixed.columns.items()} == KINDS
    assert [column.width for column in mixed.columns.values()] == [1, 1, 1, 1, 1, 3, 1, 2, 1]
    assert len(mixed) == N
    assert mixed.names == [str(i) for i in range(N)]
    assert mixed.present.all()
    assert not mixed.unread
    assert [note.split()[1] for note in mixed.notes] == ["torque"]


def test_values_are_what_was_given(mixed: Records) -> None:
    columns = mixed.columns
    assert (columns["photo"].picture(3) == MIXED["photo"][3]).all()
    assert (columns["grey"].picture(4) == MIXED["grey"][4]).all()
    assert columns["grey"].picture(4).dtype == np.uint8
    assert columns["said"].values == SENTENCES
    assert np.array_equal(columns["pose"].values, MIXED["pose"])
    assert np.array_equal(columns["swing"].values[5][:, 0], MIXED["swing"][5])
    assert np.array_equal(columns["wheels"].values[2], MIXED["wheels"][2])


def test_a_part_of_the_records(mixed: Records) -> None:
    part = mixed.take([5, 2])
    assert part.names == ["5", "2"]
    assert part.columns["said"].values == [SENTENCES[5], SENTENCES[2]]
    assert (part.columns["photo"].picture(1) == MIXED["photo"][2]).all()
    assert np.array_equal(part.columns["force"].values[:, 0], MIXED["force"][[5, 2]])
    assert mixed.take(np.arange(N) < 3).names == ["0", "1", "2"]
    assert mixed.only(["force", "said"]).layout.keys() == {"force", "said"}


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table], ids=["pandas", "polars", "pyarrow"])
def test_frames_and_lists_of_dicts_say_the_same(make: Any) -> None:
    plain = {"said": SENTENCES, "place": MIXED["place"], "force": list(MIXED["force"]), "swing": MIXED["swing"]}
    plain["swing"] = [each.tolist() for each in MIXED["swing"]]
    rows = [dict(zip(plain, row, strict=True)) for row in zip(*plain.values(), strict=True)]
    first, second = records(make(plain)), records(rows)
    assert first.layout == second.layout
    assert [column["kind"] for column in first.layout.values()] == ["text", "category", "numbers", "series"]
    pairs = zip(first.columns["swing"].values, second.columns["swing"].values, strict=True)
    assert all(np.array_equal(*pair) for pair in pairs)


@pytest.mark.parametrize("nothing", [None, float("nan"), "", "  ", [], np.empty(0), pd.NA, pd.NaT])
def test_nothing_is_missing(nothing: Any) -> None:
    found = records(
        {"said": ["two words here now", nothing], "force": [1.0, nothing], "swing": [[1.0, 2.0] * 9, nothing]}
    )
    assert found.present.tolist() == [[True] * 3, [False] * 3]
    assert not found.unread
    assert found.columns["said"].values[1] == ""
    assert np.isnan(found.columns["force"].values[1]).all()
    assert found.columns["swing"].values[1].shape == (0, 1)


def test_an_absent_key_is_missing_and_objects_are_flattened() -> None:
    found = records([{"a": {"b": 1.5, "c": {"d": "red hot iron bar"}}}, {"e": 2.5}, {"a": {"b": 3.5}}])
    assert found.layout.keys() == {"a.b", "a.c.d", "e"}
    assert found.present.tolist() == [[True, True, False], [False, False, True], [True, False, False]]
    frame = records(pd.DataFrame({"a": [{"b": 1.5}, {"b": 2.0}], "e": [0.5, 2.5]}))
    assert frame.columns["a.b"].values[:, 0].tolist() == [1.5, 2.0]


@pytest.mark.parametrize(
    ("name", "cells", "kind", "word"),
    [
        ("Label", [0, 1, 0, 1], "ignore", "answer"),
        ("row", list(range(20)), "ignore", "counts"),
        ("key", [f"k{i}" for i in range(20)], "ignore", "names every row"),
        ("when", [datetime(2024, 1, i + 1) for i in range(4)], "ignore", "times"),
        ("boxes", [[{"x": 1}], [{"x": 2}]], "ignore", "objects"),
        ("empty", [None, ""], "ignore", "nothing"),
        ("blob", [b"\x89PNG\0", b"\0\0"], "ignore", "objects"),
        ("volts", ["1.5", "2", " 3e2 "], "numbers", "every cell is a number"),
        ("code", [1, "two", 1, "two"], "category", "mixes numbers and words"),
        ("odd", [1.0, 2.0, 3.0, [1.0, 2.0]], "numbers", "mixes numbers and rows"),
        ("same", ["all quiet"] * 5, "category", ""),
        ("same", ["all quiet on the western front"] * 5, "text", ""),
        ("one", ["alone"], "text", ""),
        ("true", [True, False, True], "numbers", ""),
        ("file", ["a.PNG", "b/c.jpeg", Path("d.tif")], "image", ""),
        ("view", ["left-down view", "top view"] * 3, "category", ""),
    ],
)
def test_each_guess_and_its_sentence(name: str, cells: list[Any], kind: str, word: str) -> None:
    found, note = kind_of(name, cells)
    assert found == kind
    assert (word in note) if word else not note


def test_what_is_ignored_is_said_and_can_be_read() -> None:
    source = {"label": [0, 1, 1], "force": [1.0, 2.0, 0.5]}
    found = records(source)
    assert found.kinds == {"force": "numbers", "label": "ignore"}
    assert "kinds={'label': 'numbers'} reads it" in found.notes[0]
    assert records(source, kinds={"label": "numbers"}).layout.keys() == {"label", "force"}
    assert records(source, kinds={"force": "ignore", "label": "category"}).columns["label"].values == ["0", "1", "1"]


def test_kinds_that_cannot_be() -> None:
    with pytest.raises(Misfit, match="'pixels'; choose one of image, text, numbers, category, series, ignore"):
        records({"a": [1.0]}, kinds={"a": "pixels"})
    with pytest.raises(Misfit, match="kinds names a column b, which is not there; there are a"):
        records({"a": [1.0]}, kinds={"b": "text"})
    with pytest.raises(Unreadable, match="column a holds nothing of kind numbers; 0, a: 'hot' is no number"):
        records({"a": ["hot", "cold"], "b": [1.0, 2.0]}, kinds={"a": "numbers"})


def test_a_cell_of_another_kind_is_missing_and_listed() -> None:
    found = records({"force": [1.0, "much", float("inf"), 4.0]}, kinds={"force": "numbers"})
    assert found.present[:, 0].tolist() == [True, False, False, True]
    assert [unread.name for unread in found.unread] == ["1, force", "2, force"]
    assert str(found.unread[0]) == "1, force: 'much' is no number; give finite numbers, None if missing."


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"a": [1.0, 2.0], "b": ["x"]}, "columns differ in length: a 2, b 1"),
        ({}, "there are no records"),
        ([], "there are no records"),
        ({"a": []}, "there are no records"),
        ([{}], "no column can be read; give at least one"),
        ({"y": [0, 1]}, "no column can be read; Column y is named like the answer"),
        ([{"a": 1}, 5], "the list holds a int, which is no record"),
        ({"a": "text"}, "column a is a str; give a list or an array"),
        (np.zeros((3, 4)), r"an array of shape \(3, 4\) is of one kind; give a dict of arrays"),
        ([{"a.b": 1, "a": {"b": 2}}], "'a.b' twice"),
        (42, "cannot read a int as a table"),
    ],
)
def test_one_sentence_for_what_is_no_record(source: Any, message: str) -> None:
    with pytest.raises(Unreadable, match=message):
        records(source)


def test_later_records_have_the_columns_of_fit(mixed: Records) -> None:
    later = records({"force": [5.0], "said": [7], "new": ["what"]}, like=mixed.layout)
    assert later.layout == mixed.layout
    assert later.columns["said"].values == ["7"]
    assert later.present.sum() == 2
    assert later.columns["pose"].values.shape == (1, 3)
    assert later.columns["wheels"].values[0].shape == (0, 2)
    assert any("new" in note and "not read" in note for note in later.notes)
    assert sum("missing everywhere" in note for note in later.notes) == len(KINDS) - 2
    assert records({"force": [5.0]}, kinds={"note": "ignore"}, like=mixed.layout).present.sum() == 1
    odd = records({"pose": [[1.0, 2.0], [1.0, 2.0, 3.0]]}, like=mixed.layout)
    assert odd.columns["pose"].present.tolist() == [False, True]
    assert str(odd.unread[0]) == "0, pose: it has 2 numbers, where others have 3; give every row as many."


def test_records_are_records(mixed: Records) -> None:
    assert records(mixed) is mixed
    again = records(mixed.only(["said"]), like=mixed.layout)
    assert again.layout == mixed.layout
    assert again.present.sum(0).tolist() == [N if name == "said" else 0 for name in KINDS]
    assert records(mixed, kinds={"said": "ignore"}).layout.keys() == KINDS.keys() - {"said"}
    with pytest.raises(Misfit, match="column said was read as text"):
        records(mixed, kinds={"said": "category"})
    other = records({"said": [1.0, 2.0]})
    with pytest.raises(Unreadable, match="column said is numbers of width 1, at fit it was text"):
        records(other, like=mixed.layout)


def test_rows_are_as_wide_as_most() -> None:
    found = records({"pose": [[1.0, 2.0], [1.0], [3.0, 4.0]]}, kinds={"pose": "numbers"})
    assert found.columns["pose"].width == 2
    assert found.present[:, 0].tolist() == [True, False, True]
    assert found.unread[0].name == "1, pose"


def test_cells_of_frames_may_be_what_no_file_could_hold() -> None:
    pixels = [RNG.integers(0, 256, (4, 5), dtype=np.uint8) for _ in range(3)]
    shown = [Image.fromarray(each) for each in pixels]
    frame = pd.DataFrame({"seen": pd.Series(pixels), "shown": pd.Series(shown), "n": [0.5, None, 2.0]})
    found = records(frame)
    assert [column.kind for column in found.columns.values()] == ["image", "image", "numbers"]
    assert all((found.columns[name].picture(2) == pixels[2]).all() for name in ("seen", "shown"))
    assert found.present[:, 2].tolist() == [True, False, True]


def test_a_list_of_texts_is_one_column() -> None:
    found = records([*SENTENCES, None])
    assert found.layout == {"text": {"kind": "text", "width": 1}}
    assert found.present.sum() == N


def test_long_and_odd_texts_are_bounded() -> None:
    found = records({"said": ["ab cd ef gh " * 100_000, b"caf\xe9 au lait here", "half \ud800 a pair", "plain words"]})
    texts = found.columns["said"].values
    assert len(texts[0]) <= LONGEST + 5
    assert texts[0].startswith("ab cd")
    assert texts[0].endswith("ef gh ")
    assert texts[1] == "caf\ufffd au lait here"
    assert texts[2] == "half ? a pair"
    assert len(found.notes) == 2
    assert trimmed("short") == "short"


def test_pictures_are_relative_to_the_root_and_stay_in_it(tmp_path: Path) -> None:
    root, out = tmp_path / "in", put(tmp_path / "secret.png", 77)
    inside = put(root / "deep" / "a.png", 11)
    (root / "link.png").symlink_to(out)
    (root / "deep" / "back.png").symlink_to(inside)
    (root / "folder").symlink_to(tmp_path)
    (root / "text.png").write_text("no picture")
    (root / "empty.png").touch()
    names = [
        "deep/a.png",
        str(inside),
        "deep/back.png",
        "deep/../deep/a.png",
        "../secret.png",
        str(out),
        "link.png",
        "folder/secret.png",
        "gone.png",
        "text.png",
        "empty.png",
        "nul\0.png",
        "x" * 5000 + ".png",
    ]
    found = records({"photo": names, "force": np.arange(len(names)) ** 2.0}, root=root)
    photo = found.columns["photo"]
    assert photo.present.tolist() == [True] * 4 + [False] * 9
    assert all((photo.picture(i) == 11).all() for i in range(4))
    why = {unread.name: unread.why for unread in found.unread}
    assert all("leads out of the folder" in why[f"{i}, photo"] for i in (4, 5, 6, 7))
    assert "it is not there" in why["8, photo"]
    assert "no png" in why["9, photo"]
    assert "it is empty" in why["10, photo"]
    assert {"11, photo", "12, photo"} <= set(why)
    assert found.columns["force"].present.all()


def test_without_a_root_paths_are_the_callers_own(tmp_path: Path) -> None:
    path = put(tmp_path / "a.png", 5)
    assert (records({"photo": [str(path)]}).columns["photo"].picture(0) == 5).all()
    assert (records([{"photo": path}]).columns["photo"].picture(0) == 5).all()


def test_pictures_that_only_open_and_those_that_are_missing(tmp_path: Path) -> None:
    whole = put(tmp_path / "a.png")
    Image.fromarray(RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(tmp_path / "b.jpg")
    data = (tmp_path / "b.jpg").read_bytes()
    (tmp_path / "b.jpg").write_bytes(data[: len(data) // 2])
    found = records({"photo": [whole, tmp_path / "b.jpg", None]})
    photo = found.columns["photo"]
    with pytest.raises(Unreadable, match="1: it is damaged or cut off"):
        photo.picture(1)
    with pytest.raises(Unreadable, match="2: it is missing"):
        photo.picture(2)
    read = list(photo.album().pictures(8))
    assert [isinstance(each, Unread) for each in read] == [False, True, True]
    less = found.without("photo", {1: "it is cut off."})
    assert less.present[:, 0].tolist() == [True, False, False]
    assert str(less.unread[-1]) == "1, photo: it is cut off."
    assert found.present[1, 0]


def test_one_row() -> None:
    found = records([{"said": "the lid is on now", "force": 2.5}])
    assert len(found) == 1
    assert found.present.all()


def test_records_that_share_no_column_with_those_of_fit_are_refused() -> None:
    fit = records({"force": [1.0, 2.5], "said": ["the lid is on now", "the lid is off"]})
    for other in ([{"photo": 3}], ["a text"], records({"kilos": [1.0, 2.5]})):
        with pytest.raises(Unreadable, match="none of the columns of fit is given: force, said; there are"):
            records(other, like=fit.layout)
    assert len(records({"said": ["the lid is on now"]}, like=fit.layout)) == 1
