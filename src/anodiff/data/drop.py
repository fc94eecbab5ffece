"""Columns that the detector shall not see: identifiers, notes, labels."""

from collections.abc import Sequence
from dataclasses import replace

from anodiff.data.table import Table
from anodiff.types import Misfit


def without(table: Table, names: Sequence[str]) -> Table:
    """The table without those of its columns that are among `names`.

    >>> import pyarrow as pa
    >>> without(Table(pa.table({"id": [1], "flow": [2.0]})), ["id", "note"]).names
    ['flow']
    """
    present = [name for name in names if name in set(table.names)]
    return replace(table, arrow=table.arrow.drop_columns(present)) if present else table


def check_droppable(table: Table, names: Sequence[str]) -> None:
    """Refuse names that the table lacks: they are typing errors.

    >>> import pyarrow as pa
    >>> check_droppable(Table(pa.table({"id": [1]})), ["ID"])
    Traceback (most recent call last):
    ...
    anodiff.types.Misfit: cannot drop ID, which the table lacks; it has id.
    """
    unknown = [name for name in names if name not in set(table.names)]
    if unknown:
        raise Misfit(f"cannot drop {', '.join(unknown)}, which the table lacks; it has {', '.join(table.names[:10])}.")
