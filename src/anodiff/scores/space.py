r"""A score in the coordinates of its process: where noise lives in :math:`u = T(x)`, distances do too,

.. math:: a(x) = a_u\big(T(x)\big) .
"""

from torch import Tensor

from anodiff.diffusion.denoise import Denoiser
from anodiff.diffusion.transform import Transformed
from anodiff.scores.base import AnomalyScore, Evidence
from anodiff.types import Batch


class Inside(AnomalyScore):
    """Ask a `Transformed` denoiser in its own coordinates; any other denoiser is asked as it stands."""

    def __init__(self, score: AnomalyScore) -> None:
        self.score = score
        self.needs = score.needs  # type: ignore[misc]

    def __call__(self, denoiser: Denoiser, x: Batch, **condition: Tensor) -> Evidence:
        if isinstance(denoiser, Transformed):
            return self.score(denoiser.inside, denoiser.transform(x), **condition)
        return self.score(denoiser, x, **condition)

    @property
    def nfe(self) -> int:
        return self.score.nfe
