"""Rows of text, as a csv that grows gives them, as logs that a stream takes.

A cell that cannot be read is missing, a row without a time or an entity is left out, both with a note; columns that are
not those of fit are refused.
"""

import math
from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from anodiff.data.channels import check_columns
from anodiff.data.clock import clock_of
from anodiff.data.drop import without
from anodiff.data.log import Log, read_log
from anodiff.data.table import Table
from anodiff.data.text import DELIMITERS, MISSING
from anodiff.modalities.series import Series
from anodiff.types import Misfit, Unreadable

Tell = Callable[[str, str], object]
"""Is given of what kind a note is, and the note."""
TRIES = 10
"""So many rows that are left out, and none that is not, are refused."""


class RowsAsLogs:
    """Turns rows of cells into logs, in which the rows are in order.

    Args:
        names: Of the columns.
        modality: Whose channels, clock and entities they are.
        dropped: Columns that are left out, as in fit.
        commas: Whether numbers may have a decimal comma.
        tell: Is given notes.

    Raises:
        Unreadable: A channel is lacking, or a column is none.
        Misfit: The column of times or entities is lacking.
    """

    def __init__(
        self, names: Sequence[str], modality: Series, dropped: Sequence[str], commas: bool, tell: Tell
    ) -> None:
        self.names, self.modality, self.commas, self.tell = list(names), modality, commas, tell
        self.dropped, self.rows, self.left_out = set(dropped), 0, 0
        channels = modality.columns
        self.named = channels != [f"x{i}" for i in range(len(channels))] or set(channels) <= set(names)
        self._time = None if modality.time == "auto" else modality.time
        self._settled = modality.time != "auto"
        self._refusal: Unreadable | None = None
        for what, name in (("times", self._time), ("entities", modality.entity)):
            if name is not None and name not in names:
                raise Misfit(f"there is no column {name} to take {what} from; there are {', '.join(names[:10])}.")
        self._check_columns([] if self._time is None else [self._time], perhaps_more=not self._settled)

    def logs(self, rows: Sequence[Sequence[str]]) -> Iterator[Log]:
        """Logs of some rows: one of all, or of each by itself where they are not in order or cannot all be read."""
        try:
            log = self._log(rows)
        except Unreadable as refusal:
            if len(rows) == 1:
                self._leave_out(refusal)
                return
        else:
            if in_order(log, len(rows)):
                self.rows += len(rows)
                yield log
                return
        for row in rows:
            yield from self.logs([row])

    def check(self) -> None:
        """Refuse a source of which every row was left out."""
        if self._refusal is not None and self.rows == self.left_out:
            raise self._refusal

    def _log(self, rows: Sequence[Sequence[str]]) -> Log:
        table = self._table(rows)
        if not self._settled:
            self._find_clock(table)
        return read_log(table, self._time, self.modality.entity, like=self.modality.columns)

    def _leave_out(self, refusal: Unreadable) -> None:
        self.rows, self.left_out, self._refusal = self.rows + 1, self.left_out + 1, refusal
        if self.left_out >= TRIES:
            self.check()
        self.tell("row", f"Row {self.rows} is left out: {refusal}")

    def _find_clock(self, table: Table) -> None:
        """Settle which column holds the times, by the first row that can be read."""
        entity = [self.modality.entity] if self.modality.entity else []
        clock = clock_of(without(table, entity), "auto", self.modality.columns if self.named else ())
        self._check_columns(clock.columns)
        self._time, self._settled = next(iter(clock.columns), None), True
        if self._time is None and self.modality.step_ is not None:
            self.tell("clock", "There is no column of times; each row is taken one step after the one before.")

    def _check_columns(self, clock: Sequence[str], perhaps_more: bool = False) -> None:
        aside = {*clock, *self.dropped, self.modality.entity}
        left = [name for name in self.names if name not in aside]
        if perhaps_more:
            left = [name for name in left if name in self.modality.columns]
        if self.named:
            check_columns(self.modality.columns, left)

    def _table(self, rows: Sequence[Sequence[str]]) -> Table:
        given = zip(self.names, zip(*rows, strict=True), strict=True)
        columns = {name: self._column(name, cells) for name, cells in given if name not in self.dropped}
        return Table(pa.table(columns), start=self.rows)

    def _column(self, name: str, cells: Sequence[str]) -> pa.Array:
        text = pa.array([None if cell in MISSING else cell for cell in cells], pa.string())
        if name in self.modality.channels_.numeric and self.named:
            found = numbers(text, self.commas)
            return self._numbers(text, name) if found is None else found
        if name in self.modality.columns or name == self.modality.entity:
            return text
        found = numbers(text, self.commas)
        return text if found is None else found

    def _numbers(self, text: pa.Array, name: str) -> pa.Array:
        """Cell by cell; of many rows it is said of each when it is taken by itself."""
        if len(text) > 1:
            raise Unreadable(f"channel {name} holds what is no finite number.")
        told = f"Row {self.rows + 1}: channel {name} holds {text[0].as_py()!r}, which is no finite number"
        self.tell(f"cell {name}", f"{told}; it is taken for missing.")
        return pa.nulls(1, pa.float64())


def in_order(log: Log, rows: int) -> bool:
    """Whether each of so many rows is an instant of its own, later than those of its entity before."""
    return sum(map(len, log.place)) == rows and all((place[1:] > place[:-1]).all() for place in log.place)


def numbers(text: pa.Array, commas: bool) -> pa.Array | None:
    """Words as finite numbers, or None where one is none; true and false are 1 and 0.

    >>> numbers(pa.array([" 1.5", None, "true"]), commas=False).to_pylist()
    [1.5, None, 1.0]
    """
    trimmed = pc.utf8_trim_whitespace(text)
    for attempt in (_as_is, _from_words, *([_with_points] if commas else [])):
        try:
            found = pc.cast(attempt(trimmed), pa.float64())
        except pa.ArrowException:
            continue
        return found if all(value is None or math.isfinite(value) for value in found.to_pylist()) else None
    return None


def _as_is(text: pa.Array) -> pa.Array:
    return text


def _with_points(text: pa.Array) -> pa.Array:
    return pc.replace_substring(text, ",", ".")


def _from_words(text: pa.Array) -> pa.Array:
    lower = pc.utf8_lower(text)
    return pc.if_else(pc.equal(lower, "true"), "1", pc.if_else(pc.equal(lower, "false"), "0", text))


def has_commas(first_line: str) -> bool:
    """Whether numbers below such a line of names may have a decimal comma: where that does not end a cell.

    >>> has_commas("t;flow"), has_commas("t,flow")
    (True, False)
    """
    return max(DELIMITERS, key=first_line.count) in ";\t"
