"""A network around a Gaussian starts as it, and learns what is not Gaussian."""

import math

import pytest
import torch
from safetensors.torch import load, save
from torch import nn

from anodiff.diffusion.denoise import denoising_loss
from anodiff.diffusion.exact import Gaussian
from anodiff.diffusion.noise import SCHEDULES, VE, VP
from anodiff.diffusion.spectral import Along, Spectral, drawn, over, spectral
from anodiff.nets.mlp import MLP, seeded
from anodiff.training import batches, levels, train

BETWEEN = (0.05, 5.0)


class Flat(nn.Module):
    """A perceptron on flattened items, silent at first."""

    def __init__(self, cells: int, width: int = 64) -> None:
        super().__init__()
        self.net = MLP(cells, cells, width, depth=2)
        nn.init.zeros_(self.net.leave.weight)
        nn.init.zeros_(self.net.leave.bias)

    def forward(self, x, c, **condition):
        return self.net(x.flatten(1), c).reshape(x.shape)


def draw(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def windows(n: int, seed: int = 0) -> torch.Tensor:
    """Square waves of random phase and sign about two means: curved, two-humped, strongly correlated in time."""
    generator = draw(seed)
    phase = torch.rand(n, 1, generator=generator) * 2 * math.pi
    time = torch.arange(12) * 2 * math.pi / 12
    noise = 0.1 * torch.randn(n, 2, 12, generator=generator)
    first, second = torch.tanh(3 * torch.sin(time + phase)), torch.sin(time + phase).abs()
    return torch.stack([first, second * torch.sign(first)], 1) + noise


def learnt(x: torch.Tensor, steps: int, seed: int = 0) -> Spectral:
    denoiser = Spectral(seeded(Flat, seed, cells=24), Gaussian.fit(x, VE()))
    generator = draw(seed)
    list(train(denoiser, spectral(denoiser, BETWEEN), batches(x, 128, steps, generator), steps, generator, 3e-3))
    return denoiser


@pytest.mark.parametrize("rank", [None, 5])
@pytest.mark.parametrize("name", SCHEDULES)
def test_a_silent_network_leaves_the_gaussian(name, rank):
    x = windows(300).double() * torch.tensor([[5.0], [0.2]])
    gaussian = Gaussian.fit(x, SCHEDULES[name](), rank=rank)
    denoiser = Spectral(Flat(24), gaussian)
    t = torch.linspace(0, 1, 300, dtype=torch.float64)
    x_t = gaussian.schedule.perturb(x, t, torch.randn(x.shape, generator=draw(), dtype=x.dtype))
    for dtype in (torch.float32, torch.float64):
        answer, exact = denoiser(x_t.to(dtype), t.to(dtype)).mean, gaussian(x_t.to(dtype), t.to(dtype)).mean
        assert answer.dtype == dtype
        torch.testing.assert_close(answer, exact, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(denoiser(x_t, t[7]).mean, gaussian(x_t, t[7]).mean, rtol=1e-5, atol=1e-5)


class Known(nn.Module):
    """Answers what it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones((), dtype=torch.float64))

    def forward(self, x, c, answer):
        return self.gain * answer


@pytest.mark.parametrize("rank", [None, 5])
def test_the_loss_is_the_error_in_units_of_c_out(rank):
    x = windows(200).double()
    gaussian = Gaussian.fit(x, VP(), rank=rank)
    denoiser, (t, noise) = Spectral(Known(), gaussian), drawn(x, VP(), BETWEEN, draw())
    answer = torch.randn(x.shape, generator=draw(1), dtype=x.dtype)
    error = (x - denoiser(VP().perturb(x, t, noise), t, answer=answer).mean).flatten(1)
    s, full = VP().level(t)[:, None], torch.eye(24, dtype=torch.float64)
    covariance = gaussian.rest * full + gaussian.vectors * (gaussian.values - gaussian.rest) @ gaussian.vectors.T
    values, vectors = torch.linalg.eigh(covariance)
    expected = ((error @ vectors) ** 2 * (values + s**2) / (s**2 * values)).mean(1)
    torch.testing.assert_close(denoiser.loss(x, t, noise, answer=answer), expected, rtol=1e-5, atol=1e-6)


def test_what_the_network_is_given_and_asked_for_has_unit_variance():
    gaussian = Gaussian(torch.zeros(4).double(), torch.diag(torch.tensor([1e-4, 0.1, 1.0, 50.0])).double(), VE())
    x = torch.randn(20_000, 4, generator=draw(), dtype=torch.float64) * gaussian.values.sqrt()
    denoiser, (t, noise) = Spectral(Known(), gaussian, whitening=1.0), drawn(x, VE(), (0.01, 10.0), draw(1))
    assert abs(denoiser.loss(x, t, noise, answer=torch.zeros_like(x)).mean() - 1) < 0.02
    given = []
    denoiser.net.forward = lambda x, c: given.append(x) or torch.zeros_like(x)
    denoiser(VE().perturb(x, t, noise), t)
    torch.testing.assert_close(given[0].std(0), torch.ones(4).double(), rtol=0.02, atol=0.02)
    x_t, plain = VE().perturb(x, t, noise), Spectral(denoiser.net, gaussian, whitening=0.0)
    plain(x_t, t)
    scale = torch.sqrt(gaussian.values.mean() + VE().level(t) ** 2)
    torch.testing.assert_close(given[1], x_t / scale[:, None])


def test_training_beats_the_gaussian_where_data_is_not_gaussian():
    x, fresh = windows(2000), windows(1000, seed=1)
    denoiser, generator = learnt(x, 400), draw(2)
    t = VE().time(levels(BETWEEN, len(fresh), generator))
    noise = torch.randn(fresh.shape, generator=generator)
    with torch.no_grad():
        start = Spectral(Flat(24), denoiser.gaussian).loss(fresh, t, noise).mean()
        assert denoiser.loss(fresh, t, noise).mean() < start - 0.02
        ours, theirs = (denoising_loss(d, fresh, t, noise).mean() for d in (denoiser, denoiser.gaussian))
    assert ours < 0.9 * theirs


def test_same_seed_same_weights():
    first, again, other = (learnt(windows(200), 20, seed) for seed in (0, 0, 1))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True))


def test_a_saved_one_answers_the_same():
    x = windows(300)
    denoiser = learnt(x, 20)
    arrays = load(save({k: v.contiguous() for k, v in denoiser.state_dict().items()}))
    gaussian = {k.removeprefix("gaussian."): v for k, v in arrays.items() if k.startswith("gaussian.")}
    with torch.device("meta"):
        net = Flat(24)
    again = Spectral(net, Gaussian.spectral(schedule=VE(), **gaussian))
    again.load_state_dict(arrays, strict=True, assign=True)
    t = torch.tensor(0.3)
    assert torch.equal(again(x, t).mean, denoiser(x, t).mean)


def test_rows_do_not_mix():
    x, t = windows(50), torch.linspace(0.1, 0.9, 50)
    denoiser = learnt(x, 20)
    whole = denoiser(x, t).mean
    torch.testing.assert_close(denoiser(x[7:9], t[7:9]).mean, whole[7:9], rtol=1e-6, atol=1e-6)
    assert denoiser(x[:0], t[:0]).mean.shape == (0, 2, 12)


def test_along_directions_the_others_stay_gaussian():
    x, t = windows(200), torch.full((200,), 0.3)
    gaussian = Gaussian.fit(x, VE())
    kept = gaussian.vectors[:, -4:]
    denoiser = Spectral(Along(MLP(4, 4, 16, depth=1), kept), gaussian)
    moved = (denoiser(x, t).mean - gaussian(x, t).mean).flatten(1)
    assert moved.abs().max() > 1e-3
    torch.testing.assert_close(moved @ kept @ kept.T, moved, rtol=1e-4, atol=1e-5)


def test_conditions_follow_their_rows():
    x, generator = windows(30).double(), draw()
    denoiser = Spectral(Known(), Gaussian.fit(x, VE()))
    answer = torch.randn(x.shape, generator=draw(1), dtype=x.dtype)
    places = torch.tensor([3, 3, 0])
    found = over(spectral(denoiser, BETWEEN), x, answer=answer)(places, generator)
    assert torch.equal(found, spectral(denoiser, BETWEEN)(x[places], draw(), answer=answer[places]))
