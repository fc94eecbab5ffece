r"""The dominant period of a series: the lag of the highest peak of its autocorrelation,

.. math:: P = \arg\max_{2 < k < n / 2} r_k \quad \text{over local maxima}, \qquad
          r_k = \frac{\sum_t x_t x_{t+k}}{\sum_t x_t^2},

and none where no peak stands above `LEAST`. Peaks at multiples of a period tie: the first one that is nearly as high as
the highest is taken.
"""

from collections.abc import Sequence

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

LEAST = 0.1
NEARLY = 0.9
SHORTEST = 4
MOST = 20_000
"""Instants that are looked at."""


def autocorrelation(x: np.ndarray, lags: int) -> np.ndarray:
    """Of `x` `(n,)`, its mean removed, at lags 0 to `lags` - 1; zeros where x is constant."""
    away = x - x.mean()
    size = float(away @ away)
    if size <= 1e-18 * len(x) * max(1.0, float(np.abs(x).max()) ** 2):
        return np.zeros(lags)
    wide = rfft(away, next_fast_len(2 * len(x), real=True))
    found = irfft(np.abs(wide) ** 2, next_fast_len(2 * len(x), real=True))[:lags]
    return np.asarray(found / size)


def period(x: np.ndarray, most: int) -> int | None:
    """The period of `x` `(n,)` in instants, at most `most`; None where it shows none.

    >>> period(np.sin(np.arange(1000) * 2 * np.pi / 40), 300)
    40
    """
    r = autocorrelation(x[:MOST], min(most, len(x[:MOST]) // 2) + 2)
    inner = r[1:-1]
    peaks = np.flatnonzero((inner >= r[:-2]) & (inner > r[2:])) + 1
    peaks = peaks[(peaks >= SHORTEST) & (r[peaks] >= LEAST)]
    if not len(peaks):
        return None
    return int(peaks[r[peaks] >= NEARLY * r[peaks].max()][0])


def dominant(series: Sequence[np.ndarray], most: int, otherwise: int) -> int:
    """The median period over the channels of `series`, each `(T, channels)`, that show one; else `otherwise`."""
    found = [period(x[:, i], most) for x in series for i in range(x.shape[1])]
    shown = sorted(p for p in found if p is not None)
    return shown[(len(shown) - 1) // 2] if shown else otherwise
