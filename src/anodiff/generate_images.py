"""The generator of pictures: normal ones in, anomalies painted into them out, each with its region and a verdict.

A small network learns to paint what is hidden of a crop of normal pictures, on one core in minutes. Regions of any
normal picture are then painted anew, pushed away from normal until they are as odd as was ordered; all other pixels
stay as they were.
"""

import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from sklearn.base import BaseEstimator, clone
from torch import Tensor

from anodiff.anomalies.fill import Fill
from anodiff.anomalies.image_kinds import IMAGE_KINDS
from anodiff.anomalies.places import IMAGE_PLACES, image_place
from anodiff.anomalies.strength import FARTHEST, farthest_of
from anodiff.data.pictures import album, normal_part
from anodiff.diffusion.infilling import Infilling
from anodiff.made import NORMAL, Made, Order, one_of_these
from anodiff.modalities.image import Image
from anodiff.recipes.brush import Painted, painted, sketched, unlikely
from anodiff.recipes.glance import within
from anodiff.recipes.grow import Progress
from anodiff.recipes.normals import glanced
from anodiff.recipes.originals import Originals, drawn_masks, framed_masks, originals, together
from anodiff.recipes.painted import Studio, learn
from anodiff.recipes.schema import bibtex
from anodiff.types import JSON, Mask, Misfit, Unreadable

UNLIKELY = "unlikely"
AUTO, GIVEN = "auto", "given"
FEWEST, MOST = 8, 600
"""Pictures of fit, at least, and that are learnt from."""
KEPT, LARGEST = 24, 512 * 512
"""Normal pictures that are kept to make anomalies on, and pixels of one at most: larger ones are kept in the frame."""
BEYOND = 1.25
"""How far beyond the oddest held-out normal picture strength 1 is at most: a tail of few pictures knows no better."""
CITE = ("lugmayr2022repaint", "meng2022sdedit", "karras2022edm")


class ImageGenerator(BaseEstimator):
    """Makes anomalies in pictures; see `anodiff.generate.Generator`, whose settings these are.

    Settings by name: those of `recipes.painted.Studio`, how the painter is trained.

    Attributes:
        kinds_: Kinds of anomalies by name.
        places_: Kinds of places by name.
    """

    def __init__(
        self,
        modality: Any = "image",
        *,
        reach: float | str = "auto",
        p_value: float = 0.01,
        space: str = "data",
        detector: Any = None,
        settings: dict[str, Any] | None = None,
        max_seconds: float | None = None,
        seed: int = 0,
    ) -> None:
        self.modality = modality
        self.reach = reach
        self.p_value = p_value
        self.space = space
        self.detector = detector
        self.settings = settings
        self.max_seconds = max_seconds
        self.seed = seed

    def fitting(self, X: Any, *, examples: Any = None, regions: Any = None, kinds: Any = None) -> Iterator[Progress]:
        """Learn normal pictures X, and known anomalies; yields progress.

        Raises:
            Unreadable: fewer than 8 pictures can be read.
            Misfit: a setting is out of range.
        """
        began = time.perf_counter()
        studio = self._studio()
        source = normal_part(X)[0] if isinstance(X, str | Path) else X
        pictures = album(source)
        order = np.random.default_rng(self.seed).permutation(len(pictures))[:MOST]
        self.image_ = self._image().fit(pictures)
        found = originals(pictures.part(np.sort(order)), self.image_)
        if len(found) < FEWEST:
            raise Unreadable(f"{len(found)} pictures are too few to make others from; give at least {FEWEST}.")
        x = list(found.x.numpy())
        self.glance_, self.normals_ = yield from glanced(x, self.seed)
        left = None if self.max_seconds is None else max(1.0, self.max_seconds - (time.perf_counter() - began))
        steps = learn(studio, x, self.seed, left)
        while True:
            try:
                step = next(steps)
            except StopIteration as done:
                self.painter_: Infilling = done.value
                break
            yield Progress(step.number, step.of, "train")
        self.studio_ = studio
        self.kept_ = self._kept(found)
        self.farthest_ = self._farthest()
        self.facts_: JSON = {"pictures": len(found), "seconds": time.perf_counter() - began}

    def sample(self, order: Order) -> Made:
        """Make what was ordered.

        Raises:
            Misfit: something is ordered that cannot be made; the sentence names the choices.
            Unreadable: the pictures to make it on, or the masks, cannot be read.
        """
        began = time.perf_counter()
        kinds = self._kinds(order)
        on = self.kept_ if order.on is None else originals(album(order.on), self.image_, order.n)
        source = np.arange(order.n) % len(on)
        if order.on is None:
            source = np.random.default_rng(order.seed).permutation(len(on))[source]
        before = on.part(source.tolist())
        region, places, drawn = self._regions(order, kinds, before)
        laid = before.regions(self.image_, region) if drawn is None else drawn
        strength = torch.from_numpy(np.where([kind == NORMAL for kind in kinds], 0.0, order.strength))
        done = self._painted(before.x, region, kinds, strength, order.seed)
        after = before.painted(self.image_, done.x, laid)
        normal = np.array([kind == NORMAL for kind in kinds])
        shown = [np.zeros_like(one) if fine else one for one, fine in zip(laid, normal, strict=True)]
        made = Made(
            together(after),
            together(shown),
            together(before.pixels),
            kinds,
            places,
            strength.numpy(),
            done.amount.numpy(),
            done.score.numpy(),
            source,
        )
        made.facts.update(nfe=done.nfe, seconds=time.perf_counter() - began)
        return made

    @property
    def kinds_(self) -> list[str]:
        """Kinds of anomalies by name."""
        return [*IMAGE_KINDS, UNLIKELY]

    @property
    def places_(self) -> list[str]:
        """Kinds of places by name."""
        return [*IMAGE_PLACES]

    def references(self) -> str:
        """The works behind it, as BibTeX."""
        return bibtex(CITE)

    def _studio(self) -> Studio:
        given = dict(self.settings or {})
        names = [each.name for each in fields(Studio)]
        for name in given:
            if name not in names:
                raise Misfit(f"there is no setting {name!r} of pictures; choose from {', '.join(names)}.")
        return Studio(**given)

    def _image(self) -> Image:
        if isinstance(self.modality, Image):
            return cast(Image, clone(self.modality))
        inner = getattr(self.modality, "image", None)
        return cast(Image, clone(inner)) if isinstance(inner, Image) else Image()

    def _kept(self, found: Originals) -> Originals:
        order = np.random.default_rng(self.seed + 1).permutation(len(found))[:KEPT]
        kept = found.part(np.sort(order).tolist())
        small = self.image_.decode(kept.x)
        pixels = [
            one if one.shape[0] * one.shape[1] <= LARGEST else s for one, s in zip(kept.pixels, small, strict=True)
        ]
        return Originals(kept.names, pixels, kept.x)

    def _farthest(self) -> float:
        p_value, normals = FARTHEST if isinstance(self.reach, str) else float(self.reach), self.normals_.worst
        return min(farthest_of(normals, p_value), BEYOND * float(normals.max()))

    def _kinds(self, order: Order) -> list[str]:
        """The kind of each item."""
        if order.kind == AUTO:
            return [self.kinds_[i % len(self.kinds_)] for i in range(order.n)]
        return [one_of_these("kind", order.kind, [*self.kinds_, AUTO, NORMAL], "images")] * order.n

    def _regions(
        self, order: Order, kinds: list[str], before: Originals
    ) -> tuple[Mask, list[str], list[np.ndarray] | None]:
        """Regions in the frame `(n, S, S)`, the place of each, and as they were given, where they were."""
        side, generator = int(self.image_.size), torch.Generator().manual_seed(order.seed)
        where = order.where
        if not isinstance(where, str) or (where not in (*self.places_, AUTO) and Path(where).exists()):
            drawn = drawn_masks(where, before)
            return framed_masks(drawn, self.image_.square), [GIVEN] * order.n, drawn
        where = one_of_these("where", where, [AUTO, *self.places_], "images")
        found, names = [], []
        for kind in kinds:
            place, name = self._place(where, kind, order.size)
            region = place((1, side, side), generator)
            if kind in IMAGE_KINDS:
                region = IMAGE_KINDS[kind].within(region, generator)
            found.append(region)
            names.append(name)
        return torch.cat(found), names, None

    def _place(self, where: str, kind: str, size: tuple[float, float] | None) -> tuple[Any, str]:
        """What draws a region, and its name."""
        if where != AUTO:
            return image_place(where, size), where
        if kind not in IMAGE_KINDS:
            return image_place("blob", size), "blob"
        own = IMAGE_KINDS[kind].place
        name = next(name for name, place in IMAGE_PLACES.items() if type(own) is place)
        return own if size is None else image_place(name, size), name

    def _painted(self, x: Tensor, region: Mask, kinds: list[str], strength: Tensor, seed: int) -> Painted:
        """All items, kind by kind."""
        whole = Painted.blank(x)
        for number, kind in enumerate(dict.fromkeys(kinds)):
            at = [i for i, each in enumerate(kinds) if each == kind]
            crop, own = self.studio_.crop, seed * 1_000_003 + number * 10_007
            way = self._fill(kind)
            whole.put(at, painted(x[at], region[at], way, self._odd, strength[at], self.farthest_, crop, own))
        return whole

    def _fill(self, kind: str) -> tuple[Fill, float]:
        if kind in IMAGE_KINDS:
            return sketched(self.painter_, IMAGE_KINDS[kind].sketch, IMAGE_KINDS[kind].level)
        return unlikely(self.painter_)

    def _odd(self, x: Tensor, region: Mask) -> Tensor:
        return within(self.glance_(x), region)
