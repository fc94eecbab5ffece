from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from toys_for_bench import save

from anodiff.bench.labels import labels, parted
from anodiff.bench.protocols import PROTOCOLS, levels, protocol
from anodiff.bench.sets import TOYS, Source, sources
from anodiff.data import Table, benchmarks
from anodiff.types import Misfit, Unreadable

PLAN = PROTOCOLS["shuffled"]


@pytest.mark.parametrize(
    ("words", "anomaly", "expected"),
    [
        (["0", "1", "0"], None, [0, 1, 0]),
        (["True", "false", "True"], None, [1, 0, 1]),
        (["ok", "bad", "ok"], "bad", [0, 1, 0]),
        (["1", "2", "3"], "3", [0, 0, 1]),
        (["0", "1", "1"], "0", [1, 0, 0]),
    ],
)
def test_labels_are_read(words: list[str], anomaly: str | None, expected: list[int]) -> None:
    assert labels(words, anomaly, "mine").tolist() == expected


@pytest.mark.parametrize("column", [[1, 0], [1.0, 0.0], [True, False], ["1", "0"]])
def test_a_label_of_any_type(column: list[object]) -> None:
    table = Table(pa.table({"a": [1.0, 2.0], "y": column}))
    rest, y = parted(table, "y", None, "mine")
    assert (rest.names, y.tolist()) == (["a"], [1, 0])


def test_labels_that_say_nothing_are_refused() -> None:
    with pytest.raises(Unreadable, match="--anomaly VALUE"):
        labels(["ok", "bad"], None, "mine")
    with pytest.raises(Misfit, match="never says 'evil'"):
        labels(["ok", "bad"], "evil", "mine")
    with pytest.raises(Unreadable, match="empty in 1 rows"):
        parted(Table(pa.table({"a": [1, 2], "y": [1, None]})), "y", None, "mine")


def test_a_folder_of_npz_and_csv(tmp_path: Path) -> None:
    save(tmp_path, "arrays")
    rows = Table(pa.table({"n": np.arange(50.0), "c": ["a", "b"] * 25, "y": [0] * 45 + [1] * 5}))
    pq.write_table(rows.arrow, tmp_path / "frame.parquet")
    (tmp_path / "notes.txt").write_text("hello")
    found = sources(str(tmp_path), PLAN, "y", None, None)
    assert [source.name for source in found] == ["arrays", "frame"]
    arrays, frame = (source.load() for source in found)
    assert isinstance(arrays.X, np.ndarray)
    assert (arrays.y.sum(), frame.y.sum()) == (24, 5)
    assert isinstance(frame.X, Table)
    assert frame.X.names == ["n", "c"]
    assert sources(str(tmp_path), PLAN, "y", None, ["frame"])[0].name == "frame"


def test_empty_folders_and_twins_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="holds no"):
        sources(str(tmp_path), PLAN, None, None, None)
    save(tmp_path, "one")
    (tmp_path / "one.csv").write_text("a\n1\n")
    with pytest.raises(Misfit, match="one twice"):
        sources(str(tmp_path), PLAN, None, None, None)


def test_without_public_data_there_is_something(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANODIFF_DATA", raising=False)
    found = sources(None, PLAN, None, None, None)
    assert [source.name for source in found] == sorted(TOYS)
    assert found[-1].load().y.sum() == 48
    assert benchmarks.published("published", "auroc") == {}


def test_public_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A layout like the public one, with a published table whose names need a map."""
    tables = tmp_path / "tabular"
    for part in ("adbench", "published"):
        (tables / part).mkdir(parents=True)
    save(tables / "adbench", "9_toy")
    (tables / "adbench.csv").write_text("name,published_name\n9_toy,toy\n")
    (tables / "published" / "dte_semi_aucroc.csv").write_text("dataset,KNN,DTE-C\ntoy,80.5,90\nother,1,2\n")
    monkeypatch.setenv("ANODIFF_DATA", str(tmp_path))
    assert list(benchmarks.paths("adbench")) == ["9_toy"]
    assert benchmarks.published("published", "auroc") == {"9_toy": {"KNN": 80.5, "DTE-C": 90.0}}
    assert sources(None, PLAN, None, None, None) == [Source("9_toy", str(tables / "adbench" / "9_toy.npz"))]


@pytest.mark.data
def test_the_public_sets_are_found() -> None:
    assert len(benchmarks.paths("adbench")) == 26
    assert len(benchmarks.paths("fresh")) == 12
    assert len(benchmarks.published("published", "auroc")) == 26


def test_levels_are_read_and_checked() -> None:
    assert levels(protocol("contaminated"), "0,0.05") == (0.0, 0.05)
    assert levels(protocol("anytime"), "default,4") == (None, 4)
    assert levels(protocol("small"), None) == (20, 50, 100)
    for name, text in {
        "contaminated": "0.7",
        "small": "2.5",
        "missing": "x",
        "shuffled": "1",
        "examples": "1,1",
    }.items():
        with pytest.raises(Misfit):
            levels(protocol(name), text)


def test_dropped_columns_are_seen_by_nobody(tmp_path: Path) -> None:
    rows = pa.table({"id": range(50), "n": np.arange(50.0), "y": [0] * 45 + [1] * 5})
    pq.write_table(rows, tmp_path / "frame.parquet")
    (source,) = sources(str(tmp_path), PLAN, "y", drop=("id",))
    assert source.load().X.names == ["n"]
    with pytest.raises(Misfit, match="cannot drop ID"):
        sources(str(tmp_path), PLAN, "y", drop=("ID",))[0].load()
