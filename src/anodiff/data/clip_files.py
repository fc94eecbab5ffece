"""Video files, decoded frame by frame by PyAV; what a file says of itself is believed only as far as it is true.

A file is given to the decoder as a stream of bytes and only as one of a few formats, for there are others that open
further files. What cannot be decoded is left out and noted: the frames before damage are given.
"""

import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from anodiff.data.clip_arrays import bytes_of
from anodiff.data.clip_clock import Clock
from anodiff.data.reels import FASTEST, MOST_PIXELS, Shot
from anodiff.types import Misfit, Unreadable

FORMATS = (
    "mov", "mp4", "matroska", "webm", "avi", "mpegts", "mpeg", "mpegvideo", "mjpeg", "yuv4mpegpipe", "flv", "asf",
    "ogg", "h264", "hevc", "ivf", "mxf", "nut", "wav", "mp3", "aac", "flac",
)  # fmt: skip
"""Demuxers that read one file and nothing besides; those of sound, for it to be said that there is only sound."""
UNTIMED = ("mjpeg", "h264", "hevc")
"""Formats that say nothing of time, for which 25 frames a second would be a guess."""
DECLARING = ("mov", "matroska", "avi", "flv", "asf", "mxf")
"""Formats that declare how long they are; of the others it is estimated from what there is."""
COVER = 1 << 10
"""How FFmpeg marks a stream that is the picture on the cover of sound."""
YEAR = 365 * 86400.0
"""Seconds after 1970 before which no camera filmed."""
SHORT = 0.98
"""Share of the time that a file declares, below which it ends early."""


def pyav() -> Any:
    """The library that decodes video.

    Raises:
        Misfit: it is not installed.
    """
    try:
        import av
    except ImportError:
        raise Misfit("video files need PyAV; pip install 'anodiff[video]'.") from None
    return av


@dataclass(frozen=True)
class Header:
    """What a file says of itself: frames a second, when it began (unix seconds), and the size of its first frame."""

    rate: float | None
    began: float | None
    size: tuple[int, int]


@dataclass(frozen=True)
class FileSource:
    """The frames of a video file, at the `rate` that was given for it, else at the times that it states."""

    path: Path
    rate: float | None = None

    def shots(self) -> Iterator[Shot | str]:
        with opened(self.path) as container:
            yield from decoded(container, self.rate)


def header(path: Path) -> Header:
    """What is known of a video once its first frame has been decoded.

    Raises:
        Unreadable: there is no frame that can be decoded, in a sentence that does not name the file.
    """
    with opened(path) as container:
        stream = picture_stream(container)
        for shot in decoded(container, None):
            if isinstance(shot, Shot) and (size := _size(shot)) is not None:
                return Header(rate_of(container, stream), _began(container), size)
    raise Unreadable(
        f"not one of its frames can be decoded: it is damaged, or they have more than {MOST_PIXELS // 10**6} million "
        "pixels; copy it again, or save it smaller."
    )


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The file as PyAV's container.

    Raises:
        Unreadable: it cannot be opened, or holds no video.
    """
    with in_words():
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise Unreadable("it is no ordinary file; give a video file or a folder.")
        if not found.st_size:
            raise Unreadable("it is empty, without a byte; copy it again.")
        with path.open("rb") as file, container_of(file) as container:
            yield container


@contextmanager
def in_words() -> Iterator[None]:
    """What goes wrong with a video, in one sentence."""
    failure = pyav().error.FFmpegError
    try:
        yield
    except Unreadable:
        raise
    except failure:
        raise Unreadable(
            "it holds no video that can be decoded, or is cut off before its index; copy it again, or save it as mp4."
        ) from None
    except OSError as error:
        raise Unreadable(f"it cannot be opened ({error.strerror}); check the path.") from None


def container_of(file: Any, kind: str | None = None, **settings: str) -> Any:
    """A stream of bytes as PyAV's container, in the format of that `kind`, or in the one of `FORMATS` that it is in."""
    bounds = {"format_whitelist": ",".join(FORMATS), "max_pixels": str(MOST_PIXELS)}
    return pyav().open(file, mode="r", format=kind, options=bounds | settings, metadata_errors="replace")


def picture_stream(container: Any) -> Any:
    """The first stream that is video, not a cover of sound.

    Raises:
        Unreadable: there is none, or its frames are too large.
    """
    streams = [stream for stream in container.streams.video if not _is_cover(stream)]
    if not streams:
        held = "sound" if container.streams.audio else "nothing that can be shown"
        raise Unreadable(f"it holds {held} but no video; give a file with a video in it.")
    stream = streams[0]
    if stream.codec_context is None:
        raise Unreadable("there is no decoder for its video; convert it to an mp4.")
    check_size(stream.codec_context.width, stream.codec_context.height)
    stream.codec_context.thread_count = 1
    return stream


def decoded(container: Any, rate: float | None) -> Iterator[Shot | str]:
    """The frames of a container, and notes.

    Args:
        container: PyAV's.
        rate: frames a second by which frames are timed; None for the times that the container states.
    """
    stream = picture_stream(container)
    clock = Clock(rate_of(container, stream), container.format.name in UNTIMED)
    lost, index, cut = 0, 0, False
    if len(container.streams.video) > 1:
        yield f"it holds {len(container.streams.video)} videos, of which the first was read."
    for frame in _frames(container, stream):
        cut = frame is None
        lost += cut
        if frame is None:
            continue
        at = clock.at(frame.time)
        yield Shot(index, index / rate if rate else at, partial(pixels_of, frame), f"frame {index}")
        index += 1
    if rate is None:
        yield from clock.notes()
    if cut or _ends_early(container, stream, clock.end):
        yield f"it ends early, after {index} frames: it is cut off or damaged there."
    elif lost:
        yield f"it is damaged in {lost} places, where frames were left out; those after them may be spoilt."


def rate_of(container: Any, stream: Any) -> float | None:
    """Frames a second, where the container states them."""
    rate = stream.average_rate or stream.guessed_rate
    if container.format.name in UNTIMED or not rate:
        return None
    return float(rate) if 0 < rate <= FASTEST else None


def pixels_of(frame: Any) -> np.ndarray:
    """A decoded frame, upright: `(H, W)` uint8 of grey video, of whatever depth, else `(H, W, 3)` RGB.

    Raises:
        Unreadable: it is damaged, or too large.
    """
    if frame.is_corrupt:
        raise Unreadable("it is damaged; copy the video again.")
    check_size(frame.width, frame.height)
    try:
        pixels = _planes(frame)
    except (pyav().error.FFmpegError, ValueError):
        raise Unreadable(f"its pixels ({frame.format.name}) cannot be shown; save the video as mp4.") from None
    turns = round(getattr(frame, "rotation", 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels


def _planes(frame: Any) -> np.ndarray:
    if not frame.format.name.startswith("gray"):
        return np.asarray(frame.to_ndarray(format="rgb24"))
    deep = frame.format.components[0].bits > 8
    return bytes_of(frame.to_ndarray(format="gray16le" if deep else "gray"))


def check_size(width: int, height: int) -> None:
    """Refuse frames that are too large.

    Raises:
        Unreadable: they are.
    """
    if width * height > MOST_PIXELS:
        raise Unreadable(
            f"its frames have {height:,} x {width:,} pixels, at most {MOST_PIXELS // 10**6} million are decoded; "
            "save it smaller."
        )


def _frames(container: Any, stream: Any) -> Iterator[Any]:
    """The frames; None for each piece that cannot be decoded."""
    failure = pyav().error.FFmpegError
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except failure:
            yield None
            return
        if packet is None:
            return
        try:
            frames = packet.decode()
        except failure:
            frames = [None]
        yield from frames


def _ends_early(container: Any, stream: Any, end: float) -> bool:
    """Whether its frames end before the time that is declared, by more than two of them."""
    if container.format.name.split(",")[0] not in DECLARING:
        return False
    declared = _declared(container, stream)
    return declared is not None and end < SHORT * declared and bool(declared - end > 2 / (stream.guessed_rate or 25))


def _declared(container: Any, stream: Any) -> float | None:
    """Seconds that the video lasts by its own account; those of the whole are its own where there is no sound."""
    if stream.duration is not None and stream.time_base:
        return float(stream.duration * stream.time_base)
    parts = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    if parts:
        hours, minutes, seconds = map(float, parts.groups())
        return 3600 * hours + 60 * minutes + seconds
    return None if container.streams.audio or container.duration is None else container.duration / 1e6


def _size(shot: Shot) -> tuple[int, int] | None:
    try:
        height, width = shot.pixels().shape[:2]
    except Unreadable:
        return None
    return height, width


def _is_cover(stream: Any) -> bool:
    return bool(int(getattr(stream, "disposition", 0)) & COVER)


def _began(container: Any) -> float | None:
    """When it was taken; cameras without a clock say 1904 or 1970."""
    try:
        told = datetime.fromisoformat(container.metadata.get("creation_time", ""))
    except ValueError:
        return None
    began = (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()
    return began if began > YEAR else None
