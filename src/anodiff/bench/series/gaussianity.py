r"""Is a series Gaussian? Windows of its normal part, whitened, have squared lengths that follow chi-square,

.. math:: D = \sup_r \big|\hat F(r) - F_{\chi^2_d}(r)\big| \quad \text{against} \quad 1.63 \sqrt{\tau / n}, \qquad
          \tau = 1 + 2 \sum_k \rho_k ,

Kolmogorov's bound of 1 % for n windows of which each tells as much as :math:`1 / \tau` of an independent one, by the
autocorrelation of the lengths. Their variance over that of chi-square, `kurtosis`, says which way (Mardia, "Measures of
multivariate skewness and kurtosis with applications", 1970): above 1 for heavy tails, below for a pure oscillation.
"""

import numpy as np
from scipy.stats import chi2

from anodiff.bench.series.nearest import windows
from anodiff.bench.series.tasks import Source
from anodiff.modalities.period import autocorrelation
from anodiff.types import JSON

LENGTH, AXES, LEAST = 100, 10, 0.01
CRITICAL, FADED = 1.63, 0.05


def of_source(source: Source) -> JSON:
    """Of the windows in which no anomaly is known."""
    held = source.load()
    length = max(2, min(LENGTH, len(held.X) // 8))
    normal = np.convolve(held.y, np.ones(length), mode="valid") < 0.5
    places = np.flatnonzero(normal)
    if len(places) < 4 * length:
        return {"gaussian": None, "distance": None, "critical": None, "kurtosis": None}
    return of_windows(windows(np.nan_to_num(held.X), length)[places])


def of_windows(rows: np.ndarray) -> JSON:
    """Of windows `(n, d)` in the order of time.

    >>> draw = np.random.default_rng(0)
    >>> of_windows(draw.normal(size=(2000, 5)))["gaussian"]
    True
    >>> of_windows(draw.normal(size=(2000, 5)) ** 3)["gaussian"]
    False
    """
    lengths, d = whitened_lengths(rows)
    n, told = len(lengths), chi2.cdf(np.sort(lengths), d)
    distance = float(max((np.arange(1, n + 1) / n - told).max(), (told - np.arange(n) / n).max()))
    critical = CRITICAL * np.sqrt(together(lengths) / n)
    return {
        "gaussian": bool(distance <= critical),
        "distance": distance,
        "critical": float(critical),
        "kurtosis": float(lengths.var() / (2 * d)),
    }


def whitened_lengths(rows: np.ndarray) -> tuple[np.ndarray, int]:
    """Squared lengths `(n,)` along the principal axes that vary, in units of their variances; how many these are."""
    away = rows - rows.mean(0)
    spread, axes = np.linalg.eigh(away.T @ away / len(away))
    order = np.argsort(-spread)[:AXES]
    kept = order[spread[order] > LEAST**2 * max(float(spread[order[0]]), 1e-12)]
    along = away @ axes[:, kept]
    return (along**2 / np.maximum(spread[kept], 1e-300)).sum(1), len(kept)


def together(lengths: np.ndarray) -> float:
    """How many neighbours tell as much as one: the autocorrelation of `lengths` `(n,)`, summed until it has faded."""
    rho = autocorrelation(lengths, len(lengths) // 4)
    faded = np.flatnonzero(rho < FADED)
    upto = int(faded[0]) if len(faded) else len(rho)
    return float(max(1.0, 1 + 2 * rho[1:upto].sum()))
