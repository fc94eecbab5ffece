"""Reasons in plain words: what the value is, what was expected, and in the light of what.

Numbers are "far" above or below from 5 standard deviations on, and "slightly" up to 2, measured by the Gaussian of
normals in the light of the columns that are named. Categories are "rare" below one row in twenty.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from anodiff.explain.values import both_written, written
from anodiff.types import JSON

FAR = 5.0
SLIGHT = 2.0
RARE = 0.05


def cell_words(
    fact: JSON, value: Any, expected: Any, far: float, given: Mapping[str, Any], seen: bool = True, below: bool = False
) -> str:
    """What is wrong with a cell.

    Args:
        fact: The column as `Tabular.describe` has it.
        value: What the cell holds, None where missing.
        expected: What the nearest normal row holds.
        far: How far that is, in standard deviations.
        given: The columns to name, with their values.
        seen: Whether the value is one that training had (a category it listed).
        below: Whether a number or a time is less than expected.

    >>> cell_words({"name": "amount", "kind": "numeric"}, 9310, 120, 40.0, {"country": "NL", "hour": 3})
    'amount 9,310 is far above the 120 expected given country=NL, hour=3'
    """
    name, light = fact["name"], in_the_light_of(given)
    if value is None:
        return f"{name} is {_how_missing(fact['missing'])}; {quoted(expected)} is expected{light}"
    if fact["kind"] == "empty":
        return f"{name} is {quoted(value)} where training had no value at all"
    if expected is None:
        return f"{name} is {quoted(value)} where it is expected to be missing{light}"
    if not seen:
        return f"{name} {quoted(value)} was never seen in training; {quoted(expected)} is expected{light}"
    if fact["kind"] in ("numeric", "datetime"):
        return _compared(fact, value, expected, far, light, below)
    share = share_of(fact, value)
    rare = share < min(RARE, share_of(fact, expected) / 2)
    how = f"is rare ({100 * share:.2g} % of training)" if rare else "is out of place"
    return f"{name} {quoted(value)} {how}; {quoted(expected)} is expected{light}"


def sentence(words: Sequence[str], more: int = 0) -> str:
    """Reasons of several cells as one sentence.

    >>> sentence(["a 5 is far above the 1 expected", "b is missing"], more=2)
    'a 5 is far above the 1 expected; also b is missing; and 2 more.'
    """
    rest = [f"also {reason}" for reason in words[1:]] + ([f"and {more} more"] if more else [])
    return "; ".join([*words[:1], *rest]) + "."


def together(cells: Mapping[str, Any], instead: Mapping[str, Any]) -> str:
    """The reason where no single cell is to blame, and what would be normal `instead`, if that is known.

    >>> together({"hour": 3, "amount": 120}, {"hour": 15})
    'no single value is unusual; the combination of hour=3 and amount=120 is; with hour=15 it would be normal.'
    """
    cure = f"; with {listed(instead)} it would be normal" if instead else ""
    return f"no single value is unusual; the combination of {listed(cells)} is{cure}."


def listed(cells: Mapping[str, Any]) -> str:
    """Columns and their values.

    >>> listed({"hour": 3, "country": "NL"})
    'hour=3 and country=NL'
    """
    *first, last = (f"{name}={written(value)}" for name, value in cells.items())
    return f"{', '.join(first)} and {last}" if first else last


def share_of(fact: JSON, value: Any) -> float:
    """The share of training rows that hold a category; 1 where `Tabular.describe` does not tell."""
    if fact["kind"] == "boolean":
        return float(fact["share_true"] if value else 1 - fact["share_true"])
    return float(fact.get("top", {}).get(str(value), 1.0))


def nothing(p_value: float) -> str:
    """The word for a normal row.

    >>> nothing(0.314)
    'nothing stands out: 31 % of normal rows score at least as high.'
    """
    return f"nothing stands out: {written(float(f'{100 * p_value:.2g}'))} % of normal rows score at least as high."


def in_the_light_of(given: Mapping[str, Any]) -> str:
    """The columns that the expectation goes by."""
    return f" given {', '.join(f'{name}={written(value)}' for name, value in given.items())}" if given else ""


def quoted(value: Any) -> str:
    """Words in quotes, everything else as written."""
    return f"'{value}'" if isinstance(value, str) else written(value)


def _how_missing(share: float) -> str:
    if share == 0:
        return "missing where it never was in training"
    return f"missing, as in only {100 * share:.2g} % of training" if share < RARE else "missing"


def _compared(fact: JSON, value: Any, expected: Any, far: float, light: str, below: bool) -> str:
    this, that = both_written(value, expected)
    how = "far " if far >= FAR else "slightly " if far < SLIGHT else ""
    sides = ("later than", "earlier than") if fact["kind"] == "datetime" else ("above", "below")
    side = sides[below]
    return f"{fact['name']} {this} is {how}{side} the {that} expected{light or _beyond(fact, value)}"


def _beyond(fact: JSON, value: Any) -> str:
    """Where training ended, if the value is a number beyond that."""
    if not isinstance(value, int | float | Decimal) or "min" not in fact:
        return ""
    least, most = fact["min"], fact["max"]
    if least <= value <= most:
        return ""
    return f" (training held only {written(least)}" + (")" if least == most else f" to {written(most)})")
