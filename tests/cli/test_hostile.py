"""Whatever is given: one sentence, exit code 2, no traceback, nothing written or changed."""

import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cli_calls import Call, snapshot

GOOD = "amount,hour,country\n" + "".join(f"{100 + 3 * i}.5,{i % 24},NL\n" for i in range(40))
FIT = ("fit", "bad.csv", "-o", "fresh", "--recipe", "mahalanobis")
FIT_GOOD = ("fit", "normal.csv", "-o", "fresh", "--recipe", "mahalanobis")
SCORE = ("score", "model", "bad.csv", "-o", "out.csv")
SCORE_GOOD = ("score", "model", "new.csv", "-o", "out.csv")

BAD_TO_FIT = {
    "infinite": GOOD + "inf,3,NL\n",
    "empty": "",
    "header only": "amount,hour,country\n",
    "one row": "amount,hour,country\n1,2,NL\n",
    "all constant": "amount,hour\n" + "1,2\n" * 40,
    "twice the same column": "amount,amount\n1,2\n3,4\n" * 5,
}
BAD_TO_SCORE = {
    "infinite": "amount,hour,country\ninf,3,NL\n",
    "empty": "",
    "strings where numbers were": "amount,hour,country\nmuch,3,NL\n",
    "missing column": "amount,hour\n100,3\n",
    "extra column": "amount,hour,country,note\n100,3,NL,x\n",
    "ragged": "amount,hour,country\n100,3\n",
    "late in the file": GOOD + "much,3,NL\n",
}
BAD_ARGUMENTS = {
    "model exists": ("fit", "normal.csv", "-o", "model"),
    "model is a file": ("fit", "normal.csv", "-o", "new.csv"),
    "a folder that is no model, overwrite": ("fit", "normal.csv", "-o", "folder", "--overwrite"),
    "model below a file": ("fit", "normal.csv", "-o", "new.csv/model"),
    "no data": ("fit", "nothing.csv", "-o", "fresh"),
    "data is a folder": ("fit", "folder", "-o", "fresh"),
    "data below a file": ("fit", "normal.csv/x.csv", "-o", "fresh"),
    "set without value": (*FIT_GOOD, "--set", "schedule"),
    "set unknown": (*FIT_GOOD, "--set", "denoisers.nobody.steps=3"),
    "set nonsense": ("fit", "normal.csv", "-o", "fresh", "--set", "denoisers.learnt.steps=many"),
    "set not yaml": (*FIT_GOOD, "--set", "name={"),
    "recipe": ("fit", "normal.csv", "-o", "fresh", "--recipe", "tabel"),
    "recipe file": ("fit", "normal.csv", "-o", "fresh", "--recipe", "new.yaml"),
    "rate 0": (*FIT_GOOD, "--rate", "0"),
    "rate 2": (*FIT_GOOD, "--rate", "2"),
    "rate is a word": (*FIT_GOOD, "--rate", "low"),
    "kind": (*FIT_GOOD, "--kind", "hour=clock"),
    "kind of no column": (*FIT_GOOD, "--kind", "minute=ordinal"),
    "drop of no column": (*FIT_GOOD, "--drop", "minute"),
    "drop of all": (*FIT_GOOD, "--drop", "amount", "--drop", "hour", "--drop", "country"),
    "unknown option": (*FIT_GOOD, "--fast"),
    "unknown command": ("detect",),
    "missing argument": ("fit",),
    "output exists": ("score", "model", "new.csv", "-o", "normal.csv"),
    "output suffix": ("score", "model", "new.csv", "-o", "out.xlsx"),
    "output folder": ("score", "model", "new.csv", "-o", "nowhere/out.csv"),
    "output is a folder": ("score", "model", "new.csv", "-o", "folder", "--overwrite"),
    "rate and fdr": (*SCORE_GOOD, "--rate", "0.1", "--fdr", "0.1"),
    "score rate": (*SCORE_GOOD, "--rate", "0"),
    "fdr": (*SCORE_GOOD, "--fdr", "1"),
    "json and stdout": ("score", "model", "new.csv", "-o", "-", "--json"),
    "no model": ("score", "nothing", "new.csv", "-o", "out.csv"),
    "model is data": ("score", "new.csv", "new.csv", "-o", "out.csv"),
    "alarm": (*SCORE_GOOD, "--alarm", "loud"),
    "row too far": ("explain", "model", "new.csv", "--row", "80"),
    "row below 0": ("explain", "model", "new.csv", "--row", "-1"),
    "report exists": ("report", "model", "new.csv", "-o", "normal.csv"),
    "report folder": ("report", "model", "new.csv", "-o", "nowhere/r.html"),
    "report without model": ("report", "nothing", "-o", "r.html"),
    "info of nothing": ("info", "nothing"),
    "demo exists": ("demo", "-o", "folder"),
    "demo over something else": ("demo", "-o", "folder", "--overwrite"),
}


def refused(call: Call, place: Path, *arguments: str) -> str:
    before = snapshot(place)
    said = call(*arguments)
    assert said.code == 2, said
    assert len(said.err.splitlines()) == 1, said.err
    assert said.err.startswith("anodiff: ")
    assert "Traceback" not in said.err
    assert said.out == ""
    assert snapshot(place) == before
    return said.err


@pytest.mark.parametrize("case", BAD_TO_FIT)
def test_fit_refuses(call: Call, place: Path, case: str) -> None:
    (place / "bad.csv").write_text(BAD_TO_FIT[case])
    refused(call, place, *FIT)


@pytest.mark.parametrize("command", ["score", "explain", "report"])
@pytest.mark.parametrize("case", BAD_TO_SCORE)
def test_judging_refuses(call: Call, place: Path, case: str, command: str) -> None:
    (place / "bad.csv").write_text(BAD_TO_SCORE[case])
    refused(call, place, *(SCORE if command == "score" else (command, "model", "bad.csv")))


@pytest.mark.parametrize("case", BAD_ARGUMENTS)
def test_arguments_are_refused(call: Call, place: Path, case: str) -> None:
    (place / "folder").mkdir()
    (place / "folder" / "mine.txt").write_text("mine")
    refused(call, place, *BAD_ARGUMENTS[case])


def test_refusals_name_the_thing(call: Call, place: Path) -> None:
    (place / "bad.csv").write_text(BAD_TO_SCORE["missing column"])
    assert "country" in refused(call, place, *SCORE)
    assert "--overwrite" in refused(call, place, "fit", "normal.csv", "-o", "model")
    assert "mahalanobis" in refused(call, place, "fit", "normal.csv", "-o", "fresh", "--recipe", "tabel")
    assert "anodiff fit --help" in refused(call, place, *FIT_GOOD, "--fast")


def test_a_truncated_parquet_is_refused(call: Call, place: Path) -> None:
    pq.write_table(pa.table({"amount": [1.0] * 50, "hour": [1] * 50, "country": ["NL"] * 50}), place / "bad.parquet")
    (place / "bad.parquet").write_bytes((place / "bad.parquet").read_bytes()[:300])
    refused(call, place, "fit", "bad.parquet", "-o", "fresh")
    refused(call, place, "score", "model", "bad.parquet", "-o", "out.csv")


@pytest.mark.parametrize("command", ["score", "explain", "report"])
@pytest.mark.parametrize("damage", ["tampered", "truncated", "newer", "elsewhere", "not json"])
def test_damaged_models_are_refused(call: Call, place: Path, damage: str, command: str) -> None:
    config, weights = place / "model" / "config.json", place / "model" / "weights.safetensors"
    content = json.loads(config.read_text())
    if damage == "tampered":
        content["settings"]["false_alarm_rate"] = 0.9
    if damage == "newer":
        content["format"] += 1
    if damage == "elsewhere":
        content["weights"] = "../weights.safetensors"
    config.write_text("{" if damage == "not json" else json.dumps(content))
    if damage == "truncated":
        weights.write_bytes(weights.read_bytes()[:100])
    refused(call, place, command, "model", "new.csv")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable for root")
def test_what_must_not_be_read_is_refused(call: Call, place: Path) -> None:
    (place / "bad.csv").write_text(GOOD)
    (place / "bad.csv").chmod(0)
    refused(call, place, *FIT)


@pytest.mark.parametrize(
    "text",
    [
        "amount,hour,country\n,3,NL\nNaN,,DE\n",
        "country,hour,amount\nNL,3,115\n",
        "amount;hour;country\n115,5;3;NL\n",
        "amount\thour\tcountry\n115\t3\tNL\n",
        "amount,hour,country\n115,3,Curaçao\n",
    ],
    ids=["missing", "other order", "semicolons", "tabs", "unseen category"],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "latin-1"])
def test_what_only_looks_hostile_is_judged(call: Call, place: Path, text: str, encoding: str) -> None:
    (place / "odd.csv").write_text(text, encoding=encoding)
    said = call("score", "model", "odd.csv", "-o", "out.csv")
    assert (said.code, said.err) == (0, "")


def test_a_table_without_rows_has_no_alarms(call: Call, place: Path) -> None:
    (place / "none.csv").write_text("amount,hour,country\n")
    assert call("score", "model", "none.csv", "-o", "out.csv").code == 0
    assert (place / "out.csv").read_text().count("\n") == 1
    assert call("explain", "model", "none.csv").code == 0
    assert call("report", "model", "none.csv").code == 0


def test_data_cannot_steer_the_terminal(call: Call, place: Path) -> None:
    evil = "\x1b[2J[red]"
    columns = {"amount": [100 + i % 7 for i in range(60)], evil: [f"{evil}{i % 3}" for i in range(60)]}
    pq.write_table(pa.table(columns), place / "odd.parquet")
    assert call("fit", "odd.parquet", "-o", "fresh", "--recipe", "mahalanobis", "-q", "--rate", "0.05").code == 0
    for command in (("info", "fresh"), ("explain", "fresh", "odd.parquet"), ("score", "fresh", "new.csv")):
        said = call(*command)
        assert "\x1b[2J" not in said.out + said.err
        assert "[red]" in said.out + said.err
