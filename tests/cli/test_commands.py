import io
import json
import re
import sys
from pathlib import Path

import numpy as np
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from cli_calls import Call, snapshot

import anodiff

COMMANDS = ("fit", "score", "explain", "report", "info", "demo")
QUICK = ("--recipe", "mahalanobis")


def test_fit_ends_with_what_was_learnt_and_what_to_type_next(call: Call, place: Path) -> None:
    said = call("fit", "normal.csv", "-o", "fresh", *QUICK, "--rate", 0.05)
    assert said.code == 0
    assert "120 rows" in said.out
    assert "5 % is within it" in " ".join(said.out.split())
    assert "anodiff score fresh NEW.csv" in said.out
    assert sorted(p.name for p in (place / "fresh").iterdir()) == ["card.md", "config.json", "weights.safetensors"]


def test_fit_obeys_its_options(call: Call, place: Path) -> None:
    said = call(
        "fit", "normal.csv", "-o", "fresh", "--set", "denoisers.learnt.steps=7", "--set", "denoisers.learnt.lr=1e-4",
        "--kind", "hour=ordinal", "--drop", "country", "--seed", 3, "--json",
    )  # fmt: skip
    facts = json.loads(said.out)
    assert (facts["columns"], facts["dropped"], facts["rows_seen"]) == (2, ["country"], 120)
    detector = anodiff.load(place / "fresh")
    learnt = detector.model_.recipe.denoisers["learnt"]
    assert (learnt.steps, learnt.lr, detector.seed) == (7, 1e-4, 3)
    assert [c["kind"] for c in detector.model_.facts["columns"]] == ["numeric", "ordinal"]
    assert call("score", "fresh", "new.csv", "-o", "out.csv", "--keep").code == 0
    assert "country" in pacsv.read_csv(place / "out.csv").column_names


def test_scores_are_those_of_the_detector(call: Call, place: Path) -> None:
    assert call("score", "model", "new.csv", "-o", "out.csv").code == 0
    assert call("score", "model", "new.csv", "-o", "out.parquet").code == 0
    detector = anodiff.load(place / "model")
    for table in (pacsv.read_csv(place / "out.csv"), pq.read_table(place / "out.parquet")):
        assert table.column_names == ["row", "score", "p_value", "alarm"]
        np.testing.assert_array_equal(table["row"], np.arange(80))
        np.testing.assert_allclose(table["score"], detector.decision_function(place / "new.csv"), rtol=1e-12)
        np.testing.assert_allclose(table["p_value"], detector.p_value(place / "new.csv"))
        np.testing.assert_array_equal(table["alarm"], detector.predict(place / "new.csv"))


@pytest.mark.parametrize(
    ("asked", "meant"),
    [(("--fdr", 0.4), {"fdr": 0.4}), (("--rate", 0.1), {"false_alarm_rate": 0.1})],
)
def test_alarms_follow_the_rule_asked_for(call: Call, place: Path, asked: tuple, meant: dict) -> None:
    call("score", "model", "new.csv", "-o", "out.csv", *asked)
    expected = anodiff.load(place / "model").predict(place / "new.csv", **meant)
    assert expected.sum() >= 3
    np.testing.assert_array_equal(pacsv.read_csv(place / "out.csv")["alarm"], expected)


def test_fdr_beyond_the_normals_is_warned_of(call: Call) -> None:
    said = call("score", "model", "new.csv", "--fdr", 0.01)
    assert said.code == 0
    assert len(said.err.splitlines()) == 1
    assert "fit on more normal rows" in said.err


def test_rate_beyond_the_normals_is_one_line_of_warning(call: Call) -> None:
    said = call("score", "model", "new.csv", "--rate", 0.0001)
    assert said.code == 0
    assert len(said.err.splitlines()) == 1
    assert said.err.startswith("anodiff: warning: 120 held-out normals")


def test_map_adds_up_and_keep_keeps(call: Call, place: Path) -> None:
    call("score", "model", "new.csv", "-o", "out.csv", "--map", "--keep")
    table = pacsv.read_csv(place / "out.csv")
    parts = np.column_stack([table[f"map.{name}"] for name in ("amount", "hour", "country")])
    np.testing.assert_allclose(parts.sum(1), table["score"], rtol=1e-5)
    assert table["country"].equals(pacsv.read_csv(place / "new.csv")["country"])


def test_stdin_to_stdout(call: Call, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO((place / "new.csv").read_bytes())))
    said = call("score", "model", "-", "-o", "-")
    table = pacsv.read_csv(io.BytesIO(said.out.encode()))
    assert table.num_rows == 80
    assert "80 rows" in said.err


@pytest.mark.parametrize("command", [("score", "model", "new.csv"), ("explain", "model", "new.csv", "--top", 2),
                                     ("info",), ("info", "model"), ("report", "model", "new.csv")])  # fmt: skip
def test_json_is_all_there_is_on_stdout(call: Call, command: tuple) -> None:
    said = call(*command, "--json")
    assert said.code == 0
    assert isinstance(json.loads(said.out), dict)
    assert said.err == ""


def test_quiet_says_nothing(call: Call) -> None:
    assert call("score", "model", "new.csv", "-q", "-o", "out.csv") == (0, "", "")


def test_explain_gives_reasons_for_the_worst_and_for_chosen_rows(call: Call) -> None:
    worst = json.loads(call("explain", "model", "new.csv", "--top", 3, "--json").out)["explanations"]
    assert sorted(each["row"] for each in worst) == [0, 1, 2]
    chosen = json.loads(call("explain", "model", "new.csv", "--row", 70, "--row", 1, "--json").out)["explanations"]
    assert [each["row"] for each in chosen] == [70, 1]
    assert "amount 9,310 is far above" in call("explain", "model", "new.csv", "--top", 1).out


def test_info_knows_the_installation_and_the_model(call: Call) -> None:
    installed, model = (json.loads(call("info", *m, "--json").out) for m in ((), ("model",)))
    assert installed["anodiff"] == anodiff.__version__
    assert "mahalanobis" in installed["recipes"]
    assert "country" in call("info", "model").out
    assert model["references"].startswith("@")


def test_version_and_no_arguments(call: Call) -> None:
    assert call("--version").out == f"anodiff {anodiff.__version__}\n"
    assert "Usage: anodiff" in call().out


def test_the_examples_of_the_help_pages_run(call: Call, place: Path) -> None:
    import shutil

    shutil.rmtree(place / "model")
    for command in COMMANDS:
        page = call(command, "--help")
        (example,) = re.findall(r"Example: +anodiff (.*)", page.out)
        if command != "demo":
            said = call(*example.split())
            assert said.code == 0, (example, said.err)
    assert {"model", "scores.csv", "report.html"} <= {p.name for p in place.iterdir()}
    assert not [name for name in snapshot(place) if name.startswith(".")]
