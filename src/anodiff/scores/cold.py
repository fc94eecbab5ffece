r"""Restoration without noise: what a cold denoiser would mend,

.. math:: a(x) = \mathrm{mean}_k \, d\big(x, D(x_k, t_k)\big) .

`ColdResidual` asks at each strength anew, `ColdWalk` along a restoration of x. Trained on anomalies of growing
strength, the denoiser is given x as it stands: an anomaly is a degradation, and what is restored tells where. It is
only as broad as the degradations that it was trained on.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from anodiff.diffusion.cold import Cold, Degradation, Noiseless, Towards
from anodiff.diffusion.denoise import Denoiser
from anodiff.scores.base import AnomalyScore, Evidence
from anodiff.scores.levels import per_item
from anodiff.scores.reconstruction import Distance, absolute
from anodiff.types import Batch, Misfit


class ColdResidual(AnomalyScore):
    """The mean distance to what is restored over strengths.

    Naval Marimont et al., "DISYRE: Diffusion-Inspired Synthetic Restoration for Unsupervised Anomaly Detection", 2024.

    Args:
        strengths: In (0, 1].
        degradation: Applied to x before it is restored; by default x itself is taken for degraded. A blur needs it: a
            sharp picture is no blurred one.
        distance: Per coordinate.
    """

    def __init__(
        self,
        strengths: Sequence[float] = (0.25, 0.5, 0.75, 1.0),
        degradation: Degradation | None = None,
        distance: Distance = absolute,
    ) -> None:
        self.strengths = strengths
        self.degradation = degradation
        self.distance = distance

    def __call__(self, denoiser: Denoiser, x: Batch, **condition: Tensor) -> Evidence:
        """The map is the mean distance of each coordinate and adds up to the total."""
        cold, where = restorer(denoiser, self), torch.zeros_like(x)
        for strength in self.strengths:
            t = x.new_tensor(strength)
            given = x if self.degradation is None else self.degradation(x, t)
            with torch.no_grad():
                where += self.distance(x, cold(given, t, **condition).mean) / len(self.strengths)
        return Evidence(per_item(where), where)

    @property
    def nfe(self) -> int:
        """One per strength."""
        return len(self.strengths)


class ColdWalk(AnomalyScore):
    """The mean distance between x and what is restored on a walk from strength 1 to 0.

    Naval Marimont, Siomos, Baugh, Tzelepis, Kainz and Tarroni, "Ensembled Cold-Diffusion Restorations for Unsupervised
    Anomaly Detection", 2024.

    Args:
        steps: Of the walk.
        degradation: The process; by default straight towards x, which is then what the walk starts from.
        distance: Per coordinate.
    """

    def __init__(self, steps: int = 5, degradation: Degradation | None = None, distance: Distance = absolute) -> None:
        self.steps = steps
        self.degradation = degradation
        self.distance = distance

    def __call__(self, denoiser: Denoiser, x: Batch, **condition: Tensor) -> Evidence:
        """The map is the mean distance of each coordinate and adds up to the total."""
        cold, where = restorer(denoiser, self), torch.zeros_like(x)
        times = torch.linspace(1, 0, self.steps + 1, dtype=x.dtype, device=x.device)
        process = self.degradation or Towards(x)
        walk, state = Cold(cold, times, process), process(x, times[0])
        for t, s in pairwise(times):
            with torch.no_grad():
                state, mean = walk.towards(state, t, s, **condition)
            where += self.distance(x, mean) / self.steps
        return Evidence(per_item(where), where)

    @property
    def nfe(self) -> int:
        """One per step."""
        return self.steps


def restorer(denoiser: Denoiser, score: AnomalyScore) -> Denoiser:
    """The denoiser, if it was trained to restore.

    Raises:
        Misfit: it was trained on noise.
    """
    if not isinstance(denoiser.schedule, Noiseless):
        raise Misfit(f"{type(score).__name__} needs a Restored denoiser; it was given {type(denoiser).__name__}.")
    return denoiser
