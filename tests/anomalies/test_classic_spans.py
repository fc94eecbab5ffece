"""The classical makers change the region and nothing else."""

import numpy as np
import pytest

from anodiff.anomalies.classic_spans import CLASSICS, Smote, spread, stretched
from anodiff.types import Misfit


@pytest.fixture
def series() -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).standard_normal((60, 3))
    region = np.zeros((60, 3), bool)
    region[20:35, :2] = True
    return x, region


@pytest.mark.parametrize("name", [*CLASSICS, "smote"])
def test_only_the_region_changes(name: str, series: tuple[np.ndarray, np.ndarray]) -> None:
    x, region = series
    make = Smote([x[:10] + 3, x[10:25] + 4]) if name == "smote" else CLASSICS[name]
    found = make(x, region, 0.8, np.random.default_rng(1))
    assert np.array_equal(found[~region], x[~region])
    assert (found != x)[region].any()
    assert np.array_equal(make(x, region, 0.8, np.random.default_rng(1)), found)


def test_smote_lies_between_two_examples(series: tuple[np.ndarray, np.ndarray]) -> None:
    x, region = series
    found = Smote([np.full((8, 3), 5.0), np.full((15, 3), 7.0)])(x, region, 1.0, np.random.default_rng(2))
    assert ((found[region] >= 5) & (found[region] <= 7)).all()


def test_smote_without_examples_is_refused() -> None:
    with pytest.raises(Misfit, match="at least one"):
        Smote([])


def test_spread_of_what_is_constant_or_missing_is_one() -> None:
    x = np.stack([np.zeros(9), np.full(9, np.nan), np.arange(9.0)], 1)
    assert spread(x)[:2].tolist() == [1.0, 1.0]
    assert np.isclose(spread(x)[2], np.arange(9).std())


def test_a_window_is_told_by_other_instants() -> None:
    assert stretched(np.array([[0.0], [1.0]]), 5)[:, 0].tolist() == [0, 0.25, 0.5, 0.75, 1]
