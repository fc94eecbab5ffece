"""Whoever interrupts finds nothing half-written."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_calls import Call, snapshot

import anodiff.saving
from anodiff.detect import Detector
from anodiff.report import render as rendering

MARKED = """
import time
from pathlib import Path
from anodiff.cli import main
from anodiff.detect import Detector
fitting = Detector.fitting
def marked(self, X, **given):
    for number, record in enumerate(fitting(self, X, **given)):
        if number == 3:
            Path("begun").touch()
            time.sleep(60)
        yield record
Detector.fitting = marked
main()
"""


def raise_interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(("sign", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_during_fit_leaves_nothing(place: Path, sign: signal.Signals, code: int) -> None:
    before = snapshot(place)
    command = [sys.executable, "-c", MARKED, "fit", "normal.csv", "-o", "fresh"]
    running = subprocess.Popen(
        command, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    for _ in range(600):
        if (place / "begun").exists() or running.poll() is not None:
            break
        time.sleep(0.1)
    running.send_signal(sign)
    out, err = running.communicate(timeout=60)
    assert running.returncode == code, err
    assert out == b""
    assert b"Traceback" not in err
    assert len(err.splitlines()) <= 1
    (place / "begun").unlink()
    assert snapshot(place) == before
    assert not (place / "fresh").exists()


def test_interrupting_the_save_leaves_nothing(call: Call, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = snapshot(place)
    monkeypatch.setattr(anodiff.saving, "card", raise_interrupt)
    said = call("fit", "normal.csv", "-o", "model", "--overwrite", "--recipe", "mahalanobis")
    assert said.code == 130
    assert "interrupted" in said.err
    assert snapshot(place) == before
    assert not [p for p in place.iterdir() if p.name.startswith(".")]


@pytest.mark.parametrize("output", ["out.csv", "out.parquet", "new.csv"])
def test_interrupting_score_leaves_what_was(
    call: Call, place: Path, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    score = Detector.decision_function
    calls = iter(range(10))

    def twice(self: Detector, X: object) -> object:
        return raise_interrupt() if next(calls) else score(self, X)

    monkeypatch.setattr(Detector, "decision_function", twice)
    monkeypatch.setattr("anodiff.report.passes.pieces.__defaults__", (10,))
    before = snapshot(place)
    assert call("score", "model", "new.csv", "-o", output, "--overwrite").code == 130
    assert snapshot(place) == before
    assert not [p for p in place.iterdir() if p.name.startswith(".")]


def test_a_full_disk_is_one_sentence(call: Call, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> Iterator[None]:
        raise OSError(28, "No space left on device")

    before = snapshot(place)
    monkeypatch.setattr(rendering, "score_plot", full)
    said = call("report", "model", "new.csv")
    assert (said.code, said.err) == (2, "anodiff: No space left on device.\n")
    assert snapshot(place) == before


def test_a_reader_that_leaves_is_no_failure(place: Path) -> None:
    program = f"{sys.executable} -c 'from anodiff.cli import main; main()' score model new.csv -q -o - | head -n 1"
    said = subprocess.run(
        ["bash", "-o", "pipefail", "-c", program],
        cwd=place,
        capture_output=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert (said.returncode, said.stderr) == (0, b"")
    assert said.stdout == b'"row","score","p_value","alarm"\n'


def test_help_does_not_wait_for_torch() -> None:
    program = (
        "import sys; from anodiff.cli import run; run(['fit', '--help']); run(['--version']);"
        "sys.exit(any(m in sys.modules for m in ('torch', 'sklearn', 'pyarrow', 'matplotlib')))"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True).returncode == 0
