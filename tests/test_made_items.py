"""What was made, and the order: parts of it, in words, and what cannot be ordered."""

import numpy as np
import pandas as pd
import pytest

from anodiff.generate import Generator, check_settings, counted, ordered
from anodiff.made import Judgement, Made, one_of_these
from anodiff.types import Misfit


def made(data, n=4):
    against = [(), ("implausible as a whole",), (), ("implausible as a whole", "a copy of another")]
    return Made(
        data=data,
        region=np.eye(n, 2, dtype=bool),
        normal=None,
        kind=["a", "b", "a", "b"],
        where=["cell"] * n,
        strength=np.linspace(0.1, 0.4, n),
        amount=np.ones(n),
        score=np.array([1.0, np.nan, 2.0, 3.0]),
        source=np.arange(n),
        verdicts=[Judgement(against=words) for words in against],
    )


@pytest.mark.parametrize(
    "data",
    [np.arange(8.0).reshape(4, 2), list(range(4)), pd.DataFrame({"x": [0, 1, 2, 3], "y": list("abcd")})],
    ids=["array", "list", "frame"],
)
def test_parts_keep_their_layout_and_nothing_is_lost(data):
    whole = made(data)
    kept, rejected = whole.kept, whole.rejected
    assert (len(kept), len(rejected), whole.rejection_rate) == (2, 2, 0.5)
    assert type(kept.data) is type(data)
    assert kept.source.tolist() == [0, 2]
    assert rejected.source.tolist() == [1, 3]
    assert [v.accepted for v in rejected.verdicts] == [False, False]
    assert whole.reasons() == {"implausible as a whole": 2, "a copy of another": 1}
    assert whole.summary() == "4 made, 2 kept, 2 rejected (2 implausible as a whole; 1 a copy of another)."
    assert [row["score"] for row in whole.rows()] == [1.0, None, 2.0, 3.0]
    if isinstance(data, pd.DataFrame):
        assert kept.data["y"].tolist() == ["a", "c"]


def test_what_was_not_judged_is_kept():
    whole = made(np.zeros((4, 2)))
    unjudged = Made(**{**vars(whole), "verdicts": []})
    assert len(unjudged.kept) == 4
    assert unjudged.summary() == "4 made, 4 kept, 0 rejected."
    assert "accepted" not in unjudged.rows()[0]


def test_choices_are_named():
    assert one_of_these("kind", "point", ["point", "trend"], "series") == "point"
    with pytest.raises(Misfit, match="kind is 'scratch', which series do not have; choose one of point, trend"):
        one_of_these("kind", "scratch", ["point", "trend"], "series")


def asked(**changes):
    given = {"n": 3, "on": None, "where": "auto", "kind": "auto", "strength": 0.5}
    more = {"size": None, "like": None, "judged": True, "seed": 0}
    return ordered(**{**given, **more, **changes})


def test_orders_are_complete():
    assert asked().strength.tolist() == [0.5] * 3
    assert asked(strength=[0.1, 0.2, 1]).strength.tolist() == [0.1, 0.2, 1.0]
    assert asked(size=0.1).size == (0.1, 0.1)
    assert counted(np.zeros((7, 2)), "tabular") == 7
    assert counted(None, "tabular") == counted("folder", "image") == 16
    assert asked(kind="normal", strength=0).strength.tolist() == [0.0] * 3


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"strength": 0}, "strength is 0, which is normal data; give kind='normal'"),
        ({"strength": 1.5}, "strength is 1.5; give a number above 0 up to 1"),
        ({"strength": -0.1}, "strength is -0.1"),
        ({"strength": float("nan")}, "strength is nan"),
        ({"strength": "much"}, "strength is 'much'; give a number"),
        ({"strength": [0.1, 0.2]}, "one for each of the 3 items"),
        ({"n": 0}, "n is 0; give a whole number of items"),
        ({"n": 2.5}, "n is 2.5"),
        ({"size": 0}, "size is 0; give the share"),
        ({"size": 1.0}, "size is 1.0"),
        ({"size": (0.2, 0.1)}, "size is"),
        ({"size": "large"}, "size is 'large'"),
        ({"like": -1}, "like is -1; give the number of an example"),
    ],
)
def test_what_cannot_be_ordered_is_refused(changes, said):
    with pytest.raises(Misfit) as caught:
        asked(**changes)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"space": "pixel"}, "choose one of data, latent, features"),
        ({"p_value": 0}, "p_value is 0"),
        ({"reach": 3}, "reach is 3; give a p-value"),
        ({"reach": "far"}, "'examples' or 'auto'"),
        ({"max_seconds": -1}, "max_seconds is -1"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_settings_out_of_range_are_refused(settings, said):
    with pytest.raises(Misfit) as caught:
        check_settings(Generator(**settings))
    assert said in str(caught.value)


def test_regions_without_examples_and_spaces_of_pictures_for_tables_are_refused():
    X = np.random.default_rng(0).normal(size=(60, 3))
    with pytest.raises(Misfit, match="regions and kinds are those of examples"):
        Generator().fit(X, kinds=["a"])
    with pytest.raises(Misfit, match="space is 'features', which is for images"):
        Generator(space="features").fit(X)
