r"""Rows with some columns freed: the others are kept, and in the freed ones stands what normals lead one to expect,

.. math:: x_f = \mathbb{E}[x_f \mid x_k] \quad \text{or the fixed point of} \quad x_f \leftarrow D(x_k, x_f),

the first by the Gaussian of normals, the second from there by the model's first denoiser, which knows more than
straight lines. Either is then rounded to values that the column can take: decoded and encoded again.
"""

from collections.abc import Iterator
from typing import cast

import numpy as np
import torch
from torch import Tensor

from anodiff.diffusion.fill import conditional_mean
from anodiff.diffusion.guide import filled
from anodiff.modalities.base import Encoded
from anodiff.modalities.tabular import Tabular
from anodiff.model import Model

LEVEL = 0.5
"""Noise level, in standard deviations of a column, at which the denoiser fills."""
ITERATIONS = 3


class Expected:
    """What a model of normals expects in freed columns.

    Args:
        model: A fitted model of a table.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.table = cast(Tabular, model.modality)
        self.owner = self.table.owners

    def __call__(self, rows: Encoded, freed: np.ndarray) -> Iterator[Encoded]:
        """Two guesses at prepared `rows` `(n, D)` with the columns `freed` `(n, columns)` replaced."""
        free = self.coordinates(freed)
        keep = rows.known & ~free
        x = torch.cat([rows.x[:, :-1], self._still_missing(rows, freed)], 1)
        straight = conditional_mean(self.model.filler, x, keep)
        level = torch.as_tensor(LEVEL, dtype=x.dtype)
        denoiser = self.model.panel
        curved = filled(denoiser, straight, keep, denoiser.schedule.time(level).expand(len(x)), ITERATIONS)
        for guess in (straight, curved):
            yield self._snapped(Encoded(x, rows.known), guess, free)

    def coordinates(self, columns: np.ndarray) -> Tensor:
        """The coordinates `(n, D)` of columns `(n, columns)`; the last, which all share, is nobody's."""
        return torch.from_numpy(columns[:, self.owner] & (self.owner >= 0))

    def unexpectedly_missing(self, known: Tensor) -> np.ndarray:
        """Columns `(n, columns)` without any known coordinate that had no gap in fit."""
        seen = np.zeros((len(known), len(self.table.columns)), bool)
        for place, owner in enumerate(self.owner[:-1]):
            seen[:, owner] |= known[:, place].numpy()
        return np.asarray(~seen & (self.table.shares_ == 0))

    def _still_missing(self, rows: Encoded, freed: np.ndarray) -> Tensor:
        """The last coordinate `(n, 1)`, which grows with the root of the number of cells missing unexpectedly."""
        missing = self.unexpectedly_missing(rows.known)
        left = (missing & ~freed).sum(1) / np.maximum(missing.sum(1), 1)
        return rows.x[:, -1:] * torch.from_numpy(np.sqrt(left))[:, None]

    def _snapped(self, rows: Encoded, guess: Tensor, free: Tensor) -> Encoded:
        """`rows` with what is free taken from `guess`, rounded to values that decode."""
        typical = self.model.filler.mean.to(guess)
        table = self.table.decode(torch.where(free, guess, typical), kind="pyarrow")
        again = self.table.encode(table)
        known = torch.where(free, again.known, rows.known)
        x = torch.where(free, again.x.to(guess), rows.x)
        return Encoded(self.model.fill(x, known), known)
