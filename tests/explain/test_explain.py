"""Planted anomalies: the broken cell is blamed, replaced by what it was, and named in words."""

import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest

from anodiff import Detector
from anodiff.explain import explain

FAST = {"denoisers.learnt.steps": 150}
LOADINGS = np.array([[1, 0.8, 0, -0.6, 0.3], [0, 0.5, 1, 0.7, -0.9]])
SHIFT = 3.0


def correlated(n: int, seed: int) -> np.ndarray:
    draw = np.random.default_rng(seed)
    return draw.normal(size=(n, 2)) @ LOADINGS + 0.15 * draw.normal(size=(n, 5))


def payments(n: int, seed: int) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    country, hour = draw.choice(["NL", "DE", "FR"], n, p=[0.5, 0.3, 0.2]), draw.integers(0, 24, n)
    usual = pd.Series(country).map({"NL": 120, "DE": 300, "FR": 700}).to_numpy() * (1 + 0.5 * (hour > 12))
    return pd.DataFrame(
        {
            "country": country,
            "hour": hour,
            "amount": np.round(usual * np.exp(0.1 * draw.normal(size=n))),
            "vip": draw.random(n) < 0.3,
            "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(draw.integers(0, 86_400 * 60, n), "s"),
            "note": np.where(draw.random(n) < 0.2, None, draw.choice(["a", "b"], n)),
        }
    )


def planted() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows with one broken cell each, what they were, and which cell it is."""
    true = correlated(40, 1)
    broken, column = true.copy(), np.arange(40) % 5
    broken[np.arange(40), column] += SHIFT * np.where(np.arange(40) % 2, 1, -1)
    return broken, true, column


@pytest.fixture(scope="module")
def numbers() -> Detector:
    return Detector(changes=FAST).fit(correlated(300, 0))


@pytest.fixture(scope="module")
def mixed() -> Detector:
    return Detector(changes=FAST).fit(payments(300, 0))


@pytest.fixture(scope="module")
def odd() -> pd.DataFrame:
    """Odd in one way each: amount, an unseen country, a missing amount, a time far off, and two normal rows."""
    rows = payments(6, 2)
    rows.loc[0, ["country", "hour", "amount"]] = ["NL", 3, 9310]
    rows.loc[1, "country"] = "XX"
    rows.loc[2, "amount"] = np.nan
    rows.loc[3, "when"] = pd.Timestamp("2026-01-01 10:00")
    return rows


def test_broken_cell_is_blamed_and_mended(numbers: Detector) -> None:
    broken, true, column = planted()
    found = numbers.explain(broken)
    assert all(each.alarm for each in found)
    assert np.mean([each.cells[0].column == f"x{c}" for each, c in zip(found, column, strict=True)]) >= 0.95
    alone = [each.changed == [f"x{c}"] for each, c in zip(found, column, strict=True)]
    assert np.mean(alone) >= 0.9
    mended = np.array([each.nearest[f"x{c}"] for each, c in zip(found, column, strict=True)])
    off = np.abs(mended - true[np.arange(40), column])[alone]
    assert np.median(off) < 0.25
    assert off.max() < 1.5


def test_sentence_names_column_direction_expectation_and_given(numbers: Detector) -> None:
    broken, _, column = planted()
    found = numbers.explain(broken)
    loads = LOADINGS / np.linalg.norm(LOADINGS, axis=0)
    for i, (each, c) in enumerate(zip(found, column, strict=True)):
        if each.changed != [f"x{c}"]:
            continue
        cell = next(cell for cell in each.cells if cell.words)
        assert f"x{c} " in each.sentence
        assert ("above" if i % 2 else "below") in each.sentence
        assert len(cell.given) in (1, 2)
        assert max(abs(loads[:, c] @ loads[:, int(name[1:])]) for name in cell.given) > 0.4


def test_nearest_row_is_normal(numbers: Detector) -> None:
    found = numbers.explain(planted()[0])
    assert np.mean([each.nearest_score <= numbers.threshold_ for each in found]) >= 0.95
    scores = numbers.decision_function(np.array([list(each.nearest.values()) for each in found]))
    np.testing.assert_allclose(scores, [each.nearest_score for each in found], rtol=1e-3, atol=1e-3)


def test_normal_rows_stay(numbers: Detector) -> None:
    rows = correlated(30, 3)
    for row, each in zip(rows, numbers.explain(rows), strict=True):
        if not each.alarm:
            assert each.changed == []
            assert list(each.nearest.values()) == list(row)
            assert each.sentence.startswith("nothing stands out")


def test_parts_add_up(mixed: Detector, odd: pd.DataFrame) -> None:
    scores = mixed.decision_function(odd)
    for score, each in zip(scores, mixed.explain(odd, top=6), strict=True):
        assert each.score == pytest.approx(score, rel=1e-6)
        assert sum(cell.part for cell in each.cells) == pytest.approx(score, rel=1e-6)
        assert sum(each.members.values()) == pytest.approx(score, rel=1e-6)
        assert sum(cell.share for cell in each.cells) == pytest.approx(1)


def test_mixed_rows_in_words(mixed: Detector, odd: pd.DataFrame) -> None:
    amount, country, missing, late, *normal = mixed.explain(odd)
    assert amount.sentence.startswith("amount 9,310 is far above the ")
    assert 60 < amount.nearest["amount"] < 180
    assert "given country=NL" in amount.sentence
    assert amount.changed == ["amount"]
    assert "country 'XX' was never seen in training" in country.sentence
    assert "amount is missing where it never was in training" in missing.sentence
    assert missing.nearest["amount"] > 50
    assert "when 2026-01-01 10:00 is far later than the 2024-0" in late.sentence
    assert late.nearest["country"] == odd.loc[3, "country"]
    assert all(each.changed == [] for each in normal if not each.alarm)


def test_nearest_keeps_types(mixed: Detector, odd: pd.DataFrame) -> None:
    nearest = pd.DataFrame([each.nearest for each in mixed.explain(odd)])
    scores = mixed.decision_function(nearest)
    assert (scores <= mixed.threshold_).mean() >= 0.8
    assert set(nearest["country"]) <= {"NL", "DE", "FR"}


def test_each_row_for_itself(mixed: Detector, odd: pd.DataFrame) -> None:
    together = mixed.explain(odd)
    for i in range(len(odd)):
        (alone,) = mixed.explain(odd.iloc[[i]])
        assert alone.sentence == together[i].sentence
        assert alone.changed == together[i].changed
        for name, value in together[i].nearest.items():
            near = pytest.approx(value, rel=1e-6) if isinstance(value, float) else value
            assert alone.nearest[name] == near


def test_json(mixed: Detector, odd: pd.DataFrame) -> None:
    for each in mixed.explain(odd):
        there = each.to_dict()
        assert json.loads(json.dumps(there, allow_nan=False)) == there
        assert there["nearest"]["when"].startswith("202")


def test_reads_what_the_detector_reads(numbers: Detector, tmp_path) -> None:
    rows = correlated(3, 5) + 9 * np.eye(5)[0]
    path = tmp_path / "rows.csv"
    pd.DataFrame(rows, columns=[f"x{i}" for i in range(5)]).to_csv(path, index=False)
    assert [each.sentence for each in numbers.explain(path)] == [each.sentence for each in numbers.explain(rows)]
    assert numbers.explain(np.empty((0, 5))) == []


def test_combination_where_no_cell_is_to_blame(numbers: Detector) -> None:
    """With a threshold below every score, ordinary rows must be talked about too."""
    rows = correlated(20, 6)
    found = explain(numbers.model_, rows, numbers.p_of, 0.0)
    assert all(each.alarm and each.sentence.endswith(".") for each in found)


def test_closed_form_detector_explains_too() -> None:
    detector = Detector(recipe="mahalanobis").fit(correlated(200, 0))
    (each,) = detector.explain(correlated(1, 1) + 6 * np.eye(5)[2])
    assert each.changed == ["x2"]
    assert each.nearest_score <= detector.threshold_


def test_many_odd_cells_are_counted_not_listed(numbers: Detector) -> None:
    (each,) = numbers.explain([[9.0, -9.0, 9.0, -9.0, 9.0]], top=2)
    assert len(each.changed) > 2
    assert each.sentence.endswith(f"and {len(each.changed) - 2} more.")
    assert each.nearest_score <= numbers.threshold_


def test_a_cell_that_should_be_missing() -> None:
    draw, n = np.random.default_rng(0), 200
    measured = draw.random(n) < 0.5
    rows = pd.DataFrame({"measured": measured, "result": np.where(measured, draw.normal(10, 1, n), np.nan)})
    detector = Detector(recipe="mahalanobis").fit(rows.assign(other=draw.normal(size=n)))
    (each,) = detector.explain(pd.DataFrame({"measured": [False], "result": [10.1], "other": [0.0]}))
    assert "measured=false" in each.sentence or "measured false" in each.sentence
    assert each.nearest_score <= detector.threshold_


def test_numbers_and_times_given_as_text(mixed: Detector, odd: pd.DataFrame) -> None:
    as_text = odd.assign(
        amount=odd["amount"].astype(str).where(odd["amount"].notna(), None), when=odd["when"].astype(str)
    )
    for each, text in zip(mixed.explain(odd), mixed.explain(as_text), strict=True):
        assert text.changed == each.changed
        assert text.sentence.split()[0] == each.sentence.split()[0]


def test_any_kind_of_column() -> None:
    draw, n = np.random.default_rng(0), 120
    rows = pd.DataFrame(
        {
            "lasted": pd.to_timedelta(draw.integers(60, 600, n), "s"),
            "day": [dt.date(2024, 1, 1) + dt.timedelta(int(k)) for k in draw.integers(0, 60, n)],
            "size": pd.Categorical(draw.choice(["S", "M", "L"], n), ["S", "M", "L"], ordered=True),
            "fixed": 5.0,
            "void": pd.Series([None] * n, dtype=object),
            "maybe": pd.array(np.where(draw.random(n) < 0.3, None, draw.integers(0, 9, n)), dtype="Int64"),
        }
    )
    detector = Detector(recipe="mahalanobis").fit(rows)
    odd = rows.head(5).copy()
    odd.loc[0, "lasted"] = pd.Timedelta("5h")
    odd.loc[1, "day"] = dt.date(2030, 1, 1)
    odd.loc[2, "fixed"] = 7
    odd.loc[3, "void"] = "x"
    odd.loc[4, "maybe"] = 900
    found = detector.explain(odd)
    words = ["lasted 5:00:00 is far above the 0:0", "day 2030-01-01 is far later than", "(training held only 5)"]
    words += ["void is 'x' where training had no value at all", "maybe 900 is far above the"]
    for each, column, word in zip(found, ["lasted", "day", "fixed", "void", "maybe"], words, strict=True):
        assert each.changed == [column]
        assert word in each.sentence
        assert json.dumps(each.to_dict(), allow_nan=False)
    assert isinstance(found[4].nearest["maybe"], int)
