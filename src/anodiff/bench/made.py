"""Anomalies made from normal rows, for tables without labels. Numbers on them say `made`: they are not real anomalies.

swapped: a few cells of a row are replaced by those of other rows. Every value was observed; how they belong together is
         broken.
pushed:  a number of a row is pushed out to five spreads from the median.
"""

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from anodiff.bench.cells import codes, recombined, take, width
from anodiff.bench.sets import Rows
from anodiff.data import Table

MOST, SPREADS, TRIES = 500, 5.0, 5
Made = tuple[Rows, np.ndarray]
"""Made rows, and the numbers of the rows they were made from."""


def swapped(X: Rows, seed: int) -> Made | None:
    """About a third of the cells of each row from other rows; None where no row comes out new."""
    draw = np.random.default_rng([seed, 1])
    n, d = len(X), width(X)
    if d < 2 or n < 3:
        return None
    base = draw.permutation(n)[:MOST]
    cells = np.tile(base[:, None], (1, d))
    known, count = codes(X), max(1, round(d / 3))
    observed = {row.tobytes() for row in known}
    fresh = np.zeros(len(base), dtype=bool)
    for _ in range(TRIES):
        columns = draw.random((len(base), d)).argsort(1)[:, :count]
        again = np.tile(base[:, None], (1, d))
        np.put_along_axis(again, columns, draw.integers(n, size=columns.shape), axis=1)
        cells[~fresh] = again[~fresh]
        found = np.take_along_axis(known, np.tile(cells, (1, known.shape[1] // d)), axis=0)
        fresh = np.array([row.tobytes() not in observed for row in found])
    return (recombined(X, cells[fresh]), base[fresh]) if fresh.any() else None


def pushed(X: Rows, seed: int) -> Made | None:
    """One number of each row at five spreads from the median of its column; None where no column has a spread."""
    draw = np.random.default_rng([seed, 2])
    base = draw.permutation(len(X))[:MOST]
    rows = take(X, base)
    columns = list(X.T) if isinstance(X, np.ndarray) else [_numbers(column) for column in X.arrow.columns]
    ends = [_end(column) for column in columns]
    able = np.array([j for j, end in enumerate(ends) if end is not None])
    if not len(able):
        return None
    where = draw.choice(able, len(base))
    side = draw.choice([-1.0, 1.0], len(base))
    values = {j: end[0] + SPREADS * side * end[1] for j, end in enumerate(ends) if end is not None}
    if isinstance(rows, np.ndarray):
        rows = rows.copy()
        for j in able:
            rows[where == j, j] = values[j][where == j]
        return rows, base
    parts = {
        name: column if j not in values else _replaced(column, values[j], where == j)
        for j, (name, column) in enumerate(zip(rows.names, rows.arrow.columns, strict=True))
    }
    return Table(pa.table(parts)), base


MAKERS: dict[str, Callable[[Rows, int], Made | None]] = {"swapped": swapped, "pushed": pushed}


def _numbers(column: pa.ChunkedArray) -> np.ndarray | None:
    numeric = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
    return column.cast(pa.float64(), safe=False).to_numpy() if numeric else None


def _end(column: np.ndarray | None) -> tuple[float, float] | None:
    """Median and spread (of the middle half, else the standard deviation) of a column that is not constant."""
    if column is None or not np.isfinite(column).any():
        return None
    low, middle, high = np.nanquantile(column, [0.25, 0.5, 0.75])
    spread = (high - low) / 1.349 or np.nanstd(column)
    return (float(middle), float(spread)) if spread > 0 else None


def _replaced(column: pa.ChunkedArray, values: np.ndarray, where: np.ndarray) -> pa.Array:
    found = np.asarray(_numbers(column)).copy()
    found[where] = np.round(values[where]) if pa.types.is_integer(column.type) else values[where]
    return pa.array(found, from_pandas=True)
