"""Departure is the squared Mahalanobis distance of a Gaussian, whatever it is a Gaussian of."""

import pytest
import torch

from anodiff.checks import check_score
from anodiff.diffusion.gaussian import Gaussian
from anodiff.diffusion.noise import SCHEDULES, VE
from anodiff.diffusion.positional import Positional, Sums
from anodiff.scores.departure import Departure
from anodiff.types import Misfit

WIDE = VE(sigma_max=1e4)


def rows(n: int = 200, columns: int = 4) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    mixing = torch.randn(columns, columns, generator=generator, dtype=torch.float64)
    return torch.randn(n, columns, generator=generator, dtype=torch.float64) @ mixing + 1


def mahalanobis(x: torch.Tensor, mean: torch.Tensor, covariance: torch.Tensor, level: float) -> torch.Tensor:
    away = x - mean
    noisy = covariance + level**2 * torch.eye(len(mean), dtype=x.dtype)
    return (away * torch.linalg.solve(noisy, away.T).T).sum(1)


@pytest.mark.parametrize("level", [0.05, 0.5])
def test_is_the_squared_mahalanobis_distance(level: float) -> None:
    x = rows()
    model = Gaussian.fit(x, WIDE, shrinkage=0.0)
    covariance = (x - x.mean(0)).T @ (x - x.mean(0)) / len(x)
    found = Departure(level, 1e4)(model, x)
    torch.testing.assert_close(found.total, mahalanobis(x, x.mean(0), covariance, level), rtol=0.02, atol=0.01)
    torch.testing.assert_close(found.map.sum(1), found.total)


def test_of_places_its_map_is_that_of_every_place() -> None:
    x = rows(240).reshape(60, 4, 4).transpose(1, 2).reshape(60, 4, 2, 2).float()
    model = Positional.fit(Sums((4, 2, 2)).add(x), VE(sigma_max=1000.0), shrinkage=0.2)
    lower = torch.tril_indices(4, 4)
    whole = torch.zeros(4, 4, 4, dtype=torch.float64)
    whole[:, lower[0], lower[1]] = model.packed.double()
    whole = whole + whole.tril(-1).transpose(1, 2)
    cells, means = x.double().flatten(2), model.mean.double().flatten(0, 1)
    expected = [mahalanobis(cells[:, :, p], means[p], whole[p], 0.1) for p in range(4)]
    found = Departure(0.1)(model, x).map.sum(1).flatten(1).double()
    torch.testing.assert_close(found, torch.stack(expected, 1), rtol=2e-3, atol=1e-3)


def test_the_schedule_clamps_the_far_level() -> None:
    """Where the far level is not far, what is left of x in the mean is all that is missing."""
    x = rows()
    near, far = (Departure(0.1)(Gaussian.fit(x, VE(sigma_max=top)), x).total for top in (50.0, 1000.0))
    torch.testing.assert_close(near, far, rtol=0.02, atol=0.01)


@pytest.mark.parametrize("process", ["vp", "ve", "edm", "rectified"])
def test_laws(process: str) -> None:
    x = rows(24)
    check_score(Departure(), Gaussian.fit(x, SCHEDULES[process]()), x)


def test_costs_two() -> None:
    assert Departure().nfe == 2


def test_levels_in_order() -> None:
    model = Gaussian.fit(rows(), WIDE)
    for level, far in ((0.0, 1.0), (2.0, 1.0), (-1.0, 1.0)):
        with pytest.raises(Misfit, match=f"departure goes from level {level} to {far}"):
            Departure(level, far)(model, rows(3))
