"""The loop learns, averages, stops at nonsense and leaves the machine as it found it."""

import pytest
import torch

from anodiff.diffusion.denoise import Preconditioned
from anodiff.diffusion.exact import Gaussian
from anodiff.diffusion.noise import VE
from anodiff.nets.mlp import MLP, seeded
from anodiff.training import batches, denoising, levels, one_thread, train


def learn(steps: int, seed: int = 0) -> tuple[Preconditioned, list[float], torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(500, 3, generator=generator) @ torch.tensor([[1.0, 0.8, 0], [0, 0.6, 0], [0, 0, 1]])
    denoiser = Preconditioned(seeded(MLP, 0, inputs=3, outputs=3, width=32, depth=2), VE())
    loss = denoising(denoiser, (0.05, 10.0))
    losses = [step.loss for step in train(denoiser, loss, batches(x, 64, steps, generator), steps, generator)]
    return denoiser, losses, x


def test_approaches_the_closed_form() -> None:
    denoiser, losses, x = learn(400)
    exact = Gaussian.fit(x, VE())
    t, fresh = (
        VE().time(torch.tensor(0.5)),
        x[:100] + 0.5 * torch.randn(100, 3, generator=torch.Generator().manual_seed(1)),
    )
    before = Preconditioned(seeded(MLP, 0, inputs=3, outputs=3, width=32, depth=2), VE())
    with torch.no_grad():
        truth = exact(fresh, t).mean
        now, then = ((d(fresh, t).mean - truth).pow(2).mean() for d in (denoiser, before))
    assert now < 0.3 * then
    assert sum(losses[-50:]) < sum(losses[:50])


def test_same_seed_same_weights() -> None:
    first, again = (learn(20)[0] for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))


def test_records_count_from_one() -> None:
    generator = torch.Generator().manual_seed(0)
    net = Preconditioned(seeded(MLP, 0, inputs=2, outputs=2, width=8, depth=1), VE())
    x = torch.randn(50, 2, generator=generator)
    steps = list(train(net, denoising(net, (0.1, 1.0)), batches(x, 8, 5, generator), 5, generator))
    assert [s.number for s in steps] == [1, 2, 3, 4, 5]
    assert {s.of for s in steps} == {5}


def test_stops_where_the_loss_is_not_finite() -> None:
    generator = torch.Generator().manual_seed(0)
    net = Preconditioned(seeded(MLP, 0, inputs=2, outputs=2, width=8, depth=1), VE())
    x = torch.full((10, 2), torch.nan)
    with pytest.raises(FloatingPointError, match="step 1"):
        next(train(net, denoising(net, (0.1, 1.0)), batches(x, 8, 5, generator), 5, generator))


def test_levels_cover_their_range_evenly() -> None:
    found = levels((0.1, 10.0), 1000, torch.Generator().manual_seed(0))
    assert found.min() >= 0.1
    assert found.max() <= 10.0
    assert abs(found.log().median()) < 0.02


def test_threads_are_put_back() -> None:
    before = torch.get_num_threads()
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
