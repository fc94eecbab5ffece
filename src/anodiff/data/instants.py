"""pa.ChunkedArray as instants: whatever a column of times holds, in microseconds since 1970 in UTC.

Times without a zone are taken as UTC. Text is read as ISO 8601 (any offset, mixed ones too), else in the one of
`FORMATS` that takes every cell; where day first and month first both do and differ, nobody can know.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anodiff.types import Unreadable

MICRO = pa.timestamp("us")
NUMBERED = {"seconds": 1e6, "milliseconds": 1e3, "microseconds": 1.0, "nanoseconds": 1e-3}
RECENT = (6.3e14, 4.2e15)
"""1989 to 2103 in microseconds: numbers within it in one of the units are times since 1970."""
YEAR_1, YEAR_10000 = -62_135_596_800_000_000, 253_402_300_800_000_000
DAYS = ("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d")
HOURS = ("", " %H:%M:%S", " %H:%M", " %I:%M:%S %p", " %I:%M %p", " %H.%M.%S")
ODD = ((r"(:\d\d)[.,](\d{1,6})\d*", r"\1.\2"), (r"\s*(UTC|GMT)$", "Z"), (r"\s+([+-]\d\d:?\d\d)$", r"\1"))
"""What arrow does not read, and how it does: decimal commas and more than six decimals, zones by name, blanks."""
FORMATS = tuple(day + hour for day in DAYS for hour in HOURS)
WAYS = (None, "UTC", *FORMATS)
"""ISO without a zone, ISO with one, and the formats."""


def instants(column: pa.ChunkedArray, name: str, start: int = 0) -> tuple[np.ndarray, str | None]:
    """The cells `(n,)` in microseconds, and the time zone in which they were written.

    Raises:
        Unreadable: a cell is missing or no time, and which one; rows count from 1 after the `start` before them.

    >>> instants(pa.chunked_array([["1970-01-01T01:00:00+01:00", "1970-01-01T00:00:01Z"]]), "t")
    (array([      0, 1000000]), 'UTC')
    """
    column = undone(column)
    check_present(column, name, start)
    if is_stamped(column.type):
        micro, zone = _stamped(column, name)
    elif is_word(column.type):
        micro, zone = _worded(column, name, start)
    elif unit_of(column) is not None:
        micro, zone = numbered(column, name), None
    elif not len(column):
        micro, zone = np.empty(0, np.int64), None
    else:
        raise Unreadable(f"column {name} holds {column.type}, where times were; convert it to timestamps.")
    if len(micro) and not (micro.min() >= YEAR_1 and micro.max() < YEAR_10000):
        raise Unreadable(f"column {name} holds times beyond the years 1 to 9999; correct them or leave them out.")
    return micro, zone


def undone(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Codes of a dictionary as what they stand for."""
    return pc.cast(column, column.type.value_type) if pa.types.is_dictionary(column.type) else column


def check_present(column: pa.ChunkedArray, name: str, start: int) -> None:
    """Refuse a missing time: its row would have no place."""
    gone = pc.is_null(column, nan_is_null=pa.types.is_floating(column.type))
    if (row := pc.index(gone, True).as_py()) >= 0:
        raise Unreadable(f"column {name} has no time in row {start + row + 1}; fill it or leave the row out.")


def is_stamped(kind: pa.DataType) -> bool:
    """Whether cells are dates or timestamps already."""
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


def is_word(kind: pa.DataType) -> bool:
    """Whether cells are text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or str(kind) == "string_view")


def reads(text: pa.ChunkedArray) -> bool:
    """Whether there are cells and all of them can be read as times, in one way at least."""
    return len(text) > 0 and not text.null_count and bool(_ways(text))


def unit_of(column: pa.ChunkedArray) -> str | None:
    """The unit in which numbers count the time; seconds, where they are none since 1970; None for what is no number."""
    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        return None
    bounds = pc.min_max(pc.cast(column, pa.float64(), safe=False)).as_py()
    low, high = bounds["min"], bounds["max"]
    if low is None:
        return "seconds"
    recent = (unit for unit, size in NUMBERED.items() if RECENT[0] <= low * size and high * size < RECENT[1])
    return next(recent, "seconds")


def is_recent(column: pa.ChunkedArray) -> bool:
    """Whether all numbers are times since 1970 of our days in one of the units."""
    if not len(column) or (unit := unit_of(column)) is None:
        return False
    micro = pc.cast(column, pa.float64(), safe=False).to_numpy() * NUMBERED[unit]
    return bool(((micro >= RECENT[0]) & (micro < RECENT[1])).all())


def numbered(column: pa.ChunkedArray, name: str) -> np.ndarray:
    """Numbers as microseconds `(n,)`, by `unit_of`."""
    size = NUMBERED[unit_of(column) or "seconds"]
    values = column.to_numpy()
    if values.dtype.kind not in "iu":
        values = pc.cast(column, pa.float64(), safe=False).to_numpy()
    if len(values) and not np.abs(np.asarray(values, float) * size).max() < 9e18:
        raise Unreadable(f"column {name} holds numbers that are no times; convert it to timestamps.")
    if values.dtype.kind in "iu":
        return np.asarray(values.astype(np.int64) * int(size) if size >= 1 else values.astype(np.int64) // 1000)
    return np.asarray(np.rint(values * size).astype(np.int64))


def _stamped(column: pa.ChunkedArray, name: str) -> tuple[np.ndarray, str | None]:
    zone = column.type.tz if pa.types.is_timestamp(column.type) else None
    try:
        pa.scalar(0, pa.timestamp("us", zone)).as_py()
    except (pa.ArrowException, ValueError, KeyError):
        raise Unreadable(f"column {name} is in the time zone {zone!r}, which is unknown; convert it to UTC.") from None
    try:
        micro = pc.cast(column, pa.timestamp("us", zone), safe=getattr(column.type, "unit", "") != "ns")
    except pa.ArrowException:
        raise Unreadable(f"column {name} holds times beyond the years 1 to 9999; correct them.") from None
    return _integers(micro), zone


def _integers(micro: pa.ChunkedArray) -> np.ndarray:
    return np.asarray(pc.cast(micro, pa.int64()).to_numpy()).astype(np.int64)


def _worded(column: pa.ChunkedArray, name: str, start: int) -> tuple[np.ndarray, str | None]:
    found = _ways(column)
    if not found:
        row = _first_bad(_tidy(column))
        raise Unreadable(
            f"column {name} holds the text {column[row].as_py()!r} in row {start + row + 1}, where times were."
        )
    micro, form = _integers(found[0][0]), found[0][1]
    for other, _ in found[1:]:
        if (differs := micro != _integers(other)).any():
            row = int(differs.argmax())
            raise Unreadable(
                f"column {name} could hold days first or months first ({column[row].as_py()!r} in row "
                f"{start + row + 1}); write times as 2024-12-31 23:59:00."
            )
    return micro, "UTC" if form == "UTC" else None


def _ways(column: pa.ChunkedArray) -> list[tuple[pa.ChunkedArray, str | None]]:
    """Every way in which all cells can be read, as they stand or else made tidy."""
    for made in (_trimmed, _tidy) if len(column) else ():
        text = made(column)
        if found := [(cells, form) for form in WAYS if (cells := _read(text, form)) is not None]:
            return found
    return [(column.cast(MICRO), None)] if not len(column) else []


def _trimmed(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.utf8_trim_whitespace(pc.cast(column, pa.string()))


def _tidy(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Text as arrow reads it: at most six decimals after a point, the zone as an offset without a blank."""
    text = _trimmed(column)
    for odd, plain in ODD:
        text = pc.replace_substring_regex(text, odd, plain)
    return text


def _read(text: pa.ChunkedArray, form: str | None) -> pa.ChunkedArray | None:
    """All cells in one way, or None: ISO without a zone (None), with one ("UTC"), or by a format."""
    few = text.slice(0, 4)
    for cells in (few, text):
        try:
            if form is None or form == "UTC":
                read = pc.cast(cells, pa.timestamp("us", form))
            else:
                read = pc.strptime(cells, form, "us", error_is_null=True)
        except pa.ArrowException:
            return None
        if read.null_count:
            return None
    return read


def _first_bad(text: pa.ChunkedArray) -> int:
    """The first row that cannot be read as the rows before it can: the longest readable beginning, by bisection."""
    return max(_readable(text, form) for form in WAYS)


def _readable(text: pa.ChunkedArray, form: str | None) -> int:
    good, bad = 0, len(text)
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if _read(text.slice(good, middle - good), form) is not None else (good, middle)
    return good


def written(micro: int, zone: str | None = None) -> str:
    """An instant as people read it, in its zone.

    >>> written(0), written(1_500_000, "Europe/Berlin")
    ('1970-01-01T00:00:00', '1970-01-01T01:00:01.500000+01:00')
    """
    return str(pa.scalar(micro, pa.timestamp("us", zone)).as_py().isoformat())
