"""Pictures as planes: what they are judged by, several side by side, from one look of the backbone.

Features lie on a grid of one cell per `stride` pixels, pixels on the grid of the picture, a latent code on its own. Of
a pair a plane may be what differs from the reference, see `against`.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
import torch
from sklearn.base import BaseEstimator, clone
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from anodiff.data.albums import Album, Picture
from anodiff.data.frames import Frame
from anodiff.data.stack import along
from anodiff.modalities.against import departures, moved_onto
from anodiff.modalities.features import Features
from anodiff.modalities.grids import cells_of, on_one_grid, spreads
from anodiff.modalities.image import Image
from anodiff.nets.backbones import EMBEDDED, Layer, backbone, fingerprint, restored
from anodiff.nets.efficientnet import LAYERS
from anodiff.nets.vae import vae
from anodiff.types import JSON, BadModel, Misfit, Refusal, Unreadable

if TYPE_CHECKING:
    from anodiff.recipes.specs import PlaneSpec

Shape = tuple[int, int, int]
WHOLLY = 0.999
"""Of a cell, that the reference shows; other cells differ by nothing."""
PAIRS = "give (reference, tested) for each, or folders through anodiff.data.pairs.pairs"
ALONE = "and this model judges pictures alone; give the tested pictures, or fit a recipe of pairs such as image-pair"


class Planes(BaseEstimator):
    """Pictures as the planes that a recipe asks for.

    Args:
        image: How pictures are read, an `Image`; or `Features` around one, for their backbone and layers.
        specs: The planes by name.
    """

    kind = "image"

    def __init__(self, image: Image | Features, specs: "Mapping[str, PlaneSpec]") -> None:
        self.image = image
        self.specs = specs

    def fit(self, album: Album) -> Self:
        """Learn whether pictures are grey, and the shapes of their planes.

        Raises:
            Unreadable: none of the pictures can be read.
            Misfit: a plane has no pixels left, or there is no such backbone or layer.
        """
        inner = self.image.image or Image() if isinstance(self.image, Features) else self.image
        self.image_ = clone(inner).fit(album)
        self._seen_by(backbone(*self._asked()) if self._featured else None)
        ones = {name: torch.ones(shape[0]) for name, shape in self.seen_.items()}
        self.means_ = {name: torch.zeros_like(one) for name, one in ones.items()}
        self.stds_ = ones
        self.bases_: dict[str, Tensor] = {}
        return self

    def see(self, picture: Picture) -> dict[str, Tensor]:
        """The planes of one picture `(C, h, w)`, not standardised.

        Raises:
            Unreadable: it comes without the reference that a plane is held against, or with one that none is.
        """
        pixels = self.image_.encode([picture]).x
        own = self._planes(pixels)
        if not self._has_reference(picture):
            return {name: plane[0] for name, plane in own.items()}
        reference, shown = moved_onto(pixels, self.image_.encode([picture.reference]).x)
        others = self._planes(reference)
        for name, spec in self.specs.items():
            if spec.against:
                seen = adaptive_avg_pool2d(shown.float(), self.shapes_[name][1:]) > WHOLLY
                own[name] = departures(own[name], others[name], spec.slack) * seen
        return {name: plane[0] for name, plane in own.items()}

    def encode(self, pictures: Sequence[Picture]) -> dict[str, Tensor]:
        """The planes of pictures by name `(n, C, h, w)` float32, standardised; each picture is seen for itself."""
        seen = [self.see(picture) for picture in pictures]
        return {name: self.standard(name, torch.stack([each[name] for each in seen])) for name in self.specs}

    def standard(self, name: str, x: Tensor) -> Tensor:
        """A plane `(n, C, h, w)` less the mean and over the deviation of each channel, along its directions."""
        scaled = (x - self.means_[name][:, None, None]) / self.stds_[name][:, None, None]
        return along(scaled, self.bases_[name]) if name in self.bases_ else scaled

    def turn(self, name: str, basis: Tensor) -> None:
        """Give a plane from now on along the directions `(C, d)` of a basis.

        Raises:
            ValueError: they are directions of something else.
        """
        if basis.ndim != 2 or len(basis) != self.seen_[name][0]:
            raise ValueError(f"plane {name} has directions of another shape, {tuple(basis.shape)}")
        self.bases_[name] = basis.contiguous()
        self.shapes_[name] = (basis.shape[1], *self.seen_[name][1:])

    def laid(self, map: np.ndarray, size: tuple[int, int], outside: float = 0.0) -> np.ndarray:
        """A map `(a, b)` over the square back on a picture of `size` (H, W), float32."""
        return cast(Image, self.image_).laid(map, size, outside)

    @property
    def square(self) -> Frame:
        """The frame that pictures are to be read in."""
        return cast(Image, self.image_).square

    @property
    def canvas(self) -> int:
        """Side of the square on which maps are summed: half the picture's, or that of the finest plane if finer."""
        return max(int(self.image_.size) // 2, *(shape[1] for shape in self.shapes_.values()))

    @property
    def paired(self) -> bool:
        """Whether pictures are held against references."""
        return any(spec.against for spec in self.specs.values())

    @property
    def columns(self) -> list[str]:
        """The one thing that is judged of an item."""
        return ["picture"]

    def describe(self) -> list[JSON]:
        """What was learnt, for people."""
        seen = "none" if self.backbone_ is None else self.backbone_.name
        planes = {name: " x ".join(map(str, shape)) for name, shape in self.shapes_.items()}
        return [{**fact, "backbone": seen, "planes": planes} for fact in self.image_.describe()]

    def config(self) -> JSON:
        """What was set and learnt, as JSON; of a backbone its name and fingerprint, not its weights."""
        return {
            "image": self.image_.config(),
            "backbone": None if self.backbone_ is None else self.backbone_.config(),
            "vaes": {name: fingerprint(each) for name, each in self.vaes_.items()},
            "shapes": {name: list(shape) for name, shape in self.shapes_.items()},
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """Means and standard deviations by channel of every plane."""
        means = {f"{name}.mean": mean.numpy() for name, mean in self.means_.items()}
        bases = {f"{name}.basis": basis.numpy() for name, basis in self.bases_.items()}
        return means | bases | {f"{name}.std": std.numpy() for name, std in self.stds_.items()}

    @classmethod
    def restore(
        cls,
        config: JSON,
        arrays: Mapping[str, np.ndarray],
        specs: "Mapping[str, PlaneSpec]",
        given: str | nn.Module | None = None,
    ) -> Self:
        """The fitted modality of which these are `config` and `arrays`.

        Args:
            config: As `config` gave it.
            arrays: As `arrays` gave them.
            specs: The recipe's planes.
            given: The backbone, where it was one of the user's own; or where a model of the hub lies now.

        Raises:
            BadModel: they are of none, or the backbone has other weights now.
        """
        try:
            image = Image.restore(config["image"], {})
            saved = config["backbone"]
            found = None if saved is None else restored(saved, given)
            asked: Image | Features = image
            if found is not None:
                asked = Features(image, found.name if given is None else given, found.layers)
            planes = cls(asked, specs)
            planes.image_ = image
            planes._seen_by(found)
            if {name: fingerprint(each) for name, each in planes.vaes_.items()} != config["vaes"]:
                raise ValueError("an autoencoder with other weights than at fit")
            planes.means_, planes.stds_, planes.bases_ = {}, {}, {}
            for name, shape in planes.seen_.items():
                mean, std = (torch.from_numpy(np.float32(arrays[f"{name}.{part}"])) for part in ("mean", "std"))
                if mean.shape != shape[:1] or std.shape != shape[:1] or not bool((std > 0).all()):
                    raise ValueError(f"plane {name} has means and deviations of another shape, or none")
                planes.means_[name], planes.stds_[name] = mean, std
                if f"{name}.basis" in arrays:
                    planes.turn(name, torch.from_numpy(np.float32(arrays[f"{name}.basis"])))
            if {name: list(shape) for name, shape in planes.shapes_.items()} != config["shapes"]:
                raise ValueError(f"planes of other shapes, {config['shapes']}")
        except Refusal:
            raise
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise BadModel(f"the planes of pictures are damaged ({error}); save the model again.") from None
        return planes

    def _has_reference(self, picture: Picture) -> bool:
        if self.paired and picture.reference is None:
            raise Unreadable(f"picture {picture.name} comes alone, and this model judges pairs; {PAIRS}.")
        if picture.reference is not None and not self.paired:
            raise Unreadable(f"picture {picture.name} comes with a reference, {ALONE}.")
        return self.paired

    @property
    def _featured(self) -> bool:
        return any(spec.space == "features" for spec in self.specs.values())

    def _asked(self) -> tuple[str | nn.Module, list[Layer] | None]:
        """The backbone to ask, and for which layers: of the embedded one, those of all planes."""
        given = self.image.backbone if isinstance(self.image, Features) else EMBEDDED
        own = self.image.layers if isinstance(self.image, Features) else None
        if given != EMBEDDED or own is not None:
            return given, None if own is None else list(own)
        named = {layer for spec in self.specs.values() for layer in spec.layers or ("s8", "s16")}
        unknown = named - set(LAYERS)
        if unknown:
            raise Misfit(f"the recipe asks for layers {sorted(map(str, unknown))}; there are {', '.join(LAYERS)}.")
        return given, [layer for layer in LAYERS if layer in named]

    def _seen_by(self, found: Any) -> None:
        """Keep the backbone and the autoencoders, and work out the shapes of the planes."""
        self.backbone_, side = found, int(self.image_.size)
        self.vaes_ = {name: vae(spec.vae) for name, spec in self.specs.items() if spec.vae is not None}
        shapes = [] if found is None else found.shapes(side, side)
        self.layers_ = {name: self._taken(spec, shapes) for name, spec in self.specs.items()}
        self.shapes_: dict[str, Shape] = {}
        self.seen_: dict[str, Shape] = {}
        for name, spec in self.specs.items():
            if spec.space == "features":
                cells = max(1, side // spec.stride)
                own = [shapes[i] for i in self.layers_[name]]
                varied = sum(s[0] for pixels in spec.spread for s in own if cells_of(pixels, side / s[1]))
                self.seen_[name] = sum(shape[0] for shape in own) + varied, cells, cells
            else:
                pixels = min(side, spec.size or side)
                self.seen_[name] = self.image_.channels_, pixels, pixels
            if name in self.vaes_:
                code = self.vaes_[name](torch.zeros(1, *self.seen_[name]))
                self.seen_[name] = code.shape[1], code.shape[2], code.shape[3]
            channels = self.seen_[name][0]
            self.shapes_[name] = (min(channels, spec.directions or channels), *self.seen_[name][1:])

    def _taken(self, spec: "PlaneSpec", shapes: Sequence[Shape]) -> list[int]:
        """Which of the backbone's maps a plane is made of: those it names, else those of the nearest strides."""
        if spec.space != "features":
            return []
        names = list(self.backbone_.layers or range(len(shapes)))
        if spec.layers is None:
            return list(range(len(shapes)))
        if all(layer in names for layer in spec.layers):
            return [names.index(layer) for layer in spec.layers]
        strides = [math.log(int(self.image_.size) / shape[1]) for shape in shapes]
        asked = [math.log(stride_of(layer, spec.stride)) for layer in spec.layers]
        return sorted({int(np.argmin(np.abs(np.array(strides) - each))) for each in asked})

    def _planes(self, pixels: Tensor) -> dict[str, Tensor]:
        """The planes of pixels `(1, C, S, S)`, each `(1, C, h, w)`."""
        maps = self.backbone_(pixels) if self.backbone_ is not None else []
        return {name: self._plane(name, pixels, maps) for name in self.specs}

    def _plane(self, name: str, pixels: Tensor, maps: Sequence[Tensor]) -> Tensor:
        spec, (_, rows, columns) = self.specs[name], self.shapes_[name]
        if spec.space == "features":
            own = [maps[i] for i in self.layers_[name]]
            varied = spreads(own, (rows, columns), int(self.image_.size), spec.spread)
            return torch.cat([on_one_grid(own, (rows, columns), spec.pool), varied], 1)
        if name in self.vaes_:
            side = min(int(self.image_.size), spec.size or int(self.image_.size))
            small = pixels if pixels.shape[2] == side else adaptive_avg_pool2d(pixels, side)
            return cast(Tensor, self.vaes_[name](small))
        return pixels if pixels.shape[2:] == (rows, columns) else adaptive_avg_pool2d(pixels, (rows, columns))


def stride_of(layer: Layer, otherwise: int) -> int:
    """The stride in the name of a layer of the embedded backbone.

    >>> stride_of("s16a", 8), stride_of("stem", 8)
    (16, 8)
    """
    found = re.search(r"\d+", str(layer))
    return int(found[0]) if found else otherwise
