"""What the docstrings claim, as equalities with closed forms."""

import math

import numpy as np
import pytest
import torch
from score_toys import SCHEDULE, D, calibrated, drawn

from anodiff.diffusion.exact import Empirical, Gaussian
from anodiff.diffusion.noise import EDM, VE, VP, Cosine
from anodiff.nets.mlp import MLP, seeded
from anodiff.scores.base import Evidence
from anodiff.scores.combine import Hybrid, On, Panel, parts
from anodiff.scores.imputation import Imputation, Iterated, Sampled
from anodiff.scores.levels import ask, geometric, shared_out, spacing
from anodiff.scores.likelihood import DenoisingBound, FlowLikelihood
from anodiff.scores.patterns import EachCoordinate, Gratings, Groups, RandomMasks, covering
from anodiff.scores.reconstruction import DISTANCES, Reconstruction, Residual
from anodiff.scores.stein import SteinNorm
from anodiff.scores.time import CategoricalTime, InverseGammaTime, NonParametricTime
from anodiff.types import Misfit

MEAN = torch.tensor([1.0, -2.0, 0.0, 0.5], dtype=torch.float64)
ROOT = torch.tensor([[1.0, 0, 0, 0], [0.9, 0.3, 0, 0], [0, 0, 2, 0], [0.1, 0, 1, 0.5]], dtype=torch.float64)
COVARIANCE = ROOT @ ROOT.T


def gaussian(schedule=None):
    return Gaussian(MEAN, COVARIANCE, schedule or EDM(1e-4, 1e4))


@pytest.fixture
def x():
    return 2 * drawn(9, 7)


def test_residual_of_a_gaussian_is_half_its_mahalanobis_distance(x):
    away = x - MEAN
    half = (away @ torch.linalg.inv(COVARIANCE) * away).sum(1) / 2
    torch.testing.assert_close(Residual(geometric(1e-3, 1e3, 60))(gaussian(), x).total, half, rtol=1e-3, atol=0)


def test_a_finer_grid_gives_the_same_residual(x):
    coarse, fine = (Residual(geometric(1e-3, 1e3, n))(gaussian(), x).total for n in (30, 300))
    torch.testing.assert_close(coarse, fine, rtol=1e-3, atol=0)


@pytest.mark.parametrize("schedule", [VP(), Cosine(), VE(), EDM()])
def test_scores_see_levels_and_not_schedules(schedule, x):
    for score in (Residual(), SteinNorm(power=2.0), DenoisingBound(), NonParametricTime()):
        expected, found = (score(gaussian(s), x).total for s in (EDM(), schedule))
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("k", [1, 5])
def test_spread_over_neighbours_is_their_mean_squared_distance(k, x):
    rows = drawn(300, 8)
    nearest = (torch.cdist(x, rows) ** 2).topk(k, largest=False).values.mean(1)
    empirical = Empirical(rows, EDM(sigma_max=1e6), neighbours=k)
    found = Residual(levels=(1e5,), power=0.0, spread=True)(empirical, x).total
    torch.testing.assert_close(found, nearest, rtol=1e-6, atol=0)
    by_time = NonParametricTime(level=1e5, low=0.1)(empirical, x).total
    torch.testing.assert_close(by_time, torch.log1p(nearest / (D * 0.01)) / 2, rtol=1e-6, atol=0)


def test_time_without_a_net_never_ties_far_out():
    empirical = Empirical(drawn(300, 8), EDM(), neighbours=5)
    far = torch.logspace(0, 12, 50, dtype=torch.float64)[:, None].expand(50, D)
    assert (NonParametricTime()(empirical, far).total.diff() > 0).all()


def test_nonparametric_time_is_an_expected_log_level(x):
    """E[log s] under InvGamma(n/2, (δ² + n low²)/2), by quadrature over log s, less that at δ = 0."""
    low, grid = 0.5, np.linspace(-8, 8, 20001)

    def expected(square):
        log_p = -D * grid - square / (2 * np.exp(2 * grid))
        p = np.exp(log_p - log_p.max())
        return (p * grid).sum() / p.sum()

    score = NonParametricTime(level=50.0, low=low)
    square = Residual(levels=(50.0,), power=0.0, spread=True)(gaussian(), x).total
    by_hand = [expected(v.item() + D * low**2) - expected(D * low**2) for v in square]
    np.testing.assert_allclose(score(gaussian(), x).total.numpy(), by_hand, rtol=1e-5)


@pytest.mark.parametrize("level", [0.1, 1.0])
def test_stein_norm_of_a_gaussian(level, x):
    slope = (x - MEAN) @ torch.linalg.inv(COVARIANCE + level**2 * torch.eye(D))
    found = SteinNorm(levels=(level,), power=0.0)(gaussian(), x).total
    torch.testing.assert_close(found, (slope**2).sum(1), rtol=1e-6, atol=0)


def test_stein_norm_weighted_by_the_noise_is_the_residual(x):
    slope, residual = (score(gaussian(VP()), x).total for score in (SteinNorm(power=2.0), Residual(power=2.0)))
    torch.testing.assert_close(slope, residual)


def test_flow_likelihood_of_a_gaussian(x):
    score = FlowLikelihood(steps=24, least=0.02, variance=float(COVARIANCE.diagonal().mean()))
    evidence, normal = score(gaussian(EDM()), x), torch.distributions.MultivariateNormal(MEAN, COVARIANCE)
    torch.testing.assert_close(evidence.total, -normal.log_prob(x), atol=0.02 * D, rtol=0.02)


def test_the_denoising_bound_of_a_gaussian_is_its_expectation_for_many_draws(x):
    level, eye = 0.5, torch.eye(D, dtype=torch.float64)
    shrink = COVARIANCE @ torch.linalg.inv(COVARIANCE + level**2 * eye)
    expected = (((x - MEAN) @ (eye - shrink)) ** 2).sum(1) / level**2 + (shrink**2).sum()
    found = DenoisingBound(levels=(level,), draws=4000)(gaussian(), x).total
    torch.testing.assert_close(found, expected, rtol=0.05, atol=0.1)


def test_a_gaussian_fills_with_the_conditional_mean(x):
    level, known = 0.3, torch.tensor([False, True, True, False]).expand_as(x)
    noisy = COVARIANCE + level**2 * torch.eye(D)
    gain = noisy[[0, 3]][:, [1, 2]] @ torch.linalg.inv(noisy[[1, 2]][:, [1, 2]])
    expected = MEAN[[0, 3]] + (x - MEAN)[:, [1, 2]] @ gain.T
    guess = Iterated([level] * 200)(gaussian(), x, known)
    torch.testing.assert_close(guess[:, [0, 3]], expected, rtol=1e-6, atol=1e-6)
    assert torch.equal(guess[:, [1, 2]], x[:, [1, 2]])
    score = Imputation(Groups([[0, 3], [1, 2]]), Iterated([level] * 200))
    torch.testing.assert_close(
        score(gaussian(), x).map[:, [0, 3]], (x[:, [0, 3]] - expected) ** 2, rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("fill", [Iterated(), Sampled(steps=3)])
def test_what_is_hidden_is_never_read(fill, x):
    known = torch.tensor([False, True, True, True]).expand_as(x)
    other = torch.where(known, x, 1e3)
    assert torch.equal(fill(gaussian(), x, known), fill(gaussian(), other, known))


@pytest.mark.parametrize(
    "patterns",
    [EachCoordinate(12), Groups([range(7), range(5, 12)]), RandomMasks(0.3, 4), Gratings(2, 3), Gratings(1, 2, -2)],
)
def test_patterns_cover_every_cell(patterns):
    hidden = covering(patterns, torch.zeros(5, 2, 6))
    assert hidden.shape == (patterns.count, 2, 6)
    assert hidden.any(0).all()
    assert not hidden.flatten(1).all(1).any()


def test_patterns_that_miss_a_cell_are_refused():
    with pytest.raises(Misfit, match="never hides 1 of 4"):
        covering(Groups([[0, 1], [2]]), torch.zeros(5, 4))


def test_the_posterior_of_the_level_is_learnt_in_one_dimension():
    """DTE's inverse gamma is undefined there; log-uniform levels mend it."""
    x, generator = torch.zeros(512, 1), torch.Generator().manual_seed(0)
    score = InverseGammaTime(seeded(MLP, 0, inputs=1, outputs=1, width=32, depth=1, levelled=False), SCHEDULE)
    optimiser = torch.optim.Adam(score.parameters(), 5e-3)
    for _ in range(400):
        optimiser.zero_grad()
        score.loss(x, generator).mean().backward()
        optimiser.step()
    at = torch.tensor([[0.2], [1.0], [3.0]], dtype=torch.float64)
    b = 0.02 * torch.exp(score.total(at)).detach()
    torch.testing.assert_close(b, at[:, 0], rtol=0.25, atol=0)


def test_time_is_an_expectation_and_stays_within_its_levels():
    net = seeded(MLP, 0, inputs=D, outputs=20, width=16, depth=1, levelled=False)
    total = CategoricalTime(net, SCHEDULE, low=0.1, high=10.0)(gaussian(), drawn(50, 9)).total
    assert ((total > 0) & (total < math.log(100))).all()
    assert len(total.unique()) == 50


@pytest.mark.parametrize("name", DISTANCES)
def test_a_reconstruction_of_no_noise_and_one_stop_is_nearly_the_posterior_mean(name, x):
    score = Reconstruction(levels=(0.0201,), steps=1, noisy=False, draws=1, distance=DISTANCES[name])
    mean = ask(gaussian(), x, 0.02).mean
    torch.testing.assert_close(score(gaussian(), x).map, DISTANCES[name](x, mean), rtol=0.05, atol=1e-6)


def test_a_hybrid_is_the_sum_of_its_calibrated_members(x):
    panel = Panel({"near": Empirical(drawn(300, 8), EDM(), neighbours=5), "shape": gaussian(EDM())})
    inner = Hybrid({"near": On("near", NonParametricTime()), "slope": On("shape", SteinNorm())})
    outer = calibrated(Hybrid({"residual": On("shape", Residual()), "inner": inner}, {"inner": 0.5}), panel)
    evidence = outer(panel, x)
    totals = outer.member_totals(panel, x)
    by_hand = outer.scales_["residual"](totals["residual"]) + 0.5 * outer.scales_["inner"](
        inner.combined(totals["inner"])
    )
    np.testing.assert_allclose(evidence.total.numpy(), by_hand)
    np.testing.assert_allclose(outer.combined(totals), by_hand)
    assert outer.nfe == 10 + 1 + 10
    assert {type(p) for p in parts(outer)} == {Hybrid, On, Residual, NonParametricTime, SteinNorm}


def test_a_hybrid_of_one_member_keeps_its_order_and_its_shares(x):
    alone, hybrid = Residual(), calibrated(Hybrid({"only": Residual()}), gaussian())
    one, two = alone(gaussian(), x), hybrid(gaussian(), x)
    assert torch.equal(one.total.argsort(), two.total.argsort())
    torch.testing.assert_close(two.map / two.total[:, None], one.map / one.total[:, None])


def test_refusals(x):
    with pytest.raises(Misfit, match=r"call fit"):
        Hybrid({"only": Residual()})(gaussian(), x)
    with pytest.raises(Misfit, match="needs a Panel"):
        On("near", Residual())(gaussian(), x)
    with pytest.raises(Misfit, match="has no denoiser 'far'; it has near"):
        On("far", Residual())(Panel({"near": gaussian()}), x)
    for levels in ((), (0.0, 1.0), (2.0, 1.0)):
        with pytest.raises(Misfit, match="positive and increasing"):
            spacing(levels)


def test_nothing_to_share_is_shared_evenly():
    shared = shared_out(torch.tensor([2.0, 4.0]), torch.tensor([[0.0, 0.0], [1.0, 3.0]]))
    assert shared.tolist() == [[1.0, 1.0], [1.0, 3.0]]
    assert isinstance(Residual()(gaussian(), torch.zeros(1, D)), Evidence)
