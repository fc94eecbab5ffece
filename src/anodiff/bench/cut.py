"""A set, cut: what anodiff and its rivals learn from, what they judge, and what was true of it."""

import hashlib
from dataclasses import dataclass, field, replace

import numpy as np

from anodiff.bench.cells import deleted, flat, joined, standardised, take, width
from anodiff.bench.made import MAKERS
from anodiff.bench.protocols import Level, Protocol
from anodiff.bench.sets import DataSet, Rows
from anodiff.bench.splits import MOST, Split, split


@dataclass(frozen=True, eq=False)
class Cut:
    """Train and test as anodiff sees them and as its rivals do.

    Attributes:
        train: rows anodiff learns from.
        test: rows it judges.
        flat_train: the same for rivals: numbers, scaled, without gaps `(n, d)`.
        flat_test: the same for rivals `(m, d)`.
        y: of the test, 1 for anomalies and, where they are made, k for those of the k-th maker `(m,)`.
        examples: known anomalies, None where there are none.
        contamination: share of anomalies among the training rows, None where it is not known.
        made: names of the makers of anomalies; none where anomalies are real.
        test_rows: row numbers of the test `(m,)`.
    """

    train: Rows
    test: Rows
    flat_train: np.ndarray
    flat_test: np.ndarray
    y: np.ndarray
    examples: Rows | None = None
    contamination: float | None = None
    made: tuple[str, ...] = ()
    test_rows: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def facts(self) -> dict[str, object]:
        """Sizes, and a fingerprint of which rows are the test."""
        return {
            "n_train": len(self.train),
            "columns": width(self.train),
            "n_normal": int((self.y == 0).sum()),
            "n_anomaly": int((self.y > 0).sum()),
            "n_examples": 0 if self.examples is None else len(self.examples),
            "contamination": self.contamination,
            "test_rows": hashlib.sha256(np.ascontiguousarray(self.test_rows).tobytes()).hexdigest()[:16],
        }


def cut(protocol: Protocol, data: DataSet, seed: int, level: Level, levels: tuple[Level, ...]) -> Cut:
    """Cut a set as the protocol says, for one seed and level.

    Raises:
        Unserved: the set has too few rows for this level.
    """
    if data.y is None:
        return _with_made(data.X, seed)
    rows = split(protocol, data.X, data.y, seed, level, levels)
    train, test = take(data.X, rows.train), take(data.X, rows.test)
    if protocol.varies == "missing":
        train, test = _holed(train, seed, level), _holed(test, seed + 1_000, level)
    return _seen(train, test, data.X, data.y, rows)


def _seen(train: Rows, test: Rows, X: Rows, y: np.ndarray, rows: Split) -> Cut:
    """Arrays are standardised on train for everybody; frames are as they are for anodiff."""
    examples = take(X, rows.examples) if len(rows.examples) else None
    plain = flat(train, test)
    if isinstance(train, np.ndarray) and isinstance(test, np.ndarray):
        train, test, *known = standardised(train, test, *([] if examples is None else [np.asarray(examples)]))
        examples = known[0] if known else None
        if not np.isnan(train).any() and not np.isnan(test).any():
            plain = train, test
    return Cut(train, test, *plain, y[rows.test], examples, rows.contamination, (), rows.test)


def _holed(X: Rows, seed: int, level: Level) -> Rows:
    """X with a share of its cells deleted completely at random; a higher level deletes the same and more."""
    gone = np.random.default_rng(seed).random((len(X), width(X))) < float(level or 0)
    return deleted(X, gone) if gone.any() else X


def _with_made(X: Rows, seed: int) -> Cut:
    """Half of the rows, at most 50,000 of them, train; the others, and anomalies made from them, are the test."""
    order = np.random.RandomState(seed).permutation(len(X))[:MOST]
    train, held = np.sort(order[: len(order) // 2]), np.sort(order[len(order) // 2 :])
    normal = take(X, held)
    made = {name: found for name, make in MAKERS.items() if (found := make(normal, seed)) is not None}
    test = joined([normal, *(rows for rows, _ in made.values())])
    labels = [np.zeros(len(held), dtype=np.int64)]
    labels += [np.full(len(rows), k) for k, (rows, _) in enumerate(made.values(), start=1)]
    numbers = np.concatenate([held, *(held[base] for _, base in made.values())])
    whole = np.concatenate(labels)
    rows = Split(train, numbers, train[:0])
    seen = _seen(take(X, train), test, X, np.zeros(len(X), dtype=np.int64), rows)
    return replace(seen, y=whole, made=tuple(made))
