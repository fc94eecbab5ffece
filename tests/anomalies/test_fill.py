"""Fills: nothing outside changes, no amount is normal, temperatures and likenesses are those of closed forms."""

import pytest
import torch

from anodiff.anomalies.fill import Drafted, Hotter, Likened
from anodiff.diffusion.exact import Gaussian
from anodiff.diffusion.fill import conditional_mean
from anodiff.diffusion.guide import Between, Tempered
from anodiff.diffusion.infilling import Given, Told
from anodiff.diffusion.noise import EDM, VP
from anodiff.types import Misfit

MEAN = torch.tensor([0.5, -1.0, 0.0], dtype=torch.float64)
COVARIANCE = torch.tensor([[1.0, 0.6, 0.2], [0.6, 0.8, 0.0], [0.2, 0.0, 0.5]], dtype=torch.float64)
NORMAL = Gaussian(MEAN, COVARIANCE, EDM())
REGION = torch.tensor([False, True, True]).expand(4000, 3)
X = torch.tensor([[2.0, 0.3, -0.4]], dtype=torch.float64).repeat(4000, 1)


def amounts(value, n=4000):
    return torch.full((n,), float(value), dtype=torch.float64)


def hotter(steps=40):
    return Hotter(Given(NORMAL), level=40.0, steps=steps, pin=Told)


@pytest.mark.parametrize("schedule", [EDM(), VP()])
def test_a_tempered_gaussian_is_the_gaussian_of_the_tempered_density(schedule):
    x, t = X[:5] + torch.arange(5.0)[:, None], torch.tensor(0.4, dtype=torch.float64)
    cold = Gaussian(MEAN, COVARIANCE, schedule)
    hot = Gaussian(MEAN, 3 * COVARIANCE, schedule)
    torch.testing.assert_close(Tempered(cold, amounts(3, 5))(x, t).mean, hot(x, t).mean)
    torch.testing.assert_close(Tempered(cold, amounts(1, 5))(x, t).mean, cold(x, t).mean)
    assert Tempered(cold, amounts(1, 5)).cost == 1


def test_between_two_denoisers_weight_0_is_the_first_and_1_the_second():
    x, t, other = X[:3], torch.tensor(0.4, dtype=torch.float64), Gaussian(MEAN + 1, COVARIANCE, EDM())
    weight = torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64)
    mean, first, second = Between(NORMAL, other, weight)(x, t).mean, NORMAL(x, t).mean, other(x, t).mean
    assert torch.equal(mean[0], first[0])
    torch.testing.assert_close(mean[1], second[1])
    torch.testing.assert_close(mean[2], 2 * second[2] - first[2])
    assert Between(NORMAL, other, weight).cost == 2


@pytest.mark.parametrize("amount", [0, 3])
def test_hotter_draws_from_the_conditional_density_at_the_temperature(amount):
    """Given the first coordinate, the others are Gaussian with 1 + a times their conditional covariance."""
    made = hotter()(X, REGION, amounts(amount), seed=1)
    assert torch.equal(made[:, 0], X[:, 0])
    gain = COVARIANCE[1:, :1] / COVARIANCE[0, 0]
    wanted = (1 + amount) * (COVARIANCE[1:, 1:] - gain @ COVARIANCE[:1, 1:])
    expected = conditional_mean(NORMAL, X[:1], ~REGION[:1])[0, 1:]
    torch.testing.assert_close(made[:, 1:].mean(0), expected, atol=0.08, rtol=0)
    torch.testing.assert_close(made[:, 1:].T.cov(), wanted, atol=0.12 * (1 + amount), rtol=0)


def test_amounts_are_strengths_of_one_anomaly():
    """Of one seed, how far a draw lies from what is expected grows with the amount, in the same direction."""
    fill, expected = hotter(20), conditional_mean(NORMAL, X[:50], ~REGION[:50])
    low, high = (fill(X[:50], REGION[:50], amounts(a, 50), seed=3) - expected for a in (0, 8))
    torch.testing.assert_close(high[:, 1:], 3 * low[:, 1:], atol=0.15, rtol=0.1)


def test_an_item_is_filled_the_same_whatever_stands_beside_its_amount():
    fill, mixed = hotter(8), torch.tensor([0.0, 2.0, 5.0], dtype=torch.float64)
    together = fill(X[:3], REGION[:3], mixed, seed=0)
    for i, amount in enumerate(mixed.tolist()):
        torch.testing.assert_close(fill(X[:3], REGION[:3], amounts(amount, 3), seed=0)[i], together[i])


def test_a_draft_is_followed_and_what_is_around_is_kept():
    def sketch(x, region, generator):
        return x + 6.0

    fill = Drafted(Given(NORMAL), sketch, level=0.1, steps=6, pin=Told)
    none, half, full = (fill(X[:200], REGION[:200], amounts(a, 200), seed=2) for a in (0, 0.5, 1))
    for made in (none, half, full):
        assert torch.equal(made[:, 0], X[:200, 0])
    moved = [(made - X[:200])[:, 1:].mean() for made in (none, half, full)]
    assert abs(moved[0]) < 0.3
    assert 2.0 < moved[1] < 3.5
    assert 4.5 < moved[2] < 6.5


def test_a_high_level_forgets_the_draft():
    fill = Drafted(Given(NORMAL), lambda x, region, generator: x + 6.0, level=40.0, steps=20, pin=Told)
    made = fill(X, REGION, amounts(1), seed=2)
    expected = conditional_mean(NORMAL, X[:1], ~REGION[:1])[0, 1:]
    torch.testing.assert_close(made[:, 1:].mean(0), expected, atol=0.3, rtol=0)


def test_likened_goes_from_normal_to_known():
    known = Given(Gaussian(MEAN + 4, COVARIANCE, EDM()))
    fill = Likened(Given(NORMAL), known, level=40.0, steps=30, pin=Told)
    normal, alike = (fill(X, REGION, amounts(a), seed=5)[:, 1:].mean(0) for a in (0, 1))
    torch.testing.assert_close(normal, conditional_mean(NORMAL, X[:1], ~REGION[:1])[0, 1:], atol=0.1, rtol=0)
    torch.testing.assert_close(alike, conditional_mean(known.gaussian, X[:1], ~REGION[:1])[0, 1:], atol=0.1, rtol=0)
    assert fill.nfe == 62


def test_same_seed_same_fill_and_bad_orders_are_refused():
    fill = hotter(4)
    assert torch.equal(fill(X[:9], REGION[:9], amounts(1, 9), seed=7), fill(X[:9], REGION[:9], amounts(1, 9), seed=7))
    assert not torch.equal(fill(X[:9], REGION[:9], amounts(1, 9), 7), fill(X[:9], REGION[:9], amounts(1, 9), 8))
    with pytest.raises(Misfit, match="shaped like its item"):
        fill(X[:9], REGION[:9, :2], amounts(1, 9))
    with pytest.raises(Misfit, match="0 or more; it was given -1"):
        fill(X[:9], REGION[:9], amounts(-1, 9))
