"""Frames as they come: from a folder that something writes them into, or from a stream of bytes such as standard input.

Memory does not grow with the number of frames, but for the names that a folder holds. A folder is looked at again and
again; a frame is given when a second look, an interval after the first, finds its file unchanged, so that what is
being written waits. Frames come in the order of their names: one that arrives after a later one is passed over.
"""

import os
import select
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import IO, Any, TypeAlias

from anodiff.data.albums import Unread
from anodiff.data.clip_files import container_of, decoded, in_words, picture_stream, rate_of
from anodiff.data.clip_folders import counted, picture
from anodiff.data.picture_files import SUFFIXES
from anodiff.data.picture_folders import spelt
from anodiff.data.reels import Frame, check_rate, developed
from anodiff.types import Misfit, Unreadable

Stamp: TypeAlias = tuple[int, int, int]
TRIES = 3
"""Looks at a file that cannot be read, before it is given up."""
POLL = 0.5
"""Seconds between questions whether to stop, while no byte comes."""
LOOK = {"analyzeduration": "1000000", "probesize": str(1 << 20)}
"""Microseconds and bytes of a stream that are looked at before its first frame is given."""
GLANCE = {"fpsprobesize": "0", "probesize": "32"}
"""The same where the stream is known to be bare jpeg pictures, which say nothing of time."""
JPEG = b"\xff\xd8\xff"


@dataclass(eq=False)
class FilmStream:
    """The frames of a video that arrives as bytes (mpegts, mjpeg, y4m, matroska, fragmented mp4), as they come; once.

    Attributes:
        file: Open for reading bytes, such as sys.stdin.buffer.
        rate: Frames a second; where None, what the stream states, which is known from the first frame on.
        idle: Seconds without a byte after which it ends; None never.
        stop: Ends it when true; asked whenever bytes are read, and before each frame.
        tell: Is given a sentence on what is odd.
        otherwise: Frames a second, where neither `rate` nor the stream says so.
    """

    file: IO[bytes]
    rate: float | None = None
    idle: float | None = None
    stop: Callable[[], bool] = field(default=lambda: False, repr=False)
    tell: Callable[[str], object] = field(default=lambda _: None, repr=False)
    otherwise: float | None = None

    def __iter__(self) -> Iterator[Frame]:
        """The frames, until the stream ends.

        Raises:
            Unreadable: it holds no video.
        """
        given, seen = check_rate(self.rate), False
        with in_words(), self._opened() as container:
            stated = rate_of(container, picture_stream(container))
            given = given or (None if stated else check_rate(self.otherwise))
            self.rate = given or stated
            for frame in developed("stream", decoded(container, given), 1, self.tell, self._miss):
                seen = True
                yield frame
                if self.stop():
                    return
        if not seen and not self.stop():
            raise Unreadable("not one frame of the stream can be decoded; check what writes it.")

    def _miss(self, frame: Unread) -> None:
        self.tell(str(frame))

    def _opened(self) -> Any:
        arriving = _Bytes(self.file, self.idle, self.stop)
        if arriving.starts_with(JPEG):
            return container_of(arriving, "mjpeg", **GLANCE)
        return container_of(arriving, **LOOK)


class _Bytes:
    """What a decoder reads of a file: what is there, or nothing more once it has been idle for too long."""

    def __init__(self, file: IO[bytes], idle: float | None, stop: Callable[[], bool]) -> None:
        self.file, self.idle, self.stop = file, idle, stop
        self.number, self.over, self.held = _number(file), False, b""

    def starts_with(self, mark: bytes) -> bool:
        """Whether the first bytes are these; they are read again later."""
        while len(self.held) < len(mark) and (more := self._next(len(mark))):
            self.held += more
        return self.held.startswith(mark)

    def read(self, size: int) -> bytes:
        """What is there, or nothing at the end; for PyAV."""
        held, self.held = self.held[:size], self.held[size:]
        return held or self._next(size)

    def _next(self, size: int) -> bytes:
        if self.number is None or self.over:
            return b"" if self.over or self.stop() else self.file.read(size)
        waited = 0.0
        while not self.stop() and (self.idle is None or waited < self.idle):
            pause = POLL if self.idle is None else min(POLL, self.idle - waited)
            if select.select([self.number], [], [], pause)[0]:
                return os.read(self.number, size)
            waited += pause
        self.over = True  # A decoder asks again and again for what is not there.
        return b""


def _number(file: IO[bytes]) -> int | None:
    """The descriptor by which to wait for bytes, where the system can."""
    try:
        number = file.fileno()
        select.select([number], [], [], 0)
    except (OSError, ValueError, AttributeError):
        return None
    return number


@dataclass
class _Waiting:
    """A frame's file: how it was when it was last looked at, since when, and how often it could not be read."""

    stamp: Stamp
    since: float
    failures: int = 0


@dataclass(eq=False)
class FrameFolder:
    """The frames in a folder, as they arrive; goes on until it is stopped.

    Attributes:
        folder: The folder; its sub-folders are left alone.
        rate: Frames a second; where None, the time of a frame is its index.
        interval: Seconds between looks.
        new: Whether frames that are there at the first look are left alone.
        once: Whether to end when what is there has been given.
        idle: Seconds without a new frame after which it ends; None never.
        stop: Ends it when true; asked before each frame and each look.
        tell: Is given a sentence on what is passed over.
        sleep: How to wait.
        clock: Seconds that never go back.

    >>> next(iter(FrameFolder("no such folder")))
    Traceback (most recent call last):
    ...
    anodiff.types.Unreadable: folder no such folder cannot be listed (No such file or directory); check the path.
    """

    folder: str | Path
    rate: float | None = None
    interval: float = 1.0
    new: bool = False
    once: bool = False
    idle: float | None = None
    stop: Callable[[], bool] = field(default=lambda: False, repr=False)
    tell: Callable[[str], object] = field(default=lambda _: None, repr=False)
    sleep: Callable[[float], object] = field(default=time.sleep, repr=False)
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)

    def __post_init__(self) -> None:
        check_rate(self.rate)
        if not 0 < self.interval < inf:
            raise Misfit(f"interval is {self.interval}; give a number of seconds above 0, such as 1.")
        self._done: set[str] = set()
        self._waiting: dict[str, _Waiting] = {}
        self._others: set[str] = set()
        self._began: float | None = None
        self._last: tuple | None = None
        self._count, self._gone = 0, False

    def __iter__(self) -> Iterator[Frame]:
        """Frames without end, or until nothing is left to do; the loop may be left at any time.

        Raises:
            Unreadable: the folder cannot be listed at the first look.
        """
        changed = self.clock()
        while not self.stop():
            count = self._count
            if self._look():
                changed = self.clock()
            yield from self._ready()
            if self._count > count:
                changed = self.clock()
            elif self._over(changed):
                return
            else:
                self.sleep(self.interval)

    def _look(self) -> bool:
        """See what is there, and whether anything is new, or has been written since."""
        names = self._listed()
        if names is None:
            return False
        self._done &= names
        fresh = sorted(names - self._done, key=counted)
        now, first = self.clock(), self._began is None
        self._began = now if self._began is None else self._began
        if first and self.new:
            self._done |= names
            self._last = counted(fresh[-1]) if fresh else None
            return False
        known, self._waiting = self._waiting, {}
        for name in fresh:
            if self._last is not None and counted(name) < self._last:
                self._pass_over(name, "it arrived after a later one")
            elif (seen := _stamp(Path(self.folder, name))) is not None:
                old = known.get(name)
                self._waiting[name] = old if old is not None and old.stamp == seen else _Waiting(seen, now)
        return any(known.get(name) is not each for name, each in self._waiting.items())

    def _ready(self) -> Iterator[Frame]:
        """The frames that have not changed for an interval, up to the first that has."""
        for name, each in list(self._waiting.items()):
            if self.stop() or self.clock() - each.since < self.interval:
                return
            path = Path(self.folder, name)
            try:
                pixels = picture(path)
            except Unreadable as refusal:
                each.failures, each.since = each.failures + 1, self.clock()
                if _stamp(path) != each.stamp or (each.failures < TRIES and not self.once):
                    return
                self._pass_over(name, str(refusal).rstrip("."))
                self._taken(name)
                continue
            index = self._count
            self._taken(name)
            yield Frame(index, index / (self.rate or 1), pixels)

    def _taken(self, name: str) -> None:
        """A frame has been given, or could not be read, which leaves a gap."""
        self._waiting.pop(name, None)
        self._done.add(name)
        self._last = counted(name)
        self._count += 1

    def _pass_over(self, name: str, why: str) -> None:
        self._done.add(name)
        self.tell(f"{spelt(name)} is passed over: {why}.")

    def _over(self, changed: float) -> bool:
        """Whether to end; if `once`, what came or changed after the first look is left."""
        if self.once and all(self._began is not None and each.since > self._began for each in self._waiting.values()):
            for name in self._waiting:
                self.tell(f"{spelt(name)} is new, or still being written; it is left for another time.")
            return True
        return self.idle is not None and not self._waiting and self.clock() - changed >= self.idle

    def _listed(self) -> set[str] | None:
        """The names of the frames that are there."""
        try:
            with os.scandir(self.folder) as entries:
                shown = {entry.name for entry in entries if not entry.name.startswith(".")}
        except OSError as error:
            if self._began is None:
                raise Unreadable(f"folder {self.folder} cannot be listed ({error.strerror}); check the path.") from None
            if not self._gone:
                self.tell(f"folder {self.folder} cannot be listed ({error.strerror}); waiting until it is back.")
            self._gone = True
            return None
        self._gone = False
        frames = {name for name in shown if Path(name).suffix.lower() in SUFFIXES}
        odd = {Path(name).suffix.lower() or "without suffix" for name in shown - frames}
        if odd - self._others:
            self.tell(f"what is no frame ({', '.join(sorted(odd)[:8])}) is passed over.")
        self._others |= odd
        return frames


def _stamp(path: Path) -> Stamp | None:
    """What tells a file from itself before it was written again; None where there is none any more."""
    try:
        seen = path.stat()
    except OSError:
        return None
    return seen.st_ino, seen.st_size, seen.st_mtime_ns
