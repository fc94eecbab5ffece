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
from typing import IO, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from anodiff.data.table import check_names
from anodiff.types import Unreadable

BLOCK, HEAD = 1 << 20, 1 << 16
MISSING = ["", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null", "None", "NaT"]
DELIMITERS = ",;\t|"
NUMBER = re.compile(r"\s*[-+]?\d+([.,]\d*)?([eE][-+]?\d+)?\s*")
TYPES = [pa.int64(), pa.float64(), pa.bool_(), pa.date32(), pa.timestamp("us"), pa.timestamp("us", "UTC")]
WIDER = {frozenset(TYPES[:2]): TYPES[1], frozenset(TYPES[3:5]): TYPES[4]}
EXPECTED = {"bool": "true and false", "date32[day]": "dates", "timestamp[us]": "timestamps"}


@dataclass(frozen=True)
class Dialect:
    """How a file writes a table."""

    encoding: str
    delimiter: str
    names: list[str]


def batches(path: Path, like: pa.Schema | None = None) -> Iterator[pa.Table]:
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
    lines = list(io.StringIO(head, newline=None))[:100]
    if not any(line.strip() for line in lines):
        raise Unreadable(f"{path.name}: is empty; give a csv with a line of column names and rows below it.")
    delimiter = max(DELIMITERS, key=lambda mark: _regularity(lines, mark))
    names = next(row for row in csv.reader(lines, delimiter=delimiter) if row)
    counted = [str(i) for i in range(len(names))]
    if all(NUMBER.fullmatch(name) for name in names) and names != counted:
        first = ", ".join(names[:3])
        raise Unreadable(f"{path.name}: its first line holds numbers ({first}), not names; put column names on top.")
    check_names(names)
    return Dialect(encoding, delimiter, names)


def _open(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    return cast(IO[bytes], gzip.open(path)) if zipped else path.open("rb")


def _encoding(path: Path) -> tuple[str, str]:
    """The encoding of the whole file, and its beginning, of whole lines, as text."""
    with _open(path) as file:
        head = block = file.read(HEAD)
        wide = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        candidates = ["utf-16"] if wide else ["utf-8-sig", "cp1252", "latin-1"]
        decoders = {name: codecs.getincrementaldecoder(name)() for name in candidates}
        while block:
            if b"\0" in block and not wide:
                raise Unreadable(f"{path.name}: holds binary bytes, not text; save the table as csv or parquet.")
            decoders = {name: decoder for name, decoder in decoders.items() if _decodes(decoder, block)}
            block = file.read(BLOCK)
    if not decoders:
        raise Unreadable(f"{path.name}: is not valid {candidates[0]} text; save it as utf-8.")
    encoding = next(iter(decoders))
    text = codecs.getincrementaldecoder(encoding)().decode(head)
    if sum(c < " " and c not in "\t\r\n\f" for c in text) > len(text) / 100:
        raise Unreadable(f"{path.name}: holds binary bytes, not text; save the table as csv or parquet.")
    return encoding, text if len(head) < HEAD else text[: text.rfind("\n") + 1] or text


def _decodes(decoder: codecs.IncrementalDecoder, block: bytes) -> bool:
    try:
        decoder.decode(block)
    except UnicodeDecodeError:
        return False
    return True


def _regularity(lines: list[str], mark: str) -> tuple[float, int]:
    """The share of lines with as many fields as the first, and that number, for a delimiter; one field is no sign."""
    try:
        counts = [len(row) for row in csv.reader(lines, delimiter=mark) if row]
    except csv.Error:
        return 0.0, 0
    if not counts or counts[0] == 1:
        return 0.0, 0
    return counts.count(counts[0]) / len(counts), counts[0]


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
    with _open(path) as file, pacsv.open_csv(file, options, parse, convert) as reader:
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
    """The text as `type`; where `lenient`, fractions may come among whole numbers and times of day among dates."""
    if pa.types.is_null(type) and column.null_count == len(column):
        return pa.chunked_array([pa.nulls(len(column))])
    if pa.types.is_string(type) or pa.types.is_null(type):
        return column
    candidates = [
        type,
        *({pa.int64(): [pa.float64()], pa.date32(): [pa.timestamp("us")]}.get(type, []) if lenient else []),
    ]
    for candidate in candidates:
        if (cells := _cast(column, candidate, commas)) is not None:
            return cells
    for row in range(len(column)):
        if _cast(column.slice(row, 1), candidates[-1], commas) is None:
            break
    expected = EXPECTED.get(str(type), "timestamps" if pa.types.is_timestamp(type) else "numbers")
    raise Unreadable(
        f"column {name} holds the text {column[row].as_py()!r} in row {start + row + 1}, where {expected} were."
    )
