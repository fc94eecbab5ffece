"""One method on one cut, as a record: how well it ranks, how often it raises false alarms, what it cost.

Ranking numbers are in points of 100. `oracle_f1` looked at the labels of the test.
"""

import numpy as np
from scipy.stats import spearmanr

from anodiff.bench.contestants import Contestant
from anodiff.bench.cut import Cut
from anodiff.bench.leaks import depends_on_the_rest, some_rows
from anodiff.bench.measure import Cost, measured
from anodiff.metrics.ranking import auroc, average_precision, oracle_f1, precision_at_n
from anodiff.types import JSON, Scores, Unreadable

RATES, HUGE = (0.01, 0.05, 0.1), 1e300


def judged(method: Contestant, cut: Cut, seed: int, full: Scores | None = None) -> tuple[JSON, Scores]:
    """Fit and score a method; returns what was found and the scores of the test.

    Args:
        method: not yet fitted.
        cut: what it learns and judges.
        seed: of the choice of rows that are scored again.
        full: scores that these are compared with, those of the default budget.

    Raises:
        Unreadable: it gave scores that are no numbers.
    """
    with measured() as fit:
        method.fit(cut)
    with measured() as score:
        scores = _checked(method.score(cut), len(cut.y))
    few = some_rows(len(scores), seed)
    found = {
        **(_ranking(cut.y, scores) if not cut.made else _on_made(cut, scores)),
        **_alarms(cut.y, method.p_of(scores)),
        **_costs(fit, score, len(scores)),
        **method.facts(),
        "transductive": depends_on_the_rest(scores, few, _checked(method.score(cut, few), len(few))),
    }
    if full is not None:
        found["agreement"] = float(spearmanr(scores, full).statistic)
    return found, scores


def _checked(scores: Scores, rows: int) -> Scores:
    scores = np.asarray(scores, dtype=np.float64)
    if scores.shape != (rows,) or np.isnan(scores).any():
        bad = int(np.isnan(scores).sum())
        raise Unreadable(f"it gave scores of shape {scores.shape} for {rows} rows, {bad} of them NaN.")
    return np.asarray(np.clip(scores, -HUGE, HUGE))


def _ranking(y: np.ndarray, scores: Scores) -> JSON:
    measures = {"auroc": auroc, "ap": average_precision, "precision_at_n": precision_at_n, "oracle_f1": oracle_f1}
    return {name: 100 * measure(y, scores) for name, measure in measures.items()}


def _on_made(cut: Cut, scores: Scores) -> JSON:
    """How well anomalies of each maker are told from the rows that were held out."""
    found = {}
    for k, name in enumerate(cut.made, start=1):
        rows = (cut.y == 0) | (cut.y == k)
        found[f"made_{name}_auroc"] = 100 * auroc((cut.y[rows] == k).astype(int), scores[rows])
    return found


def _alarms(y: np.ndarray, p: Scores) -> JSON:
    """Per rate, how many normals raise an alarm, and how many anomalies do."""
    counts: JSON = {f"false_alarms_{rate:g}": int((p[y == 0] <= rate).sum()) for rate in RATES}
    return counts | {f"found_{rate:g}": int((p[y > 0] <= rate).sum()) for rate in RATES}


def _costs(fit: Cost, score: Cost, rows: int) -> JSON:
    grown = [cost.megabytes for cost in (fit, score) if cost.megabytes is not None]
    return {
        "fit_seconds": fit.seconds,
        "score_seconds": score.seconds,
        "seconds": fit.seconds + score.seconds,
        "seconds_per_row": score.seconds / rows,
        "megabytes": max(grown) if grown else None,
    }
