"""Windows and the way back: sums are kept, nothing looks ahead, far values do not round near ones."""

import numpy as np
import pytest
import torch

from anodiff.modalities.windows import View, overlaid, smoothed, spread

X = torch.from_numpy(np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32))


@pytest.mark.parametrize("normalise", ["none", "centre", "unit", "soft"])
@pytest.mark.parametrize("points", [7, 3])
def test_cut_equals_taken(normalise: str, points: int) -> None:
    view = View(7, points, normalise)
    cut, taken = view.cut(X, 4, 20), view.taken(X, torch.arange(4, 20))
    assert cut.shape == (16, 2, points)
    assert torch.allclose(cut, taken, atol=1e-6)


def test_points_are_means() -> None:
    window = View(6, 2).cut(X, 3, 4)[0]
    assert torch.allclose(window[:, 0], X[3:6].mean(0))
    assert torch.allclose(window[:, 1], X[6:9].mean(0))


def test_centred_windows_forget_the_level() -> None:
    view = View(10, 10, "centre")
    assert torch.allclose(view.cut(X + 5, 0, 41), view.cut(X, 0, 41), atol=1e-5)


def test_unit_windows_forget_the_size() -> None:
    view = View(10, 10, "unit")
    assert torch.allclose(view.cut(3 * X, 0, 41), view.cut(X, 0, 41), rtol=0.02)


def test_flat_windows_stay_flat() -> None:
    assert (View(10, 10, "unit").cut(torch.ones(20, 1), 0, 11).abs() < 1e-5).all()


def test_overlaid_keeps_sums() -> None:
    maps = torch.rand(9, 2, 4, dtype=torch.float64)
    assert torch.allclose(overlaid(maps).sum(0), maps.sum((0, 2)))
    assert overlaid(torch.ones(9, 1, 4))[:, 0].tolist() == [1, 2, 3, 4, 4, 4, 4, 4, 4, 3, 2, 1]
    assert overlaid(torch.ones(3, 1, 4), 2)[:, 0].tolist() == [1, 1, 2, 2, 2, 2, 1, 1]


def test_spread_keeps_sums() -> None:
    view = View(7, 3)
    maps = torch.rand(5, 2, 3, dtype=torch.float64)
    wide = spread(maps, view.edges())
    assert wide.shape == (5, 2, 7)
    assert torch.allclose(wide.sum(2), maps.sum(2))


def test_causal_smoothing_does_not_look_ahead() -> None:
    values = np.random.default_rng(1).normal(size=40)
    later = values.copy()
    later[25:] += 100
    assert np.array_equal(smoothed(values, 8, causal=True)[:25], smoothed(later, 8, causal=True)[:25])
    assert not np.allclose(smoothed(values, 8)[:25], smoothed(later, 8)[:25])


def test_a_far_value_does_not_round_what_comes_after() -> None:
    values = np.ones(100)
    values[3] = 1e18
    assert np.allclose(smoothed(values, 5, causal=True)[10:], 1.0, rtol=1e-12)


def test_smoothing_leaves_out_what_is_not_known() -> None:
    assert smoothed(np.array([1.0, np.nan, 3.0]), 3).tolist() == [1, 2, 3]
