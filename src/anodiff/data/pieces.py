"""What a caller may hand over as series, as tables: one, a list, or several by name."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from anodiff.data.clock import is_time_name
from anodiff.data.partial import whole
from anodiff.data.readers import read
from anodiff.data.table import Table
from anodiff.types import Unreadable

SUFFIXES = (".csv", ".tsv", ".parquet", ".pq", ".npy", ".npz")
Pieces = list[tuple[str | None, Table]]


def pieces(X: Any, asked: tuple[Any, ...], like: pa.Schema | None, partial: bool) -> tuple[str, Pieces, list[str]]:
    """Whether `X` is "one", a "list" or a "dict", its tables with their names, and notes.

    Args:
        X: what `anodiff.data.log.read_log` takes.
        asked: names that are asked for, which may be levels of a pandas index.
        like: types of channels.
        partial: leave out the last line of a csv where it is incomplete.
    """
    notes: list[str] = []
    found: list[tuple[str | None, Any]]
    if isinstance(X, Mapping):
        shape, found = "dict", [(str(key), value) for key, value in X.items()]
    elif isinstance(X, str | os.PathLike) and str(X) and Path(X).is_dir():
        shape, found = "dict", [*_folder(Path(X))]
    elif isinstance(X, list | tuple) and any(_is_series(item) for item in X):
        shape, found = "list", [(None, item) for item in X]
    else:
        shape, found = "one", [(None, X)]
    if not found or (isinstance(X, list | tuple) and not len(X)):
        raise Unreadable("there is no series in it; give at least one.")
    return shape, [(key, _table(item, asked, like, partial, notes)) for key, item in found], notes


def _is_series(item: Any) -> bool:
    """Whether an item of a list is a series of its own: an array or frame or file, not a number or a list of them."""
    if isinstance(item, str | os.PathLike | Table):
        return True
    return not isinstance(item, list | tuple) and item is not None and (hasattr(item, "columns") or np.ndim(item) > 0)


def _folder(path: Path) -> Iterator[tuple[str, Path]]:
    """The files of a folder by their names, each an entity."""
    parts = [part for part in sorted(path.iterdir()) if part.is_file() and part.name[0] not in "._"]
    files = {part: part.name.lower().removesuffix(".gz") for part in parts}
    found = [(part.name[: len(Path(name).stem)], part) for part, name in files.items() if name.endswith(SUFFIXES)]
    if not found:
        raise Unreadable(f"folder {path} holds no csv or parquet file; give a folder with one file for each entity.")
    names = [name for name, _ in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise Unreadable(f"folder {path} holds {twice} twice, in different formats; keep one of them.")
    yield from found


def _table(X: Any, asked: tuple[Any, ...], like: pa.Schema | None, partial: bool, notes: list[str]) -> Table:
    if isinstance(X, str | os.PathLike) and str(X) not in ("", "-"):
        return _file(Path(X), like, partial, notes)
    if hasattr(X, "to_frame") and not hasattr(X, "columns"):
        X = X.to_frame(str(X.name) if getattr(X, "name", None) not in (None, "") else "x0")
    if isinstance(X, pa.Array | pa.ChunkedArray):
        X = pa.table({"x0": X})
    if hasattr(X, "reset_index") and hasattr(X, "index"):
        return read(_with_index(X, asked), like)
    if isinstance(X, list | tuple) or (hasattr(X, "__array__") and not hasattr(X, "columns")):
        return _array(X)
    return read(X, like)


def _array(X: Any) -> Table:
    """One channel, `(T,)`, or several, `(T, C)`."""
    try:
        shape = np.shape(X)
    except (ValueError, TypeError, RuntimeError):
        shape = ()
    if len(shape) == 1:
        return read(np.asarray(X)[:, None])
    if len(shape) > 2:
        raise Unreadable(
            f"an array of shape {shape} is not one series, (T,) or (T, C); give a list of arrays for several series."
        )
    return read(X)


def _with_index(frame: Any, asked: tuple[Any, ...]) -> Any:
    """A pandas frame with what its index tells as columns, unless the index is a clock already."""
    index = frame.index
    if str(index.dtype).startswith("period"):
        frame = frame.copy(deep=False)
        frame.index = index.to_timestamp()
        return frame
    wanted = [name for name in index.names if name is not None and (name in asked or is_time_name(str(name)))]
    if index.nlevels > 1:
        wanted = [name for name in index.names if name is not None]
    elif str(index.dtype).startswith("datetime64"):
        wanted = []
    return frame.reset_index(wanted) if wanted and not set(wanted) & set(frame.columns) else frame


def _file(path: Path, like: pa.Schema | None, partial: bool, notes: list[str]) -> Table:
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    if suffix in (".npy", ".npz", ".txt") and path.is_file() and (array := _numbers(path, suffix)) is not None:
        return _array(array)
    if partial and suffix not in (".npy", ".npz", ".parquet", ".pq") and path.is_file():
        with whole(path) as (lines, note):
            notes += [note] if note else []
            return read(lines, like)
    return read(path, like)


def _numbers(path: Path, suffix: str) -> np.ndarray | None:
    """An array from a file of one, or None where `read` shall look at it and say what is wrong."""
    try:
        if suffix == ".txt":
            return plain(path)
        found = np.load(path, allow_pickle=False)
        if isinstance(found, np.ndarray):
            return found
        with found:
            return np.asarray(found["X"]) if "X" in found.files else None
    except (OSError, ValueError, EOFError, KeyError, MemoryError):
        return None


def plain(path: Path) -> np.ndarray:
    """Numbers in text, without names: `(T, C)`, blanks or commas between channels; one line of numbers is `(T, 1)`.

    Raises:
        ValueError: there is something else in it.
    """
    with path.open(encoding="utf-8") as file:
        first = file.readline()
    array = np.loadtxt(path, delimiter="," if "," in first else None, ndmin=2, encoding="utf-8", comments=None)
    return array.T if len(array) == 1 else array
