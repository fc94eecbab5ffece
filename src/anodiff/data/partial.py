"""A csv that is still being written: all of it but a last line that is not finished."""

import csv
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from anodiff.data import text

BLOCK = 1 << 20
LONGEST = 1 << 16


@contextmanager
def whole(path: Path) -> Iterator[tuple[Path, str]]:
    """A file of the finished lines of the csv at `path`, and a note where one was left out."""
    with path.open("rb") as file:
        end, size = finished(file), path.stat().st_size
        head = file.seek(0) or file.read(2)
    if head in (b"\x1f\x8b", b"\xff\xfe", b"\xfe\xff") or not end:
        yield path, ""
        return
    end = _without_short(path, end)
    if end == size:
        yield path, ""
        return
    with tempfile.TemporaryDirectory(prefix="anodiff-") as folder:
        lines = Path(folder) / path.name
        _copy(path, lines, end)
        yield lines, f"{path.name} stops in the middle of a line; that line is left out."


def finished(file: BinaryIO) -> int:
    """Bytes up to the end of the last line that is finished; a line break between quotes ends no line."""
    end = start = 0
    odd = False
    while block := file.read(BLOCK):
        cells = np.frombuffer(block, np.uint8)
        quoted = (np.cumsum(cells == ord('"')) % 2 == 1) ^ odd
        ends = np.flatnonzero((cells == ord("\n")) & ~quoted)
        end = start + int(ends[-1]) + 1 if len(ends) else end
        odd, start = bool(quoted[-1]), start + len(block)
    return end


def _without_short(path: Path, end: int) -> int:
    """The end before the last line, where that line has fewer fields than there are columns."""
    dialect = text.sniffed(path)
    with path.open("rb") as file:
        file.seek(max(0, end - LONGEST))
        tail = file.read(end - file.tell())
    start = tail.rstrip(b"\r\n").rfind(b"\n") + 1
    last = tail[start:].decode(dialect.encoding, errors="replace")
    fields = next(csv.reader([last], delimiter=dialect.delimiter), [])
    short = 0 < len(fields) < len(dialect.names) and '"' not in last
    return end - len(tail) + start if short and start else end


def _copy(path: Path, to: Path, size: int) -> None:
    with path.open("rb") as source, to.open("wb") as sink:
        shutil.copyfileobj(source, sink)
        sink.truncate(size)
