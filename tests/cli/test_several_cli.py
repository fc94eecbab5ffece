"""Records of several kinds on the command line: fitted, scored, explained, reported; what cannot be is one sentence."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.csv as pacsv
import pytest
from cli_calls import Call, snapshot
from PIL import Image

import anodiff
from anodiff import Detector
from record_toys import mixed_up, modality, records

PARTS = ["photo", "step", "force"]
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def write(folder: Path, name: str, columns: dict[str, list[object]]) -> None:
    """A file of json lines, with the pictures beside it."""
    (folder / "img").mkdir(parents=True, exist_ok=True)
    lines = []
    for i, (photo, step, force) in enumerate(zip(*(columns[part] for part in PARTS), strict=True)):
        Image.fromarray(np.asarray(photo)).save(folder / "img" / f"{name}{i:03}.png")
        lines.append({"photo": f"img/{name}{i:03}.png", "step": step, "force": force})
    (folder / f"{name}.jsonl").write_text("\n".join(json.dumps(line) for line in lines) + "\n")


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """normal.jsonl, new.jsonl whose first five steps are of another colour, and a model."""
    folder = tmp_path_factory.mktemp("several")
    write(folder, "normal", records(80, 0)[0])
    columns, colour = records(24, 1)
    odd = mixed_up(columns, colour)
    write(folder, "new", {**columns, "step": odd["step"][:5] + columns["step"][5:]})
    Detector(modality(), false_alarm_rate=0.1).fit(str(folder / "normal.jsonl")).save(folder / "model")
    return folder


@pytest.fixture
def place(tmp_path: Path, learnt: Path) -> Path:
    shutil.copytree(learnt, tmp_path, dirs_exist_ok=True)
    return tmp_path


def refused(call: Call, place: Path, *arguments: object) -> str:
    """What a command says that refuses: one line, and nothing is written."""
    before = snapshot(place)
    said = call(*arguments)
    lines = [line for line in said.err.splitlines() if "warning:" not in line]
    assert said.code == 2, said
    assert len(lines) == 1, said.err
    assert "Traceback" not in said.err
    assert snapshot(place) == before
    return lines[0]


def test_records_are_fitted_and_described(call: Call, place: Path) -> None:
    said = call("fit", "normal.jsonl", "-o", "fresh", "--kind", "photo=ignore", "--kind", "step=category", "--json")
    assert said.code == 0, said.err
    facts = json.loads(said.out)
    assert [each["name"] for each in facts["columns"]] == ["step", "force"]
    assert facts["records"] == 80
    assert (place / "fresh" / "card.md").is_file()
    told = " ".join(call("info", "fresh").out.split())
    assert "several kinds at once" in told
    assert "step (category), force (numbers)" in told


def test_records_are_scored_as_the_detector_scores_them(call: Call, place: Path) -> None:
    said = call("score", "model", "new.jsonl", "-o", "s.csv", "--map", "--json")
    assert said.code == 0, said.err
    table, facts = pacsv.read_csv(place / "s.csv"), json.loads(said.out)
    detector = anodiff.load(place / "model")
    scores = detector.decision_function(str(place / "new.jsonl"))
    assert np.allclose(table["score"], scores)
    assert table["alarm"].to_pylist() == detector.predict(str(place / "new.jsonl")).tolist()
    maps = np.stack([table[name] for name in table.column_names if name.startswith("map.")], 1)
    assert np.allclose(maps.sum(1), scores)
    assert facts["records"] == 24
    assert {each["record"] for each in facts["worst"]} <= {f"line {i}" for i in range(1, 6)}


def test_missing_parts_are_empty_in_the_table(call: Call, place: Path) -> None:
    (place / "bare.jsonl").write_text('{"step": "put the red block on the table"}\n{"force": 2.0}\n')
    said = call("score", "model", "bare.jsonl", "-o", "s.csv")
    assert said.code == 0, said.err
    table = pacsv.read_csv(place / "s.csv", convert_options=pacsv.ConvertOptions(strings_can_be_null=True))
    assert table["part.photo"].to_pylist() == [None, None]
    assert table["part.step"].to_pylist()[1] is None
    assert np.isfinite(table["score"]).all()


def test_the_worst_are_explained(call: Call, place: Path) -> None:
    said = call("explain", "model", "new.jsonl", "--top", 2, "--json")
    assert said.code == 0, said.err
    found = json.loads(said.out)["records"]
    assert [each["score"] for each in found] == sorted([each["score"] for each in found], reverse=True)
    assert all(each["sentence"].startswith(each["name"]) for each in found)
    asked = json.loads(call("explain", "model", "new.jsonl", "--row", 7, "--json").out)["records"]
    assert [each["name"] for each in asked] == ["line 8"]


def test_a_report_is_one_page(call: Call, place: Path) -> None:
    said = call("report", "model", "new.jsonl", "-o", "page.html", "--json")
    assert said.code == 0, said.err
    assert json.loads(said.out)["data"]["records"] == 24
    assert (place / "page.html").read_text().startswith("<!doctype html>")


def test_cells_that_cannot_be_read_are_told_and_passed_over(call: Call, place: Path) -> None:
    (place / "img" / "new003.png").write_bytes(b"no picture")
    lines = (place / "new.jsonl").read_text().splitlines()
    (place / "new.jsonl").write_text("\n".join([*lines, '{"photo": "../../secret.png", "step": "put"}']) + "\n")
    said = call("score", "model", "new.jsonl", "-o", "s.csv", "--json")
    assert said.code == 0, said.err
    assert len(json.loads(said.out)["unread"]) == 2
    assert "could not be read and count as missing" in said.err
    assert len(pacsv.read_csv(place / "s.csv")) == 25


HOSTILE = {
    "there is none": (("score", "model", "none.jsonl"), "none.jsonl"),
    "it is empty": (("score", "model", "empty.jsonl"), "holds no record"),
    "it is no json": (("score", "model", "text.jsonl"), "text.jsonl"),
    "nothing to learn": (("fit", "empty.jsonl", "-o", "fresh", "--modality", "multimodal"), "holds no record"),
    "a kind that is none": (
        ("fit", "normal.jsonl", "-o", "fresh", "--modality", "multimodal", "--kind", "step=smell"),
        "smell",
    ),
    "causal": (("score", "model", "new.jsonl", "--causal"), "--causal of score is not for several kinds"),
    "film": (("score", "model", "new.jsonl", "--film", "x.mp4"), "--film is for video"),
    "by the hour": (("score", "model", "new.jsonl", "--per-hour", "2"), "--per-hour is for video"),
    "two rules": (("score", "model", "new.jsonl", "--rate", "0.1", "--fdr", "0.1"), "not both"),
    "a row that is none": (("explain", "model", "new.jsonl", "--row", "99"), "--row 99 is beyond the last of 24"),
    "watching": (("watch", "model", "new.jsonl"), "watch is for series, and this model judges records of several"),
    "examples": (
        ("fit", "normal.jsonl", "-o", "fresh", "--modality", "multimodal", "--examples", "new.jsonl"),
        "--examples of fit is not for several kinds",
    ),
    "a report over another": (("report", "model", "new.jsonl", "-o", "new.jsonl"), "exists"),
    "a table that is there": (("score", "model", "new.jsonl", "-o", "there.csv"), "exists"),
}


@pytest.mark.parametrize("case", HOSTILE, ids=str)
def test_what_cannot_be_is_refused_in_a_line(call: Call, place: Path, case: str) -> None:
    (place / "empty.jsonl").touch()
    (place / "text.jsonl").write_text("no json at all\n" * 5)
    (place / "there.csv").write_text("a\n1\n")
    arguments, told = HOSTILE[case]
    assert told in refused(call, place, *arguments)
