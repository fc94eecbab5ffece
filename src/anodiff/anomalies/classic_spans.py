r"""Anomalies of series the classical way, rivals of generated ones: plain numpy, no model of normal data,

.. math:: x'_{m} = (1 - \beta) x_{m} + \beta e_{m} .

They differ in e: noise, a stretch from elsewhere, a spike or a step, or a point between two examples and nothing else
(Chawla et al., "SMOTE: Synthetic Minority Over-sampling Technique", 2002).
"""

from collections.abc import Callable, Sequence

import numpy as np

from anodiff.types import Misfit

Classic = Callable[[np.ndarray, np.ndarray, float, np.random.Generator], np.ndarray]
"""`(x (T, C), region (T, C), strength, draw) -> (T, C)`; strength 1 is about five standard deviations, or all of e."""

FAR = 5.0


def gaussian(x: np.ndarray, region: np.ndarray, strength: float, draw: np.random.Generator) -> np.ndarray:
    """White noise on top, of `strength` times five standard deviations of each channel."""
    return np.where(region, x + strength * FAR * spread(x) * draw.standard_normal(x.shape), x)


def spike(x: np.ndarray, region: np.ndarray, strength: float, draw: np.random.Generator) -> np.ndarray:
    """Each channel goes up or down at one instant of its region."""
    found = x.copy()
    for c in np.flatnonzero(region.any(0)):
        at = draw.choice(np.flatnonzero(region[:, c]))
        found[at, c] += draw.choice((-1, 1)) * strength * FAR * spread(x)[c]
    return found


def shift(x: np.ndarray, region: np.ndarray, strength: float, draw: np.random.Generator) -> np.ndarray:
    """Each channel goes up or down throughout its region."""
    sign = draw.choice((-1.0, 1.0), x.shape[1])
    return np.where(region, x + sign * strength * FAR * spread(x), x)


def swap(x: np.ndarray, region: np.ndarray, strength: float, draw: np.random.Generator) -> np.ndarray:
    """What lies elsewhere in the same series, moved whole (Li et al., "CutPaste", 2021)."""
    by = int(draw.integers(1, max(2, len(x))))
    return np.where(region, (1 - strength) * x + strength * np.roll(x, by, 0), x)


class Smote:
    """A point between two example windows, put over the region; of one example, that example.

    Args:
        windows: What known anomalies look like in their regions, `(length_i, C)` each.
    """

    def __init__(self, windows: Sequence[np.ndarray]) -> None:
        if not len(windows):
            raise Misfit("there is no example to interpolate; give at least one.")
        self.windows = [np.asarray(each, dtype=np.float64) for each in windows]

    def __call__(self, x: np.ndarray, region: np.ndarray, strength: float, draw: np.random.Generator) -> np.ndarray:
        """x `(T, C)` with an interpolated example in its region, blended in by `strength`."""
        where = np.flatnonzero(region.any(1))
        length = int(np.ptp(where)) + 1
        one, other = (stretched(self.windows[k], length) for k in draw.integers(len(self.windows), size=2))
        mixed = one + draw.uniform() * (other - one)
        found = x.copy()
        found[where[0] : where[-1] + 1] = mixed
        return np.where(region, (1 - strength) * x + strength * found, x)


CLASSICS: dict[str, Classic] = {"gaussian": gaussian, "spike": spike, "shift": shift, "swap": swap}


def spread(x: np.ndarray) -> np.ndarray:
    """The standard deviation of each channel `(C,)`, 1 where it is constant or nothing was observed."""
    seen = np.isfinite(x)
    count = np.maximum(seen.sum(0), 1)
    mean = np.where(seen, x, 0).sum(0) / count
    found = np.sqrt((np.where(seen, x - mean, 0) ** 2).sum(0) / count)
    return np.asarray(np.where(found > 0, found, 1.0))


def stretched(window: np.ndarray, length: int) -> np.ndarray:
    """A window `(n, C)` told by another number of instants `(length, C)`."""
    place = np.linspace(0, len(window) - 1, length)
    return np.stack([np.interp(place, np.arange(len(window)), column) for column in window.T], 1)
