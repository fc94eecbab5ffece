"""Channels of series: the same names and types in every one, and numbers that are finite."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from anodiff.data.table import Table
from anodiff.types import Unreadable


def matched(table: Table, fitted: Sequence[str], source: str = "", fit: bool = True) -> Table:
    """The table with the channels of fit (else of the first series), in their order; those of an array by position.

    Raises:
        Unreadable: it has other channels.

    >>> matched(Table(pa.table({"flow": [1], "tmp": [2]})), ["flow", "temp"])
    Traceback (most recent call last):
    ...
    anodiff.types.Unreadable: columns differ from those of fit: missing temp; unexpected tmp.
    """
    fitted, whose = list(fitted), "fit" if fit else "the first"
    if table.named and fitted != [f"x{i}" for i in range(len(fitted))]:
        check_columns(fitted, table.names, source, whose)
        return replace(table, arrow=table.arrow.select(fitted))
    if len(table.names) != len(fitted):
        raise Unreadable(
            f"{source}the series has {len(table.names)} channels, {whose} had {len(fitted)}; give the same channels."
        )
    return replace(table, arrow=table.arrow.rename_columns(fitted))


def check_columns(fitted: Sequence[str], given: Sequence[str], source: str = "", whose: str = "fit") -> None:
    """Refuse columns, of a table or of series, that are not those of fit.

    >>> check_columns(["flow", "temp"], ["flow", "tmp"])
    Traceback (most recent call last):
    ...
    anodiff.types.Unreadable: columns differ from those of fit: missing temp; unexpected tmp.
    """
    missing = [name for name in fitted if name not in set(given)]
    unexpected = [name for name in given if name not in set(fitted)]
    parts = [f"{word} {few(names)}" for word, names in (("missing", missing), ("unexpected", unexpected)) if names]
    if parts:
        raise Unreadable(f"{source}columns differ from those of {whose}: {'; '.join(parts)}.")


def check_finite(table: Table, source: str = "") -> None:
    """Refuse an infinite number, which no scale can take; what is missing may be missing."""
    for name, column in zip(table.names, table.arrow.columns, strict=True):
        if pa.types.is_floating(column.type) and np.isinf(values := column.to_numpy()).any():
            row = int(np.isinf(values).argmax())
            raise Unreadable(
                f"{source}channel {name} holds {float(values[row])} in row {table.start + row + 1}; "
                "correct it, or leave the cell empty."
            )


def unified(tables: Sequence[Table]) -> list[Table]:
    """The same type for each channel everywhere: whole numbers become fractions where another series has some."""
    schemas = [table.arrow.schema.remove_metadata() for table in tables]
    if all(schema.equals(schemas[0]) for schema in schemas):
        return list(tables)
    fields = [_common([schema.field(i) for schema in schemas]) for i in range(len(schemas[0]))]
    return [replace(table, arrow=table.arrow.cast(pa.schema(fields))) for table in tables]


def _common(fields: Sequence[pa.Field]) -> pa.Field:
    try:
        return pa.unify_schemas([pa.schema([f]) for f in fields], promote_options="permissive").field(0)
    except pa.ArrowException:
        held = sorted({str(f.type) for f in fields})
        raise Unreadable(
            f"channel {fields[0].name} holds {' and '.join(held)} in different series; make them one type."
        ) from None


def few(names: Sequence[str], most: int = 10) -> str:
    """The first few names, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
