import numpy as np
import pyarrow as pa
import pytest
from toys_for_bench import table

from anodiff.bench import splits
from anodiff.bench.cells import flat
from anodiff.bench.cut import cut
from anodiff.bench.protocols import PROTOCOLS
from anodiff.bench.sets import DataSet
from anodiff.bench.splits import Unserved, split
from anodiff.data import Table


def data(**options: int) -> DataSet:
    return DataSet("toy", *table(**options), "")


def of(protocol: str, X: np.ndarray, y: np.ndarray, seed: int = 0, level: object = None) -> splits.Split:
    plan = PROTOCOLS[protocol]
    return split(plan, X, y, seed, plan.levels[0] if level is None else level, plan.levels)


@pytest.mark.parametrize("rows", [300, 1_500, 50_400])
def test_published_is_the_published_split(rows: int) -> None:
    """Re-derived from the paper's description, with numpy's global generator as the authors used it."""
    X = np.arange(2.0 * rows).reshape(rows, 2) ** 1.1
    y = (np.arange(rows) % 7 == 3).astype(int)
    found = cut(PROTOCOLS["published"], DataSet("toy", X, y, ""), 3, None, (None,))
    np.random.seed(3)
    pick = np.arange(rows)
    if rows < 1_000:
        pick = np.random.choice(rows, 1_000, replace=True)
    elif rows > 50_000:
        pick = np.random.choice(rows, 50_000, replace=False)
    drawn, labels = X[pick], y[pick]
    normal = drawn[labels == 0]
    half = round(len(normal) / 2)
    mean, scale = normal[:half].mean(0), normal[:half].std(0)
    test = np.concatenate([normal[half:], drawn[labels == 1]])
    np.testing.assert_allclose(found.train, (normal[:half] - mean) / scale, rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.test, (test - mean) / scale, rtol=0, atol=1e-9)
    assert found.y.tolist() == [0] * (len(normal) - half) + [1] * int(labels.sum())


def test_shuffled_shares_no_row_and_drops_duplicates() -> None:
    X, y = table()
    X, y = np.concatenate([X, X[:60]]), np.concatenate([y, y[:60]])
    found = of("shuffled", X, y)
    rows = np.concatenate([found.train, found.test])
    assert len(np.unique(X[rows], axis=0)) == len(rows) == 240
    assert not y[found.train].any()
    assert len(found.train) == 108
    assert not np.array_equal(found.train, of("shuffled", X, y, seed=1).train)


def test_unsupervised_trains_on_a_bootstrap_and_judges_all() -> None:
    X, y = table(rows=1_200, bad=100)
    found = of("unsupervised", X, y)
    assert found.test.tolist() == list(range(1_200))
    assert 0.55 < len(np.unique(found.train)) / 1_200 < 0.72  # 1 - 1/e
    assert found.contamination == y[found.train].mean()


def test_contaminated_reaches_its_share_and_keeps_the_test() -> None:
    X, y = table(rows=400, bad=120)
    levels = PROTOCOLS["contaminated"].levels
    found = {level: of("contaminated", X, y, level=level) for level in levels}
    for level, each in found.items():
        assert each.contamination == pytest.approx(level, abs=0.005)
        assert each.contamination == y[each.train].mean()
        assert np.array_equal(each.test, found[0.0].test)
        assert not set(each.train) & set(each.test)


def test_contaminated_takes_at_most_half_of_the_anomalies() -> None:
    X, y = table(rows=400, bad=6)
    found = of("contaminated", X, y, level=0.2)
    assert y[found.train].sum() == 3
    assert y[found.test].sum() == 3
    assert found.contamination == pytest.approx(3 / (197 + 3))


def test_examples_leave_the_test_alone() -> None:
    X, y = table()
    found = {level: of("examples", X, y, level=level) for level in (0, 1, 5, 10)}
    for level, each in found.items():
        assert len(each.examples) == level
        assert np.array_equal(each.test, found[0].test)
        assert set(found[1].examples) <= set(each.examples) or level == 0
        assert not set(each.examples) & set(each.test)
        assert y[each.examples].all()
    assert y[found[0].test].sum() == 14
    few = table(bad=8)
    assert len(of("examples", *few, level=1).examples) == 1
    with pytest.raises(Unserved, match="at most 4"):
        of("examples", *few, level=5)


def test_small_is_nested_and_says_when_it_cannot() -> None:
    X, y = table()
    found = [of("small", X, y, level=n).train for n in (20, 50, 100)]
    assert [len(each) for each in found] == [20, 50, 100]
    assert found[2][:20].tolist() == found[0].tolist()
    with pytest.raises(Unserved, match="not 100"):
        of("small", *table(rows=120, bad=10), level=100)


def test_missing_deletes_the_share_it_says() -> None:
    plan = PROTOCOLS["missing"]
    found = {level: cut(plan, data(rows=2_000, bad=100), 0, level, plan.levels) for level in plan.levels}
    for level, each in found.items():
        for rows in (each.train, each.test):
            assert np.isnan(rows).mean() == pytest.approx(level, abs=0.02)
        assert np.isfinite(each.flat_train).all()
        assert np.isfinite(each.flat_test).all()
        assert each.flat_train.shape[1] == (8 if level else 4)
    gone = [np.isnan(found[level].train) for level in (0.1, 0.3)]
    assert (gone[1] | ~gone[0]).all()


def test_rivals_see_a_frame_as_numbers_of_the_training_rows() -> None:
    train = Table(pa.table({"n": [1.0, 3.0, None], "c": ["a", "b", "a"]}))
    test = Table(pa.table({"n": [None, 5.0], "c": ["new", None]}))
    first, second = flat(train, test)
    assert first.shape == (3, 4)  # n, n missing, c is a, c is b
    np.testing.assert_allclose(first.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(first.std(0), 1)
    median, spread = 2.0, np.std([1, 3, 2])
    assert second[:, 0] == pytest.approx([0.0, (5 - median) / spread])
    assert (second[:, 2:] < 0).any(1).all()


def test_duplicates_of_frames_are_dropped() -> None:
    n = 80
    frame = Table(
        pa.table({"n": [float(i % 40) for i in range(n)], "c": ["a" if i % 40 < 20 else None for i in range(n)]})
    )
    y = np.array([i % 40 == 0 for i in range(n)], dtype=int)
    found = of("shuffled", frame, y)
    assert len(found.train) + len(found.test) == 40
