"""Made items as files: what is written is what is read, whole or not at all, and nothing of the user's is lost."""

import csv
import json

import numpy as np
import pandas as pd
import polars as pl
import pytest
from PIL import Image

from anodiff.data.image_layouts import alone
from anodiff.data.made_files import MARKER, check_made_free, save_picture, spans_of, write_made
from anodiff.types import Misfit


def rows_of(kinds, rejected=()):
    return [
        {
            "item": i,
            "kind": kind,
            "strength": 0.5,
            "score": None,
            "accepted": i not in rejected,
            "against": ["not abnormal enough", "a copy of another"] if i in rejected else [],
        }
        for i, kind in enumerate(kinds)
    ]


def pictures(n=4, shape=(12, 16, 3)):
    data = np.random.default_rng(0).integers(0, 256, (n, *shape), dtype=np.uint8)
    region = np.zeros((n, *shape[:2]), bool)
    for i in range(n):
        region[i, i : i + 3, 2:9] = True
    return data, region


def read(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_pictures_are_read_back_as_a_public_set_is(tmp_path):
    data, region = pictures(5)
    region[4] = False
    rows = rows_of(["crack", "spot/dark", "crack", "spot/dark", "normal"], rejected=[2])
    out = write_made(tmp_path / "made", "image", data, region, rows, good=data[:2], facts={"p": np.float64(0.4)})
    found = alone("made", out)[""]("")
    assert len(found.train) == 2
    by_kind = {
        kind: [p for p, k in zip(found.test, found.kinds, strict=True) if k == kind] for kind in set(found.kinds)
    }
    assert {kind: len(each) for kind, each in by_kind.items()} == {"crack": 1, "spot_dark": 2, "good": 1}
    for kind, item, number in (("crack", 0, 0), ("spot_dark", 1, 0), ("spot_dark", 3, 1), ("good", 4, 0)):
        path = by_kind[kind][number]
        assert np.array_equal(np.asarray(Image.open(path)), data[item])
        truth = found.masks[found.test.index(path)]
        assert (truth is None) == (kind == "good")
        if truth is not None:
            assert np.array_equal(truth(), region[item])
    assert np.array_equal(np.asarray(Image.open(out / "rejected/crack/000.png")), data[2])
    assert np.array_equal(np.asarray(Image.open(out / "rejected/crack/000_mask.png")) > 0, region[2])


def test_verdicts_say_where_each_item_is_and_what_speaks_against_it(tmp_path):
    data, region = pictures(3, (12, 16))
    out = write_made(
        tmp_path / "made", "image", data, region, rows_of(["crack"] * 3, [1]), facts={"p": np.float64(0.4)}
    )
    told = read(out / "verdicts.csv")
    assert [row["file"] for row in told] == ["test/crack/000.png", "rejected/crack/000.png", "test/crack/001.png"]
    assert [row["against"] for row in told] == ["", "not abnormal enough; a copy of another", ""]
    assert all((out / row["file"]).is_file() for row in told)
    page = json.loads((out / "verdicts.json").read_text())
    assert page["facts"] == {"p": 0.4}
    assert [row["accepted"] for row in page["items"]] == [True, False, True]
    assert not (out / "train").exists()


def test_series_are_read_back_to_the_bit(tmp_path):
    rng = np.random.default_rng(0)
    data = [rng.normal(size=(30 + i, 2)) for i in range(3)]
    data[0][3, 1] = np.nan
    region = [np.zeros(s.shape, bool) for s in data]
    region[0][4:9, 1] = region[1][0:2, 0] = region[1][30, 0] = region[2][5, :] = True
    out = write_made(tmp_path / "made", "series", data, region, rows_of(["a", "b", "c"], [2]), names=["flow", "temp"])
    for i, place in enumerate(("items/000.csv", "items/001.csv", "rejected/items/002.csv")):
        back = read(out / place)
        assert list(back[0]) == ["flow", "temp"]
        values = [[float(value or "nan") for value in line.values()] for line in back]
        assert np.array_equal(values, data[i], equal_nan=True)
    spans = [(r["item"], r["channel"], r["start"], r["end"], r["kind"]) for r in read(out / "regions.csv")]
    assert spans == [("0", "temp", "4", "9", "a"), ("1", "flow", "0", "2", "b"), ("1", "flow", "30", "31", "b")]
    assert len(read(out / "rejected" / "regions.csv")) == 2
    assert spans_of(region[0][:, 1]) == [(4, 9)]


@pytest.mark.parametrize("module", [pd, pl])
def test_rows_are_read_back_as_they_were(tmp_path, module):
    frame = module.DataFrame({"flow": [1.1, 2.2, 1 / 3], "valve": ["open", "shut, again", "open"], "n": [1, 2, 3]})
    region = np.zeros((3, 3), bool)
    region[0, 0] = region[1, 1] = region[2, 2] = True
    out = write_made(tmp_path / "made", "tabular", frame, region, rows_of(["cell"] * 3, [1]))
    back = [(float(r["flow"]), r["valve"], r["n"]) for r in read(out / "made.csv")]
    assert back == [(1.1, "open", "1"), (1 / 3, "open", "3")]
    assert [(r["row"], r["column"]) for r in read(out / "regions.csv")] == [("0", "flow"), ("1", "n")]
    assert read(out / "rejected" / "made.csv") == [{"flow": "2.2", "valve": "shut, again", "n": "2"}]
    told = read(out / "verdicts.csv")
    assert [(r["file"], r["row"]) for r in told] == [("made.csv", "0"), ("rejected/made.csv", "0"), ("made.csv", "1")]


def test_rows_of_an_array_take_names(tmp_path):
    values, region = np.arange(6.0).reshape(3, 2), np.eye(3, 2, dtype=bool)
    out = write_made(tmp_path / "a", "tabular", values, region, rows_of(["cell"] * 3), names=["x", "y"])
    assert pd.read_csv(out / "made.csv").to_numpy().tolist() == values.tolist()
    assert not (out / "rejected").exists()
    with pytest.raises(Misfit, match="1 names for 2 columns"):
        write_made(tmp_path / "b", "tabular", values, region, rows_of(["cell"] * 3), names=["x"])
    assert not (tmp_path / "b").exists()


def test_a_folder_of_the_users_is_left_alone(tmp_path):
    data, region = pictures(1)
    rows = rows_of(["crack"])
    mine = tmp_path / "mine"
    mine.mkdir()
    write_made(mine, "image", data, region, rows)
    with pytest.raises(FileExistsError, match="give another path, or overwrite it"):
        write_made(mine, "image", data, region, rows)
    again = write_made(mine, "image", data[:, ::-1], region, rows_of(["spot"]), overwrite=True)
    assert (again / MARKER).is_file()
    assert not (again / "test" / "crack").exists()
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "thesis.txt").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(FileExistsError, match="give another path"):
            check_made_free(tmp_path / "theirs", overwrite)
        with pytest.raises(FileExistsError, match="give another path"):
            write_made(tmp_path / "theirs", "image", data, region, rows, overwrite=overwrite)
    assert (tmp_path / "theirs" / "thesis.txt").read_text() == "years of work"
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError, match="is a file"):
        check_made_free(tmp_path / "file", True)


def test_what_fails_leaves_nothing_behind_and_what_was_there_stands(tmp_path):
    data, region = pictures(2)
    out = write_made(tmp_path / "made", "image", data, region, rows_of(["crack"] * 2))
    with pytest.raises(Misfit, match="from 0 to 1"):
        write_made(out, "image", np.array([data[0] / 255, data[1] / 1.0]), region, rows_of(["x"] * 2), overwrite=True)
    assert (out / "test" / "crack" / "001.png").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["made"]
    with pytest.raises(Misfit, match="2 items, 1 regions and 2 records"):
        write_made(tmp_path / "b", "image", data, region[:1], rows_of(["x"] * 2))


def test_kinds_that_no_disk_tells_apart_have_folders_of_their_own(tmp_path):
    data, region = pictures(4)
    region[3] = False
    kinds = ["a b", "a/b", "../..", "ok"]
    out = write_made(tmp_path / "made", "image", data, region, rows_of(kinds))
    assert sorted(path.name for path in (out / "test").iterdir()) == ["a_b", "a_b_", "good", "kind"]
    assert sorted(path.name for path in (out / "ground_truth").iterdir()) == ["a_b", "a_b_", "kind"]


def test_grey_deep_and_float_pictures_are_saved(tmp_path):
    grey = np.linspace(0, 1, 12).reshape(3, 4)
    save_picture(tmp_path / "f.png", grey[..., None])
    assert np.array_equal(np.asarray(Image.open(tmp_path / "f.png")), np.round(grey * 255))
    deep = np.round(grey * 65535).astype(np.uint16)
    save_picture(tmp_path / "d.png", deep)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "d.png")), deep)
    save_picture(tmp_path / "c.png", np.repeat(deep[..., None], 3, 2))
    assert np.abs(np.asarray(Image.open(tmp_path / "c.png"))[..., 0] - grey * 255).max() <= 0.5
    for bad, said in ((grey.astype(int), "int64"), (np.zeros((2, 2, 4), np.uint8), r"\(2, 2, 4\)")):
        with pytest.raises(Misfit, match=said):
            save_picture(tmp_path / "x.png", bad)
