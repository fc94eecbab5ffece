"""Which rows are anomalies, from a column of the user's: 0 and 1, true and false, or texts of which one is abnormal."""

import numpy as np

from anodiff.data import Table
from anodiff.data.drop import without
from anodiff.types import Misfit, Unreadable

WORDS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1}


def parted(table: Table, column: str, anomaly: str | None, name: str) -> tuple[Table, np.ndarray]:
    """The table without the column `column`, and 1 where that holds an anomaly `(n,)`.

    Raises:
        Misfit: there is no such column, or `anomaly` is not in it.
        Unreadable: the column says nothing of some row, or not which of its values are abnormal.

    >>> import pyarrow as pa
    >>> table = Table(pa.table({"flow": [1.0, 2.0], "state": ["good", "bad"]}))
    >>> parted(table, "state", "bad", "mine")[1]
    array([0, 1])
    """
    if column not in table.names:
        raise Misfit(f"{name} has no column {column!r} for --label; it has {', '.join(table.names[:10])}.")
    if len(table.names) < 2:
        raise Unreadable(f"{name} has no column but {column!r}; there is nothing to judge rows by.")
    cells = table.arrow[column]
    if cells.null_count:
        raise Unreadable(f"{name}: column {column} is empty in {cells.null_count:,} rows; label every row.")
    return without(table, [column]), labels([_word(cell) for cell in cells.to_pylist()], anomaly, f"{name}: {column}")


def labels(words: list[str], anomaly: str | None, where: str) -> np.ndarray:
    """1 for anomalies `(n,)`, from the words of a column; `where` is it, for the message."""
    kinds = sorted(set(words))
    if anomaly is not None:
        if anomaly not in kinds:
            raise Misfit(f"{where} never says {anomaly!r} for --anomaly; it says {', '.join(kinds[:5])}.")
        return np.array([word == anomaly for word in words], dtype=np.int64)
    if not all(kind.lower() in WORDS for kind in kinds):
        raise Unreadable(f"{where} says {', '.join(kinds[:5])}; name the abnormal value with --anomaly VALUE.")
    return np.array([WORDS[word.lower()] for word in words], dtype=np.int64)


def check_labels(y: np.ndarray, rows: int, name: str) -> None:
    """Refuse labels that allow no judgement.

    >>> check_labels(np.zeros(40), 40, "mine")
    Traceback (most recent call last):
    ...
    anodiff.types.Unreadable: mine has 0 anomalies and 40 normal rows; judging needs 1 and 20 at least.
    """
    if y.shape != (rows,) or not np.isin(y, (0, 1)).all():
        raise Unreadable(f"{name}: y has shape {y.shape} for {rows} rows; give one 0 (normal) or 1 (anomaly) per row.")
    bad = int(y.sum())
    if bad < 1 or rows - bad < 20:
        raise Unreadable(f"{name} has {bad} anomalies and {rows - bad} normal rows; judging needs 1 and 20 at least.")


def _word(cell: object) -> str:
    """A cell as text, whole numbers without a fraction."""
    return str(int(cell) if isinstance(cell, float) and cell.is_integer() else cell).strip()
