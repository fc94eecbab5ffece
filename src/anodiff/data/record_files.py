"""Files of records as columns of cells: json lines, json, csv, parquet.

A line that is no record is listed by its number and passed over; bytes that are not UTF-8 are replaced, with a note.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import narwhals as nw

from anodiff.data.albums import Unread
from anodiff.data.readers import read
from anodiff.data.table import Table, check_names
from anodiff.types import Unreadable

LINES = (".jsonl", ".ndjson", ".json-lines", ".jsonlines")
DEEPEST = 8


@dataclass(frozen=True, eq=False)
class Raw:
    """Columns of cells, as long as `rows`, and what was not read of them."""

    cells: dict[str, Sequence[Any]]
    rows: list[str]
    unread: list[Unread] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def from_file(path: Path) -> Raw:
    """The columns of a file.

    Raises:
        Unreadable: there is no record in it.
    """
    suffix = path.suffix.lower()
    if suffix not in (*LINES, ".json"):
        return from_table(read(path))
    if path.is_dir():
        raise Unreadable(f"{path} is a folder; give the file of records in it.")
    if not path.is_file():
        raise Unreadable(f"there is no file {path}; check the path.")
    found = _lines(path) if suffix in LINES else _array(path)
    if not found.rows:
        why = f"; {found.unread[0]}" if found.unread else "."
        raise Unreadable(f"{path.name}: holds no record; give one json object in each line{why}")
    return found


def from_table(table: Table) -> Raw:
    """The columns of a table."""
    cells = {name: column.to_pylist() for name, column in zip(table.names, table.arrow.columns, strict=True)}
    return from_columns(cells, len(table))


def from_frame(frame: Any) -> Raw:
    """The columns of a frame of any library; cells may be arrays and other things that no file could hold.

    Raises:
        Unreadable: it is no frame.
    """
    try:
        given = nw.from_native(frame)
        eager = given.collect() if isinstance(given, nw.LazyFrame) else given
        cells = {name: eager[name].to_list() for name in eager.columns}
    except Exception:  # every dataframe library has exceptions of its own, and `read` has a sentence for them
        return from_table(read(frame))
    return from_columns({str(name): column for name, column in cells.items()}, len(eager))


def from_columns(cells: Mapping[str, Sequence[Any]], count: int) -> Raw:
    """Columns, of which those of objects become one for each of their keys."""
    return Raw(_flattened(cells), [str(i) for i in range(count)])


def from_objects(objects: Sequence[Mapping[str, Any]], rows: list[str]) -> Raw:
    """Objects, a record each, as columns; what an object does not have is None. Nested ones are flattened."""
    return _columns([_unique(list(_flat(each))) for each in objects], rows)


def _columns(flat: Sequence[Mapping[str, Any]], rows: list[str]) -> Raw:
    names = list(dict.fromkeys(name for each in flat for name in each))
    return Raw({name: [each.get(name) for each in flat] for name in names}, rows)


def _flattened(cells: Mapping[str, Sequence[Any]]) -> dict[str, Sequence[Any]]:
    flat: list[tuple[str, Sequence[Any]]] = []
    for name, column in cells.items():
        nested = any(isinstance(cell, Mapping) for cell in column)
        flat += from_objects([{name: cell} for cell in column], []).cells.items() if nested else [(name, column)]
    check_names([name for name, _ in flat])
    return dict(flat)


def _flat(each: Mapping[str, Any], before: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    for key, value in each.items():
        name = f"{before}{key}"
        if isinstance(value, Mapping) and depth < DEEPEST:
            yield from _flat(value, f"{name}.", depth + 1)
        else:
            yield name, value


def _lines(path: Path) -> Raw:
    objects: list[dict[str, Any]] = []
    rows: list[str] = []
    unread: list[Unread] = []
    notes: list[str] = []
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            text = line.decode("utf-8-sig" if number == 1 else "utf-8", errors="replace")
            if not text.strip():
                continue
            if "\ufffd" in text and not notes and not _is_utf8(line):
                notes.append(f"{path.name}: line {number} holds bytes that are not UTF-8; such bytes are replaced.")
            try:
                objects.append(_record(text))
                rows.append(f"line {number}")
            except Unreadable as refusal:
                unread.append(Unread(f"line {number}", str(refusal)))
    return Raw(_columns(objects, rows).cells, rows, unread, notes)


def _array(path: Path) -> Raw:
    try:
        found = json.loads(path.read_bytes().decode("utf-8-sig", errors="replace"), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"{path.name}: is no json ({_said(error)}); give a list of objects, or json lines.") from None
    if not isinstance(found, list):
        raise Unreadable(f"{path.name}: holds a {type(found).__name__}; give a list of objects, or json lines.")
    odd = [Unread(f"item {i}", NO_OBJECT) for i, each in enumerate(found) if not isinstance(each, dict)]
    rows = [f"item {i}" for i, each in enumerate(found) if isinstance(each, dict)]
    raw = from_objects([each for each in found if isinstance(each, dict)], rows)
    return Raw(raw.cells, rows, odd)


NO_OBJECT = "it is no json object; write {...}."


def _record(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text, object_pairs_hook=_unique)
    except Unreadable:
        raise
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"it is no json ({_said(error)}); it is passed over.") from None
    if not isinstance(found, dict):
        raise Unreadable(NO_OBJECT)
    return _unique(list(_flat(found)))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise Unreadable(f"it has {twice!r} twice; write each key once.")
    return found


def _said(error: Exception) -> str:
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)[:120].rstrip(".")


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
