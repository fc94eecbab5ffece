"""Strengths: amounts are sought until scores lie where they should, and what cannot be reached is said so."""

import numpy as np
import pytest
import torch

from anodiff.anomalies.strength import farthest_of, seek
from anodiff.types import Misfit

BASE = torch.tensor([[0.0], [1.0], [3.0]], dtype=torch.float64)


def test_scores_land_where_the_strength_says():
    strength = torch.tensor([0.1, 0.5, 1.0], dtype=torch.float64)
    found = seek(lambda a: BASE + a[:, None] ** 2, lambda x: x[:, 0], strength, farthest=11.0, most=8.0, halvings=12)
    torch.testing.assert_close(found.target, BASE[:, 0] + strength * (11 - BASE[:, 0]))
    assert found.reached.all()
    assert (found.score >= found.target).all()
    torch.testing.assert_close(found.score, found.target, atol=0.02, rtol=0)
    torch.testing.assert_close(found.items[:, 0], found.score)


def test_what_cannot_be_reached_is_the_most_and_said():
    strength = torch.tensor([1.0, 1.0, 1.0], dtype=torch.float64)
    found = seek(lambda a: BASE + a[:, None], lambda x: x[:, 0], strength, farthest=4.0, most=2.0)
    assert found.reached.tolist() == [False, False, True]
    assert found.amount[:2].tolist() == [2.0, 2.0]
    assert found.score[:2].tolist() == [2.0, 3.0]


def test_what_is_far_already_is_left_as_it_is():
    strength = torch.tensor([0.3, 0.6, 1.0], dtype=torch.float64)
    found = seek(lambda a: BASE + a[:, None], lambda x: x[:, 0], strength, farthest=0.5, most=2.0)
    assert found.reached.all()
    assert found.amount[1:].tolist() == [0.0, 0.0]
    assert found.items[1:].tolist() == BASE[1:].tolist()


def test_each_item_is_sought_for_itself():
    strength = torch.tensor([0.2, 0.9, 0.4], dtype=torch.float64)
    together = seek(lambda a: BASE + a[:, None], lambda x: x[:, 0], strength, farthest=9.0, most=16.0)
    for i in range(3):
        alone = seek(
            lambda a, i=i: BASE[i : i + 1] + a[:, None], lambda x: x[:, 0], strength[i : i + 1], farthest=9.0, most=16.0
        )
        assert alone.amount[0] == together.amount[i]


def test_the_first_crossing_counts():
    """A score that rises, falls and rises again: the least of the amounts that are tried and enough."""
    found = seek(
        lambda a: a[:, None],
        lambda x: 3 * torch.sin(x[:, 0]) + 0.01 * x[:, 0],
        torch.ones(1, dtype=torch.float64),
        farthest=2.0,
        most=64.0,
        doublings=8,
        halvings=10,
    )
    assert 0.7 < float(found.amount[0]) < 0.76


def test_the_farthest_is_of_examples_or_of_the_tail_of_normals():
    normals = np.random.default_rng(0).normal(size=2000)
    assert farthest_of(normals, known=np.array([7.0, 9.0, 5.0])) == 7.0
    assert 3.0 < farthest_of(normals, 1e-4) < 5.5
    assert farthest_of(normals, 1e-2) < farthest_of(normals, 1e-4)
    with pytest.raises(Misfit, match="at least 30"):
        farthest_of(normals[:10])
    with pytest.raises(Misfit, match="lies between 0 and 1; got 2"):
        farthest_of(normals, 2.0)
