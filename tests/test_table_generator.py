"""The generator of tables: what it makes lies where it should, is as strong as asked for, and leaves the rest alone."""

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from anodiff import Detector
from anodiff.generate import Generator
from anodiff.generate_tables import TableGenerator, moved
from anodiff.made import Made
from anodiff.types import BadModel, Misfit, Unreadable

QUICK = {"steps": 40, "width": 32}
KINDS = ["cell", "dependency", "fraud", "range", "combination"]


def numbers(n: int, seed: int = 0) -> np.ndarray:
    """Five columns of which two follow the first, one of whole numbers."""
    X = np.random.default_rng(seed).normal(size=(n, 5))
    X[:, 1] = X[:, 0] + 0.2 * X[:, 1]
    X[:, 2] = np.round(3 * X[:, 0] + 0.3 * X[:, 2])
    return X


def mixed(n: int, seed: int = 0) -> pd.DataFrame:
    """Two numbers, a count, a truth, a word and a constant; words go with the first number, gaps with words."""
    rng = np.random.default_rng(seed)
    a = rng.normal(size=n)
    word = np.where(a > 0.5, "high", np.where(a < -0.5, "low", "middle"))
    b = np.where((word == "high") & (rng.uniform(size=n) < 0.3), np.nan, 2 * a + 0.2 * rng.normal(size=n))
    frame = {"a": a, "b": b, "count": rng.poisson(3, n), "true": a > 0, "word": word, "same": 7}
    return pd.DataFrame(frame, index=[f"r{i}" for i in range(n)])


X, OTHERS = numbers(240), numbers(200, seed=1)
FRAME = mixed(200)
KNOWN = np.array([[2.0, -2.0, 6.0, 0.1, 0.2], [-1.5, 2.0, -4.0, 0.3, 0.1]])


@pytest.fixture(scope="module")
def plain() -> Generator:
    return Generator("tabular", settings=QUICK).fit(X)


@pytest.fixture(scope="module")
def taught() -> Generator:
    return Generator("tabular", settings=QUICK).fit(X, examples=KNOWN, kinds=["leak", "drift"])


@pytest.fixture(scope="module")
def of_frames() -> Generator:
    return Generator("tabular", settings=QUICK).fit(FRAME)


@pytest.fixture(scope="module")
def auto(plain: Generator) -> Made:
    return plain.sample(25, on=OTHERS, strength=0.9)


def test_what_there_is(plain: Generator, taught: Generator) -> None:
    assert plain.kinds_ == KINDS
    assert plain.places_ == ["cell", "cells", "columns", "row"]
    assert taught.kinds_ == [*KINDS, "leak", "drift"]
    assert taught.places_[-1] == "examples"
    assert "@" in plain.references()


def test_outside_the_region_nothing_changes(auto: Made) -> None:
    assert (auto.normal == OTHERS[:25]).all()
    assert ((auto.data == auto.normal) | auto.region).all()
    assert (auto.data != auto.normal)[auto.region].mean() > 0.9
    assert auto.region.any(1).all()
    assert set(auto.kind) == set(KINDS)
    assert len(auto.verdicts) == 25


def test_whole_numbers_stay_whole_and_choices_are_observed(plain: Generator, of_frames: Generator) -> None:
    cells = plain.sample(20, on=OTHERS, where=np.arange(5) == 2, kind="range", judged=False)
    assert (cells.data[:, 2] == np.round(cells.data[:, 2])).all()
    made = of_frames.sample(20, kind="dependency", judged=False)
    assert set(made.data["word"]) <= {"high", "low", "middle"}
    assert (made.data["same"] == 7).all()
    assert (made.data.dtypes == FRAME.dtypes).all()


def test_stronger_is_easier_to_find(plain: Generator) -> None:
    seen, normal = numbers(600, seed=2), numbers(300, seed=3)
    scale = seen.std(0)
    nearest = NearestNeighbors(n_neighbors=5).fit(seen / scale)

    def score(rows: np.ndarray) -> np.ndarray:
        return nearest.kneighbors(rows / scale)[0].mean(1)

    found = []
    for strength in (0.1, 0.5, 1.0):
        made = plain.sample(30, on=OTHERS, kind="range", strength=strength, judged=False)
        labels = np.repeat([0, 1], [len(normal), len(made)])
        found.append(roc_auc_score(labels, np.concatenate([score(normal), score(made.data)])))
    assert found[0] <= 0.7
    assert found[0] < found[1] < found[2]
    assert found[2] >= 0.85


def test_the_same_seed_makes_the_same(plain: Generator) -> None:
    one, two, other = (plain.sample(6, on=OTHERS, kind="range", seed=seed, judged=False).data for seed in (4, 4, 5))
    assert (one == two).all()
    assert (one != other).any()


def test_numbers_out_of_range_are_out_of_range(plain: Generator) -> None:
    made = plain.sample(20, on=OTHERS, kind="range", strength=1.0, judged=False)
    out = (made.data < X.min(0)) | (made.data > X.max(0))
    assert (out & made.region).any(1).all()


def test_a_broken_dependency_keeps_each_column_usual(plain: Generator) -> None:
    made = plain.sample(20, on=OTHERS, kind="dependency", strength=0.8, judged=False)
    inside = (made.data >= X.min(0)) & (made.data <= X.max(0))
    assert inside[made.region].mean() > 0.8


def test_combinations_are_of_common_values(of_frames: Generator) -> None:
    made = of_frames.sample(20, kind="combination", strength=0.8, judged=False)
    low, high = FRAME["a"].quantile([0.03, 0.97])
    changed = made.data["a"].to_numpy()[made.region[:, 0]]
    assert ((changed > low) & (changed < high)).all()


def test_rows_of_a_cluster_are_alike(plain: Generator) -> None:
    made = plain.sample(8, on=OTHERS, kind="fraud", strength=1.0, judged=False)
    columns = made.region.any(0)
    spread = made.data.std(0) / X.std(0)
    assert spread[columns].mean() < 0.9 * (made.normal.std(0) / X.std(0))[columns].mean()


@pytest.mark.parametrize("kind", ["numpy", "pandas", "polars", "pyarrow", "list"])
def test_rows_are_laid_out_as_they_were_given(plain: Generator, kind: str) -> None:
    frame = pd.DataFrame(OTHERS[:6].astype(np.float32), columns=[f"x{i}" for i in range(5)])
    given: Any = {
        "numpy": frame.to_numpy(),
        "pandas": frame.set_index(pd.Index(list("abcdef"))),
        "polars": pl.from_pandas(frame),
        "pyarrow": pa.Table.from_pandas(frame, preserve_index=False),
        "list": frame.to_numpy().tolist(),
    }[kind]
    made = plain.sample(on=given, kind="range", judged=False)
    assert type(made.data) is (np.ndarray if kind == "list" else type(given))
    if kind == "pandas":
        assert (made.data.index == given.index).all()
        assert (made.data.dtypes == np.float32).all()
    back = np.asarray(made.data.to_pandas() if kind in ("polars", "pyarrow") else made.data)
    assert ((back == np.asarray(frame.to_numpy(), back.dtype)) | made.region).all()


def test_frames_keep_index_gaps_and_the_order_of_their_columns(of_frames: Generator) -> None:
    turned = mixed(30, seed=5)[FRAME.columns[::-1]]
    made = of_frames.sample(on=turned, kind="dependency", strength=0.9)
    assert list(made.data.columns) == list(turned.columns)
    assert (made.data.index == turned.index).all()
    same = (made.data == turned) | (made.data.isna() & turned.isna())
    assert (same.to_numpy() | made.region).all()
    assert not made.region[:, list(turned.columns).index("same")].any()
    assert (made.data["b"].isna() >= turned["b"].isna()).all()


def test_regions_of_ones_own(plain: Generator, of_frames: Generator) -> None:
    own = np.random.default_rng(0).uniform(size=(7, 5)) < 0.4
    own[:, 3] = True
    made = plain.sample(7, on=OTHERS, where=own, kind="combination", judged=False)
    assert not (made.region & ~own).any()
    assert made.where == ["given"] * 7
    whole = plain.sample(3, on=OTHERS, where=np.ones((3, 5), bool), kind="fraud", judged=False)
    assert whole.region.all()
    turned = mixed(4, seed=6)[FRAME.columns[::-1]]
    where = np.array([name == "a" for name in turned.columns])
    assert (of_frames.sample(on=turned, where=where, kind="cell", judged=False).region == where).all()


def test_size_is_the_share_of_cells(plain: Generator) -> None:
    made = plain.sample(10, on=OTHERS, where="cells", size=0.6, kind="dependency", judged=False)
    assert (made.region.sum(1) == 3).all()


def test_one_example_is_enough_and_its_cells_are_found() -> None:
    known = X[:1].copy()
    known[0, 3] = 7.0
    one = Generator("tabular", settings=QUICK).fit(X[1:], examples=known)
    assert one.kinds_[-1] == "known"
    assert one.inner_.examples_.region.tolist() == [[False, False, False, True, False]]
    made = one.sample(12, on=OTHERS, kind="known", strength=1.0)
    assert (made.region == [False, False, False, True, False]).all()
    assert (made.data[:, 3] > 3).all()
    assert made.data[:, 3].std() > 0


def test_like_picks_the_example(taught: Generator) -> None:
    made = taught.sample(8, on=OTHERS, like=1, judged=False)
    assert made.kind == ["drift"] * 8
    rows = taught.sample(8, on=OTHERS, kind="leak", where="row", strength=1.0, judged=False).data
    near = np.linalg.norm((rows[:, None] - KNOWN) / X.std(0), axis=2)
    assert (near[:, 0] < near[:, 1]).mean() > 0.7


def test_new_rows_are_normal_and_no_copies(plain: Generator) -> None:
    made = plain.sample(60, kind="normal")
    assert made.data.shape == (60, 5)
    assert made.normal is None
    assert not made.region.any()
    assert (made.source == -1).all()
    assert abs(np.corrcoef(made.data[:, 0], made.data[:, 1])[0, 1] - 0.98) < 0.08
    assert 0.5 < made.facts["nearest"]["ratio"] < 2
    assert made.rejection_rate < 0.2


def test_new_rows_keep_gaps_or_fill_them(of_frames: Generator) -> None:
    kept = of_frames.sample(80, kind="normal", judged=False).data
    assert 0 < kept["b"].isna().mean() < 0.3
    assert (kept["word"][kept["b"].isna()] == "high").mean() > 0.7
    filling = TableGenerator("tabular", settings={**QUICK, "missing": "fill"})
    filling.__dict__.update({k: v for k, v in vars(of_frames.inner_).items() if k.endswith("_")})
    outer = Generator("tabular").hold("tabular", filling)
    assert not outer.sample(20, kind="normal", judged=False).data.isna().any().any()


def test_a_detector_may_be_the_judge(plain: Generator) -> None:
    detector = Detector("tabular", recipe="mahalanobis").fit(X)
    made = (
        Generator("tabular", detector=detector, settings=QUICK).fit(X).sample(8, on=OTHERS, kind="range", strength=0.9)
    )
    assert made.facts["judge"] == "given"
    assert np.median(detector.p_value(made.data)) < 0.05
    with pytest.raises(Misfit, match="cannot judge"):
        Generator("tabular", detector=Detector("tabular", recipe="mahalanobis").fit(X[:, :2]), settings=QUICK).fit(X)


def test_a_saved_generator_makes_the_same(taught: Generator, of_frames: Generator) -> None:
    for one in (taught, of_frames):
        inner = one.inner_
        again = TableGenerator.restore(inner.config(), inner.arrays())
        before, after = (
            Generator("tabular").hold("tabular", each).sample(6, kind="range", judged=False) for each in (inner, again)
        )
        assert before.kind == after.kind
        assert again.known_ == inner.known_
        assert pa.Table.from_pandas(pd.DataFrame(before.data).reset_index(drop=True)).equals(
            pa.Table.from_pandas(pd.DataFrame(after.data).reset_index(drop=True))
        )
    with pytest.raises(BadModel, match="damaged"):
        TableGenerator.restore(taught.inner_.config(), {})


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"kind": "scratch"}, "choose one of cell, dependency"),
        ({"where": "blob"}, "choose one of cell, cells"),
        ({"where": "examples"}, "choose one of cell, cells"),
        ({"where": np.zeros((4, 5), bool)}, "empty in row 1"),
        ({"where": np.ones((4, 6), bool)}, r"\(4, 6\); give \(4, 5\)"),
        ({"where": np.ones((4, 5), bool), "kind": "cell"}, "covers all of a row; choose dependency"),
        ({"where": "row", "kind": "cell"}, "covers all of a row"),
        ({"like": 0}, "no examples were given"),
        ({"kind": "normal", "on": OTHERS}, "made from nothing"),
    ],
)
def test_orders_that_cannot_be_met_are_refused(plain: Generator, asked: dict[str, Any], said: str) -> None:
    with pytest.raises(Misfit, match=said):
        plain.sample(4, **asked)


@pytest.mark.parametrize(
    ("on", "said"),
    [
        (X[:, :3], "on: the table has 3 columns, fit had 5"),
        (np.where(np.arange(X.shape[1]) == 0, np.nan, X), "on: column x0 is missing in every row, and fit had no gaps"),
        (X[:0], "on: "),
        (np.array([["a"] * 5]), "on: column x0 holds"),
    ],
)
def test_rows_of_another_kind_are_refused(plain: Generator, on: np.ndarray, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        plain.sample(4, on=on)


def test_rows_with_gaps_that_fit_did_not_have_are_passed_over(plain: Generator) -> None:
    holed = OTHERS[:6].copy()
    holed[[0, 4], 2] = np.nan
    made = plain.sample(6, on=holed, kind="cell")
    assert made.source.tolist() == [1, 2, 3, 5, 1, 2]
    assert np.isfinite(made.data).all()


def test_frames_of_other_columns_are_refused(of_frames: Generator) -> None:
    with pytest.raises(Unreadable, match="on: columns differ from those of fit: missing b; unexpected c"):
        of_frames.sample(on=FRAME.rename(columns={"b": "c"}))
    with pytest.raises(Misfit, match="needs numbers of more than two values"):
        of_frames.sample(4, where=np.array([n == "word" for n in FRAME.columns]), kind="range")
    with pytest.raises(Misfit, match="columns that vary"):
        of_frames.sample(4, where=np.array([n == "same" for n in FRAME.columns]), kind="fraud")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"examples": X[:3]}, "all 3 examples are also among the normal rows"),
        ({"examples": KNOWN[:, :2]}, "examples: the table has 2 columns"),
        ({"examples": KNOWN, "regions": np.zeros((2, 5), bool)}, "regions is empty in row 1"),
        ({"examples": KNOWN, "regions": np.ones((2, 4), bool)}, r"regions has the shape \(2, 4\)"),
        ({"examples": KNOWN, "kinds": ["a"]}, "1 names for 2 examples"),
        ({"examples": KNOWN, "kinds": ["cell", "a"]}, "tables have already"),
    ],
)
def test_examples_that_teach_nothing_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises((Misfit, Unreadable), match=said):
        Generator("tabular", settings={"steps": 1}).fit(X, **given)


@pytest.mark.parametrize(
    ("settings", "rows", "said"),
    [
        ({"settings": {"depth": 3}}, X, "'depth', which tables do not have; choose of missing, steps, width"),
        ({"settings": {"missing": "drop"}}, X, "choose 'keep' or 'fill'"),
        ({"settings": {"steps": 0}}, X, "steps is 0"),
        ({"reach": "examples", "settings": {"steps": 1}}, X, "reach is 'examples'"),
        ({}, X[:20], "20 rows are too few"),
        ({}, np.ones((50, 3)), "constant"),
    ],
)
def test_settings_and_rows_that_will_not_do_are_refused(settings: dict[str, Any], rows: np.ndarray, said: str) -> None:
    with pytest.raises((Misfit, Unreadable), match=said):
        Generator("tabular", **settings).fit(rows)


def test_one_column_is_enough_for_some_kinds() -> None:
    alone = Generator("tabular", settings=QUICK).fit(X[:, :1])
    assert alone.kinds_ == ["fraud", "range"]
    assert alone.sample(4, strength=1.0, judged=False).data.shape == (4, 1)


def test_cells_that_came_out_as_they_were_are_no_part_of_the_region() -> None:
    before = np.array([[1.0, 2.0, np.nan], [1.0, 2.0, 3.0]])
    after = np.array([[1.0, 5.0, np.nan], [1.0, 2.0, 3.0]])
    region = np.array([[True, True, True], [False, True, True]])
    assert moved(region, before, after).tolist() == [[False, True, False], [False, True, True]]


def test_whole_rows_are_of_kinds_that_can_cover_them(plain: Generator) -> None:
    made = plain.sample(4, on=OTHERS, where="row", judged=False)
    assert made.kind == ["dependency", "fraud", "range", "combination"]


def test_regions_of_rows_that_differ_in_length_are_refused(plain: Generator) -> None:
    with pytest.raises(Misfit, match="where has rows of different lengths"):
        plain.sample(2, on=OTHERS, where=[[1, 0], [1]])
