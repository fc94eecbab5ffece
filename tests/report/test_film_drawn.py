"""Clips with what was found drawn upon them: the frames of the clip, boxes where alarms are, scores that stay in."""

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from anodiff.data.clips import Clip, clip
from anodiff.detect_video import VideoDetector
from anodiff.report.boxes import ALARM, boxed
from anodiff.report.film import Painter, draw_film, shown_size
from anodiff.report.film_strip import CALM, Strip, squeezed
from anodiff.types import Misfit, Unreadable
from video_toys import moving, planted

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(scope="module")
def detector() -> VideoDetector:
    return moving(40, 3, given={"false_alarm_rate": 0.02})


def frames_of(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_a_film_has_the_frames_of_its_clip_and_a_box_where_they_are_in_alarm(
    detector: VideoDetector, tmp_path: Path
) -> None:
    shown = planted(frames=60).frames
    assert draw_film(detector, clip(shown, rate=10), tmp_path / "found.mp4") == 60
    found, alarms = frames_of(tmp_path / "found.mp4"), detector.predict(shown)
    assert 0 < alarms.sum() < 60
    height, width = shown_size((48, 72))
    assert (height, width) == (336, 504)
    assert all(frame.shape[1] == width and frame.shape[0] > height for frame in found)
    flags = [np.abs(frame[:height].astype(int) - ALARM).max(2) < 40 for frame in found]
    painted = np.array([flag.sum() > 50 for flag in flags])
    assert (painted[alarms == 1]).all()
    calm = found[int(np.flatnonzero(alarms == 0)[0])][:height]
    grey = np.abs(calm.astype(int) - calm.mean(2, keepdims=True)).max(2)
    assert np.median(grey) < 3


def test_what_was_said_already_is_not_asked_again(detector: VideoDetector, tmp_path: Path) -> None:
    one = clip(planted(frames=30).frames, rate=10)
    draw_film(detector, one, tmp_path / "a.mp4")
    said = list(detector.told(one, False))
    detector_asked = draw_film(detector, one, tmp_path / "b.mp4", said=iter(said))
    assert detector_asked == 30
    assert all(
        np.array_equal(a, b) for a, b in zip(*map(frames_of, (tmp_path / "a.mp4", tmp_path / "b.mp4")), strict=True)
    )


def test_a_film_that_fails_is_not_there(detector: VideoDetector, tmp_path: Path) -> None:
    one = clip(planted(frames=30).frames, rate=10)

    def broken() -> Iterator[object]:
        yield from list(detector.told(one, False))[:5]
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        draw_film(detector, one, tmp_path / "a.mp4", said=broken())  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(Misfit, match=r"ends in \.mp4"):
        draw_film(detector, one, tmp_path / "a.gif")


def test_a_clip_that_is_long_is_drawn_frame_by_frame(detector: VideoDetector, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one frame is painted, the clip has been read no further than judging needs."""
    one, read = clip(planted(frames=80).frames, rate=10), []
    frames = Clip.frames

    def counted(self: Clip, stride: int = 1) -> Iterator[object]:
        for frame in frames(self, stride):
            read.append(frame.index)
            yield frame

    monkeypatch.setattr(Clip, "frames", counted)
    from anodiff.report.film import drawn

    pictures = drawn(detector, one, detector.told(one, True), True)
    for place in range(5):
        next(pictures)
        assert max(read) <= place + 1
    pictures.close()


def test_a_clip_that_changes_meanwhile_is_refused(detector: VideoDetector, tmp_path: Path) -> None:
    said = list(detector.told(clip(planted(frames=30).frames, rate=10), False))
    with pytest.raises(Unreadable, match="frame 10 could be read once"):
        draw_film(detector, clip(planted(frames=30).frames[:10], rate=10), tmp_path / "a.mp4", said=said)


def test_boxes_move_with_what_is_odd(detector: VideoDetector) -> None:
    shown = planted(frames=60).frames
    one = clip(shown, rate=10)
    painter = Painter(detector, one, False)
    painter.size = shown_size((48, 72))
    boxes = [painter._box(told) for told in detector.told(one, False) if told.score > painter.limit]
    centres = [(left + right) / 2 for left, _, right, _ in boxes]
    assert max(centres) - min(centres) > 100


def test_a_strip_draws_what_is_above_the_threshold_in_another_colour() -> None:
    strip = Strip(120, 13, middle=0.0, threshold=2.0, frames=100)
    for place in range(50):
        strip.push(place, 1.0 if place < 25 else 8.0)
    drawn = strip.drawn("0:05.0", 8.0, "event 1")
    assert drawn.shape == (strip.height, 120, 3)
    foot = drawn[-round(0.4 * 13) - 3]
    calm, odd = (np.flatnonzero((foot == colour).all(1)) for colour in (CALM, ALARM))
    assert len(calm) > 20
    assert len(odd) > 20
    assert calm.max() < odd.min()
    assert odd.max() < 70


def test_a_strip_of_unknown_length_keeps_all_in_its_width() -> None:
    strip = Strip(60, 13, middle=0.0, threshold=1.0)
    for place in range(1000):
        strip.push(place, 5.0 if place == 500 else 0.5)
    levels = strip._levels[np.isfinite(strip._levels)]
    assert strip.each == 32
    assert (levels > 0.5).sum() == 1
    assert len(levels) == -(-1000 // 32)


def test_scores_stay_within_the_strip() -> None:
    values = np.array([squeezed(v) for v in (-3.0, 0.0, 0.5, 1.0, 1.5, 10.0, 1e9)])
    assert (np.diff(values) >= 0).all()
    assert (values.min(), values.max()) == (0.0, pytest.approx(1.0))
    flat = Strip(60, 13, middle=1.0, threshold=1.0)
    assert (flat.level(0.9), flat.level(2.0)) == (0.0, 0.75)


@pytest.mark.parametrize("box", [(-5, -5, 3, 3), (30, 30, 99, 99), (39, 39, 40, 40), (0, 0, 40, 40)])
def test_boxes_at_the_border_are_drawn_within_the_picture(box: tuple[int, int, int, int]) -> None:
    picture = np.full((40, 40, 3), 200, np.uint8)
    drawn = boxed(picture, box, 12)
    assert drawn.shape == picture.shape
    assert (drawn == ALARM).all(2).any()
    assert (picture == 200).all()
