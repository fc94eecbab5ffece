import json
import re
from pathlib import Path

import numpy as np
import pyarrow.csv as pacsv
import pytest
from cli_calls import Call, snapshot

from anodiff import demo, load
from anodiff.demo import split
from anodiff.detect import Detector


def test_the_split_is_seeded_and_keeps_the_two_halves_apart() -> None:
    first, again, other = split(0), split(0), split(1)
    assert first.new.arrow.equals(again.new.arrow)
    assert not first.new.arrow.equals(other.new.arrow)
    assert (len(first.normal), len(first.new), int(first.malignant.sum())) == (178, 391, 212)
    rows = {tuple(row.values()) for row in first.normal.arrow.to_pylist()}
    assert not rows & {tuple(row.values()) for row in first.new.arrow.to_pylist()}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo with a recipe of milliseconds."""
    monkeypatch.setattr(demo, "Detector", lambda *a, **k: Detector(*a, recipe="mahalanobis", **k))
    monkeypatch.setattr(demo, "FOLDS", 3)
    monkeypatch.setattr(demo, "DRAWS", 20)


@pytest.mark.usefixtures("quick")
def test_the_demo_opens_with_what_it_found_and_its_commands_run(call: Call, place: Path) -> None:
    (example,) = re.findall(r"Example: +anodiff (.*)", call("demo", "--help").out)
    said = call(*example.split())
    assert said.code == 0
    assert said.out.strip().startswith("Shown only benign tumours, anodiff raised an alarm on")
    assert {"model", "report.html", "scores.csv"} <= {p.name for p in (place / "anodiff-demo").iterdir()}
    commands = re.findall(r"^  anodiff (.*)$", said.out.split("Next:")[1], re.MULTILINE)
    assert len(commands) == 3
    for command in commands[:2]:
        assert call(*command.split()).code == 0
    assert str(place) not in (place / "anodiff-demo" / "report.html").read_text()
    before = snapshot(place)
    assert call("demo").code == 2
    assert snapshot(place) == before


@pytest.mark.usefixtures("quick")
def test_the_numbers_of_the_demo_are_those_of_its_files(call: Call, place: Path) -> None:
    facts = json.loads(call("demo", "--seed", 1, "--json").out)
    table = pacsv.read_csv(place / "anodiff-demo" / "scores.csv")
    malignant, alarm = (table[name].to_numpy() for name in ("malignant", "alarm"))
    assert facts["methods"]["anodiff"]["alarms"] == {
        "found": int(alarm[malignant == 1].sum()),
        "false_alarms": int(alarm[malignant == 0].sum()),
    }
    again = load(place / "anodiff-demo" / "model").decision_function(place / "anodiff-demo" / "new.csv")
    np.testing.assert_allclose(again, table["score"], rtol=1e-6)
    for found in facts["methods"].values():
        assert found["auroc"] > 0.9
        assert found["false_alarms"]["low"] <= 0.05
