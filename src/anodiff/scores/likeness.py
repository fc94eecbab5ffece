r"""Known anomalies: how much nearer, in diffusion time, is x to them than to normal data?

.. math:: a(x) = \tfrac12 \log \frac{\delta_\text{normal}^2(x) + f}{\delta_\text{known}^2(x) + f}

is the expected log-level at which normal data would have to be disturbed to look like x, less that of the known
anomalies (`NonParametricTime` twice). The floor f keeps a copy of a known row, or of a normal one, finite.
"""

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from anodiff.diffusion.denoise import Denoiser
from anodiff.scores.base import AnomalyScore, Evidence
from anodiff.scores.combine import Panel
from anodiff.scores.levels import per_item, shared_out
from anodiff.scores.reconstruction import Residual
from anodiff.scores.space import Inside
from anodiff.types import Batch, Misfit, Scores


class Likeness(AnomalyScore):
    """The log-ratio of two expected squared distances.

    Args:
        normal: Name of the panel's denoiser of normal data.
        known: Name of its denoiser of known anomalies, in the same coordinates.
        floor: The f, in squared distances.
        level: Where both are asked; large against the distances, so that all their neighbours count.
    """

    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, normal: str, known: str, floor: float, level: float = 20.0) -> None:
        self.normal = normal
        self.known = known
        self.floor = floor
        self.level = level

    def __call__(self, denoiser: Denoiser, x: Batch, **condition: Tensor) -> Evidence:
        """The map shares the total out by each coordinate's part of the distance to normal."""
        if not isinstance(denoiser, Panel):
            raise Misfit(f"Likeness needs a Panel of denoisers; it was given {type(denoiser).__name__}.")
        far, near = (self._square(denoiser[name], x) for name in (self.normal, self.known))
        total = torch.log((per_item(far) + self.floor) / (per_item(near) + self.floor)) / 2
        return Evidence(total, shared_out(total, far))

    def of(self, far: Scores, near: Scores) -> Scores:
        """The same of squared distances to normal and to known rows, `(n,)` each, measured elsewhere."""
        return np.asarray(np.log((far + self.floor) / (near + self.floor)) / 2)

    @property
    def nfe(self) -> int:
        """One of each."""
        return 2

    def _square(self, denoiser: Denoiser, x: Batch) -> Batch:
        return Inside(Residual([self.level], power=0.0, spread=True))(denoiser, x).map
