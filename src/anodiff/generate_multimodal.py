r"""The generator of records of several parts: normal ones in, ones whose parts do not belong together out.

Each part is normal by itself, for another normal record lends it; what does not fit is the whole,

.. math:: x' = (x_{-p}, r_{jp}), \qquad j = \arg\min_j \{ G(x'_j) : G(x'_j) \ge G_0 + \lambda (G_1 - G_0) \},

G the gap of `recipes.mixing`: how much less the parts fit each other than those of normal records do, :math:`G_1` the
gap that normals reach as rarely as `reach` says. The other way round, a part that is missing is taken from where G is
least, and numbers from what the rest leads to expect of them.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch

from anodiff.alarms.conformal import Conformal
from anodiff.alarms.tail import FEWEST_NORMALS
from anodiff.anomalies.judge import Judge
from anodiff.anomalies.strength import FARTHEST, farthest_of
from anodiff.data.records import Records
from anodiff.detect_multimodal import Held, MultimodalDetector
from anodiff.made import NORMAL, Judgement, Made, Order, one_of_these
from anodiff.modalities.base import Encoded
from anodiff.recipes.donors import Donors, Record, as_records, as_rows
from anodiff.recipes.grow import Progress
from anodiff.recipes.mixing import Heeded, Mixing
from anodiff.recipes.schema import bibtex
from anodiff.settings import GeneratorSettings
from anodiff.training import one_thread
from anodiff.types import JSON, BadModel, Misfit, Refusal, Unreadable

SWAP, FILL = "swap", "fill"
KINDS = (SWAP, FILL)
POOL, CANDIDATES = 200, 48
"""Normal records that lend parts, and that are tried for one of them."""
USUAL = 3.0
"""Nats by which a part that is lent may surprise by itself, about 1 in 20."""
BEST = 0.05
"""Of all that could fill a part, the share that is drawn from where normal records are made."""
RIDGE = 1.0
SAME = 1e-4
FEWEST_TOGETHER = 8


@dataclass(frozen=True, eq=False)
class Swap:
    """One record, made.

    Attributes:
        row: The record.
        region: Which parts changed `(P,)`.
        where: Their names.
        begun: Its gap before.
        target: What the gap was to be.
        reached: Whether it came to that.
    """

    row: Record
    region: np.ndarray
    where: str
    begun: float
    target: float
    reached: bool


class MultimodalGenerator(GeneratorSettings):
    """Makes records whose parts do not belong together; see `anodiff.generate.Generator`, whose settings these are.

    Made records are dicts by the names of the columns: a picture `(H, W[, 3])` uint8, a text, a number or `(k,)`, a
    category, a series, or None where it is missing. Regions are `(n, parts)`. kind="swap" takes a part of another
    normal record, kind="fill" fills what is missing (of complete records, one part anew), and "normal" does so by draws
    and marks no region. `where` is the name of a part.

    Attributes:
        parts_: Names of the parts.
        kinds_: Kinds by name.
        places_: The same as `parts_`.
        facts_: What is known of the fit, JSON.
    """

    mixing_: Mixing
    donors_: Donors
    known_x_: torch.Tensor
    known_present_: np.ndarray
    gaps_: np.ndarray
    alone_: np.ndarray
    facts_: JSON

    def fitting(self, X: Any, *, examples: Any = None, regions: Any = None, kinds: Any = None) -> Iterator[Progress]:
        """Learn normal records X, anything that `data.records.records` takes; yields progress.

        Raises:
            Unreadable: there are no such records, or fewer than 30.
            Misfit: a setting is out of range, examples are given, or no part tells anything of another.
        """
        began = time.perf_counter()
        if self.settings:
            raise Misfit(f"settings are {self.settings!r}; a generator of several kinds has none, leave them out.")
        if examples is not None:
            raise Misfit("examples are given, and this generator learns from normal records alone; leave them out.")
        if self.reach == "examples":
            raise Misfit("reach is 'examples', and there are none; give a p-value such as 0.0001, or 'auto'.")
        detector = self._judge()
        if detector is None:
            detector = MultimodalDetector(
                "multimodal" if self.modality == "auto" else self.modality,
                max_seconds=self.max_seconds,
                seed=int(self.seed),
            )
            yield from detector.fitting(X)
        held: Held = detector.held_
        mixing = mixing_of(held)
        gaps, alone = mixing.usual(held.left_out, held.present)
        if len(gaps) < FEWEST_NORMALS:
            raise Unreadable(
                f"{len(gaps)} records have several parts, too few to say what fits together; give at least "
                f"{FEWEST_NORMALS}."
            )
        yield Progress(1, 2, "keeping")
        found = mixing.modality.read(X)
        some = np.random.default_rng(int(self.seed)).permutation(np.flatnonzero(found.present.any(1)))[:POOL]
        donors = Donors.of(found.take(np.sort(some)))
        with one_thread():
            encoded, again = mixing.modality.look(as_records(donors.rows, donors.layout))
        self.mixing_, self.donors_, self.gaps_, self.alone_ = mixing, donors, gaps, alone
        self.known_x_, self.known_present_ = encoded.x, again.present
        self.facts_ = {"records": len(found), "donors": len(donors), "seconds": time.perf_counter() - began}
        yield Progress(2, 2, "keeping")

    def sample(self, order: Order) -> Made:
        """Make what was ordered.

        Raises:
            Misfit: something is ordered that cannot be made; the sentence names the choices.
            Unreadable: the records to make it on cannot be read.
        """
        began = time.perf_counter()
        kind = self._kind(order)
        with one_thread():
            rows, source, encoded, found = self._on(order)
            done = [
                self._made(order, kind, i, rows[i], encoded.x[i : i + 1], found.present[i], int(source[i]))
                for i in range(order.n)
            ]
            after, again = self.mixing_.modality.look(as_records([each.row for each in done], self.donors_.layout))
            heard = self.mixing_.heard(after.x, again.present)
            verdicts, told = (
                self._judged(done, kind, (encoded, found), (after, again), *heard) if order.judged else ([], {})
            )
        region = np.stack([each.region for each in done])
        return Made(
            data=[each.row for each in done],
            region=np.zeros_like(region) if kind == NORMAL else region,
            normal=rows,
            kind=[kind] * order.n,
            where=[each.where for each in done],
            strength=order.strength,
            amount=heard[0] - np.array([each.begun for each in done]),
            score=heard[0],
            source=source if order.on is not None else np.full(order.n, -1),
            verdicts=verdicts,
            facts={
                "parts": self.parts_,
                "reached": [each.reached for each in done],
                "farthest": self._farthest(),
                "seconds": time.perf_counter() - began,
                **told,
            },
        )

    @property
    def parts_(self) -> list[str]:
        """Names of the parts."""
        return self.mixing_.parts

    @property
    def kinds_(self) -> list[str]:
        """Kinds by name."""
        return list(KINDS)

    @property
    def known_(self) -> list[str]:
        """Those of them that are kinds of examples: none."""
        return []

    @property
    def places_(self) -> list[str]:
        """Names of the parts that can be swapped or filled."""
        return self.parts_

    def references(self) -> str:
        """The works behind it, as BibTeX."""
        return bibtex(self.mixing_.model.recipe.cite)

    def config(self) -> JSON:
        """What is small, as JSON."""
        return {"mixing": self.mixing_.config(), "donors": self.donors_.config(), "facts": self.facts_}

    def arrays(self) -> dict[str, np.ndarray]:
        """What may be large: the models, and the records that lend parts."""
        found = {f"mixing.{name}": value for name, value in self.mixing_.arrays().items()}
        found |= {f"donors.{name}": value for name, value in self.donors_.arrays().items()}
        return found | {
            "known.x": self.known_x_.numpy(),
            "known.present": self.known_present_,
            "normal.gaps": self.gaps_,
            "normal.alone": self.alone_,
        }

    @classmethod
    def restore(cls, config: JSON, arrays: Mapping[str, np.ndarray]) -> Self:
        """The generator that these are of.

        Raises:
            BadModel: they are of none.
        """

        def group(name: str) -> dict[str, np.ndarray]:
            return {key.split(".", 1)[1]: value for key, value in arrays.items() if key.startswith(f"{name}.")}

        made = cls()
        try:
            made.mixing_ = Mixing.restore(config["mixing"], group("mixing"))
            made.donors_ = Donors.restore(config["donors"], group("donors"))
            made.known_x_ = torch.from_numpy(np.array(arrays["known.x"]))
            made.known_present_ = np.array(arrays["known.present"], dtype=bool)
            made.gaps_, made.alone_ = (np.array(arrays[f"normal.{name}"]) for name in ("gaps", "alone"))
            made.facts_ = dict(config["facts"])
        except Refusal:
            raise
        except (LookupError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            raise BadModel(f"the generator of several kinds of data is damaged ({error}); save it again.") from None
        return made

    def _judge(self) -> MultimodalDetector | None:
        """The detector that was given."""
        if self.detector is None:
            return None
        inner = getattr(self.detector, "inner_", self.detector)
        if not isinstance(inner, MultimodalDetector) or not hasattr(inner, "held_"):
            raise Misfit(
                f"the detector is a {type(inner).__name__}; give one that was fitted on several kinds of data, or none."
            )
        return inner

    def _kind(self, order: Order) -> str:
        if order.like is not None:
            raise Misfit(f"like is {order.like}, and this generator knows no examples; leave it out.")
        if order.size is not None:
            raise Misfit(f"size is {order.size}, and a region is a whole part here; leave it out.")
        if order.kind == "auto":
            return SWAP
        return one_of_these("kind", order.kind, [*KINDS, NORMAL, "auto"], "records")

    def _on(self, order: Order) -> tuple[list[Record], np.ndarray, Encoded, Records]:
        """The records that something is made on: rows, which they are, features, and how they were read."""
        modality, layout = self.mixing_.modality, self.donors_.layout
        if order.on is None:
            source = np.random.default_rng([order.seed, 2]).permutation(len(self.donors_))
            source = source[np.arange(order.n) % len(source)]
            rows = [dict(self.donors_.rows[i]) for i in source]
        else:
            given = modality.read(order.on)
            source = np.arange(order.n) % len(given)
            rows = as_rows(given.take(source))
        encoded, found = modality.look(as_records(rows, layout))
        return rows, source, encoded, found

    def _made(
        self, order: Order, kind: str, i: int, row: Record, x: torch.Tensor, present: np.ndarray, source: int
    ) -> Swap:
        draw = np.random.default_rng([order.seed, 3, i])
        parts = self._parts(order, kind, i, present)
        begun = float(self.mixing_.heard(x, present[None])[0][0])
        region = np.zeros(len(self.parts_), dtype=bool)
        region[parts] = True
        target, reached = 0.0, True
        x, present = x.clone(), present.copy()
        made = dict(row)
        for part in parts:
            able = self._able(part, x, source if order.on is None else -1, kind, draw)
            if kind == SWAP:
                target = begun + float(order.strength[i]) * max(0.0, self._farthest() - begun)
                j, reached = self._unfitting(part, x, present, able, target)
            else:
                present[part] = False
                j = self._fitting(part, x, present, able, draw if kind == NORMAL else None)
            made[self.parts_[part]] = self._lent(part, j, kind, x, present, draw)
            present[part] = True
            x[0, self.mixing_.cells(part)] = self.known_x_[j, self.mixing_.cells(part)]
        return Swap(made, region, ", ".join(self.parts_[p] for p in parts), begun, target, reached)

    def _parts(self, order: Order, kind: str, i: int, present: np.ndarray) -> list[int]:
        """Which parts of a record are to be made.

        Raises:
            Misfit: there are none, or none that can be.
        """
        where = order.where
        if not isinstance(where, str):
            mask = np.asarray(where)
            if mask.shape not in ((len(self.parts_),), (order.n, len(self.parts_))) or mask.dtype.kind not in "biu":
                raise Misfit(
                    f"where has the shape {mask.shape}; give the name of a part, or True for each part of each record, "
                    f"{(order.n, len(self.parts_))}."
                )
            row = mask if mask.ndim == 1 else mask[i]
            if not row.any():
                raise Misfit(f"the region of record {i} is empty; mark the part that is to be made.")
            return [int(p) for p in np.flatnonzero(row)]
        wanted = one_of_these("where", where, ["auto", *self.parts_], "records")
        missing = np.flatnonzero(~present).tolist()
        if wanted != "auto":
            part = self.parts_.index(wanted)
            if kind == SWAP and not present[part]:
                raise Misfit(f"part {wanted!r} of record {i} is missing; fill it with kind='fill', or swap another.")
            return [part]
        if kind != SWAP and missing:
            return missing
        pattern = self.mixing_.pattern_of(present)
        tied = self.mixing_.tied(pattern)
        if not tied:
            if kind != SWAP:
                return [int(np.flatnonzero(present)[i % int(present.sum())])]
            raise Misfit(
                f"no part of record {i} tells anything of another ({', '.join(self.parts_[p] for p in pattern)}), so "
                "that none can be inconsistent; give records of more parts, or more of them to learn from."
            )
        return [tied[i % len(tied)]]

    def _able(self, part: int, x: torch.Tensor, own: int, kind: str, draw: np.random.Generator) -> np.ndarray:
        """Some of the records that can lend a part: those that have it, and another one than the record's own."""
        able = self.known_present_[:, part].copy()
        if own >= 0:
            able[own] = False
        cells = self.mixing_.cells(part)
        if kind == SWAP:
            able &= (self.known_x_[:, cells] - x[:, cells]).abs().amax(1).numpy() > SAME
        if not able.any():
            raise Misfit(f"no other normal record has another {self.parts_[part]}; there is nothing to take it from.")
        return np.sort(draw.permutation(np.flatnonzero(able))[:CANDIDATES])

    def _lending(
        self, part: int, x: torch.Tensor, present: np.ndarray, able: np.ndarray
    ) -> tuple[torch.Tensor, np.ndarray]:
        """The record with the part of each that is able."""
        cells = self.mixing_.cells(part)
        trial = x.repeat(len(able), 1)
        trial[:, cells] = self.known_x_[able][:, cells]
        there = np.repeat(present[None], len(able), 0)
        there[:, part] = True
        return trial, there

    def _unfitting(
        self, part: int, x: torch.Tensor, present: np.ndarray, able: np.ndarray, target: float
    ) -> tuple[int, bool]:
        """Who lends the part that fits as badly as was asked for, and whether one does."""
        trial, there = self._lending(part, x, present, able)
        gaps, alone = self.mixing_.heard(trial, there)
        odd = alone[:, part] > USUAL
        if not odd.all():
            gaps = np.where(odd, -np.inf, gaps)
        enough = gaps >= target
        best = np.argmin(np.where(enough, gaps, np.inf)) if enough.any() else np.argmax(gaps)
        return int(able[best]), bool(enough.any())

    def _fitting(
        self, part: int, x: torch.Tensor, present: np.ndarray, able: np.ndarray, draw: np.random.Generator | None
    ) -> int:
        """Who lends the part that fits best, or one of those that fit well."""
        trial, there = self._lending(part, x, present, able)
        order = np.argsort(self.mixing_.heard(trial, there)[0], kind="stable")
        if draw is None:
            return int(able[order[0]])
        return int(able[order[int(draw.integers(max(1, round(BEST * len(able)))))]])

    def _lent(
        self, part: int, j: int, kind: str, x: torch.Tensor, present: np.ndarray, draw: np.random.Generator
    ) -> Any:
        """What a record gets: the part of another, or numbers that the rest leads to expect."""
        name = self.parts_[part]
        if kind == SWAP or self.donors_.layout[name]["kind"] != "numbers" or not present.any():
            return self.donors_.rows[j][name]
        told = np.flatnonzero(present)
        having = self.known_present_[:, [part, *told]].all(1)
        if having.sum() < FEWEST_TOGETHER:
            return self.donors_.rows[j][name]
        values = np.stack([np.atleast_1d(self.donors_.rows[i][name]) for i in np.flatnonzero(having).tolist()])
        rest = present[None].copy()
        codes = self.mixing_.codes(self.known_x_[torch.from_numpy(having)], np.repeat(rest, int(having.sum()), 0))
        found = expected(codes, values, self.mixing_.codes(x, rest)[0], draw if kind == NORMAL else None)
        return float(found[0]) if len(found) == 1 else found

    def _judged(
        self,
        done: Sequence[Swap],
        kind: str,
        before: tuple[Encoded, Records],
        after: tuple[Encoded, Records],
        gaps: np.ndarray,
        alone: np.ndarray,
    ) -> tuple[list[Judgement], JSON]:
        """What is said of each, and of all together: each part usual by itself, the whole as odd as was ordered."""
        # What is filled as it was is no copy: the record that it was made on is the one that is asked for.
        judge, mixing = Judge(self.p_value) if kind == SWAP else Judge(self.p_value, novelty=0.0), self.mixing_
        usual = self.alone_
        if kind != SWAP:
            usual, alone = (np.column_stack(pair) for pair in ((usual, self.gaps_), (alone, gaps)))
        target = np.array([each.target for each in done])
        wanted = np.maximum(Conformal().fit(self.gaps_).p_value(target), self.p_value)
        verdicts = judge.verdicts(
            whole=(usual, alone),
            odd=(self.gaps_, gaps),
            wanted=wanted if kind == SWAP else np.ones(len(done)),
            change=list(self._changes(before, after)),
            region=[each.region for each in done],
            looks=(
                mixing.codes(self.known_x_, self.known_present_),
                mixing.codes(after[0].x, after[1].present),
            ),
        )
        told = judge.two_sample(usual, alone) if len(done) >= FEWEST_TOGETHER else {}
        return verdicts, {"two_sample": told}

    def _changes(self, before: tuple[Encoded, Records], after: tuple[Encoded, Records]) -> np.ndarray:
        """By how much each part changed, `(n, P)`; 1 where it was missing and is there."""
        moved = (after[0].x - before[0].x).abs().numpy()
        found = np.stack([moved[:, self.mixing_.cells(p)].mean(1) for p in range(len(self.parts_))], 1)
        return np.where(before[1].present == after[1].present, found, 1.0)

    def _farthest(self) -> float:
        return farthest_of(self.gaps_, FARTHEST if isinstance(self.reach, str) else float(self.reach))


def mixing_of(held: Held) -> Mixing:
    """What a detector learnt, asked about its parts.

    Raises:
        Misfit: there is one part only, or no part tells anything of another.
    """
    blend = held.whole
    # What two views of one thing say place by place needs both pictures, and is not asked of ones that are lent.
    asked = [each for each in blend.asked if each.read != "views"]
    model = replace(blend.model, views=None)
    heeded = {
        pattern: Heeded(each.scales[: len(asked)], each.weights[: len(asked)]) for pattern, each in blend.fused.items()
    }
    found = Mixing(blend.modality, model, asked, heeded)
    if len(found.parts) < 2:
        raise Misfit(f"the records have one part, {found.parts[0]}; give several, of which one can be swapped.")
    if not any(found.tied(pattern) for pattern in found.fused):
        raise Misfit(
            f"no part tells anything of another ({', '.join(found.parts)}), so that none can be inconsistent; give "
            "parts that belong together, or more records."
        )
    return found


def expected(codes: np.ndarray, values: np.ndarray, code: np.ndarray, draw: np.random.Generator | None) -> np.ndarray:
    """Numbers `(k,)` that go with a code `(D,)`, as those `(n, k)` go with codes `(n, D)`: their mean, or a draw.

    A ridge regression; a draw adds what one of the records leaves unexplained.
    """
    centre, mean = codes.mean(0), values.mean(0)
    away = codes - centre
    slope = np.linalg.solve(away.T @ away + RIDGE * np.eye(codes.shape[1]), away.T @ (values - mean))
    found = mean + (code - centre) @ slope
    if draw is None:
        return np.asarray(found)
    i = int(draw.integers(len(values)))
    return np.asarray(found + values[i] - mean - away[i] @ slope)
