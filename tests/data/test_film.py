"""Films: what is written is read again, whole or not at all; what grows is read as it grows."""

import io
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anodiff.data.clips import reel
from anodiff.data.film import film
from anodiff.data.film_live import FilmStream, FrameFolder
from anodiff.data.reels import Frame
from anodiff.types import Misfit, Unreadable
from film_toys import shades, sound, video

COLOUR = np.stack([shades(10), shades(10) // 2, 255 - shades(10)], 3)


def read(path: Path) -> np.ndarray:
    (clip,) = reel(path).clips
    return np.stack([frame.pixels for frame in clip.frames()])


def test_a_film_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    assert film(path, iter(COLOUR), 12.5, began=1.7e9) == 10
    (clip,) = reel(path).clips
    assert (clip.rate, clip.began, clip.size) == (12.5, 1.7e9, (48, 72))
    assert np.abs(read(path).astype(int) - COLOUR).mean() < 6
    assert film(tmp_path / "grey.mp4", shades(10), 29.97) == 10
    grey = read(tmp_path / "grey.mp4")
    assert np.abs(grey.mean(3) - shades(10)).mean() < 3
    assert np.ptp(grey.astype(int), 3).max() <= 3
    assert reel(tmp_path / "grey.mp4").clips[0].rate == pytest.approx(29.97)
    assert os.listdir(tmp_path) in (["a.mp4", "grey.mp4"], ["grey.mp4", "a.mp4"])


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (47, 71), (48, 71)])
def test_odd_sizes_become_even(tmp_path: Path, size: tuple[int, int]) -> None:
    frames = np.full((3, *size), 130, np.uint8)
    film(tmp_path / "a.mp4", frames)
    found = read(tmp_path / "a.mp4")
    assert found.shape[1:3] == tuple(n + n % 2 for n in size)
    assert np.abs(found.astype(int) - 130).max() < 4


def test_other_sizes_are_scaled_to_the_first(tmp_path: Path) -> None:
    film(tmp_path / "a.mp4", [np.full((20, 30), 10, np.uint8), np.full((41, 30, 3), 200, np.uint8)])
    found = read(tmp_path / "a.mp4")
    assert found.shape == (2, 20, 30, 3)
    assert np.allclose(found.mean((1, 2, 3)), [10, 200], atol=4)


def test_nothing_is_overwritten_unless_told_nor_left_half(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"kept")
    with pytest.raises(FileExistsError, match=r"a\.mp4 exists"):
        film(path, shades(2))

    def broken() -> Iterator[np.ndarray]:
        yield from shades(3)
        raise RuntimeError("the detector fell over")

    with pytest.raises(RuntimeError, match="fell over"):
        film(path, broken(), overwrite=True)
    assert path.read_bytes() == b"kept"
    assert film(path, shades(2), overwrite=True) == 2
    assert len(read(path)) == 2
    assert os.listdir(tmp_path) == ["a.mp4"]
    with pytest.raises(NotADirectoryError):
        film(tmp_path / "no" / "a.mp4", shades(2))


@pytest.mark.parametrize(
    ("name", "frames", "rate", "message"),
    [
        ("a.avi", shades(2), 25, "give a path that ends in .mp4"),
        ("a.mp4", [], 25, "there is no frame to write"),
        ("a.mp4", [shades(1)[0], np.zeros((4, 4))], 25, r"frame 1 is float64 of shape \(4, 4\); give uint8"),
        ("a.mp4", [np.zeros((4, 4, 4), np.uint8)], 25, "frame 0 is uint8 of shape"),
        ("a.mp4", [np.zeros((0, 4), np.uint8)], 25, "frame 0 is uint8 of shape"),
        ("a.mp4", [None], 25, "frame 0 is NoneType of shape"),
        ("a.mp4", shades(2), 0, "rate is 0; give frames a second"),
        ("a.mp4", shades(2), None, "the rate of a film is None"),
    ],
)
def test_refusals(tmp_path: Path, name: str, frames: object, rate: object, message: str) -> None:
    with pytest.raises(Misfit, match=message):
        film(tmp_path / name, frames, rate)  # type: ignore[arg-type]
    assert not os.listdir(tmp_path)


STREAMED = [
    ("a.ts", {"form": "mpegts"}),
    ("a.mkv", {}),
    ("a.mjpeg", {"codec": "mjpeg", "pixels": "yuvj420p", "form": "mjpeg"}),
    ("a.y4m", {"codec": "rawvideo", "form": "yuv4mpegpipe"}),
    ("a.mp4", {"how": {"movflags": "frag_keyframe+empty_moov"}}),
]


@pytest.mark.parametrize(("name", "settings"), STREAMED)
def test_a_stream_is_what_the_file_is(tmp_path: Path, name: str, settings: dict) -> None:
    path = video(tmp_path / name, **settings)
    (clip,) = reel(path).clips
    filed = list(clip.frames())
    with subprocess.Popen(["cat", str(path)], stdout=subprocess.PIPE) as cat:
        assert cat.stdout is not None
        stream = FilmStream(cat.stdout)
        streamed = list(stream)
    assert stream.rate == clip.rate
    for same in (streamed, list(FilmStream(io.BytesIO(path.read_bytes())))):
        assert [(f.index, f.time) for f in same] == [(f.index, f.time) for f in filed]
        assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(same, filed, strict=True))


@pytest.mark.parametrize(("name", "settings"), [STREAMED[2], STREAMED[3]])
def test_frames_come_as_their_bytes_come(tmp_path: Path, name: str, settings: dict) -> None:
    """Most frames are seen before the last bytes have been written."""
    held = video(tmp_path / name, shades(30), **settings).read_bytes()
    source, sink = os.pipe()
    seen, half = list[Frame](), threading.Event()

    def write() -> None:
        with os.fdopen(sink, "wb") as file:
            file.write(held[: 2 * len(held) // 3])
            file.flush()
            half.wait(10)
            file.write(held[2 * len(held) // 3 :])

    writer = threading.Thread(target=write)
    writer.start()
    with os.fdopen(source, "rb") as file:
        for frame in FilmStream(file, rate=5):
            seen.append(frame)
            if len(seen) == 15:
                half.set()
    writer.join()
    assert half.is_set()
    assert (len(seen), seen[-1].time) == (30, 5.8)


def test_a_silent_stream_ends_when_it_has_been_idle() -> None:
    source, sink = os.pipe()
    with os.fdopen(source, "rb") as file, pytest.raises(Unreadable, match="no video that can be decoded"):
        list(FilmStream(file, idle=0.05))
    os.close(sink)


def test_a_stream_that_is_stopped(tmp_path: Path) -> None:
    held = video(tmp_path / "a.ts", form="mpegts").read_bytes()
    seen = list[Frame]()
    for frame in FilmStream(io.BytesIO(held), stop=lambda: len(seen) >= 3):
        seen.append(frame)
    assert len(seen) == 3


def test_streams_that_are_no_video(tmp_path: Path) -> None:
    for held in (b"", b"\xff\xd8\xff", b"nothing to see\n" * 1000):
        with pytest.raises(Unreadable, match=r"no video that can be decoded|not one frame of the stream"):
            list(FilmStream(io.BytesIO(held)))
    with pytest.raises(Unreadable, match="it holds sound but no video"):
        list(FilmStream(io.BytesIO(sound(tmp_path / "a.mp4").read_bytes())))
    with pytest.raises(Misfit, match="give frames a second"):
        list(FilmStream(io.BytesIO(b""), rate=-1))


class Endless(io.RawIOBase):
    """The same picture for ever, as y4m."""

    head, frame = b"YUV4MPEG2 W1000 H1000 F25:1 C420\n", b"FRAME\n" + bytes(1_500_000)

    def __init__(self) -> None:
        self.rest = self.head

    def read(self, size: int = -1) -> bytes:
        self.rest = self.rest or self.frame
        given, self.rest = self.rest[:size], self.rest[size:]
        return given


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="what is held is read from /proc")
def test_memory_does_not_grow_with_a_stream() -> None:
    held = dict[int, int]()
    for frame in FilmStream(Endless()):  # type: ignore[arg-type]
        if frame.index in (20, 120):
            status = Path("/proc/self/status").read_text()
            held[frame.index] = int(status.split("VmRSS:")[1].split()[0]) // 1024
        if frame.index == 120:
            break
    assert held[120] - held[20] < 60  # Of 300 MB of pixels that came by.


class Hands:
    """Time that passes only while somebody sleeps, and what is done meanwhile."""

    def __init__(self, *deeds: object) -> None:
        self.deeds, self.now = list(deeds), 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.deeds and callable(deed := self.deeds.pop(0)):
            deed()

    def clock(self) -> float:
        return self.now


def put(folder: Path, *places: int) -> None:
    for i in places:
        Image.fromarray(shades(20)[i]).save(folder / f"f{i}.png")


def watched(folder: Path, *deeds: object, **settings: object) -> tuple[list[int], list[Frame], list[str]]:
    """Which frames were seen, by their shade; the frames; and what was told."""
    told, hands = list[str](), Hands(*deeds)
    given = {"idle": 3.0, **settings}
    watch = FrameFolder(folder, tell=told.append, sleep=hands.sleep, clock=hands.clock, **given)  # type: ignore[arg-type]
    frames = list(watch)
    return [(int(frame.pixels[30, 0]) - 20) // 4 for frame in frames], frames, told


def test_frames_as_they_arrive(tmp_path: Path) -> None:
    put(tmp_path, 0, 2)
    seen, frames, told = watched(tmp_path, lambda: put(tmp_path, 9, 10), None, lambda: put(tmp_path, 11), rate=4)
    assert (seen, told) == ([0, 2, 9, 10, 11], [])
    assert [(frame.index, frame.time) for frame in frames] == [(0, 0), (1, 0.25), (2, 0.5), (3, 0.75), (4, 1)]


def test_what_is_being_written_waits_and_what_is_late_is_passed_over(tmp_path: Path) -> None:
    put(tmp_path, 0, 1, 3)
    whole = (tmp_path / "f1.png").read_bytes()
    (tmp_path / "f1.png").write_bytes(whole[:40])

    def finish() -> None:
        (tmp_path / "f1.png").write_bytes(whole)

    seen, _, told = watched(tmp_path, None, finish, None, None, lambda: put(tmp_path, 2), None)
    assert seen == [0, 1, 3]
    assert told == ["f2.png is passed over: it arrived after a later one."]


def test_a_frame_that_cannot_be_read_leaves_a_gap(tmp_path: Path) -> None:
    put(tmp_path, 0, 2)
    (tmp_path / "f1.png").write_text("no picture")
    (tmp_path / "notes.txt").touch()
    seen, frames, told = watched(tmp_path)
    assert (seen, [frame.index for frame in frames]) == ([0, 2], [0, 2])
    assert told[0] == "what is no frame (.txt) is passed over."
    assert told[1].startswith("f1.png is passed over: it holds no png")
    assert len(told) == 2


def test_once_and_new(tmp_path: Path) -> None:
    put(tmp_path, 0, 1)
    seen, _, told = watched(tmp_path, lambda: put(tmp_path, 2), once=True, idle=None)
    assert seen == [0, 1]
    assert told == ["f2.png is new, or still being written; it is left for another time."]
    assert watched(tmp_path, lambda: put(tmp_path, 3), new=True)[0] == [3]
    assert watched(tmp_path, stop=lambda: True, idle=None)[0] == []


def test_a_folder_that_goes_away_and_comes_back(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    put(folder, 0)

    def back() -> None:
        (tmp_path / "b").rename(folder)
        put(folder, 1)

    seen, _, told = watched(folder, None, lambda: folder.rename(tmp_path / "b"), back)
    assert seen == [0, 1]
    assert [text.split(" cannot")[1] for text in told] == [
        " be listed (No such file or directory); waiting until it is back."
    ]


def test_frames_that_are_taken_away_are_forgotten(tmp_path: Path) -> None:
    put(tmp_path, 0, 1)
    watch = FrameFolder(tmp_path, interval=0.01, once=True)
    assert len(list(watch)) == 2
    (tmp_path / "f0.png").unlink()
    watch._look()
    assert watch._done == {"f1.png"}


def test_settings_of_a_folder(tmp_path: Path) -> None:
    with pytest.raises(Misfit, match=r"interval is 0; give a number of seconds above 0"):
        FrameFolder(tmp_path, interval=0)
    with pytest.raises(Misfit, match="give frames a second"):
        FrameFolder(tmp_path, rate=0)
