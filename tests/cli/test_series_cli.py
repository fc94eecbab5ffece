"""Series in the commands: decided in one place, judged as the detector judges, refused in one sentence."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
import yaml
from cli_calls import Call, Said, snapshot

import anodiff
from anodiff.cli import run
from anodiff.cli.series_kind import AskedOfSeries, kind_of_data
from anodiff.types import Misfit
from series_toys import SMALL, log

FIT = ("fit", "normal.csv", "-o", "fresh", "--recipe", "small.yaml")
MANY = ("fit", "machines.csv", "-o", "fresh", "--recipe", "small.yaml", "--entity", "machine")


@pytest.fixture(scope="session")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with series, and a model of them; `new.csv` has an anomaly at rows 300 to 305."""
    folder = tmp_path_factory.mktemp("learnt")
    (folder / "small.yaml").write_text(yaml.safe_dump(SMALL))
    pacsv.write_csv(log(1500), folder / "normal.csv")
    pacsv.write_csv(log(500, machines=("a", "b")), folder / "machines.csv")
    new = log(600, seed=1)
    flow = new["flow"].to_numpy() + 3.0 * np.isin(np.arange(600), range(300, 306))
    pacsv.write_csv(new.set_column(1, "flow", pa.array(flow)), folder / "new.csv")
    fit = ["fit", "normal.csv", "-o", "model", "--recipe", "small.yaml", "--rate", "0.002", "-q"]
    assert run([str(folder / a) if a in ("normal.csv", "model", "small.yaml") else a for a in fit]) == 0
    return folder


@pytest.fixture
def place(tmp_path: Path, learnt: Path) -> Path:
    shutil.copytree(learnt, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, place: Path) -> Call:
    monkeypatch.chdir(place)

    def told(*arguments: object) -> Said:
        capsys.readouterr()
        code = run([str(a) for a in arguments])
        return Said(code, *capsys.readouterr())

    return told


class TestKind:
    @pytest.mark.parametrize(
        ("modality", "asked", "expected"),
        [
            ("auto", AskedOfSeries(), "series"),
            ("tabular", AskedOfSeries(), "tabular"),
            ("series", AskedOfSeries(), "series"),
            ("auto", AskedOfSeries(window=[10]), "series"),
        ],
    )
    def test_of_a_log(self, learnt: Path, modality: str, asked: AskedOfSeries, expected: str) -> None:
        assert kind_of_data(str(learnt / "normal.csv"), modality, asked) == expected

    def test_of_a_table(self, tmp_path: Path) -> None:
        path = tmp_path / "table.csv"
        path.write_text("amount,hour\n" + "1.5,2\n" * 9)
        assert kind_of_data(str(path), "auto", AskedOfSeries()) == "tabular"
        assert kind_of_data(str(path), "auto", AskedOfSeries(causal=True)) == "series"
        assert kind_of_data("-", "auto", AskedOfSeries()) == "tabular"

    def test_contradiction(self) -> None:
        with pytest.raises(Misfit, match="--per-day is for series"):
            kind_of_data("x.csv", "tabular", AskedOfSeries(per_day=0.0))


class TestFit:
    def test_says_what_was_learnt_and_what_to_type_next(self, call: Call, place: Path) -> None:
        said = call(*FIT, "--rate", 0.002)
        text = " ".join(said.out.split())
        assert said.code == 0
        assert "1,500 instants, 2 channels" in text
        assert "dominant period is 24 instants; one instant every 60 s" in text
        assert "2.88 a day" in text
        assert "anodiff watch fresh LIVE.csv" in text
        assert sorted(p.name for p in (place / "fresh").iterdir()) == ["card.md", "config.json", "weights.safetensors"]

    def test_obeys_its_options(self, call: Call, place: Path) -> None:
        options = ("--time", "when", "--causal", "--window", 20, "--window", 36, "--seed", 3, "--rate", 0.003)
        facts = json.loads(call(*FIT, *options, "--json").out)
        assert (facts["windows"], facts["causal"], facts["false_alarm_rate"]) == ([20, 36], True, 0.003)
        modality = anodiff.load(place / "fresh").whole_.modality
        assert (modality.time, modality.causal, modality.windows()) == ("when", True, (20, 36))

    def test_entities(self, call: Call, place: Path) -> None:
        facts = json.loads(call(*MANY, "--rate", 0.005, "--json").out)
        assert (facts["entities"], facts["series"], facts["instants"]) == (["a", "b"], 2, 1000)
        assert [channel["name"] for channel in facts["channels"]] == ["flow", "temp"]

    def test_alarms_per_day(self, call: Call, place: Path) -> None:
        facts = json.loads(call(*FIT, "--per-day", 3, "--json").out)
        assert facts["false_alarms_per_day"] == pytest.approx(3)
        assert facts["false_alarm_rate"] == pytest.approx(3 / 1440)
        assert anodiff.load(place / "fresh").false_alarm_rate_ == pytest.approx(3 / 1440)

    def test_a_folder_of_one_file_each(self, call: Call, place: Path) -> None:
        (place / "folder").mkdir()
        for name in ("a", "b"):
            pacsv.write_csv(log(400, seed=ord(name)), place / "folder" / f"{name}.csv")
        said = call("fit", "folder", "-o", "fresh", "--recipe", "small.yaml", "--modality", "series", "--rate", 0.005)
        assert said.code == 0, said.err
        assert call("score", "fresh", "folder", "-o", "out.csv").code == 0
        out = pacsv.read_csv(place / "out.csv")
        assert set(out["entity"].to_pylist()) == {"a", "b"}
        assert out["row"].to_pylist() == [*range(400), *range(400)]

    def test_tabular_if_it_is_said(self, call: Call, place: Path) -> None:
        said = call("fit", "normal.csv", "-o", "fresh", "--modality", "tabular", "--recipe", "mahalanobis")
        assert said.code == 0
        assert anodiff.load(place / "fresh").kind_ == "tabular"


class TestScore:
    @pytest.mark.parametrize("causal", [False, True])
    def test_is_that_of_the_detector(self, call: Call, place: Path, causal: bool) -> None:
        asked = ("--causal",) if causal else ()
        assert call("score", "model", "new.csv", "-o", "out.csv", *asked).code == 0
        assert call("score", "model", "new.csv", "-o", "out.parquet", *asked).code == 0
        detector = anodiff.load(place / "model")
        events = detector.events(place / "new.csv", causal=causal)
        scores = detector.decision_function(place / "new.csv", causal=causal)
        for table in (pacsv.read_csv(place / "out.csv"), pq.read_table(place / "out.parquet")):
            assert table.column_names == ["row", "time", "score", "p_value", "alarm", "event"]
            np.testing.assert_array_equal(table["row"], np.arange(600))
            np.testing.assert_allclose(table["score"], scores, rtol=1e-9)
            np.testing.assert_allclose(table["p_value"], detector.p_value(place / "new.csv", causal=causal))
            np.testing.assert_array_equal(table["alarm"], detector.predict(place / "new.csv", causal=causal))
            numbers = np.array([n or 0 for n in table["event"].to_pylist()])
            for number, each in enumerate(events, 1):
                assert np.flatnonzero(numbers == number).tolist() == [*range(each.event.start, each.event.end + 1)]
            assert table["time"][3].as_py().isoformat() == "2024-01-01T00:03:00"

    def test_map_adds_up_and_keep_keeps(self, call: Call, place: Path) -> None:
        assert call("score", "model", "new.csv", "-o", "out.parquet", "--map", "--keep").code == 0
        table, given = pq.read_table(place / "out.parquet"), pacsv.read_csv(place / "new.csv")
        np.testing.assert_array_equal(table["flow"], given["flow"])
        where = np.stack([table[f"map.{name}"].to_numpy() for name in ("flow", "temp")])
        detector = anodiff.load(place / "model")
        np.testing.assert_allclose(where.T, detector.anomaly_map(place / "new.csv"))
        assert where[:, 300:306].sum(1).argmax() == 0

    def test_rows_stay_where_they_are(self, call: Call, place: Path) -> None:
        given = pacsv.read_csv(place / "new.csv")
        order = np.random.default_rng(0).permutation(len(given))
        pacsv.write_csv(given.take(pa.array(order)), place / "mixed.csv")
        assert call("score", "model", "new.csv", "-o", "out.csv", "-q").code == 0
        said = call("score", "model", "mixed.csv", "-o", "mixed_out.csv")
        assert "sorted by time" in said.err
        straight, mixed = (pacsv.read_csv(place / name) for name in ("out.csv", "mixed_out.csv"))
        np.testing.assert_array_equal(mixed["score"].to_numpy(), straight["score"].to_numpy()[order])

    def test_says_the_events(self, call: Call) -> None:
        said = call("score", "model", "new.csv")
        text = " ".join(said.out.split())
        assert "events in 600 instants; about 1 would be expected" in text
        assert "Next: anodiff explain model new.csv" in text
        facts = json.loads(call("score", "model", "new.csv", "--per-day", 2, "--json").out)
        assert facts["rule"]["false_alarms_per_day"] == pytest.approx(2)
        assert any(each["start_instant"] <= 305 and each["end_instant"] >= 300 for each in facts["events"])
        assert facts["events"][facts["worst"][0] - 1]["score"] == max(each["score"] for each in facts["events"])

    def test_entities_of_rows_in_turns(self, call: Call, place: Path) -> None:
        assert call(*MANY, "--rate", 0.005, "-q").code == 0
        assert call("score", "fresh", "machines.csv", "-o", "out.csv").code == 0
        out, given = pacsv.read_csv(place / "out.csv"), pacsv.read_csv(place / "machines.csv")
        assert out["entity"].to_pylist() == given["machine"].to_pylist()


class TestExplainAndInfo:
    def test_explain_lists_events(self, call: Call) -> None:
        pytest.importorskip("anodiff.explain.moments")
        said = call("explain", "model", "new.csv", "--top", 1)
        assert said.code == 0, said.err
        assert "flow rose to" in " ".join(said.out.split())
        facts = json.loads(call("explain", "model", "new.csv", "--top", 1, "--json").out)
        assert facts["events"][0]["channels"][0]["channel"] == "flow"

    def test_explain_without_events(self, call: Call, place: Path) -> None:
        pytest.importorskip("anodiff.explain.moments")
        pacsv.write_csv(log(1500).slice(0, 200), place / "calm.csv")
        assert "No event stands out" in call("explain", "model", "calm.csv").out

    def test_info(self, call: Call) -> None:
        said = call("info", "model")
        text = " ".join(said.out.split())
        assert "Windows of 30, 48 instants; the dominant period is 24 instants; one instant every 60 s" in text
        assert "flow numeric 0 %" in text
        facts = json.loads(call("info", "model", "--json").out)
        assert (facts["modality"], facts["period"], facts["sampling_seconds"]) == ("series", 24, 60)

    def test_examples_are_a_file_or_a_folder_of_files(self, call: Call, place: Path) -> None:
        (place / "known").mkdir()
        for name in ("a.csv", "b.csv"):
            (place / "known" / name).write_bytes((place / "new.csv").read_bytes())
        for given, count in (("new.csv", 1), ("known", 2)):
            said = call(*FIT, "--examples", given, "--rate", 0.005, "--overwrite", "--json")
            assert said.code == 0
            assert json.loads(said.out)["examples"] == count
        (place / "empty").mkdir()
        assert "is an empty folder" in call(*FIT, "--overwrite", "--examples", "empty").err

    def test_info_shows_entities(self, call: Call) -> None:
        assert call(*MANY, "--rate", 0.005, "-q").code == 0
        assert "Entities: a, b" in call("info", "fresh").out


REFUSED = {
    "--kind": (*FIT, "--kind", "flow=numeric"),
    "example 1": (*FIT, "--examples", "renamed.csv"),
    "--rate or --per-day": (*FIT, "--rate", "0.01", "--per-day", "2"),
    "--per-day needs a clock": (*FIT, "--time", "none", "--per-day", "1"),
    "no column nowhen": (*FIT, "--time", "nowhen"),
    "no column machine": (*FIT, "--entity", "machine"),
    "--window": (*FIT, "--window", "many"),
    "window is 1": (*FIT, "--window", "1"),
    "--modality": (*FIT, "--modality", "sound"),
    "for series, and the data is said": (*FIT, "--modality", "tabular", "--window", "10"),
    "rate is 0": (*FIT, "--per-day", "0"),
    "--fdr": ("score", "model", "new.csv", "--fdr", "0.1"),
    "give either --rate or": ("score", "model", "new.csv", "--rate", "0.1", "--per-day", "1"),
    "--row": ("explain", "model", "new.csv", "--row", "3"),
    "5 instants are too few": ("fit", "short.csv", "-o", "fresh", "--modality", "series"),
    "no channel varies": ("fit", "flat.csv", "-o", "fresh"),
    "unexpected tmp": ("score", "model", "renamed.csv"),
    "unexpected extra": ("score", "model", "more.csv"),
    "holds inf": ("score", "model", "infinite.csv"),
}


@pytest.mark.parametrize("words", REFUSED)
def test_refused_in_one_sentence(call: Call, place: Path, words: str) -> None:
    given = log(60)
    pacsv.write_csv(given.slice(0, 5), place / "short.csv")
    pacsv.write_csv(given.set_column(1, "flow", pa.array([1.0] * 60)).drop(["temp"]), place / "flat.csv")
    pacsv.write_csv(given.rename_columns(["when", "flow", "tmp"]), place / "renamed.csv")
    pacsv.write_csv(given.append_column("extra", given["flow"]), place / "more.csv")
    pacsv.write_csv(given.set_column(1, "flow", pa.array([np.inf] * 60)), place / "infinite.csv")
    before = snapshot(place)
    said = call(*REFUSED[words])
    assert said.code == 2, said
    assert said.out == ""
    assert words in said.err
    assert len(said.err.splitlines()) == 1
    assert snapshot(place) == before


@pytest.mark.parametrize("option", [("--per-day", "1"), ("--causal",)])
def test_what_tables_do_not_have(call: Call, place: Path, option: tuple[str, ...]) -> None:
    fit = ("fit", "normal.csv", "-o", "rows", "--modality", "tabular", "--recipe", "mahalanobis", "-q")
    assert call(*fit).code == 0
    said = call("score", "rows", "new.csv", *option)
    assert (said.code, len(said.err.splitlines())) == (2, 1)
    assert f"{option[0]} is for series" in said.err


def test_one_channel_without_any_reading_is_noted(call: Call, place: Path) -> None:
    given = log(800).set_column(2, "temp", pa.nulls(800, pa.float64()))
    pacsv.write_csv(given, place / "silent.csv")
    said = call("fit", "silent.csv", "-o", "fresh", "--recipe", "small.yaml", "--rate", 0.005)
    assert said.code == 0, said.err
    assert "temp holds no reading" in said.err
    said = call("score", "fresh", "silent.csv", "-o", "out.csv")
    assert said.code == 0
    assert np.isfinite(pacsv.read_csv(place / "out.csv")["score"].to_numpy()).all()


def test_stdin(call: Call, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for arguments in (("fit", "-", "-o", "fresh", "--modality", "series", "--recipe", "small.yaml", "--rate", 0.002),):
        with (place / "normal.csv").open() as file:
            monkeypatch.setattr(sys, "stdin", file)
            assert call(*arguments).code == 0
    with (place / "new.csv").open() as file:
        monkeypatch.setattr(sys, "stdin", file)
        said = call("score", "fresh", "-", "-o", "-")
    assert said.out.splitlines()[0] == '"row","time","score","p_value","alarm","event"'
    assert len(said.out.splitlines()) == 601
