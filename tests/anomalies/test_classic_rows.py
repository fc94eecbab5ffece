"""Makers without a model: where their rows lie, and what they refuse."""

import numpy as np
import pytest

from anodiff.anomalies.classic_rows import between, gaussian, smote, swapped
from anodiff.types import Misfit

NORMALS = np.random.default_rng(0).normal(size=(100, 4))
KNOWN = np.array([[5.0, 0, 0, 0], [6.0, 0, 0, 0], [5.5, 1, 0, 0]])


def test_smote_lies_between_examples_and_jitters_around_the_only_one() -> None:
    made, region = smote(KNOWN, NORMALS, 50)
    assert made.shape == region.shape == (50, 4)
    assert (made[:, 0] >= 5).all()
    assert (made[:, 0] <= 6).all()
    assert (made[:, 2:] == 0).all()
    only = np.array([[True, False, False, False]])
    made, region = smote(KNOWN[:1], NORMALS, 50, region=only)
    assert (made[:, 1:] == KNOWN[0, 1:]).all()
    assert 0.02 < made[:, 0].std() < 0.3
    assert (region == only).all()


def test_a_way_leads_from_normal_to_known() -> None:
    near, _ = between(KNOWN, NORMALS, 30, strength=0.0)
    assert all((row == NORMALS).all(1).any() for row in near)
    far, region = between(KNOWN, NORMALS, 30, strength=1.0)
    assert all(np.isclose(row, KNOWN).all(1).any() for row in far)
    assert region.all()


def test_noise_has_the_stated_spread_and_stays_in_its_region() -> None:
    region = np.tile([True, True, False, False], (100, 1))
    made, where = gaussian(NORMALS, NORMALS, 4000, spread=2.0, region=region)
    centres = np.resize(np.random.default_rng(0).permutation(100), 4000)
    away = made - NORMALS[centres]
    assert np.allclose(away[:, :2].std(0), 2 * NORMALS[:, :2].std(0), rtol=0.1)
    assert (away[:, 2:] == 0).all()
    assert (where == region[centres]).all()


def test_swapped_cells_are_those_of_other_rows() -> None:
    made, where = swapped(NORMALS, 60, share=0.5)
    assert (where.sum(1) == 2).all()
    for column in range(4):
        assert np.isin(made[:, column], NORMALS[:, column]).all()
    words = np.array([["a", "x"], ["b", "y"], ["c", "z"]], dtype=object)
    assert swapped(words, 3)[0].dtype == object


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: smote(np.zeros((0, 4)), NORMALS, 3), "no example"),
        (lambda: smote(KNOWN[:, :2], NORMALS, 3), "examples have 2 columns"),
        (lambda: between(KNOWN, NORMALS, 3, strength=2.0), "strength is 2"),
        (lambda: gaussian(KNOWN, NORMALS, 3, spread=0.0), "spread is 0"),
        (lambda: swapped(NORMALS[:1], 3), "there is 1"),
        (lambda: swapped(NORMALS, 3, share=0.0), "share is 0"),
    ],
)
def test_what_cannot_be_made_is_refused(make: object, said: str) -> None:
    with pytest.raises(Misfit, match=said):
        make()  # type: ignore[operator]
