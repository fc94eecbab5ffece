"""Pictures as they arrive in a folder, judged one after the other; the folder is looked at again and again.

A file is judged when a second look, an interval after the first, finds it unchanged: what is being written waits. One
that cannot be read may be half a file whose writer has paused: it is looked at anew, and said to be unreadable once,
unless it changes after that. A file that is written anew is judged anew, one that is merely renamed is not. What is
remembered is a line for each file that is there.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from anodiff.data.albums import Album, Item, Unread
from anodiff.data.picture_folders import Listing, listing
from anodiff.types import Misfit, Unreadable

if TYPE_CHECKING:
    from anodiff.detect_images import ImageDetector
    from anodiff.verdict import Verdict

Stamp: TypeAlias = tuple[int, int, int, int] | str
"""Device, number, size and time of writing of a file; of what is no file, why."""
MOST = 64
"""Files that are judged before the folder is looked at again."""
TRIES = 3
"""Looks at a file that cannot be read, before that is said."""


@dataclass
class Waiting:
    """A file that is to be judged: how it was, since when it is so, and how often it could not be read."""

    stamp: Stamp
    since: float
    failures: int = 0


@dataclass(eq=False)
class FolderWatch:
    """The verdicts on pictures in a folder, as they arrive; goes on until it is stopped.

    Attributes:
        detector: A fitted detector of pictures.
        folder: The folder, at any depth; links to folders are not followed.
        interval: Seconds between looks.
        new: Whether pictures that are there at the first look are left alone.
        once: Whether to end when what is there has been judged.
        idle: Seconds without any change after which it ends; None never.
        maps: Whether verdicts carry their maps.
        tell: Is given a sentence on what is passed over.
        sleep: How to wait.
        clock: Seconds that never go back.

    >>> FolderWatch(None, "no such folder").look()
    Traceback (most recent call last):
    ...
    anodiff.types.Unreadable: folder no such folder cannot be listed (No such file or directory); check the path.
    """

    detector: "ImageDetector"
    folder: str | Path
    interval: float = 1.0
    new: bool = False
    once: bool = False
    idle: float | None = None
    maps: bool = False
    tell: Callable[[str], object] = field(default=lambda _: None, repr=False)
    sleep: Callable[[float], object] = field(default=time.sleep, repr=False)
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)
    judged: dict[str, Stamp] = field(default_factory=dict, init=False, repr=False)
    waiting: dict[str, Waiting] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if not 0 < self.interval < inf:
            raise Misfit(f"interval is {self.interval}; give a number of seconds above 0, such as 1.")
        self._paths: dict[str, Path | str] = {}
        self._others: set[str] = set()
        self._began: float | None = None
        self._changed, self._gone = self.clock(), False

    def __iter__(self) -> Iterator["Verdict"]:
        """Verdicts without end, or until nothing is left to do; the loop may be left at any time.

        Raises:
            Unreadable: the folder cannot be listed at the first look.
        """
        self.look()
        while True:
            ready = self.ready()
            yield from self._verdicts(ready)
            if not ready:
                if self._over():
                    return
                self.sleep(self.interval)
            self.look()

    def look(self) -> None:
        """See what is there, what is new and what has gone."""
        found = self._listed()
        if found is None:
            return
        first, now = self._began is None, self.clock()
        seen = {name: each for name, place in found.items() if (each := stamp(place)) is not None}
        moved = {each for name, each in self.judged.items() if name not in seen and not isinstance(each, str)}
        self.judged = {name: each for name, each in self.judged.items() if name in seen}
        self.waiting = {name: each for name, each in self.waiting.items() if name in seen}
        self._paths = found
        for name, each in seen.items():
            if self.judged.get(name) == each:
                continue
            if each in moved or (self.new and first):
                self.judged[name] = each
            elif name not in self.waiting or self.waiting[name].stamp != each:
                self.judged.pop(name, None)
                self.waiting[name] = Waiting(each, now)
                self._changed = now
        self._began = now if first else self._began

    def ready(self) -> list[str]:
        """The files that have not changed for an interval, the oldest first, `MOST` of them at most."""
        now = self.clock()
        settled = [name for name, each in self.waiting.items() if now - each.since >= self.interval]
        return sorted(settled, key=lambda name: (_written(self.waiting[name].stamp), name))[:MOST]

    def _verdicts(self, names: list[str]) -> Iterator["Verdict"]:
        if not names:
            return
        items = [self._paths[name] for name in names]
        given: list[Item] = [Unread(n, at) if isinstance(at, str) else at for n, at in zip(names, items, strict=True)]
        for verdict in self.detector.judge(Album(names, given, strict=False), maps=self.maps):
            if not self._is_put_off(verdict):
                self.judged[verdict.name] = self.waiting.pop(verdict.name).stamp
                yield verdict
        self._changed = self.clock()

    def _is_put_off(self, verdict: "Verdict") -> bool:
        """Whether to say nothing yet: it could not be read, and has gone since, is being written, or may be."""
        each, now = self.waiting[verdict.name], stamp(self._paths[verdict.name])
        if verdict.unread is None or isinstance(now, str):
            return False
        each.failures, each.since = each.failures + 1, self.clock()
        return now != each.stamp or (each.failures < TRIES and not self.once)

    def _over(self) -> bool:
        """Whether to end; if `once`, what came or changed after the first look is left."""
        if self.once and all(self._began is not None and each.since > self._began for each in self.waiting.values()):
            for name in self.waiting:
                self.tell(f"{name} is new, or still being written; it is left for another time.")
            return True
        return self.idle is not None and not self.waiting and self.clock() - self._changed >= self.idle

    def _listed(self) -> dict[str, Path | str] | None:
        try:
            found = listing(Path(self.folder))
        except OSError as error:
            if self._began is None:
                raise Unreadable(f"folder {self.folder} cannot be listed ({error.strerror}); check the path.") from None
            if not self._gone:
                self.tell(f"folder {self.folder} cannot be listed ({error.strerror}); waiting until it is back.")
            self._gone = True
            return None
        self._gone = False
        self._tell_others(found)
        return found.found

    def _tell_others(self, found: Listing) -> None:
        fresh = sorted(found.others.keys() - self._others)
        if fresh:
            self.tell(f"files of other kinds ({', '.join(fresh[:8])}) are passed over.")
        self._others = set(found.others)


def stamp(place: Path | str) -> Stamp | None:
    """What tells a file from others and from itself before it was written again; None where there is none any more."""
    if isinstance(place, str):
        return place
    try:
        seen = place.stat()
    except OSError:
        return f"broken link {place.name}" if place.is_symlink() else None
    return seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns


def _written(stamp: Stamp) -> int:
    return 0 if isinstance(stamp, str) else stamp[3]
