r"""A head that has seen anomalies made on purpose, and compares x with what it should have been,

.. math:: a(x) = \mathrm{mean}_{\text{top } k} \, \mathrm{softplus}\big( f(x, x - \hat x) \big), \qquad
          \hat x = D(x_l; l) + w \frac{l^2}{1 + l^2} \big( D(x_h; h) - x \big) .

Two evaluations make :math:`\hat x`: a high level h, where large anomalies vanish and details too, guides a low one l,
where details stay. The head's logit f is the log-odds of a pixel, and softplus of it :math:`-\log(1 - p)` in nats,
which orders as p does and never saturates.

Zhang, Wang, Wu and Zhang, "DiffusionAD: Norm-guided One-step Denoising Diffusion for Anomaly Detection", 2023; the
guidance is Mousakhan, Brox and Tayyub's, "Anomaly Detection with Conditioned Denoising Diffusion Models", 2023, where
:math:`l^2 / (1 + l^2)` is :math:`\sigma^2` of a process that preserves variance.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

from anodiff.diffusion.denoise import Denoiser
from anodiff.diffusion.sources import Common, NoiseSource, White
from anodiff.scores.base import AnomalyScore, Evidence
from anodiff.scores.levels import ask_noisy
from anodiff.types import Batch, Mask, PerItem


class Segmented(AnomalyScore, nn.Module):
    """Two levels, one guided step and a head of its own; train it by `segmenting`.

    Args:
        net: `(B, 2 C, H, W) -> (B, 1, H, W)`, logits; shown x beside what its reconstruction lacks of it, which a short
            training finds, where it would not find the difference of two pictures.
        low: The level of the reconstruction.
        high: The level of its guide.
        weight: w; 0 asks for the low level alone.
        top: Part of the pixels, the most abnormal, whose mean is the total.
        seed: Of the noise, which is common to all items.
        source: Of the noise; white by default.
    """

    def __init__(
        self,
        net: nn.Module,
        low: float = 0.35,
        high: float = 1.0,
        weight: float = 1.0,
        top: float = 0.01,
        seed: int = 0,
        source: NoiseSource | None = None,
    ) -> None:
        super().__init__()
        self.net = net
        self.low = low
        self.high = high
        self.weight = weight
        self.top = top
        self.seed = seed
        self.source = source

    def restored(self, denoiser: Denoiser, x: Batch, noise: Tensor, **condition: Tensor) -> Batch:
        """What x `(B, C, H, W)` should have been, from `noise` `(2, B, C, H, W)`."""
        mean = ask_noisy(denoiser, x, self.low, noise[0], **condition).mean
        if not self.weight:
            return mean
        guide = ask_noisy(denoiser, x, self.high, noise[1], **condition).mean
        return mean + self.weight * self.low**2 / (1 + self.low**2) * (guide - x)

    def odds(self, x: Batch, restored: Batch) -> Tensor:
        """The head's logits `(B, 1, H, W)`."""
        own = next(self.net.parameters()).dtype
        said: Tensor = self.net(torch.cat([x, x - restored], 1).to(own))
        return said.to(x.dtype)

    def __call__(self, denoiser: Denoiser, x: Batch, **condition: Tensor) -> Evidence:
        """The map is in nats per pixel, shared evenly by the channels; the total is the mean of its highest pixels."""
        source, generator = Common(self.source or White()), torch.Generator().manual_seed(self.seed)
        noise = torch.stack([source(x, generator) for _ in range(2)])
        with torch.no_grad():
            nats = softplus(self.odds(x, self.restored(denoiser, x, noise, **condition)))
        return Evidence(top_mean(nats, self.top), (nats / x.shape[1]).expand_as(x))

    @property
    def nfe(self) -> int:
        """One per level, and one of its own net."""
        return 3 if self.weight else 2


def segmenting(
    score: Segmented, denoiser: Denoiser, spoil: Callable[[Tensor, torch.Generator], tuple[Tensor, Tensor]]
) -> Callable[..., PerItem]:
    """The loss of a head on a trained denoiser, which stays as it is, as a function of a batch of normals.

    Args:
        score: Whose head.
        denoiser: Of normal pictures.
        spoil: `(x (B, C, H, W), generator) -> (x_bad, mask (B, 1, H, W))`; should leave about half of them normal.
    """

    def loss(x: Tensor, generator: torch.Generator, **condition: Tensor) -> Tensor:
        bad, mask = spoil(x, generator)
        noise = torch.randn(2, *x.shape, generator=generator, dtype=x.dtype).to(x.device)
        with torch.no_grad():
            restored = score.restored(denoiser, bad, noise, **condition)
        return segmentation_loss(score.odds(bad, restored), mask)

    return loss


def segmentation_loss(logits: Tensor, mask: Mask) -> PerItem:
    """Cross-entropy of logits `(B, 1, H, W)`, one number per item: its mean where anomalous plus its mean elsewhere.

    So anomalies count however small they are, and a logit of 0 is even odds if either kind is as common.
    """
    entropy = binary_cross_entropy_with_logits(logits, mask.to(logits.dtype), reduction="none")
    total = torch.zeros_like(logits[:, 0, 0, 0])
    for part in (mask, ~mask):
        total = total + (entropy * part).flatten(1).sum(1) / part.flatten(1).sum(1).clamp(min=1)
    return total


def top_mean(map: Tensor, share: float) -> PerItem:
    """The mean of the highest `share` of the cells of a map `(B, ...)`, at least one.

    >>> top_mean(torch.tensor([[1.0, 4.0, 2.0, 3.0]]), 0.5)
    tensor([3.5000])
    """
    cells = map.flatten(1)
    return cells.topk(max(1, round(share * cells.shape[1])), dim=1).values.mean(1)
