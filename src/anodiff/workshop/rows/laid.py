"""Made rows in the caller's own layout: cells that did not change are copied from what was given."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa

from anodiff.data.channels import check_columns
from anodiff.data.readers import read
from anodiff.data.table import Table
from anodiff.made import taken
from anodiff.modalities.columns import nulls
from anodiff.modalities.tabular import Tabular
from anodiff.types import JSON, Refusal, Unreadable


def matched(X: Any, modality: Tabular, what: str) -> tuple[Table, np.ndarray]:
    """Rows with the columns of fit, and of each column of fit its place in what was given.

    Args:
        X: Rows, anything that can be read.
        modality: What was fitted.
        what: What the rows are called in refusals.

    Raises:
        Unreadable: the columns are not those of fit, or there is no row.
    """
    try:
        table = read(X, like=modality.arrow_schema)
    except Refusal as error:
        raise type(error)(f"{what}: {error}") from None
    names = modality.columns
    if table.named and names != [f"x{i}" for i in range(len(names))]:
        check_columns(names, table.names, f"{what}: ")
        places = np.array([table.names.index(name) for name in names])
        arrow = table.arrow.select(names)
    elif len(table.names) != len(names):
        raise Unreadable(f"{what}: the table has {len(table.names)} columns, fit had {len(names)}; give the same.")
    else:
        places, arrow = np.arange(len(names)), table.arrow.rename_columns(names)
    if not len(arrow):
        raise Unreadable(f"{what}: the table has no rows; give some, or leave it out.")
    table = replace(table, arrow=arrow)
    try:
        modality.encode(table)
    except Refusal as error:
        raise type(error)(f"{what}: {error}") from None
    return table, places


def whole_rows(table: Table, modality: Tabular) -> np.ndarray:
    """The rows of a table without gaps in columns that had none in fit: their numbers.

    Raises:
        Unreadable: there is no such row.
    """
    good = np.ones(len(table), dtype=bool)
    for name, share in zip(modality.columns, modality.shares_, strict=True):
        if share == 0:
            good &= ~nulls(table.arrow[name])
            if not good.any():
                raise Unreadable(f"on: column {name} is missing in every row, and fit had no gaps in it; fill it.")
    return np.flatnonzero(good)


def like_source(on: Any, source: np.ndarray, made: Table, region: np.ndarray, places: np.ndarray) -> tuple[Any, Any]:
    """Made rows and those that they were made on, laid out like `on`.

    Args:
        on: What was given.
        source: Which of its rows each was made on `(n,)`.
        made: The rows, with the columns of fit.
        region: Cells that changed `(n, columns)`, in the order of fit.
        places: Of each column of fit its place in `on`.
    """
    if isinstance(on, np.ndarray):
        data = on[source].copy()
        for i, place in enumerate(places):
            rows = np.flatnonzero(region[:, i])
            if len(rows):
                data[rows, place] = np.array(made.arrow.column(i).take(pa.array(rows)).to_pylist(), dtype=data.dtype)
        return data, on[source]
    if hasattr(on, "columns") and not isinstance(on, Table) and _eager(on):
        before = taken(on, source)
        frame = nw.from_native(before, eager_only=True)
        fresh = []
        for i, place in enumerate(places):
            rows = np.flatnonzero(region[:, i])
            if len(rows):
                cells = made.arrow.column(i).take(pa.array(rows)).to_pylist()
                fresh.append(frame[:, int(place)].scatter(rows.tolist(), cells))
        return (frame.with_columns(*fresh) if fresh else frame).to_native(), before
    table = on if isinstance(on, Table) else read(on)
    before = table.take(source)
    arrow = before.arrow
    for i, place in enumerate(places):
        if region[:, i].any():
            arrow = arrow.set_column(int(place), arrow.schema.field(int(place)), made.arrow.column(i))
    return Table(arrow, before.kind, before.dtype, before.index).native(), before.native()


def stacked(tables: Sequence[Table]) -> Table:
    """Rows of several tables of the same columns, one after the other."""
    first = tables[0]
    arrow = pa.concat_tables([t.arrow for t in tables]).unify_dictionaries().combine_chunks()
    index = first.index
    for other in tables[1:]:
        index = None if index is None else index.append(other.index)
    return Table(arrow, first.kind, first.dtype, index)


def packed(table: Table) -> np.ndarray:
    """The columns of a table as bytes."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.arrow.schema) as stream:
        stream.write_table(table.arrow)
    return np.frombuffer(sink.getvalue(), dtype=np.uint8).copy()


def unpacked(content: np.ndarray, layout: JSON) -> Table:
    """And back, as a table of that `kind` and `dtype`."""
    arrow = pa.ipc.open_stream(pa.py_buffer(np.asarray(content, np.uint8).tobytes())).read_all()
    return Table(arrow, layout["kind"], layout["dtype"])


def _eager(on: Any) -> bool:
    return not isinstance(nw.from_native(on, pass_through=True), nw.LazyFrame)
