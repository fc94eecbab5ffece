"""Files as streams of arrow tables: parquet, npy, npz, csv. One suffix, one function, one sentence when it fails."""

import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from anodiff.data import text
from anodiff.types import Unreadable

Stream = Iterator[pa.Table]
LONGEST_NAME = 255
"""Bytes, on every common file system."""
BUFFER = 2**20


def stream(path: Path, rows: int, like: pa.Schema | None = None) -> Stream:
    """Tables of `rows` rows each (the last is shorter) from the file or folder at `path`."""
    if path == Path():
        raise Unreadable("the path is empty; give the path of a file or of a folder of parquet files.")
    if len(path.name.encode(errors="replace")) > LONGEST_NAME:
        raise Unreadable(f"no file has a name of {len(path.name)} letters ({path.name[:40]}...); check the path.")
    if path.is_dir():
        return rebatched(_folder(path, rows), rows)
    if not path.exists():
        raise Unreadable(f"there is no file {path}; check the path.")
    name = path.name.lower().removesuffix(".gz")
    suffix = Path(name).suffix
    if suffix in (".xlsx", ".xls", ".ods", ".json", ".feather", ".pkl", ".pickle", ".zip"):
        raise Unreadable(f"{path.name}: cannot read {suffix} files; save the table as csv or parquet.")
    tables = READERS[suffix](path, rows) if suffix in READERS else text.batches(path, like)
    return rebatched(_guarded(tables, path), rows)


def rebatched(tables: Iterable[pa.Table], rows: int) -> Stream:
    """The same rows in tables of exactly `rows`; a single empty table where there is no row."""
    held: pa.Table | None = None
    yielded = False
    for table in tables:
        held = table if held is None else pa.concat_tables([held, table], promote_options="permissive")
        while held.num_rows >= rows:
            yield held.slice(0, rows)
            held, yielded = held.slice(rows), True
    if held is not None and (held.num_rows or not yielded):
        yield held


def _guarded(tables: Stream, path: Path) -> Stream:
    """What goes wrong while reading, in one sentence."""
    try:
        yield from tables
    except Unreadable:
        raise
    except PermissionError:
        raise Unreadable(f"{path.name}: no permission to read it; check its owner and mode.") from None
    except (pa.ArrowException, OSError, EOFError, ValueError, MemoryError, zipfile.BadZipFile) as error:
        detail = next(iter(str(error).strip().splitlines()), type(error).__name__)[:160].rstrip(".")
        promised = path.suffix or "table"
        raise Unreadable(
            f"{path.name}: damaged, or not the {promised} file that its name says ({detail}); write or copy it again."
        ) from None


def _parquet(path: Path, rows: int) -> Stream:
    """Group by group through a small buffer: arrow's read-ahead would hold the whole file."""
    with pq.ParquetFile(path, pre_buffer=False, buffer_size=BUFFER) as file:
        yield file.schema_arrow.empty_table()
        for group in range(file.num_row_groups):
            for batch in file.iter_batches(batch_size=rows, row_groups=[group]):
                yield pa.Table.from_batches([batch])


def _folder(path: Path, rows: int) -> Stream:
    found = (part for part in path.rglob("*.parquet") if part.is_file())
    parts = sorted(part for part in found if not any(name[0] in "._" for name in part.relative_to(path).parts))
    if not parts:
        raise Unreadable(
            f"folder {path} holds no parquet file; give a folder of .parquet files or the path of one file."
        )
    names: list[str] | None = None
    for part in parts:
        for table in _guarded(_parquet(part, rows), part):
            names = names or table.column_names
            if set(table.column_names) != set(names):
                raise Unreadable(
                    f"{part.name}: its columns differ from those of {parts[0].name}; keep one table per folder."
                )
            yield table.select(names)


def _npy(path: Path, rows: int) -> Stream:
    yield from _array(np.load(path, mmap_mode="r", allow_pickle=False), path, rows)


def _npz(path: Path, rows: int) -> Stream:
    with np.load(path, allow_pickle=False) as archive:
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ValueError("not a zip archive")
        if "X" in archive.files:
            array = archive["X"]
        else:
            tables = {key: a for key in archive.files if (a := archive[key]).ndim == 2}
            if len(tables) != 1:
                keys = ", ".join(archive.files) or "nothing"
                raise Unreadable(
                    f"{path.name}: holds {keys}, but no array X and not one 2-d array; save the table as X."
                )
            (array,) = tables.values()
    yield from _array(array, path, rows)


def _array(array: np.ndarray, path: Path, rows: int) -> Stream:
    if array.ndim != 2 or array.dtype.kind not in "biuf":
        raise Unreadable(
            f"{path.name}: holds an array of shape {array.shape} and type {array.dtype}; a table is 2-d and of numbers."
        )
    for start in range(0, max(len(array), 1), rows):
        block = np.asarray(array[start : start + rows])
        block = (
            block.astype(np.float64)
            if block.dtype.char == "g"
            else block.astype(block.dtype.newbyteorder("="), copy=False)
        )
        yield pa.table({f"x{i}": np.ascontiguousarray(block[:, i]) for i in range(block.shape[1])})


READERS: dict[str, Callable[..., Stream]] = {
    ".parquet": _parquet,
    ".pq": _parquet,
    ".npy": _npy,
    ".npz": _npz,
}
