"""Toy pictures: smooth waves of any phase, and the same with a small bright or dark square that no training saw."""

from collections.abc import Callable

import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from anodiff.training import batches, train

SIZE = 24


def waves(n: int, seed: int, channels: int = 1) -> Tensor:
    """`(n, channels, 24, 24)`, within about 1 of 0."""
    generator = torch.Generator().manual_seed(seed)
    phase = 6.28 * torch.rand(2, n, channels, 1, 1, generator=generator)
    place = torch.linspace(0, 6.28, SIZE)
    x = 0.7 * torch.sin(place + phase[0]) * torch.cos(place[:, None] + phase[1])
    return x + 0.03 * torch.randn(x.shape, generator=generator)


def spotted(n: int, seed: int, channels: int = 1) -> tuple[Tensor, Tensor]:
    """Waves with a square of 5 pixels a side shifted by 0.6, and `(n, 24, 24)`, True there."""
    x, generator = waves(n, seed, channels), torch.Generator().manual_seed(seed + 1000)
    region = torch.zeros(n, SIZE, SIZE, dtype=torch.bool)
    for one, where in zip(x, region, strict=True):
        down, right, sign = torch.randint(0, SIZE - 5, (3,), generator=generator).tolist()
        where[down : down + 5, right : right + 5] = True
        one[:, where] += 0.6 if sign % 2 else -0.6
    return x, region


def trained(module: nn.Module, loss: Callable[..., Tensor], x: Tensor, steps: int = 150, lr: float = 3e-3) -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    for _ in train(module, loss, batches(x, 16, steps, generator), steps, generator, lr=lr, averaging=0.9):
        pass
    return module


def auroc(normal: Tensor, abnormal: Tensor) -> float:
    labels = [0] * normal.numel() + [1] * abnormal.numel()
    return float(roc_auc_score(labels, torch.cat([normal.flatten(), abnormal.flatten()]).numpy()))


def found(score: Callable[..., object], denoiser: nn.Module, channels: int = 1) -> tuple[float, float]:
    """AUROC of unseen pictures with a spot among unseen ones without, and of the spots' pixels among the others."""
    bad, region = spotted(40, 3, channels)
    normal, abnormal = (score(denoiser, x) for x in (waves(40, 2, channels), bad))
    where = abnormal.map.sum(1)
    return auroc(normal.total, abnormal.total), auroc(where[~region], where[region])
