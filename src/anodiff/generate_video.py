"""The generator of video: normal clips in, clips in which something happens out, with where and when, and a verdict.

What moves is taken out of normal clips, and laid in again as it should not be: too fast, another way, frozen, at
another place, in another clip, or not at all. A quick judge of normal motion and looks says how far to go. Nothing is
trained, nothing is downloaded, and what is not touched stays as it was, to the bit.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Self

import numpy as np

from anodiff.anomalies.film_kinds import FILM_KINDS
from anodiff.anomalies.film_places import FILM_PLACES, SHORTEST, followed
from anodiff.anomalies.film_scene import Stage, Walk, plate_of
from anodiff.data.clips import normal_reel, reel
from anodiff.data.reels import Clip
from anodiff.made import Made, Order
from anodiff.recipes.grow import Progress
from anodiff.recipes.onlooker import Onlooker, sight
from anodiff.recipes.rushes import Piece, arrays_of, as_pieces, frames_of, piece_of, pieces_of, smaller
from anodiff.recipes.schema import bibtex
from anodiff.recipes.staging import Staging, Usual, shape_of, usual_of
from anodiff.settings import GeneratorSettings
from anodiff.training import one_thread
from anodiff.types import JSON, BadModel, Misfit, Refusal, Unreadable

PIECE = 48
"""Frames of the pieces that are learnt from."""
CLIPS, PIECES = 60, 60
"""Clips and pieces that are learnt from, at most."""
HELD_OUT = 3
"""One piece of so many is held out."""
KEPT, THINGS = 8, 24
PIXELS = 256 * 256
"""Of a frame that is learnt from or kept, at most; larger ones are made smaller."""
CITED = ("lucas1981iterative", "perez2003poisson")


class VideoGenerator(GeneratorSettings):
    """Makes anomalies in video; see `anodiff.generate.Generator`, whose settings these are.

    Items are clips `(T, H, W)` or `(T, H, W, 3)` uint8. Of a clip that is longer than 200 frames, or that holds more
    than 64 million numbers, it is a piece about what was made; `facts["offsets"]` says where each begins. Normal video
    is not made, and nothing is learnt from examples.

    Attributes:
        onlooker_: The quick judge.
        usual_: What held-out normal video is like.
        kinds_: Kinds of anomalies by name.
        places_: Kinds of places by name.
        facts_: What is known of the fit, JSON.
    """

    onlooker_: Onlooker
    usual_: Usual
    plates_: dict[str, np.ndarray]
    things_: list[Walk]
    kept_: list[Piece]
    facts_: JSON

    def fitting(self, X: Any, *, examples: Any = None, regions: Any = None, kinds: Any = None) -> Iterator[Progress]:
        """Learn normal clips X, anything that `data.clips.reel` takes; yields progress.

        Raises:
            Unreadable: no clip can be read.
            Misfit: a setting is out of range, examples are given, or X is too short.
        """
        began = time.perf_counter()
        if self.settings:
            raise Misfit(f"settings are {self.settings!r}; a generator of video has none, leave them out.")
        if examples is not None:
            raise Misfit("examples are given, and a generator of video learns from normal clips alone; leave them out.")
        if self.reach == "examples":
            raise Misfit("reach is 'examples', and video has none; give a p-value such as 0.0001, or 'auto'.")
        clips = normal_reel(X).clips
        order = np.random.default_rng(int(self.seed)).permutation(len(clips))[:CLIPS]
        stages: list[Stage] = []
        pieces: list[Piece] = []
        plates: dict[str, list[np.ndarray]] = {}
        for done, at in enumerate(np.sort(order).tolist()):
            yield Progress(done, len(order), "reading")
            with one_thread():
                for piece in self._pieces(clips[at], at, max(1, PIECES // len(order))):
                    plates.setdefault(shape_of(piece.x), []).append(plate_of(piece.x))
                    pieces.append(piece)
            if self.max_seconds is not None and time.perf_counter() - began > self.max_seconds / 3:
                break
        if not pieces:
            raise Unreadable("none of the clips has enough frames that can be read; give some with at least 16.")
        behind = {name: np.asarray(np.median(np.stack(some), axis=0)) for name, some in plates.items()}
        yield Progress(len(order), len(order), "learning")
        with one_thread():
            stages = [Stage.of(piece.x, behind[shape_of(piece.x)]) for piece in pieces]
            held = self._held(pieces)
            learnt = [stage for stage, out in zip(stages, held, strict=True) if not out]
            cells = [sight(stage.x, stage.plate).features for stage in learnt]
            onlooker = Onlooker.fit(np.concatenate([c.reshape(-1, c.shape[-1]) for c in cells]), int(self.seed))
            usual = usual_of(stages, held, onlooker, int(self.seed))
        self.onlooker_, self.usual_, self.plates_ = onlooker, usual, behind
        self.things_, self.kept_ = self._things(stages), self._kept(pieces)
        self.facts_ = {
            "clips": len(order),
            "frames": sum(len(piece.x) for piece in pieces),
            "held_out": int(sum(held)),
            "things": len(self.things_),
            "seconds": time.perf_counter() - began,
        }

    def sample(self, order: Order) -> Made:
        """Make what was ordered.

        Raises:
            Misfit: something is ordered that cannot be made; the sentence names the choices.
            Unreadable: the clips to make it on cannot be read.
        """
        staging = Staging(
            self.onlooker_,
            self.usual_,
            self.plates_,
            self.things_,
            self.usual_.farthest(self.reach),
            self.p_value,
            self._maps(),
            self.kept_,
        )
        with one_thread():
            pieces, regions = self._ordered(order)
            return staging.made(order, pieces, regions)

    @property
    def kinds_(self) -> list[str]:
        """Kinds of anomalies by name."""
        return list(FILM_KINDS)

    @property
    def known_(self) -> list[str]:
        """Those of them that are kinds of examples: none."""
        return []

    @property
    def places_(self) -> list[str]:
        """Kinds of places by name."""
        return list(FILM_PLACES)

    def references(self) -> str:
        """The works behind it, as BibTeX."""
        return bibtex(CITED)

    def config(self) -> JSON:
        """What is small, as JSON."""
        return {
            "plates": list(self.plates_),
            "flat": [piece.flat for piece in self.kept_],
            "things": [[walk.start, walk.cuts[0].shape[2], walk.tall] for walk in self.things_],
            "facts": self.facts_,
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """What may be large: the judge, what is normal, plates, things that move, and normal pieces in 8 bits."""
        found = {f"onlooker.{name}": value for name, value in self.onlooker_.arrays().items()}
        found |= {f"usual.{name}": value for name, value in self.usual_.arrays().items()}
        found |= {f"plate.{name}": value for name, value in self.plates_.items()}
        found |= {f"thing.{name}": value for name, value in arrays_of(self.things_).items()}
        return found | {f"kept.{k}": piece.x for k, piece in enumerate(self.kept_)}

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
            made.onlooker_ = Onlooker.restore(group("onlooker"))
            made.usual_ = Usual.restore(group("usual"))
            made.plates_ = {name: np.array(group("plate")[name]) for name in config["plates"]}
            things = group("thing")
            made.things_ = [
                _walk(*told, *(np.array(things[f"{k}.{part}"]) for part in ("boxes", "masks", "cuts")))
                for k, told in enumerate(config["things"])
            ]
            kept = group("kept")
            made.kept_ = as_pieces([np.array(kept[str(k)]) for k in range(len(config["flat"]))], config["flat"])
            made.facts_ = dict(config["facts"])
        except Refusal:
            raise
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise BadModel(f"the generator of video is damaged ({error}); save it again.") from None
        return made

    def _pieces(self, clip: Clip, number: int, most: int) -> list[Piece]:
        first = next(clip.frames(), None)
        if first is None:
            return []
        try:
            found = [p for p in pieces_of(clip, number, PIECE, frames_of(first.pixels)) if len(p.x) >= SHORTEST]
        except Unreadable:
            return []
        some = np.linspace(0, len(found) - 1, min(most, len(found))).astype(int)
        return [replace(found[i], x=smaller(found[i], PIXELS)) for i in some]

    def _held(self, pieces: list[Piece]) -> list[bool]:
        """Which pieces are held out: whole clips where there are several, else every third piece."""
        clips = list(dict.fromkeys(piece.number for piece in pieces))
        if len(clips) >= HELD_OUT:
            return [clips.index(piece.number) % HELD_OUT == 1 for piece in pieces]
        return [i % HELD_OUT == 1 for i in range(len(pieces))]

    def _things(self, stages: list[Stage]) -> list[Walk]:
        draw = np.random.default_rng([int(self.seed), 7])
        order = draw.permutation(len(stages)).tolist()
        found = [followed(stages[i], True, None, draw) for i in order]
        return [walk for walk in found if walk is not None][:THINGS]

    def _kept(self, pieces: list[Piece]) -> list[Piece]:
        at = np.random.default_rng([int(self.seed), 1]).permutation(len(pieces))[:KEPT]
        some = [pieces[i] for i in np.sort(at).tolist()]
        return as_pieces([piece.x for piece in some], [piece.flat for piece in some])

    def _maps(self) -> Callable[[list[np.ndarray]], list[np.ndarray]] | None:
        """What draws the maps of the detector that was given; None where none was."""
        if self.detector is None:
            return None
        from anodiff.detect_video import VideoDetector

        inner = getattr(self.detector, "inner_", self.detector)
        if not isinstance(inner, VideoDetector) or not hasattr(inner, "held_"):
            raise Misfit(f"the detector is a {type(inner).__name__}; give one that was fitted on video, or none.")
        return lambda clips: list(inner.anomaly_map(clips))

    def _ordered(self, order: Order) -> tuple[list[Piece], list[np.ndarray | None]]:
        """A piece for each item, and its region where one was given."""
        named = isinstance(order.where, str)
        if order.on is None:
            if not named:
                raise Misfit("regions are given and no clips to make them on; give on= too, laid out like them.")
            draw = np.random.default_rng([order.seed, 2])
            at = draw.permutation(len(self.kept_))
            return [self.kept_[at[i % len(at)]] for i in range(order.n)], [None] * order.n
        clips = reel(order.on).clips
        pieces, regions = [], []
        for i in range(order.n):
            number = i % len(clips)
            region = None if named else _region(order.where, number, len(clips))
            about = None if region is None else _about(region)
            piece = piece_of(clips[number], number, np.random.default_rng([order.seed, 4, i]), about)
            if region is not None and len(region) == piece.whole:
                region = region[piece.offset : piece.offset + len(piece.x)]
            pieces.append(piece)
            regions.append(region)
        return pieces, regions


def _region(where: Any, number: int, clips: int) -> np.ndarray:
    """The region of a clip, of those that were given."""
    several = isinstance(where, list | tuple | Mapping)
    if not several:
        return np.asarray(where)
    each = list(where.values()) if isinstance(where, Mapping) else list(where)
    if len(each) != clips:
        raise Misfit(f"there are {len(each)} regions and {clips} clips; give one (T, H, W) for each clip.")
    return np.asarray(each[number])


def _about(region: np.ndarray) -> tuple[int, int]:
    at = np.flatnonzero(region.reshape(len(region), -1).any(1)) if region.ndim else np.zeros(0, int)
    return (int(at[0]), int(at[-1]) + 1) if len(at) else (0, 0)


def _walk(start: int, channels: int, tall: int, boxes: np.ndarray, masks: np.ndarray, cuts: np.ndarray) -> Walk:
    sizes = (boxes[:, 2:] - boxes[:, :2]).astype(int)
    ends = np.cumsum(sizes.prod(1))[:-1]
    shaped = zip(np.split(masks, ends), np.split(cuts.reshape(-1, channels), ends), sizes.tolist(), strict=True)
    parts = [(m.reshape(h, w).astype(bool), c.reshape(h, w, channels)) for m, c, (h, w) in shaped]
    return Walk(start, boxes, [m for m, _ in parts], [c for _, c in parts], tall)
