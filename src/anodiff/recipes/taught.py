r"""What a handful of known defects teaches: where a picture looks like one, by its features x and by the map A that the
members of a recipe make of it,

.. math:: A' = h + \tfrac12 \frac{A}{\sigma_A}, \qquad h = \frac{f - \mu}{\sigma}, \qquad
          f = b + v \, \ell(A) + u^\top x, \qquad \ell(a) = \mathrm{sign}(a) \log(1 + |a|) ,

:math:`\mu, \sigma` of normal pictures that a head had not seen. f is the head of `anodiff.scores.head`: of one example
it is little but the map, of fifty mostly the features. A head takes kinds that it was not shown for normal, above all
the opposite of a known one; they are found by the half of A that stays. The score is of the worst places of h and of B,
what is heard of the members,

.. math:: a = \frac{\mathrm{pool}(B)}{\sigma_B} + w \max\Big(\frac{\mathrm{pool}(h) - \mu_h}{\sigma_h} - 1, 0\Big),

with the smallest w that finds the examples best, each by a head that had not seen it: 0 where none is left out.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from anodiff.data.stack import Stack
from anodiff.data.twins import twins
from anodiff.modalities.planes import Shape
from anodiff.recipes.defects import Defects
from anodiff.recipes.schema import Recipe
from anodiff.scores.fewshot import marked, suspected
from anodiff.scores.head import PatchHead
from anodiff.types import JSON, BadModel

HEAD = "known-defects"
"""What the head is called among the members; recipes cannot call one so."""
KEPT = 0.5
"""What stays of the members' map."""
GRID = 32
"""Cells along a side, at most, that pixels are averaged to."""
ROWS = 40_000
"""Normal patches that a head is shown at most."""
TURNS, APART = 3, 10
"""Heads that leave normals out, and heads that leave examples out at most."""
BLOCK = 32
"""Pictures at once."""
WEIGHTS = (0.0, 0.5, 1.0, 2.0)
"""What a head may weigh in the score."""
NUMBERS = ("mean", "std", "shown", "heard", "calm", "stir", "weight")

Maps = Callable[[np.ndarray], Tensor]
"""Of normal pictures, by place, what members that had not seen them show, `(m, S, S)`."""


@dataclass(frozen=True)
class Taught:
    """A head that has seen known defects.

    Attributes:
        head: On the channels of a plane, and on the map.
        plane: The plane.
        cells: Along a side of the grid.
        mean: Of f on normal pictures.
        std: Of f on normal pictures.
        shown: Standard deviation of A on normal pictures.
        heard: Standard deviation of pool(B) on normal pictures.
        calm: Mean of pool(h) on normal pictures.
        stir: Standard deviation of pool(h) on normal pictures.
        weight: The w.
    """

    head: PatchHead
    plane: str
    cells: int
    mean: float = 0.0
    std: float = 1.0
    shown: float = 1.0
    heard: float = 1.0
    calm: float = 0.0
    stir: float = 1.0
    weight: float = 0.0

    def said(self, planes: Mapping[str, Tensor]) -> Tensor:
        """What it says of the features alone, of planes `(n, C, h, w)`; `(n, cells, cells)`."""
        x = gridded(planes[self.plane].float(), self.cells)
        return torch.einsum("bchw,c->bhw", x, self.head.slope[: self.head.channels]) + self.head.bias

    def odd(self, shown: Tensor, said: Tensor) -> Tensor:
        """h `(n, S, S)`, of the map of the members and of what was said of the features, laid on the same canvas."""
        return (said + self.head.slope[-1] * told(shown) - self.mean) / self.std

    def map(self, shown: Tensor, said: Tensor) -> Tensor:
        """A' `(n, S, S)`, of the same."""
        return self.odd(shown, said) + KEPT * shown / self.shown

    def scored(self, heard: Tensor, odd: Tensor) -> Tensor:
        """The score of pictures `(n,)`, of what is heard of members and of h, each pooled."""
        return heard / self.heard + self.weight * ((odd - self.calm) / self.stir - 1).clamp(min=0)

    def but(self, other: "Taught") -> "Taught":
        """The head of another, weighed like this one."""
        return replace(other, heard=self.heard, calm=self.calm, stir=self.stir, weight=self.weight)

    def weighed(self, normal: tuple[Tensor, Tensor], known: tuple[Tensor, Tensor]) -> "Taught":
        """The same with the w that finds known defects best, if by more than chance.

        Args:
            normal: What is heard and h, pooled, of normal pictures that were left out, each `(n,)`.
            known: The same of known defects, each by a head that had not seen it, `(k,)`; perhaps none.
        """
        heard, odd = normal
        made = replace(self, heard=deviation(heard), calm=float(odd.mean()), stir=deviation(odd), weight=0.0)
        ranks = {}
        for weight in WEIGHTS:
            ordered = replace(made, weight=weight).scored(*normal).sort().values
            found = torch.searchsorted(ordered, replace(made, weight=weight).scored(*known))
            ranks[weight] = found.double() / len(ordered)
        best = max(WEIGHTS, key=lambda weight: (float(ranks[weight].sum()), -weight))
        gain = ranks[best] - ranks[0.0]
        sure = len(gain) > 1 and float(gain.mean()) > float(gain.std()) / len(gain) ** 0.5
        return replace(made, weight=best if sure else 0.0)

    def levelled(self, odds: Tensor) -> "Taught":
        """The same in deviations of what normal patches `(n,)` make of f; a deviation of nothing counts as 1."""
        return replace(self, mean=float(odds.double().mean()), std=deviation(odds))

    def config(self) -> JSON:
        """What `restore` needs besides the arrays."""
        return {"head": self.head.config(), **{name: getattr(self, name) for name in ("plane", "cells", *NUMBERS)}}

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
            numbers = {name: float(config[name]) for name in NUMBERS}
            made = cls(head, str(config["plane"]), int(config["cells"]), **numbers)
            channels, rows, _ = shapes[made.plane]
            if (head.channels, head.told) != (channels, 1) or not 1 <= made.cells <= rows:
                raise ValueError(f"a plane of {channels} channels on {rows} rows is not what it judges")
            if not np.isfinite([*numbers.values(), float(slope.sum() + bias.sum())]).all() or numbers["weight"] < 0:
                raise ValueError("its numbers are none")
            if min(numbers[name] for name in ("std", "shown", "heard", "stir")) <= 0:
                raise ValueError("it has deviations of nothing")
        except (LookupError, TypeError, ValueError, RuntimeError) as error:
            raise BadModel(f"the head of known defects is damaged ({error}); save the model again.") from None
        return made


@dataclass(frozen=True)
class Lesson:
    """What k known defects taught.

    Attributes:
        whole: The head of all of them.
        left_out: Of n normal pictures what heads that had not seen them say, `(n, cells, cells)`.
        apart: For each known defect a head that had not seen it; None for the only one. Empty where they were weighed.
    """

    whole: Taught
    left_out: np.ndarray
    apart: list[Taught | None]


@dataclass(frozen=True)
class Patches:
    """Patches of features and of what is told, `(., C + 1)` each, that heads are shown.

    Attributes:
        normal: Of normal pictures.
        defect: Of known defects.
        of: Which each of these is of.
        beside: What no defect touches in the defects' pictures.
        near: Which picture each of these is of.
        weights: Of the known defects `(k,)`.
    """

    normal: Tensor
    defect: Tensor
    of: Tensor
    beside: Tensor
    near: Tensor
    weights: Tensor

    def head(self, normal: Tensor | None = None, examples: Tensor | None = None) -> PatchHead:
        """A head that is shown everything except some normal patches, given by a mask, and except some examples."""
        made = PatchHead(self.normal.shape[1] - 1, told=1)
        rest = self.normal if normal is None else self.normal[~normal]
        none = torch.zeros(0, dtype=self.of.dtype)
        defect, beside = (~torch.isin(each, none if examples is None else examples) for each in (self.of, self.near))
        seen, ends = (self.defect[defect], self.of[defect]), (self.beside[beside], self.near[beside])
        return made.fit(rest, *seen, *ends, self.weights)


def taught(
    recipe: Recipe,
    stack: Stack,
    fold: np.ndarray,
    kept: np.ndarray,
    maps: Maps,
    known: Defects,
    shown: Tensor,
    seed: int = 0,
    weights: np.ndarray | None = None,
) -> Lesson:
    """Learn k known defects from patches of normal pictures, of the defects, and beside them.

    Args:
        recipe: Says what the planes of the pictures are.
        stack: The planes of n normal pictures.
        fold: Of each `(n,)`, near-duplicates together.
        kept: Whether each may be learnt from `(n,)` bool.
        maps: Theirs.
        known: The defects.
        shown: What members show of the defects `(k, S, S)`.
        seed: Of the draw of normal patches.
        weights: Of the defects `(k,)`, the largest 1; all alike by default.
    """
    plane, cells = judged_plane(recipe, stack.shapes)
    normal, at, spread = sampled(stack, plane, cells, np.flatnonzero(kept), maps, seed)
    own = torch.ones(len(known)) if weights is None else torch.from_numpy(weights).float()
    seen = Patches(normal, *examined(known, joined(known.planes[plane], shown, cells), shown), own)
    turn = torch.from_numpy(fold[at] % TURNS)
    odds, left_out = torch.zeros(len(normal)), np.zeros((len(stack), cells, cells), np.float32)
    for k in range(TURNS):
        out = turn == k
        part = seen.head(out if bool((~out).any()) else None)
        odds[out] = part.odds(normal[out])
        for places, x in stack.batches(plane, np.flatnonzero(fold % TURNS == k), BLOCK):
            left_out[places] = Taught(part, plane, cells).said({plane: x}).numpy()
    whole = Taught(seen.head(), plane, cells, shown=spread).levelled(odds)
    apart = without(whole, seen, twins(known.thumbnails) % APART) if weights is None else []
    return Lesson(whole, left_out, list(apart))


def without(whole: Taught, seen: Patches, fold: np.ndarray) -> Iterator[Taught | None]:
    """For each example a head that was not shown its fold; None where nothing would be left to show."""
    heads = dict[int, Taught | None]()
    for k in np.unique(fold):
        own = torch.from_numpy(np.flatnonzero(fold == k))
        heads[k] = None
        if bool((~torch.isin(seen.of, own)).any()):
            head = seen.head(examples=own)
            heads[k] = replace(whole, head=head).levelled(head.odds(seen.normal))
    yield from (heads[k] for k in fold)


def judged_plane(recipe: Recipe, shapes: Mapping[str, Shape]) -> tuple[str, int]:
    """The plane that a head judges, the finest of features where there is one, and cells along a side of its grid."""
    features = [name for name, spec in recipe.planes.items() if spec.space == "features"]
    plane = max(features or recipe.planes, key=lambda name: (shapes[name][1], shapes[name][0]))
    return plane, shapes[plane][1] if features else min(GRID, shapes[plane][1])


def gridded(x: Tensor, cells: int) -> Tensor:
    """A plane `(n, C, h, w)` averaged to so many cells along a side."""
    return x if x.shape[2] == cells else adaptive_avg_pool2d(x, (cells, cells))


def told(shown: Tensor) -> Tensor:
    """What a head is told by maps: their logarithm, of either sign."""
    return shown.sign() * shown.abs().log1p()


def joined(x: Tensor, shown: Tensor, cells: int) -> Tensor:
    """Features and what is told, on one grid `(n, C + 1, cells, cells)`."""
    return torch.cat([gridded(x.float(), cells), adaptive_avg_pool2d(told(shown)[:, None], (cells, cells))], 1)


def sampled(
    stack: Stack, plane: str, cells: int, places: np.ndarray, maps: Maps, seed: int
) -> tuple[Tensor, np.ndarray, float]:
    """Patches of normal pictures `(N, C + 1)`, where each is from `(N,)`, and the deviation of their maps."""
    generator = torch.Generator().manual_seed(seed)
    each = max(1, min(cells**2, ROWS // len(places)))
    rows, powers = list[Tensor](), list[Tensor]()
    for some, x in stack.batches(plane, places, BLOCK):
        shown = maps(some)
        cells_of = shown.double().flatten(1)
        powers.append(torch.stack([cells_of.mean(1), cells_of.square().mean(1)]))
        for item in joined(x, shown, cells).flatten(2):
            rows.append(item[:, torch.randperm(cells**2, generator=generator)[:each]].T)
    mean, square = torch.cat(powers, 1).mean(1)
    return torch.cat(rows), np.repeat(places, each), max(float(square - mean**2), 0.0) ** 0.5 or 1.0


def deviation(values: Tensor) -> float:
    """Standard deviation; of nothing, 1."""
    std = float(values.double().std(correction=0))
    return std if std > 1e-9 else 1.0


def examined(known: Defects, x: Tensor, shown: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Patches of defects and beside them, of features and what is told `(k, C + 1, h, w)`, each with its example.

    Where some have masks the others are not shown: where their defects are would be a guess, and masks need none.
    """
    defect, of, beside, near = list[Tensor](), list[Tensor](), list[Tensor](), list[Tensor]()
    cells, masked = (x.shape[2], x.shape[3]), any(region is not None for region in known.regions)
    for i, region in enumerate(known.regions):
        one, clean = x[i : i + 1], x[:0, :, 0, 0]
        if region is None and masked:
            continue
        if region is None:
            found, _ = suspected(one, adaptive_avg_pool2d(shown[i : i + 1], cells))
        else:
            found, _, clean = marked(one, torch.from_numpy(region)[None])
        for rows, which, kept in ((found, of, defect), (clean, near, beside)):
            kept.append(rows)
            which.append(torch.full((len(rows),), i))
    return torch.cat(defect), torch.cat(of), torch.cat(beside), torch.cat(near)
