"""A csv that grows, row by row: a file that something writes, or lines on standard input.

Memory is bounded, whatever comes; see `anodiff.data.rows` for what is left out. A file that is cut back or replaced is
read anew from its beginning, with a note.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import FileIO
from pathlib import Path
from typing import Any, Self

from anodiff.data.rows import Rows
from anodiff.types import Unreadable

BLOCK = 1 << 16
ANCHOR = 64
"""Bytes before the place of reading that must not have changed."""


def follow(
    source: str | os.PathLike | Iterable[bytes] | Iterable[str],
    tell: Callable[[str], object] = lambda _: None,
    poll: float = 1.0,
    idle: float | None = None,
    stop: Callable[[], bool] = lambda: False,
    names: Sequence[str] | None = None,
    delimiter: str | None = None,
    sleep: Callable[[float], object] = time.sleep,
) -> Iterator[list[str]]:
    r"""Rows of `source` as they are completed, each a list of texts; the first is that of the column names.

    Args:
        source: the path of a csv, which may be empty yet; or lines, such as sys.stdin.buffer, which end by themselves.
        tell: is given each note, a sentence.
        poll: seconds between looks at a file that does not grow.
        idle: seconds without anything new after which it ends; None never.
        stop: ends it when true; asked whenever there is nothing new, and before each block.
        names: the columns, where the csv has no line of names.
        delimiter: between fields; found in the first lines where None.
        sleep: how to wait.

    Raises:
        Unreadable: there is no such file, its first line is no line of names, or it starts anew with other columns.

    >>> list(follow([b"t,flow\n", b"1,2.5\n"]))
    [['t', 'flow'], ['1', '2.5']]
    """
    rows = Rows(tell, names, delimiter)
    if names is not None:
        yield list(names)
    if not isinstance(source, str | os.PathLike):
        yield from _of_lines(source, rows, stop)
        return
    for data in _grown(Path(source), tell, poll, idle, stop, sleep):
        if data is None:
            rows.restart()
        else:
            yield from rows.push(data)
    yield from rows.end(take=False)


def _of_lines(source: Any, rows: Rows, stop: Callable[[], bool]) -> Iterator[list[str]]:
    """Lines as they come; the last one is taken even without a line break, for nothing comes after it."""
    read = getattr(source, "readline", None)
    for line in source if read is None else _pieces(read):
        if stop():
            break
        if rows.rest and read is None:
            yield from rows.push(b"\n")
        yield from rows.push(line.encode("utf-8", "surrogateescape") if isinstance(line, str) else line)
    yield from rows.end(take=True)


def _pieces(read: Callable[[int], Any]) -> Iterator[Any]:
    """Lines of a stream; a long one in pieces, so that one without end does not fill the memory."""
    while line := read(BLOCK):
        yield line


def _grown(
    path: Path,
    tell: Callable[[str], object],
    poll: float,
    idle: float | None,
    stop: Callable[[], bool],
    sleep: Callable[[float], object],
) -> Iterator[bytes | None]:
    """Bytes as the file at `path` grows; None where it starts anew."""
    waited = 0.0
    with _Growing(path) as file:
        while not stop():
            data = file.read()
            if data is None:
                tell(f"{path.name} was cut back or replaced; it is read anew from its beginning.")
            if data != b"":
                waited = 0.0
                yield data
                continue
            if idle is not None and waited >= idle:
                return
            sleep(poll)
            waited += poll


class _Growing:
    """A file that grows, is cut back, or gives way to another under its name, as logs do when they are rotated."""

    def __init__(self, path: Path) -> None:
        self.path, self.last = path, b""
        self.file = self._open()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def read(self) -> bytes | None:
        """What is new, nothing while there is none, None where the next bytes are the beginning of the file again."""
        if self._is_other(self.file):
            self.file.seek(0)
            self.last = b""
            return None
        data: bytes = self.file.read(BLOCK) or b""
        self.last = (self.last + data)[-ANCHOR:]
        return data if data or not self._moved() else self._switch()

    def _is_other(self, file: FileIO) -> bool:
        """Whether the bytes that were read last are not in the file, where they were."""
        place = self.file.tell()
        if os.fstat(file.fileno()).st_size < place:
            return True
        file.seek(place - len(self.last))
        return file.read(len(self.last)) != self.last

    def _moved(self) -> bool:
        try:
            now, held = self.path.stat(), os.fstat(self.file.fileno())
        except OSError:
            return False
        return (now.st_ino, now.st_dev) != (held.st_ino, held.st_dev)

    def _switch(self) -> bytes | None:
        """The other file of that name: read on where it begins with what was read, else from its beginning."""
        try:
            fresh = self._open()
        except Unreadable:
            return b""
        other = self._is_other(fresh)
        place = 0 if other else self.file.tell()
        self.file.close()
        self.file = fresh
        self.file.seek(place)
        self.last = b"" if other else self.last
        return None if other else b""

    def _open(self) -> FileIO:
        try:
            return FileIO(self.path)
        except OSError:
            raise Unreadable(f"cannot follow {self.path}; there is no such file, or it cannot be read.") from None
