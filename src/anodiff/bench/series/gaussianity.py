r"""Is a series Gaussian? Windows of its normal part, whitened, have squared lengths that follow chi-square,

.. math:: D = \sup_r \big|\hat F(r) - F_{\chi^2_d}(r)\big| \quad \text{against} \quad 1.63 / \sqrt{n / L},

Kolmogorov's bound of 1 % with as many independent windows as fit side by side. The variance of the lengths over that
of chi-square, `kurtosis`, says which way (Mardia, "Measures of multivariate skewness and kurtosis with applications",
1970): above 1 for heavy tails, below 1 for a pure oscillation.
"""

import numpy as np
from scipy.stats import chi2

from anodiff.bench.series.nearest import drawn, windows
from anodiff.bench.series.tasks import Source
from anodiff.types import JSON

LENGTH, ROWS, AXES, LEAST = 100, 4000, 10, 1e-3
CRITICAL = 1.63


def of_source(source: Source) -> JSON:
    """Of the windows in which no anomaly is known."""
    held = source.load()
    length = max(2, min(LENGTH, len(held.X) // 8))
    normal = np.convolve(held.y, np.ones(length), mode="valid") < 0.5
    places = np.flatnonzero(normal)
    if len(places) < 4 * length:
        return {"gaussian": None, "distance": None, "critical": None, "kurtosis": None}
    rows = places[drawn(len(places), ROWS, 0)]
    return of_windows(windows(np.nan_to_num(held.X), length)[rows], len(places) / length)


def of_windows(rows: np.ndarray, independent: float) -> JSON:
    """Of windows `(n, d)`, of which so many are independent.

    >>> draw = np.random.default_rng(0)
    >>> of_windows(draw.normal(size=(2000, 5)), 2000)["gaussian"]
    True
    >>> of_windows(draw.normal(size=(2000, 5)) ** 3, 2000)["gaussian"]
    False
    """
    away = rows - rows.mean(0)
    _, spread, axes = np.linalg.svd(away, full_matrices=False)
    kept = axes[:AXES][spread[:AXES] > LEAST * max(spread[0], 1e-12)]
    along = away @ kept.T
    lengths = np.sort(((along / along.std(0)) ** 2).sum(1))
    d, n = len(kept), len(lengths)
    told = chi2.cdf(lengths, d)
    distance = float(max((np.arange(1, n + 1) / n - told).max(), (told - np.arange(n) / n).max()))
    critical = CRITICAL / np.sqrt(max(independent, 1.0))
    return {
        "gaussian": bool(distance <= critical),
        "distance": distance,
        "critical": float(critical),
        "kurtosis": float(lengths.var() / (2 * d)),
    }
