"""One instant of a series, as somebody hands it over: a number, a few of them, or channels by name."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from anodiff.data.channels import check_columns
from anodiff.data.instants import instants
from anodiff.data.table import Table
from anodiff.types import Unreadable


def reading(values: Any, channels: Sequence[str]) -> Table:
    """A table of one row; a channel that a mapping leaves out, None and NaN are missing.

    Raises:
        Unreadable: there are other channels, or more or fewer; or a value is nothing that a table can hold.

    >>> reading({"temp": 21}, ["flow", "temp"]).arrow.to_pylist()
    [{'flow': None, 'temp': 21}]
    >>> reading([1, 2, 3], ["flow", "temp"])
    Traceback (most recent call last):
    ...
    anodiff.types.Unreadable: 3 values were given, fit had 2 channels (flow, temp); give one for each, None if missing.
    """
    if isinstance(values, Mapping):
        named = {str(name): value for name, value in values.items()}
        check_columns(channels, [*channels, *named])
        given = [named.get(name) for name in channels]
    else:
        given = list(values) if isinstance(values, list | tuple) or getattr(values, "ndim", 0) > 0 else [values]
    if len(given) != len(channels):
        names = ", ".join(channels[:10])
        raise Unreadable(
            f"{len(given)} values were given, fit had {len(channels)} channels ({names}); "
            "give one for each, None if missing."
        )
    cells = [_cell(value, name) for value, name in zip(given, channels, strict=True)]
    return Table(pa.Table.from_arrays(cells, names=list(channels)))


def stamp_of(time: Any) -> int:
    """A time, of whatever kind a column of times may be, in microseconds since 1970 UTC.

    Raises:
        Unreadable: it is none.

    >>> stamp_of("1970-01-01T01:00:01+01:00")
    1000000
    """
    plain = time.item() if isinstance(time, np.generic) and not isinstance(time, np.datetime64) else time
    try:
        column = pa.chunked_array([pa.array([plain])])
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        raise Unreadable(f"time is {time!r}, which is no time; give a datetime, ISO 8601 or a number.") from None
    return int(instants(column, "time")[0][0])


def _cell(value: Any, name: str) -> pa.Array:
    plain = value.item() if isinstance(value, np.generic) else value
    if plain is None or (isinstance(plain, float) and math.isnan(plain)):
        return pa.nulls(1)
    try:
        cell = pa.array([plain])
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        cell = pa.array([[]])
    if pa.types.is_nested(cell.type):
        raise Unreadable(f"channel {name} holds {plain!r}, which is no reading; give a number or a text.")
    return cell
