"""From streamed scores to streamed alarms: by a threshold in one pass, by false-discovery control in two."""

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ALARM = 3
"""The place of the column `alarm`, after row, score and p_value."""


def by_rate(tables: Iterable[pa.Table], threshold: float) -> Iterator[pa.Table]:
    """Alarm above the threshold."""
    for table in tables:
        yield _with_alarm(table, table["score"].to_numpy() > threshold)


def by_fdr(tables: Iterable[pa.Table], fdr: float) -> Iterator[pa.Table]:
    """Alarm by Benjamini and Hochberg over all rows: they wait on disk while their p-values are counted."""
    with tempfile.TemporaryDirectory(prefix="anodiff-") as folder:
        path = Path(folder) / "scores.parquet"
        highest = largest_rejected(*_spilled(tables, path, fdr), fdr)
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches():
                table = pa.Table.from_batches([batch])
                yield _with_alarm(table, table["p_value"].to_numpy() <= highest)


def largest_rejected(counts: Counter[float], rows: int, fdr: float) -> float:
    """The largest p with p ≤ fdr · (rows at or below p) / rows, or -1 where there is none.

    >>> largest_rejected(Counter({0.001: 2}), 10, 0.1), largest_rejected(Counter(), 10, 0.1)
    (0.001, -1.0)
    """
    p = np.array(sorted(counts), dtype=np.float64)
    reached = np.cumsum([counts[value] for value in p])
    passed = p[p <= fdr * reached / max(rows, 1)]
    return float(passed[-1]) if len(passed) else -1.0


def _spilled(tables: Iterable[pa.Table], path: Path, fdr: float) -> tuple[Counter[float], int]:
    """How many rows have each p up to `fdr` (a higher one is never rejected), and how many have a p at all."""
    counts: Counter[float] = Counter()
    rows = 0
    with ExitStack() as stack:
        writer = None
        for table in tables:
            writer = writer or stack.enter_context(pq.ParquetWriter(path, table.schema))
            p = table["p_value"].to_numpy()
            values, times = np.unique(p[p <= fdr], return_counts=True)
            counts.update(dict(zip(values.tolist(), times.tolist(), strict=True)))
            rows += int(np.count_nonzero(p == p))
            writer.write_table(table)
    return counts, rows


def _with_alarm(table: pa.Table, alarm: np.ndarray) -> pa.Table:
    return table.add_column(ALARM, "alarm", pa.array(alarm.astype(np.int8)))
