"""Video on the command line: fitted, scored, filmed, explained, reported, watched; what cannot be is one sentence."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow.csv as pacsv
import pytest
from cli_calls import Call, Said, snapshot
from PIL import Image

import anodiff
from anodiff import Detector
from anodiff.cli import run
from anodiff.cli.video_watch import Asked
from anodiff.data.film import film
from film_toys import sound
from video_toys import QUICK, normal, planted, small

COLUMNS = ["clip", "frame", "time", "score", "p_value", "alarm", "event", "part.pace"]
FIT = ("fit", "normal", "-o", "fresh", "--size", "64", "--stride", "3", "--set", "denoisers.learnt.steps=20")
STOPS = {signal.SIGINT: 130, signal.SIGTERM: 143}
MAIN = "from anodiff.cli import main; main()"
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """normal/ with two clips, odd.mp4 in which somebody runs, frames/ of it, and a model."""
    folder = tmp_path_factory.mktemp("filmed")
    (folder / "normal").mkdir()
    (folder / "frames").mkdir()
    clips = [normal(seed, 60) for seed in range(3)]
    for i, frames in enumerate(clips):
        film(folder / "normal" / f"{i}.mp4", frames, 10)
    odd = planted().frames
    film(folder / "odd.mp4", odd, 10)
    for i, frame in enumerate(odd[:60]):
        Image.fromarray(frame).save(folder / "frames" / f"{i:03}.png")
    detector = Detector(small(appearance=False), changes=QUICK, false_alarm_rate=0.02).fit(clips)
    detector.save(folder / "model")
    unclocked = Detector(small(appearance=False, rate=None), changes=QUICK, false_alarm_rate=0.02).fit(clips)
    unclocked.save(folder / "unclocked")
    return folder


@pytest.fixture
def place(tmp_path: Path, learnt: Path) -> Path:
    shutil.copytree(learnt, tmp_path, dirs_exist_ok=True)
    return tmp_path


def events_of(path: Path, **settings: bool) -> list[dict[str, Any]]:
    return [each.to_dict() for each in anodiff.load(path / "model").inner_.events(str(path / "odd.mp4"), **settings)]


def refused(call: Call, place: Path, *arguments: object) -> str:
    """What a command says that refuses: one line, and nothing is written."""
    before = snapshot(place)
    said = call(*arguments)
    lines = [line for line in said.err.splitlines() if "warning:" not in line]
    assert said.code == 2, said
    assert len(lines) == 1, said.err
    assert "Traceback" not in said.err
    assert snapshot(place) == before
    return lines[0]


def test_a_folder_of_clips_is_fitted(call: Call, place: Path) -> None:
    said = call(*FIT, "--per-hour", 600, "--json")
    assert said.code == 0, said.err
    facts = json.loads(said.out)
    assert (facts["clips"], facts["frames"], facts["frames_per_second"]) == (3, 60, 10.0)
    assert facts["false_alarms_per_hour"] == pytest.approx(600)
    assert (place / "fresh" / "card.md").is_file()
    told = call("info", "fresh")
    assert "video, recipe video, learnt from 60 frames of 3 clips" in " ".join(told.out.split())


def test_frames_are_scored_as_the_detector_scores_them(call: Call, place: Path) -> None:
    said = call("score", "model", "odd.mp4", "-o", "f.csv", "--json")
    assert said.code == 0, said.err
    table, facts = pacsv.read_csv(place / "f.csv"), json.loads(said.out)
    scores = anodiff.load(place / "model").decision_function(str(place / "odd.mp4"))
    assert table.column_names == COLUMNS
    assert np.allclose(table["score"], scores)
    assert [{k: v for k, v in each.items() if k != "number"} for each in facts["events"]] == events_of(place)
    numbers = {n for n in table["event"].to_pylist() if n is not None}
    assert numbers == {each["number"] for each in facts["events"]} != set()
    assert facts["alarms"] == sum(table["alarm"].to_pylist())


def test_causal_scores_are_those_of_the_past(call: Call, place: Path) -> None:
    assert call("score", "model", "odd.mp4", "-o", "f.csv", "--causal").code == 0
    scores = anodiff.load(place / "model").inner_.decision_function(str(place / "odd.mp4"), causal=True)
    assert np.allclose(pacsv.read_csv(place / "f.csv")["score"], scores)


def test_score_and_film_come_of_one_pass(call: Call, place: Path) -> None:
    assert call("score", "model", "odd.mp4", "-o", "f.csv", "--film", "found.mp4").code == 0
    assert call("score", "model", "odd.mp4", "-o", "g.csv").code == 0
    assert (place / "f.csv").read_bytes() == (place / "g.csv").read_bytes()
    with av.open(str(place / "found.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 90


def test_words_say_what_happened_and_what_next(call: Call) -> None:
    said = " ".join(call("score", "model", "odd.mp4").out.split())
    assert "events in 90 frames" in said or "1 event in 90 frames" in said
    assert "Event 1: odd.mp4, frames " in said
    assert "Next: anodiff explain model odd.mp4" in said


def test_a_folder_of_frames_is_scored_as_a_clip(call: Call, place: Path) -> None:
    assert call("score", "model", "frames", "-o", "f.csv").code == 0
    assert set(pacsv.read_csv(place / "f.csv")["clip"].to_pylist()) == {"frames"}


def test_rates_by_the_hour_need_a_clock(call: Call, place: Path) -> None:
    assert call("score", "model", "odd.mp4", "--per-hour", 3000).code == 0
    assert "per_hour=60" in refused(call, place, "score", "unclocked", "frames", "--per-hour", 60)
    assert "not both" in refused(call, place, "score", "model", "odd.mp4", "--per-hour", 60, "--rate", 0.1)


def test_the_worst_events_are_explained(call: Call, place: Path) -> None:
    said = call("explain", "model", "odd.mp4", "--top", 1, "--json")
    assert said.code == 0, said.err
    (event,) = json.loads(said.out)["events"]
    assert event["sentence"]
    assert call("explain", "model", "odd.mp4").code == 0


def test_a_report_is_one_page(call: Call, place: Path) -> None:
    said = call("report", "model", "odd.mp4", "-o", "page.html", "--json")
    assert said.code == 0, said.err
    assert json.loads(said.out)["data"]["events"] == len(events_of(place))
    assert (place / "page.html").read_text().startswith("<!doctype html>")


def watched(said: Said) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said.out.splitlines()]


def test_watching_a_file_tells_what_its_causal_events_are(call: Call, place: Path) -> None:
    said = call("watch", "model", "odd.mp4", "--once")
    assert said.code == 0, said.err
    lines = watched(said)
    closed = [{k: v for k, v in each.items() if k != "kind"} for each in lines if each["kind"] != "opened"]
    assert closed == events_of(place, causal=True) != []
    assert [each["kind"] for each in lines][:2] == ["opened", "closed"]
    assert f"90 frames, {len(closed)} event" in said.err


def test_watching_a_folder_tells_every_frame_if_asked(call: Call, place: Path) -> None:
    said = call("watch", "model", "frames", "--once", "--every", "--poll", 0.01)
    assert said.code == 0, said.err
    frames = [each for each in watched(said) if each["kind"] == "frame"]
    scores = anodiff.load(place / "model").inner_.decision_function(str(place / "frames"), causal=True)
    assert np.allclose([each["score"] for each in frames], scores)
    assert [each["time"] for each in frames] == pytest.approx(np.arange(60) / 10)


def test_a_clip_keeps_its_own_rate_beside_that_of_fit(call: Call, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film(place / "quick.mp4", normal(5, 26), 25)
    said = call("score", "model", "quick.mp4", "-o", "quick.csv")
    assert "25 frames a second, 10 in fit" in said.err
    assert pacsv.read_csv(place / "quick.csv")["time"].to_pylist()[-1] == pytest.approx(1)

    class Stdin:
        buffer = io.BytesIO((place / "quick.mp4").read_bytes())

    monkeypatch.setattr("sys.stdin", Stdin)
    for source in ("quick.mp4", "-"):
        assert watched(call("watch", "model", source, "--every"))[-1]["time"] == pytest.approx(1)
    assert watched(call("watch", "model", "quick.mp4", "--every", "--fps", 5))[-1]["time"] == pytest.approx(5)


def test_a_film_does_not_replace_the_clip_that_it_shows(call: Call, place: Path) -> None:
    said = refused(call, place, "score", "model", "odd.mp4", "--film", "odd.mp4", "--overwrite")
    assert "is the clip itself" in said


def test_video_on_stdin_is_watched(call: Call, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stdin:
        buffer = io.BytesIO((place / "odd.mp4").read_bytes())

    monkeypatch.setattr("sys.stdin", Stdin)
    said = call("watch", "model", "-", "--rate", 0.02)
    assert said.code == 0, said.err
    assert watched(said)[0]["clip"] == "stdin"


def test_a_watch_that_is_stopped_says_how_much_it_saw(place: Path) -> None:
    command = [sys.executable, "-c", MAIN, "watch", "model", "frames", "--poll", "0.05"]
    started = [
        subprocess.Popen(command, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for running, (number, code) in zip(started, STOPS.items(), strict=True):
        assert running.stdout is not None
        assert json.loads(running.stdout.readline())["kind"] == "opened"
        running.send_signal(number)
        _, told = running.communicate(timeout=60)
        assert running.returncode == code, told
        assert " frames, 1 event." in told
        assert "Traceback" not in told


def test_signals_are_noted_only_while_they_are_heard() -> None:
    asked, before = Asked(), signal.getsignal(signal.SIGTERM)
    with asked.heard():
        os.kill(os.getpid(), signal.SIGTERM)
        began = time.monotonic()
        asked.rest(60)
        assert time.monotonic() - began < 30
    assert asked()
    assert signal.getsignal(signal.SIGTERM) is before


HOSTILE = {
    "there is none": (("score", "model", "none.mp4"), "no file or folder none.mp4"),
    "it is empty": (("score", "model", "empty.mp4"), "empty"),
    "it is sound": (("score", "model", "sound.mp4"), "no video"),
    "it is text": (("score", "model", "text.mp4"), "no video that can be decoded"),
    "a folder without frames": (("score", "model", "nothing"), "holds no clip"),
    "one frame is no normal video": (("fit", "one.mp4", "-o", "fresh"), "frames"),
    "an empty clip to learn": (("fit", "empty.mp4", "-o", "fresh"), "empty"),
    "a film of several": (("score", "model", "normal", "--film", "x.mp4"), "--film is of one clip, and there are 3"),
    "a film that is none": (("score", "model", "odd.mp4", "--film", "x.gif"), "ends in .mp4"),
    "a film that is there": (("score", "model", "odd.mp4", "--film", "one.mp4"), "exists"),
    "a film of itself": (("score", "model", "odd.mp4", "--film", "odd.mp4", "--overwrite"), "is the clip itself"),
    "fdr": (("score", "model", "odd.mp4", "--fdr", "0.1"), "--fdr of score is not for video"),
    "keep": (("score", "model", "odd.mp4", "--keep"), "--keep of score is not for video"),
    "a row": (("explain", "model", "odd.mp4", "--row", "3"), "--row of explain is not for video"),
    "per day": (("watch", "model", "odd.mp4", "--per-day", "1"), "--per-day of watch is not for video"),
    "entities": (("watch", "model", "odd.mp4", "--entities", "3"), "--entities of watch is not for video"),
    "watching videos": (("watch", "model", "normal"), "holds video files"),
    "watching nothing": (("watch", "model", "none"), "check the path"),
    "two rates": (("watch", "model", "odd.mp4", "--rate", "0.1", "--per-hour", "6"), "not both"),
    "an entity": (("fit", "normal", "-o", "fresh", "--entity", "a"), "--entity is for series"),
    "examples": (("fit", "normal", "-o", "fresh", "--examples", "odd.mp4"), "--examples of fit is not for video"),
    "a size that is none": (("fit", "normal", "-o", "fresh", "--size", "3"), "size is 3"),
    "a recipe of tables": (("fit", "normal", "-o", "fresh", "--recipe", "table"), "recipe 'table' is for tabular"),
    "a report over another": (("report", "model", "empty.mp4", "-o", "odd.mp4"), "exists"),
    "a report of nothing": (("report", "model", "empty.mp4", "-o", "new.html"), "empty"),
}


@pytest.mark.parametrize("case", HOSTILE, ids=str)
def test_what_cannot_be_is_refused_in_a_line(call: Call, place: Path, case: str) -> None:
    (place / "empty.mp4").touch()
    (place / "text.mp4").write_text("no video at all\n" * 50)
    (place / "nothing").mkdir()
    sound(place / "sound.mp4")
    film(place / "one.mp4", normal(0, 1), 10)
    arguments, told = HOSTILE[case]
    assert told in refused(call, place, *arguments)


def test_options_of_video_are_for_video_alone(call: Call, place: Path) -> None:
    (place / "rows.csv").write_text("a,b\n" + "".join(f"{i},{i * i}\n" for i in range(40)))
    assert run(["fit", "rows.csv", "-o", "rows", "--recipe", "mahalanobis", "-q"]) == 0
    assert "--film is for video" in refused(call, place, "score", "rows", "rows.csv", "--film", "x.mp4")
    assert "--per-hour is for video" in refused(call, place, "watch", "rows", "rows.csv", "--per-hour", 1)
    assert "--fps is for video" in refused(
        call, place, "fit", "rows.csv", "-o", "z", "--modality", "tabular", "--fps", 9
    )


def test_one_frame_is_scored(call: Call, place: Path) -> None:
    film(place / "one.mp4", normal(0, 1), 10)
    said = call("score", "model", "one.mp4", "-o", "one.csv")
    assert said.code == 0, said.err
    assert len(pacsv.read_csv(place / "one.csv")) == 1
