"""Columns as plain numbers or counts, for whoever compares distributions."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anodiff.data.table import Table

MOST_CATEGORIES = 1_000
MISSING = "(missing)"


def columns(table: Table) -> Mapping[str, np.ndarray | dict[str, int]]:
    """Per column its numbers, NaN where missing (times as seconds), or the rows per category.

    Columns of more than a thousand categories, identifiers mostly, are left out.

    >>> columns(Table(pa.table({"n": [1, 2], "c": ["a", "a"]})))
    {'n': array([1., 2.]), 'c': {'a': 2}}
    """
    found = ((name, _values(table.arrow[name])) for name in table.names)
    return {name: values for name, values in found if values is not None}


def _values(column: pa.ChunkedArray) -> Any:
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        column = pc.cast(pc.cast(column, pa.timestamp("us")), pa.int64())
        return _floats(column) / 1e6
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return _floats(column)
    counts = pc.value_counts(pc.cast(column, pa.string()).combine_chunks())
    if len(counts) > MOST_CATEGORIES:
        return None
    return {MISSING if row["values"] is None else row["values"]: row["counts"] for row in counts.to_pylist()}


def _floats(column: pa.ChunkedArray) -> np.ndarray:
    numbers: np.ndarray = pc.cast(column, pa.float64(), safe=False).to_numpy()
    return numbers.astype(np.float64)
