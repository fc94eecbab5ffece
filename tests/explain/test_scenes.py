"""Events of video explained: frame, map, a normal frame, shares that add up, and a sentence."""

import numpy as np
import pytest

from anodiff.detect_video import VideoDetector
from anodiff.types import Misfit
from video_toys import fitted, planted

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(scope="module")
def detector() -> VideoDetector:
    return fitted()


def test_the_worst_event_is_told_with_its_frame(detector: VideoDetector) -> None:
    walk = planted(["intruder"], seed=12)
    found = detector.explain({"gate": walk.frames}, top=2, false_alarm_rate=0.05)
    events = detector.events({"gate": walk.frames}, false_alarm_rate=0.05)
    assert [each.incident.score for each in found] == sorted((e.score for e in events), reverse=True)[:2]
    first = found[0]
    assert np.array_equal(first.frame, walk.frames[first.incident.peak])
    assert np.array_equal(first.map, detector.anomaly_map(walk.frames)[first.incident.peak])
    assert first.expected is not None
    assert first.expected.shape == (64, 96)
    assert sum(first.parts.values()) == pytest.approx(1)
    assert first.sentence.startswith(f"Clip gate, frames {first.incident.start} to ")
    assert "how it looks" in first.sentence
    assert "sentence" in first.to_dict()


def test_quiet_clips_have_nothing_to_tell(detector: VideoDetector) -> None:
    assert detector.explain(np.zeros((5, 48, 72), np.uint8), false_alarm_rate=0.01) == []


def test_top_is_a_number(detector: VideoDetector) -> None:
    with pytest.raises(Misfit, match="top is 0"):
        detector.explain(np.zeros((5, 48, 72), np.uint8), top=0)
