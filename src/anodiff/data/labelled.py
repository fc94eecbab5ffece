"""Series with known anomalies, and how the files of public sets become such."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anodiff.data.instants import is_stamped
from anodiff.data.pieces import plain
from anodiff.data.readers import read
from anodiff.data.table import Table
from anodiff.data.text import MISSING, NUMBER
from anodiff.types import Unreadable

INDEX_NAMES = frozenset({"", "time", "timestamp", "timestamps", "date", "datetime", "row", "index", "unnamed: 0"})
MARKS = {"normal": 0, "benign": 0, "attack": 1, "anomaly": 1, "false": 0, "true": 1}
HEAD = 10


@dataclass(frozen=True, eq=False)
class Labelled:
    """A series and its anomalies.

    Attributes:
        name: of the series, unique in its collection.
        collection: that it is of.
        X: `(n, d)` float64, NaN where a value is missing.
        y: `(n,)` int64, 1 where an anomaly is known.
        X_train: `(m, d)` a training part of its own, where the set has one.
        train_end: rows of `X` before this are what the set gives for training, where it does.
        channels: d names.
    """

    name: str
    collection: str
    X: np.ndarray
    y: np.ndarray
    X_train: np.ndarray | None
    train_end: int | None
    channels: list[str]

    def __post_init__(self) -> None:
        if len(self.X) != len(self.y):
            raise Unreadable(f"{self.name} has {len(self.X)} rows and {len(self.y)} labels; copy it again, whole.")
        if self.X_train is not None and self.X_train.shape[1] != self.X.shape[1]:
            raise Unreadable(
                f"{self.name} has {self.X_train.shape[1]} channels to train on and {self.X.shape[1]} to judge."
            )


Found = dict[str, Callable[[], Labelled]]
Layout = Callable[[Path], Found]


def unnamed(d: int) -> list[str]:
    """Names of channels that have none."""
    return [f"x{i}" for i in range(d)]


def marked(n: int, spans: Sequence[Sequence[int]]) -> np.ndarray:
    """1 from each start up to and without each end `(n,)`.

    >>> marked(5, [(1, 3)])
    array([0, 1, 1, 0, 0])
    """
    y = np.zeros(n, np.int64)
    for start, end in spans:
        y[start:end] = 1
    return y


@contextmanager
def guarded(path: Path) -> Iterator[None]:
    """What is wrong with a file, in one sentence."""
    try:
        yield
    except Unreadable as refusal:
        raise Unreadable(str(refusal) if path.name in str(refusal) else f"{path.name}: {refusal}") from None
    except (OSError, ValueError, EOFError, LookupError, pa.ArrowException) as error:
        detail = next(iter(str(error).strip().splitlines()), type(error).__name__)[:160].rstrip(".")
        raise Unreadable(f"{path.name}: damaged, or not of the layout expected ({detail}); copy it again.") from None


def array(path: Path) -> np.ndarray:
    """The numbers of a txt or npy file, `(n, d)` float64."""
    with guarded(path):
        found = plain(path) if path.suffix == ".txt" else np.load(path, allow_pickle=False)
        return np.asarray(found, np.float64).reshape(len(found), -1)


def table(path: Path) -> Table:
    """The csv at `path`; lines above that of the names are skipped, and names have no blanks around nor paths before.

    The line of names is the first of the `HEAD` first ones with as many fields that are no numbers as any of them.
    """
    with guarded(path), path.open("rb") as file:
        lines = [file.readline() for _ in range(HEAD)]
        counts = [_wordy(line) for line in lines]
        file.seek(sum(map(len, lines[: counts.index(max(counts))])))
        found = read(file)
        names = [name.strip().rpartition("\\")[2] for name in found.names]
        return Table(found.arrow.rename_columns(names))


def _wordy(line: bytes) -> int:
    """How many fields have letters and are no numbers such as 1e-05 and nan."""
    fields = [field.strip() for field in line.decode("utf-8", errors="replace").replace(";", ",").split(",")]
    return sum(any(c.isalpha() for c in f) and f not in MISSING and not NUMBER.fullmatch(f) for f in fields)


def channels(table: Table, label: str | None, also: Sequence[str] = ()) -> list[str]:
    """The columns that are neither label, nor time, nor a count of rows, nor among `also`."""
    return [
        name
        for name, column in zip(table.names, table.arrow.columns, strict=True)
        if name not in (label, *also) and not _counts_rows(name) and not is_stamped(column.type)
    ]


def _counts_rows(name: str) -> bool:
    return name.strip().lower() in INDEX_NAMES or name.strip().lower().startswith("timestamp")


def numbers(table: Table, names: Sequence[str]) -> np.ndarray:
    """These columns as `(n, d)` float64, NaN where missing."""
    return np.stack([_floats(table.arrow[name], name) for name in names], 1) if names else np.empty((len(table), 0))


def _floats(column: Any, name: str) -> np.ndarray:
    try:
        if pa.types.is_boolean(column.type):
            column = pc.cast(column, pa.int8())
        text = pc.utf8_trim_whitespace(column) if pa.types.is_string(column.type) else column
        return np.asarray(pc.cast(text, pa.float64(), safe=False).to_numpy(), np.float64)
    except pa.ArrowException:
        raise Unreadable(f"column {name} holds {column.type}, where numbers were expected.") from None


def labels(column: Any, name: str) -> np.ndarray:
    """Labels `(n,)`, 1 for anomalies: 0 and 1, words, or -1 for anomalies among 1.

    >>> labels(pa.chunked_array([["Normal", "A ttack"]]), "Normal/Attack")
    array([0, 1])
    """
    if pa.types.is_string(column.type):
        words = [str(word).replace(" ", "").lower() for word in column.to_pylist()]
        odd = next((word for word in words if word not in MARKS), None)
        if odd is not None:
            raise Unreadable(f"column {name} holds {odd!r}, which is neither normal nor an attack.")
        return np.array([MARKS[word] for word in words], np.int64)
    values = _floats(column, name)
    if (values == -1).any() or "no attack" in name.lower():
        return np.asarray(values == -1, np.int64)
    return np.asarray(values > 0, np.int64)
