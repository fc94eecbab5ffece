"""Made clips as files: frames without loss, or films; masks frame by frame, and where and when as a table."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from anodiff.data.film import film
from anodiff.data.made_files import REJECTED, folder_names, save_picture, save_table
from anodiff.types import JSON

HEADS = ("item", "start", "end", "top", "left", "bottom", "right", "kind", "strength")


def write_clips(folder: Path, data: Any, region: Any, rows: Sequence[JSON], rate: float | None = None) -> list[JSON]:
    """Clips, their masks and where they are abnormal; where each is.

    test/<kind>/000/00000.png and ground_truth/<kind>/000/00000_mask.png of every frame, in regions.csv from which frame
    to which and in which box; in `rejected` the same for those that were rejected.

    Args:
        folder: To write into.
        data: Clips `(T, H, W[, 3])` uint8.
        region: True where abnormal, `(T, H, W)` each.
        rows: One record per clip.
        rate: Frames a second of films, which are written as test/<kind>/000.mp4 in place of frames; they lose a little.
    """
    called = folder_names([str(row["kind"]) for row in rows])
    count: Counter[tuple[str, bool]] = Counter()
    where: list[JSON] = []
    spans: dict[bool, list[Sequence[Any]]] = {True: []}
    for number, (clip, inside, row) in enumerate(zip(data, region, rows, strict=True)):
        kind, fine = called[str(row["kind"])], bool(row.get("accepted", True))
        base = folder if fine else folder / REJECTED
        name = f"{count[kind, fine]:03d}"
        count[kind, fine] += 1
        place = write_clip(base / "test" / kind / name, np.asarray(clip), rate)
        for t, mask in enumerate(np.asarray(inside, bool)):
            picture = mask.astype(np.uint8) * 255
            save_picture(base / "ground_truth" / kind / name / f"{t:05d}_mask.png", picture)
        spans.setdefault(fine, []).append((number, *extent(np.asarray(inside, bool)), row["kind"], row["strength"]))
        where.append({"file": place.relative_to(folder).as_posix()})
    for fine, found in spans.items():
        save_table((folder if fine else folder / REJECTED) / "regions.csv", HEADS, found)
    return where


def write_clip(place: Path, clip: np.ndarray, rate: float | None) -> Path:
    """One clip, as a folder of frames, or as a film where a rate is given; where it is."""
    if rate is not None:
        path = place.with_name(f"{place.name}.mp4")
        path.parent.mkdir(parents=True, exist_ok=True)
        film(path, clip, rate)
        return path
    for t, frame in enumerate(clip):
        save_picture(place / f"{t:05d}.png", frame)
    return place


def extent(region: np.ndarray) -> tuple[int, int, int, int, int, int]:
    """First frame of a region `(T, H, W)` and the first after it; top, left, bottom and right of all of it.

    >>> region = np.zeros((5, 6, 7), bool)
    >>> region[2:4, 1:3, 4] = True
    >>> extent(region)
    (2, 4, 1, 4, 3, 5)
    """
    ends: list[tuple[int, int]] = []
    for others in ((1, 2), (0, 2), (0, 1)):
        at = np.flatnonzero(region.any(others))
        ends.append((int(at[0]), int(at[-1]) + 1) if len(at) else (0, 0))
    (start, end), (top, bottom), (left, right) = ends
    return start, end, top, left, bottom, right
