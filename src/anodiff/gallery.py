r"""A fitted detector of pictures, as plain parts: pictures in, maps and scores out. No fitting, no decisions.

.. math:: A = G_b * \sum_m w_m \frac{a_m - \mu_m}{\sigma_m}, \qquad a = \frac{\mathrm{pool}(A) - \mu}{\sigma},

:math:`a_m` a member's map on the canvas, :math:`\mu, \sigma` of normal pictures that it had not seen, :math:`G_b` a
Gaussian blur. Members may be heard for the score, shown on the map, or both. Where a head has seen known defects, it
makes the map anew, and is heard beside the members.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from anodiff.conditions.label import Label
from anodiff.data.albums import Picture
from anodiff.data.twins import thumbnail
from anodiff.diffusion.denoise import Denoiser
from anodiff.modalities.planes import Planes
from anodiff.recipes.build import Silent, schedule
from anodiff.recipes.pictured import asks, judged, plane_of
from anodiff.recipes.schema import Recipe
from anodiff.recipes.taught import HEAD, Taught
from anodiff.scores.base import AnomalyScore
from anodiff.scores.planes import blurred
from anodiff.types import JSON, Misfit, Scores

Said = Mapping[str, Tensor]
POOL = "pool"
"""The scale of what a map comes to, among those of the members."""


@dataclass(frozen=True)
class Scale:
    """Mean and standard deviation of what normal pictures make of something."""

    mean: float
    std: float

    @classmethod
    def of(cls, values: np.ndarray) -> "Scale":
        """Of values `(n, ...)`; a deviation of nothing counts as 1."""
        mean, std = float(np.mean(values, dtype=np.float64)), float(np.std(values, dtype=np.float64))
        return cls(mean, std if std > 1e-9 * (1 + abs(mean)) else 1.0)

    def __call__(self, values: Tensor) -> Tensor:
        """Values in deviations above the mean."""
        return (values - self.mean) / self.std


@dataclass(frozen=True)
class Gallery:
    """What scoring needs.

    Attributes:
        recipe: How it was built.
        modality: Pictures to planes, and maps back.
        panel: Denoisers by name.
        members: Scores by name; the recipe says which denoiser each asks, and its weight.
        scales: By member, and of the pooled map.
        classes: Of the pictures of fit, where the recipe tells them apart: the folders that they lay in.
        shown: Small normal pictures `(k, 96, 96[, 3])` uint8, to show how it should look.
        facts: What is known of the fit, JSON.
        head: What known defects taught; None where there were none.
    """

    recipe: Recipe
    modality: Planes
    panel: Mapping[str, Denoiser]
    members: Mapping[str, AnomalyScore]
    scales: Mapping[str, Scale] = field(default_factory=dict)
    classes: Sequence[str] = ()
    shown: np.ndarray = field(default_factory=lambda: np.zeros((0, 96, 96), np.uint8))
    facts: JSON = field(default_factory=dict)
    head: Taught | None = None

    @property
    def speakers(self) -> list[str]:
        """All that say something of a picture: the members, and the head."""
        return [*self.members, *([] if self.head is None else [HEAD])]

    @property
    def nfe(self) -> int:
        """Evaluations of a denoiser per picture."""
        return sum(self.costs.values())

    @property
    def costs(self) -> dict[str, int]:
        """Of each member; guidance asks twice."""
        return {name: member.nfe * asks(self.recipe, name) for name, member in self.members.items()}

    def within(self, budget: int | None) -> "Gallery":
        """The members, in their order, that so many evaluations per picture pay for.

        Raises:
            Misfit: the budget buys none.
        """
        if budget is None:
            return self
        kept, left = dict[str, AnomalyScore](), budget
        for name, member in self.members.items():
            if self.costs[name] <= left:
                kept[name], left = member, left - self.costs[name]
        if not kept:
            least = min(self.costs.values())
            raise Misfit(f"budget is {budget}; the cheapest score of this recipe takes {least} per picture.")
        return replace(self, members=kept)

    def raw(self, pictures: Sequence[Picture], shown: bool = True) -> dict[str, Tensor]:
        """What every member says of pictures: maps `(n, h, w)`, each on its own grid.

        Args:
            pictures: At least one.
            shown: Whether maps will be shown; else those members are not asked that are not heard for the score.
        """
        labels = Label(self.classes).encode(classes_of([picture.name for picture in pictures]))["label"]
        return self.said(self.modality.encode(pictures), labels, shown)

    def said(self, planes: Mapping[str, Tensor], labels: Tensor | None = None, shown: bool = True) -> dict[str, Tensor]:
        """`raw` of planes that were encoded, and the class of each picture `(n,)`, 0 where it is not known."""
        found = {}
        for name in self.members if shown or self.head is not None else self.voices:
            member, asked = self.members[name], self.recipe.scores[name]
            denoiser = Silent(schedule(self.recipe)) if asked.of is None else self.panel[asked.of]
            x = planes[plane_of(self.recipe, name)]
            known = torch.zeros(len(x), dtype=torch.int64) if labels is None else labels
            found[name] = judged(self.recipe, name, member, denoiser, x, label=known)
        if self.head is not None:
            found[HEAD] = self.head.said(planes)
        return found

    def canvas(self, said: Said) -> Tensor:
        """What is shown: the map `(n, S, S)`, of the head where there is one."""
        own = self.unaided(said)
        return own if self.head is None else self.head.map(own, self.laid(said[HEAD].float()))

    def unaided(self, said: Said) -> Tensor:
        """The map `(n, S, S)` of the members that say where, S the side of the modality's canvas.

        A part of its own median is taken away: how odd a picture is as a whole is for its score to say.
        """
        found = self.summed(said, [name for name in self.members if self.recipe.scores[name].read != "picture"])
        own = found.flatten(1).median(1).values[:, None, None]
        return found - self.recipe.relative * own

    @property
    def voices(self) -> list[str]:
        """The members that are heard for the score: those that are not for the map alone, else all."""
        return [name for name in self.members if self.recipe.scores[name].read != "map"] or list(self.members)

    def heard(self, said: Said) -> Tensor:
        """The map `(n, S, S)` of the members that are heard for the score."""
        return self.summed(said, self.voices)

    def from_nothing(self, totals: Scores) -> Scores:
        """Scores `(n,)` of a gallery without a head, counted from where every member says 0."""
        usual = sum(
            self.recipe.scores[name].weight * self.scales[name].mean / self.scales[name].std for name in self.voices
        )
        return totals * self.scales[POOL].std + self.scales[POOL].mean + usual

    def summed(self, said: Said, names: Sequence[str]) -> Tensor:
        """The calibrated maps of some members summed and blurred `(n, S, S)`."""
        count, side = len(next(iter(said.values()))), self.modality.canvas
        total = torch.zeros(count, side, side)
        for name in names:
            if said[name].ndim == 3:
                total += self.recipe.scores[name].weight * self.spread(self.scales[name](said[name].float()))
        return self.softened(total)

    def laid(self, map: Tensor) -> Tensor:
        """A map `(n, h, w)` on the canvas, blurred."""
        return self.softened(self.spread(map))

    def spread(self, map: Tensor) -> Tensor:
        """A map `(n, h, w)` at the side of the canvas."""
        side = self.modality.canvas
        return interpolate(map[:, None], (side, side), mode="bilinear", align_corners=False)[:, 0]

    def softened(self, canvas: Tensor) -> Tensor:
        """Maps `(n, S, S)` blurred as the recipe says."""
        sigma = self.recipe.blur * self.modality.canvas / int(self.modality.image_.size)
        return blurred(canvas[:, None], sigma)[:, 0] if sigma else canvas

    def pooled(self, canvas: Tensor) -> Tensor:
        """What maps `(n, S, S)` come to, `(n,)` float64."""
        cells = canvas.flatten(1).double()
        pool = self.recipe.pool
        if pool.use == "max":
            return cells.amax(1)
        count = cells.shape[1] if pool.use == "mean" else max(1, math.ceil(pool.share * cells.shape[1]))
        return cells.topk(count, 1).values.mean(1)

    def totals(self, said: Said) -> Scores:
        """The score of each picture `(n,)`: what the summed map of the members that are heard comes to."""
        return self.scales[POOL](self.worst(said)).numpy()

    def worst(self, said: Said) -> Tensor:
        """What is heard of a picture comes to, not yet scaled, `(n,)` float64."""
        heard, odd = self.parts(said)
        return heard if self.head is None else self.head.scored(heard, odd)

    def parts(self, said: Said) -> tuple[Tensor, Tensor]:
        """What the members that are heard come to, and the head, nothing where there is none; each `(n,)` float64."""
        heard = self.pooled(self.heard(said))
        if self.head is None:
            return heard, torch.zeros_like(heard)
        return heard, self.pooled(self.head.odd(self.unaided(said), self.laid(said[HEAD].float())))

    def nearest_normal(self, picture: Picture) -> np.ndarray | None:
        """Of the small normal pictures, the one that looks most like this; None where none were kept.

        Of a pair it is the reference, in full.
        """
        if picture.reference is not None:
            return np.asarray(self.modality.image_.decode(self.modality.image_.encode([picture.reference]).x)[0])
        if not len(self.shown):
            return None
        own = thumbnail(grey(self.modality.image_.decode(self.modality.image_.encode([picture]).x))[0])
        kept = np.stack([thumbnail(each) for each in grey(self.shown)])
        return np.asarray(self.shown[int((kept @ own).argmax())])


def classes_of(names: Sequence[str]) -> list[str]:
    """The outermost folder that each picture lies in; nothing where it lies in none.

    >>> classes_of(["nuts/1.png", "2.png"])
    ['nuts', '']
    """
    return [name.split("/", 1)[0] if "/" in name else "" for name in names]


def grey(pictures: np.ndarray) -> np.ndarray:
    """Pictures `(n, S, S[, 3])` as `(n, S, S)`."""
    return pictures if pictures.ndim == 3 else pictures.mean(3)
