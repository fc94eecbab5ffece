import numpy as np
import torch

from anodiff.diffusion.noise import SCHEDULES
from anodiff.recipes.build import Silent
from anodiff.scores.leaning import FARTHEST, Leaning

NOBODY = Silent(SCHEDULES["ve"]())


def rows(n: int, at: float = 0.0, seed: int = 0) -> torch.Tensor:
    draw = np.random.default_rng(seed).normal(size=(n, 3))
    return torch.from_numpy(draw + np.array([at, 0, 0]))


def test_it_is_fishers_direction_in_its_own_coordinates() -> None:
    normal, known = rows(400), rows(5, 2.0, 1)
    leaning = Leaning(3, scale=0.7, ridge=0.5).fit(normal, known)
    u, v = np.arcsinh(normal.numpy() / 0.7), np.arcsinh(known.numpy() / 0.7)
    z, w = (u - u.mean(0)) / u.std(0), (v - u.mean(0)) / u.std(0)
    direction = np.linalg.solve(np.cov(z.T, bias=True) + 0.5 * np.eye(3), w.mean(0))
    assert np.allclose(leaning(NOBODY, normal).total, z @ direction)


def test_it_rises_towards_known_anomalies_and_falls_away_from_them() -> None:
    leaning = Leaning(3).fit(rows(400), rows(5, 2.0, 1))
    there, normal, opposite = (float(leaning(NOBODY, rows(50, at, 2)).total.mean()) for at in (2.0, 0.0, -2.0))
    assert there > normal + 1 > opposite + 2


def test_what_weighs_nothing_is_not_heard() -> None:
    known = torch.cat([rows(3, 2.0, 1), rows(4, -3.0, 2)])
    heard = Leaning(3).fit(rows(100), known, torch.tensor([1.0, 1, 1, 0, 0, 0, 0]))
    assert torch.allclose(heard.direction, Leaning(3).fit(rows(100), known[:3]).direction)


def test_a_coordinate_counts_only_so_far_and_one_without_spread_is_survived() -> None:
    normal = rows(100)
    normal[:, 2] = 1.0
    leaning = Leaning(3).fit(normal, rows(5, 2.0, 1))
    evidence = leaning(NOBODY, torch.full((1, 3), 1e30, dtype=torch.float64))
    assert torch.allclose(evidence.map.sum(1), evidence.total)
    assert float(evidence.map.abs().max()) <= FARTHEST * float(leaning.direction.abs().max())


def test_each_row_is_judged_for_itself() -> None:
    leaning, x = Leaning(3).fit(rows(400), rows(5, 2.0, 1)), rows(20, 1.0, 3)
    whole = leaning(NOBODY, x).total
    assert torch.equal(leaning(NOBODY, x.flip(0)).total.flip(0), whole)
    assert torch.allclose(leaning(NOBODY, x[:1]).total, whole[:1])
