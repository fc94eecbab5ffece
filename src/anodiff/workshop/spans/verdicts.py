"""What there is to say of made series, beside the same of held-out normal ones in the same regions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anodiff.diffusion.conditional import Conditional
from anodiff.made import Made
from anodiff.types import Scores
from anodiff.workshop.spans.exemplars import Example, look
from anodiff.workshop.spans.keepsakes import Keepsakes
from anodiff.workshop.spans.scenes import Source, Stretch
from anodiff.workshop.spans.spanned import Spanned

NORMALS = 300
Pair = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Evidence:
    """Of normals and of what was made.

    Attributes:
        model: Of what is normal.
        normal_scores: Of held-out windows, by the judge.
        examples: Known anomalies.
        detector: Given by the user.
    """

    model: Spanned
    normal_scores: Scores
    examples: Sequence[Example]
    detector: Any = None

    def of(self, stretches: Sequence[Stretch], scenes: Sequence[Tensor], normal: bool) -> tuple[Pair, Pair, Pair]:
        """Normals and made: what windows are like apart from regions, what regions look like, and how odd they are."""
        length, held = self.model.length, self.model.held[:: self.model.apart]
        starts = [s.window(length) for s in stretches]
        pairs = list(zip(starts, scenes, stretches, strict=True))
        windows = torch.stack([scene[:, a : a + length] for a, scene, _ in pairs])
        masks = torch.stack([s.region[:, a : a + length] for a, _, s in pairs])
        every = torch.ones_like(masks)
        if normal:
            scores = self.model.judge.scores(windows, every)
            others = self.model.coordinates(held), self.model.coordinates(windows)
            return others, others, (self.normal_scores, scores)
        structure = Conditional(self.model.loadings, masks)
        whole, looks, odd = list[np.ndarray](), list[np.ndarray](), list[np.ndarray]()
        count = min(NORMALS, len(held))
        for k in range(0, count, len(windows)):
            some = np.arange(k, min(k + len(windows), count))
            normals, which = held[torch.from_numpy(some)], torch.arange(len(some))
            rest = self._expected(structure.only(which), normals)
            whole.append(self.model.coordinates(rest))
            looks += [look(*both) for both in self._looked(normals, rest, masks[which])]
            odd.append(self.model.judge.scores(normals, masks[which]))
        rest = self._expected(structure, windows)
        seen = np.stack([look(*both) for both in self._looked(windows, rest, masks)])
        real = np.stack([each.look for each in self.examples] if self.examples else looks)
        scores = np.concatenate([self.model.judge.scores(scene[None], s.region[None]) for _, scene, s in pairs])
        return (np.concatenate(whole), self.model.coordinates(rest)), (real, seen), (np.concatenate(odd), scores)

    def by_detector(self, made: Made, kept: Keepsakes) -> Pair:
        """The detector's highest scores in regions; on normal pieces in regions as long, at other times."""
        draw = np.random.default_rng(0)
        scored = [np.asarray(s) for s in self.detector.decision_function(made.data, causal=False)]
        odd = np.array([s[r.any(1)].max() for s, r in zip(scored, made.region, strict=True)])
        normals = self.detector.decision_function([s.item.native for s in kept.sources], causal=False)
        others = []
        for i in range(max(NORMALS, len(odd))):
            said, length = np.asarray(normals[i % len(normals)]), int(made.region[i % len(odd)].any(1).sum())
            start = int(draw.integers(0, max(1, len(said) - length + 1)))
            others.append(said[start : start + length].max())
        return np.array(others), odd

    def change(self, source: Source, stretch: Stretch, made: Tensor) -> np.ndarray:
        """By how much each cell changed, in standard deviations `(T, channels)`."""
        owner, strip = self.model.modality.channels_.owner, source.strip
        place = strip.at - stretch.start
        inside = (place >= 0) & (place < made.shape[1])
        moved = torch.where(stretch.region, (made - stretch.x).abs(), 0).numpy()
        cells = np.where(inside[:, None], moved.T[np.clip(place, 0, made.shape[1] - 1)], 0.0)
        found = np.stack([cells[:, owner == c].max(1) for c in range(len(self.model.modality.columns))], 1)
        return np.asarray(np.where(source.observed(self.model.modality.channels_), found, 0.0))

    def _expected(self, structure: Conditional, windows: Tensor) -> Tensor:
        told = structure.given(windows / self.model.tau[:, None]).mean
        assert told is not None
        mean = told.to(windows) * self.model.tau[:, None]
        return torch.where(structure.hidden.reshape(windows.shape), mean, windows)

    def _looked(self, windows: Tensor, rest: Tensor, masks: Tensor) -> Any:
        return zip((windows - rest).numpy(), masks.numpy(), strict=True)
