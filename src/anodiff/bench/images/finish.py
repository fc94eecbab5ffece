r"""From a method's map to what is judged: laid on the canvas of anodiff, blurred and pooled as anodiff does it,

.. math:: m = G_\sigma * U(a), \qquad s = \operatorname{pool}(m), \qquad m' = m - r \operatorname{median}(m) ,

m' the map that is shown. A map that is one method's alone keeps its ranking under any scale of the whole map, so a
rival's needs none.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from anodiff.bench.images.settings import SIZE
from anodiff.scores.planes import blurred
from anodiff.types import JSON, Scores

PART = 64


@dataclass(frozen=True)
class Finish:
    """How maps become smooth, and pictures a number.

    Attributes:
        canvas: Side of the square on which maps are blurred and pooled.
        blur: Standard deviation in pixels of the picture as read.
        pool: "max", "top" or "mean".
        share: Of the canvas, that "top" takes the mean of.
        relative: The part of its own median that a map loses, once it has been pooled.
        size: Side of the picture as read.
    """

    canvas: int = SIZE // 2
    blur: float = 4.0
    pool: str = "top"
    share: float = 0.01
    relative: float = 0.0
    size: int = SIZE

    @classmethod
    def of(cls, gallery: Any) -> "Finish":
        """That of a fitted gallery."""
        recipe, modality = gallery.recipe, gallery.modality
        return cls(
            int(modality.canvas),
            float(recipe.blur),
            recipe.pool.use,
            float(recipe.pool.share),
            float(recipe.relative),
            int(modality.image_.size),
        )

    def __call__(self, maps: np.ndarray) -> tuple[np.ndarray, Scores]:
        """Maps `(n, h, w)` as `(n, S, S)` float32, and a score of each `(n,)`."""
        laid, scores = np.empty((len(maps), SIZE, SIZE), np.float32), np.empty(len(maps))
        for start in range(0, len(maps), PART):
            some = slice(start, start + PART)
            smooth = self._smooth(torch.from_numpy(np.ascontiguousarray(maps[some], np.float32))[:, None])
            scores[some] = self._pooled(smooth).double().numpy()
            shown = smooth - self.relative * smooth.flatten(1).median(1).values[:, None, None, None]
            laid[some] = _resized(shown, SIZE)[:, 0].numpy()
        return laid, scores

    def told(self) -> JSON:
        """As numbers of a record."""
        return {name: value for name, value in asdict(self).items() if name != "size"}

    def _smooth(self, maps: Tensor) -> Tensor:
        return torch.as_tensor(blurred(_resized(maps, self.canvas), self.blur * self.canvas / self.size))

    def _pooled(self, maps: Tensor) -> Tensor:
        cells = maps.flatten(1)
        if self.pool == "mean":
            return cells.mean(1)
        count = 1 if self.pool == "max" else max(1, math.ceil(self.share * cells.shape[1]))
        return cells.topk(count, dim=1).values.mean(1)


def _resized(maps: Tensor, side: int) -> Tensor:
    if maps.shape[2:] == (side, side):
        return maps
    return interpolate(maps, (side, side), mode="bilinear", align_corners=False)
