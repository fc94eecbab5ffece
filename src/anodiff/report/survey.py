"""What one pass over data leaves in memory: counts, the worst rows, and a sample of the rows. Bounded."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from anodiff.data.table import Table
from anodiff.report.passes import Piece, Worst, joined_tables

SAMPLE = 100_000
BINS = 40
WIDEN = 1.25
FARTHEST_BINS = 60


@dataclass(frozen=True)
class Survey:
    """The pass, summed up.

    Attributes:
        rows: How many there were.
        alarms: How many scored above the threshold.
        above: How many scored above each of the other thresholds.
        histogram: How many fell between each two edges.
        seconds: How long scoring took.
        worst: The highest scoring rows.
        sample: Rows drawn uniformly, to compare columns.
        alarmed: Which of these raised an alarm.
    """

    rows: int
    alarms: int
    above: np.ndarray
    histogram: np.ndarray
    seconds: float
    worst: Worst
    sample: Table
    alarmed: np.ndarray


def survey(
    pieces: Iterable[Piece], threshold: float, thresholds: np.ndarray, edges: np.ndarray, most: int, seed: int
) -> Survey:
    """Pass once through the pieces, of which there is at least one."""
    worst, kept = Worst(most), Sample(SAMPLE, seed)
    above, histogram = np.zeros(len(thresholds), dtype=np.int64), np.zeros(len(edges) - 1, dtype=np.int64)
    rows = alarms = 0
    began = time.perf_counter()
    for piece in pieces:
        alarmed = piece.scores > threshold
        rows, alarms = rows + len(alarmed), alarms + int(alarmed.sum())
        above += (piece.scores[:, None] > thresholds).sum(0)
        histogram += counted(piece.scores, edges)
        worst.add(piece)
        kept.add(piece.seen, alarmed)
    assert kept.table is not None
    return Survey(rows, alarms, above, histogram, time.perf_counter() - began, worst, kept.table, kept.flags)


class Sample:
    """At most `most` rows with a flag each, uniformly: every row draws a number, and the lowest stay."""

    def __init__(self, most: int, seed: int) -> None:
        self.most = most
        self.table: Table | None = None
        self.flags = np.empty(0, dtype=bool)
        self._keys, self._draw = np.empty(0), np.random.default_rng(seed)

    def add(self, table: Table, flags: np.ndarray) -> None:
        """Let rows take part in the draw."""
        joined = table if self.table is None else joined_tables(self.table, table)
        keys, flags = np.append(self._keys, self._draw.random(len(table))), np.append(self.flags, flags)
        if len(keys) > self.most:
            lowest = np.sort(np.argpartition(keys, self.most)[: self.most])
            joined, keys, flags = joined.take(lowest), keys[lowest], flags[lowest]
        self.table, self._keys, self.flags = joined, keys, flags


def histogram_edges(held_out: np.ndarray, threshold: float) -> np.ndarray:
    """Edges of bins: equal up to the threshold, then ever wider, so that no score is too far out to be shown.

    >>> edges = histogram_edges(np.array([0.0, 1.0, 2.0]), 2.0)
    >>> float(edges[0]), float(edges[40]), bool(edges[-1] > 1e5)
    (0.0, 2.0, True)
    """
    low, high = float(held_out.min()), float(held_out.max())
    split = threshold if low < threshold < np.inf else max(high, low + 1e-9)
    width = (split - low) / BINS
    return np.append(
        np.linspace(low, split, BINS + 1), split + width * np.cumsum(WIDEN ** np.arange(1.0, FARTHEST_BINS))
    )


def counted(scores: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """How many scores are in (edge, next edge]; the first and the last bin take what lies beyond.

    >>> counted(np.array([-1.0, 0.5, 1.0, 9.0]), np.array([0.0, 1.0, 2.0]))
    array([3, 1])
    """
    place = np.clip(np.searchsorted(edges, scores, side="left") - 1, 0, len(edges) - 2)
    return np.bincount(place, minlength=len(edges) - 1)
