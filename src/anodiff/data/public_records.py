"""Public records of several kinds: photos of a robot's laboratory with what should hold, boards with their templates.

They are looked for under the folder that the environment variable ANODIFF_DATA names. Nothing is downloaded.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from anodiff.types import Unreadable

GIVEN = ("image", "context", "check", "view", "location", "step")
"""What may be read of a record of SDLS. `caption`, `state_description` and `boxes` describe the answer."""


@dataclass(frozen=True)
class RecordSet:
    """Records that are learnt, all normal, and records that are judged.

    Attributes:
        train: Columns by name.
        test: The same columns.
        labels: `(n,)`, 1 where a test record is abnormal.
        pairs: `(k, 2)`, places of test records of one photo: right under the first's text, wrong under the second's.
        photos: `(n,)`, the photo of each test record.
    """

    train: dict[str, list[Any]]
    test: dict[str, list[Any]]
    labels: np.ndarray
    pairs: np.ndarray
    photos: np.ndarray


def sdls(root: str | Path | None = None) -> RecordSet:
    """SDLS, inspection of the steps of a laboratory by photo and text (CC BY 4.0); split by photo.

    Raises:
        Unreadable: it is not there.
    """
    folder = found(root, "multimodal/sdls", "records.jsonl")
    records = [json.loads(line) for line in (folder / "records.jsonl").read_text(encoding="utf-8").splitlines()]
    train, test = ([each for each in records if each["split"] == part] for part in ("train", "test"))
    labels = np.array([each["label"] for each in test])
    photos = np.array([each["image"] for each in test])
    return RecordSet(columns(train, folder), columns(test, folder), labels, both_ways(photos, labels), photos)


def columns(records: list[dict[str, Any]], folder: Path) -> dict[str, list[Any]]:
    """Records as columns, of what may be read."""
    read = {name: [each.get(name) for each in records] for name in GIVEN}
    return {**read, "image": [str(folder / str(name)) for name in read["image"]]}


def both_ways(photos: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """`(k, 2)`: places of the same photo, normal first and abnormal second, in all combinations.

    >>> both_ways(np.array(["a", "a", "b", "a"]), np.array([0, 1, 1, 1])).tolist()
    [[0, 1], [0, 3]]
    """
    normal, abnormal = np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)
    pairs = [(i, j) for i in normal for j in abnormal[photos[abnormal] == photos[i]]]
    return np.array(pairs, int).reshape(-1, 2)


@dataclass(frozen=True)
class BoardPairs:
    """Circuit boards: templates to learn, and tested boards with theirs.

    Attributes:
        train: Templates.
        references: Templates of the tested boards.
        tested: Boards with defects, each with the reference of the same place.
    """

    train: list[Path]
    references: list[Path]
    tested: list[Path]


def boards(root: str | Path | None = None) -> BoardPairs:
    """DeepPCB (research use; Tang and others 2019).

    Raises:
        Unreadable: it is not there.
    """
    folder = found(root, "image/deeppcb_pairs", "pairs.jsonl")
    records = [json.loads(line) for line in (folder / "pairs.jsonl").read_text(encoding="utf-8").splitlines()]
    train, test = ([each["id"] for each in records if each["split"] == part] for part in ("train", "test"))
    return BoardPairs(
        [picture(folder, name, "temp") for name in train],
        [picture(folder, name, "temp") for name in test],
        [picture(folder, name, "test") for name in test],
    )


def picture(folder: Path, name: str, what: str) -> Path:
    """A board's photo."""
    return folder / "images" / f"{name}_{what}.jpg"


def found(root: str | Path | None, usual: str, holds: str) -> Path:
    """The folder of a set: `root`, or its usual place, or the last part of that, under ANODIFF_DATA.

    Raises:
        Unreadable: none of these holds the file.
    """
    given = Path(root or os.environ.get("ANODIFF_DATA") or ".")
    for each in (given, given / usual, given / Path(usual).name):
        if (each / holds).is_file():
            return each
    raise Unreadable(f"no {holds} is in {given}, {given / usual} or beside it; set ANODIFF_DATA.")
