r"""The dominant period of a series: the lag of the highest peak of its autocorrelation,

.. math:: P = \arg\max_{k_0 < k < K} r_k \quad \text{over local maxima}, \qquad
          r_k = \frac{\sum_t x_t x_{t+k}}{\sum_t x_t^2},

:math:`k_0` the first lag at which it is no longer positive: before it, noise makes peaks of its own. Where no peak
after it reaches `LEAST`, a trend hides the rhythm, and the highest of all local maxima is taken. Without any there is
none.
"""

from collections.abc import Sequence

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

LEAST = 0.1
SHORTEST = 4
LONGEST = 300
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


def period(x: np.ndarray, most: int = LONGEST) -> int | None:
    """The period of `x` `(n,)` in instants, at most `most`; None where it shows none.

    >>> period(np.sin(np.arange(1000) * 2 * np.pi / 40))
    40
    """
    r = autocorrelation(x[:MOST], min(most, len(x[:MOST]) // 2) + 2)
    peaks = np.flatnonzero((r[1:-1] >= r[:-2]) & (r[1:-1] > r[2:])) + 1
    peaks = peaks[peaks >= SHORTEST]
    fallen = int(np.argmax(r <= 0)) if (r <= 0).any() else len(r)
    after = peaks[(peaks >= fallen) & (r[peaks] >= LEAST)]
    chosen = after if len(after) else peaks[peaks < fallen]
    return int(chosen[np.argmax(r[chosen])]) if len(chosen) else None


def dominant(series: Sequence[np.ndarray], most: int = LONGEST, otherwise: int = 0) -> int:
    """The median period over the channels of `series`, each `(T, channels)`, that show one; else `otherwise`."""
    found = [period(x[:, i], most) for x in series for i in range(x.shape[1])]
    shown = sorted(p for p in found if p is not None)
    return shown[(len(shown) - 1) // 2] if shown else otherwise
