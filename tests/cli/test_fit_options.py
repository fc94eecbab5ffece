"""Doubt, known anomalies, budget and time on the command line."""

import json
from pathlib import Path

import pytest
from cli_calls import Call, snapshot, write_table

import anodiff

FEW = ("--set", "denoisers.learnt.steps=5")


def test_doubt_is_told_in_words_and_facts(call: Call, place: Path) -> None:
    said = call("fit", "new.csv", "-o", "fresh", "--recipe", "mahalanobis", "--contamination", "auto")
    assert said.code == 0
    assert "may be anomalies" in " ".join(said.out.split())
    told = call("fit", "new.csv", "-o", "told", "--recipe", "mahalanobis", "--contamination", 0.05, "--json")
    assert json.loads(told.out)["contamination"] == {"value": 0.05, "low": 0.05, "high": 0.05}
    assert len(anodiff.load(place / "told").held_out_) == 76


def test_known_anomalies_are_read_from_a_file(call: Call, place: Path) -> None:
    write_table(place / "known.csv", 4, seed=9, bad=4)
    said = call("fit", "normal.csv", "-o", "fresh", "--examples", "known.csv", "--drop", "country", *FEW, "--json")
    assert said.code == 0, said.err
    facts = json.loads(said.out)
    assert facts["examples"] == 4
    assert 0.005 <= facts["false_alarm_rate"] <= 0.05
    assert "likeness" in anodiff.load(place / "fresh").model_.recipe.scores
    assert "known anomalies that it was shown: 4" in (place / "fresh" / "card.md").read_text()
    assert call("score", "fresh", "new.csv", "-o", "out.csv").code == 0
    assert call("report", "fresh", "new.csv", "-o", "report.html").code == 0
    assert "likeness" in (place / "report.html").read_text()


def test_a_budget_is_kept_by_fit_and_changed_by_score(call: Call, place: Path) -> None:
    said = call("fit", "normal.csv", "-o", "fresh", "--budget", 1, "--max-seconds", 60, *FEW, "--json")
    assert json.loads(said.out)["evaluations_per_row"] == 1
    facts = json.loads(call("info", "fresh", "--json").out)
    assert facts["agreement_by_budget"]["12"] == 1
    call("score", "fresh", "new.csv", "-o", "cheap.csv")
    call("score", "fresh", "new.csv", "-o", "full.csv", "--budget", 12)
    assert (place / "cheap.csv").read_text() != (place / "full.csv").read_text()


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        (("--contamination", "0.9"), "contamination is 0.9"),
        (("--contamination", "many"), "contamination is 'many'"),
        (("--budget", "0"), "budget is 0"),
        (("--max-seconds", "-1"), "max_seconds is -1"),
        (("--examples", "nowhere.csv"), "nowhere.csv"),
        (("--examples", "other.csv"), "columns"),
    ],
)
def test_wrong_options_are_refused_in_one_sentence(call: Call, place: Path, asked: tuple, named: str) -> None:
    (place / "other.csv").write_text("a,b\n1,2\n")
    before = snapshot(place)
    said = call("fit", "normal.csv", "-o", "fresh", *FEW, *asked)
    assert said.code == 2
    assert named in said.err
    assert said.err.count("\n") == 1
    assert snapshot(place) == before


def test_a_budget_of_nothing_is_refused_by_score(call: Call, place: Path) -> None:
    said = call("score", "model", "new.csv", "-o", "out.csv", "--budget", 0)
    assert (said.code, "budget is 0" in said.err) == (2, True)
    assert not (place / "out.csv").exists()
