"""A camera that is followed frame by frame says what is said of the whole clip, causally."""

import numpy as np
import pytest

from anodiff.detect_video import VideoDetector
from anodiff.live.footage_stream import VideoStream
from anodiff.types import Misfit, Unreadable
from video_toys import moving, normal, planted

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(scope="module")
def detector() -> VideoDetector:
    return moving(40, 3)


def test_frames_are_scored_as_the_whole_clip_causally(detector: VideoDetector) -> None:
    new = planted().frames
    stream = detector.stream(false_alarm_rate=0.02, name="gate")
    seen = [stream.push(frame) for frame in new]
    assert np.array_equal([each.score for each in seen], detector.decision_function(new, causal=True))
    assert np.array_equal(
        [each.alarm for each in seen], detector.predict(new, causal=True, false_alarm_rate=0.02).astype(bool)
    )
    events = [each.to_dict() | {"clip": "0"} for each in [*stream.events, *stream.flush()]]
    assert events == [each.to_dict() for each in detector.events(new, causal=True, false_alarm_rate=0.02)]
    assert len(events) > 0
    assert [each.time for each in seen] == pytest.approx(np.arange(90) / 10)
    assert stream.state["frames"] == 90


def test_an_event_can_be_watched_while_it_goes_on(detector: VideoDetector) -> None:
    stream = detector.stream(false_alarm_rate=0.02)
    running = [stream.running for frame in planted().frames if stream.push(frame)]
    going = [each for each in running if each is not None]
    assert going
    assert all(each.open for each in going)
    assert going[-1].end >= going[0].end


def test_a_stride_skips_frames() -> None:
    strided = moving(60, 2, stride=2)
    new = normal(5, 9)
    stream = VideoStream(strided)
    assert [stream.push(frame).index for frame in new] == [0, 0, 2, 2, 4, 4, 6, 6, 8]
    again = strided.stream()
    assert np.array_equal([again.push(f).score for f in new], strided.decision_function(new, causal=True))


def test_maps_are_made_when_asked_for(detector: VideoDetector) -> None:
    found = detector.stream(maps=True).push(normal(5, 1)[0]).map
    assert found is not None
    assert found.shape == (48, 72)
    assert detector.stream().push(normal(5, 1)[0]).map is None


def test_a_refusal_changes_nothing(detector: VideoDetector) -> None:
    new = normal(5, 6)
    stream, whole = detector.stream(), detector.decision_function(new, causal=True)
    for i, frame in enumerate(new):
        for odd in (np.zeros(5), np.full((48, 72), 7.5), np.zeros((48, 72, 2))):
            with pytest.raises(Unreadable):
                stream.push(odd)
        with pytest.raises(Misfit, match="the time of a frame is nan"):
            stream.push(frame, float("nan"))
        with pytest.raises(Misfit, match="the time of a frame is 'now'"):
            stream.push(frame, "now")  # type: ignore[arg-type]
        assert stream.push(frame).score == whole[i]


def test_memory_does_not_grow(detector: VideoDetector) -> None:
    stream, frame = detector.stream(), normal(5, 1)[0]
    for _ in range(60):
        stream.push(frame)
    held = [len(stream._eye._plains), *(len(each._kept) for each in stream._trace._maps.values())]
    for _ in range(60):
        stream.push(frame)
    assert held == [len(stream._eye._plains), *(len(each._kept) for each in stream._trace._maps.values())]
    assert max(held) < 30
