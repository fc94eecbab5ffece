"""Anomalies of video, to order: which kind in which clip, where and when, how far, and what is said of each."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch

from anodiff.alarms.conformal import Conformal
from anodiff.alarms.tail import FEWEST_NORMALS
from anodiff.anomalies.film_kinds import FILM_KINDS, FilmKind, Make, Spot, as_tall
from anodiff.anomalies.film_places import BOX, FILM_PLACES, boxed, given_spot, laid, spot_of
from anodiff.anomalies.film_scene import Stage, Walk, spread_out
from anodiff.anomalies.judge import Judge
from anodiff.anomalies.strength import FARTHEST, farthest_of, seek
from anodiff.made import NORMAL, Judgement, Made, Order, one_of_these
from anodiff.recipes.onlooker import Onlooker, Sight, sight, worst
from anodiff.recipes.rushes import Piece
from anodiff.types import JSON, Misfit

SPAN = 16
"""Frames by which a clip is known as a whole."""
BEYOND = 1 / 16
"""How far beyond the oddest held-out normal strength 1 is at most, of its score, for each decade of the p-value."""
FEWEST_TOGETHER, MOST = 8, 12
DOUBLINGS, HALVINGS = 6, 4


@dataclass(frozen=True, eq=False)
class Usual:
    """What held-out normal video is like.

    Attributes:
        scores: Of things that move and of boxes, `(n,)`.
        whole: Of stretches, apart from where and when, `(m, f)`.
        looks: Of what moves, and of boxes, `(n, g)`.
    """

    scores: np.ndarray
    whole: np.ndarray
    looks: np.ndarray

    def arrays(self) -> dict[str, np.ndarray]:
        """As arrays by name."""
        return {"scores": self.scores, "whole": self.whole, "looks": self.looks}

    @classmethod
    def restore(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """The inverse of `arrays`."""
        return cls(*(np.array(arrays[name]) for name in ("scores", "whole", "looks")))

    def farthest(self, reach: float | str) -> float:
        """The score at strength 1."""
        p_value = FARTHEST if isinstance(reach, str) else float(reach)
        return min(farthest_of(self.scores, p_value), (1 + BEYOND * -math.log10(p_value)) * float(self.scores.max()))


@dataclass(frozen=True, eq=False)
class Staged:
    """One item, made."""

    piece: Piece
    kind: FilmKind
    where: str
    x: np.ndarray
    region: np.ndarray
    amount: float
    score: float
    target: float
    reached: bool


@dataclass(frozen=True, eq=False)
class Staging:
    """Makes what is ordered.

    Attributes:
        onlooker: The quick judge.
        usual: What held-out normal video is like.
        plates: Of each camera, by the shape of its frames.
        things: What moves in normal video, to be put elsewhere.
        farthest: The score at strength 1.
        p_value: Of what is abnormal enough.
        maps: Evidence by pixel `(T, H, W)` of clips, by a detector that is the judge; None for the onlooker.
        kept: Normal clips that made ones are compared with by it.
    """

    onlooker: Onlooker
    usual: Usual
    plates: Mapping[str, np.ndarray]
    things: Sequence[Walk]
    farthest: float
    p_value: float
    maps: Callable[[list[np.ndarray]], list[np.ndarray]] | None = None
    kept: Sequence[Piece] = ()

    def made(self, order: Order, pieces: Sequence[Piece], regions: Sequence[np.ndarray | None]) -> Made:
        """What was ordered, on these pieces, one for each item; in these regions `(T, H, W)` where they are given."""
        began = time.perf_counter()
        kinds = kinds_ordered(order)
        done = [
            self.staged(order, i, kinds[i % len(kinds)], piece, region)
            for i, (piece, region) in enumerate(zip(pieces, regions, strict=True))
        ]
        verdicts, told = self.judged(done) if order.judged else ([], {})
        return Made(
            data=[each.piece.native(each.x) for each in done],
            region=[each.region for each in done],
            normal=[each.piece.native(each.piece.x) for each in done],
            kind=[each.kind.name for each in done],
            where=[each.where for each in done],
            strength=order.strength,
            amount=np.array([each.amount for each in done]),
            score=np.array([each.score for each in done]),
            source=np.array([each.piece.number for each in done]),
            verdicts=verdicts,
            facts={
                "seconds": time.perf_counter() - began,
                "offsets": [each.piece.offset for each in done],
                "reached": [each.reached for each in done],
                "farthest": self.farthest,
                **told,
            },
        )

    def staged(self, order: Order, i: int, kind: FilmKind, piece: Piece, region: np.ndarray | None) -> Staged:
        """One item."""
        draw = np.random.default_rng([order.seed, 3, i])
        stage = Stage.of(piece.x, self.plates.get(shape_of(piece.x)))
        thing = self.thing(stage, draw) if kind.foreign else None
        spot = self.spot(order, kind, stage, thing, piece, region, draw)
        make = kind.make(stage, spot, thing, draw)
        begun = spot.region
        if begun is None and spot.walk is not None:
            begun = laid(spread_out(spot.walk, piece.x.shape[1:3], 0), spot.walk.start, len(piece.x))
        assert begun is not None
        score = self._scorer(make, stage, begun)
        strength = torch.tensor([float(order.strength[i])], dtype=torch.float64)
        found = seek(lambda a: a, score, strength, self.farthest, kind.most(stage, spot), DOUBLINGS, HALVINGS)
        amount = float(found.amount[0])
        x, touched = make(amount)
        return Staged(
            piece, kind, spot.name, x, touched, amount,
            float(found.score[0]), float(found.target[0]), bool(found.reached[0]),
        )  # fmt: skip

    def spot(
        self, order: Order, kind: FilmKind, stage: Stage, thing: Walk | None, piece: Piece,
        region: np.ndarray | None, draw: np.random.Generator,
    ) -> Spot:  # fmt: skip
        """Where it is made.

        Raises:
            Misfit: there is no such place, or nothing moves in the clip and something that does is asked for.
        """
        if region is not None:
            return given_spot(region, piece.x.shape, f"clip {piece.number}")
        wanted = one_of_these("where", order.where, ["auto", *FILM_PLACES], "clips")
        found = spot_of(kind.place[0] if wanted == "auto" else wanted, stage, kind, order.size, thing, draw)
        if found is None and wanted == "auto":
            found = spot_of(kind.place[1], stage, kind, order.size, thing, draw)
        if found is None:
            raise Misfit(
                f"where is {wanted!r}, and nothing that could be followed moves in clip {piece.name or piece.number}; "
                f"give where='{BOX}' or 'auto'."
            )
        return found

    def thing(self, stage: Stage, draw: np.random.Generator) -> Walk:
        """Something to put where it does not belong: what moves in other clips, else a piece of this one."""
        if self.things:
            return as_tall(self.things[int(draw.integers(len(self.things)))], stage.x.shape[1])
        frames, height, width = stage.x.shape[:3]
        high, wide = max(4, height // 6), max(4, width // 8)
        top, left = int(draw.integers(height - high + 1)), int(draw.integers(width - wide + 1))
        box = [top, left, top + high, left + wide]
        cuts = [stage.x[t, box[0] : box[2], box[1] : box[3]] for t in range(frames)]
        return Walk(0, np.array([box] * frames), [np.ones((high, wide), dtype=bool)] * frames, cuts, height)

    def judged(self, done: Sequence[Staged]) -> tuple[list[Judgement], JSON]:
        """What is said of each, and of all together."""
        judge, usual = Judge(self.p_value), self.usual
        plates = [self._plate(each.piece.x) for each in done]
        whole, looks = (
            np.stack([of(sight(e.x, plate, frames(e.region)), e.region) for e, plate in zip(done, plates, strict=True)])
            for of, frames in ((whole_of, _moments), (look_of, _itself))
        )
        target = np.array([each.target for each in done])
        verdicts = judge.verdicts(
            whole=(usual.whole, whole),
            odd=self.odd(done),
            wanted=np.maximum(Conformal().fit(usual.scores).p_value(target), self.p_value),
            change=[np.abs(each.x.astype(np.float32) - each.piece.x).mean(-1) / 255 for each in done],
            region=[each.region for each in done],
            looks=(usual.looks, looks),
        )
        if len(done) < FEWEST_TOGETHER:
            return verdicts, {"two_sample": {}}
        # Clips differ among themselves: what was made is told from what it was made on.
        before = np.stack([
            whole_of(sight(e.piece.x, plate, _moments(e.region)), np.zeros_like(e.region))
            for e, plate in zip(done, plates, strict=True)
        ])  # fmt: skip
        return verdicts, {"two_sample": judge.two_sample(before, whole)}

    def odd(self, done: Sequence[Staged]) -> tuple[np.ndarray, np.ndarray]:
        """How odd regions of normal clips and of made ones are, to the onlooker or to the detector."""
        if self.maps is None:
            return self.usual.scores, np.array([each.score for each in done])
        draw = np.random.default_rng(0)
        normals: list[float] = []
        boxes = math.ceil(2 * FEWEST_NORMALS / max(1, len(self.kept)))
        for piece, map in zip(self.kept, self.maps([p.native(p.x) for p in self.kept]), strict=True):
            stage = Stage.of(piece.x, self.plates.get(shape_of(piece.x)))
            normals += [within(map, region) for region in regions_of(stage, boxes, draw)]
        found = self.maps([each.piece.native(each.x) for each in done])
        return np.array(normals), np.array([within(m, each.region) for m, each in zip(found, done, strict=True)])

    def _plate(self, x: np.ndarray) -> np.ndarray:
        return Stage.plate_for(x, self.plates.get(shape_of(x)))

    def _scorer(self, make: Make, stage: Stage, begun: np.ndarray) -> Any:
        def score(amount: torch.Tensor) -> torch.Tensor:
            x, touched = make(float(amount[0]))
            region = begun | touched
            return torch.tensor([self.onlooker.score(sight(x, stage.plate, region), region)], dtype=torch.float64)

        return score


def kinds_ordered(order: Order) -> list[FilmKind]:
    """The kinds in turns.

    Raises:
        Misfit: video has no such kind, or normal video is ordered, which is not made.
    """
    if order.kind == NORMAL:
        raise Misfit("kind is 'normal', and normal video is not made; take normal clips, or choose a kind of anomaly.")
    if order.like is not None:
        raise Misfit(f"like is {order.like}, and a generator of video knows no examples; leave it out.")
    if order.kind == "auto":
        return list(FILM_KINDS.values())
    return [FILM_KINDS[one_of_these("kind", order.kind, [*FILM_KINDS, "auto"], "clips")]]


def usual_of(stages: Sequence[Stage], held: Sequence[bool], onlooker: Onlooker, seed: int) -> Usual:
    """What normal video is like: stretch by stretch, and of what the onlooker had not seen, thing by thing.

    Raises:
        Misfit: it is too short to say.
    """
    draw = np.random.default_rng([seed, 6])
    whole = [each for stage in stages for each in stretches(stage, draw)]
    if len(whole) < FEWEST_NORMALS or not any(held):
        raise Misfit(
            f"{sum(len(stage.x) for stage in stages)} frames do not say what is normal; give at least "
            f"{FEWEST_NORMALS * SPAN} frames of normal video."
        )
    scores, looks = [], []
    boxes = math.ceil(2 * FEWEST_NORMALS / sum(held))
    for stage in (stage for stage, out in zip(stages, held, strict=True) if out):
        for region in regions_of(stage, boxes, draw):
            seen = sight(stage.x, stage.plate, region)
            scores.append(onlooker.score(seen, region))
            looks.append(look_of(seen, region))
    return Usual(np.array(scores), np.stack(whole), np.stack(looks))


def stretches(stage: Stage, draw: np.random.Generator) -> list[np.ndarray]:
    """What stretches of a clip are like, all of them and without a thing that moves."""
    found = []
    nothing = np.zeros(stage.x.shape[:3], dtype=bool)
    for first in range(0, max(1, len(stage.x) - SPAN + 1), SPAN):
        span = nothing.copy()
        span[first : first + SPAN] = True
        seen = sight(stage.x, stage.plate, span)
        found.append(whole_of(seen, nothing))
        here = [walk for walk in stage.walks if walk.start < first + SPAN and walk.end > first]
        if here:
            walk = here[int(draw.integers(len(here)))]
            region = laid(spread_out(walk, stage.x.shape[1:3], 2), walk.start, len(stage.x))
            found.append(whole_of(seen, region))
    return found


def regions_of(stage: Stage, boxes: int, draw: np.random.Generator) -> list[np.ndarray]:
    """Where things move in a clip, and boxes, so many together at least."""
    found = [laid(spread_out(walk, stage.x.shape[1:3], 0), walk.start, len(stage.x)) for walk in stage.walks[:MOST]]
    more = max(1, boxes - len(found))
    return found + [boxed(stage, None, draw) for _ in range(more)]


def whole_of(seen: Sight, region: np.ndarray) -> np.ndarray:
    """What a stretch is like apart from a region: its cells' features on average, and how they vary `(2 f,)`."""
    outside = ~seen.cells(region)
    cells = seen.features[outside] if outside.any() else seen.features.reshape(-1, seen.features.shape[-1])
    return np.concatenate([cells[:, :-2].mean(0), cells[:, :-2].std(0)])


def look_of(seen: Sight, region: np.ndarray) -> np.ndarray:
    """What a region looks like: its cells' features on average, and how they vary; where, how large, how long."""
    cells = seen.cells(region)
    some = seen.features[cells] if cells.any() else seen.features.reshape(-1, seen.features.shape[-1])
    size = [np.log1p(cells.sum()), np.log1p(cells.any((1, 2)).sum())]
    return np.concatenate([some.mean(0), some[:, :-2].std(0), size])


def within(map: np.ndarray, region: np.ndarray) -> float:
    """The highest evidence `(T, H, W)` in a region, on average over five frames at their worst."""
    inside = np.flatnonzero(region.any((1, 2)))
    return worst(np.array([map[t][region[t]].max() for t in inside]))


def shape_of(x: np.ndarray) -> str:
    """The shape of the frames of a clip, as a name.

    >>> shape_of(np.zeros((5, 120, 180, 1)))
    '120x180x1'
    """
    return "x".join(str(n) for n in x.shape[1:])


def _moments(region: np.ndarray) -> np.ndarray:
    """All of the frames about the middle of a region, as many as normal stretches have."""
    at = np.flatnonzero(region.any((1, 2)))
    middle = int(at[0] + at[-1] + 1) // 2 if len(at) else 0
    first = int(np.clip(middle - SPAN // 2, 0, max(0, len(region) - SPAN)))
    found = np.zeros(region.shape, dtype=bool)
    found[first : first + SPAN] = True
    return found


def _itself(region: np.ndarray) -> np.ndarray:
    return region
