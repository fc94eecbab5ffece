"""Columns as normal scores: normal by themselves, and back on the grid that they came from."""

import datetime

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest

from anodiff.data.readers import read
from anodiff.data.table import Table
from anodiff.modalities.ranked import Ranked
from anodiff.modalities.tabular import Tabular

N = 400
RNG = np.random.default_rng(0)
A = RNG.normal(size=N)
FRAME = pd.DataFrame(
    {
        "real": np.exp(3 * A),
        "whole": RNG.poisson(20, N) * 5,
        "few": RNG.integers(0, 3, N),
        "cents": np.round(RNG.uniform(0, 9, N), 2),
        "truth": A > 0.3,
        "word": np.where(A > 0.5, "zz", np.where(A < -0.5, "mm", "aa")),
        "day": [datetime.datetime(2024, 1, 1) + datetime.timedelta(hours=int(h)) for h in RNG.integers(0, 5000, N)],
        "gaps": np.where(RNG.uniform(size=N) < 0.2, np.nan, A),
        "same": 3.5,
    }
)


@pytest.fixture(scope="module")
def table() -> Table:
    return read(FRAME)


@pytest.fixture(scope="module")
def ranked(table: Table) -> Ranked:
    return Ranked.fit(table, Tabular().fit(table))


def test_every_column_is_normal_by_itself(ranked: Ranked, table: Table) -> None:
    u = ranked.encode(table, np.random.default_rng(1))
    for i, column in enumerate(ranked.columns):
        there = u[~np.isnan(u[:, i]), i]
        if column.usable:
            assert kstest(there, "norm").pvalue > 0.001, column.name
    assert np.isnan(u[:, 8]).all()
    assert (np.isnan(u[:, 7]) == FRAME["gaps"].isna()).all()


def test_what_is_encoded_comes_back(ranked: Ranked, table: Table) -> None:
    u = ranked.encode(table)
    back = ranked.replaced(table, u, ~np.isnan(u)).native()
    for name in ("whole", "few", "truth", "word"):
        assert (back[name] == FRAME[name]).all(), name
    assert (back.dtypes == FRAME.dtypes).all()
    assert np.allclose(back["gaps"], FRAME["gaps"], atol=0.02, equal_nan=True)


def test_nothing_else_is_touched_and_draws_are_on_the_grid(ranked: Ranked, table: Table) -> None:
    u = np.random.default_rng(2).normal(size=(N, 9)) * 2
    region = np.random.default_rng(3).uniform(size=u.shape) < 0.5
    region[:, 8] = False
    made = ranked.replaced(table, u, region).native()
    same = (made == FRAME) | (made.isna() & FRAME.isna())
    assert (same.to_numpy() | region).all()
    for name in ("whole", "few", "word", "truth"):
        assert set(made[name]) <= set(FRAME[name]), name
    assert np.allclose(made["cents"] * 100, np.round(made["cents"] * 100), atol=1e-6)


def test_numbers_beyond_the_ends_are_beyond_and_whole_ones_whole(ranked: Ranked, table: Table) -> None:
    far = np.full((N, 9), 4.5)
    region = np.tile([n in ("real", "whole", "cents") for n in FRAME.columns], (N, 1))
    made = ranked.replaced(table, far, region, beyond=3).native()
    for name in ("real", "whole", "cents"):
        assert (made[name] > FRAME[name].max()).all(), name
    assert (made["whole"] % 5 == 0).all()
    kept = ranked.replaced(table, far, region).native()
    assert (kept["whole"] == FRAME["whole"].max()).all()
    again = ranked.encode(read(made))
    assert (again[:, 0] > ranked.ends[1, 0]).all()


def test_categories_stand_in_the_order_of_what_goes_with_them(ranked: Ranked) -> None:
    order = ranked.orders()["word"]
    assert order in (["mm", "aa", "zz"], ["zz", "aa", "mm"])


def test_common_values_are_common(ranked: Ranked, table: Table) -> None:
    u = ranked.common(N, np.random.default_rng(0))
    made = ranked.replaced(table, u, np.tile(ranked.usable, (N, 1))).native()
    low, high = FRAME["real"].quantile([0.08, 0.92])
    assert made["real"].between(low, high).all()
    assert set(made["word"]) <= {"aa", "mm", "zz"}


def test_gaps_can_be_laid_back(ranked: Ranked, table: Table) -> None:
    gaps = np.zeros((N, 9), bool)
    gaps[:7, [0, 5]] = True
    made = ranked.blanked(table, gaps).native()
    assert (made[["real", "word"]].isna().to_numpy() == gaps[:, [0, 5]]).all()
