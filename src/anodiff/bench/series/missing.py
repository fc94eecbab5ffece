"""What deleted instants cost: rows that are empty, and rows that are gone while a clock runs on."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from anodiff.bench.series import tasks
from anodiff.bench.series.detect import OURS, rivals
from anodiff.bench.series.judge import volumes
from anodiff.bench.series.ours import fitted
from anodiff.bench.series.settings import Settings
from anodiff.bench.series.tasks import Source
from anodiff.bench.series.timed import Record, attempt
from anodiff.types import JSON, Scores

SHARE = 0.2
EMPTY, GONE = "empty rows", "rows gone"
OURS_EMPTY, OURS_GONE = f"{OURS}, {EMPTY}", f"{OURS}, {GONE}"
DIFFERENCES = (
    ("empty rows cost", OURS, OURS_EMPTY),
    ("rows that are gone cost", OURS, OURS_GONE),
    ("empty rows cost nearest windows", "near100+2P", f"near100+2P, {EMPTY}"),
)
MINUTE = 60_000_000


def act(source: Source, seed: int, settings: Settings) -> Iterator[Record]:
    """The default on the whole series and on two that lack the same instants; rivals get straight lines in the gaps."""
    task = tasks.whole(source)
    deleted = gone(len(task.X), seed)

    def of(X: Any, lay: np.ndarray | None = None) -> JSON:
        scores = np.asarray(fitted(X, seed, settings.recipe, settings.changes).decision_scores_)
        return volumes(task, scores if lay is None else laid(scores, lay, len(task.y)))

    yield attempt(OURS, lambda: of(task.X))
    yield attempt(OURS_EMPTY, lambda: of(np.where(deleted[:, None], np.nan, task.X)))
    yield attempt(OURS_GONE, lambda: of(clocked(task.X, ~deleted), ~deleted))
    yield from rivals(task, seed, settings.rivals, volumes, None)
    bridged = replace(task, X=filled(task.X, ~deleted))
    for record in rivals(bridged, seed, settings.rivals, lambda _, scores: volumes(task, scores), None):
        yield Record(f"{record.method}, {EMPTY}", record.status, record.error, record.facts)


def gone(n: int, seed: int) -> np.ndarray:
    """Which instants are deleted `(n,)`."""
    found = np.zeros(n, bool)
    found[np.random.default_rng(seed).permutation(n)[: round(SHARE * n)]] = True
    return found


def clocked(X: np.ndarray, kept: np.ndarray) -> pa.Table:
    """The rows that are kept, one a minute, with their times."""
    times = pa.array(np.flatnonzero(kept) * MINUTE, pa.timestamp("us", tz="UTC"))
    return pa.table({"time": times, **{f"x{i}": X[kept, i] for i in range(X.shape[1])}})


def laid(scores: Scores, kept: np.ndarray, n: int) -> Scores:
    """Scores of the instants that are kept as scores of all `(n,)`: straight lines between them."""
    return np.asarray(np.interp(np.arange(n), np.flatnonzero(kept), scores))


def filled(X: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Straight lines where rows are deleted."""
    return np.stack([laid(X[kept, i], kept, len(X)) for i in range(X.shape[1])], 1)
