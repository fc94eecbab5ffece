import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from cli_calls import Call, write_table

QUICK = ("--recipe", "mahalanobis", "--rivals", "knn", "--seeds", "2", "--jobs", "0")


@pytest.fixture
def labelled(place: Path) -> Path:
    write_table(place / "mine.csv", 200, seed=2, bad=12)
    lines = (place / "mine.csv").read_text().splitlines()
    told = [f"{line},{'bad' if 1 <= i <= 12 else 'good'}" for i, line in enumerate(lines)]
    told[0] = f"{lines[0]},state"
    (place / "mine.csv").write_text("\n".join(told) + "\n")
    return place / "mine.csv"


def test_a_table_with_labels(call: Call, labelled: Path) -> None:
    said = call("bench", labelled.name, "--label", "state", "--anomaly", "bad", *QUICK, "-o", "out")
    assert (said.code, said.err) == (0, "")
    first = said.out.splitlines()[0]
    assert first.startswith("anodiff ")
    assert "knn" in first
    assert "seeds of one set" in " ".join(said.out.split())
    assert "summary.md" in said.out
    assert "anodiff bench --redo out/results.json" in said.out


def test_a_table_without_labels_says_made(call: Call) -> None:
    said = call("bench", "normal.csv", *QUICK, "--json", "-o", "out")
    facts = json.loads(said.out)
    assert (said.code, facts["protocol"]) == (0, "unlabelled")
    assert facts["metrics"] == ["made_swapped_auroc", "made_pushed_auroc"]
    ours = next(row for row in facts["levels"][0]["methods"] if row["method"] == "anodiff")
    assert 0 <= ours["false_alarms"]["0.05"]["pooled"] <= 0.2
    page = Path("out/summary.md").read_text()
    assert "made swapped" in page
    assert "no number on them is about real ones" in page


def test_a_folder_of_sets_redone_and_compared(call: Call, place: Path) -> None:
    (place / "sets").mkdir()
    draw = np.random.default_rng(0)
    for name in ("a", "b"):
        X = draw.normal(size=(150, 3))
        y = np.arange(150) % 10 == 0
        X[y] += 3
        np.savez(place / "sets" / f"{name}.npz", X=X, y=y.astype(int))
    assert call("bench", "sets", "--protocol", "shuffled", *QUICK, "-o", "old", "-q").code == 0
    again = call("bench", "--redo", "old/results.json", "--jobs", "0")
    assert (again.code, "The same" in again.out) == (0, True)
    assert call("bench", "--compare", "old", "old-again").code == 0
    shown = call("bench", "--show", "old", "--show", "old-again")
    assert shown.out.count("## old") == 2
    found = json.loads(Path("old-again/results.json").read_text())
    found["records"][0]["auroc"] -= 7
    Path("old-again/results.json").write_text(json.dumps(found))
    other = call("bench", "--compare", "old", "old-again")
    assert other.code == 1
    assert "(-7.00)" in other.out
    small = call("bench", "sets", "--protocol", "small", "--levels", "20,50", *QUICK, "-o", "small")
    assert small.code == 0
    assert "50 training rows: anodiff" in " ".join(small.out.split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["mine.csv", "--label", "nope"], "no column 'nope'"),
        (["mine.csv", "--label", "state"], "--anomaly VALUE"),
        (["mine.csv", "--label", "state", "--anomaly", "evil"], "never says 'evil'"),
        (["nowhere.csv"], "no file or folder"),
        (["empty"], "holds no"),
        (["--protocol", "best"], "no protocol 'best'"),
        (["--rivals", "knm"], "no rival 'knm'"),
        (["--sets", "moon"], "no set moon"),
        (["--protocol", "contaminated", "--levels", "0.9"], "goes from 0 to 0.5"),
        (["--redo", "nowhere"], "no results at nowhere"),
        (["--compare", "model", "model"], "no results at model"),
        (["--show", "broken"], "damaged"),
        (["normal.csv", "--protocol", "shuffled"], "has no labels"),
        (["broken.parquet"], "broken.parquet"),
    ],
)
def test_refusals_are_one_sentence(call: Call, place: Path, labelled: Path, arguments: list[str], said: str) -> None:
    (place / "empty").mkdir()
    (place / "broken").mkdir()
    (place / "broken" / "results.json").write_text('{"format": 1, "settings"')
    (place / "broken.parquet").write_text("no")
    told = call("bench", *arguments, "--jobs", "0")
    assert (told.code, told.out) == (2, "")
    assert said in told.err
    assert len(told.err.splitlines()) == 1
    assert not (place / "anodiff-bench").exists()


def test_ctrl_c_keeps_what_is_done_and_the_same_command_goes_on(place: Path) -> None:
    words = ["bench", "--sets", "wine,breast_cancer", "--recipe", "mahalanobis", "--rivals", "knn", "--seeds", "150"]
    heeded = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"  # a job in the background does not
    )
    program = [
        sys.executable,
        "-c",
        f"{heeded}; from anodiff.cli import main; main()",
        *words,
        "--jobs",
        "1",
        "-o",
        "out",
    ]
    env = {k: v for k, v in os.environ.items() if k != "ANODIFF_DATA"} | {"OMP_NUM_THREADS": "1"}
    running = subprocess.Popen(program, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, text=True)
    for _ in range(600):
        if records(place) or running.poll() is not None:
            break
        time.sleep(0.1)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130, err
    assert "the same command goes on" in err
    assert "Traceback" not in err
    kept = records(place)
    assert 2 <= len(kept) < 600
    assert (place / "out" / "summary.md").is_file()


def records(place: Path) -> list[object]:
    path = place / "out" / "results.json"
    return json.loads(path.read_text())["records"] if path.is_file() else []


def test_help_of_bench_does_not_wait_for_torch() -> None:
    program = (
        "import sys; from anodiff.cli import run; run(['bench', '--help']);"
        "sys.exit(any(m in sys.modules for m in ('torch', 'sklearn', 'pyarrow', 'matplotlib', 'pyod')))"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True).returncode == 0
