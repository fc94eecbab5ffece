"""The generator of pictures: normal ones in, anomalies painted into them out, each with its region and a verdict.

A small network learns to paint what is hidden of a crop of normal pictures, on one core in minutes. Regions of any
normal picture are then painted anew, pushed away from normal until they are as odd as was ordered; all other pixels
stay as they were.
"""

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import torch
from sklearn.base import clone

from anodiff.alarms.tail import FEWEST_NORMALS
from anodiff.anomalies.fewshot import Examples, Labelled, Redrawn
from anodiff.anomalies.image_kinds import IMAGE_KINDS
from anodiff.anomalies.places import IMAGE_PLACES
from anodiff.anomalies.strength import FARTHEST, farthest_of
from anodiff.data.pictures import Picture, album, normal_part
from anodiff.detect_images import ImageDetector
from anodiff.diffusion.infilling import Infilling
from anodiff.made import NORMAL, Judgement, Made, Order
from anodiff.modalities.image import Image
from anodiff.nets.lowrank import learnt, relearn
from anodiff.nets.vae import vae
from anodiff.recipes.grow import Progress
from anodiff.recipes.schema import bibtex
from anodiff.settings import GeneratorSettings
from anodiff.types import JSON, BadModel, Mask, Misfit, Refusal, Unreadable
from anodiff.workshop.pictures.afresh import afresh
from anodiff.workshop.pictures.assessed import assessed
from anodiff.workshop.pictures.brush import Odd, Painted, Way, likened, painted, sketched, unlikely
from anodiff.workshop.pictures.coded import Code
from anodiff.workshop.pictures.featured import made_of_features
from anodiff.workshop.pictures.glance import Glance, within
from anodiff.workshop.pictures.known_pictures import as_arrays, from_arrays, known_pictures
from anodiff.workshop.pictures.normals import Normals, glanced
from anodiff.workshop.pictures.originals import Originals, originals, together
from anodiff.workshop.pictures.painted import Studio, acquainted, learn, meet, painter, steps, studio_of
from anodiff.workshop.pictures.placed import AUTO, EXAMPLES, UNLIKELY, kinds_ordered, regions_ordered

FEWEST, MOST = 8, 600
"""Pictures of fit, at least, and that are learnt from."""
KEPT, LARGEST = 24, 512 * 512
"""Normal pictures that are kept to make anomalies on, and pixels of one at most: larger ones are kept in the frame."""
BEYOND = 1 / 16
"""How far beyond the oddest held-out normal picture strength 1 is at most, of its score, for each decade of the
p-value: a tail of few pictures knows no better. A quarter for 1 in 10,000."""
REDRAWN = 0.15
"""The level from which an example that is drawn elsewhere is painted over."""
CITE = ("karras2022edm", "meng2022sdedit", "defard2021padim")
CITE_FEW = ("hu2024anomalydiffusion", "hu2022lora")


class ImageGenerator(GeneratorSettings):
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
    code_: Code | None
    facts_: JSON

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
        code = self._code(studio, examples)
        if self.space == "features":
            made = painter(studio, x[0].shape[0], 0.0, 1.0, self.seed)
        else:
            shown, own = (x, studio) if code is None else code.shown(x, studio)
            made = yield from steps("train", learn(own, shown, self.seed, left))
        friend = None
        if known is not None and studio.fewshot == "adapt":
            friend = yield from steps("examples", meet(studio, made, known, self.seed))
        self.code_ = code
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
        if order.kind == NORMAL and order.on is None and self.space == "data":
            parts = self.painter_, self.studio_.crop, self.kept_, self.image_, self.glance_, self.normals_
            return afresh(*parts, order, self.p_value)
        kinds, chosen = kinds_ordered(order, self.kinds_, self.examples_)
        on = self.kept_ if order.on is None else originals(album(order.on), self.image_, order.n)
        source = np.arange(order.n) % len(on)
        if order.on is None:
            source = np.random.default_rng(order.seed).permutation(len(on))[source]
        before = on.part(source.tolist())
        normal = np.array([kind == NORMAL for kind in kinds])
        region, places, laid = regions_ordered(order, kinds, chosen, before, self.image_, self.places_, self.examples_)
        if self.space == "features":
            far = self._farthest(UNLIKELY)
            return made_of_features(self.glance_, before.x, region, order, far, kinds, places, source)
        strength = torch.from_numpy(np.where(normal, 0.0, order.strength))
        done = self._painted(before.x, region, kinds, chosen, strength, order)
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
        """Kinds of anomalies by name; of codes and of features there are no sketches."""
        if self.space != "data":
            return [UNLIKELY]
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
            channels = int(arrays["painter.net.leave.bias"].shape[0]) // 16
            made.painter_ = painter(made.studio_, channels, 0.0, 1.0, 0)
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
            made.code_ = None if made.studio_.vae is None else Code(vae(made.studio_.vae))
            made.facts_ = dict(config["facts"])
        except Refusal:
            raise
        except (LookupError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            raise BadModel(f"the generator of pictures is damaged ({error}); save it again.") from None
        return made

    def _code(self, studio: Studio, examples: Any) -> Code | None:
        """The autoencoder of latent space."""
        if self.space != "data" and examples is not None:
            raise Misfit(f"known anomalies are learnt in space='data'; this is {self.space!r}: leave examples out.")
        if self.space != "latent":
            return None
        if studio.vae is None:
            raise Misfit("space='latent' needs an autoencoder; give settings={'vae': a folder or a name of the hub}.")
        return Code(vae(studio.vae))

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

    def _painted(
        self, x: torch.Tensor, region: Mask, kinds: list[str], chosen: list[int], strength: torch.Tensor, order: Order
    ) -> Painted:
        """All items, kind by kind."""
        whole, odd, crop = Painted.blank(x), self._odd(), self.studio_.crop
        for number, kind in enumerate(dict.fromkeys(kinds)):
            at = [i for i, each in enumerate(kinds) if each == kind]
            like = [chosen[i] for i in at]

            def ways(batch: list[int], kind: str = kind, like: list[int] = like) -> Way:
                return self._way(kind, [like[i] for i in batch], order.like is None)

            own = order.seed * 1_000_003 + number * 10_007
            whole.put(at, painted(x[at], region[at], ways, odd, strength[at], self._farthest(kind), crop, own))
        return whole

    def _way(self, kind: str, like: list[int], any_: bool) -> Way:
        """What makes items of a kind, like these examples or like any of their kind."""
        if self.examples_ is not None and kind in self.known_:
            if self.friend_ is not None and any_:
                label = torch.tensor([1 + self.known_.index(kind)])
                return likened(self.painter_, Labelled(self.friend_, label))
            return sketched(self.painter_, Redrawn(self.examples_, like), REDRAWN)
        if kind in IMAGE_KINDS:
            return sketched(self.painter_, IMAGE_KINDS[kind].sketch, IMAGE_KINDS[kind].level)
        return unlikely(self.painter_, self.code_)

    def _odd(self) -> Odd:
        """What says how odd a picture is in its region: the user's detector, or a glance."""
        return self._asked if self.detector is not None else lambda x, region: within(self.glance_(x), region)

    def _asked(self, x: torch.Tensor, region: Mask) -> torch.Tensor:
        """How odd a detector finds pictures in their regions."""
        inner = getattr(self.detector, "inner_", self.detector)
        if not isinstance(inner, ImageDetector):
            raise Misfit(f"the detector is a {type(inner).__name__}; give one that was fitted on pictures, or none.")
        model = inner.model_
        shown = album(self.image_.decode(x)).pictures(model.modality.square)
        pictures = [each for each in shown if isinstance(each, Picture)]
        return within(model.canvas(model.raw(pictures)), region)

    def _farthest(self, kind: str) -> float:
        """How odd strength 1 is: as examples of the kind are, and no less than normals rarely are in such regions."""
        known, odd = self.examples_, self._odd()
        if known is not None and self.reach in (AUTO, EXAMPLES):
            alike = known.of(kind) or list(range(len(known)))
            median = float(odd(known.x[alike], known.region[alike]).median())
            if self.detector is not None:
                return median
            return max(median, float(np.quantile(self.normals_.odd(known.region[alike]), 1 - self.p_value)))
        normals = self.normals_.worst
        if self.detector is not None:
            normals = np.asarray(odd(self.kept_.x, torch.ones_like(self.kept_.x[:, 0], dtype=torch.bool)).double())
            normals = np.resize(normals, max(len(normals), FEWEST_NORMALS))
        p_value = FARTHEST if isinstance(self.reach, str) else float(self.reach)
        return min(farthest_of(normals, p_value), (1 + BEYOND * -math.log10(p_value)) * float(normals.max()))
