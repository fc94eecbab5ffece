"""Schedules and noise sources."""

import pytest
import torch

from anodiff.diffusion.noise import EDM, SCHEDULES, VE, VP, Cosine
from anodiff.diffusion.sources import NOISES, Common, Octaves, White
from anodiff.types import Misfit

TIMES = torch.linspace(0, 1, 201, dtype=torch.float64)


@pytest.mark.parametrize("name", SCHEDULES)
def test_time_undoes_level_and_noise_only_grows(name):
    schedule = SCHEDULES[name]()
    torch.testing.assert_close(schedule.time(schedule.level(TIMES)), TIMES, rtol=1e-7, atol=1e-7)
    assert (schedule.level(TIMES).diff() > 0).all()
    assert (schedule.log_snr(TIMES[1:]).diff() < 0).all()
    assert (schedule.alpha(TIMES).diff() <= 0).all()
    far = torch.tensor([0.0, 1e9], dtype=torch.float64)
    torch.testing.assert_close(schedule.time(far), torch.tensor([0.0, 1.0], dtype=torch.float64))


def test_who_preserves_variance_and_who_signal():
    for schedule in (VP(), Cosine()):
        torch.testing.assert_close(schedule.alpha(TIMES) ** 2 + schedule.sigma(TIMES) ** 2, torch.ones_like(TIMES))
    for schedule in (VE(), EDM()):
        assert (schedule.alpha(TIMES) == 1).all()
    assert EDM().sigma(TIMES[[0, -1]]).tolist() == pytest.approx([0.002, 80.0])
    assert VE().sigma(TIMES[[0, -1]]).tolist() == pytest.approx([0.01, 50.0])


@pytest.mark.parametrize("name", SCHEDULES)
def test_perturb_keeps_precision_and_takes_one_time_or_many(name):
    schedule, x = SCHEDULES[name](), torch.ones(4, 2, 3)
    t = torch.tensor(0.4, dtype=torch.float64)
    one = schedule.perturb(x, t, torch.ones_like(x))
    assert one.dtype == torch.float32
    torch.testing.assert_close(one, schedule.perturb(x, t.expand(4), torch.ones_like(x)))
    torch.testing.assert_close(one[0, 0, 0].double(), schedule.alpha(t) + schedule.sigma(t), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", NOISES)
@pytest.mark.parametrize("shape", [(64, 128), (64, 3, 24, 32), (64, 50, 2)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_noise_is_standard_and_replays(name, shape, dtype):
    source, like = NOISES[name](), torch.zeros(shape, dtype=dtype)
    noise = source(like, torch.Generator().manual_seed(0))
    assert (noise.shape, noise.dtype) == (like.shape, dtype)
    assert torch.equal(noise, source(like, torch.Generator().manual_seed(0)))
    assert noise.mean().abs() < 0.05
    assert abs(noise.var() - 1) < 0.05
    cells = noise.flatten(1)
    alike = (cells @ cells.T / cells.shape[1]).fill_diagonal_(0)
    assert abs(alike.mean()) < 0.02


def test_octaves_have_unit_variance_per_item_and_a_falling_spectrum():
    noise = Octaves()(torch.zeros(100, 64, 64), torch.Generator().manual_seed(0))
    torch.testing.assert_close(noise.flatten(1).var(1, unbiased=False), torch.ones(100))
    torch.testing.assert_close(noise.flatten(1).mean(1), torch.zeros(100), rtol=0, atol=1e-5)
    for axis in (1, 2):
        power = (torch.fft.rfft(noise, dim=axis).abs() ** 2).movedim(axis, 0).flatten(1).mean(1)
        low, middle, high = power[1:5].mean(), power[5:12].mean(), power[16:32].mean()
        assert low > 2 * middle > 4 * high
    white = White()(torch.zeros(100, 64), torch.Generator().manual_seed(0))
    power = (torch.fft.rfft(white).abs() ** 2).mean(0)
    assert 0.8 < power[1:8].mean() / power[16:32].mean() < 1.25


def test_octaves_refuse_single_cells():
    with pytest.raises(Misfit, match="at least two cells"):
        Octaves()(torch.zeros(5, 1))


@pytest.mark.parametrize("name", NOISES)
def test_common_gives_every_item_the_same(name):
    source = Common(NOISES[name]())
    noise = source(torch.zeros(5, 3, 16), torch.Generator().manual_seed(0))
    assert torch.equal(noise, noise[:1].expand(5, 3, 16))
    assert torch.equal(noise[:2], source(torch.zeros(2, 3, 16), torch.Generator().manual_seed(0)))
