"""Tables from anywhere: arrays, frames, files, streams.

`read` holds a source whole, `chunks` passes through it in bounded memory, `sample` keeps some rows of it, uniformly.
All three give the same columns with the same types, whichever way the rows arrive.
"""

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa

from anodiff.data import files
from anodiff.data.table import Table, check_names
from anodiff.types import Misfit, Unreadable

BLOCK = 65_536
"""Rows that are held at once where the caller does not say."""


def read(source: Any, like: pa.Schema | None = None) -> Table:
    """The whole of `source`.

    Args:
        source: a 2-d array (or nested list), any frame that narwhals knows (pandas, polars, pyarrow, lazy ones are
            collected), a path to csv, tsv, parquet, npy or npz, a folder of parquet files, "-" for csv on standard
            input, or a binary stream of csv.
        like: the types of an earlier table; csv columns of these names are read as these types.

    Returns:
        A table of n rows; of a csv the types are decided once, over all rows.

    Raises:
        Unreadable: there is no table in it, and the message says what to do.

    >>> read(np.zeros((2, 3))).names
    ['x0', 'x1', 'x2']
    """
    if isinstance(source, Table):
        return source
    if not _is_file(source):
        return _in_memory(source)
    tables = [chunk.arrow for chunk in chunks(source, BLOCK, like)]
    return Table(pa.concat_tables(tables, promote_options="permissive"))


def chunks(source: Any, rows: int = BLOCK, like: pa.Schema | None = None) -> Iterator[Table]:
    """Pass through `source` in tables of `rows` rows (the last is shorter), holding a few of them at a time.

    Files are streamed, csv twice unless `like` gives the types; frames and npz archives are in memory already and are
    sliced. A source without rows gives one empty table, so that its columns can be seen.
    """
    if rows < 1:
        raise Misfit(f"cannot cut a table into pieces of {rows} rows; give at least 1.")
    if not _is_file(source):
        yield from _sliced(read(source), rows)
        return
    with contextlib.ExitStack() as stack:
        path = stack.enter_context(_on_disk(source))
        start = 0
        for arrow in files.stream(path, rows, like):
            yield Table(arrow, start=start)
            start += arrow.num_rows


def sample(source: Any, rows: int, seed: int = 0, like: pa.Schema | None = None) -> tuple[Table, int]:
    """At most `rows` rows of `source`, uniformly without replacement, in their order; and how many rows there were.

    Every row draws a number and the lowest stay, so memory is bounded by `rows` and a block, and the same seed keeps
    the same rows however the source is cut.
    """
    draw = np.random.default_rng(seed)
    kept: Table | None = None
    keys, seen = np.empty(0), 0
    for chunk in chunks(source, BLOCK, like):
        fresh = draw.random(len(chunk))
        seen += len(chunk)
        kept, keys = _join(kept, chunk), np.concatenate([keys, fresh])
        if len(keys) > rows:
            lowest = np.sort(np.argpartition(keys, rows)[:rows])
            kept, keys = kept.take(lowest), keys[lowest]
    assert kept is not None
    return kept, seen


def _join(first: Table | None, second: Table) -> Table:
    if first is None:
        return second
    arrow = pa.concat_tables([first.arrow, second.arrow], promote_options="permissive").unify_dictionaries()
    index = None if first.index is None else first.index.append(second.index)
    return Table(arrow, first.kind, first.dtype, index, first.start)


def _sliced(table: Table, rows: int) -> Iterator[Table]:
    for start in range(0, max(len(table), 1), rows):
        yield table.slice(start, rows)


def _is_file(source: Any) -> bool:
    return isinstance(source, str | os.PathLike) or callable(getattr(source, "read", None))


@contextlib.contextmanager
def _on_disk(source: Any) -> Iterator[Path]:
    """The path, or a stream spilled to a temporary file, since types are decided in a first pass."""
    if isinstance(source, str | os.PathLike) and str(source) != "-":
        yield Path(source)
        return
    stream = sys.stdin.buffer if isinstance(source, str) else source
    with tempfile.TemporaryDirectory(prefix="anodiff-") as folder:
        path = Path(folder) / "stream.csv"
        with path.open("wb") as file:
            if isinstance(stream.read(0), str):
                raise Unreadable("the stream gives text; open it in binary mode ('rb').")
            shutil.copyfileobj(stream, file)
        yield path


def _in_memory(source: Any) -> Table:
    if isinstance(source, np.ndarray | list | tuple) or (
        hasattr(source, "__array__") and not hasattr(source, "columns")
    ):
        return _from_array(source)
    if hasattr(source, "toarray"):
        raise Unreadable("cannot read a sparse matrix as a table; give X.toarray().")
    try:
        frame = nw.from_native(source)
    except TypeError:
        raise Unreadable(
            f"cannot read a {type(source).__name__} as a table; "
            "give a 2-d array, a pandas, polars or pyarrow table, or a path."
        ) from None
    except ValueError as error:
        detail = " ".join(str(error).split())
        raise Unreadable(f"cannot read this {type(source).__name__}: {detail}.") from None
    try:
        eager = frame.collect() if isinstance(frame, nw.LazyFrame) else frame
        kind = eager.implementation.value
        arrow = None if kind == "pandas" else eager.to_arrow()
    except Exception as error:  # every dataframe library has exceptions of its own
        detail = " ".join(str(error).split()).rstrip(".")
        raise Unreadable(f"cannot read this {type(source).__name__}: {detail}; convert that column.") from None
    return _from_pandas(eager.to_native()) if arrow is None else Table(arrow, kind)


def _from_pandas(frame: Any) -> Table:
    check_names([str(name) for name in frame.columns])
    try:
        return Table(pa.Table.from_pandas(frame.reset_index(drop=True)), "pandas", index=frame.index)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        for name in frame.columns:
            _column(str(name), frame[name].to_numpy(dtype=object))
        detail = " ".join(str(error).split()).rstrip(".")
        raise Unreadable(f"cannot read this pandas table: {detail}; convert that column.") from None


def _from_array(source: Any) -> Table:
    try:
        array = np.asarray(source)
    except ValueError:
        raise Unreadable("the rows of this list differ in length; give every row the same columns.") from None
    except (TypeError, RuntimeError) as error:
        detail = " ".join(str(error).split()).rstrip(".")
        raise Unreadable(f"cannot read this {type(source).__name__}: {detail}.") from None
    if array.dtype.names is not None:
        raise Unreadable("a structured array is not a 2-d table; give a frame made of it, such as pandas.DataFrame(X).")
    if array.ndim == 1:
        raise Unreadable(
            f"expected a 2-d table, got a 1-d array of length {len(array)}; "
            "use X.reshape(-1, 1) for one column or X.reshape(1, -1) for one row."
        )
    if array.ndim != 2:
        raise Unreadable(f"expected a 2-d table, got an array of shape {array.shape}; a table has rows and columns.")
    if array.dtype.kind not in "biufOUSTMm":
        raise Unreadable(f"cannot read numbers of type {array.dtype} as a table; give real numbers.")
    plain = (
        array.astype(np.float64) if array.dtype.char == "g" else array.astype(array.dtype.newbyteorder("="), copy=False)
    )
    columns = {f"x{i}": _column(f"x{i}", plain[:, i]) for i in range(plain.shape[1])}
    return Table(pa.table(columns), "numpy", dtype=array.dtype.str)


def _column(name: str, values: np.ndarray) -> pa.Array:
    try:
        return pa.array(
            values.tolist() if values.dtype.kind in "OUST" else np.ascontiguousarray(values), from_pandas=True
        )
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        types = sorted({type(value).__name__ for value in values if value is not None and value == value})
        if len(types) < 2:
            detail = " ".join(str(error).split()).rstrip(".")
            raise Unreadable(
                f"column {name} holds {types[0] if types else 'values'} that cannot be read ({detail}); convert it."
            ) from None
        raise Unreadable(f"column {name} mixes values of type {', '.join(types)}; make them one type.") from None
