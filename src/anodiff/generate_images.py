"""The generator of pictures: normal ones in, anomalies painted into them out, each with its region and a verdict.

A small network learns to paint what is hidden of a crop of normal pictures, on one core in minutes. Regions of any
normal picture are then painted anew, pushed away from normal until they are as odd as was ordered; all other pixels
stay as they were.
"""

import time
from collections.abc import Generator, Iterator, Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, Self, TypeVar, cast

import numpy as np
import torch
from sklearn.base import BaseEstimator, clone

from anodiff.alarms.tail import FEWEST_NORMALS
from anodiff.anomalies.fewshot import Examples, Labelled, Redrawn
from anodiff.anomalies.image_kinds import IMAGE_KINDS
from anodiff.anomalies.places import IMAGE_PLACES
from anodiff.anomalies.strength import FARTHEST, farthest_of
from anodiff.data.pictures import album, normal_part
from anodiff.detect_images import ImageDetector
from anodiff.diffusion.infilling import Infilling
from anodiff.made import NORMAL, Judgement, Made, Order, one_of_these
from anodiff.modalities.image import Image
from anodiff.nets.lowrank import learnt, relearn
from anodiff.recipes.assessed import assessed
from anodiff.recipes.brush import STEPS, Odd, Painted, Way, begun, likened, painted, sketched, unlikely
from anodiff.recipes.glance import Glance, within, worst
from anodiff.recipes.grow import Progress
from anodiff.recipes.known_pictures import as_arrays, from_arrays, known_pictures
from anodiff.recipes.normals import Normals, glanced
from anodiff.recipes.originals import Originals, drawn_masks, framed_masks, originals, together
from anodiff.recipes.painted import Studio, acquainted, learn, meet, painter
from anodiff.recipes.placed import AUTO, EXAMPLES, placed
from anodiff.recipes.schema import bibtex
from anodiff.training import Step
from anodiff.types import JSON, BadModel, Mask, Misfit, Refusal, Unreadable

T = TypeVar("T")
UNLIKELY, GIVEN = "unlikely", "given"
FEWEST, MOST = 8, 600
"""Pictures of fit, at least, and that are learnt from."""
KEPT, LARGEST = 24, 512 * 512
"""Normal pictures that are kept to make anomalies on, and pixels of one at most: larger ones are kept in the frame."""
BEYOND = 1.25
"""How far beyond the oddest held-out normal picture strength 1 is at most: a tail of few pictures knows no better."""
REDRAWN = 0.3
"""The level from which an example that is drawn elsewhere is painted over."""
CITE = ("karras2022edm", "meng2022sdedit", "defard2021padim")
CITE_FEW = ("hu2024anomalydiffusion", "hu2022lora")


class ImageGenerator(BaseEstimator):
    """Makes anomalies in pictures; see `anodiff.generate.Generator`, whose settings these are.

    Settings by name: those of `recipes.painted.Studio`, how the painter is trained.

    Attributes:
        kinds_: Kinds of anomalies by name, those of the examples first.
        known_: The kinds of the examples.
        places_: Kinds of places by name.
        facts_: What is known of the fit, JSON.
    """

    image_: Image
    studio_: Studio
    glance_: Glance
    normals_: Normals
    kept_: Originals
    painter_: Infilling
    examples_: Examples | None
    friend_: Infilling | None
    facts_: JSON

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
            Unreadable: fewer than 8 pictures can be read, or none of the examples.
            Misfit: a setting is out of range, an example is among X, or a mask is not that of its picture.
        """
        began = time.perf_counter()
        studio = studio_of(self.settings)
        if self.reach == "examples" and examples is None:
            raise Misfit("reach is 'examples', and there are none; give examples=, or a p-value such as 0.0001.")
        pictures = album(normal_part(X)[0] if isinstance(X, str | Path) else X)
        order = np.random.default_rng(self.seed).permutation(len(pictures))[:MOST]
        image = self._image().fit(pictures)
        found = originals(pictures.part(np.sort(order)), image)
        if len(found) < FEWEST:
            raise Unreadable(f"{len(found)} pictures are too few to make others from; give at least {FEWEST}.")
        x = list(found.x.numpy())
        glance, normals = yield from glanced(x, self.seed)
        known = None if examples is None else known_pictures(examples, regions, kinds, image, glance, found)
        left = None if self.max_seconds is None else max(1.0, self.max_seconds - (time.perf_counter() - began))
        made = yield from steps("train", learn(studio, x, self.seed, left))
        friend = None
        if known is not None and studio.fewshot == "adapt":
            friend = yield from steps("examples", meet(studio, made, known, self.seed))
        self.image_, self.studio_, self.glance_, self.normals_ = image, studio, glance, normals
        self.painter_, self.examples_, self.friend_, self.kept_ = made, known, friend, self._kept(found)
        self.facts_ = {"pictures": len(found), "seconds": time.perf_counter() - began}

    def sample(self, order: Order) -> Made:
        """Make what was ordered.

        Raises:
            Misfit: something is ordered that cannot be made; the sentence names the choices.
            Unreadable: the pictures to make it on, or the masks, cannot be read.
        """
        began = time.perf_counter()
        if order.kind == NORMAL and order.on is None:
            return self._begun(order)
        kinds, chosen = self._kinds(order)
        on = self.kept_ if order.on is None else originals(album(order.on), self.image_, order.n)
        source = np.arange(order.n) % len(on)
        if order.on is None:
            source = np.random.default_rng(order.seed).permutation(len(on))[source]
        before = on.part(source.tolist())
        normal = np.array([kind == NORMAL for kind in kinds])
        region, places, laid = self._regions(order, kinds, chosen, before)
        strength = torch.from_numpy(np.where(normal, 0.0, order.strength))
        done = self._painted(before.x, region, kinds, chosen, strength, order.seed)
        after = before.painted(self.image_, done.x, laid)
        verdicts: list[Judgement] = []
        facts: JSON = {"nfe": done.nfe}
        if order.judged:
            verdicts, told = assessed(self.glance_, self.normals_, self.examples_, before, after, laid, done, region,
                                      normal, self.p_value)  # fmt: skip
            facts.update(told)
        return Made(
            together(after),
            together([np.zeros_like(one) if fine else one for one, fine in zip(laid, normal, strict=True)]),
            together(before.pixels),
            kinds,
            places,
            strength.numpy(),
            done.amount.numpy(),
            done.score.numpy(),
            source,
            verdicts,
            {**facts, "seconds": time.perf_counter() - began},
        )

    @property
    def kinds_(self) -> list[str]:
        """Kinds of anomalies by name."""
        return list(dict.fromkeys([*self.known_, *IMAGE_KINDS, UNLIKELY]))

    @property
    def known_(self) -> list[str]:
        """Those of them that are kinds of the examples."""
        return [] if self.examples_ is None else self.examples_.names

    @property
    def places_(self) -> list[str]:
        """Kinds of places by name."""
        return [*IMAGE_PLACES, *([] if self.examples_ is None else [EXAMPLES])]

    def references(self) -> str:
        """The works behind it, as BibTeX."""
        return bibtex(CITE + (CITE_FEW if self.examples_ is not None else ()))

    def config(self) -> JSON:
        """What was set and learnt, as JSON."""
        known = None if self.examples_ is None else self.examples_.kinds
        return {
            "image": self.image_.config(),
            "studio": asdict(self.studio_),
            "glance": self.glance_.config(),
            "kinds": known,
            "adapted": self.friend_ is not None,
            "kept": self.kept_.names,
            "facts": self.facts_,
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """The weights, what held-out normals are like, the examples, and normal pictures in 8 bits."""
        found = {f"painter.{name}": value.numpy() for name, value in self.painter_.state_dict().items()}
        found |= {f"glance.{name}": value for name, value in self.glance_.arrays().items()}
        found |= {f"normals.{name}": value for name, value in self.normals_.arrays().items()}
        found |= {f"kept.{k}": pixels for k, pixels in enumerate(self.kept_.pixels)}
        if self.examples_ is not None:
            found |= {f"examples.{name}": value for name, value in as_arrays(self.examples_).items()}
        if self.friend_ is not None:
            found |= {f"friend.{name}": value.numpy() for name, value in learnt(self.friend_).items()}
        return found

    @classmethod
    def restore(cls, config: JSON, arrays: Mapping[str, np.ndarray]) -> Self:
        """The generator that these are of.

        Raises:
            BadModel: they are of none.
        """

        def group(name: str) -> dict[str, np.ndarray]:
            return {key.split(".", 1)[1]: value for key, value in arrays.items() if key.startswith(f"{name}.")}

        def tensors(name: str) -> dict[str, torch.Tensor]:
            return {key: torch.from_numpy(np.array(value)) for key, value in group(name).items()}

        made = cls()
        try:
            made.image_ = Image.restore(config["image"], {})
            made.studio_ = Studio(**config["studio"])
            made.glance_ = Glance.restore(config["glance"], group("glance"))
            made.normals_ = Normals.restore(group("normals"))
            made.painter_ = painter(made.studio_, int(made.image_.channels_), 0.0, 1.0, 0)
            made.painter_.load_state_dict(tensors("painter"))
            made.painter_.eval()
            kept = [np.array(arrays[f"kept.{k}"]) for k in range(len(config["kept"]))]
            made.kept_ = Originals(list(config["kept"]), kept, made.image_.encode(kept).x)
            made.examples_ = (
                None if config["kinds"] is None else from_arrays(**group("examples"), kinds=config["kinds"])
            )
            made.friend_ = None
            if config["adapted"] and made.examples_ is not None:
                made.friend_ = acquainted(made.painter_, len(made.examples_.names), made.studio_.rank, 0).eval()
                relearn(made.friend_, tensors("friend"))
            made.facts_ = dict(config["facts"])
        except Refusal:
            raise
        except (LookupError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            raise BadModel(f"the generator of pictures is damaged ({error}); save it again.") from None
        return made

    def _begun(self, order: Order) -> Made:
        """Normal pictures, begun from nothing."""
        began, side = time.perf_counter(), int(self.image_.size)
        x = begun(self.painter_, (order.n, int(self.image_.channels_), side, side), order.seed)
        after = [*self.image_.decode(x)]
        blank, nowhere = torch.zeros(order.n, side, side, dtype=torch.bool), [np.zeros((side, side), bool)] * order.n
        score = torch.from_numpy(worst(self.glance_(x)))
        done = Painted(x, torch.zeros(order.n).double(), score, score, (STEPS + 1) * order.n)
        verdicts: list[Judgement] = []
        facts: JSON = {"nfe": done.nfe}
        normal = np.ones(order.n, bool)
        if order.judged:
            verdicts, told = assessed(self.glance_, self.normals_, None, None, after, nowhere, done, blank, normal,
                                      self.p_value)  # fmt: skip
            facts.update(told)
        zero = np.zeros(order.n)
        names, none = [NORMAL] * order.n, np.full(order.n, -1)
        facts["seconds"] = time.perf_counter() - began
        found = together(after), together(nowhere), None
        return Made(*found, names, names, zero, zero, score.numpy(), none, verdicts, facts)

    def _image(self) -> Image:
        if isinstance(self.modality, Image):
            return cast(Image, clone(self.modality))
        inner = getattr(self.modality, "image", None)
        return cast(Image, clone(inner)) if isinstance(inner, Image) else Image()

    def _kept(self, found: Originals) -> Originals:
        order = np.random.default_rng(self.seed + 1).permutation(len(found))[:KEPT]
        kept = found.part(np.sort(order).tolist())
        small = [*(((kept.x + 1) * 127.5).round().byte().movedim(1, 3).numpy())]
        own = [p if p.shape[0] * p.shape[1] <= LARGEST else s.reshape(*s.shape[:2], *p.shape[2:])
               for p, s in zip(kept.pixels, small, strict=True)]  # fmt: skip
        return replace(kept, pixels=own)

    def _kinds(self, order: Order) -> tuple[list[str], list[int]]:
        """The kind of each item, and which example each is to resemble, -1 for none."""
        known = self.examples_
        if order.like is not None:
            if known is None or order.like >= len(known):
                count = 0 if known is None else len(known)
                raise Misfit(f"like is {order.like}; there are {count} examples to resemble, counted from 0.")
            return [known.kinds[order.like]] * order.n, [order.like] * order.n
        general = [*dict.fromkeys([*self.known_, *([] if self.known_ else [*IMAGE_KINDS, UNLIKELY])])]
        if order.kind == AUTO:
            kinds = [general[i % len(general)] for i in range(order.n)]
        else:
            kinds = [one_of_these("kind", order.kind, [*self.kinds_, AUTO, NORMAL], "images")] * order.n
        draw = np.random.default_rng(order.seed)
        groups = [known.of(kind) if known is not None else [] for kind in kinds]
        return kinds, [int(draw.choice(group)) if group else -1 for group in groups]

    def _regions(
        self, order: Order, kinds: list[str], chosen: list[int], before: Originals
    ) -> tuple[Mask, list[str], list[np.ndarray]]:
        """Regions in the frame `(n, S, S)`, the place of each, and on the pictures at their own size."""
        where, side = order.where, int(self.image_.size)
        if not isinstance(where, str) or (where not in (*self.places_, AUTO) and Path(where).exists()):
            drawn = drawn_masks(where, before)
            return framed_masks(drawn, self.image_.square), [GIVEN] * order.n, drawn
        where = one_of_these("where", where, [AUTO, *self.places_], "images")
        region, names = placed(kinds, chosen, where, order.size, side, self.examples_, order.seed)
        return region, names, before.regions(self.image_, region)

    def _painted(
        self, x: torch.Tensor, region: Mask, kinds: list[str], chosen: list[int], strength: torch.Tensor, seed: int
    ) -> Painted:
        """All items, kind by kind."""
        whole, odd, crop = Painted.blank(x), self._odd(), self.studio_.crop
        for number, kind in enumerate(dict.fromkeys(kinds)):
            at = [i for i, each in enumerate(kinds) if each == kind]
            like = [chosen[i] for i in at]

            def ways(batch: list[int], kind: str = kind, like: list[int] = like) -> Way:
                return self._way(kind, [like[i] for i in batch])

            own = seed * 1_000_003 + number * 10_007
            whole.put(at, painted(x[at], region[at], ways, odd, strength[at], self._farthest(kind), crop, own))
        return whole

    def _way(self, kind: str, like: list[int]) -> Way:
        """What makes items of a kind, like these examples."""
        if self.examples_ is not None and kind in self.known_:
            if self.friend_ is not None:
                label = torch.tensor([1 + self.known_.index(kind)])
                return likened(self.painter_, Labelled(self.friend_, label))
            return sketched(self.painter_, Redrawn(self.examples_, like), REDRAWN)
        if kind in IMAGE_KINDS:
            return sketched(self.painter_, IMAGE_KINDS[kind].sketch, IMAGE_KINDS[kind].level)
        return unlikely(self.painter_)

    def _odd(self) -> Odd:
        """What says how odd a picture is in its region: the user's detector, or a glance."""
        return self._asked if self.detector is not None else lambda x, region: within(self.glance_(x), region)

    def _asked(self, x: torch.Tensor, region: Mask) -> torch.Tensor:
        """How odd a detector finds pictures in their regions."""
        inner = getattr(self.detector, "inner_", self.detector)
        if not isinstance(inner, ImageDetector):
            raise Misfit(f"the detector is a {type(inner).__name__}; give one that was fitted on pictures, or none.")
        maps = np.stack([*inner.anomaly_map(self.image_.decode(x))])
        return within(torch.from_numpy(maps), region)

    def _farthest(self, kind: str) -> float:
        """How odd strength 1 is."""
        known, odd = self.examples_, self._odd()
        if known is not None and self.reach in (AUTO, EXAMPLES):
            alike = known.of(kind) or list(range(len(known)))
            return float(odd(known.x[alike], known.region[alike]).median())
        normals = self.normals_.worst
        if self.detector is not None:
            normals = np.asarray(odd(self.kept_.x, torch.ones_like(self.kept_.x[:, 0], dtype=torch.bool)).double())
            normals = np.resize(normals, max(len(normals), FEWEST_NORMALS))
        p_value = FARTHEST if isinstance(self.reach, str) else float(self.reach)
        return min(farthest_of(normals, p_value), BEYOND * float(normals.max()))


def studio_of(settings: Mapping[str, Any] | None) -> Studio:
    """How the painter is made, as the settings say.

    Raises:
        Misfit: there is no such setting, or it is out of range.
    """
    names = [each.name for each in fields(Studio)]
    for name in settings or {}:
        if name not in names:
            raise Misfit(f"there is no setting {name!r} of a generator of images; choose from {', '.join(names)}.")
    return Studio(**dict(settings or {}))


def steps(stage: str, training: Generator[Step, None, T]) -> Generator[Progress, None, T]:
    """Steps of training as progress."""
    while True:
        try:
            step = next(training)
        except StopIteration as done:
            return cast(T, done.value)
        yield Progress(step.number, step.of, stage)
