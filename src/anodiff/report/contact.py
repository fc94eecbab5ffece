"""A contact sheet: made items beside what they were, where they changed, and a real one, for people to look at.

Nothing is picked: the first of them, in their order, rejected ones among them with what speaks against them. What is
shown of an item is the same for pictures, series and rows; how it is drawn, each kind of data has a file of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import narwhals as nw
import numpy as np

from anodiff.made import Made
from anodiff.types import Misfit

FIRST = 40
Sort = Literal["image", "series", "tabular", "multimodal"]
Real = tuple[Any, Any]
"""A known anomaly, laid out like the items, and where it is abnormal; None for nobody knows."""


@dataclass(frozen=True, eq=False)
class Shown:
    """One item of a contact sheet.

    Attributes:
        made: A picture `(H, W[, 3])`, a series `(T, channels)` or a row `(columns,)`.
        region: True where it was changed: `(H, W)`, `(T, channels)`, `(columns,)`.
        normal: What it was before, laid out like `made`; None where it was made from nothing.
        real: A known anomaly of the same kind, and its region.
        title: Number, kind, place and strength.
        verdict: "accepted", or what speaks against it; nothing where it was not judged.
        accepted: Whether it was.
    """

    made: Any
    region: np.ndarray
    normal: Any = None
    real: Real | None = None
    title: str = ""
    verdict: str = ""
    accepted: bool = True


def sheet(
    made: Made,
    names: Sequence[str] | None = None,
    examples: Mapping[str, Sequence[Real]] | None = None,
    first: int = FIRST,
) -> bytes:
    """The first items that were made, as a png.

    Args:
        made: By a generator, of any kind of data.
        names: Of columns or channels; those of the table by default.
        examples: By kind, known anomalies with their regions, to be shown beside items of that kind, in turns.
        first: How many items, at most.

    Raises:
        Misfit: nothing was made, or `first` is below 1.
    """
    if first < 1 or not len(made):
        raise Misfit(f"a contact sheet shows the first {first} of {len(made)} items; give at least one of each.")
    few = made.only(np.arange(min(first, len(made))))
    if filmed(few):
        few = stills(few)
    return contact_sheet(shown(few, examples or {}), sort_of(few.data), names or names_of(few.data))


def contact_sheet(
    rows: Sequence[Shown],
    sort: Sort,
    names: Sequence[str] | None = None,
    path: str | Path | None = None,
) -> bytes:
    """Items as a png, which is written to `path` too where one is given.

    Args:
        rows: What is shown, at least one.
        sort: Of which kind of data.
        names: Of columns or channels.
        path: Of a png.
    """
    # Two of them are slow to import, and two of three are not needed.
    if sort == "image":
        from anodiff.report.contact_pictures import pictures_sheet

        png = pictures_sheet(rows)
    elif sort == "series":
        from anodiff.report.contact_series import series_sheet

        png = series_sheet(rows, names)
    elif sort == "multimodal":
        from anodiff.report.contact_records import records_sheet

        png = records_sheet(rows)
    else:
        from anodiff.report.contact_rows import rows_sheet

        png = rows_sheet(rows, names)
    if path is not None:
        Path(path).write_bytes(png)
    return png


def shown(made: Made, examples: Mapping[str, Sequence[Real]]) -> list[Shown]:
    """Every item as it is shown."""
    before = [None] * len(made) if made.normal is None else items_of(made.normal)
    used: dict[str, int] = {}
    found = []
    for i, (item, normal) in enumerate(zip(items_of(made.data), before, strict=True)):
        kind = made.kind[i]
        real = examples.get(kind, ())
        turn = used[kind] = used.get(kind, -1) + 1
        verdict = made.verdicts[i] if made.verdicts else None
        found.append(
            Shown(
                item,
                np.asarray(made.region[i]),
                normal,
                real[turn % len(real)] if len(real) else None,
                f"{i}: {kind}, {made.where[i]}, {made.strength[i]:.2f}",
                "" if verdict is None else "accepted" if verdict.accepted else "; ".join(verdict.against),
                verdict is None or verdict.accepted,
            )
        )
    return found


def filmed(made: Made) -> bool:
    """Whether the items are clips: pictures have regions of two axes."""
    return isinstance(made.region, list) and np.ndim(made.region[0]) == 3


def stills(made: Made) -> Made:
    """Of each clip the frame that changed most, as pictures."""
    at = [
        int(np.argmax(np.abs(x.astype(np.int16) - before).reshape(len(x), -1).sum(1)))
        for x, before in zip(made.data, made.normal, strict=True)
    ]
    frames, before, region = (
        [np.asarray(clip)[t] for clip, t in zip(clips, at, strict=True)]
        for clips in (made.data, made.normal, made.region)
    )
    return replace(made, data=frames, normal=before, region=region)


def sort_of(data: Any) -> Sort:
    """Of which kind of data made items are, by how they are laid out."""
    if isinstance(data, list):
        if isinstance(data[0], dict):
            return "multimodal"
        one = np.asarray(data[0])
        return "image" if one.dtype == np.uint8 or one.ndim == 3 else "series"
    return "image" if isinstance(data, np.ndarray) and data.ndim >= 3 else "tabular"


def items_of(data: Any) -> list[Any]:
    """The items one by one; rows of a frame as arrays of objects."""
    if isinstance(data, np.ndarray | list):
        return list(data)
    frame = nw.from_native(data, eager_only=True)
    return [np.array(row, dtype=object) for row in frame.iter_rows()]


def names_of(data: Any) -> list[str] | None:
    """What the columns of a frame are called; arrays and lists do not say."""
    if isinstance(data, np.ndarray | list):
        return None
    return [str(name) for name in nw.from_native(data, eager_only=True).columns]
