"""The cycle on pictures: a few real defects of each kind are known; what does it add to teach made ones beside them?

Known defects are drawn by the seed, and fewer are part of more. Every count and every arm of a seed is judged on the
same pictures, none of which anyone has seen. Real ones weigh 1 each in every arm; made ones weigh as much together.
"""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from anodiff.bench.generation.arms import ARMS, CLASSICAL, HARDEST, WIDE, Given, fits, ordered, pairs
from anodiff.bench.generation.few import met
from anodiff.bench.generation.rooms import Looks, Room, looks
from anodiff.bench.images.cases import Case, Truth, read
from anodiff.bench.images.examples import drawn
from anodiff.bench.images.judge import Counts, aurocs, packed, samples
from anodiff.bench.images.settings import SIZE
from anodiff.curate import blocks
from anodiff.data.twins import twins
from anodiff.detect import Detector
from anodiff.gallery import Gallery
from anodiff.generate import Generator
from anodiff.lessons import Lessons
from anodiff.made import Made
from anodiff.recipes.taught import Patches, Taught, gridded, judged_plane
from anodiff.types import JSON, Misfit, Scores

METRICS = ("pixel_ap", "aupro", "pixel_auroc", "image_auroc")
NONE, ALONE = "none", "alone"


@dataclass(frozen=True)
class Asked:
    """What changes a record.

    Attributes:
        counts: Known defects of each kind.
        most: Of each kind that are never judged, whatever the counts; half of a kind at most.
        made: So many are made for each arm.
        share: What made ones weigh together, over what real ones do.
        split: Of the magnetic tiles.
        arms: By name.
    """

    counts: tuple[int, ...] = (0, 1, 5, 10)
    most: int = 10
    made: int = 60
    share: float = 1.0
    split: str = "grouped"
    arms: tuple[str, ...] = ARMS

    def check(self) -> None:
        """Refuse what is out of range."""
        if not self.counts or min(self.counts) < 0 or max(self.counts) > self.most:
            raise Misfit(f"--counts is {self.counts}; give numbers of known defects from 0 to {self.most}.")
        if self.made < 5 or not self.share > 0:
            raise Misfit(
                f"--made is {self.made}, --share {self.share:g}; give 5 pictures or more, and a weight above 0."
            )
        if odd := [name for name in self.arms if name not in ARMS]:
            raise Misfit(f"there is no arm {odd[0]!r}; choose of {', '.join(ARMS)}.")

    def to_dict(self) -> JSON:
        """What a record depends on: neither the other counts nor the other arms."""
        return {name: each for name, each in asdict(self).items() if name not in ("counts", "arms")}


@dataclass(frozen=True, eq=False)
class Taken:
    """What an arm teaches: what it looks like, its masks, and what is to be told of it."""

    looks: Looks
    masks: np.ndarray
    facts: JSON = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Bench:
    """A set with a detector that has learnt its normal pictures, and what it says of all of them.

    Attributes:
        case: The set.
        room: Where heads are taught.
        test: What the judged pictures look like.
    """

    case: Case
    room: Room
    test: Looks

    @classmethod
    def of(cls, case: Case) -> "Bench":
        """Fit the detector and look at everything."""
        detector = Detector("image", seed=0).fit(case.train).inner_
        seen = detector.lessons(case.train, learnt=True)
        room = Room(detector.whole_, left_out(detector.whole_, seen), twins(seen.thumbnails))
        return cls(case, room, looks(detector.whole_, read(case.test)))

    @cached_property
    def normals(self) -> np.ndarray:
        """Pictures that were learnt `(n, S, S)` uint8; anomalies are made on them."""
        return read(self.case.train)

    @cached_property
    def generator(self) -> Generator:
        """One that has learnt them, and no defects."""
        return Generator("image", seed=0).fit(list(self.normals))

    def given(self, at: np.ndarray, seed: int) -> Given:
        """What makers are given, of known defects at these places of the test."""
        truth = self.case.truth
        known = read([self.case.test[i] for i in at]) if len(at) else self.normals[:0]
        return Given(self.normals, known, truth.masks[at], [truth.kinds[i] for i in at], seed)


def named(asked: Asked, count: int) -> list[str]:
    """The arms of a count of known defects, the one that nothing is made for first."""
    return [ALONE if count else NONE, *(name for name in asked.arms if fits(name, count))]


def act(bench: Bench, seed: int, asked: Asked, done: set[tuple[int, int, str]]) -> Iterator[JSON]:
    """A record of each count and arm that is not done."""
    kinds = drawn(bench.case, asked.most, seed)
    left = np.setdiff1d(np.arange(len(bench.test)), np.concatenate(list(kinds.values())))
    for count in asked.counts:
        at = np.concatenate([each[:count] for each in kinds.values()]).astype(int)
        turn = Turn(bench, at, left, seed, asked)
        for name in named(asked, count):
            if (seed, count, name) not in done:
                yield {"seed": seed, "count": count, "arm": name, **turn.record(name)}


@dataclass(frozen=True, eq=False)
class Turn:
    """One seed and its known defects, at these places, judged on what is `left`."""

    bench: Bench
    at: np.ndarray
    left: np.ndarray
    seed: int
    asked: Asked

    def record(self, name: str) -> JSON:
        """Of one arm."""
        began = time.perf_counter()
        found: JSON = self.measured(self.made(name)) if name in self.asked.arms else self.measured(None)
        return {**found, "seconds": time.perf_counter() - began}

    def made(self, name: str) -> Taken:
        """What an arm teaches."""
        n = self.asked.made
        if name in CLASSICAL:
            pictures, masks = CLASSICAL[name](self.given, n)
            return Taken(looks(self.bench.room.model, pictures), masks)
        found = self.ordered
        pictures, masks = pairs(found, len(found.kept))
        seen = looks(self.bench.room.model, pictures)
        _, scores = self.bench.room.judge(self.alone, self.weight, seen)
        at = np.argsort(scores, kind="stable") if name == HARDEST else np.arange(len(seen))
        at = at[np.arange(n) % len(at)]
        return Taken(seen.part(at), masks[at], {"ordered": len(found), "said": found.summary()})

    @cached_property
    def given(self) -> Given:
        """What makers are given."""
        return self.bench.given(self.at, self.seed)

    @cached_property
    def ordered(self) -> Made:
        """What the generator made; twice as many as are taken, of which the first or the hardest are."""
        return ordered(met(self.bench.generator, self.given), self.given, WIDE * self.asked.made)

    @cached_property
    def known(self) -> Looks:
        """What the known defects look like."""
        return self.bench.test.part(self.at)

    @property
    def masks(self) -> np.ndarray:
        """Of the known defects."""
        return np.asarray(self.bench.case.truth.masks[self.at])

    @cached_property
    def alone(self) -> Taught | None:
        """The head that has seen nothing but the real ones."""
        return self.bench.room.head(self.seen) if len(self.at) else None

    @property
    def seen(self) -> Patches:
        """What a head is shown of the real ones."""
        return self.bench.room.patches(self.known, self.masks, np.ones(len(self.at)))

    @cached_property
    def weight(self) -> float:
        """How much a head is heard for the score, as the real ones say; 0 where there are none."""
        return self.bench.room.weight(self.seen, self.known) if len(self.at) else 0.0

    def measured(self, made: Taken | None) -> JSON:
        """Of a head that was taught the known ones and these; where none is known, made ones say how it is heard."""
        room, head, weight, facts = self.bench.room, self.alone, self.weight, dict[str, object]()
        if made is not None:
            known, masks = self.known.beside(made.looks), np.concatenate([self.masks, made.masks])
            each = self.asked.share * len(self.at) / len(made.looks) if len(self.at) else 1.0
            seen = room.patches(known, masks, np.r_[np.ones(len(self.at)), np.full(len(made.looks), each)])
            head, facts = room.head(seen), made.facts
            weight = self.weight if len(self.at) else room.weight(seen, known)
        maps, scores = room.judge(head, weight, self.bench.test.part(self.left))
        return {
            "known": len(self.at),
            "made": 0 if made is None else len(made.looks),
            **facts,
            "weight": weight,
            **measures(maps, scores, self.bench.case.truth.part(self.left)),
        }


def measures(maps: Tensor, scores: Scores, truth: Truth) -> JSON:
    """AUROC of pictures; AP, AUPRO and AUROC of pixels; and the same of bootstrap samples, as texts."""
    laid = interpolate(maps[:, None], (SIZE, SIZE), mode="bilinear", align_corners=False)[:, 0].numpy()
    counts = Counts.of(laid, truth)

    def under(weights: np.ndarray) -> dict[str, np.ndarray]:
        return {"image_auroc": aurocs(scores, truth.labels, weights), **counts.measured(weights)}

    points, draws = under(np.ones((1, len(scores)))), under(samples(truth.labels))
    return {
        **{name: float(points[name][0]) for name in METRICS},
        "draws": {name: packed(draws[name]) for name in METRICS},
    }


def left_out(model: Gallery, seen: Lessons) -> Looks:
    """What normal pictures look like to a gallery that had not learnt from them."""
    plane, cells = judged_plane(model.recipe, model.modality.shapes_)
    x = [gridded(part, cells).half() for _, part in seen.stack.batches(plane, range(len(seen)))]
    said = [each for _, each in blocks(replace(model, head=None), seen.said)]
    shown = torch.cat([model.unaided(each) for each in said])
    return Looks(torch.cat(x), shown, torch.cat([model.pooled(model.heard(each)) for each in said]))
