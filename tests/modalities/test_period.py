"""The dominant period: the stated rule on waves of known period."""

import numpy as np
import pytest

from anodiff.modalities.period import dominant, period

T = np.arange(3000)


@pytest.mark.parametrize("true", [8, 25, 60, 144, 288])
def test_waves(true: int) -> None:
    noise = 0.2 * np.random.default_rng(true).normal(size=len(T))
    assert abs(period(np.sin(2 * np.pi * T / true) + noise) - true) <= max(1, true // 20)


def test_no_period() -> None:
    assert period(np.random.default_rng(0).normal(size=3000)) is None
    assert period(np.ones(3000)) is None


def test_sharp_peaks() -> None:
    beats = (T % 90 == 0).astype(float)
    assert period(np.convolve(beats, np.hanning(9), "same")) == 90


def test_dominant_is_a_median() -> None:
    waves = np.stack([np.sin(2 * np.pi * T / p) for p in (20, 50, 50)], 1)
    assert dominant([waves]) == 50
    assert dominant([np.ones((100, 2))], 50, 7) == 7
