r"""Rivals on pictures: `fit(seen)`, then `maps_and_scores(seen)`: a map `(n, h, w)` and the score as published `(n,)`.

They see what `seen.Eyes` makes of the pictures. Their maps are then blurred and pooled as anodiff's own (`finish`), and
both scores are judged. PatchCore-style is the distance of each place to the nearest of a coreset of places,

.. math:: a_p(x) = \min_{m \in M} \|f_p(x) - m\| ,

scored by its plain maximum, without the re-weighting by neighbours. PaDiM-style is the distance to the place's own mean
under its own covariance, of all channels.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Self

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from anodiff.bench.images.coreset import farthest, nearest, projected
from anodiff.bench.images.seen import Seen
from anodiff.bench.images.whiten import Whiten
from anodiff.types import Scores

THUMBNAIL = (48, 64)
TENTH, MANY = 0.1, 10_000
Said = tuple[np.ndarray, Scores]


class Rival(ABC):
    """Think twice before adding anything here, every rival carries it."""

    @abstractmethod
    def fit(self, seen: Seen) -> Self:
        """Learn normal pictures."""

    @abstractmethod
    def maps_and_scores(self, seen: Seen) -> Said:
        """A map of each picture, `(n, h, w)` float32, and the score as published `(n,)`; higher is more anomalous."""


class PatchCore(Rival):
    """Distance to the nearest of a coreset.

    Args:
        size: Of the coreset: a number of places, or a share below 1.
        whiten: How features are whitened; None takes them raw, as published.
        seed: Of the projection, and of the first place.
    """

    def __init__(self, size: float, whiten: Whiten | None = None, seed: int = 0) -> None:
        self.size = size
        self.whiten = whiten
        self.seed = seed

    def fit(self, seen: Seen) -> Self:
        """Choose the coreset."""
        if self.whiten is not None:
            self.whiten.fit(seen.features)
        rows = self._rows(seen.features)
        count = max(1, round(self.size * len(rows) if self.size < 1 else self.size))
        self.coreset_ = rows[farthest(projected(rows, self.seed), count, self.seed)]
        return self

    def maps_and_scores(self, seen: Seen) -> Said:
        """The score is the highest of the map."""
        n, _, height, width = seen.features.shape
        found = nearest(self._rows(seen.features), self.coreset_).sqrt().view(n, height, width).numpy()
        return found, found.max((1, 2)).astype(np.float64)

    def _rows(self, features: Tensor) -> Tensor:
        white = features if self.whiten is None else self.whiten(features)
        return white.permute(0, 2, 3, 1).reshape(-1, white.shape[1])


class PaDiM(Rival):
    """Mahalanobis distance at every place; the score is the highest of the map."""

    def __init__(self, shrink: float = 0.0) -> None:
        self.shrink = shrink

    def fit(self, seen: Seen) -> Self:
        """Means and covariances."""
        self.whiten_ = Whiten(places=True, shrink=self.shrink).fit(seen.features)
        return self

    def maps_and_scores(self, seen: Seen) -> Said:
        """The score is the highest of the map."""
        found = self.whiten_(seen.features).square().sum(1).sqrt().numpy()
        return found, found.max((1, 2)).astype(np.float64)


class Thumbnail(Rival):
    """Distance to the nearest small grey picture; the map is the difference from it."""

    def fit(self, seen: Seen) -> Self:
        """Keep them all."""
        self.known_ = self._small(seen)
        return self

    def maps_and_scores(self, seen: Seen) -> Said:
        """The score is the distance."""
        own = self._small(seen)
        apart = torch.cdist(own, self.known_)
        found = (own - self.known_[apart.argmin(1)]).abs().view(-1, *THUMBNAIL)
        return found.numpy(), apart.min(1).values.double().numpy()

    def _small(self, seen: Seen) -> Tensor:
        return adaptive_avg_pool2d(seen.grey[:, None], THUMBNAIL).flatten(1)


class Mean(Rival):
    """Difference from the mean picture; the score is its mean."""

    def fit(self, seen: Seen) -> Self:
        """The mean picture."""
        self.mean_ = seen.grey.mean(0)
        return self

    def maps_and_scores(self, seen: Seen) -> Said:
        """The score is the mean of the map."""
        found = (seen.grey - self.mean_).abs().numpy()
        return found, found.mean((1, 2), dtype=np.float64)


RIVALS: dict[str, Callable[[int], Rival]] = {
    "patchcore-tenth": lambda seed: PatchCore(TENTH, None, seed),
    "patchcore-10k": lambda seed: PatchCore(MANY, None, seed),
    "patchcore-tenth+white": lambda seed: PatchCore(TENTH, Whiten(places=False), seed),
    "patchcore-10k+white": lambda seed: PatchCore(MANY, Whiten(places=False), seed),
    "patchcore-tenth+place": lambda seed: PatchCore(TENTH, Whiten(places=True), seed),
    "patchcore-10k+place": lambda seed: PatchCore(MANY, Whiten(places=True), seed),
    "padim": lambda _: PaDiM(),
    "padim-shrunk": lambda _: PaDiM(shrink=0.1),
    "thumbnail": lambda _: Thumbnail(),
    "mean": lambda _: Mean(),
}
ABOUT = {
    "patchcore-tenth": "distance to the nearest of a greedy coreset, 10 % of all places, raw features",
    "patchcore-10k": "distance to the nearest of a greedy coreset of 10,000 places, raw features",
    "patchcore-tenth+white": "a coreset of 10 % of all places, features whitened by one covariance",
    "patchcore-10k+white": "a coreset of 10,000 places, features whitened by one covariance",
    "patchcore-tenth+place": "a coreset of 10 % of all places, features whitened at each place by its own covariance",
    "patchcore-10k+place": "a coreset of 10,000 places, features whitened at each place by its own covariance",
    "padim": "a Gaussian for each place, as published: all covariance, ridge 0.01 of standardised features",
    "padim-shrunk": "a Gaussian for each place, a tenth of its covariance shrunk to the diagonal",
    "thumbnail": f"distance to the nearest grey thumbnail of {THUMBNAIL[0]} x {THUMBNAIL[1]}",
    "mean": "difference from the mean grey picture",
}
ONCE = frozenset({"padim", "padim-shrunk", "thumbnail", "mean"})
"""Nothing in them is drawn, so with pictures that are not drawn either they are judged with the first seed only."""
