import numpy as np
import pyarrow as pa
from toys_for_bench import table

from anodiff.bench.cut import cut
from anodiff.bench.made import pushed, swapped
from anodiff.bench.protocols import PROTOCOLS
from anodiff.bench.sets import DataSet
from anodiff.data import Table

FRAME = Table(
    pa.table(
        {
            "n": np.random.default_rng(0).normal(size=60),
            "k": np.random.default_rng(1).integers(0, 9, 60),
            "c": [f"v{i % 7}" for i in range(60)],
        }
    )
)


def test_swapped_cells_were_all_observed_and_rows_are_new() -> None:
    X, _ = table()
    rows, base = swapped(X, 0)
    assert all(np.isin(rows[:, j], X[:, j]).all() for j in range(4))
    assert ((rows != X[base]).sum(1) >= 1).all()
    assert not {tuple(row) for row in rows} & {tuple(row) for row in X}


def test_swapped_breaks_the_dependency_and_keeps_the_columns() -> None:
    draw = np.random.default_rng(0)
    one = draw.normal(size=400)
    rows, _ = swapped(np.column_stack([one, one]), 0)
    assert abs(np.corrcoef(rows.T)[0, 1]) < 0.2


def test_pushed_is_five_spreads_out_in_one_cell() -> None:
    X, _ = table()
    rows, base = pushed(X, 0)
    changed = rows != X[base]
    assert (changed.sum(1) == 1).all()
    low, middle, high = np.quantile(X, [0.25, 0.5, 0.75], axis=0)
    away = np.abs(rows - middle) / ((high - low) / 1.349)
    np.testing.assert_allclose(away[changed], 5)


def test_frames_keep_their_types() -> None:
    for make in (swapped, pushed):
        rows, _ = make(FRAME, 0)
        assert rows.arrow.schema.types[2] == pa.string()
        assert pa.types.is_integer(rows.arrow["k"].type) or make is pushed


def test_nothing_is_made_of_what_cannot_be_broken() -> None:
    assert swapped(np.arange(30.0)[:, None], 0) is None
    assert pushed(np.ones((30, 2)), 0) is None
    assert swapped(np.ones((30, 2)), 0) is None


def test_a_table_without_labels_is_halved() -> None:
    X, _ = table()
    found = cut(PROTOCOLS["unlabelled"], DataSet("toy", X, None, ""), 0, None, (None,))
    assert found.made == ("swapped", "pushed")
    assert len(found.train) == 120
    assert (found.y == 0).sum() == 120
    assert not {tuple(row) for row in found.train} & {tuple(row) for row in found.test[found.y == 0]}
