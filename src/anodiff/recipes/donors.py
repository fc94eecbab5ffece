"""Records that lend a part: normal ones, with what each holds, small enough to be kept with a generator."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from PIL import Image as Pillow

from anodiff.data.records import Column, Records, records
from anodiff.types import JSON, Unreadable

PIXELS = 256 * 256
"""Of a picture that is kept, at most: larger ones are made smaller."""

Record = dict[str, Any]
"""A record by its columns: a picture `(H, W[, 3])` uint8, a text, a number or `(k,)`, a category, a series; or None."""


@dataclass(frozen=True, eq=False)
class Donors:
    """Normal records.

    Attributes:
        rows: The records.
        layout: Their columns, as `Records.layout` says.
    """

    rows: Sequence[Record]
    layout: Mapping[str, JSON]

    @classmethod
    def of(cls, found: Records) -> Self:
        """Records, their pictures no larger than is kept."""
        rows = as_rows(found)
        for row in rows:
            for name, value in row.items():
                if found.columns[name].kind == "image" and value is not None:
                    row[name] = smaller(value)
        return cls(rows, found.layout)

    def __len__(self) -> int:
        return len(self.rows)

    def config(self) -> JSON:
        """What can be written as JSON: texts and categories."""
        plain = [{name: value for name, value in row.items() if isinstance(value, str)} for row in self.rows]
        return {"layout": {name: dict(told) for name, told in self.layout.items()}, "rows": plain}

    def arrays(self) -> dict[str, np.ndarray]:
        """Pictures, numbers and series, by the numbers of record and column."""
        names = list(self.layout)
        return {
            f"{i}.{names.index(name)}": np.asarray(value)
            for i, row in enumerate(self.rows)
            for name, value in row.items()
            if value is not None and not isinstance(value, str)
        }

    @classmethod
    def restore(cls, config: JSON, arrays: Mapping[str, np.ndarray]) -> Self:
        """The inverse of `config` and `arrays`."""
        names = list(config["layout"])
        rows: list[Record] = [{name: row.get(name) for name in names} for row in config["rows"]]
        for key, value in arrays.items():
            i, column = (int(part) for part in key.split("."))
            rows[i][names[column]] = float(value) if np.ndim(value) == 0 else np.array(value)
        return cls(rows, config["layout"])


def as_rows(found: Records) -> list[Record]:
    """Records one by one; a picture that cannot be opened is missing."""
    return [{name: cell(column, i) for name, column in found.columns.items()} for i in range(len(found))]


def as_records(rows: Sequence[Record], layout: Mapping[str, JSON]) -> Records:
    """Rows as records again."""
    return records({name: [row[name] for row in rows] for name in layout}, like=layout)


def cell(column: Column, i: int) -> Any:
    """What a record holds in a column; None where it is missing."""
    if not column.present[i]:
        return None
    if column.kind == "image":
        try:
            return column.picture(i)
        except Unreadable:
            return None
    value = column.values[i]
    if column.kind == "numbers":
        return float(value[0]) if column.width == 1 else np.array(value)
    if column.kind == "series":
        return np.array(value[:, 0] if column.width == 1 else value)
    return str(value)


def smaller(picture: np.ndarray) -> np.ndarray:
    """A picture of so many pixels at most."""
    share = PIXELS / (picture.shape[0] * picture.shape[1])
    if share >= 1:
        return picture
    size = [max(1, int(n * share**0.5)) for n in picture.shape[1::-1]]
    return np.asarray(Pillow.fromarray(picture).resize((size[0], size[1]), Pillow.Resampling.BILINEAR))
