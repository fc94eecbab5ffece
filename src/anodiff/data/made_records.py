"""Made records of several parts as files: a line of json each, pictures beside them, and which parts do not belong."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from anodiff.data.made_files import REJECTED, safe_name, save_picture, save_table
from anodiff.types import JSON

FILE = "records.jsonl"
HEADS = ("row", "part", "kind", "strength")


def write_records(
    folder: Path, data: Any, region: Any, rows: Sequence[JSON], names: Sequence[str] | None = None
) -> list[JSON]:
    """Records, and which of their parts were changed; where each is.

    records.jsonl has a line for each accepted one, whose pictures are images/000_<column>.png, and regions.csv the part
    of each that does not belong; in `rejected` the same again.

    Args:
        folder: To write into.
        data: Records, a dict by column each.
        region: True for the parts that were changed `(n, parts)`.
        rows: One record per item of what is said of it.
        names: Of the parts; those of the records by default.
    """
    fine = np.array([bool(row.get("accepted", True)) for row in rows])
    where: list[JSON] = [{} for _ in rows]
    for accepted in (True, False):
        at = np.flatnonzero(fine == accepted).tolist()
        place = folder if accepted else folder / REJECTED
        if not at and not accepted:
            continue
        place.mkdir(parents=True, exist_ok=True)
        lines, marked = [], []
        for number, item in enumerate(at):
            lines.append(json.dumps(written(place, number, data[item]), ensure_ascii=False))
            parts = list(data[item]) if names is None else list(names)
            marked += [
                (number, parts[p], rows[item]["kind"], rows[item]["strength"])
                for p in np.flatnonzero(np.asarray(region[item], bool)).tolist()
            ]
            where[item] = {"file": (place / FILE).relative_to(folder).as_posix(), "row": number}
        (place / FILE).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        save_table(place / "regions.csv", HEADS, marked)
    return where


def written(place: Path, number: int, record: Mapping[str, Any]) -> JSON:
    """A record as JSON; its pictures are written beside it, and named."""
    found: JSON = {}
    for name, value in record.items():
        if isinstance(value, np.ndarray) and value.dtype == np.uint8 and value.ndim in (2, 3):
            file = f"images/{number:03d}_{safe_name(name)}.png"
            save_picture(place / file, value)
            found[name] = file
        else:
            found[name] = value.tolist() if isinstance(value, np.ndarray) else value
    return found
