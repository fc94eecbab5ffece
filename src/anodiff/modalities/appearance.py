r"""How frames look to a frozen backbone, cell by cell: its layers on one grid, along their leading directions,

.. math:: x(p) = \Lambda^{-1/2} V^\top \, \frac{f(p) - \mu}{s} .

Directions, means and deviations are those of all cells of some frames of fit.
"""

from collections.abc import Iterable, Mapping
from typing import Self

import numpy as np
import torch
from torch import Tensor

from anodiff.modalities.grids import on_one_grid
from anodiff.nets.backbones import EMBEDDED, Backbone, backbone, restored
from anodiff.types import JSON

DIRECTIONS = 48
"""Of the features that are kept."""
PATCH = 3


class Appearance:
    """A backbone and the directions that are looked along.

    Args:
        seen: The backbone.
        grid: Rows and columns of cells.
        mean: Of the features `(F,)`.
        basis: `(F, C)`.
    """

    def __init__(self, seen: Backbone, grid: tuple[int, int], mean: Tensor, basis: Tensor) -> None:
        self.seen = seen
        self.grid = grid
        self.mean = mean
        self.basis = basis

    @classmethod
    def fit(cls, frames: Iterable[np.ndarray], grid: tuple[int, int]) -> Self:
        """Of some frames `(H, W[, 3])` uint8, at least one."""
        seen = backbone(EMBEDDED)
        blank = cls(seen, grid, torch.zeros(1), torch.zeros(1, 1))
        count, first, second = 0, torch.zeros(1), torch.zeros(1, 1)
        for frame in frames:
            cells = blank.features(frame).flatten(1).double()
            count += cells.shape[1]
            first, second = first + cells.sum(1), second + cells @ cells.T
        mean = first / count
        spread = second / count - mean[:, None] * mean
        scale = spread.diagonal().clamp(min=1e-12).sqrt()
        values, vectors = torch.linalg.eigh(spread / scale[:, None] / scale)
        values, vectors = values[-DIRECTIONS:].flip(0).clamp(min=1e-4), vectors[:, -DIRECTIONS:].flip(1)
        signs = vectors.gather(0, vectors.abs().argmax(0, keepdim=True)).sign()
        basis = vectors * signs / values.sqrt() / scale[:, None]
        return cls(seen, grid, mean.float(), basis.float().contiguous())

    def __call__(self, frame: np.ndarray) -> np.ndarray:
        """Channels of a frame `(H, W[, 3])` uint8 on the grid, `(C, h, w)` float32."""
        found = torch.einsum("fhw,fc->chw", self.features(frame) - self.mean[:, None, None], self.basis)
        return np.asarray(found.numpy())

    def features(self, frame: np.ndarray) -> Tensor:
        """What the backbone sees of a frame, on the grid `(F, h, w)`."""
        pixels = torch.from_numpy(np.array(frame)).float() / 127.5 - 1
        x = pixels[None, None] if frame.ndim == 2 else pixels.movedim(2, 0)[None]
        return on_one_grid(self.seen(x), self.grid, PATCH)[0]

    def config(self) -> JSON:
        """The backbone's name and fingerprint, and the grid."""
        return {"backbone": self.seen.config(), "grid": list(self.grid)}

    def arrays(self) -> dict[str, np.ndarray]:
        """Means and directions."""
        return {"mean": self.mean.numpy(), "basis": self.basis.numpy()}

    @classmethod
    def restore(cls, config: JSON, arrays: Mapping[str, np.ndarray]) -> Self:
        """The inverse of `config` and `arrays`.

        Raises:
            BadModel: the backbone has other weights now.
            ValueError: arrays do not fit together.
        """
        rows, columns = (int(each) for each in config["grid"])
        mean, basis = (torch.from_numpy(np.float32(arrays[name])) for name in ("mean", "basis"))
        if basis.ndim != 2 or mean.shape != basis.shape[:1]:
            raise ValueError("directions do not fit to the features")
        return cls(restored(config["backbone"]), (rows, columns), mean, basis)
