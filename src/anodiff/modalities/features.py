r"""Pictures as maps of features: a frozen backbone's layers, laid on one grid and standardised by channel,

.. math:: x_c = \frac{f_c - \mu_c}{s_c}, \qquad
          f = \big[R(\bar{f}_1), R(\bar{f}_2), \dots\big],

:math:`\bar f` the mean over a patch around each place, R a change of grid: what a place holds then tells of its
neighbourhood, at several scales. :math:`\mu` and s are those of all places of all pictures of fit.

Roth et al., "Towards Total Recall in Industrial Anomaly Detection", 2022 (PatchCore), whose neighbourhoods these are.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, clone
from torch import Tensor, nn
from torch.nn.functional import pad

from anodiff.data.frames import Frame
from anodiff.data.pictures import Album, Picture, Unread, album
from anodiff.modalities.base import Encoded, Modality
from anodiff.modalities.grids import Moments, on_one_grid, places
from anodiff.modalities.image import Image
from anodiff.nets.backbones import EMBEDDED, Layer, backbone, restored
from anodiff.types import JSON, BadModel, Misfit, Refusal, Unreadable


class Features(Modality, BaseEstimator):
    """Pictures as a frozen backbone sees them, `x` `(n, C, h, w)`; constructors only store.

    Pictures pass the backbone one at a time, which on a CPU is fastest, and makes an encoding independent of the others
    to the last bit.

    Args:
        image: How pictures are read; None for `Image()`.
        backbone: As `anodiff.nets.backbones.backbone` takes it: "embedded", "hf:NAME", a folder, a module.
        layers: Of the backbone; None for its usual ones.
        grid: Places along a side; None for the finest of the layers.
        patch: Side of the neighbourhood that a place tells of, odd, on each layer's own grid; 1 for itself alone.
        margin: Pixels of the mirrored picture that the backbone sees beyond each border, a multiple of the strides;
            what it pads with otherwise makes places at the border look odd.
        position: Whether two more channels tell the place: row and column, of mean 0 and standard deviation 1.

    >>> features = Features(Image(size=64)).fit(np.random.default_rng(0).random((3, 64, 64)))
    >>> features.encode(np.zeros((2, 50, 50))).x.shape
    torch.Size([2, 152, 8, 8])
    """

    kind = "features"

    def __init__(
        self,
        image: Image | None = None,
        backbone: str | nn.Module = EMBEDDED,
        layers: Sequence[Layer] | None = None,
        grid: int | None = None,
        patch: int = 3,
        margin: int = 0,
        position: bool = False,
    ) -> None:
        self.image = image
        self.backbone = backbone
        self.layers = layers
        self.grid = grid
        self.patch = patch
        self.margin = margin
        self.position = position

    def fit(self, X: Any) -> Self:
        """Learn how to read the pictures, and each channel's mean and standard deviation; unreadable ones are left out.

        Raises:
            Unreadable: none of them can be read.
            Misfit: a setting is out of range, or the backbone is not there.
        """
        self._prepare(X)
        moments = Moments(self.shape_[0])
        for picture in self._pictures(X):
            if not isinstance(picture, Unread):
                moments.add(self._seen(picture))
        self.mean_, self.std_ = moments.mean, moments.std
        return self

    def fit_encode(self, X: Any) -> Encoded:
        """`fit` and `encode` with one look of the backbone at each picture.

        Raises:
            Unreadable: one of them cannot be read.
            Misfit: a setting is out of range, or the backbone is not there.
        """
        self._prepare(X)
        moments = Moments(self.shape_[0])
        rows = self._rows(X)
        for row in rows:
            moments.add(row)
        self.mean_, self.std_ = moments.mean, moments.std
        return self._encoded(rows)

    def encode(self, X: Any) -> Encoded:
        """Pictures to `x` `(n, C, h, w)`, all of it known.

        Args:
            X: An album, pictures that were read, or whatever `anodiff.data.pictures.album` reads.

        Raises:
            Unreadable: one of them cannot be read; rows must stay aligned.
        """
        self._check_fitted()
        return self._encoded(self._rows(X))

    def decode(self, x: Tensor, known: Tensor | None = None) -> Any:
        """There is no way back.

        Raises:
            Misfit: always.
        """
        raise Misfit("features cannot be turned back into pictures; fit on pixels to have pictures made.")

    def locate(self, map: Tensor, known: Tensor | None = None) -> np.ndarray:
        """Evidence `(n, C, h, w)` summed over channels, `(n, h, w)` float64."""
        return np.asarray(map.detach().cpu().numpy().sum(1, dtype=np.float64))

    def laid(self, map: np.ndarray, size: tuple[int, int], outside: float = 0.0) -> np.ndarray:
        """A map `(h, w)` of the grid laid back on a picture of `size`; see `Image.laid`."""
        return self.image_.laid(map, size, outside)

    @property
    def square(self) -> Frame:
        """The frame that pictures are to be read in."""
        return self.image_.square

    @property
    def columns(self) -> list[str]:
        """The one thing that `locate` lays out by place."""
        return ["picture"]

    def describe(self) -> list[JSON]:
        """What was learnt, for people."""
        self._check_fitted()
        channels, rows, columns = self.shape_
        told = {"backbone": self.backbone_.name, "features": channels, "grid": f"{rows} x {columns}"}
        return [{**fact, **told} for fact in self.image_.describe()]

    def config(self) -> JSON:
        """What was set and learnt, as JSON; of the backbone its name and fingerprint, not its weights."""
        self._check_fitted()
        return {
            "image": self.image_.config(),
            "backbone": self.backbone_.config(),
            "grid": self.grid,
            "patch": self.patch,
            "margin": self.margin,
            "position": self.position,
            "shape": list(self.shape_),
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """Mean and standard deviation of the channels."""
        self._check_fitted()
        return {"mean": self.mean_.numpy(), "std": self.std_.numpy()}

    @classmethod
    def restore(cls, config: JSON, arrays: Mapping[str, np.ndarray], backbone: str | nn.Module | None = None) -> Self:
        """The fitted modality of which these are `config` and `arrays`.

        Args:
            config: As `config` gave it.
            arrays: As `arrays` gave them.
            backbone: The module, where it was one of the user's own; or where a model of the hub lies now.

        Raises:
            BadModel: they are of none, or the backbone has other weights now.
            Misfit: a backbone of the user's own must be given again, or is not installed.
        """
        try:
            image, seen = Image.restore(config["image"], {}), restored(config["backbone"], backbone)
            settings = {name: config[name] for name in ("grid", "patch", "margin", "position")}
            features = cls(image, seen.name if backbone is None else backbone, seen.layers, **settings)
            features._check()
            features.image_, features.backbone_ = image, seen
            channels, rows, columns = (int(length) for length in config["shape"])
            features.shape_ = (channels, rows, columns)
            features.mean_, features.std_ = (torch.from_numpy(np.float32(arrays[k])) for k in ("mean", "std"))
            if features.mean_.shape != (channels,) or features.std_.shape != (channels,):
                raise ValueError("means and standard deviations do not match the channels")
            if not (features.mean_.isfinite().all() and (features.std_ > 0).all() and features.std_.isfinite().all()):
                raise ValueError("means and standard deviations are not numbers")
        except Refusal:
            raise
        except (LookupError, TypeError, ValueError) as error:
            raise BadModel(
                f"the features are damaged ({type(error).__name__}: {error}); save the model again."
            ) from None
        return features

    def _prepare(self, X: Any) -> None:
        """Everything that fit learns but the moments."""
        self._check()
        self.image_: Image = clone(self.image if self.image is not None else Image()).fit(X)
        self.backbone_ = backbone(self.backbone, self.layers)
        blank = torch.zeros(1, self.image_.channels_, self.image_.size, self.image_.size)
        shapes = [tuple(each.shape[1:]) for each in self._maps(blank)]
        finest = max(shapes, key=lambda shape: shape[1])
        rows, columns = finest[1:] if self.grid is None else (self.grid, self.grid)
        self.shape_ = (sum(shape[0] for shape in shapes), rows, columns)

    def _check(self) -> None:
        if isinstance(self.patch, bool) or not isinstance(self.patch, int) or self.patch < 1 or self.patch % 2 == 0:
            raise Misfit(f"patch is {self.patch!r}; give an odd number of places, 1, 3, 5, ...")
        if self.grid is not None and (isinstance(self.grid, bool) or not isinstance(self.grid, int) or self.grid < 1):
            raise Misfit(f"grid is {self.grid!r}; give a number of places from 1, or None for the finest layer's.")
        if isinstance(self.margin, bool) or not isinstance(self.margin, int) or self.margin < 0:
            raise Misfit(f"margin is {self.margin!r}; give a number of pixels, 0 for none.")

    def _check_fitted(self) -> None:
        if not hasattr(self, "mean_"):
            raise Misfit("these Features have not seen pictures; call fit first.")

    def _pictures(self, X: Any) -> Iterator[Picture | Unread]:
        return iter(X) if were_read(X) else album(X).pictures(self.square)

    def _rows(self, X: Any) -> Tensor:
        """What is seen in each picture `(n, C, h, w)`, not yet standardised."""
        source: Sequence[Picture | Unread] | Album = X if were_read(X) else album(X)
        if not len(source):
            raise Unreadable("there are no pictures to encode; give at least one.")
        rows = torch.empty(len(source), *self.shape_)
        for row, picture in zip(rows, self._pictures(source), strict=True):
            row.copy_(self._seen(picture))
        return rows

    def _seen(self, picture: Picture | Unread) -> Tensor:
        """What the backbone sees in a picture, `(C, h, w)`."""
        maps = self._maps(self.image_.encode([picture]).x.to(self.backbone_.mean.device))
        return on_one_grid(maps, self.shape_[1:], self.patch)[0].cpu()

    def _maps(self, x: Tensor) -> list[Tensor]:
        """The layers' maps of pictures `(B, C, S, S)`; the margin is seen and cut off."""
        if not self.margin:
            return list(self.backbone_(x))
        if self.margin >= x.shape[3]:
            raise Misfit(f"margin is {self.margin}, pictures have {x.shape[3]} pixels a side; give a smaller one.")
        return [self._cut(each, x.shape[3]) for each in self.backbone_(pad(x, (self.margin,) * 4, mode="reflect"))]

    def _cut(self, map: Tensor, side: int) -> Tensor:
        beyond, rest = divmod(self.margin * map.shape[3], side + 2 * self.margin)
        if rest:
            stride = (side + 2 * self.margin) / map.shape[3]
            raise Misfit(
                f"margin is {self.margin}; give a multiple of the layers' strides, of which one is {stride:g}."
            )
        return map[:, :, beyond : map.shape[2] - beyond, beyond : map.shape[3] - beyond]

    def _encoded(self, rows: Tensor) -> Encoded:
        """Rows standardised where they lie, with their places if asked for."""
        x = rows.sub_(self.mean_[:, None, None]).div_(self.std_[:, None, None])
        if self.position:
            x = torch.cat([x, places(*self.shape_[1:]).expand(len(x), -1, -1, -1)], 1)
        return Encoded(x, torch.ones((), dtype=torch.bool).expand(x.shape))


def were_read(X: Any) -> bool:
    """Whether these are pictures that were read already."""
    return isinstance(X, Sequence) and len(X) > 0 and all(isinstance(item, Picture | Unread) for item in X)
