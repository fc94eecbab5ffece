"""What a handful of known defects is worth: some of each kind with their masks, judged on the others.

Those given are drawn by the seed, fewer ones are part of more, and none of them is judged: so every count is judged on
the same pictures.
"""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from anodiff.bench.images.cases import Case, part
from anodiff.bench.images.detect import PLAIN, RATES, Task, places
from anodiff.bench.images.judge import alarms, judged
from anodiff.bench.images.ours import OURS, fitted, said
from anodiff.bench.images.settings import Settings
from anodiff.bench.series.timed import Record, attempt, timed
from anodiff.data.image_sets import GOOD
from anodiff.types import JSON

USUAL = 5


def named(count: int) -> str:
    """The method with so many known defects of each kind.

    >>> named(0), named(5)
    ('anodiff', 'anodiff, 5 known')
    """
    return f"{OURS}, {count} known" if count else OURS


def told(counts: Sequence[int]) -> str:
    """The method that the others are held against: with five known defects of each kind, or the most that are given.

    >>> told((1, 5, 10)), told((1, 2))
    ('anodiff, 5 known', 'anodiff, 2 known')
    """
    return named(USUAL if USUAL in counts else max(counts))


def drawn(case: Case, most: int, seed: int) -> dict[str, np.ndarray]:
    """Per kind, places of the test pictures that may be given, in their order; half of a kind at most."""
    draw, found = np.random.default_rng(seed), dict[str, np.ndarray]()
    for kind in dict.fromkeys(case.truth.kinds):
        if kind != GOOD:
            at = draw.permutation(places(case, kind))
            found[kind] = at[: min(most, len(at) // 2)]
    return found


def act(case: Case, seed: int, settings: Settings) -> Iterator[Record]:
    """One fit without and one with each count."""
    given = drawn(case, max(settings.counts), seed)
    gone = np.concatenate(list(given.values()))
    left = Case(part(case.held, np.setdiff1d(np.arange(len(case.test)), gone)))
    task = Task(left, seed, settings)

    def of(count: int) -> JSON:
        at = np.concatenate([each[:count] for each in given.values()])
        examples = [case.test[i] for i in at] if count else None
        masks = [case.held.mask(int(i)) for i in at]
        regions = [mask for mask in masks if mask is not None] if count else None
        with timed() as fit:
            detector = fitted(case.train, seed, settings.recipe, settings.changes, examples, regions)
        found: JSON = {"known": {kind: len(each[:count]) for kind, each in given.items()}, **fit.told("fit_")}
        for copy, (pictures, truth) in task.copies.items():
            with timed() as spent:
                heard = said(detector, pictures)
            found[copy] = judged(heard.maps, heard.scores, truth) | {"alarms": alarms(heard.p_values, truth, RATES)}
            found |= spent.told("score_") if copy == PLAIN else {}
        return found

    for count in (0, *settings.counts):
        yield attempt(named(count), partial(of, count))
