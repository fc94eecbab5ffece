"""csv: whatever its delimiter and encoding, in bounded memory, with types that are decided once.

Every cell is read as text and converted by us, so that a column whose type changes midway neither crashes nor changes
what came before: without `like` a first pass joins the types of all blocks; with it, the types are those of fit.
"""

import codecs
import csv
import gzip
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from anodiff.data.table import check_names
from anodiff.types import Unreadable

BLOCK = 1 << 20
MISSING = ["", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null", "None", "NaT"]
DELIMITERS = ",;\t|"
TYPES = [pa.int64(), pa.float64(), pa.bool_(), pa.date32(), pa.timestamp("us"), pa.timestamp("us", "UTC")]
WIDER = {frozenset(TYPES[:2]): TYPES[1], frozenset(TYPES[3:5]): TYPES[4]}
EXPECTED = {"bool": "true and false", "date32[day]": "dates", "timestamp[us]": "timestamps"}


@dataclass(frozen=True)
class Dialect:
    """How a file writes a table."""

    encoding: str
    delimiter: str
    names: list[str]


def batches(path: Path, rows: int, like: pa.Schema | None = None) -> Iterator[pa.Table]:
    """Typed tables from the csv file at `path`, gzipped or not; the first has no row."""
    dialect = sniffed(path)
    commas = dialect.delimiter in ";\t"
    known = {} if like is None else {field.name: _plain(field.type) for field in like}
    if any(name not in known for name in dialect.names):
        known = {**_types(path, dialect, commas), **known}
    schema = pa.schema([(name, known[name]) for name in dialect.names])
    yield schema.empty_table()
    start = 0
    for table in _words(path, dialect):
        columns = [_converted(table[f.name], f.type, f.name, start, commas, like is not None) for f in schema]
        yield pa.table(columns, names=dialect.names)
        start += table.num_rows


def sniffed(path: Path) -> Dialect:
    """Encoding, delimiter and column names, after one pass over the bytes.

    Raises:
        Unreadable: empty, binary, truncated, or without a line of names.
    """
    encoding, head = _encoding(path)
    lines = head.splitlines()
    if len(head) >= BLOCK // 16 and len(lines) > 1:
        lines = lines[:-1]
    if not any(line.strip() for line in lines):
        raise Unreadable(f"{path.name}: is empty; give a csv with a line of column names and rows below it.")
    delimiter = max(DELIMITERS, key=lambda mark: _regularity(lines[:100], mark))
    names = next(row for row in csv.reader(lines, delimiter=delimiter) if row)
    try:
        check_names(names)
    except Unreadable as error:
        if not all(_numeric(name) for name in names):
            raise Unreadable(f"{path.name}: {error}") from None
    if all(_numeric(name) for name in names) and [int(float(n.replace(",", "."))) for n in names] != [
        *range(len(names))
    ]:
        raise Unreadable(
            f"{path.name}: its first line holds numbers ({', '.join(names[:3])}), not column names; put a line of names on top."
        )
    return Dialect(encoding, delimiter, names)


def _open(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    return gzip.open(path) if zipped else path.open("rb")  # type: ignore[return-value]


def _encoding(path: Path) -> tuple[str, str]:
    """The encoding of the whole file, and its beginning as text."""
    with _open(path) as file:
        head = file.read(BLOCK // 16)
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16", codecs.getincrementaldecoder("utf-16")(errors="replace").decode(head)
        candidates = {name: codecs.getincrementaldecoder(name)() for name in ("utf-8-sig", "cp1252", "latin-1")}
        block = head
        while block:
            if b"\0" in block:
                raise Unreadable(f"{path.name}: holds binary bytes, not text; save the table as csv or parquet.")
            for name, decoder in list(candidates.items()):
                try:
                    decoder.decode(block)
                except UnicodeDecodeError:
                    del candidates[name]
            block = file.read(BLOCK)
    encoding = next(iter(candidates))
    text = codecs.getincrementaldecoder(encoding)(errors="replace").decode(head)
    odd = sum(c < " " and c not in "\t\r\n\f" for c in text)
    if odd > len(text) / 100:
        raise Unreadable(f"{path.name}: holds binary bytes, not text; save the table as csv or parquet.")
    return encoding, text


def _regularity(lines: list[str], mark: str) -> tuple[float, int]:
    """The share of lines with as many fields as the first, and that number, for a delimiter; one field is no sign."""
    try:
        counts = [len(row) for row in csv.reader(lines, delimiter=mark) if row]
    except csv.Error:
        return 0.0, 0
    if not counts or counts[0] == 1:
        return 0.0, 0
    return counts.count(counts[0]) / len(counts), counts[0]


def _numeric(name: str) -> bool:
    return bool(re.fullmatch(r"\s*[-+]?\d+([.,]\d*)?([eE][-+]?\d+)?\s*", name))


def _words(path: Path, dialect: Dialect) -> Iterator[pa.Table]:
    """The cells as text, in blocks of about a megabyte."""
    convert = pacsv.ConvertOptions(
        column_types={name: pa.string() for name in dialect.names},
        null_values=MISSING,
        strings_can_be_null=True,
        quoted_strings_can_be_null=True,
    )
    parse = pacsv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=True)
    encoding = "utf8" if dialect.encoding == "utf-8-sig" else dialect.encoding
    options = pacsv.ReadOptions(block_size=BLOCK, encoding=encoding, use_threads=False)
    with _open(path) as file:
        source = file if isinstance(file, io.BufferedIOBase) else io.BufferedReader(file)  # type: ignore[arg-type]
        with pacsv.open_csv(source, options, parse, convert) as reader:
            for batch in reader:
                yield pa.Table.from_batches([batch])


def _types(path: Path, dialect: Dialect, commas: bool) -> dict[str, pa.DataType]:
    """The narrowest type of each column that holds all of its cells; text where none does."""
    types: dict[str, pa.DataType] = dict.fromkeys(dialect.names, pa.null())
    for table in _words(path, dialect):
        for name, type in types.items():
            if type != pa.string() and table[name].null_count < table.num_rows:
                types[name] = _join(type, _narrowest(table[name], commas))
    return types


def _narrowest(column: pa.ChunkedArray, commas: bool) -> pa.DataType:
    """The first type that takes all cells; a few of them are asked first, since a cast that fails late is slow."""
    few = column.drop_null().slice(0, 4)
    for type in TYPES:
        if _cast(few, type, commas) is not None and _cast(column, type, commas) is not None:
            return type
    return pa.string()


def _join(first: pa.DataType, second: pa.DataType) -> pa.DataType:
    if first == second or pa.types.is_null(first):
        return second
    return WIDER.get(frozenset((first, second)), pa.string())


def _cast(column: pa.ChunkedArray, type: pa.DataType, commas: bool) -> pa.ChunkedArray | None:
    """The text as `type`, or None; numbers may have blanks around them and, where `commas`, a decimal comma."""
    attempts = [lambda c: c, pc.utf8_trim_whitespace]
    if commas and pa.types.is_floating(type):
        attempts.append(lambda c: pc.replace_substring(pc.utf8_trim_whitespace(c), ",", "."))
    for attempt in attempts:
        try:
            return pc.cast(attempt(column), type)
        except pa.ArrowException:
            continue
    return None


def _plain(type: pa.DataType) -> pa.DataType:
    """What the cells of a csv are read as, so that they fit a column of `type`."""
    if pa.types.is_dictionary(type):
        return _plain(type.value_type)
    if pa.types.is_integer(type):
        return pa.int64()
    if pa.types.is_floating(type) or pa.types.is_decimal(type):
        return pa.float64()
    if pa.types.is_timestamp(type):
        return pa.timestamp("us", type.tz)
    return type if pa.types.is_boolean(type) or pa.types.is_date32(type) or pa.types.is_null(type) else pa.string()


def _converted(
    column: pa.ChunkedArray, type: pa.DataType, name: str, start: int, commas: bool, lenient: bool
) -> pa.ChunkedArray:
    """The text as `type`; where `lenient`, fractions may come in a column of whole numbers and times in one of dates."""
    if pa.types.is_null(type) and column.null_count == len(column):
        return pa.chunked_array([pa.nulls(len(column))])
    if pa.types.is_string(type) or pa.types.is_null(type):
        return column
    wider = {pa.int64(): [pa.float64()], pa.date32(): [pa.timestamp("us")]}.get(type, []) if lenient else []
    for candidate in (type, *wider):
        if (cells := _cast(column, candidate, commas)) is not None:
            return cells
    row, value = next(
        (i, v)
        for i, v in enumerate(column)
        if _cast(pa.chunked_array([[v.as_py()]], pa.string()), (type, *wider)[-1], commas) is None
    )
    expected = EXPECTED.get(str(type), "numbers" if not pa.types.is_timestamp(type) else "timestamps")
    raise Unreadable(f"column {name} holds the text {value.as_py()!r} in row {start + row + 1}, where {expected} were.")
