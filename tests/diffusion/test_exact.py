"""Denoisers without training: against closed forms, brute force, and each other."""

import math

import pytest
import torch
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from anodiff.diffusion.exact import EXACT, Empirical, Gaussian, GaussianMixture
from anodiff.diffusion.noise import EDM, SCHEDULES, VP
from anodiff.types import Misfit

T = torch.tensor(0.3, dtype=torch.float64)


def draws(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def rows():
    return draws(200, 3) @ draws(3, 3, seed=1) + draws(3, seed=2)


def brute(rows, x, s):
    weight = torch.softmax(-((x[:, None] - rows) ** 2).sum(2) / (2 * s**2), 1)[..., None]
    mean = (weight * rows).sum(1)
    return mean, (weight * (rows - mean[:, None]) ** 2).sum(1)


@pytest.mark.parametrize("name", SCHEDULES)
def test_gaussian_is_the_closed_form(name, rows):
    schedule, mean, covariance = SCHEDULES[name](), rows.mean(0), torch.cov(rows.T, correction=0)
    t = torch.linspace(0.2, 0.9, 10, dtype=torch.float64)
    alpha, s, x_t = schedule.alpha(t)[:, None], schedule.level(t), draws(10, 3, seed=3)
    for denoiser in (Gaussian(mean, covariance, schedule), Gaussian.fit(rows, schedule, shrinkage=0.0)):
        answer = denoiser(x_t, t)
        for i in range(10):
            noisy = covariance + s[i] ** 2 * torch.eye(3)
            gain = torch.linalg.solve(noisy, covariance)
            torch.testing.assert_close(answer.mean[i], mean + (x_t[i] / alpha[i] - mean) @ gain)
            torch.testing.assert_close(answer.variance[i], s[i] ** 2 * gain.diagonal())
            density = MultivariateNormal(alpha[i] * mean, alpha[i] ** 2 * noisy).log_prob(x_t[i])
            torch.testing.assert_close(denoiser.log_density(x_t, t)[i], density)


@pytest.mark.parametrize(
    "hostile",
    [
        draws(10, 40),
        torch.zeros(5, 3),
        draws(1, 4),
        draws(4, 3).repeat(1, 3),
        torch.cat([draws(50, 2), torch.full((50, 1), 7.0)], 1),
        draws(1, 3).expand(20, 3) * 1e6,
        draws(30, 2) * torch.tensor([1e-6, 1e6]),
    ],
)
def test_gaussian_fits_anything(hostile):
    denoiser = Gaussian.fit(hostile, VP())
    for t in (torch.tensor(0.0), T, torch.tensor(1.0)):
        answer = denoiser(hostile, t)
        assert torch.isfinite(answer.mean).all()
        assert (answer.variance >= 0).all()
        assert torch.isfinite(denoiser.log_density(hostile, t)).all()
    torch.testing.assert_close(denoiser(hostile, torch.tensor(0.0)).mean, hostile)


def test_gaussian_refuses_nothing():
    with pytest.raises(Misfit, match="at least one item"):
        Gaussian.fit(torch.zeros(0, 3), VP())


def test_shrinkage_is_that_of_ledoit_and_wolf():
    from sklearn.covariance import ledoit_wolf

    for n, d in ((60, 10), (10, 60)):
        x = draws(n, d) * torch.linspace(0.5, 3, d, dtype=torch.float64)
        expected = torch.as_tensor(ledoit_wolf(x.numpy())[0])
        fitted = Gaussian.fit(x, VP())
        kept = fitted.vectors * (fitted.values - fitted.rest) @ fitted.vectors.T
        torch.testing.assert_close(kept + fitted.rest * torch.eye(d).double(), expected)


def test_rank_keeps_the_total_variance():
    x = draws(300, 8) * torch.linspace(0.1, 2, 8, dtype=torch.float64)
    full, low = Gaussian.fit(x, VP(), shrinkage=0.0), Gaussian.fit(x, VP(), shrinkage=0.0, rank=3)
    assert low.vectors.shape == (8, 3)
    torch.testing.assert_close(low.values.sum() + 5 * low.rest, full.values.sum())
    torch.testing.assert_close(low.values, full.values[-3:])


def test_mixture_of_one_is_the_gaussian(rows):
    gaussian = Gaussian.fit(rows, VP(), shrinkage=0.0)
    covariance = torch.cov(rows.T, correction=0)
    mixture = GaussianMixture(torch.ones(1).double(), rows.mean(0)[None], covariance[None], VP())
    x = draws(5, 3, seed=4)
    torch.testing.assert_close(mixture(x, T).mean, gaussian(x, T).mean)
    torch.testing.assert_close(mixture(x, T).variance, gaussian(x, T).variance)
    torch.testing.assert_close(mixture.log_density(x, T), gaussian.log_density(x, T))


def test_mixture_obeys_tweedie(rows):
    """The posterior mean is the state plus the variance times the slope of the log-density."""
    schedule = EDM()
    mixture = GaussianMixture.fit(rows, schedule, components=3)
    s, x = schedule.level(T), draws(6, 3, seed=4).requires_grad_()
    density = mixture.log_density(x, T)
    (slope,) = torch.autograd.grad(density.sum(), x)
    torch.testing.assert_close(mixture(x, T).mean, x + s**2 * slope)
    covariances = torch.stack([p.vectors * (p.values + s**2) @ p.vectors.T for p in mixture.parts])
    parts = MultivariateNormal(torch.stack([p.mean for p in mixture.parts]), covariances)
    torch.testing.assert_close(density, MixtureSameFamily(Categorical(mixture.weights), parts).log_prob(x))


@pytest.mark.parametrize("neighbours", [None, 200])
def test_empirical_is_the_softmax_over_rows(neighbours, rows):
    denoiser, x = Empirical(rows, EDM(), neighbours, chunk=1000), draws(50, 3, seed=4)
    t = torch.linspace(0.2, 0.6, 50, dtype=torch.float64)
    mean, variance = brute(rows, x, EDM().level(t)[:, None])
    answer = denoiser(x, t)
    torch.testing.assert_close(answer.mean, mean)
    torch.testing.assert_close(answer.variance, variance)
    s, square = EDM().level(t)[:, None], ((x[:, None] - rows) ** 2).sum(2)
    density = torch.logsumexp(-square / (2 * s**2), 1) - math.log(200) - 3 * torch.log(s[:, 0] * math.sqrt(2 * math.pi))
    torch.testing.assert_close(denoiser.log_density(x, t), density)


@pytest.mark.parametrize("neighbours", [None, 5])
def test_the_limit_of_the_empirical_is_the_nearest_row(neighbours, rows):
    x = draws(50, 3, seed=4)
    nearest = rows[torch.cdist(x, rows).argmin(1)]
    for dtype in (torch.float64, torch.float32):
        answer = Empirical(rows.to(dtype), VP(), neighbours)(x.to(dtype), torch.zeros((), dtype=dtype))
        torch.testing.assert_close(answer.mean, nearest.to(dtype))
        assert answer.variance.abs().max() < 1e-12


@pytest.mark.parametrize("neighbours", [None, 7])
@pytest.mark.parametrize("exclude", [0, 2])
def test_leaving_itself_out_is_a_fit_without_it(neighbours, exclude, rows):
    places = torch.tensor([0, 17, 199, -1])
    x = rows[places].clone()
    x[3] = 0.1
    denoiser = Empirical(rows, EDM(), neighbours, exclude=exclude)
    answer, density = denoiser(x, T, itself=places), denoiser.log_density(x, T, itself=places)
    for i, place in enumerate(places.tolist()):
        others = [j for j in range(200) if place < 0 or abs(j - place) > exclude]
        without = Empirical(rows[others], EDM(), neighbours)
        torch.testing.assert_close(answer.mean[i], without(x, T).mean[i])
        torch.testing.assert_close(answer.variance[i], without(x, T).variance[i])
        torch.testing.assert_close(density[i], without.log_density(x, T)[i])


def test_empirical_refuses_to_leave_out_everything(rows):
    with pytest.raises(Misfit, match="left out"):
        Empirical(rows[:1], VP(), 1)(rows[:1], T, itself=torch.zeros(1, dtype=torch.long))


def test_nearest_is_exact_far_from_the_origin():
    rows = (draws(3000, 20) + 1000).float()
    x = (draws(64, 20, seed=5) + 1000).float()
    distance, place = Empirical(rows, VP()).nearest(x, 5)
    expected = torch.cdist(x.double(), rows.double()).topk(5, largest=False)
    torch.testing.assert_close(distance.double(), expected.values, rtol=1e-5, atol=1e-5)
    assert torch.equal(place, expected.indices)


@pytest.mark.parametrize("neighbours", [None, 5])
def test_empirical_does_not_depend_on_the_batch(neighbours):
    rows, x = draws(2000, 10).float(), draws(300, 10, seed=6).float()
    denoiser = Empirical(rows, VP(), neighbours, chunk=2**15)
    together = denoiser(x, T)
    alone = torch.cat([denoiser(v[None], T).mean for v in x])
    torch.testing.assert_close(together.mean, alone, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(together.mean.flip(0), denoiser(x.flip(0), T).mean, rtol=1e-6, atol=1e-6)


def every(rows):
    return {
        "gaussian": Gaussian.fit(rows, VP()),
        "mixture": GaussianMixture.fit(rows.double(), VP(), 2),
        "empirical": Empirical(rows, VP(), 5),
    }


@pytest.mark.parametrize("name", EXACT)
def test_surface(name):
    images = draws(40, 2, 3, 3).float()
    denoiser = every(images)[name]
    for dtype in (torch.float32, torch.float64):
        answer = denoiser(images.to(dtype), T)
        assert answer.mean.shape == answer.variance.shape == images.shape
        assert answer.mean.dtype == answer.variance.dtype == dtype
        assert denoiser.log_density(images.to(dtype), T).shape == (40,)
    assert denoiser(images[:0], T).mean.shape == (0, 2, 3, 3)
    each = denoiser(images, T.expand(40))
    torch.testing.assert_close(each.mean, denoiser(images, T).mean)
    torch.testing.assert_close(each.variance, denoiser(images, T).variance)
    assert denoiser.cost == 1


def test_a_saved_one_answers_the_same():
    rows = draws(30, 50).float()
    gaussian, empirical = Gaussian.fit(rows, VP()), Empirical(rows, VP(), 3)
    again = Gaussian.spectral(schedule=VP(), **gaussian.state_dict())
    assert torch.equal(again(rows, T).mean, gaussian(rows, T).mean)
    assert torch.equal(Empirical(empirical.state_dict()["rows"], VP(), 3)(rows, T).mean, empirical(rows, T).mean)
