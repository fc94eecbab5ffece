"""Several kinds of data at once, as records: each has a cell in every column, or lacks it.

A column is a picture, a text, numbers, a category or a short series per record. Which it is, `record_kinds` tells by
what stands in it; what a model was fitted on is fixed, and `like` asks for the same columns again.
"""

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from anodiff.data.albums import Unread
from anodiff.data.record_columns import Cells, Column, absent, read_column
from anodiff.data.record_files import Raw, from_columns, from_file, from_frame, from_objects
from anodiff.data.record_kinds import CHOICES, Kind, kind_of
from anodiff.types import JSON, Misfit, Unreadable

__all__ = ["Column", "Kind", "Records", "Unread", "records"]
ALONE = "text"
"""The column of a list of texts."""


@dataclass(frozen=True, eq=False)
class Records:
    """n records.

    Attributes:
        columns: by name, in order.
        names: of the records: "0", "1", ..., or "line 7" of a file of json lines.
        unread: what could not be read: lines that are no records, cells that are not of their column's kind.
        notes: sentences for the user.
        kinds: of all columns that were given, also "ignore".
    """

    columns: dict[str, Column]
    names: list[str]
    unread: list[Unread] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    kinds: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def layout(self) -> dict[str, JSON]:
        """Kind and width of each column, as JSON: what a model keeps, and gives as `like`."""
        return {name: {"kind": column.kind, "width": column.width} for name, column in self.columns.items()}

    @property
    def present(self) -> np.ndarray:
        """`(n, columns)` bool, what each record has."""
        there = [column.present for column in self.columns.values()]
        return np.stack(there, 1) if there else np.zeros((len(self), 0), bool)

    def take(self, indices: Any) -> Self:
        """Some records, by place (or by a mask), in the order given."""
        at = np.arange(len(self))[np.asarray(indices)]
        columns = {name: column.take(at) for name, column in self.columns.items()}
        return replace(self, columns=columns, names=[self.names[i] for i in at])

    def only(self, names: Sequence[str]) -> Self:
        """The same records with these columns alone."""
        return replace(self, columns={name: self.columns[name] for name in names})

    def without(self, name: str, why: Mapping[int, str]) -> Self:
        """The same records, where column `name` is missing at some places and listed as unread, each with a sentence.

        What cannot be seen before it is opened, such as a picture that is cut off, is told so later.
        """
        columns = {**self.columns, name: self.columns[name].without(list(why))}
        lost = [Unread(f"{self.names[i]}, {name}", each) for i, each in why.items()]
        return replace(self, columns=columns, unread=[*self.unread, *lost])


def records(
    X: Any,
    kinds: Mapping[str, str] | None = None,
    root: str | os.PathLike | None = None,
    like: Mapping[str, JSON] | None = None,
) -> Records:
    """The records of a source.

    Args:
        X: a dict of columns, arrays or lists of n (pictures uint8 `(n, H, W[, 3])`, paths, texts, numbers `(n,)` or
            `(n, k)`, series `(n, T)` or `(n, T, c)` or a list of arrays); a pandas, polars or pyarrow frame; a list of
            dicts; a list of texts; the path of a .jsonl, .json, .csv or .parquet file; records.
        kinds: for columns whose content misleads, "image", "text", "numbers", "category", "series" or "ignore".
        root: the folder that paths of pictures are relative to, and may not leave, links included; by default that of
            the file. Paths in a dict, a list or a frame are the caller's own where no root is given, and read as they
            stand.
        like: the `layout` of earlier records: the same columns are read as the same kinds, those that are not given
            are missing everywhere, others are not read.

    Raises:
        Unreadable: there are no records in it; columns differ in length; no cell of a column is of its kind.
        Misfit: `kinds` names a column that is not there, or no kind.

    >>> found = records({"step": ["pour the water", None], "force": [1.0, 2.0]})
    >>> {name: column.kind for name, column in found.columns.items()}, found.present.tolist()
    ({'step': 'text', 'force': 'numbers'}, [[True, True], [False, True]])
    """
    if isinstance(X, Records):
        return X if like is None and not kinds else _again(X, kinds, like)
    raw, folder = raw_of(X)
    return read_raw(raw, kinds or {}, folder if root is None else root, like)


def read_raw(
    raw: Raw, kinds: Mapping[str, str], root: str | os.PathLike | None, like: Mapping[str, JSON] | None
) -> Records:
    """Records of columns of cells; arguments and refusals are those of `records`."""
    folder = None if root is None else Path(root)
    if not raw.rows:
        raise Unreadable("there are no records; give at least one.")
    _check_kinds(kinds, raw.cells if like is None else kinds)
    _check_shared(raw.cells, like)
    found, notes = _kinds(raw, kinds, like)
    columns: dict[str, Column] = {}
    unread = list(raw.unread)
    for name, kind in found.items():
        width = None if like is None or name not in like else int(like[name]["width"])
        if name not in raw.cells:
            columns[name] = absent(kind, raw.rows, width or 1)
            notes.append(f"Column {name} was there at fit and is not given: it is missing everywhere.")
            continue
        columns[name], lost, said = read_column(kind, Cells(name, raw.cells[name], raw.rows, folder, width))
        unread, notes = unread + lost, notes + said
    if not columns:
        raise Unreadable(f"no column can be read; {notes[0] if notes else 'give at least one.'}")
    ignored = {name: "ignore" for name in raw.cells if name not in columns}
    return Records(columns, raw.rows, unread, raw.notes + notes, {**{n: c.kind for n, c in columns.items()}, **ignored})


def _again(X: Records, kinds: Mapping[str, str] | None, like: Mapping[str, JSON] | None) -> Records:
    """Records once more, in the columns of earlier ones."""
    if like is None:
        _check_kinds(kinds or {}, X.kinds)
        kept = [name for name in X.columns if (kinds or {}).get(name) != "ignore"]
        odd = next((n for n in kept if (kinds or {}).get(n, X.columns[n].kind) != X.columns[n].kind), None)
        if odd is not None:
            raise Misfit(f"column {odd} was read as {X.columns[odd].kind}; read the data again with kinds=.")
        return X.only(kept)
    _check_shared(X.columns, like)
    columns = {}
    for name, told in like.items():
        given = X.columns.get(name)
        if given is not None and (given.kind != told["kind"] or (given.present.any() and given.width != told["width"])):
            raise Unreadable(
                f"column {name} is {given.kind} of width {given.width}, at fit it was {told['kind']} of width "
                f"{told['width']}; give the same."
            )
        columns[name] = absent(told["kind"], X.names, int(told["width"])) if given is None else given
    return replace(X, columns=columns)


def raw_of(X: Any) -> tuple[Raw, Path | None]:
    """The cells of a source, and the folder that it lies in."""
    if isinstance(X, str | os.PathLike):
        path = Path(X)
        return from_file(path), path.parent
    if isinstance(X, Mapping):
        return _from_dict(X), None
    if isinstance(X, list | tuple):
        return _from_list(X), None
    if isinstance(X, np.ndarray):
        raise Unreadable(f"an array of shape {X.shape} is of one kind; give a dict of arrays, one for each column.")
    return from_frame(X), None


def _from_list(X: Sequence[Any]) -> Raw:
    if all(isinstance(each, Mapping) for each in X):
        return from_objects(X, [str(i) for i in range(len(X))])
    if all(each is None or isinstance(each, str | bytes) for each in X):
        return from_columns({ALONE: X}, len(X))
    odd = next(each for each in X if not isinstance(each, Mapping))
    raise Unreadable(f"the list holds a {type(odd).__name__}, which is no record; give dicts, or a dict of columns.")


def _from_dict(X: Mapping[Any, Any]) -> Raw:
    cells = {str(name): _cells(str(name), column) for name, column in X.items()}
    lengths = {name: len(column) for name, column in cells.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} {length}" for name, length in list(lengths.items())[:6])
        raise Unreadable(f"columns differ in length: {told}; give every column one cell for each record.")
    return from_columns(cells, next(iter(lengths.values()), 0))


def _cells(name: str, column: Any) -> Sequence[Any]:
    if isinstance(column, list | tuple):
        return column
    if isinstance(column, str | bytes | Mapping) or not hasattr(column, "__len__"):
        raise Unreadable(f"column {name} is a {type(column).__name__}; give a list or an array, one cell per record.")
    array = column if isinstance(column, np.ndarray) else np.asarray(column)
    if array.ndim == 0:
        raise Unreadable(f"column {name} is a single value; give a list or an array, one cell per record.")
    return list(array) if array.ndim > 2 or array.dtype.kind in "M" else list(array.tolist())


def _kinds(raw: Raw, kinds: Mapping[str, str], like: Mapping[str, JSON] | None) -> tuple[dict[str, Kind], list[str]]:
    """The kind of each column that is to be read, and notes."""
    if like is not None:
        new = [name for name in raw.cells if name not in like and kinds.get(name) != "ignore"]
        note = f"Columns that were not read at fit are not read: {', '.join(new[:10])}."
        return {name: told["kind"] for name, told in like.items()}, [note] if new else []
    found: dict[str, Any] = {}
    notes = []
    for name, cells in raw.cells.items():
        kind, note = (kinds[name], "") if name in kinds else kind_of(name, cells)
        notes += [note] if note else []
        if kind != "ignore":
            found[name] = kind
    return found, notes


def _check_shared(given: Collection[str], like: Mapping[str, JSON] | None) -> None:
    if like and not any(name in given for name in like):
        raise Unreadable(
            f"none of the columns of fit is given: {', '.join(list(like)[:10])}; there are "
            f"{', '.join(list(given)[:10]) or 'none'}; give at least one of those of fit."
        )


def _check_kinds(kinds: Mapping[str, str], names: Collection[str]) -> None:
    for name, kind in kinds.items():
        if kind not in CHOICES:
            raise Misfit(f"column {name} is to be of kind {kind!r}; choose one of {', '.join(CHOICES)}.")
        if name not in names:
            raise Misfit(f"kinds names a column {name}, which is not there; there are {', '.join(list(names)[:10])}.")
