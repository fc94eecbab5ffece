"""Cells as people write them, and as JSON.

Thousands are separated, numbers have three digits or as many as it takes to tell two apart, dates no needless zeros.
"""

import datetime as dt
import math
from decimal import Decimal
from typing import Any

import pyarrow as pa

DIGITS = (3, 4, 6, 9, 17)
MINUTE = dt.timedelta(minutes=1)


def cells(column: pa.ChunkedArray) -> list[Any]:
    """A column as plain Python values; what is missing, NaN too, is None."""
    if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
    return [None if isinstance(value, float) and math.isnan(value) else value for value in column.to_pylist()]


def written(value: Any, digits: int = DIGITS[0]) -> str:
    """A value to read.

    >>> [written(v) for v in (9310, 9310.4, 0.123456, 1.0, 2.5e-7, True, None, "NL", dt.datetime(2024, 3, 1))]
    ['9,310', '9,310', '0.123', '1', '2.5e-07', 'true', 'missing', 'NL', '2024-03-01']
    """
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float | Decimal):
        return number(float(value), digits)
    if isinstance(value, dt.datetime):
        return moment(value)
    if isinstance(value, dt.timedelta) and abs(value) > MINUTE:
        return str(dt.timedelta(seconds=round(value.total_seconds())))
    return str(value)


def number(value: float, digits: int = DIGITS[0]) -> str:
    """A real number with about so many significant digits, whole from a thousand on."""
    if value == 0 or not math.isfinite(value) or not 1e-4 <= abs(value) < 1e15:
        return f"{value:.{digits}g}"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def moment(value: dt.datetime) -> str:
    """A time, as fine as it is."""
    if (value.hour, value.minute, value.second, value.microsecond) == (0, 0, 0, 0):
        return value.date().isoformat()
    exact = "minutes" if (value.second, value.microsecond) == (0, 0) else "seconds"
    return value.isoformat(" ", exact)


def both_written(first: Any, second: Any) -> tuple[str, str]:
    """Two values with so many digits that they read differently, if they differ.

    >>> both_written(1000.25, 1000.5)
    ('1,000.25', '1,000.5')
    """
    for digits in DIGITS:
        pair = written(first, digits), written(second, digits)
        if pair[0] != pair[1] or first == second:
            break
    return pair


def plain(value: Any) -> Any:
    """A cell as JSON knows it: times as ISO text, what is not finite as null."""
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
