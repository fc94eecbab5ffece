"""Anomalies of series, to order: which kind where, how far, and what is said of each."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anodiff.alarms.conformal import Conformal
from anodiff.anomalies.judge import Judge
from anodiff.anomalies.series_kinds import KINDS, Known, Scene, SeriesKind
from anodiff.anomalies.spans import EXAMPLES, PLACES, LikeExamples, given_region
from anodiff.anomalies.strength import seek
from anodiff.made import NORMAL, Judgement, Made, Order, one_of_these
from anodiff.training import one_thread
from anodiff.types import JSON, Misfit, Scores
from anodiff.workshop.spans.exemplars import Example
from anodiff.workshop.spans.keepsakes import Keepsakes
from anodiff.workshop.spans.scenes import Source, Stretch, batched, written
from anodiff.workshop.spans.spanned import Spanned
from anodiff.workshop.spans.verdicts import Evidence

PIECE = 1000
DOUBLINGS, HALVINGS = 8, 5
GIVEN = "given"


@dataclass(frozen=True, eq=False)
class Piece:
    """What is to be made: on what, where, of which kind."""

    source: Source
    region: np.ndarray
    stretch: Stretch
    kind: SeriesKind | None
    where: str


@dataclass(frozen=True, eq=False)
class Workshop:
    """Makes what is ordered.

    Attributes:
        model: Of what is normal.
        examples: Known anomalies.
        kept: Normal pieces of fit.
        farthest: The judge's score at strength 1.
        normal_scores: Of held-out normal windows.
        p_value: Of what is abnormal enough.
        detector: The judge of verdicts, where one was given.
    """

    model: Spanned
    examples: Sequence[Example]
    kept: Keepsakes
    farthest: float
    normal_scores: Scores
    p_value: float
    detector: Any = None

    def made(self, order: Order, on: Sequence[Source] | None) -> Made:
        """What was ordered, on series or on pieces of fit."""
        with one_thread():
            return self._made(order, on)

    def _made(self, order: Order, on: Sequence[Source] | None) -> Made:
        began = time.perf_counter()
        kinds = self.kinds(order)
        draw = np.random.default_rng([order.seed, 2])
        sources = (
            list(on) if on is not None else [self.kept.sources[i] for i in draw.permutation(len(self.kept.sources))]
        )
        pieces = [
            self.piece(order, i, kinds[i % len(kinds)], sources[i % len(sources)], on is None) for i in range(order.n)
        ]
        scenes: list[Tensor] = [p.stretch.x for p in pieces]
        amount, score, target = (np.zeros(order.n) for _ in range(3))
        reached, nfe = np.ones(order.n, dtype=bool), 0
        for at in grouped(pieces):
            some = [pieces[i] for i in at]
            if order.kind == NORMAL:
                x, region = batched([p.stretch for p in some])
                new = self.model.allowed(self.model.anew(x, order.seed), region, [p.source.strip.entity for p in some])
                score[at] = self.model.judge.scores(new, region)
            else:
                new, said, cost = self.sought(some, order.strength[at], order.seed)
                amount[at], score[at], target[at], reached[at] = said
                nfe = max(nfe, cost)
            for i, scene in zip(at, new, strict=True):
                scenes[i] = scene
        pairs = zip(pieces, scenes, strict=True)
        rewritten = [written(p.source, p.stretch, scene, p.region, self.model) for p, scene in pairs]
        regions = [changed for _, changed in rewritten]
        normal = order.kind == NORMAL
        if normal:
            regions = [np.zeros_like(region) for region in regions]
        made = Made(
            data=[native for native, _ in rewritten],
            region=[p.source.item.laid(region) for p, region in zip(pieces, regions, strict=True)],
            normal=None if normal and on is None else [p.source.item.native for p in pieces],
            kind=[NORMAL if p.kind is None else p.kind.name for p in pieces],
            where=[p.where for p in pieces],
            strength=order.strength,
            amount=amount,
            score=score,
            source=np.array([p.source.number for p in pieces]),
        )
        evidence = Evidence(self.model, self.normal_scores, self.examples, self.detector)
        verdicts, said_of_all = (
            self.judged(evidence, made, pieces, scenes, regions, target, normal) if order.judged else ([], {})
        )
        if order.judged:
            object.__setattr__(made, "verdicts", verdicts)
        made.facts.update(
            {
                "seconds": time.perf_counter() - began,
                "nfe": nfe,
                "offsets": [p.source.offset for p in pieces],
                "reached": reached.tolist(),
                "farthest": self.farthest,
                **said_of_all,
            }
        )
        return made

    def kinds(self, order: Order) -> list[SeriesKind | None]:
        """The kinds in turns; None is normal.

        Raises:
            Misfit: the series have no such kind, or there is no such example.
        """
        known = list(dict.fromkeys(each.kind for each in self.examples))
        general = [kind for name, kind in KINDS.items() if name != "break" or self.model.related.any()]
        if order.kind == NORMAL:
            return [None]
        if order.like is not None:
            if order.like >= len(self.examples):
                has = f"the generator has {len(self.examples)}" if self.examples else "the generator was fitted on none"
                raise Misfit(f"like is {order.like}, and {has}; give the number of an example, or fit with examples=.")
            if order.kind not in ("auto", self.examples[order.like].kind):
                raise Misfit(
                    f"kind is {order.kind!r} and example {order.like} is of the kind "
                    f"{self.examples[order.like].kind!r}; leave one of them out."
                )
            return [Known(self.examples[order.like].kind, [self.examples[order.like].part])]
        if order.kind == "auto":
            return list(general)
        names = [kind.name for kind in general]
        if order.kind == "break" and "break" not in names:
            others = ", ".join(names + known)
            raise Misfit(f"kind is 'break', and no two channels of these series go together; choose one of {others}.")
        name = one_of_these("kind", order.kind, [*names, *known, "auto", NORMAL], "series")
        if name in known:
            return [Known(name, [each.part for each in self.examples if each.kind == name])]
        return [KINDS[name]]

    def piece(self, order: Order, i: int, kind: SeriesKind | None, source: Source, kept: bool) -> Piece:
        """What the i-th item is made on, and where."""
        draw = np.random.default_rng([order.seed, 3, i])
        observed = source.observed(self.model.modality.channels_)
        if kind is None:
            source = source.piece(0, PIECE)
            region = source.observed(self.model.modality.channels_)
            return Piece(source, region, Stretch.of(source, region, self.model, whole=True), None, "")
        if isinstance(order.where, str):
            usable = observed & self.able(kind)
            where = self.place(order.where, kind)
            region = self.spans(where, order.like)(usable, self.lengths(order.size, len(source)), draw)
        elif kept:
            raise Misfit("regions are given and no series to make them on; give on= too, laid out like them.")
        else:
            where, region = GIVEN, self.given(order.where, source) & observed
            if not region.any():
                raise Misfit(f"the region of series {source.number} holds no reading; mark cells that were observed.")
        source, region = source.cut(region, PIECE, 2 * self.model.length)
        return Piece(source, region, Stretch.of(source, region, self.model), kind, where)

    def able(self, kind: SeriesKind) -> np.ndarray:
        """In which channels `(channels,)` a place lies by itself: those that move, freely where there are such."""
        able = self.model.moves & (self.model.dependent if kind.name == "break" else True)
        return np.asarray(able & self.model.free if (able & self.model.free).any() else able)

    def place(self, wanted: str, kind: SeriesKind) -> str:
        """The name of a place: the one ordered, or where the kind lies by itself.

        Raises:
            Misfit: the series have no such place.
        """
        several = self.model.moves.sum() > 1
        names = [name for name in PLACES if several or name != "channels"] + [EXAMPLES] * bool(self.examples)
        if one_of_these("where", wanted, ["auto", *names], "series") != "auto":
            return wanted
        return kind.place[int(several)]

    def spans(self, where: str, like: int | None) -> Any:
        """The place of that name."""
        return LikeExamples([each.region for each in self.examples], like) if where == EXAMPLES else PLACES[where]

    def lengths(self, size: tuple[float, float] | None, instants: int) -> tuple[int, int]:
        """Least and most instants of a region: shares of the piece, or of a window."""
        length, piece = self.model.length, min(instants, PIECE)
        pair = (size[0] * piece, size[1] * piece) if size else (length / 6, length / 2)
        most = max(1, min(round(pair[1]), instants - 1 if size else instants // 2))
        return max(1, min(round(pair[0]), most)), most

    def given(self, where: Any, source: Source) -> np.ndarray:
        """The region that was given for a source `(T, channels)`.

        Raises:
            Misfit: it is laid out otherwise.
        """
        number, rows, height = source.given
        several = isinstance(where, list | tuple | dict)
        if several and len(where) <= number:
            raise Misfit(f"there are {len(where)} regions, and series {number}; give one for each series.")
        own = (list(where.values()) if isinstance(where, dict) else where)[number] if several else where
        mask = given_region(own, (height, len(self.model.modality.columns)), f"series {number}")
        return source.item.region(mask[rows])

    def sought(self, pieces: Sequence[Piece], strength: np.ndarray, seed: int) -> tuple[Tensor, np.ndarray, int]:
        """Scenes of one size at their strengths; amount, score, target and whether it was reached; evaluations."""
        x, region = batched([p.stretch for p in pieces])
        sketch = torch.stack([torch.from_numpy(self.sketch(p, seed, k)) for k, p in enumerate(pieces)]).to(x)
        kind = pieces[0].kind
        assert kind is not None
        filling = self.model.filling(x, region, sketch, kind.level, seed)
        most = torch.tensor([p.kind.most for p in pieces if p.kind is not None], dtype=torch.float64)
        entities = [p.source.strip.entity for p in pieces]
        found = seek(
            lambda amount: self.model.allowed(filling(amount * most), region, entities),
            lambda scenes: self.model.judge(scenes, region),
            torch.as_tensor(strength, dtype=torch.float64),
            self.farthest,
            1.0,
            DOUBLINGS,
            HALVINGS,
        )
        said = np.stack([v.double().numpy() for v in (found.amount * most, found.score, found.target, found.reached)])
        return found.items, said, filling.nfe * (DOUBLINGS + HALVINGS + 2)

    def sketch(self, piece: Piece, seed: int, k: int) -> np.ndarray:
        """What the region of a piece is roughly to look like `(width, S)`."""
        draw = np.random.default_rng([seed, 4, k])
        x, region = piece.stretch.x.numpy().astype(np.float64), piece.stretch.region.numpy()
        assert piece.kind is not None
        scene = Scene(x, region, self.model.spread, self.model.period, self.model.bank.numpy(), draw)
        return piece.kind(scene)

    def judged(
        self,
        evidence: Evidence,
        made: Made,
        pieces: Sequence[Piece],
        scenes: Sequence[Tensor],
        regions: Sequence[np.ndarray],
        target: np.ndarray,
        normal: bool,
    ) -> tuple[list[Judgement], JSON]:
        """What is said of each, and of all together."""
        judge = Judge(self.p_value)
        stretches = [p.stretch for p in pieces]
        whole, looks, odd = evidence.of(stretches, scenes, normal)
        if self.detector is not None and not normal:
            odd = evidence.by_detector(made, self.kept)
        wanted = np.ones(len(pieces))
        if not normal:
            normals = odd[0] if self.detector is None else self.normal_scores
            wanted = np.maximum(Conformal().fit(normals).p_value(target), self.p_value)
        change = (
            None if normal else [evidence.change(p.source, p.stretch, s) for p, s in zip(pieces, scenes, strict=True)]
        )
        verdicts = judge.verdicts(whole=whole, odd=odd, wanted=wanted, change=change, region=list(regions), looks=looks)
        return verdicts, {"two_sample": judge.two_sample(*whole)} if len(pieces) > 1 else {}


def grouped(pieces: Sequence[Piece]) -> list[np.ndarray]:
    """The numbers of pieces whose scenes are of one size and whose walks start at one level."""
    groups: dict[tuple[int, float], list[int]] = {}
    for i, p in enumerate(pieces):
        groups.setdefault((p.stretch.x.shape[1], 0.0 if p.kind is None else p.kind.level), []).append(i)
    return [np.array(at) for at in groups.values()]
