"""Made items as files: pictures and clips laid out like MVTec AD's, series and rows as csv, records as json lines.

Beside them where they are abnormal, and verdicts.

What was rejected lies apart, in a folder `rejected` that is laid out like the rest, so that whoever reads the folder
learns from what was accepted and can look at what was not. The folder is written whole, or not at all.
"""

import csv
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import narwhals as nw
import numpy as np
from PIL import Image

from anodiff.data.atomic import check_folder_free, replacing_folder
from anodiff.types import JSON, Misfit

MARKER = ".anodiff-made"
GOOD, REJECTED = "good", "rejected"
NORMAL = ("normal", "good", "ok")
"""Kinds whose pictures are no defects, to who reads the folder."""
Sort = Literal["image", "series", "tabular", "video", "multimodal"]


def write_made(
    path: str | Path,
    sort: Sort,
    data: Any,
    region: Any,
    rows: Sequence[JSON],
    *,
    good: Any = None,
    names: Sequence[str] | None = None,
    facts: Mapping[str, Any] | None = None,
    rate: float | None = None,
    overwrite: bool = False,
) -> Path:
    """Write items, their regions and what is said of them into a folder.

    Pictures: test/<kind>/000.png, ground_truth/<kind>/000_mask.png, train/good where `good` is given. Series:
    items/000.csv, numbered like the items, and regions.csv. Rows: made.csv and regions.csv. Clips and records: as
    `made_clips.write_clips` and `made_records.write_records` say. All: verdicts.csv,
    verdicts.json, and the same again of rejected ones in `rejected`, pictures there as <kind>/000.png beside
    <kind>/000_mask.png. In regions.csv numbers begin with 0 and `end` is the first instant after a span.

    Args:
        path: Of the folder.
        sort: Which kind of data it is.
        data: Pictures `(n, H, W[, 3])` or a list of them, a list of series `(T, channels)`, a frame or `(n, columns)`.
        region: True where abnormal: `(n, H, W)` or a list, a list of `(T, channels)`, `(n, columns)`.
        rows: One record per item, with its `kind` and `strength`, and whether it was `accepted`; see `Made.rows`.
        good: Normal pictures or clips, for loaders that ask for train/good.
        names: Of channels or columns, where the data does not say them.
        facts: Of all together.
        rate: Of clips: frames a second of the films that are written in place of frames.
        overwrite: Replace a folder that was written here before.

    Raises:
        FileExistsError: there is something else at `path`.
        Misfit: data, regions and records are not equally many, or pictures have no good values.
    """
    if not len(data) == len(region) == len(rows):
        raise Misfit(
            f"there are {len(data)} items, {len(region)} regions and {len(rows)} records; give as many of each."
        )
    with replacing_folder(Path(path), overwrite, MARKER) as fresh:
        where = writer(sort, rate)(fresh, data, region, rows, names)
        if good is not None:
            _good(fresh / "train" / GOOD, good, sort)
        _verdicts(fresh, rows, where, facts or {})
    return Path(path)


def check_made_free(path: str | Path, overwrite: bool) -> None:
    """Refuse a folder that `write_made` would refuse, before any work is done.

    Raises:
        FileExistsError: there is something else at `path`.
    """
    check_folder_free(Path(path), overwrite, MARKER)


def spans_of(inside: np.ndarray) -> list[tuple[int, int]]:
    """Where a mask `(T,)` is True: first instants and those after the last.

    >>> spans_of(np.array([0, 1, 1, 0, 1], bool))
    [(1, 3), (4, 5)]
    """
    edges = np.flatnonzero(np.diff(np.r_[False, np.asarray(inside, bool), False].astype(int)))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def write_pictures(
    folder: Path, data: Any, region: Any, rows: Sequence[JSON], _names: Sequence[str] | None = None
) -> list[JSON]:
    """Pictures and their masks; where each is."""
    called = folder_names([str(row["kind"]) for row in rows])
    count: Counter[tuple[str, bool]] = Counter()
    where: list[JSON] = []
    for picture, inside, row in zip(data, region, rows, strict=True):
        kind, fine = called[str(row["kind"])], row.get("accepted", True)
        number = f"{count[kind, fine]:03d}"
        count[kind, fine] += 1
        place = folder / "test" / kind if fine else folder / REJECTED / kind
        masks = folder / "ground_truth" / kind if fine else place
        save_picture(place / f"{number}.png", np.asarray(picture))
        # To who reads it, what has a mask is a defect.
        if np.any(inside) or kind != GOOD:
            save_picture(masks / f"{number}_mask.png", np.asarray(inside, bool).astype(np.uint8) * 255)
        where.append({"file": (place / f"{number}.png").relative_to(folder).as_posix()})
    return where


def write_series(
    folder: Path, data: Any, region: Any, rows: Sequence[JSON], names: Sequence[str] | None = None
) -> list[JSON]:
    """A csv for each series, and where each is abnormal."""
    where: list[JSON] = []
    spans: dict[bool, list[Sequence[Any]]] = {True: []}
    for number, (series, inside, row) in enumerate(zip(data, region, rows, strict=True)):
        values, marked = _columns(series), _columns(inside).astype(bool)
        fine = bool(row.get("accepted", True))
        channels = _named(names, values.shape[1])
        place = (folder if fine else folder / REJECTED) / "items" / f"{number:03d}.csv"
        save_table(place, channels, values.tolist())
        spans.setdefault(fine, []).extend(
            (number, channel, start, end, row["kind"], row["strength"])
            for channel, one in zip(channels, marked.T, strict=True)
            for start, end in spans_of(one)
        )
        where.append({"file": place.relative_to(folder).as_posix()})
    for fine, found in spans.items():
        place = folder if fine else folder / REJECTED
        save_table(place / "regions.csv", ("item", "channel", "start", "end", "kind", "strength"), found)
    return where


def write_rows(
    folder: Path, data: Any, region: Any, rows: Sequence[JSON], names: Sequence[str] | None = None
) -> list[JSON]:
    """The rows as one csv, and which cells of them are abnormal."""
    fine = np.array([bool(row.get("accepted", True)) for row in rows])
    where: list[JSON] = [{} for _ in rows]
    for accepted in (True, False):
        at = np.flatnonzero(fine == accepted)
        place = folder if accepted else folder / REJECTED
        if not len(at) and not accepted:
            continue
        columns = _table(place / "made.csv", data, at, names)
        cells = [
            (number, columns[column], rows[item]["kind"], rows[item]["strength"])
            for number, item in enumerate(at.tolist())
            for column in np.flatnonzero(np.asarray(region[item], bool))
        ]
        save_table(place / "regions.csv", ("row", "column", "kind", "strength"), cells)
        for number, item in enumerate(at.tolist()):
            where[item] = {"file": (place / "made.csv").relative_to(folder).as_posix(), "row": number}
    return where


WRITERS: dict[str, Callable[..., list[JSON]]] = {
    "image": write_pictures,
    "series": write_series,
    "tabular": write_rows,
}


def writer(sort: Sort, rate: float | None = None) -> Callable[..., list[JSON]]:
    """What writes items of a kind of data."""
    if sort == "video":
        from anodiff.data.made_clips import write_clips

        return lambda folder, data, region, rows, _names: write_clips(folder, data, region, rows, rate)
    if sort == "multimodal":
        from anodiff.data.made_records import write_records

        return write_records
    return WRITERS[sort]


def save_picture(path: Path, picture: np.ndarray) -> None:
    """A picture `(H, W[, 1|3])` as png: bytes as they are, 16 bits of a grey one too, else 0 to 1 in 256 steps.

    Raises:
        Misfit: it has no such values or no such shape.
    """
    pixels = picture[..., 0] if picture.ndim == 3 and picture.shape[2] == 1 else picture
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] != 3):
        raise Misfit(f"the picture has the shape {picture.shape}; give (H, W) or (H, W, 3).")
    if pixels.dtype == np.uint16 and pixels.ndim == 3:
        pixels = pixels / 65535
    if pixels.dtype.kind == "f":
        if not np.isfinite(pixels).all() or pixels.min() < 0 or pixels.max() > 1:
            raise Misfit(
                f"the picture goes from {pixels.min():g} to {pixels.max():g}; give values from 0 to 1, or bytes."
            )
        pixels = np.round(pixels * 255).astype(np.uint8)
    if pixels.dtype not in (np.uint8, np.uint16):
        raise Misfit(f"the picture holds {pixels.dtype}; give bytes, 16 bits, or values from 0 to 1.")
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ascontiguousarray(pixels)).save(path, format="png")


def _good(folder: Path, items: Any, sort: Sort) -> None:
    for number, item in enumerate(items):
        if sort != "video":
            save_picture(folder / f"{number:03d}.png", np.asarray(item))
            continue
        for t, frame in enumerate(item):
            save_picture(folder / f"{number:03d}" / f"{t:05d}.png", np.asarray(frame))


def _verdicts(folder: Path, rows: Sequence[JSON], where: Sequence[JSON], facts: Mapping[str, Any]) -> None:
    # Strict readers of json know no NaN.
    told = [
        {
            key: None if isinstance(value, float) and np.isnan(value) else value
            for key, value in {**row, **place}.items()
        }
        for row, place in zip(rows, where, strict=True)
    ]
    heads = list(dict.fromkeys(key for row in told for key in row))
    save_table(folder / "verdicts.csv", heads, ([_cell(row.get(head)) for head in heads] for row in told))
    page = json.dumps({"facts": dict(facts), "items": told}, indent=1, default=_plain)
    (folder / "verdicts.json").write_text(page, encoding="utf-8")


def folder_names(kinds: Iterable[str]) -> dict[str, str]:
    """What the folder of each kind is called: a name that every disk takes, and no other kind's."""
    found: dict[str, str] = {}
    for kind in dict.fromkeys(kinds):
        name = GOOD if kind in NORMAL else safe_name(kind) or "kind"
        while name != GOOD and name in found.values():
            name += "_"
        found[kind] = name
    return found


def safe_name(name: str) -> str:
    """A name as every disk takes it."""
    return re.sub(r"[^\w-]+", "_", name).strip("_")


def _table(path: Path, data: Any, at: np.ndarray, names: Sequence[str] | None) -> list[str]:
    """Some rows as a csv; what its columns are called."""
    if isinstance(data, np.ndarray | list):
        values = np.asarray(data)
        columns = _named(names, values.shape[1])
        save_table(path, columns, values[at].tolist())
        return columns
    frame = nw.from_native(data, eager_only=True)[at.tolist()]
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.write_csv(path)
    return [str(name) for name in frame.columns]


def save_table(path: Path, heads: Sequence[str], lines: Iterable[Sequence[Any]]) -> None:
    """Lines under heads as a csv."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(heads)
        writer.writerows([_cell(value) for value in line] for line in lines)


def _cell(value: Any) -> Any:
    """As it stands in a csv: nothing for what is missing; a list in one cell."""
    if isinstance(value, list | tuple):
        return "; ".join(map(str, value))
    return "" if value is None or (isinstance(value, float) and np.isnan(value)) else value


def _plain(value: Any) -> Any:
    """NumPy's numbers and arrays as json has them."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be written as json.")


def _columns(values: Any) -> np.ndarray:
    found = np.asarray(values)
    return found[:, None] if found.ndim == 1 else found


def _named(names: Sequence[str] | None, many: int) -> list[str]:
    if names is not None and len(names) != many:
        raise Misfit(f"there are {len(names)} names for {many} columns; give one for each.")
    return [str(i) for i in range(many)] if names is None else [str(name) for name in names]
