"""`anodiff watch`: what it prints is what the whole file would have said; whatever is written into it, it goes on."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pytest
from cli_calls import Call, Said

import anodiff
from anodiff import Detector
from anodiff.cli import run
from anodiff.modalities.series import Series
from series_toys import SMALL, log, waves

RATE = 0.004


@pytest.fixture(scope="session")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models of a log, of machines, and of an array; `new.csv` has an anomaly at rows 300 to 305."""
    folder = tmp_path_factory.mktemp("watched")
    Detector("series", SMALL, false_alarm_rate=RATE).fit(log(1500)).save(folder / "model")
    by = Detector(Series(entity="machine"), SMALL, false_alarm_rate=RATE)
    by.fit(log(700, machines=("a", "b"), state=True)).save(folder / "machines")
    Detector("series", SMALL, false_alarm_rate=RATE).fit(waves(1500)).save(folder / "array")
    new = log(600, seed=1)
    flow = new["flow"].to_numpy() + 3.0 * np.isin(np.arange(600), range(300, 306))
    pacsv.write_csv(new.set_column(1, "flow", pa.array(flow)), folder / "new.csv")
    pacsv.write_csv(log(300, 2, machines=("a", "b"), state=True), folder / "two.csv")
    return folder


@pytest.fixture
def place(tmp_path: Path, watched: Path) -> Path:
    shutil.copytree(watched, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, place: Path) -> Call:
    monkeypatch.chdir(place)

    def told(*arguments: object) -> Said:
        capsys.readouterr()
        code = run([str(a) for a in arguments])
        return Said(code, *capsys.readouterr())

    return told


def printed(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def instants(text: str) -> list[dict[str, Any]]:
    return [each for each in printed(text) if each["kind"] == "instant"]


def scores(said: Said) -> list[float]:
    return [each["score"] for each in instants(said.out)]


def pipe(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def close(got: Any, wanted: Any) -> bool:
    return np.shape(got) == np.shape(wanted) and np.allclose(got, wanted, rtol=1e-5, atol=1e-5)


def offline(place: Path, table: Any, model: str = "model") -> np.ndarray:
    return np.asarray(anodiff.load(place / model).decision_function(table, causal=True))


class TestWhatIsPrinted:
    def test_events_of_the_whole_file(self, call: Call, place: Path) -> None:
        said = call("watch", "model", "new.csv", "--once")
        assert said.code == 0
        expected = anodiff.load(place / "model").events(place / "new.csv", causal=True)
        ended = [each for each in printed(said.out) if each["kind"] != "opened"]
        opened = [each["start_instant"] for each in printed(said.out) if each["kind"] == "opened"]
        assert [(e["start_instant"], e["end_instant"], e["peak_instant"]) for e in ended] == [
            (e.event.start, e.event.end, e.event.peak) for e in expected
        ]
        assert opened == [each.event.start for each in expected]
        assert {"start": "2024-01-01T05:00:00Z", "kind": "closed"}.items() <= next(
            each for each in ended if each["start_instant"] == 300
        ).items()
        assert f"600 instants, {len(expected)} events." in said.err

    def test_every_instant(self, call: Call, place: Path) -> None:
        said = call("watch", "model", "new.csv", "--once", "--every")
        assert close(scores(said), offline(place, place / "new.csv"))
        assert set(instants(said.out)[0]) == {"kind", "instant", "time", "score", "p_value", "alarm"}

    def test_stdin(self, call: Call, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        file = call("watch", "model", "new.csv", "--once")
        pipe(monkeypatch, (place / "new.csv").read_bytes())
        assert call("watch", "model") == file

    def test_entities_and_words(self, call: Call, place: Path) -> None:
        said = call("watch", "machines", "two.csv", "--once", "--every")
        assert close(scores(said), offline(place, place / "two.csv", "machines"))
        assert [each["entity"] for each in instants(said.out)] == ["a", "b"] * 300
        assert "600 instants of 2 entities" in said.err

    def test_quiet(self, call: Call) -> None:
        said = call("watch", "model", "new.csv", "--once", "-q")
        assert said.err == ""
        assert said.out

    def test_rates(self, call: Call) -> None:
        counts = [
            len(printed(call("watch", "model", "new.csv", "--once", *rate, "--fixed").out))
            for rate in (("--rate", 0.001), ("--per-day", 1.44), ("--rate", 0.05))
        ]
        assert counts[0] == counts[1] < counts[2]

    def test_an_array_was_fitted(self, call: Call, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        new = waves(200, seed=3)
        lines = "left,right\n" + "".join(f"{a},{b}\n" for a, b in new.tolist())
        pipe(monkeypatch, lines.encode())
        assert close(scores(call("watch", "array", "--every")), offline(place, new, "array"))


class Writer:
    """Writes into a file whenever the watcher finds nothing new."""

    def __init__(self, path: Path, *steps: Callable[[Path], object]) -> None:
        self.path, self.steps = path, list(steps)

    def __call__(self, _: float) -> None:
        if self.steps:
            self.steps.pop(0)(self.path)


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch, place: Path) -> Callable[..., Path]:
    """A file that is written to, step by step, while it is followed."""

    def begin(*steps: Callable[[Path], object], start: bytes = b"") -> Path:
        path = place / "growing.csv"
        path.write_bytes(start)
        writer = Writer(path, *steps)
        monkeypatch.setattr("anodiff.cli.watch.time.sleep", writer)
        return path

    return begin


def append(data: bytes) -> Callable[[Path], object]:
    def step(path: Path) -> None:
        with path.open("ab") as file:
            file.write(data)

    return step


FOLLOW = ("watch", "model", "growing.csv", "--idle", 2, "--poll", 1, "--every")


class TestFollowing:
    def test_lines_cut_anywhere(self, call: Call, place: Path, writes: Callable[..., Path]) -> None:
        data = (place / "new.csv").read_bytes()[:20_000]
        data = data[: data.rindex(b"\n") + 1]
        cuts = np.sort(np.random.default_rng(0).integers(0, len(data), 40)).tolist()
        parts = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
        writes(*(append(part) for part in parts))
        said = call(*FOLLOW)
        table = pacsv.read_csv(io.BytesIO(data))
        assert close(scores(said), offline(place, table))

    def test_the_end_of_a_line_that_never_comes(self, call: Call, writes: Callable[..., Path]) -> None:
        writes(append(b"when,flow,temp\n2024-01-01T00:00:00,1,2\n2024-01-01T00:01:00,3.7"))
        said = call(*FOLLOW)
        assert len(scores(said)) == 1
        assert "has not ended" in said.err

    def test_a_rotated_file(self, call: Call, place: Path, writes: Callable[..., Path]) -> None:
        lines = (place / "new.csv").read_bytes().splitlines(keepends=True)

        def rotate(path: Path) -> None:
            path.rename(path.with_name("old.csv"))
            path.write_bytes(b"".join([lines[0], *lines[101:201]]))

        writes(append(b"".join(lines[:101])), rotate)
        said = call(*FOLLOW)
        assert close(scores(said), offline(place, pacsv.read_csv(place / "new.csv").slice(0, 200)))
        assert "cut back or replaced" in said.err

    def test_columns_that_change_their_order(self, call: Call, place: Path, writes: Callable[..., Path]) -> None:
        table = pacsv.read_csv(place / "new.csv").slice(0, 100)
        halves = []
        for part in (table.slice(0, 50), table.slice(50).select(["temp", "when", "flow"])):
            sink = io.BytesIO()
            pacsv.write_csv(part, sink)
            halves.append(sink.getvalue())
        writes(append(halves[0]), lambda path: path.write_bytes(halves[1]))
        assert close(scores(call(*FOLLOW)), offline(place, table))


BASE = [f"2024-01-01T00:{minute:02d}:00,0.{minute},0.5" for minute in range(60)]


def hostile(*lines: str, header: str = "when,flow,temp") -> bytes:
    return "\n".join([header, *BASE[:20], *lines, *BASE[40:]]).encode() + b"\n"


GOES_ON: dict[str, tuple[bytes, int, str]] = {
    "a word for a number": (hostile("2024-01-01T00:20:00,much,0.5"), 41, "'much', which is no finite number"),
    "an infinite number": (hostile("2024-01-01T00:20:00,inf,0.5"), 41, "'inf', which is no finite number"),
    "a missing cell": (hostile("2024-01-01T00:20:00,,NaN"), 41, ""),
    "no time": (hostile(",1,0.5"), 40, "Row 21 is left out: column when has no time in row 21"),
    "a time that is none": (hostile("yesterday,1,0.5"), 40, "Row 21 is left out: column when"),
    "too many fields": (hostile("2024-01-01T00:20:00,1,2,3"), 40, "has 4 fields, where 3 columns are"),
    "too few fields": (hostile("2024-01-01T00:20:00,1"), 40, "has 2 fields"),
    "binary bytes": (hostile("2024-01-01T00:20:00,\0,2"), 40, "binary"),
    "an earlier time": (hostile("2024-01-01T00:03:00,1,0.5"), 40, "is before the instant before it"),
    "the same time": (hostile("2024-01-01T00:19:00,1,0.5"), 40, "read before"),
    "the names again": (hostile("when,flow,temp"), 40, ""),
    "a time zone": (hostile("2024-01-01T02:20:00+02:00,1,0.5"), 41, ""),
    "blank lines": (hostile("", "  "), 40, ""),
}


@pytest.mark.parametrize("name", GOES_ON)
def test_goes_on(call: Call, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    data, taken, words = GOES_ON[name]
    pipe(monkeypatch, data)
    said = call("watch", "model", "--every")
    assert said.code == 0, said.err
    assert len([each for each in instants(said.out) if each.get("instant", -1) >= 0]) >= taken
    assert len({each["instant"] for each in instants(said.out) if each.get("instant", -1) >= 0}) == taken
    assert words in said.err
    assert f"{taken} instants, " in said.err
    assert "Traceback" not in said.err


def test_notes_of_one_kind_are_few(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe(monkeypatch, hostile(*(f"2024-01-01T00:{m}:00,bad,0.5" for m in range(20, 40))))
    said = call("watch", "model")
    assert said.err.count("no finite number") == 5
    assert "More like this are not shown" in said.err


REFUSED: dict[str, tuple[bytes, str]] = {
    "a channel renamed": (hostile(header="when,flow,tmp"), "missing temp"),
    "a channel added": (b"when,flow,temp,more\n2024-01-01T00:00:00,1,2,3\n", "unexpected more"),
    "a channel less": (b"when,flow\n2024-01-01T00:00:00,1\n", "missing temp"),
    "no names": (b"1,2,3\n4,5,6\n", "holds numbers"),
    "never a time": (b"when,flow,temp\n" + b"soon,1,2\n" * 30, "unexpected when"),
    "wide letters": ("when,flow,temp\n".encode("utf-16"), "utf-16"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_one_sentence(call: Call, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    data, words = REFUSED[name]
    pipe(monkeypatch, data)
    said = call("watch", "model", "-q")
    assert said.code == 2
    assert said.out == ""
    assert words in said.err
    assert len(said.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("watch", "model", "nothing.csv"), "no such file"),
        (("watch", "nothing"), "no anodiff model"),
        (("watch", "model", "new.csv", "--once", "--rate", "0.1", "--per-day", "1"), "--rate or --per-day"),
        (("watch", "model", "new.csv", "--once", "--rate", "7"), "--rate is 7"),
        (("watch", "array", "new.csv", "--once", "--per-day", "1"), "--per-day needs a clock"),
        (("watch", "machines", "new.csv", "--once"), "no column machine"),
        (("watch", "machines", "two.csv", "--once", "--entities", "1"), "1 may be followed"),
    ],
)
def test_bad_arguments(call: Call, arguments: tuple[str, ...], words: str) -> None:
    said = call(*arguments, "-q")
    assert (said.code, said.out) == (2, "")
    assert words in said.err
    assert len(said.err.splitlines()) == 1


def test_a_model_of_tables(call: Call, place: Path) -> None:
    Detector("tabular", "mahalanobis").fit(np.random.default_rng(0).normal(size=(100, 3))).save(place / "rows")
    said = call("watch", "rows", "new.csv", "--once")
    assert said.code == 2
    assert "use anodiff score" in said.err


def test_without_times_each_row_is_a_step(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe(monkeypatch, b"flow,temp\n" + b"0.1,0.2\n" * 50)
    said = call("watch", "model", "--every")
    assert len(scores(said)) == 50
    assert "no column of times" in said.err


def test_decimal_commas(call: Call, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (place / "new.csv").read_text().splitlines()[:101]
    head = text[0].replace('"', "").replace(",", ";")
    rows = [";".join(cell.replace(".", ",") for cell in line.split(",")) for line in text[1:]]
    rows = [row.replace(",000000", "") for row in rows]
    pipe(monkeypatch, "\n".join([head, *rows, ""]).encode())
    table = pacsv.read_csv(place / "new.csv").slice(0, 100)
    assert close(scores(call("watch", "model", "--every")), offline(place, table))


def test_nothing_comes(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe(monkeypatch, b"")
    said = call("watch", "model")
    assert (said.code, said.out) == (0, "")
    assert "0 instants" in said.err


@pytest.mark.parametrize(("sign", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_a_summary(place: Path, sign: signal.Signals, code: int) -> None:
    command = [sys.executable, "-m", "anodiff", "watch", "model", "new.csv", "--every", "--poll", "0.05"]
    heeded = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"  # a background job does not
    command[1:3] = ["-c", f"{heeded}; from anodiff.cli import main; main()"]
    out = (place / "out.jsonl").open("wb")
    watching = subprocess.Popen(
        command, cwd=place, stdout=out, stderr=subprocess.PIPE, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    for _ in range(600):
        if (place / "out.jsonl").read_bytes().count(b'"instant"') >= 550 or watching.poll() is not None:
            break
        time.sleep(0.1)
    watching.send_signal(sign)
    _, err = watching.communicate(timeout=60)
    assert watching.returncode == code, err
    assert b"Traceback" not in err
    said = instants((place / "out.jsonl").read_text())
    assert len(said) > 200
    assert f"{len(said)} instants, ".encode() in err


def test_whoever_reads_may_leave(place: Path) -> None:
    command = f"{sys.executable} -c 'from anodiff.cli import main; main()' watch model new.csv --once --every | head -2"
    done = subprocess.run(
        command, shell=True, cwd=place, capture_output=True, env=os.environ | {"OMP_NUM_THREADS": "1"}, timeout=120
    )
    assert len(done.stdout.splitlines()) == 2
    assert b"Traceback" not in done.stderr
