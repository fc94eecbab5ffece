"""Which sets are judged: a user's table, a folder of tables, the public sets, or what scikit-learn carries."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import sklearn.datasets

from anodiff.bench.labels import check_labels, parted
from anodiff.bench.protocols import Protocol
from anodiff.data import Table, benchmarks, read
from anodiff.data.drop import check_droppable, without
from anodiff.types import Misfit, Unreadable

SUFFIXES = (".npz", ".csv", ".tsv", ".parquet", ".pq", ".gz")
TOYS = {"breast_cancer": 0, "digits": 8, "wine": 2}
"""Sets that scikit-learn carries, and the class that is taken for abnormal."""
Rows = np.ndarray | Table


@dataclass(frozen=True, eq=False)
class DataSet:
    """Rows, and 1 for the abnormal ones `(n,)`, None where nobody knows."""

    name: str
    X: Rows
    y: np.ndarray | None
    fingerprint: str


@dataclass(frozen=True)
class Source:
    """Where a set is; a file, or a set of scikit-learn where there is no path."""

    name: str
    path: str | None = None
    label: str | None = None
    anomaly: str | None = None
    drop: tuple[str, ...] = ()

    def load(self) -> DataSet:
        """Read the set.

        Raises:
            Unreadable: it is no table, or its labels allow no judgement.
        """
        X, y = _toy(self.name) if self.path is None else self._read(Path(self.path))
        if y is not None:
            check_labels(y, len(X), self.name)
        elif len(X) < 40:
            raise Unreadable(f"{self.name} has {len(X)} rows; without labels, give at least 40.")
        return DataSet(self.name, X, y, fingerprint(X, y) if self.path is None else _sha256(Path(self.path)))

    def _read(self, path: Path) -> tuple[Rows, np.ndarray | None]:
        table = read(path)
        check_droppable(table, self.drop)
        table = without(table, self.drop)
        if self.label is not None:
            return _plain(*parted(table, self.label, self.anomaly, self.name))
        y = _y(path) if path.suffix == ".npz" else None
        return _plain(table, y)


def fingerprint(X: Rows, y: np.ndarray | None = None) -> str:
    """The sha256 of the cells and labels."""
    digest = hashlib.sha256(np.ascontiguousarray(X).tobytes() if isinstance(X, np.ndarray) else b"")
    if isinstance(X, Table):
        digest.update("\n".join(repr(X.arrow[name].to_pylist()) for name in X.names).encode())
    digest.update(b"" if y is None else np.ascontiguousarray(y).tobytes())
    return digest.hexdigest()


def sources(
    data: str | None,
    protocol: Protocol,
    label: str | None = None,
    anomaly: str | None = None,
    chosen: Sequence[str] | None = None,
    drop: tuple[str, ...] = (),
) -> list[Source]:
    """The sets that the user means, in order of their names, without the columns of `drop`.

    Raises:
        Misfit: a set of that name is not among them, or --label is needed.
        Unreadable: there is no such file, or the folder is empty.
    """
    found = _given(Path(data), label, anomaly) if data else _public(protocol)
    unknown = [name for name in chosen or [] if name not in {source.name for source in found}]
    if unknown:
        known = ", ".join(source.name for source in found[:30])
        raise Misfit(f"there is no set {', '.join(unknown)}; there are {known}.")
    return [replace(source, drop=drop) for source in found if not chosen or source.name in chosen]


def _given(path: Path, label: str | None, anomaly: str | None) -> list[Source]:
    if not path.exists():
        raise Unreadable(f"there is no file or folder {path}; check the path.")
    if not path.is_dir():
        return [Source(benchmarks.name_of(path), str(path), label, anomaly)]
    files = sorted(p for p in path.iterdir() if p.suffix in SUFFIXES and p.is_file() and not p.name.startswith("."))
    if not files:
        raise Unreadable(f"folder {path} holds no {', '.join(SUFFIXES[:-1])} file; give a folder of tables.")
    found = [Source(benchmarks.name_of(p), str(p), None if p.suffix == ".npz" else label, anomaly) for p in files]
    names = [source.name for source in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise Misfit(f"folder {path} holds {twice[0]} twice, in different formats; keep one of them.")
    return found


def _public(protocol: Protocol) -> list[Source]:
    found = benchmarks.paths(protocol.collection)
    if not found:
        return [Source(name) for name in sorted(TOYS)]
    return [
        Source(name, str(path), None if path.suffix == ".npz" else benchmarks.LABEL) for name, path in found.items()
    ]


def _toy(name: str) -> tuple[np.ndarray, np.ndarray]:
    if name not in TOYS:
        raise Misfit(f"there is no set {name!r} in scikit-learn that is used here; there are {', '.join(TOYS)}.")
    X, y = getattr(sklearn.datasets, f"load_{name}")(return_X_y=True)
    return X.astype(np.float64), (y == TOYS[name]).astype(np.int64)


def _y(path: Path) -> np.ndarray | None:
    with np.load(path, allow_pickle=False) as archive:
        if "y" not in archive.files:
            return None
        y: np.ndarray = archive["y"]
    return y.astype(np.int64) if y.dtype.kind in "biuf" and np.isin(y, (0, 1)).all() else y


def _plain(table: Table, y: np.ndarray | None) -> tuple[Rows, np.ndarray | None]:
    """Arrays as arrays; frames stay frames, since their columns have kinds."""
    if table.named:
        return table, y
    array = np.column_stack([column.to_numpy() for column in table.arrow.columns])
    return (array.astype(np.float64) if array.dtype.kind in "biuf" else table), y


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
