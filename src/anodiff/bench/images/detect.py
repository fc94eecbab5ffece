"""Who finds the defects: the default and its rivals on one set, and on a copy of its test pictures not aligned."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from anodiff.bench.images.cases import Case, Truth, read
from anodiff.bench.images.finish import Finish
from anodiff.bench.images.judge import alarms, judged
from anodiff.bench.images.ours import OURS, fitted, said
from anodiff.bench.images.rivals import ONCE, RIVALS
from anodiff.bench.images.seen import Eyes, Seen
from anodiff.bench.images.settings import Settings
from anodiff.bench.images.turned import moved, turned
from anodiff.bench.series.timed import Record, attempt, timed
from anodiff.metrics.ranking import auroc
from anodiff.types import JSON

PLAIN, TURNED = "plain", "turned"
RATES = (0.01, 0.05, 0.1)


@dataclass(frozen=True, eq=False)
class Task:
    """A set with a seed: what is learnt, and the test pictures as they are and turned."""

    case: Case
    seed: int
    settings: Settings

    @cached_property
    def copies(self) -> dict[str, tuple[Any, Truth]]:
        """Test pictures with what is known of them, by copy."""
        found: dict[str, tuple[Any, Truth]] = {PLAIN: (self.case.test, self.case.truth)}
        if self.settings.rotated:
            pixels, truth = turned(read(self.case.test), self.case.truth, self.seed)
            found[TURNED] = list(pixels), truth
        return found

    @cached_property
    def seen(self) -> dict[str, Seen]:
        """What rivals see: what is learnt ("train"), and each copy."""
        eyes = Eyes(self.settings.layers, self.settings.grid).fit(self.case.train)
        train = eyes(learnt(self.case, self.settings, self.seed))
        return {"train": train} | {copy: eyes(pictures) for copy, (pictures, _) in self.copies.items()}


def learnt(case: Case, settings: Settings, seed: int) -> list[Any]:
    """What rivals learn: the pictures, and copies of them turned and shifted where some are asked for."""
    copies = [moved(read(case.train), 1_000 * (k + 1) + seed) for k in range(settings.copies)]
    return [*case.train, *(each for copy in copies for each in copy)]


def contest(case: Case, seed: int, settings: Settings) -> Iterator[Record]:
    """A record of anodiff, then one of each rival."""
    task, finishes = Task(case, seed, settings), list[Finish]()
    yield attempt(OURS, lambda: default(task, finishes))
    yield from rivals(task, settings.rivals, finishes[0] if finishes else Finish())


def default(task: Task, finishes: list[Finish]) -> JSON:
    """The default; how it ends is told for the rivals."""
    with timed() as fit:
        detector = fitted(task.case.train, task.seed, task.settings.recipe, task.settings.changes)
    finishes.append(Finish.of(detector.inner_.model_))
    found: JSON = {"recipe": detector.inner_.model_.recipe.name, "finish": finishes[0].told(), **fit.told("fit_")}
    for copy, (pictures, truth) in task.copies.items():
        with timed() as spent:
            told = said(detector, pictures)
        found[copy] = judged(told.maps, told.scores, truth) | {"alarms": alarms(told.p_values, truth, RATES)}
        found |= spent.told("score_") if copy == PLAIN else {}
    return found


def rivals(task: Task, names: Sequence[str], finish: Finish) -> Iterator[Record]:
    """A record of each; their maps are blurred and pooled as anodiff's."""

    def of(name: str) -> JSON:
        seen = task.seen
        with timed() as fit:
            rival = RIVALS[name](task.seed).fit(seen["train"])
        found: JSON = {"finish": finish.told(), **fit.told("fit_")}
        for copy, (_, truth) in task.copies.items():
            with timed() as spent:
                maps, own = rival.maps_and_scores(seen[copy])
            laid, scores = finish(maps)
            found[copy] = judged(laid, scores, truth) | {"own_auroc": auroc(truth.labels, own)}
            found |= spent.told("score_") if copy == PLAIN else {}
        return found

    for name in names:
        if task.seed == 0 or name not in ONCE or task.settings.rotated:
            yield attempt(name, partial(of, name))


def places(case: Case, kind: str) -> np.ndarray:
    """Where the test pictures of a kind are whose masks are known."""
    truth = case.truth
    return np.array([i for i, each in enumerate(truth.kinds) if each == kind and truth.known[i]], int)
