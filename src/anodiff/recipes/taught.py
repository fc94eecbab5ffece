r"""What a handful of known defects teaches: where a picture looks like one, by its features x and by the map A that the
members of a recipe make of it,

.. math:: A' = \frac{f - \mu}{\sigma}, \qquad f = b + \sum_j v_j \, g_j * \ell(A) + u^\top x,
          \qquad \ell(a) = \mathrm{sign}(a) \log(1 + |a|) ,

:math:`g_j` blurs over 0, 1 and 2 cells, and :math:`\mu, \sigma` are of normal pictures that a head had not seen. f is
the head of `anodiff.scores.head`: of one example it is little but the map, of fifty mostly the features.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from anodiff.data.stack import Stack
from anodiff.modalities.planes import Shape
from anodiff.recipes.defects import Defects
from anodiff.recipes.schema import Recipe
from anodiff.scores.fewshot import marked, suspected
from anodiff.scores.head import PatchHead
from anodiff.scores.planes import blurred
from anodiff.types import JSON, BadModel

HEAD = "known-defects"
"""What the head is called among the members; recipes cannot call one so."""
BLURS = (0, 1, 2)
GRID = 32
"""Cells along a side, at most, that pixels are averaged to."""
ROWS = 40_000
"""Normal patches that a head is shown at most."""
TURNS, APART = 3, 10
"""Heads that leave normals out, and heads that leave examples out at most."""
BLOCK = 32
"""Pictures at once."""

Maps = Callable[[np.ndarray], tuple[Tensor, Tensor]]
"""Of normal pictures, by place, what members that had not seen them show and what is heard, each `(m, S, S)`."""


@dataclass(frozen=True)
class Taught:
    """A head that has seen known defects.

    Attributes:
        head: On the channels of a plane, and on the map.
        plane: The plane.
        cells: Along a side of the grid.
        mean: Of f on normal pictures.
        std: Of f on normal pictures.
        spread: Of the map that is heard, on normal pictures, its standard deviation.
    """

    head: PatchHead
    plane: str
    cells: int
    mean: float = 0.0
    std: float = 1.0
    spread: float = 1.0

    def said(self, planes: Mapping[str, Tensor]) -> Tensor:
        """What it says of the features alone, of planes `(n, C, h, w)`; `(n, cells, cells)`."""
        x = gridded(planes[self.plane].float(), self.cells)
        return torch.einsum("bchw,c->bhw", x, self.head.slope[: self.head.channels]) + self.head.bias

    def map(self, shown: Tensor, said: Tensor) -> Tensor:
        """A' `(n, S, S)`, of the map of the members and of what was said of the features, laid on the same canvas."""
        slopes = self.head.slope[self.head.channels :]
        return (said + torch.einsum("bgij,g->bij", told(shown, self.cells), slopes) - self.mean) / self.std

    def scored(self, heard: Tensor, map: Tensor) -> Tensor:
        """What a picture's score is to be of `(n, S, S)`: what is heard of members and A', both in deviations."""
        return heard / self.spread + map

    def levelled(self, odds: Tensor) -> "Taught":
        """The same in deviations of what normal patches `(n,)` make of f; a deviation of nothing counts as 1."""
        std = float(odds.double().std(correction=0))
        return replace(self, mean=float(odds.double().mean()), std=std if std > 1e-9 else 1.0)

    def config(self) -> JSON:
        """What `restore` needs besides the arrays."""
        kept = ("plane", "cells", "mean", "std", "spread")
        return {"head": self.head.config(), **{name: getattr(self, name) for name in kept}}

    def arrays(self) -> dict[str, np.ndarray]:
        """What was learnt."""
        return {name: np.atleast_1d(value.numpy()) for name, value in self.head.state_dict().items()}

    @classmethod
    def restore(cls, config: JSON, arrays: Mapping[str, np.ndarray], shapes: Mapping[str, Shape]) -> Self:
        """The head of which these are `config` and `arrays`, for planes of these shapes.

        Raises:
            BadModel: they are of none, or of other planes.
        """
        try:
            head = PatchHead(**config["head"])
            slope, bias = (torch.from_numpy(np.float32(arrays[name])) for name in ("slope", "bias"))
            head.load_state_dict({"slope": slope, "bias": bias.reshape(())})
            numbers = [float(config[name]) for name in ("mean", "std", "spread")]
            made = cls(head, str(config["plane"]), int(config["cells"]), *numbers)
            channels, rows, _ = shapes[made.plane]
            if (head.channels, head.told) != (channels, len(BLURS)) or not 1 <= made.cells <= rows:
                raise ValueError(f"a plane of {channels} channels on {rows} rows is not what it judges")
            if not np.isfinite([*numbers, float(slope.sum() + bias.sum())]).all() or min(numbers[1:]) <= 0:
                raise ValueError("its numbers are none")
        except (LookupError, TypeError, ValueError, RuntimeError) as error:
            raise BadModel(f"the head of known defects is damaged ({error}); save the model again.") from None
        return made


@dataclass(frozen=True)
class Lesson:
    """What k known defects taught.

    Attributes:
        whole: The head of all of them.
        left_out: Of n normal pictures what heads that had not seen them say, `(n, cells, cells)`.
        apart: For each known defect a head that had not seen it; None for the only one.
    """

    whole: Taught
    left_out: np.ndarray
    apart: list[Taught | None]


def taught(
    recipe: Recipe,
    stack: Stack,
    fold: np.ndarray,
    kept: np.ndarray,
    maps: Maps,
    known: Defects,
    shown: Tensor,
    seed: int = 0,
) -> Lesson:
    """Learn k known defects, each shown a patch of normal pictures, of the defect, and beside it.

    Args:
        recipe: Says what the planes of the pictures are.
        stack: The planes of n normal pictures.
        fold: Of each `(n,)`, near-duplicates together.
        kept: Whether each may be learnt from `(n,)` bool.
        maps: Theirs.
        known: The defects.
        shown: What members show of the defects `(k, S, S)`.
        seed: Of the draw of normal patches.
    """
    plane, cells = judged_plane(recipe, stack.shapes)
    rows, at, spread = sampled(stack, plane, cells, np.flatnonzero(kept), maps, seed)
    turn = torch.from_numpy(fold[at] % TURNS)
    defect, of, beside, near = examined(known, joined(known.planes[plane], shown, cells), shown)
    channels = stack.shapes[plane][0]

    def made(some: Tensor, without: Tensor | None = None) -> PatchHead:
        head = PatchHead(channels, told=len(BLURS))
        if without is None:
            return head.fit(rows[some], defect, of, beside)
        other, others = ~torch.isin(of, without), ~torch.isin(near, without)
        return head.fit(rows[some], defect[other], of[other], beside[others])

    everything = torch.ones(len(rows), dtype=torch.bool)
    odds, left_out = torch.zeros(len(rows)), np.zeros((len(stack), cells, cells), np.float32)
    for k in range(TURNS):
        rest = turn != k
        part = made(rest if int(rest.sum()) > 1 else everything)
        odds[~rest] = part.odds(rows[~rest])
        for places, x in stack.batches(plane, np.flatnonzero(fold % TURNS == k), BLOCK):
            left_out[places] = Taught(part, plane, cells).said({plane: x}).numpy()
    whole = Taught(made(everything), plane, cells, spread=spread).levelled(odds)
    apart = list[Taught | None]([None] * len(known))
    groups = min(APART, len(known))
    for k in range(groups if groups > 1 else 0):
        own = torch.arange(k, len(known), groups)
        part = made(everything, own)
        for i in own.tolist():
            apart[i] = replace(whole, head=part).levelled(part.odds(rows))
    return Lesson(whole, left_out, apart)


def judged_plane(recipe: Recipe, shapes: Mapping[str, Shape]) -> tuple[str, int]:
    """The plane that a head judges, the finest of features where there is one, and cells along a side of its grid."""
    features = [name for name, spec in recipe.planes.items() if spec.space == "features"]
    plane = max(features or recipe.planes, key=lambda name: (shapes[name][1], shapes[name][0]))
    return plane, shapes[plane][1] if features else min(GRID, shapes[plane][1])


def gridded(x: Tensor, cells: int) -> Tensor:
    """A plane `(n, C, h, w)` averaged to so many cells along a side."""
    return x if x.shape[2] == cells else adaptive_avg_pool2d(x, (cells, cells))


def told(shown: Tensor, cells: int) -> Tensor:
    """What a head is told by maps `(n, S, S)`: their logarithm, blurred over so many cells, `(n, G, S, S)`."""
    loud = shown.sign() * shown.abs().log1p()
    return torch.cat([blurred(loud[:, None], cells_wide * shown.shape[1] / cells) for cells_wide in BLURS], 1)


def joined(x: Tensor, shown: Tensor, cells: int) -> Tensor:
    """Features and what is told, on one grid `(n, C + G, cells, cells)`."""
    return torch.cat([gridded(x.float(), cells), adaptive_avg_pool2d(told(shown, cells), (cells, cells))], 1)


def sampled(
    stack: Stack, plane: str, cells: int, places: np.ndarray, maps: Maps, seed: int
) -> tuple[Tensor, np.ndarray, float]:
    """Patches of normal pictures `(N, C + G)`, where each is from `(N,)`, and the deviation of what is heard."""
    generator = torch.Generator().manual_seed(seed)
    each = max(1, min(cells**2, ROWS // len(places)))
    rows, heard = list[Tensor](), list[Tensor]()
    for some, x in stack.batches(plane, places, BLOCK):
        shown, loud = maps(some)
        heard.append(torch.stack([loud.double().mean((1, 2)), loud.double().square().mean((1, 2))]))
        for item in joined(x, shown, cells).flatten(2):
            rows.append(item[:, torch.randperm(cells**2, generator=generator)[:each]].T)
    mean, square = torch.cat(heard, 1).mean(1)
    spread = float((square - mean**2).clamp(min=0).sqrt())
    return torch.cat(rows), np.repeat(places, each), spread if spread > 1e-9 else 1.0


def examined(known: Defects, x: Tensor, shown: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Patches of defects and beside them, of features and what is told `(k, C + G, h, w)`, each with its example."""
    defect, of, beside, near = list[Tensor](), list[Tensor](), list[Tensor](), list[Tensor]()
    cells = x.shape[2], x.shape[3]
    for i, region in enumerate(known.regions):
        one, clean = x[i : i + 1], x[:0, :, 0, 0]
        if region is None:
            found, _ = suspected(one, adaptive_avg_pool2d(shown[i : i + 1], cells))
        else:
            found, _, clean = marked(one, torch.from_numpy(region)[None])
        for rows, which, kept in ((found, of, defect), (clean, near, beside)):
            kept.append(rows)
            which.append(torch.full((len(rows),), i))
    return torch.cat(defect), torch.cat(of), torch.cat(beside), torch.cat(near)
