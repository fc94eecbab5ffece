import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from toys_for_bench import save, settings

from anodiff.bench import results as files
from anodiff.bench.conclude import conclude, show
from anodiff.bench.run import again, prepare, proceed
from anodiff.bench.settings import Settings
from anodiff.bench.values import Book
from anodiff.types import Misfit, Refusal, Unreadable

TIMES = ("fit_seconds", "score_seconds", "seconds", "seconds_per_row", "megabytes")


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    folder = tmp_path / "sets"
    folder.mkdir()
    for seed, name in enumerate(("one", "two")):
        save(folder, name, seed=seed)
    return folder


def asked(place: Path, **changes: object) -> Settings:
    return settings(**{"data": str(place), **changes})


def run(
    chosen: Settings, folder: Path, jobs: int = 0, stop: int | None = None, overwrite: bool = False
) -> files.Results:
    results, found = prepare(chosen, folder, "anodiff bench", overwrite)
    for each in proceed(results, found, folder, jobs, overwrite):
        if stop is not None and each.done >= stop:
            return results
    conclude(results, folder)
    return results


def timeless(folder: Path) -> dict:
    """The file without what the clock and the memory say."""
    found = json.loads((folder / files.FILE).read_text())
    for record in found["records"]:
        for name in TIMES:
            record.pop(name, None)
    text = json.dumps(found["summary"])
    found["summary"] = [name for name in ("sets", "seeds", "finished") if name in text]
    return found


def test_an_interrupted_run_goes_on_and_ends_the_same(sets: Path, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    run(asked(sets), whole)
    run(asked(sets), parts, stop=1)
    begun = json.loads((parts / files.FILE).read_text())
    assert (len(begun["records"]), begun["finished"]) == (2, False)
    before = begun["records"]
    run(asked(sets), parts)
    assert timeless(parts) == timeless(whole)
    after = json.loads((parts / files.FILE).read_text())
    assert after["finished"] is True
    assert all(record in after["records"] for record in before)  # seconds too: not measured again


def test_records_are_whole(sets: Path, tmp_path: Path) -> None:
    results = run(asked(sets), tmp_path / "out")
    assert len(results.records) == 2 * 2 * 2
    flat = pq.read_table(tmp_path / "out" / "records.parquet")
    assert flat.num_rows == 8
    assert {"set", "seed", "method", "auroc", "n_train", "copies_near", "false_alarms_0.05"} <= set(flat.column_names)
    assert set(results.sets["one"]) == {"sha256", "rows", "columns", "anomalies"}
    again_ = files.read(tmp_path / "out")
    assert again_.to_dict() == json.loads((tmp_path / "out" / files.FILE).read_text()) | {
        "settings": again_.settings.to_dict()
    }
    text = (tmp_path / "out" / "summary.md").read_text()
    assert "anodiff ahead by" in text
    assert "out: shuffled" in show([tmp_path / "out"])


def test_other_settings_data_or_versions_are_refused(
    sets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    run(asked(sets, seeds=1), folder)
    with pytest.raises(FileExistsError, match="other settings \\(seeds\\)"):
        prepare(asked(sets), folder, "", False)
    with monkeypatch.context() as patch:
        patch.setattr("anodiff.bench.run.versions", lambda: {"anodiff": "0.0.0"})
        with pytest.raises(FileExistsError, match=r"this is 0\.0\.0"):
            prepare(asked(sets, seeds=1), folder, "", False)
    save(sets, "two", seed=9)
    with pytest.raises(FileExistsError, match="two differs"):
        prepare(asked(sets, seeds=1), folder, "", False)
    assert len(run(asked(sets, seeds=1), folder, overwrite=True).records) == 4


def test_a_folder_of_something_else_is_left_alone(sets: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(FileExistsError, match="left alone"):
            prepare(asked(sets), tmp_path / "mine", "", overwrite)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 1}', '{"format": 2}', '{"format": 1, "settings": {}}'])
def test_damaged_results_are_one_sentence(sets: Path, tmp_path: Path, content: str) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / files.FILE).write_text(content)
    with pytest.raises(Unreadable):
        prepare(asked(sets), folder, "", False)
    assert (folder / files.FILE).read_text() == content


def test_workers_give_what_this_process_gives_and_end_what_does_not_end(
    sets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    rivals = ("slow_rival.Slow", "slow_rival.Deadly", "knn")
    chosen = asked(sets, seeds=1, sets=("one",), rivals=rivals, rival_seconds=1)
    results = run(chosen, tmp_path / "crew", jobs=1)
    found = {record["method"]: record for record in results.records}
    assert "stopped after 1 seconds" in found["slow_rival.Slow"]["error"]
    assert "process died" in found["slow_rival.Deadly"]["error"]
    assert len(results.records) == 4
    assert any("slow_rival.Slow failed on one" in each for each in results.summary["warnings"])
    here = run(asked(sets, seeds=1, sets=("one",)), tmp_path / "here")
    for record in here.records:
        assert found[record["method"]]["auroc"] == pytest.approx(record["auroc"], abs=1e-9)


def test_levels_stand_beside_rivals_that_are_judged_once(sets: Path, tmp_path: Path) -> None:
    results = run(asked(sets, protocol="anytime", levels=(None, 4), seeds=1), tmp_path / "out")
    assert [r["level"] for r in results.records if r["method"] == "knn"] == [None, None]
    book = Book(results)
    assert book.values("knn", 4, "auroc") == book.values("knn", None, "auroc") != {}


def test_redo_reads_the_settings_back(sets: Path, tmp_path: Path) -> None:
    chosen = asked(sets, seeds=1, levels=(None,), changes={"a": 1}, sets=("one",))
    assert Settings.from_dict(json.loads(json.dumps(chosen.to_dict()))) == chosen
    run(asked(sets, seeds=1), tmp_path / "out")
    found, folder = again(tmp_path / "out" / files.FILE, None)
    assert found == asked(sets, seeds=1)
    assert folder == tmp_path / "out-again"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sets": ("three",)}, "no set three"),
        ({"rivals": ("knm",)}, "no rival"),
        ({"seeds": 0}, "seeds"),
        ({"split": "other"}, "split"),
        ({"recipe": "nothing"}, "nothing"),
        ({"data": "nowhere"}, "no file or folder"),
    ],
)
def test_what_cannot_be_had_is_refused_before_any_work(
    sets: Path, tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    with pytest.raises(Refusal, match=said):
        prepare(asked(sets, **changes), tmp_path / "out", "", False)
    assert not (tmp_path / "out").exists()


def test_one_class_and_few_rows_are_refused(tmp_path: Path) -> None:
    for name, y in {"none": np.zeros(60), "many": np.ones(60), "few": np.repeat([0, 1], [6, 6])}.items():
        np.savez(tmp_path / f"{name}.npz", X=np.random.default_rng(0).normal(size=(len(y), 2)), y=y)
        with pytest.raises(Unreadable, match=name):
            prepare(asked(tmp_path / f"{name}.npz"), tmp_path / "out", "", False)
    save(tmp_path, "good")
    with pytest.raises(Misfit, match="has labels"):
        prepare(asked(tmp_path / "good.npz", protocol="unlabelled"), tmp_path / "out", "", False)
