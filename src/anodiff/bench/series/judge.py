"""A score of every instant as numbers: VUS, or whether the one anomaly is found. All from 0 to 1."""

from collections.abc import Callable

from anodiff.bench.series.tasks import Task
from anodiff.metrics.events import ucr_hit
from anodiff.metrics.vus import vus
from anodiff.types import JSON, Scores

RAW = "_raw"
"""Ends the name of a number of scores that were not smoothed."""


def volumes(task: Task, scores: Scores) -> JSON:
    """VUS-PR and VUS-ROC with the slack that TSB-AD takes."""
    found = vus(task.y[task.begin :], scores[task.begin :], task.window)
    return {"vus_pr": found.pr, "vus_roc": found.roc}


def hit(task: Task, scores: Scores) -> JSON:
    """1 where the highest score of the part that is judged lies within 100 instants of the only anomaly, else 0."""
    y, judged = task.y[task.begin :], scores[task.begin :]
    return {"hit": float(ucr_hit(y, judged)), "highest": task.begin + int(judged.argmax())}


Judge = Callable[[Task, Scores], JSON]


def both(judge: Judge, task: Task, smoothed: Scores, plain: Scores) -> JSON:
    """Numbers of the smoothed score, and beside each that of the score without smoothing."""
    bare = judge(task, plain)
    return judge(task, smoothed) | {name + RAW: value for name, value in bare.items()}
