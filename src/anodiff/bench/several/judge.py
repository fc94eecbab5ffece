"""How well records are told apart, with bootstrap samples of groups of records, the same for every method."""

from collections.abc import Sequence

import numpy as np

from anodiff.metrics.ranking import auroc
from anodiff.types import JSON, Scores

DRAWS = 1000


class Draws:
    """Samples of groups, such as the records of one photo.

    Args:
        groups: `(n,)`, the group of each record.
        labels: `(n,)`, 1 where it is abnormal.
        count: How many samples.
    """

    def __init__(self, groups: np.ndarray, labels: np.ndarray, count: int = DRAWS) -> None:
        self.names, self.place = np.unique(groups, return_inverse=True)
        self.labels = labels
        drawn = np.random.default_rng(0).integers(len(self.names), size=(count, len(self.names)))
        self.weights = np.stack([np.bincount(each, minlength=len(self.names)) for each in drawn])

    def aurocs(self, scores: Scores) -> np.ndarray:
        """AUROC of each sample `(count,)`; a record that was drawn twice counts twice."""
        order = np.argsort(scores, kind="stable")
        s, y, group = scores[order], self.labels[order], self.place[order]
        starts = np.flatnonzero(np.r_[True, np.diff(s) > 0])
        found = []
        for weight in self.weights:
            w = weight[group].astype(float)
            normal, odd = (np.add.reduceat(np.where(y == kind, w, 0), starts) for kind in (0, 1))
            below = np.cumsum(normal) - normal / 2
            found.append((odd * below).sum() / (odd.sum() * normal.sum()))
        return np.asarray(found)

    def shares(self, right: np.ndarray, records: np.ndarray) -> np.ndarray:
        """Of pairs `(k,)` that came out right (1, 0 or 1/2), each of the group of a record, the share by sample."""
        group = self.place[records]
        w = self.weights[:, group].astype(float)
        some = w.sum(1) > 0
        return np.asarray((w[some] @ right) / w[some].sum(1))


def interval(values: np.ndarray) -> tuple[float, float]:
    """The middle 95 % of bootstrap samples."""
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def wrong_is_higher(scores: Scores, pairs: np.ndarray) -> np.ndarray:
    """Of pairs `(k, 2)` of records 1 where the second scores higher, 1/2 where both score alike, else 0."""
    normal, wrong = scores[pairs[:, 0]], scores[pairs[:, 1]]
    return np.asarray((wrong > normal) + 0.5 * (wrong == normal))


def compared(draws: Draws, scores: dict[str, Scores], whole: str) -> JSON:
    """AUROC of each method with its interval, and how far the whole is ahead of it."""
    drawn = {name: draws.aurocs(each) for name, each in scores.items()}
    found: JSON = {}
    for name, each in scores.items():
        low, high = interval(drawn[name])
        found[name] = {"auroc": auroc(draws.labels, each), "low": low, "high": high}
        if name != whole:
            ahead = auroc(draws.labels, scores[whole]) - found[name]["auroc"]
            low, high = interval(drawn[whole] - drawn[name])
            found[name]["lead"] = {"gain": ahead, "low": low, "high": high}
    return found


def over_seeds(runs: Sequence[JSON]) -> JSON:
    """Means over seeds of everything that is a number; ends of intervals are averaged, which errs to the wide side."""
    first = runs[0]
    if isinstance(first, dict):
        return {name: over_seeds([run[name] for run in runs]) for name in first}
    return float(np.mean(runs)) if isinstance(first, int | float) else first
