"""What is ordered of a generator of any kind of data: how many, from which seed, where."""

import numpy as np
import pandas as pd
import pytest

from anodiff.generate import Generator, counted
from anodiff.made import Made
from anodiff.types import Misfit


class Nothing:
    """Makes nothing; what is refused is refused before it is asked."""


@pytest.fixture
def generator() -> Generator:
    return Generator("tabular").hold("tabular", Nothing())


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ({"seed": -1}, "seed is -1; give a whole number from 0"),
        ({"seed": "a"}, "seed is 'a'; give a whole number from 0"),
        ({"seed": 1.5}, "seed is 1.5; give a whole number from 0"),
        ({"strength": None}, "strength is None; give a number above 0 up to 1"),
        ({"strength": True}, "strength is True; give a number above 0 up to 1"),
        ({"where": None}, "where is None; give a place by name, 'auto', or regions"),
        ({"where": 3}, "where is 3; give a place by name, 'auto', or regions"),
    ],
)
def test_what_is_out_of_range_is_refused_in_a_sentence(
    generator: Generator, order: dict[str, object], said: str
) -> None:
    with pytest.raises(Misfit, match=said):
        generator.sample(2, **order)  # type: ignore[arg-type]


def test_one_array_is_one_series_and_one_picture() -> None:
    one = np.zeros((300, 2))
    assert counted(one, "tabular") == 300
    assert counted(one, "series") == counted(one, "image") == counted(pd.DataFrame(one), "series") == 16
    assert counted([one, one], "series") == counted({"a": one, "b": one}, "series") == 2
    assert counted(np.zeros((3, 8, 8)), "image") == 3
    assert counted([0.0, 1.0], "series") == counted("held.csv", "tabular") == counted(None, "image") == 16


def test_some_of_what_was_made_is_asked_for_by_numbers_that_are_there() -> None:
    few = np.ones(3)
    made = Made(np.eye(3), np.eye(3, dtype=bool), None, ["cell"] * 3, ["cell"] * 3, few, few, few, np.arange(3))
    assert len(made.only([0, -1])) == 2
    assert len(made.only([])) == 0
    assert len(made.only(1)) == 1
    for which in ([3], [-4], np.ones(2, bool)):
        with pytest.raises(Misfit, match="3 were made; give"):
            made.only(which)
