"""The cycle: make anomalies where the detector is blind, judge them, teach them, and measure whether that helped.

Each round is held against no made anomalies and against the classical makers, all of them taught the same number, with
the same known anomalies, and measured on what none of them has seen. When nothing helps, the cycle says so and stops.
"""

from collections.abc import Iterator, Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from anodiff.detect import Detector
from anodiff.generate import Generator, check_seed
from anodiff.prepare import Kind, kind_of
from anodiff.rounds.cycle import Cycle, hardest, of_kinds, ordered_by_kind, pooled, shared_out
from anodiff.rounds.items import halves, plain, shown
from anodiff.rounds.makers import Maker, makers
from anodiff.rounds.measure import Yardstick, yardstick
from anodiff.rounds.record import WITHOUT, Round, Rounds
from anodiff.types import Misfit

HELD = 0.3
"""The share of the normals that nothing is learnt from; half of it teaches, half is measured on."""
WIDE = 3
"""Times as many are made as are taken."""
WEAKEST = 0.3
"""The least strength that is ordered."""


class Loop:
    """Rounds of make, judge, teach and measure.

    Args:
        detector: A `Detector`; it is fitted anew on part of the normals, and never changed.
        generator: A `Generator`, fitted or not; by default one of its own. One that is fitted must not have seen what
            is measured on.
        rounds: How many at most.
        n: How many made anomalies are taken in each round.
        rivals: Classical makers by name; "auto" for all that the kind of data has.
        confidence: That no round is said to help that does not; each interval is the wider, the more rounds there are.
        patience: Rounds in a row without help after which it stops.
        seed: Of every random choice.

    Attributes:
        rounds_: What the last run found.
    """

    rounds_: Rounds

    def __init__(
        self,
        detector: Detector,
        generator: Generator | None = None,
        *,
        rounds: int = 3,
        n: int = 60,
        rivals: Sequence[str] | str = "auto",
        confidence: float = 0.95,
        patience: int = 2,
        seed: int = 0,
    ) -> None:
        self.detector = detector
        self.generator = generator
        self.rounds = rounds
        self.n = n
        self.rivals = rivals
        self.confidence = confidence
        self.patience = patience
        self.seed = seed

    def run(self, X: Any, **given: Any) -> Rounds:
        """All rounds; takes what `running` takes."""
        for _ in self.running(X, **given):
            pass
        return self.rounds_

    def running(
        self,
        X: Any,
        *,
        examples: Any = None,
        regions: Any = None,
        kinds: Any = None,
        test: Any = None,
        labels: Any = None,
        masks: Any = None,
    ) -> Iterator[Round]:
        """A round at a time; `rounds_` holds what was found so far.

        Args:
            X: Normal items.
            examples: Known anomalies to learn from, if there are any; never measured on.
            regions: Where they are abnormal.
            kinds: Of what kind each is.
            test: Held-out items with real anomalies among them. Without, half of the kinds of made anomalies are held
                out, and the cycle is measured on those: it then says nothing of real ones.
            labels: Of `test`, 1 for abnormal; of series an array for each.
            masks: Of pictures of `test`, None for a normal one.

        Raises:
            Unreadable: X is too small to be cut in two, or the held-out items are all alike.
            Misfit: a setting is out of range, or labels are missing.
        """
        check_loop(self)
        if (test is None) != (labels is None):
            raise Misfit("test= and labels= go together: held-out items, and 1 for each that is abnormal.")
        if examples is None and (regions is not None or kinds is not None):
            raise Misfit("regions and kinds are those of examples; give examples= too, or leave them out.")
        kind = kind_of(self.detector.modality, X)
        known = shown(kind, examples, regions)
        learnt, held = halves(kind, X, HELD, self.seed)
        teaching, judging = halves(kind, held, 0.5, self.seed + 1)
        generator = self._generator(kind, learnt, known, kinds)
        apart = [] if test is not None else kept_apart(generator, self.seed)
        trained = [name for name in generator.kinds_ if name not in apart]
        if test is None:
            measure = of_kinds(generator, apart, judging, 2 * self.n, WEAKEST, self.seed)
        else:
            measure = yardstick(kind, plain(kind, test), labels, masks)
        base = clone(self.detector).fit(learnt)
        confidence = 1 - (1 - self.confidence) / self.rounds
        cycle = Cycle(kind, base, teaching, known, self._rivals(kind, known), measure, confidence, self.seed)
        yield from self._turns(cycle, generator, trained, apart, learnt)

    def _turns(
        self, cycle: Cycle, generator: Generator, kinds: list[str], apart: list[str], learnt: Any
    ) -> Iterator[Round]:
        without = current = best = cycle.taught(None)
        before = {WITHOUT: cycle.measure.ask(without)}
        if cycle.known is not None:
            before["without examples"] = cycle.measure.ask(cycle.base)
        found, pool, surest, idle = list[Round](), None, 0.0, 0
        missed: Mapping[str, float] = {}
        facts = {"kinds": kinds, "held_out_kinds": apart, "rivals": list(cycle.rivals), "n": self.n, "seed": self.seed}
        for number in range(1, self.rounds + 1):
            count = shared_out(WIDE * self.n, kinds, missed)
            made = ordered_by_kind(generator, learnt, count, WEAKEST, [self.seed, number])
            taken = hardest(cycle.kind, made, current, self.n)
            if not len(taken):
                raise Misfit(f"the judge let none of {len(made)} made anomalies pass: {made.summary()}")
            pool = pooled(cycle.kind, pool, taken)
            turn = cycle.round(number, made, pool, before, current)
            found.append(turn.round)
            current, missed = turn.detector, turn.round.missed
            if turn.round.helped and turn.round.gains[WITHOUT].low > surest:
                surest, best = turn.round.gains[WITHOUT].low, turn.detector
            self.rounds_ = Rounds(list(found), best, cycle.measure.about, cycle.confidence, facts, made)
            yield turn.round
            idle = 0 if turn.round.helped else idle + 1
            if idle >= self.patience:
                return

    def _generator(self, kind: Kind, learnt: Any, known: Any, kinds: Any) -> Generator:
        given = Generator(kind, seed=self.seed) if self.generator is None else self.generator
        try:
            check_is_fitted(given, "inner_")
        except NotFittedError:
            items, regions = known or (None, None)
            fresh: Generator = clone(given)
            return fresh.fit(learnt, examples=items, regions=regions, kinds=kinds)
        if given.kind_ != kind:
            raise Misfit(
                f"generator is of {given.kind_} data, and X is {kind}; give one of {kind} data, or leave it out."
            )
        return given

    def _rivals(self, kind: Kind, known: Any) -> dict[str, Maker]:
        able = {name: maker for name, maker in makers(kind).items() if known is not None or not maker.of_examples}
        if isinstance(self.rivals, str) and self.rivals == "auto":
            return able
        named = [self.rivals] if isinstance(self.rivals, str) else list(self.rivals)
        if missing := [name for name in named if name not in able]:
            raise Misfit(f"rival {missing[0]!r} is none of {', '.join(able)}; those that copy examples need examples=.")
        return {name: able[name] for name in named}


def kept_apart(generator: Generator, seed: int) -> list[str]:
    """Half of the general kinds, drawn by the seed: nothing is learnt from these.

    Raises:
        Misfit: there is only one.
    """
    general = [name for name in generator.kinds_ if name not in generator.known_]
    if len(general) < 2:
        raise Misfit(f"kinds are {', '.join(general)}; to hold some out takes two: give test= and labels=.")
    drawn = np.random.default_rng(seed).permutation(len(general))[: len(general) // 2]
    return [general[i] for i in sorted(drawn)]


def check_loop(given: Loop) -> None:
    """Refuse settings out of range.

    Raises:
        Misfit: the first that is.
    """
    for name in ("rounds", "n", "patience"):
        value = getattr(given, name)
        if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
            raise Misfit(f"{name} is {value!r}; give a whole number, at least 1.")
    if not isinstance(given.confidence, float) or not 0 < given.confidence < 1:
        raise Misfit(f"confidence is {given.confidence!r}; give a share between 0 and 1, such as 0.95.")
    if not isinstance(given.detector, Detector):
        raise Misfit(f"detector is a {type(given.detector).__name__}; give an anodiff.Detector, fitted or not.")
    if given.generator is not None and not isinstance(given.generator, Generator):
        what = type(given.generator).__name__
        raise Misfit(f"generator is a {what}; give an anodiff.Generator, fitted or not, or leave it out.")
    if not isinstance(given.rivals, str | Sequence):
        raise Misfit(f"rivals is {given.rivals!r}; give classical makers by name, or 'auto' for all.")
    check_seed(given.seed)


__all__ = ["Loop", "Round", "Rounds", "Yardstick"]
