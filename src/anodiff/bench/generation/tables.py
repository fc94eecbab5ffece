"""What chooses the members of the hybrid of tables, and what a few examples and anomalies made after them are worth.

A detector is fitted once for each table and seed. Members are weighed, and the whole is taught, by real anomalies, by
made ones, and by both; every arm is judged on the same test, which holds none of the examples. Made anomalies weigh as
much together as the real ones beside them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from anodiff.anomalies.classic_rows import gaussian, smote
from anodiff.bench.cells import take
from anodiff.bench.made import MAKERS
from anodiff.bench.protocols import PROTOCOLS
from anodiff.bench.sets import DataSet, Rows
from anodiff.bench.splits import EXAMPLES, split
from anodiff.calibration import Calibration
from anodiff.detect import Detector
from anodiff.detect_tables import TableDetector
from anodiff.generate import Generator
from anodiff.lessons_tables import Lesson, raw, stranger, taught
from anodiff.metrics.ranking import auroc, average_precision
from anodiff.model import Model
from anodiff.recipes.grow import Totals
from anodiff.recipes.known import weighed
from anodiff.saving import load
from anodiff.types import JSON, Misfit, Refusal, Scores

FEW = 5
OF_EXAMPLES = "known"
"""What a generator calls the kind of examples that were given no name."""
DEFAULT, BEST = "default", "best member (oracle)"


@dataclass(frozen=True)
class Asked:
    """What changes a record.

    Attributes:
        counts: Known anomalies.
        made: So many are made in each arm.
        rows: Normal rows that a generator learns from at most.
        steps: Of its training.
        recipe: Of the detector.
        changes: To the recipe.
    """

    counts: tuple[int, ...] = (1, 3, 5, 10)
    made: int = 40
    rows: int = 2_000
    steps: int = 300
    recipe: str = "table"
    changes: tuple[tuple[str, object], ...] = ()


@dataclass(frozen=True, eq=False)
class Cut:
    """A table, cut: normal rows to learn from, labelled rows to be judged, and anomalies to be known."""

    train: Rows
    test: Rows
    y: np.ndarray
    known: Rows

    @classmethod
    def of(cls, data: DataSet, seed: int) -> "Cut":
        """As the protocol `examples` cuts it; of few anomalies the smaller half may be known."""
        if data.y is None:
            raise Misfit(f"{data.name} has no labels; give a table with labels.")
        levels = PROTOCOLS["examples"].levels
        for most in range(EXAMPLES, 0, -1):
            try:
                found = split(PROTOCOLS["examples"], data.X, data.y, seed, most, levels)
            except Refusal:
                continue
            rows = (found.train, found.test, found.examples)
            train, test, known = (take(data.X, each) for each in rows)
            return cls(train, test, data.y[found.test], known)
        raise Misfit(f"{data.name} has too few rows or anomalies to be cut.")


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted detector that knows no anomaly, and what it says of a cut.

    Attributes:
        model: Its parts.
        calibration: Left-out totals of the rows of fit.
        rows: Of fit, encoded `(n, d)`.
        test: Encoded `(m, d)`.
        said: Raw totals of the test, by member.
        known: Anomalies that may be known, encoded `(k, d)`.
        y: 1 for anomalies of the test.
    """

    model: Model
    calibration: Calibration
    rows: Tensor
    test: Tensor
    said: Totals
    known: Tensor
    y: np.ndarray

    @classmethod
    def of(cls, cut: Cut, asked: Asked, seed: int, cache: Path | None = None) -> "Fitted":
        """Fit, or load what was fitted before from the folder `cache`."""
        inner = kept(cut, asked, seed, cache)
        x, test, known = (inner.whole_.prepare(part).x for part in (cut.train, cut.test, cut.known))
        model = stranger(inner.whole_)
        return cls(model, inner.calibration_, x.float(), test, raw(model, test), known.float(), cut.y)

    def totals(self, x: Tensor) -> Totals:
        """Raw totals of encoded rows."""
        return raw(self.model, x)

    def members(self) -> dict[str, Scores]:
        """What each voter or waiting score says of the test, by name."""
        asked = (*self.model.recipe.voters, *self.model.recipe.reserve)
        return {name: self.said[name] for name in asked}

    def voiced(self, known: Tensor | None, weights: np.ndarray | None = None) -> Scores:
        """Scores of the test where members are weighed by known anomalies and nothing stands beside them."""
        recipe = self.model.recipe
        if known is not None:
            left_out = {name: self.calibration.left_out[name] for name in self.said}
            recipe = weighed(recipe, left_out, self.totals(known), weights)
        model = replace(self.model, recipe=recipe).within()
        return model.score.combined({name: self.said[name] for name in model.score.members})

    def taught(self, known: Tensor, weights: np.ndarray | None = None) -> Scores:
        """Scores of the test by the detector that is taught known anomalies."""
        whole, _ = taught(self.model, self.calibration, Lesson(known, weights, self.rows))
        new = {name: member for name, member in whole.score.members.items() if name not in self.said}
        with torch.inference_mode():
            told = {name: member(whole.panel, self.test).total.numpy() for name, member in new.items()}
        score = whole.within().score
        return score.combined({name: {**self.said, **told}[name] for name in score.members})

    def judged(self, scores: Scores) -> JSON:
        """AUROC and AUC-PR of scores of the test, in points."""
        return {"auroc": 100 * auroc(self.y, scores), "ap": 100 * average_precision(self.y, scores)}


def kept(cut: Cut, asked: Asked, seed: int, cache: Path | None) -> TableDetector:
    """The fitted detector, from the folder `cache` or put there."""
    if cache is not None and cache.is_dir():
        return _inner(load(cache))
    found = Detector("tabular", asked.recipe, changes=dict(asked.changes), seed=seed).fit(cut.train)
    if cache is not None:
        found.save(cache)
    return _inner(found)


def plain(fitted: Fitted, cut: Cut, asked: Asked, seed: int) -> Iterator[JSON]:
    """Records of the arms that need no generator."""
    yield record(DEFAULT, "weighed", fitted.judged(fitted.voiced(None)))
    singles = {name: fitted.judged(scores) for name, scores in fitted.members().items()}
    best = {metric: max(each[metric] for each in singles.values()) for metric in ("auroc", "ap")}
    yield record(BEST, "weighed", {**best, "member": max(singles, key=lambda name: singles[name]["auroc"])})
    for name, maker in MAKERS.items():
        if (made := maker(cut.train, seed)) is not None:
            x = fitted.model.prepare(made[0]).x.float()
            yield record(f"{name}, from normals", "weighed", fitted.judged(fitted.voiced(x)))
    for count in (count for count in asked.counts if count <= len(fitted.known)):
        yield from both(fitted, f"{count} real", fitted.known[:count])
    if len(fitted.known) >= FEW:
        yield from beside(fitted, classical(fitted, asked.made, seed))


def generated(fitted: Fitted, cut: Cut, asked: Asked, seed: int) -> Iterator[JSON]:
    """Records of the arms of a generator: of normals alone, and of five examples beside them."""
    draw = np.random.default_rng(seed)
    rows = take(cut.train, draw.permutation(len(fitted.rows))[: asked.rows])
    alone = made(rows, None, asked, seed)
    arms = {"generated, from normals": alone}
    if len(fitted.known) >= FEW:
        arms["generated of 5"] = made(rows, take(cut.known, np.arange(FEW)), asked, seed)
    encoded = {name: fitted.model.prepare(data).x.float() for name, data in arms.items() if len(data)}
    if "generated, from normals" in encoded:
        x = encoded["generated, from normals"]
        yield record("generated, from normals", "weighed", fitted.judged(fitted.voiced(x)))
    if len(fitted.known) >= FEW:
        yield from beside(fitted, encoded)


def made(rows: Rows, examples: Rows | None, asked: Asked, seed: int) -> Rows:
    """What a generator makes and keeps, unpicked: of its general kinds, or of the kinds of the examples alone."""
    generator = Generator("tabular", settings={"steps": asked.steps}, seed=seed)
    generator.fit(native(rows), examples=None if examples is None else native(examples))
    found: Rows = generator.sample(asked.made, kind="auto" if examples is None else OF_EXAMPLES).kept.data
    return found


def classical(fitted: Fitted, count: int, seed: int) -> dict[str, Tensor]:
    """What classical makers make of five examples, in encoded coordinates."""
    five, normal = fitted.known[:FEW].double().numpy(), fitted.rows.double().numpy()
    found = {
        "SMOTE-like of 5": smote(five, normal, count, seed)[0],
        "Gaussian of 5": gaussian(five, normal, count, seed=seed)[0],
    }
    return {name: torch.from_numpy(rows).float() for name, rows in found.items()}


def beside(fitted: Fitted, arms: Mapping[str, Tensor]) -> Iterator[JSON]:
    """Each arm of made anomalies alone, and beside five real ones that it weighs as much as."""
    five = fitted.known[:FEW]
    for name, rows in arms.items():
        yield from both(fitted, name, rows)
        weights = np.r_[np.ones(FEW), np.full(len(rows), min(0.999, FEW / len(rows)))]
        yield from both(fitted, f"5 real + {name}", torch.cat([five, rows]), weights)


def both(fitted: Fitted, arm: str, known: Tensor, weights: np.ndarray | None = None) -> Iterator[JSON]:
    """Members weighed alone, and the whole taught."""
    yield record(arm, "weighed", fitted.judged(fitted.voiced(known, weights)))
    yield record(arm, "taught", fitted.judged(fitted.taught(known, weights)))


def record(arm: str, use: str, measured: JSON) -> JSON:
    """One line."""
    return {"arm": arm, "use": use, **measured}


PARTS = {"plain": plain, "generated": generated}


def act(data: DataSet, seed: int, part: str, asked: Asked, cache: Path | None = None) -> list[JSON]:
    """All records of a part on a table with a seed."""
    cut = Cut.of(data, seed)
    place = None if cache is None else cache / f"{data.name}.{seed}.model"
    fitted = Fitted.of(cut, asked, seed, place)
    facts = {
        "set": data.name,
        "sha256": data.fingerprint,
        "seed": seed,
        "part": part,
        "anomalies": len(cut.known) + int(np.sum(cut.y)),
        "tested": len(cut.y),
    }
    return [{**facts, **each} for each in PARTS[part](fitted, cut, asked, seed)]


def native(rows: Rows) -> object:
    """An array or a frame of the user's."""
    return rows if isinstance(rows, np.ndarray) else rows.native()


def _inner(found: Detector) -> TableDetector:
    inner = found.inner_
    if not isinstance(inner, TableDetector):
        raise Misfit("the detector kept there is not of tables; give another folder.")
    return inner
