r"""Images as tensors: each picture in a frame of S x S pixels, one grey channel or three of colour,

.. math:: x = 2 c - 1, \qquad c \in [0, 1]^{C \times S \times S},

and maps of the frame back on the picture. All of a picture is known.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import Tensor

from anodiff.data.frames import framed, planes_of
from anodiff.data.pictures import Frame, Picture, Unread, album, is_grey
from anodiff.modalities.base import Encoded, Modality
from anodiff.types import JSON, BadModel, Misfit, Unreadable

LOOK = 200
"""Pictures that are looked at in fit, at most."""
ENOUGH = 20
"""Pictures that are enough to know the usual size, once one of them has colour."""
GLANCE = 64
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""Shares of red, green and blue in grey (ITU-R BT.601)."""


class Image(Modality, BaseEstimator):
    """Pictures of whatever kind and size as squares.

    Args:
        size: S, pixels.
        grey: True for one channel, False for three, "auto" for what the pictures of fit are. Colour is weighed into
            grey, grey is repeated into colour.
        frame: how a picture becomes square: "squash", "pad" (aspect kept, edges repeated) or "crop" (the middle).

    >>> image = Image(size=8).fit(np.zeros((5, 10, 12), np.uint8))
    >>> image.encode(np.full((2, 10, 12), 255, np.uint8)).x.shape
    torch.Size([2, 1, 8, 8])
    """

    kind = "image"

    def __init__(self, size: int = 256, grey: bool | str = "auto", frame: str = "squash") -> None:
        self.size = size
        self.grey = grey
        self.frame = frame

    def fit(self, X: Any) -> Self:
        """Learn whether the pictures are grey, and their usual size, from the first 200 of them at most.

        Args:
            X: an album, pictures that were read, or whatever `anodiff.data.pictures.album` reads.

        Raises:
            Unreadable: none of them can be read.
            Misfit: a setting is out of range.
        """
        self._check()
        sizes, colour, unread = [], False, None
        for picture in _pictures(X, Frame(GLANCE, self.frame), LOOK):
            if isinstance(picture, Unread):
                unread = unread or picture
                continue
            sizes.append(picture.size)
            colour = colour or not is_grey(picture.pixels)
            if (colour or self.grey != "auto") and len(sizes) >= ENOUGH:
                break
        if not sizes:
            raise Unreadable(f"not one of the first {LOOK} pictures could be read; {unread}")
        self.channels_ = 3 if (self.grey is False or (self.grey == "auto" and colour)) else 1
        self.median_ = tuple(int(length) for length in np.median(np.array(sizes), 0))
        self.looked_ = len(sizes)
        return self

    def encode(self, X: Any) -> Encoded:
        """Pictures to `x` `(n, C, S, S)`, all of it known.

        Raises:
            Unreadable: one of them cannot be read; rows must stay aligned.
        """
        rows, square = [], self._fitted.square
        for picture in _pictures(X, square):
            if isinstance(picture, Unread):
                raise Unreadable(f"picture {picture}")
            rows.append(self._row(picture))
        if not rows:
            raise Unreadable("there are no pictures to encode; give at least one.")
        x = torch.from_numpy(np.stack(rows))
        return Encoded(x, torch.ones((), dtype=torch.bool).expand(x.shape))

    def decode(self, x: Tensor, known: Tensor | None = None) -> np.ndarray:
        """`x` `(n, C, S, S)` to uint8 `(n, S, S)` or `(n, S, S, 3)`, rounded to 256 levels; what is beyond is cut."""
        levels = ((x.detach().cpu().float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).numpy()
        return levels[:, 0] if levels.shape[1] == 1 else np.ascontiguousarray(np.moveaxis(levels, 1, 3))

    def locate(self, map: Tensor, known: Tensor | None = None) -> np.ndarray:
        """Evidence `(n, C, S, S)` summed over channels, `(n, S, S)` float64."""
        return np.asarray(map.detach().cpu().numpy().sum(1, dtype=np.float64))

    def laid(self, map: np.ndarray, size: tuple[int, int], outside: float = 0.0) -> np.ndarray:
        """A map of the frame laid back on a picture.

        Args:
            map: `(a, b)`, on whatever grid over the frame.
            size: (H, W) of the picture, `Picture.size`.
            outside: for what a crop does not see.

        Returns:
            `(H, W)` float32, bilinear between the places of the grid.
        """
        return self.square.back(map, size, outside)

    @property
    def square(self) -> Frame:
        """The frame that pictures are to be read in."""
        return Frame(self.size, self.frame)

    @property
    def columns(self) -> list[str]:
        """The one thing that `locate` lays out by place."""
        return ["picture"]

    def describe(self) -> list[JSON]:
        """What was learnt, for people."""
        height, width = self._fitted.median_
        return [
            {
                "name": "picture",
                "kind": self.kind,
                "channels": self.channels_,
                "size": int(self.size),
                "frame": self.frame,
                "median height": height,
                "median width": width,
                "looked at": self.looked_,
            }
        ]

    def config(self) -> JSON:
        """What was set and learnt, as JSON."""
        return {
            "size": int(self.size),
            "grey": self.grey,
            "frame": self.frame,
            "channels": self._fitted.channels_,
            "median": list(self.median_),
            "looked": self.looked_,
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """Nothing is too large for JSON."""
        return {}

    @classmethod
    def restore(cls, config: JSON, arrays: Mapping[str, np.ndarray]) -> Self:  # noqa: ARG003
        """The fitted modality of which these are `config` and `arrays`.

        Raises:
            BadModel: they are of none.
        """
        try:
            image = cls(config["size"], config["grey"], config["frame"])
            image._check()
            height, width = (int(length) for length in config["median"])
            image.channels_, image.looked_ = int(config["channels"]), int(config["looked"])
            image.median_ = (height, width)
            if image.channels_ not in (1, 3) or min(height, width, image.looked_) < 1:
                raise ValueError(f"pictures of {image.channels_} channels and {height} x {width} pixels")
        except (LookupError, TypeError, ValueError) as error:
            raise BadModel(
                f"the encoding of pictures is damaged ({type(error).__name__}: {error}); save the model again."
            ) from None
        return image

    @property
    def _fitted(self) -> Self:
        if not hasattr(self, "channels_"):
            raise Misfit("this Image has not seen pictures; call fit first.")
        return self

    def _check(self) -> None:
        if not isinstance(self.grey, bool) and self.grey != "auto":
            raise Misfit(f"grey is {self.grey!r}; choose True, False or 'auto'.")
        Frame(self.size, self.frame)

    def _row(self, picture: Picture) -> np.ndarray:
        """One picture `(C, S, S)` float32 in -1..1."""
        pixels = picture.pixels
        if pixels.shape[:2] != (self.size, self.size):
            pixels = framed(planes_of(pixels), pixels.shape[:2], self.square)
        if pixels.shape[2] == 3 and self.channels_ == 1:
            pixels = (pixels * LUMA).sum(2, keepdims=True)
        return np.moveaxis(np.broadcast_to(pixels, (*pixels.shape[:2], self.channels_)) * 2 - 1, 2, 0)


def _pictures(X: Any, frame: Frame, stop: int | None = None) -> Iterator[Picture | Unread]:
    """The first of `X` up to `stop`; what was read already comes as it is."""
    if isinstance(X, Sequence) and len(X) and all(isinstance(item, Picture | Unread) for item in X):
        return iter(X[:stop])
    return album(X).pictures(frame, 0, stop)
