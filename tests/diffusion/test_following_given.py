"""What follows is what a Gaussian that is told the past leads to expect, at every level."""

import pytest
import torch
from torch import Tensor

from anodiff.diffusion.conditional import Conditional, Loadings
from anodiff.diffusion.following import Following
from anodiff.diffusion.gaussian import Gaussian
from anodiff.diffusion.noise import SCHEDULES, VE
from anodiff.types import Misfit

PAST = 3


def windows(n: int = 400, seed: int = 0) -> Tensor:
    """Windows `(n, 2, 5)` of two channels that go on as they went."""
    draw = torch.Generator().manual_seed(seed)
    steps = torch.randn(n, 2, 5, generator=draw, dtype=torch.float64)
    return 1 + (0.3 * steps + 0.7 * torch.randn(n, 1, 1, generator=draw, dtype=torch.float64)).cumsum(2)


@pytest.mark.parametrize("name", SCHEDULES)
def test_it_is_the_gaussian_that_is_told_the_past(name: str) -> None:
    x, schedule = windows(), SCHEDULES[name]()
    following = Following.fit(x, PAST, schedule, 1e-3)
    hidden = torch.zeros(1, 2, 5, dtype=torch.bool)
    hidden[..., PAST:] = True
    told = Conditional(Loadings(Gaussian.fit(x, schedule, 1e-3), least=1e-12), hidden).given(x)
    for level in (0.05, 0.5, 3.0):
        t = schedule.time(torch.full((len(x),), level, dtype=torch.float64))
        noisy = schedule.perturb(x, t, torch.randn(x.shape, generator=torch.Generator().manual_seed(1)).double())
        found = following(noisy[..., PAST:], t, past=x[..., :PAST])
        torch.testing.assert_close(found.mean, told(noisy, t).mean[..., PAST:], rtol=1e-6, atol=1e-6)


def test_from_noise_alone_it_is_the_regression_on_the_past() -> None:
    x = windows(20_000)
    following = Following.fit(x, PAST, VE(sigma_max=1e4), 0.0)
    given = torch.cat([x[..., :PAST].flatten(1), torch.ones(len(x), 1).double()], 1)
    slope = torch.linalg.lstsq(given, x[..., PAST:].flatten(1)).solution
    expected = (given @ slope).reshape(-1, 2, 2)[:8]
    noise = torch.zeros(8, 2, 2, dtype=torch.float64)
    found = following(noise, torch.ones(8, dtype=torch.float64), past=x[:8, :, :PAST]).mean
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_an_unknown_past_is_its_mean_and_none_is_refused() -> None:
    x = windows()
    following, t = Following.fit(x, PAST, VE()), torch.tensor(0.3, dtype=torch.float64)
    blank = torch.full((4, 2, PAST), torch.nan, dtype=torch.float64)
    mean = following.before.expand(4, -1, -1)
    first, second = (following(x[:4, :, PAST:], t, past=past).mean for past in (blank, mean))
    torch.testing.assert_close(first, second)
    with pytest.raises(Misfit, match="give the condition past"):
        following(x[:4, :, PAST:], t)
