from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from scipy import stats

from anodiff.metrics import forecasts
from anodiff.types import Misfit, Unreadable

NUMBER = some.floats(-100, 100)


@given(some.lists(NUMBER, min_size=1, max_size=8), NUMBER)
def test_crps_is_its_definition(samples: list[float], truth: float) -> None:
    drawn = np.array(samples)
    expected = np.abs(drawn - truth).mean() - np.abs(drawn[:, None] - drawn).mean() / 2
    assert forecasts.crps([truth], drawn[:, None]) == pytest.approx(expected, abs=1e-9)


def test_crps_of_a_gaussian() -> None:
    """Closed form of Gneiting and Raftery, 2007, equation 21, from samples and from quantiles."""
    truth, centre = np.array([-1.0, 0.2, 2.0]), (np.arange(4000) + 0.5) / 4000
    closed = truth * (2 * stats.norm.cdf(truth) - 1) + 2 * stats.norm.pdf(truth) - np.pi**-0.5
    normal = np.repeat(stats.norm.ppf(centre)[:, None], 3, axis=1)
    assert forecasts.crps(truth, normal) == pytest.approx(closed.mean(), abs=1e-3)
    assert forecasts.crps_of_quantiles(truth, normal, centre) == pytest.approx(closed.mean(), abs=1e-3)


def test_one_point_is_the_absolute_error() -> None:
    truth, guess = np.random.default_rng(0).normal(size=(2, 7, 3))
    error = forecasts.mae(truth, guess)
    assert forecasts.crps(truth, guess[None]) == pytest.approx(error)
    assert forecasts.crps(truth, np.stack([guess] * 5)) == pytest.approx(error)
    assert forecasts.crps_of_quantiles(truth, guess[None], [0.5]) == pytest.approx(error)
    assert forecasts.normalised_crps(truth, guess[None]) == pytest.approx(error / np.abs(truth).mean())
    assert forecasts.rmse(truth, guess) == pytest.approx(np.sqrt(((truth - guess) ** 2).mean()))


def test_normalised_by_hand() -> None:
    """Equation by equation as in CSDI's paper: quantiles 0.05 to 0.95, losses summed, divided by the sum of truth."""
    random = np.random.default_rng(0)
    truth, samples, hidden = random.normal(size=6), random.normal(size=(9, 6)), np.array([1, 0, 1, 1, 0, 1], dtype=bool)
    total = 0.0
    for level in np.arange(0.05, 1, 0.05):
        quantile = np.quantile(samples, level, axis=0)
        total += 2 * np.abs((quantile - truth) * hidden * ((truth <= quantile) - level)).sum()
    expected = total / 19 / np.abs(truth * hidden).sum()
    assert forecasts.normalised_crps(truth, samples, hidden) == pytest.approx(expected)


def test_only_hidden_cells_count() -> None:
    truth, guess = np.array([[1.0, np.nan], [3.0, 4.0]]), np.array([[2.0, 9.0], [np.nan, 2.0]])
    hidden = np.array([[True, False], [False, True]])
    assert forecasts.mae(truth, guess, hidden) == 1.5
    assert forecasts.rmse(truth, guess, hidden) == pytest.approx(2.5**0.5)
    assert forecasts.crps(truth, guess[None], hidden) == 1.5
    assert forecasts.pinball(truth, guess[None], [0.25], hidden).tolist() == [(0.75 * 1 + 0.25 * 2) / 2]


@pytest.mark.parametrize("metric", [forecasts.mae, forecasts.rmse])
def test_refuses(metric: Callable) -> None:
    with pytest.raises(Unreadable, match="NaN"):
        metric([np.nan], [1.0])
    with pytest.raises(Unreadable, match="one shape"):
        metric([1.0], [1.0, 2.0])
    with pytest.raises(Unreadable, match="booleans"):
        metric([1.0], [1.0], [1])
    with pytest.raises(Misfit, match="no cell"):
        metric([1.0], [1.0], [False])


def test_refuses_distributions() -> None:
    with pytest.raises(Unreadable, match="one shape"):
        forecasts.crps([1.0, 2.0], [[1.0]])
    with pytest.raises(Unreadable, match="one shape"):
        forecasts.crps([1.0], np.zeros((0, 1)))
    with pytest.raises(Misfit, match="one level"):
        forecasts.pinball([1.0], [[1.0]], [0.1, 0.9])
    with pytest.raises(Misfit, match="between 0 and 1"):
        forecasts.pinball([1.0], [[1.0]], [1.0])
    with pytest.raises(Misfit, match="no unit"):
        forecasts.normalised_crps([0.0], [[1.0]])
