"""One turn of the cycle: who is taught what, what each then says of what was held out, and who says it better.

All are taught the same known anomalies, each of weight 1, and as many made ones, whoever made them, which together
weigh as much as the known ones do, or one each where nothing is known.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from anodiff.detect import Detector
from anodiff.generate import Generator
from anodiff.made import Made, taken
from anodiff.prepare import Kind
from anodiff.rounds.items import joined, pictures, plain, together
from anodiff.rounds.makers import Ground, Maker
from anodiff.rounds.measure import Said, Yardstick, yardstick
from anodiff.rounds.record import OURS, Round
from anodiff.types import Misfit, Refusal

Pool = tuple[Any, Any]
"""Items and their regions."""


@dataclass(frozen=True, eq=False)
class Cycle:
    """What stays the same from round to round.

    Attributes:
        kind: Of the data.
        base: A detector that knows normal items only.
        normals: Normal items that it has not learnt from, to make rivals on and to teach detectors of pictures with.
        known: Known anomalies and their regions; None where there are none.
        rivals: Classical makers by name.
        measure: What is held out.
        confidence: Of an interval.
        seed: Of what rivals draw.
    """

    kind: Kind
    base: Detector
    normals: Any
    known: Pool | None
    rivals: Mapping[str, Maker]
    measure: Yardstick
    confidence: float
    seed: int

    def taught(self, pool: Pool | None) -> Detector:
        """The detector that knows what is known, and a pool of made anomalies."""
        parts = [each for each in (self.known, pool) if each is not None]
        if not parts:
            return self.base
        count = [len(items) for items, _ in parts]
        each = count[0] / count[1] if len(parts) == 2 else 1.0
        weights = np.repeat([1.0, each][: len(parts)], count)
        items = joined(self.kind, (items for items, _ in parts))
        normals = self.normals if self.kind == "image" else None
        return self.base.teach(items, self._regions(parts), normals=normals, weights=weights)

    def _regions(self, parts: list[Pool]) -> Any:
        if self.kind == "tabular":
            return None
        return [mask for items, region in parts for mask in (region if region is not None else [None] * len(items))]

    def round(self, number: int, made: Made, pool: Pool, before: Mapping[str, Said], current: Detector) -> "Turn":
        """Teach, measure, compare.

        Args:
            number: Of the round.
            made: What was made in it.
            pool: What is learnt from, of this round and those before.
            before: What was said by who saw no made anomalies.
            current: The detector that was taught last.
        """
        began = time.perf_counter()
        ours = self.taught(pool)
        said = {**before, OURS: self.measure.ask(ours)}
        ground = Ground(self.normals, *(self.known or (None, None)))
        for name, maker in self.rivals.items():
            said[name] = self.measure.ask(self.taught(maker.make(ground, len(pool[0]), self.seed + number)))
        gains = {
            name: self.measure.gain(said[OURS], theirs, self.confidence, seed=self.seed)
            for name, theirs in said.items()
            if name != OURS
        }
        values = {name: self.measure.values(each) for name, each in said.items()}
        accepted = int(made.accepted.sum())
        missed = overlooked(self.kind, made, current)
        seconds = time.perf_counter() - began
        found = Round(number, len(made), accepted, len(pool[0]), made.reasons(), missed, values, gains, seconds)
        return Turn(found, ours)


@dataclass(frozen=True, eq=False)
class Turn:
    """A round, and the detector that was taught in it."""

    round: Round
    detector: Detector


def item_scores(kind: Kind, made: Made, detector: Detector) -> np.ndarray:
    """What a detector says of made items `(n,)`; of series the most that it says inside the region."""
    said = detector.decision_function(made.data)
    if kind != "series":
        return np.asarray(said, dtype=np.float64)
    touched = [np.asarray(region).reshape(len(each), -1).any(1) for region, each in zip(made.region, said, strict=True)]
    return np.array([np.asarray(each)[at].max() for each, at in zip(said, touched, strict=True)])


def hardest(kind: Kind, made: Made, detector: Detector, count: int) -> Made:
    """Of the accepted ones those that the detector finds least abnormal, most of them at first."""
    kept = made.kept
    if len(kept) <= count:
        return kept
    return kept.only(np.sort(np.argsort(item_scores(kind, kept, detector), kind="stable")[:count]))


def overlooked(kind: Kind, made: Made, detector: Detector) -> dict[str, float]:
    """By kind the share of accepted items that raise no alarm."""
    kept = made.kept
    if not len(kept):
        return dict.fromkeys(made.kind, 1.0)
    quiet = item_scores(kind, kept, detector) <= detector.threshold_
    kinds = np.array(kept.kind)
    return {name: float(quiet[kinds == name].mean()) for name in sorted(set(kept.kind))}


def pooled(kind: Kind, pool: Pool | None, made: Made) -> Pool:
    """Made items added to a pool."""
    if kind == "tabular":
        if pool is None:
            return made.data, np.asarray(made.region)
        return joined(kind, (pool[0], made.data)), np.concatenate([pool[1], made.region])
    own = (list(made.data), list(made.region))
    return own if pool is None else (pool[0] + own[0], pool[1] + own[1])


def shared_out(count: int, kinds: list[str], missed: Mapping[str, float]) -> dict[str, int]:
    """So many items for each kind, more for those that are missed more; each at least a little.

    >>> shared_out(30, ["a", "b"], {"a": 1.0, "b": 0.0})
    {'a': 25, 'b': 5}
    """
    weight = np.array([0.25 + missed.get(name, 1.0) for name in kinds])
    wanted = np.maximum(1, np.rint(count * weight / weight.sum())).astype(int)
    return dict(zip(kinds, wanted.tolist(), strict=True))


def ordered_by_kind(generator: Generator, on: Any, count: Mapping[str, int], least: float, seed: list[int]) -> Made:
    """Made anomalies of several kinds, of any strength from `least` up.

    Raises:
        Misfit: none of the kinds can be made on this data.
    """
    draw, parts = np.random.default_rng(seed), list[Made]()
    why = ""
    for kind, n in count.items():
        strength, own = draw.uniform(least, 1.0, n), int(draw.integers(2**31))
        try:
            parts.append(generator.sample(n, on=on, kind=kind, strength=strength, seed=own))
        except Refusal as refusal:  # a kind that this data cannot have, such as a break between channels of one
            why = str(refusal)
    if not parts:
        raise Misfit(f"none of {', '.join(count)} can be made on this data: {why}")
    return together(generator.kind_, parts)


def of_kinds(generator: Generator, kinds: list[str], normals: Any, n: int, least: float, seed: int) -> Yardstick:
    """A yardstick of made anomalies of kinds that nothing is learnt from, beside the normal items they were made on."""
    kind = generator.kind_
    made = ordered_by_kind(generator, normals, shared_out(n, kinds, {}), least, [seed, 7]).kept
    if not len(made):
        raise Misfit(f"no made anomaly of the held-out kinds {', '.join(kinds)} was accepted; give test= and labels=.")
    about = f"made anomalies of held-out kinds ({', '.join(kinds)}), not on real ones"
    plain_items = plain(kind, normals)
    count = len(plain_items)
    if kind == "series":
        abnormal = [np.asarray(region).reshape(len(region), -1).any(1) for region in made.region]
        quiet = [np.zeros(len(each), dtype=bool) for each in plain_items]
        return yardstick(kind, [*made.data, *plain_items], [*abnormal, *quiet], about=about)
    labels = np.repeat([1, 0], [len(made), count])
    if kind == "image":
        normal = pictures(plain_items)[0]
        return yardstick(kind, [*made.data, *normal], labels, [*made.region, *[None] * count], about)
    return yardstick(kind, joined(kind, (made.data, taken(plain_items, np.arange(count)))), labels, about=about)
