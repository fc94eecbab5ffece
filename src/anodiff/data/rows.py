"""Rows of a csv that arrives in bits: a line is a row once it has ended, and no line can stop the ones after it.

What is held is the line that has not ended, and those of a quoted field that goes over several lines: at most `LONGEST`
bytes and `MOST_LINES` lines. A line that is no row (too many or too few fields, a quote that never closes, binary
bytes) is left out, with a note.
"""

import csv
from collections.abc import Callable, Iterator, Sequence

from anodiff.data.table import check_names
from anodiff.data.text import DELIMITERS, NUMBER
from anodiff.types import Unreadable

LONGEST = 1 << 20
MOST_LINES = 100
SHOWN = 60


class Rows:
    """Complete rows from bytes; the first row is that of the names.

    Args:
        tell: is given each note, a sentence.
        names: the columns, where the csv has no line of names.
        delimiter: between fields; found in the first lines where None.
    """

    def __init__(
        self, tell: Callable[[str], object], names: Sequence[str] | None = None, delimiter: str | None = None
    ) -> None:
        self.tell = tell
        self.names = None if names is None else list(names)
        self.delimiter = delimiter
        self.order: list[int] | None = None
        self.rest = b""
        self.open: list[str] = []
        self.too_long = False
        self.line = 0
        self.fresh = True
        self.counts = False

    def push(self, data: bytes) -> Iterator[list[str]]:
        """The rows that `data` completes."""
        if not self.line and (self.rest + data)[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise Unreadable("this is utf-16 text, which cannot be followed; write the csv as utf-8.")
        lines = (self.rest + data).split(b"\n")
        self.rest = lines.pop()
        if lines and self.too_long:
            self.line, self.too_long = self.line + 1, False
            self._leave_out("is longer than a megabyte", lines.pop(0))
        if len(self.rest) > LONGEST:
            self.rest, self.too_long = b"", True
        for i, line in enumerate(lines):
            yield from self._take(line, lines[i : i + MOST_LINES] if self.delimiter is None else ())

    def end(self, take: bool) -> Iterator[list[str]]:
        """What is left when nothing more will come: a last line without a line break counts only if `take`."""
        rest, self.rest = self.rest, b""
        if self.too_long:
            self.tell("The last line is longer than a megabyte; it is left out.")
        elif rest.strip() and not take:
            self.tell(f"The last line has not ended ({_shown(rest.decode(errors='replace'))}); it is left out.")
        elif rest.strip():
            self.tell("The last line has no line break; it is taken as it stands.")
            yield from self._take(rest, [rest])
        for text in self.open:
            self._leave_out("opens a quote that never closes", text)
        self.open, self.too_long = [], False

    def restart(self) -> None:
        """The file starts anew: what was not finished never will be, and a line of names may come again."""
        list(self.end(take=False))
        self.line, self.fresh, self.order = 0, True, None

    def _take(self, line: bytes, ahead: Sequence[bytes]) -> Iterator[list[str]]:
        self.line += 1
        text = _decoded(line.removesuffix(b"\r"))
        if "\0" in text:
            self._leave_out("holds binary bytes", text)
        elif text.strip() or self.open:
            if self.delimiter is None:
                self.delimiter = _delimiter([_decoded(other) for other in ahead], self.names)
            plain = not self.open and '"' not in text and "\r" not in text and len(text) <= LONGEST
            yield from self._row(text.split(self.delimiter or ","), text) if plain else self._joined(text)

    def _joined(self, text: str) -> Iterator[list[str]]:
        """The row that this line is or completes, where a quote was left open before."""
        whole = self._fields([*self.open, text])
        if whole is not None:
            self.open = []
            yield from self._row(whole, text)
            return
        alone = self._fields([text]) if self.open and text.count('"') % 2 == 0 else None
        stray = alone is not None and self.names is not None and len(alone) == len(self.names) > 1
        if stray or len(self.open) >= MOST_LINES or sum(map(len, self.open)) > LONGEST:
            self._leave_out("opens a quote that never closes", self.open[0])
            held, self.open = [*self.open[1:], text], []
            for line in held:
                yield from self._joined(line)
        else:
            self.open = [*self.open, text]

    def _fields(self, lines: Sequence[str]) -> list[str] | None:
        """The fields of one row, None where a quote is open at its end."""
        try:
            return next(csv.reader(["\n".join(lines)], delimiter=self.delimiter or ",", strict=True), [])
        except csv.Error as error:
            return None if "unexpected end of data" in str(error) else []

    def _row(self, fields: list[str], text: str) -> Iterator[list[str]]:
        fresh, self.fresh = self.fresh, False
        if self.names is None:
            self.names = _header(fields)
            yield self.names
        elif fresh and self._is_header(fields):
            return
        elif len(fields) != len(self.names):
            count = f"{len(fields)} field{'s' * (len(fields) != 1)}" if fields else "fields that cannot be told apart"
            self._leave_out(f"has {count}, where {len(self.names)} columns are", text)
        else:
            self.counts = self.counts or not _wordy(fields)
            yield fields if self.order is None else [fields[i] for i in self.order]

    def _is_header(self, fields: list[str]) -> bool:
        """Whether the first line of a file is the names, in any order; the names of other columns are refused."""
        assert self.names is not None
        given, names = [field.strip() for field in fields], [name.strip() for name in self.names]
        if sorted(given) == sorted(names):
            self.order = None if given == names else [given.index(name) for name in names]
            return True
        if not _wordy(fields) or not (self.counts or set(given) & set(names)):
            return False
        lost, new = ([x for x in a if x not in b] for a, b in ((names, given), (given, names)))
        parts = [f"{word} {', '.join(found[:10])}" for word, found in (("missing", lost), ("unexpected", new)) if found]
        raise Unreadable(f"columns differ from those before: {'; '.join(parts)}.")

    def _leave_out(self, why: str, text: str | bytes) -> None:
        shown = _shown(text if isinstance(text, str) else text.decode(errors="replace"))
        line = self.line - len(self.open) if self.open else self.line
        self.tell(f"Line {line} {why} ({shown}); it is left out.")


def _decoded(line: bytes) -> str:
    try:
        return line.decode("utf-8-sig")
    except UnicodeDecodeError:
        return line.decode("cp1252", errors="replace")


def _wordy(fields: Sequence[str]) -> bool:
    """Whether no field begins like a number or a time, and none is missing: a line of names looks so."""
    return all(field.strip() and field.strip()[0] not in "+-.0123456789" for field in fields)


def _delimiter(lines: Sequence[str], names: Sequence[str] | None) -> str | None:
    """The mark that cuts the first line into most fields, and as many in the lines at hand; as many as `names`."""

    def fit(mark: str) -> tuple[bool, int]:
        counts = [line.count(mark) for line in lines if line.strip()]
        return len(set(counts)) == 1 and counts[0] > 0, counts[0]

    best = max(DELIMITERS, key=fit)
    return best if names is None or lines[0].count(best) >= len(names) - 1 else None


def _header(fields: list[str]) -> list[str]:
    if all(NUMBER.fullmatch(name) for name in fields):
        first = ", ".join(fields[:3])
        raise Unreadable(f"the first line holds numbers ({first}), not names; put column names on top, or give them.")
    check_names(fields)
    return fields


def _shown(text: str) -> str:
    return repr(text if len(text) <= SHOWN else text[:SHOWN] + "...")
