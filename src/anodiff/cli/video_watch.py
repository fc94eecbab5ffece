"""`anodiff watch` of video: what happens before a camera while it goes on, one JSON document per line."""

import json
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from anodiff.cli.errors import INTERRUPTED
from anodiff.cli.terminal import counted, plain
from anodiff.types import Misfit

if TYPE_CHECKING:
    from anodiff.data.reels import Frame
    from anodiff.incident import Seen
    from anodiff.live.footage_stream import VideoStream
    from anodiff.modalities.video import Video

Tell = Callable[[str, str], object]
"""Is given of what kind a note is, and the note."""
PIECE = 0.2
"""Seconds of sleep after which it is asked whether to stop."""


class Asked:
    """Whether somebody asked to stop: Ctrl-C or SIGTERM, which are noted and break nothing off in the middle."""

    def __init__(self) -> None:
        self.number: int | None = None

    def __call__(self) -> bool:
        return self.number is not None

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Note signals for a while, where the thread may."""
        try:
            before = {each: signal.signal(each, self._note) for each in (signal.SIGINT, signal.SIGTERM)}
        except ValueError:
            yield
            return
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def rest(self, seconds: float) -> None:
        """Sleep, but not on when asked to stop."""
        end = time.monotonic() + seconds
        while not self() and (left := end - time.monotonic()) > 0:
            time.sleep(min(PIECE, left))

    def _note(self, number: int, _: Any) -> None:
        self.number = number


@dataclass(frozen=True)
class Source:
    """Where frames come from.

    Attributes:
        place: A folder that frames are written into, a video file, or - for video on stdin.
        rate: Frames a second, where the source does not say so, or is wrong; None for those of the model.
        modality: Of the model.
        poll: Seconds between looks at a folder.
        idle: Seconds without anything new after which it ends; None never.
        once: Whether to end when what is in a folder now has been judged.
        new: Whether frames that are in a folder already are left alone.
    """

    place: str
    rate: float | None
    modality: "Video"
    poll: float = 1.0
    idle: float | None = None
    once: bool = False
    new: bool = False

    @property
    def name(self) -> str:
        """What to call it in events."""
        return "stdin" if self.place == "-" else Path(self.place).name or self.place

    def frames(self, asked: Asked, tell: Callable[[str], object]) -> "Iterable[Frame]":
        """Frames as they come.

        Raises:
            Misfit: it is a folder of video files.
            Unreadable: there is nothing of that name, or nothing that can be decoded.
        """
        from anodiff.data.clips import clip, looks_filmed
        from anodiff.data.film_live import FilmStream, FrameFolder

        if self.place == "-":
            file: Any = getattr(sys.stdin, "buffer", sys.stdin)
            return FilmStream(file, self.rate, self.idle, asked, tell, otherwise=self.modality.rate)
        if not Path(self.place).is_dir():
            found = clip(self.place, rate=self.rate)
            return played(found if found.rate else found.rated(self.modality.rate), tell)
        if looks_filmed(self.place):
            raise Misfit(f"{self.place} holds video files; watch one of them, or score them all.")
        rate = self.rate or self.modality.rate_
        return FrameFolder(self.place, rate, self.poll, self.new, self.once, self.idle, asked, tell, sleep=asked.rest)


def played(clip: Any, tell: Callable[[str], object]) -> "Iterator[Frame]":
    """The frames of a file, and afterwards what was odd about it."""
    yield from clip.frames()
    for note in [*clip.notes, *map(str, clip.unread)]:
        tell(note)


def watch_video(stream: "VideoStream", source: Source, every: bool, tell: Tell, say: Callable[[str], object]) -> None:
    """Judge frames as they come, until the source ends or somebody asks to stop."""
    asked, writer = Asked(), Writer(stream, every, tell)
    with asked.heard():
        for frame in source.frames(asked, lambda text: tell("source", text)):
            writer.take(frame)
            if asked():
                break
        writer.finish()
    say(writer.in_words())
    if asked.number == signal.SIGINT:
        raise typer.Exit(INTERRUPTED)
    if asked():
        raise SystemExit(128 + int(signal.SIGTERM))


class Writer:
    """Writes what is said of frames, and counts."""

    def __init__(self, stream: "VideoStream", every: bool, tell: Tell) -> None:
        self.stream, self.every, self.tell = stream, every, tell
        self.frames = self.events = 0
        self.last: Seen | None = None
        self.told = 0

    def take(self, frame: "Frame") -> None:
        """The next frame."""
        seen = self.stream.push(frame.pixels, frame.time)
        self.frames += 1
        self._note()
        if seen is self.last:
            return
        self.last = seen
        for event in self.stream.said:
            self.events += event.open
            self._write("opened" if event.open else "closed", event.to_dict())
        if self.every:
            self._write("frame", seen.to_dict())

    def finish(self) -> None:
        """The event that is not over."""
        self._note()
        for event in self.stream.flush():
            self._write("unfinished" if event.open else "closed", event.to_dict())

    def in_words(self) -> str:
        """How much was seen."""
        return f"{counted(self.frames, 'frame')}, {counted(self.events, 'event')}."

    def _note(self) -> None:
        notes = list(self.stream.notes)
        for note in notes[self.told :]:
            self.tell(f"said {note[:12]}", note)
        self.told = len(notes)

    def _write(self, kind: str, facts: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(plain({"kind": kind, **facts}), allow_nan=False) + "\n")
        sys.stdout.flush()
