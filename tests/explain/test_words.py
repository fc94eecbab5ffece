"""Values and reasons as people write them."""

import datetime as dt
from decimal import Decimal

from anodiff.explain.values import both_written, plain, written
from anodiff.explain.words import cell_words, sentence

AMOUNT = {"name": "amount", "kind": "numeric", "missing": 0.0}
COUNTRY = {"name": "country", "kind": "categorical", "missing": 0.0}


def test_written() -> None:
    pairs = {
        9310: "9,310",
        -1234.5: "-1,234",
        12.3456: "12.3",
        0.00012345: "0.000123",
        0.0: "0",
        1e20: "1e+20",
        Decimal("2.50"): "2.5",
    }
    for value, text in pairs.items():
        assert written(value) == text
    assert written(True) == "true"
    assert written(dt.datetime(2024, 3, 1, 9, 30)) == "2024-03-01 09:30"
    assert written(dt.date(2024, 3, 1)) == "2024-03-01"


def test_values_that_differ_read_differently() -> None:
    assert both_written(1.00001, 1.00002) == ("1.00001", "1.00002")
    assert both_written(5, 5) == ("5", "5")


def test_cells() -> None:
    assert cell_words(AMOUNT, 9, 1, 3.0, {}, True) == "amount 9 is above the 1 expected"
    assert cell_words(AMOUNT, 0, 1, 1.0, {}, True, below=True) == "amount 0 is slightly below the 1 expected"
    assert cell_words(COUNTRY, "FR", "NL", 4.0, {"hour": 3}, True) == (
        "country 'FR' is out of place; 'NL' is expected given hour=3"
    )
    shares = COUNTRY | {"top": {"NL": 0.98, "FR": 0.012}}
    assert cell_words(shares, "FR", "NL", 4.0, {}, True) == (
        "country 'FR' is rare (1.2 % of training); 'NL' is expected"
    )
    assert cell_words(COUNTRY, None, "NL", 6.0, {}, False) == (
        "country is missing where it never was in training; 'NL' is expected"
    )
    assert cell_words(COUNTRY | {"missing": 0.2}, None, "NL", 6.0, {}, False) == "country is missing; 'NL' is expected"
    assert cell_words(COUNTRY | {"missing": 0.012}, None, "NL", 6.0, {}, False) == (
        "country is missing, as in only 1.2 % of training; 'NL' is expected"
    )
    assert cell_words(COUNTRY, "FR", None, 4.0, {}, True) == "country is 'FR' where it is expected to be missing"
    assert cell_words({"name": "e", "kind": "empty", "missing": 1.0}, 3, None, 6.0, {}, False) == (
        "e is 3 where training had no value at all"
    )


def test_several_cells() -> None:
    assert sentence(["a"], 0) == "a."
    assert sentence(["a", "b"], 1) == "a; also b; and 1 more."


def test_plain() -> None:
    assert plain(float("nan")) is None
    assert plain(dt.datetime(2024, 3, 1)) == "2024-03-01T00:00:00"
    assert plain(dt.time(3, 0)) == "03:00:00"
