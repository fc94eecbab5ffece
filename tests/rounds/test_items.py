"""Items of any kind: cut, put together, shown; what is whole stays whole."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from anodiff.made import Made
from anodiff.rounds.items import halves, joined, plain, shown, together
from anodiff.types import Misfit, Unreadable

TABLE = pd.DataFrame({"x": np.arange(40), "y": list("abcd") * 10})


@pytest.mark.parametrize("X", [np.arange(80.0).reshape(40, 2), TABLE, pl.from_pandas(TABLE)], ids=["np", "pd", "pl"])
def test_rows_are_cut_at_random_and_none_is_lost(X):
    learnt, held = halves("tabular", X, 0.3, 0)
    assert (len(learnt), len(held)) == (28, 12)
    assert type(learnt) is type(X)
    again = joined("tabular", (learnt, held))
    first = np.asarray(again)[:, 0]
    assert sorted(first.tolist()) == sorted(np.asarray(X)[:, 0].tolist())
    assert not np.array_equal(np.asarray(halves("tabular", X, 0.3, 1)[1]), np.asarray(held))


def test_series_are_cut_in_time():
    learnt, held = halves("series", [np.arange(100.0), np.arange(50.0)], 0.4, 0)
    assert [len(each) for each in learnt] == [60, 30]
    assert held[0].tolist() == list(range(60, 100))
    frame = pd.DataFrame({"time": pd.date_range("2024", periods=50, freq="h"), "v": np.arange(50.0)})
    (first,), (second,) = halves("series", frame, 0.4, 0)
    assert (len(first), second["v"].iloc[0]) == (30, 30)


def test_pictures_are_parts_of_an_album(tmp_path):
    from PIL import Image

    for i in range(40):
        Image.fromarray(np.full((8, 8), i, np.uint8)).save(tmp_path / f"{i:02d}.png")
    learnt, held = halves("image", tmp_path, 0.25, 0)
    assert (len(learnt), len(held)) == (30, 10)
    assert not set(learnt.names) & set(held.names)


def test_too_little_is_refused():
    with pytest.raises(Unreadable, match="has 3 items; give more"):
        halves("tabular", np.zeros((10, 2)), 0.3, 0)


def test_known_pictures_become_arrays_with_masks(tmp_path):
    from PIL import Image

    pixels = np.zeros((6, 9, 3), np.uint8)
    pixels[2, 3] = 200
    Image.fromarray(pixels).save(tmp_path / "a.png")
    items, masks = shown("image", [tmp_path / "a.png"], [pixels[..., 0] > 0])
    assert items[0].shape == (6, 9, 3)
    assert items[0][2, 3].tolist() == [200, 200, 200]
    assert masks[0].sum() == 1
    assert shown("image", None, None) is None
    with pytest.raises(Misfit, match="2 regions for 1 examples"):
        shown("tabular", np.zeros((1, 2)), np.zeros((2, 2)))
    assert len(plain("series", {"a": np.zeros(5), "b": np.zeros(6)})) == 2


def test_orders_are_put_together():
    def made(n, value):
        return Made(
            [np.full(5, value)] * n, [np.ones(5, bool)] * n, None, ["k"] * n, ["span"] * n, *(np.full((3, n), value)),
            source=np.zeros(n, int),
        )  # fmt: skip

    whole = together("series", [made(2, 1.0), made(3, 2.0)])
    assert len(whole) == 5
    assert whole.strength.tolist() == [1.0, 1.0, 2.0, 2.0, 2.0]
    assert len(whole.facts["orders"]) == 2
