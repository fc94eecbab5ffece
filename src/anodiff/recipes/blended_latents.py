r"""Parts as latent codes: of each part the directions along which normal records vary most, each of variance 1,

.. math:: z_p = \Lambda_p^{-1/2} V_p^\top (x_p - \bar x_p) ,

from the records that have it. Few records show few directions: those of a handful are theirs, and say little of others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from anodiff.types import BadModel

FEW = 5
"""Records for each direction, at least."""
NOTHING = 1e-8


@dataclass(frozen=True)
class Latents:
    """From features `(n, F)` to codes `(n, D)`, part by part.

    Attributes:
        means: Of the features of each part, `(F_p,)`.
        bases: Its directions over their deviations, `(F_p, d_p)`.
    """

    means: Sequence[Tensor]
    bases: Sequence[Tensor]

    @classmethod
    def fit(
        cls,
        x: Tensor,
        present: Tensor,
        widths: Sequence[int],
        share: float,
        most: int,
        counts: Sequence[int] | None = None,
    ) -> Self:
        """Of features `x` `(n, F)`, where `present` `(n, P)`: directions that hold a share of the variance, or so many.

        A fold takes as many of each part as the whole does: densities of other widths could not be compared.
        """
        means, bases = [], []
        wanted = [None] * len(widths) if counts is None else counts
        for rows, there, count in zip(torch.split(x, list(widths), 1), present.T, wanted, strict=True):
            some = rows[there].double() if there.any() else rows[:1].double()
            mean = some.mean(0)
            means.append(mean.float())
            bases.append(_basis(some - mean, share, most, count).float())
        return cls(means, bases)

    def __call__(self, x: Tensor, present: Tensor) -> Tensor:
        """Codes `(n, D)` of features `(n, F)`; 0 where a part is not present `(n, P)`."""
        parts = torch.split(x, [len(mean) for mean in self.means], 1)
        coded = [(part - mean) @ basis for part, mean, basis in zip(parts, self.means, self.bases, strict=True)]
        return torch.cat(coded, 1) * self.spread(present)

    def spread(self, present: Tensor) -> Tensor:
        """Which cells of codes are there `(n, D)`, of which parts are `(n, P)`."""
        return present.repeat_interleave(torch.tensor(self.widths), 1)

    @property
    def widths(self) -> list[int]:
        """Cells of each part's code."""
        return [basis.shape[1] for basis in self.bases]

    def arrays(self) -> dict[str, np.ndarray]:
        """By name: "mean.0", "basis.0", ..."""
        told = {f"mean.{i}": mean.numpy() for i, mean in enumerate(self.means)}
        return told | {f"basis.{i}": basis.numpy() for i, basis in enumerate(self.bases)}

    @classmethod
    def restore(cls, arrays: Mapping[str, np.ndarray], widths: Sequence[int]) -> Self:
        """The inverse of `arrays`, of parts of so many features."""
        means = [torch.from_numpy(arrays[f"mean.{i}"]).float() for i in range(len(widths))]
        bases = [torch.from_numpy(arrays[f"basis.{i}"]).float() for i in range(len(widths))]
        for width, mean, basis in zip(widths, means, bases, strict=True):
            if mean.shape != (width,) or basis.ndim != 2 or len(basis) != width or not basis.shape[1]:
                raise BadModel(f"a part of {width} features has directions of shape {tuple(basis.shape)}.")
        return cls(means, bases)


def _basis(away: Tensor, share: float, most: int, count: int | None = None) -> Tensor:
    """Directions `(F, d)` over their deviations, at least one, or so many, of centred rows `(n, F)`.

    Those along which nothing varies are of nothing.
    """
    n, width = away.shape
    if width <= n:
        values, vectors = torch.linalg.eigh(away.T @ away / n)
    else:
        values, left = torch.linalg.eigh(away @ away.T / n)
        vectors = torch.nn.functional.normalize(away.T @ left, dim=0)
    values, vectors = values.flip(0).clamp(min=0), vectors.flip(1)
    held = values.cumsum(0) / values.sum().clamp(min=NOTHING)
    wanted = int((held < share).sum()) + 1
    varies = int((values > NOTHING * values[0].clamp(min=NOTHING)).sum())
    count = max(1, min(wanted, most, n // FEW, varies)) if count is None else count
    found = torch.zeros(width, count, dtype=torch.float64)
    there = min(count, varies, vectors.shape[1])
    found[:, :there] = vectors[:, :there] / values[:there].clamp(min=NOTHING).sqrt()
    return found
