"""Conditional means for any pattern of unknown cells, and processes in other coordinates."""

import pytest
import torch

from anodiff.diffusion.exact import Empirical, Gaussian
from anodiff.diffusion.fill import RIDGE, conditional_mean, fit_incomplete, shrinkage
from anodiff.diffusion.noise import VE
from anodiff.diffusion.transform import NormalScores, Transformed, Whitening


def correlated(n: int, d: int = 5, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(d, d, generator=generator, dtype=torch.float64)
    return torch.randn(n, d, generator=generator, dtype=torch.float64) @ mix + 3


@pytest.fixture
def gaussian() -> Gaussian:
    x = correlated(2000)
    return Gaussian(x.mean(0), torch.cov(x.T), VE())


def test_equals_the_textbook(gaussian: Gaussian) -> None:
    x = correlated(30, seed=1)
    known = torch.rand(30, 5, generator=torch.Generator().manual_seed(2)) > 0.4
    found = conditional_mean(gaussian, x, known)
    C = (gaussian.vectors * gaussian.values) @ gaussian.vectors.T + RIDGE * torch.eye(5)
    for row, seen, got in zip(x, known, found, strict=True):
        u, k = ~seen, seen
        expected = gaussian.mean[u] + C[u][:, k] @ torch.linalg.solve(C[k][:, k], row[k] - gaussian.mean[k])
        assert torch.allclose(got[u], expected, atol=1e-6)
        assert torch.equal(got[k], row[k])


def test_nothing_known_is_the_mean_and_everything_known_stays(gaussian: Gaussian) -> None:
    x = correlated(4, seed=1)
    nothing, everything = torch.zeros(4, 5, dtype=torch.bool), torch.ones(4, 5, dtype=torch.bool)
    assert torch.allclose(conditional_mean(gaussian, x, nothing), gaussian.mean.expand(4, 5))
    assert torch.equal(conditional_mean(gaussian, x, everything), x)


def test_each_row_for_itself(gaussian: Gaussian) -> None:
    x = correlated(20, seed=1)
    known = torch.rand(20, 5, generator=torch.Generator().manual_seed(2)) > 0.4
    alone = torch.cat([conditional_mean(gaussian, x[i : i + 1], known[i : i + 1]) for i in range(20)])
    assert torch.allclose(alone, conditional_mean(gaussian, x, known), rtol=1e-9)


def test_learns_from_incomplete_rows() -> None:
    x = correlated(1500)
    x = ((x - x.mean(0)) / x.std(0)).float()
    known = torch.rand(x.shape, generator=torch.Generator().manual_seed(2)) > 0.15
    gaussian, filled = fit_incomplete(torch.where(known, x, 0), known, VE())
    naive = torch.where(known, x, 0)
    assert (filled - x).pow(2).mean() < 0.5 * (naive - x).pow(2).mean()
    truth = torch.cov(x.T).double()
    found = (gaussian.vectors * gaussian.values).double() @ gaussian.vectors.T.double()
    assert (found - truth).abs().max() < (torch.cov(naive.T) - truth).abs().max()


def test_gaps_take_no_spread_away() -> None:
    x = correlated(4000, d=3)
    x = ((x - x.mean(0)) / x.std(0)).float()
    known = torch.rand(x.shape, generator=torch.Generator().manual_seed(2)) > 0.5
    gaussian, filled = fit_incomplete(torch.where(known, x, 0), known, VE())
    found = (gaussian.vectors * gaussian.values).double() @ gaussian.vectors.T.double()
    assert (found.diagonal() - 1).abs().max() < 0.15
    assert (found - torch.cov(x.T).double()).abs().max() < (torch.cov(filled.T) - torch.cov(x.T)).abs().max()
    assert torch.equal(filled[known], x[known])
    again = fit_incomplete(torch.where(known, x, 0), known, VE())[1]
    assert torch.equal(filled, again)


def test_shrinkage_falls_with_rows_and_never_ends() -> None:
    assert shrinkage(100, 10) > shrinkage(1000, 10) > 0
    assert shrinkage(10, 1000) == 0.1


def test_whitening_whitens_and_comes_back() -> None:
    x = correlated(3000)
    whitening = Whitening.of(Gaussian.fit(x, VE(), 0.0), ridge=1e-9)
    u = whitening(x)
    assert torch.allclose(torch.cov(u.T), torch.eye(5, dtype=torch.float64), atol=0.01)
    assert torch.allclose(whitening.inverse(u), x, atol=1e-6)


def test_whitening_of_fewer_rows_than_columns() -> None:
    x = correlated(8, d=30)
    whitening = Whitening.of(Gaussian.fit(x, VE(), 0.1), ridge=0.1)
    assert torch.isfinite(whitening(x)).all()
    assert torch.allclose(whitening.inverse(whitening(x)), x, atol=1e-6)


def test_coloured_noise_is_the_process_in_whitened_coordinates() -> None:
    x = correlated(200)
    whitening = Whitening.of(Gaussian.fit(x, VE(), 0.01), ridge=0.1)
    inside = Empirical(whitening(x), VE())
    t = VE().time(torch.tensor(0.5, dtype=torch.float64))
    found = Transformed(inside, whitening)(x[:10], t).mean
    assert torch.allclose(whitening(found), inside(whitening(x[:10]), t).mean, atol=1e-8)


def test_normal_scores_are_normal_whatever_the_column() -> None:
    x = torch.exp(3 * correlated(4000))
    u = NormalScores.fit(x)(x)
    assert u.mean(0).abs().max() < 0.02
    assert (u.std(0) - 1).abs().max() < 0.03


def test_normal_scores_keep_order_and_come_back() -> None:
    x = correlated(500)
    scores = NormalScores.fit(x)
    u = scores(x)
    assert torch.equal(u.argsort(0), x.argsort(0))
    assert torch.allclose(scores.inverse(u), x, atol=0.05)


def test_outside_the_fitted_range_is_a_margin_beyond_its_end() -> None:
    x = torch.linspace(0, 1, 101, dtype=torch.float64)[:, None]
    scores = NormalScores.fit(x)
    inside, beyond, far = scores(torch.tensor([[1.0], [1.0001], [1e300]], dtype=torch.float64))[:, 0]
    assert beyond == far == inside + 1.5
    below = scores(torch.tensor([[-1e-9]], dtype=torch.float64))
    assert torch.allclose(below, scores(torch.zeros(1, 1, dtype=torch.float64)) - 1.5)


def test_ties_take_their_middle_rank() -> None:
    x = torch.tensor([0.0] * 90 + [1.0] * 10, dtype=torch.float64)[:, None]
    zero, one = NormalScores.fit(x)(torch.tensor([[0.0], [1.0]], dtype=torch.float64))[:, 0]
    assert torch.allclose(torch.special.ndtr(torch.stack([zero, one])), torch.tensor([0.45, 0.95]).double())
    constant = NormalScores.fit(torch.full((20, 1), 7.0))
    assert constant(torch.tensor([[7.0], [7.1]])).tolist() == [[0.0], [1.5]]
