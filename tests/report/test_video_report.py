"""The page of video: it answers first, shows events as strips, scores over time, and needs nothing from outside."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anodiff.data.film import film
from anodiff.detect_video import VideoDetector
from anodiff.report.video_findings import VideoFindings, video_findings
from anodiff.report.video_plots import BINS, curve
from anodiff.report.video_render import render_video
from anodiff.report.video_survey import closer, video_survey
from anodiff.report.video_words import headline, how_often
from video_toys import moving, normal, planted

EVIL = "<script>alert('x')</script>"
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(scope="module")
def detector() -> VideoDetector:
    return moving(40, 3, given={"false_alarm_rate": 0.02})


@pytest.fixture(scope="module")
def clips() -> dict[str, np.ndarray]:
    return {EVIL: planted(("fast", "intruder"), frames=100).frames, "calm": normal(7, 30)}


@pytest.fixture(scope="module")
def found(detector: VideoDetector, clips: dict[str, np.ndarray]) -> VideoFindings:
    return video_findings(detector, clips, model="gate", name="new")


def test_its_events_are_those_of_the_detector(
    detector: VideoDetector, clips: dict[str, np.ndarray], found: VideoFindings
) -> None:
    events = [each.to_dict() for each in detector.events(clips)]
    assert len(events) > 1
    assert [{k: v for k, v in each.items() if k != "number"} for each in found.listed] == events
    assert [each["number"] for each in found.listed] == list(range(1, len(events) + 1))
    assert [each["score"] for each in found.worst] == sorted([each["score"] for each in events], reverse=True)
    assert found.data is not None
    assert found.data["frames"] == 130
    assert found.data["alarms"] == sum(int(each.sum()) for each in detector.predict(clips).values())
    assert f"{len(events)} events in 13 s of video (2 clips)" in found.headline


def test_only_the_worst_are_shown(detector: VideoDetector, clips: dict[str, np.ndarray], found: VideoFindings) -> None:
    few = video_findings(detector, clips, worst=1)
    assert [each["number"] for each in few.worst] == [found.worst[0]["number"]]
    assert len(few.stills) == 1
    assert few.listed == found.listed


def test_stills_show_the_frame_at_the_peak(detector: VideoDetector, clips: dict[str, np.ndarray]) -> None:
    survey = video_survey(detector, [], 3)
    assert (survey.events, survey.frames, len(survey.scores)) == (0, 0, 0)
    (still, *_), (event, *_) = video_findings(detector, clips).stills, detector.events(clips)
    worst = max(detector.events(clips), key=lambda each: each.score)
    assert event.clip == EVIL
    frame = clips[EVIL][worst.peak]
    shown = still.heat.mean(2)[:: still.heat.shape[0] // 48][:48].mean(1)
    assert np.corrcoef(shown, frame.mean(1))[0, 1] > 0.9
    assert still.expected is not None
    assert still.frame.shape == still.heat.shape == still.expected.shape


def test_a_page_needs_nothing_from_outside_and_escapes_names(found: VideoFindings) -> None:
    page = render_video(found)
    assert EVIL not in page
    assert "&lt;script&gt;" in page
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert sources
    assert all(each.startswith(("data:", "#")) for each in sources)
    assert "<script" not in page
    assert len(page) < 2_000_000
    assert page.count("<article") == len(found.worst)
    assert json.loads(json.dumps(found.to_dict()))["headline"] == found.headline


def test_a_report_without_video_is_of_the_fit(detector: VideoDetector) -> None:
    found = video_findings(detector)
    page = render_video(found)
    assert found.data is None
    assert "A detector that learnt 120 frames of 3 clips" in page
    assert "No video was judged" in page


def test_nothing_happened_is_said(detector: VideoDetector) -> None:
    calm = copy.copy(detector).set_params(false_alarm_rate=1e-4)
    page = render_video(video_findings(calm, normal(0, 40)))
    assert "No event in 4 s of video" in page
    assert "Nothing happened" in page


def test_what_could_not_be_read_is_listed(detector: VideoDetector, tmp_path: Path) -> None:
    film(tmp_path / "a.mp4", normal(3, 30), 10)
    (tmp_path / "b.mp4").write_bytes(b"no video")
    found = video_findings(detector, tmp_path)
    assert found.data is not None
    assert [each["name"] for each in found.data["unread"]] == ["b.mp4"]
    assert not all(each["good"] for each in found.trust)
    assert "b.mp4 could not be read" in render_video(found)


def test_curves_keep_the_highest_of_long_clips() -> None:
    scores = np.zeros(10_000)
    scores[7777] = 9.0
    drawn = curve((np.arange(10_000) / 25).tolist(), scores.tolist())
    assert len(drawn["score"]) == BINS
    assert max(drawn["score"]) == 9.0
    assert drawn["score"].index(9.0) == int(7777 / 10_000 * BINS)
    assert curve([], []) == {"span": [0.0, 1.0], "score": []}


def test_frames_that_are_skipped_take_the_last_score() -> None:
    drawn = curve([0.0, 1.0, 2.0, 6.0], [1.0, 2.0, 3.0, 4.0])
    assert None not in drawn["score"]
    assert drawn["score"] == sorted(drawn["score"])


def test_a_closer_look_is_given_where_there_is_more_to_see() -> None:
    picture = np.zeros((1080, 1920, 3), np.uint8)
    near = closer(picture, (900, 500, 950, 560))
    assert near is not None
    assert max(near.shape) == 300
    assert closer(picture, (0, 0, 1800, 1000)) is None


def test_headlines_count_by_the_clock_where_there_is_one() -> None:
    data: dict[str, Any] = {"events": 1, "frames": 9, "passed": None, "expected": 0.1, "clips": 1, "unread": []}
    assert headline(data, {}, {}).startswith("1 event in 9 frames;")
    assert how_often({"rate": 0.001, "per_hour": 36.0}) == "about 36 an hour"
