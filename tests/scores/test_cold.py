"""Cold diffusion: degradations, the step, and what restoring tells."""

import pytest
import torch
from planted_pictures import found, spotted, trained, waves

from anodiff.anomalies import ANOMALIES
from anodiff.checks import check_cost, check_each_row_for_itself, check_sampler
from anodiff.diffusion.cold import Blur, Cold, Degradation, Noiseless, Restored, Towards, always, restoring, spoiled
from anodiff.diffusion.denoise import Denoiser, Posterior
from anodiff.diffusion.exact import Gaussian
from anodiff.diffusion.noise import EDM
from anodiff.nets.mlp import seeded
from anodiff.nets.unet2d import UNet2d
from anodiff.scores.cold import ColdResidual, ColdWalk
from anodiff.scores.reconstruction import Residual
from anodiff.types import Misfit


class Answering(Denoiser):
    """Always the same answer."""

    def __init__(self, mean):
        super().__init__()
        self.schedule, self.mean = Noiseless(), mean

    def forward(self, x_t, t, **condition):
        return Posterior(self.mean)


class Adding(Degradation):
    """A vector, t times."""

    def __init__(self, vector):
        self.vector = vector

    def __call__(self, x, t):
        return x + t * self.vector


def net():
    return seeded(UNet2d, 0, channels=1, width=16, depth=1, factor=2)


@pytest.mark.parametrize("name", ["blur", "towards", "adding"])
def test_a_step_is_exact_with_a_perfect_denoiser(name):
    x, end = waves(5, 0).double(), waves(5, 1).double()
    degradation = {"blur": Blur(3.0), "towards": Towards(end), "adding": Adding(end)}[name]
    times = torch.tensor([1.0, 0.6, 0.2, 0.0], dtype=torch.float64)
    walk = Cold(Answering(x), times, degradation)
    for t, state in zip(times, walk.run(degradation(x, times[0])), strict=True):
        torch.testing.assert_close(state, degradation(x, t))


def test_where_a_vector_is_added_a_step_is_exact_whatever_is_answered():
    x, vector, wrong = (waves(5, seed).double() for seed in range(3))
    walk = Cold(Answering(wrong), torch.tensor([1.0, 0.5, 0.0]), Adding(vector))
    torch.testing.assert_close(walk(x + vector), x)
    check_sampler(lambda denoiser: Cold(denoiser, torch.tensor([1.0, 0.5, 0.0]), Adding(vector)), Answering(wrong), x)


def test_a_blur_is_linear_keeps_the_mean_and_grows():
    x, y = waves(5, 0).double(), waves(5, 1).double()
    blur, t = Blur(2.0), torch.tensor([0.0, 0.1, 0.4, 0.7, 1.0], dtype=torch.float64)
    torch.testing.assert_close(blur(2 * x - y, t), 2 * blur(x, t) - blur(y, t))
    torch.testing.assert_close(blur(x, t)[0], x[0])
    torch.testing.assert_close(blur(x, t).mean((1, 2, 3)), x.mean((1, 2, 3)))
    torch.testing.assert_close(blur(x, t)[3:4], blur(x[3:4], t[3]))
    dot = torch.zeros(1, 1, 41, 33, dtype=torch.float64)
    dot[..., 20, 16] = 1
    spread = blur(dot, torch.tensor(1.0))
    place = torch.arange(41.0, dtype=torch.float64) - 20
    assert float((spread.sum(3)[0, 0] * place**2).sum()) == pytest.approx(4, rel=0.01)
    assert float(spread.min()) > -1e-6


def test_towards_ends_at_its_end():
    x, end = waves(5, 0), waves(5, 1)
    assert torch.equal(Towards(end)(x, torch.tensor(0.0)), x)
    torch.testing.assert_close(Towards(end)(x, torch.ones(5)), end)


@pytest.fixture(scope="module")
def mending():
    """Trained to undo blends of growing opacity."""
    made = Restored(net())
    return trained(made, restoring(made, spoiled(ANOMALIES["blend"])), waves(400, 0), steps=150)


@pytest.mark.parametrize("score", [ColdResidual(), ColdWalk()])
def test_planted_defects_are_found(score, mending):
    image, pixel = found(score, mending)
    assert image > 0.9
    assert pixel > 0.9
    x = waves(7, 5)
    check_each_row_for_itself(score, mending, x)
    check_cost(score, mending, x)
    evidence = score(mending, x)
    torch.testing.assert_close(evidence.map.flatten(1).sum(1), evidence.total)
    assert not evidence.total.requires_grad


@pytest.mark.parametrize("kind", [ColdResidual, ColdWalk])
def test_what_blurs_away_is_found(kind):
    blur = Blur(3.0)
    made = Restored(net())
    trained(made, restoring(made, always(blur)), waves(400, 0), steps=120)
    image, pixel = found(kind(degradation=blur), made)
    assert image > 0.9
    assert pixel > 0.8


def test_restoring_is_learnt(mending):
    x, (bad, region) = waves(20, 2), spotted(20, 2)
    with torch.no_grad():
        left = (mending(bad, torch.tensor(0.5)).mean - x).abs()[:, 0][region]
    assert left.mean() < 0.7 * (bad - x).abs()[:, 0][region].mean()
    torch.testing.assert_close(Restored(net())(x, torch.tensor(0.5)).mean, x)


def test_hot_and_cold_are_told_apart(mending):
    x = waves(3, 0)
    with pytest.raises(Misfit, match=r"no noise, so level 0.05 .* cold"):
        Residual()(mending, x)
    with pytest.raises(Misfit, match="ColdWalk needs a Restored denoiser; it was given Gaussian"):
        ColdWalk()(Gaussian.fit(waves(50, 0), EDM()), x)
