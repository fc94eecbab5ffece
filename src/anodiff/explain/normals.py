"""What a fitted detector knows of normal windows: rows that it keeps, Gaussians, networks; and which of them to ask."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from anodiff.diffusion.denoise import Denoiser
from anodiff.diffusion.empirical import Empirical
from anodiff.diffusion.exact import Gaussian
from anodiff.diffusion.fill import shrinkage
from anodiff.modalities.windows import View
from anodiff.timeline import Timeline

WIDEST = 4000
"""Cells of a window beyond which a smaller one is asked."""
SOLVED = 800
"""Cells up to which a Gaussian is fitted to rows that have none."""
NOISE = 0.2
"""Variance added in every direction of a Gaussian, as it was fitted, and is not to be trusted to the last digit."""
ROOM = 1.5
"""Windows are at least so many times as long as the event, if there are such."""
FEW = 10
"""A coordinate of at most so many values takes no other."""


@dataclass(frozen=True, eq=False)
class Normals:
    """Normal windows of one view.

    Attributes:
        view: How they are cut.
        width: Coordinates per instant.
        denoiser: One that was fitted to them.
        rows: Some of them `(m, width, points)`, or None.
        gaussian: Of them, or None.
    """

    view: View
    width: int
    denoiser: Denoiser
    rows: Tensor | None = None
    gaussian: Gaussian | None = None

    @property
    def cells(self) -> int:
        """Numbers in a window."""
        return self.width * self.view.points

    @property
    def raw(self) -> bool:
        """Whether windows are as they were, level and spread included."""
        return self.view.normalise == "none"

    @cached_property
    def noisy(self) -> Gaussian | None:
        """The Gaussian of windows as they were, seen through a little noise; None where they are not known so."""
        if not self.raw:
            return None
        return noisy(self.gaussian) if self.gaussian is not None else self.fitted(self.rows)

    def fitted(self, rows: Tensor | None) -> Gaussian | None:
        """The same of rows `(m, width, points)`, if they have not too many cells."""
        if rows is None or self.cells > SOLVED or len(rows) < 2:
            return None
        return noisy(Gaussian.fit(rows, self.denoiser.schedule, shrinkage(len(rows), self.cells)))

    @cached_property
    def discrete(self) -> Tensor:
        """Which coordinates take only a few values, `(width,)`."""
        whole = self.raw and self.view.points == self.view.length
        if self.rows is None or not whole:
            return torch.zeros(self.width, dtype=torch.bool)
        return torch.tensor([len(torch.unique(self.rows[:, c])) <= FEW for c in range(self.width)])


def noisy(known: Gaussian) -> Gaussian:
    """A Gaussian with a little noise in every direction."""
    return Gaussian.spectral(known.mean, known.values + NOISE, known.vectors, known.rest + NOISE, known.schedule)


def normals(timeline: Timeline) -> list[Normals]:
    """Per view what its denoisers know, with the rows of an empirical one and a Gaussian where there are any."""
    width, found = timeline.modality.width, []
    for name, view in timeline.views.items():
        panel = [timeline.panel[key] for key, spec in timeline.recipe.denoisers.items() if spec.view == name]
        if not panel:
            continue
        empirical = next((each for each in panel if isinstance(each, Empirical)), None)
        rows = None if empirical is None else empirical.rows.reshape(-1, width, view.points)
        cells = width * view.points
        inside = (part for each in panel for part in each.modules() if isinstance(part, Gaussian))
        gaussian = next((part for part in inside if len(part.mean) == cells), None)
        learnt = next((each for each in panel if each is not empirical), panel[0])
        found.append(Normals(view, width, learnt, rows, gaussian))
    return found


def chosen(known: Sequence[Normals], instants: int) -> Normals:
    """Whom to ask about an event of so many instants: of those whose windows leave half as much to go by,

    windows as they were, told instant by instant, of which rows are known, long ones; where none does, the longest.
    """
    small = [each for each in known if each.cells <= WIDEST] or [min(known, key=lambda each: each.cells)]
    wide = [each for each in small if each.view.length >= ROOM * instants]
    if not wide:
        most = max(each.view.length for each in small)
        wide = [each for each in small if each.view.length == most]

    def merit(each: Normals) -> tuple[bool, bool, bool, int]:
        told = each.view.points == each.view.length
        return each.raw, told, each.rows is not None, each.view.length

    return max(wide, key=merit)
