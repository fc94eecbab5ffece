r"""A head taught in seconds: what pictures look like is worked out once, and every lesson is of it.

Two thirds of the normal pictures teach a head, the last third, with their near-duplicates, says what is normal to it.
It stands for `Detector.teach`, which takes turns; everything else is the same.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from anodiff.data.albums import Picture
from anodiff.data.twins import folds
from anodiff.gallery import Gallery
from anodiff.recipes.taught import Patches, Taught, deviation, gridded, joined, judged_plane
from anodiff.scores.fewshot import marked
from anodiff.types import Scores

ROWS, BESIDE = 30_000, 30_000
"""Patches of normal pictures, and beside defects, that a head is shown at most."""
TURNS, APART = 3, 5
AT_ONCE = 32


@dataclass(frozen=True, eq=False)
class Looks:
    """What n pictures look like to a gallery without a head.

    Attributes:
        x: The plane that heads judge `(n, C, h, w)`, half precision.
        shown: The members' map on the canvas `(n, S, S)`.
        heard: What is heard of the members `(n,)` float64.
    """

    x: Tensor
    shown: Tensor
    heard: Tensor

    def __len__(self) -> int:
        return len(self.x)

    def part(self, at: np.ndarray) -> "Looks":
        """Of some of the pictures, by place."""
        rows = torch.from_numpy(at)
        return Looks(self.x[rows], self.shown[rows], self.heard[rows])

    def beside(self, other: "Looks") -> "Looks":
        """These, and behind them the others."""
        pairs = ((getattr(self, name), getattr(other, name)) for name in ("x", "shown", "heard"))
        return Looks(*(torch.cat(pair) for pair in pairs))


def looks(model: Gallery, pictures: np.ndarray) -> Looks:
    """Look at pictures `(n, S, S[, 3])` uint8 in the frame of the gallery."""
    plane, cells = judged_plane(model.recipe, model.modality.shapes_)
    x, shown, heard = list[Tensor](), list[Tensor](), list[Tensor]()
    for k, pixels in enumerate(pictures):
        wide = pixels if pixels.ndim == 3 else pixels[..., None]
        planes = model.modality.encode([Picture(str(k), wide.astype(np.float32) / 255, wide.shape[:2])])
        said = model.said(planes)
        x.append(gridded(planes[plane], cells).half())
        shown.append(model.unaided(said))
        heard.append(model.pooled(model.heard(said)))
    return Looks(torch.cat(x), torch.cat(shown), torch.cat(heard))


class Room:
    """Where heads are taught.

    Args:
        model: Without a head.
        normal: What normal pictures look like that it had not learnt from.
        groups: Of near-duplicates among them `(n,)`.
        seed: Of the draw of patches.
    """

    def __init__(self, model: Gallery, normal: Looks, groups: np.ndarray, seed: int = 0) -> None:
        self.model = model
        self.plane, self.cells = judged_plane(model.recipe, model.modality.shapes_)
        fold = folds(groups, TURNS, seed)
        learnt, self.rest = np.flatnonzero(fold != 0), normal.part(np.flatnonzero(fold == 0))
        self.spread = deviation(normal.shown)
        self.rows = self._rows(normal, learnt, ROWS, seed)
        self.levels = self._rows(normal, np.flatnonzero(fold == 0), ROWS // 2, seed + 1)

    def patches(self, known: Looks, masks: np.ndarray, weights: np.ndarray, more: Tensor | None = None) -> Patches:
        """What a head is shown of known defects, of these masks `(k, S, S)` and weights `(k,)`.

        Args:
            known: The defects.
            masks: Theirs.
            weights: Theirs, and behind them those of `more`.
            more: Rows of defects of which there is no picture, `(m, C + 1)`; each counts as one.
        """
        x = joined(known.x, known.shown, self.cells)
        defect, of, beside, near = list[Tensor](), list[Tensor](), list[Tensor](), list[Tensor]()
        for k in range(len(known)):
            found, _, clean = marked(x[k : k + 1], torch.from_numpy(masks[k])[None])
            clean = clean[:: max(1, len(known) * self.cells**2 // BESIDE)]
            for rows, which, kept in ((found, of, defect), (clean, near, beside)):
                kept.append(rows)
                which.append(torch.full((len(rows),), k))
        if more is not None:
            defect.append(more)
            of.append(len(known) + torch.arange(len(more)))
        own = torch.from_numpy(weights).float()
        return Patches(self.rows, torch.cat(defect), torch.cat(of), torch.cat(beside), torch.cat(near), own)

    def head(self, seen: Patches, examples: Tensor | None = None) -> Taught:
        """A head, perhaps without some examples, levelled on the normal pictures that it was not shown."""
        made = seen.head(examples=examples)
        return Taught(made, self.plane, self.cells, shown=self.spread).levelled(made.odds(self.levels))

    def odd(self, head: Taught, pictures: Looks) -> tuple[Tensor, Tensor]:
        """Maps `(n, S, S)` of a head, and what they come to `(n,)`."""
        maps, worst = list[Tensor](), list[Tensor]()
        for start in range(0, len(pictures), AT_ONCE):
            some = slice(start, start + AT_ONCE)
            said = self.model.laid(head.said({self.plane: pictures.x[some]}))
            maps.append(head.odd(pictures.shown[some], said))
            worst.append(self.model.pooled(maps[-1]))
        return torch.cat(maps), torch.cat(worst)

    def weight(self, seen: Patches, known: Looks) -> float:
        """How much a head is to be heard for the score: each example says so of a head that had not seen it."""
        whole = self.head(seen)
        scores = list[tuple[Tensor, Tensor]]()
        turn = np.arange(len(known)) % APART
        for k in range(min(APART, len(known))):
            own = np.flatnonzero(turn == k)
            if len(own) < len(known):
                head = self.head(seen, torch.from_numpy(own))
                scores.append((known.heard[torch.from_numpy(own)], self.odd(head, known.part(own))[1]))
        none = torch.zeros(0, dtype=torch.float64)
        heard, odd = (torch.cat([none, *(pair[i] for pair in scores)]) for i in (0, 1))
        return whole.weighed((self.rest.heard, self.odd(whole, self.rest)[1]), (heard, odd)).weight

    def judge(self, head: Taught | None, weight: float, test: Looks) -> tuple[Tensor, Scores]:
        """Maps `(n, S, S)` and scores `(n,)` of pictures, with a head that is heard so much, or without any."""
        if head is None:
            return test.shown, test.heard.numpy()
        normal = (self.rest.heard, self.odd(head, self.rest)[1])
        none = torch.zeros(0, dtype=torch.float64)
        heard = replace(head.weighed(normal, (none, none)), weight=weight)
        odd, worst = self.odd(head, test)
        return odd + 0.5 * test.shown / head.shown, heard.scored(test.heard, worst).numpy()

    def _rows(self, normal: Looks, places: np.ndarray, most: int, seed: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        each = max(1, min(self.cells**2, most // len(places)))
        rows = list[Tensor]()
        for start in range(0, len(places), AT_ONCE):
            part = normal.part(places[start : start + AT_ONCE])
            for item in joined(part.x, part.shown, self.cells).flatten(2):
                rows.append(item[:, torch.randperm(self.cells**2, generator=generator)[:each]].T)
        return torch.cat(rows)
