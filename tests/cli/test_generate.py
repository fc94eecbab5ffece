"""Generators on the command line: learnt, ordered from, asked what a model misses; refused in one sentence."""

import csv
import json

import pytest
from cli_calls import snapshot, write_table

from anodiff.cli import run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Normal rows, held-out ones, known anomalies, a generator of rows and a detector."""
    made = tmp_path_factory.mktemp("orders")
    write_table(made / "normal.csv", 200, 0)
    write_table(made / "held.csv", 80, 1)
    write_table(made / "known.csv", 4, 2, bad=4)
    names = ["normal.csv", "known.csv"]
    normal, known = (str(made / name) for name in names)
    learn = ["fit", normal, "--generator", "--examples", known, "-o", str(made / "gen"), "--max-seconds", "2", "-q"]
    assert run(learn) == 0
    quick = ["--recipe", "mahalanobis", "-q"]
    assert run(["fit", normal, "-o", str(made / "model"), *quick]) == 0
    return made


def ask(folder, capsys, *typed):
    capsys.readouterr()
    paths = {each.name: str(each) for each in folder.iterdir()}
    code = run([paths.get(word, word) for word in typed])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_a_generator_writes_items_regions_verdicts_and_a_sheet(folder, capsys, tmp_path):
    out = tmp_path / "made"
    code, said, _ = ask(
        folder,
        capsys,
        "generate",
        "gen",
        "--n",
        "12",
        "--on",
        "held.csv",
        "-o",
        str(out),
        "--json",
        "--strength",
        "0.9",
    )
    assert code == 0
    facts = json.loads(said)
    assert facts["made"] == 12
    assert facts["kept"] == 12 - round(12 * facts["rejection_rate"])
    with (out / "verdicts.csv").open() as file:
        verdicts = list(csv.DictReader(file))
    assert len(verdicts) == 12
    with (out / "made.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == facts["kept"]
    assert list(rows[0]) == ["amount", "hour", "country"]
    assert {row["country"] for row in rows} <= {"NL", "DE", "FR"}
    assert (out / "sheet.png").read_bytes()[:4] == b"\x89PNG"
    before = snapshot(out)
    code, _, why = ask(folder, capsys, "generate", "gen", "-o", str(out))
    assert code == 2
    assert "give another path" in why
    assert snapshot(out) == before


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["--sheet", "-3"], "--sheet is -3; give how many items"),
        (["--size", "0.1", "--size", "0.2", "--size", "0.3"], "--size is given 3 times"),
        (["--seed", "-1"], "seed is -1; give a whole number"),
    ],
)
def test_a_refusal_leaves_nothing_behind(folder, capsys, tmp_path, typed, said):
    out = tmp_path / "made"
    code, _, why = ask(folder, capsys, "generate", "gen", "-n", "2", "--kind", "range", "-o", str(out), *typed)
    assert code == 2
    assert said in why
    assert not out.exists()


def test_the_same_seed_makes_the_same(folder, capsys, tmp_path):
    for name in ("a", "b"):
        typed = ["generate", "gen", "-n", "6", "--kind", "dependency", "--seed", "3", "--sheet", "0", "-q"]
        assert ask(folder, capsys, *typed, "--on", "held.csv", "-o", str(tmp_path / name))[0] == 0
    one, two = (snapshot(tmp_path / name) for name in ("a", "b"))
    assert one["made.csv"] == two["made.csv"]
    assert one["regions.csv"] == two["regions.csv"]


def test_a_detector_judges_what_a_generator_makes_on_the_way(folder, capsys, tmp_path):
    typed = ["generate", "model", "--on", "normal.csv", "-n", "4", "--max-seconds", "1", "-q"]
    code, _, why = ask(folder, capsys, *typed, "-o", str(tmp_path / "made"), "--keep", str(tmp_path / "kept"))
    assert code == 0, why
    assert (tmp_path / "kept" / "config.json").is_file()
    typed = ["generate", str(tmp_path / "kept"), "-n", "3", "-o", str(tmp_path / "again"), "-q"]
    assert ask(folder, capsys, *typed)[0] == 0


def test_info_names_kinds_and_places(folder, capsys):
    code, said, _ = ask(folder, capsys, "info", "gen", "--json")
    facts = json.loads(said)
    assert code == 0
    assert "dependency" in facts["kinds"]
    assert facts["known_kinds"] == ["known"]
    assert "columns" in facts["places"]
    assert "kinds" in ask(folder, capsys, "info", "gen")[1].lower()


def test_stress_tells_what_a_model_misses(folder, capsys, tmp_path):
    picture = tmp_path / "curve.png"
    typed = ["stress", "model", "--on", "held.csv", "--generator", "gen", "--kind", "range", "-n", "10"]
    code, said, _ = ask(folder, capsys, *typed, "--strength", "0.2", "--strength", "1", "-o", str(picture), "--json")
    assert code == 0
    cells = json.loads(said)["cells"]
    assert [cell["strength"] for cell in cells] == [0.2, 1.0]
    assert picture.read_bytes()[:4] == b"\x89PNG"
    said = ask(folder, capsys, *typed, "--strength", "0.2", "--strength", "1")[1]
    rows = [line.split() for line in said.splitlines()]
    assert ["strength", "0.2", "1"] in rows
    assert any(row[:1] == ["range"] and row[-1] == "%" for row in rows)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["generate", "gen", "--kind", "scratch", "-o", "x"], "kind is 'scratch', which tables do not have; choose"),
        (["generate", "gen", "--where", "blob", "-o", "x"], "where is 'blob', which tables do not have; choose"),
        (["generate", "gen", "--strength", "0", "-o", "x"], "strength is 0, which is normal data"),
        (["generate", "gen", "--strength", "1.5", "-o", "x"], "strength is 1.5; give a number above 0 up to 1"),
        (["generate", "gen", "--size", "2", "-o", "x"], "size is"),
        (["generate", "gen", "--n", "0", "-o", "x"], "n is 0"),
        (["generate", "gen", "--like", "9", "--kind", "known", "-o", "x"], "like is 9"),
        (["generate", "gen", "--examples", "known.csv", "-o", "x"], "--examples is for a detector's folder"),
        (["generate", "model", "-o", "x"], "is a detector; give --on NORMALS"),
        (["generate", "nowhere", "-o", "x"], "nowhere is no anodiff model"),
        (["score", "gen", "held.csv"], "is a generator, which judges nothing"),
        (["stress", "gen", "--on", "held.csv"], "is a generator, which judges nothing"),
        (["stress", "model", "--on", "held.csv", "--generator", "model"], "is a detector; give a generator of tabular"),
        (["stress", "model", "--on", "held.csv", "-o", "x.doc"], "give a name that ends in one of .png, .svg, .pdf"),
        (["fit", "normal.csv", "--generator", "--rate", "0.1", "-o", "x"], "--rate is for detectors"),
    ],
)
def test_what_cannot_be_made_is_refused(folder, capsys, tmp_path, monkeypatch, typed, said):
    monkeypatch.chdir(tmp_path)
    code, out, why = ask(folder, capsys, *typed)
    assert code == 2
    assert out == ""
    assert said in why
    assert len(why.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())
