r"""A glance at pictures: how odd each place is by the first layers of a frozen backbone, in a few milliseconds,

.. math:: a_p(x) = m_p - \tfrac12 \mathrm{median}_q \, m_q, \qquad
          m_p = \sqrt{(f_p - \mu_p)^\top (C_p + s^2 I)^{-1} (f_p - \mu_p) / d} ,

a Gaussian for each place (`diffusion.positional`), less a part of what is said of all of the picture. It is fitted on
some of the normal pictures; what it says of the others tells how odd normal ones are. To make an anomaly of a strength
it is asked ten times.
"""

from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_max_pool2d

from anodiff.diffusion.noise import VE
from anodiff.diffusion.positional import Positional, Sums
from anodiff.modalities.grids import Moments, on_one_grid
from anodiff.nets.backbones import Backbone, backbone
from anodiff.scores.departure import Departure
from anodiff.types import JSON, BadModel, Mask, Scores

LAYERS = ("s8", "s16a")
STRIDE = 8
LEVEL, POOLED = 0.03, 0.05
RELATIVE = 0.5
"""The part of its median that is taken from a map."""
MIRRORS = ((), (2,), (3,), (2, 3))
"""What a picture is shown as besides itself: upside down, the other way round, both."""


class Glance:
    """How odd each place of a picture is.

    Args:
        seen_by: The backbone.
        mean: Of its features, `(C,)`.
        std: Likewise.
        normal: What is normal at each place.
    """

    def __init__(self, seen_by: Backbone, mean: Tensor, std: Tensor, normal: Positional) -> None:
        self.seen_by = seen_by
        self.mean = mean
        self.std = std
        self.normal = normal

    @classmethod
    def fit(cls, pictures: Sequence[np.ndarray]) -> "Glance":
        """Learn normal pictures `(C, S, S)` in [-1, 1], at least two.

        Raises:
            Misfit: there are fewer than two.
        """
        eye = backbone("embedded", LAYERS)
        rows = torch.cat([features(eye, torch.from_numpy(picture)[None]) for picture in pictures])
        moments = Moments(rows.shape[1])
        for row in rows:
            moments.add(row)
        sums = Sums((rows.shape[1], *rows.shape[2:]))
        rows.sub_(moments.mean[:, None, None]).div_(moments.std[:, None, None])
        sums.add(rows)
        found = Positional.fit(sums, VE(0.01, 2e3), pooled=POOLED, shrinkage=0.0, of=len(rows))
        return cls(eye, moments.mean, moments.std, found)

    def features(self, x: Tensor) -> Tensor:
        """What is seen in pictures `(B, C, S, S)`, standardised, `(B, d, h, w)`; each is seen for itself."""
        found = torch.cat([features(self.seen_by, one[None]) for one in x])
        return (found - self.mean[:, None, None]) / self.std[:, None, None]

    def odd(self, seen: Tensor) -> Tensor:
        """How odd each place of what was seen is, `(B, h, w)`: about 0.5 where normal."""
        with torch.no_grad():
            away = (Departure(LEVEL)(self.normal, seen).map.sum(1) / seen.shape[1]).clamp(min=0).sqrt()
        return away - RELATIVE * away.flatten(1).median(1).values[:, None, None]

    def __call__(self, x: Tensor) -> Tensor:
        """The map `(B, h, w)` of pictures `(B, C, S, S)`."""
        return self.odd(self.features(x))

    def config(self) -> JSON:
        """As JSON: the backbone."""
        return {"backbone": self.seen_by.config(), "shape": list(self.normal.mean.shape)}

    def arrays(self) -> dict[str, np.ndarray]:
        """What was learnt."""
        return {
            "mean": self.mean.numpy(),
            "std": self.std.numpy(),
            "centre": self.normal.mean.numpy(),
            "packed": self.normal.packed.numpy(),
        }

    @classmethod
    def restore(cls, config: JSON, arrays: Mapping[str, np.ndarray]) -> Self:
        """What these are `config` and `arrays` of.

        Raises:
            BadModel: they are of none, or the backbone has other weights now.
        """
        from anodiff.nets.backbones import restored

        try:
            mean, std, centre, packed = (
                torch.from_numpy(np.float32(arrays[name])) for name in ("mean", "std", "centre", "packed")
            )
            if list(centre.shape) != config["shape"] or len(packed) != centre[..., 0].numel():
                raise ValueError("places of another number")
            return cls(restored(config["backbone"]), mean, std, Positional(centre, packed, VE(0.01, 2e3)))
        except (LookupError, TypeError, ValueError) as error:
            raise BadModel(f"the glance of a generator is damaged ({error}); save the model again.") from None


def features(eye: Backbone, x: Tensor) -> Tensor:
    """What a backbone sees in a picture `(1, C, S, S)`, on one grid `(1, d, h, w)`."""
    cells = max(1, x.shape[2] // STRIDE)
    return on_one_grid(eye(x), (cells, cells))


def within(map: Tensor, region: Mask) -> Tensor:
    """The most that maps `(B, h, w)` show in cells that regions `(B, H, W)` touch, `(B,)`."""
    cells = adaptive_max_pool2d(region[:, None].float(), map.shape[1:])[:, 0] > 0
    return map.masked_fill(~cells, -torch.inf).flatten(1).amax(1)


def worst(map: Tensor) -> Scores:
    """The most that maps `(B, h, w)` show, `(B,)`."""
    return np.asarray(map.flatten(1).amax(1).double().numpy())
