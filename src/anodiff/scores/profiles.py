r"""What an anomaly disturbs: how far each channel of a window departs from normal, held against known profiles,

.. math:: a(x) = \max_k \sum_c p_{kc} \log\Big(1 + \frac{(r_c(x) - m_c)_+}{s_c}\Big), \qquad
          r_c^2 = \sum_\tau \text{residual}(x)_{c\tau},

:math:`m_c` and :math:`s_c` the median and the spread of :math:`r_c` over normal windows that the denoiser did not know.
Two anomalies are alike that disturb the same channels, whatever their shape and whenever they begin. One profile whose
parts are all alike hears every channel; the logarithm keeps the loudest from being the only one.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from anodiff.diffusion.denoise import Denoiser
from anodiff.scores.base import AnomalyScore, Evidence
from anodiff.scores.levels import shared_out
from anodiff.scores.reconstruction import Residual
from anodiff.types import Batch, Misfit


class Profiles(AnomalyScore):
    """The best match of the channels' departures with a profile.

    Args:
        profiles: `(k, channels)`, 0 or more.
        centre: The m, `(channels,)`.
        spread: The s, `(channels,)`, above 0.
        levels: Where the residual is asked; large against the distances, so that it is the distance to what is nearest.
    """

    def __init__(
        self,
        profiles: Sequence[Sequence[float]] = ((1.0,),),
        centre: Sequence[float] = (0.0,),
        spread: Sequence[float] = (1.0,),
        levels: Sequence[float] = (50.0,),
    ) -> None:
        self.profiles = profiles
        self.centre = centre
        self.spread = spread
        self.levels = levels

    def __call__(self, denoiser: Denoiser, x: Batch, **condition: Tensor) -> Evidence:
        """The map shares each channel's part of the total out by its residual."""
        square = self.residual(denoiser, x, **condition)
        profiles = torch.as_tensor(self.profiles, dtype=x.dtype)
        if profiles.ndim != 2 or profiles.shape[1] not in (1, x.shape[1]):
            raise Misfit(f"profiles of shape {tuple(profiles.shape)} were given items of {x.shape[1]} channels.")
        each = profiles * self.departure(square.sum(2).sqrt())[:, None]
        total, best = each.sum(2).max(1)
        part = each[torch.arange(len(x)), best][:, :, None]
        within = square / square.sum(2, keepdim=True).clamp(min=torch.finfo(square.dtype).tiny)
        return Evidence(total, shared_out(total, (part * within).reshape(x.shape)))

    def residual(self, denoiser: Denoiser, x: Batch, **condition: Tensor) -> Tensor:
        """The squared distances to what is normal, by channel and place, `(B, channels, places)`."""
        where = Residual(self.levels, power=0.0, spread=True)(denoiser, x, **condition).map
        return where.clamp(min=0).reshape(*x.shape[:2], -1)

    def departure(self, distance: Tensor) -> Tensor:
        """How far distances `(B, channels)` depart from normal ones."""
        centre, spread = (torch.as_tensor(values, dtype=distance.dtype) for values in (self.centre, self.spread))
        return torch.log1p(((distance - centre) / spread).clamp(min=0))

    @property
    def nfe(self) -> int:
        """One per level."""
        return len(self.levels)
