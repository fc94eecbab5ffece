"""Which rows train and which are the test: row numbers, nothing else, so that every kind of table is cut alike.

The split in file order is that of Livernoche and others, "On diffusion modeling for anomaly detection", 2024, rebuilt
from its description: small sets are resampled before they are cut.
"""

from dataclasses import dataclass, replace

import numpy as np

from anodiff.bench.cells import codes
from anodiff.bench.protocols import Level, Protocol
from anodiff.bench.sets import Rows
from anodiff.types import Refusal

MOST, LEAST = 50_000, 1_000
EXAMPLES = 10


class Unserved(Refusal):
    """This level cannot be had of this set; the message says why. It is recorded, not dropped."""


@dataclass(frozen=True)
class Split:
    """Row numbers of train, test and known anomalies.

    Attributes:
        train: rows learnt from.
        test: rows judged.
        examples: anomalies that are given to `fit` as such.
        contamination: share of anomalies among the training rows, None where it is not looked at.
    """

    train: np.ndarray
    test: np.ndarray
    examples: np.ndarray
    contamination: float | None = None


def split(protocol: Protocol, X: Rows, y: np.ndarray, seed: int, level: Level, levels: tuple[Level, ...]) -> Split:
    """Cut labelled rows as the protocol says.

    Args:
        protocol: how.
        X: the rows.
        y: 1 for anomalies `(n,)`.
        seed: of every draw.
        level: of what the protocol varies.
        levels: all levels that are judged: their tests are the same.

    Raises:
        Unserved: the set has too few rows for this level.
    """
    found = SPLITS[protocol.split](X, y, seed)
    vary = VARY.get(protocol.varies or "")
    return vary(found, y, seed, level, (*protocol.levels, *levels)) if vary else found


def resized(rows: int, seed: int) -> np.ndarray:
    """Row numbers in file order, resampled to 1,000 where there are fewer, drawn down to 50,000 where more."""
    draw = np.random.RandomState(seed)
    if rows < LEAST:
        return draw.choice(np.arange(rows), LEAST, replace=True)
    return draw.choice(np.arange(rows), MOST, replace=False) if rows > MOST else np.arange(rows)


def in_file_order(_: Rows, y: np.ndarray, seed: int) -> Split:
    """The first half of the normals trains, after resizing; the others and all anomalies are the test."""
    return _halves(resized(len(y), seed), y)


def in_shuffled_order(X: Rows, y: np.ndarray, seed: int) -> Split:
    """A seeded half of the distinct normals trains; the others and all distinct anomalies are the test."""
    _, first = np.unique(codes(X), axis=0, return_index=True)
    return _halves(np.random.RandomState(seed).permutation(np.sort(first))[:MOST], y)


def whole(_: Rows, y: np.ndarray, seed: int) -> Split:
    """A bootstrap of all rows trains; all rows, after resizing, are the test."""
    kept = resized(len(y), seed)
    train = np.random.RandomState(seed).choice(kept, len(kept), replace=True)
    return Split(train, kept, kept[:0], float(y[train].mean()))


def _halves(kept: np.ndarray, y: np.ndarray) -> Split:
    normal, abnormal = kept[y[kept] == 0], kept[y[kept] == 1]
    count = round(0.5 * len(normal))
    if not len(abnormal) or count < 5:
        raise Unserved(f"{count} training rows and {len(abnormal)} anomalies are left of it; 5 and 1 are the least.")
    return Split(normal[:count], np.concatenate([normal[count:], abnormal]), kept[:0])


def _contaminated(found: Split, y: np.ndarray, seed: int, level: Level, levels: tuple[Level, ...]) -> Split:
    """Move anomalies into training, at most half of them; what the highest level takes is in no level's test."""
    abnormal, others = _parted(found, y, seed)
    most = len(abnormal) // 2
    wanted = {each: round(float(each or 0) * len(found.train) / (1 - float(each or 0))) for each in levels}
    held = min(most, max(wanted.values()))
    moved = abnormal[: min(most, wanted[level])]
    if level and not len(moved):
        raise Unserved(
            f"{100 * float(level):g} % of {len(found.train)} training rows need more than half of its anomalies."
        )
    train = np.random.RandomState(seed).permutation(np.concatenate([found.train, moved]))
    return replace(
        found, train=train, test=np.concatenate([others, abnormal[held:]]), contamination=len(moved) / len(train)
    )


def _small(found: Split, _y: np.ndarray, _seed: int, level: Level, _levels: tuple[Level, ...]) -> Split:
    rows = int(level or 0)
    if len(found.train) < rows:
        raise Unserved(f"it has {len(found.train)} training rows, not {rows}.")
    return replace(found, train=found.train[:rows])


def _examples(found: Split, y: np.ndarray, seed: int, level: Level, _: tuple[Level, ...]) -> Split:
    """Take known anomalies out of the test, the same ones at every level, and give the first few to fit."""
    abnormal, others = _parted(found, y, seed)
    most = EXAMPLES if len(abnormal) >= 2 * EXAMPLES else len(abnormal) // 2
    count = int(level or 0)
    if count > most:
        raise Unserved(f"of its {len(abnormal)} anomalies at most {most} are taken out of the test, not {count}.")
    return replace(found, test=np.concatenate([others, abnormal[most:]]), examples=abnormal[:count])


def _parted(found: Split, y: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The anomalies of the test in a seeded order, and its other rows."""
    abnormal = found.test[y[found.test] == 1]
    return np.random.RandomState(seed).permutation(abnormal), found.test[y[found.test] == 0]


SPLITS = {"file": in_file_order, "shuffled": in_shuffled_order, "whole": whole}
VARY = {"contamination": _contaminated, "rows": _small, "examples": _examples}
