"""Reasons for chosen rows of a source that is only passed through."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from anodiff.data.table import Table
from anodiff.detect import Detector
from anodiff.explain import Explanation
from anodiff.report.passes import Worst, joined_tables, pieces
from anodiff.types import Unreadable


def reasons_for_worst(detector: Detector, source: Any, most: int, cells: int) -> list[Explanation]:
    """Of the `most` highest scoring rows, worst first, numbered as in the source."""
    worst = Worst(most)
    for piece in pieces(detector, source):
        worst.add(piece)
    return reasons(detector, worst.table, worst.numbers, cells)


def reasons_for(detector: Detector, source: Any, rows: Sequence[int], cells: int) -> list[Explanation]:
    """Of these rows of the source, counted from 0, in the order asked for.

    Raises:
        Unreadable: the source has no such row.
    """
    kept: Table | None = None
    numbers, total = np.empty(0, dtype=np.int64), 0
    for piece in pieces(detector, source):
        here = np.flatnonzero(np.isin(piece.rows, rows))
        table = piece.seen.take(here)
        numbers, total = np.append(numbers, piece.rows[here]), total + len(piece.rows)
        kept = table if kept is None else joined_tables(kept, table)
    beyond = [row for row in rows if row >= total]
    if beyond:
        raise Unreadable(f"there is no row {beyond[0]}; the data have {total:,} rows, counted from 0.")
    assert kept is not None
    order = [int(np.flatnonzero(numbers == row)[0]) for row in rows]
    return reasons(detector, kept.take(np.array(order)), numbers[order], cells)


def reasons(detector: Detector, table: Table | None, numbers: np.ndarray, cells: int) -> list[Explanation]:
    """Explanations of the rows of `table`, which have these numbers in their source."""
    if table is None or not len(table):
        return []
    found = detector.explain(table, top=cells)
    return [replace(each, row=int(number)) for each, number in zip(found, numbers, strict=True)]
