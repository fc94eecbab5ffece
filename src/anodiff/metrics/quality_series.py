r"""Do made series move as real ones do? Of all series of a set together, for each channel,

.. math:: \text{spectral} = \tfrac12 \sum_f \big| P(f) - Q(f) \big|, \qquad
    \text{autocorrelation} = \Big( \tfrac1L \sum_{l=1}^L \big( r(l) - q(l) \big)^2 \Big)^{1/2},

P and Q the mean power spectra, normalised to the sum 1, r and q the mean autocorrelations. Both look at shape, not at
level or power, and leave missing values out. Compare with the same of two sets of real series.
"""

from collections.abc import Sequence

import numpy as np
from scipy.signal import welch

from anodiff.types import Misfit, Unreadable

SEGMENT = 256
LAGS = 50


def spectral_distance(real: Sequence[np.ndarray], made: Sequence[np.ndarray], segment: int = SEGMENT) -> float:
    """Total variation of normalised power spectra, mean over channels; from 0 (the same) to 1 (no frequency shared).

    Welch, "The use of fast Fourier transform for the estimation of power spectra", 1967: Hann windows, half
    overlapping, each less its mean, as long as `segment` or as the shortest series. Missing values are set to their
    channel's mean.

    Args:
        real: Series `(T,)` or `(T, channels)`, of any lengths from 8.
        made: The same.
        segment: Instants.

    Raises:
        Unreadable: there are no series, one is too short, or channels differ in number.
    """
    pair = _sets(real, made)
    length = min(segment, *(len(each) for one in pair for each in one))
    spectra = [_spectrum(one, length) for one in pair]
    return float(0.5 * np.abs(spectra[0] - spectra[1]).sum(0).mean())


def autocorrelation_distance(real: Sequence[np.ndarray], made: Sequence[np.ndarray], lags: int | None = None) -> float:
    """Root mean square difference of autocorrelations at lags from 1, mean over channels; from 0 to at most 2.

    Each is the mean over the series that vary, estimated from pairs of values that are both there.

    Args:
        real: Series `(T,)` or `(T, channels)`, of any lengths from 8.
        made: The same.
        lags: How many; by default 50, or half of the shortest series.

    Raises:
        Unreadable: there are no series, one is too short, or channels differ in number.
        Misfit: more lags than the shortest series is long.
    """
    pair = _sets(real, made)
    shortest = min(len(each) for one in pair for each in one)
    lags = min(LAGS, shortest // 2) if lags is None else lags
    if not 1 <= lags < shortest:
        raise Misfit(f"lags are {lags}; give a number from 1 to {shortest - 1}, the shortest series being {shortest}.")
    r, q = (_mean([autocorrelation(each, lags) for each in one]) for one in pair)
    return float(np.sqrt(((r - q) ** 2).mean(0)).mean())


def autocorrelation(series: np.ndarray, lags: int) -> np.ndarray:
    """Autocorrelations `(lags, channels)` of one series `(T, channels)` at lags from 1; NaN where it does not vary.

    >>> autocorrelation(np.array([[1.0], [-1.0]] * 50), 2).round(2).ravel().tolist()
    [-0.99, 0.98]
    """
    known = np.isfinite(series)
    centred = np.where(known, series - _centre(series), 0.0)
    power = (centred**2).sum(0) / np.maximum(known.sum(0), 1)
    products = np.stack([(centred[lag:] * centred[:-lag]).sum(0) for lag in range(1, lags + 1)])
    # pairs that are there, of as many as there would be: a short overlap counts less, as it does without gaps
    there = np.stack([(known[lag:] & known[:-lag]).sum(0) / (len(series) - lag) for lag in range(1, lags + 1)])
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where((power > 0) & (there > 0), products / (there * len(series) * power), np.nan))


def _spectrum(series: Sequence[np.ndarray], length: int) -> np.ndarray:
    """Mean power `(frequencies, channels)` with the sum 1 in each channel that varies."""
    filled = [np.where(np.isfinite(each), each, _centre(each)) for each in series]
    spectra = [welch(each, nperseg=length, axis=0, detrend="constant")[1] for each in filled]
    power = _mean([each / np.where(each.sum(0) > 0, each.sum(0), np.nan) for each in spectra])
    return np.asarray(power / np.maximum(power.sum(0), 1e-300))


def _mean(each: Sequence[np.ndarray]) -> np.ndarray:
    """Over series, of what is known; 0 where nothing is."""
    stacked = np.stack(each)
    known = np.isfinite(stacked)
    return np.asarray(np.where(known, stacked, 0.0).sum(0) / np.maximum(known.sum(0), 1))


def _centre(series: np.ndarray) -> np.ndarray:
    known = np.isfinite(series)
    return np.asarray(np.where(known, series, 0.0).sum(0) / np.maximum(known.sum(0), 1))


def _sets(real: Sequence[np.ndarray], made: Sequence[np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    pair = [[_matrix(each, f"{what} series {i}") for i, each in enumerate(one)] for what, one in _named(real, made)]
    if not pair[0] or not pair[1]:
        raise Unreadable(f"there are {len(pair[0])} real and {len(pair[1])} made series; give at least one of each.")
    channels = sorted({each.shape[1] for one in pair for each in one})
    if len(channels) > 1:
        raise Unreadable(f"series have {', '.join(map(str, channels))} channels; give all of the same channels.")
    return pair[0], pair[1]


def _named(real: Sequence[np.ndarray], made: Sequence[np.ndarray]) -> tuple[tuple[str, Sequence[np.ndarray]], ...]:
    return ("real", real), ("made", made)


def _matrix(given: np.ndarray, what: str) -> np.ndarray:
    values = np.asarray(given, dtype=np.float64)
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2 or len(values) < 8:
        raise Unreadable(f"{what} has shape {values.shape}; give (instants, channels), at least 8 instants.")
    return values
