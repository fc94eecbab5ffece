"""Cells of an array or a frame: taken, deleted, moved; and the plain numbers that rivals get of them."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anodiff.bench.sets import Rows
from anodiff.data import Table

MOST_CATEGORIES = 50
"""Of a text column, so many of its most frequent values become columns of the rivals."""


def width(X: Rows) -> int:
    """How many columns."""
    return X.shape[1] if isinstance(X, np.ndarray) else len(X.names)


def take(X: Rows, rows: np.ndarray) -> Rows:
    """These rows, in this order."""
    return X[rows] if isinstance(X, np.ndarray) else X.take(rows)


def recombined(X: Rows, rows: np.ndarray) -> Rows:
    """Cell (i, j) of the result is cell (rows[i, j], j) of X."""
    if isinstance(X, np.ndarray):
        return np.take_along_axis(X, rows, axis=0)
    columns = [column.take(pa.array(rows[:, j])) for j, column in enumerate(X.arrow.columns)]
    return Table(pa.table(dict(zip(X.names, columns, strict=True))))


def deleted(X: Rows, gone: np.ndarray) -> Rows:
    """X with missing values where `gone` `(n, d)`."""
    if isinstance(X, np.ndarray):
        return np.where(gone, np.nan, X)
    columns = [
        pc.if_else(pa.array(gone[:, j]), pa.scalar(None, type=column.type), column)
        for j, column in enumerate(X.arrow.columns)
    ]
    return Table(pa.table(dict(zip(X.names, columns, strict=True))))


def joined(parts: Sequence[Rows]) -> Rows:
    """Rows of all parts, one after the other."""
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)  # type: ignore[arg-type]
    tables = [part.arrow for part in parts if isinstance(part, Table)]
    return Table(pa.concat_tables(tables, promote_options="permissive"))


def codes(X: Rows) -> np.ndarray:
    """`(n, d)` numbers that are equal where cells are, missing ones too."""
    if isinstance(X, np.ndarray):
        gone = np.isnan(X)
        return np.where(gone, 0, X) if not gone.any() else np.concatenate([np.where(gone, 0, X), gone], axis=1)
    return np.column_stack([_codes(column) for column in X.arrow.columns])


def _codes(column: pa.ChunkedArray) -> np.ndarray:
    plain = column.combine_chunks()
    if pa.types.is_dictionary(plain.type):
        plain = pc.cast(plain, plain.type.value_type)
    return np.asarray(pc.dictionary_encode(plain, null_encoding="encode").indices)


def standardised(train: np.ndarray, *others: np.ndarray) -> list[np.ndarray]:
    """All with the mean and spread of the columns of `train`; missing values stay."""
    seen = ~np.isnan(train)
    count = np.maximum(seen.sum(0), 1)
    mean = np.where(seen, train, 0).sum(0) / count
    scale = np.sqrt((np.where(seen, train - mean, 0) ** 2).sum(0) / count)
    scale[scale == 0] = 1
    return [(X - mean) / scale for X in (train, *others)]


def flat(train: Rows, test: Rows) -> tuple[np.ndarray, np.ndarray]:
    """What rivals get: numbers, scaled, with medians and missing-indicators for gaps and one-hot columns for texts.

    Medians, categories, mean and spread are those of `train`.
    """
    pairs = zip(_columns(train), _columns(test), strict=True)
    blocks = [block for first, second in pairs for block in _blocks(first, second)]
    both = (np.column_stack([block[side] for block in blocks]) for side in (0, 1))
    first, second = standardised(*both)
    return first, second


def _columns(X: Rows) -> list[np.ndarray]:
    """Each column as float numbers, or as texts (objects, None where missing)."""
    return list(X.T) if isinstance(X, np.ndarray) else [_column(column) for column in X.arrow.columns]


def _column(column: pa.ChunkedArray) -> np.ndarray:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    column = pc.cast(column, kind)
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        column = pc.cast(pc.cast(column, pa.timestamp("us")), pa.int64())
    if pa.types.is_null(kind):
        return np.full(len(column), np.nan)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return np.array(column.to_pylist(), dtype=object)
    try:
        return np.asarray(pc.cast(column, pa.float64(), safe=False).to_numpy())
    except pa.ArrowException:  # durations, times of day, lists: as their texts
        return np.array([None if cell is None else str(cell) for cell in column.to_pylist()], dtype=object)


def _blocks(train: np.ndarray, test: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Columns of train and test that stand for one column."""
    if train.dtype == object or test.dtype == object:
        words, counts = np.unique([word for word in train if word is not None], return_counts=True)
        kept = words[np.argsort(-counts, kind="stable")[:MOST_CATEGORIES]]
        hot = [(train == word, test == word) for word in kept]
        gone = tuple(np.array([word is None for word in side]) for side in (train, test))
    else:
        median = float(np.nanmedian(train)) if np.isfinite(train).any() else 0.0
        gone = (np.isnan(train), np.isnan(test))
        hot = [(np.where(gone[0], median, train), np.where(gone[1], median, test))]
    blocks = [*hot, (gone[0], gone[1])] if gone[0].any() else hot
    return [(first.astype(np.float64), second.astype(np.float64)) for first, second in blocks]
