"""A job: one set and one seed, every level and method of it. It tells what it begins and what it found, as it goes."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

from anodiff.bench.contestants import OURS, contestant
from anodiff.bench.cut import Cut, cut
from anodiff.bench.judge import judged
from anodiff.bench.leaks import copies
from anodiff.bench.protocols import Level
from anodiff.bench.sets import Source
from anodiff.bench.settings import Settings
from anodiff.bench.splits import Unserved
from anodiff.detect import Detector
from anodiff.types import JSON, Scores


@dataclass(frozen=True)
class Job:
    """One set, one seed."""

    source: Source
    seed: int
    settings: Settings

    @property
    def key(self) -> tuple[str, int]:
        """What names it among the jobs of a run."""
        return self.source.name, self.seed


@dataclass(frozen=True)
class Begun:
    """A method is at work on a level."""

    level: Level
    method: str


@dataclass(frozen=True)
class Found:
    """A record of a method, or of a split (`kind`)."""

    kind: str
    record: JSON


Told = Begun | Found


def perform(job: Job, skip: frozenset[tuple[Level, str]] = frozenset()) -> Iterator[Told]:
    """Do the job, but for the levels and methods of `skip`.

    Raises:
        Refusal: the set cannot be read.
    """
    data, settings = job.source.load(), job.settings
    full: Scores | None = None
    fitted: Detector | None = None
    for level in settings.levels:
        at = {"set": data.name, "seed": job.seed, "level": level}
        try:
            found = cut(settings.plan(), data, job.seed, level, settings.levels)
        except Unserved as reason:
            yield Found("split", {**at, "skipped": str(reason)})
            continue
        yield Found("split", {**at, "skipped": None, **found.facts(), **copies(found, job.seed)})
        for method in methods(settings, level):
            if (level, method) in skip:
                continue
            yield Begun(level, method)
            record, scores, learnt = _record(method, job, found, level, full, fitted)
            yield Found("record", {**at, "method": method, **record})
            if method == OURS and settings.plan().varies == "budget" and level is None:
                full, fitted = scores, learnt


def methods(settings: Settings, level: Level) -> list[str]:
    """Who is judged at a level: anodiff, and its rivals where the level concerns them."""
    alone = settings.plan().rivals_once and level != settings.levels[0]
    return [OURS] if alone else [OURS, *settings.rivals]


def failure(sentence: str) -> JSON:
    """What is recorded of a method that failed; nothing of it is dropped."""
    return {"status": "failed", "error": " ".join(sentence.split())[:300] or "it failed without a word"}


def _record(
    method: str, job: Job, found: Cut, level: Level, full: Scores | None, fitted: Detector | None
) -> tuple[JSON, Scores | None, Detector | None]:
    """What a method is worth on a cut, its scores, and the detector if it is one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            judge = contestant(method, job.settings, job.seed, level, fitted if method == OURS else None)
            record, scores = judged(judge, found, job.seed, full)
        except Exception as error:  # whatever a rival raises is a finding
            return failure(f"{type(error).__name__}: {error}"), None, None
    return {"status": "ok", "error": None, **record}, scores, getattr(judge, "detector", None)
