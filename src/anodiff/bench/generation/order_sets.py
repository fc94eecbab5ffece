"""Sets on which orders are tried: some of every kind of data, each in three parts."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from anodiff.bench.generation.orders import Parts
from anodiff.data.benchmarks import LABEL, paths
from anodiff.data.labelled import Labelled
from anodiff.data.public_series import find
from anodiff.data.readers import read
from anodiff.made import taken
from anodiff.metrics.segments import segments

TABLES = ("annthyroid", "cardio", "thyroid", "pima", "Wilt", "letter", "sick_thyroid")
SERIES = {"multivariate": ("SMD", "ASD", "SKAB"), "univariate": ("NAB", "YAHOO", "UCR")}
EACH, LEAST = 2, 1000
"""Series of each family, the first that have so many normal instants to learn from."""
PIECE, AROUND = 400, 100
"""Instants of the pieces that anomalies of series are made on, and around a real one."""


@dataclass(frozen=True)
class OrderSet:
    """A set, read when it is asked for."""

    name: str
    kind: str
    parts: Callable[[int], Parts]
    n: int


def sets() -> Iterator[OrderSet]:
    """All of them."""
    places = {**paths("adbench"), **paths("mixed")}
    for name, path in places.items():
        if any(name.lower().endswith(each.lower()) for each in TABLES):
            yield OrderSet(name, "tabular", partial(of_table, path), 100)
    for collection, families in SERIES.items():
        held = find(collection)
        for family in families:
            names = [name for name in sorted(held) if family.lower() in name.lower()]
            long = [name for name in names if len(of_series(held[name], 0).make[0]) >= LEAST]
            for name in long[:EACH]:
                yield OrderSet(name, "series", partial(of_series, held[name]), 100)
    yield OrderSet("mtd-grouped", "image", of_pictures, 16)


def of_table(path: object, seed: int) -> Parts:
    """Normal rows, shuffled; copies are left out."""
    if str(path).endswith(".npz"):
        with np.load(str(path)) as file:
            X, y = file["X"].astype(np.float64), file["y"]
        rows, bad = np.unique(X[y == 0], axis=0), np.unique(X[y == 1], axis=0)
    else:
        frame = read(str(path)).arrow.to_pandas().drop_duplicates()
        rows, bad = (frame[frame[LABEL] == k].drop(columns=LABEL).reset_index(drop=True) for k in (0, 1))
    random = np.random.default_rng(seed)
    order, others = random.permutation(len(rows))[:6000], random.permutation(len(bad))
    a, b = len(order) // 2, 3 * len(order) // 4
    return Parts(taken(rows, order[:a]), taken(rows, order[a:b]), taken(rows, order[b:]), taken(bad, others))


def of_series(load: Callable[[], Labelled], seed: int) -> Parts:
    """The part for training where the set has one, else the longest normal stretch, cut in time.

    What anomalies are made on comes in pieces.
    """
    held = load()
    X, y = np.asarray(held.X, dtype=np.float64), np.asarray(held.y)
    edges = np.flatnonzero(np.diff(np.concatenate([[1], y, [1]])))
    runs = [(a, b) for a, b in itertools.pairwise(edges) if not y[a:b].any()]
    first, last = max(runs, key=lambda run: run[1] - run[0])
    normal = (X[first:last] if held.X_train is None else np.asarray(held.X_train, dtype=np.float64))[:20_000]
    a, b = len(normal) // 2, 3 * len(normal) // 4
    rest = normal[b:]
    pieces = [rest[i : i + PIECE] for i in range(0, max(1, len(rest) - PIECE // 2), PIECE)]
    order = np.random.default_rng(seed).permutation(len(found := segments(y)))
    events = [found[i] for i in order]
    bad = [X[max(0, a - AROUND) : b + AROUND] for a, b in events]
    where = [y[max(0, a - AROUND) : b + AROUND] > 0 for a, b in events]
    return Parts([normal[:a]], [normal[a:b]], pieces, bad, where)


def of_pictures(seed: int) -> Parts:
    """Tiles, near-duplicates apart: who makes learns 300, others 150."""
    from anodiff.bench.images.protocols import protocol
    from anodiff.bench.images.settings import Settings

    settings = Settings(protocol="mtd-grouped")
    case = protocol("mtd-grouped").sources(settings)[0].load()
    order = np.random.default_rng(seed).permutation(len(case.train))
    train = [case.train[i] for i in order]
    good = [path for path, label in zip(case.test, case.truth.labels, strict=True) if not label]
    odd = [i for i, label in enumerate(case.truth.labels) if label and case.held.mask(i) is not None]
    odd = [odd[i] for i in np.random.default_rng(seed).permutation(len(odd))]
    bad, where = [case.test[i] for i in odd], [case.held.mask(i) for i in odd]
    return Parts(train[:300], train[300:450], good[:120], bad, where)
