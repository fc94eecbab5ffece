"""A toy: correlated normals, anomalies far out, and anomalies that only break the correlation."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from anodiff.alarms.surprise import Surprise
from anodiff.diffusion.denoise import Denoiser, Posterior, Preconditioned
from anodiff.diffusion.exact import Empirical, Gaussian, GaussianMixture
from anodiff.diffusion.noise import EDM, expand
from anodiff.diffusion.sample import DDPM, Heun
from anodiff.nets.mlp import MLP, seeded
from anodiff.scores.base import AnomalyScore
from anodiff.scores.closest import Closest
from anodiff.scores.combine import Hybrid
from anodiff.scores.departure import Departure
from anodiff.scores.imputation import Imputation, Sampled
from anodiff.scores.likelihood import DenoisingBound, FlowLikelihood
from anodiff.scores.patterns import EachCoordinate
from anodiff.scores.profiles import Profiles
from anodiff.scores.reconstruction import Reconstruction, Residual, huber
from anodiff.scores.stein import SteinNorm
from anodiff.scores.time import CategoricalTime, InverseGammaTime, NonParametricTime
from anodiff.training import batches, denoising, train

D = 4
SCHEDULE = EDM()


class Copying(Denoiser):
    """The identity shortcut: the clean x would be just what was given."""

    def __init__(self) -> None:
        super().__init__()
        self.schedule = SCHEDULE

    def forward(self, x_t: Tensor, t: Tensor, **_: Tensor) -> Posterior:
        return Posterior(x_t / expand(self.schedule.alpha(t), x_t))


@dataclass(frozen=True)
class Toy:
    train: Tensor
    normal: Tensor
    far: Tensor
    inside: Tensor


def drawn(n: int, seed: int) -> Tensor:
    """Pairs of columns that agree within 0.1: `(n, 4)`, about unit variance, float64."""
    generator = torch.Generator().manual_seed(seed)
    hidden, own = torch.randn(2, n, D // 2, dtype=torch.float64, generator=generator)
    return torch.cat([hidden, hidden + 0.1 * own], 1)


def trained(module: nn.Module, loss: Callable[..., Tensor], x: Tensor, steps: int = 400) -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    for _ in train(module, loss, batches(x.float(), 128, steps, generator), steps, generator, lr=3e-3, averaging=0.9):
        pass
    return module


@pytest.fixture(scope="session")
def toy() -> Toy:
    inside = drawn(120, 2)
    inside = torch.cat([inside[:, : D // 2], -inside[:, D // 2 :]], 1)
    return Toy(drawn(500, 0), drawn(120, 1), 4 * drawn(120, 3), inside)


@pytest.fixture(scope="session")
def denoisers(toy: Toy) -> dict[str, Denoiser]:
    learnt = Preconditioned(seeded(MLP, 0, inputs=D, outputs=D, width=48, depth=2), SCHEDULE)
    return {
        "gaussian": Gaussian.fit(toy.train, SCHEDULE),
        "mixture": GaussianMixture.fit(toy.train, SCHEDULE, components=2),
        "empirical": Empirical(toy.train, SCHEDULE, neighbours=5),
        "all rows": Empirical(toy.train, SCHEDULE),
        "learnt": trained(learnt, denoising(learnt, (0.02, 20)), toy.train),
    }


@pytest.fixture(scope="session")
def scores(toy: Toy, denoisers: dict[str, Denoiser]) -> dict[str, AnomalyScore]:
    """Every score, ready to be asked."""
    bins, one = (seeded(MLP, 0, inputs=D, outputs=n, width=48, depth=2, levelled=False) for n in (20, 1))
    categorical, inverse_gamma = CategoricalTime(bins, SCHEDULE), InverseGammaTime(one, SCHEDULE)
    return {
        "residual": Residual(),
        "spread": Residual(levels=(50.0,), power=0.0, spread=True),
        "reconstruction": Reconstruction(),
        "reconstruction without noise": Reconstruction(levels=(0.3,), noisy=False),
        "reconstruction, heun": Reconstruction(levels=(0.3, 1.0), sampler=Heun),
        "reconstruction, ddpm": Reconstruction(sampler=DDPM, distance=huber),
        "likelihood": FlowLikelihood(steps=8, least=0.05),
        "bound": DenoisingBound(),
        "closest": Closest(steps=3, draws=2),
        "stein": SteinNorm(),
        "categorical time": trained(categorical, categorical.loss, toy.train),
        "inverse gamma time": trained(inverse_gamma, inverse_gamma.loss, toy.train),
        "nonparametric time": NonParametricTime(),
        "departure": Departure(),
        "profiles": Profiles([[1.0] * D, [2.0] + [0.0] * (D - 1)]),
        "imputation": Imputation(EachCoordinate(D)),
        "imputation by samples": Imputation(EachCoordinate(D), Sampled(steps=4)),
        "hybrid": calibrated(
            Hybrid({"residual": Residual(), "both": Hybrid({"slope": SteinNorm(), "bound": DenoisingBound(draws=1)})}),
            denoisers["gaussian"],
        ),
    }


def calibrated(hybrid: Hybrid, denoiser: Denoiser) -> Hybrid:
    return hybrid.fit(hybrid.member_totals(denoiser, drawn(200, 4)), Surprise)


def auroc(score: AnomalyScore, denoiser: Denoiser, normal: Tensor, abnormal: Tensor) -> float:
    """Chance that an anomaly outranks a normal, of totals rounded to nine digits."""
    a, b = (np.array([f"{v:.9g}" for v in score(denoiser, x).total], dtype=np.float64) for x in (normal, abnormal))
    return float((np.sign(b[:, None] - a) + 1).mean() / 2)
