"""Series of the public sets, and what each is asked: what is learnt, what is judged, where judging begins."""

import csv
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anodiff.data.labelled import Labelled
from anodiff.data.public_series import find
from anodiff.metrics.segments import segments
from anodiff.metrics.vus import period
from anodiff.types import JSON, Misfit, Unreadable

MARGIN = 100
"""So many instants before the first known anomaly are not called normal: labels may begin late."""


@dataclass(frozen=True, eq=False)
class Task:
    """What a method is given.

    Attributes:
        name: Of the series.
        family: The set that it comes from.
        X: `(n, d)`, to be judged.
        y: `(n,)`, 1 where an anomaly is known.
        train: `(m, d)`, to be learnt; None: X itself, each instant judged as if its neighbourhood had been left out.
        begin: Instants of X before this are not counted.
    """

    name: str
    family: str
    X: np.ndarray
    y: np.ndarray
    train: np.ndarray | None = None
    begin: int = 0

    @property
    def window(self) -> int:
        """The slack of VUS: the period of channel 0 of what is judged, as TSB-AD has it."""
        return period(np.nan_to_num(self.X))


@dataclass(frozen=True)
class Source:
    """A series that can be had."""

    name: str
    family: str
    load: Callable[[], Labelled]

    def facts(self) -> JSON:
        """Fingerprint and size."""
        held = self.load()
        digest = hashlib.sha256(np.ascontiguousarray(held.X).tobytes() + held.y.tobytes())
        digest.update(b"" if held.X_train is None else np.ascontiguousarray(held.X_train).tobytes())
        return {
            "family": self.family,
            "sha256": digest.hexdigest()[:16],
            "instants": len(held.X),
            "channels": held.X.shape[1],
            "training_instants": None if held.X_train is None else len(held.X_train),
            "train_end": held.train_end,
            "anomalous": int(held.y.sum()),
            "events": len(segments(held.y)),
        }


def whole(source: Source) -> Task:
    """Fit on the series itself."""
    held = source.load()
    return Task(source.name, source.family, held.X, held.y)


def prefix(source: Source) -> Task:
    """Fit on the part that the set gives for training, judge everything."""
    held = source.load()
    if not held.train_end:
        raise Unreadable(f"{source.name} gives no part for training; leave it out by --sets.")
    return Task(source.name, source.family, held.X, held.y, held.X[: held.train_end])


def own_train(source: Source) -> Task:
    """Fit on the training part that lies beside the series, or else on its beginning; judge everything."""
    held = source.load()
    if held.X_train is None:
        return prefix(source)
    return Task(source.name, source.family, held.X, held.y, held.X_train)


def normal_part(source: Source) -> np.ndarray:
    """What is known to be normal `(m, d)`: the training part, or all up to shortly before the first anomaly."""
    held = source.load()
    if held.X_train is not None:
        return held.X_train
    events = segments(held.y)
    first = int(events[0, 0]) - MARGIN if len(events) else len(held.X)
    return held.X[: max(first, held.train_end or 0)]


def sources(collections: Sequence[str], kept: Callable[[str], bool] | None = None) -> list[Source]:
    """The series of collections under ANODIFF_DATA, in the order of their lists.

    Raises:
        Unreadable: they are not there.
    """
    found = []
    for collection in collections:
        for name, load in find(collection).items():
            if kept is None or kept(name):
                found.append(Source(name, family(collection, name, len(collections) > 1), load))
    return found


def chosen(found: Sequence[Source], wanted: str | None) -> list[Source]:
    """Some of them: the first so many ("3"), or those whose names contain one of "a,b".

    Raises:
        Misfit: none is left, or a word is in no name.
    """
    if wanted is None:
        return list(found)
    if wanted.strip().isdigit():
        some = list(found)[: int(wanted)]
    else:
        words = [word.strip() for word in wanted.split(",") if word.strip()]
        unknown = next((word for word in words if not any(word in source.name for source in found)), None)
        if unknown is not None:
            raise Misfit(f"--sets: no series has {unknown!r} in its name; there are {_few(found)}.")
        some = [source for source in found if any(word in source.name for word in words)]
    if not some:
        raise Misfit(
            f"--sets {wanted!r} leaves no series; give a number from 1, or parts of names such as {_few(found)}."
        )
    return some


def family(collection: str, name: str, told: bool = False) -> str:
    """The set that a series comes from; with its collection where it is `told`.

    >>> family("multivariate", "SMD_machine-2-1"), family("univariate", "001_NAB_id_1_Facility", told=True)
    ('SMD', 'univariate NAB')
    """
    words = name.split("_")
    own = next((word for word in words if not word.isdigit()), name)
    return f"{collection} {own}" if told and own.lower() != collection else own


def place(name: str) -> Path | None:
    """A file of ANODIFF_DATA/series, or of ANODIFF_DATA where that is the folder of series; None is none."""
    given = os.environ.get("ANODIFF_DATA", "")
    found = (Path(given, *parts, name) for parts in (("series",), ()))
    return next((path for path in found if given and path.is_file()), None)


def listed(collection: str) -> dict[str, Mapping[str, str]]:
    """The rows of <collection>.csv in ANODIFF_DATA/series, by name; none where it is not there."""
    path = place(f"{collection}.csv")
    if path is None:
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        return {(row.get("name") or row["tsb_file"]).removesuffix(".csv"): row for row in csv.DictReader(file)}


def _few(found: Sequence[Source]) -> str:
    return ", ".join(source.name for source in found[:3])
