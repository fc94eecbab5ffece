"""Cells and columns in a few words, for pages and terminals."""

from typing import Any

from anodiff.explain.values import written
from anodiff.types import JSON


def short(value: Any, most: int = 80) -> str:
    """A cell as people write it, cut where it is very long.

    >>> short(9310), short("x" * 100, 5)
    ('9,310', 'xxxx…')
    """
    text = written(value)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def normal(column: JSON) -> str:
    """What is normal in a column, in a few words.

    >>> normal({"kind": "numeric", "q05": 1.0, "q95": 9.5})
    '1 to 9.5'
    """
    if "q05" in column:
        return f"{written(column['q05'])} to {written(column['q95'])}"
    if "top" in column:
        return ", ".join(f"{short(name, 30)} {100 * share:.0f} %" for name, share in list(column["top"].items())[:3])
    if "levels" in column:
        return " < ".join(short(level, 20) for level in column["levels"][:6])
    if "share_true" in column:
        return f"true {100 * column['share_true']:.0f} %"
    return f"{column['first']} to {column['last']}" if "first" in column else "always empty"
