"""Who finds the anomalies: the default and its rivals on one series, under the same smoothing."""

from collections.abc import Iterator, Sequence
from functools import cache, partial

from anodiff.bench.series.judge import Judge, both
from anodiff.bench.series.ours import Said, fitted, learnt, members_of, shared
from anodiff.bench.series.rivals import ONCE, RIVALS, summed
from anodiff.bench.series.settings import Settings
from anodiff.bench.series.tasks import Task
from anodiff.bench.series.timed import Record, attempt, timed
from anodiff.types import JSON

OURS = "anodiff"


def contest(task: Task, seed: int, settings: Settings, judge: Judge) -> Iterator[Record]:
    """A record of anodiff, then one of each rival."""
    ours = attempt(OURS, lambda: default(task, seed, settings, judge))
    yield ours
    yield from rivals(task, seed, settings.rivals, judge, ours.facts.get("smooth"))


def default(task: Task, seed: int, settings: Settings, judge: Judge) -> JSON:
    """The default, without smoothing too, and every member alone."""
    with timed() as fit:
        detector = fitted(learnt(task), seed, settings.recipe, settings.changes)
    with timed() as score:
        said = Said.of(detector, None if task.train is None else task.X)
        scores = said.score()
    members = {name: judge(task, said.score([name])) for name in detector.whole_.members}
    return {
        **both(judge, task, scores, said.score_unsmoothed()),
        **fit.told("fit_"),
        **score.told("score_"),
        "smooth": detector.whole_.smooth,
        "period": detector.period_,
        "recipe": detector.whole_.recipe.name,
        "learnt": members_of(detector, "network"),
        "members": members,
    }


def rivals(task: Task, seed: int, names: Sequence[str], judge: Judge, smooth: int | None) -> Iterator[Record]:
    """A record of each; they are smoothed over as many instants as anodiff, or over a period where it failed.

    A series of which nothing can be learnt is a failure of each, not of the run.
    """
    known = cache(lambda: shared(task, seed))

    def of(name: str) -> JSON:
        given = known()
        with timed() as cost:
            parts = RIVALS[name](given)
        width = smooth or given.smooth
        found = both(judge, task, summed(parts, width), summed(parts, 1))
        return {**found, **cost.told(""), "smooth": width}

    for name in names:
        if seed == 0 or name not in ONCE:
            yield attempt(name, partial(of, name))
