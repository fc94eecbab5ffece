r"""A score in the coordinates of its noise: where noise is coloured, distances are whitened too,

.. math:: a(x) = a_u\big(\Sigma^{-1/2} (x - \mu)\big) .
"""

from torch import Tensor

from anodiff.diffusion.coloured import Coloured
from anodiff.diffusion.denoise import Denoiser
from anodiff.scores.base import AnomalyScore, Evidence
from anodiff.types import Batch


class Whitened(AnomalyScore):
    """Ask a `Coloured` denoiser in its own coordinates; any other denoiser is asked as it stands."""

    def __init__(self, score: AnomalyScore) -> None:
        self.score = score
        self.needs = score.needs  # type: ignore[misc]

    def __call__(self, denoiser: Denoiser, x: Batch, **condition: Tensor) -> Evidence:
        if isinstance(denoiser, Coloured):
            return self.score(denoiser.inside, denoiser.whitening(x), **condition)
        return self.score(denoiser, x, **condition)

    @property
    def nfe(self) -> int:
        return self.score.nfe
