"""Places of tables: as many cells as asked for, among those that may change, dependent ones together."""

import numpy as np
import pytest

from anodiff.anomalies.cells import PLACES, cells_of, dependence_of, given
from anodiff.types import Misfit

D = 8


@pytest.fixture
def dependence() -> np.ndarray:
    rng = np.random.default_rng(0)
    u = rng.normal(size=(500, D))
    u[:, 1] = u[:, 0] + 0.2 * u[:, 1]
    u[:, 2] = u[:, 0] + 0.2 * u[:, 2]
    return dependence_of(u)


def test_a_region_lies_where_it_may_and_is_as_large_as_asked_for(dependence: np.ndarray) -> None:
    rng = np.random.default_rng(1)
    may = rng.uniform(size=(200, D)) < 0.7
    may[:, 0] = True
    for name, draw in PLACES.items():
        region = draw(may, dependence, (2, 3), np.random.default_rng(2))
        assert not (region & ~may).any(), name
        assert region.any(1).all(), name
        count = region.sum(1)
        if name == "cell":
            assert (count == 1).all()
        elif name == "row":
            assert (region == may).all()
        else:
            assert (count <= 3).all()
            assert (count >= np.minimum(2, may.sum(1))).all()


def test_columns_that_depend_come_together(dependence: np.ndarray) -> None:
    region = PLACES["columns"](np.ones((300, D), bool), dependence, (3, 3), np.random.default_rng(0))
    assert (region[:, :3].all(1)).mean() > 0.8


def test_cells_are_drawn_evenly(dependence: np.ndarray) -> None:
    region = PLACES["cell"](np.ones((4000, D), bool), dependence, (1, 1), np.random.default_rng(0))
    assert abs(region.mean(0) * D - 1).max() < 0.15


def test_dependence_is_a_correlation_of_what_is_there() -> None:
    u = np.random.default_rng(0).normal(size=(400, 3))
    u[:, 1] = -u[:, 0]
    u[:100, 2] = np.nan
    u = np.column_stack([u, np.full(400, np.nan)])
    found = dependence_of(u)
    assert np.isclose(found[0, 1], -1)
    assert np.isclose(found[2, 2], 1)
    assert (found[3] == 0).all()


def test_a_share_becomes_cells() -> None:
    assert cells_of(None, (2, 3), 10) == (2, 3)
    assert cells_of(None, (2, 3), 2) == (2, 2)
    assert cells_of((0.01, 0.5), (2, 3), 10) == (1, 5)


@pytest.mark.parametrize(
    ("where", "said"),
    [
        (np.zeros((2, D), bool), "empty in row 1"),
        (np.ones((2, D + 1), bool), r"shape \(2, 9\)"),
        (np.full((2, D), 0.5), "not 0 or 1"),
        ([["a"] * D] * 2, "not 0 or 1"),
        ([[True], [True, False]], "different lengths"),
    ],
)
def test_regions_that_are_none_are_refused(where: object, said: str) -> None:
    with pytest.raises(Misfit, match=said):
        given(where, 2, [f"x{i}" for i in range(D)])


def test_one_region_is_for_every_row() -> None:
    one = np.arange(D) == 3
    assert (given(one, 4, list("abcdefgh")) == one).all()
    assert (given(one.astype(int).tolist(), 4, list("abcdefgh")) == one).all()
