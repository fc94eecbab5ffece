import json

import numpy as np
import pytest
from scipy import stats

from anodiff.alarms import sketch_counts, sketch_numbers, watch
from anodiff.alarms.drift import compare_numbers, restore_sketch, sketch_config
from anodiff.types import BadModel, Unreadable

RANDOM = np.random.default_rng(0)


def test_finds_the_columns_that_changed() -> None:
    old = {f"same {i}": RANDOM.normal(size=2000) for i in range(20)} | {"moved": RANDOM.normal(size=2000)}
    training = {name: sketch_numbers(values) for name, values in old.items()} | {
        "land": sketch_counts({"NL": 900, "DE": 100})
    }
    new = {f"same {i}": RANDOM.normal(size=500) for i in range(20)} | {"moved": RANDOM.normal(1, size=500)}
    found = watch(training, new | {"land": {"NL": 200, "DE": 30, "XX": 270}})
    assert [drift.column for drift in found] == ["land", "moved"]
    assert found[0].words == "is XX in 0 % of training rows and in 54 % of new rows"
    assert 0.3 < found[1].gap < 0.5
    assert "of training rows" in found[1].words


def test_rarely_cries_without_drift() -> None:
    cried = 0
    for _ in range(200):
        training = {str(i): sketch_numbers(RANDOM.exponential(size=300)) for i in range(5)}
        training["c"] = sketch_counts(dict(zip("abcd", RANDOM.multinomial(300, [0.6, 0.3, 0.09, 0.01]), strict=True)))
        new = {str(i): RANDOM.exponential(size=100) for i in range(5)}
        counts = dict(zip("abcd", RANDOM.multinomial(100, [0.6, 0.3, 0.09, 0.01]), strict=True))
        cried += bool(watch(training, new | {"c": counts}, fdr=0.05, floor=0))
    assert cried <= stats.binom.ppf(0.999, 200, 0.05)


def test_a_million_rows_of_nothing_are_nothing() -> None:
    training = {"x": sketch_numbers(RANDOM.normal(size=1_000_000))}
    shifted = {"x": RANDOM.normal(0.05, size=1_000_000)}
    assert not watch(training, shifted)
    assert watch(training, shifted, floor=0.01)


def test_gap_is_that_of_the_full_data_or_a_little_less() -> None:
    old, new = RANDOM.normal(size=5000), RANDOM.normal(0.3, 1.2, size=700)
    gap, p, _ = compare_numbers(sketch_numbers(old), new)
    full = stats.ks_2samp(old, new)
    assert full.statistic - 0.01 <= gap <= full.statistic + 1e-12
    assert p >= full.pvalue * 0.5


def test_missing_constant_and_discrete_columns() -> None:
    whole = RANDOM.normal(size=500)
    holes = np.where(RANDOM.random(500) < 0.4, np.nan, whole)
    training = {
        "x": sketch_numbers(whole),
        "c": sketch_numbers(np.ones(500)),
        "d": sketch_numbers(RANDOM.poisson(1, 500)),
    }
    assert "is missing in 0 %" in watch(training, {"x": holes})[0].words
    assert not watch(training, {"c": np.ones(99), "d": RANDOM.poisson(1, 99)})
    changed = watch(training, {"c": np.full(99, 1.001)})
    assert changed[0].gap == 1
    assert "is at most 1 in 100 % of training rows and in 0 % of new rows" in changed[0].words
    gone = watch({"x": sketch_numbers(holes)}, {"x": whole})
    assert gone[0].gap > 0.3
    assert "is missing" in gone[0].words


def test_a_single_row_is_no_drift() -> None:
    training = {"x": sketch_numbers(RANDOM.normal(size=500)), "c": sketch_counts({"a": 500})}
    assert watch(training, {"x": np.array([0.1]), "c": {"b": 1}}) == []


def test_refuses() -> None:
    training = {"x": sketch_numbers(np.arange(9.0)), "c": sketch_counts({"a": 5})}
    for new, said in (
        ({"y": np.ones(3)}, "column y was not in training"),
        ({"x": {"a": 1}}, "was numbers in training and is counts now"),
        ({"c": np.ones(3)}, "was counts in training and is numbers now"),
        ({"x": np.array(["a"])}, "not a number"),
        ({"x": np.array([])}, "0 new rows"),
        ({"c": {}}, "all 0"),
    ):
        with pytest.raises(Unreadable, match=said):
            watch(training, new)
    with pytest.raises(Unreadable, match="0 rows"):
        sketch_numbers(np.array([]))


def test_saves() -> None:
    for sketch in (sketch_numbers(np.array([1.0, np.nan, np.inf, 3.0])), sketch_counts({"a": 2})):
        config = json.loads(json.dumps(sketch_config(sketch), allow_nan=False))
        assert restore_sketch(config) == sketch
    numbers = sketch_config(sketch_numbers(np.arange(5.0)))
    for damaged in ({}, {"counts": 3}, numbers | {"below": []}, numbers | {"n": 0}, numbers | {"upto": ["a"]}):
        with pytest.raises(BadModel):
            restore_sketch(damaged)
