"""Does it look like a log? By its first column: times that never go back."""

import csv
import gzip
import itertools
import os
from pathlib import Path
from typing import Any

import narwhals as nw
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from anodiff.data.table import Table

LOOKED_AT = 200
TEXTS = {".csv", ".tsv", ".txt", ""}


def looks_timed(source: Any) -> bool:
    """Whether a frame has an index of times, or a frame or file begins with a column of times that never go back.

    Of a file some rows are looked at; what cannot be read is no log, for the reader to refuse.

    >>> looks_timed(pa.table({"when": ["2024-01-01", "2024-01-02"], "flow": [1, 2]}))
    True
    >>> looks_timed(pa.table({"id": [1, 2], "when": ["2024-01-01", "2024-01-02"]}))
    False
    """
    if str(getattr(getattr(source, "index", None), "dtype", "")).startswith("datetime64"):
        return True
    try:
        return _rising(_first_column(source))
    except (OSError, EOFError, ValueError, TypeError, UnicodeError, csv.Error):
        return False


def _first_column(source: Any) -> pa.Array | pa.ChunkedArray | None:
    if isinstance(source, Table):
        return source.arrow[0] if source.names else None
    if isinstance(source, str | os.PathLike):
        return None if str(source) == "-" else _of_file(Path(source))
    if isinstance(source, pa.Table):
        return source[0] if source.num_columns else None
    if not hasattr(source, "columns"):
        return None
    frame = nw.from_native(source, eager_only=True)
    return pa.chunked_array([frame[frame.columns[0]].to_arrow()]) if frame.columns else None


def _of_file(path: Path) -> pa.Array | None:
    if not path.is_file():
        return None
    name = path.name.lower()
    if name.endswith(".parquet"):
        with pq.ParquetFile(path) as file:
            batch = next(file.iter_batches(LOOKED_AT), None)
        return batch.column(0) if batch is not None and batch.num_columns else None
    if Path(name.removesuffix(".gz")).suffix not in TEXTS:
        return None
    with (gzip.open if name.endswith(".gz") else open)(path, "rt", encoding="utf-8", newline="") as file:
        sample = list(itertools.islice(file, LOOKED_AT))
    if len(sample) < 3:
        return None
    dialect = csv.Sniffer().sniff(sample[0] + sample[1], delimiters=",;\t|") if len(sample[0]) > 1 else csv.excel
    rows = [row for row in csv.reader(sample[1:-1], dialect) if row]
    return pa.array([row[0] for row in rows])


def _rising(column: pa.Array | pa.ChunkedArray | None) -> bool:
    if column is None or len(column) < 2 or column.null_count:
        return False
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        if not pc.all(pc.match_substring_regex(column, r"^\s*\d{4}[-/]\d")).as_py():
            return False
        column = pc.cast(pc.replace_substring(column, "/", "-"), pa.timestamp("us", "UTC" if _zoned(column) else None))
    if not (pa.types.is_timestamp(column.type) or pa.types.is_date(column.type)):
        return False
    return bool(pc.all(pc.less_equal(column[:-1], column[1:])).as_py())


def _zoned(column: pa.Array) -> bool:
    return bool(pc.all(pc.match_substring_regex(column, r"(Z|[+-]\d\d:?\d\d)$")).as_py())
