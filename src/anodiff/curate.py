"""From an album of normal pictures to a gallery, and to what normal pictures look like to it."""

import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from typing import Any, cast

import numpy as np
import torch
from PIL import Image as Pillow

from anodiff.alarms import Conformal, PixelAlarm, Regions, contamination
from anodiff.calibration import Counted, tail_of
from anodiff.conditions.label import Label
from anodiff.data.jitter import Move
from anodiff.data.pictures import Album, Picture, Unread
from anodiff.data.stack import Stack
from anodiff.data.twins import folds, thumbnail, twins
from anodiff.gallery import POOL, Gallery, Scale, classes_of, grey
from anodiff.modalities.features import Features
from anodiff.modalities.grids import Moments, leading
from anodiff.modalities.image import Image
from anodiff.modalities.planes import Planes
from anodiff.recipes.defects import Defects, defects, refuse_normal
from anodiff.recipes.grow import Progress
from anodiff.recipes.hasten import hastened
from anodiff.recipes.pictured import Grown, Seen, grow_pictured
from anodiff.recipes.schema import Recipe
from anodiff.recipes.specs import MovedSpec
from anodiff.recipes.taught import HEAD, Lesson, taught
from anodiff.settings import LEAST_ROWS
from anodiff.types import JSON, Misfit, Scores, Unreadable

MOST = 4_000
"""Pictures that are learnt from at most."""
SHOWN, SIDE = 100, 96
"""Small normal pictures that are kept, and their side in pixels."""
CLEAR, ROOM = 32, 4
"""Cells that there must be for each direction of a plane that is found by them, or drawn at random."""
DIRECTED = 200
"""Pictures that the directions of a plane are found on."""
BLOCK = 32
"""Maps that are laid on the canvas at once."""
AT_ONCE = 8
"""Pictures that are judged at once; a score does not depend on it."""
EXTENT = 0.002
"""Regions reach down to the level that this share of normal pixels exceeds."""

Raw = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Held:
    """A gallery, and what normal pictures that it had not seen look like to it.

    Attributes:
        whole: The gallery.
        left_out: What its members say of the pictures of fit, by name, maps `(n, h, w)` or totals `(n,)`.
        names: Of these pictures.
        held_out: Of other normal pictures, where alarms count those; else empty.
        unread: Pictures of fit that could not be read.
        known: Scores of known defects `(k,)`, each without its own help.
        notes: What is to be said of the known defects.
    """

    whole: Gallery
    left_out: Raw
    names: Sequence[str] = ()
    held_out: Raw = field(default_factory=dict)
    unread: Sequence[Unread] = ()
    known: Scores = field(default_factory=lambda: np.zeros(0))
    notes: Sequence[str] = ()

    def within(self, budget: int | None) -> "Held":
        """The same with the members that a budget pays for, its scales found anew."""
        if budget is None:
            return self
        return replace(self, whole=scaled(self.whole.within(budget), self.left_out, self._normal))

    def calibrated(self, album: Album) -> tuple["Held", list[Unread]]:
        """The same, counting other normal pictures, and which of them could not be read.

        Raises:
            Unreadable: fewer than two of them can be read.
        """
        unread = list[Unread]()
        found = list(raw_of(self.whole, album, unread))
        if sum(len(next(iter(each.values()))) for each in found) < 2:
            odd = f"; {unread[0]}" if unread else "."
            raise Unreadable(
                f"X has fewer than 2 pictures that can be read; calibrate with normal ones, better 100{odd}"
            )
        joined = {name: torch.cat([each[name] for each in found]).numpy() for name in found[0]}
        return replace(self, held_out=joined), unread

    @cached_property
    def counted(self) -> Counted:
        """The alarm that counts normals."""
        left_out = self._totals(self.left_out)
        normals, aside = left_out, 0
        if self.held_out:
            normals = self._totals(self.held_out)
        elif self.whole.facts["contamination"]["value"]:
            aside = min(round(self.whole.facts["contamination"]["value"] * len(left_out)), len(left_out) - 2)
            normals = np.sort(left_out)[: len(left_out) - aside]
        return Counted(left_out, normals, self.known, Conformal().fit(normals), tail_of(normals), aside)

    @property
    def pixels(self) -> PixelAlarm:
        """The alarm of single pixels."""
        return self._of_maps[0]

    @property
    def regions(self) -> Regions:
        """The alarm of regions."""
        return self._of_maps[1]

    @property
    def extent(self) -> float:
        """The level of the canvas that a small share of normal pixels exceeds."""
        return self._of_maps[2]

    @cached_property
    def _of_maps(self) -> tuple[PixelAlarm, Regions, float]:
        """What normal maps tell, of one pass through them; of a region of one pixel the highest of each is enough."""
        highest, some = list[np.ndarray](), list[np.ndarray]()

        def noted() -> Iterator[np.ndarray]:
            for map in self._normal_maps():
                highest.append(map.max(keepdims=True))
                some.append(map.ravel()[:: max(1, len(map) // 64)])
                yield map

        pixels = PixelAlarm().fit(noted())
        return pixels, Regions().fit(highest), float(np.quantile(np.concatenate(some), 1 - EXTENT))

    def _normal_maps(self) -> Iterator[np.ndarray]:
        """Maps on the canvas of the pictures that alarms count."""
        raw = self.held_out or self.left_out
        scores = self.counted.left_out
        limit = np.inf if self.held_out or not self.counted.aside else self.counted.held_out.max()
        for places, said in blocks(self.whole, raw):
            for place, map in zip(places, self.whole.canvas(said).numpy(), strict=True):
                if self.held_out or scores[place] <= limit:
                    yield map

    @property
    def _normal(self) -> np.ndarray:
        """Which of the pictures of fit are not feared to be anomalies, bool."""
        totals = self._totals(self.left_out)
        aside = round(self.whole.facts["contamination"]["value"] * len(totals))
        return np.asarray(np.argsort(np.argsort(-totals, kind="stable")) >= min(aside, len(totals) - LEAST_ROWS))

    def _totals(self, raw: Raw) -> Scores:
        return totals_of(self.whole, raw)


def blocks(model: Gallery, raw: Raw) -> Iterator[tuple[np.ndarray, dict[str, torch.Tensor]]]:
    """Places, and what members said there, some at a time."""
    count = len(next(iter(raw.values())))
    for start in range(0, count, BLOCK):
        places = np.arange(start, min(start + BLOCK, count))
        yield places, {name: torch.from_numpy(raw[name][places]).float() for name in model.speakers}


def totals_of(model: Gallery, raw: Raw) -> Scores:
    """Scores `(n,)` of what members said."""
    return np.concatenate([model.totals(said) for _, said in blocks(model, raw)])


def raw_of(model: Gallery, album: Album, unread: list[Unread]) -> Iterator[dict[str, torch.Tensor]]:
    """What members say of the pictures that can be read, some at a time; the others are added to `unread`."""
    for batch in batched(album.pictures(model.modality.square)):
        unread += [each for each in batch if isinstance(each, Unread)]
        if read := [each for each in batch if isinstance(each, Picture)]:
            yield model.raw(read)


def scaled(model: Gallery, left_out: Raw, normal: np.ndarray | None = None) -> Gallery:
    """The gallery with the scales of what it said of pictures that it had not seen, of those that are `normal`."""
    some = left_out if normal is None else {name: said[normal] for name, said in left_out.items()}
    scales = {name: Scale.of(some[name]) for name in model.members}
    model = replace(model, scales=scales)
    worst = np.concatenate([model.worst(said).numpy() for _, said in blocks(model, some)])
    return replace(model, scales={**scales, POOL: Scale.of(worst)})


def curate(
    recipe: Recipe,
    image: Image | Features,
    album: Album,
    *,
    seed: int = 0,
    most: int = MOST,
    contaminated: float | str = 0.0,
    max_seconds: float | None = None,
    examples: Any = None,
    regions: Any = None,
) -> Generator[Progress, None, Held]:
    """Learn an album of normal pictures, and known defects with or without their masks; yields progress.

    Raises:
        Unreadable: fewer than 5 of them can be read, or they are all the same; or no known defect can.
        Misfit: the recipe does not fit them, a known defect is among them, or a mask is not that of its picture.
    """
    if examples is None and regions is not None:
        raise Misfit("regions say where known defects are; give their pictures as examples.")
    seen, began, asked = len(album), time.perf_counter(), recipe
    most = min(most, MOST)
    if seen > most:
        album = album.part(np.sort(np.random.default_rng(seed).permutation(seen)[:most]))
    planes = Planes(image, recipe.planes).fit(album)
    with Stack(planes.seen_) as stack, Stack(planes.seen_) as copies:
        again = Again(recipe.moved, copies, seed)
        shot = yield from shoot(planes, album, stack, again, None if max_seconds is None else max_seconds / 2)
        known = None if examples is None else defects(planes, examples, regions)
        if known is not None:
            refuse_normal(known, stack, shot.thumbnails, shot.names)
        moved = copies if len(copies) else None
        classes = sorted({name for name in classes_of(shot.names) if name}) if told_apart(recipe) else []
        labels = Label(classes).encode(classes_of(shot.names))["label"]
        kept = np.ones(len(stack), bool)
        if max_seconds is not None:
            left = (max_seconds - (time.perf_counter() - began)) / (2 if contaminated else 1)
            trial = Seen(stack, np.zeros(len(stack), np.int64), kept, labels, len(classes), moved)
            recipe, count = hastened(recipe, trial, seed, left)
            copies.cut(count * len(copies) // len(stack))
            stack.cut(count)
            shot, labels, kept = shot.first(count), labels[:count], kept[:count]
        groups = twins(shot.thumbnails)
        fold = folds(groups, recipe.folds, seed)
        grown = yield from growing(recipe, Seen(stack, fold, kept, labels, len(classes), moved), seed)
        blank = Gallery(grown.recipe, planes, grown.panel, grown.members)
        doubt: JSON = {"value": 0.0, "low": 0.0, "high": 0.0}
        if contaminated:
            level = scaled(blank, grown.left_out)
            totals = totals_of(level, grown.left_out)
            doubt = doubted(level.from_nothing(totals), contaminated)
            aside = min(round(doubt["value"] * len(totals)), len(totals) - LEAST_ROWS)
            if aside > 0:
                kept[np.argsort(-totals, kind="stable")[:aside]] = False
                grown = yield from growing(recipe, Seen(stack, fold, kept, labels, len(classes), moved), seed)
        facts = {
            "asked": asked.model_dump(mode="json"),
            "rows_seen": seen,
            "rows_fitted": int(kept.sum()),
            "unread": [[each.name, each.why] for each in shot.unread],
            "seconds": time.perf_counter() - began,
            "losses": grown.losses,
            "columns": planes.describe(),
            "contamination": doubt,
            "examples": 0 if known is None else len(known),
            "folds": len(np.unique(fold)),
            "twins": int(len(groups) - len(np.unique(groups))),
        }
        left_out = grown.left_out
        whole = Gallery(
            grown.recipe, planes, grown.panel, grown.members, classes=classes, shown=shot.shown, facts=facts
        )
        held = Held(scaled(whole, left_out, kept), left_out, shot.names, unread=shot.unread)
        if known is not None:
            held = knowing(held, Seen(stack, fold, kept, labels, len(classes)), known, seed)
    facts["seconds"] = time.perf_counter() - began
    return held


def knowing(held: Held, seen: Seen, known: Defects, seed: int) -> Held:
    """The same with a head that has seen known defects."""
    model = held.whole
    own = [{name: plane[[k]] for name, plane in known.planes.items()} for k in range(len(known))]
    lesson = lesson_of(held, seen, known, seed)
    joined, whole = {**held.left_out, HEAD: lesson.left_out}, replace(model, head=lesson.whole)
    said = [
        (replace(whole, head=head), planes) for head, planes in zip(lesson.apart, own, strict=True) if head is not None
    ]
    heard, odd = pairs_of(whole.parts(each) for _, each in blocks(whole, joined))
    normal = heard[seen.kept], odd[seen.kept]
    head = lesson.whole.weighed(normal, pairs_of(each.parts(each.said(planes)) for each, planes in said))
    whole = scaled(replace(whole, head=head), joined, seen.kept)
    apart = [model if each is None else replace(whole, head=head.but(each)) for each in lesson.apart]
    scores = np.concatenate([each.totals(each.said(planes)) for each, planes in zip(apart, own, strict=True)])
    return replace(held, whole=whole, left_out=joined, known=scores, notes=known.notes)


def lesson_of(held: Held, seen: Seen, known: Defects, seed: int, weights: np.ndarray | None = None) -> Lesson:
    """What known defects teach a gallery, perhaps of these weights `(k,)`."""
    model, left_out = held.whole, held.left_out

    def maps(places: np.ndarray) -> torch.Tensor:
        return model.unaided({name: torch.from_numpy(left_out[name][places]).float() for name in model.members})

    own = ({name: plane[[k]] for name, plane in known.planes.items()} for k in range(len(known)))
    shown = torch.cat([model.unaided(model.said(planes)) for planes in own])
    return taught(model.recipe, seen.stack, seen.fold, seen.kept, maps, known, shown, seed, weights)


def pairs_of(parts: Iterable[tuple[torch.Tensor, torch.Tensor]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Two parts of each picture, one behind the other; nothing of none."""
    found = list(parts)
    none = torch.zeros(0, dtype=torch.float64)
    return torch.cat([none, *(one for one, _ in found)]), torch.cat([none, *(other for _, other in found)])


def told_apart(recipe: Recipe) -> bool:
    """Whether a recipe knows the classes of pictures."""
    return any("label" in getattr(spec, "knows", ()) for spec in recipe.denoisers.values())


def growing(recipe: Recipe, seen: Seen, seed: int) -> Generator[Progress, None, Grown]:
    """`grow_pictured`, its steps as progress."""
    steps = grow_pictured(recipe, seen, seed)
    while True:
        try:
            step = next(steps)
        except StopIteration as done:
            return cast(Grown, done.value)
        yield Progress(step.number, step.of, "train")


def doubted(totals: Scores, contaminated: float | str) -> JSON:
    """The share of anomalies among pictures of these scores: as given, or estimated."""
    if contaminated == "auto":
        return dict(vars(contamination.estimate(totals)))
    share = float(contaminated)
    return {"value": share, "low": share, "high": share}


@dataclass(frozen=True)
class Again:
    """Shows pictures again, turned and shifted as the seed and their place say."""

    how: MovedSpec
    stack: Stack
    seed: int

    def add(self, planes: Planes, picture: Picture) -> None:
        """Put the planes of copies on the stack; a picture with a reference is left as it is."""
        for _ in range(self.how.copies if picture.reference is None else 0):
            draw = np.random.default_rng([self.seed, len(self.stack)])
            turn = float(draw.uniform(-self.how.degrees, self.how.degrees))
            rows, columns = draw.uniform(-self.how.shift, self.how.shift, 2)
            pixels = Move(turn, (float(rows), float(columns)))(picture.pixels)
            self.stack.add(planes.see(replace(picture, pixels=np.clip(pixels, 0, 1))))


@dataclass(frozen=True)
class Shot:
    """What was seen of an album besides its planes."""

    names: list[str]
    unread: list[Unread]
    thumbnails: np.ndarray
    shown: np.ndarray

    def first(self, count: int) -> "Shot":
        """Of so many pictures; those that are shown remain."""
        return replace(self, names=self.names[:count], thumbnails=self.thumbnails[:count])


def shoot(
    planes: Planes, album: Album, stack: Stack, again: Again, seconds: float | None = None
) -> Generator[Progress, None, Shot]:
    """Look at every picture once, or at as many as there is time for: its planes go on the stack, standardised.

    Raises:
        Unreadable: fewer than 5 pictures can be read, or they are all the same.
    """
    began, order = time.perf_counter(), np.arange(len(album))
    if seconds is not None:
        order = np.random.default_rng(0).permutation(len(album))
    names, unread = list[str](), list[Unread]()
    thumbnails, shown = list[np.ndarray](), list[np.ndarray]()
    moments = {name: Moments(shape[0]) for name, shape in planes.seen_.items()}
    first: dict[str, torch.Tensor] = {}
    varies = False
    every = max(1, len(album) // SHOWN)
    for k, place in enumerate(order):
        if seconds is not None and len(names) >= 4 * LEAST_ROWS and time.perf_counter() - began > seconds:
            break
        yield Progress(k, len(order), "look")
        (picture,) = album.pictures(planes.square, int(place), int(place) + 1)
        if isinstance(picture, Unread):
            unread.append(picture)
            continue
        found = planes.see(picture)
        first = first or found
        varies = varies or any(not torch.equal(found[name], first[name]) for name in found)
        for name, plane in found.items():
            moments[name].add(plane)
        stack.add(found)
        again.add(planes, picture)
        names.append(picture.name)
        decoded = planes.image_.decode(planes.image_.encode([picture]).x)
        thumbnails.append(thumbnail(grey(decoded)[0]))
        if k % every == 0 and len(shown) < SHOWN:
            shown.append(small(decoded[0]))
    check(names, unread, varies, planes.paired)
    for name, spec in planes.specs.items():
        if spec.space == "features":
            planes.means_[name], planes.stds_[name] = moments[name].mean, moments[name].std
            for each in (stack, again.stack):
                each.scale(name, moments[name].mean, moments[name].std)
        if spec.directions is not None:
            planes.turn(name, directions(stack, name, planes.shapes_[name]))
            for each in (stack, again.stack):
                each.turn(name, planes.bases_[name])
    return Shot(names, unread, np.stack(thumbnails), np.stack(shown))


def directions(stack: Stack, name: str, shape: tuple[int, int, int]) -> torch.Tensor:
    """A basis of a plane `(C, d)`: the leading directions, or random ones where there is too little to find them by.

    Leading directions of few pictures are those of these pictures, along which others vary less.
    """
    wanted, rows, columns = shape
    some = np.linspace(0, len(stack) - 1, min(len(stack), DIRECTED)).astype(int)
    cells = rows * columns * len(some)
    if cells >= CLEAR * wanted:
        return leading((x for _, x in stack.batches(name, some)), wanted)
    count, channels = min(wanted, max(LEAST_ROWS, cells // ROOM)), stack.shapes[name][0]
    drawn = torch.randn(channels, count, generator=torch.Generator().manual_seed(0))
    return torch.linalg.qr(drawn).Q if count <= channels else torch.eye(channels)


def check(names: Sequence[str], unread: Sequence[Unread], varies: bool, paired: bool = False) -> None:
    """Refuse too few pictures, and ever the same one, or of pairs ever the same difference."""
    if len(names) < LEAST_ROWS:
        odd = f"; {len(unread)} could not be read, such as {unread[0]}" if unread else ""
        have = "1 picture is" if len(names) == 1 else f"{len(names)} pictures are"
        raise Unreadable(f"{have} too few to learn what is normal; give at least {LEAST_ROWS}, better 100{odd}.")
    if not varies and paired:
        raise Unreadable(
            f"all {len(names)} pictures differ alike from their references, or not at all; give pairs that differ as "
            "two photos of a good part do, or make them with anodiff.data.jitter.jittered."
        )
    if not varies:
        raise Unreadable(f"all {len(names)} pictures are the same; give different pictures of normal parts.")


def small(pixels: np.ndarray) -> np.ndarray:
    """A picture `(S, S[, 3])` uint8 at the side of those that are shown."""
    return np.asarray(Pillow.fromarray(pixels).resize((SIDE, SIDE), Pillow.Resampling.BILINEAR))


def batched(pictures: Iterable[Picture | Unread], size: int = AT_ONCE) -> Iterator[list[Picture | Unread]]:
    """A few at a time."""
    stream = iter(pictures)
    while held := list(islice(stream, size)):
        yield held
