r"""What follows, given what came before: of windows that are Gaussian, the future is a Gaussian about its own mean,

.. math:: x_F \mid x_P \sim \mathcal{N}\big(\mu_F + B (x_P - \mu_P), \; C_{FF} - B C_{PF}\big), \qquad
          B = C_{FP} C_{PP}^{-1} ,

so that a denoiser of what B leaves is one of the future. Nothing depends on the level but the Gaussian's own posterior.
"""

import torch
from torch import Tensor

from anodiff.diffusion.denoise import Denoiser, Posterior
from anodiff.diffusion.gaussian import Gaussian
from anodiff.diffusion.noise import Schedule, expand
from anodiff.types import Batch, Misfit, Times


class Following(Denoiser):
    """The posterior of the future `(B, C, F)` given the condition `past` `(B, C, P)`; what is NaN in it is its mean.

    Args:
        before: The mean of the past `(C, P)`.
        slope: B, `(C * F, C * P)`.
        rest: The Gaussian of the future about what the past leads to expect; its mean is that of the future.
    """

    before: Tensor
    slope: Tensor

    def __init__(self, before: Tensor, slope: Tensor, rest: Gaussian) -> None:
        super().__init__()
        self.register_buffer("before", before)
        self.register_buffer("slope", slope)
        self.rest = rest
        self.schedule = rest.schedule

    @classmethod
    def fit(cls, x: Batch, past: int, schedule: Schedule, shrinkage: float | None = None) -> "Following":
        """Of windows `x` `(n, C, P + F)`, of which the first `past` are given; the whole covariance is shrunk."""
        whole = Gaussian.fit(x.double(), schedule, shrinkage)
        cells = torch.arange(x[0].numel()).reshape(x.shape[1:])
        given, hidden = cells[:, :past].flatten(), cells[:, past:].flatten()
        values, vectors = whole.values - whole.rest, whole.vectors
        covariance = (vectors * values) @ vectors.T + whole.rest * torch.eye(len(vectors), dtype=torch.float64)
        across = covariance[hidden][:, given]
        factor = torch.linalg.cholesky(covariance[given][:, given])
        slope = torch.cholesky_solve(across.T, factor).T
        left = covariance[hidden][:, hidden] - slope @ across.T
        rest = Gaussian(whole.mean[hidden], (left + left.T) / 2, schedule)
        return cls(whole.mean[given].reshape(x.shape[1], past), slope, rest)

    def forward(self, x_t: Batch, t: Times, past: Tensor | None = None, **_: Tensor) -> Posterior:
        if past is None:
            raise Misfit("what follows is asked for without what came before; give the condition past.")
        away = past.to(x_t) - self.before.to(x_t)
        moved = (away.nan_to_num(nan=0.0).flatten(1) @ self.slope.to(x_t).T).reshape(x_t.shape)
        answer = self.rest(x_t - expand(self.schedule.alpha(t), x_t) * moved, t)
        return Posterior(answer.mean + moved, answer.variance)
