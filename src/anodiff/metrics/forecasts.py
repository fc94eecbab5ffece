r"""How good are values that were never seen: forecasts and imputations, as one number or as a distribution?

.. math:: \text{CRPS}(F, y) = \int (F(x) - [y \le x])^2 dx = \mathbb{E}|X - y| - \tfrac12 \mathbb{E}|X - X'|
    = 2 \int_0^1 \rho_\tau\big(y - F^{-1}(\tau)\big) d\tau, \quad \rho_\tau(u) = u\, (\tau - [u < 0]) ,

lower is better, in units of y; of a distribution in one point it is the absolute error. Gneiting and Raftery, "Strictly
Proper Scoring Rules, Prediction, and Estimation", 2007. Truth and guesses have one shape, such as
`(instants, channels)`, and `hidden` of that shape marks the cells that count, all by default; other cells may hold
anything, NaN too.
"""

import numpy as np

from anodiff.types import Misfit, Unreadable

LEVELS = np.arange(1, 20) / 20


def mae(truth: np.ndarray, guess: np.ndarray, hidden: np.ndarray | None = None) -> float:
    """Mean absolute error over hidden cells.

    Raises:
        Misfit: no cell is hidden; as in all functions here.
        Unreadable: shapes that differ, or hidden cells that are not finite; likewise.

    >>> mae([1.0, 2.0], [1.5, 9.0], [True, False])
    0.5
    """
    found, guesses = _hidden(truth, np.asarray(guess)[None], hidden)
    return float(np.abs(guesses[0] - found).mean())


def rmse(truth: np.ndarray, guess: np.ndarray, hidden: np.ndarray | None = None) -> float:
    """Root of the mean squared error over hidden cells.

    >>> rmse([0.0, 0.0], [3.0, 9.0], [True, False])
    3.0
    """
    found, guesses = _hidden(truth, np.asarray(guess)[None], hidden)
    return float(np.sqrt(((guesses[0] - found) ** 2).mean()))


def crps(truth: np.ndarray, samples: np.ndarray, hidden: np.ndarray | None = None) -> float:
    """Mean CRPS over hidden cells of the distribution of `samples` `(samples, *shape of truth)`.

    >>> crps([1.0], [[0.0], [2.0]])
    0.5
    """
    found, drawn = _hidden(truth, samples, hidden)
    k = len(drawn)
    spread = (2 * np.arange(1, k + 1) - k - 1) @ np.sort(drawn, axis=0) / k**2
    return float((np.abs(drawn - found).mean(0) - spread).mean())


def pinball(
    truth: np.ndarray, quantiles: np.ndarray, levels: np.ndarray, hidden: np.ndarray | None = None
) -> np.ndarray:
    """Mean pinball loss over hidden cells of `quantiles` `(levels, *shape of truth)`, at each of `levels` in (0, 1).

    Koenker and Bassett, "Regression Quantiles", 1978.

    >>> pinball([1.0], [[0.0], [3.0]], [0.25, 0.75]).tolist()
    [0.25, 0.5]
    """
    found, guesses = _hidden(truth, quantiles, hidden)
    tau = np.asarray(levels, dtype=np.float64)
    if tau.shape != (len(guesses),) or not ((tau > 0) & (tau < 1)).all():
        raise Misfit(f"levels {tau.shape} for {len(guesses)} quantiles; give one level between 0 and 1 for each.")
    error = found - guesses
    return np.asarray((error * (tau[:, None] - (error < 0))).mean(1))


def crps_of_quantiles(
    truth: np.ndarray, quantiles: np.ndarray, levels: np.ndarray, hidden: np.ndarray | None = None
) -> float:
    """CRPS from evenly spaced `quantiles` `(levels, *shape of truth)`: twice the mean of their pinball losses."""
    return float(2 * pinball(truth, quantiles, levels, hidden).mean())


def normalised_crps(truth: np.ndarray, samples: np.ndarray, hidden: np.ndarray | None = None) -> float:
    """CRPS from 19 quantiles of `samples` `(samples, *shape of truth)`, in units of the mean absolute truth.

    As reported for imputation by Tashiro, Song, Song and Ermon, "CSDI: Conditional Score-based Diffusion Models for
    Probabilistic Time Series Imputation", 2021.

    Raises:
        Misfit: no cell is hidden, or the truth is 0 in all that are.
    """
    found, drawn = _hidden(truth, samples, hidden)
    size = np.abs(found).mean()
    if size == 0:
        raise Misfit("the truth is 0 in all hidden cells, which is no unit; take crps.")
    return crps_of_quantiles(found, np.quantile(drawn, LEVELS, axis=0), LEVELS) / float(size)


def _hidden(truth: np.ndarray, guesses: np.ndarray, hidden: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Hidden cells of the truth `(cells,)` and of the guesses `(guesses, cells)`, finite and at least one."""
    found, drawn = np.asarray(truth, dtype=np.float64), np.asarray(guesses, dtype=np.float64)
    chosen = np.ones(found.shape, dtype=bool) if hidden is None else np.asarray(hidden)
    if drawn.shape[1:] != found.shape or not len(drawn) or chosen.shape != found.shape or chosen.dtype != bool:
        raise Unreadable(
            f"truth {found.shape}, guesses {drawn.shape[1:]} and hidden {chosen.shape} of {chosen.dtype}; "
            "give one shape, and booleans for hidden."
        )
    if not chosen.any():
        raise Misfit(f"no cell of {found.shape} is hidden; nothing was guessed.")
    found, drawn = found[chosen], drawn[:, chosen]
    if not (np.isfinite(found).all() and np.isfinite(drawn).all()):
        raise Unreadable("the truth or a guess is NaN or infinite in a hidden cell; give numbers there.")
    return found, drawn
